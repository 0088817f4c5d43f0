package ledger_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

func TestPolicyCheck(t *testing.T) {
	tests := []struct {
		name   string
		change func(*ledger.Policy)
		field  string // "" if the policy is good
	}{
		{name: "default", change: func(*ledger.Policy) {}},
		{name: "fine grid by name", change: func(p *ledger.Policy) { p.Grid, p.FineGrid = 5*time.Minute, true }},
		{name: "fine grid", change: func(p *ledger.Policy) { p.Grid = 5 * time.Minute }, field: "Grid"},
		{name: "hourly by the minute", change: func(p *ledger.Policy) { p.Grid = 59 * time.Minute }, field: "Grid"},
		{name: "grid that no day is a multiple of", change: func(p *ledger.Policy) { p.Grid = 7 * time.Hour }, field: "Grid"},
		{name: "grid of a day", change: func(p *ledger.Policy) { p.Grid = 24 * time.Hour }},
		{name: "grid of two days", change: func(p *ledger.Policy) { p.Grid = 48 * time.Hour }, field: "Grid"},
		{name: "grid of seconds", change: func(p *ledger.Policy) { p.Grid, p.FineGrid = 30*time.Second, true }, field: "Grid"},
		{name: "no grid", change: func(p *ledger.Policy) { p.Grid = 0 }, field: "Grid"},
		{name: "negative grid", change: func(p *ledger.Policy) { p.Grid = -time.Hour }, field: "Grid"},
		{name: "longer embargo", change: func(p *ledger.Policy) { p.Embargo = 3 * time.Hour }},
		{name: "shorter embargo", change: func(p *ledger.Policy) { p.Embargo = keys.Embargo - 1 }, field: "Embargo"},
		{name: "German rule", change: func(p *ledger.Policy) { p.DueRule = ledger.DueCWAHour }},
		{name: "no rule", change: func(p *ledger.Policy) { p.DueRule = "" }, field: "DueRule"},
		{name: "unknown rule", change: func(p *ledger.Policy) { p.DueRule = "sooner" }, field: "DueRule"},
		{name: "no threshold", change: func(p *ledger.Policy) { p.MinKeys, p.MinUploads, p.MinWithdrawnUploads = 0, 0, 0 }},
		{name: "negative keys", change: func(p *ledger.Policy) { p.MinKeys = -1 }, field: "MinKeys"},
		{name: "negative uploads", change: func(p *ledger.Policy) { p.MinUploads = -1 }, field: "MinUploads"},
		{name: "no wait", change: func(p *ledger.Policy) { p.LongestWait, p.WithdrawalWait = 0, 0 }},
		{name: "negative wait", change: func(p *ledger.Policy) { p.LongestWait = -1 }, field: "LongestWait"},
		{name: "foreign threshold", change: func(p *ledger.Policy) { p.MinForeignKeys, p.ForeignWait = 1000, 2*time.Hour }},
		{name: "foreign threshold without a wait", change: func(p *ledger.Policy) { p.MinForeignKeys = 1000 }},
		{name: "negative foreign keys", change: func(p *ledger.Policy) { p.MinForeignKeys = -1 }, field: "MinForeignKeys"},
		{name: "negative foreign wait", change: func(p *ledger.Policy) { p.ForeignWait, p.MinForeignKeys = -1, 1 }, field: "ForeignWait"},
		{name: "foreign wait for nothing", change: func(p *ledger.Policy) { p.ForeignWait = 1 }, field: "ForeignWait"},
		{name: "negative withdrawn uploads", change: func(p *ledger.Policy) { p.MinWithdrawnUploads = -1 }, field: "MinWithdrawnUploads"},
		{name: "negative withdrawal wait", change: func(p *ledger.Policy) { p.WithdrawalWait = -1 }, field: "WithdrawalWait"},
		{name: "empty cuts", change: func(p *ledger.Policy) { p.MaxCut = 0 }, field: "MaxCut"},
		{name: "cuts of one", change: func(p *ledger.Policy) { p.MaxCut, p.MaxDay, p.Quota = 1, 1, 1 }},
		{name: "empty days", change: func(p *ledger.Policy) { p.MaxDay = 0 }, field: "MaxDay"},
		{name: "no quota", change: func(p *ledger.Policy) { p.Quota = 0 }, field: "Quota"},
		{name: "echoes", change: func(p *ledger.Policy) { p.Padding.Echoes = 100 }},
		{name: "more echoes", change: func(p *ledger.Policy) { p.Padding.Echoes = 101 }, field: "Padding.Echoes"},
		{name: "negative echoes", change: func(p *ledger.Policy) { p.Padding.Echoes = -1 }, field: "Padding.Echoes"},
		{name: "no room for echoes", change: func(p *ledger.Policy) { p.Padding.Echoes, p.MaxCut = 5, 5 }, field: "Padding.Echoes"},
		{name: "prune age of a day", change: func(p *ledger.Policy) { p.PruneAge = 24 * time.Hour }},
		{name: "prune age of less", change: func(p *ledger.Policy) { p.PruneAge = 24*time.Hour - 1 }, field: "PruneAge"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := ledger.DefaultPolicy()
			tt.change(&p)
			err := p.Check()
			if tt.field == "" {
				if err != nil {
					t.Errorf("got %v, want no error", err)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), "ledger: Policy."+tt.field+": ") {
				t.Errorf("got %v, want an error about Policy.%s", err, tt.field)
			}
			store := memledger.New(nil)
			if _, err := ledger.Open(t.Context(), store, &ledger.Options{Policy: &p}); err == nil {
				t.Error("a ledger was opened by it")
			}
			if err := ledger.ChangePolicy(t.Context(), store, p, 0); err == nil {
				t.Error("a ledger was given it")
			}
		})
	}
}

// full is a policy in which no field has its default, or zero.
func full() ledger.Policy {
	return ledger.Policy{
		Grid: 15 * time.Minute, FineGrid: true, Embargo: 3 * time.Hour, DueRule: ledger.DueCWAHour,
		MinKeys: 1, MinUploads: 2, LongestWait: 3 * time.Hour, MinForeignKeys: 9, ForeignWait: 2 * time.Hour, MinWithdrawnUploads: 4, WithdrawalWait: 5 * time.Minute,
		MaxCut: 6, MaxDay: 7, Quota: 8, PruneAge: 21 * 24 * time.Hour, Padding: ledger.Padding{Echoes: 5, AlongsideExport: true},
	}
}

func TestPolicyJSON(t *testing.T) {
	const text = `{"grid":"15m0s","fineGrid":true,"embargo":"3h0m0s","dueRule":"cwa-hour","minKeys":1,"minUploads":2,"longestWait":"3h0m0s","minForeignKeys":9,"foreignWait":"2h0m0s",` +
		`"minWithdrawnUploads":4,"withdrawalWait":"5m0s","maxCut":6,"maxDay":7,"quota":8,"pruneAge":"504h0m0s","padding":{"echoes":5,"alongsideExport":true}}`
	if got := full().String(); got != text {
		t.Errorf("got  %s\nwant %s", got, text)
	}
	for _, want := range []ledger.Policy{full(), ledger.DefaultPolicy()} {
		encoded, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got ledger.Policy
		if err := json.Unmarshal(encoded, &got); err != nil || got != want {
			t.Errorf("%s comes back as %s, %v", want, got, err)
		}
	}
	for _, bad := range []string{"", "null", "[]", `{"grid":"1"}`, `{"grid":"1h","embargo":"2h","longestWait":"x","withdrawalWait":"1h","pruneAge":"1h"}`, `{"minKeys":"1"}`} {
		var p ledger.Policy
		if err := json.Unmarshal([]byte(bad), &p); err == nil {
			t.Errorf("%q is taken for the policy %s", bad, p)
		}
	}
}

func FuzzUnmarshalPolicy(f *testing.F) {
	f.Add(full().String())
	f.Add(ledger.DefaultPolicy().String())
	f.Add(`{"grid":"-1ns","embargo":"1e9h"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var p, again ledger.Policy
		if json.Unmarshal([]byte(text), &p) != nil {
			return
		}
		if err := json.Unmarshal([]byte(p.String()), &again); err != nil || again != p {
			t.Errorf("%s comes back as %s, %v", p, again, err)
		}
		p.Check() // of whatever there is, it does not panic
	})
}

func TestOpenByAnotherPolicy(t *testing.T) {
	store := memledger.New(nil)
	first, err := ledger.Open(t.Context(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	if have, version := first.Policy(); have != ledger.DefaultPolicy() || version < 1 {
		t.Errorf("a new ledger has version %d of %s", version, have)
	}
	want := full()
	_, err = ledger.Open(t.Context(), store, &ledger.Options{Policy: &want})
	if !errors.Is(err, ledger.ErrPolicy) || !strings.Contains(err.Error(), ledger.DefaultPolicy().String()) || !strings.Contains(err.Error(), want.String()) {
		t.Errorf("got %v, want ErrPolicy with both policies", err)
	}
	if _, err := ledger.Open(t.Context(), store, nil); err != nil {
		t.Errorf("opening without a policy gives %v", err)
	}
}

func TestChangePolicy(t *testing.T) {
	store := memledger.New(nil)
	old, err := ledger.Open(t.Context(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, version := old.Policy()
	if err := ledger.ChangePolicy(t.Context(), store, full(), version); err != nil {
		t.Fatal(err)
	}
	if _, ok := errors.AsType[*ledger.ConflictError](ledger.ChangePolicy(t.Context(), store, ledger.DefaultPolicy(), version)); !ok {
		t.Error("the version that was replaced could be replaced again")
	}
	if l, err := ledger.Open(t.Context(), store, &ledger.Options{Policy: new(full())}); err != nil || l.Identity() != old.Identity() {
		t.Errorf("opening by the new policy gives %v", err)
	}
	// Who has it open under the old one goes on with nothing but reading.
	_, err = old.Accept(t.Context(), &ledger.Delivery{Source: ledger.Own})
	_, err2 := old.Release(t.Context(), nil)
	_, err3 := old.Withdraw(t.Context(), ledger.UnitID{})
	for _, err := range []error{err, err2, err3} {
		if !errors.Is(err, ledger.ErrPolicy) || !strings.Contains(err.Error(), full().String()) {
			t.Errorf("under the old policy got %v, want ErrPolicy with both", err)
		}
	}
	if err := old.Check(t.Context(), ledger.Position{}); err != nil {
		t.Errorf("reading gives %v", err)
	}
}

func TestOpenWithACorruptPolicy(t *testing.T) {
	for _, value := range []string{"{", "{}", strings.Replace(ledger.DefaultPolicy().String(), `"1h0m0s"`, `"0s"`, 1)} {
		store := memledger.New(nil)
		if err := store.Swap(t.Context(), ledger.NewNonce(), []ledger.Swap{{Name: "policy", Value: []byte(value)}}); err != nil {
			t.Fatal(err)
		}
		if _, err := ledger.Open(t.Context(), store, nil); err == nil || !strings.Contains(err.Error(), "register policy") {
			t.Errorf("%s: got %v, want an error that names the register", value, err)
		}
	}
}

func TestOpenWithOptionsThatMakeNoSense(t *testing.T) {
	old := keys.FromPartner()
	old.MaxAge += time.Second
	ancient := keys.FromPhone()
	ancient.MaxAge = keys.AnyAge
	tests := []struct {
		name string
		opts ledger.Options
		want string // "" if it opens
	}{
		{name: "default"},
		{name: "partner", opts: ledger.Options{FromPartner: &old}, want: "Options.FromPartner"},
		{name: "phone", opts: ledger.Options{FromPhone: &ancient}, want: "Options.FromPhone"},
		{name: "negative upload", opts: ledger.Options{MaxUpload: -1}, want: "Options.MaxUpload"},
	}
	for _, tt := range tests {
		_, err := ledger.Open(t.Context(), memledger.New(nil), &tt.opts)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error about %q", tt.name, err, tt.want)
		}
	}
}

// TestDue holds both rules to the table of the German back end's own test of
// its expiry policy, and to the seed's rule.
func TestDue(t *testing.T) {
	at := func(clock string) time.Time {
		parsed, err := time.Parse("2006-01-02 15:04:05", "2021-01-"+clock)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	tests := []struct {
		name     string
		end      string
		accepted string
		embargo  time.Duration
		exact    string
		hour     string
	}{
		{name: "full day, submitted in it", end: "10 00:00:00", accepted: "09 15:20:00", exact: "10 02:00:00", hour: "10 03:00:00"},
		{name: "full day, at its end", end: "10 00:00:00", accepted: "10 00:00:00", exact: "10 02:00:00", hour: "10 03:00:00"},
		{name: "two hours to the second", end: "10 00:00:00", accepted: "10 02:00:00", exact: "10 02:00:00", hour: "10 03:00:00"},
		{name: "two hours, in the hour", end: "10 00:00:00", accepted: "10 02:59:59", exact: "10 02:59:59", hour: "10 03:00:00"},
		{name: "three hours", end: "10 00:00:00", accepted: "10 03:00:00", exact: "10 03:00:00", hour: "10 03:00:00"},
		{name: "later", end: "10 00:00:00", accepted: "10 17:45:00", exact: "10 17:45:00", hour: "10 17:00:00"},
		{name: "E 01:00", end: "10 01:00:00", accepted: "10 01:00:00", exact: "10 03:00:00", hour: "10 04:00:00"},
		{name: "E 00:50", end: "10 00:50:00", accepted: "10 00:50:00", exact: "10 02:50:00", hour: "10 03:00:00"},
		{name: "E 00:10", end: "10 00:10:00", accepted: "10 00:10:00", exact: "10 02:10:00", hour: "10 03:00:00"},
		{name: "E 00:50, 70 minutes by the hour", end: "10 00:50:00", accepted: "10 02:59:00", exact: "10 02:59:00", hour: "10 03:00:00"},
		{name: "E 00:50, 130 minutes by the hour", end: "10 00:50:00", accepted: "10 03:00:00", exact: "10 03:00:00", hour: "10 03:00:00"},
		{name: "E 00:00, three hours of embargo", end: "10 00:00:00", accepted: "10 03:10:00", embargo: 3 * time.Hour, exact: "10 03:10:00", hour: "10 04:00:00"},
		{name: "before its end by hours", end: "11 00:00:00", accepted: "10 07:30:00", exact: "11 02:00:00", hour: "11 03:00:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := keys.TemporaryExposureKey{RollingPeriod: 1}
			k.RollingStartIntervalNumber = keys.IntervalAt(at(tt.end)) - 1
			p := ledger.DefaultPolicy()
			p.Embargo = max(p.Embargo, tt.embargo)
			for rule, want := range map[ledger.DueRule]string{ledger.DueExact: tt.exact, ledger.DueCWAHour: tt.hour} {
				p.DueRule = rule
				got := p.Due(at(tt.accepted), &k)
				if !got.Equal(at(want)) {
					t.Errorf("%s: got %s, want %s", rule, got, want)
				}
				if got.Before(k.End().Add(p.Embargo)) {
					t.Errorf("%s: %s is under embargo", rule, got)
				}
			}
		})
	}
}

// TestNothingIsDueUnderEmbargo goes through the minutes of a day by both rules.
func TestNothingIsDueUnderEmbargo(t *testing.T) {
	p := ledger.DefaultPolicy()
	k := keys.TemporaryExposureKey{RollingPeriod: 144, RollingStartIntervalNumber: keys.StartOfDay(18000)}
	for _, p.DueRule = range []ledger.DueRule{ledger.DueExact, ledger.DueCWAHour} {
		for minute := range 3 * 24 * 60 {
			for k.RollingPeriod = 139; k.RollingPeriod <= 144; k.RollingPeriod++ {
				accepted := k.RollingStartIntervalNumber.Time().Add(time.Duration(minute) * time.Minute)
				due := p.Due(accepted, &k)
				if due.Before(k.End().Add(2*time.Hour)) || due.Before(accepted.Truncate(time.Hour)) {
					t.Fatalf("%s: a key that ends at %s, accepted at %s, is due at %s", p.DueRule, k.End(), accepted, due)
				}
			}
		}
	}
}

// TestPolicyOfALaterVersion: a rule that this version does not know is not to be
// overlooked.
func TestPolicyOfALaterVersion(t *testing.T) {
	var p ledger.Policy
	if err := json.Unmarshal([]byte(`{"grid":"1h","newRule":true}`), &p); err == nil || !strings.Contains(err.Error(), "newRule") {
		t.Errorf("got %v, want it to name newRule", err)
	}
}
