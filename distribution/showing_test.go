package distribution_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// TestShowings asks in random histories where every key has been, and holds the
// answers against every archive that was ever in the bucket; and what would become
// of its withdrawal, and withdraws it.
func TestShowings(t *testing.T) {
	asked := map[string]int{}
	seeds := uint64(5)
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		h := &history{world: newWorld(t, seed+100), seen: map[string][]byte{}}
		switch seed % 3 {
		case 0:
			h.layout = newLayout(t, retentionOfADay)
		case 1:
			h.layout, h.opts.MaxKeys = partsLayout{}, 25
		}
		for hours := 25 + h.rand.IntN(20); hours > 0; hours-- {
			h.hour()
			if h.chance(25) {
				h.packages[0].Map = distribution.Revocable(distribution.Identity())
			}
			if h.chance(25) || hours == 1 {
				h.cleanRun()
				h.compareShowings(asked)
				h.compareForesight(asked)
			}
		}
	}
	t.Logf("%v", asked)
	for _, what := range []string{"new", "revised", "revoked", "removed", "gone", "forgettable", "confirmed-test", "transition-used",
		"", "not-released", "region", "low-transmission-risk-level", "withdrawn", "other-origin", "source", "forgotten"} {
		if asked[what] == 0 {
			t.Errorf("nothing was %q", what)
		}
	}
}

// published returns what every archive that was ever there says, by package, base
// windows in order.
func (h *history) published(pkg string) (all []publishedFile) {
	for name, archive := range h.seen {
		if f, ok := h.layout.Parse(name); ok && f.Package == pkg {
			all = append(all, h.read(name, f, archive))
		}
	}
	slices.SortFunc(all, func(a, b publishedFile) int {
		return cmp.Or(a.file.Window.End.Compare(b.file.Window.End), cmp.Compare(a.file.Part, b.file.Part))
	})
	return all
}

type publishedFile struct {
	name    string
	file    distribution.File
	content *export.Content
	says    file
}

func (h *history) read(name string, f distribution.File, archive []byte) publishedFile {
	h.t.Helper()
	p := publishedFile{name, f, contentOf(h.t, archive), newFile()}
	for _, k := range p.content.Keys {
		p.says.keys[k.KeyData] = k
	}
	for _, k := range p.content.RevisedKeys {
		p.says.revised[k.KeyData] = k
	}
	return p
}

// saidOf returns as what a file has a key, empty if it has not.
func (f *publishedFile) saidOf(k keys.KeyData) (as distribution.SaidAs, report keys.Optional[keys.ReportType]) {
	if t, ok := f.says.keys[k]; ok {
		return distribution.SaidNew, t.ReportType
	}
	t, ok := f.says.revised[k]
	switch {
	case ok && t.ReportType == keys.Some(keys.ReportRevoked):
		return distribution.SaidRevoked, t.ReportType
	case ok:
		return distribution.SaidRevised, t.ReportType
	}
	return "", report
}

// known returns the data of all keys that the ledger has.
func (h *history) known() (all []keys.KeyData) {
	for rec, err := range h.open(nil).Find(h.t.Context(), ledger.Query{}) {
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, rec.ID.KeyData)
	}
	return all
}

func (h *history) families(of ...keys.KeyData) []*ledger.Unit {
	h.t.Helper()
	families, err := h.open(nil).Families(h.t.Context(), of...)
	if err != nil {
		h.t.Fatal(err)
	}
	return families
}

func (h *history) compareShowings(asked map[string]int) {
	h.t.Helper()
	p, _ := h.publisher(nil, nil)
	have := objects(h.t, h.bucket)
	files := map[string][]publishedFile{}
	phones := map[string]*distribution.Phone{}
	for _, pkg := range h.packages {
		files[pkg.Name] = h.published(pkg.Name)
		phones[pkg.Name] = h.phone(files[pkg.Name])
	}
	known := h.known()
	h.rand.Shuffle(len(known), func(i, j int) { known[i], known[j] = known[j], known[i] })
	for _, family := range h.families(known[:min(len(known), 25)]...) {
		showings, err := p.Showings(h.t.Context(), family)
		if err != nil || len(showings) != len(h.packages) {
			h.t.Fatalf("%d showings, %v", len(showings), err)
		}
		for _, s := range showings {
			h.compareShowing(asked, s, family.Key.KeyData, files[s.Package], have)
			_, matched := phones[s.Package].Matches(family.Key.KeyData)
			can, why := phones[s.Package].CanForget(family.Key.KeyData)
			if s.Matched != matched || s.Forgettable != can || s.Kept != why {
				h.t.Errorf("%s: phones match %t, forget %t (%s), said %t, %t (%s)", s.Package, matched, can, why, s.Matched, s.Forgettable, s.Kept)
			}
			h.checkNoKey(s, family.Key.KeyData)
		}
	}
}

// compareShowing holds an answer against the archives.
func (h *history) compareShowing(asked map[string]int, s *distribution.Showing, k keys.KeyData, files []publishedFile, have map[string][]byte) {
	h.t.Helper()
	want, got := map[string]string{}, map[string]string{}
	shown := false
	for i := range files {
		f := &files[i]
		as, report := f.saidOf(k)
		_, there := have[f.name]
		if as == "" || !there && f.file.Span == "day" {
			continue // of what is removed only base windows are told
		}
		want[f.name] = fmt.Sprint(f.file.Span, f.file.Window, as, report, there)
		if f.file.Span == "hour" {
			shown = as != distribution.SaidRevoked
		}
	}
	for _, said := range s.Files {
		asked[string(said.As)]++
		asked[string(said.State)]++
		switch {
		case said.State == distribution.FileRemoved && said.Span == "hour" && len(said.Objects) == 0:
			// Its name is forgotten with its plan.
			for name := range want {
				if f, _ := h.layout.Parse(name); f.Span == "hour" && f.Window == said.Window {
					got[name] = fmt.Sprint(said.Span, said.Window, said.As, said.ReportType, false)
					asked["gone"]++
				}
			}
		case said.State == distribution.FileNever && len(said.Objects) == 0:
		default:
			there := said.State == distribution.FilePublished || said.State == distribution.FileUnlisted
			name := said.Objects[0]
			if len(said.Objects) > 1 { // which it is cannot be told, since others of them were pruned
				asked["one of several"]++
				if i := slices.IndexFunc(said.Objects, func(name string) bool { return want[name] != "" }); i >= 0 && h.pruned > 0 {
					name = said.Objects[i]
				}
			}
			got[name] = fmt.Sprint(said.Span, said.Window, said.As, said.ReportType, there)
		}
	}
	if !maps.Equal(got, want) {
		h.t.Errorf("%s: said\n\t%v\nwas\n\t%v", s.Package, got, want)
	}
	if s.Shown != shown {
		h.t.Errorf("%s: shown %t, said %t (%v)", s.Package, shown, s.Shown, s.Units)
	}
	spoken := 0
	for _, u := range s.Units {
		asked[string(u.Absence)]++
		if u.Absence == "" {
			spoken++
		}
		if u.Absence == distribution.AbsentDue {
			h.t.Errorf("%s: due, after a run", s.Package)
		}
	}
	if shown != (spoken == 1) {
		h.t.Errorf("%s: shown %t, by %v", s.Package, shown, s.Units)
	}
}

// phone returns a phone that has read all base windows.
func (h *history) phone(files []publishedFile) *distribution.Phone {
	p := &distribution.Phone{}
	for i := range files {
		if files[i].file.Span == "hour" && !p.Read(files[i].content) {
			h.t.Errorf("phones skip %s", files[i].name)
		}
	}
	return p
}

func (h *history) checkNoKey(s *distribution.Showing, k keys.KeyData) {
	h.t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		h.t.Fatal(err)
	}
	if form := keystest.Leak(string(text)+fmt.Sprintf("%v %+v %#v", s, *s, *s), k); form != "" {
		h.t.Errorf("it holds key data as %s", form)
	}
}

// compareForesight asks what would become of the withdrawal of some units, and
// withdraws them.
func (h *history) compareForesight(asked map[string]int) {
	h.t.Helper()
	h.holdAll()
	h.release() // whatever withdrawals were pending
	h.cleanRun()
	c := &history{world: h.world.copy(), seen: maps.Clone(h.seen)}
	h.resumeAll()
	var ids []ledger.UnitID
	data := map[keys.KeyData]bool{}
	for rec, err := range h.open(nil).Find(h.t.Context(), ledger.Query{}) {
		if err != nil {
			h.t.Fatal(err)
		}
		if h.chance(40) {
			ids, data[rec.ID.KeyData] = append(ids, rec.ID), true
		}
	}
	p, _ := h.publisher(nil, nil)
	foresight, err := p.Foresee(h.t.Context(), keys.ReportUnknown, ids...)
	if err != nil {
		h.t.Fatal(err)
	}
	before := map[string]*distribution.Phone{}
	for _, pkg := range c.packages {
		before[pkg.Name] = c.phone(c.published(pkg.Name))
	}
	c.withdraw(ids...)
	c.release()
	c.cleanRun()
	for _, f := range foresight {
		c.compareTerms(asked, f, before[f.Package], data)
	}
}

// compareTerms holds what was foreseen against what phones make of the archives that
// revoke.
func (h *history) compareTerms(asked map[string]int, f *distribution.Foresight, before *distribution.Phone, data map[keys.KeyData]bool) {
	h.t.Helper()
	files := h.published(f.Package)
	after := h.phone(files)
	want := &distribution.Foresight{Package: f.Package, Keys: len(data), Kept: map[distribution.Keeping]int{}}
	unchanged := 0
	for k := range data {
		revoked := false
		for i := range files {
			if as, _ := files[i].saidOf(k); as == distribution.SaidRevoked && files[i].file.Span == "hour" && files[i].file.Window.End.Equal(h.clock.Truncate(time.Hour)) {
				revoked = true
			}
		}
		_, was := before.Matches(k)
		_, is := after.Matches(k)
		_, why := before.CanForget(k)
		switch {
		case !revoked || !was:
			unchanged++
		case is:
			want.Kept[why]++
			asked[string(why)]++
		default:
			want.Forgettable++
			asked["forgettable"]++
		}
	}
	got := 0
	for why, n := range f.Unchanged {
		got += n
		asked["unchanged: "+string(why)] += n
	}
	if f.Keys != want.Keys || f.Forgettable != want.Forgettable || !maps.Equal(f.Kept, want.Kept) || got != unchanged {
		h.t.Errorf("foreseen: %s\nwas: %s; %d unchanged", f, want, unchanged)
	}
	asked["forgotten"] += want.Forgettable
}

func (h *history) holdAll() {
	if err := h.open(nil).Hold(h.t.Context(), everyOrigin); err != nil {
		h.t.Fatal(err)
	}
}

func (h *history) resumeAll() {
	if err := h.open(nil).Resume(h.t.Context(), everyOrigin); err != nil {
		h.t.Fatal(err)
	}
}

var everyOrigin = ledger.Holds{Origins: []keys.Region{de, fr, it}}
