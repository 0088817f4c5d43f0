package ledger

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gaenkit/gaen/keys"
)

var (
	// ErrPruned: the numbers asked for are no longer all there. A pruned range
	// never reads as fewer keys.
	ErrPruned = errors.New("ledger: part of the range has been pruned")

	// ErrPolicy: the ledger goes by another policy than it was opened with.
	ErrPolicy = errors.New("ledger: opened with another policy than it has")

	// ErrReplay: a replay ledger was opened as an ordinary one, or the reverse.
	ErrReplay = errors.New("ledger: only a ledger made for replays runs by a clock that is not its own")

	// ErrTime: a cut was asked for at a time that it may not have, or keys were to be
	// removed by a clock that no cut may be made by.
	ErrTime = errors.New("ledger: no cut may be made at that time")
)

// A ConflictError says that a register has not the version that a writer read.
// Nothing was stored.
type ConflictError struct {
	Have Register // as it is now; Version 0 if there is none
	Want int64    // the version the writer read
}

// Error names the register and both versions.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("ledger: register %s has version %d, not %d", e.Have.Name, e.Have.Version, e.Want)
}

// A PartialError says that a [Delivery] that was to be stored whole would not
// have been, and what would have become of each of its parts. Nothing was
// stored, those that would have been taken included.
type PartialError struct {
	Keys        []Fate // of the keys, in their order, upload after upload
	Withdrawals []Fate // of the withdrawals, in their order
	Unreadable  int    // keys that came in it and could not be parsed
}

// A Fate is what would have become of one key, or of one withdrawal. The zero
// Fate is to be taken.
type Fate struct {
	Known   bool            // the source has said so before
	Refused *keys.Rejection // why it would never be taken; nil if it would
}

// Taken reports whether it would have been stored, and changed something.
func (f Fate) Taken() bool { return !f.Known && f.Refused == nil }

// Error counts what stood in the way.
func (e *PartialError) Error() string {
	known, refused := 0, e.Unreadable
	for _, fates := range [][]Fate{e.Keys, e.Withdrawals} {
		for _, f := range fates {
			switch {
			case f.Known:
				known++
			case f.Refused != nil:
				refused++
			}
		}
	}
	return fmt.Sprintf("ledger: nothing was stored: of %d keys and withdrawals %d are known and %d refused",
		len(e.Keys)+len(e.Withdrawals)+e.Unreadable, known, refused)
}

// none reports whether nothing stands in the way.
func (e *PartialError) none() bool {
	taken := func(fates []Fate) bool {
		return !slices.ContainsFunc(fates, func(f Fate) bool { return !f.Taken() })
	}
	return e.Unreadable == 0 && taken(e.Keys) && taken(e.Withdrawals)
}
