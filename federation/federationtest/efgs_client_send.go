package federationtest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/internal/efgspb"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/cms"
)

var efgsSendClauses = []efgsClause{
	{"upload-stored", "201 must be that the whole batch is stored.", efgsSendStored},
	{"upload-request", "An upload must be a POST of protobuf, version included, with tag and signature in headers, and every field of its keys in the order of the batch.", efgsSendRequest},
	{"upload-json", "A client that uploads JSON must send the same keys, by the names of their fields.", efgsSendJSON},
	{"upload-signature", "The signature must verify over the keys' strings in the order of the base64 of each, be detached, on one line, and hold the signer's certificate.", efgsSendSignature},
	{"upload-vector", "What is signed of the known key must be the known bytes, of negative days since onset, the highest risk and a list of countries.", efgsSendVector},
	{"upload-by-openssl", "The signature must verify by openssl.", efgsSendByOpenSSL},
	{"upload-revoked", "A key of the report type REVOKED must be sent as one.", efgsSendRevoked},
	{"upload-same-again", "The same batch must be sent under the same tag with the same body.", efgsSendSameAgain},
	{"upload-keeps-batch", "Upload must not change the batch.", efgsSendKeepsBatch},
	{"upload-foreign-origin", "A key of another origin than the client's country must not be sent: the gateway would refuse its whole batch.", efgsSendForeign},
	{"upload-answer-lost", "409 to a batch that is sent again after its answer was lost must be that it is stored.", efgsSendAnswerLost},
	{"upload-partial", "207 must be that nothing is stored: what is under 409 must be Known, what is under 500 Refused, by the places in the batch.", efgsSendPartial},
	{"upload-partial-again", "Without what was under 409 and 500 the rest must be sent again, signed anew, until 201.", efgsSendPartialAgain},
	{"upload-partial-odd", "207 that names no key that is in the way, or places that there are not, must not be taken for stored: ErrUnavailable.", efgsSendPartialOdd},
	{"origins", "A client that can upload must have its country among the origins, and no other.", efgsSendOrigins},
}

// sent uploads a batch and returns what came of it as a request.
func (x *efgsTrial) sent(client Client, b *federation.Batch) (*heardRequest, error) {
	n := len(x.heard(0))
	if _, err := client.Upload(x.ctx, b); err != nil {
		return nil, err
	}
	all := x.heard(n)
	if len(all) != 1 || all[0].method != http.MethodPost || all[0].path != "/diagnosiskeys/upload" {
		return nil, fmt.Errorf("%d requests, want one POST of /diagnosiskeys/upload", len(all))
	}
	return all[0], nil
}

func efgsSendStored(x *efgsTrial) error {
	b := x.batch(20)
	answer, err := x.client.Upload(x.ctx, b)
	if err != nil {
		return err
	}
	if answer == nil || len(answer.Known)+len(answer.Refused) > 0 {
		return errors.New("the batch is not said to be stored")
	}
	if stored, uploads := x.gateway.Keys("DE"); len(stored) != 20 || uploads != 1 {
		return fmt.Errorf("%d keys are stored in %d uploads, want 20 in one", len(stored), uploads)
	}
	return nil
}

func efgsSendRequest(x *efgsTrial) error {
	b := x.batch(12)
	r, err := x.sent(x.client, b)
	if err != nil {
		return err
	}
	got := &efgspb.DiagnosisKeyBatch{}
	switch {
	case !mediaIs(r.header.Get("Content-Type"), "application/protobuf"):
		return fmt.Errorf("Content-Type is %q", r.header.Get("Content-Type"))
	case r.header.Get(headerBatchTag) != b.Tag:
		return errors.New("batchTag is not the batch's")
	case proto.Unmarshal(r.body, got) != nil:
		return errors.New("the body is no protobuf")
	}
	return sameMessages(got.GetKeys(), messagesOf(b.Keys))
}

func sameMessages(got, want []*efgspb.DiagnosisKey) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d keys were sent, want %d", len(got), len(want))
	}
	for i := range got {
		if !proto.Equal(got[i], want[i]) {
			return fmt.Errorf("key %d was sent with %s", i, differing(got[i], want[i]))
		}
	}
	return nil
}

func efgsSendJSON(x *efgsTrial) error {
	a := x.account(0)
	a.JSON = true
	b := x.batch(12)
	r, err := x.sent(x.make(a), b)
	if err != nil {
		return err
	}
	got := &efgspb.DiagnosisKeyBatch{}
	switch {
	case !mediaIs(r.header.Get("Content-Type"), "application/json"):
		return fmt.Errorf("Content-Type is %q", r.header.Get("Content-Type"))
	case protojson.Unmarshal(r.body, got) != nil:
		return errors.New("the body is not the JSON of its message")
	case !bytes.Contains(r.body, []byte("days_since_onset_of_symptoms")):
		return errors.New("a field has another name in JSON")
	}
	return sameMessages(got.GetKeys(), messagesOf(b.Keys))
}

// signed uploads keys whose readings of the order differ, and returns their
// signature and what it is to be of.
func (x *efgsTrial) signed() (signature string, content []byte, err error) {
	b := x.batch(30)
	r, err := x.sent(x.client, b)
	if err != nil {
		return "", nil, err
	}
	return r.header.Get(headerSignature), efgsContent(messagesOf(b.Keys)), nil
}

func efgsSendSignature(x *efgsTrial) error {
	signature, content, err := x.signed()
	if err != nil {
		return err
	}
	if _, err := base64.StdEncoding.DecodeString(signature); err != nil || strings.ContainsAny(signature, "\r\n") {
		return errors.New("it is not in base64 with padding, on one line")
	}
	m, err := cms.Parse(signature, nil) // strictly: detached, one signer, signed attributes
	if err == nil {
		err = m.Verify(content)
	}
	if err != nil {
		return err
	}
	if !m.Certificate.Equal(x.members[0].Signing.Leaf) {
		return errors.New("it has another certificate in it than the signer's")
	}
	return nil
}

// The known key, what is signed of it, and when it was new.
const vectorText = "AAECAwQFBgcICQoLDA0ODw==.ACiw8A==.AAAAkA==.f////w==.REUsRlI=.Rkk=.AAAAAQ==./////Q==."

var vectorTime = time.Date(2020, 9, 16, 12, 0, 0, 0, time.UTC)

func vectorKey() keys.DiagnosisKey {
	k := keys.DiagnosisKey{}
	asSigned(&k, keys.MustRegion("FI"))
	for i := range k.KeyData {
		k.KeyData[i] = byte(i)
	}
	k.RollingStartIntervalNumber, k.RollingPeriod = 2666736, 144
	k.VisitedCountries, k.DaysSinceOnsetOfSymptoms = regionsOf("DE", "FR"), keys.Some(keys.DaysSinceOnset(-3))
	return k // of which no risk is known, which the protocol calls 0x7fffffff
}

func efgsSendVector(x *efgsTrial) error {
	x.after(vectorTime.Sub(trialNow))
	const finland = 3
	r, err := x.sent(x.make(x.account(finland)), &federation.Batch{Tag: "vector", Time: vectorTime, Keys: []keys.DiagnosisKey{vectorKey()}})
	if err != nil {
		return err
	}
	m, err := cms.Parse(r.header.Get(headerSignature), nil)
	if err != nil {
		return err
	}
	return m.Verify([]byte(vectorText))
}

func efgsSendByOpenSSL(x *efgsTrial) error {
	signature, content, err := x.signed()
	if err != nil {
		return err
	}
	return opensslVerify(x.ctx, x.members[0].Signing.Leaf, content, signature)
}

func efgsSendRevoked(x *efgsTrial) error {
	b := x.batch(3)
	b.Keys[1].ReportType = keys.Some(keys.ReportRevoked)
	if _, err := x.sent(x.client, b); err != nil {
		return err
	}
	stored, _ := x.gateway.Keys("DE")
	if got := stored[string(b.Keys[1].KeyData[:])]; !slices.Equal(got, []int32{int32(keys.ReportRevoked)}) {
		return fmt.Errorf("it was stored with the report types %d", got)
	}
	return nil
}

func efgsSendSameAgain(x *efgsTrial) error {
	b := x.batch(10)
	var first *heardRequest
	for range 3 {
		x.gateway.SetHook(Always(503))
		n := len(x.heard(0))
		x.client.Upload(x.ctx, b)
		all := x.heard(n)
		if len(all) == 0 {
			return errors.New("nothing was sent")
		}
		if first == nil {
			first = all[0]
		}
		if all[0].header.Get(headerBatchTag) != first.header.Get(headerBatchTag) || !bytes.Equal(all[0].body, first.body) {
			return errors.New("the same batch was sent with another tag or body")
		}
	}
	return nil
}

func efgsSendKeepsBatch(x *efgsTrial) error {
	b := x.batch(10)
	slices.Reverse(b.Keys)
	before := &federation.Batch{Tag: b.Tag, Time: b.Time, Keys: slices.Clone(b.Keys)}
	if _, err := x.sent(x.client, b); err != nil {
		return err
	}
	if b.Tag != before.Tag || !b.Time.Equal(before.Time) || !slices.Equal(b.Keys, before.Keys) {
		return errors.New("the batch is another one after it")
	}
	return nil
}

func efgsSendForeign(x *efgsTrial) error {
	b := x.batch(3)
	b.Keys[1].Origin = keys.MustRegion("FR")
	if _, err := x.client.Upload(x.ctx, b); err == nil {
		return errors.New("it is no error")
	}
	for _, r := range x.heard(0) {
		if len(r.body) > 0 {
			return errors.New("it was sent")
		}
	}
	return nil
}

func efgsSendAnswerLost(x *efgsTrial) error {
	b := x.batch(5)
	for _, v := range []Verdict{FailAfter, TimeoutAfter} {
		b = x.batch(5)
		x.gateway.SetHook(Always(v))
		_, err := x.client.Upload(x.ctx, b)
		if err := wantClass("an answer that was lost", err, federation.ErrUnavailable); err != nil {
			return err
		}
		x.gateway.SetHook(nil)
		answer, err := x.client.Upload(x.ctx, b)
		if err != nil {
			return err
		}
		if len(answer.Known)+len(answer.Refused) > 0 {
			return errors.New("what was stored before is not said to be stored")
		}
	}
	if stored, uploads := x.gateway.Keys("DE"); len(stored) != 10 || uploads != 2 {
		return fmt.Errorf("%d keys are stored in %d uploads, want 10 in two", len(stored), uploads)
	}
	return nil
}

// partial uploads a batch of which the gateway has two keys already and fails at
// one.
func (x *efgsTrial) partial() (*federation.Batch, *federation.Answer, error) {
	known := x.batch(2)
	if _, err := x.client.Upload(x.ctx, known); err != nil {
		return nil, nil, err
	}
	b := x.batch(6)
	b.Keys = slices.Insert(b.Keys, 1, known.Keys[0])
	b.Keys = slices.Insert(b.Keys, 5, known.Keys[1])
	bad := b.Keys[3].KeyData
	x.gateway.Refuse(nil, func(data []byte) bool { return string(data) == string(bad[:]) })
	answer, err := x.client.Upload(x.ctx, b)
	return b, answer, err
}

func efgsSendPartial(x *efgsTrial) error {
	_, answer, err := x.partial()
	if err != nil {
		return err
	}
	slices.Sort(answer.Known)
	slices.Sort(answer.Refused)
	if !slices.Equal(answer.Known, []int{1, 5}) || !slices.Equal(answer.Refused, []int{3}) {
		return fmt.Errorf("known are %d and refused %d, want 1 and 5, and 3", answer.Known, answer.Refused)
	}
	return nil
}

func efgsSendPartialAgain(x *efgsTrial) error {
	b, answer, err := x.partial()
	if err != nil {
		return err
	}
	rest := &federation.Batch{Tag: newUUID(), Time: b.Time}
	for i, k := range b.Keys {
		if !slices.Contains(answer.Known, i) && !slices.Contains(answer.Refused, i) {
			rest.Keys = append(rest.Keys, k)
		}
	}
	r, err := x.sent(x.client, rest)
	if err != nil {
		return err
	}
	m, err := cms.Parse(r.header.Get(headerSignature), nil)
	if err == nil {
		err = m.Verify(efgsContent(messagesOf(rest.Keys)))
	}
	if err != nil {
		return err
	}
	if stored, uploads := x.gateway.Keys("DE"); len(stored) != 7 || uploads != 2 {
		return fmt.Errorf("%d keys are stored in %d uploads, want 7 in two", len(stored), uploads)
	}
	return nil
}

func efgsSendPartialOdd(x *efgsTrial) error {
	for _, body := range []string{`{"201":[0,1,2],"409":[],"500":[]}`, `{}`, ``, `null`, `{"409":[7]}`, `{"409":[-1]}`, `{"409":["0"]}`, `{"409":7}`, `[]`, `<html>`} {
		x.put(func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusMultiStatus)
			w.Write([]byte(body))
			return true
		}, nil)
		_, err := x.client.Upload(x.ctx, x.batch(3))
		if err := wantClass("207 of "+body, err, federation.ErrUnavailable); err != nil {
			return err
		}
	}
	return nil
}

func efgsSendOrigins(x *efgsTrial) error {
	origins := x.client.Origins()
	if text, _ := json.Marshal(origins); !origins.Has(keys.MustRegion("DE")) || origins.Has(keys.MustRegion("FR")) || origins.Has(keys.MustRegion("IE")) {
		return fmt.Errorf("they are %s", text)
	}
	return nil
}

var efgsRefusalClauses = []efgsClause{
	{"upload-refused", "400 and 413 to an upload must be of the class ErrRefused: the content is at fault, and is halved.", efgsSendStatuses(federation.ErrRefused, 400, 413)},
	{"upload-denied", "401 and 403 to an upload must be of the class ErrDenied, never of ErrRefused, for which batches are halved.", efgsSendStatuses(federation.ErrDenied, 401, 403)},
	{"upload-throttled", "429 to an upload must be of the class ErrThrottled.", efgsSendStatuses(federation.ErrThrottled, 429)},
	{"upload-unavailable", "Any other status to an upload must be of the class ErrUnavailable, those about media types too.", efgsSendStatuses(federation.ErrUnavailable, 302, 404, 405, 406, 410, 415, 500, 502, 503, 504)},
	{"upload-no-answer", "Without an answer that says so, the batch must not be taken as stored: ErrUnavailable.", efgsSendNoAnswer},
	{"upload-bad-key", "An upload that is refused for one key must be of the class ErrRefused, and without it be stored.", efgsSendBadKey},
}

func efgsSendStatuses(class error, statuses ...int) func(x *efgsTrial) error {
	return func(x *efgsTrial) error {
		for _, status := range statuses {
			_, err := x.upload(Verdict(status))
			if err := wantClass(fmt.Sprint("status ", status), err, class); err != nil {
				return err
			}
		}
		return nil
	}
}

func efgsSendNoAnswer(x *efgsTrial) error {
	for what, v := range map[string]Verdict{"reset": Fail, "nothing": Blank, "a page for people": HTML, "null": NullBody, "a message quoted": Quote} {
		_, err := x.upload(v)
		if err := wantClass(what, err, federation.ErrUnavailable); err != nil {
			return err
		}
	}
	return nil
}

func efgsSendBadKey(x *efgsTrial) error {
	b := x.batch(4)
	bad := b.Keys[2].KeyData
	x.gateway.Refuse(func(data []byte) bool { return string(data) == string(bad[:]) }, nil)
	_, err := x.client.Upload(x.ctx, b)
	if err := wantClass("a batch with a key that is refused", err, federation.ErrRefused); err != nil {
		return err
	}
	b.Tag, b.Keys = newUUID(), slices.Delete(b.Keys, 2, 3)
	if _, err := x.client.Upload(x.ctx, b); err != nil {
		return err
	}
	if stored, _ := x.gateway.Keys("DE"); len(stored) != 3 {
		return fmt.Errorf("%d keys are stored, want 3", len(stored))
	}
	return nil
}
