package submit_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/submit"
)

// TestSpentOnce sends every token twice at once.
func TestSpentOnce(t *testing.T) {
	for name, open := range map[string]func(testing.TB) ledger.Store{"memory": func(testing.TB) ledger.Store { return nil }, "SQLite": inFile} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, open(t), submit.Options{}, nil)
			const times, uses = 100, 2
			for range times {
				token := d.issue(given)
				before := len(d.outcomes)
				var wg sync.WaitGroup
				for range uses {
					body := phoneBody(token, d.upload(2), nil)
					wg.Go(func() {
						if a, err := d.send(t.Context(), http.MethodPost, submit.DefaultPath, body, nil); err != nil || a.status != 200 {
							t.Error(a, err)
						}
					})
				}
				wg.Wait()
				kinds := map[submit.Kind]int{}
				for _, o := range d.outcomes[before:] {
					kinds[o.Kind]++
				}
				if kinds[submit.Stored] != 1 || kinds[submit.Refused] != uses-1 {
					t.Fatalf("one token: %v", kinds)
				}
			}
			if found, _ := d.stored(); len(found) != 2*times {
				t.Errorf("%d keys of %d tokens with 2 keys each", len(found), times)
			}
		})
	}
}

// TestTerms has the kit and the report type follow from the token, and from the
// phone where the token says nothing.
func TestTerms(t *testing.T) {
	clinical := keys.Some(keys.ReportConfirmedClinicalDiagnosis)
	for _, c := range []struct {
		terms  submit.Terms
		kit    string
		test   keys.TestType
		report keys.ReportType
		refuse bool
	}{
		{submit.Terms{TestType: keys.TestLab}, "", keys.TestLab, keys.ReportConfirmedTest, false},
		{submit.Terms{TestType: keys.TestLab}, "RAPID_SELF_REPORTED", keys.TestLab, keys.ReportConfirmedTest, false},
		{submit.Terms{TestType: keys.TestRapid}, "", keys.TestRapid, keys.ReportConfirmedTest, false},
		{submit.Terms{TestType: keys.TestRapidSelfReported}, "LAB_RESULT", keys.TestRapidSelfReported, keys.ReportSelfReport, false},
		{submit.Terms{TestType: keys.TestLab, ReportType: clinical}, "", keys.TestLab, keys.ReportConfirmedClinicalDiagnosis, false},
		{submit.Terms{}, "", keys.TestLab, keys.ReportConfirmedTest, false},
		{submit.Terms{}, "RAPID_SELF_REPORTED", keys.TestRapidSelfReported, keys.ReportSelfReport, false},
		{submit.Terms{}, "UNSTATED", 0, 0, true},
		{submit.Terms{}, "PCR", 0, 0, true},
	} {
		c.terms.ConsentToFederate = keys.ConsentGiven
		d := newDesk(t, nil, submit.Options{}, nil)
		d.post(phoneBody(d.issue(c.terms), d.upload(1), map[string]any{"testKit": c.kit}), nil)
		found, _ := d.stored()
		if c.refuse != (len(found) == 0) {
			t.Errorf("%+v: %d stored", c, len(found))
		}
		for _, u := range found {
			if u.Key.TestType != c.test || u.Key.ReportType != keys.Some(c.report) {
				t.Errorf("%+v: stored as %v, %v", c, u.Key.TestType, u.Key.ReportType)
			}
		}
	}
}

// TestTermsRefused has terms be refused that no submission may have.
func TestTermsRefused(t *testing.T) {
	d := newDesk(t, nil, submit.Options{}, nil)
	for name, terms := range map[string]submit.Terms{
		"TestType":          {TestType: 9},
		"ReportType":        {ReportType: keys.Some(keys.ReportRevoked)},
		"ConsentToFederate": {ConsentToFederate: 7},
	} {
		if _, err := d.tokens.Issue(t.Context(), terms); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("Issue: %s: got %v", name, err)
		}
		if a, err := submit.Anybody(terms); err == nil || a != nil || !strings.Contains(err.Error(), name) {
			t.Errorf("Anybody: %s: got %v", name, err)
		}
		if _, err := submit.NewTokens(d.ledger, &submit.TokenOptions{PrivateJourney: &terms}); err == nil || !strings.Contains(err.Error(), "PrivateJourney") {
			t.Errorf("NewTokens: %s: got %v", name, err)
		}
	}
	if _, err := submit.NewTokens(d.ledger, &submit.TokenOptions{Lifetime: -1}); err == nil || !strings.Contains(err.Error(), "Lifetime") {
		t.Errorf("got %v", err)
	}
}

// TestExpiry has a token be good for its lifetime, and forgotten after it.
func TestExpiry(t *testing.T) {
	d := newDesk(t, nil, submit.Options{}, nil)
	a, b, c := d.issue(given), d.issue(given), d.issue(given)
	d.now = noon.Add(submit.DefaultLifetime)
	d.post(phoneBody(a, d.upload(1), nil), nil)
	if o := d.last(); o.Kind != submit.Stored {
		t.Errorf("at the end of its life: %v", o.Kind)
	}
	d.now = noon.Add(submit.DefaultLifetime + 12*time.Hour - 1)
	if n, err := d.tokens.Prune(t.Context()); n != 0 || err != nil {
		t.Errorf("pruned %d, %v", n, err)
	}
	d.now = d.now.Add(1)
	d.post(phoneBody(b, d.upload(1), nil), nil)
	if o := d.last(); o.Kind != submit.Refused {
		t.Errorf("after it: %v", o.Kind)
	}
	d.issue(given)
	if n, err := d.tokens.Prune(t.Context()); n != 3 || err != nil {
		t.Errorf("pruned %d, %v; want the spent one and two others", n, err)
	}
	if left, err := d.ledger.Registers(t.Context(), "submission/token/"); len(left) != 1 || err != nil {
		t.Errorf("%d left, %v", len(left), err)
	}
	d.post(phoneBody(c, d.upload(1), nil), nil)
	if o := d.last(); o.Kind != submit.Refused {
		t.Errorf("after it was forgotten: %v", o.Kind)
	}
}

// TestHashes has a token not be in its ledger.
func TestHashes(t *testing.T) {
	d := newDesk(t, nil, submit.Options{}, nil)
	token := d.issue(given)
	d.post(phoneBody(token, d.upload(1), nil), nil)
	all, err := d.ledger.Registers(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if text := r.Name + string(r.Value); strings.Contains(text, token) || strings.Contains(text, strings.ReplaceAll(token, "-", "")) {
			t.Errorf("register %s holds the token", r.Name)
		}
	}
	for u := range found(d) {
		if strings.Contains(u, token) {
			t.Error("the upload is called by the token")
		}
	}
}

func found(d *desk) map[string]bool {
	uploads := map[string]bool{}
	stored, _ := d.stored()
	for _, u := range stored {
		uploads[u.Upload] = true
	}
	return uploads
}

// TestPrivateJourney has no submission without a token but where that is wanted.
func TestPrivateJourney(t *testing.T) {
	d := newDesk(t, nil, submit.Options{}, nil)
	private, err := submit.NewTokens(d.ledger, &submit.TokenOptions{PrivateJourney: &submit.Terms{ConsentToFederate: keys.ConsentGiven}, Now: d.clock})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		token   string
		private bool
		kit     string
		want    bool
		report  keys.ReportType
	}{
		{"00000000-0000-0000-0000-000000000000", true, "LAB_RESULT", true, keys.ReportConfirmedTest},
		{"00000000-0000-0000-0000-000000000000", true, "", true, keys.ReportConfirmedTest},
		{"", true, "RAPID_SELF_REPORTED", true, keys.ReportSelfReport},
		{"00000000-0000-0000-0000-000000000000", true, "RAPID_RESULT", false, 0},
		{"00000000-0000-0000-0000-000000000000", false, "LAB_RESULT", false, 0},
		{"00000000-0000-0000-0000-000000000001", true, "LAB_RESULT", false, 0},
	} {
		g, err := private.Authorize(t.Context(), &submit.Request{Token: c.token, PrivateJourney: c.private, TestKit: c.kit, Time: noon})
		if err != nil || g.Store != c.want || c.want && g.ReportType != keys.Some(c.report) {
			t.Errorf("%+v: got %+v, %v", c, g, err)
		}
	}
}

// TestAPIKeys asks for a key, with every way of not having it.
func TestAPIKeys(t *testing.T) {
	header, key, err := submit.NewAPIKey("app")
	if err != nil {
		t.Fatal(err)
	}
	otherHeader, other, err := submit.NewAPIKey("other")
	if err != nil {
		t.Fatal(err)
	}
	all, err := submit.Anybody(given)
	if err != nil {
		t.Fatal(err)
	}
	keyed, err := submit.NewAPIKeys(all, key, other)
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, nil, submit.Options{}, keyed)
	encoded := strings.TrimPrefix(header, "Bearer ")
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	_, value, _ := strings.Cut(string(text), ":")
	as := func(s string) string { return "Bearer " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for header, want := range map[string]bool{
		header:                    true,
		otherHeader:               true,
		"":                        false,
		encoded:                   false,
		"Bearer ":                 false,
		"Bearer " + string(text):  false,
		"Basic " + encoded:        false,
		as("other:" + value):      false,
		as("app:" + value[1:]):    false,
		as("app:"):                false,
		as(value):                 false,
		as(string(key.Hash[:])):   false,
		as("app:" + value + "\n"): false,
	} {
		d.post(phoneBody("", d.upload(1), nil), map[string]string{"Authorization": header})
		if o := d.last(); (o.Kind == submit.Stored) != want {
			t.Errorf("%v, want stored: %v", o.Kind, want)
		}
	}
	for _, bad := range []string{"", "app", ":0123456789abcdef", "app:0123456789abcde"} {
		if _, err := submit.ParseAPIKey(bad); err == nil {
			t.Errorf("%q is taken for an API key", bad)
		}
	}
	if _, err := submit.NewAPIKeys(all); err == nil {
		t.Error("no key is enough")
	}
	if _, err := submit.NewAPIKeys(nil, key); err == nil {
		t.Error("nobody says what is granted")
	}
}

// TestKeyAndToken has both be needed, and a token not be spent without a key.
func TestKeyAndToken(t *testing.T) {
	header, key, err := submit.NewAPIKey("app")
	if err != nil {
		t.Fatal(err)
	}
	inner := newDesk(t, nil, submit.Options{}, nil)
	keyed, err := submit.NewAPIKeys(inner.tokens, key)
	if err != nil {
		t.Fatal(err)
	}
	server, err := submit.NewServer(inner.ledger, wales, keyed, inner.signer, &submit.Options{Now: inner.clock, Beat: time.Millisecond, Observe: inner.observe})
	if err != nil {
		t.Fatal(err)
	}
	inner.http.Config.Handler = server
	token := inner.issue(given)
	for _, c := range []struct {
		header, token string
		want          submit.Kind
	}{{"", token, submit.Refused}, {header, "x", submit.Refused}, {header, token, submit.Stored}, {header, token, submit.Refused}} {
		inner.post(phoneBody(c.token, inner.upload(1), nil), map[string]string{"Authorization": c.header})
		if o := inner.last(); o.Kind != c.want {
			t.Errorf("got %v, want %v", o.Kind, c.want)
		}
	}
}
