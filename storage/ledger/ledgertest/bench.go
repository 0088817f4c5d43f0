package ledgertest

import (
	"hash/fnv"
	"runtime"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Benchmarks measure at the size of a national back end: days of 360,000 keys,
// two weeks of 5 million.

// perKey reports what a key costs.
func perKey(b *testing.B, total int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(total), "ns/key")
}

// BenchmarkAccept brings deliveries of 5,000 keys, and returns how many keys it
// has brought.
func BenchmarkAccept(b *testing.B, s *Scene) (total int) {
	for b.Loop() {
		b.StopTimer()
		d, n := s.Make(DeliveryKeys)
		total += n
		b.StartTimer()
		s.Accept(d)
	}
	perKey(b, total)
	return total
}

// BenchmarkDay brings a day's keys, releases them in one cut and reads them. Of
// reading it reports how much the heap grew meanwhile.
func BenchmarkDay(b *testing.B, open func(b *testing.B) *Scene) {
	const day = 360_000
	b.Run("release", func(b *testing.B) {
		s := open(b)
		for b.Loop() {
			b.StopTimer()
			s.Fill(day)
			b.StartTimer()
			s.Cut()
		}
		perKey(b, int(s.Last()))
	})
	b.Run("read", func(b *testing.B) {
		s := open(b)
		grown := 0.0
		for b.Loop() {
			b.StopTimer()
			s.Fill(day)
			before := s.Last()
			cut := s.Cut()
			heap := watchHeap()
			b.StartTimer()
			for _, err := range s.Store.Read(b.Context(), before, cut.Last) {
				s.must(err)
				heap.step()
			}
			grown = max(grown, heap.grown())
		}
		perKey(b, int(s.Last()))
		b.ReportMetric(grown, "heap-MiB")
	})
}

// heapWatch looks at the heap every 100,000 steps.
type heapWatch struct {
	steps        int
	before, most uint64
}

func watchHeap() *heapWatch {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return &heapWatch{before: m.HeapAlloc, most: m.HeapAlloc}
}

func (w *heapWatch) step() {
	if w.steps++; w.steps%100_000 == 0 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		w.most = max(w.most, m.HeapAlloc)
	}
}

// grown returns by how many MiB.
func (w *heapWatch) grown() float64 { return float64(w.most-w.before) / (1 << 20) }

// BenchmarkKnown brings in one delivery 100,000 keys, or half as many as the history
// of s has ([Scene.Grow]) if those are fewer, of which half are known there. They are
// from all over the history, and come in the uploads that they came in before. The
// same is brought to a ledger that empty opens and that has nothing, in turns, so that
// whatever else slows the machine slows both: x-empty is how many times as long it
// takes with the history.
func BenchmarkKnown(b *testing.B, s *Scene, empty func() *Scene) {
	known, n := s.known(50_000)
	total, alone := 0, time.Duration(0)
	for b.Loop() {
		b.StopTimer()
		d, more := s.Make(n)
		d.Uploads = append(d.Uploads, known...)
		total += more + n
		e := empty()
		e.Now = s.Now
		start := time.Now()
		e.Accept(d)
		alone += time.Since(start)
		d.Nonce = ledger.Nonce{}
		b.StartTimer()
		if receipt := s.Accept(d); receipt.Duplicates < n {
			b.Fatalf("%d keys are known, and %d duplicates", n, receipt.Duplicates)
		}
	}
	perKey(b, total)
	b.ReportMetric(float64(b.Elapsed())/float64(alone), "x-empty")
}

// known returns up to n keys that have a number and can be brought again, in their
// uploads, and how many there are. Of two weeks' keys a quarter are young enough.
func (s *Scene) known(n int) (uploads []ledger.Upload, total int) {
	s.b.Helper()
	young := int(s.Last()) / 4
	n = min(n, young)
	every := uint32(young / n)
	byUpload := map[string][]keys.DiagnosisKey{}
	for u, err := range s.Store.Read(s.b.Context(), 0, s.Last()) {
		s.must(err)
		name := fnv.New32a()
		name.Write([]byte(u.Upload))
		if total < n && name.Sum32()%every == 0 && s.Now.Sub(u.Key.End()) < 13*24*time.Hour {
			byUpload[u.Upload] = append(byUpload[u.Upload], u.Key)
			total++
		}
	}
	for id, ks := range byUpload {
		uploads = append(uploads, ledger.Upload{ID: id, Keys: ks})
	}
	return uploads, total
}

// BenchmarkOrder has an operator withdraw 100,000 released keys, and reinstate
// them: each in steps of 5,000. What counts is a key.
func BenchmarkOrder(b *testing.B, s *Scene) {
	s.Fill(100_000)
	s.Cut()
	total := 0
	for i := 0; b.Loop(); i++ {
		action := []ledger.Action{ledger.OrderWithdraw, ledger.OrderReinstate}[i%2]
		o := &ledger.Order{Action: action, Select: ledger.Selection{Source: ledger.Own}, By: "bench", Why: "bench"}
		seen, err := s.Ledger.Preview(b.Context(), o)
		s.must(err)
		o.Confirm = seen.Effects.Changes()
		_, err = s.Ledger.Order(b.Context(), o)
		s.must(err)
		total += o.Confirm
	}
	perKey(b, total)
}
