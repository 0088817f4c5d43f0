package keystest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
)

var noon = time.Date(2021, 2, 8, 12, 0, 0, 0, time.UTC)

// manyUploads are enough to measure shares to about a hundredth.
const manyUploads = 20_000

func regions(codes ...string) (all []keys.Region) {
	for _, code := range codes {
		all = append(all, keys.MustRegion(code))
	}
	return all
}

func sample(t *testing.T, opts *keystest.Options) []keystest.Upload {
	t.Helper()
	all := slices.Collect(keystest.New(7, opts).Uploads(noon, noon.Add(24*time.Hour), manyUploads))
	if len(all) != manyUploads {
		t.Fatalf("got %d uploads, want %d", len(all), manyUploads)
	}
	return all
}

func checkShare(t *testing.T, what string, n, of int, low, high float64) {
	t.Helper()
	if share := float64(n) / float64(of); share < low || share > high {
		t.Errorf("%s: %.3f of %d, want %.3f to %.3f", what, share, of, low, high)
	}
}

func TestSameSeedSameUploads(t *testing.T) {
	opts := &keystest.Options{Origins: regions("DE", "FR")}
	uploads := func(seed uint64) []keystest.Upload {
		return slices.Collect(keystest.New(seed, opts).Uploads(noon, noon.Add(time.Hour), 100))
	}
	if !reflect.DeepEqual(uploads(1), uploads(1)) {
		t.Error("one seed gives two histories")
	}
	seen := make(map[keys.KeyData]uint64)
	for _, seed := range []uint64{0, 1, 2, 1 << 8, 1 << 63, math.MaxUint64} {
		for _, up := range uploads(seed) {
			for _, k := range up.Keys {
				if other, ok := seen[k.KeyData]; ok {
					t.Fatalf("the seeds %d and %d give the same key data", other, seed)
				}
				seen[k.KeyData] = seed
			}
		}
	}
}

// TestGolden fails when the generator changes. It may; but what was measured
// before was then measured with other keys.
func TestGolden(t *testing.T) {
	h := sha256.New()
	for up := range keystest.New(1, nil).Uploads(noon, noon.Add(24*time.Hour), 1000) {
		fmt.Fprintln(h, up.ID, up.At.UnixNano())
		for _, k := range up.Keys {
			h.Write(k.KeyData[:])
			fmt.Fprintln(h, k)
		}
	}
	const want = "efe2a1264349a225edaf15c5006f1cf88af56e754fa1d9e2a5be43a690101638"
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestKeysPerUpload: Germany published 11 to 13 on average (cwa-server 701).
func TestKeysPerUpload(t *testing.T) {
	var total, fewDays, split, today int
	for _, up := range sample(t, nil) {
		total += len(up.Keys)
		if n := len(up.Keys); n < 1 || n > 14 {
			t.Fatalf("%s has %d keys", up.ID, n)
		}
		days := make(map[int]int)
		for _, k := range up.Keys {
			days[k.RollingStartIntervalNumber.Day()]++
		}
		if len(days) < 10 {
			fewDays++
		}
		if len(days) < len(up.Keys) {
			split++
		}
		if days[keys.IntervalAt(up.At).Day()] > 0 {
			today++
		}
	}
	if mean := float64(total) / manyUploads; mean < 11 || mean > 13 {
		t.Errorf("%.2f keys an upload, want 11 to 13", mean)
	}
	checkShare(t, "uploads of less than ten days", fewDays, manyUploads, 0.05, 0.25)
	checkShare(t, "uploads with two keys for one day", split, manyUploads, 0.015, 0.03)
	checkShare(t, "uploads with a key of today", today, manyUploads, 0.22, 0.28)
}

// TestPeriods: keys cover the two weeks before their upload, in order, and no
// two of one phone overlap, which has broken clients (Google's server, 705).
func TestPeriods(t *testing.T) {
	for _, up := range sample(t, nil) {
		day := keys.IntervalAt(up.At).Day()
		free := keys.StartOfDay(day - 13)
		for _, k := range up.Keys {
			if k.RollingStartIntervalNumber < free {
				t.Fatalf("%s: a key starts at %d, before %d", up.ID, k.RollingStartIntervalNumber, free)
			}
			free = k.RollingStartIntervalNumber + keys.Interval(k.RollingPeriod)
			if last := free - 1; last.Day() != k.RollingStartIntervalNumber.Day() {
				t.Fatalf("%s: a key is of two days", up.ID)
			}
		}
		if free > keys.IntervalAt(up.At)+1 {
			t.Fatalf("%s: a key ends at %d, and it is %d", up.ID, free, keys.IntervalAt(up.At))
		}
	}
}

func TestEndOfPeriod(t *testing.T) {
	for _, up := range sample(t, &keystest.Options{EndOfPeriod: true}) {
		for _, k := range up.Keys {
			if k.End().After(up.At) {
				t.Fatalf("%s: at %s a key ends at %s", up.ID, up.At, k.End())
			}
		}
	}
}

// TestPassesPolicies at any time of day, midnight above all.
func TestPassesPolicies(t *testing.T) {
	midnight := time.Date(2021, 2, 9, 0, 0, 0, 0, time.UTC)
	times := []time.Time{midnight, midnight.Add(1), midnight.Add(-1), midnight.Add(10*time.Minute - 1), midnight.Add(10 * time.Minute),
		noon, noon.In(time.FixedZone("NZDT", 13*60*60)), midnight.In(time.FixedZone("HST", -10*60*60))}
	g := keystest.New(1, &keystest.Options{Origins: regions("DE", "GB-EAW", "US-WA", "419")})
	phone, archive := keys.FromPhone(), keys.IntoArchive()
	for _, at := range times {
		for range 2000 {
			for _, k := range g.Upload(at).Keys {
				if err := phone.Check(&k, at); err != nil {
					t.Fatalf("at %s: %v: %+v", at, err, k)
				}
				if err := archive.Check(&k, at.Add(24*time.Hour+2*time.Hour)); err != nil {
					t.Fatalf("at %s: %v: %+v", at, err, k)
				}
			}
		}
	}
}

func TestKeyDataIsUnique(t *testing.T) {
	const n = 200_000
	seen := make(map[keys.KeyData]bool, n)
	for _, k := range keystest.New(1, nil).Keys(noon, n) {
		if seen[k.KeyData] || k.KeyData.IsZero() {
			t.Fatal("key data comes twice, or is zero")
		}
		seen[k.KeyData] = true
	}
	if len(seen) < n || len(seen) >= n+14 {
		t.Errorf("got %d keys, want %d and what fills the last upload", len(seen), n)
	}
}

// TestOnset: the keys of one upload agree on the day of onset.
func TestOnset(t *testing.T) {
	var with, without int
	for _, up := range sample(t, nil) {
		first := up.Keys[0]
		if !first.DaysSinceOnsetOfSymptoms.Present() {
			without++
		} else {
			with++
		}
		for _, k := range up.Keys {
			days, ok := k.DaysSinceOnsetOfSymptoms.Get()
			if ok != first.DaysSinceOnsetOfSymptoms.Present() {
				t.Fatalf("%s: some keys have an onset", up.ID)
			}
			onset := k.RollingStartIntervalNumber.Day() - int(days)
			if want := first.RollingStartIntervalNumber.Day() - int(first.DaysSinceOnsetOfSymptoms.Or(0)); ok && onset != want {
				t.Fatalf("%s: one key has its onset on day %d, another on %d", up.ID, onset, want)
			}
			if ok && (onset >= keys.IntervalAt(up.At).Day() || days < -14 || days > 14) {
				t.Fatalf("%s: onset on day %d, %d days from a key", up.ID, onset, days)
			}
		}
	}
	checkShare(t, "uploads with an onset", with, with+without, 0.67, 0.73)
}

// TestRiskFollowsOnset: it is a function of the days since onset, rises to the
// onset and falls after it.
func TestRiskFollowsOnset(t *testing.T) {
	risks := make(map[int]keys.TransmissionRiskLevel)
	for _, up := range sample(t, nil) {
		for _, k := range up.Keys {
			risk, ok := k.TransmissionRiskLevel.Get()
			days, hasOnset := k.DaysSinceOnsetOfSymptoms.Get()
			if !ok || risk < 1 || risk > 8 {
				t.Fatalf("%s: the risk is %v", up.ID, k.TransmissionRiskLevel)
			}
			if have, seen := risks[int(days)]; hasOnset && seen && have != risk {
				t.Fatalf("%s: %d days from onset the risk is %d, and it was %d", up.ID, days, risk, have)
			}
			if hasOnset {
				risks[int(days)] = risk
			}
		}
	}
	for days := -11; days <= 5; days++ {
		if _, seen := risks[days]; !seen {
			t.Errorf("no key is %d days from its onset", days)
		}
		if rises := days <= 0; rises && risks[days] < risks[days-1] || !rises && risks[days] > risks[days-1] {
			t.Errorf("from %d to %d days from onset the risk goes from %d to %d", days-1, days, risks[days-1], risks[days])
		}
	}
	if risks[0] != 8 {
		t.Errorf("at the onset the risk is %d", risks[0])
	}
}

func TestOriginsAreDrawnEvenly(t *testing.T) {
	opts := &keystest.Options{Origins: regions("DE", "FR", "GB-EAW", "FR")}
	count := make(map[string]int)
	for _, up := range sample(t, opts) {
		count[up.Keys[0].Origin.String()]++
	}
	checkShare(t, "DE", count["DE"], manyUploads, 0.23, 0.27)
	checkShare(t, "GB-EAW", count["GB-EAW"], manyUploads, 0.23, 0.27)
	checkShare(t, "FR, named twice", count["FR"], manyUploads, 0.47, 0.53)
	if len(count) != 3 {
		t.Errorf("got origins %v", count)
	}
}

// TestMetadataIsOfTheUpload: one phone has one origin, one test, one consent.
func TestMetadataIsOfTheUpload(t *testing.T) {
	var travelled, given, confirmed int
	visitedBy := regions("DE", "FR", "PT")
	for _, up := range sample(t, &keystest.Options{Origins: regions("DE", "FR"), Visited: visitedBy}) {
		first := up.Keys[0]
		for _, k := range up.Keys {
			if k.Origin != first.Origin || k.VisitedCountries != first.VisitedCountries || k.TestType != first.TestType ||
				k.ConsentToFederate != first.ConsentToFederate || k.ReportType != first.ReportType || k.Provenance != keys.Real {
				t.Fatalf("%s: %+v and %+v are of one phone", up.ID, first, k)
			}
		}
		for r := range first.VisitedCountries.All() {
			if r == first.Origin || !slices.Contains(visitedBy, r) {
				t.Fatalf("%s: somebody from %s has visited %s", up.ID, first.Origin, first.VisitedCountries)
			}
		}
		travelled += min(1, first.VisitedCountries.Len())
		if first.ConsentToFederate == keys.ConsentGiven {
			given++
		}
		if first.ReportType == keys.Some(keys.ReportConfirmedTest) {
			confirmed++
		}
	}
	checkShare(t, "travellers", travelled, manyUploads, 0.06, 0.09)
	checkShare(t, "consent", given, manyUploads, 0.84, 0.88)
	checkShare(t, "confirmed by a test", confirmed, manyUploads, 0.88, 0.92)
}

// TestArrivals: uploads come in order, in time, and by day.
func TestArrivals(t *testing.T) {
	from, to := noon.Add(-12*time.Hour), noon.Add(12*time.Hour)
	ids := make(map[string]bool)
	var last time.Time
	var night, day int
	for up := range keystest.New(1, nil).Uploads(from, to, manyUploads) {
		if up.At.Before(last) || up.At.Before(from) || !up.At.Before(to) || up.At.Location() != time.UTC {
			t.Fatalf("%s arrives at %s, after %s", up.ID, up.At, last)
		}
		switch hour := up.At.Hour(); {
		case hour < 4:
			night++
		case 10 <= hour && hour < 14:
			day++
		}
		last = up.At
		ids[up.ID] = true
	}
	if len(ids) != manyUploads {
		t.Errorf("got %d different IDs of %d uploads", len(ids), manyUploads)
	}
	if night == 0 || day < 4*night {
		t.Errorf("%d arrive from 10 to 14 and %d from 0 to 4", day, night)
	}
}

func TestUploadsOfNoTime(t *testing.T) {
	g := keystest.New(1, nil)
	for _, to := range []time.Time{noon, noon.Add(-1)} {
		for up := range g.Uploads(noon, to, 10) {
			t.Errorf("%s arrives at %s", up.ID, up.At)
		}
	}
}

func TestUploadsGoOn(t *testing.T) {
	g := keystest.New(1, nil)
	uploads := g.Uploads(noon, noon.Add(time.Hour), 3)
	ids := make(map[string]bool)
	for range 2 {
		for up := range uploads {
			ids[up.ID] = true
			if len(ids) == 1 {
				break
			}
		}
	}
	if len(ids) != 4 {
		t.Errorf("after one and three uploads there are %d IDs", len(ids))
	}
}

func TestOptionsAreCopied(t *testing.T) {
	opts := &keystest.Options{Origins: regions("FR")}
	g := keystest.New(1, opts)
	opts.Origins[0] = keys.MustRegion("DE")
	if got := g.Upload(noon).Keys[0].Origin.String(); got != "FR" {
		t.Errorf("got a key of %s, want FR", got)
	}
}

func BenchmarkUpload(b *testing.B) {
	g := keystest.New(1, nil)
	b.ReportAllocs()
	total := 0
	for b.Loop() {
		total += len(g.Upload(noon).Keys)
	}
	b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "keys/s")
}
