package bucketledger

import (
	"errors"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// TestCoderRefuses reads what no writer writes.
func TestCoderRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		b    []byte
		read func(c *coder)
		want error
	}{
		{"nothing", nil, func(c *coder) { c.uint(new(uint64)) }, errShort},
		{"a number that does not end", []byte{0x80, 0x80}, func(c *coder) { number(c, new(int64)) }, errShort},
		{"more members than bytes", []byte{0xff, 0xff, 3, 1}, func(c *coder) { list(c, new([]string), c.string) }, errShort},
		{"a longer string than there is", []byte{0, 9, 'x'}, func(c *coder) { c.string(new(string)) }, errShort},
		{"a string that was never written", []byte{2, 0}, func(c *coder) { c.string(new(string)) }, errValue},
		{"more bytes than there are", []byte{9, 1}, func(c *coder) { c.blob(new([]byte)) }, errShort},
		{"fewer than an array has", make([]byte, 15), func(c *coder) { c.array16(new([16]byte)) }, errShort},
		{"a number that its type does not hold", []byte{0x80, 0x04}, func(c *coder) { number(c, new(uint8)) }, errValue},
		{"a negative one", []byte{1}, func(c *coder) { number(c, new(keys.TestType)) }, errValue},
		{"a flag that is none", []byte{4}, func(c *coder) { c.flags(new(bool), new(bool)) }, errValue},
		{"a billion nanoseconds", []byte{0, 0x80, 0xa8, 0xd6, 0xb9, 0x07}, func(c *coder) { c.time(new(time.Time)) }, errValue},
		{"bytes left over", []byte{1, 1}, func(c *coder) { c.uint(new(uint64)) }, errLong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newReader(tt.b)
			tt.read(c)
			if err := c.done(); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	c := newReader([]byte{0, 2, '!', '!'})
	if c.region(new(keys.Region)); c.done() == nil {
		t.Error("a region that is none was read")
	}
}
