package nation

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/examples/internal/orders"
	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// TestReach withdraws keys that four servers have: one takes withdrawals, one takes
// none, one is sent nothing any more, and one is no longer configured. The answer says
// so before and after, and by when the first is told; and the first alone is told.
func TestReach(t *testing.T) {
	w := newWorld(t)
	germany := w.country(de)
	hubs := map[string]*hub{}
	for _, name := range []string{"takes", "ignores", "off", "gone"} {
		hubs[name] = w.hub()
		in := plain(ledger.Source(name))
		in.Import = false
		in.Rules = rules(t, fmt.Sprintf(`{"withdrawals": %t}`, name != "ignores"))
		germany.joins(hubs[name], in, interop.Member{})
	}
	germany.config.Release.MinWithdrawnUploads = 5
	germany.open()
	germany.tick()
	bad := germany.submit(3)
	for range 3 {
		w.hour([]*hub{hubs["takes"], hubs["ignores"], hubs["off"], hubs["gone"]}, germany)
	}
	germany.config.Instances = slices.DeleteFunc(germany.config.Instances, func(in partner.Instance) bool { return in.Name == "gone" })
	for i := range germany.config.Instances {
		if in := &germany.config.Instances[i]; in.Name == "off" {
			in.Export, in.Import = false, true
		}
	}
	germany.open()
	waits := germany.submit(2)
	o := &ledger.Order{Action: ledger.OrderWithdraw, By: "ada", Why: "wrong sample"}
	for _, k := range slices.Concat(bad, waits) {
		o.Select.Units = append(o.Select.Units, ledger.UnitID{Origin: de, KeyData: k.KeyData})
	}
	office := germany.backend.Office()
	preview, err := office.Preview(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	// No cut has passed the withdrawals over: the first that does is the next, and two
	// hours after it they have waited long enough.
	by := w.clock().Truncate(time.Hour).Add(3 * time.Hour)
	const want = `takes: of 5 units it would be told 3; nothing changes for 2 (not-released)
ignores: of 5 units it would be told 0; it has and cannot be told 3 (takes-no-withdrawals); nothing changes for 2 (not-released)
gone: of 5 units it would be told 0; it has and cannot be told 3 (removed); nothing changes for 2 (not-released)
off: of 5 units it would be told 0; it has and cannot be told 3 (export-off); nothing changes for 2 (not-released)
`
	if got := partnersOf(preview.Reach); got != want || !preview.Cut.Equal(by) {
		t.Errorf("foreseen by %s is\n%swant by %s\n%s", preview.Cut, got, by, want)
	}
	for _, p := range preview.Reach.Packages {
		if p.Keys != 5 || !p.By.Equal(by) {
			t.Errorf("%s, by %s; want 5 by %s", p, p.By, by)
		}
	}
	for _, p := range preview.Reach.Partners {
		if told := p.Told > 0; told == p.By.IsZero() || told && !p.By.Equal(by) {
			t.Errorf("%s, by %s; want by %s if it is told", p, p.By, by)
		}
	}
	report, err := office.Order(t.Context(), o)
	if err != nil || partnersOf(report.Reach) != want || !report.Cut.Equal(by) {
		t.Errorf("the order says %+v, %v", report, err)
	}
	again, err := office.Order(t.Context(), o)
	if err != nil || !again.Repeated || partnersOf(again.Reach) != want {
		t.Errorf("given again it says %+v, %v", again, err)
	}
	for w.clock().Before(by) {
		if n := hubs["takes"].withdrawn(); n != 0 {
			t.Errorf("at %s the server is told of %d withdrawals", w.clock(), n)
		}
		w.hour([]*hub{hubs["takes"], hubs["ignores"], hubs["off"]}, germany)
	}
	germany.tick()
	for name, want := range map[string]int{"takes": 3, "ignores": 0, "off": 0, "gone": 0} {
		if n := hubs[name].withdrawn(); n != want {
			t.Errorf("%s has been told of %d withdrawals, want %d", name, n, want)
		}
	}
	after, err := office.Preview(t.Context(), o)
	if err != nil || !strings.HasPrefix(partnersOf(after.Reach), "takes: of 5 units it would be told 0; nothing changes for 2 (not-released); nothing changes for 3 (withdrawn)\n") {
		t.Errorf("when all is told: %s, %v", partnersOf(after.Reach), err)
	}
	for _, p := range after.Reach.Packages {
		if after.Cut.IsZero() != p.By.IsZero() {
			t.Errorf("when all is told, by the cut of %s: %s, by %s", after.Cut, p, p.By)
		}
	}
	w.clean(append(bad, waits...), germany)
}

// partnersOf says in words what partners are told.
func partnersOf(r *orders.Reach) string {
	var b strings.Builder
	for _, p := range r.Partners {
		fmt.Fprintln(&b, p)
	}
	return b.String()
}

// withdrawn returns how many units their nations have taken back.
func (h *hub) withdrawn() (n int) {
	h.w.t.Helper()
	for rec, err := range h.ledger.Find(h.w.t.Context(), ledger.Query{}) {
		if err != nil {
			h.w.t.Fatal(err)
		}
		if rec.Unit != nil && rec.Unit.SourceWithdrew {
			n++
		}
	}
	return n
}

// TestReachSpares rolls back an upload of which another brought one key, too: the
// answer counts those that go.
func TestReachSpares(t *testing.T) {
	w := newWorld(t)
	germany := w.country(de).open()
	germany.tick()
	ks := w.keys.Upload(w.clock().Add(-3 * time.Hour)).Keys[:3]
	for i := range ks {
		ks[i].Origin, ks[i].ConsentToFederate = de, keys.ConsentGiven
	}
	for id, of := range map[string][]keys.DiagnosisKey{"bad": ks, "good": ks[:1]} {
		if _, err := germany.backend.ledger.Accept(t.Context(), &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: id, Keys: of}}}); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		w.hour(nil, germany)
	}
	o := &ledger.Order{Action: ledger.OrderRollBack, Select: ledger.Selection{Uploads: []string{"bad"}}, Confirm: 3, By: "ada", Why: "wrong sample"}
	for range 2 { // the second time it has been done
		report, err := germany.backend.Office().Order(t.Context(), o)
		if err != nil || len(report.Reach.Packages) != 2 || report.Effects.Spared != 1 {
			t.Fatalf("the order says %+v, %v", report, err)
		}
		for _, p := range report.Reach.Packages {
			if p.Keys != 2 {
				t.Errorf("%s; want 2", p)
			}
		}
	}
}
