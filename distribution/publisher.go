package distribution

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A Publisher keeps a bucket in step with a ledger, in one layout. Several may
// run at once, in whatever process, over the same ledger and bucket: each joins
// by carrying out what any of them has committed to.
type Publisher struct {
	ledger   *ledger.Ledger
	bucket   storage.Bucket
	layout   Layout
	packages []Package
	ring     *signing.Ring
	trusted  *signing.TrustList
	maps     map[string]*PublicationMap
	opts     Options
}

// Options of a [Publisher]. The zero value is what the seed document names.
type Options struct {
	// Output names what is published where: a layout in a bucket. Plans are
	// kept under it, so it must stay the same from run to run and differ from
	// every other output of the ledger. Empty is the layout's name.
	Output string

	// Trusted are public keys beside those of the signers whose archives are
	// taken for ours: keys of former signers.
	Trusted []signing.PublicKey

	// Maps are publication maps that packages had before, and by which what
	// they showed is still revised. Those of this package need not be named:
	// [Identity], [NHS], [Revocable] of both, and [CWA].
	Maps []PublicationMap

	Parallel int           // objects written at the same time, beside reading the ledger; 0 is 4, 1 does one thing at a time
	Tries    int           // attempts at each operation of the bucket; 0 is 3
	Pause    time.Duration // before the second attempt, doubled before every other; 0 is 2 s
	Deadline time.Duration // after which a run writes nothing; 0 is 15 min

	// Budget is how many objects may fail in a run before it stops at once.
	// Within it the others are written, and indexes stop before what is
	// missing. 0 is 5, less than 0 is none.
	Budget int

	// MaxAge is how long what is published may be kept in caches; 0 is 300 s.
	MaxAge time.Duration

	// Invalidator, if there is one, has a cache before the bucket forget what a run
	// replaced, such as indexes. A run whose cache cannot be told has a warning, and
	// the next one tries again.
	Invalidator Invalidator

	// PublicRead gives every object an ACL by which everybody may read it.
	PublicRead bool

	// Staging, if there is one, has every archive and index written to it first.
	Staging storage.Bucket

	// MaxKeys and MaxBytes limit a file, where the layout can name parts; 0 is
	// 750,000 keys and 15 MiB. Phones take 16 MB.
	MaxKeys  int
	MaxBytes int64

	Logger   *slog.Logger   // of failures, with the object's name; nil is none
	Progress func(Progress) // called now and then while objects are written; one call at a time
}

// Progress is how far a run has come with its objects.
type Progress struct {
	Done, Total int
	Object      string // that was just written
}

// New returns a publisher of the given packages. It checks everything that can
// be wrong without asking the bucket; the error names the field.
func New(l *ledger.Ledger, b storage.Bucket, layout Layout, packages []Package, ring *signing.Ring, opts *Options) (*Publisher, error) {
	p := &Publisher{ledger: l, bucket: b, layout: layout, packages: packages, ring: ring}
	if opts != nil {
		p.opts = *opts
	}
	p.opts.setDefaults(layout)
	if err := p.opts.check(); err != nil {
		return nil, err
	}
	policy, _ := l.Policy()
	if err := checkLayout(layout, &policy); err != nil {
		return nil, err
	}
	if err := p.checkRoom(&policy); err != nil {
		return nil, err
	}
	if err := p.checkPackages(); err != nil {
		return nil, err
	}
	if _, open := openSpan(layout); open {
		if _, ok := b.(storage.Replacer); !ok {
			return nil, fmt.Errorf("distribution: layout %s has an open file, which the bucket cannot replace on a condition: %w", layout.Name(), errors.ErrUnsupported)
		}
	}
	var err error
	p.trusted, err = signing.NewTrustList(append(ring.PublicKeys(), p.opts.Trusted...)...)
	return p, err
}

func (o *Options) setDefaults(l Layout) {
	o.Output = cmp.Or(o.Output, l.Name())
	o.Parallel = cmp.Or(o.Parallel, 4)
	o.Tries = cmp.Or(o.Tries, 3)
	o.Pause = cmp.Or(o.Pause, 2*time.Second)
	o.Deadline = cmp.Or(o.Deadline, 15*time.Minute)
	o.Budget = cmp.Or(o.Budget, 5)
	o.MaxAge = cmp.Or(o.MaxAge, 300*time.Second)
	o.MaxKeys = cmp.Or(o.MaxKeys, export.MaxKeys)
	o.MaxBytes = cmp.Or(o.MaxBytes, 15<<20)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	o.Budget = max(o.Budget, 0)
}

// canName reports whether an archive of a package has a name.
func canName(l Layout, pkg *Package) bool {
	f := File{Package: pkg.Name, Span: base(l).Name, Window: windowAt(l, base(l), time.Unix(0, 0)), Parts: 1}
	parsed, ok := l.Parse(l.Object(f))
	return ok && parsed == f
}

var outputName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,39}$`)

func (o *Options) check() error {
	switch {
	case !outputName.MatchString(o.Output):
		return fmt.Errorf("distribution: Options.Output %q: want 1 to 40 of a-z, 0-9, '.', '_', '-'", o.Output)
	case o.Parallel < 0:
		return fmt.Errorf("distribution: Options.Parallel: %d is negative", o.Parallel)
	case o.Tries < 0:
		return fmt.Errorf("distribution: Options.Tries: %d is negative", o.Tries)
	case o.Pause < 0:
		return fmt.Errorf("distribution: Options.Pause: %s is negative", o.Pause)
	case o.Deadline < 0:
		return fmt.Errorf("distribution: Options.Deadline: %s is negative", o.Deadline)
	case o.MaxAge < 0:
		return fmt.Errorf("distribution: Options.MaxAge: %s is negative", o.MaxAge)
	case o.MaxKeys < 0 || o.MaxKeys > export.MaxKeys:
		return fmt.Errorf("distribution: Options.MaxKeys: %d, want 1 to %d", o.MaxKeys, export.MaxKeys)
	case o.MaxBytes < 0:
		return fmt.Errorf("distribution: Options.MaxBytes: %d is negative", o.MaxBytes)
	}
	return nil
}

// checkRoom sees to it that no window of a layout that cannot name parts can
// hold more keys than phones take in one file.
func (p *Publisher) checkRoom(policy *ledger.Policy) error {
	if _, ok := p.layout.(Encoder); ok {
		return nil // phones do not read its files
	}
	for _, s := range p.layout.Spans() {
		if !s.Parts && policy.MaxDay > p.opts.MaxKeys {
			return fmt.Errorf("distribution: layout %s has one file for a whole %s and Policy.MaxDay lets a day have %d keys, more than %d",
				p.layout.Name(), s.Name, policy.MaxDay, p.opts.MaxKeys)
		}
	}
	return nil
}

func (p *Publisher) checkPackages() error {
	if len(p.packages) == 0 {
		return errors.New("distribution: no packages")
	}
	p.maps = map[string]*PublicationMap{}
	for _, m := range p.opts.Maps {
		p.maps[m.Name] = &m
	}
	seen := map[string]bool{}
	for i := range p.packages {
		pkg := &p.packages[i]
		if err := pkg.check(); err != nil {
			return err
		}
		if seen[pkg.Name] {
			return fmt.Errorf("distribution: two packages are named %s", pkg.Name)
		}
		seen[pkg.Name] = true
		if _, encoder := p.layout.(Encoder); !encoder && !canName(p.layout, pkg) {
			return fmt.Errorf("distribution: layout %s has no names for a package %s", p.layout.Name(), pkg.Name)
		}
		p.maps[pkg.Map.Name] = &pkg.Map
	}
	for _, m := range readyMade() {
		if _, ok := p.maps[m.Name]; !ok {
			p.maps[m.Name] = &m
		}
	}
	return nil
}

// Run does all that is due: it plans, writes archives, then indexes, and deletes
// what has been out of the indexes for long enough. It may be called again at
// any time; with nothing new it changes nothing.
//
// The error is nil if all was done. It satisfies errors.Is(err, [ErrIncomplete])
// if some objects failed or are in conflict, and the rest was done; then the
// next run tries again. Any other error stopped the run. The report says in
// each case what was done; it is never nil.
func (p *Publisher) Run(ctx context.Context) (*Report, error) { return newRun(p).all(ctx) }

// Repair does what [Publisher.Run] does, and takes nothing for granted: it reads
// every file that it has published and that still has its time, also where the
// bucket lists it as it was written, and makes again what does not say what was
// planned, or lost the attributes that its layout looks at ([AttributeChecker]);
// indexes are written anew. A file of whose keys the ledger has forgotten
// some cannot be read for that any more, which is a warning. It reads as much as is
// published: it is for a bucket that is in doubt, not for every hour.
func (p *Publisher) Repair(ctx context.Context) (*Report, error) {
	r := newRun(p)
	r.doubt = true
	return r.all(ctx)
}

// all is a run from its beginning to its end.
func (r *run) all(ctx context.Context) (*Report, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.opts.Deadline, errDeadline)
	defer cancel()
	for _, step := range []func(context.Context) error{
		r.look,
		r.checkReplace,
		r.commit,
		r.carryOut,
		r.putOpenFiles,
		r.index,
		r.invalidate,
		r.retire,
		r.settleFloors,
	} {
		if err := step(ctx); err != nil {
			return r.report, cause(ctx, err)
		}
	}
	return r.report, r.report.err()
}

// Check returns an error if a run would be stopped by what it finds: if the
// bucket cannot be listed, or is another ledger's ([ErrForeign]), or the ledger
// is not the one that was published so far, or has gone back. It changes nothing.
// Run begins with the same; Check is for who has something to change before, such
// as to take in keys.
func (p *Publisher) Check(ctx context.Context) error { return newRun(p).look(ctx) }

// Due returns what the next run would plan and write, and changes nothing.
func (p *Publisher) Due(ctx context.Context) ([]Planned, error) {
	r := newRun(p)
	if err := r.look(ctx); err != nil {
		return nil, err
	}
	fresh, err := r.due(ctx)
	if err != nil {
		return nil, err
	}
	var planned []Planned
	for _, c := range append(r.undone(), fresh...) {
		if !c.done() {
			planned = append(planned, r.planned(c))
		}
	}
	return planned, nil
}

var (
	// ErrIncomplete: a run did what it could, and some objects are missing.
	ErrIncomplete = errors.New("distribution: not everything could be published")

	// ErrBudget: more objects failed than the budget allows, and the run
	// stopped at once.
	ErrBudget = errors.New("distribution: too many objects failed; stopped")

	// ErrForeign: the bucket holds archives of the layout that the ledger has
	// no plan for, or only such as differ from its plans. It is another ledger's
	// bucket, or the ledger has gone back.
	ErrForeign = errors.New("distribution: the bucket has archives that this ledger never planned")

	errDeadline = errors.New("distribution: the run's deadline has passed")
)

// cause returns why a run ended: the deadline or the caller, where err is only
// the consequence.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil && !errors.Is(err, c) {
		return fmt.Errorf("%w (%w)", c, err)
	}
	return err
}
