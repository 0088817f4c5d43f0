package export

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
	"sync"

	"github.com/gaenkit/gaen/keys"
	"google.golang.org/protobuf/encoding/protowire"
)

// An order is the keys of an archive in the order of
// [keys.TemporaryExposureKey.Compare], taken apart: groups of keys that are alike
// in everything but key data, and all key data, group after group, ascending
// within each. Nothing else is needed to write them.
//
// It is made by radix. Key data is random, so its leading bits say nearly
// exactly where a key belongs:
//
//  1. Each key's metadata is packed into one word, whose order is the canonical
//     one, and looked up in a table of the groups there are, few beside the keys.
//  2. Keys are dealt to 256 buckets by their first byte, and within a bucket, which
//     fits the cache, by as many of the following bits as leave hardly two keys
//     together. What is left is done by insertion: where keys are alone, the
//     processor guesses right that nothing is to be done.
//  3. Now all keys, of whatever group, are in the order of their key data: equal
//     ones are neighbours, so that duplicates are found without a set of them.
//     Dealing them to their groups keeps that order in each group.
//
// Key data that is not random costs time and nothing else: a bucket of which the
// leading bits say little is sorted by comparison.
type order struct {
	groups []group
	data   []keys.KeyData

	suspect bool // key data is there twice, or is all zeros; or nobody looked
}

// A group is keys with the same metadata, in the same list.
type group struct {
	list  protowire.Number
	key   keys.TemporaryExposureKey // any of them
	count int
}

// keyBits is key data as two numbers, most significant byte first, so that they
// compare as the bytes do.
type keyBits struct{ hi, lo uint64 }

func (k keyBits) less(other keyBits) bool {
	return k.hi < other.hi || k.hi == other.hi && k.lo < other.lo
}

func bitsOf(k *keys.KeyData) keyBits {
	return keyBits{binary.BigEndian.Uint64(k[:8]), binary.BigEndian.Uint64(k[8:])}
}

func (k keyBits) put(b *keys.KeyData) {
	binary.BigEndian.PutUint64(b[:8], k.hi)
	binary.BigEndian.PutUint64(b[8:16], k.lo)
}

// A sorter is the memory that sorting takes, at 44 bytes a key. It goes to rest
// with [sorter.rest], together with the order that it made.
type sorter struct {
	order   order
	table   groupTable
	ids     []uint32 // of the group, by place of the key
	dealt   []sortedKey
	bucket  []sortedKey
	offsets []uint32
}

// sortedKey is a key on its way.
type sortedKey struct {
	keyBits
	group uint32
}

var sorters = sync.Pool{New: func() any { return new(sorter) }}

// sort puts the keys of c in order. The order is the sorter's and valid until
// its rest.
func (c *Content) sort() (*order, *sorter) {
	s := sorters.Get().(*sorter)
	s.order = order{groups: s.order.groups[:0], data: grow(s.order.data, len(c.Keys)+len(c.RevisedKeys))}
	if !s.byRadix(c) {
		s.byComparison(c)
	}
	return &s.order, s
}

func (s *sorter) rest() { sorters.Put(s) }

// grow returns a slice of n elements, which have any value.
func grow[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }

// byRadix sorts the keys, unless there is one whose metadata cannot be packed:
// no archive may have it, but whoever asks for a content's hash may have it.
func (s *sorter) byRadix(c *Content) bool {
	var first [256]uint32 // how many keys begin with this byte
	s.table.reset()
	s.ids = s.ids[:0]
	for _, l := range c.lists() {
		s.ids = slices.Grow(s.ids, len(l.keys))
		for i := range l.keys {
			k := &l.keys[i]
			meta, ok := pack(l.number, k)
			if !ok {
				return false
			}
			s.ids = append(s.ids, s.table.add(meta))
			first[k.KeyData[0]]++
		}
	}
	s.deal(c, &first)
	s.setGroups(c)
	s.collect(&first)
	return true
}

// deal deals the keys to buckets by their first byte. It leaves in first where
// each bucket ends.
func (s *sorter) deal(c *Content, first *[256]uint32) {
	sum := uint32(0)
	for i, n := range first {
		first[i] = sum
		sum += n
	}
	s.dealt = grow(s.dealt, len(s.ids))
	ids := s.ids
	for _, l := range c.lists() {
		for i := range l.keys {
			k := bitsOf(&l.keys[i].KeyData)
			at := &first[k.hi>>56]
			s.dealt[*at] = sortedKey{k, ids[i]}
			*at++
		}
		ids = ids[len(l.keys):]
	}
}

// setGroups puts the groups in order, and leaves in offsets where the keys of each
// begin, by the numbers that the table gave them.
func (s *sorter) setGroups(c *Content) {
	groups := s.table.groups
	s.offsets = grow(s.offsets, len(groups))
	for i := range groups {
		groups[i].id = uint32(i)
	}
	slices.SortFunc(groups, func(a, b packedGroup) int { return cmp.Compare(a.meta, b.meta) })
	sum := uint32(0)
	for _, g := range groups {
		s.offsets[g.id] = sum
		sum += g.count
		list, key := unpack(g.meta)
		s.order.groups = append(s.order.groups, group{list, key, int(g.count)})
	}
}

// collect sorts bucket after bucket, and deals its keys to their groups.
func (s *sorter) collect(ends *[256]uint32) {
	last := keyBits{} // as what is before the first, so that zeros are found, too
	begin := uint32(0)
	for _, end := range ends {
		for _, k := range s.sortBucket(s.dealt[begin:end]) {
			s.order.suspect = s.order.suspect || k.keyBits == last
			last = k.keyBits
			at := &s.offsets[k.group]
			last.put(&s.order.data[*at])
			*at++
		}
		begin = end
	}
}

const (
	smallBucket = 16 // is sorted by insertion
	mostDigits  = 12 // bits by which the keys of a bucket are dealt
)

// sortBucket returns the keys of a bucket, all of which begin with the same
// byte, in order. They are valid until the next call.
func (s *sorter) sortBucket(bucket []sortedKey) []sortedKey {
	if len(bucket) <= smallBucket {
		insertionSort(bucket)
		return bucket
	}
	var ends [1 << mostDigits]uint32
	digits := min(bits.Len(uint(len(bucket))), mostDigits)
	shift, mask := 56-digits, uint64(1)<<digits-1
	for i := range bucket {
		ends[bucket[i].hi>>(shift&63)&mask]++
	}
	sum, most := uint32(0), uint32(0)
	for i, n := range ends[:1<<digits] {
		ends[i] = sum
		sum += n
		most = max(most, n)
	}
	s.bucket = grow(s.bucket, len(bucket))
	for i := range bucket {
		at := &ends[bucket[i].hi>>(shift&63)&mask]
		s.bucket[*at] = bucket[i]
		*at++
	}
	if most > 2*smallBucket {
		slices.SortFunc(s.bucket, compareSorted)
	} else {
		insertionSort(s.bucket)
	}
	return s.bucket
}

// insertionSort is for a few keys, or for many that are nearly where they belong.
func insertionSort(list []sortedKey) {
	for i := 1; i < len(list); i++ {
		k := list[i]
		j := i
		for ; j > 0 && k.less(list[j-1].keyBits); j-- {
			list[j] = list[j-1]
		}
		list[j] = k
	}
}

func compareSorted(a, b sortedKey) int {
	return cmp.Or(cmp.Compare(a.hi, b.hi), cmp.Compare(a.lo, b.lo))
}

// byComparison sorts any keys.
func (s *sorter) byComparison(c *Content) {
	o := &s.order
	o.data = o.data[:0]
	for _, l := range c.lists() {
		sorted := slices.Clone(l.keys)
		slices.SortFunc(sorted, func(a, b keys.TemporaryExposureKey) int { return a.Compare(&b) })
		for i := range sorted {
			k := &sorted[i]
			if n := len(o.groups); i == 0 || o.groups[n-1].key.CompareMetadata(k) != 0 {
				o.groups = append(o.groups, group{list: l.number, key: *k})
			}
			o.groups[len(o.groups)-1].count++
			o.data = append(o.data, k.KeyData)
		}
	}
	o.suspect = true
}

// A list is one of the two lists of keys in an archive.
type list struct {
	number protowire.Number
	keys   []keys.TemporaryExposureKey
}

func (c *Content) lists() [2]list {
	return [2]list{{fieldKeys, c.Keys}, {fieldRevisedKeys, c.RevisedKeys}}
}

// How metadata is packed, from the lowest bits: what is absent is 0, and what is
// present is one above its least value.
const (
	variantBits, onsetBits, reportBits, riskBits, periodBits, startBits = 3, 5, 3, 4, 8, 31

	leastOnset = -14
)

// pack packs all of k but its key data into a number, and reports whether it
// fits. The numbers are in the order of the lists, and in a list in that of
// [keys.TemporaryExposureKey.CompareMetadata].
func pack(list protowire.Number, k *keys.TemporaryExposureKey) (meta uint64, ok bool) {
	risk := packed(k.TransmissionRiskLevel, 0)
	report := packed(k.ReportType, 0)
	onset := packed(k.DaysSinceOnsetOfSymptoms, leastOnset)
	variant := packed(k.VariantOfConcern, 0)
	start := uint64(k.RollingStartIntervalNumber)
	if risk>>riskBits|report>>reportBits|onset>>onsetBits|variant>>variantBits|start>>startBits != 0 {
		return 0, false
	}
	meta = uint64(list - fieldKeys)
	meta = meta<<startBits | start
	meta = meta<<periodBits | uint64(k.RollingPeriod)
	meta = meta<<riskBits | risk
	meta = meta<<reportBits | report
	meta = meta<<onsetBits | onset
	return meta<<variantBits | variant, true
}

// packed returns 0 for what is absent, 1 for the least value and so on, and for
// what is below that a number that fits nowhere. It is made without a jump: which
// keys have a value cannot be guessed.
func packed[T keys.TransmissionRiskLevel | keys.ReportType | keys.DaysSinceOnset | keys.VariantOfConcern](o keys.Optional[T], least int32) uint64 {
	v, ok := o.Get()
	n := uint64(uint32(int32(v)-least)) + 1
	if !ok {
		n = 0
	}
	return n
}

// unpack is the inverse of pack. The key has no key data.
func unpack(meta uint64) (protowire.Number, keys.TemporaryExposureKey) {
	take := func(width int) uint64 {
		v := meta & (1<<width - 1)
		meta >>= width
		return v
	}
	var k keys.TemporaryExposureKey
	if v := take(variantBits); v > 0 {
		k.VariantOfConcern = keys.Some(keys.VariantOfConcern(v - 1))
	}
	if v := take(onsetBits); v > 0 {
		k.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(int64(v) - 1 + leastOnset))
	}
	if v := take(reportBits); v > 0 {
		k.ReportType = keys.Some(keys.ReportType(v - 1))
	}
	if v := take(riskBits); v > 0 {
		k.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(v - 1))
	}
	k.RollingPeriod = uint8(take(periodBits))
	k.RollingStartIntervalNumber = keys.Interval(take(startBits))
	return fieldKeys + protowire.Number(meta), k
}

// A groupTable numbers the groups of an archive in the order in which they are
// met, and counts their keys.
type groupTable struct {
	slots  []groupSlot // a power of two of them, at most half of them in use
	shift  int
	groups []packedGroup
}

type groupSlot struct {
	meta uint64
	id   uint32 // + 1
}

type packedGroup struct {
	meta      uint64
	count, id uint32
}

const leastSlots = 1 << 10

// reset empties the table. It is not kept at the size of an archive in which
// every key was a group.
func (t *groupTable) reset() {
	t.groups = t.groups[:0]
	t.resize(leastSlots)
}

func (t *groupTable) resize(n int) {
	t.slots = grow(t.slots, n)
	clear(t.slots)
	t.shift = 64 - bits.TrailingZeros(uint(n))
	for i := range t.groups {
		*t.find(t.groups[i].meta) = groupSlot{t.groups[i].meta, uint32(i) + 1}
	}
}

// find returns the slot of a group, or the empty one for it. All bits of the
// number are multiplied up into those that choose the slot.
func (t *groupTable) find(meta uint64) *groupSlot {
	const odd = 0x9e3779b97f4a7c15
	mask := uint64(len(t.slots) - 1)
	for i := meta * odd >> (t.shift & 63); ; i++ {
		slot := &t.slots[i&mask]
		if slot.id == 0 || slot.meta == meta {
			return slot
		}
	}
}

// add counts a key of the group and returns its number.
func (t *groupTable) add(meta uint64) uint32 {
	slot := t.find(meta)
	if slot.id == 0 {
		if 2*len(t.groups) >= len(t.slots) {
			t.resize(4 * len(t.slots))
			slot = t.find(meta)
		}
		t.groups = append(t.groups, packedGroup{meta: meta})
		*slot = groupSlot{meta, uint32(len(t.groups))}
	}
	t.groups[slot.id-1].count++
	return slot.id - 1
}
