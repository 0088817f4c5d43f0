package sqliteledger

import (
	"context"
	"slices"

	"github.com/gaenkit/gaen/storage/ledger"
)

// Release implements [ledger.Store]. What a cut takes is chosen and copied
// inside SQLite: a key passes through this process only if padding asks for it.
func (s *Store) Release(ctx context.Context, r *ledger.Release) (cut ledger.Cut, err error) {
	err = s.write(ctx, "release", func(t *tx) error {
		c := &cutting{tx: t, release: r}
		if err := c.begin(s); err != nil {
			return err
		}
		if err := c.take(); err != nil {
			return err
		}
		n, err := c.number()
		if err != nil {
			return err
		}
		cut = c.start.Last.Next(s.identity, integer(c.at).time(), c.start.Last.Last+n, c.choice.Policy)
		return c.finish(cut)
	})
	return cut, err
}

// cutting is one cut in the making.
type cutting struct {
	*tx
	release *ledger.Release
	start   *ledger.Start
	at      int64 // the time of the cut
	choice  *ledger.Choice
}

// begin reads what a cut begins from, and has its time and holds decided.
func (c *cutting) begin(s *Store) (err error) {
	c.start = &ledger.Start{Identity: s.identity, Now: s.now()}
	if c.start.Last, err = c.lastCut(); err != nil {
		return err
	}
	if c.start.Registers, err = c.registers(c.release.Registers); err != nil {
		return err
	}
	if c.start.Waits, err = c.waits(); err != nil {
		return err
	}
	if c.start.Tallies, err = c.allTallies(); err != nil {
		return err
	}
	t, holds, err := c.release.Begin(c.start)
	if err != nil {
		return given(err)
	}
	c.at = micros(t)
	return c.hold(holds)
}

// hold lists the combinations of origin and sources that are on hold, of those
// that wait.
func (c *cutting) hold(holds ledger.Holds) error {
	if _, err := c.exec(`DELETE FROM temp.on_hold`); err != nil {
		return err
	}
	if len(holds.Origins) == 0 && len(holds.Sources) == 0 {
		return nil
	}
	type combination struct {
		origin  region
		sources string
	}
	var held []combination
	err := c.each(`SELECT DISTINCT origin, sources FROM waiting`, nil, func(s scanner) error {
		var w combination
		err := s.Scan(&w.origin, &w.sources)
		if holds.Holds(w.origin.Region, ledger.Sources(w.sources)) {
			held = append(held, w)
		}
		return err
	})
	for _, w := range held {
		if err == nil {
			_, err = c.exec(`INSERT INTO temp.on_hold (origin, sources) VALUES (?, ?)`, w.origin.String(), w.sources)
		}
	}
	return err
}

// ready describes what a cut at the time ?1 may number: every withdrawal; what
// is on hold not, otherwise; what is new if it is due and not held by quota.
const ready = `(waiting.wait = 3
	OR (waiting.origin, waiting.sources) NOT IN (SELECT origin, sources FROM temp.on_hold)
	AND (waiting.wait = 2 OR waiting.wait = 1 AND waiting.due < ?1 AND NOT waiting.held))`

// take has it chosen what the cut takes, and lists it.
func (c *cutting) take() error {
	groups, err := c.groups()
	if err != nil {
		return err
	}
	if c.choice, err = c.release.Choose(slices.Clone(groups)); err != nil {
		return given(err)
	}
	for _, query := range []string{`DELETE FROM temp.take`, `DELETE FROM temp.taken`} {
		if _, err := c.exec(query); err != nil {
			return err
		}
	}
	if err := c.takeGroups(groups); err != nil {
		return err
	}
	return c.padAll()
}

func (c *cutting) groups() (groups []ledger.Group, err error) {
	var origin region
	var own, wait, n, uploads integer
	const query = `SELECT origin, own, wait, count(*), count(DISTINCT upload) FROM waiting
		WHERE ` + ready + ` GROUP BY origin, own, wait`
	err = c.each(query, []any{c.at}, func(s scanner) error {
		err := s.Scan(&origin, &own, &wait, &n, &uploads)
		id := ledger.GroupID{Origin: origin.Region, Own: own.bool(), Wait: ledger.Wait(wait)}
		groups = append(groups, ledger.Group{GroupID: id, Keys: int(n), Uploads: int(uploads)})
		return err
	})
	return groups, err
}

// takeGroups lists the units that are taken: of groups that go whole, all at
// once, and of any other the first in canonical order.
func (c *cutting) takeGroups(groups []ledger.Group) error {
	sizes := make(map[ledger.GroupID]int, len(groups))
	for _, g := range groups {
		sizes[g.GroupID] = g.Keys
	}
	const (
		whole = `INSERT INTO temp.take (origin, own, wait) VALUES (?, ?, ?)`
		some  = `INSERT INTO temp.taken (unit) SELECT unit.id FROM waiting JOIN unit ON unit.id = waiting.unit
			WHERE ` + ready + ` AND waiting.origin = ?2 AND waiting.own = ?3 AND waiting.wait = ?4
			ORDER BY ` + canonical + ` LIMIT ?5`
		all = `INSERT INTO temp.taken (unit) SELECT waiting.unit FROM waiting JOIN temp.take USING (origin, own, wait) WHERE ` + ready
	)
	for _, t := range c.choice.Take {
		query, args := whole, groupArgs(t.GroupID)
		if t.Keys < sizes[t.GroupID] {
			query, args = some, append(append([]any{c.at}, args...), int64(t.Keys))
		}
		if _, err := c.exec(query, args...); err != nil {
			return err
		}
	}
	_, err := c.exec(all, c.at)
	return err
}

// groupArgs returns the columns of a group: origin, own and wait.
func groupArgs(g ledger.GroupID) []any { return []any{g.Origin.String(), g.Own, int64(g.Wait)} }

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
	rows, err := c.units(selectUnits+`WHERE unit.id IN (SELECT taken.unit FROM temp.taken JOIN waiting ON waiting.unit = taken.unit
		WHERE waiting.origin = ? AND waiting.own = ? AND waiting.wait = ?)`, groupArgs(g)...)
	units := make([]*ledger.Unit, len(rows))
	for i, r := range rows {
		units[i] = &r.unit
	}
	slices.SortFunc(units, func(a, b *ledger.Unit) int { return a.Key.Compare(&b.Key) })
	return units, err
}

// pad stores echoes and takes them.
func (c *cutting) pad(echoes []*ledger.Unit) error {
	k := c.known()
	if err := k.saveAll(echoes); err != nil {
		return err
	}
	for _, u := range echoes {
		if _, err := c.exec(`INSERT INTO temp.taken (unit) VALUES (?)`, k.rows[u.ID()].id); err != nil {
			return err
		}
	}
	return nil
}

// number copies the events of what is taken into the log, in canonical order,
// and returns how many there were.
func (c *cutting) number() (int64, error) {
	const insert = `INSERT INTO event (number, unit, ` + eventColumns + `)
		SELECT ? + row_number() OVER (ORDER BY ` + canonical + `), waiting.unit,
			waiting.own_state, waiting.partners_state, waiting.report_type, waiting.sources
		FROM temp.taken JOIN waiting ON waiting.unit = taken.unit JOIN unit ON unit.id = taken.unit`
	n, err := c.change(insert, c.start.Last.Last)
	if err != nil {
		return 0, err
	}
	const mark = `UPDATE unit SET changed = 1
		WHERE id IN (SELECT waiting.unit FROM temp.taken JOIN waiting ON waiting.unit = taken.unit WHERE waiting.wait > 1)`
	if _, err := c.exec(mark); err != nil {
		return 0, err
	}
	_, err = c.exec(`DELETE FROM waiting WHERE unit IN (SELECT unit FROM temp.taken)`)
	return n, err
}

// finish stores the cut and what goes with it.
func (c *cutting) finish(cut ledger.Cut) error {
	if err := c.addCut(c.start.Last, cut); err != nil {
		return err
	}
	if err := c.replaceWaits(c.choice.Waits); err != nil {
		return err
	}
	return c.addTallies(c.choice.Tallies)
}

// waits returns since when groups have been passed over.
func (t *tx) waits() (waits []ledger.GroupWait, err error) {
	var origin region
	var own, wait, since integer
	err = t.each(`SELECT origin, own, wait, since FROM group_wait`, nil, func(s scanner) error {
		err := s.Scan(&origin, &own, &wait, &since)
		id := ledger.GroupID{Origin: origin.Region, Own: own.bool(), Wait: ledger.Wait(wait)}
		waits = append(waits, ledger.GroupWait{GroupID: id, Since: since.time()})
		return err
	})
	return waits, err
}

func (t *tx) replaceWaits(waits []ledger.GroupWait) error {
	if _, err := t.exec(`DELETE FROM group_wait`); err != nil {
		return err
	}
	for _, w := range waits {
		args := append(groupArgs(w.GroupID), micros(w.Since))
		if _, err := t.exec(`INSERT INTO group_wait (origin, own, wait, since) VALUES (?, ?, ?, ?)`, args...); err != nil {
			return err
		}
	}
	return nil
}
