package federation_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// families returns the units of keys, with those of other origins.
func (s *site) families(of ...keys.KeyData) []*ledger.Unit {
	s.t.Helper()
	return must(s.ledger.Families(s.t.Context(), of...))
}

// account returns what the push says of the one unit of a key.
func (p *pusher) account(u ledger.UnitID) *federation.Account {
	p.t.Helper()
	push := must(federation.NewPush(p.ledger, "hub", p.server, p.rules, p.opts))
	all := must(push.Account(p.t.Context(), p.families(u.KeyData)[0]))
	if len(all) != 1 {
		p.t.Fatalf("%d accounts, want 1", len(all))
	}
	checkNoKey(p.t, all[0], u.KeyData)
	return all[0]
}

func checkNoKey(t testing.TB, a *federation.Account, k keys.KeyData) {
	t.Helper()
	text := string(must(json.Marshal(a))) + fmt.Sprintf("%v %+v %#v", a, *a, *a)
	if form := keystest.Leak(text, k); form != "" {
		t.Errorf("it holds key data as %s", form)
	}
}

// words says an account in words.
func words(a *federation.Account) string {
	var all []string
	for _, t := range a.Told {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s", t.As, t.State, t.Why)))
	}
	text := strings.Join(all, ", ") + "; " + a.Absence
	if a.Has {
		text += " has"
	}
	if a.Owed {
		text += " owed"
	}
	return text
}

func (p *pusher) says(when string, u ledger.UnitID, want string) {
	p.t.Helper()
	if got := words(p.account(u)); got != want {
		p.t.Errorf("%s: it says %q, want %q", when, got, want)
	}
}

// one has a phone submit, and returns one of the units.
func (p *pusher) one() ledger.UnitID { return p.submit(1)[0] }

func (p *pusher) withdraw(u ledger.UnitID) {
	p.t.Helper()
	must(p.ledger.Withdraw(p.t.Context(), u))
}

func (p *pusher) reinstate(u ledger.UnitID) {
	p.t.Helper()
	must(p.ledger.Reinstate(p.t.Context(), u))
}

// TestPushAccount follows keys on their way to a partner.
func TestPushAccount(t *testing.T) {
	p := newPusher(t)
	u := p.one()
	p.says("submitted", u, "; not-released")
	p.cut()
	p.says("cut", u, "key due; ")
	p.server.answer = unavailable
	p.try()
	p.says("recorded", u, "key due; ")
	p.server.answer = nil
	p.run()
	p.says("sent", u, "key sent;  has")
	p.withdraw(u)
	p.says("withdrawn", u, "key sent;  has owed")
	p.cut()
	p.says("cut", u, "key sent, withdrawal due;  has owed")
	p.run()
	p.says("told", u, "key sent, withdrawal sent; ")
	p.reinstate(u)
	p.cut()
	if r := p.run(); r.Reinstated != 1 || r.Batches != 0 {
		t.Errorf("reinstated: %+v", r)
	}
	p.says("reinstated", u, "key sent, withdrawal sent, reinstatement not-deliverable; ")
	p.cut()
	if r := p.run(); r.Reinstated != 0 {
		t.Errorf("reinstated before: %+v", r)
	}
	k := p.families(u.KeyData)[0].Key
	must(p.ledger.Accept(t.Context(), &ledger.Delivery{Source: "hub-b", Uploads: []ledger.Upload{{ID: "b", Keys: []keys.DiagnosisKey{k}}}}))
	p.cut()
	if r := p.run(); r.Reinstated != 0 {
		t.Errorf("reinstated before, and brought by another: %+v", r)
	}
	p.says("brought by another", u, "key sent, withdrawal sent, reinstatement not-deliverable; ")

	early := p.one()
	p.cut()
	p.withdraw(early)
	p.cut()
	p.run()
	p.says("withdrawn before a run", early, "; withdrawn")

	refused := p.one()
	p.cut()
	p.refuses(refused)
	p.run()
	p.says("refused", refused, "key refused; ")
	p.server.answer = nil
	p.withdraw(refused)
	p.cut()
	if r := p.run(); r.Batches != 0 || r.Untold != 0 {
		t.Errorf("a key that was never taken is withdrawn: %+v", r)
	}
	p.says("refused and withdrawn", refused, "key refused; ")

	untold := p.one()
	p.cut()
	p.run()
	p.rules.Withdrawals = false
	p.withdraw(untold)
	p.cut()
	if r := p.run(); r.Untold != 1 || r.UntoldWhy["takes-no-withdrawals"] != 1 {
		t.Errorf("untold: %+v", r)
	}
	p.says("untold", untold, "key sent, withdrawal not-deliverable takes-no-withdrawals;  has")
	p.rules.Withdrawals = true
	p.says("untold, by rules of which nothing is kept", untold, "key sent, withdrawal not-deliverable rules-of-then;  has")

	both := p.one()
	p.cut()
	p.run()
	p.withdraw(both)
	p.cut()
	p.reinstate(both)
	p.cut()
	if r := p.run(); r.Withdrawals != 1 || r.Reinstated != 1 {
		t.Errorf("withdrawn and reinstated: %+v", r)
	}
	p.says("withdrawn and reinstated", both, "key sent, withdrawal sent, reinstatement not-deliverable; ")
}

// TestPushAccountOfAbsence: why a partner is not sent a key.
func TestPushAccountOfAbsence(t *testing.T) {
	p := newPusher(t)
	before := p.one()
	p.cut()
	p.opts.FromBeginning = false
	p.run()
	p.says("before the instance", before, "left-out not-told before-the-partner; before-the-partner")
	p.rules.Origins = keys.Only(fr)
	u, kept := p.one(), p.one()
	p.cut()
	p.run()
	p.says("an origin that is not selected", u, "left-out not-told origin; origin")
	p.rules.Origins = keys.All[keys.Region]()
	p.says("other rules since", u, "left-out not-told before-the-partner; before-the-partner")
	k := p.gen.Upload(p.clock).Keys[0]
	k.Origin, k.ConsentToFederate = fr, keys.ConsentUnstated
	must(p.ledger.Accept(t.Context(), &ledger.Delivery{Source: "hub", Uploads: []ledger.Upload{{ID: "b", Keys: []keys.DiagnosisKey{k}}}}))
	p.cut()
	p.cut()
	p.cut()
	p.says("what it brought", ledger.IDOf(&k), "left-out not-told brought-by-partner; brought-by-partner")
	p.rules = federation.Relay()
	p.server.origins = keys.Only(it)
	p.says("no credentials", kept, "left-out not-told credentials; credentials")
}

// TestPushExpiredWithdrawals: a range that is given up says how many withdrawals were
// in it, or in what was left of it.
func TestPushExpiredWithdrawals(t *testing.T) {
	for _, sent := range []int{0, 4} {
		p := newPusher(t)
		units := p.submit(2)
		p.cut()
		p.run()
		for i := range 3 {
			p.withdraw(units[i])
		}
		p.submit(1)
		p.cut()
		p.opts.MaxBatch, p.opts.MaxBatches = 1, sent
		if sent == 0 {
			p.server.answer, p.opts.MaxBatches = unavailable, 1
		}
		p.try()
		if a := p.account(units[0]); sent == 0 && !a.Owed {
			t.Errorf("it is owed: %q", words(a))
		}
		for range 16 {
			p.clock = p.clock.Add(24 * time.Hour)
			must(p.ledger.Release(t.Context(), nil))
		}
		must(p.ledger.Prune(t.Context()))
		p.server.answer, p.opts = nil, &federation.PushOptions{FromBeginning: true}
		r := p.run()
		if sent == 0 && r.Expired != 3 || r.Expired > 3 || len(r.Warnings) == 0 {
			t.Errorf("%d withdrawals expired: %v", r.Expired, r.Warnings)
		}
	}
}

// TestPushAccounts holds accounts in random histories against what was on the wire.
func TestPushAccounts(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(30) {
		p := newPusher(t)
		p.site = newNetwork(t, seed).nation("de", de)
		var units []ledger.UnitID
		untold, reinstated := 0, 0
		for range 40 {
			switch p.rand.IntN(9) {
			case 0, 1:
				units = append(units, p.submit(1)...)
			case 2:
				if len(units) > 0 {
					p.withdraw(units[p.rand.IntN(len(units))])
				}
			case 3:
				if len(units) > 0 {
					p.reinstate(units[p.rand.IntN(len(units))])
				}
			case 4:
				p.rules.Withdrawals = p.rand.IntN(3) > 0
			case 5:
				p.server.answer = nil
				if p.rand.IntN(2) == 0 {
					p.server.answer = func(b *federation.Batch) (*federation.Answer, error) {
						switch p.rand.IntN(4) {
						case 0:
							return nil, federation.ErrUnavailable
						case 1:
							return nil, federation.ErrRefused
						}
						return &federation.Answer{Inserted: -1}, nil
					}
				}
			case 6:
				p.cut()
			default:
				p.opts.MaxBatch, p.opts.MaxBatches = 3, 1+p.rand.IntN(4)
				r, _ := p.try()
				untold, reinstated = untold+r.Untold, reinstated+r.Reinstated
				if r.More {
					seen["ended in the middle"]++
				}
			}
			if p.rand.IntN(4) == 0 {
				p.compareAccounts(units, seen)
			}
		}
		seen["reported untold"] += untold
		seen["reported reinstated"] += reinstated
		p.compareAccounts(units, seen)
	}
	t.Log(seen)
	for _, what := range []string{"key sent", "key due", "key refused", "withdrawal sent", "withdrawal due", "withdrawal not-deliverable takes-no-withdrawals",
		"reinstatement not-deliverable", "not-released", "withdrawn", "has", "owed", "ended in the middle", "reported untold", "reported reinstated"} {
		if seen[what] == 0 {
			t.Errorf("never: %s", what)
		}
	}
}

// compareAccounts holds accounts against what the server has stored.
func (p *pusher) compareAccounts(units []ledger.UnitID, seen map[string]int) {
	p.t.Helper()
	stored := map[ledger.UnitID][]string{}
	for _, b := range p.server.batches {
		for i := range b.Keys {
			k := &b.Keys[i]
			as := "key"
			if k.ReportType == keys.Some(keys.ReportRevoked) {
				as = "withdrawal"
			}
			stored[ledger.IDOf(k)] = append(stored[ledger.IDOf(k)], as)
		}
	}
	for _, u := range units {
		a := p.account(u)
		var sent []string
		for _, t := range a.Told {
			seen[strings.TrimSpace(fmt.Sprintf("%s %s %s", t.As, t.State, t.Why))]++
			if t.State == federation.ToldSent {
				sent = append(sent, string(t.As))
			}
			if t.Cuts[0] > t.Cuts[1] && t.Cuts[1] != 0 {
				p.t.Errorf("cuts %v", t.Cuts)
			}
		}
		if !slices.Equal(sent, stored[u]) {
			p.t.Fatalf("the server has stored %v of a key, and the account says %q", stored[u], words(a))
		}
		if has := len(stored[u])%2 == 1; a.Has != has {
			p.t.Errorf("it has the key: %t; the account says %q", has, words(a))
		}
		seen[a.Absence]++
		if a.Has {
			seen["has"]++
		}
		if a.Owed {
			seen["owed"]++
		}
	}
}

// TestHubAccount holds what is said of a key against what a nation downloads.
func TestHubAccount(t *testing.T) {
	h := newHub(t)
	of := func(n *federation.Nation, k keys.DiagnosisKey) *federation.Account {
		t.Helper()
		a := must(h.hub.Account(t.Context(), n, h.families(k.KeyData)[0]))
		if len(a) != 1 {
			t.Fatalf("%d accounts", len(a))
		}
		checkNoKey(t, a[0], k.KeyData)
		return a[0]
	}
	check := func(when string, n *federation.Nation, k keys.DiagnosisKey, want string) {
		t.Helper()
		a := of(n, k)
		if got := words(a); got != want {
			t.Errorf("%s: %s: it says %q, want %q", when, n.Name, got, want)
		}
		h.compareDownload(n, k, a)
	}
	ks := h.make(de, 3)
	k, back, late := ks[0], ks[1], ks[2]
	h.upload(&germany, "1", k, back)
	check("uploaded", &france, k, "; not-released")
	h.release()
	check("released", &france, k, "key sent;  has")
	check("released", &germany, k, "left-out not-told own; own")
	must(h.hub.Upload(t.Context(), &gateway, &federation.Incoming{Tag: "g", Keys: []keys.DiagnosisKey{h.make(it, 1)[0]}}))
	h.upload(&germany, "2", revoked(k), late)
	check("withdrawn", &france, k, "key sent;  has owed")
	h.release()
	check("withdrawn", &france, k, "key sent, withdrawal sent; ")
	check("withdrawn", &italy, k, "key sent, withdrawal not-deliverable takes-no-withdrawals;  has")
	h.upload(&germany, "3", revoked(late), h.make(de, 1)[0])
	h.release()
	check("withdrawn at once", &france, late, "key sent, withdrawal sent; ")
	if a := h.arrears(&italy); a.Untold != 2 || a.Reinstated != 0 {
		t.Errorf("arrears: %+v", a)
	}
	if a := h.arrears(&france); *a != (federation.Arrears{}) {
		t.Errorf("arrears: %+v", a)
	}
	must(h.ledger.Withdraw(t.Context(), ledger.IDOf(&back)))
	h.release()
	check("the operator withdrew it", &france, back, "key not-told operator-withdrew; ")
	must(h.ledger.Reinstate(t.Context(), ledger.IDOf(&back)))
	h.release()
	check("reinstated", &france, back, "key sent, reinstatement not-deliverable batch-passed;  has")
	if a := h.arrears(&france); a.Reinstated != 1 {
		t.Errorf("arrears: %+v", a)
	}
	another := federation.Nation{Name: "another", Region: ch, Relays: keys.Only(de)}
	h.upload(&another, "a", back)
	h.release()
	check("brought by another", &france, back, "key sent, reinstatement not-deliverable batch-passed;  has")
	must(h.ledger.Withdraw(t.Context(), ledger.IDOf(&back)))
	h.release()
	must(h.ledger.Reinstate(t.Context(), ledger.IDOf(&back)))
	h.release()
	if a := h.arrears(&france); a.Reinstated != 2 {
		t.Errorf("arrears, reinstated twice: %+v", a)
	}
	if a := h.arrears(&germany); *a != (federation.Arrears{}) {
		t.Errorf("arrears: %+v", a)
	}
}

// arrears returns what a nation cannot be told.
func (h *hubSite) arrears(n *federation.Nation) *federation.Arrears {
	h.t.Helper()
	return must(h.hub.Arrears(h.t.Context(), n, &germany))[0]
}

// compareDownload holds an account against the batches that a nation is given.
func (h *hubSite) compareDownload(n *federation.Nation, k keys.DiagnosisKey, a *federation.Account) {
	h.t.Helper()
	var got, want []string
	for at := (federation.Place{Day: federation.DayOf(epoch)}); ; {
		page := must(h.hub.Download(h.t.Context(), n, at))
		if page == nil {
			break
		}
		for i := range page.Keys {
			if ledger.IDOf(&page.Keys[i]) != ledger.IDOf(&k) {
				continue
			}
			as := federation.TellingKey
			if page.Keys[i].ReportType == keys.Some(keys.ReportRevoked) {
				as = federation.TellingWithdrawal
			}
			want = append(want, fmt.Sprint(page.Tag, as))
		}
		at = page.Next
	}
	for _, t := range a.Told {
		if t.State == federation.ToldSent {
			got = append(got, fmt.Sprint(t.Batch, t.As))
		}
	}
	if !slices.Equal(got, want) {
		h.t.Errorf("%s is given %v, and the account says %v", n.Name, want, got)
	}
}
