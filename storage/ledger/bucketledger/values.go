package bucketledger

import (
	"maps"
	"slices"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

func (c *coder) id(id *ledger.UnitID) {
	c.array16((*[16]byte)(&id.KeyData))
	c.region(&id.Origin)
}

func (c *coder) key(k *keys.DiagnosisKey) {
	c.array16((*[16]byte)(&k.KeyData))
	number(c, &k.RollingStartIntervalNumber)
	number(c, &k.RollingPeriod)
	optional(c, &k.TransmissionRiskLevel)
	optional(c, &k.ReportType)
	optional(c, &k.VariantOfConcern)
	optional(c, &k.DaysSinceOnsetOfSymptoms)
	c.region(&k.Origin)
	c.visited(&k.VisitedCountries)
	number(c, &k.TestType)
	number(c, &k.ConsentToFederate)
	number(c, &k.Provenance)
}

// claim codes a claim on a unit: what it says otherwise than the unit.
func (c *coder) claim(u *ledger.Unit, cl *ledger.Claim) {
	key, upload, accepted := cl.Key == u.Key, cl.Upload == u.Upload, cl.Accepted.Equal(u.Accepted)
	c.flags(&cl.Held, &cl.Withdrawn, &key, &upload, &accepted)
	text(c, &cl.Source)
	cl.Key = either(c, key, u.Key, cl.Key, c.key)
	cl.Upload = either(c, upload, u.Upload, cl.Upload, c.string)
	cl.Accepted = either(c, accepted, u.Accepted, cl.Accepted, c.time)
}

// either returns the unit's value if that is the claim's, and else codes the
// claim's own.
func either[T any](c *coder, same bool, ofUnit, ofClaim T, code func(*T)) T {
	if same {
		return ofUnit
	}
	code(&ofClaim)
	return ofClaim
}

func (c *coder) event(e *ledger.Event) {
	number(c, &e.Number)
	number(c, &e.Own)
	number(c, &e.Partners)
	optional(c, &e.ReportType)
	text(c, &e.Sources)
}

func (c *coder) unit(u **ledger.Unit) {
	if !c.writing {
		*u = &ledger.Unit{}
	}
	v := *u
	c.key(&v.Key)
	c.time(&v.Accepted)
	c.time(&v.Due)
	c.string(&v.Upload)
	c.flags(&v.SourceWithdrew, &v.OperatorWithdrew, &v.Erase)
	list(c, &v.Claims, func(cl *ledger.Claim) { c.claim(v, cl) })
	list(c, &v.Events, c.event)
}

func (c *coder) kept(k *ledger.KeptWithdrawal) {
	text(c, &k.Source)
	c.time(&k.At)
}

func (c *coder) keptChange(k *ledger.KeptChange) {
	c.id(&k.ID)
	c.kept(&k.Kept)
	c.flags(&k.Lifted)
}

func (c *coder) setAside(a *ledger.SetAside) {
	text(c, &a.Source)
	c.string(&a.Upload)
	c.time(&a.At)
	c.id(&a.ID)
	text(c, &a.Field)
	text(c, &a.Reason)
	c.string(&a.Detail)
}

func (c *coder) swap(s *ledger.Swap) {
	c.string(&s.Name)
	number(c, &s.Version)
	c.flags(&s.Delete)
	if !s.Delete {
		c.blob(&s.Value)
	}
}

func (c *coder) cut(v *ledger.Cut) {
	number(c, &v.Seq)
	c.time(&v.Time)
	number(c, &v.Last)
	number(c, &v.Policy)
	c.array16((*[16]byte)(&v.Nonce))
	c.array32((*[32]byte)(&v.Hash))
	c.flags(&v.Pruned)
}

func (c *coder) wait(w *ledger.GroupWait) {
	c.region(&w.Origin)
	c.flags(&w.Own)
	number(c, &w.Wait)
	c.time(&w.Since)
}

func (c *coder) tallies(t *ledger.Tallies) {
	type tally struct {
		name string
		n    int64
	}
	var all []tally
	for _, name := range slices.Sorted(maps.Keys(*t)) {
		all = append(all, tally{name, (*t)[name]})
	}
	list(c, &all, func(t *tally) {
		c.string(&t.name)
		number(c, &t.n)
	})
	if c.writing {
		return
	}
	*t = make(ledger.Tallies, len(all))
	for _, tally := range all {
		(*t)[tally.name] = tally.n
	}
}

// step codes a step of the log.
func (c *coder) step(st *memledger.Step) {
	list(c, &st.Units, c.unit)
	list(c, &st.Kept, c.keptChange)
	list(c, &st.SetAside, c.setAside)
	list(c, &st.Erased, c.string)
	c.array16((*[16]byte)(&st.Nonce))
	list(c, &st.Swaps, c.swap)
	isCut := st.Cut != nil
	c.flags(&isCut, &st.Forgets)
	if isCut {
		c.cutStep(st)
	}
	list(c, &st.Removed, func(r *memledger.Removed) {
		c.id(&r.ID)
		c.time(&r.Tombstone)
	})
	if st.Forgets {
		c.time(&st.Ended)
		c.time(&st.Now)
		list(c, &st.Forget, c.string)
	}
	c.tallies(&st.Tallies)
}

// cutStep codes what only a cut has.
func (c *coder) cutStep(st *memledger.Step) {
	if !c.writing {
		st.Cut = &ledger.Cut{}
	}
	c.cut(st.Cut)
	list(c, &st.Numbered, func(n *memledger.Numbered) {
		c.id(&n.ID)
		c.event(&n.Event)
	})
	list(c, &st.Waits, c.wait)
}
