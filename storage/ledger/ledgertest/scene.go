package ledgertest

import (
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// DeliveryKeys are the keys of a delivery by which a [Scene] is filled.
const DeliveryKeys = 5000

// A Scene is a ledger that benchmarks work on, and its clock, which stands still
// until they move it. Its policy lets a cut take whatever is due. What goes wrong
// ends the benchmark.
type Scene struct {
	Now    time.Time
	Store  ledger.Store
	Ledger *ledger.Ledger

	b    *testing.B
	keys *keystest.Generator
}

// NewScene opens a store that runs by the clock it is given. The time is noon, when
// nothing is under embargo, or goes on from the last cut of a ledger that has one.
func NewScene(b *testing.B, open func(clock func() time.Time) (ledger.Store, error)) *Scene {
	b.Helper()
	s := &Scene{
		Now:  time.Date(2022, 2, 8, 12, 0, 0, 0, time.UTC),
		b:    b,
		keys: keystest.New(uint64(time.Now().UnixNano()), &keystest.Options{EndOfPeriod: true}), // others each time, for ledgers that are kept
	}
	s.Open(open)
	if last := s.log().Last; last.Seq > 0 {
		s.Now = last.Time
	}
	return s
}

// Open opens the ledger anew.
func (s *Scene) Open(open func(clock func() time.Time) (ledger.Store, error)) {
	s.b.Helper()
	var err error
	s.Store, err = open(func() time.Time { return s.Now })
	s.must(err)
	p := eager()
	p.MaxCut, p.MaxDay, p.Quota = 1e7, 1e7, 1e9
	s.Ledger, err = ledger.Open(s.b.Context(), s.Store, &ledger.Options{Policy: &p})
	s.must(err)
}

func (s *Scene) must(err error) {
	s.b.Helper()
	if err != nil {
		s.b.Fatal(err)
	}
}

func (s *Scene) log() *ledger.Log {
	s.b.Helper()
	log, err := s.Store.Log(s.b.Context(), 0)
	s.must(err)
	return log
}

// Last returns the log's last number.
func (s *Scene) Last() int64 {
	s.b.Helper()
	return s.log().Last.Last
}

// Make returns a delivery of n keys or a few more, of which a twentieth comes
// twice.
func (s *Scene) Make(n int) (d *ledger.Delivery, total int) {
	d = &ledger.Delivery{Source: ledger.Own}
	for total < n {
		up := s.keys.Upload(s.Now)
		d.Uploads = append(d.Uploads, ledger.Upload{ID: up.ID, Keys: up.Keys})
		if total += len(up.Keys); len(d.Uploads)%20 == 0 {
			d.Uploads = append(d.Uploads, ledger.Upload{ID: up.ID + "-again", Keys: up.Keys})
			total += len(up.Keys)
		}
	}
	return d, total
}

// Accept has the ledger accept a delivery, of which it must take something. It may
// be called from several goroutines at once.
func (s *Scene) Accept(d *ledger.Delivery) *ledger.Receipt {
	s.b.Helper()
	receipt, err := s.Ledger.Accept(s.b.Context(), d)
	s.must(err)
	if receipt.Accepted == 0 {
		s.b.Fatalf("nothing accepted: %+v", receipt)
	}
	return receipt
}

// Fill brings n keys or a few more, in deliveries.
func (s *Scene) Fill(n int) {
	s.b.Helper()
	for n > 0 {
		d, total := s.Make(min(n, DeliveryKeys))
		s.Accept(d)
		n -= total
	}
}

// Cut lets an hour pass, and makes a cut.
func (s *Scene) Cut() ledger.Cut {
	s.b.Helper()
	s.Now = s.Now.Add(time.Hour)
	report, err := s.Ledger.Release(s.b.Context(), nil)
	s.must(err)
	return report.Cut
}

// Grow brings keys, in two weeks of days with a cut each, until the log has n
// numbers, or one in a hundred less.
func (s *Scene) Grow(n int) {
	s.b.Helper()
	const days = 14
	for missing := n - int(s.Last()); missing > n/100; missing = n - int(s.Last()) {
		s.Fill(min(n/days+1, missing))
		s.Now = s.Now.Add(23 * time.Hour)
		s.Cut()
		s.b.Logf("%d keys in the ledger", s.Last())
	}
}

// Read reads a range, and returns how many key data are in it.
func (s *Scene) Read(from, to int64) (n int) {
	s.b.Helper()
	for _, err := range s.Store.Read(s.b.Context(), from, to) {
		s.must(err)
		n++
	}
	return n
}

// Remove removes up to limit units that ended before a time, and whatever else a
// removal finds to do.
func (s *Scene) Remove(ended time.Time, limit int) {
	s.b.Helper()
	_, err := s.Store.Remove(s.b.Context(), &ledger.Removal{
		Now: s.Now, Ended: ended, Floor: 1 << 40, Limit: limit,
		Each:    func(*ledger.Unit) time.Time { return time.Time{} },
		Tallies: func() ledger.Tallies { return nil },
		Again:   func() {},
	})
	s.must(err)
}
