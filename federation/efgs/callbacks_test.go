package efgs

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/signing/cms"
)

// A receiver is a nation's server that is called.
type receiver struct {
	*httptest.Server
	cert *authority

	mu     sync.Mutex
	calls  []string // batch tags
	dates  []string
	agents []string
	answer func(w http.ResponseWriter, r *http.Request) // nil is 202
}

func (w *world) receiver(country string) *receiver {
	w.t.Helper()
	v := &receiver{cert: newAuthority(w.t, []string{country}, noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))}
	v.Server = httptest.NewUnstartedServer(http.HandlerFunc(v.serve))
	v.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{v.cert.Certificate().Raw}, PrivateKey: v.cert.key}}, ClientAuth: tls.RequestClientCert}
	v.StartTLS()
	w.t.Cleanup(v.Close)
	return v
}

func (v *receiver) serve(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.calls = append(v.calls, r.URL.Query().Get("batchTag"))
	v.dates, v.agents = append(v.dates, r.URL.Query().Get("date")), append(v.agents, r.UserAgent())
	if v.answer != nil {
		v.answer(w, r)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// took returns the calls since it was asked last.
func (v *receiver) took() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	calls := v.calls
	v.calls = nil
	return calls
}

// set has the receiver answer something else.
func (v *receiver) set(answer func(w http.ResponseWriter, r *http.Request)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.answer = answer
}

func (v *receiver) port() uint16 { return netip.MustParseAddrPort(v.Listener.Addr().String()).Port() }

func status(n int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(n) }
}

// calling returns a world whose gateway may call receivers on this machine.
func calling(t *testing.T, countries ...string) (*world, map[string]*receiver) {
	t.Helper()
	w := newWorld(t, nil)
	all, o := map[string]*receiver{}, CallbackOptions{Networks: loopback}
	for _, country := range countries {
		v := w.receiver(country)
		w.admit(v.cert, cms.UseCallback)
		all[country], o.Ports = v, append(o.Ports, v.port())
	}
	w.recall(&o)
	return w, all
}

// recall puts other callbacks in the place of those there are, as after a restart.
func (w *world) recall(o *CallbackOptions) {
	w.calls = w.callbacks(o)
	w.server.opts.Callbacks = w.calls
}

func (w *world) subscribe(country, id, target string) int {
	w.t.Helper()
	return w.do(call{method: "PUT", path: "/callback/" + id + "?" + url.Values{"url": {target}}.Encode(), header: w.headers(country)}).status
}

// batch makes a batch and returns its tag.
func (w *world) batch() string {
	w.t.Helper()
	w.put("IT", fmt.Sprint(w.clock.Now().UnixNano()), w.newKeys("IT", 1)...)
	w.release()
	at := w.get("FR", "2021-06-02", "", Protobuf)
	for at.header.Get("nextBatchTag") != "null" {
		at = w.get("FR", "2021-06-02", at.header.Get("nextBatchTag"), Protobuf)
	}
	return at.header.Get("batchTag")
}

func (w *world) run() *CallReport {
	w.t.Helper()
	return must(w.calls.Run(w.t.Context()))
}

// TestCallbacks: each batch is called for once, in order, from the subscription on.
func TestCallbacks(t *testing.T) {
	w, to := calling(t, "DE", "FR")
	w.batch()
	client := w.client("DE", nil)
	if err := client.Subscribe(t.Context(), Subscription{"a", to["DE"].URL + "/callback"}); err != nil {
		t.Fatal(err)
	}
	if w.subscribe("FR", "a", to["FR"].URL) != 200 {
		t.Fatal("not subscribed")
	}
	if r := w.run(); *r != (CallReport{}) || len(to["DE"].took()) != 0 {
		t.Errorf("called for what was there before: %+v", r)
	}
	want := []string{w.batch(), w.batch(), w.batch()}
	if r := w.run(); r.Called != 6 || r.Failed != 0 {
		t.Errorf("%+v", r)
	}
	for country, v := range to {
		if got := v.took(); !slices.Equal(got, want) {
			t.Errorf("%s: called for %v, want %v", country, got, want)
		}
		if v.dates[0] != "2021-06-02" || v.agents[0] != "EFGS Callback Engine" {
			t.Errorf("got %s by %s", v.dates[0], v.agents[0])
		}
	}
	if r := w.run(); r.Called != 0 {
		t.Errorf("called again: %+v", r)
	}
	// After a restart it goes on.
	w.recall(&w.calls.opts)
	next := w.batch()
	if w.run(); !slices.Equal(to["DE"].took(), []string{next}) {
		t.Error("not called after a restart")
	}
	subscriptions := must(client.Subscriptions(t.Context()))
	if !slices.Equal(subscriptions, []Subscription{{"a", to["DE"].URL + "/callback"}}) {
		t.Errorf("got %v", subscriptions)
	}
	// Nobody ends another's.
	if err := client.Unsubscribe(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if g := w.do(call{method: "DELETE", path: "/callback/a", header: w.headers("DE")}); g.status != 404 {
		t.Errorf("got %d", g.status)
	}
	w.batch()
	if r := w.run(); r.Called != 1 || len(to["DE"].took()) != 0 {
		t.Errorf("%+v", r)
	}
	if g := w.do(call{path: "/callback", header: w.headers("DE")}); g.status != 200 || g.body != "[]" {
		t.Errorf("got %d %s", g.status, g.body)
	}
}

// TestCallbackRetries: a receiver that does not answer is called again, later and
// later; beyond the last retry it counts as failing, is tried with each new batch,
// and is told of all it missed when it answers. It stays subscribed all the time.
func TestCallbackRetries(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"500": status(500), "404": status(404), "redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, to := calling(t, "DE")
			v := to["DE"]
			w.subscribe("DE", "a", v.URL)
			v.set(answer)
			first := w.batch()
			pauses := []time.Duration{5, 10, 20, 40, 60}
			for i := range 6 {
				if r := w.run(); r.Failed != 1 || r.Called != 0 || r.Failing != i/5 || !slices.Equal(v.took(), []string{first}) {
					t.Fatalf("try %d: %+v", i, r)
				}
				if i == 5 {
					break
				}
				w.clock.add(pauses[i]*time.Minute - time.Second)
				if r := w.run(); r.Failed != 0 || len(v.took()) != 0 {
					t.Fatalf("called again within %d min: %+v", pauses[i], r)
				}
				w.clock.add(time.Second)
			}
			w.clock.add(18 * time.Hour)
			if r := w.run(); r.Failed != 0 || r.Failing != 1 || len(v.took()) != 0 {
				t.Errorf("called once more, without a new batch: %+v", r)
			}
			second := w.batch()
			if r := w.run(); r.Failed != 1 || r.Failing != 1 || !slices.Equal(v.took(), []string{first}) {
				t.Errorf("with a new batch: %+v", r)
			}
			w.clock.add(2 * time.Hour)
			v.set(nil)
			third := w.batch()
			if r := w.run(); r.Called != 3 || r.Failing != 0 || !slices.Equal(v.took(), []string{first, second, third}) {
				t.Errorf("after it has come back: %+v", r)
			}
			if len(must(w.client("DE", nil).Subscriptions(t.Context()))) != 1 {
				t.Error("the subscription is gone")
			}
			if !strings.Contains(w.log.String(), "failing=true") || strings.Contains(w.log.String(), v.URL) {
				t.Errorf("the log has it not, or the URL: %s", w.log)
			}
		})
	}
}

// TestCallbackOfOldBatches: what can no longer be had is not called for.
func TestCallbackOfOldBatches(t *testing.T) {
	w, to := calling(t, "DE")
	w.subscribe("DE", "a", to["DE"].URL)
	w.batch()
	w.clock.add(3 * 24 * time.Hour)
	if r := w.run(); r.Called != 0 {
		t.Errorf("%+v", r)
	}
}

// TestCallbackLease: one process calls at a time, and one that has died stops the
// others only for so long.
func TestCallbackLease(t *testing.T) {
	w, to := calling(t, "DE")
	v := to["DE"]
	w.subscribe("DE", "a", v.URL)
	w.batch()
	var inner *CallReport
	other := w.callbacks(&w.calls.opts)
	v.set(func(rw http.ResponseWriter, _ *http.Request) {
		inner = must(other.Run(context.Background()))
		rw.WriteHeader(200)
	})
	if r := w.run(); r.Called != 1 || inner == nil || !inner.Busy || len(v.took()) != 1 {
		t.Errorf("%+v, and meanwhile %+v", r, inner)
	}
	v.set(nil)
	w.batch()
	if must(other.lease(t.Context())) == nil { // which dies
		t.Fatal("no lease")
	}
	if r := w.run(); !r.Busy || len(v.took()) != 0 {
		t.Errorf("%+v", r)
	}
	w.clock.add(w.calls.opts.Budget + 2*w.calls.opts.Timeout)
	if r := w.run(); r.Busy || r.Called != 1 {
		t.Errorf("%+v", r)
	}
}

// TestCallbackChanges: what a nation changes while it is called stays as it wants.
func TestCallbackChanges(t *testing.T) {
	w, to := calling(t, "DE")
	v := to["DE"]
	w.subscribe("DE", "a", v.URL)
	w.batch()
	v.set(func(rw http.ResponseWriter, _ *http.Request) {
		w.do(call{method: "DELETE", path: "/callback/a", header: w.headers("DE")})
		rw.WriteHeader(200)
	})
	w.run()
	if got := must(w.client("DE", nil).Subscriptions(t.Context())); len(got) != 0 {
		t.Errorf("it is back: %v", got)
	}
	v.set(nil)
	v.took()
	w.subscribe("DE", "a", v.URL)
	tag := w.batch()
	v.set(func(rw http.ResponseWriter, _ *http.Request) {
		w.subscribe("DE", "a", v.URL+"/other")
		rw.WriteHeader(500)
	})
	w.run()
	v.set(nil)
	if r := w.run(); r.Called != 1 || !slices.Equal(v.took(), []string{tag, tag}) {
		t.Errorf("%+v", r)
	}
}

// TestCallbackCertificates: a receiver shows a certificate that is listed for its
// country and this use; another is not even told of the batch.
func TestCallbackCertificates(t *testing.T) {
	for _, tt := range []struct {
		name string
		list func(w *world, v *receiver)
		want int
	}{
		{"listed", func(w *world, v *receiver) { w.admit(v.cert, cms.UseCallback) }, 1},
		{"unlisted", func(*world, *receiver) {}, 0},
		{"listed to authenticate", func(w *world, v *receiver) { w.admit(v.cert, cms.UseAuthentication) }, 0},
		{"revoked", func(w *world, v *receiver) {
			w.admit(v.cert, cms.UseCallback)
			w.revise(v.cert, func(e *cms.Entry) { e.Revoked = true })
		}, 0},
		{"not signed by the trust anchor", func(w *world, v *receiver) {
			w.admit(v.cert, cms.UseCallback)
			w.revise(v.cert, func(e *cms.Entry) { e.AnchorSignature = "" })
		}, 0},
		{"expired", func(w *world, v *receiver) {
			w.admit(v.cert, cms.UseCallback)
			w.clock.add(370 * 24 * time.Hour)
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, nil)
			v := w.receiver("DE")
			w.recall(&CallbackOptions{Networks: loopback, Ports: []uint16{v.port()}})
			w.subscribe("DE", "a", v.URL)
			w.batch()
			tt.list(w, v)
			s := must(w.calls.subscriptions(t.Context(), subscriptionsPrefix))[0]
			batches := must(w.hub.SealedBatches(t.Context(), &theWorld[0], s.At))
			client := w.calls.client()
			err := w.calls.call(t.Context(), client, s, &batches[0])
			if got := len(v.took()); got != tt.want || (err == nil) != (tt.want == 1) {
				t.Errorf("called %d times, %v", got, err)
			}
		})
	}
	// Another country's certificate is not this one's.
	w, to := calling(t, "DE", "FR")
	w.subscribe("FR", "a", to["DE"].URL)
	w.batch()
	if r := w.run(); r.Failed != 1 || len(to["DE"].took()) != 0 {
		t.Errorf("%+v", r)
	}
	// The gateway shows its own.
	own := newAuthority(t, []string{"EU"}, noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))
	o := w.calls.opts
	o.Certificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &tls.Certificate{Certificate: [][]byte{own.Certificate().Raw}, PrivateKey: own.key}, nil
	}
	w.recall(&o)
	hints := NewCallback(own.thumbprint())
	to["DE"].set(hints.ServeHTTP)
	w.subscribe("DE", "b", to["DE"].URL)
	w.batch()
	if r := w.run(); r.Called != 1 {
		t.Errorf("%+v", r)
	}
	select {
	case <-hints.Hints():
	default:
		t.Error("the client was not told")
	}
}

// resolver is a DNS that answers as it likes.
type resolver func(host string) []netip.Addr

func (f resolver) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	all := f(host)
	if all == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return all, nil
}

func addrs(all ...string) (list []netip.Addr) {
	for _, a := range all {
		list = append(list, netip.MustParseAddr(a))
	}
	return list
}

// TestCallbackTargets: what a nation may have called, and what not.
func TestCallbackTargets(t *testing.T) {
	w := newWorld(t, nil)
	w.recall(&CallbackOptions{Ports: []uint16{8443}, Resolver: resolver(func(host string) []netip.Addr {
		return map[string][]netip.Addr{
			"public.example": addrs("93.184.216.34", "2606:2800:220:1::1"), "private.example": addrs("10.1.2.3"),
			"mixed.example": addrs("93.184.216.34", "127.0.0.1"), "localhost": addrs("127.0.0.1"), "empty.example": {},
		}[host]
	})})
	for _, tt := range []struct {
		target string
		want   int
	}{
		{"https://public.example/callback", 200},
		{"https://public.example", 200},
		{"https://public.example:443/", 200},
		{"https://public.example:8443/", 200},
		{"https://93.184.216.34/x", 200},
		{"https://[2606:2800:220:1::1]/x", 200},

		{"", 400},
		{"x", 400},
		{"http://public.example/", 400},
		{"file:///etc/passwd", 400},
		{"https:public.example", 400},
		{"https://", 400},
		{"https://public.example/?x=1", 400},
		{"https://public.example/?", 400},
		{"https://public.example/#x", 400},
		{"https://user@public.example/", 400},
		{"https://user:pass@public.example/", 400},
		{"https://public.example:22/", 400},
		{"https://public.example:0/", 400},
		{"https://public.example:99999/", 400},
		{"https://" + strings.Repeat("x", 1000), 400},
		{"https://private.example/", 400},
		{"https://mixed.example/", 400},
		{"https://localhost/", 400},
		{"https://unknown.example/", 400},
		{"https://empty.example/", 400},
		{"https://127.0.0.1/", 400},
		{"https://127.1/", 400},
		{"https://2130706433/", 400},
		{"https://0x7f.0.0.1/", 400},
		{"https://0/", 400},
		{"https://[::1]/", 400},
		{"https://[::ffff:127.0.0.1]/", 400},
		{"https://[::ffff:a00:1]/", 400},
		{"https://[fe80::1%25eth0]/", 400},
		{"https://169.254.169.254/latest/meta-data", 400},
		{"https://[fd00:ec2::254]/", 400},
		{"https://[64:ff9b::7f00:1]/", 400},
		{"https://[2002:7f00:1::]/", 400},
	} {
		if got := w.subscribe("DE", "a", tt.target); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.target, got, tt.want)
		}
	}
	for name, c := range map[string]call{
		"no URL":      {method: "PUT", path: "/callback/a"},
		"two URLs":    {method: "PUT", path: "/callback/a?url=https://public.example&url=https://public.example"},
		"a bad query": {method: "PUT", path: "/callback/a?url=%zz"},
		"no id":       {method: "PUT", path: "/callback/?url=https://public.example"},
		"a long id":   {method: "PUT", path: "/callback/" + strings.Repeat("x", 101) + "?url=https://public.example"},
	} {
		c.header = w.headers("DE")
		if g := w.do(c); g.status != 400 {
			t.Errorf("%s: got %d", name, g.status)
		}
	}
	for _, method := range []string{"GET", "POST"} {
		if g := w.do(call{method: method, path: "/callback/a", header: w.headers("DE")}); g.status != 405 || g.header.Get("Allow") == "" {
			t.Errorf("%s: got %d", method, g.status)
		}
	}
	for i := range maxCallbacks + 1 {
		if got, want := w.subscribe("FR", fmt.Sprint(i), "https://public.example"), map[bool]int{true: 200, false: 400}[i < maxCallbacks]; got != want {
			t.Errorf("subscription %d: got %d", i, got)
		}
	}
	if got := w.subscribe("FR", "0", "https://public.example/other"); got != 200 {
		t.Errorf("changing one of the last: got %d", got)
	}
}

// TestCallbackRebinding: a name that was public when it was subscribed and is not
// when it is called leads nowhere, nor does one that changes while it is looked at.
func TestCallbackRebinding(t *testing.T) {
	for name, rebound := range map[string][]netip.Addr{
		"loopback": addrs("127.0.0.1"), "beside a public one": addrs("93.184.216.34", "127.0.0.1"), "mapped": addrs("::ffff:127.0.0.1"), "nothing": nil,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			v := w.receiver("DE")
			w.admit(v.cert, cms.UseCallback)
			looked := 0
			w.recall(&CallbackOptions{Ports: []uint16{v.port()}, Resolver: resolver(func(string) []netip.Addr {
				if looked++; looked == 1 {
					return addrs("93.184.216.34")
				}
				return rebound
			})})
			if got := w.subscribe("DE", "a", fmt.Sprintf("https://rebind.example:%d/", v.port())); got != 200 {
				t.Fatal(got)
			}
			w.batch()
			if r := w.run(); r.Failed != 1 || r.Called != 0 || len(v.took()) != 0 || looked != 2 {
				t.Errorf("%+v after %d look-ups", r, looked)
			}
		})
	}
	// The last look is at the address that the system is given.
	w := newWorld(t, nil)
	for _, addr := range []string{"127.0.0.1:443", "[::1]:443", "10.0.0.1:443", "x"} {
		if err := w.calls.control("tcp", addr, nil); !errors.Is(err, errTarget) {
			t.Errorf("%s: got %v", addr, err)
		}
	}
	if err := w.calls.control("tcp", "93.184.216.34:443", nil); err != nil {
		t.Error(err)
	}
}

// TestCallbackRedirects: no redirect is followed, wherever it leads; not even to where
// a call would be answered.
func TestCallbackRedirects(t *testing.T) {
	for _, country := range []string{"DE", "FR"} {
		w, to := calling(t, "DE", "FR")
		to["DE"].set(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/elsewhere" {
				http.Redirect(rw, r, to[country].URL+"/elsewhere", http.StatusTemporaryRedirect)
			}
		})
		w.subscribe("DE", "a", to["DE"].URL)
		w.batch()
		if r := w.run(); r.Failed != 1 || len(to["DE"].took()) != 1 || len(to["FR"].took()) != 0 {
			t.Errorf("to %s: %+v", country, r)
		}
	}
}

// TestCallbackTimeouts: a receiver that does not answer, or does not end, keeps
// nobody.
func TestCallbackTimeouts(t *testing.T) {
	w, to := calling(t, "DE", "FR")
	o := w.calls.opts
	o.Timeout = time.Second
	w.recall(&o)
	done := make(chan struct{})
	defer close(done)
	to["DE"].set(func(rw http.ResponseWriter, r *http.Request) {
		select {
		case <-done:
		case <-r.Context().Done():
		}
	})
	w.subscribe("DE", "a", to["DE"].URL)
	w.subscribe("FR", "a", to["FR"].URL)
	w.batch()
	if r := w.run(); r.Failed != 1 || r.Called != 1 {
		t.Errorf("%+v", r)
	}
}

// TestPublicAddresses has both ends of the networks that are not public.
func TestPublicAddresses(t *testing.T) {
	for want, all := range map[bool][]string{
		true: {"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255",
			"169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
			"2606:4700::1111", "2a00::1", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::", "2001:200::1"},
		false: {"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.0", "127.255.255.255",
			"169.254.0.0", "169.254.255.255", "172.16.0.0", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.0", "192.168.255.255",
			"198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.0", "255.255.255.255",
			"::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "fc00::1", "fd00::1", "fe80::1", "fec0::1", "ff02::1",
			"64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:1::", "2001::1", "2001:1ff::1",
			"2001:db8::1", "3fff::1", "100::1", "5f00::1", "2606:4700::1%eth0"},
	} {
		for _, a := range all {
			if got := isPublic(netip.MustParseAddr(a)); got != want {
				t.Errorf("%s: public is %v", a, got)
			}
		}
	}
	if isPublic(netip.Addr{}) {
		t.Error("no address is public")
	}
}

// TestSubscriptionRegisters: ids are any characters, and other nations' are not
// shown.
func TestSubscriptionRegisters(t *testing.T) {
	w, to := calling(t, "DE")
	for _, id := range []string{"a", "A", "..", "a%22b", "~"} {
		if got := w.subscribe("DE", id, to["DE"].URL); got != 200 {
			t.Errorf("%s: got %d", id, got)
		}
	}
	var all []Subscription
	g := w.do(call{path: "/callback", header: w.headers("DE")})
	if err := json.Unmarshal([]byte(g.body), &all); err != nil || len(all) != 5 || all[3].ID != `a"b` {
		t.Errorf("got %s", g.body)
	}
	if g := w.do(call{path: "/callback", header: w.headers("FR")}); g.body != "[]" {
		t.Errorf("got %s", g.body)
	}
}

// TestCallbackBudget: that a run comes to the end of its time is no error of the
// ledger's. Those that it had none for are called by one of the next, whoever takes all
// there is.
func TestCallbackBudget(t *testing.T) {
	w, to := calling(t, "DE", "FR")
	o := w.calls.opts
	o.Parallel = 1
	w.recall(&o)
	for i := range 3 {
		w.subscribe("DE", fmt.Sprint(i), to["DE"].URL)
	}
	w.subscribe("FR", "a", to["FR"].URL)
	tag := w.batch()
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		to["DE"].set(func(_ http.ResponseWriter, r *http.Request) { // answers when there is no time left
			cancel()
			<-r.Context().Done()
		})
		r, err := w.calls.Run(ctx)
		cancel()
		if err != nil || r.Failed != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		if r.Called > 0 {
			break
		}
	}
	if got := to["FR"].took(); !slices.Equal(got, []string{tag}) {
		t.Errorf("France is called for %q", got)
	}
}

func TestCallbacksInTurn(t *testing.T) {
	var all []*subscription
	for _, country := range []string{"DE", "DE", "DE", "FR", "IT", "IT"} {
		all = append(all, &subscription{Subscription: Subscription{ID: fmt.Sprint(len(all))}, Country: country})
	}
	first := map[string]int{}
	for range 200 {
		turns := inTurn(all)
		count := map[string]int{}
		for i, s := range turns {
			if count[s.Country]++; count[s.Country] != []int{1, 1, 1, 2, 2, 3}[i] {
				t.Fatalf("number %d of %s has turn %d", count[s.Country], s.Country, i)
			}
		}
		first[turns[0].Country]++
	}
	if len(first) != 3 {
		t.Errorf("the first are %v", first)
	}
}

// TestCallbackAfterAClockJump: a clock that was ahead for a while, in which a call
// failed and a process died, keeps nobody from being called.
func TestCallbackAfterAClockJump(t *testing.T) {
	w, to := calling(t, "DE")
	v := to["DE"]
	w.subscribe("DE", "a", v.URL)
	tag := w.batch()
	v.set(status(500))
	w.clock.add(36 * time.Hour)
	if r := w.run(); r.Failed != 1 {
		t.Fatalf("%+v", r)
	}
	if must(w.calls.lease(t.Context())) == nil { // of a process that dies
		t.Fatal("no lease")
	}
	w.clock.add(-36 * time.Hour)
	v.set(nil)
	v.took()
	if r := w.run(); r.Busy || r.Called != 1 || !slices.Equal(v.took(), []string{tag}) {
		t.Errorf("%+v", r)
	}
}
