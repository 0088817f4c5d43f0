package ringtest_test

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"
)

// echo is a program that gives back what it is sent, and notes it.
func echo(t *testing.T) (to func() (address, bool), got func() []byte) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	received := make(chan []byte, 1)
	go func() {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		var all bytes.Buffer
		io.Copy(io.MultiWriter(&all, c), c)
		received <- all.Bytes()
	}()
	return func() (address, bool) { return address{"tcp", listener.Addr().String()}, true }, func() []byte { return <-received }
}

// send sends text over a link, with a farewell, and returns what comes back.
func send(t *testing.T, l *link, text []byte) ([]byte, error) {
	t.Helper()
	c, err := net.Dial("tcp", l.address())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write(text); err != nil {
		return nil, err
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return nil, err
	}
	return io.ReadAll(c)
}

// TestLink has each fault do what it says, and nothing happen where there is none.
func TestLink(t *testing.T) {
	text := bytes.Repeat([]byte("0123456789"), 1000)
	for _, c := range []struct {
		name    string
		odds    odds
		on      bool
		answer  bool
		arrives bool // all of it
		counts  fault
	}{
		{name: "no fire", odds: odds{refuse: 1, cut: 1, hold: 1}, answer: true, arrives: true},
		{name: "no odds", on: true, answer: true, arrives: true},
		{name: "refused", odds: odds{refuse: 1}, on: true, counts: refused},
		{name: "cut", odds: odds{cut: 1}, on: true, counts: cutRequest},
		{name: "held up", odds: odds{hold: 1}, on: true, answer: true, arrives: true, counts: held},
	} {
		t.Run(c.name, func(t *testing.T) {
			to, got := echo(t)
			f := newFire(1)
			f.on.Store(c.on)
			l := newLink(t, f, c.odds, to)
			back, err := send(t, l, text)
			if whole := err == nil && bytes.Equal(back, text); whole != c.answer {
				t.Errorf("%d bytes came back, %v; want all: %v", len(back), err, c.answer)
			}
			for k := refused; k < faults; k++ {
				if n := f.counts[k].Load(); (n > 0) != (k == c.counts) {
					t.Errorf("%d faults of the kind %s", n, k)
				}
			}
			if c.counts != refused {
				if arrived := got(); bytes.Equal(arrived, text) != c.arrives || !bytes.HasPrefix(text, arrived) {
					t.Errorf("%d bytes arrived, want all: %v", len(arrived), c.arrives)
				}
			}
		})
	}
}

// TestAnswerCut has what a program says be lost.
func TestAnswerCut(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialled := make(chan struct{})
	go func() {
		if c, err := listener.Accept(); err == nil {
			<-dialled
			c.Write([]byte("welcome"))
		}
	}()
	f := newFire(1)
	f.on.Store(true)
	l := newLink(t, f, odds{cut: 1}, func() (address, bool) { return address{"tcp", listener.Addr().String()}, true })
	c, err := net.Dial("tcp", l.address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	close(dialled)
	if said, err := io.ReadAll(c); err == nil || len(said) == len("welcome") {
		t.Errorf("%q, %v", said, err)
	}
	if n := f.counts[cutAnswer].Load(); n != 1 {
		t.Errorf("%d answers were cut", n)
	}
}

// TestDown resets what there is and refuses what comes, for a while.
func TestDown(t *testing.T) {
	to, _ := echo(t)
	f := newFire(1)
	f.on.Store(true)
	l := newLink(t, f, odds{}, to)
	c, err := net.Dial("tcp", l.address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	l.goDown(time.Hour)
	if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("a connection that was there: %v", err)
	}
	if _, err := send(t, l, []byte("x")); err == nil {
		t.Error("a connection is made")
	}
	f.on.Store(false)
	to, _ = echo(t)
	l = newLink(t, f, odds{}, to)
	if _, err := send(t, l, []byte("x")); err != nil {
		t.Errorf("after the fire: %v", err)
	}
}
