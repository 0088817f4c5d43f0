package interop

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/federation/internal/jsontext"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// goodFields are those of an exposure as a page has it, by their order.
var goodFields = []string{
	`"keyData":"AAECAwQFBgcICQoLDA0ODw=="`, `"rollingStartNumber":2655792`, `"transmissionRiskLevel":5`, `"rollingPeriod":100`,
	`"origin":"IE"`, `"regions":["IE","GB-NIR"]`, `"testType":2`, `"reportType":3`, `"daysSinceOnset":-3`,
}

func goodExposure() string { return "{" + strings.Join(goodFields, ",") + "}" }

// with returns the good exposure with one field spelt so, or without it if it is "".
func with(i int, field string) string {
	f := slices.Clone(goodFields)
	if f[i] = field; field == "" {
		f = slices.Delete(f, i, i+1)
	}
	return "{" + strings.Join(f, ",") + "}"
}

func goodKey(t testing.TB) keys.DiagnosisKey {
	t.Helper()
	visited, err := keys.RegionsOf(keys.MustRegion("GB-NIR"))
	if err != nil {
		t.Fatal(err)
	}
	return keys.DiagnosisKey{
		TemporaryExposureKey: keys.TemporaryExposureKey{
			KeyData:                    keys.KeyData{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
			RollingStartIntervalNumber: 2655792, RollingPeriod: 100,
			TransmissionRiskLevel:    keys.Some(keys.TransmissionRiskLevel(5)),
			ReportType:               keys.Some(keys.ReportSelfReport),
			DaysSinceOnsetOfSymptoms: keys.Some(keys.DaysSinceOnset(-3)),
		},
		Origin: ie, VisitedCountries: visited, TestType: keys.TestRapid,
	}
}

// read reads one exposure between two good ones, which must be taken whatever it
// is.
func read(t testing.TB, r *reader, text string) (k keys.DiagnosisKey, aside ledger.SetAside, ok bool) {
	t.Helper()
	g := goodExposure()
	list, valid := jsontext.Parse([]byte("[" + g + "," + text + "," + g + "]"))
	if !valid {
		t.Fatalf("%s is no JSON", text)
	}
	ks, all, err := r.all(list, 3)
	if err != nil || len(ks)+len(all) != 3 || len(all) > 1 {
		t.Fatalf("%s: %d keys, %d set aside, %v", text, len(ks), len(all), err)
	}
	want := goodKey(t)
	if r.ignoreRegions {
		want.VisitedCountries = keys.Regions{}
	}
	if ks[0] != want || ks[len(ks)-1] != want {
		t.Fatalf("%s: the neighbours are %+v and %+v", text, ks[0], ks[len(ks)-1])
	}
	if len(all) == 1 {
		return k, all[0], false
	}
	return ks[1], aside, true
}

func TestExposureRead(t *testing.T) {
	r1 := func(k *keys.DiagnosisKey) {}
	sameData := func(text string) string { return with(keyData, `"keyData":`+text) }
	nir := keys.MustRegion("GB-NIR")
	for _, tt := range []struct {
		name, text string
		r          reader
		change     func(k *keys.DiagnosisKey) // of the good key
	}{
		{"as servers write it", goodExposure(), reader{}, r1},
		{"in another order, with space", "{ " + strings.Join([]string{goodFields[8], goodFields[4], goodFields[0], goodFields[6], goodFields[1], goodFields[5], goodFields[2], goodFields[3], goodFields[7]}, " ,\n") + " }", reader{}, r1},
		{"unknown fields", with(numFields-1, goodFields[8]+`,"x":{"keyData":[1]},"KEYDATA":7,"x":null`), reader{}, r1},
		{"a name with escapes", with(keyData, `"key\u0044ata":"AAECAwQFBgcICQoLDA0ODw=="`), reader{}, r1},

		{"key data unpadded", sameData(`"AAECAwQFBgcICQoLDA0ODw"`), reader{}, r1},
		{"key data half padded", sameData(`"AAECAwQFBgcICQoLDA0ODw="`), reader{}, r1},
		{"key data with line breaks", sameData(`"AAECAwQFBg\r\ncICQoLDA0ODw==\n"`), reader{}, r1},
		{"key data with escapes", sameData(`"\u0041AECAwQFBgcICQoLDA0ODw=="`), reader{}, r1},
		{"key data with bits behind the last byte", sameData(`"AAECAwQFBgcICQoLDA0ODx"`), reader{}, r1},
		{"key data in base64url", sameData(`"-__--__--__--__--__--w"`), reader{}, func(k *keys.DiagnosisKey) {
			k.KeyData = keys.KeyData{0xfb, 0xff, 0xfe, 0xfb, 0xff, 0xfe, 0xfb, 0xff, 0xfe, 0xfb, 0xff, 0xfe, 0xfb, 0xff, 0xfe, 0xfb}
		}},
		{"key data in base64", sameData(`"+\/\/++\/\/++\/\/++\/\/++\/\/++w=="`), reader{}, func(k *keys.DiagnosisKey) {
			k.KeyData = keys.KeyData{0xfb, 0xff, 0xfe, 0xfb, 0xff, 0xfe, 0xfb, 0xff, 0xfe, 0xfb, 0xff, 0xfe, 0xfb, 0xff, 0xfe, 0xfb}
		}},
		{"numbers as strings", with(rollingPeriod, `"rollingPeriod":"144"`), reader{}, func(k *keys.DiagnosisKey) { k.RollingPeriod = 144 }},

		{"no risk", with(transmissionRiskLevel, ""), reader{}, func(k *keys.DiagnosisKey) {
			k.TransmissionRiskLevel = keys.Optional[keys.TransmissionRiskLevel]{}
		}},
		{"risk 0", with(transmissionRiskLevel, `"transmissionRiskLevel":0`), reader{}, func(k *keys.DiagnosisKey) {
			k.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(0))
		}},
		{"no test type", with(testType, `"testType":null`), reader{}, func(k *keys.DiagnosisKey) { k.TestType = keys.TestUnstated }},
		{"test type 0", with(testType, `"testType":0`), reader{}, func(k *keys.DiagnosisKey) { k.TestType = keys.TestUnstated }},
		{"no report type", with(reportType, ""), reader{}, func(k *keys.DiagnosisKey) { k.ReportType = keys.Optional[keys.ReportType]{} }},
		{"report type 0", with(reportType, `"reportType":0`), reader{}, func(k *keys.DiagnosisKey) { k.ReportType = keys.Some(keys.ReportUnknown) }},
		{"revoked", with(reportType, `"reportType":5`), reader{}, func(k *keys.DiagnosisKey) { k.ReportType = keys.Some(keys.ReportRevoked) }},
		{"no onset", with(daysSinceOnset, `"daysSinceOnset":null`), reader{}, func(k *keys.DiagnosisKey) { k.DaysSinceOnsetOfSymptoms = keys.Optional[keys.DaysSinceOnset]{} }},
		{"onset 0", with(daysSinceOnset, `"daysSinceOnset":0`), reader{}, func(k *keys.DiagnosisKey) { k.DaysSinceOnsetOfSymptoms = keys.Optional[keys.DaysSinceOnset]{} }},
		{"onset 0, extended", with(daysSinceOnset, `"daysSinceOnset":0`), reader{extended: true}, func(k *keys.DiagnosisKey) { k.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(0)) }},
		{"no onset, extended", with(daysSinceOnset, ""), reader{extended: true}, func(k *keys.DiagnosisKey) { k.DaysSinceOnsetOfSymptoms = keys.Optional[keys.DaysSinceOnset]{} }},
		{"the European encoding of onsets", with(daysSinceOnset, `"daysSinceOnset":4000`), reader{}, func(k *keys.DiagnosisKey) { k.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(4000)) }},

		{"no regions", with(regions, ""), reader{}, func(k *keys.DiagnosisKey) { k.VisitedCountries = keys.Regions{} }},
		{"null regions", with(regions, `"regions":null`), reader{}, func(k *keys.DiagnosisKey) { k.VisitedCountries = keys.Regions{} }},
		{"empty regions", with(regions, `"regions":[]`), reader{}, func(k *keys.DiagnosisKey) { k.VisitedCountries = keys.Regions{} }},
		{"regions of the origin only", with(regions, `"regions":["ie"]`), reader{}, func(k *keys.DiagnosisKey) { k.VisitedCountries = keys.Regions{} }},
		{"regions in another order, twice, with an empty one", with(regions, `"regions":["GB-NIR","","IE","gb-nir"]`), reader{}, r1},
		{"regions ignored", with(regions, `"regions":[5,"?"]`), reader{ignoreRegions: true}, func(k *keys.DiagnosisKey) { k.VisitedCountries = keys.Regions{} }},
		{"the same regions for another origin", with(origin, `"origin":"GB-NIR"`), reader{}, func(k *keys.DiagnosisKey) {
			k.Origin = nir
			k.VisitedCountries, _ = keys.RegionsOf(ie)
		}},

		{"an origin", with(origin, `"origin":"de"`), reader{owner: gi}, func(k *keys.DiagnosisKey) {
			k.Origin = de
			k.VisitedCountries, _ = keys.RegionsOf(ie, nir)
		}},
		{"no origin", with(origin, ""), reader{owner: gi}, func(k *keys.DiagnosisKey) {
			k.Origin = gi
			k.VisitedCountries, _ = keys.RegionsOf(ie, nir)
		}},
		{"null as origin", with(origin, `"origin":null`), reader{owner: ie}, r1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := goodKey(t)
			tt.change(&want)
			got, aside, ok := read(t, &tt.r, tt.text)
			if !ok || got != want {
				t.Errorf("got  %+v (%s %s %s)\nwant %+v", got, aside.Field, aside.Reason, aside.Detail, want)
			}
		})
	}
}

func TestExposureSetAside(t *testing.T) {
	data := func(text string) string { return with(keyData, `"keyData":`+text) }
	for _, tt := range []struct {
		name, text string
		field      keys.Field
		reason     keys.Reason
		known      bool // which key it is
	}{
		{"null", "null", keys.FieldKeyData, keys.ReasonMalformed, false},
		{"a string", `"x"`, keys.FieldKeyData, keys.ReasonMalformed, false},
		{"an array", "[]", keys.FieldKeyData, keys.ReasonMalformed, false},
		{"nothing in it", "{}", keys.FieldKeyData, keys.ReasonMissing, false},
		{"deeply nested", strings.Repeat("[", 5000) + strings.Repeat("]", 5000), keys.FieldKeyData, keys.ReasonMalformed, false},

		{"no key data", with(keyData, ""), keys.FieldKeyData, keys.ReasonMissing, false},
		{"null as key data", data("null"), keys.FieldKeyData, keys.ReasonMissing, false},
		{"a number as key data", data("5"), keys.FieldKeyData, keys.ReasonMalformed, false},
		{"an array of 16 numbers", data("[235,169,1,2,3,4,5,6,7,8,9,10,11,12,13,14]"), keys.FieldKeyData, keys.ReasonMalformed, false},
		{"that array as text", data(`"[235,169,1,2,3,4,5,6,7,8,9,10,11,12,13,14]"`), keys.FieldKeyData, keys.ReasonMalformed, false},
		{"junk in key data", data(`"2xqYNH7m\n*VXGRKE7+K6NXHg=="`), keys.FieldKeyData, keys.ReasonMalformed, false},
		{"padding inside key data", data(`"AAECAwQFBgc=ICQoLDA0ODw"`), keys.FieldKeyData, keys.ReasonMalformed, false},
		{"non-ASCII in key data", data(`"AAECAwQFBgcICQoLDA0ODw\u00e4"`), keys.FieldKeyData, keys.ReasonMalformed, false},
		{"empty key data", data(`""`), keys.FieldKeyData, keys.ReasonLength, false},
		{"8 bytes", data(`"AAECAwQFBgc="`), keys.FieldKeyData, keys.ReasonLength, false},
		{"15 bytes", data(`"AAECAwQFBgcICQoLDA0O"`), keys.FieldKeyData, keys.ReasonLength, false},
		{"15 bytes and a bit", data(`"AAECAwQFBgcICQoLDA0OD"`), keys.FieldKeyData, keys.ReasonLength, false},
		{"17 bytes", data(`"AAECAwQFBgcICQoLDA0ODxA="`), keys.FieldKeyData, keys.ReasonLength, false},
		{"32 bytes", data(`"AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8="`), keys.FieldKeyData, keys.ReasonLength, false},
		{"hexadecimal", data(`"000102030405060708090a0b0c0d0e0f"`), keys.FieldKeyData, keys.ReasonLength, false},
		{"a megabyte of key data", data(`"` + strings.Repeat("A", 1<<20) + `"`), keys.FieldKeyData, keys.ReasonLength, false},
		{"zeros", data(`"AAAAAAAAAAAAAAAAAAAAAA=="`), keys.FieldKeyData, keys.ReasonZero, false},
		{"key data twice", with(8, goodFields[0]), keys.FieldKeyData, keys.ReasonMalformed, false},
		{"key data twice, once with escapes", with(8, `"key\u0044ata":null`), keys.FieldKeyData, keys.ReasonMalformed, false},
		{"origin twice", with(8, `"origin":"GI"`), keys.FieldOrigin, keys.ReasonMalformed, false},

		{"no origin", with(origin, ""), keys.FieldOrigin, keys.ReasonMissing, false},
		{"null as origin", with(origin, `"origin":null`), keys.FieldOrigin, keys.ReasonMissing, false},
		{"empty origin", with(origin, `"origin":""`), keys.FieldOrigin, keys.ReasonLength, false},
		{"a number as origin", with(origin, `"origin":353`), keys.FieldOrigin, keys.ReasonMalformed, false},
		{"a path as origin", with(origin, `"origin":"../etc"`), keys.FieldOrigin, keys.ReasonMalformed, false},
		{"a header as origin", with(origin, `"origin":"IE\r\nX"`), keys.FieldOrigin, keys.ReasonMalformed, false},

		{"no start", with(rollingStartNumber, ""), keys.FieldRollingStart, keys.ReasonMissing, true},
		{"null as start", with(rollingStartNumber, `"rollingStartNumber":null`), keys.FieldRollingStart, keys.ReasonMissing, true},
		{"start -1", with(rollingStartNumber, `"rollingStartNumber":-1`), keys.FieldRollingStart, keys.ReasonRange, true},
		{"start of 33 bits", with(rollingStartNumber, `"rollingStartNumber":4294967296`), keys.FieldRollingStart, keys.ReasonRange, true},
		{"start of 65 bits", with(rollingStartNumber, `"rollingStartNumber":99999999999999999999`), keys.FieldRollingStart, keys.ReasonRange, true},
		{"a fraction as start", with(rollingStartNumber, `"rollingStartNumber":1.5`), keys.FieldRollingStart, keys.ReasonMalformed, true},
		{"no period", with(rollingPeriod, ""), keys.FieldRollingPeriod, keys.ReasonMissing, true},
		{"period 0", with(rollingPeriod, `"rollingPeriod":0`), keys.FieldRollingPeriod, keys.ReasonRange, true},
		{"period -1", with(rollingPeriod, `"rollingPeriod":-1`), keys.FieldRollingPeriod, keys.ReasonRange, true},
		{"period 145", with(rollingPeriod, `"rollingPeriod":145`), keys.FieldRollingPeriod, keys.ReasonRange, true},
		{"period 1440", with(rollingPeriod, `"rollingPeriod":1440`), keys.FieldRollingPeriod, keys.ReasonRange, true},
		{"risk 9", with(transmissionRiskLevel, `"transmissionRiskLevel":9`), keys.FieldTransmissionRisk, keys.ReasonRange, true},
		{"risk -5", with(transmissionRiskLevel, `"transmissionRiskLevel":-5`), keys.FieldTransmissionRisk, keys.ReasonRange, true},
		{"risk 255", with(transmissionRiskLevel, `"transmissionRiskLevel":255`), keys.FieldTransmissionRisk, keys.ReasonRange, true},
		{"risk true", with(transmissionRiskLevel, `"transmissionRiskLevel":true`), keys.FieldTransmissionRisk, keys.ReasonMalformed, true},
		{"test type 99", with(testType, `"testType":99`), keys.FieldTestType, keys.ReasonRange, true},
		{"a name as test type", with(testType, `"testType":"LAB_RESULT"`), keys.FieldTestType, keys.ReasonMalformed, true},
		{"report type 77", with(reportType, `"reportType":77`), keys.FieldReportType, keys.ReasonRange, true},
		{"a name as report type", with(reportType, `"reportType":"CONFIRMED_TEST"`), keys.FieldReportType, keys.ReasonMalformed, true},
		{"onset 50", with(daysSinceOnset, `"daysSinceOnset":50`), keys.FieldDaysSinceOnset, keys.ReasonRange, true},
		{"onset -15", with(daysSinceOnset, `"daysSinceOnset":-15`), keys.FieldDaysSinceOnset, keys.ReasonRange, true},
		{"a list as onset", with(daysSinceOnset, `"daysSinceOnset":[0]`), keys.FieldDaysSinceOnset, keys.ReasonMalformed, true},
		{"regions a string", with(regions, `"regions":"IE"`), keys.FieldVisitedCountries, keys.ReasonMalformed, true},
		{"a number in regions", with(regions, `"regions":["IE",353]`), keys.FieldVisitedCountries, keys.ReasonMalformed, true},
		{"a path in regions", with(regions, `"regions":["IE","../x"]`), keys.FieldVisitedCountries, keys.ReasonMalformed, true},
		{"101 regions", with(regions, `"regions":[`+strings.Repeat(`"IE",`, 100)+`"GI"]`), keys.FieldVisitedCountries, keys.ReasonTooMany, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, aside, ok := read(t, &reader{}, tt.text)
			if ok {
				t.Fatalf("got %+v", got)
			}
			if aside.Field != tt.field || aside.Reason != tt.reason {
				t.Errorf("got %s %s, want %s %s", aside.Field, aside.Reason, tt.field, tt.reason)
			}
			if want := goodKey(t); tt.known && aside.ID != ledger.IDOf(&want) || !tt.known && aside.ID != (ledger.UnitID{}) {
				t.Errorf("it names %+v", aside.ID)
			}
			noLeak(t, "what is set aside", fmt.Sprintf("%+v", aside), []keys.DiagnosisKey{goodKey(t)})
		})
	}
}

// TestRegionsAreNotGathered: what is over the limit costs nothing.
func TestRegionsAreNotGathered(t *testing.T) {
	v, ok := jsontext.Parse([]byte("[" + strings.Repeat(`"IE",`, 100_000) + `"GI"]`))
	if !ok {
		t.Fatal("no JSON")
	}
	allocs := testing.AllocsPerRun(1, func() {
		if _, err := new(reader).visited(v, ie); !errors.Is(err, &keys.Rejection{Reason: keys.ReasonTooMany}) {
			t.Error(err)
		}
	})
	if allocs > 1000 {
		t.Errorf("%.0f allocations", allocs)
	}
}

// TestExposuresLimit draws the line: bad ones count as well.
func TestExposuresLimit(t *testing.T) {
	list, _ := jsontext.Parse([]byte("[" + goodExposure() + ",{},{}]"))
	if _, _, err := new(reader).all(list, 3); err != nil {
		t.Error(err)
	}
	if ks, aside, err := new(reader).all(list, 2); !errors.Is(err, errTooMany) || ks != nil || aside != nil {
		t.Errorf("got %d and %d, %v", len(ks), len(aside), err)
	}
	if ks, aside, err := new(reader).all(jsontext.Value("[]"), 0); err != nil || len(ks)+len(aside) != 0 {
		t.Error(ks, aside, err)
	}
}

func TestAppend(t *testing.T) {
	k := goodKey(t)
	bare := k
	bare.TransmissionRiskLevel, bare.ReportType = keys.Optional[keys.TransmissionRiskLevel]{}, keys.Optional[keys.ReportType]{}
	bare.DaysSinceOnsetOfSymptoms, bare.TestType = keys.Optional[keys.DaysSinceOnset]{}, keys.TestUnstated
	bare.VisitedCountries = keys.Regions{}
	home := k
	var err error
	if home.VisitedCountries, err = keys.RegionsOf(de, ie); err != nil {
		t.Fatal(err)
	}
	const begin = `[{"keyData":"AAECAwQFBgcICQoLDA0ODw==","rollingStartNumber":2655792`
	for _, tt := range []struct {
		name string
		w    writer
		k    keys.DiagnosisKey
		want string
	}{
		{"upload", writer{}, k, begin + `,"transmissionRiskLevel":5,"rollingPeriod":100,"regions":["IE","GB-NIR"],"testType":2,"reportType":3,"daysSinceOnset":-3}]`},
		{"the origin among the visited", writer{}, home, begin + `,"transmissionRiskLevel":5,"rollingPeriod":100,"regions":["IE","DE"],"testType":2,"reportType":3,"daysSinceOnset":-3}]`},
		{"page", writer{origin: true}, k, begin + `,"transmissionRiskLevel":5,"rollingPeriod":100,"origin":"IE","regions":["IE","GB-NIR"],"testType":2,"reportType":3,"daysSinceOnset":-3}]`},
		{"upload of nothing known", writer{}, bare, begin + `,"transmissionRiskLevel":0,"rollingPeriod":100,"regions":["IE"],"testType":1,"reportType":0,"daysSinceOnset":0}]`},
		{"extended, of nothing known", writer{origin: true, extended: true}, bare, begin + `,"rollingPeriod":100,"origin":"IE","regions":["IE"]}]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(tt.w.appendAll(nil, []keys.DiagnosisKey{tt.k})); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	if got := string(new(writer).appendAll([]byte("x"), nil)); got != "x[]" {
		t.Errorf("no keys are %s", got)
	}
}

// TestWriteThenRead has what a generator makes come back.
func TestWriteThenRead(t *testing.T) {
	g := keystest.New(7, &keystest.Options{Origins: []keys.Region{ie, gi, de}})
	var ks []keys.DiagnosisKey
	for range 100 {
		for _, k := range g.Upload(noon).Keys {
			k.ConsentToFederate = keys.ConsentUnstated
			ks = append(ks, k)
		}
	}
	text := (&writer{origin: true, extended: true}).appendAll(nil, ks)
	list, ok := jsontext.Parse(text)
	if !ok {
		t.Fatal("not JSON")
	}
	got, aside, err := (&reader{extended: true}).all(list, len(ks))
	if err != nil || len(aside) > 0 || !slices.Equal(got, ks) {
		t.Errorf("got %d keys, %d set aside, %v", len(got), len(aside), err)
	}
}

// FuzzExposure reads whatever there is between two good exposures. They are taken;
// and what is taken of it is a key that is written and read again as it was.
func FuzzExposure(f *testing.F) {
	f.Add(goodExposure())
	f.Add(with(keyData, `"keyData":"-__--__--__--__--__--w"`))
	f.Add(with(regions, `"regions":["","x","GB-EAW"]`))
	f.Add(with(rollingPeriod, `"rollingPeriod":"144"`))
	f.Add(with(daysSinceOnset, `"daysSinceOnset":0`))
	f.Add(`{"keyData":null,"keyData":"\u0000"}`)
	f.Add(`7`)
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) {
			return
		}
		k, aside, ok := read(t, &reader{}, text)
		if !ok {
			if aside.Field == "" || aside.Reason == "" {
				t.Errorf("set aside without a reason: %+v", aside)
			}
			return
		}
		if k.KeyData.IsZero() || k.Origin.IsZero() || k.RollingPeriod < 1 || k.RollingPeriod > 144 || k.VisitedCountries.Has(k.Origin) {
			t.Errorf("taken: %+v", k)
		}
		again := (&writer{origin: true, extended: true}).append(nil, &k)
		back, _, ok := read(t, &reader{extended: true}, string(again))
		if !ok || back != k {
			t.Errorf("it is written %s, and read as %+v", again, back)
		}
	})
}

// FuzzKeyData holds what is read against encoding/base64.
func FuzzKeyData(f *testing.F) {
	for _, s := range []string{"AAECAwQFBgcICQoLDA0ODw==", "-__--__--__--__--__--w", "2xqYNH7m\n*VXGRKE7+K6NXHg==", "AAECAwQFBgcICQoLDA0ODx", "=", "AAECAwQFBgcICQoLDA0OD"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		k, err := parseKeyData(jsontext.Value(text))
		plain := strings.NewReplacer("-", "+", "_", "/", " ", "", "\t", "", "\r", "", "\n", "").Replace(s)
		want, wrong := base64.RawStdEncoding.DecodeString(strings.TrimRight(plain, "="))
		if good := wrong == nil && len(want) == 16 && !keys.KeyData(want).IsZero(); good != (err == nil) {
			t.Fatalf("%q: %v, encoding/base64 has %d bytes, %v", s, err, len(want), wrong)
		}
		if err == nil && string(k[:]) != string(want) {
			t.Errorf("%q is read differently", s)
		}
	})
}

func TestInteger(t *testing.T) {
	for _, tt := range []struct {
		text   string
		want   int64
		reason keys.Reason // "" if it is one
	}{
		{"144", 144, ""},
		{"-5", -5, ""},
		{"-0", 0, ""},
		{`"144"`, 144, ""},
		{`"-1"`, -1, ""},
		{`"\u0031"`, 1, ""},
		{"9223372036854775807", 1<<63 - 1, ""},
		{"9223372036854775808", 0, keys.ReasonRange},
		{"1.0", 0, keys.ReasonMalformed},
		{"1e2", 0, keys.ReasonMalformed},
		{`""`, 0, keys.ReasonMalformed},
		{`" 1"`, 0, keys.ReasonMalformed},
		{`"0x10"`, 0, keys.ReasonMalformed},
		{`"1_0"`, 0, keys.ReasonMalformed},
		{`"CONFIRMED_TEST"`, 0, keys.ReasonMalformed},
		{"true", 0, keys.ReasonMalformed},
		{"[1]", 0, keys.ReasonMalformed},
		{"{}", 0, keys.ReasonMalformed},
	} {
		v, ok := jsontext.Parse([]byte(tt.text))
		if !ok {
			t.Fatal(tt.text)
		}
		got, err := integer(v, keys.FieldReportType)
		if tt.reason == "" {
			if err != nil || got != tt.want {
				t.Errorf("%s: got %d, %v", tt.text, got, err)
			}
		} else if !errors.Is(err, &keys.Rejection{Field: keys.FieldReportType, Reason: tt.reason}) {
			t.Errorf("%s: got %d, %v, want the reason %s", tt.text, got, err, tt.reason)
		}
	}
}
