package export

import (
	"io"
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
// it, and the match goes on into it: in a group of 7,000 its first byte is free, and
// in one of ten the second, too. What is left is random: where a few bytes of it
// are there again, it takes as many bits to say where. It is literals.
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
// way, among the last gaps: see [window]. There are few such gaps in a large
// archive. In a small one they are many: then, and where key data is not random,
// [message.compress] asks the ordinary compressor, too.
//
// To change the record, change [appendKey]: all that is known here of it is where
// its key data is, and that records of a group differ in nothing else.
type deflater struct {
	order *order

	pos    int // in export.bin, of what is planned next
	at     int // the next key
	window window

	// The block that is being planned.
	spans         []span
	tokens        []token
	keys, counted int
	size          int // of the records of its large groups; 0 if it has none

	literals, distances code
	longest             uint32                // of the literals' codes, in bits
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
	return matchToken | token(distance-1)<<16 | token(length)
}

func (t token) match() (length, distance int, ok bool) {
	return int(t & 0xffff), int(t>>16&0x7fff) + 1, t&matchToken != 0
}

// A block has at most so many keys, of which so many are counted: enough that its
// two codes, of some 60 bytes, cost nothing. A large group whose records have
// another size begins another block, as it has another length of match.
//
// Of a long span, the symbols of about spanCounted keys are counted and stand for
// all. Random bytes are all about as frequent: to know exactly which are the
// rarest saves 0.05 % of the size, and counting them takes half as long as
// writing them.
const (
	blockKeys    = 32 << 10
	blockCounted = 8 << 10
	spanCounted  = 512
	largeGroup   = 256
)

// step says that one of so many keys of a span is counted.
func step(count int) int { return max(count/spanCounted, 1) }

var deflaters = sync.Pool{New: func() any { return new(deflater) }}

// deflate writes export.bin, compressed, to w.
func (m *message) deflate(w io.Writer) error {
	d := deflaters.Get().(*deflater)
	defer d.rest()
	d.order, d.pos, d.at = m.order, 0, 0
	d.bits.reset(w)
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
	d.order = nil
	d.endBlock()
	d.bits.reset(nil)
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
	d.counted += count / step(count)
	d.pos += size
}

// flushFull writes the block if it is full.
func (d *deflater) flushFull() error {
	if d.keys < blockKeys && d.counted < blockCounted {
		return nil
	}
	return d.flush(false)
}

// flush writes the block.
func (d *deflater) flush(last bool) error {
	d.makeCodes()
	d.header(last)
	for i := range d.spans {
		d.span(&d.spans[i])
	}
	d.bits.put(d.literals[endOfBlock])
	d.endBlock()
	if last {
		d.bits.align()
		d.bits.flush()
	}
	return d.bits.err
}

func (d *deflater) endBlock() {
	d.spans, d.tokens, d.keys, d.counted, d.size = d.spans[:0], d.tokens[:0], 0, 0, 0
}

// makeCodes makes the codes of the block.
func (d *deflater) makeCodes() {
	var c counts
	for i := range d.spans {
		c.span(&d.spans[i], d.order.data)
	}
	c.symbols[endOfBlock]++
	d.literals.make(c.symbols[:], mostCodeBits)
	d.distances.make(c.distances[:], mostCodeBits)
	d.longest = 0
	for _, s := range d.literals[:256] {
		d.longest = max(d.longest, s.size)
	}
}

// counts is how often each symbol occurs in a block, or about how often.
type counts struct {
	symbols   [maxSymbols]uint32
	distances [maxDistances]uint32
}

func (c *counts) span(s *span, data []keys.KeyData) {
	for _, t := range s.tokens {
		if length, distance, ok := t.match(); ok {
			c.symbols[lengthSymbol(length)]++
			c.distances[distanceSymbol(distance)]++
		} else {
			c.symbols[t]++
		}
	}
	step := step(s.count)
	for at := s.first; at < s.first+s.count; at += step {
		n := 0
		if s.distance > 0 {
			n = shared(begin(&data[at-1]), begin(&data[at]))
			c.symbols[lengthSymbol(s.length+n)] += uint32(step)
		}
		for _, b := range data[at][n:] {
			c.symbols[b] += uint32(step)
		}
	}
	if s.distance > 0 {
		c.distances[distanceSymbol(s.distance)] += uint32(s.count)
	}
	if step > 1 {
		c.uncounted(s)
	}
}

// uncounted makes sure that what keys may have gets a code, though it was in none
// that was counted.
func (c *counts) uncounted(s *span) {
	for b := range 256 {
		c.symbols[b] = max(c.symbols[b], 1)
	}
	for n := range mostShared + 1 {
		symbol := &c.symbols[lengthSymbol(s.length+n)]
		*symbol = max(*symbol, 1)
	}
}

// span writes a span of the block.
func (d *deflater) span(s *span) {
	for _, t := range s.tokens {
		if length, distance, ok := t.match(); ok {
			d.bits.append(d.match(length, distance))
		} else {
			d.bits.put(d.literals[t])
		}
	}
	data := d.order.data[s.first:][:s.count]
	if s.distance == 0 {
		for i := range data {
			d.bits.key(&d.literals, match{}, data[i][:])
		}
		return
	}
	for n := range d.matches {
		d.matches[n] = d.match(s.length+n, s.distance)
	}
	last := &d.order.data[s.first-1]
	if d.short() {
		d.bits.keys(&d.literals, &d.matches, last, data)
		return
	}
	for i := range data {
		n := shared(begin(last), begin(&data[i]))
		d.bits.key(&d.literals, d.matches[n], data[i][n:])
		last = &data[i]
	}
}

// short reports whether the codes are as short as [bitWriter.keys] takes them.
// They are where key data is random.
func (d *deflater) short() bool {
	for _, m := range d.matches {
		if m.size > shortMatch {
			return false
		}
	}
	return d.longest <= shortLiteral
}
