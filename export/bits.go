package export

import (
	"encoding/binary"
	"io"
	"slices"
)

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
