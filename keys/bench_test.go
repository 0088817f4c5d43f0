package keys_test

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
)

// largestPackage is how many keys the largest package known to have been
// published held, Germany's of 8 February 2022 (cwa-documentation 848); horizon
// is how many two weeks of such days come to.
const (
	largestPackage = 358_105
	horizon        = 5_000_000
)

func europe() *keystest.Options {
	var opts keystest.Options
	for _, code := range []string{"DE", "FR", "IT", "ES", "PL", "NL", "IE", "DK"} {
		opts.Origins = append(opts.Origins, keys.MustRegion(code))
	}
	return &opts
}

// BenchmarkMemory keeps two weeks of keys, and reports what each takes with its
// share of the region sets.
func BenchmarkMemory(b *testing.B) {
	var all []keys.DiagnosisKey
	var bytes uint64
	for b.Loop() {
		all = nil
		before := heap()
		all = keystest.New(1, europe()).Keys(atUpload, horizon)
		bytes = heap() - before
	}
	b.ReportMetric(float64(bytes)/float64(len(all)), "B/key")
	b.ReportMetric(float64(len(all)*b.N)/b.Elapsed().Seconds(), "keys/s")
	runtime.KeepAlive(all)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // region sets nobody holds are dropped by the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkGC is what it costs the collector that those keys are there.
func BenchmarkGC(b *testing.B) {
	all := keystest.New(1, europe()).Keys(atUpload, horizon)
	for b.Loop() {
		runtime.GC()
	}
	runtime.KeepAlive(all)
}

func BenchmarkCheck(b *testing.B) {
	all := keystest.New(1, europe()).Keys(atUpload, 1<<14)
	for _, bb := range []struct {
		name   string
		policy keys.Policy
		now    time.Time
	}{
		{"FromPhone", keys.FromPhone(), atUpload},
		{"FromPartner", keys.FromPartner(), atUpload},
		{"IntoArchive", keys.IntoArchive(), afterAll},
		{"refused", keys.IntoArchive(), atUpload.Add(-365 * 24 * time.Hour)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			i, refused := 0, 0
			for b.Loop() {
				if bb.policy.Check(&all[i%len(all)], bb.now) != nil {
					refused++
				}
				i++
			}
			if want := bb.name == "refused"; (refused > 0) != want {
				b.Errorf("%d of %d keys refused", refused, i)
			}
		})
	}
}

func BenchmarkCompare(b *testing.B) {
	all := keystest.New(1, europe()).Keys(atUpload, 1<<14)
	i := 0
	for b.Loop() {
		all[i%len(all)].Compare(&all[(i*7+1)%len(all)])
		i++
	}
}

func BenchmarkSort(b *testing.B) {
	all := keystest.New(1, europe()).Keys(atUpload, largestPackage)[:largestPackage]
	sorted := make([]keys.DiagnosisKey, len(all))
	for b.Loop() {
		copy(sorted, all)
		slices.SortFunc(sorted, func(x, y keys.DiagnosisKey) int { return x.Compare(&y) })
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(all)), "ns/key")
}

func BenchmarkParseRegions(b *testing.B) {
	codes := []string{"ZA", "HN", "DJ", "EE", "DJ", "AF", "DJ", "CL", "BA", "DJ"} // as a gateway's tests have it
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keys.ParseRegions(codes...); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRegionsHas(b *testing.B) {
	set, fr := mustRegions("AT", "DE", "FR"), keys.MustRegion("FR")
	b.ReportAllocs()
	for b.Loop() {
		if !set.Has(fr) {
			b.Fatal("France is not there")
		}
	}
}
