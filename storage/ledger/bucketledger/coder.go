package bucketledger

import (
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// A coder writes or reads, field by field: what is written and how it is read is
// said once, so that the two cannot differ. Whole numbers are varints. A string
// is written once in an object, and from then on by its number: sources, origins
// and uploads come up again and again.
//
// After an error everything reads as zero. What is read is bounded by what there
// is to read: no count is believed that the bytes left could not fill.
type coder struct {
	writing bool
	b       []byte // written so far, or left to be read
	err     error

	known    map[string]uint64 // writing: strings by number, from 1
	strings  []string          // reading: the same
	regions  map[string]keys.Region
	visiteds map[string]keys.Regions
}

func newWriter() *coder { return &coder{writing: true, known: map[string]uint64{}} }

func newReader(b []byte) *coder {
	return &coder{b: b, regions: map[string]keys.Region{}, visiteds: map[string]keys.Regions{}}
}

var (
	errShort = errors.New("it ends early")
	errLong  = errors.New("bytes are left over")
	errValue = errors.New("a value that no field has")
)

func (c *coder) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.b = nil
}

// done returns why what was read is not whole.
func (c *coder) done() error {
	if c.err == nil && len(c.b) > 0 {
		return errLong
	}
	return c.err
}

func (c *coder) uint(v *uint64) {
	if c.writing {
		c.b = binary.AppendUvarint(c.b, *v)
		return
	}
	var n int
	if *v, n = binary.Uvarint(c.b); n <= 0 {
		*v = 0
		c.fail(errShort)
		return
	}
	c.b = c.b[n:]
}

// number codes a whole number of any type, and refuses one that the type does
// not hold.
func number[T ~int | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16](c *coder, v *T) {
	if c.writing {
		c.b = binary.AppendVarint(c.b, int64(*v))
		return
	}
	x, n := binary.Varint(c.b)
	if n <= 0 {
		*v = 0
		c.fail(errShort)
		return
	}
	c.b = c.b[n:]
	if *v = T(x); int64(*v) != x {
		*v = 0
		c.fail(errValue)
	}
}

// flags codes up to 8 truths in one byte.
func (c *coder) flags(all ...*bool) {
	var v uint8
	for i, f := range all {
		if *f {
			v |= 1 << i
		}
	}
	c.bytes([]byte{v}, func(b []byte) { v = b[0] })
	if v>>len(all) != 0 {
		c.fail(errValue)
		v = 0
	}
	for i, f := range all {
		*f = v&(1<<i) != 0
	}
}

// bytes writes v, or has as many bytes read.
func (c *coder) bytes(v []byte, read func([]byte)) {
	switch {
	case c.writing:
		c.b = append(c.b, v...)
	case len(c.b) < len(v):
		c.fail(errShort)
		read(make([]byte, len(v)))
	default:
		read(c.b[:len(v)])
		c.b = c.b[len(v):]
	}
}

func (c *coder) array16(v *[16]byte) { c.bytes(v[:], func(b []byte) { copy(v[:], b) }) }
func (c *coder) array32(v *[32]byte) { c.bytes(v[:], func(b []byte) { copy(v[:], b) }) }

// blob codes bytes of any length.
func (c *coder) blob(v *[]byte) {
	n := c.count(len(*v))
	if c.writing {
		c.b = append(c.b, *v...)
		return
	}
	*v = append([]byte{}, c.b[:n]...)
	c.b = c.b[n:]
}

// count codes the length of a list, whose members take a byte or more each.
func (c *coder) count(n int) int {
	v := uint64(n)
	c.uint(&v)
	if !c.writing && v > uint64(len(c.b)) {
		c.fail(errShort)
		return 0
	}
	return int(v)
}

func (c *coder) string(v *string) {
	if c.writing {
		c.writeString(*v)
		return
	}
	var i uint64
	switch c.uint(&i); {
	case c.err != nil:
		*v = ""
	case i == 0:
		n := c.count(0)
		*v = string(c.b[:n])
		c.b = c.b[n:]
		c.strings = append(c.strings, *v)
	case i > uint64(len(c.strings)):
		*v = ""
		c.fail(errValue)
	default:
		*v = c.strings[i-1]
	}
}

func (c *coder) writeString(v string) {
	if i, ok := c.known[v]; ok {
		c.uint(&i)
		return
	}
	c.known[v] = uint64(len(c.known) + 1)
	c.b = append(c.b, 0)
	c.count(len(v))
	c.b = append(c.b, v...)
}

// text codes a value of any string type.
func text[T ~string](c *coder, v *T) {
	s := string(*v)
	c.string(&s)
	*v = T(s)
}

// time codes a moment to the nanosecond.
func (c *coder) time(t *time.Time) {
	seconds, nanos := t.Unix(), int64(t.Nanosecond())
	number(c, &seconds)
	number(c, &nanos)
	switch {
	case c.writing:
	case nanos < 0 || nanos >= int64(time.Second):
		c.fail(errValue)
	case c.err == nil:
		*t = time.Unix(seconds, nanos).UTC()
	}
}

func (c *coder) region(r *keys.Region) {
	code := r.String()
	c.string(&code)
	if c.writing {
		return
	}
	known, ok := c.regions[code]
	if !ok && code != "" {
		var err error
		if known, err = keys.ParseRegion(code); err != nil {
			c.fail(err)
		}
		c.regions[code] = known
	}
	*r = known
}

func (c *coder) visited(r *keys.Regions) {
	codes := r.String()
	c.string(&codes)
	if c.writing {
		return
	}
	known, ok := c.visiteds[codes]
	if !ok && codes != "" {
		var err error
		if known, err = keys.ParseRegions(strings.Split(codes, ",")...); err != nil {
			c.fail(err)
		}
		c.visiteds[codes] = known
	}
	*r = known
}

// optional codes a value that may be absent.
func optional[T ~int16 | ~uint8](c *coder, v *keys.Optional[T]) {
	value, present := v.Get()
	c.flags(&present)
	if *v = (keys.Optional[T]{}); present {
		number(c, &value)
		*v = keys.Some(value)
	}
}

// list codes a list of anything, in its order.
func list[T any](c *coder, v *[]T, each func(*T)) {
	n := c.count(len(*v))
	if c.writing {
		for i := range *v {
			each(&(*v)[i])
		}
		return
	}
	*v = nil
	for range n {
		if c.err != nil {
			return
		}
		*v = append(*v, *new(T))
		each(&(*v)[len(*v)-1])
	}
}
