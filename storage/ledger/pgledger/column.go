package pgledger

import (
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gaenkit/gaen/keys"
)

// bytes16 is a column of 16 bytes: key data, a nonce.
type bytes16 [16]byte

// ScanBytes implements [pgtype.BytesScanner].
func (b *bytes16) ScanBytes(src []byte) error { return scanBytes(b[:], src) }

// bytes32 is a column of 32 bytes: a hash.
type bytes32 [32]byte

// ScanBytes implements [pgtype.BytesScanner].
func (b *bytes32) ScanBytes(src []byte) error { return scanBytes(b[:], src) }

var _, _ pgtype.BytesScanner = (*bytes16)(nil), (*bytes32)(nil)

// scanBytes never names what it found: it may be key data.
func scanBytes(dest, src []byte) error {
	if len(src) != len(dest) {
		return fmt.Errorf("%w: %d bytes where %d belong", ErrCorrupt, len(src), len(dest))
	}
	copy(dest, src)
	return nil
}

type number interface {
	comparable
	~uint8 | ~int16
}

// nullable is a number that may be null.
type nullable = pgtype.Int2

func optional[T number](n nullable) keys.Optional[T] {
	if !n.Valid {
		return keys.Optional[T]{}
	}
	return keys.Some(T(n.Int16))
}

// orNull is the inverse of optional.
func orNull[T number](o keys.Optional[T]) nullable {
	v, ok := o.Get()
	return nullable{Int16: int16(v), Valid: ok}
}

// region returns the region of a column, which is empty for none.
func region(code string) (keys.Region, error) {
	if code == "" {
		return keys.Region{}, nil
	}
	r, err := keys.ParseRegion(code)
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return r, nil
}

// text returns s as PostgreSQL can keep it: what is no UTF-8, and the character
// zero, is replaced. Names that the rules of package ledger let through have
// neither.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// roundUp returns t in whole microseconds, up: such a time is before t exactly if
// it is before that.
func roundUp(t time.Time) time.Time {
	down := t.Truncate(time.Microsecond)
	if down.Before(t) {
		return down.Add(time.Microsecond)
	}
	return down
}

// A list is one parameter for a column of many rows.
func list[T, C any](items []T, column func(T) C) []C {
	all := make([]C, len(items))
	for i, item := range items {
		all[i] = column(item)
	}
	return all
}

// unnest returns the statement that adds rows of these columns to a table, each
// column as one parameter.
func unnest(table string, columns ...string) string {
	names, types := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		name, kind, _ := strings.Cut(c, " ")
		names[i], types[i] = name, fmt.Sprintf("$%d::%s[]", i+1, kind)
	}
	return "INSERT INTO gaen." + table + " (" + strings.Join(names, ", ") + ") SELECT * FROM unnest(" + strings.Join(types, ", ") + ")"
}
