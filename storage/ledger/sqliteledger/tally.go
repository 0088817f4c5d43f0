package sqliteledger

import "github.com/gaenkit/gaen/storage/ledger"

// readTallies reads the named counters. One that has never been added to is 0.
func (t *tx) readTallies(into ledger.Tallies, names []string) error {
	for _, name := range names {
		var count integer
		if _, err := t.get(`SELECT count FROM tally WHERE name = ?`, []any{name}, &count); err != nil {
			return err
		}
		into[name] = int64(count)
	}
	return nil
}

func (t *tx) allTallies() (ledger.Tallies, error) {
	all := ledger.Tallies{}
	var name string
	var count integer
	err := t.each(`SELECT name, count FROM tally`, nil, func(s scanner) error {
		err := s.Scan(&name, &count)
		all[name] = int64(count)
		return err
	})
	return all, err
}

func (t *tx) addTallies(tallies ledger.Tallies) error {
	const add = `INSERT INTO tally (name, count) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET count = count + excluded.count`
	for name, n := range tallies {
		if n == 0 {
			continue // such a counter need not be
		}
		if _, err := t.exec(add, name, n); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) forgetTallies(names []string) error {
	for _, name := range names {
		if _, err := t.exec(`DELETE FROM tally WHERE name = ?`, name); err != nil {
			return err
		}
	}
	return nil
}
