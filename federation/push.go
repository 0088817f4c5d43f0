package federation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A Push sends to one federation server what the log says.
type Push struct {
	ledger   *ledger.Ledger
	name     ledger.Source
	uploader Uploader
	rules    recordedRules
	opts     PushOptions
}

// PushOptions are limits of a [Push]. The zero value suits the servers known.
type PushOptions struct {
	// FromBeginning has a new instance send what the ledger released before it was
	// made. Otherwise it begins with the last cut.
	FromBeginning bool

	MaxBatch   int           // keys in a batch, at most 5000; 0 is 1000
	MaxBatches int           // batches in a run; 0 is 10,000
	Budget     time.Duration // after which a run begins no batch; 0 is 10 min

	// MaxRange is how many numbers of the log a range has, if a cut does not have
	// more; 0 is 200,000. A run holds the keys of one range in memory.
	MaxRange int64
}

// maxBatch is the most keys that a batch may have. The European gateway takes
// 5,000.
const maxBatch = 5000

func (o *PushOptions) setDefaults() {
	o.MaxBatch = cmp.Or(o.MaxBatch, 1000)
	o.MaxBatches = cmp.Or(o.MaxBatches, 10_000)
	o.Budget = cmp.Or(o.Budget, 10*time.Minute)
	o.MaxRange = cmp.Or(o.MaxRange, 200_000)
}

func (o *PushOptions) check() error {
	switch {
	case o.MaxBatch < 1 || o.MaxBatch > maxBatch:
		return fmt.Errorf("PushOptions.MaxBatch: %d, want 1 to %d", o.MaxBatch, maxBatch)
	case o.MaxBatches < 1:
		return fmt.Errorf("PushOptions.MaxBatches: %d, want at least 1", o.MaxBatches)
	case o.Budget < 0:
		return fmt.Errorf("PushOptions.Budget: %s is negative", o.Budget)
	case o.MaxRange < 1:
		return fmt.Errorf("PushOptions.MaxRange: %d, want at least 1", o.MaxRange)
	}
	return nil
}

// NewPush returns the push of an instance: name is the source under which what the
// same server brings is kept, and which it is spared. The error names the field.
func NewPush(l *ledger.Ledger, name ledger.Source, u Uploader, rules Rules, opts *PushOptions) (*Push, error) {
	p := &Push{ledger: l, name: name, uploader: u, rules: recordedRules{Rules: rules, Carries: u.Origins()}}
	if opts != nil {
		p.opts = *opts
	}
	p.opts.setDefaults()
	for _, err := range []error{checkName(name), rules.check(), p.opts.check(), checkPadding(l, &rules)} {
		if err != nil {
			return nil, fmt.Errorf("federation: instance %s: %w", name, err)
		}
	}
	if p.rules.Carries.IsEmpty() {
		return nil, fmt.Errorf("federation: instance %s: the client has credentials for no origin", name)
	}
	return p, nil
}

// checkName returns an error if name is not that of a federation server.
func checkName(name ledger.Source) error {
	if name == ledger.Own || name == ledger.Operator {
		return fmt.Errorf("%q is not the name of a server", name)
	}
	return name.Check()
}

// checkPadding refuses to send abroad what would unmask padding at home.
func checkPadding(l *ledger.Ledger, r *Rules) error {
	if p, _ := l.Policy(); p.Padding.Echoes > 0 && !p.Padding.AlongsideExport && r.Sources.Has(ledger.Own) {
		return errors.New("the ledger pads keys that this would export, so that whoever gets them could tell which are padding (Policy.Padding.AlongsideExport)")
	}
	return nil
}

// Run sends all that is due: first what is left of ranges recorded before, then
// what the log has beyond them. It may be called again at any time. Whatever it
// has not sent when it ends, by an error, a limit or a crash, the next run sends
// under the same tags. The report says in each case what was done; it is never
// nil. The error is of a class of this package's, or of the ledger.
func (p *Push) Run(ctx context.Context) (*PushReport, error) {
	r := &pushing{Push: p, report: &PushReport{Instance: p.name, LeftOut: map[string]int{}}}
	err := r.run(ctx)
	if isConflict(err) {
		err = fmt.Errorf("%w (%w)", ErrOvertaken, err)
	}
	if err != nil {
		err = fmt.Errorf("federation: push to %s: %w", p.name, err)
	}
	return r.report, err
}

// pushing is one run of a [Push].
type pushing struct {
	*Push
	state  *pushState
	log    *ledger.Log
	until  time.Time // when the budget is spent, by this machine's clock
	report *PushReport

	refusedBefore map[keys.Region]int // of the report, when the range was begun that is sent now
}

func (r *pushing) run(ctx context.Context) error {
	r.until = time.Now().Add(r.opts.Budget)
	if err := r.look(ctx); err != nil {
		return err
	}
	if err := r.moveFloor(ctx); err != nil { // also where nothing can be sent
		return err
	}
	for _, g := range r.state.ranges {
		if err := r.carryOut(ctx, g); err != nil {
			return err
		}
	}
	for !r.spent() {
		g, err := r.record(ctx)
		if err != nil {
			return err
		}
		if g == nil {
			break
		}
		if err := r.carryOut(ctx, g); err != nil {
			return err
		}
	}
	return r.settle(ctx)
}

// look reads the registers, then the log, and sees to it that the ledger is the
// one that was followed so far.
func (r *pushing) look(ctx context.Context) error {
	var err error
	if r.state, err = readPushState(ctx, r.ledger, r.name); err != nil {
		return err
	}
	if r.log, err = r.ledger.Log(ctx, r.state.Position.Cut); err != nil {
		return err
	}
	r.report.Time = r.log.Now
	if r.state.version == 0 {
		return r.begin(ctx)
	}
	return r.ledger.Check(ctx, r.state.Position)
}

// begin records where an instance begins, and from where on the ledger must keep
// what it is to send.
func (r *pushing) begin(ctx context.Context) error {
	if !r.opts.FromBeginning {
		r.state.Position = r.log.Last.Position()
	}
	state, err := r.state.swap(r.name)
	if err != nil {
		return err
	}
	floor := ledger.Floor{Number: r.state.Position.Number, Time: r.log.Now}
	swaps := []ledger.Swap{state, {Name: pushFloor(r.name), Version: r.state.floored.Version, Value: floor.Value()}}
	if err := r.ledger.Swap(ctx, ledger.NewNonce(), swaps...); err != nil {
		return err
	}
	r.state, err = readPushState(ctx, r.ledger, r.name)
	return err
}

// spent reports whether the run is to begin nothing more.
func (r *pushing) spent() bool {
	spent := r.report.RetryAfter > 0 || r.report.Batches >= r.opts.MaxBatches || !time.Now().Before(r.until)
	r.report.More = r.report.More || spent
	return spent
}

// record records the next range that says anything, in one step with the place
// that is reached by it, and returns it: nil if the log has none.
func (r *pushing) record(ctx context.Context) (*pushRange, error) {
	for {
		to := r.nextCut()
		if to.Seq == 0 {
			return nil, nil
		}
		g := &pushRange{From: r.state.Position, To: to.Position(), Time: to.Time, Size: r.opts.MaxBatch, Rules: r.rules}
		if err := r.fill(ctx, g); err != nil {
			return nil, err
		}
		r.state.Position = g.To
		if err := r.storeNew(ctx, g); err != nil {
			return nil, err
		}
		if !g.empty() {
			return g, nil
		}
		r.state.ranges = r.state.ranges[:len(r.state.ranges)-1]
	}
}

// nextCut returns the cut that the next range ends with: as many whole cuts as
// make up a range, one at least. Cuts that the ledger has pruned, those it may
// prune, and others are ranges apart: what is still there is sent. It is zero if
// there is none.
func (r *pushing) nextCut() ledger.Cut {
	var last ledger.Cut
	for _, c := range r.log.Cuts {
		if c.Seq <= r.state.Position.Cut {
			continue
		}
		if last.Seq != 0 && (c.Last-r.state.Position.Number > r.opts.MaxRange || r.kept(c) != r.kept(last)) {
			break
		}
		last = c
	}
	return last
}

// A keeping says whether the ledger has what a cut numbered.
type keeping uint8

const (
	keptForUs keeping = iota
	keptStill         // and may prune it at any time
	pruned
)

func (r *pushing) kept(c ledger.Cut) keeping {
	switch {
	case c.Pruned:
		return pruned
	case c.Time.Before(r.old(0)):
		return keptStill
	}
	return keptForUs
}

// old returns the time of the cuts that are as old as the prune age, and some more.
// It goes by the last cut, since a clock that jumps ahead makes none.
func (r *pushing) old(more time.Duration) time.Time {
	policy, _ := r.ledger.Policy()
	return r.log.Last.Time.Add(-policy.PruneAge - more)
}

// fill counts what a new range says, as the last one. What the ledger no longer
// has is given up.
func (r *pushing) fill(ctx context.Context, g *pushRange) error {
	r.state.ranges = append(r.state.ranges, g)
	c, err := r.contentOf(ctx, g)
	if errors.Is(err, ledger.ErrPruned) {
		return r.giveUp(ctx, g)
	}
	if err != nil {
		return err
	}
	g.Total, g.Withdrawals = len(c.keys), c.withdrawals
	r.report.leftOut(c)
	return nil
}

// giveUp gives up a new range, up to the last cut of it that lost anything. That
// may have happened since the log was read.
func (r *pushing) giveUp(ctx context.Context, g *pushRange) (err error) {
	if r.log, err = r.ledger.Log(ctx, g.From.Cut); err != nil {
		return err
	}
	to := g.To.Cut
	for _, cut := range r.log.Cuts {
		if cut.Pruned && cut.Seq <= to {
			g.To, g.Time, g.Expired = cut.Position(), cut.Time, r.log.Now
		}
	}
	if g.Expired.IsZero() {
		return fmt.Errorf("%w, and no cut up to %d says so", ledger.ErrPruned, to)
	}
	r.report.expired(g)
	return nil
}

// storeNew records a new range with the place that is reached by it.
func (r *pushing) storeNew(ctx context.Context, g *pushRange) error {
	state, err := r.state.swap(r.name)
	if err != nil {
		return err
	}
	g.register = rangeRegister(r.name, g.To.Cut)
	if g.empty() {
		return r.swap(ctx, state)
	}
	record, err := g.swap()
	if err != nil {
		return err
	}
	return r.swap(ctx, state, record)
}

// swap stores registers, and reads back under which versions. Another run may have
// changed them since; then this one ends.
func (r *pushing) swap(ctx context.Context, swaps ...ledger.Swap) error {
	nonce := ledger.NewNonce()
	if err := r.ledger.Swap(ctx, nonce, swaps...); err != nil {
		return err
	}
	for _, s := range swaps {
		found, err := r.ledger.Registers(ctx, s.Name)
		if err != nil {
			return err
		}
		if len(found) == 0 || found[0].Name != s.Name || found[0].Nonce != nonce {
			return ErrOvertaken
		}
		r.state.setVersion(s.Name, r.name, found[0].Version)
	}
	return nil
}

// settle forgets ranges whose keys are all gone, and moves the floor.
func (r *pushing) settle(ctx context.Context) error {
	if swaps := r.state.forget(r.old(24 * time.Hour)); len(swaps) > 0 {
		if err := r.ledger.Swap(ctx, ledger.NewNonce(), swaps...); err != nil {
			return err
		}
	}
	return r.moveFloor(ctx)
}

// moveFloor moves the floor, below which the ledger may prune, to what is still to
// be sent.
func (r *pushing) moveFloor(ctx context.Context) error {
	floor := r.state.floor(r.log, r.old(0))
	if !r.state.moves(floor) {
		return nil
	}
	swap := ledger.Swap{Name: pushFloor(r.name), Version: r.state.floored.Version, Value: floor.Value()}
	r.state.floored.Value = swap.Value
	return r.swap(ctx, swap)
}

// carryOut sends what is left of a range.
func (r *pushing) carryOut(ctx context.Context, g *pushRange) error {
	if g.done() || r.spent() {
		return nil
	}
	c, err := r.contentOf(ctx, g)
	if errors.Is(err, ledger.ErrPruned) {
		g.Expired = r.log.Now
		r.report.expired(g)
		return r.store(ctx, g)
	}
	if err != nil {
		return err
	}
	if len(c.keys) != g.Total {
		return fmt.Errorf("the range up to cut %d has %d keys and was recorded with %d", g.To.Cut, len(c.keys), g.Total)
	}
	r.refusedBefore = maps.Clone(r.report.Refused)
	for !g.done() {
		if r.spent() {
			return nil
		}
		if err := r.send(ctx, g, c); err != nil {
			return err
		}
	}
	r.report.completed(g)
	return nil
}

// send sends the next part of a range, and records what came of it: it is done, or
// is to be smaller, or two of half its size.
func (r *pushing) send(ctx context.Context, g *pushRange, c *content) error {
	p := g.next()
	batch, at := r.batch(g, p, c)
	if len(batch.Keys) == 0 { // each was known or refused
		g.sent()
		return r.store(ctx, g)
	}
	r.report.Batches++
	answer, err := r.uploader.Upload(ctx, batch)
	if d, ok := RetryAfter(err); ok {
		r.report.RetryAfter = d
	}
	switch {
	case errors.Is(err, ErrRefused) && len(batch.Keys) > 1:
		g.halve()
	case errors.Is(err, ErrRefused):
		if err := r.refuse(ctx, g, c, at[0]); err != nil {
			return err
		}
		g.sent()
	case err != nil:
		return err
	case answer.stored():
		g.sent()
		r.report.sent(batch, answer)
	default:
		if err := r.drop(ctx, g, c, at, answer); err != nil {
			return err
		}
	}
	return r.store(ctx, g)
}

// batch returns what a part says, and the places of its keys in the range.
func (r *pushing) batch(g *pushRange, p *part, c *content) (*Batch, []int) {
	b := &Batch{Time: g.Time}
	var at []int
	for n := p.First; n < p.First+p.Keys; n++ {
		if p.drops(n) {
			continue
		}
		b.Keys = append(b.Keys, c.keys[n])
		at = append(at, n)
	}
	b.Tag = r.tag(g, p, b.Keys)
	return b, at
}

// drop takes out of the next part what the server has already, and what it will
// never take.
func (r *pushing) drop(ctx context.Context, g *pushRange, c *content, at []int, a *Answer) error {
	for _, i := range slices.Concat(a.Known, a.Refused) {
		if i < 0 || i >= len(at) {
			return fmt.Errorf("%w: the answer speaks of key %d of %d", ErrUnavailable, i, len(at))
		}
	}
	for _, i := range a.Known {
		g.drop(at[i])
		r.report.Known++
	}
	for _, i := range a.Refused {
		if err := r.refuse(ctx, g, c, at[i]); err != nil {
			return err
		}
	}
	return nil
}

// refuse sets a key aside that the server will never take.
func (r *pushing) refuse(ctx context.Context, g *pushRange, c *content, n int) error {
	if len(g.Refused) >= maxRefused {
		return r.tooManyRefused(ctx, g)
	}
	k := &c.keys[n]
	g.drop(n)
	g.Refused = append(g.Refused, hashOf(r.ledger.Identity(), ledger.IDOf(k)))
	r.report.refused(k)
	return nil
}

// tooManyRefused ends a run in which a server refuses key after key.
func (r *pushing) tooManyRefused(ctx context.Context, g *pushRange) error {
	if g.untaken() {
		return r.takeBack(ctx, g)
	}
	return fmt.Errorf("%w: %d keys of one range, one by one: this is about more than keys, and nothing more is sent until it is mended", ErrRefused, len(g.Refused))
}

// takeBack takes back the record of a range of which the server has taken nothing, and
// ends the run. It cannot be told whether that is about its keys, or about all there
// are: to an upload that is signed by a certificate that it does not know, the European
// gateway says what it says to a key that is too old. The next run sends them again,
// with what the log has by then. If it takes any of that, those that it refuses were to
// blame.
func (r *pushing) takeBack(ctx context.Context, g *pushRange) error {
	r.state.Position, r.report.Refused = g.From, r.refusedBefore
	r.report.RetryAfter = max(r.report.RetryAfter, untakenPause)
	state, err := r.state.swap(r.name)
	if err != nil {
		return err
	}
	if err := r.ledger.Swap(ctx, ledger.NewNonce(), state, ledger.Swap{Name: g.register, Version: g.version, Delete: true}); err != nil {
		return err
	}
	return fmt.Errorf("%w: each of %d keys, and it has taken no other of this range: this may be about more than keys, and all are sent again", ErrRefused, len(g.Refused))
}

// untakenPause is for how long a server is left alone that takes nothing: to find out
// that it does not takes a request for every key.
const untakenPause = 15 * time.Minute

// store stores what a range is now.
func (r *pushing) store(ctx context.Context, g *pushRange) error {
	if g.done() && g.untaken() {
		return r.takeBack(ctx, g)
	}
	if g.done() && g.Completed.IsZero() && g.Expired.IsZero() {
		g.Completed = r.log.Now
	}
	s, err := g.swap()
	if err != nil {
		return err
	}
	return r.swap(ctx, s)
}

// content is what a range says, in canonical order.
type content struct {
	keys        []keys.DiagnosisKey
	withdrawals int // among them

	leftOut map[string]int // by reason
	untold  map[string]int // withdrawals that the partner does not take, by reason
	again   int            // reinstatements, of which no partner is told
}

// contentOf returns what a range says.
func (r *pushing) contentOf(ctx context.Context, g *pushRange) (*content, error) {
	v := r.state.view(r.name)
	i := slices.Index(r.state.ranges, g)
	refused := r.state.refused()
	c := &content{leftOut: map[string]int{}, untold: map[string]int{}}
	enter := func(u *ledger.Unit) {
		what, e, why := v.tells(i, u)
		switch what, why = v.delivers(i, u, what, e, why, &g.Rules, refused.of(r.ledger.Identity(), u)); what {
		case leftOut:
			c.leftOut[why]++
		case untold:
			c.untold[why]++
		case reinstatement:
			c.again++
		case aKey, withdrawal:
			if what == withdrawal {
				c.withdrawals++
			}
			if what == withdrawal && e.Own == ledger.Active {
				c.again++ // withdrawn and reinstated
			}
			c.keys = append(c.keys, said(what, u, e, &g.Rules.Defaults))
		}
	}
	for u, err := range r.ledger.Read(ctx, g.From.Number, g.To.Number) {
		if err != nil {
			return nil, err
		}
		enter(u)
		for s := range u.Siblings {
			enter(&u.Siblings[s])
		}
	}
	sortKeys(c.keys)
	return c, nil
}
