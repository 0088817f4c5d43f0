package efgs

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
)

// model returns a key of which everything is known.
func model() keys.DiagnosisKey {
	k := keys.DiagnosisKey{Origin: keys.MustRegion("FI")}
	k.KeyData, _ = keys.ParseKeyData(synthetic().KeyData)
	k.RollingStartIntervalNumber, k.RollingPeriod = 2666736, 144
	k.ReportType = keys.Some(keys.ReportConfirmedTest)
	k.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(5))
	k.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(2))
	k.VisitedCountries, _ = keys.ParseRegions("DE", "FR")
	return k
}

// there returns what becomes of a key on its way over the wire.
func there(t *testing.T, k keys.DiagnosisKey) keys.DiagnosisKey {
	t.Helper()
	var came []keys.DiagnosisKey
	for _, f := range []Format{Protobuf, JSON} {
		b, err := f.Decode(f.Append(nil, []DiagnosisKey{Of(&k)}), 1)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Key(0)
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		came = append(came, got)
	}
	if came[0] != came[1] {
		t.Error("the formats differ")
	}
	return came[0]
}

// TestOnsetGoesThereAndBack: every value that the encoding has, of which 0 is one.
func TestOnsetGoesThereAndBack(t *testing.T) {
	values := 0
	for n := int64(-20); n <= 4020; n++ {
		days, err := keys.ParseDaysSinceOnset(n)
		wire := synthetic()
		wire.DaysSinceOnsetOfSymptoms = int32(n)
		got, wireErr := wire.Key()
		if (err == nil) != (wireErr == nil) {
			t.Errorf("%d: %v on the wire, %v by itself", n, wireErr, err)
		}
		if err != nil {
			continue
		}
		values++
		k := model()
		k.DaysSinceOnsetOfSymptoms = keys.Some(days)
		if back := there(t, k); back != k || got.DaysSinceOnsetOfSymptoms != k.DaysSinceOnsetOfSymptoms {
			t.Errorf("%d does not come back", n)
		}
	}
	if want := 29 * (1 + 19 + 3); values != want {
		t.Errorf("%d values, want %d", values, want)
	}
}

func TestKeysGoThereAndBack(t *testing.T) {
	change := func(f func(k *keys.DiagnosisKey)) keys.DiagnosisKey {
		k := model()
		f(&k)
		return k
	}
	same := []keys.DiagnosisKey{
		model(),
		change(func(k *keys.DiagnosisKey) { k.TransmissionRiskLevel = keys.Optional[keys.TransmissionRiskLevel]{} }),
		change(func(k *keys.DiagnosisKey) { k.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(0)) }),
		change(func(k *keys.DiagnosisKey) { k.VisitedCountries = keys.Regions{} }),
		change(func(k *keys.DiagnosisKey) { k.ReportType = keys.Some(keys.ReportRevoked) }),
		change(func(k *keys.DiagnosisKey) { k.ReportType = keys.Some(keys.ReportUnknown) }),
		change(func(k *keys.DiagnosisKey) { k.RollingPeriod = 1 }),
		change(func(k *keys.DiagnosisKey) { k.RollingStartIntervalNumber = 1<<31 - 1 }),
	}
	for i, k := range same {
		if got := there(t, k); got != k {
			t.Errorf("key %d comes back as another", i)
		}
	}
	unsaid := change(func(k *keys.DiagnosisKey) {
		k.DaysSinceOnsetOfSymptoms, k.ReportType = keys.Optional[keys.DaysSinceOnset]{}, keys.Optional[keys.ReportType]{}
	})
	got := there(t, unsaid)
	if days, _ := got.DaysSinceOnsetOfSymptoms.Get(); days != 4000 {
		t.Errorf("no onset becomes %d", days)
	}
	if onset, _ := got.DaysSinceOnsetOfSymptoms.Or(0).Onset(); onset.Status != keys.OnsetStatusUnknown {
		t.Errorf("no onset becomes %v", onset.Status)
	}
	if got.ReportType != keys.Some(keys.ReportUnknown) {
		t.Errorf("no report type becomes %v", got.ReportType)
	}
	for _, k := range keystest.New(1, nil).Keys(noon, 200) {
		k.ConsentToFederate, k.TestType, k.Provenance = 0, 0, 0
		want := k
		want.DaysSinceOnsetOfSymptoms = keys.Some(k.DaysSinceOnsetOfSymptoms.Or(4000))
		want.ReportType = keys.Some(k.ReportType.Or(keys.ReportUnknown))
		want.VariantOfConcern = keys.Optional[keys.VariantOfConcern]{}
		if k.VisitedCountries.Has(k.Origin) {
			continue
		}
		if got := there(t, k); got != want {
			t.Errorf("comes back as another: %v, want %v", got, want)
		}
	}
}

func TestVisitedCountries(t *testing.T) {
	for _, c := range []struct {
		name string
		list []string
		want string
	}{
		{"none", nil, ""},
		{"the empty string (EFGS 227)", []string{""}, ""},
		{"empty among others", []string{"", "DE", ""}, "DE"},
		{"the origin", []string{"DE", "FI", "FR"}, "DE,FR"},
		{"in another order, twice", []string{"FR", "DE", "FR"}, "DE,FR"},
		{"lower case", []string{"de", "fi"}, "DE"},
	} {
		k := synthetic()
		k.VisitedCountries = c.list
		if got, err := k.Key(); err != nil || got.VisitedCountries.String() != c.want {
			t.Errorf("%s: got %v, %v, want %s", c.name, got.VisitedCountries, err, c.want)
		}
	}
}

// TestBatchesOfMany: what is remembered of one key is not said of the next.
func TestBatchesOfMany(t *testing.T) {
	var all []keys.DiagnosisKey
	for _, origin := range []string{"FI", "DE", "FR", "FR", "DE", "FI"} {
		for _, list := range [][]string{{"DE", "FR"}, nil, {"FI"}, {"FI"}, {"DE", "FI", "FR"}} {
			k := model()
			k.Origin = keys.MustRegion(origin)
			k.VisitedCountries, _ = keys.ParseRegions(slices.DeleteFunc(slices.Clone(list), func(code string) bool { return code == origin })...)
			all = append(all, k)
		}
	}
	wire := BatchOf(all)
	for i := range all {
		if one := Of(&all[i]); !equal([]DiagnosisKey{one}, wire.Keys[i:i+1]) {
			t.Errorf("key %d is another in a batch than alone", i)
		}
		// As others send it: with all three countries, of which one is the origin.
		if i%5 == 0 {
			wire.Keys[i].VisitedCountries = []string{"DE", "FI", "FR"}
			all[i].VisitedCountries, _ = keys.ParseRegions(slices.DeleteFunc([]string{"DE", "FI", "FR"}, func(code string) bool { return code == all[i].Origin.String() })...)
		}
		if i%5 == 4 { // next to one of another origin with the same countries
			wire.Keys[i].VisitedCountries = []string{"DE", "FI", "FR"}
		}
	}
	page := &federation.Page{}
	if wire.sort(page, nil); !slices.Equal(page.Keys, all) {
		t.Error("keys are others after a batch than alone")
	}
}

func TestRejections(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(k *DiagnosisKey)
		field  keys.Field
		reason keys.Reason
		named  bool // what identifies it could be read
	}{
		{"no key data", func(k *DiagnosisKey) { k.KeyData = nil }, keys.FieldKeyData, keys.ReasonLength, false},
		{"15 bytes", func(k *DiagnosisKey) { k.KeyData = k.KeyData[:15] }, keys.FieldKeyData, keys.ReasonLength, false},
		{"17 bytes", func(k *DiagnosisKey) { k.KeyData = append(k.KeyData, 1) }, keys.FieldKeyData, keys.ReasonLength, false},
		{"zeros", func(k *DiagnosisKey) { k.KeyData = make([]byte, 16) }, keys.FieldKeyData, keys.ReasonZero, false},
		{"no origin", func(k *DiagnosisKey) { k.Origin = "" }, keys.FieldOrigin, keys.ReasonLength, false},
		{"an origin with a bracket", func(k *DiagnosisKey) { k.Origin = "(x)" }, keys.FieldOrigin, keys.ReasonMalformed, false},
		{"a start of 2^31", func(k *DiagnosisKey) { k.RollingStartIntervalNumber = 1 << 31 }, keys.FieldRollingStart, keys.ReasonRange, true},
		{"period 0", func(k *DiagnosisKey) { k.RollingPeriod = 0 }, keys.FieldRollingPeriod, keys.ReasonRange, true},
		{"period 145", func(k *DiagnosisKey) { k.RollingPeriod = 145 }, keys.FieldRollingPeriod, keys.ReasonRange, true},
		{"risk 9", func(k *DiagnosisKey) { k.TransmissionRiskLevel = 9 }, keys.FieldTransmissionRisk, keys.ReasonRange, true},
		{"risk -1", func(k *DiagnosisKey) { k.TransmissionRiskLevel = -1 }, keys.FieldTransmissionRisk, keys.ReasonRange, true},
		{"report type 6", func(k *DiagnosisKey) { k.ReportType = 6 }, keys.FieldReportType, keys.ReasonRange, true},
		{"onset 15", func(k *DiagnosisKey) { k.DaysSinceOnsetOfSymptoms = 15 }, keys.FieldDaysSinceOnset, keys.ReasonRange, true},
		{"a country with a bracket", func(k *DiagnosisKey) { k.VisitedCountries = []string{"(x)"} }, keys.FieldVisitedCountries, keys.ReasonMalformed, true},
		{"101 countries", func(k *DiagnosisKey) { k.VisitedCountries = slices.Repeat([]string{"DE"}, 101) }, keys.FieldVisitedCountries, keys.ReasonTooMany, true},
	} {
		wire := synthetic()
		c.change(&wire)
		k, err := wire.Key()
		if !errors.Is(err, &keys.Rejection{Field: c.field, Reason: c.reason}) {
			t.Errorf("%s: got %v", c.name, err)
		}
		if a := setAside(&k, err); a.Field != c.field || a.Reason != c.reason || (a.ID.Origin.IsZero() == c.named) {
			t.Errorf("%s: set aside as %s/%s, named %v", c.name, a.Field, a.Reason, !a.ID.Origin.IsZero())
		}
	}
}

// TestKeysDoNotPrint: invariant 11.
func TestKeysDoNotPrint(t *testing.T) {
	k := synthetic()
	data := keys.KeyData(k.KeyData)
	var log strings.Builder
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("x", "key", k, "pointer", &k, "batch", &Batch{Keys: []DiagnosisKey{k}}, "list", []DiagnosisKey{k})
	printed := log.String() + fmt.Sprint(k, &k, []DiagnosisKey{k}) + fmt.Sprintf("%+v %#v %x %s %v", k, k, k, k, &Batch{Keys: []DiagnosisKey{k}})
	if leak := keystest.Leak(printed, data); leak != "" {
		t.Errorf("key data is printed: %s", leak)
	}
	if _, err := json.Marshal(k); !errors.Is(err, keys.ErrNotMarshalled) {
		t.Errorf("marshalled: %v", err)
	}
	if _, err := k.MarshalBinary(); !errors.Is(err, keys.ErrNotMarshalled) {
		t.Errorf("marshalled: %v", err)
	}
}
