package submit_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"

	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
	"github.com/gaenkit/gaen/storage/ledger/submit"
)

// TestStored has a submission stored as its token says.
func TestStored(t *testing.T) {
	d := newDesk(t, nil, submit.Options{}, nil)
	ks := d.upload(10)
	d.post(phoneBody(strings.ToUpper(d.issue(given)), ks, map[string]any{"testKit": "RAPID_SELF_REPORTED", "reportType": 3, "origin": "DE", "variantOfConcern": 2, "id": "x"}), nil)
	if o := d.last(); o.Kind != submit.Stored || o.Receipt.Accepted != 10 {
		t.Fatalf("got %+v", o)
	}
	found, _ := d.stored()
	for i := range ks {
		u := found[ks[i].KeyData]
		if u == nil {
			t.Fatal("a key is missing")
		}
		want := keys.DiagnosisKey{TemporaryExposureKey: ks[i].TemporaryExposureKey, Origin: wales, TestType: keys.TestLab, ConsentToFederate: keys.ConsentGiven}
		want.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(7))
		want.ReportType = keys.Some(keys.ReportConfirmedTest)
		want.DaysSinceOnsetOfSymptoms = keys.Optional[keys.DaysSinceOnset]{}
		want.VariantOfConcern = keys.Optional[keys.VariantOfConcern]{}
		if u.Key != want {
			t.Errorf("stored as %+v, want %+v", u.Key, want)
		}
		if !u.Own() || len(u.Upload) != 32 || u.Upload != found[ks[0].KeyData].Upload {
			t.Errorf("not one own upload of a name of its own: %q", u.Upload)
		}
	}
}

// TestOutcomes goes through what a submission may be.
func TestOutcomes(t *testing.T) {
	ledgers := func(d *desk) []keys.DiagnosisKey { return d.upload(3) }
	for _, c := range []struct {
		name string
		body func(d *desk) string
		kind submit.Kind
		keys int // stored
		bad  int // set aside
	}{
		{"good", func(d *desk) string { return phoneBody(d.issue(given), ledgers(d), nil) }, submit.Stored, 3, 0},
		{"unknown token", func(d *desk) string { return phoneBody("0f1e2d3c-0000-4000-8000-000000000001", ledgers(d), nil) }, submit.Refused, 0, 0},
		{"no token", func(d *desk) string { return phoneBody("", ledgers(d), nil) }, submit.Refused, 0, 0},
		{"zero token", func(d *desk) string {
			return phoneBody("00000000-0000-0000-0000-000000000000", ledgers(d), map[string]any{"isPrivateJourney": true})
		}, submit.Refused, 0, 0},
		{"the hash for the token", func(d *desk) string {
			d.issue(given)
			found, _ := d.ledger.Registers(d.t.Context(), "submission/token/")
			return phoneBody(strings.TrimPrefix(found[0].Name, "submission/token/"), ledgers(d), nil)
		}, submit.Refused, 0, 0},
		{"a register's name for the token", func(d *desk) string { return phoneBody("../", ledgers(d), nil) }, submit.Refused, 0, 0},
		{"no keys", func(d *desk) string { return phoneBody(d.issue(given), nil, nil) }, submit.Decoy, 0, 0},
		{"no list of keys", func(d *desk) string { return `{}` }, submit.Invalid, 0, 0},
		{"no JSON", func(d *desk) string { return `{"temporaryExposureKeys":[` }, submit.Invalid, 0, 0},
		{"empty", func(d *desk) string { return `` }, submit.Invalid, 0, 0},
		{"token of another type", func(d *desk) string { return `{"diagnosisKeySubmissionToken":1,"temporaryExposureKeys":[]}` }, submit.Invalid, 0, 0},
		{"two tokens", func(d *desk) string {
			return `{"diagnosisKeySubmissionToken":"` + d.issue(given) + `",` + phoneBody(d.issue(given), ledgers(d), nil)[1:]
		}, submit.Invalid, 0, 0},
		{"two tokens, one in small letters", func(d *desk) string {
			return `{"diagnosiskeysubmissiontoken":"x",` + phoneBody(d.issue(given), ledgers(d), nil)[1:]
		}, submit.Invalid, 0, 0},
		{"two lists of keys", func(d *desk) string {
			return `{"temporaryExposureKeys":[],` + phoneBody(d.issue(given), ledgers(d), nil)[1:]
		}, submit.Invalid, 0, 0},
		{"a key with two periods", func(d *desk) string {
			return strings.Replace(phoneBody(d.issue(given), ledgers(d), nil), `"rollingPeriod":144`, `"rollingPeriod":144,"ro\u006clingPeriod":100`, 1)
		}, submit.Invalid, 0, 0},
		{"a name in two keys, and in what nobody reads", func(d *desk) string {
			return `{"x":{"y":{},"z":[{"y":1},{"y":{"y":2}}]},"y":0,` + phoneBody(d.issue(given), ledgers(d), nil)[1:]
		}, submit.Stored, 3, 0},
		{"deep JSON", func(d *desk) string {
			return `{"x":` + strings.Repeat("[", 12_000) + strings.Repeat("]", 12_000) + "," + phoneBody(d.issue(given), ledgers(d), nil)[1:]
		}, submit.Invalid, 0, 0},
		{"deep JSON for a key", func(d *desk) string {
			deep := strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)
			return strings.Replace(phoneBody(d.issue(given), ledgers(d), nil), `"rollingPeriod":144`, `"rollingPeriod":`+deep, 1)
		}, submit.Stored, 2, 1},
		{"14 keys", func(d *desk) string {
			return phoneBody(d.issue(given), append(d.upload(7), d.upload(7)...), nil)
		}, submit.Stored, 14, 0},
		{"15 keys", func(d *desk) string {
			return phoneBody(d.issue(given), append(d.upload(7), d.upload(8)...), nil)
		}, submit.Invalid, 0, 0},
		{"a bad neighbour", func(d *desk) string {
			return strings.Replace(phoneBody(d.issue(given), d.upload(3), nil), `"rollingPeriod":144`, `"rollingPeriod":0`, 1)
		}, submit.Stored, 2, 1},
		{"an old neighbour", func(d *desk) string {
			ks := d.upload(3)
			ks[1].RollingStartIntervalNumber -= 20 * 144
			return phoneBody(d.issue(given), ks, nil)
		}, submit.Stored, 2, 1},
		{"a neighbour that is no object", func(d *desk) string {
			return strings.Replace(phoneBody(d.issue(given), d.upload(3), nil), `"temporaryExposureKeys":[`, `"temporaryExposureKeys":[7,`, 1)
		}, submit.Stored, 3, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t, nil, submit.Options{}, nil)
			if a := d.post(c.body(d), nil); a.status != 200 || a.body != "" {
				t.Errorf("got %v, want 200 and nothing", a)
			}
			if o := d.last(); o.Kind != c.kind || o.Err != nil {
				t.Errorf("got %v, want %v", o.Kind, c.kind)
			}
			if found, bad := d.stored(); len(found) != c.keys || bad != c.bad {
				t.Errorf("%d keys stored and %d set aside, want %d and %d", len(found), bad, c.keys, c.bad)
			}
		})
	}
}

// TestUnspent has a token stay good as long as nothing was stored for it.
func TestUnspent(t *testing.T) {
	d := newDesk(t, nil, submit.Options{}, nil)
	token := d.issue(given)
	many := append(d.upload(9), d.upload(9)...)
	unreadable := phoneBody(token, nil, map[string]any{"temporaryExposureKeys": []any{map[string]any{"key": "AQ=="}, nil}})
	for _, body := range []string{phoneBody(token, nil, nil), phoneBody(token, many, nil), phoneBody(token, d.upload(1), nil)[:60], unreadable} {
		d.post(body, nil)
		if o := d.last(); o.Kind == submit.Stored {
			t.Fatal("stored")
		}
	}
	d.post(phoneBody(token, d.upload(3), nil), nil)
	if o := d.last(); o.Kind != submit.Stored {
		t.Errorf("got %v", o.Kind)
	}
	d.post(phoneBody(token, d.upload(3), nil), nil)
	if o := d.last(); o.Kind != submit.Refused {
		t.Errorf("the second time: got %v", o.Kind)
	}
}

// TestConsent holds what is granted against what the phone states.
func TestConsent(t *testing.T) {
	for _, c := range []struct {
		granted keys.Consent
		stated  any
		want    keys.Consent
		bad     bool
	}{
		{keys.ConsentGiven, nil, keys.ConsentGiven, false},
		{keys.ConsentGiven, true, keys.ConsentGiven, false},
		{keys.ConsentGiven, false, keys.ConsentRefused, false},
		{keys.ConsentRefused, nil, keys.ConsentRefused, false},
		{keys.ConsentRefused, true, keys.ConsentRefused, false},
		{keys.ConsentUnstated, true, keys.ConsentGiven, false},
		{keys.ConsentUnstated, false, keys.ConsentRefused, false},
		{keys.ConsentUnstated, nil, keys.ConsentUnstated, true},
	} {
		d := newDesk(t, nil, submit.Options{}, nil)
		more := map[string]any{}
		if c.stated != nil {
			more["consentToFederate"] = c.stated
		}
		d.post(phoneBody(d.issue(submit.Terms{TestType: keys.TestLab, ConsentToFederate: c.granted}), d.upload(1), more), nil)
		found, setAside := d.stored()
		if c.bad != (setAside == 1) {
			t.Errorf("%+v: %d set aside", c, setAside)
		}
		for _, u := range found {
			if u.Key.ConsentToFederate != c.want {
				t.Errorf("%+v: stored as %v", c, u.Key.ConsentToFederate)
			}
		}
	}
}

// TestAnswersAlike has the three kinds answered by the same bytes. Signatures are
// deterministic, so the clock alone makes them differ.
func TestAnswersAlike(t *testing.T) {
	d := newDesk(t, nil, submit.Options{}, nil)
	many := append(d.upload(9), d.upload(9)...)
	spent := d.issue(given)
	d.post(phoneBody(spent, d.upload(3), nil), nil)
	bodies := map[string]string{
		"real":     phoneBody(d.issue(given), d.upload(12), nil),
		"refused":  phoneBody("0f1e2d3c-0000-4000-8000-000000000001", d.upload(12), nil),
		"spent":    phoneBody(spent, d.upload(12), nil),
		"decoy":    phoneBody("00000000-0000-0000-0000-000000000000", nil, map[string]any{"padding": strings.Repeat("x", 1000)}),
		"invalid":  "{",
		"too many": phoneBody(d.issue(given), many, nil),
	}
	var first *answer
	for name, body := range bodies {
		a := d.post(body, map[string]string{"Request-Id": "1"})
		a.header.Del("Date") // net/http's, by the machine's clock
		if first == nil {
			first = &a
		}
		if !reflect.DeepEqual(a, *first) {
			t.Errorf("%s: got %v, others %v", name, a, *first)
		}
	}
	kinds := map[submit.Kind]int{}
	for _, o := range d.outcomes {
		kinds[o.Kind]++
	}
	if kinds[submit.Stored] != 2 || kinds[submit.Refused] != 2 || kinds[submit.Decoy] != 1 || kinds[submit.Invalid] != 2 {
		t.Errorf("got %v", kinds)
	}
}

// TestSignature has answers verify as phones do it.
func TestSignature(t *testing.T) {
	d := newDesk(t, nil, submit.Options{KeyID: "b4c27bf3"}, nil)
	for id, want := range map[string]string{"": "not-set", "7a8b": "7a8b"} {
		a := d.post(phoneBody(d.issue(given), d.upload(1), nil), map[string]string{"Request-Id": id})
		date := a.header.Get("X-Amz-Meta-Signature-Date")
		if date != "Wed, 02 Jun 2021 12:00:00 UTC" {
			t.Errorf("date %q", date)
		}
		text, ok := strings.CutPrefix(a.header.Get("X-Amz-Meta-Signature"), `keyId="b4c27bf3",signature="`)
		signature, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(text, `"`))
		if !ok || err != nil {
			t.Fatal(a, err)
		}
		digest := sha256.Sum256([]byte(want + ":POST:/submission/diagnosis-keys:" + date + ":"))
		if err := d.signer.PublicKey().Verify(digest[:], signature); err != nil {
			t.Error(err)
		}
	}
}

// TestRequests that are no submissions.
func TestRequests(t *testing.T) {
	d := newDesk(t, nil, submit.Options{MaxBody: 1000}, nil)
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", submit.DefaultPath, "", 405},
		{"POST", "/submission", "{}", 404},
		{"POST", submit.DefaultPath, strings.Repeat(" ", 1000), 200},
		{"POST", submit.DefaultPath, strings.Repeat(" ", 1001), 413},
	} {
		if a, err := d.send(t.Context(), c.method, c.path, c.body, nil); err != nil || a.status != c.status {
			t.Errorf("%s %s of %d bytes: got %v (%v), want %d", c.method, c.path, len(c.body), a.status, err, c.status)
		}
	}
}

// TestUnavailable has all kinds meet a ledger that does not answer alike, and
// leaves tokens good.
func TestUnavailable(t *testing.T) {
	fail := false
	store := ledgertest.Faulty(memledger.New(&memledger.Options{Clock: func() time.Time { return noon }}), func(context.Context, ledgertest.Call) ledgertest.Verdict {
		if fail {
			return ledgertest.Fail
		}
		return ledgertest.Pass
	})
	d := newDesk(t, store, submit.Options{}, nil)
	token := d.issue(given)
	ks := d.upload(2)
	fail = true
	for _, body := range []string{phoneBody(token, ks, nil), phoneBody("x", ks, nil), phoneBody("", nil, nil), "{"} {
		if a := d.post(body, nil); a.status != 503 || a.header.Get("X-Amz-Meta-Signature") == "" {
			t.Errorf("got %v", a)
		}
		o := d.last()
		if o.Kind != submit.Failed || !errors.Is(o.Err, ledgertest.ErrFault) {
			t.Errorf("got %+v", o)
		}
		for i := range ks {
			if form := keystest.Leak(o.Err.Error(), ks[i].KeyData); form != "" || strings.Contains(o.Err.Error(), token) {
				t.Error("the error holds a secret", form)
			}
		}
	}
	fail = false
	d.post(phoneBody(token, ks, nil), nil)
	if o := d.last(); o.Kind != submit.Stored {
		t.Errorf("got %v", o.Kind)
	}
}

// TestLostAnswers loses the answer of every call in turn, before or after it
// happened: the phone tries again, and in the end its keys are there once.
func TestLostAnswers(t *testing.T) {
	for _, verdict := range []ledgertest.Verdict{ledgertest.Fail, ledgertest.FailAfter} {
		for n := 1; ; n++ {
			calls, armed, met, storing := 0, false, false, false
			store := ledgertest.Faulty(memledger.New(&memledger.Options{Clock: func() time.Time { return noon }}), func(_ context.Context, c ledgertest.Call) ledgertest.Verdict {
				if !armed {
					return ledgertest.Pass
				}
				if calls++; calls == n {
					met, storing = true, c.Op == "accept"
					return verdict
				}
				return ledgertest.Pass
			})
			d := newDesk(t, store, submit.Options{}, nil)
			token, ks := d.issue(given), d.upload(3)
			armed = true
			a := d.post(phoneBody(token, ks, nil), nil)
			if storing && a.status != 200 {
				t.Errorf("verdict %d on call %d: the step was not tried again: %d", verdict, n, a.status)
			}
			if o := d.last(); a.status == 200 && o.Kind != submit.Stored {
				t.Errorf("verdict %d on call %d: answered 200, and was %v", verdict, n, o.Kind)
			}
			if a.status != 200 {
				d.post(phoneBody(token, ks, nil), nil)
			}
			armed = false
			if found, _ := d.stored(); len(found) != 3 {
				t.Errorf("verdict %d on call %d: %d keys", verdict, n, len(found))
			}
			d.post(phoneBody(token, d.upload(3), nil), nil)
			if o := d.last(); o.Kind != submit.Refused {
				t.Errorf("verdict %d on call %d: the token was good once more", verdict, n)
			}
			if !met {
				break
			}
		}
	}
}

// TestNewServer has what is missing or makes no sense named.
func TestNewServer(t *testing.T) {
	d := newDesk(t, nil, submit.Options{}, nil)
	for _, c := range []struct {
		name string
		err  func() error
		want string
	}{
		{"ledger", func() error { _, err := submit.NewServer(nil, wales, d.tokens, d.signer, nil); return err }, "ledger"},
		{"origin", func() error { _, err := submit.NewServer(d.ledger, keys.Region{}, d.tokens, d.signer, nil); return err }, "origin"},
		{"authorizer", func() error { _, err := submit.NewServer(d.ledger, wales, nil, d.signer, nil); return err }, "authorizer"},
		{"signer", func() error { _, err := submit.NewServer(d.ledger, wales, d.tokens, nil, nil); return err }, "signer"},
	} {
		if err := c.err(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
	for name, o := range map[string]submit.Options{
		"Path": {Path: "x"}, "MaxKeys": {MaxKeys: -1}, "MaxBody": {MaxBody: -1}, "Parallel": {Parallel: -1}, "Beat": {Beat: -1}, "Beat:": {Beat: time.Minute},
	} {
		if _, err := submit.NewServer(d.ledger, wales, d.tokens, d.signer, &o); err == nil || !strings.Contains(err.Error(), "Options."+name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestRedacted has nothing that holds a secret print it.
func TestRedacted(t *testing.T) {
	_, key, err := submit.NewAPIKey("app")
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if got := fmt.Sprintf(verb, submit.Request{Token: "secret", Authorization: "secret"}); got != "Request(redacted)" {
			t.Errorf("%s: %s", verb, got)
		}
		if got := fmt.Sprintf(verb, key); got != "APIKey(app)" {
			t.Errorf("%s: %s", verb, got)
		}
	}
}

// TestBusy has what is too much be told so at once.
func TestBusy(t *testing.T) {
	d := newDesk(t, nil, submit.Options{Parallel: 1, Beat: 300 * time.Millisecond}, nil)
	done := make(chan answer)
	for range 8 {
		go func() {
			a, _ := d.send(t.Context(), http.MethodPost, submit.DefaultPath, "{}", nil)
			done <- a
		}()
	}
	statuses := map[int]int{}
	for range 8 {
		statuses[(<-done).status]++
	}
	if statuses[200] < 1 || statuses[503] < 1 || statuses[200]+statuses[503] != 8 {
		t.Errorf("got %v", statuses)
	}
	if a := d.post("{}", nil); a.status != 200 {
		t.Errorf("afterwards: %v", a)
	}
}
