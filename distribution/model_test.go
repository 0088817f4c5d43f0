package distribution_test

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// model says what a package's hours must hold, worked out from what every unit
// was after every cut, with nothing of the publisher's: no numbers, no plans.
type model struct {
	hours []modelHour
}

// modelHour is the ledger after one cut: every unit's state, and the rules that
// the packages had when the hour was published.
type modelHour struct {
	end      time.Time
	units    map[ledger.UnitID]modelUnit
	packages []distribution.Package
}

type modelUnit struct {
	key      keys.DiagnosisKey
	active   bool
	number   int64 // of its last event
	sources  ledger.Sources
	own      bool
	accepted time.Time
}

// look notes what the ledger is after a cut.
func (m *model) look(t testing.TB, l *ledger.Ledger, end time.Time, packages []distribution.Package) {
	t.Helper()
	h := modelHour{end: end, units: map[ledger.UnitID]modelUnit{}, packages: slices.Clone(packages)}
	for rec, err := range l.Find(t.Context(), ledger.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		u := rec.Unit
		if len(u.Events) == 0 {
			continue
		}
		last := u.Events[len(u.Events)-1]
		k := u.Key
		k.ReportType = last.ReportType
		h.units[rec.ID] = modelUnit{key: k, active: last.Own == ledger.Active, number: last.Number, sources: last.Sources, own: u.Own(), accepted: u.Accepted}
	}
	if n := len(m.hours); n > 0 {
		for id, u := range m.hours[n-1].units {
			if _, ok := h.units[id]; !ok {
				h.units[id] = u // pruned, which takes nothing back
			}
		}
	}
	m.hours = append(m.hours, h)
}

// file is what one archive says, by key data.
type file struct {
	keys, revised map[keys.KeyData]keys.TemporaryExposureKey
}

func newFile() file {
	return file{map[keys.KeyData]keys.TemporaryExposureKey{}, map[keys.KeyData]keys.TemporaryExposureKey{}}
}

// latch is the rule by which a package shows a unit.
type latch struct {
	publish  func(*keys.DiagnosisKey) (keys.TemporaryExposureKey, string)
	released int // the hour of its first release
}

// want returns the archives of one package by the end of their hour.
func (m *model) want(pkg string) map[time.Time]file {
	return m.wantOf(pkg, func(end time.Time) time.Time { return end })
}

// wantOf returns the archives of one package by the ends of windows, given the end
// of the window that a cut belongs to.
func (m *model) wantOf(pkg string, windowOf func(cut time.Time) time.Time) map[time.Time]file {
	files := map[time.Time]file{}
	latched := map[ledger.UnitID]*latch{}
	released := map[ledger.UnitID]int{}
	moved := map[ledger.UnitID]int64{}
	before := map[keys.KeyData]keys.TemporaryExposureKey{}
	for i, h := range m.hours {
		rule := packageNamed(h.packages, pkg)
		for id, u := range h.units {
			if _, ok := released[id]; !ok {
				released[id] = i
			}
			switch {
			case !u.active:
				delete(latched, id)
			case latched[id] == nil && moved[id] != u.number && selects(rule, u):
				latched[id] = &latch{rule.Map.Publish, released[id]}
			}
			moved[id] = u.number
		}
		after := shownKeys(h, latched, released)
		end := windowOf(h.end)
		files[end] = change(before, after)
		if i+1 == len(m.hours) || !windowOf(m.hours[i+1].end).Equal(end) {
			before = after
		}
	}
	return files
}

func packageNamed(packages []distribution.Package, name string) distribution.Package {
	for _, p := range packages {
		if p.Name == name {
			return p
		}
	}
	panic("no package " + name)
}

func selects(p distribution.Package, u modelUnit) bool {
	source := false
	for s := range u.sources.All() {
		source = source || p.Select.Sources.Has(s)
	}
	region := p.Select.Origins.Has(u.key.Origin)
	for r := range u.key.VisitedCountries.All() {
		region = region || p.Select.Visited.Has(r)
	}
	_, leaveOut := p.Map.Publish(&u.key)
	return source && region && leaveOut == ""
}

// shownKeys returns what a package shows: of several units with the same key
// data, the one released first, own before others, then the first accepted.
func shownKeys(h modelHour, latched map[ledger.UnitID]*latch, released map[ledger.UnitID]int) map[keys.KeyData]keys.TemporaryExposureKey {
	ids := slices.Collect(maps.Keys(latched))
	own := func(id ledger.UnitID) int {
		if h.units[id].own {
			return 0
		}
		return 1
	}
	slices.SortFunc(ids, func(a, b ledger.UnitID) int {
		return cmp.Or(cmp.Compare(released[a], released[b]), cmp.Compare(own(a), own(b)), h.units[a].accepted.Compare(h.units[b].accepted))
	})
	shown := map[keys.KeyData]keys.TemporaryExposureKey{}
	for _, id := range ids {
		if _, ok := shown[id.KeyData]; ok {
			continue
		}
		k := h.units[id].key
		shown[id.KeyData], _ = latched[id].publish(&k)
	}
	return shown
}

// change returns what an archive says of the way from one state to another.
func change(before, after map[keys.KeyData]keys.TemporaryExposureKey) file {
	f := newFile()
	for k, a := range after {
		b, was := before[k]
		switch {
		case !was:
			f.keys[k] = a
		case a != b:
			f.revised[k] = a
		}
	}
	for k, b := range before {
		if _, is := after[k]; !is {
			b.ReportType = keys.Some(keys.ReportRevoked)
			f.revised[k] = b
		}
	}
	return f
}

// have returns the archives of one package and span in a bucket, by the end of
// their window.
func (w *world) have(pkg, span string) map[time.Time]file {
	w.t.Helper()
	files := map[time.Time]file{}
	for name, content := range objects(w.t, w.bucket) {
		f, ok := w.layout.Parse(name)
		if !ok || f.Package != pkg || f.Span != span {
			continue
		}
		a, err := export.Open(bytes.NewReader(content), int64(len(content)), nil)
		if err != nil {
			w.t.Fatalf("%s: %v", name, err)
		}
		c, err := a.Unverified().Content()
		if err != nil {
			w.t.Fatalf("%s: %v", name, err)
		}
		said := newFile()
		for _, k := range c.Keys {
			said.keys[k.KeyData] = k
		}
		for _, k := range c.RevisedKeys {
			said.revised[k.KeyData] = k
		}
		files[f.Window.End] = said
	}
	return files
}

// compareHours checks the hours of a package against the model.
func (w *world) compareHours(m *model, pkg string) {
	w.t.Helper()
	w.compareFiles(pkg, m.want(pkg), w.have(pkg, "hour"))
}

// compareFiles checks files by the ends of their windows.
func (w *world) compareFiles(pkg string, want, have map[time.Time]file) {
	w.t.Helper()
	for _, end := range slices.SortedFunc(maps.Keys(want), time.Time.Compare) {
		got, ok := have[end]
		if !ok {
			w.t.Errorf("%s: no archive of the hour that ended at %s", pkg, end)
			continue
		}
		if d := differ(got, want[end]); d != "" {
			w.t.Errorf("%s: hour that ended at %s: %s", pkg, end, d)
		}
		delete(have, end)
	}
	for end, f := range have {
		if len(f.keys)+len(f.revised) > 0 {
			w.t.Errorf("%s: the hour that ended at %s has keys, and no cut was made in it", pkg, end)
		}
	}
}

func differ(got, want file) string {
	if d := differIn("keys", got.keys, want.keys); d != "" {
		return d
	}
	return differIn("revised keys", got.revised, want.revised)
}

func differIn(what string, got, want map[keys.KeyData]keys.TemporaryExposureKey) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d %s, want %d", len(got), what, len(want))
	}
	for k, w := range want {
		if g, ok := got[k]; !ok {
			return "one of the " + what + " is missing"
		} else if g != w {
			return fmt.Sprintf("one of the %s is %+v, want %+v", what, g, w)
		}
	}
	return ""
}
