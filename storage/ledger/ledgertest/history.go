package ledgertest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

var (
	seedFlag      = flag.Uint64("ledgertest.seed", 0, "run the random history of this seed alone")
	historiesFlag = flag.Int("ledgertest.histories", 0, "run so many random histories instead of the usual number")
)

// A history is a random one, made from a seed, in a ledger and a model at once.
type history struct {
	*trial
	seed  uint64
	rand  *rand.Rand
	model *model
	sinks []sink
	steps []string // for messages

	pool    []keys.DiagnosisKey // that come up again and again
	uploads []string            // own ones
	orders  []ledger.OrderRecord
}

// histories runs check on random histories, as many as are asked for.
func (tr *trial) histories(check func(h *history)) {
	tr.tb.Helper()
	for _, seed := range tr.seeds(tr.opts.histories()) {
		check(tr.newHistory(seed))
	}
}

// seeds returns those of n random histories, unless the flags ask for others.
func (tr *trial) seeds(n int) []uint64 {
	if *seedFlag > 0 {
		return []uint64{*seedFlag}
	}
	if *historiesFlag > 0 {
		n = *historiesFlag
	}
	seeds := make([]uint64, n)
	for i := range seeds {
		seeds[i] = uint64(i) + 1
	}
	return seeds
}

func (tr *trial) newHistory(seed uint64) *history {
	own := *tr // a trial of its own, with other keys and another clock
	h := &history{trial: &own, seed: seed, rand: rand.New(rand.NewPCG(seed, 0x6869))}
	h.story = h.tell
	h.clock = &clock{now: noon.Add(time.Duration(h.rand.IntN(24*60)) * time.Minute)}
	h.random = keystest.New(seed, nil)
	h.names = map[keys.KeyData]string{}
	p := h.randomPolicy()
	phone, partner := keys.FromPhone(), keys.FromPartner()
	phone.MaxAge, partner.MaxAge = 36*time.Hour, 40*time.Hour
	h.openStore()
	l, err := ledger.Open(h.ctx, h.store, &ledger.Options{Policy: &p, FromPhone: &phone, FromPartner: &partner})
	h.must(err)
	h.ledger = l
	h.model = newModel(p, phone, partner)
	h.sinks = []sink{{name: "all"}, {name: "home", only: keys.MustRegion("DE")}}
	return h
}

// randomPolicy returns a policy that little is enough to feel.
func (h *history) randomPolicy() ledger.Policy {
	p := ledger.DefaultPolicy()
	p.MinKeys, p.MinUploads, p.LongestWait = 5, 3, 4*time.Hour
	p.MinWithdrawnUploads, p.WithdrawalWait = 2, 2*time.Hour
	p.MaxCut, p.MaxDay, p.Quota = 9, 40, 14
	p.PruneAge = 48 * time.Hour
	switch h.rand.IntN(7) {
	case 0:
		p.MinKeys, p.MinUploads, p.MinWithdrawnUploads = 0, 0, 0
	case 1:
		p.Padding.Echoes = 1 + h.rand.IntN(3)
	case 2:
		p.DueRule = ledger.DueCWAHour
	case 3:
		p.Embargo, p.Grid, p.FineGrid = 3*time.Hour, 30*time.Minute, true
	case 4:
		p.MaxCut, p.MaxDay, p.Quota = 100, 100, 100
	case 5:
		p.MinForeignKeys, p.ForeignWait = 4, 3*time.Hour
	}
	return p
}

// tell tells the history so far.
func (h *history) tell() string {
	steps := h.steps[max(0, len(h.steps)-40):]
	return fmt.Sprintf("history of seed %d (-args -ledgertest.seed=%d), by the policy %s\n%s\nat step %d: ",
		h.seed, h.seed, h.model.policy, strings.Join(steps, "\n"), len(h.steps))
}

// note writes a step down.
func (h *history) note(format string, args ...any) {
	now := h.clock.Now().UTC().Format("02 15:04:05.000000 ")
	h.steps = append(h.steps, fmt.Sprintf("\t%3d  ", len(h.steps)+1)+now+fmt.Sprintf(format, args...))
}

// run takes n random steps.
func (h *history) run(n int) {
	h.tb.Helper()
	for range n {
		h.step()
		if h.rand.IntN(4) > 0 {
			h.pass(time.Duration(h.rand.IntN(20)) * time.Minute)
		}
	}
}

// step takes one random step, in the ledger and the model.
func (h *history) step() {
	h.tb.Helper()
	choices := []struct {
		weight int
		take   func()
	}{
		{34, h.stepDeliver}, {8, h.stepWithdrawn}, {24, h.stepCut}, {5, h.stepOperator}, {5, h.stepReinstate},
		{4, h.stepRollBack}, {3, h.stepErase}, {3, h.stepHold}, {4, h.stepResume}, {3, h.stepJump}, {3, h.stepFloor}, {4, h.stepPrune},
		{9, h.stepOrder},
	}
	total := 0
	for _, c := range choices {
		total += c.weight
	}
	dice := h.rand.IntN(total)
	for _, c := range choices {
		if dice -= c.weight; dice < 0 {
			c.take()
			return
		}
	}
}

// pick returns one of the list.
func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// someKey returns a key of the pool, now and then a new one, now and then stated
// otherwise than before.
func (h *history) someKey(source ledger.Source) keys.DiagnosisKey {
	if len(h.pool) < 4 || h.rand.IntN(3) == 0 {
		h.pool = append(h.pool, h.newKey())
	}
	k := h.pool[max(0, len(h.pool)-1-h.rand.IntN(12))]
	k.ReportType = pick(h.rand, k.ReportType, k.ReportType, keys.Some(self), keys.Some(clinical), keys.Some(test))
	if source != ledger.Own && h.rand.IntN(8) == 0 {
		k.ReportType = pick(h.rand, keys.Optional[keys.ReportType]{}, keys.Some(keys.ReportUnknown))
	}
	k.Origin = keys.MustRegion(pick(h.rand, "DE", "DE", "DE", "AT", "FR"))
	switch h.rand.IntN(24) {
	case 0:
		k.RollingPeriod--
	case 1:
		k.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(7))
	case 2:
		k.ConsentToFederate = keys.ConsentRefused
	case 3:
		k.TestType = keys.TestRapid
	case 4:
		k.RollingStartIntervalNumber -= 144 * 2 // too old
	case 5:
		k.Origin = keys.Region{}
	}
	return k
}

// newKey returns a key that ended some hours ago, or will soon.
func (h *history) newKey() keys.DiagnosisKey {
	k := h.key("DE")
	end := h.clock.Now().Add(time.Duration(h.rand.IntN(22)-20) * time.Hour)
	k.RollingPeriod = uint8(12 + h.rand.IntN(80))
	k.RollingStartIntervalNumber = keys.IntervalAt(end) - keys.Interval(k.RollingPeriod)
	if h.rand.IntN(3) == 0 { // on the hour
		k.RollingStartIntervalNumber -= k.RollingStartIntervalNumber % 6
		k.RollingPeriod -= k.RollingPeriod % 6
	}
	k.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(1 + h.rand.IntN(3)))
	k.ReportType = keys.Some(pick(h.rand, self, clinical, test))
	return k
}

var historySources = []ledger.Source{ledger.Own, ledger.Own, ledger.Own, "p", "q", "r"}

func (h *history) stepDeliver() {
	d := ledger.Delivery{Source: pick(h.rand, historySources...)}
	for range 1 + h.rand.IntN(3) {
		up := h.upload()
		for range 1 + h.rand.IntN(4) {
			up.Keys = append(up.Keys, h.someKey(d.Source))
		}
		if d.Source == ledger.Own {
			h.uploads = append(h.uploads, up.ID)
			if len(h.uploads) > 3 && h.rand.IntN(6) == 0 { // sent again by the phone
				up.ID = h.uploads[h.rand.IntN(len(h.uploads)-1)]
			}
		}
		if !slices.ContainsFunc(d.Uploads, func(o ledger.Upload) bool { return o.ID == up.ID }) {
			d.Uploads = append(d.Uploads, up)
		}
	}
	if h.rand.IntN(10) == 0 {
		d.Unreadable = []ledger.SetAside{{Upload: "unreadable", Field: keys.FieldKeyData, Reason: keys.ReasonLength}}
	}
	if h.rand.IntN(8) == 0 {
		d.Withdrawals = h.someIDs()
	}
	h.deliver(d)
}

// someIDs returns identities that are known, not known, or none.
func (h *history) someIDs() []ledger.UnitID {
	var list []ledger.UnitID
	for range 1 + h.rand.IntN(4) {
		if n := len(h.model.units); n > 0 && h.rand.IntN(4) > 0 {
			list = append(list, h.model.units[max(0, n-1-h.rand.IntN(20))].id)
			continue
		}
		k := h.someKey("p")
		list = append(list, ledger.IDOf(&k))
	}
	return list
}

func (h *history) stepWithdrawn() {
	h.deliver(ledger.Delivery{Source: pick(h.rand, historySources...), Withdrawals: h.someIDs()})
}

// deliver has a delivery accepted by both, and compares the receipts.
func (h *history) deliver(d ledger.Delivery) {
	h.note("%s", h.describe(&d))
	want := h.model.accept(&d, h.clock.Now())
	got, err := h.ledger.Accept(h.ctx, &d)
	if err != nil {
		h.fail("accepting gives the error %v", err)
	}
	plain := func(r *ledger.Receipt) ledger.Receipt {
		c := *r
		c.Rejected, c.OverQuota = nil, nil
		return c
	}
	sameOver := len(got.OverQuota) == len(want.OverQuota)
	for _, p := range want.OverQuota {
		sameOver = sameOver && slices.Contains(got.OverQuota, p)
	}
	if fmt.Sprint(plain(got)) != fmt.Sprint(plain(want)) || !sameSetAside(withoutDetail(got.Rejected), want.Rejected) || !sameOver {
		h.fail("the receipt is %+v\nwant %+v", *got, *want)
	}
}

func withoutDetail(list []ledger.SetAside) []ledger.SetAside {
	list = slices.Clone(list)
	for i := range list {
		list[i].Detail = ""
	}
	return list
}

func (h *history) describe(d *ledger.Delivery) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s brings", d.Source)
	for _, up := range d.Uploads {
		fmt.Fprintf(&b, " %s:", up.ID)
		for _, k := range up.Keys {
			fmt.Fprintf(&b, " %s/%s(%v %d+%d risk %v)", k.Origin, h.label(k.KeyData), k.ReportType, k.RollingStartIntervalNumber, k.RollingPeriod, k.TransmissionRiskLevel)
		}
	}
	if len(d.Withdrawals) > 0 {
		fmt.Fprintf(&b, " and withdraws %s", h.nameIDs(d.Withdrawals))
	}
	return b.String()
}

func (h *history) nameIDs(list []ledger.UnitID) string {
	var names []string
	for _, id := range list {
		names = append(names, id.Origin.String()+"/"+h.label(id.KeyData))
	}
	return strings.Join(names, " ")
}

func (h *history) stepCut() {
	opts := &ledger.ReleaseOptions{AllowGap: h.rand.IntN(3) > 0}
	h.pass(time.Duration(h.rand.IntN(150)) * time.Minute)
	if h.rand.IntN(4) == 0 { // on the very point of the grid
		h.clock.set(h.clock.Now().Truncate(h.model.policy.Grid))
	}
	now := h.clock.Now()
	t := now.Truncate(h.model.policy.Grid)
	if h.rand.IntN(10) == 0 {
		opts.At = t.Add(-h.model.policy.Grid)
		t = opts.At
	}
	last := h.model.last()
	switch {
	case last.Seq > 0 && !t.After(last.Time):
		h.note("cut of %s, which is made already", t.Format("15:04"))
		h.noCut(opts, nil)
	case h.tooFar(t) && !opts.AllowGap:
		h.note("cut of %s, too far ahead", t.Format("15:04"))
		h.noCut(opts, ledger.ErrTime)
	default:
		h.note("cut of %s", t.Format("15:04"))
		h.makeCut(opts, t)
	}
}

// tooFar reports whether a cut of that time wants to be allowed.
func (h *history) tooFar(t time.Time) bool {
	last := h.model.last()
	return last.Seq > 0 && t.Sub(last.Time) > 24*time.Hour
}

// makeCut makes a cut in both, and compares what it took and what reads now.
func (h *history) makeCut(opts *ledger.ReleaseOptions, t time.Time) {
	h.tb.Helper()
	got, err := h.ledger.Release(h.ctx, opts)
	if err != nil || got == nil {
		h.fail("the cut gives %+v and the error %v", got, err)
	}
	want := h.model.choose(t)
	plain := func(n, p, c, g int64, warnings int) string {
		return fmt.Sprintf("%d new, %d of them padded, %d changed, %d gone, %d warnings", n, p, c, g, warnings)
	}
	if g, w := plain(got.New, got.Padded, got.Changed, got.Gone, len(got.Warnings)), plain(want.new, want.padded, want.changed, want.gone, want.warnings); g != w {
		h.fail("the cut took %s; want %s\nwaiting: %+v\nwant waiting: %+v", g, w, got.Waiting, want.waiting)
	}
	if got.WaitedOut != want.waitedOut || got.ByOrder != want.byOrder {
		h.fail("too few withdrawals went together: %+v waited, %+v by order; want %+v and %+v", got.WaitedOut, got.ByOrder, want.waitedOut, want.byOrder)
	}
	if !slices.Equal(sortedWaiting(got.Waiting), sortedWaiting(want.waiting)) {
		h.fail("waiting are %+v\nwant %+v", got.Waiting, want.waiting)
	}
	cut := ledger.Cut{Seq: h.model.last().Seq + 1, Time: t, Policy: got.Cut.Policy}
	h.model.number(want, cut, h.echoes(want))
	h.compareLog()
	h.compareWindows(4)
}

func sortedWaiting(list []ledger.Waiting) (lines []string) {
	for _, w := range list {
		lines = append(lines, fmt.Sprintf("%+v %d %d", w.Group, w.Since.Unix(), w.Until.Unix()))
	}
	slices.Sort(lines)
	return lines
}

// echoes learns the padding that the ledger made, and fails unless it is what
// the model expects.
func (h *history) echoes(want *modelCut) []*modelUnit {
	h.tb.Helper()
	if len(want.echoes) == 0 {
		return nil
	}
	var padding []*modelUnit
	left := slices.Clone(want.echoes)
	for _, u := range h.read(int64(len(h.model.log)), h.end()) {
		if u.Key.Provenance != keys.Padding || h.model.find(u.ID()) != nil {
			continue
		}
		k := u.Key
		k.KeyData = keys.KeyData{}
		i := slices.Index(left, k)
		if i < 0 || len(u.Events) != 1 {
			h.fail("padding that no real key has an echo like:%s", h.show(u))
		}
		left = slices.Delete(left, i, i+1)
		whole := h.unit(u.Key)
		padding = append(padding, &modelUnit{id: u.ID(), voice: ledger.Own, says: u.Key, accepted: u.Accepted, due: u.Due, upload: u.Upload, claims: whole.Claims})
	}
	if len(left) > 0 {
		h.fail("%d echoes are missing", len(left))
	}
	return padding
}
