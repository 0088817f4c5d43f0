package efgs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/service"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Limits of what a nation may subscribe.
const (
	maxCallbacks   = 20 // of a nation
	maxCallbackID  = 100
	maxCallbackURL = 1000
)

// Registers of subscriptions, each of one.
const subscriptionsPrefix = "efgs/subscriptions/"

func subscriptionsOf(country string) string { return subscriptionsPrefix + country + "/" }

func subscriptionRegister(country, id string) string {
	sum := sha256.Sum256([]byte(id)) // whatever characters it has
	return subscriptionsOf(country) + hex.EncodeToString(sum[:16])
}

// A subscription is what its register remembers: what it is, and how far it has
// come.
type subscription struct {
	Subscription
	Country string           `json:"country"`
	At      federation.Place `json:"at"` // after the batch that was called for last

	// Of the calls that failed since then.
	Tries     int       `json:"tries,omitzero"`
	NotBefore time.Time `json:"notBefore,omitzero"`
	Failing   bool      `json:"failing,omitzero"` // beyond all retries
	Newest    string    `json:"newest,omitzero"`  // tag of the batch that was the newest at the last of them

	version int64
}

func (s *subscription) register() string { return subscriptionRegister(s.Country, s.ID) }

// swap returns the swap that stores the subscription as it is.
func (s *subscription) swap() (ledger.Swap, error) {
	value, err := json.Marshal(s)
	return ledger.Swap{Name: s.register(), Version: s.version, Value: value}, err
}

// subscriptions returns those under a prefix.
func (c *Callbacks) subscriptions(ctx context.Context, prefix string) ([]*subscription, error) {
	registers, err := c.ledger.Registers(ctx, prefix)
	if err != nil {
		return nil, err
	}
	all := make([]*subscription, len(registers))
	for i, r := range registers {
		all[i] = &subscription{version: r.Version}
		if err := json.Unmarshal(r.Value, all[i]); err != nil {
			return nil, fmt.Errorf("register %s: %w", r.Name, err)
		}
	}
	return all, nil
}

// callback answers for the subscriptions of a nation.
func (s *Server) callback(r *http.Request, c *caller, rest []string) (*service.Reply, error) {
	calls := s.opts.Callbacks
	switch {
	case len(rest) == 0:
		if err := service.OnlyBy(r, http.MethodGet); err != nil {
			return nil, err
		}
		return calls.show(r.Context(), c)
	case !isCallbackID(rest[0]):
		return nil, service.Refuse(http.StatusBadRequest, fmt.Sprintf("id: want 1 to %d printable ASCII characters", maxCallbackID))
	case r.Method == http.MethodPut:
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil || len(query["url"]) != 1 {
			return nil, service.Refuse(http.StatusBadRequest, "url: want one")
		}
		return calls.subscribe(r.Context(), c, Subscription{ID: rest[0], URL: query.Get("url")})
	case r.Method == http.MethodDelete:
		return calls.unsubscribe(r.Context(), c, rest[0])
	}
	return nil, service.OnlyBy(r, http.MethodPut, http.MethodDelete)
}

func isCallbackID(id string) bool {
	return id != "" && len(id) <= maxCallbackID && !strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' })
}

func (c *Callbacks) show(ctx context.Context, who *caller) (*service.Reply, error) {
	all, err := c.subscriptions(ctx, subscriptionsOf(who.country))
	if err != nil {
		return nil, service.Unable(err)
	}
	shown := make([]Subscription, len(all))
	for i, s := range all {
		shown[i] = s.Subscription
	}
	slices.SortFunc(shown, func(a, b Subscription) int { return strings.Compare(a.ID, b.ID) })
	return jsonReply(http.StatusOK, shown)
}

// subscribe stores a subscription that begins with the next batch, or gives one that
// is there another URL.
func (c *Callbacks) subscribe(ctx context.Context, who *caller, want Subscription) (*service.Reply, error) {
	if err := c.checkURL(ctx, want.URL); err != nil {
		return nil, service.Refuse(http.StatusBadRequest, "url: "+err.Error())
	}
	for range 10 { // others change it meanwhile
		s, err := c.prepare(ctx, who, want)
		if err != nil {
			return nil, err
		}
		swap, err := s.swap()
		if err != nil {
			return nil, service.Unable(err)
		}
		err = c.ledger.Swap(ctx, ledger.NewNonce(), swap)
		switch {
		case err == nil:
			return &service.Reply{Status: http.StatusOK}, nil
		case !isConflict(err):
			return nil, service.Unable(err)
		}
	}
	return nil, service.Unable(errors.New("others keep changing the subscription"))
}

func (c *Callbacks) prepare(ctx context.Context, who *caller, want Subscription) (*subscription, error) {
	all, err := c.subscriptions(ctx, subscriptionsOf(who.country))
	if err != nil {
		return nil, service.Unable(err)
	}
	for _, s := range all {
		if s.ID == want.ID {
			s.URL, s.Tries, s.NotBefore, s.Failing, s.Newest = want.URL, 0, time.Time{}, false, ""
			return s, nil
		}
	}
	if len(all) >= maxCallbacks {
		return nil, service.Refuse(http.StatusBadRequest, fmt.Sprintf("at most %d subscriptions", maxCallbacks))
	}
	s := &subscription{Subscription: want, Country: who.country, At: federation.Place{Day: federation.DayOf(c.opts.Clock())}}
	batches, err := c.hub.SealedBatches(ctx, who.nation, s.At)
	if err != nil {
		return nil, service.Unable(err)
	}
	if n := len(batches); n > 0 {
		s.At = batches[n-1].Next
	}
	return s, nil
}

func (c *Callbacks) unsubscribe(ctx context.Context, who *caller, id string) (*service.Reply, error) {
	for range 10 {
		registers, err := c.ledger.Registers(ctx, subscriptionRegister(who.country, id))
		if err != nil {
			return nil, service.Unable(err)
		}
		if len(registers) == 0 {
			return nil, service.Refuse(http.StatusNotFound, "no such subscription")
		}
		err = c.ledger.Swap(ctx, ledger.NewNonce(), ledger.Swap{Name: registers[0].Name, Version: registers[0].Version, Delete: true})
		switch {
		case err == nil:
			return &service.Reply{Status: http.StatusOK}, nil
		case !isConflict(err):
			return nil, service.Unable(err)
		}
	}
	return nil, service.Unable(errors.New("others keep changing the subscription"))
}

// isConflict reports whether another writer was quicker.
func isConflict(err error) bool {
	_, ok := errors.AsType[*ledger.ConflictError](err)
	return ok
}
