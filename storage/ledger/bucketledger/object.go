package bucketledger

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// version is that of the form of the objects. Every object begins with magic and
// the version, and ends with the SHA-256 of all before it, which is its digest.
const (
	magic   = "gaenbl"
	version = 1
)

// kind says what an object is.
type kind byte

const (
	segmentKind kind = 'L'
	stateKind   kind = 'S'
)

const (
	// MaxSegment is the size of the largest segment in bytes: a cut of 500,000
	// keys takes 12 million.
	MaxSegment = 256 << 20

	// MaxState is the size of the largest snapshot in bytes: 500,000 keys take 40
	// million.
	MaxState = 2 << 30
)

// digest stands for an object and, since each segment names the digest of the one
// before, for all the log up to it.
type digest [sha256.Size]byte

// header is what an object says of itself.
type header struct {
	kind     kind
	identity ledger.Identity
	replay   bool
	number   int64
}

const headerSize = len(magic) + 2 + 16 + 1 + 8

func (h header) append(b []byte) []byte {
	b = append(b, magic...)
	b = append(b, version, byte(h.kind))
	b = append(b, h.identity[:]...)
	b = append(b, boolByte(h.replay))
	return binary.BigEndian.AppendUint64(b, uint64(h.number))
}

func boolByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// parseHeader reads the header of an object that has this kind and number by its
// name, and returns what follows it.
func parseHeader(b []byte, want kind, number int64) (header, []byte, error) {
	switch {
	case !bytes.HasPrefix(b, []byte(magic)):
		return header{}, nil, ErrNotLedger
	case len(b) < headerSize:
		return header{}, nil, fmt.Errorf("%w: %d bytes", ErrCorrupt, len(b))
	case b[len(magic)] > version:
		return header{}, nil, fmt.Errorf("%w: it has form %d, this one knows %d", ErrNewer, b[len(magic)], version)
	}
	rest := b[len(magic)+1:]
	h := header{kind: kind(rest[0]), identity: ledger.Identity(rest[1:17]), replay: rest[17] == 1, number: int64(binary.BigEndian.Uint64(rest[18:]))}
	if h.kind != want || h.number != number {
		return header{}, nil, fmt.Errorf("%w: it is %c%d by its content", ErrCorrupt, h.kind, h.number)
	}
	return h, rest[26:], nil
}

// seal adds its digest to an object.
func seal(b []byte) ([]byte, digest) {
	d := digest(sha256.Sum256(b))
	return append(b, d[:]...), d
}

// unseal returns an object without its digest, which it must have.
func unseal(b []byte) ([]byte, digest, error) {
	n := len(b) - sha256.Size
	if n < 0 {
		return nil, digest{}, fmt.Errorf("%w: %d bytes", ErrCorrupt, len(b))
	}
	d := digest(b[n:])
	if sha256.Sum256(b[:n]) != d {
		return nil, digest{}, fmt.Errorf("%w: its content is not that of its digest", ErrCorrupt)
	}
	return b[:n], d, nil
}

// open returns the header and the content of an object.
func open(b []byte, want kind, number int64) (header, []byte, digest, error) {
	h, _, err := parseHeader(b, want, number) // first: it tells a later version from a damaged object
	if err != nil {
		return h, nil, digest{}, err
	}
	b, d, err := unseal(b)
	if err != nil {
		return h, nil, digest{}, err
	}
	_, rest, err := parseHeader(b, want, number)
	return h, rest, d, err
}

// A segment is one step of the log.
type segment struct {
	header
	before digest
	step   memledger.Step
}

func (s *segment) encode() ([]byte, digest) {
	c := newWriter()
	c.b = s.append(nil)
	c.array32((*[32]byte)(&s.before))
	c.step(&s.step)
	return seal(c.b)
}

func decodeSegment(b []byte, number int64) (*segment, digest, error) {
	h, rest, d, err := open(b, segmentKind, number)
	if err != nil {
		return nil, d, err
	}
	s := &segment{header: h}
	c := newReader(rest)
	c.array32((*[32]byte)(&s.before))
	c.step(&s.step)
	if err := c.done(); err != nil {
		return nil, d, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return s, d, nil
}

// A place is one of the log: the digest of the segment with a number.
type place struct {
	number int64
	digest digest
}

// trailLength is how many places a snapshot names, so that whoever stood at one
// of them, or tried to take it, learns if it was that.
const trailLength = 256

// A snapshot is what the segments up to a number have made. Its trail is the
// last of their places, ascending; the last is its own.
type snapshot struct {
	header
	trail []place
	state *memledger.State
}

func (s *snapshot) encode() []byte {
	c := newWriter()
	c.b = s.append(nil)
	c.trail(&s.trail)
	c.state(s.state)
	b, _ := seal(c.b)
	return b
}

func (c *coder) trail(t *[]place) {
	list(c, t, func(p *place) {
		number(c, &p.number)
		c.array32((*[32]byte)(&p.digest))
	})
}

// maxTrail is more than a header and a trail take.
const maxTrail = 4096 + trailLength*(32+10)

// decodeTrail reads the trail at the beginning of a snapshot.
func decodeTrail(b []byte, number int64) (header, []place, error) {
	h, rest, err := parseHeader(b, stateKind, number)
	if err != nil {
		return h, nil, err
	}
	var trail []place
	c := newReader(rest)
	c.trail(&trail)
	if c.err != nil || len(trail) == 0 || trail[len(trail)-1].number != number {
		return h, nil, fmt.Errorf("%w: a snapshot without its place", ErrCorrupt)
	}
	return h, trail, nil
}

func decodeSnapshot(b []byte, number int64) (*snapshot, error) {
	h, rest, _, err := open(b, stateKind, number)
	if err != nil {
		return nil, err
	}
	s := &snapshot{header: h, state: &memledger.State{Identity: h.identity, Replay: h.replay}}
	if _, s.trail, err = decodeTrail(b, number); err != nil {
		return nil, err
	}
	c := newReader(rest)
	c.trail(&s.trail)
	c.state(s.state)
	if err := c.done(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return s, nil
}

// state codes all that a ledger holds, in an order that depends on nothing else.
func (c *coder) state(s *memledger.State) {
	c.units(s)
	c.allKept(s)
	list(c, &s.SetAside, c.setAside)
	c.tombs(s)
	list(c, &s.Cuts, c.cut)
	list(c, &s.Waits, c.wait)
	c.registers(s)
	number(c, &s.Version)
	c.tallies(&s.Tallies)
}

func compareIDs(a, b ledger.UnitID) int {
	return cmp.Or(bytes.Compare(a.KeyData[:], b.KeyData[:]), a.Origin.Compare(b.Origin))
}

func (c *coder) units(s *memledger.State) {
	all := slices.Collect(maps.Values(s.Units))
	slices.SortFunc(all, func(a, b *ledger.Unit) int { return compareIDs(a.ID(), b.ID()) })
	list(c, &all, c.unit)
	if c.writing {
		return
	}
	s.Units = make(map[ledger.UnitID]*ledger.Unit, len(all))
	for _, u := range all {
		s.Units[u.ID()] = u
	}
}

func (c *coder) allKept(s *memledger.State) {
	ids := slices.SortedFunc(maps.Keys(s.Kept), compareIDs)
	kept := s.Kept
	if !c.writing {
		kept = map[ledger.UnitID][]ledger.KeptWithdrawal{}
		s.Kept = kept
	}
	list(c, &ids, func(id *ledger.UnitID) {
		c.id(id)
		of := kept[*id]
		list(c, &of, c.kept)
		kept[*id] = of
	})
}

func (c *coder) tombs(s *memledger.State) {
	all := slices.SortedFunc(maps.Keys(s.Tombs), func(a, b ledger.Tombstone) int { return bytes.Compare(a[:], b[:]) })
	tombs := s.Tombs
	if !c.writing {
		tombs = map[ledger.Tombstone]time.Time{}
		s.Tombs = tombs
	}
	list(c, &all, func(t *ledger.Tombstone) {
		c.array32((*[32]byte)(t))
		until := tombs[*t]
		c.time(&until)
		tombs[*t] = until
	})
}

func (c *coder) registers(s *memledger.State) {
	names := slices.Sorted(maps.Keys(s.Registers))
	registers := s.Registers
	if !c.writing {
		registers = map[string]ledger.Register{}
		s.Registers = registers
	}
	list(c, &names, func(name *string) {
		c.string(name)
		r := registers[*name]
		r.Name = *name
		number(c, &r.Version)
		c.blob(&r.Value)
		c.array16((*[16]byte)(&r.Nonce))
		registers[*name] = r
	})
}
