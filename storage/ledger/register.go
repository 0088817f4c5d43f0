package ledger

import (
	"crypto/rand"
	"fmt"
	"strings"
)

// A Register is a named value of the ledger: a plan, a range, a policy, a
// cursor. It is compared by version and never by value, and one that is absent
// is not one that is empty.
type Register struct {
	Name    string
	Version int64 // from 1; changes with every change of the value
	Value   []byte
	Nonce   Nonce // of the writer of this version
}

const (
	// MaxRegister is the length of the longest value in bytes.
	MaxRegister = 64 << 10

	// maxRegisterName is the length of the longest name in bytes.
	maxRegisterName = 200
)

// A Swap changes one register if it still has the version the writer read.
type Swap struct {
	Name    string
	Version int64  // as read; 0 if there must be none
	Value   []byte // what to store
	Delete  bool   // remove it instead
}

// A Nonce marks what one writer wrote in one step, so that after a lost answer
// the writer recognises itself.
type Nonce [16]byte

// NewNonce returns a nonce that nobody else has.
func NewNonce() Nonce {
	var n Nonce
	rand.Read(n[:])
	return n
}

func (s *Swap) check() error {
	switch {
	case len(s.Name) < 1 || len(s.Name) > maxRegisterName || strings.ContainsFunc(s.Name, func(r rune) bool { return r < 0x21 || r > 0x7e }):
		return fmt.Errorf("ledger: register name of %d bytes, want 1 to %d of printable ASCII", len(s.Name), maxRegisterName)
	case len(s.Value) > MaxRegister:
		return fmt.Errorf("ledger: register %s: value of %d bytes, at most %d", s.Name, len(s.Value), MaxRegister)
	case s.Version < 0:
		return fmt.Errorf("ledger: register %s: version %d is negative", s.Name, s.Version)
	}
	return nil
}

// checkSwaps judges several swaps that are to happen in one step.
func checkSwaps(swaps []Swap) error {
	seen := make(map[string]bool, len(swaps))
	for i := range swaps {
		if err := swaps[i].check(); err != nil {
			return err
		}
		if seen[swaps[i].Name] {
			return fmt.Errorf("ledger: register %s: swapped twice in one step", swaps[i].Name)
		}
		seen[swaps[i].Name] = true
	}
	return nil
}
