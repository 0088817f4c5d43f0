package pgledger

import (
	"maps"
	"slices"

	"github.com/gaenkit/gaen/storage/ledger"
)

// slots is in how many parts a counter is kept. Each connection adds to the part
// that its process has in the server, so that connections wait for one another
// only if there are more of them than slots.
const slots = "64"

// lookTallies adds to a batch what reads the named counters. One that has never
// been added to is 0.
func (b *batch) lookTallies(into ledger.Tallies, names []string) {
	if len(names) == 0 {
		return
	}
	for _, name := range names {
		into[name] = 0
	}
	var name string
	var count int64
	b.each(`SELECT name, sum(count)::bigint FROM gaen.tally WHERE name = ANY ($1) GROUP BY name`, []any{names}, []any{&name, &count}, func() error {
		into[name] = count
		return nil
	})
}

func (b *batch) lookAllTallies() ledger.Tallies {
	all := ledger.Tallies{}
	var name string
	var count int64
	b.each(`SELECT name, sum(count)::bigint FROM gaen.tally GROUP BY name`, nil, []any{&name, &count}, func() error {
		all[name] = count
		return nil
	})
	return all
}

// addTallies adds to a batch what adds to counters. Whoever does takes their rows
// in the order of names, last of all that a step locks.
func (b *batch) addTallies(tallies ledger.Tallies) {
	names := slices.Sorted(maps.Keys(tallies))
	names = slices.DeleteFunc(names, func(name string) bool { return tallies[name] == 0 }) // such a counter need not be
	if len(names) == 0 {
		return
	}
	b.exec(`INSERT INTO gaen.tally AS t (name, slot, count)
		SELECT name, pg_backend_pid() % `+slots+`, n FROM unnest($1::text[], $2::bigint[]) AS added (name, n)
		ON CONFLICT (name, slot) DO UPDATE SET count = t.count + excluded.count`,
		list(names, text), list(names, func(name string) int64 { return tallies[name] }))
}
