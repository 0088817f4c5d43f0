package federation_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// foresee has a forecast count one unit.
func (s *site) foresee(f *federation.Forecast, u ledger.UnitID) string {
	s.t.Helper()
	f.Add(s.families(u.KeyData)[0], map[ledger.UnitID]bool{u: true})
	text := fmt.Sprintf("%v %+v %s", f.Foresight, *f.Foresight, must(json.Marshal(f.Foresight)))
	if form := keystest.Leak(text, u.KeyData); form != "" {
		s.t.Errorf("it holds key data as %s", form)
	}
	if f.Units != f.Told+sum(f.Untold)+sum(f.Unchanged) {
		s.t.Errorf("%s: not every unit is in one term", f)
	}
	return f.String()
}

func sum(counts map[string]int) (n int) {
	for c := range maps.Values(counts) {
		n += c
	}
	return n
}

// sent has a phone submit a unit, and the partner be sent it.
func (p *pusher) sent() ledger.UnitID {
	p.t.Helper()
	u := p.one()
	p.cut()
	p.run()
	return u
}

// told has the operator withdraw a unit, and the partner be told.
func (p *pusher) told(u ledger.UnitID) {
	p.t.Helper()
	p.withdraw(u)
	p.cut()
	p.run()
}

// states has the phone of a key state it with a report type.
func (p *pusher) states(k keys.DiagnosisKey, report keys.ReportType) ledger.UnitID {
	p.t.Helper()
	k.Origin, k.ConsentToFederate, k.ReportType = de, keys.ConsentGiven, keys.Some(report)
	must(p.ledger.Accept(p.t.Context(), &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: "states", Keys: []keys.DiagnosisKey{k}}}}))
	p.cut()
	return ledger.IDOf(&k)
}

// silent has the partner answer nothing to one run.
func (p *pusher) silent() {
	p.server.answer = unavailable
	p.try()
	p.server.answer = nil
}

// refusing has the partner refuse a unit, and take another of the same range.
func (p *pusher) refusing(u ledger.UnitID) {
	p.t.Helper()
	p.one()
	p.cut()
	p.refuses(u)
	p.run()
	p.server.answer = nil
}

func (p *pusher) push() *federation.Push {
	p.t.Helper()
	return must(federation.NewPush(p.ledger, "hub", p.server, p.rules, p.opts))
}

// TestPushForecast foresees what a withdrawal would have the partner told, of keys in
// every state, and withdraws them then: it is told of those.
func TestPushForecast(t *testing.T) {
	const (
		told     = "hub: of 1 units it would be told 1"
		untold   = "hub: of 1 units it would be told 0; it has and cannot be told 1 (%s)"
		nothings = "hub: of 1 units it would be told 0; nothing changes for 1 (%s)"
	)
	cannot, nothing := func(why string) string { return fmt.Sprintf(untold, why) }, func(why string) string { return fmt.Sprintf(nothings, why) }
	for _, tt := range []struct {
		name string
		unit func(p *pusher) ledger.UnitID
		want string
	}{
		{"sent", func(p *pusher) ledger.UnitID { return p.sent() }, told},
		{"not released", func(p *pusher) ledger.UnitID { return p.one() }, nothing("not-released")},
		{"cut, and not sent yet", func(p *pusher) ledger.UnitID { u := p.one(); p.cut(); return u }, told},
		{"recorded, and not sent yet", func(p *pusher) ledger.UnitID { u := p.one(); p.cut(); p.silent(); return u }, told},
		{"refused", func(p *pusher) ledger.UnitID { u := p.one(); p.cut(); p.refusing(u); return u }, nothing("refused")},
		{"its revision refused", func(p *pusher) ledger.UnitID {
			k := p.gen.Keys(p.clock.Add(-3*time.Hour), 1)[0]
			p.states(k, keys.ReportSelfReport)
			p.run()
			u := p.states(k, keys.ReportConfirmedTest)
			p.refusing(u)
			return u
		}, told},
		{"refused, and its revision taken", func(p *pusher) ledger.UnitID {
			k := p.gen.Keys(p.clock.Add(-3*time.Hour), 1)[0]
			p.refusing(p.states(k, keys.ReportSelfReport))
			u := p.states(k, keys.ReportConfirmedTest)
			p.run()
			return u
		}, told},
		{"told before", func(p *pusher) ledger.UnitID { u := p.sent(); p.told(u); return u }, nothing("withdrawn")},
		{"told before, and reinstated", func(p *pusher) ledger.UnitID {
			u := p.sent()
			p.told(u)
			p.reinstate(u)
			p.cut()
			p.run()
			return u
		}, nothing("withdrawn")},
		{"told before, and left out at first", func(p *pusher) ledger.UnitID {
			p.rules.ReportTypes = keys.Only(keys.ReportConfirmedTest)
			k := p.gen.Keys(p.clock.Add(-3*time.Hour), 1)[0]
			p.states(k, keys.ReportSelfReport)
			p.run()
			u := p.states(k, keys.ReportConfirmedTest)
			p.run()
			p.told(u)
			return u
		}, nothing("withdrawn")},
		{"ordered before, and not told yet", func(p *pusher) ledger.UnitID { u := p.sent(); p.withdraw(u); return u }, told},
		{"ordered before, recorded, and not told yet", func(p *pusher) ledger.UnitID {
			u := p.sent()
			p.withdraw(u)
			p.cut()
			p.silent()
			return u
		}, told},
		{"withdrawn before it was sent", func(p *pusher) ledger.UnitID { u := p.one(); p.cut(); p.withdraw(u); p.cut(); return u }, nothing("withdrawn")},
		{"left out", func(p *pusher) ledger.UnitID { p.rules.Origins = keys.Only(fr); return p.sent() }, nothing("origin")},
		{"left out, and withdrawn", func(p *pusher) ledger.UnitID {
			p.rules.Origins = keys.Only(fr)
			u := p.sent()
			p.withdraw(u)
			p.cut()
			return u
		}, nothing("origin")},
		{"before the instance", func(p *pusher) ledger.UnitID { p.opts.FromBeginning = false; return p.sent() }, nothing("before-the-partner")},
		{"takes no withdrawals", func(p *pusher) ledger.UnitID { p.rules.Withdrawals = false; return p.sent() }, cannot("takes-no-withdrawals")},
		{"took none then", func(p *pusher) ledger.UnitID {
			u := p.sent()
			p.rules.Withdrawals = false
			p.told(u)
			p.rules.Withdrawals = true
			return u
		}, cannot("rules-of-then")},
		{"no credentials any more", func(p *pusher) ledger.UnitID {
			u := p.sent()
			p.server.origins = keys.Only(it)
			return u
		}, cannot("credentials")},
		{"given up", func(p *pusher) ledger.UnitID { return p.givenUp() }, cannot("expired")},
		{"others brought it", func(p *pusher) ledger.UnitID {
			p.rules = federation.Relay()
			p.rules.Withdrawals = true
			k := p.gen.Upload(p.clock).Keys[0]
			k.Origin, k.ConsentToFederate = fr, keys.ConsentUnstated
			must(p.ledger.Accept(p.t.Context(), &ledger.Delivery{Source: "q", Uploads: []ledger.Upload{{ID: "b", Keys: []keys.DiagnosisKey{k}}}}))
			for range 3 {
				p.cut()
			}
			p.run()
			return ledger.IDOf(&k)
		}, cannot("operator-withdrew")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPusher(t)
			u := tt.unit(p)
			f := must(p.push().Forecast(t.Context()))
			if got := p.foresee(f, u); got != tt.want {
				t.Fatalf("foreseen is %q, want %q", got, tt.want)
			}
			before := p.run() // what was due before
			p.withdraw(u)
			p.cut()
			if n := before.Withdrawals + p.run().Withdrawals; n != f.Told {
				t.Errorf("it is told of %d withdrawals, foreseen were %d", n, f.Told)
			}
		})
	}
}

// givenUp returns a unit that the partner was sent, and whose withdrawal was given up:
// the partner did not answer until the ledger had pruned another key that was in the
// range. Somebody else still reads what has become of the unit since.
func (p *pusher) givenUp() ledger.UnitID {
	p.t.Helper()
	u := p.sent()
	p.withdraw(u)
	p.states(aged(p.gen.Keys(p.clock.Add(-3*time.Hour), 1)[0], p.clock, 14), keys.ReportSelfReport)
	p.silent()
	for range 14 {
		p.clock = p.clock.Add(24 * time.Hour)
		must(p.ledger.Release(p.t.Context(), nil))
	}
	p.cut()
	log := must(p.ledger.Log(p.t.Context(), 0))
	reader := ledger.Floor{Number: log.Last.Last, Time: log.Now}
	must(0, p.ledger.Swap(p.t.Context(), ledger.NewNonce(), ledger.Swap{Name: ledger.FloorRegister("reader"), Value: reader.Value()}))
	p.reinstate(u)
	p.cut()
	must(p.ledger.Prune(p.t.Context()))
	p.server.answer = unavailable
	if r, _ := p.try(); r.Expired == 0 || len(p.families(u.KeyData)) != 1 {
		p.t.Fatalf("nothing was given up, or the unit is pruned: %+v", r)
	}
	p.server.answer = nil
	return u
}

// TestForecastOfOneOrigin: of two units of one key data that is counted which is to be
// withdrawn.
func TestForecastOfOneOrigin(t *testing.T) {
	p := newPusher(t)
	p.rules = federation.Relay()
	p.rules.Withdrawals = true
	ours := p.gen.Keys(p.clock.Add(-3*time.Hour), 1)[0]
	theirs := ours
	theirs.Origin, theirs.ConsentToFederate = fr, keys.ConsentUnstated
	must(p.ledger.Accept(t.Context(), &ledger.Delivery{Source: "q", Uploads: []ledger.Upload{{ID: "b", Keys: []keys.DiagnosisKey{theirs}}}}))
	u := p.states(ours, keys.ReportSelfReport)
	p.run()
	if n := len(p.families(u.KeyData)[0].Siblings); n != 1 {
		t.Fatalf("%d siblings, want 1", n)
	}
	for _, u := range []ledger.UnitID{u, ledger.IDOf(&theirs)} {
		f := must(p.push().Forecast(t.Context()))
		if p.foresee(f, u); f.Units != 1 || f.Told != map[keys.Region]int{de: 1, fr: 0}[u.Origin] {
			t.Errorf("of that of %s: %s", u.Origin, f)
		}
	}
}

// TestForsaken foresees what a partner cannot be told that nothing is sent to any more.
func TestForsaken(t *testing.T) {
	p := newPusher(t)
	if names := must(federation.Partners(t.Context(), p.ledger)); len(names) > 0 {
		t.Errorf("before anything is sent the partners are %v", names)
	}
	sent := p.one()
	p.cut()
	p.run()
	later := p.one()
	p.cut()
	if names := must(federation.Partners(t.Context(), p.ledger)); !slices.Equal(names, []ledger.Source{"hub"}) {
		t.Errorf("the partners are %v", names)
	}
	f := must(federation.Forsaken(t.Context(), p.ledger, "hub", federation.UntoldRemoved))
	p.foresee(f, sent)
	if got, want := p.foresee(f, later), "hub: of 2 units it would be told 0; it has and cannot be told 1 (removed); nothing changes for 1 (before-the-partner)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	p.withdraw(sent)
	p.cut()
	p.run()
	f = must(federation.Forsaken(t.Context(), p.ledger, "hub", federation.UntoldRemoved))
	if got, want := p.foresee(f, sent), "hub: of 1 units it would be told 0; nothing changes for 1 (withdrawn)"; got != want {
		t.Errorf("what it was told before: got %q, want %q", got, want)
	}
}

// TestForsakenBy foresees what a partner cannot be told, by what became of a unit
// before nothing was sent to it any more.
func TestForsakenBy(t *testing.T) {
	for _, tt := range []struct {
		name string
		unit func(p *pusher) ledger.UnitID
		want string
	}{
		{"its withdrawal was recorded", func(p *pusher) ledger.UnitID {
			u := p.sent()
			p.withdraw(u)
			p.cut()
			p.silent()
			return u
		}, "it has and cannot be told 1 (expired)"},
		{"its withdrawal was given up", func(p *pusher) ledger.UnitID { return p.givenUp() }, "it has and cannot be told 1 (expired)"},
		{"refused", func(p *pusher) ledger.UnitID { u := p.one(); p.cut(); p.refusing(u); return u }, "nothing changes for 1 (refused)"},
		{"it took no withdrawals", func(p *pusher) ledger.UnitID {
			u := p.sent()
			p.rules.Withdrawals = false
			p.withdraw(u)
			p.submit(1) // so that the range is kept
			p.cut()
			p.run()
			return u
		}, "it has and cannot be told 1 (takes-no-withdrawals)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPusher(t)
			u := tt.unit(p)
			f := must(federation.Forsaken(t.Context(), p.ledger, "hub", federation.UntoldRemoved))
			if got, want := p.foresee(f, u), "hub: of 1 units it would be told 0; "+tt.want; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// TestPartnersAreNoNations: what a hub keeps of a nation, whatever its name, is not taken
// for what is kept of a partner.
func TestPartnersAreNoNations(t *testing.T) {
	h := newHub(t)
	for _, name := range []ledger.Source{"push", "range"} {
		h.upload(&federation.Nation{Name: name, Region: ch}, "1", h.make(ch, 1)...)
	}
	h.release()
	if names := must(federation.Partners(t.Context(), h.ledger)); len(names) > 0 {
		t.Errorf("the partners are %q", names)
	}
	if _, err := h.hub.Forecast(t.Context(), &federation.Nation{Name: "x"}); err == nil {
		t.Error("there is a forecast for a nation that is none")
	}
}

// TestHubForecast foresees what nations have of what the hub's own operator withdraws.
func TestHubForecast(t *testing.T) {
	h := newHub(t)
	k, waits := h.make(de, 1)[0], h.make(de, 1)[0]
	h.upload(&germany, "1", k)
	h.release()
	h.upload(&germany, "2", waits)
	for n, want := range map[*federation.Nation]string{
		&france:  "fr: of 2 units it would be told 0; it has and cannot be told 1 (operator-withdrew); nothing changes for 1 (not-released)",
		&germany: "de: of 2 units it would be told 0; nothing changes for 1 (not-released); nothing changes for 1 (own)",
	} {
		f := must(h.hub.Forecast(t.Context(), n))
		h.foresee(f, ledger.IDOf(&k))
		if got := h.foresee(f, ledger.IDOf(&waits)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	h.upload(&germany, "3", revoked(k))
	h.release()
	for n, want := range map[*federation.Nation]string{
		&france: "fr: of 1 units it would be told 0; nothing changes for 1 (withdrawn)",
		&italy:  "it: of 1 units it would be told 0; it has and cannot be told 1 (takes-no-withdrawals)",
	} {
		f := must(h.hub.Forecast(t.Context(), n))
		if got := h.foresee(f, ledger.IDOf(&k)); got != want {
			t.Errorf("what its nation took back: got %q, want %q", got, want)
		}
	}
}

// TestHubForecastSealedOnly foresees what a nation has that reads nothing but pieces:
// none of what nobody sealed, and it is told nothing of that, either.
func TestHubForecastSealedOnly(t *testing.T) {
	h := newSealed(t)
	only := france
	only.SealedOnly = true
	sealed, plain, both, later := h.key(de, -time.Hour), h.key(it, -time.Hour), h.key(it, -time.Hour), h.key(it, -time.Hour)
	h.put(&germany, "a", sealed)
	h.upload(&gateway, "1", plain, both, later)
	h.put(&relay, "b", both)
	second := federation.Nation{Name: "zz", Region: ch, Relays: keys.Only(it)} // after all others
	h.upload(&second, "1", both)
	h.release()
	h.put(&relay, "c", later)
	h.release()
	const (
		has      = "it has and cannot be told 1 (operator-withdrew)"
		unsealed = "nothing changes for 1 (not-sealed)"
	)
	foresee := func(n *federation.Nation, k keys.DiagnosisKey) string {
		t.Helper()
		got := h.foresee(must(h.hub.Forecast(t.Context(), n)), ledger.IDOf(&k))
		return strings.TrimPrefix(got, fmt.Sprintf("%s: of 1 units it would be told 0; ", n.Name))
	}
	ours := italy
	ours.SealedOnly = true
	if got := foresee(&ours, plain); got != "nothing changes for 1 (own)" {
		t.Errorf("of its own, and not sealed: %q", got)
	}
	c := h.checker(&only).read()
	for name, tt := range map[string]struct {
		key       keys.DiagnosisKey
		all, only string
	}{
		"sealed":                   {sealed, has, has},
		"not sealed":               {plain, has, unsealed},
		"sealed by one of two":     {both, has, has},
		"sealed after it was told": {later, has, has},
	} {
		if got := foresee(&france, tt.key); got != tt.all {
			t.Errorf("%s, for one that is given all: %q, want %q", name, got, tt.all)
		}
		if got := foresee(&only, tt.key); got != tt.only {
			t.Errorf("%s: %q, want %q", name, got, tt.only)
		}
		if _, read := c.state[ledger.IDOf(&tt.key)]; read != (tt.only == has) {
			t.Errorf("%s: it has been read: %t", name, read)
		}
	}
	h.put(&germany, "e", revoked(sealed))
	h.upload(&gateway, "2", revoked(plain), revoked(both), revoked(later))
	h.release()
	c.read()
	for name, tt := range map[string]struct {
		key  keys.DiagnosisKey
		want string
		told string
	}{
		"a sealed withdrawal":                    {sealed, "nothing changes for 1 (withdrawn)", "REVOKED"},
		"a withdrawal of what it never had":      {plain, unsealed, "nothing"},
		"a withdrawal that need not be in seals": {both, "it has and cannot be told 1 (not-sealed)", "SELF_REPORT"},
		"a withdrawal by one that does not seal": {later, "it has and cannot be told 1 (not-sealed)", "SELF_REPORT"},
	} {
		if got := foresee(&only, tt.key); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		c.expect(tt.key, tt.told)
	}
}
