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
		{"sent", func(p *pusher) ledger.UnitID { u := p.one(); p.cut(); p.run(); return u }, told},
		{"not released", func(p *pusher) ledger.UnitID { return p.one() }, nothing("not-released")},
		{"cut, and not sent yet", func(p *pusher) ledger.UnitID { u := p.one(); p.cut(); return u }, told},
		{"recorded, and not sent yet", func(p *pusher) ledger.UnitID {
			u := p.one()
			p.cut()
			p.server.answer = unavailable
			p.try()
			p.server.answer = nil
			return u
		}, told},
		{"refused", func(p *pusher) ledger.UnitID {
			u := p.one()
			p.cut()
			p.refuses(u)
			p.run()
			p.server.answer = nil
			return u
		}, nothing("refused")},
		{"told before", func(p *pusher) ledger.UnitID {
			u := p.one()
			p.cut()
			p.run()
			p.withdraw(u)
			p.cut()
			p.run()
			return u
		}, nothing("withdrawn")},
		{"told before, and reinstated", func(p *pusher) ledger.UnitID {
			u := p.one()
			p.cut()
			p.run()
			p.withdraw(u)
			p.cut()
			p.run()
			p.reinstate(u)
			p.cut()
			p.run()
			return u
		}, nothing("withdrawn")},
		{"ordered before, and not told yet", func(p *pusher) ledger.UnitID {
			u := p.one()
			p.cut()
			p.run()
			p.withdraw(u)
			return u
		}, told},
		{"left out", func(p *pusher) ledger.UnitID {
			p.rules.Origins = keys.Only(fr)
			u := p.one()
			p.cut()
			p.run()
			return u
		}, nothing("origin")},
		{"before the instance", func(p *pusher) ledger.UnitID {
			p.opts.FromBeginning = false
			u := p.one()
			p.cut()
			p.run()
			return u
		}, nothing("before-the-partner")},
		{"takes no withdrawals", func(p *pusher) ledger.UnitID {
			p.rules.Withdrawals = false
			u := p.one()
			p.cut()
			p.run()
			return u
		}, cannot("takes-no-withdrawals")},
		{"took none then", func(p *pusher) ledger.UnitID {
			u := p.one()
			p.cut()
			p.run()
			p.rules.Withdrawals = false
			p.withdraw(u)
			p.cut()
			p.run()
			p.rules.Withdrawals = true
			return u
		}, cannot("rules-of-then")},
		{"no credentials any more", func(p *pusher) ledger.UnitID {
			u := p.one()
			p.cut()
			p.run()
			p.server.origins = keys.Only(it)
			return u
		}, cannot("credentials")},
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
			p.try() // what was due before
			p.withdraw(u)
			p.cut()
			r := p.run()
			if r.Withdrawals != f.Told {
				t.Errorf("it is told of %d withdrawals, foreseen were %d", r.Withdrawals, f.Told)
			}
		})
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
	h.put(&relay, "c", h.key(ch, -time.Hour))
	h.release()
	h.put(&relay, "d", later)
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
	h.upload(&gateway, "2", revoked(plain), revoked(both))
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
	} {
		if got := foresee(&only, tt.key); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		c.expect(tt.key, tt.told)
	}
}
