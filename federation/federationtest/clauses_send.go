package federationtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
)

var sendClauses = []clientClause{
	{"upload-stored", "Upload must send the whole batch, once, and return how many keys were new.", sendStored},
	{"upload-request", "An upload must be a POST of JSON with the batch's tag, and a message by ES256 that holds its keys in order, every field of each.", sendRequest},
	{"upload-known", "Keys that the server has are no error: the answer must be that the batch is stored.", sendKnown},
	{"upload-same-again", "The same batch must be sent under the same tag with the same content.", sendSameAgain},
	{"upload-keeps-batch", "Upload must not change the batch.", sendKeepsBatch},
	{"upload-foreign-origin", "A key of an origin that the credentials are not for must not be sent: it would become one of ours.", sendForeign},
	{"upload-odd-tag", "A tag is opaque: it must reach the server as it is, whatever is in it.", sendOddTag},
	{"origins", "A client that can upload must have an origin to upload for.", sendOrigins},
}

func (x *clientTrial) lastUpload() (Upload, error) {
	all := x.server.Uploads()
	if len(all) == 0 {
		return Upload{}, errors.New("no upload that the server understood")
	}
	return all[len(all)-1], nil
}

func sendStored(x *clientTrial) error {
	b := x.batch(25)
	answer, err := x.client.Upload(x.ctx, b)
	if err != nil {
		return err
	}
	if err := wantStored(answer, 25); err != nil {
		return err
	}
	if n := x.server.Keys(x.nations[0].Region); n != 25 {
		return fmt.Errorf("the server has %d keys, want 25", n)
	}
	if n := len(x.server.Uploads()); n != 1 {
		return fmt.Errorf("%d uploads, want 1", n)
	}
	return nil
}

// wantStored returns an error if an answer does not say that the batch is stored,
// with so many new keys. An answer need not count them.
func wantStored(a *federation.Answer, inserted int) error {
	if a == nil || len(a.Known)+len(a.Refused) > 0 {
		return errors.New("the answer is not that the batch is stored")
	}
	if a.Inserted >= 0 && a.Inserted != inserted {
		return fmt.Errorf("got Inserted %d, want %d", a.Inserted, inserted)
	}
	return nil
}

func sendRequest(x *clientTrial) error {
	b := x.batch(10)
	if _, err := x.client.Upload(x.ctx, b); err != nil {
		return err
	}
	all := x.server.Requests()
	if r := all[len(all)-1]; r.Method != http.MethodPost || r.Path != "/diagnosiskeys/upload" || r.Nation != x.nations[0].Region {
		return fmt.Errorf("the request is %+v", r)
	}
	up, err := x.lastUpload()
	if err != nil {
		return err
	}
	if up.Tag != b.Tag {
		return errors.New("another tag than the batch's")
	}
	return wantContent(up.Payload, b.Keys)
}

// wantContent returns an error if a message does not hold these keys, in order.
func wantContent(payload string, want []keys.DiagnosisKey) error {
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(payload), &list); err != nil {
		return errors.New("the message is no array")
	}
	if len(list) != len(want) {
		return fmt.Errorf("the message has %d keys, want %d", len(list), len(want))
	}
	for i, text := range list {
		got, ok := readExposure(text)
		e := exposureOf(&want[i])
		if !ok || got.KeyData != e.KeyData {
			return fmt.Errorf("key %d is another, or not in its place", i)
		}
		if got.Origin == "" {
			text = changed(got, "origin", "derived") // uploads need not name it
		}
		if field := missingField(text); field != "" {
			return fmt.Errorf("key %d has no %s", i, field)
		}
		if !slices.Contains(got.Regions, e.Origin) {
			got.Regions = append(got.Regions, e.Origin) // the origin need not be among them
		}
		if field := difference(&got, &e); field != "" {
			return fmt.Errorf("key %d: %s is not the key's", i, field)
		}
	}
	return nil
}

func sendKnown(x *clientTrial) error {
	b := x.batch(5)
	for _, inserted := range []int{5, 0} {
		answer, err := x.client.Upload(x.ctx, b)
		if err != nil {
			return err
		}
		if err := wantStored(answer, inserted); err != nil {
			return err
		}
		b = &federation.Batch{Tag: newUUID(), Time: b.Time, Keys: b.Keys}
	}
	return nil
}

func sendSameAgain(x *clientTrial) error {
	b := x.batch(8)
	for range 2 {
		if _, err := x.client.Upload(x.ctx, b); err != nil {
			return err
		}
	}
	all := x.server.Uploads()
	if len(all) != 2 || all[0].Tag != all[1].Tag || all[0].Payload != all[1].Payload {
		return errors.New("not twice the same tag and content")
	}
	return nil
}

func sendKeepsBatch(x *clientTrial) error {
	b := x.batch(8)
	slices.Reverse(b.Keys) // in no order: it is not the client's to put them into one
	tag, before := b.Tag, slices.Clone(b.Keys)
	if _, err := x.client.Upload(x.ctx, b); err != nil {
		return err
	}
	if b.Tag != tag || !slices.Equal(b.Keys, before) {
		return errors.New("the batch is another than before")
	}
	up, err := x.lastUpload()
	if err != nil {
		return err
	}
	return wantContent(up.Payload, before)
}

func sendForeign(x *clientTrial) error {
	b := x.batch(3)
	b.Keys[1].Origin = keys.MustRegion("FR")
	if x.client.Origins().Has(b.Keys[1].Origin) {
		return fmt.Errorf("%w: the client has credentials for every origin", errNotGiven)
	}
	if _, err := x.client.Upload(x.ctx, b); err == nil {
		return errors.New("a foreign key is no error")
	}
	if len(x.server.Uploads()) > 0 {
		return errors.New("a foreign key was sent")
	}
	return nil
}

func sendOddTag(x *clientTrial) error {
	for _, tag := range []string{"a b", `"quoted"`, `back\slash`, "<&>", "é", "line\nbreak"} {
		b := x.batch(1)
		b.Tag = tag
		if _, err := x.client.Upload(x.ctx, b); err != nil {
			return err
		}
		if up, err := x.lastUpload(); err != nil || up.Tag != tag {
			return fmt.Errorf("the tag %q did not reach the server", tag)
		}
	}
	return nil
}

func sendOrigins(x *clientTrial) error {
	origins := x.client.Origins()
	if !origins.Has(x.nations[0].Region) {
		return errors.New("the nation's own region is not among the origins")
	}
	return nil
}

var refusalClauses = []clientClause{
	{"upload-refused", "400, 413 and 422 to an upload must be of the class ErrRefused: the content is at fault.", sendStatuses(federation.ErrRefused, 400, 413, 422)},
	{"upload-denied", "401 and 403 to an upload must be of the class ErrDenied, never of ErrRefused, for which batches are halved.", sendStatuses(federation.ErrDenied, 401, 403)},
	{"upload-throttled", "429 to an upload must be of the class ErrThrottled.", sendStatuses(federation.ErrThrottled, 429)},
	{"upload-unavailable", "Any other status to an upload must be of the class ErrUnavailable.", sendStatuses(federation.ErrUnavailable, 404, 405, 500, 502, 503, 504)},
	{"upload-no-key-found", "The real service's 500, no key found, is about the signature: ErrDenied.", sendVerdict(NoKeyFound, federation.ErrDenied)},
	{"upload-not-null", "The real service's 500 of its database is about the content: ErrRefused.", sendVerdict(NotNull, federation.ErrRefused)},
	{"upload-no-answer", "Without an answer that says so, the batch must not be taken as stored: ErrUnavailable.", sendNoAnswer},
	{"upload-answer-lost", "An upload whose answer was lost must be of the class ErrUnavailable, and stored when it is sent again.", sendAnswerLost},
	{"upload-bad-key", "An upload that is refused for one key must be of the class ErrRefused, and without it be stored.", sendBadKey},
}

func sendStatuses(class error, statuses ...int) func(*clientTrial) error {
	return func(x *clientTrial) error {
		for _, status := range statuses {
			if err := sendVerdict(Verdict(status), class)(x); err != nil {
				return fmt.Errorf("status %d: %w", status, err)
			}
		}
		return nil
	}
}

func sendVerdict(v Verdict, class error) func(*clientTrial) error {
	return func(x *clientTrial) error {
		answer, err := x.upload(v)
		if answer != nil {
			return errors.New("an answer as if the batch were stored")
		}
		return wantClass("the upload", err, class)
	}
}

func sendNoAnswer(x *clientTrial) error {
	for what, v := range map[string]Verdict{"reset": Fail, "nothing": Blank, "a page for people": HTML, "half": Half, "as if whole": Partial, "null": NullBody, "nested": Nested} {
		if err := sendVerdict(v, federation.ErrUnavailable)(x); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}

func sendAnswerLost(x *clientTrial) error {
	b := x.batch(6)
	for _, v := range []Verdict{FailAfter, TimeoutAfter} {
		x.server.SetHook(Always(v))
		_, err := x.client.Upload(x.ctx, b)
		if err := wantClass("an answer that was lost", err, federation.ErrUnavailable); err != nil {
			return err
		}
	}
	x.server.SetHook(nil)
	answer, err := x.client.Upload(x.ctx, b)
	if err != nil {
		return err
	}
	return wantStored(answer, 0)
}

func sendBadKey(x *clientTrial) error {
	b := x.batch(4)
	bad := b.Keys[2].KeyData
	x.server.Refuse(func(k keys.KeyData) bool { return k == bad })
	_, err := x.client.Upload(x.ctx, b)
	if err := wantClass("a batch with a key that is refused", err, federation.ErrRefused); err != nil {
		return err
	}
	b.Tag, b.Keys = newUUID(), slices.Delete(b.Keys, 2, 3)
	answer, err := x.client.Upload(x.ctx, b)
	if err != nil {
		return err
	}
	return wantStored(answer, 3)
}
