package keys

import (
	"bytes"
	"cmp"
	"time"
)

// Embargo is how long a key stays secret after the end of its rolling period.
// Phones accept broadcasts that are up to two hours off, so a key published
// earlier could still be used to impersonate its owner (specification of Google
// and Apple). Back ends may wait longer, never shorter.
const Embargo = 2 * time.Hour

// A TemporaryExposureKey is one key as a phone made it and as an archive
// carries it. It is a comparable value without pointers, of 32 bytes.
type TemporaryExposureKey struct {
	KeyData KeyData

	// RollingStartIntervalNumber is the first interval in which the phone used
	// the key, RollingPeriod the number of intervals, 1 to 144.
	RollingStartIntervalNumber Interval
	RollingPeriod              uint8

	TransmissionRiskLevel    Optional[TransmissionRiskLevel]
	ReportType               Optional[ReportType]
	VariantOfConcern         Optional[VariantOfConcern]
	DaysSinceOnsetOfSymptoms Optional[DaysSinceOnset]
}

// End returns the moment the rolling period ends: the first at which the phone
// used the key no longer.
func (k *TemporaryExposureKey) End() time.Time {
	return k.RollingStartIntervalNumber.Time().Add(time.Duration(k.RollingPeriod) * IntervalLength)
}

// Compare orders keys canonically: by everything but the key data, then by the
// key data. The order is a function of the set of keys, so it says nothing of
// who submitted what together or when, and it puts like beside like, which
// compresses best.
//
// That holds only for keys in the form in which they leave. Whoever changes or
// leaves out a field on the way must do so before sorting, or the order shows
// what the fields no longer do.
func (k *TemporaryExposureKey) Compare(other *TemporaryExposureKey) int {
	if c := k.CompareMetadata(other); c != 0 {
		return c
	}
	return bytes.Compare(k.KeyData[:], other.KeyData[:])
}

// CompareMetadata is [TemporaryExposureKey.Compare] without the key data. What
// is absent comes first.
func (k *TemporaryExposureKey) CompareMetadata(other *TemporaryExposureKey) int {
	if c := cmp.Compare(k.RollingStartIntervalNumber, other.RollingStartIntervalNumber); c != 0 {
		return c
	}
	if c := cmp.Compare(k.RollingPeriod, other.RollingPeriod); c != 0 {
		return c
	}
	if c := compareOptional(k.TransmissionRiskLevel, other.TransmissionRiskLevel); c != 0 {
		return c
	}
	if c := compareOptional(k.ReportType, other.ReportType); c != 0 {
		return c
	}
	if c := compareOptional(k.DaysSinceOnsetOfSymptoms, other.DaysSinceOnsetOfSymptoms); c != 0 {
		return c
	}
	return compareOptional(k.VariantOfConcern, other.VariantOfConcern)
}

func compareOptional[T cmp.Ordered](a, b Optional[T]) int {
	if a.present != b.present {
		if b.present {
			return -1
		}
		return 1
	}
	return cmp.Compare(a.value, b.value)
}

// A DiagnosisKey is a temporary exposure key of somebody who is infected, with
// what the back end knows beyond what it publishes. It is a comparable value
// without pointers of its own, of 56 bytes.
type DiagnosisKey struct {
	TemporaryExposureKey

	// Origin is the region whose back end took the submission. It is mandatory
	// and stays with the key wherever it goes.
	Origin Region

	// VisitedCountries are the regions of interest beside the origin.
	VisitedCountries Regions

	TestType TestType

	// ConsentToFederate is mandatory for a back end's own submissions. There is
	// no default: whoever stores a key must have asked.
	ConsentToFederate Consent

	Provenance Provenance
}

// Compare orders keys canonically: as [TemporaryExposureKey.Compare], and what is
// equal in that by the rest. So diagnosis keys have the same order as the
// archive made of them. Were they grouped by origin first, the runs of ascending
// key data in an archive would show which keys came from where.
func (k *DiagnosisKey) Compare(other *DiagnosisKey) int {
	if c := k.TemporaryExposureKey.Compare(&other.TemporaryExposureKey); c != 0 {
		return c
	}
	if c := k.Origin.Compare(other.Origin); c != 0 {
		return c
	}
	if c := k.VisitedCountries.Compare(other.VisitedCountries); c != 0 {
		return c
	}
	return cmp.Or(
		cmp.Compare(k.TestType, other.TestType),
		cmp.Compare(k.ConsentToFederate, other.ConsentToFederate),
		cmp.Compare(k.Provenance, other.Provenance),
	)
}
