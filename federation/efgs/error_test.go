package efgs

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
)

// TestRetryAfter: whatever a gateway was asked, and whatever it says with it, that
// it wants to be left alone reaches whoever makes the runs.
func TestRetryAfter(t *testing.T) {
	e := newEurope(t, nil)
	e.upload("FR", "t", e.newKeys("FR", 1))
	e.gateway.Assemble()
	all := e.newKeys("DE", 1)
	for _, c := range []struct {
		name, path string // of what is not answered
		ask        func(c *Client) error
	}{
		{"upload", "/upload", func(c *Client) error {
			_, err := c.Upload(t.Context(), &federation.Batch{Tag: "t", Keys: all})
			return err
		}},
		{"download", "/download", func(c *Client) error {
			_, err := c.Download(t.Context(), federation.Place{Day: today})
			return err
		}},
		{"audit", "/audit", func(c *Client) error {
			_, err := c.Download(t.Context(), federation.Place{Day: today})
			return err
		}},
		{"callback", "/callback", func(c *Client) error {
			return c.Subscribe(t.Context(), Subscription{ID: "1", URL: "https://de.example"})
		}},
	} {
		for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
			t.Run(fmt.Sprintf("%s/%d", c.name, status), func(t *testing.T) {
				e.between(t, func(r *http.Request, a *recorded) {
					if strings.HasPrefix(r.URL.Path, "/diagnosiskeys"+c.path) {
						a.status, a.header, a.body = status, http.Header{"Retry-After": {"90"}}, nil
					}
				})
				err := c.ask(e.client("DE", &ClientOptions{Audit: e.audit()}))
				if d, ok := federation.RetryAfter(fmt.Errorf("run: %w", err)); !ok || d != 90*time.Second {
					t.Errorf("told %s, %t by %v", d, ok, err)
				}
				if e, ok := errors.AsType[*Error](err); !ok || e.Op != c.name || e.RetryAfter != 90*time.Second || !strings.Contains(err.Error(), "again in 1m30s") {
					t.Errorf("got %v", err)
				}
			})
		}
	}
	silent := must(NewClient(answering(t, 503, nil, ""), de, nil))
	_, err := silent.Download(t.Context(), federation.Place{Day: today})
	if d, ok := federation.RetryAfter(err); ok {
		t.Errorf("told %s by a gateway that said nothing of it", d)
	}
}
