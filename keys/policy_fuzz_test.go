package keys_test

import (
	"encoding/binary"
	"testing"
	"time"
	"unsafe"

	"github.com/gaenkit/gaen/keys"
)

// bitsPerKey is how many bytes anyKey can make use of.
const bitsPerKey = 44

// anyKey makes a key of any bits, also of such as no parser lets through.
func anyKey(bits []byte) (k keys.DiagnosisKey) {
	var b [bitsPerKey]byte
	copy(b[:], bits)
	copy(k.KeyData[:], b[0:])
	k.RollingStartIntervalNumber = keys.Interval(binary.LittleEndian.Uint32(b[16:]))
	k.RollingPeriod = b[20]
	k.TransmissionRiskLevel = optional(b[21], keys.TransmissionRiskLevel(b[22]))
	k.ReportType = optional(b[23], keys.ReportType(b[24]))
	k.VariantOfConcern = optional(b[25], keys.VariantOfConcern(b[26]))
	k.DaysSinceOnsetOfSymptoms = optional(b[27], keys.DaysSinceOnset(binary.LittleEndian.Uint16(b[28:])))
	*(*[keys.MaxRegionLength]byte)(unsafe.Pointer(&k.Origin)) = [keys.MaxRegionLength]byte(b[30:])
	k.TestType = keys.TestType(b[38])
	k.ConsentToFederate = keys.Consent(b[39])
	k.Provenance = keys.Provenance(b[40])
	k.VisitedCountries, _ = keys.ParseRegions(string(b[41:44]))
	return k
}

func optional[T comparable](present byte, v T) keys.Optional[T] {
	if present%2 == 0 {
		return keys.Optional[T]{}
	}
	return keys.Some(v)
}

func FuzzPolicyCheck(f *testing.F) {
	good := append([]byte("sixteen bytes 16"), 0xb0, 0xdc, 0x28, 0, 144, 1, 6, 1, 1, 0, 0, 1, 0, 0, 'D', 'E', 0, 0, 0, 0, 0, 0, 1, 1, 0, 'F', 'R', 0)
	for _, at := range []int64{-1, 16, 19, 20, 22, 24, 26, 28, 29, 30, 38, 39, 40} {
		bits := append([]byte(nil), good...)
		if at >= 0 {
			bits[at] = 0xff
		}
		f.Add(bits, int64(2680240*600), int64(14*24*time.Hour), int64(10*time.Minute), int64(0), uint8(0x3f), uint8(7))
		f.Add(bits, int64(2680240*600), int64(keys.AnyAge), int64(0), int64(2*time.Hour), uint8(0x0e), uint8(0))
	}
	f.Add([]byte{}, int64(-1<<63), int64(-1<<63), int64(1<<63-1), int64(-1<<63), uint8(255), uint8(255))
	f.Fuzz(func(t *testing.T, bits []byte, now, age, lead, embargo int64, types, flags uint8) {
		k, at := anyKey(bits), time.Unix(now, 0)
		custom := keys.Policy{
			MaxAge: time.Duration(age), MaxLead: time.Duration(lead), Embargo: time.Duration(embargo),
			ReportTypes:  keys.ReportTypes(types),
			ArchiveOnset: flags&1 != 0, RequireConsent: flags&2 != 0, AllowPadding: flags&4 != 0,
		}
		for _, p := range []keys.Policy{custom, keys.FromPhone(), keys.FromPartner(), keys.IntoArchive()} {
			checkJudgement(t, p, k, at)
		}
	})
}

var allFields = []keys.Field{
	keys.FieldKeyData, keys.FieldRollingStart, keys.FieldRollingPeriod, keys.FieldTransmissionRisk, keys.FieldReportType,
	keys.FieldDaysSinceOnset, keys.FieldVariant, keys.FieldOrigin, keys.FieldTestType, keys.FieldConsent, keys.FieldProvenance,
}

// checkJudgement holds p's judgement of k against what is true of all of them.
func checkJudgement(t *testing.T, p keys.Policy, k keys.DiagnosisKey, now time.Time) {
	t.Helper()
	before := k
	err := p.Check(&k, now)
	if k != before {
		t.Error("judging changed the key")
	}
	if err == nil {
		checkTaken(t, p, &k, now)
		return
	}
	checkRejection(t, err, allFields...)
	if k.KeyData.IsZero() {
		return
	}
	// A text that is the same for other key data holds none.
	for i := range k.KeyData {
		k.KeyData[i] ^= 0x5a
	}
	if k.KeyData.IsZero() {
		k.KeyData[0] = 1
	}
	if other := p.Check(&k, now); other == nil || other.Error() != err.Error() {
		t.Errorf("got %q, and with other key data %v", err, other)
	}
}

// checkTaken restates, in its own words, what a key must be like to be taken.
func checkTaken(t *testing.T, p keys.Policy, k *keys.DiagnosisKey, now time.Time) {
	t.Helper()
	must := func(holds bool, what string) {
		if !holds {
			t.Errorf("%+v takes a key whose %s at %s: %+v", p, what, now, k)
		}
	}
	must(!k.KeyData.IsZero(), "data is zero")
	must(k.RollingStartIntervalNumber >= 0, "start is negative")
	must(0 < k.RollingPeriod && k.RollingPeriod <= 144, "period is out of range")
	must(k.TransmissionRiskLevel.Or(0) <= 8, "risk is out of range")
	must(k.ReportType.Or(0) <= 5, "report type is none")
	must(!k.ReportType.Present() || p.ReportTypes>>k.ReportType.Or(0)&1 == 1, "report type is not allowed")
	must(k.VariantOfConcern.Or(0) <= 4, "variant is out of range")
	onset := int64(k.DaysSinceOnsetOfSymptoms.Or(0))
	_, known := encoding[onset]
	must(known, "onset is no value of the encoding")
	must(!p.ArchiveOnset || -14 <= onset && onset <= 14, "onset is not for archives")
	must(k.Origin != keys.Region{}, "origin is missing")
	must(k.TestType <= 3 && k.ConsentToFederate <= 2 && k.Provenance <= 1, "kind is none")
	must(!p.RequireConsent || k.ConsentToFederate != 0, "consent is not stated")
	must(p.AllowPadding || k.Provenance == keys.Real, "provenance is padding")

	// In seconds, which cannot overflow for any time that people live in.
	if now.Unix() < 0 || now.Unix() > 1<<40 || p.MaxAge < 0 || p.MaxLead < 0 {
		return
	}
	start := int64(k.RollingStartIntervalNumber) * 600
	must(p.MaxAge == keys.AnyAge || start+int64(k.RollingPeriod)*600 >= now.Unix()-int64(p.MaxAge/time.Second), "end is too old")
	if p.Embargo > 0 {
		wait := max(int64(p.Embargo/time.Second), 2*60*60)
		must(start+int64(k.RollingPeriod)*600+wait <= now.Unix(), "embargo is not over")
	} else {
		must(start <= now.Unix()+int64(p.MaxLead/time.Second), "start is in the future")
	}
}
