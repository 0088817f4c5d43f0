package export

import (
	"math/bits"
	"slices"
)

// A code is a Huffman code of DEFLATE: of each symbol, the bits that stand for it.
type code [maxSymbols]codeword

// A codeword is bits, the first of them lowest. A symbol that does not occur has
// none.
type codeword struct{ bits, size uint32 }

const (
	maxSymbols   = 286 // of literals and lengths, the largest alphabet
	mostCodeBits = 15
)

// make makes c the best code for symbols that occur so often, none of them
// longer than limit. At least two symbols have a code, which some inflaters ask
// for and costs nothing: one symbol takes one bit anyway (RFC 1951, 3.2.7).
func (c *code) make(counts []uint32, limit int) {
	var symbols [maxSymbols]uint64 // count and symbol
	n := 0
	for symbol, count := range counts {
		if count > 0 {
			symbols[n] = uint64(count)<<16 | uint64(symbol)
			n++
		}
	}
	for symbol := 0; n < 2; symbol++ {
		if counts[symbol] == 0 {
			symbols[n] = 1<<16 | uint64(symbol)
			n++
		}
	}
	slices.Sort(symbols[:n])
	var weights, depths [maxSymbols]uint32
	for i := range n {
		weights[i] = uint32(symbols[i] >> 16)
	}
	for {
		depths = weights
		huffmanDepths(depths[:n])
		if int(depths[0]) <= limit {
			break
		}
		// Too deep, which takes symbols that are rarer than 1 in 300: they are
		// made less rare. What that costs is a few bits a block.
		for i := range n {
			weights[i] = (weights[i] + 1) / 2
		}
	}
	clear(c[:])
	for i := range n {
		c[symbols[i]&0xffff].size = depths[i]
	}
	c.assign()
}

// huffmanDepths replaces weights, at least two and ascending, by the lengths of
// their codes, descending, in place (Moffat and Katajainen, "In-place calculation
// of minimum-redundancy codes", 1995).
func huffmanDepths(a []uint32) {
	n := len(a)
	// Pair up the lightest: a[i] becomes the weight of an inner node, and what
	// was an inner node becomes the place of its parent.
	leaf, root := 0, 0
	lightest := func(next int) (weight uint32) {
		if leaf >= n || root < next && a[root] < a[leaf] {
			weight, a[root] = a[root], uint32(next)
			root++
			return weight
		}
		leaf++
		return a[leaf-1]
	}
	for next := range n - 1 {
		first := lightest(next)
		a[next] = first + lightest(next)
	}
	// From parents to depths of inner nodes.
	a[n-2] = 0
	for i := n - 3; i >= 0; i-- {
		a[i] = a[a[i]] + 1
	}
	// From those to depths of leaves: at each depth, what is not an inner node.
	inner, next := n-2, n-1
	for depth, room := uint32(0), 1; room > 0; depth++ {
		used := 0
		for inner >= 0 && a[inner] == depth {
			used++
			inner--
		}
		for ; room > used; room-- {
			a[next] = depth
			next--
		}
		room = 2 * used
	}
}

// assign gives the symbols their bits, from lengths alone (RFC 1951, 3.2.2): so
// whoever knows the lengths knows the code.
func (c *code) assign() {
	var next [mostCodeBits + 2]uint32
	for _, s := range c {
		if s.size > 0 {
			next[s.size+1]++
		}
	}
	for size := 2; size < len(next); size++ {
		next[size] = (next[size-1] + next[size]) << 1
	}
	for symbol := range c {
		if s := &c[symbol]; s.size > 0 {
			s.bits = bits.Reverse32(next[s.size]) >> (32 - s.size)
			next[s.size]++
		}
	}
}

// header writes the header of a block with two codes of its own (RFC 1951,
// 3.2.7): their lengths, in which runs are shortened, in a code of its own.
func (d *deflater) header(last bool) {
	var all [maxSymbols + maxDistances]uint8
	symbols, distances := firstLength, 1
	for i := range maxSymbols {
		if all[i] = uint8(d.literals[i].size); all[i] > 0 {
			symbols = max(symbols, i+1)
		}
	}
	for i := range maxDistances {
		if all[symbols+i] = uint8(d.distances[i].size); all[symbols+i] > 0 {
			distances = i + 1
		}
	}
	var runs [len(all)]run
	list := appendRuns(runs[:0], all[:symbols+distances])
	var counts [len(lengthOrder)]uint32
	for _, r := range list {
		counts[r.symbol]++
	}
	var code code
	code.make(counts[:], 7)
	given := len(lengthOrder)
	for code[lengthOrder[given-1]].size == 0 {
		given--
	}

	const dynamic = 2
	final := uint64(0)
	if last {
		final = 1
	}
	d.bits.append(match{final | dynamic<<1, 3})
	d.bits.append(match{uint64(symbols - 257), 5})
	d.bits.append(match{uint64(distances - 1), 5})
	d.bits.append(match{uint64(given - 4), 4})
	for _, symbol := range lengthOrder[:given] {
		d.bits.append(match{uint64(code[symbol].size), 3})
	}
	for _, r := range list {
		d.bits.put(code[r.symbol])
		d.bits.append(match{uint64(r.more), uint32(r.bits)})
	}
}

// lengthOrder is the order in which the lengths of the lengths' code are given.
var lengthOrder = [...]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// A run is a length of a code, or several alike: the symbol, and more bits that
// say how many.
type run struct{ symbol, more, bits uint8 }

func appendRuns(list []run, all []uint8) []run {
	for len(all) > 0 {
		length, n := all[0], 1
		for n < len(all) && all[n] == length {
			n++
		}
		all = all[n:]
		if length > 0 {
			list = append(list, run{symbol: length})
			n--
		}
		for n > 0 {
			switch {
			case length == 0 && n >= 11:
				m := min(n, 138)
				list = append(list, run{18, uint8(m - 11), 7})
				n -= m
			case length == 0 && n >= 3:
				m := min(n, 10)
				list = append(list, run{17, uint8(m - 3), 3})
				n -= m
			case length > 0 && n >= 3:
				m := min(n, 6)
				list = append(list, run{16, uint8(m - 3), 2})
				n -= m
			default:
				list = append(list, run{symbol: length})
				n--
			}
		}
	}
	return list
}
