//go:build unix

package export_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/gaenkit/gaen/export"
)

// The tests and benchmarks in this file compare, in one process and by turns, the
// time that processors spend on an archive and on the stock writer's. What a ratio
// says does not depend on the machine's speed, and little on what else it does.

// processorTime returns how long processors have worked for this process.
func processorTime(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Skipf("no processor times here: %v", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// A timed is something that is done by turns with others.
type timed struct {
	do         func()
	processors []time.Duration
	wall       []time.Duration
}

func (x *timed) turn(t testing.TB) {
	before, began := processorTime(t), time.Now()
	x.do()
	x.wall = append(x.wall, time.Since(began))
	x.processors = append(x.processors, processorTime(t)-before)
}

func median(all []time.Duration) float64 {
	return float64(slices.Sorted(slices.Values(all))[len(all)/2])
}

// rivals are an archive, the stock writer's, and the digest of export.bin alone.
type rivals struct{ ours, stock, digest timed }

func newRivals(t testing.TB, c *export.Content) *rivals {
	signers := oneSigner(t)
	bin := entry(t, mustWrite(t, c, signers, nil), "export.bin")
	return &rivals{
		ours: timed{do: func() {
			if _, err := export.Write(io.Discard, c, signers, nil); err != nil {
				t.Fatal(err)
			}
		}},
		stock: timed{do: func() {
			if err := stockWrite(io.Discard, c, signers[0]); err != nil {
				t.Fatal(err)
			}
		}},
		digest: timed{do: func() { sha256.Sum256(bin) }},
	}
}

func (r *rivals) turn(t testing.TB) {
	r.stock.turn(t)
	r.ours.turn(t)
	r.digest.turn(t)
}

// Where 18 times were measured, 6 must be left: less is a step lost, such as a
// search for matches, or a key that is allocated.
func TestRatioHolds(t *testing.T) {
	if testing.Short() {
		t.Skip("measures, and the race detector would be measured, too")
	}
	const least = 6
	r := newRivals(t, shuffledProduction(100_000))
	for range 5 {
		r.turn(t)
	}
	if ratio := median(r.stock.processors) / median(r.ours.processors); ratio < least {
		t.Errorf("%.1f times the stock writer, at least %d were asked for", ratio, least)
	} else {
		t.Logf("%.1f times the stock writer", ratio)
	}
}

// BenchmarkRatio is what BENCHMARKS.md has in its table.
func BenchmarkRatio(b *testing.B) {
	for _, n := range []int{100_000, dayKeys, export.MaxKeys} {
		b.Run(fmt.Sprint("keys=", n), func(b *testing.B) {
			c := shuffledProduction(n)
			r := newRivals(b, c)
			r.turn(b) // once for nothing: memory is got, and compressors
			r = newRivals(b, c)
			for b.Loop() {
				r.turn(b)
			}
			ours, stock, digest := median(r.ours.processors), median(r.stock.processors), median(r.digest.processors)
			b.ReportMetric(stock/ours, "x-stock")
			b.ReportMetric(median(r.stock.wall)/median(r.ours.wall), "x-stock-wall")
			b.ReportMetric(ours/digest, "x-sha256")
			b.ReportMetric(median(r.ours.wall)/median(r.digest.wall), "x-sha256-wall")
			b.ReportMetric(float64(n)/(ours/1e9), "keys/processor-s")
			reportSizes(b, c)
			b.ReportMetric(0, "ns/op") // of all three together
		})
	}
}

// reportSizes reports bytes a key: ours, compress/flate on the same export.bin,
// the stock writer's, and what the keys say.
func reportSizes(b *testing.B, c *export.Content) {
	signers, n := oneSigner(b), float64(len(c.Keys))
	archive := mustWrite(b, c, signers, nil)
	bin := entry(b, archive, "export.bin")
	var stock countingWriter
	if err := stockWrite(&stock, c, signers[0]); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(archive))/n, "B/key")
	b.ReportMetric(float64(flateSize(b, bin, 9))/n, "B/key-level9")
	b.ReportMetric(float64(stock)/n, "B/key-stock")
	b.ReportMetric(entropy(c.Keys)/8/n, "B/key-entropy")
	b.ReportMetric(blockFloor(c.Keys)/8/n, "B/key-floor")
}

// The stock writer writes archives, too, of the same keys.
func TestStockWriterIsSound(t *testing.T) {
	c, signers := content(500), oneSigner(t)
	var out bytes.Buffer
	if err := stockWrite(&out, c, signers[0]); err != nil {
		t.Fatal(err)
	}
	v, err := mustOpen(t, out.Bytes(), nil).Verify(trust(t, signers...), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.Content()
	if err != nil || !sameContent(sorted(got), sorted(c)) {
		t.Errorf("other keys come back, %v", err)
	}
}
