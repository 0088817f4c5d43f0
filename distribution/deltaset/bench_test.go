package deltaset_test

import (
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/deltaset"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
)

const benchKeys = 100_000

// benchContent is a snapshot of many keys.
func benchContent() (*export.Content, distribution.File) {
	end := time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC)
	c := &export.Content{Start: end.Add(-time.Hour), End: end, Region: "DE"}
	gen := keystest.New(1, &keystest.Options{Origins: []keys.Region{de}})
	for len(c.Keys) < benchKeys {
		for _, k := range gen.Upload(end).Keys {
			c.Keys = append(c.Keys, k.TemporaryExposureKey)
		}
	}
	return c, distribution.File{Package: "DE", Span: "snapshot", Window: distribution.Window{Start: c.Start, End: end}, Parts: 1}
}

func BenchmarkEncode(b *testing.B) {
	c, f := benchContent()
	for name, opts := range map[string]*deltaset.Options{"plain": nil, "gzip": {Gzip: true}} {
		l := newLayout(b, opts)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				e, err := l.Encode(f, c)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(len(e.Bytes))/float64(len(c.Keys)), "B/key")
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	c, f := benchContent()
	l := newLayout(b, &deltaset.Options{Gzip: true})
	e, err := l.Encode(f, c)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := l.Decode(f, e.Bytes); err != nil {
			b.Fatal(err)
		}
	}
}
