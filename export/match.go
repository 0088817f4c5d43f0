package export

import "math/bits"

// A match is the bits of a match, at most 48, the first of them lowest.
type match struct {
	bits uint64
	size uint32
}

// match returns the bits of a match in the codes of the block: its length's
// symbol, where it is among the lengths of that symbol, and the same for its
// distance (RFC 1951, 3.2.5).
func (d *deflater) match(length, distance int) match {
	var m match
	symbol := lengthSymbol(length)
	m.add(d.literals[symbol].bits, d.literals[symbol].size)
	m.add(uint32(length)-uint32(lengths[symbol-firstLength].base), uint32(lengths[symbol-firstLength].extra))
	symbol = distanceSymbol(distance)
	m.add(d.distances[symbol].bits, d.distances[symbol].size)
	m.add(uint32(distance)-uint32(distances[symbol].base), uint32(distances[symbol].extra))
	return m
}

func (m *match) add(bits, size uint32) {
	m.bits |= uint64(bits) << m.size
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
