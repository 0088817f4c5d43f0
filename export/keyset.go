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
	slots []uint32 // place + 1; a power of two of them
}

func newKeySet(n int, at func(int) *keys.KeyData) *keySet {
	return &keySet{
		at:    at,
		seed:  maphash.MakeSeed(),
		slots: make([]uint32, 2<<bits.Len(uint(n))),
	}
}

// add adds the key at place i. If one with the same data is in the set, it
// returns its place and false.
func (s *keySet) add(i int) (first int, ok bool) {
	data := s.at(i)
	mask := uint64(len(s.slots) - 1)
	for slot := maphash.Bytes(s.seed, data[:]) & mask; ; slot = (slot + 1) & mask {
		switch have := s.slots[slot]; {
		case have == 0:
			s.slots[slot] = uint32(i) + 1
			return i, true
		case *s.at(int(have - 1)) == *data:
			return int(have - 1), false
		}
	}
}
