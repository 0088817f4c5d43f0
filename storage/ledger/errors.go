package ledger

import (
	"errors"
	"fmt"
)

var (
	// ErrPruned: the numbers asked for are no longer all there. A pruned range
	// never reads as fewer keys.
	ErrPruned = errors.New("ledger: part of the range has been pruned")

	// ErrPolicy: the ledger goes by another policy than it was opened with.
	ErrPolicy = errors.New("ledger: opened with another policy than it has")

	// ErrReplay: a replay ledger was opened as an ordinary one, or the reverse.
	ErrReplay = errors.New("ledger: only a ledger made for replays runs by a clock that is not its own")

	// ErrTime: a cut was asked for at a time that it may not have.
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
