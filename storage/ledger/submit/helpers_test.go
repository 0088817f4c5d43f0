package submit_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
	"github.com/gaenkit/gaen/storage/ledger/submit"
)

var (
	noon  = time.Date(2021, 6, 2, 12, 0, 0, 0, time.UTC)
	wales = keys.MustRegion("GB-EAW")
	given = submit.Terms{TestType: keys.TestLab, ConsentToFederate: keys.ConsentGiven}
)

// A desk is a server over a ledger, with one that asks it.
type desk struct {
	t        testing.TB
	now      time.Time
	ledger   *ledger.Ledger
	tokens   *submit.Tokens
	signer   *signing.Signer
	server   *submit.Server
	http     *httptest.Server
	keys     *keystest.Generator
	mu       sync.Mutex
	outcomes []submit.Outcome
}

// newDesk opens a desk over a store, nil for one in memory.
func newDesk(t testing.TB, store ledger.Store, opts submit.Options, authorizer submit.Authorizer) *desk {
	t.Helper()
	d := &desk{t: t, now: noon, keys: keystest.New(1, &keystest.Options{EndOfPeriod: true})}
	if store == nil {
		store = memledger.New(&memledger.Options{Clock: d.clock})
	}
	var err error
	if d.ledger, err = ledger.Open(t.Context(), store, nil); err != nil {
		t.Fatal(err)
	}
	if d.tokens, err = submit.NewTokens(d.ledger, &submit.TokenOptions{Now: d.clock}); err != nil {
		t.Fatal(err)
	}
	if authorizer == nil {
		authorizer = d.tokens
	}
	key, err := signing.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	if d.signer, err = signing.NewSigner(signing.Identity{KeyID: "310", KeyVersion: "v1"}, key, nil); err != nil {
		t.Fatal(err)
	}
	opts.Now, opts.Observe = d.clock, d.observe
	if opts.Beat == 0 {
		opts.Beat = time.Millisecond
	}
	if d.server, err = submit.NewServer(d.ledger, wales, authorizer, d.signer, &opts); err != nil {
		t.Fatal(err)
	}
	d.http = httptest.NewServer(d.server)
	t.Cleanup(d.http.Close)
	return d
}

func (d *desk) clock() time.Time { return d.now }

func (d *desk) observe(o submit.Outcome) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.outcomes = append(d.outcomes, o)
}

// inFile returns a ledger in a SQLite file, by the clock of the tests.
func inFile(t testing.TB) ledger.Store {
	t.Helper()
	s, err := sqliteledger.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), &sqliteledger.Options{Clock: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (d *desk) issue(terms submit.Terms) string {
	d.t.Helper()
	token, err := d.tokens.Issue(d.t.Context(), terms)
	if err != nil {
		d.t.Fatal(err)
	}
	return token
}

// upload returns n keys of a phone that has as many.
func (d *desk) upload(n int) []keys.DiagnosisKey {
	for {
		if ks := d.keys.Upload(d.now.Add(-3 * time.Hour)).Keys; len(ks) >= n {
			return ks[:n]
		}
	}
}

// phoneBody returns a submission as the app sends it, with more said if wanted.
func phoneBody(token string, ks []keys.DiagnosisKey, more map[string]any) string {
	list := []map[string]any{}
	for _, k := range ks {
		list = append(list, map[string]any{
			"key": base64.StdEncoding.EncodeToString(k.KeyData[:]), "rollingStartNumber": k.RollingStartIntervalNumber, "rollingPeriod": k.RollingPeriod,
		})
	}
	body := map[string]any{"diagnosisKeySubmissionToken": token, "temporaryExposureKeys": list}
	maps.Copy(body, more)
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// answer is what a phone gets.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) String() string { return fmt.Sprint(a.status, a.header, a.body) }

func (d *desk) post(body string, header map[string]string) answer {
	d.t.Helper()
	a, err := d.send(d.t.Context(), http.MethodPost, submit.DefaultPath, body, header)
	if err != nil {
		d.t.Fatal(err)
	}
	return a
}

func (d *desk) send(ctx context.Context, method, path, body string, header map[string]string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, d.http.URL+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return answer{}, err
	}
	for name, v := range header {
		req.Header.Set(name, v)
	}
	resp, err := d.http.Client().Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(text)}, err
}

// last returns what became of the last submission.
func (d *desk) last() submit.Outcome {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.outcomes) == 0 {
		d.t.Fatal("nothing was observed")
	}
	return d.outcomes[len(d.outcomes)-1]
}

// stored returns the keys in the ledger, and how many were set aside.
func (d *desk) stored() (found map[keys.KeyData]*ledger.Unit, setAside int) {
	d.t.Helper()
	found = map[keys.KeyData]*ledger.Unit{}
	for rec, err := range d.ledger.Find(d.t.Context(), ledger.Query{SetAside: true}) {
		if err != nil {
			d.t.Fatal(err)
		}
		if rec.Unit != nil {
			found[rec.Unit.Key.KeyData] = rec.Unit.Clone()
		}
		setAside += len(rec.SetAside)
	}
	return found, setAside
}
