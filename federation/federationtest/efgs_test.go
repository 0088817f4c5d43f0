package federationtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/gaenkit/gaen/internal/efgspb"
)

// A efgsCall is what a test asks a gateway.
type efgsCall struct {
	method, path string
	nation       string // "" for nobody
	header       map[string]string
	body         []byte
}

// efgsWorld is a gateway for three countries.
type efgsWorld struct {
	t   *testing.T
	now time.Time
	*EFGSServer
}

func newEFGSWorld(t *testing.T) *efgsWorld {
	t.Helper()
	w := &efgsWorld{t: t, now: time.Date(2021, 6, 2, 12, 0, 0, 0, time.UTC)}
	var nations []EFGSNation
	for _, country := range []string{"DE", "FR", "IT"} {
		nations = append(nations, EFGSNation{Country: country, Thumbprint: strings.Repeat(fmt.Sprintf("%x", country), 16)})
	}
	var err error
	if w.EFGSServer, err = NewEFGSServer(nations, &EFGSOptions{Clock: func() time.Time { return w.now }, MaxKeys: 10}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *efgsWorld) do(c efgsCall) *http.Response {
	w.t.Helper()
	r := httptest.NewRequest(c.method, "/diagnosiskeys"+c.path, bytes.NewReader(c.body))
	if c.nation != "" {
		r.Header.Set(HeaderThumbprint, strings.Repeat(fmt.Sprintf("%x", c.nation), 16))
		r.Header.Set(HeaderDN, "O=x%2CC%3D"+c.nation)
	}
	for name, value := range c.header {
		if r.Header.Set(name, value); value == "" {
			r.Header.Del(name)
		}
	}
	a := httptest.NewRecorder()
	w.ServeHTTP(a, r)
	return a.Result()
}

// efgsKeys returns n keys of a country, from a number on.
func (w *efgsWorld) keys(country string, from, n int) (all []*efgspb.DiagnosisKey) {
	for i := from; i < from+n; i++ {
		all = append(all, &efgspb.DiagnosisKey{KeyData: fmt.Appendf(nil, "%016d", i), RollingStartIntervalNumber: uint32(w.now.Unix()/600 - 200), RollingPeriod: 144, Origin: country})
	}
	return all
}

func efgsBody(all []*efgspb.DiagnosisKey) []byte {
	b, err := proto.Marshal(&efgspb.DiagnosisKeyBatch{Keys: all})
	if err != nil {
		panic(err)
	}
	return b
}

func (w *efgsWorld) upload(country, tag string, all []*efgspb.DiagnosisKey, header map[string]string) (int, string) {
	w.t.Helper()
	h := map[string]string{"Content-Type": "application/protobuf; version=1.0", "batchTag": tag, "batchSignature": "x"}
	maps.Copy(h, header)
	a := w.do(efgsCall{method: "POST", path: "/upload", nation: country, header: h, body: efgsBody(all)})
	body, _ := io.ReadAll(a.Body)
	return a.StatusCode, string(body)
}

// TestEFGSUploads is the gateway's checks, in their order: each row is wrong in all
// that the rows after it are wrong in.
func TestEFGSUploads(t *testing.T) {
	w := newEFGSWorld(t)
	w.upload("FR", "taken", w.keys("FR", 900, 1), nil)
	tooMany := append(w.keys("FR", 0, 11), w.keys("FR", 900, 1)...)
	invalid := append(w.keys("DE", 0, 11), &efgspb.DiagnosisKey{KeyData: []byte("short"), Origin: "FR"})
	unsigned := map[string]string{"batchSignature": ""}
	for _, c := range []struct {
		name    string
		country string
		tag     string
		keys    []*efgspb.DiagnosisKey
		header  map[string]string
		want    int
	}{
		{"no name", "DE", "taken", invalid, map[string]string{"batchSignature": "", "Content-Type": "", HeaderDN: "O=x"}, 400},
		{"unknown certificate", "AT", "taken", invalid, map[string]string{"batchSignature": "", "Content-Type": ""}, 403},
		{"another country's certificate", "DE", "taken", invalid, map[string]string{"batchSignature": "", "Content-Type": "", HeaderDN: "C=FR"}, 403},
		{"no content type", "DE", "taken", invalid, map[string]string{"batchSignature": "", "Content-Type": ""}, 400},
		{"no version", "DE", "taken", invalid, map[string]string{"batchSignature": "", "Content-Type": "application/protobuf"}, 400},
		{"another version", "DE", "taken", invalid, map[string]string{"batchSignature": "", "Content-Type": "application/protobuf; version=1.1"}, 406},
		{"not protobuf", "DE", "taken", invalid, map[string]string{"batchSignature": "", "Content-Type": "application/json; version=1.0"}, 400},
		{"invalid key", "DE", "taken", invalid, unsigned, 400},
		{"too many", "DE", "taken", tooMany, unsigned, 413},
		{"the tag exists, for another country", "DE", "taken", w.keys("FR", 900, 1), unsigned, 409},
		{"no signature", "DE", "t", w.keys("FR", 900, 1), unsigned, 400},
		{"another origin", "DE", "t", w.keys("FR", 900, 1), nil, 400},
		{"stored", "DE", "t", w.keys("DE", 0, 3), nil, 201},
		{"nothing at all", "DE", "empty", nil, nil, 201},
	} {
		if got, body := w.upload(c.country, c.tag, c.keys, c.header); got != c.want {
			t.Errorf("%s: %d %s, want %d", c.name, got, body, c.want)
		}
	}
	w.Refuse(func(key []byte) bool { return string(key) == fmt.Sprintf("%016d", 77) }, func(key []byte) bool { return string(key) == fmt.Sprintf("%016d", 88) })
	if got, body := w.upload("DE", "207", append(w.keys("DE", 2, 2), append(w.keys("DE", 88, 1), w.keys("DE", 3, 1)...)...), nil); got != 207 || body != `{"201":[1],"409":[0,3],"500":[2]}` {
		t.Errorf("got %d %s", got, body)
	}
	if got, _ := w.upload("DE", "400", w.keys("DE", 77, 1), nil); got != 400 {
		t.Errorf("got %d", got)
	}
	changed := w.keys("DE", 0, 1)
	changed[0].TransmissionRiskLevel = 3
	if got, _ := w.upload("DE", "changed", changed, nil); got != 201 {
		t.Errorf("the same key with another risk: %d, want 201", got)
	}
	for i, k := range []*efgspb.DiagnosisKey{
		{RollingStartIntervalNumber: uint32(w.now.Truncate(24*time.Hour).Unix()/600 - 15*144 - 1)}, {RollingStartIntervalNumber: uint32(w.now.Unix()/600 + 2)},
		{RollingPeriod: 145}, {TransmissionRiskLevel: 9}, {TransmissionRiskLevel: -1},
	} {
		odd := w.keys("DE", 500, 1)
		proto.Merge(odd[0], k)
		if got, _ := w.upload("DE", fmt.Sprint("odd", i), odd, nil); got != 400 {
			t.Errorf("odd key %d: %d, want 400", i, got)
		}
	}
	stored, uploads := w.Keys("DE")
	if len(stored) != 3 || uploads != 3 || len(stored[fmt.Sprintf("%016d", 0)]) != 2 {
		t.Errorf("%d keys are stored in %d uploads", len(stored), uploads)
	}
}

// TestEFGSDownloads is the gateway's rules of batches, links, days and audits.
func TestEFGSDownloads(t *testing.T) {
	w := newEFGSWorld(t)
	batch := func(uploads ...int) {
		for i, n := range uploads {
			country := []string{"DE", "FR", "IT"}[i]
			if got, body := w.upload(country, fmt.Sprint(w.now, i), w.keys(country, int(w.now.Unix())%1e6*100+i*20, n), nil); got != 201 {
				t.Fatal(got, body)
			}
		}
		w.Assemble()
	}
	batch(3, 6, 4) // ten keys go into a batch, of whole uploads
	w.now = w.now.Add(13 * time.Hour)
	batch(2)
	get := func(nation, path, tag string) string {
		a := w.do(efgsCall{method: "GET", path: path, nation: nation, header: map[string]string{"Accept": "application/protobuf; version=1.0", "batchTag": tag}})
		body, _ := io.ReadAll(a.Body)
		if a.StatusCode != 200 {
			return fmt.Sprint(a.StatusCode)
		}
		var m efgspb.DiagnosisKeyBatch
		if strings.Contains(path, "audit") {
			var all []struct {
				Country string
				Amount  int
			}
			if err := json.Unmarshal(body, &all); err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(all)
		}
		if err := proto.Unmarshal(body, &m); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s>%s:%d", a.Header.Get("batchTag"), a.Header.Get("nextBatchTag"), len(m.GetKeys()))
	}
	for _, c := range []struct{ nation, path, tag, want string }{
		{"FR", "/download/2021-06-02", "", "20210602-1>20210602-2:3"},
		{"IT", "/download/2021-06-02", "20210602-1", "20210602-1>20210602-2:9"},
		{"IT", "/download/2021-06-01", "20210602-2", "20210602-2>20210603-1:0"},
		{"DE", "/download/2021-06-02", "20210603-1", "20210603-1>null:0"},
		{"FR", "/download/2021-06-01", "", "20210602-1>20210602-2:3"},
		{"FR", "/download/2021-06-03", "20210602-1", "400"},
		{"FR", "/download/2021-06-04", "", "404"},
		{"FR", "/download/2021-06-02", "unknown", "404"},
		{"FR", "/download/2021-05-31", "20210602-1", "410"},
		{"FR", "/download/yesterday", "", "400"},
		{"AT", "/download/2021-06-02", "", "403"},
		{"FR", "/audit/download/2021-06-02/20210602-1", "", "[{DE 3} {FR 6}]"},
		{"FR", "/audit/download/2021-06-03/20210602-1", "", "404"},
		{"FR", "/audit/download/2021-05-31/20210602-1", "", "410"},
		{"FR", "/nowhere", "", "404"},
	} {
		if got := get(c.nation, c.path, c.tag); got != c.want {
			t.Errorf("%s %s %s: got %s, want %s", c.nation, c.path, c.tag, got, c.want)
		}
	}
	for accept, want := range map[string]int{"": 400, "text/plain; version=1.0": 415, "application/json": 415, "application/json; version=2.0": 415, "application/json; version=1.0": 200} {
		if got := w.do(efgsCall{method: "GET", path: "/download/2021-06-02", nation: "FR", header: map[string]string{"Accept": accept}}).StatusCode; got != want {
			t.Errorf("accept %q: %d, want %d", accept, got, want)
		}
	}
	w.Clean(w.now.Truncate(24 * time.Hour))
	if got := get("FR", "/download/2021-06-02", "20210602-1"); got != "20210602-1>20210602-2:0" {
		t.Errorf("cleaned: %s", got)
	}
	w.Forget()
	if got := get("FR", "/download/2021-06-02", "20210602-1"); got != "404" {
		t.Errorf("forgotten: %s", got)
	}
	if tags := w.Assemble(); len(tags) != 0 {
		t.Errorf("made again: %v", tags)
	}
}

func TestNewEFGSServer(t *testing.T) {
	for _, n := range []EFGSNation{{}, {Country: "DE"}, {Country: "DEU", Thumbprint: strings.Repeat("0", 64)}, {Country: "DE", Thumbprint: "0"}} {
		if _, err := NewEFGSServer([]EFGSNation{n}, nil); err == nil {
			t.Errorf("%+v: no error", n)
		}
	}
}
