package ringtest_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A fault is what can become of a connection.
type fault int

const (
	none       fault = iota
	refused          // the connection is not made
	cutRequest       // some of what a client sent arrives, then the connection is reset
	cutAnswer        // what the client sent has its effect; some of the answer arrives, or nothing
	held             // what was sent arrives later
	down             // for a while no connection is made, and those that were are reset
	faults
)

// String names the fault.
func (f fault) String() string {
	return [...]string{"none", "refused", "request cut", "answer cut", "held up", "down"}[f]
}

// fire is what decides over faults, on all links.
type fire struct {
	on     atomic.Bool
	counts [faults]atomic.Int64

	mu   sync.Mutex
	rand *rand.Rand
}

func newFire(seed uint64) *fire { return &fire{rand: rand.New(rand.NewPCG(seed, 8))} }

// draw returns a number below n.
func (f *fire) draw(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rand.IntN(n)
}

// upTo returns a time below d.
func (f *fire) upTo(d time.Duration) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Duration(f.rand.Int64N(int64(d)))
}

// strikes reports whether something happens that happens once in n times, and
// counts it.
func (f *fire) strikes(what fault, n int) bool {
	if n == 0 || !f.on.Load() || f.draw(n) > 0 {
		return false
	}
	f.counts[what].Add(1)
	return true
}

// odds say how often faults happen: once in so many times, 0 for never.
type odds struct {
	refuse int // connections
	cut    int // pieces of what is sent, in each direction
	hold   int // likewise
}

const (
	longestHold = 300 * time.Millisecond
	dialTimeout = 10 * time.Second
)

// address is where a link leads.
type address struct{ network, name string }

// A link is the way to a program, on which there are faults.
type link struct {
	fire     *fire
	odds     odds
	listener net.Listener
	to       func() (address, bool) // where the program is now, if it is anywhere

	// tap returns what is given a copy of all that a connection brings to the
	// program; nil for nothing.
	tap func() io.WriteCloser

	carried atomic.Int64 // connections
	wg      sync.WaitGroup

	mu     sync.Mutex
	closed bool
	until  time.Time // when it is no longer down
	open   map[net.Conn]bool
}

// newLink opens a way that leads to where to says.
func newLink(t testing.TB, f *fire, o odds, to func() (address, bool)) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{fire: f, odds: o, listener: listener, to: to, open: map[net.Conn]bool{}}
	l.wg.Go(l.serve)
	t.Cleanup(l.close)
	return l
}

// address returns where the link begins.
func (l *link) address() string { return l.listener.Addr().String() }

func (l *link) serve() {
	for {
		c, err := l.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			l.wg.Go(func() { l.carry(c) })
		}
	}
}

// close resets what there is, and waits until nothing is carried any more.
func (l *link) close() {
	l.listener.Close()
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.resetAll()
	l.wg.Wait()
}

// goDown resets every connection, and has none made for a while.
func (l *link) goDown(d time.Duration) {
	l.fire.counts[down].Add(1)
	l.mu.Lock()
	l.until = time.Now().Add(d)
	l.mu.Unlock()
	l.resetAll()
}

func (l *link) resetAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		reset(c)
	}
}

// enter notes a connection that is open, unless none may be.
func (l *link) enter(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.fire.on.Load() && time.Now().Before(l.until) {
		return false
	}
	l.open[c] = true
	return true
}

func (l *link) leave(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}

// reset closes a connection without a farewell.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.Close()
}

// carry carries one connection from its beginning to its end.
func (l *link) carry(client net.Conn) {
	defer reset(client)
	if l.fire.strikes(refused, l.odds.refuse) || !l.enter(client) {
		return
	}
	defer l.leave(client)
	to, ok := l.to()
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	program, err := new(net.Dialer).DialContext(ctx, to.network, to.name)
	if err != nil {
		return
	}
	defer reset(program)
	l.carried.Add(1)
	there := io.Writer(program)
	if l.tap != nil {
		tap := l.tap()
		defer tap.Close()
		there = io.MultiWriter(program, tap)
	}
	both := sync.WaitGroup{}
	both.Go(func() { l.pass(there, program, client, cutRequest) })
	both.Go(func() { l.pass(client, client, program, cutAnswer) })
	both.Wait()
}

// pass carries one direction to its end: a farewell is passed on, and after
// anything else both connections are reset.
func (l *link) pass(to io.Writer, end, from net.Conn, cut fault) {
	if c, ok := end.(interface{ CloseWrite() error }); ok && l.pour(to, from, cut) == io.EOF && c.CloseWrite() == nil {
		return
	}
	reset(end)
	reset(from)
}

var errFault = errors.New("a fault, on purpose")

// pour copies piece by piece, until an end or a fault.
func (l *link) pour(to io.Writer, from io.Reader, cut fault) error {
	piece := make([]byte, 32<<10)
	for {
		n, err := from.Read(piece)
		if n > 0 && l.fire.strikes(cut, l.odds.cut) {
			to.Write(piece[:l.fire.draw(n)])
			return errFault
		}
		if n > 0 && l.fire.strikes(held, l.odds.hold) {
			time.Sleep(l.fire.upTo(longestHold))
		}
		if _, failed := to.Write(piece[:n]); failed != nil {
			return failed
		}
		if err != nil {
			return err
		}
	}
}
