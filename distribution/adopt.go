package distribution

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// AdoptOptions say what the tree that is adopted does not.
type AdoptOptions struct {
	// Unknown is, by package, whose the keys of its archives are taken to be that
	// the ledger does not have. Where there is nothing for a package they are own
	// keys, with the origin that it is named after. What is unknown is federated to
	// nobody. Of a key of several packages, the one that comes first decides.
	Unknown map[string]Owner

	// Earlier are units of the ledger that were published in files which are gone
	// already, their time being over. They are released before the first file.
	Earlier []ledger.UnitID
}

// An Owner is whose a key is.
type Owner struct {
	Source ledger.Source
	Origin keys.Region
}

// An AdoptReport says what was found in a tree, and what of it was adopted.
type AdoptReport struct {
	Output string
	Time   time.Time // by the ledger's clock

	Already bool // it had been adopted, and nothing was changed

	Files   []Planned // that were adopted, by package, span and time
	Indexes []string  // likewise
	Keys    int       // different ones in the files
	Unknown int       // of them, that the ledger had nothing of
	Earlier int       // units that were published in files that are gone
	Cuts    int       // made for them
	Until   time.Time // of the last of these

	// Next is, by package, where the first window begins that the publisher makes.
	// Missing are windows before it that have no file and should have one: the first
	// run writes them, of what the ledger has.
	Next    map[string]time.Time
	Missing []Planned

	// Refused is why a tree is not adopted, object by object.
	Refused []Finding

	// Differences are files that stay as they are and of which the ledger says
	// otherwise, such as days that are not what their hours are together. Should one
	// be lost, it cannot be made again.
	Differences []Finding

	Warnings []string
}

var (
	// ErrNotAdopted: a tree cannot be adopted as it is; the report says why. Nothing
	// was changed.
	ErrNotAdopted = errors.New("distribution: the tree cannot be adopted")

	// ErrChanged: the tree changed while it was adopted: another system still
	// publishes in it. Stop that, and adopt again.
	ErrChanged = errors.New("distribution: the tree changes while it is adopted")
)

// Adopt takes over a tree that another system has published in the publisher's
// bucket and layout, so that the next run goes on where that left off. It reads
// every file once, records it as the completed plan of its window, and has its keys
// be released in the ledger, each by a cut of the time at which its window was over.
// The bucket is only read: no object is written or deleted, and none is written
// again later as long as it is as it was adopted.
//
// From then on the files are the publisher's: indexes list them, retention deletes
// them, and what is missing is made again if the ledger has the same content for it.
// As long as they have their time, keep the keys they are signed by in
// [Options.Trusted].
// A day that was begun by the other system is the sum of its hours and ours. The
// keys in them can be withdrawn like any others, and whoever brings one again brings
// a duplicate.
//
// The ledger should have what the other system knows of keys before (its table, its
// inbox, accepted as if it came today): a key in a file that the ledger has a unit
// for is that unit, with all that is known of it, and no longer waits. Of others no
// more is known than their archive says; see [AdoptOptions]. No cut may have been
// made after the end of the oldest file, so it is a new ledger. Until adoption is
// over, the ledger makes no other cut ([ledger.ErrAdopting]).
//
// A tree is adopted whole or not at all. [ErrNotAdopted] is the error, and
// [AdoptReport.Refused] names the objects, if an archive is not signed by a key that
// the publisher trusts ([Options.Trusted]), is not what its name says, cannot be read,
// has revised keys (of which only who wrote them knows what they were before), is of
// a package that the publisher does not have, or is named by an index and not there.
// What has a name that the layout does not know is left alone.
//
// Adopt may be called again after whatever happened to it, and by several processes;
// once it has returned nil, it finds nothing more to do. For a dry run adopt with a
// copy of the ledger, or a new one in memory; [Publisher.Due] then says what the next
// run would write.
func (p *Publisher) Adopt(ctx context.Context, opts *AdoptOptions) (*AdoptReport, error) {
	a := &adoption{run: newRun(p), found: &AdoptReport{Output: p.opts.Output, Next: map[string]time.Time{}}}
	if opts != nil {
		a.options = *opts
	}
	err := a.all(ctx)
	return a.found, err
}

// adoption is one call of [Publisher.Adopt].
type adoption struct {
	*run
	options AdoptOptions
	found   *AdoptReport

	tree  *foreignTree
	at    map[keys.KeyData]time.Time // when each key was published first
	whose map[keys.KeyData]*publishedKey
}

func (a *adoption) all(ctx context.Context) error {
	if _, encoder := a.layout.(Encoder); encoder {
		return fmt.Errorf("distribution: layout %s: %w: only archives can be adopted", a.layout.Name(), errors.ErrUnsupported)
	}
	if done, err := a.survey(ctx); done || err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		a.read,
		a.unchanged,
		a.date,
		a.fillLedger,
		a.plan,
		a.unchanged,
		a.commit,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// survey looks at bucket and ledger. It reports whether there is nothing to do.
func (a *adoption) survey(ctx context.Context) (done bool, err error) {
	if a.listed, err = a.list(ctx); err != nil {
		return false, err
	}
	if a.state, err = a.readState(ctx); err != nil {
		return false, err
	}
	if a.log, err = a.ledger.Log(ctx, 0); err != nil {
		return false, err
	}
	a.now = a.log.Now
	a.found.Time = a.now
	if len(a.state.packages) == 0 {
		return false, nil
	}
	if err := a.checkHistory(ctx); err != nil {
		return false, err
	}
	a.found.Already = true
	for _, c := range a.state.plans {
		if c.Adopted != "" {
			a.found.Files = append(a.found.Files, a.planned(c))
		}
	}
	return true, a.checkForeign(ctx)
}

// refuse notes why the tree cannot be adopted.
func (a *adoption) refuse(object, format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.found.Refused = append(a.found.Refused, Finding{object, fmt.Sprintf(format, args...)})
}

// refused returns [ErrNotAdopted] if something was refused.
func (a *adoption) refused() error {
	n := len(a.found.Refused)
	if n == 0 {
		return nil
	}
	slices.SortFunc(a.found.Refused, func(x, y Finding) int { return strings.Compare(x.String(), y.String()) })
	return fmt.Errorf("%w: %s, and %d more", ErrNotAdopted, a.found.Refused[0], n-1)
}

// unchanged returns [ErrChanged] if an object is another than the one that was read.
func (a *adoption) unchanged(ctx context.Context) error {
	listed, err := a.list(ctx)
	if err != nil {
		return err
	}
	for name, was := range a.listed {
		if is, ok := listed[name]; a.concerns(name) && (!ok || is.ETag != was.ETag || is.Size != was.Size) {
			return fmt.Errorf("%w: %s", ErrChanged, name)
		}
	}
	for name := range listed {
		if _, was := a.listed[name]; a.concerns(name) && !was {
			return fmt.Errorf("%w: %s", ErrChanged, name)
		}
	}
	return nil
}

// concerns reports whether an object is one of those that are adopted.
func (a *adoption) concerns(name string) bool {
	f, ok := a.layout.Parse(name)
	_, index := a.tree.indexes[name]
	return index || ok && a.pkg(f.Package) != nil
}

// String returns the report, for people.
func (r *AdoptReport) String() string {
	var b strings.Builder
	verb := "adopted"
	switch {
	case r.Already:
		verb = "had been adopted before, with"
	case len(r.Refused) > 0:
		verb = "NOT adopted, of"
	}
	fmt.Fprintf(&b, "%s at %s: %s %d files, %d indexes\n", r.Output, r.Time.UTC().Format(time.RFC3339), verb, len(r.Files), len(r.Indexes))
	if !r.Already && len(r.Refused) == 0 {
		fmt.Fprintf(&b, "keys published: %d, of which the ledger had nothing: %d; in files that are gone: %d\n", r.Keys, r.Unknown, r.Earlier)
		fmt.Fprintf(&b, "cuts made: %d, up to %s\n", r.Cuts, r.Until.UTC().Format(time.RFC3339))
	}
	for _, pkg := range sortedKeys(r.Next) {
		fmt.Fprintf(&b, "%s: goes on at %s\n", pkg, r.Next[pkg].UTC().Format(time.RFC3339))
	}
	for _, p := range r.Missing {
		fmt.Fprintf(&b, "missing, and made by the first run: %s %s %s: %d keys\n", p.Package, p.Span, p.Window, p.Keys)
	}
	list(&b, "refused", r.Refused)
	list(&b, "differs", r.Differences)
	list(&b, "warning", r.Warnings)
	return b.String()
}
