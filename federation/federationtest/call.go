package federationtest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// A call is a request, as a clause spells it.
type call struct {
	method string // "" is GET, with a body POST
	path   string // with the query
	token  string // "" for none
	header map[string]string
	body   io.Reader
	size   int64
}

// do makes a call. Answers that are no success are remembered.
func (x *examination) do(c call) (outcome, error) {
	if c.method == "" {
		c.method = http.MethodGet
		if c.body != nil {
			c.method = http.MethodPost
		}
	}
	req, err := http.NewRequestWithContext(x.ctx, c.method, strings.TrimSuffix(x.url, "/")+c.path, c.body)
	if err != nil {
		return outcome{}, err
	}
	if c.size > 0 {
		req.ContentLength = c.size
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, name := range slices.Sorted(maps.Keys(c.header)) {
		req.Header.Set(name, c.header[name])
	}
	return x.refused.ask(x.client, req)
}

// newTag returns a tag that says what it is for and when.
func (x *examination) newTag() string {
	x.count++
	return fmt.Sprintf("%s-%d", x.run, x.count)
}

// exposures returns random keys of a day that is over and not yet forgotten.
func (x *examination) exposures(n int) []exposure {
	start := keys.StartOfDay(keys.IntervalAt(x.opts.Now().Add(-3 * 24 * time.Hour)).Day())
	var list []exposure
	for range n {
		var data [keys.KeyDataSize]byte
		rand.Read(data[:])
		list = append(list, exposure{KeyData: base64.StdEncoding.EncodeToString(data[:]), RollingStartNumber: int64(start),
			RollingPeriod: keys.IntervalsPerDay, Regions: []string{}, TestType: 1, ReportType: 1})
		x.sent = append(x.sent, list[len(list)-1].KeyData)
	}
	return list
}

// sendMessage uploads a message as it is.
func (x *examination) sendMessage(nation int, tag, message string) (outcome, error) {
	return x.send(nation, envelope(tag, message))
}

// send uploads a body as it is.
func (x *examination) send(nation int, body []byte) (outcome, error) {
	return x.do(call{path: "/upload", token: x.nations[nation].Token, body: strings.NewReader(string(body))})
}

// sealed returns exposures as a nation signs them.
func (x *examination) sealed(nation int, list any) (string, error) {
	return seal(x.nations[nation].Key, base64.RawURLEncoding, es256, marshal(list))
}

// sendAll uploads exposures, of any form, under a tag.
func (x *examination) sendAll(nation int, tag string, list any) (outcome, error) {
	message, err := x.sealed(nation, list)
	if err != nil {
		return outcome{}, err
	}
	return x.sendMessage(nation, tag, message)
}

// upload uploads exposures under a new tag, which must be taken. It returns how
// many were new.
func (x *examination) upload(nation int, list any) (int, error) {
	return x.uploadAs(nation, x.newTag(), list)
}

func (x *examination) uploadAs(nation int, tag string, list any) (int, error) {
	got, err := x.sendAll(nation, tag, list)
	if err != nil {
		return 0, err
	}
	return inserted(got)
}

// inserted returns how many keys an answer says were new. Any answer but 200 is an
// error.
func inserted(got outcome) (int, error) {
	if got.status != http.StatusOK {
		return 0, fmt.Errorf("status %d to an upload, want 200", got.status)
	}
	var answer struct {
		Inserted *int `json:"insertedExposures"`
	}
	if err := json.Unmarshal(got.body, &answer); err != nil || answer.Inserted == nil {
		return 0, fmt.Errorf("an answer without insertedExposures")
	}
	return *answer.Inserted, nil
}

// wantInserted uploads exposures under a new tag and wants so many to be new.
func (x *examination) wantInserted(nation int, list any, want int) error {
	got, err := x.upload(nation, list)
	if err == nil && got != want {
		err = fmt.Errorf("insertedExposures is %d, want %d", got, want)
	}
	return err
}

// wantStatus returns an error if an answer's status is none of these.
func wantStatus(what string, got outcome, want ...int) error {
	if slices.Contains(want, got.status) {
		return nil
	}
	return fmt.Errorf("%s: status %d, want one of %d", what, got.status, want)
}

// clientError are statuses by which a server says that the caller is wrong.
var clientError = []int{400, 401, 403, 404, 405, 410, 413, 415, 422}

// wantHandedOut returns what wants the others to be given these keys, as they are.
func wantHandedOut(nation int, list []exposure) later {
	return func(x *examination) error {
		for i, r := range x.readers {
			if i == nation {
				continue
			}
			seen := r.final()
			for _, e := range list {
				if _, ok := seen[e.KeyData]; !ok {
					return fmt.Errorf("%s was not given a key that %s brought", r.nation, x.nations[nation])
				}
			}
		}
		return nil
	}
}

// wantKeptBack returns what wants nobody to be given these keys.
func wantKeptBack(list []exposure) later {
	return func(x *examination) error {
		for _, r := range x.readers {
			seen := r.final()
			for _, e := range list {
				if _, ok := seen[e.KeyData]; ok {
					return fmt.Errorf("%s was given a key that was refused", r.nation)
				}
			}
		}
		return nil
	}
}

// both returns what looks at one thing and then at another.
func both(a, b later) later {
	return func(x *examination) error {
		if err := a(x); err != nil {
			return err
		}
		return b(x)
	}
}
