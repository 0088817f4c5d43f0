package export

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
)

func messageOf(c *Content, o *order) *message {
	format, _ := Format{}.normalize()
	return &message{
		header: format.header(), content: c, region: c.Region, order: o,
		infos: []SignatureInfo{{Identity: signing.Identity{KeyID: "262", KeyVersion: "v1"}, Algorithm: signing.AlgorithmECDSAWithSHA256}},
	}
}

// deflated returns what a deflater makes of c, even where something else would be
// smaller, and checks that it is export.bin again.
func deflated(t testing.TB, c *Content) []byte {
	t.Helper()
	o, sorter := c.sort()
	defer sorter.rest()
	m := messageOf(c, o)
	var packed, want bytes.Buffer
	if err := m.deflate(&packed); err != nil {
		t.Fatal(err)
	}
	m.encode(&want)
	in := bytes.NewReader(packed.Bytes())
	got, err := io.ReadAll(flate.NewReader(in))
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Fatalf("%d keys, %d groups: %d bytes come back, want %d, the first that differs is %d; %v",
			len(o.data), len(o.groups), len(got), want.Len(), firstDifference(got, want.Bytes()), err)
	}
	if in.Len() > 0 {
		t.Errorf("%d keys: %d bytes after the end of the stream", len(o.data), in.Len())
	}
	return packed.Bytes()
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func TestDeflate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			for n := range 40 {
				deflated(t, contentOf(r, s, n))
			}
			if testing.Short() {
				deflated(t, contentOf(r, s, blockKeys+2))
				return
			}
			for _, n := range []int{largeGroup - 1, largeGroup, largeGroup + 1, largeGroup + 2, 3*largeGroup + 5, 1200, blockKeys - 1, blockKeys, blockKeys + 1, blockKeys + 2, 2*blockKeys + 3} {
				deflated(t, contentOf(r, s, n))
			}
			if s.name == "one group" {
				deflated(t, contentOf(r, s, 4*blockKeys)) // with blocks that have nothing but keys
			}
		})
	}
}

// Where some bytes are hardly ever there, their codes are longer than those that
// are put six at once.
func TestDeflateLongCodes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	c := contentOf(r, shapes[0], 8*spanCounted)
	for i := range c.Keys {
		for j := 4; j < keys.KeyDataSize; j++ {
			c.Keys[i].KeyData[j] = byte(bitsSet(r)) // geometric: byte n is there half as often as n-1
		}
	}
	o, sorter := c.sort()
	if o.suspect {
		t.Fatal("a key is there twice")
	}
	d := &deflater{order: o, keys: len(o.data), spans: []span{{first: 1, count: len(o.data) - 1, length: 15, distance: 31}}}
	d.makeCodes()
	if d.longest <= shortLiteral || d.short() {
		t.Errorf("the longest literal has %d bits, want more than %d", d.longest, shortLiteral)
	}
	sorter.rest()
	deflated(t, c)

	d = &deflater{longest: shortLiteral}
	d.matches[mostShared].size = shortMatch
	if !d.short() {
		t.Errorf("a match of %d bits is too long", shortMatch)
	}
	if d.matches[mostShared].size++; d.short() {
		t.Errorf("a match of %d bits is not too long", shortMatch+1)
	}
}

// A byte that is only in keys that are not counted has a code.
func TestDeflateWhatIsNotCounted(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	c := contentOf(r, shapes[0], 8*spanCounted)
	c.RevisedKeys = nil
	for i := range c.Keys {
		for j := range c.Keys[i].KeyData {
			c.Keys[i].KeyData[j] &= 0x7f
		}
	}
	for i := range 0x80 { // each once, in any place
		c.Keys[i].KeyData[2+i%14] = 0x80 | byte(i)
	}
	deflated(t, c)
}

// Keys that are put at once are the bits of keys that are put one by one, however
// many bits there are.
func TestManyKeysAtOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(19, 20))
	size := func(limit uint32) uint32 {
		if r.IntN(2) == 0 {
			return limit
		}
		return 1 + r.Uint32N(limit)
	}
	for range 50 {
		var c code
		for i := range c {
			c[i].size = size(shortLiteral)
			c[i].bits = r.Uint32N(1 << c[i].size)
		}
		var matches [mostShared + 1]match
		for i := range matches {
			matches[i].size = size(shortMatch)
			matches[i].bits = r.Uint64N(1 << matches[i].size)
		}
		data := make([]keys.KeyData, 1+r.IntN(6*keysAtOnce))
		for i := range data {
			data[i] = randomData(r, keys.TemporaryExposureKey{}).KeyData
			copy(data[i][:r.IntN(6)], data[max(i-1, 0)][:])
		}
		var got, want bytes.Buffer
		var fast, slow bitWriter
		fast.reset(&got)
		slow.reset(&want)
		offset := match{1, 1 + r.Uint32N(63)}
		fast.append(offset)
		slow.append(offset)
		fast.keys(&c, &matches, &data[0], data[1:])
		for i := range data[1:] {
			n := shared(begin(&data[i]), begin(&data[i+1]))
			slow.key(&c, matches[n], data[i+1][n:])
		}
		for _, w := range []*bitWriter{&fast, &slow} {
			w.align()
			w.flush()
		}
		if !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Fatalf("%d keys: the first byte that differs is %d of %d", len(data)-1, firstDifference(got.Bytes(), want.Bytes()), want.Len())
		}
	}
}

func bitsSet(r *rand.Rand) (n int) {
	for n < 200 && r.IntN(2) == 0 {
		n++
	}
	return n
}

// A header of all widths and many signature infos is searched for what repeats.
func TestDeflatePreamble(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, infos := range []int{0, 1, 2, 10, 40, 700} {
		c := contentOf(r, shapes[2], 300)
		o, sorter := c.sort()
		m := messageOf(c, o)
		for i := range infos {
			m.infos = append(m.infos, SignatureInfo{
				Identity: signing.Identity{KeyID: fmt.Sprint(i), KeyVersion: "v1"}, Algorithm: signing.AlgorithmECDSAWithSHA256,
				AppBundleID: "org.example.warn", AndroidPackage: "org.example.warn",
			})
		}
		m.header = bytes.Repeat([]byte{' '}, 1+r.IntN(1024))
		var packed, want bytes.Buffer
		if err := m.deflate(&packed); err != nil {
			t.Fatal(err)
		}
		m.encode(&want)
		if got, err := io.ReadAll(flate.NewReader(&packed)); err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%d infos: other bytes come back, %v", infos, err)
		}
		sorter.rest()
	}
}

// The classes are those of the table in RFC 1951, 3.2.5.
func TestClasses(t *testing.T) {
	// Code, extra bits and first value, from the RFC.
	wantLengths := [][3]int{
		{257, 0, 3}, {264, 0, 10}, {265, 1, 11}, {268, 1, 17}, {269, 2, 19}, {272, 2, 31}, {273, 3, 35}, {276, 3, 59},
		{277, 4, 67}, {280, 4, 115}, {281, 5, 131}, {284, 5, 227}, {285, 0, 258},
	}
	for _, w := range wantLengths {
		if c := lengths[w[0]-257]; int(c.extra) != w[1] || int(c.base) != w[2] || lengthSymbol(w[2]) != w[0] {
			t.Errorf("length %d: got %+v and symbol %d, want %v", w[2], c, lengthSymbol(w[2]), w)
		}
	}
	wantDistances := [][3]int{
		{0, 0, 1}, {3, 0, 4}, {4, 1, 5}, {5, 1, 7}, {6, 2, 9}, {9, 3, 25}, {10, 4, 33}, {13, 5, 97}, {18, 8, 513}, {28, 13, 16385}, {29, 13, 24577},
	}
	for _, w := range wantDistances {
		if c := distances[w[0]]; int(c.extra) != w[1] || int(c.base) != w[2] || distanceSymbol(w[2]) != w[0] {
			t.Errorf("distance %d: got %+v and symbol %d, want %v", w[2], c, distanceSymbol(w[2]), w)
		}
	}
	for length := leastMatch; length <= mostMatch; length++ {
		if c := lengths[lengthSymbol(length)-firstLength]; length < int(c.base) || length >= int(c.base)+1<<c.extra {
			t.Errorf("length %d is not in its class, %+v", length, c)
		}
	}
	for distance := 1; distance <= mostDistance; distance++ {
		if c := distances[distanceSymbol(distance)]; distance < int(c.base) || distance >= int(c.base)+1<<c.extra {
			t.Errorf("distance %d is not in its class, %+v", distance, c)
		}
	}
}

// A code is complete, within its limit, and as good as one can be: no symbol that
// is rarer has a shorter one, and where the limit is far, it has the cost of a
// plain construction.
func TestCode(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for trial := range 300 {
		counts := make([]uint32, 2+r.IntN(maxSymbols-1))
		for i := range counts {
			switch trial % 4 {
			case 0:
				counts[i] = uint32(r.IntN(2) * r.IntN(1000))
			case 1:
				counts[i] = uint32(1000 + r.IntN(100))
			case 2:
				counts[i] = uint32(math.Exp(r.Float64() * 16))
			case 3:
				if i < 3 {
					counts[r.IntN(len(counts))] = uint32(r.IntN(3))
				}
			}
		}
		limit := []int{12, mostCodeBits}[trial/4%2]
		if len(counts) <= 19 && trial%8 < 4 {
			limit = 7
		}
		var c code
		c.make(counts, limit)
		kraft, cost, used := 0, 0, 0
		for i := range c {
			n := int(c[i].size)
			if i >= len(counts) && n > 0 || n > limit || i < len(counts) && counts[i] > 0 && n == 0 {
				t.Fatalf("symbol %d has a code of %d bits, limit %d", i, n, limit)
			}
			if n > 0 {
				kraft += 1 << (15 - n)
				used++
				if i < len(counts) {
					cost += n * int(counts[i])
				}
			}
		}
		if kraft != 1<<15 || used < 2 {
			t.Fatalf("%d symbols have codes that are not complete", used)
		}
		for i := range counts {
			for j := range counts {
				if counts[i] > counts[j] && counts[j] > 0 && c[i].size > c[j].size {
					t.Fatalf("a symbol that is there %d times has %d bits, one that is there %d times %d", counts[i], c[i].size, counts[j], c[j].size)
				}
			}
		}
		if best, deepest := plainHuffman(counts); deepest <= limit && cost != best {
			t.Fatalf("the code costs %d bits, the best %d", cost, best)
		} else if limit > 7 && float64(cost) > 1.02*float64(best)+50 {
			t.Fatalf("the limit of %d bits costs %d bits of %d", limit, cost-best, best)
		}
	}
}

// plainHuffman returns the cost of the best code, and its longest length, by
// pairing up the two lightest, one pair at a time. The lengths of two symbols or
// fewer are one each.
func plainHuffman(counts []uint32) (cost, deepest int) {
	type tree struct{ weight, depth int }
	var trees []tree
	for _, n := range counts {
		if n > 0 {
			trees = append(trees, tree{int(n), 0})
		}
	}
	if len(trees) == 1 {
		return trees[0].weight, 1
	}
	for len(trees) > 1 {
		slices.SortFunc(trees, func(a, b tree) int {
			if a.weight != b.weight {
				return a.weight - b.weight
			}
			return a.depth - b.depth
		})
		a, b := trees[0], trees[1]
		cost += a.weight + b.weight
		deepest = max(a.depth, b.depth) + 1
		trees = append(trees[2:], tree{a.weight + b.weight, deepest})
	}
	return cost, deepest
}

// A match is never further back than a window, nor into key data.
func TestWindow(t *testing.T) {
	var w window
	w.reset()
	text := make([]byte, 1000)
	for i := range text {
		text[i] = byte(i ^ i>>8)
	}
	w.add([]byte("abcdefgh"), 100)
	w.add([]byte("xabcdex"), 200)
	for _, tt := range []struct {
		name             string
		gap              string
		pos              int
		length, distance int
	}{
		{"nearest of the longest", "abcdefgh", 300, 8, 200},
		{"longest", "abcdxxxx", 300, 4, 99},
		{"to the end of the gap", "cdefghij", 300, 6, 198},
		{"too short", "gh", 300, 0, 0},
		{"at the edge", "abcdefgh", 100 + mostDistance, 8, mostDistance},
		{"over the edge", "abcdefgh", 101 + mostDistance, 5, mostDistance - 100},
		{"elsewhere", "zzzzzz", 300, 0, 0},
	} {
		if length, distance := w.longest([]byte(tt.gap), tt.pos); length != tt.length || distance != tt.distance && length > 0 {
			t.Errorf("%s: got %d bytes, %d back, want %d and %d", tt.name, length, distance, tt.length, tt.distance)
		}
	}
	w.add(text, 1000)
	if length, _ := w.longest(text, 2500); length != mostMatch {
		t.Errorf("got a match of %d bytes, want %d", length, mostMatch)
	}
}

// What is after the last key of a group is found after the one before it, however
// large the group is.
func TestEndOfGroup(t *testing.T) {
	o, sorter := contentOf(rand.New(rand.NewPCG(17, 18)), shapes[0], 3000).sort()
	defer sorter.rest()
	for _, count := range []int{2, 3, 4, 100, 2000} {
		var d deflater
		d.order = o
		d.bits.reset(io.Discard)
		r := o.groups[0].record()
		if err := d.group(r.head(), &r, count); err != nil {
			t.Fatal(err)
		}
		tokens := d.window.search(nil, r.tail(), d.pos)
		if length, distance, ok := tokens[0].match(); len(tokens) != 1 || !ok || length != len(r.tail()) || distance != r.size {
			t.Errorf("%d keys: the end takes %d tokens, the first of %d bytes, %d back", count, len(tokens), length, distance)
		}
	}
}

// The same keys give the same bytes, whatever was compressed before and however
// many processors there are.
func TestDeflateIsDeterministic(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	all := make([]*Content, 6)
	want := make([][]byte, len(all))
	for i := range all {
		all[i] = contentOf(r, shapes[i%4], 2000*i+50)
		want[i] = deflated(t, all[i])
	}
	for _, procs := range []int{1, 4} {
		before := runtime.GOMAXPROCS(procs)
		for _, i := range r.Perm(len(all)) {
			if got := deflated(t, all[i]); !bytes.Equal(got, want[i]) {
				t.Errorf("%d processors: content %d gives other bytes", procs, i)
			}
		}
		runtime.GOMAXPROCS(before)
	}
}

// A deflater that could not write leaves nothing to the next.
func TestDeflateErrors(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	c := contentOf(r, shapes[1], 2*blockKeys)
	want := deflated(t, c)
	o, sorter := c.sort()
	defer sorter.rest()
	m := messageOf(c, o)
	for limit := int64(0); limit < int64(len(want)); limit += int64(len(want) / 5) {
		if err := m.deflate(&atMost{limit: limit}); err != errLarger {
			t.Errorf("with room for %d of %d bytes: got %v, want %v", limit, len(want), err, errLarger)
		}
		if got := deflated(t, c); !bytes.Equal(got, want) {
			t.Errorf("after an error, the same keys give other bytes")
		}
	}
}

// What is compressed by the one compressor and what by the other.
func TestRegular(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for _, s := range shapes {
		want := map[string]bool{"one group": true, "three groups": true, "hundred groups": true}[s.name]
		o, sorter := contentOf(r, s, 30_000).sort()
		if got := o.regular(); got != want {
			t.Errorf("%s: regular is %t, want %t", s.name, got, want)
		}
		sorter.rest()
	}
}

// One in ten keys that is not random is found, wherever its bytes repeat.
func TestRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	for at := range 13 {
		c := contentOf(r, shapes[0], 4000)
		for i := range c.Keys {
			if i%10 == 0 {
				copy(c.Keys[i].KeyData[at:], "bad")
				c.Keys[i].KeyData[at+3] = 0
			}
		}
		o, sorter := c.sort()
		if o.random() {
			t.Errorf("four bytes at %d are the same in one of ten keys, and look random", at)
		}
		sorter.rest()
	}
}

// Whatever the keys are, export.bin comes back, and nothing is larger than what
// compress/flate makes of it, where that is asked.
func FuzzDeflate(f *testing.F) {
	f.Add(uint64(1), uint16(0), uint8(0), uint8(1))
	f.Add(uint64(2), uint16(1), uint8(3), uint8(0))
	f.Add(uint64(3), uint16(500), uint8(2), uint8(16))
	f.Add(uint64(4), uint16(largeGroup+1), uint8(0), uint8(8))
	f.Add(uint64(5), uint16(8*spanCounted+2), uint8(1), uint8(3))
	f.Add(uint64(6), uint16(300), uint8(7), uint8(255))
	f.Fuzz(func(t *testing.T, seed uint64, n uint16, kind, other uint8) {
		r := rand.New(rand.NewPCG(seed, 1))
		a, b := shapes[int(kind)%len(shapes)], shapes[int(other>>4)%len(shapes)]
		s := shape{key: func(r *rand.Rand) keys.TemporaryExposureKey {
			if r.IntN(16) < int(other&15) {
				return b.key(r)
			}
			return a.key(r)
		}}
		c := contentOf(r, s, int(n)%(8*spanCounted+1000))
		c.Start, c.End = time.Unix(0, 0), time.Unix(int64(n)+1, 0)
		checkOrder(t, c)
		ours := deflated(t, c)
		o, sorter := c.sort()
		defer sorter.rest()
		m := messageOf(c, o)
		var got, bin bytes.Buffer
		if err := m.compress(&got, 0); err != nil {
			t.Fatal(err)
		}
		m.encode(&bin)
		size := got.Len()
		if back, err := io.ReadAll(flate.NewReader(&got)); err != nil || !bytes.Equal(back, bin.Bytes()) {
			t.Fatalf("other bytes come back, %v", err)
		}
		if size > len(ours) {
			t.Errorf("got %d bytes, and there was a way to %d", size, len(ours))
		}
	})
}
