package keys_test

import (
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
)

var (
	atUpload = time.Date(2021, 2, 8, 12, 0, 0, 0, time.UTC)
	today    = keys.IntervalAt(atUpload).Day()
	afterAll = atUpload.Add(365 * 24 * time.Hour)

	// austriaAndFrance is held here so that it stays at one address, which %d
	// prints.
	austriaAndFrance = mustRegions("AT", "FR")
)

// goodKey returns a key that passes every ready-made policy, FromPhone and
// FromPartner at atUpload and IntoArchive later on.
func goodKey() keys.DiagnosisKey {
	return keys.DiagnosisKey{
		TemporaryExposureKey: keys.TemporaryExposureKey{
			KeyData:                    keys.KeyData{0x16, 0x70, 0x3a, 0xc9, 0x5e, 0x45, 0x4b, 0x20, 0x76, 0x31, 0x9f, 0xe1, 0x5c, 0x87, 0xfb, 0x3b},
			RollingStartIntervalNumber: keys.StartOfDay(today - 3),
			RollingPeriod:              keys.IntervalsPerDay,
			TransmissionRiskLevel:      keys.Some(keys.TransmissionRiskLevel(6)),
			ReportType:                 keys.Some(keys.ReportConfirmedTest),
			DaysSinceOnsetOfSymptoms:   keys.Some(keys.DaysSinceOnset(-1)),
		},
		Origin:            keys.MustRegion("DE"),
		VisitedCountries:  austriaAndFrance,
		TestType:          keys.TestLab,
		ConsentToFederate: keys.ConsentRefused,
	}
}

// pass is the verdict on a key that a policy takes.
var pass = keys.Rejection{}

func verdict(field keys.Field, reason keys.Reason) keys.Rejection {
	return keys.Rejection{Field: field, Reason: reason}
}

func checkVerdict(t *testing.T, name string, err error, want keys.Rejection) {
	t.Helper()
	if want == pass {
		if err != nil {
			t.Errorf("%s: got %v, want it taken", name, err)
		}
		return
	}
	checkRejection(t, err, want.Field)
	if r, _ := errors.AsType[*keys.Rejection](err); r.Reason != want.Reason || r.Detail == "" {
		t.Errorf("%s: got %v, want the reason %s and a detail", name, err, want.Reason)
	}
}

// TestPolicies has a row for each rule, with the verdict of each policy.
func TestPolicies(t *testing.T) {
	onset := func(d keys.DaysSinceOnset) func(*keys.DiagnosisKey) {
		return func(k *keys.DiagnosisKey) { k.DaysSinceOnsetOfSymptoms = keys.Some(d) }
	}
	report := func(r keys.ReportType) func(*keys.DiagnosisKey) {
		return func(k *keys.DiagnosisKey) { k.ReportType = keys.Some(r) }
	}
	risk := func(l keys.TransmissionRiskLevel) func(*keys.DiagnosisKey) {
		return func(k *keys.DiagnosisKey) { k.TransmissionRiskLevel = keys.Some(l) }
	}
	all := func(r keys.Rejection) [3]keys.Rejection { return [3]keys.Rejection{r, r, r} }
	archiveOnset := verdict(keys.FieldDaysSinceOnset, keys.ReasonNotAllowed)
	notAllowed := verdict(keys.FieldReportType, keys.ReasonNotAllowed)
	onsetRange := all(verdict(keys.FieldDaysSinceOnset, keys.ReasonRange))

	tests := []struct {
		name   string
		change func(*keys.DiagnosisKey)
		want   [3]keys.Rejection // from a phone, from a partner, into an archive
	}{
		{"good", func(*keys.DiagnosisKey) {}, all(pass)},
		{"no key data", func(k *keys.DiagnosisKey) { k.KeyData = keys.KeyData{} }, all(verdict(keys.FieldKeyData, keys.ReasonZero))},
		{"negative start", func(k *keys.DiagnosisKey) { k.RollingStartIntervalNumber = -1 }, all(verdict(keys.FieldRollingStart, keys.ReasonRange))},
		{"most negative start", func(k *keys.DiagnosisKey) { k.RollingStartIntervalNumber = math.MinInt32 }, all(verdict(keys.FieldRollingStart, keys.ReasonRange))},
		{"no period", func(k *keys.DiagnosisKey) { k.RollingPeriod = 0 }, all(verdict(keys.FieldRollingPeriod, keys.ReasonRange))},
		{"shortest period", func(k *keys.DiagnosisKey) { k.RollingPeriod = 1 }, all(pass)},
		{"longest period", func(k *keys.DiagnosisKey) { k.RollingPeriod = 144 }, all(pass)},
		{"longer period", func(k *keys.DiagnosisKey) { k.RollingPeriod = 145 }, all(verdict(keys.FieldRollingPeriod, keys.ReasonRange))},
		{"longest byte of a period", func(k *keys.DiagnosisKey) { k.RollingPeriod = 255 }, all(verdict(keys.FieldRollingPeriod, keys.ReasonRange))},
		{"start within a day", func(k *keys.DiagnosisKey) { k.RollingStartIntervalNumber += 71 }, all(pass)},

		{"no risk", func(k *keys.DiagnosisKey) { k.TransmissionRiskLevel = none[keys.TransmissionRiskLevel]() }, all(pass)},
		{"risk 0", risk(0), all(pass)},
		{"risk 8", risk(8), all(pass)},
		{"risk 9", risk(9), all(verdict(keys.FieldTransmissionRisk, keys.ReasonRange))},
		{"risk 255", risk(255), all(verdict(keys.FieldTransmissionRisk, keys.ReasonRange))},

		{"no report type", func(k *keys.DiagnosisKey) { k.ReportType = none[keys.ReportType]() }, all(pass)},
		{"unknown", report(keys.ReportUnknown), [3]keys.Rejection{notAllowed, pass, pass}},
		{"confirmed test", report(keys.ReportConfirmedTest), all(pass)},
		{"clinical diagnosis", report(keys.ReportConfirmedClinicalDiagnosis), all(pass)},
		{"self-report", report(keys.ReportSelfReport), all(pass)},
		{"recursive", report(keys.ReportRecursive), [3]keys.Rejection{notAllowed, notAllowed, pass}},
		{"revoked", report(keys.ReportRevoked), [3]keys.Rejection{notAllowed, notAllowed, pass}},
		{"no such report type", report(6), all(verdict(keys.FieldReportType, keys.ReasonRange))},
		{"report type that wraps to a bit", report(65), all(verdict(keys.FieldReportType, keys.ReasonRange))},

		{"no variant", func(k *keys.DiagnosisKey) { k.VariantOfConcern = none[keys.VariantOfConcern]() }, all(pass)},
		{"variant 4", func(k *keys.DiagnosisKey) { k.VariantOfConcern = keys.Some(keys.VariantOfConcern(4)) }, all(pass)},
		{"variant 5", func(k *keys.DiagnosisKey) { k.VariantOfConcern = keys.Some(keys.VariantOfConcern(5)) }, all(verdict(keys.FieldVariant, keys.ReasonRange))},

		{"no onset", func(k *keys.DiagnosisKey) { k.DaysSinceOnsetOfSymptoms = none[keys.DaysSinceOnset]() }, all(pass)},
		{"onset today", onset(0), all(pass)},
		{"onset -14", onset(-14), all(pass)},
		{"onset 14", onset(14), all(pass)},
		{"onset -15", onset(-15), onsetRange},
		{"onset 15", onset(15), onsetRange},
		{"onset 85", onset(85), onsetRange},
		{"onset in a range", onset(86), [3]keys.Rejection{archiveOnset, pass, archiveOnset}},
		{"onset 1914", onset(1914), [3]keys.Rejection{archiveOnset, pass, archiveOnset}},
		{"onset unknown", onset(2000), [3]keys.Rejection{archiveOnset, pass, archiveOnset}},
		{"onset 4014", onset(4014), [3]keys.Rejection{archiveOnset, pass, archiveOnset}},
		{"onset 4015", onset(4015), onsetRange},
		{"onset least", onset(math.MinInt16), onsetRange},

		{"no origin", func(k *keys.DiagnosisKey) { k.Origin = keys.Region{} }, all(verdict(keys.FieldOrigin, keys.ReasonMissing))},
		{"nowhere visited", func(k *keys.DiagnosisKey) { k.VisitedCountries = keys.Regions{} }, all(pass)},
		{"no test type", func(k *keys.DiagnosisKey) { k.TestType = keys.TestUnstated }, all(pass)},
		{"last test type", func(k *keys.DiagnosisKey) { k.TestType = keys.TestRapidSelfReported }, all(pass)},
		{"no such test type", func(k *keys.DiagnosisKey) { k.TestType = 4 }, all(verdict(keys.FieldTestType, keys.ReasonRange))},
		{"consent given", func(k *keys.DiagnosisKey) { k.ConsentToFederate = keys.ConsentGiven }, all(pass)},
		{"consent not stated", func(k *keys.DiagnosisKey) { k.ConsentToFederate = keys.ConsentUnstated }, [3]keys.Rejection{verdict(keys.FieldConsent, keys.ReasonMissing), pass, pass}},
		{"no such consent", func(k *keys.DiagnosisKey) { k.ConsentToFederate = 3 }, all(verdict(keys.FieldConsent, keys.ReasonRange))},
		{"padding", func(k *keys.DiagnosisKey) { k.Provenance = keys.Padding }, [3]keys.Rejection{verdict(keys.FieldProvenance, keys.ReasonNotAllowed), verdict(keys.FieldProvenance, keys.ReasonNotAllowed), pass}},
		{"no such provenance", func(k *keys.DiagnosisKey) { k.Provenance = 2 }, all(verdict(keys.FieldProvenance, keys.ReasonRange))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := goodKey()
			tt.change(&k)
			checkVerdict(t, "from a phone", keys.FromPhone().Check(&k, atUpload), tt.want[0])
			checkVerdict(t, "from a partner", keys.FromPartner().Check(&k, atUpload), tt.want[1])
			checkVerdict(t, "into an archive", keys.IntoArchive().Check(&k, afterAll), tt.want[2])
		})
	}
}

// TestPolicyTimes has a row for each side of each limit in time.
func TestPolicyTimes(t *testing.T) {
	const day = 24 * time.Hour
	var (
		start   = keys.StartOfDay(today)
		begin   = start.Time()
		tooOld  = verdict(keys.FieldRollingStart, keys.ReasonTooOld)
		early   = verdict(keys.FieldRollingStart, keys.ReasonInFuture)
		embargo = verdict(keys.FieldRollingPeriod, keys.ReasonEmbargo)
		phone   = keys.FromPhone()
		partner = keys.FromPartner()
		archive = keys.IntoArchive()
	)
	longer := archive
	longer.Embargo = 24 * time.Hour // as Germany had it for a while
	shorter := archive
	shorter.Embargo = time.Nanosecond
	negative := phone
	negative.Embargo = -time.Hour

	tests := []struct {
		name   string
		policy keys.Policy
		now    time.Time
		period uint8
		want   keys.Rejection
	}{
		{"phone, ended exactly 14 days ago", phone, begin.Add(15 * day), 144, pass},
		{"phone, ended 14 days and a nanosecond ago", phone, begin.Add(15*day + 1), 144, tooOld},
		{"phone, a short period, exactly 14 days", phone, begin.Add(14*day + 10*time.Minute), 1, pass},
		{"phone, a short period, 14 days and a nanosecond", phone, begin.Add(14*day + 10*time.Minute + 1), 1, tooOld},
		{"phone, ended 15 days ago", phone, begin.Add(16 * day), 144, tooOld},
		{"phone, 290 years", phone, begin.Add(math.MaxInt64), 144, tooOld},
		{"phone, now", phone, begin, 144, pass},
		{"phone, one interval of lead", phone, begin.Add(-keys.IntervalLength), 144, pass},
		{"phone, one interval and a nanosecond of lead", phone, begin.Add(-keys.IntervalLength - 1), 144, early},
		{"phone, a day of lead", phone, begin.Add(-day), 144, early},
		{"phone, 290 years of lead", phone, begin.Add(math.MinInt64), 144, early},
		{"phone, before time", phone, time.Time{}, 144, early},
		{"phone, period not over", phone, begin.Add(time.Hour), 144, pass},

		{"partner, ended exactly 14 days ago", partner, begin.Add(15 * day), 144, pass},
		{"partner, ended 14 days and a nanosecond ago", partner, begin.Add(15*day + 1), 144, tooOld},
		{"partner, one interval of lead", partner, begin.Add(-keys.IntervalLength), 144, pass},
		{"partner, one interval and a nanosecond of lead", partner, begin.Add(-keys.IntervalLength - 1), 144, early},
		{"partner, period not over", partner, begin.Add(time.Hour), 144, pass},

		{"archive, exactly 2 h after the end", archive, begin.Add(day + 2*time.Hour), 144, pass},
		{"archive, a nanosecond less", archive, begin.Add(day + 2*time.Hour - 1), 144, embargo},
		{"archive, at the end", archive, begin.Add(day), 144, embargo},
		{"archive, during the period", archive, begin.Add(time.Hour), 144, embargo},
		{"archive, before the period", archive, begin.Add(-day), 144, embargo},
		{"archive, 2 h after a short period", archive, begin.Add(2*time.Hour + 10*time.Minute), 1, pass},
		{"archive, a nanosecond less after a short period", archive, begin.Add(2*time.Hour + 10*time.Minute - 1), 1, embargo},
		{"archive, any age", archive, begin.Add(1000 * day), 144, pass},
		{"archive, 290 years", archive, begin.Add(math.MaxInt64), 144, pass},

		{"longer embargo, exactly", longer, begin.Add(2 * day), 144, pass},
		{"longer embargo, a nanosecond less", longer, begin.Add(2*day - 1), 144, embargo},
		{"shorter embargo counts as 2 h", shorter, begin.Add(day + 2*time.Hour - 1), 144, embargo},
		{"shorter embargo, 2 h", shorter, begin.Add(day + 2*time.Hour), 144, pass},
		{"negative embargo is none, not old", negative, begin, 144, pass},
		{"negative embargo is none, lead counts", negative, begin.Add(-day), 144, early},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := goodKey()
			k.RollingStartIntervalNumber, k.RollingPeriod = start, tt.period
			checkVerdict(t, tt.name, tt.policy.Check(&k, tt.now), tt.want)
			checkVerdict(t, tt.name, tt.policy.CheckExposure(&k.TemporaryExposureKey, tt.now), tt.want)
		})
	}
}

// TestZeroPolicy: what nobody has allowed must be refused.
func TestZeroPolicy(t *testing.T) {
	var zero keys.Policy
	k := goodKey()
	checkVerdict(t, "old", zero.Check(&k, atUpload), verdict(keys.FieldRollingStart, keys.ReasonTooOld))
	k.RollingStartIntervalNumber = keys.IntervalAt(atUpload)
	checkVerdict(t, "a nanosecond old", zero.Check(&k, k.End().Add(1)), verdict(keys.FieldRollingStart, keys.ReasonTooOld))
	checkVerdict(t, "a nanosecond early", zero.Check(&k, atUpload.Add(-1)), verdict(keys.FieldRollingStart, keys.ReasonInFuture))
	checkVerdict(t, "confirmed", zero.Check(&k, atUpload), verdict(keys.FieldReportType, keys.ReasonNotAllowed))
	k.ReportType = none[keys.ReportType]()
	k.Provenance = keys.Padding
	checkVerdict(t, "padding", zero.Check(&k, atUpload), verdict(keys.FieldProvenance, keys.ReasonNotAllowed))
}

func TestAnyAge(t *testing.T) {
	k := goodKey()
	k.RollingStartIntervalNumber = 0
	p := keys.FromPartner()
	p.MaxAge = keys.AnyAge
	for _, now := range []time.Time{atUpload, time.Unix(math.MaxInt32*600, 0), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)} {
		if err := p.Check(&k, now); err != nil {
			t.Errorf("%s: %v", now, err)
		}
	}
}

// TestCheckExposureIsAboutTheExposureKey: what phones do not see is not asked.
func TestCheckExposureIsAboutTheExposureKey(t *testing.T) {
	k := keys.DiagnosisKey{TemporaryExposureKey: goodKey().TemporaryExposureKey}
	if err := keys.FromPhone().CheckExposure(&k.TemporaryExposureKey, atUpload); err != nil {
		t.Error(err)
	}
	if err := keys.FromPhone().Check(&k, atUpload); err == nil {
		t.Error("a key without an origin is taken")
	}
}

// TestCheckJudgesOneKey: a bad key must not poison its neighbours (EFGS 233,
// COCOA 639), so a verdict is the same whatever was judged before or is being
// judged beside it, and judging changes nothing.
func TestCheckJudgesOneKey(t *testing.T) {
	all := alike(200)
	for i := range all {
		if i%2 == 0 {
			all[i] = goodKey()
		}
	}
	before := append([]keys.DiagnosisKey(nil), all...)
	p := keys.FromPartner()
	alone := make([]string, len(all))
	for i := range all {
		alone[i] = verdictText(p, &all[i])
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := len(all) - 1; i >= 0; i-- {
				if got := verdictText(p, &all[i]); got != alone[i] {
					t.Errorf("key %d: got %q, alone %q", i, got, alone[i])
				}
			}
		})
	}
	wg.Wait()
	for i := range all {
		if all[i] != before[i] {
			t.Errorf("judging changed key %d", i)
		}
		if i%2 == 0 && alone[i] != "" {
			t.Errorf("good key %d: %s", i, alone[i])
		}
	}
}

func verdictText(p keys.Policy, k *keys.DiagnosisKey) string {
	if err := p.Check(k, atUpload); err != nil {
		return err.Error()
	}
	return ""
}
