package s3store_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/s3store"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// BenchmarkCreate creates 2,000 archives of 50 KB, as a first run of two weeks
// does, one at a time and 16 at a time. On loopback the server's processor is
// the limit; with 20 ms for each request, about what another region takes, it
// is the waiting, which is what parallel requests save.
func BenchmarkCreate(b *testing.B) {
	for _, server := range servers {
		if server.name != "gofakes3" && server.name != "versitygw" {
			continue
		}
		for _, latency := range []time.Duration{0, 20 * time.Millisecond} {
			for _, parallel := range []int{1, 16} {
				b.Run(fmt.Sprintf("%s/latency=%v/parallel=%d", server.name, latency, parallel), func(b *testing.B) {
					client := server.on(b)
					name := newBucket(b, client)
					inner := &http.Transport{MaxIdleConnsPerHost: parallel}
					defer inner.CloseIdleConnections()
					var via http.RoundTripper = inner
					if latency > 0 {
						via = storagetest.Transport(inner, storagetest.Delay(latency, nil))
					}
					bucket := s3store.Unchecked(newClient(*client.Options().BaseEndpoint, via), name)
					createAll(b, bucket, parallel)
				})
			}
		}
	}
}

func createAll(b *testing.B, bucket storage.Bucket, parallel int) {
	const objects, size = 2000, 50_000
	content := make([]byte, size)
	rand.NewChaCha8([32]byte{}).Read(content)
	opts := &storage.PutOptions{IfAbsent: true, ContentType: "application/zip"}
	round := 0
	for b.Loop() {
		round++
		var group errgroup.Group
		group.SetLimit(parallel)
		for i := range objects {
			group.Go(func() error {
				name := fmt.Sprintf("%d/%04d", round, i)
				_, err := storage.Put(b.Context(), bucket, name, bytes.NewReader(content), opts)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(objects*b.N)/b.Elapsed().Seconds(), "objects/s")
	b.SetBytes(objects * size)
}
