package efgs

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/federationtest"
	"github.com/gaenkit/gaen/signing/cms"
)

// write writes a certificate and its key.
func (a *authority) write(t *testing.T, dir string) (certFile, keyFile string) {
	t.Helper()
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	der := must(x509.MarshalPKCS8PrivateKey(a.key))
	for name, text := range map[string]string{certFile: a.pem(), keyFile: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// later has files look as if they had been written later.
func later(t *testing.T, n int, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.Chtimes(name, noon.Add(time.Duration(n)*time.Second), noon.Add(time.Duration(n)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
}

// mutual starts a server that asks for a client certificate, and a client that has
// the one in the files.
func mutual(t *testing.T, h http.Handler, certFile, keyFile string) (*httptest.Server, *http.Client) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	pair, err := LoadCertificate(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s, &http.Client{Transport: &http.Transport{TLSClientConfig: pair.ClientTLS(roots), DisableKeepAlives: true}}
}

// TestCertificateIsRotated: with real TLS, and without a restart.
func TestCertificateIsRotated(t *testing.T) {
	dir := t.TempDir()
	first := newAuthority(t, []string{"DE"}, noon, noon.AddDate(10, 0, 0))
	second := newAuthority(t, []string{"DE"}, noon, noon.AddDate(10, 0, 0))
	certFile, keyFile := first.write(t, dir)
	later(t, 1, certFile, keyFile)
	var mu sync.Mutex
	var seen []cms.Thumbprint
	s, client := mutual(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if len(r.TLS.PeerCertificates) == 0 {
			t.Error("no certificate was sent")
			return
		}
		seen = append(seen, cms.ThumbprintOf(r.TLS.PeerCertificates[0]))
		w.WriteHeader(http.StatusNotFound)
	}), certFile, keyFile)
	c := must(NewClient(s.URL, de, &ClientOptions{HTTPClient: client}))
	ask := func(what string, want *authority) {
		t.Helper()
		if page, err := c.Download(t.Context(), federation.Place{Day: today}); page != nil || err != nil {
			t.Fatal(page, err)
		}
		mu.Lock()
		defer mu.Unlock()
		if seen[len(seen)-1] != want.thumbprint() {
			t.Errorf("%s: another certificate", what)
		}
	}
	ask("at first", first)
	ask("again", first)
	old := must(os.ReadFile(keyFile))
	second.write(t, dir)
	if err := os.WriteFile(keyFile, old, 0o600); err != nil {
		t.Fatal(err)
	}
	later(t, 2, certFile)
	ask("with the certificate replaced, and not yet the key", first)
	second.write(t, dir)
	later(t, 3, certFile, keyFile)
	ask("with both replaced", second)
	third := newAuthority(t, []string{"DE"}, noon, noon.AddDate(10, 0, 0))
	third.write(t, dir)
	for _, name := range []string{certFile, keyFile} { // longer than those before
		if err := os.WriteFile(name, append(must(os.ReadFile(name)), "\n\n\n\n\n"...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	later(t, 3, certFile, keyFile)
	ask("with both replaced in the very moment", third)
	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	ask("with a file missing", third)
	if _, err := LoadCertificate(certFile, keyFile); err == nil {
		t.Error("a certificate that is not there")
	}
}

// TestCertificateIsReadOnce: files that stay as they are are not read again.
func TestCertificateIsReadOnce(t *testing.T) {
	certFile, keyFile := newAuthority(t, nil, noon, noon).write(t, t.TempDir())
	c := must(LoadCertificate(certFile, keyFile))
	a, b := must(c.GetClientCertificate(nil)), must(c.GetCertificate(nil))
	if a != b {
		t.Error("read again")
	}
	later(t, 5, keyFile)
	if must(c.GetClientCertificate(nil)) == a {
		t.Error("not read again")
	}
}

// TestCallback is the receiver, with real TLS.
func TestCallback(t *testing.T) {
	gateway := newAuthority(t, nil, noon, noon.AddDate(10, 0, 0))
	other := newAuthority(t, nil, noon, noon.AddDate(10, 0, 0))
	h := NewCallback(other.thumbprint(), gateway.thumbprint())
	const good = "?batchTag=20210602-7&date=2021-06-02"
	certFile, keyFile := gateway.write(t, t.TempDir())
	s, client := mutual(t, h, certFile, keyFile)
	call := func(client *http.Client, method, query string) int {
		t.Helper()
		r := must(http.NewRequestWithContext(t.Context(), method, s.URL+"/callback"+query, nil))
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	hinted := func() (n int) {
		for {
			select {
			case <-h.Hints():
				n++
			default:
				return n
			}
		}
	}
	for range 20 {
		if got := call(client, "GET", good); got != http.StatusAccepted {
			t.Errorf("status %d, want 202", got)
		}
	}
	if got := hinted(); got != 1 {
		t.Errorf("20 calls are %d hints, want one", got)
	}
	if call(client, "GET", good); hinted() != 1 {
		t.Error("no hint after the last was taken")
	}
	for query, want := range map[string]int{
		"": 400, "?batchTag=20210602-7": 400, "?date=2021-06-02": 400, "?batchTag=&date=2021-06-02": 400, "?batchTag=x&date=yesterday": 400,
		"?batchTag=x&date=2021-06-31": 400, "?batchTag=x&batchTag=y&date=2021-06-02": 400, "?batchTag=x&date=2021-06-02&date=2021-06-02": 400,
		"?batchTag=%zz&date=2021-06-02": 400, "?batchTag=" + strings.Repeat("x", federation.MaxTag+1) + "&date=2021-06-02": 400,
		"?batchTag=" + strings.Repeat("x", federation.MaxTag) + "&date=2021-06-02&more=1": 202,
	} {
		if got := call(client, "GET", query); got != want {
			t.Errorf("%.60s: status %d, want %d", query, got, want)
		}
	}
	hinted()
	if got := call(client, "POST", good); got != http.StatusMethodNotAllowed {
		t.Errorf("POST: status %d", got)
	}
	stranger := newAuthority(t, nil, noon, noon.AddDate(10, 0, 0))
	strangerCert, strangerKey := stranger.write(t, t.TempDir())
	unknown := client.Transport.(*http.Transport).Clone()
	unknown.TLSClientConfig.GetClientCertificate = must(LoadCertificate(strangerCert, strangerKey)).GetClientCertificate
	nobody := client.Transport.(*http.Transport).Clone()
	nobody.TLSClientConfig.GetClientCertificate = nil
	for name, transport := range map[string]*http.Transport{"another certificate": unknown, "no certificate": nobody} {
		for _, method := range []string{"GET", "POST"} {
			if got := call(&http.Client{Transport: transport}, method, good); got != http.StatusForbidden {
				t.Errorf("%s: status %d, want 403", name, got)
			}
		}
	}
	r := httptest.NewRequest("GET", "/callback"+good, nil) // without TLS
	r.Header.Set("X-SSL-Client-SHA256", gateway.thumbprint().String())
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusForbidden {
		t.Errorf("without TLS: status %d, want 403", w.Code)
	}
	if hinted() != 0 {
		t.Error("a call that was refused is a hint")
	}
}

func TestSubscribe(t *testing.T) {
	e := newEurope(t, nil)
	c := e.client("DE", nil)
	want := Subscription{ID: "gaen-1", URL: "https://callback.example/efgs"}
	for range 3 {
		if err := c.Subscribe(t.Context(), want); err != nil {
			t.Fatal(err)
		}
	}
	have := func() []Subscription { return must(c.Subscriptions(t.Context())) }
	if got := have(); !slices.Equal(got, []Subscription{want}) {
		t.Errorf("got %v", got)
	}
	puts := 0
	for _, r := range e.gateway.Requests() {
		if r.Method == http.MethodPut {
			puts++
		}
	}
	if puts != 1 {
		t.Errorf("%d changes, want one", puts)
	}
	moved := Subscription{ID: "gaen-1", URL: "https://callback.example/elsewhere"}
	if err := c.Subscribe(t.Context(), moved); err != nil || !slices.Equal(have(), []Subscription{moved}) {
		t.Errorf("got %v, %v", have(), err)
	}
	e.gateway.Forget() // as the gateway does after five failures
	if err := c.Subscribe(t.Context(), moved); err != nil || len(have()) != 1 {
		t.Errorf("dropped, and not renewed: %v, %v", have(), err)
	}
	if err := c.Subscribe(t.Context(), Subscription{ID: "x", URL: "http://callback.example"}); classOf(err) != federation.ErrRefused {
		t.Errorf("a URL that is not taken: %v", err)
	}
	for range 2 {
		if err := c.Unsubscribe(t.Context(), "gaen-1"); err != nil || len(have()) != 0 {
			t.Errorf("got %v, %v", have(), err)
		}
	}
	e.gateway.SetHook(federationtest.Always(503))
	if err := c.Subscribe(t.Context(), want); classOf(err) != federation.ErrUnavailable {
		t.Errorf("got %v", err)
	}
	if err := c.Unsubscribe(t.Context(), "x"); classOf(err) != federation.ErrUnavailable {
		t.Errorf("got %v", err)
	}
}
