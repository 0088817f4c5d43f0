package efgs

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/gaenkit/gaen/internal/efgspb"
	"github.com/gaenkit/gaen/keys"
)

// message returns keys as generated code has them.
func message(all []DiagnosisKey) *efgspb.DiagnosisKeyBatch {
	m := &efgspb.DiagnosisKeyBatch{}
	for i := range all {
		k := &all[i]
		m.Keys = append(m.Keys, &efgspb.DiagnosisKey{
			KeyData: k.KeyData, RollingStartIntervalNumber: k.RollingStartIntervalNumber, RollingPeriod: k.RollingPeriod,
			TransmissionRiskLevel: k.TransmissionRiskLevel, VisitedCountries: k.VisitedCountries, Origin: k.Origin,
			ReportType: efgspb.ReportType(k.ReportType), DaysSinceOnsetOfSymptoms: k.DaysSinceOnsetOfSymptoms,
		})
	}
	return m
}

// ofMessage is the reverse of message.
func ofMessage(m *efgspb.DiagnosisKeyBatch) (all []DiagnosisKey) {
	for _, k := range m.GetKeys() {
		all = append(all, DiagnosisKey{k.GetKeyData(), k.GetRollingStartIntervalNumber(), k.GetRollingPeriod(), k.GetTransmissionRiskLevel(),
			k.GetVisitedCountries(), k.GetOrigin(), int32(k.GetReportType()), k.GetDaysSinceOnsetOfSymptoms()})
	}
	return all
}

// equal compares keys; nothing and empty are the same.
func equal(a, b []DiagnosisKey) bool {
	return slices.EqualFunc(a, b, func(x, y DiagnosisKey) bool {
		if !bytes.Equal(x.KeyData, y.KeyData) || !slices.Equal(x.VisitedCountries, y.VisitedCountries) {
			return false
		}
		x.KeyData, y.KeyData, x.VisitedCountries, y.VisitedCountries = nil, nil, nil, nil
		return reflect.DeepEqual(x, y)
	})
}

// random returns keys with all sorts of values.
func random(r *rand.Rand, n int) []DiagnosisKey {
	numbers := []int64{0, 1, -1, 127, 128, 144, 2666736, math.MaxInt32, math.MinInt32, 3997, -14}
	number := func() int64 { return numbers[r.IntN(len(numbers))] }
	codes := []string{"DE", "FR", "", "GB-EAW", "é", "\"<\\", "LONGCODE"}
	all := make([]DiagnosisKey, n)
	for i := range all {
		k := &all[i]
		k.KeyData = make([]byte, []int{0, 15, 16, 16, 16, 17, 200}[r.IntN(7)])
		for j := range k.KeyData {
			k.KeyData[j] = byte(r.Uint32())
		}
		k.RollingStartIntervalNumber, k.RollingPeriod, k.TransmissionRiskLevel = uint32(number()), uint32(number()), int32(number())
		for range r.IntN(4) {
			k.VisitedCountries = append(k.VisitedCountries, codes[r.IntN(len(codes))])
		}
		k.Origin = codes[r.IntN(len(codes))]
		k.ReportType, k.DaysSinceOnsetOfSymptoms = int32(r.IntN(7)), int32(number())
	}
	return all
}

// TestLikeProtobuf holds both formats against protobuf's own code, both ways.
func TestLikeProtobuf(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		all := random(r, r.IntN(10))
		want, err := proto.MarshalOptions{Deterministic: true}.Marshal(message(all))
		if err != nil {
			t.Fatal(err)
		}
		if got := Protobuf.Append(nil, all); !bytes.Equal(got, want) {
			t.Fatalf("%d keys are %d bytes, and %d by protobuf's own code", len(all), len(got), len(want))
		}
		decoded, err := Protobuf.Decode(want, 100)
		if err != nil || !equal(decoded.Keys, all) || len(decoded.Malformed) > 0 {
			t.Fatalf("protobuf does not come back: %v", err)
		}
		text := JSON.Append(nil, all)
		m := &efgspb.DiagnosisKeyBatch{}
		if err := protojson.Unmarshal(text, m); err != nil || !equal(ofMessage(m), all) {
			t.Fatalf("protobuf's own code reads other keys: %v", err)
		}
		for _, o := range []protojson.MarshalOptions{{}, {UseProtoNames: true}, {EmitUnpopulated: true, Multiline: true}, {UseEnumNumbers: true}} {
			text, err := o.Marshal(message(all))
			if err != nil {
				t.Fatal(err)
			}
			if decoded, err = JSON.Decode(text, 100); err != nil || !equal(decoded.Keys, all) {
				t.Fatalf("%+v: JSON does not come back: %v", o, err)
			}
		}
	}
}

// TestConcatenated: a batch is the bodies of its uploads, one after another.
func TestConcatenated(t *testing.T) {
	all := random(rand.New(rand.NewPCG(3, 4)), 30)
	var body []byte
	for part := range slices.Chunk(all, 7) {
		body = append(body, Protobuf.Append(nil, part)...)
	}
	if b, err := Protobuf.Decode(body, 30); err != nil || !equal(b.Keys, all) {
		t.Errorf("other keys, or another order: %v", err)
	}
}

// field returns a field of bytes.
func field(n protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), b)
}

// TestMalformedStandsAlone: a key that cannot be read takes neither its neighbours
// nor their places.
func TestMalformedStandsAlone(t *testing.T) {
	good := synthetic()
	proto := func(b []byte) []byte { return field(1, b) }
	for name, c := range map[string]struct {
		format   Format
		odd      []string
		field    keys.Field
		readable bool // as a key with values that are none
	}{
		"no protobuf":       {Protobuf, []string{"\xff", "\x0a", "\x0a\xff\x01", "\x00\x00", "\x0c"}, keys.FieldKeyData, false},
		"origin not UTF-8":  {Protobuf, []string{string(field(6, []byte("\xff\xfe")))}, keys.FieldOrigin, false},
		"country not UTF-8": {Protobuf, []string{string(field(5, []byte("D\xc0")))}, keys.FieldVisitedCountries, false},
		"101 countries":     {Protobuf, []string{strings.Repeat(string(field(5, []byte("DE"))), 101)}, keys.FieldVisitedCountries, false},
		"101 countries too": {JSON, []string{`{"visitedCountries":["DE"` + strings.Repeat(`,"DE"`, 100) + `]}`}, keys.FieldVisitedCountries, false},
		"nothing":           {Protobuf, []string{""}, keys.FieldKeyData, true},
		"not an object":     {JSON, []string{"null", "7", `"x"`, "[]", "[[]]"}, keys.FieldKeyData, false},
		"null and a value":  {JSON, []string{`{"keyData":null,"keyData":"A"}`, `{"keyData":"A","keyData":null}`}, keys.FieldKeyData, false},
		"key data":          {JSON, []string{`{"keyData":7}`, `{"keyData":"*"}`, `{"keyData":["A"]}`, `{"keyData":"A","keyData":"B"}`}, keys.FieldKeyData, false},
		"start":             {JSON, []string{`{"rollingStartIntervalNumber":-1}`, `{"rollingStartIntervalNumber":4294967296}`, `{"rollingStartIntervalNumber":"x"}`, `{"rollingStartIntervalNumber":1,"rollingStartIntervalNumber":2}`, `{"rollingStartIntervalNumber":1e400}`}, keys.FieldRollingStart, false},
		"period":            {JSON, []string{`{"rollingPeriod":1.5}`, `{"rollingPeriod":{}}`, `{"rollingPeriod":99999999999999999999}`, `{"rollingPeriod":1,"rollingPeriod":1}`}, keys.FieldRollingPeriod, false},
		"risk":              {JSON, []string{`{"transmissionRiskLevel":2147483648}`, `{"transmissionRiskLevel":1,"transmissionRiskLevel":1}`}, keys.FieldTransmissionRisk, false},
		"countries":         {JSON, []string{`{"visitedCountries":"DE"}`, `{"visitedCountries":[1]}`, `{"visitedCountries":[],"visitedCountries":[]}`}, keys.FieldVisitedCountries, false},
		"origin":            {JSON, []string{`{"origin":["DE"]}`, `{"origin":"DE","origin":"FR"}`}, keys.FieldOrigin, false},
		"report type":       {JSON, []string{`{"reportType":"confirmed_test"}`, `{"reportType":true}`, `{"reportType":1,"reportType":1}`}, keys.FieldReportType, false},
		"onset":             {JSON, []string{`{"days_since_onset_of_symptoms":1,"daysSinceOnsetOfSymptoms":1}`, `{"daysSinceOnsetOfSymptoms":[]}`, `{"daysSinceOnsetOfSymptoms":1,"daysSinceOnsetOfSymptoms":1}`}, keys.FieldDaysSinceOnset, false},
	} {
		for _, odd := range c.odd {
			var body []byte
			if c.format == Protobuf {
				one := Protobuf.Append(nil, []DiagnosisKey{good})
				body = slices.Concat(one, proto([]byte(odd)), one)
			} else {
				one := strings.TrimSuffix(strings.TrimPrefix(string(JSON.Append(nil, []DiagnosisKey{good})), `{"keys":[`), `]}`)
				body = []byte(`{"keys":[` + one + "," + odd + "," + one + `]}`)
			}
			b, err := c.format.Decode(body, 3)
			if err != nil || len(b.Keys) != 3 || !equal(b.Keys[:1], []DiagnosisKey{good}) || !equal(b.Keys[2:], []DiagnosisKey{good}) {
				t.Errorf("%s: its neighbours are not there: %v", name, err)
				continue
			}
			if why := b.Malformed[1]; c.readable != (why == nil) || len(b.Malformed) > 1 {
				t.Errorf("%s: %q: malformed is %v", name, odd, b.Malformed)
			}
			if _, err := b.Key(1); !errors.Is(err, &keys.Rejection{Field: c.field, Reason: keys.ReasonMalformed}) && !strings.HasPrefix(name, "101 countries") &&
				!errors.Is(err, &keys.Rejection{Field: c.field, Reason: keys.ReasonRange}) && !c.readable {
				t.Errorf("%s: %q: got %v", name, odd, err)
			}
		}
	}
}

func TestUnreadableBodies(t *testing.T) {
	whole := Protobuf.Append(nil, []DiagnosisKey{synthetic(), synthetic()})
	text := JSON.Append(nil, []DiagnosisKey{synthetic()})
	for name, c := range map[string]struct {
		format Format
		body   []byte
	}{
		"cut off":          {Protobuf, whole[:len(whole)-1]},
		"cut off in a tag": {Protobuf, append(slices.Clone(whole), 0x80)},
		"a length too far": {Protobuf, []byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f}},
		"HTML":             {Protobuf, []byte("<html>")},
		"JSON cut off":     {JSON, text[:len(text)-1]},
		"JSON twice":       {JSON, append(slices.Clone(text), text...)},
		"null":             {JSON, []byte("null")},
		"an array":         {JSON, []byte("[]")},
		"keys twice":       {JSON, []byte(`{"keys":[],"keys":[]}`)},
		"no array":         {JSON, []byte(`{"keys":{}}`)},
		"deep":             {JSON, bytes.Repeat([]byte{'['}, 1<<20)},
	} {
		if _, err := c.format.Decode(c.body, 100); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, c := range map[string]struct {
		format Format
		body   string
	}{
		"empty": {Protobuf, ""}, "empty JSON": {JSON, " "}, "an empty object": {JSON, "{}"}, "null for keys": {JSON, `{"keys":null,"other":[{}]}`},
		"unknown fields": {Protobuf, string(field(99, []byte("x"))) + "\x08\x01"},
	} {
		if b, err := c.format.Decode([]byte(c.body), 100); err != nil || len(b.Keys) != 0 {
			t.Errorf("%s: got %v, %v", name, b, err)
		}
	}
	for _, f := range []Format{Protobuf, JSON} {
		body := f.Append(nil, random(rand.New(rand.NewPCG(1, 1)), 5))
		if _, err := f.Decode(body, 5); err != nil {
			t.Errorf("%s: %v", f, err)
		}
		if _, err := f.Decode(body, 4); !errors.Is(err, ErrTooManyKeys) {
			t.Errorf("%s: got %v, want too many keys", f, err)
		}
	}
}

func TestWhatJSONMayLookLike(t *testing.T) {
	text := `{"other":{"keys":[]},"keys":[{"keyData":"AAECAwQFBgcICQoLDA0ODw","rollingStartIntervalNumber":"2666736","rollingPeriod":144,
		"transmissionRiskLevel":2147483647,"visitedCountries":[],"origin":"\u0046I","reportType":"CONFIRMED_TEST","daysSinceOnsetOfSymptoms":null,"x":[{}]}]}`
	b, err := JSON.Decode([]byte(text), 1)
	if err != nil || !equal(b.Keys, []DiagnosisKey{synthetic()}) {
		t.Errorf("got %v, %v", b, err)
	}
	for _, data := range []string{"-_8=", "-_8", "+/8=", "+/8"} {
		b, err := JSON.Decode([]byte(`{"keys":[{"keyData":"`+data+`"}]}`), 1)
		if err != nil || !bytes.Equal(b.Keys[0].KeyData, []byte{0xfb, 0xff}) {
			t.Errorf("%s: got %v, %v", data, b, err)
		}
	}
}

// TestKeysOfABatchShareTexts: what a body is decoded into is bounded by what is in
// it.
func TestDecodeAllocates(t *testing.T) {
	all := make([]DiagnosisKey, MaxBatch)
	for i := range all {
		all[i] = synthetic()
		all[i].VisitedCountries = []string{"DE", "FR"}
	}
	body := Protobuf.Append(nil, all)
	if n := testing.AllocsPerRun(10, func() { Protobuf.Decode(body, MaxBatch) }); n > 100 {
		t.Errorf("decoding %d keys allocates %v times", MaxBatch, n)
	}
	if n := testing.AllocsPerRun(10, func() { SigningBytes(all) }); n > 20 {
		t.Errorf("the signing bytes of %d keys allocate %v times", MaxBatch, n)
	}
	s := speller{}
	for i := range 5 * maxTexts {
		s.spell(fmt.Append(nil, i))
	}
	if len(s.texts) > maxTexts {
		t.Errorf("%d texts are kept", len(s.texts))
	}
}

// FuzzDecode: what can be read of any bytes is what protobuf's own code reads, and
// comes back; nothing panics.
func FuzzDecode(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		all := random(r, 3)
		f.Add(Protobuf.Append(nil, all), false)
		f.Add(JSON.Append(nil, all), true)
	}
	f.Add([]byte{0x0a, 0x02, 0x38, 0x07, 0x0a, 0x01, 0xff}, false)
	f.Add([]byte("\x0a\x0b\x2a\x03\xff\xff\xff\x13\x14\x0a\x02DE"), false)
	f.Fuzz(func(t *testing.T, body []byte, asJSON bool) {
		format := Protobuf
		if asJSON {
			format = JSON
		}
		b, err := format.Decode(body, 50)
		if err != nil {
			if b != nil {
				t.Error("a batch and an error")
			}
			return
		}
		SigningBytes(b.Keys)
		for i := range b.Keys {
			b.Key(i)
		}
		again, err := format.Decode(format.Append(nil, b.Keys), 50)
		if err != nil || len(again.Malformed) > 0 || !asJSON && !equal(again.Keys, b.Keys) {
			t.Errorf("does not come back: %v, %v", err, maps.Collect(maps.All(again.Malformed)))
		}
		if m := (&efgspb.DiagnosisKeyBatch{}); !asJSON && len(b.Malformed) == 0 && proto.Unmarshal(body, m) == nil && !equal(ofMessage(m), b.Keys) {
			t.Error("protobuf's own code reads other keys")
		}
	})
}
