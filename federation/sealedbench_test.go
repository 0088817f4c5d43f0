package federation_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/storage/ledger"
)

// BenchmarkSealed has nations seal a million keys in uploads of 5,000, and hands them
// to thirty.
func BenchmarkSealed(b *testing.B) {
	const uploads, nations = 200, 30
	var took [3]time.Duration
	for b.Loop() {
		b.StopTimer()
		h := newSealed(b)
		policy := eager(5 * time.Minute)
		policy.Quota, policy.MaxCut, policy.MaxDay = 1<<30, 1<<30, 1<<30
		_, version := h.ledger.Policy()
		if err := ledger.ChangePolicy(b.Context(), h.store, policy, version); err != nil {
			b.Fatal(err)
		}
		h.policy = policy
		h.open()
		h.serve(&federation.HubOptions{Fresh: 1})
		var all []*federation.Sealed
		for i := range uploads {
			s := h.seal(fmt.Sprint(i), h.keysOf(de, federation.MaxSealedKeys)...)
			s.Body = append(s.Body, make([]byte, 60*federation.MaxSealedKeys)...)[:60*federation.MaxSealedKeys]
			all = append(all, s)
		}
		b.StartTimer()
		begin := time.Now()
		for _, s := range all {
			if a := must(h.hub.UploadSealed(b.Context(), &germany, s)); !a.Stored {
				b.Fatal("an upload was not stored")
			}
		}
		took[0] += time.Since(begin)
		begin = time.Now()
		h.clock = h.clock.Add(5 * time.Minute)
		must(h.hub.Release(b.Context(), nil))
		took[1] += time.Since(begin)
		begin = time.Now()
		for i := range nations {
			n := &federation.Nation{Name: ledger.Source(fmt.Sprint("n", i)), Region: fr}
			at, got := federation.Place{}, 0
			for page := must(h.hub.DownloadSealed(b.Context(), n, at)); page != nil; page = must(h.hub.DownloadSealed(b.Context(), n, at)) {
				for _, p := range page.Pieces {
					got += p.Keys
				}
				at = page.Next
			}
			if got != uploads*federation.MaxSealedKeys {
				b.Fatalf("a nation was given %d keys", got)
			}
		}
		took[2] += time.Since(begin)
	}
	for i, unit := range []string{"taken/s", "released/s", "handed/s"} {
		n := uploads * federation.MaxSealedKeys * []int{1, 1, nations}[i]
		b.ReportMetric(float64(n*b.N)/took[i].Seconds(), unit)
	}
}
