package export

import (
	"compress/flate"
	"errors"
	"io"
	"sync"
)

// compress writes export.bin, compressed, to w: at level 0 in the way that makes
// it smallest, else with compress/flate.
func (m *message) compress(w io.Writer, level int) error {
	switch {
	case level > 0:
		return m.flate(w, level)
	case m.order.regular():
		return m.deflate(w)
	}
	return m.smallest(w)
}

// smallest is for what a [deflater] was not made for: it asks the ordinary
// compressor as well, which may find what is not where it should be.
func (m *message) smallest(w io.Writer) error {
	ours := &counter{w: io.Discard}
	if err := m.deflate(ours); err != nil {
		return err
	}
	theirs := &atMost{b: make([]byte, 0, ours.n), limit: ours.n}
	switch err := m.flate(theirs, flate.BestCompression); {
	case errors.Is(err, errLarger):
		return m.deflate(w)
	case err != nil:
		return err
	}
	_, err := w.Write(theirs.b)
	return err
}

// atMost holds what is written, and fails when it is more than the limit.
type atMost struct {
	b     []byte
	limit int64
}

var errLarger = errors.New("larger")

func (a *atMost) Write(p []byte) (int, error) {
	if int64(len(a.b)+len(p)) > a.limit {
		return 0, errLarger
	}
	a.b = append(a.b, p...)
	return len(p), nil
}

// regular reports whether the ordinary compressor can be left out of it: five
// keys of six are in large groups, and key data looks random. Among small groups
// the two are within 0.2 % of each other, and what phones download counts for
// more than the milliseconds that it takes to know.
func (o *order) regular() bool {
	const large, share = 128, 6
	small := 0
	for i := range o.groups {
		if n := o.groups[i].count; n < large {
			small += n
		}
	}
	return share*small <= len(o.data) && o.random()
}

// random reports whether key data looks random, by a sample of it: it has 256 keys,
// of which hardly any two have the same four bytes anywhere. Tests' keys may be
// numbers; a phone whose random numbers are bad makes 14 keys of hundreds of
// thousands.
func (o *order) random() bool {
	const sample, few = 256, 8
	var seen [4096]uint32
	step := max(len(o.data)/sample, 1)
	again := 0
	for at := 0; at < len(o.data); at += step {
		k := bitsOf(&o.data[at])
		for range 13 {
			four := uint32(k.hi >> 32)
			slot := &seen[four*0x9e3779b1>>20]
			if *slot == four {
				again++
			}
			*slot = four
			k.hi, k.lo = k.hi<<8|k.lo>>56, k.lo<<8
		}
	}
	return again < few
}

// flate writes export.bin to w, compressed by compress/flate.
func (m *message) flate(w io.Writer, level int) error {
	fw, err := newPooled(w, level)
	if err != nil {
		return err
	}
	err = m.encode(fw)
	return errors.Join(err, fw.Close())
}

// compressors are at rest, by level. Each has about a megabyte of memory, which
// takes longer to get than a small archive takes to compress.
var compressors [flate.BestCompression + 1]sync.Pool

// newPooled returns what compresses into w.
func newPooled(w io.Writer, level int) (*pooled, error) {
	pool := &compressors[level]
	if fw, ok := pool.Get().(*flate.Writer); ok {
		fw.Reset(w)
		return &pooled{fw, pool}, nil
	}
	fw, err := flate.NewWriter(w, level)
	return &pooled{fw, pool}, err
}

// pooled is a compressor at work, which goes to rest as it is closed.
type pooled struct {
	*flate.Writer
	pool *sync.Pool
}

// Close implements [io.Closer].
func (p *pooled) Close() error {
	err := p.Writer.Close()
	p.Writer.Reset(io.Discard) // and lets go of the archive
	p.pool.Put(p.Writer)
	return err
}
