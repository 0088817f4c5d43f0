package distribution

import (
	"context"
	"errors"
	"slices"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A Showing is what a package has said of a key, without the key. It may be printed
// and marshalled.
type Showing struct {
	Output  string `json:"output"`
	Package string `json:"package"`

	// Shown is set if the package shows the key, by the last window that is planned.
	Shown bool `json:"shown"`

	// Units are those of the key, one for each origin that claims it. One that the
	// key is shown by has no Absence.
	Units []UnitShowing `json:"units"`

	// Files are those that have the key, base windows before roll-ups, each in the
	// order of time. Of base windows all that ever had it are among them.
	Files []Said `json:"files,omitempty"`

	// Matched is set if phones that have read the files of all base windows warn of
	// the key; of which those of Files to be written count as read. Forgettable is
	// set if they would not any more, were it to be withdrawn; else Kept says why.
	Matched     bool    `json:"matched"`
	Forgettable bool    `json:"forgettable,omitempty"`
	Kept        Keeping `json:"kept,omitempty"`
}

// A UnitShowing says why a package shows a key by a unit, or does not.
type UnitShowing struct {
	Origin  keys.Region `json:"origin"`
	Absence Absence     `json:"absence,omitempty"`
}

// An Absence is why a package does not show a key: one of those below, what its
// publication map gives for a reason, or a field and reason of [keys.IntoArchive].
type Absence string

const (
	AbsentNotReleased   Absence = "not-released"   // see the ledger's account
	AbsentBeforePackage Absence = "before-package" // it was released before the package began
	AbsentSource        Absence = "source"         // none of its sources is selected
	AbsentRegion        Absence = "region"         // neither its origin nor where its owner was is selected
	AbsentDue           Absence = "due"            // its window is not closed, or not planned yet
	AbsentOvertaken     Absence = "overtaken"      // it was withdrawn before its window closed
	AbsentWithdrawn     Absence = "withdrawn"      // after it was shown
	AbsentExpired       Absence = "expired"        // its window was never written; see Report.Expired
	AbsentOtherOrigin   Absence = "other-origin"   // the key is shown, as another origin's
)

// A Said is what the files of one window say of a key.
type Said struct {
	Span       string                         `json:"span"`
	Window     Window                         `json:"window"`
	As         SaidAs                         `json:"as"`
	ReportType keys.Optional[keys.ReportType] `json:"reportType,omitzero"`
	State      FileState                      `json:"state"`

	// Objects is the file that has the key, or all of the window's if that cannot be
	// told any more, or if they are of several kinds (see [Encoder]).
	Objects []string `json:"objects,omitempty"`
}

// SaidAs is in which of a file's lists a key is.
type SaidAs string

const (
	SaidNew     SaidAs = "new"     // among the keys
	SaidRevised SaidAs = "revised" // among the revised keys
	SaidRevoked SaidAs = "revoked" // among the revised keys, as REVOKED
)

// FileState is what has become of the files of a window.
type FileState string

const (
	FilePlanned   FileState = "planned"   // and to be written
	FilePublished FileState = "published" // and in the bucket
	FileUnlisted  FileState = "unlisted"  // no index names it any more
	FileRemoved   FileState = "removed"   // its time was over
	FileNever     FileState = "never"     // it was not written: too old, or its keys were gone
)

// Showings says where a key has been shown, package by package: a family of the
// ledger's ([ledger.Ledger.Families]). It follows from the log and from what was
// planned, and asks the bucket nothing.
func (p *Publisher) Showings(ctx context.Context, family *ledger.Unit) ([]*Showing, error) {
	r := newRun(p)
	if err := r.readBooks(ctx); err != nil {
		return nil, err
	}
	var all []*Showing
	for _, s := range r.sinks() {
		showing, err := r.showing(ctx, s, family)
		if err != nil {
			return nil, err
		}
		all = append(all, showing)
	}
	return all, nil
}

func (r *run) showing(ctx context.Context, s *packageSink, family *ledger.Unit) (*Showing, error) {
	at := s.viewer.at(family, s.viewer.state.Position.Number, farFuture)
	showing := &Showing{Output: r.opts.Output, Package: s.pkg.Name, Shown: at.ok}
	showing.Units = s.units(family)
	var phone Phone
	for _, w := range s.windowsOf(family) {
		c := s.viewer.said(family, w.bounds(), w.window())
		if c == nil {
			continue
		}
		said, err := r.said(ctx, w, c, family.Key.KeyData)
		if err != nil {
			return nil, err
		}
		if showing.Files = append(showing.Files, said); said.State != FileNever {
			phone.Read(c)
		}
	}
	_, showing.Matched = phone.Matches(family.Key.KeyData)
	showing.Forgettable, showing.Kept = phone.CanForget(family.Key.KeyData)
	return showing, r.addRollUps(ctx, s, family, showing)
}

// addRollUps adds the files of longer windows, as far as they are kept. Those that say
// anew all that is shown are not among them.
func (r *run) addRollUps(ctx context.Context, s *packageSink, family *ledger.Unit, showing *Showing) error {
	for _, plan := range r.state.plans {
		if plan.pkg != s.pkg.Name || plan.Span == s.span.Name || r.span(plan.Span).State {
			continue
		}
		if c := s.viewer.said(family, plan.bounds(), plan.window()); c != nil {
			said, err := r.said(ctx, plan, c, family.Key.KeyData)
			if err != nil {
				return err
			}
			showing.Files = append(showing.Files, said)
		}
	}
	return nil
}

// said returns what the files over the given bounds say of a key, nil if nothing.
func (v *viewer) said(family *ledger.Unit, bounds []int64, w Window) *export.Content {
	v.leftOut = map[string]int{}
	k, as := v.says(family, bounds, w.End)
	if as == "" {
		return nil
	}
	c := &export.Content{Start: w.Start, End: w.End}
	as.add(c, k)
	return c
}

// windowsOf returns the base windows that are planned and in which something happened
// to a key, in order: those that have been forgotten, too.
func (s *packageSink) windowsOf(family *ledger.Unit) []*committed {
	var windows []*committed
	for _, i := range s.touched(family) {
		if !s.viewer.state.Next.Before(s.ends[i].time) {
			windows = append(windows, s.windowAt(i))
		}
	}
	return windows
}

// windowAt returns the plan of a base window by its place. Where there is none, it
// has been forgotten, or is not planned yet; what it says is the same.
func (s *packageSink) windowAt(i int) *committed {
	end := s.ends[i]
	if plan := s.planOf(end.time); plan != nil {
		return plan
	}
	w := &committed{pkg: s.pkg.Name}
	w.Span, w.Start, w.End = s.span.Name, end.time.Add(-s.span.Length), end.time
	w.To.Number = end.last
	if i > 0 {
		w.From.Number = s.ends[i-1].last
	}
	return w
}

// touched returns the places of the base windows in which something happened to a
// key, ascending.
func (s *packageSink) touched(family *ledger.Unit) []int {
	var places []int
	for _, u := range unitsOf(family) {
		for _, e := range u.Events {
			if i := s.placeOf(e.Number); i < len(s.ends) && !slices.Contains(places, i) {
				places = append(places, i)
			}
		}
	}
	slices.Sort(places)
	return places
}

// unitsOf returns a unit and its siblings.
func unitsOf(family *ledger.Unit) []*ledger.Unit {
	units := []*ledger.Unit{family}
	for i := range family.Siblings {
		units = append(units, &family.Siblings[i])
	}
	return units
}

// said returns what is reported of a window that says something of a key.
func (r *run) said(ctx context.Context, w *committed, c *export.Content, k keys.KeyData) (Said, error) {
	said := Said{Span: w.Span, Window: w.window(), As: SaidNew, State: w.state()}
	switch {
	case len(c.Keys) > 0:
		said.ReportType = c.Keys[0].ReportType
	case c.RevisedKeys[0].ReportType == keys.Some(keys.ReportRevoked):
		said.As, said.ReportType = SaidRevoked, c.RevisedKeys[0].ReportType
	default:
		said.As, said.ReportType = SaidRevised, c.RevisedKeys[0].ReportType
	}
	if said.State == FileNever {
		return said, nil
	}
	files := w.files()
	if _, kinds := r.layout.(Encoder); len(files) > 1 && !kinds {
		i, err := r.partWith(ctx, w, k)
		if err != nil {
			return said, err
		}
		if i >= 0 {
			files = files[i : i+1]
		}
	}
	for _, f := range files {
		said.Objects = append(said.Objects, r.layout.Object(f))
	}
	return said, nil
}

// partWith returns which of a window's files has a key, less than 0 if the ledger no
// longer has all that is in them.
func (r *run) partWith(ctx context.Context, w *committed, k keys.KeyData) (int, error) {
	content, err := r.contentOf(ctx, w)
	if errors.Is(err, ledger.ErrPruned) {
		return -1, nil
	}
	if err != nil {
		return -1, err
	}
	has := func(t keys.TemporaryExposureKey) bool { return t.KeyData == k }
	for i := range w.Parts {
		part := partOf(content, w.Parts, i)
		if slices.ContainsFunc(part.Keys, has) || slices.ContainsFunc(part.RevisedKeys, has) {
			return i, nil
		}
	}
	return -1, nil
}

// state returns what has become of a plan's files. One that is in no register was
// carried out, kept for its time, and forgotten.
func (c *committed) state() FileState {
	switch {
	case c.name == "":
		return FileRemoved
	case !c.Expired.IsZero(), !c.Completed.IsZero() && len(c.Objects) == 0:
		return FileNever
	case c.Completed.IsZero():
		return FilePlanned
	case !c.Unlisted.IsZero():
		return FileUnlisted
	}
	return FilePublished
}

// units says of each unit of a key why the package does not show the key by it.
func (s *packageSink) units(family *ledger.Unit) []UnitShowing {
	var all []UnitShowing
	spoken := false
	for _, u := range unitsOf(family) {
		why := s.absence(u)
		if why == "" && spoken {
			why = AbsentOtherOrigin
		}
		spoken = spoken || why == ""
		all = append(all, UnitShowing{Origin: u.Key.Origin, Absence: why})
	}
	return all
}

// absence returns why the package does not show a unit, empty if it does.
func (s *packageSink) absence(u *ledger.Unit) Absence {
	if !u.Released() {
		return AbsentNotReleased
	}
	v, last, term := &s.viewer, u.Events[len(u.Events)-1], s.Term(u)
	switch {
	case v.unitAt(u, v.state.Position.Number, farFuture).ok && term == ledger.TermExpired:
		return AbsentExpired
	case v.unitAt(u, v.state.Position.Number, farFuture).ok:
		return ""
	case last.Own == ledger.Active && v.unitAt(u, last.Number, farFuture).ok:
		return AbsentDue
	case last.Own == ledger.Active:
		return v.refusal(u, last)
	case term == ledger.TermWithdrawn:
		return AbsentOvertaken
	case term == ledger.TermNotForSink:
		return v.refusal(u, lastActive(u))
	}
	return AbsentWithdrawn
}

// refusal returns why a unit is not shown in the state an event gave it, empty if it
// is.
func (v *viewer) refusal(u *ledger.Unit, e ledger.Event) Absence {
	m, why := v.selects(u, e)
	if m == nil {
		return why
	}
	v.reason = ""
	v.publish(m, u, e, farFuture)
	return Absence(v.reason)
}

// lastActive returns the last event after which a unit was active here.
func lastActive(u *ledger.Unit) (last ledger.Event) {
	for _, e := range u.Events {
		if e.Own == ledger.Active {
			last = e
		}
	}
	return last
}
