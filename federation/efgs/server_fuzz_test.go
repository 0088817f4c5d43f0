package efgs

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/cms"
)

// FuzzHeaders: whatever a load balancer sends, nobody is anybody but by the
// thumbprint and the country of his certificate.
func FuzzHeaders(f *testing.F) {
	w := newWorld(f, nil)
	good := w.auth["DE"].thumbprint()
	for _, dn := range []string{"C=DE", "CN=x,C=DE", "CN%3Dx%2CC%3DDE", `O=x\,C=FR,C=DE`, `O="x,C=FR",C=DE`, "C=DE,C=FR", "C=", "=", ",", `\`, `"`, "%", "c = DE + CN = x", "/C=DE/CN=x", "C=DE\f"} {
		f.Add(good.String(), dn)
	}
	for _, sum := range []string{"", strings.ToUpper(good.String()), good.String()[2:], "%41", strings.Repeat("A", 43), strings.Repeat("A", 43) + "="} {
		f.Add(sum, "C=DE")
	}
	f.Fuzz(func(t *testing.T, sum, dn string) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/diagnosiskeys/download/2021-06-02", nil)
		r.RemoteAddr = "127.0.0.1:1"
		r.Header = http.Header{"X-Ssl-Client-Sha256": {sum}, "X-Ssl-Client-Dn": {dn}, "Accept": {Protobuf.MediaType()}}
		answer := httptest.NewRecorder()
		w.server.ServeHTTP(answer, r)
		parsed, err := cms.ParseThumbprint(sum)
		country, dnErr := countryIn(dn)
		known := err == nil && dnErr == nil && parsed == good && country == "DE"
		switch {
		case known != (answer.Code == 404):
			t.Errorf("got %d, and it is known: %v", answer.Code, known)
		case !known && (answer.Code == 400) != (dnErr != nil) || !known && answer.Code != 400 && answer.Code != 403:
			t.Errorf("got %d, with %v and %v", answer.Code, err, dnErr)
		case dnErr == nil && !isCountry(country):
			t.Errorf("%q is no country", country)
		case dnErr == nil && !strings.ContainsAny(dn, `\"+;%`) && !strings.Contains(strings.ToUpper(strings.ReplaceAll(dn, " ", ""))+",", "C="+country+","):
			t.Errorf("%q has no country %q as the gateway reads it", dn, country)
		}
	})
}

// FuzzUpload: of a body that is signed by its nation either nothing is stored, or what
// is signed, which is what is handed out.
func FuzzUpload(f *testing.F) {
	w := newWorld(f, nil)
	all := BatchOf(w.newKeys("DE", 3)).Keys
	for _, format := range []Format{Protobuf, JSON} {
		body := format.Append(nil, all)
		f.Add(format == JSON, body)
		f.Add(format == JSON, body[:len(body)-1])
		f.Add(format == JSON, append(bytes.Clone(body), body...))
	}
	f.Add(false, []byte("\x0a\x00"))
	f.Add(true, []byte(`{"keys":[{}],"keys":[]}`))
	f.Add(true, []byte(strings.Repeat("[", 1000)))
	f.Fuzz(func(t *testing.T, isJSON bool, body []byte) {
		w := newWorld(t, nil)
		format := map[bool]Format{true: JSON}[isJSON]
		u := an{country: "DE", tag: "1", format: format, body: append([]byte{}, body...)}
		batch, err := format.Decode(u.body, MaxBatch)
		if err == nil {
			u.signed = batch.Keys
		}
		r := w.request(u)
		in := httptest.NewRequestWithContext(t.Context(), "POST", "/diagnosiskeys/upload", bytes.NewReader(r.body))
		in.Header, in.RemoteAddr = r.header, "127.0.0.1:1"
		answer := httptest.NewRecorder()
		w.server.ServeHTTP(answer, in)
		n := w.stored("de")
		switch answer.Code {
		case 201:
			if err != nil || n == 0 || len(batch.Malformed) > 0 {
				t.Fatalf("201 for what is no batch: %v", err)
			}
			w.release()
			w.clock.add(23 * time.Hour)
			w.release()
			out := w.get("FR", "2021-06-02", "", Protobuf)
			if out.status == 200 && out.body != "" && out.body != string(Protobuf.Append(nil, batch.Keys)) {
				t.Error("what is handed out is not what was signed")
			}
		case 207, 400, 413:
			if n != 0 {
				t.Errorf("%d, and %d keys stored", answer.Code, n)
			}
		default:
			t.Errorf("got %d %s", answer.Code, answer.Body)
		}
		var leaked []keys.DiagnosisKey
		if err == nil {
			for i := range batch.Keys {
				if k, err := batch.Key(i); err == nil && !bytes.Contains(k.KeyData[:], make([]byte, 8)) {
					leaked = append(leaked, k)
				}
			}
		}
		noLeak(t, "the log", w.log.String(), leaked[:min(1, len(leaked))])
	})
}
