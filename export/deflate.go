package export

import (
	"encoding/binary"
	"io"
	"math/bits"
	"slices"
	"sync"

	"github.com/gaenkit/gaen/keys"
)

// A deflater compresses export.bin (RFC 1951) without looking at it: it knows
// where everything is. This is the theory.
//
// A DEFLATE stream is a sequence of literal bytes and of matches, "as many bytes
// again as there were so far back". A compressor spends its time searching for
// matches. In a group of keys, all records have one size and differ in 16 bytes:
//
//	  head        key data        tail                      head        key data
//	7 len 1 10 | 16 random bytes | 3 risk, 4 start, ... | 7 len 1 10 | 16 random bytes | ...
//	           |                 '---- gap, always the same -----'
//
// So each gap is one match at the distance of one record, and there is nothing
// to search. As the keys of a group ascend, a key mostly begins as the one before
// it, and the match goes on into it: of a group of 7,000 the first byte is free, and
// of one in ten the second. What is left of the key is random; nothing finds it
// anywhere, and what it would cost to say where is what a few equal bytes save.
// It is literals.
//
// Literals and lengths of matches are symbols of one Huffman code, distances of
// another, and each block of the stream has its own two. Fifteen random bytes
// and a match are a symbol of probability 1/16 and 256 of 15/16/256 each: with
// whole bits, 4 for the match, 8 for 224 of the literals and 9 for the 32 rarest.
// A match has 1 bit more for its distance, 3 of its place among the distances of
// like size, and up to 2 of its place among the lengths. That is 131 bits for a
// key of which 120 are random. BENCHMARKS.md compares it with the entropy.
//
// Where a group begins, tail and head are new, and are searched for, in the usual
// way, among the last gaps: see [deflater.search]. There are few such gaps in a
// large archive. In a small one they are most of it: then, and where key data is
// not random, [message.compress] asks the ordinary compressor, too.
//
// To change the record, change [appendKey]: all that is known here of it is where
// its key data is, and that records of a group differ in nothing else.
type deflater struct {
	w     io.Writer
	order *order

	pos    int // in export.bin, of what is planned next
	at     int // the next key
	window window

	// The block that is being planned.
	spans  []span
	tokens []token
	keys   int
	size   int // of the records of its large groups; 0 if it has none

	literals, distances code
	matches             [mostShared + 1]match // of a span, by how far they go into the key

	bits bitWriter
}

// A span is a part of a block: tokens, and keys. Before each of the keys is a
// match of that length and distance, which goes on as far as the key is the one
// before it; or none if the distance is 0.
type span struct {
	tokens           []token
	first, count     int
	length, distance int
}

// A token is a literal, or a match: the highest bit, 15 bits of the distance less
// 1, and 16 of the length.
type token uint32

const matchToken = 1 << 31

func newMatch(length, distance int) token {
	return token(matchToken | (distance-1)<<16 | length)
}

func (t token) match() (length, distance int, ok bool) {
	return int(t & 0xffff), int(t>>16&0x7fff) + 1, t&matchToken != 0
}

// A block has at most so many keys: enough that its two codes, of some 60 bytes,
// cost nothing, and so few that they and what becomes of them stay in the cache. A
// large group whose records have another size begins another block, as it has
// another length of match.
const (
	blockKeys  = 8 << 10
	largeGroup = 256
)

var deflaters = sync.Pool{New: func() any { return new(deflater) }}

// deflate writes export.bin, compressed, to w.
func (m *message) deflate(w io.Writer) error {
	d := deflaters.Get().(*deflater)
	defer d.rest()
	d.w, d.order, d.pos, d.at = w, m.order, 0, 0
	d.window.reset()
	gap := m.preamble()
	for i := range m.order.groups {
		g := &m.order.groups[i]
		r := g.record()
		gap = append(gap, r.head()...)
		if err := d.group(gap, &r, g.count); err != nil {
			return err
		}
		gap = append(gap[:0], r.tail()...)
	}
	d.gap(gap, 0)
	return d.flush(true)
}

// rest lets go of the archive.
func (d *deflater) rest() {
	d.w, d.order = nil, nil
	d.endBlock()
	d.bits = bitWriter{b: d.bits.b[:0]}
	deflaters.Put(d)
}

// group plans the keys of a group; before is the gap before the first.
func (d *deflater) group(before []byte, r *record, count int) error {
	if count >= largeGroup {
		if d.size != 0 && d.size != r.size {
			if err := d.flush(false); err != nil {
				return err
			}
		}
		d.size = r.size
	}
	d.gap(before, 1)
	if count > 1 {
		var room [recordRoom]byte
		gap := append(append(room[:0], r.tail()...), r.head()...)
		d.gap(gap, 1) // the tail is new
		for count -= 2; count > 0; {
			n := min(count, max(blockKeys-d.keys, 1))
			d.spans = append(d.spans, span{first: d.at, count: n, length: len(gap), distance: r.size})
			d.advance(n, n*r.size)
			if count -= n; count == 0 {
				d.window.add(gap, d.pos-r.size)
			}
			if err := d.flushFull(); err != nil {
				return err
			}
		}
	}
	return d.flushFull()
}

// gap plans bytes that are between key data, and one key after them or none.
func (d *deflater) gap(gap []byte, count int) {
	begin := len(d.tokens)
	d.tokens = d.window.search(d.tokens, gap, d.pos)
	d.spans = append(d.spans, span{tokens: d.tokens[begin:], first: d.at, count: count})
	d.advance(count, len(gap)+count*keys.KeyDataSize)
}

func (d *deflater) advance(count, size int) {
	d.at += count
	d.keys += count
	d.pos += size
}

// flushFull writes the block if it is full.
func (d *deflater) flushFull() error {
	if d.keys < blockKeys {
		return nil
	}
	return d.flush(false)
}

// flush writes the block.
func (d *deflater) flush(last bool) error {
	size := d.makeCodes()
	d.bits.reserve(size)
	d.header(last)
	for i := range d.spans {
		d.span(&d.spans[i])
	}
	d.bits.put(&d.literals, endOfBlock)
	if last {
		d.bits.align()
	}
	d.endBlock()
	return d.bits.flush(d.w)
}

func (d *deflater) endBlock() {
	d.spans, d.tokens, d.keys, d.size = d.spans[:0], d.tokens[:0], 0, 0
}

// makeCodes makes the codes of the block and returns how many bytes it has at
// most.
func (d *deflater) makeCodes() int {
	var c counts
	for i := range d.spans {
		c.span(&d.spans[i], d.order.data)
	}
	c.symbols[endOfBlock]++
	for i := range 256 {
		c.symbols[i] += c.bytes[0][i] + c.bytes[1][i]
	}
	d.literals.make(c.symbols[:], mostCodeBits)
	d.distances.make(c.distances[:], mostCodeBits)
	bits := 0
	for symbol, n := range c.symbols {
		bits += int(n) * (d.literals.length(symbol) + 5) // more bits of a length
	}
	for symbol, n := range c.distances {
		bits += int(n) * (d.distances.length(symbol) + 13)
	}
	return bits/8 + maxHeader
}

// counts is how often each symbol occurs in a block.
type counts struct {
	symbols   [maxSymbols]uint32
	distances [maxDistances]uint32
	bytes     [2][256]uint32 // of keys: two, so that a byte that is there twice does not wait for itself
}

func (c *counts) span(s *span, data []keyBits) {
	for _, t := range s.tokens {
		if length, distance, ok := t.match(); ok {
			c.symbols[lengthSymbol(length)]++
			c.distances[distanceSymbol(distance)]++
		} else {
			c.symbols[t]++
		}
	}
	if s.distance == 0 {
		for _, k := range data[s.first:][:s.count] {
			c.key(k, 0)
		}
		return
	}
	var shared [mostShared + 1]uint32
	last := data[s.first-1]
	for _, k := range data[s.first:][:s.count] {
		n := k.shared(last)
		shared[n]++
		c.key(k, n)
		last = k
	}
	for n, count := range shared {
		c.symbols[lengthSymbol(s.length+n)] += count
	}
	c.distances[distanceSymbol(s.distance)] += uint32(s.count)
}

// key counts the bytes of k but the first n, at most 7.
func (c *counts) key(k keyBits, n int) {
	for x := k.hi << (8 * n & 63); n < 8; n++ {
		c.bytes[n&1][x>>56]++
		x <<= 8
	}
	c.bytes[0][byte(k.lo)]++
	c.bytes[1][byte(k.lo>>8)]++
	c.bytes[0][byte(k.lo>>16)]++
	c.bytes[1][byte(k.lo>>24)]++
	c.bytes[0][byte(k.lo>>32)]++
	c.bytes[1][byte(k.lo>>40)]++
	c.bytes[0][byte(k.lo>>48)]++
	c.bytes[1][byte(k.lo>>56)]++
}

// mostShared is how many bytes of a key a match goes into at most. More than two
// or three are there only where key data is not random.
const mostShared = 7

// shared returns with how many of the same bytes both keys begin, at most
// mostShared.
func (k keyBits) shared(other keyBits) int {
	return bits.LeadingZeros64((k.hi^other.hi)|1) / 8
}

// span writes a span of the block.
func (d *deflater) span(s *span) {
	for _, t := range s.tokens {
		if length, distance, ok := t.match(); ok {
			d.bits.append(d.match(length, distance))
		} else {
			d.bits.put(&d.literals, int(t))
		}
	}
	data := d.order.data[s.first:][:s.count]
	if s.distance == 0 {
		for _, k := range data {
			d.bits.key(&d.literals, match{}, k, 0)
		}
		return
	}
	for n := range d.matches {
		d.matches[n] = d.match(s.length+n, s.distance)
	}
	last := d.order.data[s.first-1]
	for _, k := range data {
		n := k.shared(last)
		d.bits.key(&d.literals, d.matches[n], k, n)
		last = k
	}
}

// A match is the bits of a match, at most 42, the first of them lowest.
type match struct {
	bits uint64
	size int
}

// match returns the bits of a match in the codes of the block: its length's
// symbol, where it is among the lengths of that symbol, and the same for its
// distance (RFC 1951, 3.2.5).
func (d *deflater) match(length, distance int) match {
	var m match
	symbol := lengthSymbol(length)
	m.add(uint64(d.literals[symbol]>>lengthBits), d.literals.length(symbol))
	m.add(uint64(length)-uint64(lengths[symbol-firstLength].base), int(lengths[symbol-firstLength].extra))
	symbol = distanceSymbol(distance)
	m.add(uint64(d.distances[symbol]>>lengthBits), d.distances.length(symbol))
	m.add(uint64(distance)-uint64(distances[symbol].base), int(distances[symbol].extra))
	return m
}

func (m *match) add(bits uint64, size int) {
	m.bits |= bits << m.size
	m.size += size
}

const (
	endOfBlock   = 256
	firstLength  = 257 // the symbol of matches of 3 bytes
	leastMatch   = 3
	mostMatch    = 258
	mostDistance = 32 << 10
	maxDistances = 30
)

// A class is lengths or distances that have one symbol: the least of them, and
// how many more bits say which it is.
type class struct{ base, extra uint16 }

var (
	lengths   = append(classes(maxSymbols-firstLength-1, 4, leastMatch), class{mostMatch, 0})
	distances = classes(maxDistances, 2, 1)

	lengthSymbols = func() (symbols [mostMatch + 1]uint16) {
		symbol := 0
		for length := leastMatch; length <= mostMatch; length++ {
			if symbol+1 < len(lengths) && length == int(lengths[symbol+1].base) {
				symbol++
			}
			symbols[length] = uint16(firstLength + symbol)
		}
		return symbols
	}()
)

// classes returns the classes of RFC 1951, 3.2.5: so many of each size, and of
// the first size twice as many. Only the last length is a class by itself.
func classes(n, each, base int) []class {
	all := make([]class, n)
	for i := range all {
		all[i] = class{uint16(base), uint16(max(i/each-1, 0))}
		base += 1 << all[i].extra
	}
	return all
}

func lengthSymbol(length int) int { return int(lengthSymbols[length]) }

func distanceSymbol(distance int) int {
	if distance <= 4 {
		return distance - 1
	}
	top := bits.Len(uint(distance-1)) - 1
	return 2*top + (distance-1)>>(top-1)&1
}

// A bitWriter collects the bits of a block.
type bitWriter struct {
	b    []byte // long enough, see reserve
	n    int    // bytes of b that are written
	acc  uint64 // bits that come after them
	bits int    // how many: less than 8 between calls
}

// reserve makes room for size bytes more.
func (w *bitWriter) reserve(size int) {
	w.b = slices.Grow(w.b[:w.n], size+8)
	w.b = w.b[:cap(w.b)]
}

// append appends the bits of a match.
func (w *bitWriter) append(m match) {
	w.acc |= m.bits << (w.bits & 63)
	w.bits += m.size
	w.settle()
}

// put appends the bits of a symbol.
func (w *bitWriter) put(c *code, symbol int) {
	w.append(match{uint64(c[symbol] >> lengthBits), c.length(symbol)})
}

// settle moves whole bytes to b.
func (w *bitWriter) settle() {
	binary.LittleEndian.PutUint64(w.b[w.n:], w.acc)
	w.n += w.bits >> 3
	w.acc >>= w.bits & 0x38
	w.bits &= 7
}

// align fills up the last byte.
func (w *bitWriter) align() {
	w.bits = (w.bits + 7) &^ 7
	w.settle()
}

// flush gives away whole bytes.
func (w *bitWriter) flush(to io.Writer) error {
	_, err := to.Write(w.b[:w.n])
	w.n = 0
	return err
}

// key appends a match, and the literals of a key but for the first n bytes of it.
// This is where the time goes: four literals at once, at most 48 bits, as two
// pairs that need not wait for each other.
func (w *bitWriter) key(c *code, m match, k keyBits, n int) {
	b, at := w.b, w.n
	acc, size := w.acc|m.bits<<(w.bits&63), w.bits+m.size
	settle := func() {
		binary.LittleEndian.PutUint64(b[at:], acc)
		at += size >> 3
		acc >>= size & 0x38
		size &= 7
	}
	four := func(x uint32) {
		settle()
		c0, c1, c2, c3 := c[x>>24], c[x>>16&0xff], c[x>>8&0xff], c[x&0xff]
		n0, n1, n2 := c0&lengthMask, c1&lengthMask, c2&lengthMask
		low := uint64(c0>>lengthBits) | uint64(c1>>lengthBits)<<(n0&63)
		high := uint64(c2>>lengthBits) | uint64(c3>>lengthBits)<<(n2&63)
		acc |= (low | high<<((n0+n1)&63)) << (size & 63)
		size += int(n0 + n1 + n2 + c3&lengthMask)
	}
	x, left := k.hi<<(8*n&63), 8-n
	if left >= 4 {
		four(uint32(x >> 32))
		x, left = x<<32, left-4
	}
	settle()
	for ; left > 0; left-- { // at most 3
		c0 := c[x>>56]
		acc |= uint64(c0>>lengthBits) << (size & 63)
		size += int(c0 & lengthMask)
		x <<= 8
	}
	four(uint32(k.lo >> 32))
	four(uint32(k.lo))
	settle()
	w.acc, w.bits, w.n = acc, size, at
}
