package federationtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

var uploadClauses = []serverClause{
	{"upload-accepted", "An upload must be answered 200, by JSON with its tag and the number of keys that are new.", uploadAccepted},
	{"upload-handed-out", "What was taken must be handed out to every other nation.", uploadHandedOut},
	{"upload-repeated", "The same upload again, under the same tag, must be answered 200 with nothing new.", uploadRepeated},
	{"upload-known-keys", "Keys that the server has must be counted as not new, under whatever tag, and must not keep new ones out.", uploadKnown},
	{"upload-twice-in-one", "A key that is in an upload twice must be taken once.", uploadTwiceInOne},
	{"upload-empty", "An upload without keys must be answered 200 with nothing new.", uploadEmpty},
	{"upload-concurrent", "One upload that comes several times at once must be taken once.", uploadConcurrent},
	{"upload-cut-off", "Of an upload that breaks off nothing must be taken; when it comes again, whole, all must be.", uploadCutOff},
	{"upload-big", "An upload of many keys must be taken: 2,000, if not said otherwise.", uploadBig},
	{"upload-too-big", "A body over the limit must be answered 413.", uploadTooBig},
	{"upload-content-type", "A body that says it is JSON must be taken, with or without a charset; one that says it is not must be refused.", uploadContentType},
	{"upload-malformed", "A body that is not a JSON object with batchTag and payload must be answered 400.", uploadMalformed},
	{"methods", "A method that a path does not have must be answered 404 or 405; HEAD must have no body.", methods},
}

func uploadAccepted(x *examination) (later, error) {
	tag := x.newTag()
	list := x.exposures(3)
	got, err := x.sendAll(0, tag, list)
	if err != nil {
		return nil, err
	}
	n, err := inserted(got)
	if err != nil {
		return nil, err
	}
	var answer struct {
		BatchTag string `json:"batchTag"`
	}
	if err := json.Unmarshal(got.body, &answer); err != nil || answer.BatchTag != tag {
		return nil, errors.New("the answer does not have the upload's batchTag")
	}
	if n != 3 {
		return nil, fmt.Errorf("insertedExposures is %d, want 3", n)
	}
	return nil, wantJSON(got)
}

// wantJSON returns an error if an answer does not say that it is JSON.
func wantJSON(got outcome) error {
	if kind, _, err := mime.ParseMediaType(got.header.Get("Content-Type")); err != nil || kind != "application/json" {
		return errors.New("Content-Type is not application/json")
	}
	return nil
}

func uploadHandedOut(x *examination) (later, error) {
	mine, theirs := x.exposures(4), x.exposures(3)
	if _, err := x.upload(0, mine); err != nil {
		return nil, err
	}
	if _, err := x.upload(1, theirs); err != nil {
		return nil, err
	}
	return both(wantHandedOut(0, mine), wantHandedOut(1, theirs)), nil
}

func uploadRepeated(x *examination) (later, error) {
	tag, list := x.newTag(), x.exposures(3)
	for i, want := range []int{3, 0, 0} {
		n, err := x.uploadAs(0, tag, list)
		if err != nil {
			return nil, err
		}
		if n != want {
			return nil, fmt.Errorf("the %d. time insertedExposures is %d, want %d", i+1, n, want)
		}
	}
	return wantHandedOut(0, list), nil
}

func uploadKnown(x *examination) (later, error) {
	list := x.exposures(4)
	if err := x.wantInserted(0, list[:2], 2); err != nil {
		return nil, err
	}
	return wantHandedOut(0, list), x.wantInserted(0, list, 2)
}

func uploadTwiceInOne(x *examination) (later, error) {
	list := x.exposures(2)
	return wantHandedOut(0, list), x.wantInserted(0, []exposure{list[0], list[1], list[0]}, 2)
}

func uploadEmpty(x *examination) (later, error) { return nil, x.wantInserted(0, []exposure{}, 0) }

func uploadConcurrent(x *examination) (later, error) {
	tag, list := x.newTag(), x.exposures(20)
	message, err := x.sealed(0, list)
	if err != nil {
		return nil, err
	}
	counts, errs := make([]int, 3), make([]error, 3)
	var all sync.WaitGroup
	for i := range counts {
		all.Go(func() {
			got, err := x.sendMessage(0, tag, message)
			if err == nil && got.status != http.StatusTooManyRequests {
				counts[i], err = inserted(got)
			}
			errs[i] = err
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if sum := counts[0] + counts[1] + counts[2]; sum != len(list) {
		return nil, fmt.Errorf("together they inserted %d, want %d", sum, len(list))
	}
	return nil, nil
}

// brokenOff is a body that ends too early.
type brokenOff struct{ io.Reader }

var errBrokenOff = errors.New("broken off on purpose")

func (b brokenOff) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = errBrokenOff
	}
	return n, err
}

// brokenOffPause is how long a server has to see that an upload broke off, before it
// comes again.
const brokenOffPause = 200 * time.Millisecond

func uploadCutOff(x *examination) (later, error) {
	tag, list := x.newTag(), x.exposures(50)
	message, err := x.sealed(0, list)
	if err != nil {
		return nil, err
	}
	body := envelope(tag, message)
	half := brokenOff{strings.NewReader(string(body[:len(body)/2]))}
	if got, err := x.do(call{path: "/upload", token: x.nations[0].Token, body: half, size: int64(len(body))}); err == nil && got.status < 300 {
		return nil, errors.New("half of an upload was answered as stored")
	}
	time.Sleep(brokenOffPause)
	n, err := x.uploadAs(0, tag, list)
	if err == nil && n != len(list) {
		err = fmt.Errorf("insertedExposures is %d after half of an upload, want %d", n, len(list))
	}
	return nil, err
}

func uploadBig(x *examination) (later, error) {
	list := x.exposures(x.opts.BigUpload)
	return wantHandedOut(0, list), x.wantInserted(0, list, len(list))
}

// spaces is a body of that many of them.
type spaces int64

func (s *spaces) Read(p []byte) (int, error) {
	if *s == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), int64(*s)))
	for i := range n {
		p[i] = ' '
	}
	*s -= spaces(n)
	return n, nil
}

func uploadTooBig(x *examination) (later, error) {
	body := spaces(x.opts.MaxUpload + 1)
	// The server may say so before it has read everything.
	got, err := x.do(call{path: "/upload", token: x.nations[0].Token, body: &body, size: int64(body), header: map[string]string{"Expect": "100-continue"}})
	if err != nil {
		return nil, err
	}
	return nil, wantStatus("a body over the limit", got, http.StatusRequestEntityTooLarge)
}

func uploadContentType(x *examination) (later, error) {
	list := x.exposures(2)
	for i, c := range []struct {
		kind string
		want []int
	}{
		{"application/json; charset=utf-8", []int{http.StatusOK}},
		{"text/plain", []int{http.StatusBadRequest, http.StatusUnsupportedMediaType}},
	} {
		message, err := x.sealed(0, list[i:i+1])
		if err != nil {
			return nil, err
		}
		body := string(envelope(x.newTag(), message))
		got, err := x.do(call{path: "/upload", token: x.nations[0].Token, body: strings.NewReader(body), header: map[string]string{"Content-Type": c.kind}})
		if err != nil {
			return nil, err
		}
		if err := wantStatus(c.kind, got, c.want...); err != nil {
			return nil, err
		}
	}
	return both(wantHandedOut(0, list[:1]), wantKeptBack(list[1:])), nil
}

func uploadMalformed(x *examination) (later, error) {
	message, err := x.sealed(0, x.exposures(1))
	if err != nil {
		return nil, err
	}
	for what, body := range map[string]string{
		"not JSON":       "no JSON",
		"cut off":        `{"batchTag":"a","payload":"`,
		"an array":       "[]",
		"null":           "null",
		"no tag":         `{"payload":"` + message + `"}`,
		"no payload":     `{"batchTag":"` + x.newTag() + `"}`,
		"tag an object":  `{"batchTag":{},"payload":"` + message + `"}`,
		"payload a list": `{"batchTag":"` + x.newTag() + `","payload":[]}`,
	} {
		got, err := x.send(0, []byte(body))
		if err != nil {
			return nil, err
		}
		if err := wantStatus(what, got, http.StatusBadRequest); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func methods(x *examination) (later, error) {
	down := downloadPath(x.start.String(), "")
	for _, c := range []call{
		{method: http.MethodGet, path: "/upload"}, {method: http.MethodPut, path: "/upload"}, {method: http.MethodDelete, path: "/upload"},
		{method: http.MethodPost, path: down}, {method: http.MethodDelete, path: down}, {method: http.MethodGet, path: "/" + newUUID()},
	} {
		c.token = x.nations[0].Token
		got, err := x.do(c)
		if err != nil {
			return nil, err
		}
		if err := wantStatus(c.method, got, http.StatusNotFound, http.StatusMethodNotAllowed); err != nil {
			return nil, err
		}
	}
	got, err := x.do(call{method: http.MethodHead, path: down, token: x.nations[0].Token})
	if err != nil {
		return nil, err
	}
	if got.status >= 500 || len(got.body) > 0 {
		return nil, fmt.Errorf("HEAD is answered %d with %d bytes", got.status, len(got.body))
	}
	return nil, nil
}

// sameRegions reports whether regions came out as they went in, in any order.
func sameRegions(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
