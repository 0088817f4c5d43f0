package distribution

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// date finds out when each key was published first: in the window of the first base
// file that has it. A key that only a longer file has was published in one of its
// base windows of which there is no file any more.
func (a *adoption) date(context.Context) error {
	a.at, a.whose = map[keys.KeyData]time.Time{}, map[keys.KeyData]*publishedKey{}
	a.findNext()
	if a.found.Until.After(a.now) {
		return fmt.Errorf("%w: it has files up to %s, and the ledger's clock shows %s",
			ErrNotAdopted, a.found.Until.Format(time.RFC3339), a.now.UTC().Format(time.RFC3339))
	}
	for _, f := range a.tree.files {
		if f.Span == base(a.layout).Name {
			a.dateFile(f, func(keys.KeyData) time.Time { return f.Window.Start })
		}
	}
	dated := maps.Clone(a.at)
	for _, f := range a.tree.files {
		if f.Span == base(a.layout).Name {
			continue
		}
		host := a.host(f)
		a.dateFile(f, func(k keys.KeyData) time.Time {
			if at, ok := dated[k]; ok {
				return at
			}
			return host
		})
	}
	a.found.Keys = len(a.at)
	return a.claim()
}

func (a *adoption) dateFile(f *foreignFile, when func(keys.KeyData) time.Time) {
	for i := range f.content.Keys {
		k := f.content.Keys[i].KeyData
		at := when(k)
		if before, ok := a.at[k]; !ok || at.Before(before) {
			a.at[k] = at
		}
	}
}

// findNext finds out up to where each package was published, and all together.
func (a *adoption) findNext() {
	for _, f := range a.tree.files {
		if !a.span(f.Span).Open && f.Window.End.After(a.found.Next[f.Package]) {
			a.found.Next[f.Package] = f.Window.End
		}
	}
	policy, _ := a.ledger.Policy()
	for _, next := range a.found.Next {
		if until := next.UTC().Truncate(policy.Grid); until.After(a.found.Until) {
			a.found.Until = until
		}
	}
}

// closed reports whether the file's window is over. That of an open span which is not
// is in progress.
func (a *adoption) closed(f *foreignFile) bool { return !f.Window.End.After(a.found.Next[f.Package]) }

// host returns the start of the base window that those keys of a longer file are
// taken to have been published in that no base file has: the last of its windows
// without a file, else the last.
func (a *adoption) host(f *foreignFile) time.Time {
	length := base(a.layout).Length
	have := map[time.Time]bool{}
	for _, g := range a.tree.files {
		if g.Package == f.Package && g.Span == base(a.layout).Name {
			have[g.Window.Start.UTC()] = true
		}
	}
	end := f.Window.End
	if next := a.found.Next[f.Package]; next.Before(end) {
		end = next
	}
	for start := end.Add(-length); !start.Before(f.Window.Start); start = start.Add(-length) {
		if !have[start.UTC()] {
			return start
		}
	}
	return end.Add(-length)
}

// publishedKey is a key as the archives of its first package have it.
type publishedKey struct {
	ledger.Claim // of who brought it, where nothing more is known
	said         keys.TemporaryExposureKey
	by           PublicationMap
}

// otherThan returns what was published of a key, if that is not what the publication
// map says of a unit. A system before this one may have left out what it knew.
func (p *publishedKey) otherThan(u *ledger.Unit) *keys.TemporaryExposureKey {
	if now, leaveOut := p.by.Publish(&u.Key); leaveOut == "" && now == p.said || p.by.coded {
		return nil
	}
	return &p.said
}

// claim says whose the keys are taken to be that the ledger has nothing of. The
// package that comes first decides. Where the publication map puts codes in the place
// of what is known of a key, the codes are not taken for that.
func (a *adoption) claim() error {
	for i := range a.packages {
		pkg := &a.packages[i]
		owner, err := a.owner(pkg)
		if err != nil {
			return err
		}
		for _, f := range a.tree.files {
			if f.Package != pkg.Name {
				continue
			}
			for _, k := range f.content.Keys {
				if a.whose[k.KeyData] != nil {
					continue
				}
				p := &publishedKey{said: k, by: pkg.Map}
				a.whose[k.KeyData] = p
				if pkg.Map.coded {
					k.ReportType, k.DaysSinceOnsetOfSymptoms = keys.Optional[keys.ReportType]{}, keys.Optional[keys.DaysSinceOnset]{}
				}
				p.Claim = ledger.Claim{
					Source: owner.Source,
					Upload: "adopted-" + a.at[k.KeyData].UTC().Format(planTime),
					Key:    keys.DiagnosisKey{TemporaryExposureKey: k, Origin: owner.Origin, ConsentToFederate: keys.ConsentRefused},
				}
			}
		}
	}
	return nil
}

func (a *adoption) owner(pkg *Package) (Owner, error) {
	if owner, ok := a.options.Unknown[pkg.Name]; ok {
		return owner, nil
	}
	origin, err := keys.ParseRegion(pkg.Name)
	return Owner{ledger.Own, origin}, err
}

// adoptBatch is how many keys the ledger is given in one step.
const adoptBatch = 5000

// fillLedger has the ledger release every key at the time at which it was published.
func (a *adoption) fillLedger(ctx context.Context) error {
	published, err := a.published(ctx)
	if err != nil {
		return err
	}
	if err := a.ledger.BeginAdoption(ctx, a.found.Until); err != nil {
		return err
	}
	for batch := range slices.Chunk(published, adoptBatch) {
		if _, err := a.ledger.Adopt(ctx, batch...); err != nil {
			return err
		}
	}
	cuts := map[time.Time]bool{a.found.Until: true}
	policy, _ := a.ledger.Policy()
	for i := range published {
		end := windowAt(a.layout, base(a.layout), published[i].At).End
		cuts[end.UTC().Truncate(policy.Grid)] = true
	}
	for _, t := range slices.SortedFunc(maps.Keys(cuts), time.Time.Compare) {
		if err := a.ledger.CutAdopted(ctx, t); err != nil {
			return err
		}
	}
	a.found.Cuts = len(cuts)
	a.log, err = a.ledger.Log(ctx, 0)
	return err
}

// published returns what the ledger is to adopt, in the order of time.
func (a *adoption) published(ctx context.Context) ([]ledger.Published, error) {
	units := map[keys.KeyData][]*ledger.Unit{}
	for rec, err := range a.ledger.Find(ctx, ledger.Query{}) {
		if err != nil {
			return nil, fmt.Errorf("distribution: reading what the ledger has: %w", err)
		}
		if _, wanted := a.at[rec.ID.KeyData]; wanted && rec.Unit != nil {
			units[rec.ID.KeyData] = append(units[rec.ID.KeyData], rec.Unit.Clone())
		}
	}
	var all []ledger.Published
	for k, at := range a.at {
		p := ledger.Published{At: at, Claim: a.whose[k].Claim}
		for _, u := range units[k] {
			p.Units = append(p.Units, u.ID())
			p.As = a.whose[k].otherThan(u)
		}
		if len(units[k]) == 0 {
			a.found.Unknown++
		}
		all = append(all, p)
	}
	earlier, err := a.earlier(ctx)
	if err != nil {
		return nil, err
	}
	all = append(all, earlier...)
	slices.SortFunc(all, func(p, q ledger.Published) int {
		return cmp.Or(p.At.Compare(q.At), bytes.Compare(p.Claim.Key.KeyData[:], q.Claim.Key.KeyData[:]))
	})
	return all, nil
}

// earlier returns the units whose files are gone, as published before the first file
// that there is.
func (a *adoption) earlier(ctx context.Context) ([]ledger.Published, error) {
	if len(a.options.Earlier) == 0 {
		return nil, nil
	}
	first := a.tree.files[0].Window.Start
	for _, f := range a.tree.files {
		if f.Window.Start.Before(first) {
			first = f.Window.Start
		}
	}
	at := windowAt(a.layout, base(a.layout), first.Add(-1)).Start
	data := make([]keys.KeyData, len(a.options.Earlier))
	for i, id := range a.options.Earlier {
		data[i] = id.KeyData
	}
	families, err := a.ledger.Families(ctx, data...)
	if err != nil {
		return nil, err
	}
	wanted := map[ledger.UnitID]bool{}
	for _, id := range a.options.Earlier {
		wanted[id] = true
	}
	var all []ledger.Published
	for _, family := range families {
		if _, there := a.at[family.Key.KeyData]; there {
			continue // it was published later, too
		}
		for _, u := range unitsOf(family) {
			if wanted[u.ID()] {
				all = append(all, ledger.Published{At: at, Units: []ledger.UnitID{u.ID()}, Claim: u.Claims[0]})
			}
		}
	}
	a.found.Earlier = len(all)
	return all, nil
}
