package storage

import (
	"fmt"
	"strings"
)

// CheckPrefix returns nil if prefix can be what the names of a part of a bucket
// begin with: nothing, or a name ([CheckName]) and a '/' after it. The error
// satisfies errors.Is(err, [ErrInvalidName]). It is for stores that share a
// bucket with others; see [Prefixed] for a view of one that does not.
func CheckPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	dir, ok := strings.CutSuffix(prefix, "/")
	if !ok {
		return fmt.Errorf("%q: %w: does not end in '/'", shown(prefix), ErrInvalidName)
	}
	if err := CheckName(dir); err != nil {
		return fmt.Errorf("%q: %w", shown(prefix), err)
	}
	return nil
}
