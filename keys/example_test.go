package keys_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// A submission as it comes from a phone, and the diagnosis key it becomes.
func Example_parse() {
	submitted := struct {
		key                      string
		rollingStart, period     int64
		daysSinceOnsetOfSymptoms int64
	}{"FnA6yV5FSyB2MZ/hXIf7Ow==", 2683296, 144, -2}

	parse := func() (k keys.DiagnosisKey, err error) {
		data, err := base64.StdEncoding.DecodeString(submitted.key)
		if err != nil {
			return k, err
		}
		if k.KeyData, err = keys.ParseKeyData(data); err != nil {
			return k, err
		}
		if k.RollingStartIntervalNumber, err = keys.ParseInterval(submitted.rollingStart); err != nil {
			return k, err
		}
		if k.RollingPeriod, err = keys.ParseRollingPeriod(submitted.period); err != nil {
			return k, err
		}
		days, err := keys.ParseDaysSinceOnset(submitted.daysSinceOnsetOfSymptoms)
		if err != nil {
			return k, err
		}
		k.DaysSinceOnsetOfSymptoms = keys.Some(days)
		k.Origin = keys.MustRegion("IE") // we are Ireland
		k.ConsentToFederate = keys.ConsentGiven
		return k, nil
	}

	k, err := parse()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(k.KeyData, k.RollingStartIntervalNumber.Time(), k.Origin)
	fmt.Println("ends", k.End())
	fmt.Println("onset", k.DaysSinceOnsetOfSymptoms, "risk", k.TransmissionRiskLevel)
	// Output:
	// KeyData(redacted) 2021-01-07 00:00:00 +0000 UTC IE
	// ends 2021-01-08 00:00:00 +0000 UTC
	// onset -2 risk absent
}

// The same key may be taken from a phone today and must not be published yet.
func ExamplePolicy_Check() {
	k := keys.DiagnosisKey{
		TemporaryExposureKey: keys.TemporaryExposureKey{
			KeyData:                    keys.KeyData{0x16, 0x70, 0x3a, 0xc9},
			RollingStartIntervalNumber: keys.IntervalAt(time.Date(2021, 1, 7, 0, 0, 0, 0, time.UTC)),
			RollingPeriod:              keys.IntervalsPerDay,
			ReportType:                 keys.Some(keys.ReportConfirmedTest),
		},
		Origin:            keys.MustRegion("IE"),
		ConsentToFederate: keys.ConsentRefused,
	}
	now := time.Date(2021, 1, 8, 1, 15, 0, 0, time.UTC)

	fmt.Println(keys.FromPhone().Check(&k, now))

	err := keys.IntoArchive().Check(&k, now)
	fmt.Println(err)
	fmt.Println(errors.Is(err, &keys.Rejection{Reason: keys.ReasonEmbargo}))

	// Where phones do not understand self-reports, they may not submit any.
	ours := keys.FromPhone()
	ours.ReportTypes = keys.ReportTypesOf(keys.ReportConfirmedTest)
	k.ReportType = keys.Some(keys.ReportSelfReport)
	fmt.Println(ours.Check(&k, now))
	// Output:
	// <nil>
	// keys: rolling_period: embargo: under embargo for another 45m0s
	// true
	// keys: report_type: not-allowed: SELF_REPORT
}

// Federation servers pack more into days since onset than days.
func ExampleDaysSinceOnset_Onset() {
	for _, n := range []int64{-3, 698, 2990, 50} {
		days, err := keys.ParseDaysSinceOnset(n)
		if err != nil {
			fmt.Println(err)
			continue
		}
		onset, _ := days.Onset()
		fmt.Println(n, "is", onset.Status, onset.Days, onset.Range, "and in an archive", days.InArchive())
	}
	// Output:
	// -3 is known -3 0 and in an archive -3
	// 698 is in range -2 7 and in an archive absent
	// 2990 is asymptomatic -10 0 and in an archive absent
	// keys: days_since_onset_of_symptoms: range: 50 lies between two forms of the encoding
}

func ExampleParseRegions() {
	visited, err := keys.ParseRegions("fr", "AT", "", "GB-EAW", "FR")
	fmt.Println(visited, err)

	_, err = keys.ParseRegions("AT", "../FR")
	fmt.Println(err)
	// Output:
	// AT,FR,GB-EAW <nil>
	// keys: visited_countries: malformed: byte 0 is not a letter, a digit or an inner hyphen
}

// A key reported by its owner may be confirmed later; a confirmed one may not
// be taken back on phones.
func ExampleReportType_CanBecome() {
	fmt.Println(keys.ReportSelfReport.CanBecome(keys.ReportConfirmedTest))
	fmt.Println(keys.ReportConfirmedTest.CanBecome(keys.ReportRevoked))
	// Output:
	// true
	// false
}
