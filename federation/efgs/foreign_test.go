package efgs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
)

// The tests in this file hold the server against programs of others: openssl and
// curl as a nation, and HAProxy as the load balancer.

// program returns the path of a program, and skips the test where there is none.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if _, err := os.Stat("/usr/sbin/" + name); err == nil { // where Debian has servers
			return "/usr/sbin/" + name
		}
		t.Skip(name + " is not installed here: nothing checked with it")
	}
	return path
}

func write(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func keyPEM(a *authority) []byte {
	der := must(x509.MarshalPKCS8PrivateKey(a.key))
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// execute runs a program and returns what it says.
func execute(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", filepath.Base(name), err, stderr.String())
	}
	return out
}

// TestOpenSSLAndCurl has a nation that is not ours: its signatures are those of
// openssl, its requests those of curl, by mutual TLS.
func TestOpenSSLAndCurl(t *testing.T) {
	openssl, curl := program(t, "openssl"), program(t, "curl")
	w := newWorld(t, nil)
	w.server.opts.Balancers = nil
	base, dir := w.direct().URL+"/diagnosiskeys", t.TempDir()
	request := func(country string, args ...string) (status, answer string) {
		cert := write(t, dir, country+".pem", []byte(w.auth[country].pem()))
		key := write(t, dir, country+".key", keyPEM(w.auth[country]))
		out := execute(t, curl, append([]string{"--silent", "--show-error", "--insecure", "--cert", cert, "--key", key, "--dump-header", filepath.Join(dir, "head"), "--write-out", "\n%{http_code}"}, args...)...)
		i := bytes.LastIndexByte(out, '\n')
		return string(out[i+1:]), string(out[:i])
	}
	for i, format := range []Format{Protobuf, JSON} {
		all := BatchOf(w.newKeys("DE", 3)).Keys
		cert := write(t, dir, "signing.pem", []byte(w.signers["DE"].pem()))
		key := write(t, dir, "signing.key", keyPEM(w.signers["DE"]))
		content := write(t, dir, "content", SigningBytes(all))
		der := execute(t, openssl, "cms", "-sign", "-binary", "-in", content, "-signer", cert, "-inkey", key, "-outform", "DER", "-md", "sha256", "-nosmimecap")
		body := write(t, dir, "body", format.Append(nil, all))
		upload := []string{"--request", "POST", "--data-binary", "@" + body, "--header", "Content-Type: " + format.MediaType(), "--header", "batchTag: " + fmt.Sprint(i),
			"--header", "batchSignature: " + base64.StdEncoding.EncodeToString(der), base + "/upload"}
		if status, answer := request("DE", upload...); status != "201" {
			t.Errorf("%s: got %s %s", format, status, answer)
		}
		if status, _ := request("FR", upload...); status != "400" {
			t.Errorf("by another nation: got %s", status)
		}
	}
	w.release()
	status, answer := request("FR", "--header", "Accept: "+Protobuf.MediaType(), base+"/download/2021-06-02")
	if batch, err := Protobuf.Decode([]byte(answer), 100); status != "200" || err != nil || len(batch.Keys) != 6 {
		t.Fatalf("got %s, %v", status, err)
	}
	head := string(must(os.ReadFile(filepath.Join(dir, "head"))))
	tag := regexp.MustCompile(`20210602-1-[0-9a-f]+`).FindString(head)
	status, answer = request("FR", base+"/audit/download/2021-06-02/"+tag)
	if status != "200" || strings.Count(answer, `"batchSignature"`) != 2 {
		t.Errorf("got %s %s", status, answer)
	}
	// What openssl signed, our own client verifies.
	plain := must(NewClient(w.direct().URL, keys.MustRegion("FR"), &ClientOptions{HTTPClient: w.with(w.auth["FR"]), Audit: w.audit(), Clock: w.clock.Now}))
	if got := w.drain(plain); len(got) != 6 {
		t.Errorf("got %d keys", len(got))
	}
}

const haproxyConfig = `
global
	maxconn 200
defaults
	mode http
	timeout connect 5s
	timeout client 30s
	timeout server 30s
frontend gateway
	bind %s ssl crt %s ca-file %s verify optional crt-ignore-err all ca-ignore-err all no-ca-names
	http-request set-header X-SSL-Client-SHA256 %%[ssl_c_der,sha2(256),hex]
	http-request set-header X-SSL-Client-DN "%%[ssl_c_s_dn(,0,rfc2253)]"
	default_backend gateway
backend gateway
	server gateway %s
`

// haproxy starts a load balancer in front of the server, and returns its URL.
func (w *world) haproxy() string {
	w.t.Helper()
	path, dir := program(w.t, "haproxy"), w.t.TempDir()
	own := newAuthority(w.t, []string{"EU"}, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	var cas []byte
	for _, a := range w.auth {
		cas = append(cas, a.pem()...)
	}
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	addr := l.Addr().String()
	l.Close()
	config := fmt.Sprintf(haproxyConfig, addr, write(w.t, dir, "own.pem", append([]byte(own.pem()), keyPEM(own)...)), write(w.t, dir, "ca.pem", cas), w.http.Listener.Addr())
	cmd := exec.Command(path, "-db", "-f", write(w.t, dir, "haproxy.cfg", []byte(config)))
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for range 100 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return "https://" + addr
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.t.Fatalf("HAProxy does not listen: %s", log.String())
	return ""
}

// TestHAProxy has a real load balancer in front, with the documented configuration,
// and our client behind a certificate. What a client says of itself counts for
// nothing, neither there nor past it.
func TestHAProxy(t *testing.T) {
	w := newWorld(t, nil)
	base := w.haproxy()
	by := func(a *authority) *http.Client {
		c := &tls.Config{InsecureSkipVerify: true}
		if a != nil {
			c.Certificates = []tls.Certificate{{Certificate: [][]byte{a.Certificate().Raw}, PrivateKey: a.key}}
		}
		transport := &http.Transport{TLSClientConfig: c}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}
	client := func(country string) *Client {
		return must(NewClient(base, keys.MustRegion(country), &ClientOptions{HTTPClient: by(w.auth[country]), Signer: w.signers[country], Audit: w.audit(), Clock: w.clock.Now}))
	}
	all := w.newKeys("DE", 500)
	if a, err := client("DE").Upload(t.Context(), &federation.Batch{Tag: "1", Keys: all}); err != nil || len(a.Known)+len(a.Refused) > 0 {
		t.Fatal(a, err)
	}
	w.release()
	if got := w.drain(client("FR")); !slices.EqualFunc(got, all, func(a, b keys.DiagnosisKey) bool { return a.KeyData == b.KeyData }) {
		t.Errorf("got %d keys", len(got))
	}
	unlisted := newAuthority(t, []string{"DE"}, noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))
	h := w.headers("DE") // which it says of itself
	h.Set("Accept", Protobuf.MediaType())
	for _, tt := range []struct {
		name string
		cert *authority
		want int
	}{
		{"no certificate", nil, 400},
		{"unlisted", unlisted, 403},
		{"listed to sign", w.signers["DE"], 403},
		{"another nation's", w.auth["FR"], 200},
	} {
		g := w.doBy(by(tt.cert), base, call{path: "/download/2021-06-02", header: h})
		if g.status != tt.want {
			t.Errorf("%s, with headers of DE: got %d %s, want %d", tt.name, g.status, g.body, tt.want)
		}
		if tt.want == 200 && len(g.body) == 0 {
			t.Error("FR is taken for DE, and spared its keys")
		}
	}
	// Past it, from an address that is not the balancer's.
	w.server.opts.Balancers = prefixes("192.0.2.1/32")
	if g := w.do(call{path: "/download/2021-06-02", header: h}); g.status != 403 {
		t.Errorf("past the balancer: got %d", g.status)
	}
}
