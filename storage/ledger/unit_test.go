package ledger_test

import (
	"testing"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

const (
	active    = ledger.Active
	withdrawn = ledger.Withdrawn
)

// units for TestPending.

func claims(sources ...ledger.Source) (list []ledger.Claim) {
	for _, s := range sources {
		list = append(list, ledger.Claim{Source: s, Upload: "u" + string(s)})
	}
	return list
}

func rolledBack(list []ledger.Claim, of ledger.Source) []ledger.Claim {
	for i := range list {
		list[i].Withdrawn = list[i].Withdrawn || list[i].Source == of
	}
	return list
}

func event(own, partners ledger.State, t reportType, s ledger.Sources) []ledger.Event {
	return []ledger.Event{{Number: 7, Own: own, Partners: partners, ReportType: t, Sources: s}}
}

func TestPending(t *testing.T) {
	type events = []ledger.Event
	tests := []struct {
		name   string
		claims []ledger.Claim
		events events
		source bool // withdrew
		byName bool // the operator withdrew
		wait   ledger.Wait
		next   events
	}{
		{name: "own, new", claims: claims("own"), wait: ledger.WaitNew, next: event(active, active, clinical, "own")},
		{name: "foreign of two, new", claims: claims("q", "p"), wait: ledger.WaitNew, next: event(active, active, clinical, "p,q")},
		{name: "own, withdrawn before", claims: claims("own"), source: true},
		{name: "own, withdrawn by the operator before", claims: claims("own"), byName: true},
		{name: "own, rolled back before", claims: rolledBack(claims("own"), "own")},
		{name: "foreign, withdrawn by the operator before", claims: claims("p"), byName: true},

		{name: "released", claims: claims("own"), events: event(active, active, clinical, "own")},
		{name: "revised", claims: claims("own"), events: event(active, active, self, "own"), wait: ledger.WaitChange, next: event(active, active, clinical, "own")},
		{name: "another source", claims: claims("own", "p"), events: event(active, active, clinical, "own"), wait: ledger.WaitChange, next: event(active, active, clinical, "own,p")},

		{name: "own, withdrawn", claims: claims("own"), source: true, events: event(active, active, clinical, "own"), wait: ledger.WaitWithdrawal, next: event(withdrawn, withdrawn, clinical, "own")},
		{name: "own, withdrawn and revised", claims: claims("own"), source: true, events: event(active, active, self, "own"), wait: ledger.WaitWithdrawal, next: event(withdrawn, withdrawn, self, "own")},
		{name: "own, by the operator", claims: claims("own"), byName: true, events: event(active, active, clinical, "own"), wait: ledger.WaitWithdrawal, next: event(withdrawn, withdrawn, clinical, "own")},
		{name: "own, rolled back", claims: rolledBack(claims("own"), "own"), events: event(active, active, clinical, "own"), wait: ledger.WaitWithdrawal, next: event(withdrawn, withdrawn, clinical, "own")},
		{name: "own and foreign, rolled back", claims: rolledBack(claims("own", "p"), "own"), events: event(active, active, clinical, "own,p"), wait: ledger.WaitWithdrawal, next: event(withdrawn, withdrawn, clinical, "own,p")},
		{name: "one of two own, rolled back", claims: append(rolledBack(claims("own"), "own"), claims("own")...), events: event(active, active, clinical, "own")},
		{name: "foreign, by the operator", claims: claims("p"), byName: true, events: event(active, active, clinical, "p"), wait: ledger.WaitWithdrawal, next: event(withdrawn, active, clinical, "p")},
		{name: "foreign, withdrawn", claims: claims("p"), source: true, events: event(active, active, clinical, "p"), wait: ledger.WaitWithdrawal, next: event(withdrawn, withdrawn, clinical, "p")},
		{name: "gone", claims: claims("own"), source: true, events: event(withdrawn, withdrawn, self, "own,p")},

		{name: "foreign, gone here, revised for partners", claims: claims("p"), byName: true, events: event(withdrawn, active, self, "p"), wait: ledger.WaitChange, next: event(withdrawn, active, clinical, "p")},
		{name: "foreign, gone here, then withdrawn", claims: claims("p"), byName: true, source: true, events: event(withdrawn, active, clinical, "p"), wait: ledger.WaitWithdrawal, next: event(withdrawn, withdrawn, clinical, "p")},
		{name: "foreign, gone here, has become own", claims: claims("p", "own"), byName: true, events: event(withdrawn, active, clinical, "p"), wait: ledger.WaitWithdrawal, next: event(withdrawn, withdrawn, clinical, "p")},

		{name: "foreign, reinstated", claims: claims("p"), events: event(withdrawn, active, clinical, "p"), wait: ledger.WaitChange, next: event(active, active, clinical, "p")},
		{name: "own, reinstated", claims: claims("own"), events: event(withdrawn, withdrawn, clinical, "own"), wait: ledger.WaitChange, next: event(active, withdrawn, clinical, "own")},
		{name: "own, reinstated and revised", claims: claims("own"), events: event(withdrawn, withdrawn, self, "own"), wait: ledger.WaitChange, next: event(active, withdrawn, clinical, "own")},
		{name: "own, withdrawn once more", claims: claims("own"), byName: true, events: event(active, withdrawn, clinical, "own"), wait: ledger.WaitWithdrawal, next: event(withdrawn, withdrawn, clinical, "own")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := &ledger.Unit{Claims: tt.claims, Events: tt.events, SourceWithdrew: tt.source, OperatorWithdrew: tt.byName}
			u.Key.ReportType = clinical
			want := ledger.Event{}
			if tt.next != nil {
				want = tt.next[0]
				want.Number = 0
			}
			if got, wait := u.Pending(); got != want || wait != tt.wait {
				t.Errorf("got %+v, %d; want %+v, %d", got, wait, want, tt.wait)
			}
		})
	}
}

func TestUnitAt(t *testing.T) {
	u := &ledger.Unit{Events: []ledger.Event{{Number: 3, Own: active}, {Number: 8, Own: withdrawn}}}
	for n, want := range map[int64]ledger.State{0: ledger.Unknown, 2: ledger.Unknown, 3: active, 7: active, 8: withdrawn, 100: withdrawn} {
		if got := u.At(n).Own; got != want {
			t.Errorf("at %d: got %s, want %s", n, got, want)
		}
	}
	if !u.Released() || (&ledger.Unit{}).Released() || (&ledger.Unit{}).At(9) != (ledger.Event{}) {
		t.Error("a unit without events is released, or one with events is not")
	}
}

func TestUnitHeld(t *testing.T) {
	tests := []struct {
		name   string
		claims []ledger.Claim
		want   bool
	}{
		{"within", []ledger.Claim{{}}, false},
		{"beyond", []ledger.Claim{{Held: true}}, true},
		{"beyond, another within", []ledger.Claim{{Held: true}, {}}, false},
		{"beyond, another within and rolled back", []ledger.Claim{{Held: true}, {Withdrawn: true}}, true},
		{"both beyond", []ledger.Claim{{Held: true}, {Held: true}}, true},
	}
	for _, tt := range tests {
		if got := (&ledger.Unit{Claims: tt.claims}).Held(); got != tt.want {
			t.Errorf("%s: got %t, want %t", tt.name, got, tt.want)
		}
	}
}

func TestUnitCloneSharesNothing(t *testing.T) {
	u := &ledger.Unit{Claims: claims("p"), Events: event(active, active, self, "p"), Siblings: []ledger.Unit{{Upload: "s", Events: event(active, active, self, "q")}}}
	c := u.Clone()
	c.Claims[0].Source, c.Events[0].Number, c.Siblings[0].Upload, c.Key.Origin = "x", 99, "x", keys.MustRegion("XX")
	c.Siblings[0].Events[0].Number = 99
	if u.Claims[0].Source != "p" || u.Events[0].Number != 7 || u.Siblings[0].Upload != "s" || u.Siblings[0].Events[0].Number != 7 || !u.Key.Origin.IsZero() {
		t.Errorf("a change of the clone shows in the unit: %+v", u)
	}
}

func TestStateString(t *testing.T) {
	for s, want := range map[ledger.State]string{ledger.Unknown: "unknown", active: "active", withdrawn: "withdrawn", 99: "withdrawn"} {
		if got := s.String(); got != want {
			t.Errorf("state %d: got %s, want %s", s, got, want)
		}
	}
}

func TestSources(t *testing.T) {
	u := &ledger.Unit{Claims: append(rolledBack(claims("r"), "r"), claims("q", "own", "p", "own")...)}
	if got := u.Sources(); got != "own,p,q" {
		t.Errorf("got %q, want own,p,q", got)
	}
	for s, want := range map[ledger.Source]bool{"own": true, "p": true, "q": true, "r": false, "": false, "own,p": false} {
		if got := u.Sources().Has(s); got != want {
			t.Errorf("has %q: got %t, want %t", s, got, want)
		}
	}
	for s := range ledger.Sources("").All() {
		t.Errorf("the empty set has %q", s)
	}
}
