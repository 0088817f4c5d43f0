package nation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A witness remembers what the ledger of a nation was after every cut, and every
// file that was ever in its tree.
type witness struct {
	t      *testing.T
	of     *country
	bucket storage.Bucket
	units  map[ledger.UnitID]seenUnit // also those that were pruned, which takes nothing back
	cuts   []seenCut                  // by time
	files  map[string]*seenFile
	lines  map[line]map[time.Time]*export.Content // of base windows, by their beginning
}

// line is a sequence of files.
type line struct{ layout, pkg, span string }

type seenUnit struct {
	key    keys.DiagnosisKey
	active bool
}

type seenCut struct {
	time  time.Time
	units map[ledger.UnitID]seenUnit
}

// seenFile is a file as it was seen last.
type seenFile struct {
	file   distribution.File
	etag   string
	sum    [32]byte
	end    time.Time // of what it holds: its window's, but for the file that is open
	checks bool      // what it says was held against the ledger
	gone   bool

	content *export.Content // until that
}

func newWitness(c *country, tree storage.Bucket) *witness {
	return &witness{
		t: c.w.t, of: c, bucket: tree,
		units: map[ledger.UnitID]seenUnit{}, files: map[string]*seenFile{}, lines: map[line]map[time.Time]*export.Content{},
	}
}

func (w *witness) errorf(format string, args ...any) {
	w.t.Helper()
	w.t.Errorf("%s at %s: %s", w.of.region, w.of.w.clock().Format("01-02 15h"), fmt.Sprintf(format, args...))
}

// look notes what the last cut has left. It is called after every cut, and before
// anything is pruned.
func (w *witness) look() {
	w.t.Helper()
	log, err := w.of.backend.ledger.Log(context.WithoutCancel(w.t.Context()), 0)
	if err != nil || log.Last.Seq == 0 {
		return // it is cut off, or new
	}
	for rec, err := range w.of.backend.ledger.Find(context.WithoutCancel(w.t.Context()), ledger.Query{}) {
		if err != nil {
			return
		}
		if rec.Unit == nil || !rec.Unit.Released() {
			continue
		}
		event := rec.Unit.At(log.Last.Last)
		w.units[rec.ID] = seenUnit{rec.Unit.Key, event.Own == ledger.Active}
	}
	if n := len(w.cuts); n > 0 && w.cuts[n-1].time.Equal(log.Last.Time) {
		w.cuts = w.cuts[:n-1]
	}
	w.cuts = append(w.cuts, seenCut{log.Last.Time, maps.Clone(w.units)})
}

// shown returns what a package shows after the last cut that is not after a time.
func (w *witness) shown(pkg *distribution.Package, at time.Time) map[keys.KeyData]keys.TemporaryExposureKey {
	shown := map[keys.KeyData]keys.TemporaryExposureKey{}
	for _, cut := range slices.Backward(w.cuts) {
		if cut.time.After(at) {
			continue
		}
		for id, u := range cut.units {
			if u.active && pkg.Select.Origins.Has(id.Origin) {
				shown[id.KeyData] = u.key.TemporaryExposureKey
			}
		}
		break
	}
	return shown
}

// lastCut returns the time of the last cut.
func (w *witness) lastCut() time.Time {
	if len(w.cuts) == 0 {
		return time.Time{}
	}
	return w.cuts[len(w.cuts)-1].time
}

// read reads what is new in a tree, and looks for what has changed in it that must
// not.
func (w *witness) read(out *deploy.Output) {
	w.t.Helper()
	there := map[string]bool{}
	for a, err := range storage.List(w.t.Context(), w.bucket, out.Layout.Prefix()) {
		if err != nil {
			w.t.Fatal(err)
		}
		f, ok := out.Layout.Parse(a.Name)
		if !ok {
			continue
		}
		there[a.Name] = true
		if was := w.files[a.Name]; was == nil || was.etag != a.ETag {
			w.open(out, f, a)
		}
	}
	for name, was := range w.files {
		if f, ok := out.Layout.Parse(name); ok && !there[name] && !was.gone {
			was.gone = true
			w.removedInTime(out, name, f)
		}
	}
}

// open reads a file that is new, or was written again.
func (w *witness) open(out *deploy.Output, f distribution.File, a storage.Attributes) {
	w.t.Helper()
	text, _, err := storage.ReadAll(w.t.Context(), w.bucket, a.Name, 1<<20)
	if err != nil {
		w.t.Fatal(err)
	}
	content := w.decode(out, f, text)
	is := &seenFile{file: f, etag: a.ETag, sum: sha256.Sum256(text), end: content.End, content: content}
	if was := w.files[a.Name]; was != nil {
		w.closedFilesStay(a.Name, was, is)
	}
	w.files[a.Name] = is
}

func (w *witness) decode(out *deploy.Output, f distribution.File, text []byte) *export.Content {
	w.t.Helper()
	if e, ok := out.Layout.(distribution.Encoder); ok {
		_, content, err := e.Decode(f, text)
		if err != nil {
			w.t.Fatalf("%s: %v", out.Layout.Object(f), err)
		}
		return content
	}
	return w.of.archive(out.Layout.Object(f), text)
}

// closedFilesStay is invariant 1. A file that is open may grow until its window
// ends.
func (w *witness) closedFilesStay(name string, was, is *seenFile) {
	w.t.Helper()
	switch {
	case was.gone:
		w.errorf("%s is there again", name)
	case was.end.Equal(was.file.Window.End) && is.sum != was.sum:
		w.errorf("%s was closed, and has changed", name)
	case is.sum != was.sum && !is.end.After(was.end):
		w.errorf("%s is open, and has changed without going further", name)
	}
}

// removedInTime: only retention removes what was published.
func (w *witness) removedInTime(out *deploy.Output, name string, f distribution.File) {
	w.t.Helper()
	span := spanOf(out, f.Span)
	if span.State {
		newer := 0
		for _, other := range w.files {
			if other.file.Package == f.Package && other.file.Span == f.Span && other.file.Window.Start.After(f.Window.Start) {
				newer++
			}
		}
		if newer < span.Keep {
			w.errorf("%s is gone, and %d newer ones are there", name, newer)
		}
		return
	}
	if w.of.w.clock().Before(f.Window.Start.Add(span.Retain)) {
		w.errorf("%s is gone", name)
	}
}

func spanOf(out *deploy.Output, name string) distribution.Span {
	for _, span := range out.Layout.Spans() {
		if span.Name == name {
			return span
		}
	}
	panic("no span " + name)
}

// indexedFilesExist is the first part of invariant 2, whenever a run was cut off.
func (w *witness) indexedFilesExist(out *deploy.Output, rested bool) {
	w.t.Helper()
	read := func(name string) ([]byte, error) {
		text, _, err := storage.ReadAll(w.t.Context(), w.bucket, name, 1<<20)
		return text, err
	}
	var files []distribution.File
	var err error
	if e, ok := out.Layout.(distribution.Encoder); ok {
		var listed []distribution.Listed
		listed, _, err = e.Survey(read, w.of.trusted())
		for _, l := range listed {
			files = append(files, l.File)
		}
	} else {
		files, _, err = out.Layout.Follow(read)
	}
	if rested && err != nil && !errors.Is(err, distribution.ErrNoIndexes) {
		w.errorf("indexes of %s: %v", out.Layout.Name(), err)
	}
	for _, f := range files {
		if seen := w.files[out.Layout.Object(f)]; seen == nil || seen.gone {
			w.errorf("an index names %s, which is not there", out.Layout.Object(f))
		}
	}
	w.listedFollow(out, files)
}

// listedFollow is of invariant 2 what phones see of it: between two base windows of a
// package that indexes name, they name every one.
func (w *witness) listedFollow(out *deploy.Output, files []distribution.File) {
	w.t.Helper()
	base := out.Layout.Spans()[0]
	starts := map[string]map[time.Time]bool{}
	for _, f := range files {
		if f.Span != base.Name {
			continue
		}
		if starts[f.Package] == nil {
			starts[f.Package] = map[time.Time]bool{}
		}
		starts[f.Package][f.Window.Start] = true
	}
	for pkg, named := range starts {
		all := slices.SortedFunc(maps.Keys(named), time.Time.Compare)
		for i, start := range all[1:] {
			if !start.Equal(all[i].Add(base.Length)) {
				w.errorf("%s %s: no index names the window of %s after %s, and one names that of %s", out.Layout.Name(), pkg, base.Name, all[i], start)
			}
		}
	}
}

// windowsFollow is the second part of invariant 2: after a run that was not cut off,
// each base window from the first one on to the last that is closed is there, or was.
func (w *witness) windowsFollow(out *deploy.Output, pkg *distribution.Package) {
	w.t.Helper()
	base := out.Layout.Spans()[0]
	windows := w.lines[line{out.Layout.Name(), pkg.Name, base.Name}]
	if len(windows) == 0 {
		return
	}
	starts := slices.SortedFunc(maps.Keys(windows), time.Time.Compare)
	for i, start := range starts[1:] {
		if !start.Equal(starts[i].Add(base.Length)) {
			w.errorf("%s %s: no window of %s begins at %s", out.Layout.Name(), pkg.Name, base.Name, starts[i].Add(base.Length))
		}
	}
	if next := starts[len(starts)-1].Add(2 * base.Length); !next.After(w.lastCut()) {
		w.errorf("%s %s: no window of %s ends at %s, and it is closed", out.Layout.Name(), pkg.Name, base.Name, next)
	}
	if n := len(w.shown(pkg, starts[0])); n > 0 {
		w.errorf("%s %s: %d keys were released before the first window", out.Layout.Name(), pkg.Name, n)
	}
}

// activationsOnce is the third part of invariant 2: a base window says what the cuts in
// it have activated and withdrawn, and nothing else.
func (w *witness) activationsOnce(out *deploy.Output, pkg *distribution.Package, start time.Time, c *export.Content) {
	w.t.Helper()
	base := out.Layout.Spans()[0]
	end := start.Add(base.Length)
	before, after := w.shown(pkg, start), w.shown(pkg, end)
	where := fmt.Sprintf("%s %s %s: ", out.Layout.Name(), pkg.Name, end.Format("01-02 15:04"))
	_, deltas := out.Layout.(distribution.Encoder)
	fresh, gone := map[keys.KeyData]bool{}, map[keys.KeyData]bool{}
	said := map[keys.KeyData]bool{}
	for k, revised := range statements(c) {
		_, was := before[k.KeyData]
		_, is := after[k.KeyData]
		if said[k.KeyData] {
			w.errorf("%sa key is there twice", where)
		}
		said[k.KeyData] = true
		switch revoked := k.ReportType == keys.Some(keys.ReportRevoked); {
		case !revised:
			fresh[k.KeyData] = true
			if was && !deltas || !is {
				w.errorf("%sa key was activated (active before: %t, after: %t)", where, was, is)
			}
		case revoked:
			gone[k.KeyData] = true
			if !was || is {
				w.errorf("%sa key was withdrawn (active before: %t, after: %t)", where, was, is)
			}
		case !was || !is:
			w.errorf("%sa key was revised (active before: %t, after: %t)", where, was, is)
		}
	}
	for k, key := range after {
		if _, was := before[k]; !was && !fresh[k] && base.Relevant(&key, end) {
			w.errorf("%san activation is missing", where)
		}
	}
	for k, key := range before {
		if _, is := after[k]; !is && !gone[k] && base.Relevant(&key, end) {
			w.errorf("%sa withdrawal is missing", where)
		}
	}
}

// statements ranges over the keys of a file, and over those that are revised.
func statements(c *export.Content) func(yield func(keys.TemporaryExposureKey, bool) bool) {
	return func(yield func(keys.TemporaryExposureKey, bool) bool) {
		for i, list := range [][]keys.TemporaryExposureKey{c.Keys, c.RevisedKeys} {
			for _, k := range list {
				if !yield(k, i == 1) {
					return
				}
			}
		}
	}
}

// daysAreFinal is invariant 3: a roll-up has every key that its windows carried, as it
// is at its end, and no other. It reports whether there was enough to say so.
func (w *witness) daysAreFinal(out *deploy.Output, pkg *distribution.Package, f distribution.File, c *export.Content) {
	w.t.Helper()
	base := out.Layout.Spans()[0]
	before, after := w.shown(pkg, f.Window.Start), w.shown(pkg, c.End)
	want := map[keys.KeyData]string{}
	for start, window := range w.lines[line{out.Layout.Name(), pkg.Name, base.Name}] {
		if start.Before(f.Window.Start) || start.Add(base.Length).After(c.End) {
			continue
		}
		for k := range statements(window) {
			_, was := before[k.KeyData]
			_, is := after[k.KeyData]
			want[k.KeyData] = stateOf(is, was || !is)
		}
	}
	have := map[keys.KeyData]string{}
	for k, revised := range statements(c) {
		have[k.KeyData] = stateOf(k.ReportType != keys.Some(keys.ReportRevoked), revised)
	}
	if !maps.Equal(have, want) {
		w.errorf("%s has %d keys, want %d, or other states of them at its end", out.Layout.Object(f), len(have), len(want))
	}
}

func stateOf(active, revised bool) string {
	return fmt.Sprintf("active %t, revised %t", active, revised)
}

// snapshotsAreWhole: a snapshot has what is active and relevant at its end.
func (w *witness) snapshotsAreWhole(out *deploy.Output, pkg *distribution.Package, f distribution.File, c *export.Content) {
	w.t.Helper()
	span := spanOf(out, f.Span)
	want := w.shown(pkg, f.Window.End)
	maps.DeleteFunc(want, func(_ keys.KeyData, k keys.TemporaryExposureKey) bool { return !span.Relevant(&k, f.Window.End) })
	have := map[keys.KeyData]bool{}
	for _, k := range c.Keys {
		have[k.KeyData] = true
		if _, ok := want[k.KeyData]; !ok {
			w.errorf("%s has a key that is not active and relevant", out.Layout.Object(f))
		}
	}
	if len(have) != len(want) {
		w.errorf("%s has %d keys, want %d", out.Layout.Object(f), len(have), len(want))
	}
}

// check holds what is new in all trees against the ledger. Rested says that the last
// run was not cut off.
func (w *witness) check(rested bool) {
	w.t.Helper()
	for i := range w.of.backend.outputs {
		out := &w.of.backend.outputs[i]
		w.read(out)
		w.indexedFilesExist(out, rested)
		if !rested {
			continue
		}
		for i := range out.Packages {
			w.checkPackage(out, &out.Packages[i])
		}
	}
}

// checkPackage holds what is new in a package against the ledger: windows first, of
// which the rest is made.
func (w *witness) checkPackage(out *deploy.Output, pkg *distribution.Package) {
	w.t.Helper()
	base := out.Layout.Spans()[0].Name
	fresh := map[time.Time]*export.Content{}
	var rollUps []*seenFile
	for _, name := range slices.Sorted(maps.Keys(w.files)) {
		seen := w.files[name]
		if _, ok := out.Layout.Parse(name); !ok || seen.file.Package != pkg.Name || seen.checks {
			continue
		}
		seen.checks = true
		if seen.file.Span != base {
			rollUps = append(rollUps, seen)
			continue
		}
		content := fresh[seen.file.Window.Start]
		if content == nil {
			content = &export.Content{Start: seen.file.Window.Start, End: seen.file.Window.End}
			fresh[seen.file.Window.Start] = content
		}
		content.Keys = append(content.Keys, seen.content.Keys...)
		content.RevisedKeys = append(content.RevisedKeys, seen.content.RevisedKeys...)
	}
	l := line{out.Layout.Name(), pkg.Name, base}
	if w.lines[l] == nil {
		w.lines[l] = map[time.Time]*export.Content{}
	}
	for start, content := range fresh {
		if w.lines[l][start] != nil {
			w.errorf("%s %s: a window has another file", l.layout, l.pkg)
		}
		w.lines[l][start] = content
		w.activationsOnce(out, pkg, start, content)
	}
	w.windowsFollow(out, pkg)
	for _, seen := range rollUps {
		if spanOf(out, seen.file.Span).State {
			w.snapshotsAreWhole(out, pkg, seen.file, seen.content)
		} else {
			w.daysAreFinal(out, pkg, seen.file, seen.content)
		}
		seen.content = nil
	}
}

// booksBalance is invariant 12, of a nation and of a hub.
func (r *restless) booksBalance() {
	r.t.Helper()
	for _, c := range r.nations {
		if _, err := c.backend.Books(r.t.Context()); err != nil {
			r.t.Errorf("%s: %v", c.region, err)
		}
	}
	stats, err := r.hub.ledger.Stats(r.t.Context())
	if err == nil {
		err = stats.Check()
	}
	if err != nil {
		r.t.Errorf("hub: %v", err)
	}
}

// nobodyElse is invariant 13: what becomes of a unit is up to who brought it with its
// origin, and to the operator. A unit that is a nation's own is withdrawn if its
// operator has said so last, and says what its people said; one that it was brought is
// taken back by its source only if its nation has withdrawn it.
func (r *restless) nobodyElse(c *country) {
	r.t.Helper()
	for rec, err := range c.backend.ledger.Find(r.t.Context(), ledger.Query{}) {
		switch u := rec.Unit; {
		case err != nil:
			r.t.Fatal(err)
		case u == nil:
		case u.OperatorWithdrew != r.ordered[c][rec.ID]:
			r.t.Errorf("%s: a unit of %s is withdrawn by the operator: %t", c.region, rec.ID.Origin, u.OperatorWithdrew)
		case u.Own() != (rec.ID.Origin == c.region):
			r.t.Errorf("%s: a unit of %s is its own: %t", c.region, rec.ID.Origin, u.Own())
		case u.SourceWithdrew && !r.everTold(rec.ID):
			r.t.Errorf("%s: a unit of %s was withdrawn by somebody who has not brought it", c.region, rec.ID.Origin)
		}
	}
	for rec, err := range r.hub.ledger.Find(r.t.Context(), ledger.Query{}) {
		if err != nil {
			r.t.Fatal(err)
		}
		if rec.Unit != nil && rec.Unit.SourceWithdrew && !r.everTold(rec.ID) {
			r.t.Errorf("hub: a unit of %s was withdrawn by somebody who has not brought it", rec.ID.Origin)
		}
	}
}

// holdsHold: what an operator holds is not released for the first time.
func (r *restless) holdsHold(c *country) {
	r.t.Helper()
	cuts := r.witnesses[c].cuts
	if len(cuts) < 2 {
		return
	}
	for id := range cuts[len(cuts)-1].units {
		if _, before := cuts[len(cuts)-2].units[id]; !before && r.held[c][id.Origin] && cuts[len(cuts)-1].time.Equal(r.clock().Truncate(time.Hour)) {
			r.t.Errorf("%s: a unit of %s is released, which is held", c.region, id.Origin)
		}
	}
}

// cutsTakeWithdrawals: no cut passes over a withdrawal, held or not, as long as they
// are not grouped.
func (r *restless) cutsTakeWithdrawals(c *country) {
	r.t.Helper()
	for rec, err := range c.backend.ledger.Find(r.t.Context(), ledger.Query{}) {
		if err != nil {
			r.t.Fatal(err)
		}
		if rec.Unit == nil {
			continue
		}
		if _, wait := rec.Unit.Pending(); wait == ledger.WaitWithdrawal {
			r.t.Errorf("%s: the withdrawal of a unit of %s waits after the cut", c.region, rec.ID.Origin)
		}
	}
}

// nothingWaits is what it means to be at rest.
func (r *restless) nothingWaits(name string, l *ledger.Ledger) {
	r.t.Helper()
	for rec, err := range l.Find(r.t.Context(), ledger.Query{}) {
		if err != nil {
			r.t.Fatal(err)
		}
		u := rec.Unit
		if u == nil {
			continue
		}
		if _, wait := u.Pending(); wait != ledger.WaitNothing && u.Due.Before(r.clock()) {
			r.t.Errorf("%s: a unit of %s still waits", name, rec.ID.Origin)
		}
		if gone := u.SourceWithdrew || u.OperatorWithdrew; u.Released() && gone != (u.At(math.MaxInt64).Own == ledger.Withdrawn) {
			r.t.Errorf("%s: a unit of %s is withdrawn: %t, and in the log %s", name, rec.ID.Origin, gone, u.At(math.MaxInt64).Own)
		}
	}
}

// everTold reports whether the nation of an origin has told partners that a unit is
// withdrawn, or does not have it any more.
func (r *restless) everTold(id ledger.UnitID) bool {
	r.t.Helper()
	for _, c := range r.nations {
		if c.region == id.Origin {
			u := unitIn(r.t, c.backend.ledger, id)
			return u == nil || u.At(math.MaxInt64).Partners == ledger.Withdrawn
		}
	}
	return false
}

// withdrawalsArrived is invariant 9, at rest: who has a unit of a nation that is
// withdrawn has been told, or the account says that it was not. And nobody has been
// told of one that is not, and who has none of a unit will never want it.
func (r *restless) withdrawalsArrived() {
	r.t.Helper()
	for i, c := range r.nations {
		other := r.nations[1-i]
		told, missed := 0, 0
		for rec, err := range c.backend.ledger.Find(r.t.Context(), ledger.Query{Origin: c.region}) {
			if err != nil {
				r.t.Fatal(err)
			}
			if rec.Unit == nil || !rec.Unit.Released() {
				continue
			}
			state := rec.Unit.At(math.MaxInt64).Partners
			for name, l := range map[string]*ledger.Ledger{"the hub": r.hub.ledger, other.region.String(): other.backend.ledger} {
				u := unitIn(r.t, l, rec.ID)
				switch {
				case u == nil && state == ledger.Active && r.clock().Sub(rec.Unit.Key.End()) < 10*24*time.Hour:
					r.t.Errorf("%s: %s does not have a unit", c.region, name)
				case u == nil || !u.Released():
				case u.At(math.MaxInt64).Partners == state:
					told++
				case state == ledger.Withdrawn && r.saysNotTold(c, rec.ID):
					missed++
				default:
					r.t.Errorf("%s: %s has a unit as %s that is %s", c.region, name, u.At(math.MaxInt64).Partners, state)
				}
			}
		}
		r.t.Logf("%s: partners agree on %d units, %d withdrawals are accounted for as not told", c.region, told, missed)
	}
}

// saysNotTold reports whether a nation says that a partner has not been told of a
// withdrawal, and why.
func (r *restless) saysNotTold(c *country, id ledger.UnitID) bool {
	r.t.Helper()
	e, err := c.backend.Explain(r.t.Context(), ledger.Inquiry{KeyData: id.KeyData, Origin: id.Origin})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, a := range e.Partners {
		for _, told := range a.Told {
			if a.Origin == id.Origin && told.As == federation.TellingWithdrawal && (told.State == federation.ToldRefused || told.State == federation.ToldExpired || told.State == federation.ToldNot) {
				return true
			}
		}
	}
	return false
}

// archive opens an archive that is signed by the nation.
func (c *country) archive(name string, text []byte) *export.Content {
	c.w.t.Helper()
	a, err := export.Open(bytes.NewReader(text), int64(len(text)), nil)
	if err != nil {
		c.w.t.Fatalf("%s: %v", name, err)
	}
	v, err := a.Verify(c.trusted(), nil)
	if err != nil {
		c.w.t.Fatalf("%s: %v", name, err)
	}
	content, err := v.Content()
	if err != nil {
		c.w.t.Fatalf("%s: %v", name, err)
	}
	return content
}

// unit returns a unit of a ledger, nil if there is none.
func unitIn(t *testing.T, l *ledger.Ledger, id ledger.UnitID) *ledger.Unit {
	t.Helper()
	for rec, err := range l.Find(t.Context(), ledger.Query{Unit: &id}) {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Unit != nil {
			return rec.Unit
		}
	}
	return nil
}
