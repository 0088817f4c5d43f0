package federationtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/efgs"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing/cms"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// loopback is this machine, for those who may call it.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// newMembers returns three countries and the anchor that has signed for them.
func newMembers() (*EFGSAnchor, []EFGSMember) {
	a := NewEFGSAnchor()
	return a, []EFGSMember{a.Member("DE"), a.Member("FR"), a.Member("IT")}
}

// freeAddress returns an address at which nobody listens.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A movingClock goes as the time does, and jumps.
type movingClock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *movingClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *movingClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// ourGateway returns a gateway of this library: reached by TLS, or as by a load
// balancer.
func ourGateway(t *testing.T, balanced bool) (*EFGSEndpoint, *EFGSEndpointOptions) {
	t.Helper()
	anchor, members := newMembers()
	clock, callback := &movingClock{}, freeAddress(t)
	policy := ledger.DefaultPolicy()
	policy.Grid, policy.FineGrid = 5*time.Minute, true
	policy.MinKeys, policy.MinUploads, policy.MinWithdrawnUploads = 0, 0, 0
	l := must(ledger.Open(t.Context(), memledger.New(&memledger.Options{Clock: clock.Now}), &ledger.Options{Policy: &policy}))
	hub := must(federation.NewHub(l, &federation.HubOptions{Fresh: time.Nanosecond}))
	var entries []cms.Entry
	var nations []federation.Nation
	for i := range members {
		entries = append(entries, anchor.Entries(&members[i])...)
		nations = append(nations, federation.Nation{Name: ledger.Source(strings.ToLower(members[i].Country)), Region: keys.MustRegion(members[i].Country), Withdrawals: true})
	}
	list, directory := must(cms.NewAllowList(entries...)), must(efgs.NewDirectory(nations...))
	port := must(strconv.ParseUint(callback[strings.LastIndex(callback, ":")+1:], 10, 16))
	calls := must(efgs.NewCallbacks(hub, l, directory, list, &efgs.CallbackOptions{Anchor: anchor.Certificate(), Clock: clock.Now, Networks: loopback, Ports: []uint16{uint16(port)}}))
	opts := efgs.ServerOptions{Anchor: anchor.Certificate(), Callbacks: calls, Clock: clock.Now}
	if balanced {
		opts.Balancers = loopback
	}
	h := httptest.NewUnstartedServer(must(efgs.NewServer(hub, directory, list, &opts)))
	e := &EFGSEndpoint{Members: members, Balanced: balanced, Anchor: anchor.Certificate()}
	o := &EFGSEndpointOptions{Callback: callback, MaxUpload: efgs.DefaultMaxUpload, Now: clock.Now}
	if balanced {
		h.Start()
	} else {
		h.TLS = &tls.Config{ClientAuth: tls.RequestClientCert} // for those who have none
		h.StartTLS()
		o.Roots = x509.NewCertPool()
		o.Roots.AddCert(h.Certificate())
	}
	t.Cleanup(h.Close)
	e.URL = h.URL
	others := federation.Nation{Name: "ie", Region: keys.MustRegion("IE")}
	o.Release = func() error {
		// A nation of another protocol has brought something, which nobody has signed.
		all := keystest.New(uint64(time.Now().UnixNano()), &keystest.Options{Origins: []keys.Region{others.Region}, EndOfPeriod: true}).Keys(clock.Now().Add(-3*time.Hour), 3)
		if _, err := hub.Upload(t.Context(), &others, &federation.Incoming{Tag: newUUID(), Keys: all}); err != nil {
			return err
		}
		clock.add(5 * time.Minute)
		if _, err := hub.Release(t.Context(), nil); err != nil {
			return err
		}
		_, err := calls.Run(t.Context())
		return err
	}
	return e, o
}

// TestOurGateway holds our gateway to the suite, without a deviation.
func TestOurGateway(t *testing.T) {
	for name, balanced := range map[string]bool{"TLS": false, "load balancer": true} {
		t.Run(name, func(t *testing.T) {
			e, opts := ourGateway(t, balanced)
			TestEFGSServer(t, e, opts)
		})
	}
}

// scripted returns the gateway that plays the European one, with what stands before
// it, if anything does.
func scripted(t testing.TB, change func(*EFGSOptions), before func(*EFGSServer, []EFGSMember) http.Handler) (*EFGSEndpoint, *EFGSEndpointOptions) {
	t.Helper()
	anchor, members := newMembers()
	var nations []EFGSNation
	var entries []cms.Entry
	for i := range members {
		nations = append(nations, anchor.Nation(&members[i]))
		entries = append(entries, anchor.Entries(&members[i])...)
	}
	o := EFGSOptions{Verify: verifying(entries), Networks: loopback, Call: callAny(t), MaxUpload: 1 << 20}
	if change != nil {
		change(&o)
	}
	s := must(NewEFGSServer(nations, &o))
	var handler http.Handler = s
	if before != nil {
		handler = before(s, members)
	}
	h := httptest.NewServer(handler)
	t.Cleanup(h.Close)
	return &EFGSEndpoint{URL: h.URL, Members: members, Balanced: true, Anchor: anchor.Certificate()},
		&EFGSEndpointOptions{Callback: freeAddress(t), BigUpload: 60, MaxUpload: 1 << 20, Release: func() error { s.Assemble(); return nil }}
}

// verifying returns what verifies signatures by a list of certificates.
func verifying(entries []cms.Entry) func(string, []byte, string) error {
	v := must(cms.NewVerifier(must(cms.NewAllowList(entries...)), nil))
	return func(country string, content []byte, signature string) error {
		s, err := v.Verify(context.Background(), content, signature, time.Now())
		if err == nil && s.Country != country {
			err = errors.New("another country's")
		}
		return err
	}
}

// callAny returns what calls whoever is there, whatever its certificate.
func callAny(t testing.TB) func(url, tag, date string) {
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	t.Cleanup(c.CloseIdleConnections)
	return func(target, tag, date string) {
		if resp, err := c.Get(target + "?" + url.Values{"batchTag": {tag}, "date": {date}}.Encode()); err == nil {
			resp.Body.Close()
		}
	}
}

// TestEFGSDeviations holds the table of deviations against the gateway that plays
// the European one: it fails by these clauses, and by no others.
func TestEFGSDeviations(t *testing.T) {
	e, opts := scripted(t, nil, nil)
	if err := opts.complete(e); err != nil {
		t.Fatal(err)
	}
	declared := EFGSDeviations()
	for name, err := range examineGateway(t.Context(), e, opts) {
		_, deviates := declared[name]
		delete(declared, name)
		if deviates == (err == nil || errors.Is(err, errNotGiven)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name := range declared {
		t.Errorf("there is no clause %s", name)
	}
}

// secured serves a gateway by TLS, which asks for certificates of whoever has any.
func secured(t *testing.T, h http.Handler, e *EFGSEndpoint, opts *EFGSEndpointOptions) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	opts.Roots = x509.NewCertPool()
	opts.Roots.AddCert(s.Certificate())
	e.URL, e.Balanced = s.URL, false
}

// pairOf returns a certificate without its key.
func pairOf(cert *x509.Certificate) *tls.Certificate { return &tls.Certificate{Leaf: cert} }
