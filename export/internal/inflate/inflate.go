// Package inflate reads DEFLATE (RFC 1951), the compression of zip files, at twice
// the speed of compress/flate and more.
//
// It reads what compress/flate reads and refuses what that refuses, which its
// tests hold it to. It is made for archives of keys, where most symbols are
// literals of 8 or 9 bits, the next is a copy of a dozen bytes from the record
// before, and nothing compresses well enough for long copies to matter.
//
// # The format
//
// A stream is a row of blocks, each with 3 bits before it: whether it is the last,
// and its kind. A block that is stored is a length and so many bytes. The others
// are symbols in a Huffman code: a symbol below 256 is a byte (a literal), 256 is
// the end of the block, and one above is a length that, with some extra bits, says
// how much of what is already there comes again; a symbol of a second code,
// again with extra bits, says from how far back, at most 32 KiB. The codes are
// those of the RFC ("fixed"), or their code lengths stand before the symbols
// ("dynamic"), in a third code. Bits come from the low end of each byte; the first
// bit of a code is the first to come.
//
// # Why it is fast
//
//   - 64 bits of input are looked at together. One load makes them at least 56,
//     which is four literals of the first table, or three and a length.
//   - A symbol is one load from a table that the next 10 bits of input are the
//     index of. An entry has all that is to be known: how many bits the code and
//     its extra bits have, and the byte or the smallest length. Longer codes, which
//     are rare, have a second table.
//   - A copy is made in words of 8 bytes that may go beyond its end, as long as
//     there is room; what is beyond is overwritten next.
//   - Room for a whole round of symbols, and input for it, are made sure of once a
//     round, not at each symbol. Where the input ends, zeros stand behind it, and
//     whether any of them was used is asked afterwards.
//
// # What it costs
//
// A [Reader] is 160 KiB, whatever it reads, and reads ahead of what it gives by at
// most 32 KiB of input and 64 KiB of output.
package inflate

import (
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

const (
	inSize = 32 << 10

	// window is how far back a copy may reach.
	window = 32 << 10

	// outSize is the window and what is decoded at a time.
	outSize = window + 64<<10

	// maxRound is how much a round of symbols may write: three literals, the
	// longest copy, and the rest of a word beyond it.
	maxRound = 3 + 258 + 7

	// roundInput is how many bytes of input there must be for a round: it loads
	// 8 of them twice, and goes at most 7 ahead in between.
	roundInput = 15

	// padding is how many zeros stand behind the end of the input: more than
	// what the bits may hold and a round needs together, so that where too few
	// are left for a round, some of them have been used.
	padding = 32
)

// A Reader inflates a stream. It must be closed, once, and is not to be used
// after. It is for one goroutine at a time.
type Reader struct {
	src    io.Reader
	srcErr error // of src, and what is in in comes before it

	// in[pos:end] is input that is not in bits. Of bits the lowest nbits count;
	// those above are zeros, or are what in[pos:] begins with.
	in       [inSize + padding]byte
	pos, end int
	before   int64 // bytes of input before in[0]
	bits     uint64
	nbits    uint
	padded   bool // the last padding bytes of in are not src's

	// out[:op] is output, of which out[given:] has not been given.
	out       [outSize]byte
	op, given int

	err   error // when out is given
	state state
	last  bool // the block is the last
	left  int  // bytes of a stored block

	litLen [litLenSize]uint32
	dist   [distSize]uint32
	fixed  bool // the tables are those of the fixed codes
}

type state uint8

const (
	atBlock state = iota
	inStored
	inSymbols
)

var pool = sync.Pool{New: func() any { return new(Reader) }}

// NewReader returns a Reader of the stream that src begins with. It may read
// more of src than the stream has.
func NewReader(src io.Reader) io.ReadCloser {
	r := pool.Get().(*Reader)
	r.reset(src)
	return r
}

// reset makes r as new, but for the tables, which say what they are.
func (r *Reader) reset(src io.Reader) {
	r.src, r.srcErr, r.err = src, nil, nil
	r.pos, r.end, r.before, r.bits, r.nbits, r.padded = 0, 0, 0, 0, 0, false
	r.op, r.given = 0, 0
	r.state, r.last, r.left = atBlock, false, 0
}

// Close gives the memory of r to the next Reader.
func (r *Reader) Close() error {
	if r.src != nil {
		r.src, r.err = nil, errClosed
		pool.Put(r)
	}
	return nil
}

var errClosed = errors.New("inflate: read after close")

// Read gives what comes next. Its errors are those of compress/flate: a
// [flate.CorruptInputError], io.ErrUnexpectedEOF where the stream ends too early,
// and what src fails with.
func (r *Reader) Read(p []byte) (int, error) {
	for r.given == r.op && len(p) > 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.fill()
	}
	n := copy(p, r.out[r.given:r.op])
	r.given += n
	return n, nil
}

// fill decodes until out is full or there is an error.
func (r *Reader) fill() {
	if r.op > outSize-maxRound {
		copy(r.out[:window], r.out[r.op-window:r.op])
		r.op, r.given = window, window
	}
	for r.err == nil && r.op <= outSize-maxRound {
		switch r.state {
		case atBlock:
			r.err = r.block()
		case inStored:
			r.err = r.stored()
		case inSymbols:
			r.err = r.symbols()
		}
	}
	if r.padded && 8*r.pos-int(r.nbits) > 8*(r.end-padding) {
		r.err, r.op = io.ErrUnexpectedEOF, r.given // made of zeros that are not src's
	}
}

// block reads what is before the data of a block.
func (r *Reader) block() error {
	if r.last {
		return io.EOF
	}
	if err := r.refill(); err != nil {
		return err
	}
	r.last = r.take(1) == 1
	switch r.take(2) {
	case 0:
		r.state = inStored
		return r.storedHeader()
	case 1:
		r.state = inSymbols
		r.fixedCodes()
		return nil
	case 2:
		r.state = inSymbols
		return r.dynamicCodes()
	}
	return r.corrupt()
}

func (r *Reader) storedHeader() error {
	r.take(r.nbits % 8)
	if err := r.refill(); err != nil {
		return err
	}
	r.left = int(r.take(16))
	if r.take(16) != uint64(^uint16(r.left)) {
		return r.corrupt()
	}
	return nil
}

// stored copies bytes of a stored block: first those that are in bits.
func (r *Reader) stored() error {
	for ; r.left > 0 && r.nbits > 0 && r.op < outSize; r.left-- {
		r.out[r.op] = byte(r.take(8))
		r.op++
	}
	if r.left == 0 {
		r.state = atBlock
		return nil
	}
	if r.nbits > 0 {
		return nil // out is full
	}
	r.bits = 0
	if r.padded && r.pos >= r.end-padding {
		return io.ErrUnexpectedEOF
	}
	if r.pos == r.end {
		return r.more()
	}
	end := r.end
	if r.padded {
		end -= padding
	}
	n := copy(r.out[r.op:], r.in[r.pos:min(end, r.pos+r.left)])
	r.op += n
	r.pos += n
	r.left -= n
	return nil
}

// symbols decodes symbols until the block ends or out is full. It is where the
// time goes: what it needs of r is in variables, which end up in registers.
func (r *Reader) symbols() error {
	in, out, litLen, dist := &r.in, &r.out, &r.litLen, &r.dist
	pos, bits, nbits, op := r.pos, r.bits, r.nbits, r.op
	var err error
	corrupt := false
	for op <= outSize-maxRound {
		if r.end-pos < roundInput {
			r.pos = pos
			if err = r.more(); err != nil {
				break
			}
			pos = r.pos
			continue
		}
		bits |= binary.LittleEndian.Uint64(in[pos:]) << (nbits & 63)
		pos += int(63-nbits) >> 3
		nbits |= 56

		e := litLen[bits&(1<<litLenBits-1)]
		if e&literal != 0 {
			out[op] = byte(e >> valueAt)
			op++
			bits >>= e & consumed
			nbits -= uint(e & consumed)
			e = litLen[bits&(1<<litLenBits-1)]
			if e&literal != 0 {
				out[op] = byte(e >> valueAt)
				op++
				bits >>= e & consumed
				nbits -= uint(e & consumed)
				e = litLen[bits&(1<<litLenBits-1)]
				if e&literal != 0 {
					out[op] = byte(e >> valueAt)
					op++
					bits >>= e & consumed
					nbits -= uint(e & consumed)
					e = litLen[bits&(1<<litLenBits-1)]
				}
			}
		}
		if e&further != 0 {
			e = litLen[e>>valueAt+uint32(bits>>litLenBits)&(1<<(e>>codeAt&codeMask)-1)]
		}
		saved := bits
		bits >>= e & consumed
		nbits -= uint(e & consumed)
		if e&literal != 0 {
			out[op] = byte(e >> valueAt)
			op++
			continue
		}
		if e&special != 0 {
			corrupt = e&endOfBlock == 0
			r.state = atBlock
			break
		}
		length := int(e>>valueAt) + int(saved&(1<<(e&consumed)-1)>>(e>>codeAt&codeMask))

		bits |= binary.LittleEndian.Uint64(in[pos:]) << (nbits & 63)
		pos += int(63-nbits) >> 3
		nbits |= 56
		e = dist[bits&(1<<distBits-1)]
		if e&further != 0 {
			e = dist[e>>valueAt+uint32(bits>>distBits)&(1<<(e>>codeAt&codeMask)-1)]
		}
		if e&special != 0 {
			corrupt = true
			break
		}
		distance := int(e>>valueAt) + int(bits&(1<<(e&consumed)-1)>>(e>>codeAt&codeMask))
		bits >>= e & consumed
		nbits -= uint(e & consumed)
		from, end := op-distance, op+length
		if from < 0 {
			corrupt = true
			break
		}
		if distance < 8 {
			for ; op < end; op, from = op+1, from+1 {
				out[op] = out[from]
			}
			continue
		}
		for ; op < end; op, from = op+8, from+8 {
			binary.LittleEndian.PutUint64(out[op:], binary.LittleEndian.Uint64(out[from:]))
		}
		op = end
	}
	r.pos, r.bits, r.nbits, r.op = pos, bits, nbits, op
	if corrupt {
		return r.corrupt()
	}
	return err
}

// refill makes bits at least 56.
func (r *Reader) refill() error {
	for r.end-r.pos < 8 {
		if err := r.more(); err != nil {
			return err
		}
	}
	r.bits |= binary.LittleEndian.Uint64(r.in[r.pos:]) << (r.nbits & 63)
	r.pos += int(63-r.nbits) >> 3
	r.nbits |= 56
	return nil
}

// take returns the next n bits, which must be there.
func (r *Reader) take(n uint) uint64 {
	v := r.bits & (1<<n - 1)
	r.bits >>= n
	r.nbits -= n
	return v
}

// more adds to in[pos:end], which must be less than a round needs: input, or the
// zeros behind it.
func (r *Reader) more() error {
	if r.padded {
		return io.ErrUnexpectedEOF
	}
	r.before += int64(r.pos)
	r.end = copy(r.in[:], r.in[r.pos:r.end])
	r.pos = 0
	if r.srcErr == nil {
		return r.read()
	}
	if r.srcErr != io.EOF {
		return r.srcErr
	}
	clear(r.in[r.end : r.end+padding])
	r.end += padding
	r.padded = true
	return nil
}

// read reads once, and a hundred times from what gives neither bytes nor errors.
func (r *Reader) read() error {
	for range 100 {
		n, err := r.src.Read(r.in[r.end:inSize])
		r.end += n
		r.srcErr = err
		if n > 0 || err != nil {
			return nil
		}
	}
	return io.ErrNoProgress
}

// corrupt returns the error for a stream that is none from here on.
func (r *Reader) corrupt() error {
	return flate.CorruptInputError(r.before + int64(r.pos) - int64(r.nbits/8))
}
