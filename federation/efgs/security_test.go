package efgs

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/cms"
	"github.com/gaenkit/gaen/storage/ledger"
)

// certificates are those that a nation can come with, and what each is answered: by
// TLS, and by way of a load balancer.
var certificates = []struct {
	name   string
	make   func(w *world) *authority
	direct int
	told   int
}{
	{"listed", func(w *world) *authority { return w.auth["DE"] }, 201, 201},
	{"second of a rotation", func(w *world) *authority {
		a := newAuthority(w.t, []string{"DE"}, noon, noon.AddDate(1, 0, 0))
		w.admit(a, cms.UseAuthentication)
		return a
	}, 201, 201},
	{"unlisted", func(w *world) *authority {
		return newAuthority(w.t, []string{"DE"}, noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))
	}, 403, 403},
	{"listed to sign alone", func(w *world) *authority { return w.signers["DE"] }, 403, 403},
	{"revoked", func(w *world) *authority {
		w.revise(w.auth["DE"], func(e *cms.Entry) { e.Revoked = true })
		return w.auth["DE"]
	}, 403, 403},
	{"expired", func(w *world) *authority {
		a := newAuthority(w.t, []string{"DE"}, noon.AddDate(-1, 0, 0), noon.Add(-time.Second))
		w.admit(a, cms.UseAuthentication)
		return a
	}, 403, 403},
	{"not yet valid", func(w *world) *authority {
		a := newAuthority(w.t, []string{"DE"}, noon.Add(time.Second), noon.AddDate(1, 0, 0))
		w.admit(a, cms.UseAuthentication)
		return a
	}, 403, 403},
	{"no country", func(w *world) *authority {
		a := newAuthority(w.t, nil, noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))
		w.entries = append(w.entries, cms.Entry{Use: cms.UseAuthentication, Country: "DE", Thumbprint: a.thumbprint()})
		w.relist()
		return a
	}, 403, 400},
	{"two countries", func(w *world) *authority {
		a := newAuthority(w.t, []string{"DE", "FR"}, noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))
		w.entries = append(w.entries, cms.Entry{Use: cms.UseAuthentication, Country: "DE", Thumbprint: a.thumbprint()})
		w.relist()
		return a
	}, 403, 400},
	{"listed for another country", func(w *world) *authority {
		a := newAuthority(w.t, []string{"FR"}, noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))
		w.entries = append(w.entries, cms.Entry{Use: cms.UseAuthentication, Country: "DE", Thumbprint: a.thumbprint()})
		w.relist()
		return a
	}, 403, 403},
	{"of a country that has no nation", func(w *world) *authority {
		a := newAuthority(w.t, []string{"PL"}, noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))
		w.admit(a, cms.UseAuthentication)
		return a
	}, 403, 403},
	{"not signed by the trust anchor", func(w *world) *authority {
		w.revise(w.auth["DE"], func(e *cms.Entry) { e.AnchorSignature = "" })
		return w.auth["DE"]
	}, 403, 403},
	{"signed by another trust anchor", func(w *world) *authority {
		other := newAuthority(w.t, nil, noon, noon.AddDate(1, 0, 0))
		w.revise(w.auth["DE"], func(e *cms.Entry) { e.AnchorSignature = other.confirm(e.Certificate) })
		return w.auth["DE"]
	}, 403, 403},
	{"signed for another certificate", func(w *world) *authority {
		w.revise(w.auth["DE"], func(e *cms.Entry) { e.AnchorSignature = w.anchor.confirm(w.auth["FR"].pem()) })
		return w.auth["DE"]
	}, 403, 403},
	{"another nation's", func(w *world) *authority { return w.auth["FR"] }, 400, 400}, // the upload is signed by DE
	{"none", func(*world) *authority { return nil }, 403, 400},
}

// TestCertificates has every certificate that a nation can come with, directly and
// by way of a load balancer.
func TestCertificates(t *testing.T) {
	for _, tt := range certificates {
		for _, direct := range []bool{true, false} {
			name, want := tt.name+"/direct", tt.direct
			if !direct {
				name, want = tt.name+"/balancer", tt.told
			}
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, nil)
				if direct {
					w.server.opts.Balancers = nil
				}
				all := w.newKeys("DE", 2)
				c := w.request(an{country: "DE", tag: "1", keys: BatchOf(all).Keys})
				a := tt.make(w)
				c.header.Del("X-SSL-Client-SHA256")
				c.header.Del("X-SSL-Client-DN")
				var g got
				if direct {
					g = w.doBy(w.with(a), w.direct().URL, c)
				} else {
					if a != nil {
						c.header.Set("X-SSL-Client-SHA256", a.thumbprint().String())
						c.header.Set("X-SSL-Client-DN", a.Certificate().Subject.String())
					}
					g = w.do(c)
				}
				if g.status != want {
					t.Errorf("got %d %s, want %d", g.status, g.body, want)
				}
				if n := w.stored("de") + w.stored("fr"); (n == 2) != (want == 201) || n != 0 && n != 2 {
					t.Errorf("stored %d keys", n)
				}
				if want != 201 && !strings.Contains(w.log.String(), "not granted") {
					t.Error("the log says nothing")
				}
				noLeak(t, "the answer", g.body, all)
				noLeak(t, "the log", w.log.String(), all)
			})
		}
	}
}

// TestSigningCertificates has every certificate that an upload can be signed with.
func TestSigningCertificates(t *testing.T) {
	fresh := func(w *world, country ...string) *authority {
		return newAuthority(w.t, country, noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))
	}
	for _, tt := range []struct {
		name string
		make func(w *world) *authority
		want int
	}{
		{"second of a rotation", func(w *world) *authority {
			a := fresh(w, "DE")
			w.admit(a, cms.UseSigning)
			return a
		}, 201},
		{"listed by its thumbprint alone, where an anchor is asked for", func(w *world) *authority {
			a := fresh(w, "DE")
			w.entries = append(w.entries, cms.Entry{Use: cms.UseSigning, Country: "DE", Thumbprint: a.thumbprint()})
			w.relist()
			return a
		}, 400},
		{"unlisted", func(w *world) *authority { return fresh(w, "DE") }, 400},
		{"revoked", func(w *world) *authority {
			w.revise(w.signers["DE"], func(e *cms.Entry) { e.Revoked = true })
			return w.signers["DE"]
		}, 400},
		{"not signed by the trust anchor", func(w *world) *authority {
			w.revise(w.signers["DE"], func(e *cms.Entry) { e.AnchorSignature = "" })
			return w.signers["DE"]
		}, 400},
		{"another nation's", func(w *world) *authority { return w.signers["FR"] }, 400},
		{"another country's, listed for this one", func(w *world) *authority {
			a := fresh(w, "FR")
			w.entries = append(w.entries, cms.Entry{Use: cms.UseSigning, Country: "DE", Thumbprint: a.thumbprint()})
			w.relist()
			return a
		}, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, nil)
			all := w.newKeys("DE", 2)
			a := tt.make(w)
			g := w.do(w.request(an{country: "DE", tag: "1", keys: BatchOf(all).Keys, signer: a}))
			if g.status != tt.want {
				t.Errorf("got %d %s, want %d", g.status, g.body, tt.want)
			}
			if n := w.stored("de"); (n == 2) != (tt.want == 201) {
				t.Errorf("stored %d keys", n)
			}
		})
	}
	// One that has expired since cannot sign; that it could when it signed says only
	// whoever signed.
	w := newWorld(t, nil)
	a := newAuthority(t, []string{"DE"}, noon.AddDate(-1, 0, 0), noon.Add(time.Minute))
	w.admit(a, cms.UseSigning)
	c := w.request(an{country: "DE", tag: "1", keys: BatchOf(w.newKeys("DE", 1)).Keys, signer: a})
	w.clock.add(2 * time.Minute)
	if g := w.do(c); g.status != 400 || !strings.Contains(w.log.String(), "expired") {
		t.Errorf("got %d", g.status)
	}
	// A list that cannot be asked is no reason to refuse for good.
	w = newWorld(t, nil)
	w.server.list = failing{}
	if g := w.get("DE", "2021-06-02", "", Protobuf); g.status != 503 || g.header.Get("Retry-After") == "" {
		t.Errorf("got %d", g.status)
	}
}

type failing struct{}

func (failing) Find(context.Context, cms.Thumbprint, cms.Use) (cms.Entry, error) {
	return cms.Entry{}, errors.New("the database is away")
}

// TestSpoofedHeaders: the headers of a load balancer count from its address alone.
func TestSpoofedHeaders(t *testing.T) {
	for _, tt := range []struct {
		name, remote string
		networks     []netip.Prefix
		cert         string // of the connection
		want         string
	}{
		{"from the balancer", "192.0.2.7:1234", prefixes("192.0.2.7/32"), "", "DE"},
		{"from the balancer by IPv6", "[2001:db8::7]:1234", prefixes("2001:db8::/64"), "", "DE"},
		{"from the balancer, as IPv4 in IPv6", "[::ffff:192.0.2.7]:1234", prefixes("192.0.2.7/32"), "", "DE"},
		{"from beside it", "192.0.2.8:1234", prefixes("192.0.2.7/32"), "", "403"},
		{"from anywhere, where there is none", "127.0.0.1:1234", nil, "", "403"},
		{"from no address", "@", prefixes("192.0.2.7/32"), "", "403"},
		{"from nowhere", "", prefixes("192.0.2.7/32"), "", "403"},
		{"from beside it, with a certificate of its own", "192.0.2.8:1234", prefixes("192.0.2.7/32"), "FR", "FR"},
		{"from the balancer, with a certificate of its own", "192.0.2.7:1234", prefixes("192.0.2.7/32"), "FR", "DE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, &ServerOptions{Balancers: tt.networks})
			w.store("FR", w.newKeys("FR", 1)...)
			w.release()
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/diagnosiskeys/download/2021-06-02", nil)
			r.Header, r.RemoteAddr = w.headers("DE"), tt.remote
			r.Header.Set("Accept", JSON.MediaType())
			r.Header.Set("X-Forwarded-For", "192.0.2.7")
			if tt.cert != "" {
				r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{w.auth[tt.cert].Certificate()}}
			}
			answer := httptest.NewRecorder()
			w.server.ServeHTTP(answer, r)
			who := fmt.Sprint(answer.Code)
			if answer.Code == 200 {
				who = map[bool]string{true: "DE", false: "FR"}[strings.Contains(answer.Body.String(), "keyData")] // FR is spared its own
			}
			if who != tt.want {
				t.Errorf("is taken for %s, want %s", who, tt.want)
			}
			if tt.want == "403" && !strings.Contains(w.log.String(), "the headers of a load balancer") {
				t.Errorf("the log does not say it: %s", w.log)
			}
		})
	}
}

// TestHeadersOfBalancers has every spelling of the two headers, and those that are
// none.
func TestHeadersOfBalancers(t *testing.T) {
	w := newWorld(t, nil)
	// A thumbprint that begins with a zero byte: the gateway's own code dropped it,
	// and knew that nation no more (one certificate in 256).
	a := newAuthority(t, []string{"DE"}, noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))
	for a.thumbprint()[0] != 0 {
		a = newAuthority(t, []string{"DE"}, noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))
	}
	w.admit(a, cms.UseAuthentication)
	sum := a.thumbprint()
	hex, b64 := sum.String(), base64.StdEncoding.EncodeToString(sum[:])
	for _, tt := range []struct {
		name       string
		sha256, dn []string
		want       int
	}{
		{name: "hexadecimal", sha256: []string{hex}, dn: []string{"C=DE"}, want: 404},
		{name: "upper case", sha256: []string{strings.ToUpper(hex)}, dn: []string{"C=DE"}, want: 404},
		{name: "base64", sha256: []string{b64}, dn: []string{"C=DE"}, want: 404},
		{name: "base64, escaped", sha256: []string{url.QueryEscape(b64)}, dn: []string{"C=DE"}, want: 404},
		{name: "without its zeros", sha256: []string{hex[2:]}, dn: []string{"C=DE"}, want: 403},
		{name: "one nibble short", sha256: []string{hex[1:]}, dn: []string{"C=DE"}, want: 403},
		{name: "longer", sha256: []string{hex + "00"}, dn: []string{"C=DE"}, want: 403},
		{name: "none", dn: []string{"C=DE"}, want: 403},
		{name: "two", sha256: []string{hex, hex}, dn: []string{"C=DE"}, want: 400},
		{name: "two in one", sha256: []string{hex + ", " + hex}, dn: []string{"C=DE"}, want: 403},
		{name: "very long", sha256: []string{strings.Repeat("%41", 10_000)}, dn: []string{"C=DE"}, want: 403},

		{name: "no name", sha256: []string{hex}, want: 400},
		{name: "an empty name", sha256: []string{hex}, dn: []string{""}, want: 400},
		{name: "no country", sha256: []string{hex}, dn: []string{"CN=x,O=y"}, want: 400},
		{name: "another country", sha256: []string{hex}, dn: []string{"C=FR"}, want: 403},
		{name: "lower case name", sha256: []string{hex}, dn: []string{"cn=x,c=DE"}, want: 404},
		{name: "spaces", sha256: []string{hex}, dn: []string{"CN=x, C = DE"}, want: 404},
		{name: "escaped", sha256: []string{hex}, dn: []string{"CN%3Dx%2CC%3DDE"}, want: 404},
		{name: "escaped badly", sha256: []string{hex}, dn: []string{"CN=%zz,C=DE"}, want: 400},
		{name: "two countries", sha256: []string{hex}, dn: []string{"C=FR,C=DE"}, want: 400},
		{name: "two names", sha256: []string{hex}, dn: []string{"C=DE", "C=FR"}, want: 400},
		{name: "a country in a value", sha256: []string{hex}, dn: []string{`O=x\,C=FR,C=DE`}, want: 404},
		{name: "a country in a quoted value", sha256: []string{hex}, dn: []string{`O="x,C=FR",C=DE`}, want: 404},
		{name: "nothing but a country in a value", sha256: []string{hex}, dn: []string{`O=x\,C=DE`}, want: 400},
		{name: "a quote that does not end", sha256: []string{hex}, dn: []string{`O="x,C=DE`}, want: 400},
		{name: "of several attributes", sha256: []string{hex}, dn: []string{"CN=x+C=DE"}, want: 404},
		{name: "three letters", sha256: []string{hex}, dn: []string{"C=DEU"}, want: 400},
		{name: "very long name", sha256: []string{hex}, dn: []string{strings.Repeat("O=x,", 2000) + "C=DE"}, want: 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{"Accept": {Protobuf.MediaType()}}
			for _, v := range tt.sha256 {
				h.Add("X-SSL-Client-SHA256", v)
			}
			for _, v := range tt.dn {
				h.Add("X-SSL-Client-DN", v)
			}
			if g := w.do(call{path: "/download/2021-06-02", header: h}); g.status != tt.want {
				t.Errorf("got %d %s, want %d", g.status, g.body, tt.want)
			}
		})
	}
}

// endless is a body of so many bytes, and counts what is read of it.
type endless struct{ left, read int }

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.left)
	clear(p[:n])
	e.left -= n
	e.read += n
	return n, nil
}

// TestOversizedBodies: nothing is read for those who are not known, nor beyond the
// limit, nor of what says that it is larger.
func TestOversizedBodies(t *testing.T) {
	w := newWorld(t, &ServerOptions{Balancers: loopback, MaxUpload: 1 << 20})
	const large = 100 << 20
	unknown := http.Header{"X-Ssl-Client-Dn": {"C=DE"}, "X-Ssl-Client-Sha256": {strings.Repeat("0", 64)}}
	for _, tt := range []struct {
		name   string
		header http.Header
		length int64
		want   int
		read   int // at most
	}{
		{"nobody", http.Header{}, -1, 400, 0},
		{"unknown", unknown, -1, 403, 0},
		{"unknown, with a length", unknown, large, 403, 0},
		{"known", nil, -1, 413, 1<<20 + 1},
		{"known, with a length", nil, large, 413, 0},
		{"known, with a length that is a lie", nil, 10, 413, 1<<20 + 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := &endless{left: large}
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/diagnosiskeys/upload", io.NopCloser(body))
			r.RemoteAddr, r.ContentLength = "127.0.0.1:1", tt.length
			r.Header = w.request(an{country: "DE", tag: "1"}).header
			if tt.header != nil {
				r.Header = tt.header
			}
			answer := httptest.NewRecorder()
			w.server.ServeHTTP(answer, r)
			if answer.Code != tt.want || body.read > tt.read {
				t.Errorf("got %d after %d bytes, want %d after %d", answer.Code, body.read, tt.want, tt.read)
			}
		})
	}
	// Keys of two bytes each: as many as go into the limit are not made.
	w = newWorld(t, nil)
	bomb := []byte(strings.Repeat("\x0a\x00", DefaultMaxUpload/2))
	c := w.request(an{country: "DE", tag: "1", body: bomb})
	allocated := testing.AllocsPerRun(1, func() {
		if g := w.do(c); g.status != 413 {
			t.Errorf("got %d", g.status)
		}
	})
	if allocated > 100_000 {
		t.Errorf("%v allocations", allocated)
	}
	if n := w.stored("de"); n != 0 {
		t.Errorf("stored %d keys", n)
	}
}

// TestSlowServerClients are cut off: in the headers at once, in the body with an
// answer.
func TestSlowServerClients(t *testing.T) {
	w := newWorld(t, nil)
	limits := NewHTTPServer("127.0.0.1:0", w.server)
	for name, d := range map[string]time.Duration{
		"ReadHeaderTimeout": limits.ReadHeaderTimeout, "ReadTimeout": limits.ReadTimeout,
		"WriteTimeout": limits.WriteTimeout, "IdleTimeout": limits.IdleTimeout,
	} {
		if d <= 0 || d > 5*time.Minute {
			t.Errorf("%s is %s", name, d)
		}
	}
	if limits.MaxHeaderBytes <= 0 || limits.MaxHeaderBytes > 64<<10 || limits.Addr != "127.0.0.1:0" {
		t.Errorf("got %+v", limits)
	}
	limits.ReadHeaderTimeout, limits.ReadTimeout = 300*time.Millisecond, 300*time.Millisecond // not to wait so long
	l := must(net.Listen("tcp", limits.Addr))
	go limits.Serve(l)
	t.Cleanup(func() { limits.Close() })
	var head strings.Builder
	if err := w.request(an{country: "DE", tag: "1", keys: BatchOf(w.newKeys("DE", 1)).Keys}).header.Write(&head); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, sent, want string }{
		{"headers", "POST /diagnosiskeys/upload HTTP/1.1\r\nHost: h\r\nX-", "HTTP/1.1 4"},
		{"body", "POST /diagnosiskeys/upload HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n" + head.String() + "\r\n{", "HTTP/1.1 408"},
		{"nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := must(net.Dial("tcp", l.Addr().String()))
			defer c.Close()
			c.SetDeadline(time.Now().Add(20 * time.Second))
			io.WriteString(c, tt.sent)
			answer, err := io.ReadAll(bufio.NewReader(c)) // until it is cut off
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Fatal("it is not cut off")
			}
			if !strings.HasPrefix(string(answer), tt.want) {
				t.Errorf("got %.60q, want %q", answer, tt.want)
			}
		})
	}
}

// TestReplays: what one nation has signed another cannot bring, nor anybody under
// another tag.
func TestReplays(t *testing.T) {
	w := newWorld(t, nil)
	all := BatchOf(w.newKeys("DE", 2)).Keys
	c := w.request(an{country: "DE", tag: "1", keys: all})
	if g := w.do(c); g.status != 201 {
		t.Fatal(g)
	}
	byFR := call{method: c.method, path: c.path, body: c.body, header: c.header.Clone()}
	maps.Copy(byFR.header, w.headers("FR"))
	if g := w.do(byFR); g.status != 400 {
		t.Errorf("by another nation: got %d", g.status)
	}
	again := call{method: c.method, path: c.path, body: c.body, header: c.header.Clone()}
	again.header.Set("batchTag", "2")
	if g := w.do(again); g.status != 207 || g.body != `{"201":[],"409":[0,1],"500":[]}` {
		t.Errorf("under another tag: got %d %s", g.status, g.body)
	}
	if n := w.stored("fr"); n != 0 {
		t.Errorf("stored %d keys", n)
	}
}

// TestServerOptions: what makes no sense is an error that names the field.
func TestServerOptions(t *testing.T) {
	w := newWorld(t, nil)
	for want, o := range map[string]ServerOptions{
		"Balancers[0]": {Balancers: prefixes("0.0.0.0/0")},
		"MaxUpload":    {MaxUpload: -1},
		"MaxAge":       {MaxAge: -1},
		"Parallel":     {Parallel: -1},
		"Workers":      {Workers: -1},
		"DNHeader":     {DNHeader: "x-ssl-client-sha256"},
	} {
		if _, err := NewServer(w.hub, w.nations, w.list, &o); err == nil || !strings.Contains(err.Error(), "ServerOptions."+want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	balancers := slices.Clone(loopback)
	s := must(NewServer(w.hub, w.nations, w.list, &ServerOptions{Balancers: balancers}))
	balancers[0] = prefixes("10.0.0.0/8")[0]
	if !s.isBalancer("127.0.0.1:1") || s.isBalancer("10.0.0.1:1") {
		t.Error("what the caller changes afterwards counts")
	}
	for want, f := range map[string]func() error{
		"hub":     func() error { _, err := NewServer(nil, w.nations, w.list, nil); return err },
		"nations": func() error { _, err := NewServer(w.hub, nil, w.list, nil); return err },
		"list":    func() error { _, err := NewServer(w.hub, w.nations, nil, nil); return err },
		"ledger":  func() error { _, err := NewCallbacks(w.hub, nil, w.nations, w.list, nil); return err },
		"Timeout": func() error {
			_, err := NewCallbacks(w.hub, w.ledger, w.nations, w.list, &CallbackOptions{Timeout: -1})
			return err
		},
		"Retries": func() error {
			_, err := NewCallbacks(w.hub, w.ledger, w.nations, w.list, &CallbackOptions{Retries: -1})
			return err
		},
		"Region": func() error {
			_, err := NewDirectory(federation.Nation{Name: "a", Region: keys.MustRegion("GB-EAW")})
			return err
		},
		"Relays": func() error {
			_, err := NewDirectory(federation.Nation{Name: "a", Region: keys.MustRegion("DE"), Relays: keys.Only(keys.MustRegion("FR"))})
			return err
		},
		"another's": func() error {
			_, err := NewDirectory(theWorld[0], federation.Nation{Name: "a", Region: keys.MustRegion("DE")})
			return err
		},
		"Name": func() error {
			_, err := NewDirectory(federation.Nation{Name: ledger.Own, Region: keys.MustRegion("DE")})
			return err
		},
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}
