package distribution

import (
	"cmp"
	"slices"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
)

// compare checks that every roll-up among the files says what its base windows
// say, where all of them are listed.
func (v *verifier) compare(files []File) {
	for _, f := range files {
		if f.Span == base(v.layout).Name || f.Part > 0 || spanOf(v.layout, f.Span).State {
			continue
		}
		end := f.Window.End
		if c := v.read[f]; c != nil && v.isOpen(f, c.End) {
			end = c.End
		}
		var parts, bases []File
		for _, g := range files {
			switch {
			case g.Span == f.Span && g.Window == f.Window:
				parts = append(parts, g)
			case g.Span == base(v.layout).Name && !g.Window.Start.Before(f.Window.Start) && !g.Window.End.After(end):
				bases = append(bases, g)
			}
		}
		v.compareRollUp(parts, bases, Window{f.Window.Start, end})
	}
}

func (v *verifier) compareRollUp(parts, bases []File, w Window) {
	slices.SortFunc(bases, func(a, b File) int {
		return cmp.Or(a.Window.Start.Compare(b.Window.Start), cmp.Compare(a.Part, b.Part))
	})
	windows := int(w.End.Sub(w.Start) / base(v.layout).Length)
	have, whole := v.merge(parts)
	want, all := v.mergeWindows(bases)
	if !whole || !all || countWindows(bases) < windows {
		return // a file is missing, which has been reported, or hours are kept for a shorter time
	}
	name := v.layout.Object(parts[0])
	for k, w := range want {
		switch h, ok := have[k]; {
		case !ok:
			v.found(name, "lacks a key that one of its windows has")
			return
		case h != w:
			v.found(name, "says otherwise of a key than its windows do in the end")
			return
		}
	}
	if len(have) > len(want) {
		v.found(name, "has %d keys that none of its windows has", len(have)-len(want))
	}
}

func countWindows(files []File) int {
	windows := map[Window]bool{}
	for _, f := range files {
		windows[f.Window] = true
	}
	return len(windows)
}

// entry is what a file, or several in turn, say of a key.
type entry struct {
	key     keys.TemporaryExposureKey
	revised bool // it was published before them
}

// merge returns what the parts of one window say together, and whether all of
// them could be read.
func (v *verifier) merge(parts []File) (map[keys.KeyData]entry, bool) {
	all := map[keys.KeyData]entry{}
	for _, f := range parts {
		c := v.read[f]
		if c == nil {
			return nil, false
		}
		enter(all, c)
	}
	return all, true
}

func enter(all map[keys.KeyData]entry, c *export.Content) {
	for _, k := range c.Keys {
		all[k.KeyData] = entry{key: k}
	}
	for _, k := range c.RevisedKeys {
		all[k.KeyData] = entry{key: k, revised: true}
	}
}

// mergeWindows returns what a roll-up of windows must say: every key that one of
// them has, in its last state, as revised if it was published before the first
// or is withdrawn in the end.
func (v *verifier) mergeWindows(bases []File) (map[keys.KeyData]entry, bool) {
	all := map[keys.KeyData]entry{}
	before := map[keys.KeyData]bool{}
	for _, f := range bases {
		c := v.read[f]
		if c == nil {
			return nil, false
		}
		for _, k := range c.RevisedKeys {
			if _, seen := all[k.KeyData]; !seen {
				before[k.KeyData] = true
			}
		}
		enter(all, c)
	}
	for k, e := range all {
		e.revised = before[k] || e.key.ReportType == keys.Some(keys.ReportRevoked)
		all[k] = e
	}
	return all, true
}
