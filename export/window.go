package export

// A window is what the last 32 KiB of export.bin have between key data: gaps, in
// which the like of other gaps is looked for. Key data is neither in it nor
// looked for.
type window struct {
	heads [1 << windowHash]int32 // the last place where three bytes with this hash are, + 1
	chain [mostDistance]int32    // of each place, the one before it with the same hash, + 1
	bytes [mostDistance]byte     // of each place
	left  [mostDistance]uint16   // of each place, how many bytes its gap has from there
}

const (
	windowHash  = 12
	windowTries = 64 // places that are looked at
)

// reset empties the window: what no head leads to is not there.
func (w *window) reset() { clear(w.heads[:]) }

func hash3(b []byte) uint32 {
	const odd = 0x9e3779b1
	return (uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16) * odd >> (32 - windowHash)
}

// add adds a gap, at its place in export.bin.
func (w *window) add(gap []byte, pos int) {
	for i, b := range gap {
		at := (pos + i) % mostDistance
		w.bytes[at] = b
		w.left[at] = uint16(len(gap) - i)
		if len(gap)-i >= leastMatch {
			head := &w.heads[hash3(gap[i:])]
			w.chain[at] = *head
			*head = int32(pos+i) + 1
		}
	}
}

// search appends the tokens of a gap and adds it.
func (w *window) search(tokens []token, gap []byte, pos int) []token {
	rest := gap
	for len(rest) > 0 {
		at := pos + len(gap) - len(rest)
		length, distance := w.longest(rest, at)
		if length < leastMatch {
			tokens = append(tokens, token(rest[0]))
			rest = rest[1:]
			continue
		}
		tokens = append(tokens, newMatch(length, distance))
		rest = rest[length:]
	}
	w.add(gap, pos)
	return tokens
}

// longest returns the longest match for what b begins with, among those the
// nearest.
func (w *window) longest(b []byte, pos int) (length, distance int) {
	if len(b) < leastMatch {
		return 0, 0
	}
	limit := min(len(b), mostMatch)
	next := int(w.heads[hash3(b)])
	for range windowTries {
		at := next - 1
		if at < 0 || pos-at > mostDistance {
			break
		}
		if n := w.common(b[:limit], at); n > length {
			length, distance = n, pos-at
			if n == limit {
				break
			}
		}
		next = int(w.chain[at%mostDistance])
	}
	return length, distance
}

// common returns how many bytes there are the same as those of b.
func (w *window) common(b []byte, at int) int {
	b = b[:min(len(b), int(w.left[at%mostDistance]))]
	for i := range b {
		if w.bytes[(at+i)%mostDistance] != b[i] {
			return i
		}
	}
	return len(b)
}
