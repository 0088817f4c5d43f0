package interop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/jws"
	"github.com/gaenkit/gaen/storage/ledger"
)

var rawURL = base64.RawURLEncoding

// compact returns a JWS of a header and a payload; sign is given what is signed.
func compact(enc *base64.Encoding, header, payload string, sign func(signed []byte) []byte) string {
	signed := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(payload))
	return signed + "." + enc.EncodeToString(sign([]byte(signed)))
}

// es256 signs as r and s.
func es256(t testing.TB, key *ecdsa.PrivateKey) func([]byte) []byte {
	return func(signed []byte) []byte {
		digest := sha256.Sum256(signed)
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
}

func hs256(secret []byte) func([]byte) []byte {
	return func(signed []byte) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write(signed)
		return mac.Sum(nil)
	}
}

// TestSignatures has every JWS that was tried on the interoperability service, and
// the attacks on the format. What is not the nation's own stores nothing.
func TestSignatures(t *testing.T) {
	w := newWorld(t, nil)
	key, other := w.private["ie"], w.private["gi"]
	const header = `{"alg":"ES256"}`
	der := func(signed []byte) []byte {
		digest := sha256.Sum256(signed)
		sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	cut := func(n int) func([]byte) []byte {
		return func(signed []byte) []byte { return append(es256(t, key)(signed), 0)[:n] }
	}
	none := func([]byte) []byte { return nil }
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	es384 := func(signed []byte) []byte {
		digest := sha512.Sum384(signed)
		r, s, err := ecdsa.Sign(rand.Reader, p384, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		return append(r.FillBytes(make([]byte, 48)), s.FillBytes(make([]byte, 48))...)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
	otherPoint, err := other.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	jwk := fmt.Sprintf(`{"alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":%q,"y":%q}}`,
		rawURL.EncodeToString(otherPoint[1:33]), rawURL.EncodeToString(otherPoint[33:]))
	plain := func(header string, sign func([]byte) []byte) func(string) string {
		return func(payload string) string { return compact(rawURL, header, payload, sign) }
	}
	for _, tt := range []struct {
		name string
		make func(payload string) string
		want int
	}{
		{"as clients send it", plain(header, es256(t, key)), 200},
		{"all parts padded, as the British back end sends them", func(p string) string {
			return compact(base64.URLEncoding, header, p, es256(t, key))
		}, 200},
		{"the signature alone padded", func(p string) string {
			return compact(rawURL, header, p, es256(t, key)) + "=="
		}, 200},
		{"standard base64", func(p string) string { return compact(base64.StdEncoding, header, p, es256(t, key)) }, 200},
		{"kid, typ and cty", plain(`{"alg":"ES256","kid":"2021","typ":"JOSE","cty":"json"}`, es256(t, key)), 200},

		{"another nation's key", plain(header, es256(t, other)), 401},
		{"DER", plain(header, der), 401},
		{"63 bytes", plain(header, cut(63)), 401},
		{"65 bytes", plain(header, cut(65)), 401}, // the service takes it
		{"no signature", plain(header, none), 401},
		{"zeros", plain(header, func([]byte) []byte { return make([]byte, 64) }), 401},
		{"random", plain(header, func([]byte) []byte { return []byte(rand.Text() + rand.Text() + rand.Text())[:64] }), 401},
		{"a bit flipped", plain(header, func(signed []byte) []byte {
			sig := es256(t, key)(signed)
			sig[40] ^= 1
			return sig
		}), 401},
		{"another payload", func(p string) string {
			parts := strings.Split(compact(rawURL, header, "[]", es256(t, key)), ".")
			return parts[0] + "." + rawURL.EncodeToString([]byte(p)) + "." + parts[2]
		}, 401},
		{"alg none", plain(`{"alg":"none"}`, none), 400},
		{"alg none, signed", plain(`{"alg":"none"}`, es256(t, key)), 400},
		{"alg None", plain(`{"alg":"None"}`, none), 400},
		{"HS256 with the public key as PEM", plain(`{"alg":"HS256"}`, hs256(public)), 400},
		{"HS256 with the public key as DER", plain(`{"alg":"HS256"}`, hs256(spki)), 400},
		{"HS256 with the public key's point", plain(`{"alg":"HS256"}`, hs256(point)), 400},
		{"HS256 called ES256", plain(header, hs256(public)), 401},
		{"ES384", plain(`{"alg":"ES384"}`, es384), 400},
		{"no alg", plain("{}", es256(t, key)), 400},
		{"two algs", plain(`{"alg":"ES256","alg":"none"}`, es256(t, key)), 400},
		{"an unknown crit", plain(`{"alg":"ES256","crit":["x"],"x":1}`, es256(t, key)), 400},
		{"a key brought along", plain(jwk, es256(t, other)), 400},
		{"a key pointed to", plain(`{"alg":"ES256","jku":"http://127.0.0.1:1/"}`, es256(t, other)), 400},
		{"b64 false", plain(`{"alg":"ES256","b64":false,"crit":["b64"]}`, es256(t, key)), 400},
		{"flattened JSON", func(p string) string {
			parts := strings.Split(compact(rawURL, header, p, es256(t, key)), ".")
			return fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, parts[0], parts[1], parts[2])
		}, 400},
		{"not a JWS", func(p string) string { return p }, 400},
		{"four parts", func(p string) string { return compact(rawURL, header, p, es256(t, key)) + ".x" }, 400},
		{"a line break", func(p string) string { return compact(rawURL, header, p, es256(t, key)) + "\n" }, 400},
		{"deep JSON, signed", func(string) string {
			return compact(rawURL, header, strings.Repeat("[", 1<<20)+strings.Repeat("]", 1<<20), es256(t, key))
		}, 400},
		{"an array cut off, signed", func(p string) string { return compact(rawURL, header, p[:len(p)-1], es256(t, key)) }, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ks := w.newKeys(ie, 2)
			w.log.Reset()
			before := w.stored("ie")
			got := w.do(call{path: "/upload", token: "Bearer " + w.token("ie"), body: envelope("t", tt.make(payload(ks...)))})
			if got.status != tt.want {
				t.Errorf("got %d %s, want %d", got.status, got.body, tt.want)
			}
			if n := w.stored("ie") - before; n != map[bool]int{true: 2}[tt.want == 200] {
				t.Errorf("stored %d keys", n)
			}
			checkAnswer(t, got)
			noLeak(t, "the answer", got.body, ks)
			noLeak(t, "the log", w.log.String(), ks)
		})
	}
}

// TestBearerTokens has every token that was tried, and the attacks on the format.
func TestBearerTokens(t *testing.T) {
	w := newWorld(t, nil)
	now := w.clock.Now().Unix()
	claims := func(id string) string { return fmt.Sprintf(`{"id":%q,"iat":%d,"exp":%d}`, id, now-10, now+1000) }
	const header = `{"alg":"HS256","typ":"JWT"}`
	signed := func(header, claims string) string { return compact(rawURL, header, claims, hs256(w.secret)) }
	revoked, issued, err := w.tokens.Issue("ie")
	if err != nil {
		t.Fatal(err)
	}
	w.revoked[issued.TokenID] = true
	good := w.token("ie")
	for _, tt := range []struct {
		name, token string
		want        int
	}{
		{"of this server", good, 200},
		{"as the interoperability service issues them", signed(header, claims("ie")), 200},
		{"revoked", revoked, 401},
		{"expired", signed(header, fmt.Sprintf(`{"id":"ie","iat":%d,"exp":%d}`, now-2000, now-1000)), 401},
		{"from the future", signed(header, fmt.Sprintf(`{"id":"ie","iat":%d,"exp":%d}`, now+1000, now+2000)), 401},
		{"for ever", signed(header, `{"id":"ie"}`), 401},
		{"of no nation", signed(header, fmt.Sprintf(`{"iat":%d,"exp":%d}`, now-10, now+1000)), 401},
		{"of an unknown nation", signed(header, claims("xx")), 401},
		{"of a nation like a path", signed(header, claims("../ie")), 401},
		{"alg none", compact(rawURL, `{"alg":"none"}`, claims("ie"), func([]byte) []byte { return nil }), 401},
		{"another secret", compact(rawURL, header, claims("ie"), hs256(make([]byte, 32))), 401},
		{"an empty secret", compact(rawURL, header, claims("ie"), hs256(nil)), 401},
		{"another nation's claims", strings.Split(good, ".")[0] + "." + rawURL.EncodeToString([]byte(claims("gi"))) + "." + strings.Split(good, ".")[2], 401},
		{"by the nation's own key", compact(rawURL, `{"alg":"ES256"}`, claims("ie"), es256(t, w.private["ie"])), 401},
		{"cut off", good[:len(good)-1], 401},
		{"longer than headers may be", good + strings.Repeat("x", 9000), 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.log.Reset()
			before := w.stored("ie")
			got := w.do(call{path: "/upload", token: "Bearer " + tt.token, body: w.envelope("ie", "t", payload(w.newKeys(ie, 1)...))})
			if got.status != tt.want {
				t.Errorf("got %d %s, want %d", got.status, got.body, tt.want)
			}
			if n := w.stored("ie") - before; (n == 1) != (tt.want == 200) {
				t.Errorf("stored %d keys", n)
			}
			if down := w.do(call{path: "/download/2021-06-02", token: "Bearer " + tt.token}); (down.status == 401) != (tt.want == 401) {
				t.Errorf("download: got %d", down.status)
			}
			if strings.Contains(got.body+w.log.String(), tt.token) {
				t.Error("the token is in the answer or the log")
			}
		})
	}
}

// TestOthersUploads: what one nation has signed another cannot bring, nor take back.
func TestOthersUploads(t *testing.T) {
	w := newWorld(t, nil)
	k := w.newKeys(ie, 1)[0]
	body := w.envelope("ie", "t", payload(k))
	if got := w.do(call{path: "/upload", token: w.token("ie"), body: body}); got.status != 200 {
		t.Fatal(got)
	}
	if got := w.do(call{path: "/upload", token: w.token("gi"), body: body}); got.status != 401 {
		t.Errorf("replayed by another nation: got %d %s", got.status, got.body)
	}
	w.release()
	k.ReportType = keys.Some(keys.ReportRevoked)
	withOrigin := string((&writer{origin: true}).appendAll(nil, []keys.DiagnosisKey{k}))
	for _, id := range []string{"gi", "gw"} { // gw relays others' keys, and not these
		got := w.upload(id, "t", withOrigin)
		if got.status != 200 || !strings.Contains(got.body, `"rejections":{"origin/not-allowed":1}`) {
			t.Errorf("%s: got %d %s", id, got.status, got.body)
		}
	}
	if got := w.upload("gi", "t", payload(k)); got.status != 200 { // a key of GI's then, which nobody has
		t.Errorf("got %d %s", got.status, got.body)
	}
	w.release()
	for rec, err := range w.ledger.Find(t.Context(), ledger.Query{Source: "ie"}) {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Unit.SourceWithdrew {
			t.Error("another nation has withdrawn the key")
		}
	}
	page, err := w.client("gb").Download(t.Context(), federation.Place{Day: federation.DayOf(noon)})
	if err != nil || len(page.Keys) != 1 || page.Keys[0].Origin != ie {
		t.Errorf("got %+v, %v", page, err)
	}
}

// TestReplays: what a nation sent once changes nothing when it, or whoever heard it,
// sends it again, whatever has happened meanwhile.
func TestReplays(t *testing.T) {
	w := newWorld(t, nil)
	ks := w.newKeys(ie, 2)
	given := w.envelope("ie", "t", payload(ks...))
	send := func(id, body, want string) {
		t.Helper()
		got := w.do(call{path: "/upload", token: w.token(id), body: body})
		if got.status != 200 || !strings.Contains(got.body, want) {
			t.Errorf("got %d %s, want %s", got.status, got.body, want)
		}
	}
	send("ie", given, `"insertedExposures":2`)
	send("ie", given, `"insertedExposures":0`)
	send("ie", strings.Replace(given, `"t"`, `"another tag"`, 1), `"insertedExposures":0`)
	w.release()
	gone := slices.Clone(ks[:1])
	gone[0].ReportType = keys.Some(keys.ReportRevoked)
	taken := w.envelope("ie", "u", payload(gone...))
	send("ie", taken, `"insertedExposures":0`)
	w.release()
	for range 2 { // it does not bring back what was taken back, nor does that go twice
		send("ie", given, `"insertedExposures":0`)
		send("ie", taken, `"insertedExposures":0`)
		w.release()
	}
	var told []keys.DiagnosisKey
	for at := (federation.Place{Day: federation.DayOf(noon)}); ; {
		page, err := w.client("gi").Download(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		if page == nil {
			break
		}
		at, told = page.Next, append(told, page.Keys...)
	}
	if len(told) != 3 || told[2].KeyData != ks[0].KeyData || told[2].ReportType != gone[0].ReportType {
		t.Errorf("another was told %d times, want of two keys and one withdrawal", len(told))
	}
	if got := newWorld(t, nil).do(call{path: "/upload", token: w.token("ie"), body: given}); got.status != 401 {
		t.Errorf("with the token of another server: got %d", got.status)
	}
}

// TestNamesTwice: of two values of one name, another program may see the other.
func TestNamesTwice(t *testing.T) {
	w := newWorld(t, nil)
	now := w.clock.Now().Unix()
	key := es256(t, w.private["ie"])
	token := w.token("ie")
	twoIDs := compact(rawURL, `{"alg":"HS256"}`, fmt.Sprintf(`{"id":"ie","id":"gi","iat":%d,"exp":%d}`, now-10, now+1000), hs256(w.secret))
	for _, tt := range []struct {
		name, token, body string
		want              int
		says              string
	}{
		{"claims of the token", twoIDs, w.envelope("ie", "t", payload(w.newKeys(ie, 1)...)), 401, ""},
		{"the envelope's tag", token, `{"batchTag":"x",` + w.envelope("ie", "t", payload(w.newKeys(ie, 1)...))[1:], 400, "batchTag: there twice"},
		{"the envelope's payload", token, `{"payl\u006fad":"x",` + w.envelope("ie", "t", payload(w.newKeys(ie, 1)...))[1:], 400, "payload: there twice"},
		{"the message's header", token, envelope("t", compact(rawURL, `{"alg":"ES256","alg":"ES256"}`, payload(w.newKeys(ie, 1)...), key)), 400, ""},
		{"key data", token, w.envelope("ie", "t", `[{"keyData":"AAAAAAAAAAAAAAAAAAAAAA==",`+payload(w.newKeys(ie, 1)...)[2:]), 200, `"rejections":{"key_data/malformed":1}`},
		{"the origin", token, w.envelope("ie", "t", `[{"origin":"DE","origin":"IE",`+payload(w.newKeys(ie, 1)...)[2:]), 200, `"rejections":{"origin/malformed":1}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := w.do(call{path: "/upload", token: tt.token, body: tt.body})
			if got.status != tt.want || !strings.Contains(got.body, tt.says) {
				t.Errorf("got %d %s, want %d %s", got.status, got.body, tt.want, tt.says)
			}
			if n := w.stored("ie") + w.stored("gi"); n != 0 {
				t.Errorf("stored %d keys", n)
			}
		})
	}
}

// TestRotation: with the directory's new table a nation's new key is good beside
// the old one, and then alone.
func TestRotation(t *testing.T) {
	w := newWorld(t, nil)
	old, next := w.signers["ie"], newSigner(t, &jws.SignerOptions{KeyID: "next"})
	try := func(s *jws.Signer) int {
		w.signers["ie"] = s
		return w.upload("ie", "t", payload(w.newKeys(ie, 1)...)).status
	}
	replace := func(signers ...*jws.Signer) {
		m := w.table["ie"]
		m.Verifier = verifierOf(t, signers...)
		w.table["ie"] = m
		if err := w.members.Replace(w.table); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := try(old), try(next); a != 200 || b != 401 {
		t.Errorf("before: %d and %d", a, b)
	}
	replace(old, next)
	if a, b := try(old), try(next); a != 200 || b != 200 {
		t.Errorf("during: %d and %d", a, b)
	}
	replace(next)
	if a, b := try(old), try(next); a != 401 || b != 200 {
		t.Errorf("after: %d and %d", a, b)
	}
	delete(w.table, "ie")
	if err := w.members.Replace(w.table); err != nil {
		t.Fatal(err)
	}
	if got := try(next); got != 401 {
		t.Errorf("removed: %d", got)
	}
}

// endless is a body of so many bytes, and counts what is read of it.
type endless struct{ left, read int }

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.left)
	for i := range p[:n] {
		p[i] = ' '
	}
	e.left -= n
	e.read += n
	return n, nil
}

// TestLargeBodies: nothing is read for those who are not known, nor beyond the
// limit, nor of what says that it is larger.
func TestLargeBodies(t *testing.T) {
	w := newWorld(t, &ServerOptions{MaxUpload: 1 << 20})
	const large = 100 << 20
	for _, tt := range []struct {
		name   string
		token  string
		length int64
		want   int
		read   int // at most
	}{
		{"unknown", "", -1, 401, 0},
		{"unknown, with a length", "", large, 401, 0},
		{"no right", w.token("mute"), -1, 403, 0},
		{"known", w.token("ie"), -1, 413, 1<<20 + 1},
		{"known, with a length", w.token("ie"), large, 413, 0},
		{"known, with a length that is a lie", w.token("ie"), 10, 413, 1<<20 + 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := &endless{left: large}
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/upload", io.NopCloser(body))
			r.ContentLength = tt.length
			r.Header.Set("Content-Type", "application/json")
			if tt.token != "" {
				r.Header.Set("Authorization", tt.token)
			}
			answer := httptest.NewRecorder()
			w.server.ServeHTTP(answer, r)
			if answer.Code != tt.want || body.read > tt.read {
				t.Errorf("got %d after %d bytes, want %d after %d", answer.Code, body.read, tt.want, tt.read)
			}
		})
	}
	// And over the wire: a client that sends on regardless gets the answer, or is cut
	// off.
	req, err := http.NewRequestWithContext(t.Context(), "POST", w.http.URL+"/upload", &endless{left: large})
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", w.token("ie"))
	req.Header.Set("Content-Type", "application/json")
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		if resp.StatusCode != 413 {
			t.Errorf("got %d", resp.StatusCode)
		}
	}
	if n := w.stored("ie"); n != 0 {
		t.Errorf("stored %d keys", n)
	}
}

// TestSlowClients are cut off: in the headers at once, in the body with an answer.
func TestSlowClients(t *testing.T) {
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

	// Who is refused has no more than a moment, whatever the limits are.
	begun := time.Now()
	refusedSlowly := sendAndWait(t, limits, "POST /upload HTTP/1.1\r\nHost: h\r\nAuthorization: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
	if took := time.Since(begun); !strings.HasPrefix(refusedSlowly, "HTTP/1.1 401") || took > limits.ReadTimeout/4 {
		t.Errorf("refused: got %.60q after %s", refusedSlowly, took)
	}

	limits = NewHTTPServer("127.0.0.1:0", w.server)
	limits.ReadHeaderTimeout, limits.ReadTimeout = 300*time.Millisecond, 300*time.Millisecond // not to wait so long
	for _, tt := range []struct {
		name, sent string
		want       string // the answer begins so
	}{
		{"headers", "POST /upload HTTP/1.1\r\nHost: h\r\nX-", "HTTP/1.1 4"},
		{"body", "POST /upload HTTP/1.1\r\nHost: h\r\nAuthorization: " + w.token("ie") + "\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", "HTTP/1.1 408"},
		{"nothing", "", ""},
	} {
		if answer := sendAndWait(t, limits, tt.sent); !strings.HasPrefix(answer, tt.want) {
			t.Errorf("%s: got %.60q, want %q", tt.name, answer, tt.want)
		}
	}
}

// sendAndWait sends something to a server, and returns what it answers until it
// cuts the connection off.
func sendAndWait(t *testing.T, server *http.Server, sent string) string {
	t.Helper()
	l, err := net.Listen("tcp", server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	own := &http.Server{Handler: server.Handler, ReadHeaderTimeout: server.ReadHeaderTimeout, ReadTimeout: server.ReadTimeout, WriteTimeout: server.WriteTimeout, IdleTimeout: server.IdleTimeout}
	go own.Serve(l)
	defer own.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(40 * time.Second))
	io.WriteString(c, sent)
	answer, err := io.ReadAll(c)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Fatal("it is not cut off")
	}
	return string(answer)
}
