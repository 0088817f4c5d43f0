package efgs

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/federationtest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

var (
	histories   = flag.Int("efgs.histories", 6, "how many random histories")
	historySeed = flag.Uint64("efgs.seed", 1, "of the first of them")
)

// A back end has a ledger, and an instance for each gateway that it speaks to.
type backEnd struct {
	*history
	country   keys.Region
	store     *memledger.Store
	healthy   *ledger.Ledger
	faulty    *ledger.Ledger
	gen       *keystest.Generator
	uploads   int
	before    map[string]bool // keys that an older process has sent
	instances []*instance
}

// An instance is one gateway to one back end.
type instance struct {
	*backEnd
	name   ledger.Source
	europe *europe
	audit  bool
	pull   *federation.Pull
	push   *federation.Push
}

// A history is back ends and gateways, what becomes of them, and what goes wrong.
type history struct {
	t        *testing.T
	r        *rand.Rand
	clock    *clock
	europes  []*europe
	backEnds []*backEnd
	fate     fate
	failed   map[error]int // runs, by the class of their error
	warnings map[string]int
	refused  int // keys that gateways did not take
}

// A fate says what goes wrong. Servers ask it from goroutines of their own.
type fate struct {
	mu     sync.Mutex
	r      *rand.Rand
	healed bool                  // nothing does
	faults float64               // how probable a fault is, for each request and each call of a store
	doomed map[string]bool       // batches whose audit can never be had
	down   map[*europe]time.Time // until when a gateway is out of reach
}

// request decides what becomes of a request.
func (f *fate) request(e *europe, r federationtest.Request, now time.Time) federationtest.Verdict {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case r.Route == federationtest.RouteAudit && f.doomed[r.Tag]:
		return 500
	case f.healed:
	case now.Before(f.down[e]):
		return []federationtest.Verdict{federationtest.Fail, 503, 404, 500}[f.r.IntN(4)]
	case f.r.Float64() < f.faults:
		return bad[f.r.IntN(len(bad))]
	}
	return federationtest.Pass
}

// call decides what becomes of a call of a store.
func (f *fate) call() ledgertest.Verdict {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.healed && f.r.Float64() < f.faults/4 {
		return []ledgertest.Verdict{ledgertest.Fail, ledgertest.FailAfter}[f.r.IntN(2)]
	}
	return ledgertest.Pass
}

// set changes what goes wrong.
func (f *fate) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// bad is what goes wrong with a request. What a client could not know to be wrong is
// not among it: a false 410, and a batch that is cut off between two keys, which only
// an audit tells.
var bad = []federationtest.Verdict{
	federationtest.Fail, federationtest.FailAfter, federationtest.TimeoutAfter, federationtest.Half, federationtest.Blank,
	federationtest.NullBody, federationtest.HTML, federationtest.Repeat, federationtest.Odd, federationtest.NoTag, federationtest.LongTag,
	federationtest.Silence, federationtest.Quote, federationtest.Short, 302, 404, 429, 500, 503,
}

func newHistory(t *testing.T, seed uint64) *history {
	return &history{t: t, r: rand.New(rand.NewPCG(seed, 5)), clock: &clock{now: noon.Add(5 * time.Minute)}, failed: map[error]int{}, warnings: map[string]int{},
		fate: fate{r: rand.New(rand.NewPCG(seed, 6)), down: map[*europe]time.Time{}, doomed: map[string]bool{}}}
}

// gateway adds a gateway, which refuses some keys as a whole and fails at others.
func (h *history) gateway(countries ...string) *europe {
	e := newGateway(h.t, h.clock, countries, nil)
	e.keys = keystest.New(h.r.Uint64(), &keystest.Options{EndOfPeriod: true})
	e.gateway.Refuse(func(data []byte) bool { return data[0] < 3 }, func(data []byte) bool { return data[0] == 3 || data[0] == 4 })
	e.gateway.SetHook(func(_ context.Context, r federationtest.Request) federationtest.Verdict {
		return h.fate.request(e, r, h.clock.Now())
	})
	h.europes = append(h.europes, e)
	return e
}

func (h *history) backEnd(country string) *backEnd {
	b := &backEnd{history: h, country: keys.MustRegion(country), before: map[string]bool{}}
	b.gen = keystest.New(h.r.Uint64(), &keystest.Options{Origins: []keys.Region{b.country}, EndOfPeriod: true})
	policy := ledger.DefaultPolicy()
	policy.MinKeys, policy.MinUploads, policy.LongestWait, policy.MinWithdrawnUploads, policy.WithdrawalWait = 1, 1, 0, 1, 0
	b.store = memledger.New(&memledger.Options{Clock: h.clock.Now})
	b.healthy = must(ledger.Open(h.t.Context(), b.store, &ledger.Options{Policy: &policy}))
	b.faulty = b.healthy.With(ledgertest.Faulty(b.store, func(context.Context, ledgertest.Call) ledgertest.Verdict { return h.fate.call() }))
	h.backEnds = append(h.backEnds, b)
	return b
}

// connect makes a back end a client of a gateway.
func (b *backEnd) connect(name ledger.Source, e *europe, audit bool) {
	i := &instance{backEnd: b, name: name, europe: e, audit: audit}
	i.start()
	b.instances = append(b.instances, i)
}

// start starts a process: nothing is known but what the ledger has.
func (i *instance) start() {
	opts := &ClientOptions{Format: Format(i.r.IntN(2))}
	if i.audit {
		opts.Audit = i.europe.audit()
	}
	c := i.europe.client(i.country.String(), opts)
	rules := federation.Export()
	rules.Withdrawals = true
	i.pull = must(federation.NewPull(i.faulty, i.name, c, c.PullOptions()))
	i.push = must(federation.NewPush(i.faulty, i.name, c, rules, &federation.PushOptions{FromBeginning: true, MaxBatch: 40}))
}

// submit has phones submit keys, and perhaps an older process of the back end that
// has sent them to a gateway before.
func (b *backEnd) submit() {
	up := b.gen.Upload(b.clock.Now())
	now := b.clock.Now()
	up.Keys = slices.DeleteFunc(up.Keys, func(k keys.DiagnosisKey) bool { return now.Sub(k.End()) > 8*24*time.Hour })
	for i := range up.Keys {
		up.Keys[i].ConsentToFederate = keys.ConsentGiven
	}
	b.uploads++
	d := &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: fmt.Sprint(b.uploads), Keys: up.Keys}}}
	if r := must(b.healthy.Accept(b.t.Context(), d)); len(r.Rejected) > 0 {
		b.t.Fatalf("rejected: %v", r.Rejected[0])
	}
	if b.r.IntN(6) == 0 {
		sent := slices.DeleteFunc(up.Keys, func(k keys.DiagnosisKey) bool { return k.KeyData[0] < 5 || b.r.IntN(2) == 0 })
		for i := range sent {
			b.before[string(sent[i].KeyData[:])] = true
		}
		b.healed(func() {
			b.instances[0].europe.upload(b.country.String(), fmt.Sprintf("%s-before-%d", b.country, b.uploads), sent)
		})
	}
}

// withdraw takes one of the keys back that have been released.
func (b *backEnd) withdraw() {
	units := b.units(func(u *ledger.Unit) bool {
		return u.Key.Origin == b.country && u.Released() && lastOf(u) == ledger.Active
	})
	if len(units) == 0 {
		return
	}
	must(b.healthy.Accept(b.t.Context(), &ledger.Delivery{Source: ledger.Own, Withdrawals: []ledger.UnitID{units[b.r.IntN(len(units))].ID()}}))
}

func lastOf(u *ledger.Unit) ledger.State { return u.Events[len(u.Events)-1].Partners }

// units returns the units of a ledger that fit, in the order of their key data.
func (b *backEnd) units(fits func(u *ledger.Unit) bool) (units []*ledger.Unit) {
	for rec, err := range b.healthy.Find(b.t.Context(), ledger.Query{}) {
		if err != nil {
			b.t.Fatal(err)
		}
		if rec.Unit != nil && fits(rec.Unit) {
			units = append(units, rec.Unit)
		}
	}
	slices.SortFunc(units, func(x, y *ledger.Unit) int { return slices.Compare(x.Key.KeyData[:], y.Key.KeyData[:]) })
	return units
}

// healed does what must not fail.
func (h *history) healed(f func()) {
	h.fate.set(func() { h.fate.healed = true })
	f()
	h.fate.set(func() { h.fate.healed = false })
}

// round has everybody do what is due, in any order, and moves the clock on.
func (h *history) round(step time.Duration) {
	for _, b := range h.backEnds {
		must(b.healthy.Release(h.t.Context(), nil))
	}
	var jobs []func()
	for _, b := range h.backEnds {
		for _, i := range b.instances {
			jobs = append(jobs, i.runPull, i.runPush)
		}
	}
	for _, e := range h.europes {
		jobs = append(jobs, func() { e.gateway.Assemble() })
	}
	h.r.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
	for _, job := range jobs {
		job()
	}
	h.clock.add(step)
}

func (i *instance) runPull() {
	if i.r.IntN(8) == 0 {
		i.start()
	}
	report, err := i.pull.Run(i.t.Context())
	i.ran(err)
	for _, w := range report.Warnings {
		for _, kind := range []string{"nothing was fetched", "no longer has what followed", "again after itself"} {
			if strings.Contains(w, kind) {
				i.warnings[kind]++
			}
		}
	}
}

func (i *instance) runPush() {
	report, err := i.push.Run(i.t.Context())
	i.ran(err)
	for _, n := range report.Refused {
		i.refused += n
	}
}

func (i *instance) ran(err error) {
	if err == nil {
		return
	}
	class := classOf(err)
	if errors.Is(err, ledgertest.ErrFault) {
		class = ledgertest.ErrFault
	}
	i.failed[class]++
	if class != ledgertest.ErrFault && class != federation.ErrUnavailable && class != federation.ErrThrottled {
		i.t.Errorf("%s: %v", i.name, err)
	}
}

// live is some days of ordinary life, with nights and an outage of almost two days.
func (h *history) live() {
	var outage time.Time
	for n := range 100 {
		for _, b := range h.backEnds {
			if h.r.IntN(3) == 0 {
				b.submit()
			}
			if h.r.IntN(12) == 0 {
				b.withdraw()
			}
		}
		for _, e := range h.europes {
			if h.r.IntN(4) == 0 {
				h.healed(func() { e.upload(h.stranger(e), fmt.Sprintf("stranger-%d", n), h.strange(e, 3+h.r.IntN(20))) })
			}
		}
		if n == 30 {
			outage = h.clock.Now()
			h.fate.set(func() { h.fate.down[h.europes[0]] = outage.Add(46 * time.Hour) })
		}
		// What is not read soon after the outage is lost for good.
		since := h.clock.Now().Sub(outage)
		h.fate.set(func() {
			h.fate.faults = 0.15
			if 45*time.Hour < since && since < 48*time.Hour {
				h.fate.faults = 0
			}
		})
		h.round(time.Duration(10+h.r.IntN(80)) * time.Minute)
	}
}

// stranger returns the last country of a gateway, which has no back end here.
func (h *history) stranger(e *europe) string {
	if len(e.nations) == len(countries) {
		return "IT"
	}
	return "CH"
}

// strange returns up to n keys of a stranger, none of which the gateway has anything
// against.
func (h *history) strange(e *europe, n int) []keys.DiagnosisKey {
	return slices.DeleteFunc(e.newKeys(h.stranger(e), n), func(k keys.DiagnosisKey) bool {
		return k.KeyData[0] < 5 || h.clock.Now().Sub(k.End()) > 8*24*time.Hour
	})
}

// rest lets everything that is under way arrive.
func (h *history) rest() {
	h.healed(func() {
		for range 8 {
			h.round(time.Hour)
		}
	})
}

// checkArrived: each back end has what other countries uploaded to a gateway, and
// knows what they took back.
func (h *history) checkArrived(i *instance) {
	h.t.Helper()
	have := map[string]*ledger.Unit{}
	for _, u := range i.units(func(u *ledger.Unit) bool {
		return slices.ContainsFunc(u.Claims, func(c ledger.Claim) bool { return c.Source == i.name })
	}) {
		have[string(u.Key.KeyData[:])] = u
	}
	total, lost, stale := 0, 0, 0
	for country := range i.europe.nations {
		if country == i.country.String() {
			continue
		}
		stored, _ := i.europe.gateway.Keys(country)
		for data, reports := range stored {
			total++
			u := have[data]
			switch withdrawn := reports[len(reports)-1] == int32(keys.ReportRevoked); {
			case u == nil:
				lost++
			case u.Released() && (lastOf(u) == ledger.Withdrawn) != withdrawn:
				stale++
			}
			delete(have, data)
		}
	}
	if lost+stale+len(have) > 0 || total == 0 {
		h.t.Errorf("%s of %s: of %d keys %d are lost, %d in another state, and %d are there that nobody sent", i.name, i.country, total, lost, stale, len(have))
	}
}

// checkSent: a gateway has each key of a back end once, and each that was taken back
// after that once more, as revoked.
func (h *history) checkSent(i *instance) {
	h.t.Helper()
	stored, _ := i.europe.gateway.Keys(i.country.String())
	missing, repeated, wrong, sent := 0, 0, 0, 0
	for _, u := range i.units(func(u *ledger.Unit) bool { return u.Key.Origin == i.country }) {
		data := string(u.Key.KeyData[:])
		reports := stored[data]
		delete(stored, data)
		revoked := slices.Index(reports, int32(keys.ReportRevoked))
		active := !u.Released() || lastOf(u) == ledger.Active
		switch {
		case data[0] < 5:
			if len(reports) > 0 {
				wrong++
			}
		case active && len(reports) == 0:
			missing++
		case len(reports) > 2 || len(reports) == 2 && revoked != 1:
			repeated++
		case active != (revoked < 0) && len(reports) > 0 && !i.before[data]:
			wrong++
		default:
			sent++
		}
	}
	if missing+repeated+wrong+len(stored) > 0 || sent == 0 {
		h.t.Errorf("%s of %s: %d keys are there, %d missing, %d repeated, %d in another state, %d of nobody", i.name, i.country, sent, missing, repeated, wrong, len(stored))
	}
}

// TestHistories: nothing is lost and nothing repeated, whatever the gateway answers
// and wherever a process ends, over nights and an outage of two days, with one
// gateway and with two.
func TestHistories(t *testing.T) {
	answers := map[int]int{}
	for n := range uint64(*histories) {
		seed := *historySeed + n
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := newHistory(t, seed)
			eu := h.gateway(countries...)
			twin := h.gateway("DE", "CH")
			de, fr := h.backEnd("DE"), h.backEnd("FR")
			de.connect("efgs", eu, n%2 == 0)
			de.connect("chgs", twin, n%2 == 1)
			fr.connect("efgs", eu, n%2 == 1)
			h.live()
			h.rest()
			for _, b := range h.backEnds {
				for _, i := range b.instances {
					h.checkArrived(i)
					h.checkSent(i)
				}
			}
			if h.warnings["nothing was fetched"] == 0 {
				t.Error("nobody said that the gateway's retention was about to win")
			}
			if h.warnings["no longer has what followed"] > 0 {
				t.Error("a day is said to be lost, and none was")
			}
			for status, n := range eu.gateway.Answers() {
				answers[status] += n
			}
			t.Logf("answers %v; runs that failed: %v; warnings %v; %d keys refused", eu.gateway.Answers(), h.failed, h.warnings, h.refused)
		})
	}
	for _, status := range []int{200, 201, 207, 400, 404, 409} {
		if answers[status] == 0 {
			t.Errorf("a gateway never answered %d: %v", status, answers)
		}
	}
}

// TestOutageThatIsTooLong: what the gateway no longer has is lost, which is said, and
// what it has still comes.
func TestOutageThatIsTooLong(t *testing.T) {
	h := newHistory(t, 1)
	e := h.gateway(countries...)
	de := h.backEnd("DE")
	de.connect("efgs", e, true)
	day := func(n int) { // a batch on each
		e.upload("IT", fmt.Sprint(n), h.strange(e, 60))
		e.gateway.Assemble()
	}
	day(0)
	de.instances[0].runPull()
	h.clock.add(24 * time.Hour)
	for n := range 5 {
		day(n + 1)
		h.clock.add(24 * time.Hour)
	}
	de.instances[0].runPull()
	if h.warnings["nothing was fetched"] == 0 || h.warnings["no longer has what followed"] != 4 {
		t.Errorf("warnings are %v, want the rest of a day and three more that are lost", h.warnings)
	}
	got := map[string]bool{}
	for _, u := range de.units(func(*ledger.Unit) bool { return true }) {
		got[u.Claims[0].Upload] = true
	}
	if want := "map[20210602-1:true 20210606-1:true 20210607-1:true]"; fmt.Sprint(got) != want {
		t.Errorf("has batches %v, want %s", got, want)
	}
}

// TestDoubtHistories: a batch whose audit can never be had stops no other, and is given
// up in its time, by one process as by many, each of which begins anew, whatever goes
// wrong around it.
func TestDoubtHistories(t *testing.T) {
	for name, anew := range map[string]func(h *history) bool{
		"one process":         func(*history) bool { return false },
		"a process each time": func(*history) bool { return true },
		"some processes":      func(h *history) bool { return h.r.IntN(3) == 0 },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t, *historySeed)
			e := h.gateway(countries...)
			de := h.backEnd("DE")
			de.connect("efgs", e, true)
			i := de.instances[0]
			h.fate.set(func() { h.fate.faults = 0.1 })
			lost, held := map[string]bool{}, 0
			for n := range 60 {
				if n%3 == 0 {
					all := h.strange(e, 5+h.r.IntN(10))
					h.healed(func() { e.upload("IT", fmt.Sprint(n), all) })
					for _, tag := range e.gateway.Assemble() {
						h.fate.set(func() { h.fate.doomed[tag] = n%15 == 6 })
					}
					for k := range all {
						lost[string(all[k].KeyData[:])] = n%15 == 6
					}
				}
				if anew(h) {
					i.start()
				}
				if _, err := i.pull.Run(t.Context()); inDoubt(err) {
					held++
				}
				h.clock.add(time.Duration(20+h.r.IntN(40)) * time.Minute)
			}
			var report *federation.PullReport
			h.healed(func() {
				for range 12 {
					if anew(h) {
						i.start()
					}
					report, _ = i.pull.Run(t.Context())
					h.clock.add(time.Hour)
				}
			})
			h.checkGivenUp(i, report, lost)
			t.Logf("held up in %d runs of 60; given up: %v", held, report.GivenUp)
		})
	}
}

// checkGivenUp: a back end has everything but what was lost, which is set aside and
// said to be lost.
func (h *history) checkGivenUp(i *instance, report *federation.PullReport, lost map[string]bool) {
	h.t.Helper()
	missing, aside := 0, map[string]bool{} // a day that is read once more has them set aside once more
	for rec, err := range i.healthy.Find(h.t.Context(), ledger.Query{SetAside: true}) {
		if err != nil {
			h.t.Fatal(err)
		}
		for _, a := range rec.SetAside {
			if a.Reason == ReasonUnverified && lost[string(a.ID.KeyData[:])] {
				aside[string(a.ID.KeyData[:])] = true
			}
		}
		if rec.Unit != nil && lost[string(rec.ID.KeyData[:])] {
			h.t.Error("a key was taken that nobody vouched for")
		}
	}
	have := map[string]bool{}
	for _, u := range i.units(func(*ledger.Unit) bool { return true }) {
		have[string(u.Key.KeyData[:])] = true
	}
	doomed := 0
	for data, is := range lost {
		if is {
			doomed++
		} else if !have[data] {
			missing++
		}
	}
	if missing > 0 || len(aside) != doomed || doomed == 0 {
		h.t.Errorf("%d keys are missing, %d of %d are set aside", missing, len(aside), doomed)
	}
	told := 0
	for _, g := range report.GivenUp {
		if told += g.Keys; !h.fate.doomed[g.Page] || g.Tries < 5 || g.Time.Sub(g.Since) < 6*time.Hour || g.Time.Sub(g.Since) > 9*time.Hour {
			h.t.Errorf("given up: %+v", g)
		}
	}
	if told < doomed { // with what the gateway made up
		h.t.Errorf("%d keys are said to be lost, and %d are", told, doomed)
	}
}
