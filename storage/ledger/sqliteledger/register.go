package sqliteledger

import (
	"context"

	"github.com/gaenkit/gaen/storage/ledger"
)

// Registers implements [ledger.Store].
func (s *Store) Registers(ctx context.Context, prefix string) (found []ledger.Register, err error) {
	err = s.read(ctx, "registers", func(t *tx) error {
		found, err = t.registersIn(prefix)
		return err
	})
	return found, err
}

const registerColumns = "name, version, value, nonce"

// registersIn returns the registers whose names begin with prefix. Names are
// printable, so that char(127) is after all of them.
func (t *tx) registersIn(prefix string) (found []ledger.Register, err error) {
	const query = `SELECT ` + registerColumns + ` FROM register WHERE name >= ?1 AND name < ?1 || char(127) ORDER BY name`
	err = t.each(query, []any{prefix}, func(s scanner) error {
		r, err := scanRegister(s)
		found = append(found, r)
		return err
	})
	return found, err
}

func scanRegister(s scanner) (r ledger.Register, err error) {
	var version integer
	var nonce bytes16
	err = s.Scan(&r.Name, &version, &r.Value, &nonce)
	r.Version, r.Nonce = int64(version), ledger.Nonce(nonce)
	if r.Value == nil {
		r.Value = []byte{} // there is a register, and it is empty
	}
	return r, err
}

// register returns the register with that name, or one of version 0.
func (t *tx) register(name string) (r ledger.Register, err error) {
	r.Name = name
	err = t.each(`SELECT `+registerColumns+` FROM register WHERE name = ?`, []any{name}, func(s scanner) error {
		r, err = scanRegister(s)
		return err
	})
	return r, err
}

// registers returns those of the named registers that there are.
func (t *tx) registers(names []string) (map[string]ledger.Register, error) {
	found := make(map[string]ledger.Register, len(names))
	for _, name := range names {
		r, err := t.register(name)
		if err != nil {
			return nil, err
		}
		if r.Version > 0 {
			found[name] = r
		}
	}
	return found, nil
}

// Swap implements [ledger.Store].
func (s *Store) Swap(ctx context.Context, nonce ledger.Nonce, swaps []ledger.Swap) error {
	return s.write(ctx, "swap", func(t *tx) error {
		if err := t.checkSwaps(nonce, swaps); err != nil {
			return err
		}
		return t.swap(nonce, swaps)
	})
}

// checkSwaps returns a [*ledger.ConflictError] for a register that has moved on:
// for one that the writer with this nonce wrote itself, if there is one, so that
// it recognises itself.
func (t *tx) checkSwaps(nonce ledger.Nonce, swaps []ledger.Swap) error {
	var conflict error
	for _, w := range swaps {
		have, err := t.register(w.Name)
		if err != nil {
			return err
		}
		if have.Version != w.Version && (conflict == nil || have.Nonce == nonce) {
			conflict = &ledger.ConflictError{Have: have, Want: w.Version}
		}
	}
	return conflict
}

// swap changes registers. All of them share one counter of versions, so that
// none is given twice, whatever is removed.
func (t *tx) swap(nonce ledger.Nonce, swaps []ledger.Swap) error {
	const put = `INSERT OR REPLACE INTO register (name, version, value, nonce)
		VALUES (?, (SELECT version FROM ledger), ?, ?)`
	for _, w := range swaps {
		query, args := put, []any{w.Name, append([]byte{}, w.Value...), nonce[:]}
		if w.Delete {
			query, args = `DELETE FROM register WHERE name = ?`, args[:1]
		}
		if _, err := t.exec(`UPDATE ledger SET version = version + 1`); err != nil {
			return err
		}
		if _, err := t.exec(query, args...); err != nil {
			return err
		}
	}
	return nil
}
