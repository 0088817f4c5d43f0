package export

import (
	"encoding/binary"
	"io"
	"math/bits"

	"github.com/gaenkit/gaen/keys"
)

// A bitWriter writes bits, the first of them lowest.
type bitWriter struct {
	w   io.Writer
	err error // of w, the first that there was

	b    [16 << 10]byte
	n    int    // bytes of b that are written
	acc  uint64 // bits that come after them
	size uint32 // how many: less than 64 between calls
}

// reset makes w write to another.
func (w *bitWriter) reset(to io.Writer) {
	w.w, w.err, w.n, w.acc, w.size = to, nil, 0, 0, 0
}

// append appends the bits of a match.
func (w *bitWriter) append(m match) {
	w.room(8)
	w.add(m.bits, m.size)
}

// add appends bits, less than 64, to a word, and begins another if it is full.
// The word is written whether it is full or not: so nothing has to be guessed.
func (w *bitWriter) add(bits uint64, size uint32) {
	w.acc |= bits << (w.size & 63)
	binary.LittleEndian.PutUint64(w.b[w.n:], w.acc)
	over := bits >> 1 >> (63 - w.size&63)
	w.size += size
	if w.size >= 64 {
		w.acc = over
	}
	w.n += int(w.size >> 6 << 3)
	w.size &= 63
}

// put appends the bits of a symbol.
func (w *bitWriter) put(s codeword) { w.append(match{uint64(s.bits), s.size}) }

// align fills up the last byte.
func (w *bitWriter) align() {
	w.room(8)
	binary.LittleEndian.PutUint64(w.b[w.n:], w.acc)
	w.n += int(w.size+7) / 8
	w.acc, w.size = 0, 0
}

// room makes room for n more bytes.
func (w *bitWriter) room(n int) {
	if w.n > len(w.b)-n {
		w.flush()
	}
}

// flush gives away whole bytes.
func (w *bitWriter) flush() {
	if w.err == nil {
		_, w.err = w.w.Write(w.b[:w.n])
	}
	w.n = 0
}

// key appends a match, and the literals of what the match leaves of a key.
func (w *bitWriter) key(c *code, m match, rest []byte) {
	w.append(m)
	for _, b := range rest {
		w.put(c[b])
	}
}

// What keys takes: so many bits of a literal and of a match, so that neither a
// match and four literals nor six literals are more than 63.
const (
	shortLiteral = 10
	shortMatch   = 63 - 4*shortLiteral

	keysAtOnce  = 256
	shortKeyMax = (shortMatch+keys.KeyDataSize*shortLiteral)/8 + 1 // bytes
)

// keys appends keys as key does, with a match before each that says what it has
// in common with the one before; last is that of the first. This is where the
// time goes, and 16 look-ups of literals are most of it. All else is done thrice a
// key and not for every literal; and nothing is done by jumping, as how much of a
// key the match says cannot be guessed: literals that are not wanted are shifted
// out again.
func (w *bitWriter) keys(c *code, matches *[mostShared + 1]match, last *keys.KeyData, data []keys.KeyData) {
	for len(data) > 0 {
		n := min(len(data), keysAtOnce)
		w.room(keysAtOnce*shortKeyMax + 8)
		w.someKeys(c, matches, last, data[:n])
		last, data = &data[n-1], data[n:]
	}
}

func (w *bitWriter) someKeys(c *code, matches *[mostShared + 1]match, last *keys.KeyData, data []keys.KeyData) {
	at, acc, size := w.n, w.acc, w.size
	put := func(bits uint64, n uint32) { // as add does
		acc |= bits << (size & 63)
		binary.LittleEndian.PutUint64(w.b[at:], acc)
		over := bits >> 1 >> (63 - size&63)
		size += n
		if size >= 64 {
			acc = over
		}
		at += int(size >> 6 << 3)
		size &= 63
	}
	before := begin(last)
	for i := range data {
		k := &data[i]
		b0, n0 := c.two(k[0], k[1])
		b2, n2 := c.two(k[2], k[3])
		n := shared(before, begin(k))
		before = begin(k)
		skip := uint32(0) // the bits of the first n literals
		if n > 0 {
			skip = c[k[0]].size
		}
		if n > 1 {
			skip = n0
		}
		if n > 2 {
			skip = n0 + c[k[2]].size
		}
		m := &matches[n]
		put(m.bits|(b0|b2<<(n0&63))>>(skip&63)<<(m.size&63), m.size+n0+n2-skip)
		b0, n0 = c.two(k[4], k[5])
		b2, n2 = c.two(k[6], k[7])
		b4, n4 := c.two(k[8], k[9])
		put(b0|b2<<(n0&63)|b4<<((n0+n2)&63), n0+n2+n4)
		b0, n0 = c.two(k[10], k[11])
		b2, n2 = c.two(k[12], k[13])
		b4, n4 = c.two(k[14], k[15])
		put(b0|b2<<(n0&63)|b4<<((n0+n2)&63), n0+n2+n4)
	}
	w.n, w.acc, w.size = at, acc, size
}

// two returns the bits of two literals.
func (c *code) two(a, b byte) (bits uint64, size uint32) {
	return uint64(c[a].bits) | uint64(c[b].bits)<<(c[a].size&63), c[a].size + c[b].size
}

// mostShared is how many bytes of a key a match goes into at most. More are
// there only where key data is not random.
const mostShared = 3

// begin returns the first bytes of key data, as a number.
func begin(k *keys.KeyData) uint32 { return binary.BigEndian.Uint32(k[:4]) }

// shared returns with how many of the same bytes two keys begin, at most
// mostShared.
func shared(a, b uint32) int { return bits.LeadingZeros32((a^b)|1) / 8 & mostShared }
