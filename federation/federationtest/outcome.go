package federationtest

import (
	"io"
	"net/http"
	"slices"
	"sync"
)

// An outcome is an answer.
type outcome struct {
	status int
	header http.Header
	body   []byte
}

// maxAnswer is the size of the largest answer that the suite reads.
const maxAnswer = 256 << 20

// refusals are the answers that were no success.
type refusals struct {
	mu   sync.Mutex
	list []outcome
}

// ask makes a request, and remembers an answer that is no success.
func (r *refusals) ask(c *http.Client, req *http.Request) (outcome, error) {
	resp, err := c.Do(req)
	if err != nil {
		return outcome{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	got := outcome{resp.StatusCode, resp.Header, body}
	if got.status >= 300 {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.list = append(r.list, got)
	}
	return got, err
}

func (r *refusals) all() []outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.list)
}
