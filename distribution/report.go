package distribution

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// A Planned is one window of a package, with what its files hold.
type Planned struct {
	Package string
	Span    string
	Window  Window
	Objects []string
	Keys    int // new ones
	Revised int
}

func (r *run) planned(c *committed) Planned {
	p := Planned{Package: c.pkg, Span: c.Span, Window: c.window()}
	p.Keys, p.Revised = c.keys()
	for _, f := range c.files() {
		p.Objects = append(p.Objects, r.layout.Object(f))
	}
	return p
}

// A Report says what a run did.
type Report struct {
	Output string
	Time   time.Time // by the ledger's clock

	Published []Planned // windows completed
	Written   int       // archives written; those found written already are not counted
	Bytes     int64     // of the archives written
	Indexes   []string  // written
	Open      []Planned // versions of open files written, each by the time that it covers
	Deleted   int

	Invalidated []string // objects that the cache was told of

	Repaired []string // completed before, missing, and written again

	Failed    []error                   // objects that failed
	Conflicts []error                   // archives that are there with another content
	Lost      []string                  // archives that are missing and whose keys the ledger no longer has
	Expired   []Planned                 // windows that the ledger no longer had the keys of
	LeftOut   map[string]map[string]int // keys left out of windows planned now, by package and reason
	Shared    map[string]int            // keys in them that several origins claim, by package
	Warnings  []string

	indexesStopped bool
}

// err returns the error of a run that was not stopped.
func (r *Report) err() error {
	failures := slices.Concat(r.Failed, r.Conflicts)
	for _, name := range r.Lost {
		failures = append(failures, fmt.Errorf("distribution: %s is missing, and its keys are no longer known", name))
	}
	if len(failures) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrIncomplete, errors.Join(failures...))
}

func (r *Report) published(p Planned, w *written) {
	r.Published = append(r.Published, p)
	r.put(w)
}

func (r *Report) repaired(w *written) {
	for _, o := range w.put {
		r.Repaired = append(r.Repaired, o.Name)
	}
	r.put(w)
}

func (r *Report) put(w *written) {
	for _, o := range w.put {
		r.Written++
		r.Bytes += o.Size
	}
}

func (r *Report) expired(p Planned)  { r.Expired = append(r.Expired, p) }
func (r *Report) failure(err error)  { r.Failed = append(r.Failed, err) }
func (r *Report) conflict(err error) { r.Conflicts = append(r.Conflicts, err) }
func (r *Report) warn(text string)   { r.Warnings = append(r.Warnings, text) }

// viewed counts what was noticed of the keys of one window.
func (r *Report) viewed(pkg string, v *viewer) {
	if v.shared > 0 {
		if r.Shared == nil {
			r.Shared = map[string]int{}
		}
		r.Shared[pkg] += v.shared
	}
	for reason, n := range v.leftOut {
		if r.LeftOut == nil {
			r.LeftOut = map[string]map[string]int{}
		}
		if r.LeftOut[pkg] == nil {
			r.LeftOut[pkg] = map[string]int{}
		}
		r.LeftOut[pkg][reason] += n
	}
}

// String returns the report as a table, for people.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s: %d windows completed, %d archives written (%d bytes), %d indexes, %d deleted\n",
		r.Output, r.Time.UTC().Format(time.RFC3339), len(r.Published), r.Written, r.Bytes, len(r.Indexes), r.Deleted)
	r.table(&b)
	for _, pkg := range slices.Sorted(maps.Keys(r.LeftOut)) {
		for _, reason := range slices.Sorted(maps.Keys(r.LeftOut[pkg])) {
			fmt.Fprintf(&b, "left out of %s: %d keys: %s\n", pkg, r.LeftOut[pkg][reason], reason)
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(r.Shared)) {
		fmt.Fprintf(&b, "in %s: %d keys that several origins claim\n", pkg, r.Shared[pkg])
	}
	for _, p := range r.Open {
		fmt.Fprintf(&b, "open: %s %s %s: %d keys, %d revised\n", p.Package, p.Span, p.Window, p.Keys, p.Revised)
	}
	if n := len(r.Invalidated); n > 0 {
		fmt.Fprintf(&b, "the cache was told of %d objects that were replaced\n", n)
	}
	list(&b, "repaired", r.Repaired)
	list(&b, "lost", r.Lost)
	for _, p := range r.Expired {
		fmt.Fprintf(&b, "expired: %s %s %s\n", p.Package, p.Span, p.Window)
	}
	list(&b, "failed", r.Failed)
	list(&b, "conflict", r.Conflicts)
	list(&b, "warning", r.Warnings)
	return b.String()
}

// table sums the windows up by package and span.
func (r *Report) table(b *strings.Builder) {
	type line struct{ windows, empty, keys, revised int }
	lines := map[string]*line{}
	for _, p := range r.Published {
		name := p.Package + "\t" + p.Span
		if lines[name] == nil {
			lines[name] = &line{}
		}
		l := lines[name]
		l.windows++
		l.keys += p.Keys
		l.revised += p.Revised
		if p.Keys+p.Revised == 0 {
			l.empty++
		}
	}
	if len(lines) == 0 {
		return
	}
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "package\tspan\twindows\tempty\tkeys\trevised\t")
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		l := lines[name]
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t\n", name, l.windows, l.empty, l.keys, l.revised)
	}
	w.Flush()
}

func list[T any](b *strings.Builder, what string, items []T) {
	for _, item := range items {
		fmt.Fprintf(b, "%s: %v\n", what, item)
	}
}

// progress tells the caller how far the archives have come.
type progress struct {
	mu    sync.Mutex
	tell  func(Progress)
	done  int
	total int
}

func newProgress(r *run, work []*committed) *progress {
	p := &progress{tell: r.opts.Progress}
	for _, c := range work {
		p.total += len(c.Parts)
	}
	return p
}

func (p *progress) step(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	if p.tell != nil {
		p.tell(Progress{Done: p.done, Total: p.total, Object: name})
	}
}
