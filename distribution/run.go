package distribution

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
)

// run is one call of [Publisher.Run].
type run struct {
	*Publisher
	now    time.Time // by the ledger's clock, at the start
	log    *ledger.Log
	listed map[string]storage.Attributes // the bucket, before the registers were read
	state  *outputState
	nonce  string // tells the run from others
	doubt  bool   // what is listed as it was written may be something else

	kept keeping // for plans that this run has committed

	staleMu  sync.Mutex // guards replaced
	replaced []staleObject

	mu      sync.Mutex // guards what follows
	report  *Report
	stopped map[string]bool // packages that met a conflict
	lost    map[string]bool // objects that are missing, and cannot be made again
	failed  int
}

// outputState is what the ledger remembers of an output.
type outputState struct {
	packages map[string]*packageEntry
	plans    []*committed // by package, span and time
	indexes  map[string]*indexEntry
	open     map[string]*openEntry // by package
	floors   map[string]ledger.Register
}

type packageEntry struct {
	packageState
	version int64
}

func newRun(p *Publisher) *run {
	return &run{Publisher: p, report: &Report{Output: p.opts.Output}, stopped: map[string]bool{}, lost: map[string]bool{}, nonce: rand.Text()}
}

// warn notes what is odd. It may be called by several plans at once.
func (r *run) warn(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.warn(fmt.Sprintf(format, args...))
}

// look reads the bucket, then the registers, then the log, in this order: what
// is listed has been planned before, and what is planned was cut before.
func (r *run) look(ctx context.Context) error {
	var err error
	if r.listed, err = r.list(ctx); err != nil {
		return err
	}
	if r.state, err = r.readState(ctx); err != nil {
		return err
	}
	if r.log, err = r.ledger.Log(ctx, r.oldestCut()-1); err != nil {
		return err
	}
	r.now = r.log.Now
	r.report.Time = r.now
	if err := r.checkHistory(ctx); err != nil {
		return err
	}
	return r.checkForeign(ctx)
}

// list returns the objects of the layout by name.
func (r *run) list(ctx context.Context) (map[string]storage.Attributes, error) {
	var listed map[string]storage.Attributes
	err := r.retry(ctx, func() error {
		listed = map[string]storage.Attributes{}
		for a, err := range storage.List(ctx, r.bucket, r.layout.Prefix()) {
			if err != nil {
				return err
			}
			listed[a.Name] = a
		}
		return nil
	})
	return listed, err
}

// readState reads the registers of the output.
func (r *run) readState(ctx context.Context) (*outputState, error) {
	registers, err := r.ledger.Registers(ctx, r.register(""))
	if err != nil {
		return nil, err
	}
	s := &outputState{packages: map[string]*packageEntry{}, indexes: map[string]*indexEntry{}, open: map[string]*openEntry{}, floors: map[string]ledger.Register{}}
	for _, reg := range registers {
		kind, rest, _ := strings.Cut(strings.TrimPrefix(reg.Name, r.register("")), "/")
		if err := s.add(kind, rest, reg); err != nil {
			return nil, fmt.Errorf("distribution: register %s: %w", reg.Name, err)
		}
	}
	floors, err := r.ledger.Registers(ctx, r.floorRegister(""))
	if err != nil {
		return nil, err
	}
	for _, reg := range floors {
		s.floors[reg.Name] = reg
	}
	slices.SortFunc(s.plans, func(a, b *committed) int {
		return cmp.Or(cmp.Compare(a.pkg, b.pkg), cmp.Compare(a.Span, b.Span), a.Start.Compare(b.Start))
	})
	return s, nil
}

func (s *outputState) add(kind, rest string, reg ledger.Register) error {
	switch kind {
	case "package":
		e := &packageEntry{version: reg.Version}
		s.packages[rest] = e
		return json.Unmarshal(reg.Value, &e.packageState)
	case "plan":
		pkg, _, _ := strings.Cut(rest, "/")
		c := &committed{pkg: pkg, name: reg.Name, version: reg.Version}
		s.plans = append(s.plans, c)
		return json.Unmarshal(reg.Value, &c.plan)
	case "index":
		e := &indexEntry{name: rest, version: reg.Version}
		s.indexes[rest] = e
		return json.Unmarshal(reg.Value, &e.indexState)
	case "open":
		e := &openEntry{version: reg.Version}
		s.open[rest] = e
		return json.Unmarshal(reg.Value, &e.openState)
	case staleKind: // is read when it is needed
		return nil
	default:
		return errors.New("no such kind")
	}
}

// oldestCut returns the sequence number of the oldest cut that a package stands
// at.
func (r *run) oldestCut() int64 {
	var oldest int64
	for i := range r.packages {
		e := r.state.packages[r.packages[i].Name]
		if e == nil {
			return 0
		}
		if i == 0 || e.Position.Cut < oldest {
			oldest = e.Position.Cut
		}
	}
	return oldest
}

// checkHistory sees to it that the ledger is the one that was followed so far,
// and that what the packages went by is still known.
func (r *run) checkHistory(ctx context.Context) error {
	for i := range r.packages {
		e := r.state.packages[r.packages[i].Name]
		if e == nil {
			continue
		}
		if err := r.ledger.Check(ctx, e.Position); err != nil {
			return fmt.Errorf("distribution: package %s: %w", r.packages[i].Name, err)
		}
		for _, epoch := range e.Epochs {
			if _, ok := r.maps[epoch.Map]; !ok {
				return fmt.Errorf("distribution: package %s was published by a map %q that Options.Maps does not have", r.packages[i].Name, epoch.Map)
			}
		}
	}
	return r.checkWindows()
}

// checkWindows sees to it that what was planned are windows of the layout, and that
// the next ones will be. By another offset or other lengths no base windows would make
// up a roll-up any more, so that there would be no days, and names would stand for
// other windows than those they were given to.
func (r *run) checkWindows() error {
	check := func(pkg string, span Span, w Window) error {
		if want := windowAt(r.layout, span, w.Start); !want.Start.Equal(w.Start) || !want.End.Equal(w.End) {
			return fmt.Errorf("distribution: package %s was published by the %s %s, which layout %s does not have: its offset and lengths stay as they are; another takes an output, and names, of its own",
				pkg, span.Name, w, r.layout.Name())
		}
		return nil
	}
	for _, c := range r.state.plans {
		if span := r.span(c.Span); span.Length > 0 && !span.State && r.pkg(c.pkg) != nil {
			if err := check(c.pkg, span, c.window()); err != nil {
				return err
			}
		}
	}
	for i := range r.packages {
		e := r.state.packages[r.packages[i].Name]
		if e == nil || e.Next.IsZero() {
			continue
		}
		span := base(r.layout)
		if err := check(r.packages[i].Name, span, Window{e.Next, e.Next.Add(span.Length)}); err != nil {
			return err
		}
	}
	return nil
}

// undone returns the plans that are not carried out yet. Those of a package that
// is no longer configured wait until it is again.
func (r *run) undone() []*committed {
	var undone []*committed
	for _, c := range r.state.plans {
		if !c.done() && r.pkg(c.pkg) != nil {
			undone = append(undone, c)
		}
	}
	return undone
}
