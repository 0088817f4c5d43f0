package export

import (
	"hash/maphash"
	"math/bits"

	"github.com/gaenkit/gaen/keys"
)

// keySet finds equal key data among the keys of an archive. It is a hash table
// of their places: two allocations, however many keys there are. The hash is
// seeded, since key data is what phones say it is.
type keySet struct {
	at    func(int) *keys.KeyData
	seed  maphash.Seed
	slots []uint32 // hash and place + 1; a power of two of them
	place uint32   // the bits of a slot that are the place; the others are of the hash
}

func newKeySet(n int, at func(int) *keys.KeyData) *keySet {
	return &keySet{
		at:    at,
		seed:  maphash.MakeSeed(),
		slots: make([]uint32, 2<<bits.Len(uint(n))),
		place: 1<<bits.Len(uint(n)) - 1,
	}
}

// add adds the key at place i. If one with the same data is in the set, it
// returns its place and false.
func (s *keySet) add(i int) (first int, ok bool) {
	data := s.at(i)
	hash := maphash.Bytes(s.seed, data[:])
	mask := uint64(len(s.slots) - 1)
	rest := uint32(hash>>32) &^ s.place
	for slot := hash & mask; ; slot = (slot + 1) & mask {
		have := s.slots[slot]
		if have == 0 {
			s.slots[slot] = rest | (uint32(i) + 1)
			return i, true
		}
		// A key that is somewhere in memory is looked at only if more of the
		// hash is the same.
		if have&^s.place == rest {
			if first := int(have&s.place) - 1; *s.at(first) == *data {
				return first, false
			}
		}
	}
}
