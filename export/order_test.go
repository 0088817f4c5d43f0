package export

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gaenkit/gaen/keys"
)

// A shape makes keys of one kind.
type shape struct {
	name string
	key  func(r *rand.Rand) keys.TemporaryExposureKey
}

// shapes are of all kinds: keys as there are, and keys that are hard to sort or
// to compress.
var shapes = []shape{
	{"one group", func(r *rand.Rand) keys.TemporaryExposureKey { return randomData(r, oneOf(r, 1)) }},
	{"three groups", func(r *rand.Rand) keys.TemporaryExposureKey { return randomData(r, oneOf(r, 3)) }},
	{"hundred groups", func(r *rand.Rand) keys.TemporaryExposureKey { return randomData(r, oneOf(r, 100)) }},
	{"any metadata", func(r *rand.Rand) keys.TemporaryExposureKey { return randomData(r, anyMetadata(r)) }},
	{"first bytes alike", func(r *rand.Rand) keys.TemporaryExposureKey {
		k := randomData(r, oneOf(r, 3))
		copy(k.KeyData[:], "alike")
		return k
	}},
	{"last bytes differ", func(r *rand.Rand) keys.TemporaryExposureKey {
		k := oneOf(r, 2)
		k.KeyData = keys.KeyData([]byte("the same as all "))
		binary.BigEndian.PutUint32(k.KeyData[12:], r.Uint32()>>8)
		return k
	}},
	{"numbers", func(r *rand.Rand) keys.TemporaryExposureKey {
		k := oneOf(r, 3)
		copy(k.KeyData[:], fmt.Sprintf("%016d", r.IntN(1e9)))
		return k
	}},
	{"few bytes", func(r *rand.Rand) keys.TemporaryExposureKey {
		k := oneOf(r, 5)
		for i := range k.KeyData {
			k.KeyData[i] = byte(r.IntN(3)) * 255 / 2
		}
		k.KeyData[15] |= 1 // no key is zeros
		return k
	}},
}

func randomData(r *rand.Rand, k keys.TemporaryExposureKey) keys.TemporaryExposureKey {
	binary.NativeEndian.PutUint64(k.KeyData[:], r.Uint64())
	binary.NativeEndian.PutUint64(k.KeyData[8:], r.Uint64())
	return k
}

// oneOf returns metadata, one of n.
func oneOf(r *rand.Rand, n int) keys.TemporaryExposureKey {
	return anyMetadata(rand.New(rand.NewPCG(99, uint64(r.IntN(n)))))
}

func anyMetadata(r *rand.Rand) keys.TemporaryExposureKey {
	k := keys.TemporaryExposureKey{
		RollingStartIntervalNumber: keys.Interval(r.Uint32() >> (1 + r.IntN(31))),
		RollingPeriod:              uint8(1 + r.IntN(keys.IntervalsPerDay)),
		ReportType:                 keys.Some(keys.ReportType(r.IntN(6))),
	}
	if r.IntN(2) == 0 {
		k.RollingPeriod = keys.IntervalsPerDay
	}
	if r.IntN(2) == 0 {
		k.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(r.IntN(int(keys.MaxTransmissionRiskLevel) + 1)))
	}
	if r.IntN(2) == 0 {
		k.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(r.IntN(29) - 14))
	}
	if r.IntN(2) == 0 {
		k.VariantOfConcern = keys.Some(keys.VariantOfConcern(r.IntN(int(keys.MaxVariantOfConcern) + 1)))
	}
	return k
}

// contentOf returns n keys, all different, of which every tenth is revised.
func contentOf(r *rand.Rand, s shape, n int) *Content {
	c := &Content{Region: "DE"}
	seen := make(map[keys.KeyData]bool, n)
	for i := range n {
		k := s.key(r)
		for tries := 0; seen[k.KeyData]; tries++ {
			if k = s.key(r); tries > 100 {
				return c // there are no more of this shape
			}
		}
		seen[k.KeyData] = true
		if i%10 == 9 {
			c.RevisedKeys = append(c.RevisedKeys, k)
		} else {
			c.Keys = append(c.Keys, k)
		}
	}
	return c
}

// keysOf puts the keys of an order together again.
func (o *order) keysOf() (lists [2][]keys.TemporaryExposureKey) {
	data := o.data
	for _, g := range o.groups {
		for _, k := range data[:g.count] {
			key := g.key
			key.KeyData = k
			lists[g.list-fieldKeys] = append(lists[g.list-fieldKeys], key)
		}
		data = data[g.count:]
	}
	if len(data) > 0 {
		panic("keys in no group")
	}
	return lists
}

func compareAll(a, b keys.TemporaryExposureKey) int { return a.Compare(&b) }

// checkOrder holds the order of c against the comparison of keys.
func checkOrder(t *testing.T, c *Content) {
	t.Helper()
	before := [2][]keys.TemporaryExposureKey{slices.Clone(c.Keys), slices.Clone(c.RevisedKeys)}
	o, s := c.sort()
	defer s.rest()
	got := o.keysOf()
	for i, list := range [2][]keys.TemporaryExposureKey{c.Keys, c.RevisedKeys} {
		want := slices.SortedFunc(slices.Values(list), compareAll)
		if !slices.Equal(got[i], want) {
			t.Errorf("list %d of %d keys: not in the order of keys.Compare", i, len(want))
		}
		if !slices.Equal(before[i], list) {
			t.Errorf("list %d: the caller's keys have moved", i)
		}
	}
	for i := 1; i < len(o.groups); i++ {
		if a, b := &o.groups[i-1], &o.groups[i]; a.list == b.list && a.key.CompareMetadata(&b.key) >= 0 {
			t.Errorf("groups %d and %d of %d are one, or in another order", i-1, i, len(o.groups))
		}
	}
}

func TestOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			for _, n := range []int{0, 1, 2, 3, 15, 16, 17, 18, 40, 300, 1100, 12_000} {
				if testing.Short() && n > 10_000 {
					continue
				}
				c := contentOf(r, s, n)
				checkOrder(t, c)
				if o, sorter := c.sort(); o.suspect {
					t.Errorf("%d different keys are suspicious", n)
				} else {
					sorter.rest()
				}
			}
		})
	}
}

// A key that is there twice is found wherever the two are, and so is one of
// zeros. What is not found must be allowed.
func TestOrderIsSuspicious(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, s := range shapes[:6] {
		for _, n := range []int{2, 17, 300, 5000} {
			for trial := range 10 {
				c := contentOf(r, s, n)
				all := c.lists()
				if trial%2 == 0 || n < 10 {
					all[1] = all[0]
				}
				from, to := r.IntN(len(all[0].keys)), r.IntN(len(all[1].keys))
				if all[0].number == all[1].number && from == to {
					from = (from + 1) % len(all[0].keys)
				}
				all[1].keys[to].KeyData = all[0].keys[from].KeyData
				checkOrder(t, c)
				if o, sorter := c.sort(); !o.suspect {
					t.Fatalf("%s, %d keys: one that is there twice was not found", s.name, n)
				} else {
					sorter.rest()
				}
				c.Keys[from].KeyData = keys.KeyData{}
				all[1].keys[to] = s.key(r)
				if o, sorter := c.sort(); !o.suspect && (all[0].number != all[1].number || from != to) {
					t.Fatalf("%s, %d keys: one of zeros was not found", s.name, n)
				} else {
					sorter.rest()
				}
			}
		}
	}
}

// Keys that no archive may have are sorted all the same, for the content's hash.
func TestOrderOfWhatCannotBe(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for name, change := range map[string]func(k *keys.TemporaryExposureKey){
		"negative start": func(k *keys.TemporaryExposureKey) { k.RollingStartIntervalNumber = -5 },
		"period 0":       func(k *keys.TemporaryExposureKey) { k.RollingPeriod = 0 },
		"period 255":     func(k *keys.TemporaryExposureKey) { k.RollingPeriod = 255 },
		"risk 255": func(k *keys.TemporaryExposureKey) {
			k.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(255))
		},
		"risk 15": func(k *keys.TemporaryExposureKey) {
			k.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(15))
		},
		"type 7":     func(k *keys.TemporaryExposureKey) { k.ReportType = keys.Some(keys.ReportType(7)) },
		"onset -15":  func(k *keys.TemporaryExposureKey) { k.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(-15)) },
		"onset -16":  func(k *keys.TemporaryExposureKey) { k.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(-16)) },
		"onset 17":   func(k *keys.TemporaryExposureKey) { k.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(17)) },
		"onset 4000": func(k *keys.TemporaryExposureKey) { k.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(4000)) },
		"variant 7":  func(k *keys.TemporaryExposureKey) { k.VariantOfConcern = keys.Some(keys.VariantOfConcern(7)) },
	} {
		t.Run(name, func(t *testing.T) {
			c := contentOf(r, shapes[3], 50)
			change(&c.Keys[7])
			change(&c.RevisedKeys[3])
			checkOrder(t, c)
			// And their bytes are those of one key after the other.
			var got, want bytes.Buffer
			o, sorter := c.sort()
			defer sorter.rest()
			m := &message{content: c, order: o}
			m.encode(&got)
			want.Write(m.preamble())
			for i, list := range o.keysOf() {
				for _, k := range list {
					want.Write(appendKey(nil, c.lists()[i].number, &k))
				}
			}
			if !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Errorf("got\n%x\nwant\n%x", got.Bytes(), want.Bytes())
			}
		})
	}
}

// Packed metadata has the order of metadata, and nothing is lost.
func TestPack(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var all []keys.TemporaryExposureKey
	for range 150 {
		k := anyMetadata(r)
		all = append(all, k)
		k.ReportType = keys.Optional[keys.ReportType]{}
		all = append(all, k)
		k.RollingStartIntervalNumber = 1<<31 - 1
		all = append(all, k)
	}
	for i := range all {
		a := &all[i]
		metaA, ok := pack(fieldKeys, a)
		if !ok {
			t.Fatalf("%+v does not fit", a)
		}
		if list, back := unpack(metaA); list != fieldKeys || back != *a {
			t.Fatalf("got %+v, want %+v", back, a)
		}
		revised, _ := pack(fieldRevisedKeys, a)
		if list, back := unpack(revised); list != fieldRevisedKeys || back != *a {
			t.Fatalf("revised: got %+v, want %+v", back, a)
		}
		for j := range all {
			metaB, _ := pack(fieldKeys, &all[j])
			if got, want := cmp.Compare(metaA, metaB), a.CompareMetadata(&all[j]); got != want {
				t.Fatalf("%+v and %+v: got %d, want %d", a, all[j], got, want)
			}
			if revised <= metaB {
				t.Fatalf("a revised key comes before a new one")
			}
		}
	}
}

// The table numbers groups whose packed metadata meets in one place, too.
func TestGroupTable(t *testing.T) {
	var table groupTable
	for _, shift := range []int{48, 0, 20} {
		table.reset()
		for again := range uint32(2) {
			for n := range uint32(5000) {
				meta := uint64(n) << shift
				if got := table.add(meta); got != n || table.groups[got].meta != meta || table.groups[got].count != again+1 {
					t.Fatalf("group %d has the number %d, and %+v", n, got, table.groups[got])
				}
			}
		}
		// And many that differ in little.
		table.reset()
		r := rand.New(rand.NewPCG(9, uint64(shift)))
		want := make(map[uint64]uint32)
		for range 20_000 {
			meta := uint64(r.IntN(256)) | uint64(r.IntN(20))*0x10001<<shift
			n, ok := want[meta]
			if !ok {
				n = uint32(len(want))
				want[meta] = n
			}
			if got := table.add(meta); got != n {
				t.Fatalf("group %x has the number %d, want %d", meta, got, n)
			}
		}
	}
}
