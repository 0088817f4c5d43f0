package distribution

import (
	"fmt"
	"time"

	"github.com/gaenkit/gaen/signing"
)

// signersAt returns the signers of a file whose window ends at end. Who verifies it
// asks whether a key was valid then, whenever the file was made: a window that is
// carried out late is signed by those that are valid at both times, and if there are
// none by those that were then. It is better that keys leave by a signature that is
// odd than not at all: if none was valid then, by those that are now.
func (r *run) signersAt(end time.Time) ([]*signing.Signer, error) {
	then, _ := r.ring.ValidAt(end)
	var both []*signing.Signer
	for _, s := range then {
		if s.Validity().Contains(r.now) {
			both = append(both, s)
		}
	}
	switch {
	case len(both) > 0:
		return both, nil
	case len(then) > 0:
		return then, nil
	}
	now, err := r.ring.ValidAt(r.now)
	if err != nil {
		return nil, fmt.Errorf("distribution: %w", err)
	}
	return now, nil
}

// signersOf returns the signers that a plan names. One that is no longer in the
// ring is replaced by those of its window: the content stays the plan's.
func (r *run) signersOf(c *committed) ([]*signing.Signer, error) {
	var signers []*signing.Signer
	for _, id := range c.Signers {
		s, ok := r.ring.Lookup(id)
		if !ok {
			r.warn("%s %s: signer %s is no longer there", c.pkg, c.window(), id)
			return r.signersAt(c.End)
		}
		signers = append(signers, s)
	}
	return signers, nil
}

func identities(signers []*signing.Signer) (ids []signing.Identity) {
	for _, s := range signers {
		ids = append(ids, s.Identity())
	}
	return ids
}
