package export_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
)

// dayKeys is how many keys the largest archive had that anybody published: the
// European package of 8 February 2022.
const dayKeys = 358_105

func benchmarkContent(b *testing.B, n int) *export.Content {
	b.Helper()
	c := &export.Content{Start: start, End: end, Region: "EUR", Keys: production(1, n)}
	shuffle(c.Keys)
	return c
}

func shuffle(all []keys.TemporaryExposureKey) {
	rand.New(rand.NewPCG(7, 8)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
}

func perKey(b *testing.B, n int) {
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "keys/s")
}

// A whole archive: keys that are in no order are checked, sorted, encoded,
// hashed, compressed and signed.
func BenchmarkWrite(b *testing.B) {
	signers := oneSigner(b)
	for _, n := range []int{1000, 100_000, dayKeys} {
		for _, level := range []int{0, 1, 6} {
			b.Run(fmt.Sprintf("keys=%d/level=%d", n, level), func(b *testing.B) {
				c := benchmarkContent(b, n)
				b.ReportAllocs()
				var info export.Info
				for b.Loop() {
					var err error
					if info, err = export.Write(io.Discard, c, signers, &export.WriteOptions{Level: level}); err != nil {
						b.Fatal(err)
					}
				}
				perKey(b, n)
				b.ReportMetric(float64(info.Size)/float64(n), "B/key")
			})
		}
	}
}

// What of that is before the bytes, and what is the bytes without compression.
func BenchmarkParts(b *testing.B) {
	c := benchmarkContent(b, dayKeys)
	for _, part := range []struct {
		name string
		run  func()
	}{
		{"check", func() { c.Check() }},
		{"sort+encode+hash", func() { c.Hash() }},
	} {
		b.Run(part.name, func(b *testing.B) {
			for b.Loop() {
				part.run()
			}
			perKey(b, dayKeys)
		})
	}
}

// An archive of as many keys as phones take is opened, verified and read.
func BenchmarkRead(b *testing.B) {
	signers := oneSigner(b)
	trusted := trust(b, signers...)
	c := benchmarkContent(b, export.MaxKeys)
	archive := mustWrite(b, c, signers, nil)
	b.ReportAllocs()
	for b.Loop() {
		a, err := export.Open(bytes.NewReader(archive), int64(len(archive)), nil)
		if err != nil {
			b.Fatal(err)
		}
		v, err := a.Verify(trusted, nil)
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		var last keys.TemporaryExposureKey
		for k, err := range v.Keys() {
			if err != nil {
				b.Fatal(err)
			}
			last = k
			n++
		}
		if n != len(c.Keys) || last.KeyData.IsZero() {
			b.Fatalf("got %d keys, want %d", n, len(c.Keys))
		}
	}
	perKey(b, export.MaxKeys)
}
