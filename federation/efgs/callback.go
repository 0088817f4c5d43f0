package efgs

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/remote"
	"github.com/gaenkit/gaen/federation/internal/service"
	"github.com/gaenkit/gaen/signing/cms"
)

// A Subscription is a URL that the gateway calls when it has made a batch.
type Subscription struct {
	ID  string `json:"callbackId"`
	URL string `json:"url"`
}

// maxSubscriptions bounds what is read of a list.
const maxSubscriptions = 1000

// Subscriptions returns those of this client's country.
func (c *Client) Subscriptions(ctx context.Context) ([]Subscription, error) {
	a, err := c.do(ctx, &remote.Request{Op: opCallback, Method: http.MethodGet, Path: "/callback", Header: accepting(JSON)})
	if err != nil {
		return nil, err
	}
	if a.Status != http.StatusOK {
		return nil, a.Failure(meaning(opCallback, a.Status))
	}
	var all []Subscription
	if err := json.Unmarshal(a.Body, &all); err != nil || len(all) > maxSubscriptions {
		return nil, unavailable(opCallback, a.Status, "no list of subscriptions")
	}
	return all, nil
}

// Subscribe has the gateway call a URL, or another one under an id that it has. The
// gateway wants https, a public address and no query. It drops a subscription
// without a word when five calls in a row have failed (lesson E3), so Subscribe is
// for every day: it changes nothing where all is as it should be.
func (c *Client) Subscribe(ctx context.Context, s Subscription) error {
	have, err := c.Subscriptions(ctx)
	if err != nil {
		return err
	}
	if slices.Contains(have, s) {
		return nil
	}
	path := "/callback/" + url.PathEscape(s.ID) + "?" + url.Values{"url": {s.URL}}.Encode()
	return c.change(ctx, http.MethodPut, path)
}

// Unsubscribe has the gateway call no more. It is no error if it did not.
func (c *Client) Unsubscribe(ctx context.Context, id string) error {
	err := c.change(ctx, http.MethodDelete, "/callback/"+url.PathEscape(id))
	if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusNotFound {
		return nil
	}
	return err
}

func (c *Client) change(ctx context.Context, method, path string) error {
	a, err := c.do(ctx, &remote.Request{Op: opCallback, Method: method, Path: path, Header: accepting(JSON)})
	if err != nil {
		return err
	}
	if a.Status < 200 || a.Status > 299 {
		return a.Failure(meaning(opCallback, a.Status))
	}
	return nil
}

// A Callback is the [http.Handler] of the URL that a gateway calls when it has made
// a batch:
//
//	GET …?batchTag=20210602-7&date=2021-06-02   202
//
// A call is a hint that it is time to pull, and nothing more: what it names is not
// asked for, so that a call that is lost, repeated, late or forged loses nothing and
// fetches nothing (one national client did as it was told, and a lost call was a
// hole). Several before the pull begins are one.
//
// Whoever has no client certificate that is allowed is answered 403. The server's
// tls.Config must ask for one: tls.RequireAnyClientCert is enough, since it is known
// by its hash and not by who issued it.
type Callback struct {
	allowed []cms.Thumbprint
	hints   chan struct{}
}

// NewCallback returns the handler for a gateway that calls with one of these
// certificates, several during a rotation. Without any it answers everybody 403.
func NewCallback(allowed ...cms.Thumbprint) *Callback {
	return &Callback{allowed: slices.Clone(allowed), hints: make(chan struct{}, 1)}
}

// Hints returns the channel on which there is something to be received when there
// is a reason to pull. It is never closed.
func (h *Callback) Hints() <-chan struct{} { return h.hints }

// ServeHTTP implements [http.Handler].
func (h *Callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	service.Hurry(w) // a call has no body
	switch {
	case !h.knows(r):
		w.WriteHeader(http.StatusForbidden)
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		w.WriteHeader(http.StatusMethodNotAllowed)
	case !isHint(r.URL.RawQuery):
		w.WriteHeader(http.StatusBadRequest)
	default:
		select {
		case h.hints <- struct{}{}:
		default: // there is one that nobody has taken yet
		}
		w.WriteHeader(http.StatusAccepted)
	}
}

// knows reports whether a caller is the gateway.
func (h *Callback) knows(r *http.Request) bool {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return false
	}
	return slices.Contains(h.allowed, cms.ThumbprintOf(r.TLS.PeerCertificates[0]))
}

// isHint reports whether a query is that of a call.
func isHint(query string) bool {
	q, err := url.ParseQuery(query)
	if err != nil || len(q["batchTag"]) != 1 || len(q["date"]) != 1 {
		return false
	}
	tag := q.Get("batchTag")
	if tag == "" || len(tag) > federation.MaxTag {
		return false
	}
	_, err = federation.ParseDay(q.Get("date"))
	return err == nil
}
