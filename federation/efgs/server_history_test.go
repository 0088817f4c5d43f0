package efgs

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

var serverHistories = flag.Int("efgs.serverhistories", 2, "how many random histories the server has")

// A member is a nation with a back end of its own, and our client.
type member struct {
	*union
	country keys.Region
	ledger  *ledger.Ledger
	gen     *keystest.Generator
	uploads int
	pull    *federation.Pull
	push    *federation.Push
}

// A union is a gateway of ours, its members, and what goes wrong between them.
type union struct {
	*world
	r       *rand.Rand
	faults  float64
	members []*member
}

// RoundTrip loses a request or its answer now and then.
func (u *union) RoundTrip(r *http.Request) (*http.Response, error) {
	lost := u.r.Float64() < u.faults
	if lost && u.r.IntN(2) == 0 {
		return nil, errors.New("lost")
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && lost {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return nil, io.ErrUnexpectedEOF
	}
	return resp, err
}

// newUnion returns a gateway of which every process is a new one, over a store that
// fails.
func newUnion(t *testing.T, seed uint64) *union {
	u := &union{world: newWorld(t, nil), r: rand.New(rand.NewPCG(seed, 1)), faults: 0.1}
	store := memledger.New(&memledger.Options{Clock: u.clock.Now})
	healthy := newLedger(t, store)
	u.ledger = healthy.With(ledgertest.Faulty(store, func(context.Context, ledgertest.Call) ledgertest.Verdict {
		if u.r.Float64() < u.faults/10 {
			return []ledgertest.Verdict{ledgertest.Fail, ledgertest.FailAfter}[u.r.IntN(2)]
		}
		return ledgertest.Pass
	}))
	u.restart()
	for _, country := range []string{"DE", "FR", "IT"} {
		u.join(country)
	}
	return u
}

// restart has another process serve the gateway.
func (u *union) restart() {
	u.hub = must(federation.NewHub(u.ledger, &federation.HubOptions{Fresh: 1}))
	u.server.hub = u.hub
	u.recall(nil)
}

func (u *union) join(country string) {
	m := &member{union: u, country: keys.MustRegion(country)}
	m.gen = keystest.New(u.r.Uint64(), &keystest.Options{Origins: []keys.Region{m.country}, EndOfPeriod: true})
	m.ledger = newLedger(u.t, memledger.New(&memledger.Options{Clock: u.clock.Now}))
	c := u.client(country, &ClientOptions{Format: Format(u.r.IntN(2)), Audit: u.audit(), HTTPClient: &http.Client{Transport: u}})
	rules := federation.Export()
	rules.Withdrawals = true
	m.pull = must(federation.NewPull(m.ledger, "efgs", c, c.PullOptions()))
	m.push = must(federation.NewPush(m.ledger, "efgs", c, rules, &federation.PushOptions{FromBeginning: true, MaxBatch: 40}))
	u.members = append(u.members, m)
}

// submit has phones submit keys.
func (m *member) submit() {
	up := m.gen.Upload(m.clock.Now())
	up.Keys = slices.DeleteFunc(up.Keys, func(k keys.DiagnosisKey) bool { return m.clock.Now().Sub(k.End()) > 8*24*time.Hour })
	for i := range up.Keys {
		up.Keys[i].ConsentToFederate = keys.ConsentGiven
	}
	m.uploads++
	must(m.ledger.Accept(m.t.Context(), &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: fmt.Sprint(m.uploads), Keys: up.Keys}}}))
}

// units returns the units of a ledger that have left it, or have come by the gateway.
func (m *member) units(source ledger.Source) (all []*ledger.Unit) {
	for rec, err := range m.ledger.Find(m.t.Context(), ledger.Query{Source: source}) {
		if err != nil {
			m.t.Fatal(err)
		}
		if rec.Unit.Released() {
			all = append(all, rec.Unit.Clone())
		}
	}
	return all
}

// withdraw has a nation take a key back.
func (m *member) withdraw() {
	if all := m.units(ledger.Own); len(all) > 0 {
		must(m.ledger.Accept(m.t.Context(), &ledger.Delivery{Source: ledger.Own, Withdrawals: []ledger.UnitID{all[m.r.IntN(len(all))].ID()}}))
	}
}

// step has something happen.
func (u *union) step() {
	m := u.members[u.r.IntN(len(u.members))]
	ctx := u.t.Context()
	switch n := u.r.IntN(20); {
	case n < 5:
		m.submit()
	case n < 6:
		m.withdraw()
	case n < 9:
		must(m.ledger.Release(ctx, nil))
	case n < 12:
		m.push.Run(ctx)
	case n < 15:
		m.pull.Run(ctx)
	case n < 18:
		u.hub.Release(ctx, nil)
	case n < 19:
		u.restart()
	default:
		u.clock.add(time.Duration(u.r.IntN(90)) * time.Minute)
	}
	u.clock.add(time.Duration(u.r.IntN(10)) * time.Minute)
}

// settle has everything arrive.
func (u *union) settle() {
	u.faults = 0
	for range 4 {
		for _, m := range u.members {
			must(m.ledger.Release(u.t.Context(), nil))
			must(m.push.Run(u.t.Context()))
		}
		u.clock.add(3 * time.Hour)
		must(u.hub.Release(u.t.Context(), nil))
		for _, m := range u.members {
			must(m.pull.Run(u.t.Context()))
		}
		u.clock.add(10 * time.Minute)
	}
}

// TestServerHistories: whatever is lost in whatever order, every nation ends with
// every key that another has let go, as it is now.
func TestServerHistories(t *testing.T) {
	for seed := range uint64(*serverHistories) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			u := newUnion(t, seed+1)
			for range 150 {
				u.step()
			}
			u.settle()
			total := 0
			for _, from := range u.members {
				for _, to := range u.members {
					if from != to {
						total += u.compare(from, to)
					}
				}
			}
			if total == 0 {
				t.Error("nothing was exchanged")
			}
		})
	}
}

// compare reports what a nation has of another's keys otherwise than that has them.
func (u *union) compare(from, to *member) (n int) {
	u.t.Helper()
	have := map[ledger.UnitID]*ledger.Unit{}
	for _, unit := range to.units("efgs") {
		have[unit.ID()] = unit
	}
	for _, unit := range from.units(ledger.Own) {
		got, withdrawn := have[unit.ID()], lastOf(unit) == ledger.Withdrawn
		switch {
		case got == nil && !withdrawn:
			u.t.Errorf("%s has not got a key of %s", to.country, from.country)
		case got != nil && (lastOf(got) == ledger.Withdrawn) != withdrawn:
			u.t.Errorf("a key of %s is withdrawn: %v; at %s: %v", from.country, withdrawn, to.country, !withdrawn)
		case got != nil:
			n++
		}
	}
	return n
}
