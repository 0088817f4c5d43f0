package keys_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/gaenkit/gaen/keys"
)

// TestSizes holds what the documentation promises: millions of keys are kept in
// memory at a time.
func TestSizes(t *testing.T) {
	if got := unsafe.Sizeof(keys.TemporaryExposureKey{}); got != 32 {
		t.Errorf("a temporary exposure key has %d bytes, want 32", got)
	}
	if hasPointers(reflect.TypeFor[keys.TemporaryExposureKey]()) {
		t.Error("a temporary exposure key holds pointers, which the garbage collector must follow")
	}
	want := 56 - (8-unsafe.Sizeof(uintptr(0)))*2 // regions are one word, and alignment goes by words
	if got := unsafe.Sizeof(keys.DiagnosisKey{}); got != want {
		t.Errorf("a diagnosis key has %d bytes, want %d", got, want)
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[keys.TemporaryExposureKey](), reflect.TypeFor[keys.DiagnosisKey]()} {
		if !typ.Comparable() {
			t.Errorf("%s is not comparable", typ)
		}
	}
}

func hasPointers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		for f := range t.Fields() {
			if hasPointers(f.Type) {
				return true
			}
		}
		return false
	case reflect.Array:
		return hasPointers(t.Elem())
	default:
		return t.Kind() > reflect.Array
	}
}

func TestEnd(t *testing.T) {
	tests := []struct {
		start  keys.Interval
		period uint8
		want   time.Time
	}{
		{0, 144, time.Unix(86400, 0)},
		{2682432, 144, time.Date(2021, 1, 2, 0, 0, 0, 0, time.UTC)},
		{2682432, 1, time.Date(2021, 1, 1, 0, 10, 0, 0, time.UTC)},
		{2682432, 0, time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)},
		{math.MaxInt32, 144, time.Unix((math.MaxInt32+144)*600, 0)},
		{math.MinInt32, 255, time.Unix((math.MinInt32+255)*600, 0)},
	}
	for _, tt := range tests {
		k := keys.TemporaryExposureKey{RollingStartIntervalNumber: tt.start, RollingPeriod: tt.period}
		if got := k.End(); !got.Equal(tt.want) || got.Location() != time.UTC {
			t.Errorf("%d + %d ends at %s, want %s", tt.start, tt.period, got, tt.want)
		}
	}
}

// alike returns keys whose fields have few values each, so that any field may
// be the first in which two of them differ.
func alike(n int) []keys.DiagnosisKey {
	r := rand.New(rand.NewPCG(5, 5))
	all := make([]keys.DiagnosisKey, n)
	for i := range all {
		k := &all[i]
		k.KeyData = keys.KeyData{byte(r.IntN(2)) * 0x90, 15: byte(1 + r.IntN(2))}
		k.RollingStartIntervalNumber = pick[keys.Interval](r, math.MinInt32, -1, 0, 1, 1, 1, math.MaxInt32)
		k.RollingPeriod = pick[uint8](r, 1, 144, 144, 144, 255)
		k.TransmissionRiskLevel = pick(r, none[keys.TransmissionRiskLevel](), keys.Some[keys.TransmissionRiskLevel](0), keys.Some[keys.TransmissionRiskLevel](200))
		k.ReportType = pick(r, none[keys.ReportType](), keys.Some(keys.ReportUnknown), keys.Some(keys.ReportRevoked))
		k.VariantOfConcern = pick(r, none[keys.VariantOfConcern](), keys.Some[keys.VariantOfConcern](0))
		k.DaysSinceOnsetOfSymptoms = pick(r, none[keys.DaysSinceOnset](), keys.Some[keys.DaysSinceOnset](-14), keys.Some[keys.DaysSinceOnset](0), keys.Some[keys.DaysSinceOnset](4014))
		k.Origin = pick(r, keys.Region{}, keys.MustRegion("DE"), keys.MustRegion("DE-BY"))
		k.VisitedCountries = pick(r, keys.Regions{}, mustRegions("FR"), mustRegions("FR", "AT"))
		k.TestType = pick(r, keys.TestUnstated, keys.TestRapid)
		k.ConsentToFederate = pick(r, keys.ConsentUnstated, keys.ConsentRefused)
		k.Provenance = pick(r, keys.Real, keys.Padding)
	}
	return all
}

func none[T comparable]() (o keys.Optional[T]) { return o }

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func mustRegions(codes ...string) keys.Regions {
	set, err := keys.ParseRegions(codes...)
	if err != nil {
		panic(err)
	}
	return set
}

// sortKey is a naive second definition of the canonical order: bytes that
// compare as the keys must.
func sortKey(k *keys.TemporaryExposureKey) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(k.RollingStartIntervalNumber)^1<<31)
	b = append(b, k.RollingPeriod)
	b = appendOptional(b, k.TransmissionRiskLevel)
	b = appendOptional(b, k.ReportType)
	b = appendOptional(b, k.DaysSinceOnsetOfSymptoms)
	b = appendOptional(b, k.VariantOfConcern)
	return append(b, k.KeyData[:]...)
}

func appendOptional[T ~uint8 | ~int16](b []byte, o keys.Optional[T]) []byte {
	v, ok := o.Get()
	if !ok {
		return append(b, 0, 0, 0)
	}
	return binary.BigEndian.AppendUint16(append(b, 1), uint16(int32(v)+1<<15))
}

func diagnosisSortKey(k *keys.DiagnosisKey) []byte {
	b := sortKey(&k.TemporaryExposureKey)
	b = append(b, k.Origin.String()...)
	b = append(b, 0)
	b = append(b, k.VisitedCountries.String()...)
	return append(b, 0, byte(k.TestType), byte(k.ConsentToFederate), byte(k.Provenance))
}

func TestCompareAgreesWithReference(t *testing.T) {
	all := alike(600)
	for i := range all {
		for j := range all {
			a, b := &all[i], &all[j]
			if got, want := a.Compare(b), bytes.Compare(diagnosisSortKey(a), diagnosisSortKey(b)); got != want {
				t.Fatalf("%+v\n%+v\ncompare as %d, want %d", a, b, got, want)
			}
			x, y := &a.TemporaryExposureKey, &b.TemporaryExposureKey
			if got, want := x.Compare(y), bytes.Compare(sortKey(x), sortKey(y)); got != want {
				t.Fatalf("%+v\n%+v\ncompare as %d, want %d", x, y, got, want)
			}
			x1, y1 := *x, *y
			x1.KeyData, y1.KeyData = keys.KeyData{}, keys.KeyData{}
			if got, want := x.CompareMetadata(y), x1.Compare(&y1); got != want {
				t.Fatalf("the metadata of %+v\n%+v\ncompare as %d, want %d", x, y, got, want)
			}
		}
	}
}

// TestCompareIsTotalOrder checks the laws: a key equals only itself, comparing
// the other way round gives the opposite, and what is less than the lesser is
// less.
func TestCompareIsTotalOrder(t *testing.T) {
	all := alike(150)
	all = append(all, all[:20]...)
	for i := range all {
		for j := range all {
			c := all[i].Compare(&all[j])
			if (c == 0) != (all[i] == all[j]) {
				t.Fatalf("%+v\n%+v\ncompare as %d", all[i], all[j], c)
			}
			if c != -all[j].Compare(&all[i]) {
				t.Fatalf("%+v\n%+v\nare less than each other", all[i], all[j])
			}
			for k := range all {
				if c <= 0 && all[j].Compare(&all[k]) <= 0 && all[i].Compare(&all[k]) > 0 {
					t.Fatalf("%+v\n%+v\n%+v\ngo round in a circle", all[i], all[j], all[k])
				}
			}
		}
	}
}

// TestOrderTellsNoOrigins: sorted as diagnosis keys, the exposure keys must be
// in their own order too, or an archive would show which came from where.
func TestOrderTellsNoOrigins(t *testing.T) {
	all := alike(2000)
	slices.SortFunc(all, func(a, b keys.DiagnosisKey) int { return a.Compare(&b) })
	sorted := slices.IsSortedFunc(all, func(a, b keys.DiagnosisKey) int {
		return a.TemporaryExposureKey.Compare(&b.TemporaryExposureKey)
	})
	if !sorted {
		t.Error("the order depends on what an archive does not hold")
	}
}

func TestOrderIsOfTheSet(t *testing.T) {
	all := alike(500)
	compare := func(a, b keys.DiagnosisKey) int { return a.Compare(&b) }
	want := slices.SortedFunc(slices.Values(all), compare)
	r := rand.New(rand.NewPCG(6, 6))
	for range 10 {
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if got := slices.SortedFunc(slices.Values(all), compare); !slices.Equal(got, want) {
			t.Fatal("another arrival gives another order")
		}
	}
}
