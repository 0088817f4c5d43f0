package federationtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

var efgsRunClauses = []efgsClause{
	{"runs-partial", "By Push, what a gateway has is dropped, what it fails at is set aside, and the rest is sent until 201.", efgsRunsPartial},
	{"runs-halve", "By Push, a batch that is refused for one key must be halved until that stands alone, and the rest be stored.", efgsRunsHalve},
	{"runs-midnight", "By Pull, what is handed out around midnight must come, all of it, once.", efgsRunsMidnight},
	{"runs-outage", "By Pull, after an outage of almost two days everything must come, and a run that works must have said what was about to be lost.", efgsRunsOutage},
	{"runs-retry-after", "By Pull and Push, a gateway that asks to be left alone must be asked for nothing more in that run.", efgsRunsRetryAfter},
	{"runs-lose-nothing", "Whatever a gateway and a store do meanwhile, by Push and Pull every key and withdrawal must come from the one back end to the other, and one tag must always have one content.", efgsRunsLoseNothing},
}

// efgsPull are options of a pull that suit the gateway, which hands batches out for
// two days.
func efgsPull() *federation.PullOptions {
	const kept = 2 * 24 * time.Hour
	return &federation.PullOptions{Settle: -1, Silence: -1, History: kept, Retention: kept}
}

// An efgsBackEnd is a back end with a client.
type efgsBackEnd struct {
	ledger *ledger.Ledger
	push   *federation.Push
	pull   *federation.Pull
}

// backEnd returns one of a member. Faults are how often its store fails, of 1.
func (x *efgsTrial) backEnd(member int, seed uint64, faults *atomic.Bool) (*efgsBackEnd, error) {
	policy := ledger.DefaultPolicy()
	policy.MinKeys, policy.MinUploads, policy.LongestWait, policy.MinWithdrawnUploads, policy.WithdrawalWait = 1, 1, 0, 1, 0
	store := memledger.New(&memledger.Options{Clock: x.clock})
	healthy, err := ledger.Open(x.ctx, store, &ledger.Options{Policy: &policy})
	if err != nil {
		return nil, err
	}
	faulty := healthy.With(ledgertest.Faulty(store, func(_ context.Context, c ledgertest.Call) ledgertest.Verdict {
		r := rand.New(rand.NewPCG(seed, uint64(c.N)))
		if faults == nil || !faults.Load() || r.Float64() >= 0.04 {
			return ledgertest.Pass
		}
		return []ledgertest.Verdict{ledgertest.Fail, ledgertest.FailAfter}[r.IntN(2)]
	}))
	b := &efgsBackEnd{ledger: healthy}
	client := x.make(x.account(member))
	rules := federation.Export()
	rules.Withdrawals = true
	if b.push, err = federation.NewPush(faulty, "gateway", client, rules, &federation.PushOptions{FromBeginning: true, MaxBatch: 20}); err != nil {
		return nil, err
	}
	b.pull, err = federation.NewPull(faulty, "gateway", client, efgsPull())
	return b, err
}

// submit has phones submit keys of a member.
func (x *efgsTrial) submit(b *efgsBackEnd, member, n int) ([]keys.DiagnosisKey, error) {
	all := x.keys(member, n)
	for i := range all {
		all[i].ConsentToFederate, all[i].TestType = keys.ConsentGiven, keys.TestLab
		all[i].DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(i % 14)) // what archives can say
	}
	receipt, err := b.ledger.Accept(x.ctx, &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: newUUID(), Keys: all}}})
	if err == nil && len(receipt.Rejected) > 0 {
		err = fmt.Errorf("%d keys are rejected: %s", len(receipt.Rejected), receipt.Rejected[0].Reason)
	}
	return all, err
}

// release makes a cut, an hour later.
func (x *efgsTrial) release(b *efgsBackEnd) error {
	x.after(time.Hour)
	_, err := b.ledger.Release(x.ctx, nil)
	return err
}

// pushed has a back end submit keys and push them, some times.
func (x *efgsTrial) pushed(prepare func(all []keys.DiagnosisKey)) ([]keys.DiagnosisKey, *federation.PushReport, error) {
	b, err := x.backEnd(0, 1, nil)
	if err != nil {
		return nil, nil, err
	}
	all, err := x.submit(b, 0, 30)
	if err != nil {
		return nil, nil, err
	}
	prepare(all)
	if err := x.release(b); err != nil {
		return nil, nil, err
	}
	report, err := b.push.Run(x.ctx)
	return all, report, err
}

// wantStoredOnce returns an error unless the gateway has these keys, each once, but
// for those of which without reports true, which it has not.
func (x *efgsTrial) wantStoredOnce(all []keys.DiagnosisKey, without func(data string) bool) error {
	stored, _ := x.gateway.Keys(x.members[0].Country)
	for i := range all {
		data := string(all[i].KeyData[:])
		if want := map[bool]int{false: 1, true: 0}[without(data)]; len(stored[data]) != want {
			return fmt.Errorf("a key is stored %d times, want %d", len(stored[data]), want)
		}
	}
	return nil
}

func efgsRunsPartial(x *efgsTrial) error {
	bad := map[string]bool{}
	all, report, err := x.pushed(func(all []keys.DiagnosisKey) {
		for _, i := range []int{3, 17} {
			bad[string(all[i].KeyData[:])] = true
		}
		x.gateway.Refuse(nil, func(data []byte) bool { return bad[string(data)] })
		known := slices.Concat(all[5:8], all[25:27]) // an older process has sent them
		for i := range known {
			known[i].ConsentToFederate, known[i].TestType = keys.ConsentUnstated, keys.TestUnstated
		}
		x.provideSigned(0, messagesOf(known), x.signers[0])
	})
	if err != nil {
		return err
	}
	if report.Known != 5 || report.Refused[keys.MustRegion("DE")] != 2 {
		return fmt.Errorf("%d were known and %v refused, want 5 and 2", report.Known, report.Refused)
	}
	return x.wantStoredOnce(all, func(data string) bool { return bad[data] })
}

func efgsRunsHalve(x *efgsTrial) error {
	bad := ""
	all, report, err := x.pushed(func(all []keys.DiagnosisKey) {
		bad = string(all[11].KeyData[:])
		x.gateway.Refuse(func(data []byte) bool { return string(data) == bad }, nil)
	})
	if err != nil {
		return err
	}
	if n := report.Refused[keys.MustRegion("DE")]; n != 1 {
		return fmt.Errorf("%d keys were set aside, want 1", n)
	}
	return x.wantStoredOnce(all, func(data string) bool { return data == bad })
}

// pulls has the first member's back end pull, and returns how many keys came.
func (x *efgsTrial) pulls(b *efgsBackEnd) (int, *federation.PullReport, error) {
	report, err := b.pull.Run(x.ctx)
	if err != nil {
		return 0, report, err
	}
	return report.Accepted, report, nil
}

func efgsRunsMidnight(x *efgsTrial) error {
	b, err := x.backEnd(0, 1, nil)
	if err != nil {
		return err
	}
	x.after(12*time.Hour - 3*time.Minute)
	came := 0
	for range 6 { // a minute apart, from 23:57 on
		x.hand(3)
		n, _, err := x.pulls(b)
		if err != nil {
			return err
		}
		came += n
		x.after(time.Minute)
	}
	if came != 18 {
		return fmt.Errorf("%d keys came, want 18", came)
	}
	return nil
}

func efgsRunsOutage(x *efgsTrial) error {
	b, err := x.backEnd(0, 1, nil)
	if err != nil {
		return err
	}
	x.hand(3)
	came, _, err := x.pulls(b)
	if err != nil {
		return err
	}
	x.gateway.SetHook(On(Always(503), RouteDownload, RouteAudit))
	sent := 3
	for range 23 { // two hours apart
		x.hand(2)
		sent += 2
		x.after(2 * time.Hour)
		if _, _, err := x.pulls(b); !errors.Is(err, federation.ErrUnavailable) {
			return fmt.Errorf("during an outage the error is %v, want one of the class ErrUnavailable", err)
		}
	}
	x.gateway.SetHook(nil)
	n, report, err := x.pulls(b)
	if err != nil {
		return err
	}
	if came += n; came != sent {
		return fmt.Errorf("%d keys came, want %d", came, sent)
	}
	if !slices.ContainsFunc(report.Warnings, func(w string) bool { return strings.Contains(w, "nothing was fetched") }) {
		return fmt.Errorf("nothing was said of 46 hours: %q", report.Warnings)
	}
	return nil
}

func efgsRunsRetryAfter(x *efgsTrial) error {
	b, err := x.backEnd(0, 1, nil)
	if err != nil {
		return err
	}
	x.hand(2)
	if _, err := x.submit(b, 0, 30); err != nil {
		return err
	}
	if err := x.release(b); err != nil {
		return err
	}
	for _, status := range []int{429, 503} {
		x.put(func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Retry-After", "600")
			w.WriteHeader(status)
			return true
		}, nil)
		for _, run := range []func() (time.Duration, error){
			func() (time.Duration, error) { r, err := b.pull.Run(x.ctx); return r.RetryAfter, err },
			func() (time.Duration, error) { r, err := b.push.Run(x.ctx); return r.RetryAfter, err },
		} {
			n := len(x.heard(0))
			after, err := run()
			if len(x.heard(n)) != 1 || after != 10*time.Minute {
				return fmt.Errorf("status %d: %d requests, and %s to wait, want 1 and 10m; the error is %v", status, len(x.heard(n)), after, err)
			}
		}
	}
	return nil
}

// efgsFaults are what a gateway may do in a run from which nothing must be lost. What
// a client could not know to be wrong is not among it, such as a false 410.
var efgsFaults = []Verdict{Fail, FailAfter, TimeoutAfter, Half, Blank, NullBody, HTML, Repeat, NoTag, LongTag, Silence, Quote, Short, 302, 404, 429, 500, 503}

func efgsRunsLoseNothing(x *efgsTrial) error {
	seeds := x.opts.Seeds
	seeds = cmp.Or(seeds, 4)
	for seed := range seeds {
		own := &efgsTrial{ctx: x.ctx, opts: x.opts, make: x.make, now: trialNow}
		if err := own.open(); err != nil {
			return err
		}
		err := own.exchange(uint64(seed))
		own.http.close()
		if err = errors.Join(err, own.leak()); err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
	}
	return nil
}

// exchange has keys go from the first member to the second, for some rounds with
// faults from a seed and then without.
func (x *efgsTrial) exchange(seed uint64) error {
	var faults atomic.Bool
	faults.Store(true)
	from, err := x.backEnd(0, seed, &faults)
	if err != nil {
		return err
	}
	to, err := x.backEnd(1, seed+1000, &faults)
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(seed, 7))
	x.gateway.SetHook(Random(seed, 0.25, efgsFaults...))
	var sent []keys.DiagnosisKey
	gone := map[keys.KeyData]bool{}
	round := func() error {
		if err := x.release(from); err != nil {
			return err
		}
		_, err := from.push.Run(x.ctx)
		if err := tolerated(err); err != nil {
			return err
		}
		x.gateway.Assemble()
		_, err = to.pull.Run(x.ctx)
		return tolerated(err)
	}
	for range 14 {
		all, err := x.submit(from, 0, 5+r.IntN(20))
		if err != nil {
			return err
		}
		sent = append(sent, all...)
		if k := &sent[r.IntN(len(sent))]; !gone[k.KeyData] {
			if _, err := from.ledger.Accept(x.ctx, &ledger.Delivery{Source: ledger.Own, Withdrawals: []ledger.UnitID{ledger.IDOf(k)}}); err != nil {
				return err
			}
			gone[k.KeyData] = true
		}
		if err := round(); err != nil {
			return err
		}
	}
	faults.Store(false)
	x.gateway.SetHook(nil)
	for range 8 {
		if err := round(); err != nil {
			return fmt.Errorf("without faults: %w", err)
		}
	}
	return errors.Join(x.arrived(to, sent, gone), x.oneContent())
}

// arrived returns an error if a key did not come, or did not go again.
func (x *efgsTrial) arrived(to *efgsBackEnd, sent []keys.DiagnosisKey, gone map[keys.KeyData]bool) error {
	got := map[keys.KeyData]keys.DiagnosisKey{}
	for rec, err := range to.ledger.Find(x.ctx, ledger.Query{Source: "gateway"}) {
		if err != nil {
			return err
		}
		if rec.Unit != nil && !rec.Unit.SourceWithdrew {
			got[rec.Unit.Key.KeyData] = rec.Unit.Key
		}
	}
	lost, stays, changed := 0, 0, 0
	for _, k := range sent {
		k.ConsentToFederate, k.TestType = keys.ConsentUnstated, keys.TestUnstated
		g, ok := got[k.KeyData]
		switch {
		case gone[k.KeyData] && ok:
			stays++
		case gone[k.KeyData]:
		case !ok:
			lost++
		case g != k:
			changed++
		}
	}
	if lost+stays+changed > 0 {
		return fmt.Errorf("of %d keys %d are lost, %d changed, and %d there that were taken back", len(sent), lost, changed, stays)
	}
	return nil
}

// oneContent returns an error if a tag was ever used for two contents.
func (x *efgsTrial) oneContent() error {
	content := map[string]string{}
	for _, r := range x.heard(0) {
		if r.method != http.MethodPost {
			continue
		}
		tag := r.header.Get(headerBatchTag)
		if before, ok := content[tag]; ok && before != string(r.body) {
			return errors.New("one tag was sent with two contents")
		}
		content[tag] = string(r.body)
	}
	return nil
}
