package export

import (
	"io"
	"runtime"
)

// buffer is a block of a stream, with room before it for what is left of the
// block before.
type buffer struct {
	bytes [maxRecord + readBlock]byte
	n     int   // bytes behind the room
	err   error // of the stream, after these
}

// fill reads a block. It gives up on what gives neither bytes nor errors a
// hundred times.
func (b *buffer) fill(r io.Reader) {
	b.n, b.err = 0, nil
	for idle := 0; b.n < readBlock && b.err == nil; {
		var n int
		n, b.err = r.Read(b.bytes[maxRecord+b.n:])
		b.n += n
		if idle++; n > 0 {
			idle = 0
		}
		if idle == 100 && b.err == nil {
			b.err = io.ErrNoProgress
		}
	}
}

// readAhead fills buffers in a goroutine: inflating a block takes about as long
// as hashing the one before and taking it apart.
type readAhead struct {
	// Each buffer is in one of these, or in use on one side. Both have room for
	// all of them, so that nobody waits to send.
	empty chan *buffer // closed by the owner: the goroutine is to end
	full  chan *buffer // closed by the goroutine: it has ended
}

// aheadBuffers are beside the one in use: one is being filled, one waits.
const aheadBuffers = 2

// newReadAhead returns one that reads r on, nil if there is but one processor.
// The owner must stop it.
func newReadAhead(r io.Reader) *readAhead {
	if runtime.GOMAXPROCS(0) == 1 {
		return nil
	}
	a := &readAhead{empty: make(chan *buffer, aheadBuffers+1), full: make(chan *buffer, aheadBuffers+1)}
	for range aheadBuffers {
		a.empty <- new(buffer)
	}
	go a.run(r)
	return a
}

// run ends after an error of r, or when it is stopped.
func (a *readAhead) run(r io.Reader) {
	defer close(a.full)
	for b := range a.empty {
		b.fill(r)
		err := b.err
		a.full <- b
		if err != nil {
			return
		}
	}
}

// stop waits until r is not used any more.
func (a *readAhead) stop() {
	close(a.empty)
	for range a.full {
	}
}
