package inflate

import "math/bits"

// A table is a Huffman code as decoding needs it: what the next bits of input
// are the index of. Its first part is for the first few bits, and has each code
// that is no longer as often as there are bits behind it. Codes that begin with
// the same few bits and are longer have a part of their own behind, for their
// other bits, which the entry for the first few bits refers to.
//
// An entry is, from the low end,
//
//	6 bits   how many the code and the extra bits behind it have
//	2 bits   unused
//	4 bits   how many the code has; in one that refers to a part behind, how
//	         many bits are the index there
//	1 bit    further: it refers to a part behind
//	1 bit    special: no byte, length or distance: the end of the block, or
//	         nothing at all
//	1 bit    endOfBlock
//	15 bits  the byte; the length or distance to which the extra bits are added;
//	         or where the part behind begins
//	1 bit    literal: it is a byte
const (
	consumed   uint32 = 1<<6 - 1
	codeAt            = 8
	codeMask   uint32 = 1<<4 - 1
	further    uint32 = 1 << 12
	special    uint32 = 1 << 13
	endOfBlock uint32 = 1 << 14
	valueAt           = 15
	literal    uint32 = 1 << 31
)

const (
	maxCode     = 15  // bits of the longest code
	maxLitLen   = 286 // literals and lengths of a dynamic code
	maxDist     = 30  // distances
	fixedLitLen = 288 // the fixed code has two lengths that mean nothing,
	fixedDist   = 32  // and two distances
	lengthCodes = 19  // of the code that code lengths are in
	lengthBits  = 7   // of its longest code
	litLenBits  = 10  // that the first part of a table is for
	distBits    = 8
)

// A part behind is for codes that are at least two, so that there are at most
// half as many parts as codes.
const (
	litLenSize = 1<<litLenBits + maxLitLen/2<<(maxCode-litLenBits)
	distSize   = 1<<distBits + maxDist/2<<(maxCode-distBits)
)

// litLenEntries and distEntries are the entries of the symbols, but for the
// number of bits of their codes.
var (
	litLenEntries = makeLitLenEntries()
	distEntries   = makeDistEntries()
)

func makeLitLenEntries() (entries [fixedLitLen]uint32) {
	for i := range 256 {
		entries[i] = literal | uint32(i)<<valueAt
	}
	entries[256] = special | endOfBlock
	length := uint32(3)
	for i := range uint32(28) { // 257 .. 284: four of each number of extra bits, from the second four on
		extra := max(i/4, 1) - 1
		entries[257+i] = length<<valueAt | extra
		length += 1 << extra
	}
	entries[285] = 258 << valueAt
	entries[286], entries[287] = special, special
	return entries
}

func makeDistEntries() (entries [fixedDist]uint32) {
	distance := uint32(1)
	for i := range uint32(maxDist) { // two of each number of extra bits, from the second two on
		extra := max(i/2, 1) - 1
		entries[i] = distance<<valueAt | extra
		distance += 1 << extra
	}
	entries[30], entries[31] = special, special
	return entries
}

// lengthEntries are those of the code that code lengths are in.
var lengthEntries = func() (entries [lengthCodes]uint32) {
	for i := range entries {
		entries[i] = uint32(i) << valueAt
	}
	return entries
}()

// build makes the table of a code from the lengths of its codes, and reports
// whether there is one: codes of these lengths must use up all that begins with
// either bit. What compress/flate lets pass passes here: no code at all, and a
// single one of one bit. The first part of the table is for the first so many
// bits.
//
// The codes of the RFC ascend, by length and then by symbol, each being the one
// before plus one, with zeros behind it where it is longer. In the input their
// first bit comes first, so that as an index they are the other way round.
func build(table []uint32, first int, lengths []uint8, entries []uint32) bool {
	var count [maxCode + 1]int
	for _, n := range lengths {
		count[n]++
	}
	used, longest, space := 0, 0, 0
	for n := 1; n <= maxCode; n++ {
		if count[n] > 0 {
			used, longest = used+count[n], n
		}
		space += count[n] << (maxCode - n)
	}
	symbols := inOrder(lengths, &count)
	switch {
	case space == 1<<maxCode:
	case used == 0 || used == 1 && longest == 1:
		for i := range table[:1<<first] {
			table[i] = special | 1
			if used == 1 && i&1 == 0 {
				table[i] = withCode(entries[symbols[0]], 1)
			}
		}
		return true
	default:
		return false
	}

	// What is for n bits is, twice, what is for n+1, but for longer codes, which
	// are put in their places after that.
	i, code := 0, uint32(0)
	for n := 1; n <= first; n++ {
		copy(table[1<<(n-1):1<<n], table[:1<<(n-1)])
		for range count[n] {
			table[code] = withCode(entries[symbols[i]], n)
			i, code = i+1, after(code, n)
		}
	}
	next, last := 1<<first, uint32(1<<first) // no code begins like last
	part, index := 0, max(longest-first, 0)
	for n := first + 1; n <= longest; n++ {
		for range count[n] {
			if begins := code & (1<<first - 1); begins != last {
				last, part = begins, next
				next += 1 << index
				table[begins] = uint32(part)<<valueAt | further | uint32(index)<<codeAt
			}
			e := withCode(entries[symbols[i]], n)
			for at := code >> first; at < 1<<index; at += 1 << (n - first) {
				table[part+int(at)] = e
			}
			i, code = i+1, after(code, n)
		}
	}
	return true
}

// withCode returns the entry of a symbol whose code has n bits.
func withCode(entry uint32, n int) uint32 { return entry + uint32(n)<<codeAt + uint32(n) }

// after returns the code after one of n bits, both the other way round, and 0
// after the last: one is added at the high end, and carried downwards.
func after(code uint32, n int) uint32 {
	zeros := code ^ (1<<n - 1)
	if zeros == 0 {
		return 0
	}
	high := uint32(1) << (bits.Len32(zeros) - 1)
	return code&(high-1) | high
}

// inOrder returns the symbols that have a code, in the order of their codes.
func inOrder(lengths []uint8, count *[maxCode + 1]int) (symbols [fixedLitLen]uint16) {
	var at [maxCode + 2]int
	for n := 1; n <= maxCode; n++ {
		at[n+1] = at[n] + count[n]
	}
	for symbol, n := range lengths {
		if n > 0 {
			symbols[at[n]] = uint16(symbol)
			at[n]++
		}
	}
	return symbols
}

// fixedCodes makes the tables those of the fixed codes, unless they are.
func (r *Reader) fixedCodes() {
	if r.fixed {
		return
	}
	var lengths [fixedLitLen]uint8
	for i := range lengths {
		switch {
		case i < 144, i >= 280:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		default:
			lengths[i] = 7
		}
	}
	build(r.litLen[:], litLenBits, lengths[:], litLenEntries[:])
	for i := range fixedDist {
		lengths[i] = 5
	}
	build(r.dist[:], distBits, lengths[:fixedDist], distEntries[:])
	r.fixed = true
}

// lengthOrder is the order in which the code lengths of the code of code lengths
// come: those that are likely to be zero last, where they can be left out.
var lengthOrder = [lengthCodes]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamicCodes reads the codes of a block.
func (r *Reader) dynamicCodes() error {
	r.fixed = false
	litLens, dists, n := int(r.take(5))+257, int(r.take(5))+1, int(r.take(4))+4
	if litLens > maxLitLen || dists > maxDist {
		return r.corrupt()
	}
	var lengths [maxLitLen + maxDist]uint8
	for _, symbol := range lengthOrder[:n] {
		if err := r.refill(); err != nil {
			return err
		}
		lengths[symbol] = uint8(r.take(3))
	}
	var table [1 << lengthBits]uint32
	if !build(table[:], lengthBits, lengths[:lengthCodes], lengthEntries[:]) {
		return r.corrupt()
	}
	if err := r.codeLengths(&table, lengths[:litLens+dists]); err != nil {
		return err
	}
	if !build(r.litLen[:], litLenBits, lengths[:litLens], litLenEntries[:]) ||
		!build(r.dist[:], distBits, lengths[litLens:litLens+dists], distEntries[:]) {
		return r.corrupt()
	}
	return nil
}

// codeLengths reads code lengths in the code that table is of. Above 15 are three
// symbols for repetitions: of the length before, and two of zeros.
func (r *Reader) codeLengths(table *[1 << lengthBits]uint32, lengths []uint8) error {
	for i := 0; i < len(lengths); {
		if err := r.refill(); err != nil {
			return err
		}
		e := table[r.bits&(1<<lengthBits-1)]
		if e&special != 0 {
			return r.corrupt()
		}
		r.take(uint(e & consumed))
		symbol := uint8(e >> valueAt)
		if symbol < 16 {
			lengths[i] = symbol
			i++
			continue
		}
		var n int
		var length uint8
		switch symbol {
		case 16:
			if i == 0 {
				return r.corrupt()
			}
			n, length = 3+int(r.take(2)), lengths[i-1]
		case 17:
			n = 3 + int(r.take(3))
		case 18:
			n = 11 + int(r.take(7))
		}
		if i+n > len(lengths) {
			return r.corrupt()
		}
		for range n {
			lengths[i] = length
			i++
		}
	}
	return nil
}
