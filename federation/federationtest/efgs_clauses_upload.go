package federationtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/gaenkit/gaen/internal/efgspb"
)

var gatewayUploads = []gatewayClause{
	{"upload-stored", "An upload must be answered 201, with its tag in the header batchTag.", efgsUploadStored},
	{"upload-json", "An upload in JSON must be taken as one in protobuf, and come out as the same keys.", efgsUploadJSON},
	{"upload-content-type", "A body of no or another Content-Type, or of none with a version, must be answered 400, and one of another version 406.", efgsUploadContentType},
	{"upload-malformed", "A body that is no batch of keys must be answered 400.", efgsUploadMalformed},
	{"upload-invalid-key", "An upload with a key that is not valid must be answered 400 as a whole, and without it be taken.", efgsUploadInvalidKey},
	{"upload-origin", "An upload with a key of another origin than the country of its certificates must be answered 400, and nothing of it be stored.", efgsUploadOrigin},
	{"upload-too-many", "An upload of more than 5,000 keys must be answered 413, and nothing of it be stored.", efgsUploadTooMany},
	{"upload-too-big", "A body over the limit must be answered 413.", efgsUploadTooBig},
	{"upload-big", "An upload of 5,000 keys, if not said otherwise, must be taken.", efgsUploadBig},
	{"upload-known-keys", "An upload with keys that the gateway has must be answered 207, with the places of these under 409 and of the others under 201.", efgsUploadKnown},
	{"upload-partial-stores-nothing", "Of an upload that was answered 207 nothing must be stored: the rest is sent again, and must be taken.", efgsUploadPartial},
	{"upload-concurrent", "One upload that comes several times at once must be stored once: 201 to one of them, 409 to the others.", efgsUploadConcurrent},
	{"upload-cut-off", "Of an upload that breaks off nothing must be taken; when it comes again, whole, all must be.", efgsUploadCutOff},
}

func efgsUploadStored(x *gatewayExam) (gatewayLater, error) {
	u, err := x.upload(0, x.keys(0, 3))
	if err != nil {
		return nil, err
	}
	got, err := x.send(u)
	if err != nil {
		return nil, err
	}
	if err := wantStatus("an upload", got, http.StatusCreated); err != nil {
		return nil, err
	}
	if got.header.Get(headerBatchTag) != u.tag {
		return nil, errors.New("the answer does not have the upload's batchTag")
	}
	return nil, nil
}

func efgsUploadJSON(x *gatewayExam) (gatewayLater, error) {
	list := x.variedKeys(0)
	u, err := x.upload(0, list)
	if err != nil {
		return nil, err
	}
	u.body, u.header = jsonOf(list), map[string]string{"Content-Type": mediaJSON}
	return wantAsSent(0, list), x.wantSent("an upload in JSON", u, http.StatusCreated)
}

func efgsUploadContentType(x *gatewayExam) (gatewayLater, error) {
	var all []*efgspb.DiagnosisKey
	for _, c := range []struct {
		media  string
		status int
	}{
		{"", 400}, {"text/plain; version=1.0", 400}, {"application/octet-stream", 400}, {"application/protobuf", 400}, {"application/json", 400},
		{"application/protobuf; version=2.0", 406}, {"application/protobuf; version=1.1", 406}, {"application/json; version=0.9", 406},
	} {
		list := x.keys(0, 1)
		all = append(all, list...)
		u, err := x.upload(0, list)
		if err != nil {
			return nil, err
		}
		u.header = map[string]string{"Content-Type": c.media}
		if strings.Contains(c.media, "json") {
			u.body = jsonOf(list)
		}
		if err := x.wantSent(fmt.Sprintf("Content-Type %q", c.media), u, c.status); err != nil {
			return nil, err
		}
	}
	return wantWithheld(all...), nil
}

func efgsUploadMalformed(x *gatewayExam) (gatewayLater, error) {
	list := x.keys(0, 2)
	for what, change := range map[string]func(u *gatewayUpload){
		"no protobuf":      func(u *gatewayUpload) { u.body = []byte("no protobuf at all") },
		"cut-off protobuf": func(u *gatewayUpload) { u.body = u.body[:len(u.body)-3] },
		"JSON as protobuf": func(u *gatewayUpload) { u.body = jsonOf(list) },
		"cut-off JSON": func(u *gatewayUpload) {
			u.body, u.header = jsonOf(list)[:40], map[string]string{"Content-Type": mediaJSON}
		},
	} {
		u, err := x.upload(0, list)
		if err != nil {
			return nil, err
		}
		change(u)
		if err := x.wantSent(what, u, http.StatusBadRequest); err != nil {
			return nil, err
		}
	}
	return wantWithheld(list...), nil
}

func efgsUploadInvalidKey(x *gatewayExam) (gatewayLater, error) {
	now := x.opts.Now().Unix() / 600
	var all []*efgspb.DiagnosisKey
	for what, change := range map[string]func(k *efgspb.DiagnosisKey){
		"15 bytes":         func(k *efgspb.DiagnosisKey) { k.KeyData = k.KeyData[:15] },
		"17 bytes":         func(k *efgspb.DiagnosisKey) { k.KeyData = append(slices.Clone(k.KeyData), 7) },
		"no bytes":         func(k *efgspb.DiagnosisKey) { k.KeyData = nil },
		"of 20 days ago":   func(k *efgspb.DiagnosisKey) { k.RollingStartIntervalNumber = uint32(now - 20*144) },
		"of 3 days hence":  func(k *efgspb.DiagnosisKey) { k.RollingStartIntervalNumber = uint32(now + 3*144) },
		"a period of 0":    func(k *efgspb.DiagnosisKey) { k.RollingPeriod = 0 },
		"a period of 145":  func(k *efgspb.DiagnosisKey) { k.RollingPeriod = 145 },
		"a risk of 9":      func(k *efgspb.DiagnosisKey) { k.TransmissionRiskLevel = 9 },
		"a risk beneath 0": func(k *efgspb.DiagnosisKey) { k.TransmissionRiskLevel = -1 },
	} {
		list := x.keys(0, 3)
		change(list[1])
		u, err := x.upload(0, list)
		if err != nil {
			return nil, err
		}
		if err := x.wantSent("a key that is "+what, u, http.StatusBadRequest); err != nil {
			return nil, err
		}
		good := []*efgspb.DiagnosisKey{list[0], list[2]}
		if _, err := x.store(0, good); err != nil {
			return nil, fmt.Errorf("without a key that is %s: %w", what, err)
		}
		all = append(all, good...)
	}
	return wantGiven(0, all...), nil
}

func efgsUploadOrigin(x *gatewayExam) (gatewayLater, error) {
	list := x.keys(0, 2)
	list[1].Origin = x.members[1].Country
	u, err := x.upload(0, list)
	if err != nil {
		return nil, err
	}
	return wantWithheld(list...), x.wantSent("a key of another origin", u, http.StatusBadRequest)
}

func efgsUploadTooMany(x *gatewayExam) (gatewayLater, error) {
	list := x.keys(0, MaxEFGSKeys+1)
	u, err := x.upload(0, list)
	if err != nil {
		return nil, err
	}
	return wantWithheld(list...), x.wantSent("5,001 keys", u, http.StatusRequestEntityTooLarge)
}

func efgsUploadTooBig(x *gatewayExam) (gatewayLater, error) {
	body := spaces(x.opts.MaxUpload + 1)
	// The gateway may say so before it has read everything.
	got, err := x.do(gatewayCall{path: "/upload", pair: x.as(0), body: &body, size: int64(body), header: map[string]string{
		"Content-Type": mediaProtobuf, headerBatchTag: x.newTag(), headerSignature: "AAAA", "Expect": "100-continue",
	}})
	if err != nil {
		return nil, err
	}
	return nil, wantStatus("a body over the limit", got, http.StatusRequestEntityTooLarge)
}

func efgsUploadBig(x *gatewayExam) (gatewayLater, error) {
	list := x.keys(0, x.opts.BigUpload)
	_, err := x.store(0, list)
	return wantGiven(0, list...), err
}

// known uploads two keys, and makes an upload of them and two new ones.
func (x *gatewayExam) known() (*gatewayUpload, error) {
	list := x.keys(0, 4)
	if _, err := x.store(0, []*efgspb.DiagnosisKey{list[1], list[2]}); err != nil {
		return nil, err
	}
	return x.upload(0, list)
}

func efgsUploadKnown(x *gatewayExam) (gatewayLater, error) {
	u, err := x.known()
	if err != nil {
		return nil, err
	}
	got, err := x.send(u)
	if err != nil {
		return nil, err
	}
	if err := wantStatus("an upload with known keys", got, http.StatusMultiStatus); err != nil {
		return nil, err
	}
	var places map[string][]int
	if err := json.Unmarshal(got.body, &places); err != nil {
		return nil, errors.New("the answer is no JSON object of lists")
	}
	slices.Sort(places["201"])
	slices.Sort(places["409"])
	if !slices.Equal(places["201"], []int{0, 3}) || !slices.Equal(places["409"], []int{1, 2}) || len(places["500"]) > 0 {
		return nil, fmt.Errorf("the places are %v, want 0 and 3 under 201, 1 and 2 under 409", places)
	}
	return nil, nil
}

func efgsUploadPartial(x *gatewayExam) (gatewayLater, error) {
	left, err := x.known()
	if err != nil {
		return nil, err
	}
	again, err := x.known()
	if err != nil {
		return nil, err
	}
	for _, u := range []*gatewayUpload{left, again} {
		if err := x.wantSent("an upload with known keys", u, http.StatusMultiStatus); err != nil {
			return nil, err
		}
	}
	rest := []*efgspb.DiagnosisKey{again.keys[0], again.keys[3]}
	if _, err := x.store(0, rest); err != nil {
		return nil, fmt.Errorf("the rest of an upload that was answered 207: %w", err)
	}
	return bothLater(wantGiven(0, rest...), wantWithheld(left.keys[0], left.keys[3])), nil
}

func efgsUploadConcurrent(x *gatewayExam) (gatewayLater, error) {
	u, err := x.upload(0, x.keys(0, 20))
	if err != nil {
		return nil, err
	}
	statuses, errs := make([]int, 3), make([]error, 3)
	var all sync.WaitGroup
	for i := range statuses {
		all.Go(func() {
			got, err := x.send(u)
			statuses[i], errs[i] = got.status, err
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	stored := 0
	for _, status := range statuses {
		switch status {
		case http.StatusCreated:
			stored++
		case http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		default:
			return nil, fmt.Errorf("one of three was answered %d", status)
		}
	}
	if stored != 1 {
		return nil, fmt.Errorf("%d of three were answered 201", stored)
	}
	return wantGiven(0, u.keys...), nil
}

func efgsUploadCutOff(x *gatewayExam) (gatewayLater, error) {
	u, err := x.upload(0, x.keys(0, 50))
	if err != nil {
		return nil, err
	}
	got, err := x.do(gatewayCall{path: "/upload", pair: x.as(0), body: brokenOff{bytes.NewReader(u.body[:len(u.body)/2])}, size: int64(len(u.body)),
		header: map[string]string{"Content-Type": mediaProtobuf, headerBatchTag: u.tag, headerSignature: u.signature}})
	if err == nil && got.status < 300 {
		return nil, errors.New("half of an upload was answered as stored")
	}
	time.Sleep(brokenOffPause)
	return wantGiven(0, u.keys...), x.wantSent("an upload that broke off before", u, http.StatusCreated)
}

// variedKeys returns keys with all that the protocol can say of them.
func (x *gatewayExam) variedKeys(member int) []*efgspb.DiagnosisKey {
	list := x.keys(member, 8)
	for i, k := range list {
		k.RollingPeriod = uint32(144 - i*20)
		k.RollingStartIntervalNumber += uint32(i)
		k.TransmissionRiskLevel = []int32{0, 1, 8, 0x7fffffff}[i%4]
		k.VisitedCountries = [][]string{nil, {"FR"}, {"PL", "FR", "IT"}}[i%3]
		k.ReportType = efgspb.ReportType(i % 4) // RECURSIVE not everybody takes
		k.DaysSinceOnsetOfSymptoms = []int32{0, -3, 2, 14, 1986, 2997, 3986, 4000}[i]
	}
	return list
}

// wantAsSent returns what wants all others to be given these keys with every field
// as it was sent.
func wantAsSent(member int, list []*efgspb.DiagnosisKey) gatewayLater {
	return func(x *gatewayExam) error {
		for _, r := range x.others(member) {
			seen := r.again.seen()
			for i, k := range list {
				got := seen[string(k.GetKeyData())]
				if len(got) == 0 {
					return fmt.Errorf("%s was not given key %d", x.members[r.member], i)
				}
				if !proto.Equal(got[0], k) {
					return fmt.Errorf("%s was given key %d with %s", x.members[r.member], i, differing(got[0], k))
				}
			}
		}
		return nil
	}
}

// differing names the first field in which two keys differ.
func differing(a, b *efgspb.DiagnosisKey) string {
	fields := a.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if a, b := a.ProtoReflect().Get(f), b.ProtoReflect().Get(f); !a.Equal(b) {
			return "another " + string(f.Name())
		}
	}
	return "something unknown"
}
