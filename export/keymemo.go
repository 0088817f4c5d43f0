package export

import (
	"encoding/binary"
	"math/bits"

	"github.com/gaenkit/gaen/keys"
	"google.golang.org/protobuf/encoding/protowire"
)

// keyMemo parses keys as [parseKey] does, and remembers what it makes of
// everything in a record but the key data: the keys of an archive have few kinds
// of metadata among them, and those of one kind, in canonical order, come one
// after the other. A key whose metadata is known costs a comparison.
//
// Metadata has one place in the table, that of its hash, where what was there is
// forgotten. Whoever makes a file whose keys forget each other's makes them cost
// what they cost parseKey.
type keyMemo struct {
	last    *memoEntry // that of the key before
	entries [1 << memoBits]memoEntry
}

const (
	memoBits = 10

	// memoTail is how many bytes there are behind the key data of the longest
	// record that is remembered: a few more than with all fields of the format.
	memoTail = 23

	// memoHead is what a record begins with that is remembered: tag and length
	// of the key data.
	memoHead = uint16(fieldKeyData)<<3 | uint16(protowire.BytesType) | keys.KeyDataSize<<8
)

func newKeyMemo() *keyMemo {
	m := &keyMemo{}
	m.last = &m.entries[0]
	return m
}

// memoEntry is a key whose key data stood first in its record, once, and is any
// key data but zeros.
type memoEntry struct {
	size int8 // of tail, plus one; 0 in an entry that is free
	tail [memoTail]byte
	key  keys.TemporaryExposureKey
}

// parse parses a record of keys or revised_keys into k, as parseKey does.
func (m *keyMemo) parse(record []byte, k *keys.TemporaryExposureKey) error {
	const tailAt = 2 + keys.KeyDataSize
	if len(record) < tailAt || len(record) > tailAt+memoTail || binary.LittleEndian.Uint16(record) != memoHead {
		var err error
		*k, err = parseKey(record)
		return err
	}
	tail := record[tailAt:]
	e := m.last
	if !e.is(tail) {
		e = &m.entries[memoPlace(tail)]
	}
	if e.is(tail) {
		data := record[2:tailAt]
		if binary.LittleEndian.Uint64(data)|binary.LittleEndian.Uint64(data[8:]) != 0 {
			m.last = e
			*k = e.key
			k.KeyData = keys.KeyData(data)
			return nil
		}
	}
	raw, err := parseRaw(record)
	if err == nil {
		*k, err = raw.parse()
	}
	if err == nil && &raw.data[0] == &record[2] { // and there is no other in the tail
		e.set(tail, k)
	}
	return err
}

func (e *memoEntry) is(tail []byte) bool {
	return int(e.size) == len(tail)+1 && string(e.tail[:len(tail)]) == string(tail)
}

func (e *memoEntry) set(tail []byte, k *keys.TemporaryExposureKey) {
	e.size = int8(copy(e.tail[:], tail)) + 1
	e.key = *k
}

// memoPlace returns the place of metadata in the table: the high bits of a
// product, by its first and last 8 bytes.
func memoPlace(tail []byte) uint64 {
	const odd = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio
	var h uint64
	if n := len(tail); n >= 8 {
		h = binary.LittleEndian.Uint64(tail) + bits.RotateLeft64(binary.LittleEndian.Uint64(tail[n-8:]), 29)
	} else {
		for _, b := range tail {
			h = h<<8 | uint64(b)
		}
	}
	return h * odd >> (64 - memoBits)
}
