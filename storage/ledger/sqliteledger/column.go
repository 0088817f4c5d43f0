package sqliteledger

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Columns are scanned into types of this file, because database/sql goes by
// reflection for all others, which takes longer than SQLite does to find the
// row.

// integer is a column that is never null.
type integer int64

// Scan implements [sql.Scanner].
func (n *integer) Scan(src any) error {
	v, ok := src.(int64)
	if !ok {
		return fmt.Errorf("%w: %T where a number belongs", ErrCorrupt, src)
	}
	*n = integer(v)
	return nil
}

func (n integer) bool() bool { return n != 0 }

// time is the inverse of [micros].
func (n integer) time() time.Time { return time.UnixMicro(int64(n)).UTC() }

// micros returns t as it is stored: in microseconds, down.
func micros(t time.Time) int64 { return t.UnixMicro() }

// microsUp returns t in microseconds, up: a whole number of microseconds is
// before t exactly if it is less.
func microsUp(t time.Time) int64 {
	n := t.UnixMicro()
	if time.UnixMicro(n).Before(t) {
		n++
	}
	return n
}

// nullable is a number that may be null.
type nullable struct {
	n     int64
	valid bool
}

// Scan implements [sql.Scanner].
func (n *nullable) Scan(src any) error {
	*n = nullable{}
	if src == nil {
		return nil
	}
	v, ok := src.(int64)
	if !ok {
		return fmt.Errorf("%w: %T where a number belongs", ErrCorrupt, src)
	}
	*n = nullable{v, true}
	return nil
}

type number interface {
	comparable
	~uint8 | ~int16
}

func optional[T number](n nullable) keys.Optional[T] {
	if !n.valid {
		return keys.Optional[T]{}
	}
	return keys.Some(T(n.n))
}

// orNull is the inverse of optional, for a parameter.
func orNull[T number](o keys.Optional[T]) any {
	if v, ok := o.Get(); ok {
		return int64(v)
	}
	return nil
}

// bytes16 is a column of 16 bytes: key data, a nonce.
type bytes16 [16]byte

// Scan implements [sql.Scanner].
func (b *bytes16) Scan(src any) error { return scanBytes(b[:], src) }

// bytes32 is a column of 32 bytes: a hash.
type bytes32 [32]byte

// Scan implements [sql.Scanner].
func (b *bytes32) Scan(src any) error { return scanBytes(b[:], src) }

// scanBytes never names what it found: it may be key data.
func scanBytes(dest []byte, src any) error {
	b, ok := src.([]byte)
	if !ok || len(b) != len(dest) {
		return fmt.Errorf("%w: %T of %d bytes where %d belong", ErrCorrupt, src, len(b), len(dest))
	}
	copy(dest, b)
	return nil
}

// region is a column with the code of a region, empty for none.
type region struct{ keys.Region }

// Scan implements [sql.Scanner].
func (r *region) Scan(src any) error {
	code, ok := src.(string)
	if !ok {
		return fmt.Errorf("%w: %T where an origin belongs", ErrCorrupt, src)
	}
	if code == "" {
		r.Region = keys.Region{}
		return nil
	}
	var err error
	if r.Region, err = keys.ParseRegion(code); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return nil
}

// Lists are passed to SQLite as one parameter each, in JSON, so that one
// statement serves lists of any length.

// idList returns the ids of rows, for json_each.
func idList(ids []int64) string {
	list := []byte{'['}
	for i, id := range ids {
		if i > 0 {
			list = append(list, ',')
		}
		list = strconv.AppendInt(list, id, 10)
	}
	return string(append(list, ']'))
}

// hexList returns what of gives for each item, in hexadecimal, for json_each and
// unhex.
func hexList[T any](items []T, of func(*T) []byte) string {
	list := []byte{'['}
	for i := range items {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, '"')
		list = hex.AppendEncode(list, of(&items[i]))
		list = append(list, '"')
	}
	return string(append(list, ']'))
}

// keyList lists the key data of units.
func keyList(ids []ledger.UnitID) string {
	return hexList(ids, func(id *ledger.UnitID) []byte { return id.KeyData[:] })
}
