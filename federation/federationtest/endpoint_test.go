package federationtest

import (
	"maps"
	"net/http/httptest"
	"testing"

	"github.com/gaenkit/gaen/keys"
)

var ie, gi, gb = keys.MustRegion("IE"), keys.MustRegion("GI"), keys.MustRegion("GB-EAW")

// newNations returns nations of which two take withdrawals and know the extended form;
// one of them may relay.
func newNations() []Nation {
	all := []Nation{NewNation(ie), NewNation(gi), NewNation(gb)}
	all[0].Withdrawals, all[0].Extended = true, true
	all[1].Withdrawals, all[1].Extended, all[1].Relays = true, true, []keys.Region{keys.MustRegion("FR")}
	return all
}

// newEndpoint returns a server over HTTP.
func newEndpoint(t testing.TB, opts *ServerOptions) (*Server, *Endpoint) {
	t.Helper()
	nations := newNations()
	s, err := NewServer(nations, opts)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return s, &Endpoint{URL: h.URL, Nations: nations}
}

func TestServerPasses(t *testing.T) {
	s, e := newEndpoint(t, &ServerOptions{Held: true, BatchSize: 300, MaxUpload: 4 << 20})
	TestServer(t, e, &EndpointOptions{MaxUpload: 4 << 20, Release: func() error { s.Assemble(); return nil }})
}

// TestFaithfulDeviates holds the table of deviations against the faithful server: it
// fails by these clauses, and by no others.
func TestFaithfulDeviates(t *testing.T) {
	s, e := newEndpoint(t, &ServerOptions{Faithful: true, Held: true, BatchSize: 300, MaxUpload: 4 << 20})
	opts := &EndpointOptions{MaxUpload: 4 << 20, Release: func() error { s.Assemble(); return nil }}
	if err := opts.complete(e); err != nil {
		t.Fatal(err)
	}
	verdicts := examine(t.Context(), e, opts)
	declared := maps.Clone(FaithfulDeviations())
	for name, err := range verdicts {
		_, deviates := declared[name]
		delete(declared, name)
		if deviates == (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name := range declared {
		t.Errorf("there is no clause %s", name)
	}
}
