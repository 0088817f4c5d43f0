package signing

import (
	"slices"
	"time"
)

// MaxSigners is how many keys may sign one archive: phones take no more
// signature infos than this.
const MaxSigners = 10

// Ring is the signers of a rotation: those in use, those that were, and those
// that will be. While two overlap, archives are signed by both, so that apps
// with the old key and apps with the new one verify them. It is safe for
// concurrent use.
type Ring struct {
	signers []*Signer // newest first
}

// NewRing returns a ring of the given signers. It is an error if two have the
// same identity, or if there is a time at which more than [MaxSigners] of them
// are valid: that is better known at start-up than on that day.
func NewRing(signers ...*Signer) (*Ring, error) {
	r := &Ring{signers: NewestFirst(signers)}
	if len(signers) == 0 {
		return nil, fail("ring", "%w", ErrNoSigner)
	}
	if i := slices.Index(r.signers, nil); i >= 0 {
		return nil, fail("ring", "a signer is nil")
	}
	seen := make(map[Identity]bool)
	for _, s := range r.signers {
		if seen[s.Identity()] {
			return nil, fail("ring", "%s: two signers have this identity", s.Identity())
		}
		seen[s.Identity()] = true
		// The number of valid signers rises only where one becomes valid.
		if n := len(r.validAt(s.Validity().NotBefore)); n > MaxSigners {
			return nil, fail("ring", "%w: %d valid at %s, at most %d",
				ErrTooManySigners, n, s.Validity().NotBefore.UTC().Format(time.RFC3339), MaxSigners)
		}
	}
	return r, nil
}

// NewestFirst returns the signers in the order the format wants their
// signatures in: by the time they became valid, the latest first; those that
// became valid together stay as they are. It does not touch its argument.
func NewestFirst(signers []*Signer) []*Signer {
	sorted := slices.Clone(signers)
	slices.SortStableFunc(sorted, func(a, b *Signer) int {
		if a == nil || b == nil {
			return 0
		}
		return b.Validity().NotBefore.Compare(a.Validity().NotBefore)
	})
	return sorted
}

// ValidAt returns the signers that are valid at t, newest first, at least one
// and at most [MaxSigners]. If there is none, errors.Is(err, ErrNoSigner).
func (r *Ring) ValidAt(t time.Time) ([]*Signer, error) {
	valid := r.validAt(t)
	if len(valid) == 0 {
		return nil, fail("ring", "%w at %s", ErrNoSigner, t.UTC().Format(time.RFC3339))
	}
	return valid, nil
}

func (r *Ring) validAt(t time.Time) []*Signer {
	var valid []*Signer
	for _, s := range r.signers {
		if s.Validity().Contains(t) {
			valid = append(valid, s)
		}
	}
	return valid
}

// Lookup returns the signer with this identity, valid or not: an archive that
// was planned with it is still made with it.
func (r *Ring) Lookup(id Identity) (*Signer, bool) {
	for _, s := range r.signers {
		if s.Identity() == id {
			return s, true
		}
	}
	return nil, false
}

// PublicKeys returns the public sides of all signers, newest first.
func (r *Ring) PublicKeys() []PublicKey {
	public := make([]PublicKey, len(r.signers))
	for i, s := range r.signers {
		public[i] = s.PublicKey()
	}
	return public
}
