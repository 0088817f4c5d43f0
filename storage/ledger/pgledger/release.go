package pgledger

import (
	"context"
	"slices"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// Release implements [ledger.Store]. What a cut takes is chosen, put in order and
// copied inside the server, in one statement: a key passes through this process
// only if padding asks for it. Deliveries of new keys go on meanwhile, and are
// for the next cut.
func (s *Store) Release(ctx context.Context, r *ledger.Release) (cut ledger.Cut, err error) {
	if s.outer != nil {
		return cut, s.wrap("release", ErrInTx)
	}
	err = s.write(ctx, "release", plan{isolation: oneMoment, lock: extendLog}, func(t *tx) error {
		c := &cutting{tx: t, release: r}
		if err := c.begin(); err != nil {
			return err
		}
		if err := c.take(); err != nil {
			return err
		}
		n, err := c.number()
		if err != nil {
			return err
		}
		cut = c.start.Last.Next(s.identity, c.at, c.start.Last.Last+n, c.choice.Policy)
		return c.finish(cut)
	})
	return cut, err
}

// cutting is one cut in the making.
type cutting struct {
	*tx
	release *ledger.Release
	start   *ledger.Start
	at      time.Time // of the cut
	choice  *ledger.Choice

	// The combinations of origin and sources that are on hold, and what is taken:
	// groups that go whole, and units of others.
	heldOrigins, heldSources []string
	origins                  []string
	own                      []bool
	wait                     []int16
	units                    []int64
}

// roomToSort lets the server put a cut of a large country in order in memory.
const roomToSort = `SELECT set_config('work_mem', '128MB', true)`

// begin reads what a cut begins from, and has its time and holds decided.
func (c *cutting) begin() error {
	c.start = &ledger.Start{Identity: c.store.identity, Registers: map[string]ledger.Register{}}
	b := c.batch()
	b.exec(roomToSort)
	var now time.Time
	b.each(`SELECT clock_timestamp()`, nil, []any{&now}, func() error { return nil })
	b.lookLast(&c.start.Last)
	b.lookRegisters(c.start.Registers, c.release.Registers)
	b.lookWaits(&c.start.Waits)
	c.start.Tallies = b.lookAllTallies()
	if err := b.send(); err != nil {
		return err
	}
	c.start.Now = c.store.now(now)
	t, holds, err := c.release.Begin(c.start)
	if err != nil {
		return given(err)
	}
	c.at = roundUp(t).UTC()
	return c.hold(holds)
}

// hold lists the combinations of origin and sources that are on hold, of those
// that wait.
func (c *cutting) hold(holds ledger.Holds) error {
	if len(holds.Origins) == 0 && len(holds.Sources) == 0 {
		return nil
	}
	var origin, sources string
	return c.each(`SELECT DISTINCT origin, sources FROM gaen.waiting`, nil, []any{&origin, &sources}, func() error {
		r, err := region(origin)
		if holds.Holds(r, ledger.Sources(sources)) {
			c.heldOrigins, c.heldSources = append(c.heldOrigins, origin), append(c.heldSources, sources)
		}
		return err
	})
}

// ready describes what a cut at the time $1 may number: every withdrawal; what
// is on hold not, otherwise; what is new if it is due and not held by quota.
const ready = `(wait = 3
	OR (origin, sources) NOT IN (SELECT * FROM unnest($2::text[], $3::text[]))
	AND (wait = 2 OR wait = 1 AND due < $1 AND NOT held))`

// readyArgs returns the parameters of ready, and more.
func (c *cutting) readyArgs(more ...any) []any {
	return append([]any{c.at, c.heldOrigins, c.heldSources}, more...)
}

// chosen describes what is taken, with the parameters of ready before its own.
const chosen = `(` + ready + ` AND (origin, own, wait) IN (SELECT * FROM unnest($4::text[], $5::boolean[], $6::smallint[]))
	OR unit IN (SELECT unnest($7::bigint[])))`

func (c *cutting) chosenArgs(more ...any) []any {
	return append(c.readyArgs(c.origins, c.own, c.wait, c.units), more...)
}

// take has it chosen what the cut takes, and lists it.
func (c *cutting) take() error {
	groups, err := c.groups()
	if err != nil {
		return err
	}
	if c.choice, err = c.release.Choose(slices.Clone(groups)); err != nil {
		return given(err)
	}
	if err := c.takeGroups(groups); err != nil {
		return err
	}
	return c.padAll()
}

func (c *cutting) groups() (groups []ledger.Group, err error) {
	var origin string
	var own bool
	var wait int16
	var n, uploads int
	const query = `SELECT origin, own, wait, count(*), count(DISTINCT upload) FROM gaen.waiting
		WHERE ` + ready + ` GROUP BY origin, own, wait`
	err = c.each(query, c.readyArgs(), []any{&origin, &own, &wait, &n, &uploads}, func() error {
		r, err := region(origin)
		id := ledger.GroupID{Origin: r, Own: own, Wait: ledger.Wait(wait)}
		groups = append(groups, ledger.Group{GroupID: id, Keys: n, Uploads: uploads})
		return err
	})
	return groups, err
}

// takeGroups lists what is taken: of groups that go whole their names, and of any
// other the first units in canonical order.
func (c *cutting) takeGroups(groups []ledger.Group) error {
	sizes := make(map[ledger.GroupID]int, len(groups))
	for _, g := range groups {
		sizes[g.GroupID] = g.Keys
	}
	for _, t := range c.choice.Take {
		if t.Keys < sizes[t.GroupID] {
			first, err := c.firstOf(t.GroupID, t.Keys)
			if err != nil {
				return err
			}
			c.units = append(c.units, first...)
			continue
		}
		c.origins = append(c.origins, t.Origin.String())
		c.own = append(c.own, t.Own)
		c.wait = append(c.wait, int16(t.Wait))
	}
	return nil
}

// firstOf returns the first n units of a group, in canonical order.
func (c *cutting) firstOf(g ledger.GroupID, n int) (units []int64, err error) {
	var unit int64
	const query = `SELECT unit FROM gaen.waiting WHERE ` + ready + ` AND origin = $4 AND own = $5 AND wait = $6
		ORDER BY ` + canonical + ` LIMIT $7`
	err = c.each(query, c.readyArgs(g.Origin.String(), g.Own, int16(g.Wait), n), []any{&unit}, func() error {
		units = append(units, unit)
		return nil
	})
	return units, err
}

// padAll has padding made for the groups that it is asked for, stores it and
// takes it too. What one group needs is read before another's is stored.
func (c *cutting) padAll() error {
	var padded [][]*ledger.Unit
	for _, t := range c.choice.Take {
		if !t.Pad {
			continue
		}
		units, err := c.takenOf(t.GroupID)
		if err != nil {
			return err
		}
		padded = append(padded, units)
	}
	for _, units := range padded {
		if err := c.pad(c.release.Pad(units)); err != nil {
			return err
		}
	}
	return nil
}

// takenOf returns the units that are taken of a group, in canonical order.
func (c *cutting) takenOf(g ledger.GroupID) ([]*ledger.Unit, error) {
	found, err := c.load(`WHERE unit.id IN (SELECT unit FROM gaen.waiting WHERE `+chosen+` AND origin = $8 AND own = $9 AND wait = $10)`,
		c.chosenArgs(g.Origin.String(), g.Own, int16(g.Wait))...)
	units := list(found.all, func(r *row) *ledger.Unit { return &r.unit })
	slices.SortFunc(units, func(a, b *ledger.Unit) int { return a.Key.Compare(&b.Key) })
	return units, err
}

// pad stores echoes and takes them. Their key data is random, so that nobody else
// can have brought it; if somebody has, the step is repeated.
func (c *cutting) pad(echoes []*ledger.Unit) error {
	k := c.known(nil)
	b := c.batch()
	k.number(b, len(echoes))
	if err := b.send(); err != nil {
		return err
	}
	saved, err := k.sort(echoes)
	if err != nil {
		return err
	}
	b = c.batch()
	b.save(saved)
	c.units = append(c.units, list(saved.added, func(r *row) int64 { return r.id })...)
	return b.send()
}

// number moves the events of what is taken into the log, in canonical order, and
// returns how many there were.
func (c *cutting) number() (int64, error) {
	var unit int64
	var again []int64 // units that have a number already
	const others = `SELECT unit FROM gaen.waiting WHERE wait > 1 AND ` + chosen
	err := c.each(others, c.chosenArgs(), []any{&unit}, func() error {
		again = append(again, unit)
		return nil
	})
	if err != nil {
		return 0, err
	}
	if len(again) > 0 {
		if _, err := c.exec(`UPDATE gaen.unit SET changed = true WHERE id = ANY ($1) AND NOT changed`, again); err != nil {
			return 0, err
		}
	}
	const move = `WITH taken AS (DELETE FROM gaen.waiting WHERE ` + chosen + ` RETURNING unit, own_state, partners_state, event_report_type, sources,
			rolling_start_interval_number, rolling_period, transmission_risk_level, report_type,
			days_since_onset_of_symptoms, variant_of_concern, key_data, origin)
		INSERT INTO gaen.event (number, unit, own_state, partners_state, report_type, sources)
		SELECT $8 + row_number() OVER (ORDER BY ` + canonical + `), unit, own_state, partners_state, event_report_type, sources
		FROM taken`
	return c.exec(move, c.chosenArgs(c.start.Last.Last)...)
}

// finish stores the cut and what goes with it.
func (c *cutting) finish(cut ledger.Cut) error {
	b := c.batch()
	b.addCut(c.start.Last, cut)
	b.replaceWaits(c.choice.Waits)
	b.addTallies(c.choice.Tallies)
	return b.send()
}

// lookWaits adds to a batch what reads since when groups have been passed over.
func (b *batch) lookWaits(waits *[]ledger.GroupWait) {
	var origin string
	var own bool
	var wait int16
	var since time.Time
	b.each(`SELECT origin, own, wait, since FROM gaen.group_wait`, nil, []any{&origin, &own, &wait, &since}, func() error {
		r, err := region(origin)
		id := ledger.GroupID{Origin: r, Own: own, Wait: ledger.Wait(wait)}
		*waits = append(*waits, ledger.GroupWait{GroupID: id, Since: since.UTC()})
		return err
	})
}

func (b *batch) replaceWaits(waits []ledger.GroupWait) {
	b.exec(`DELETE FROM gaen.group_wait`)
	for _, w := range waits {
		b.exec(`INSERT INTO gaen.group_wait (origin, own, wait, since) VALUES ($1, $2, $3, $4)`,
			w.Origin.String(), w.Own, int16(w.Wait), w.Since)
	}
}
