package keys

import (
	"math"
	"time"
)

// A Policy is a set of rules that a key must meet at one point of its way.
// Start from [FromPhone], [FromPartner] or [IntoArchive] and change what is
// different where you are. A policy is a value and safe to share.
//
// The rules of the format hold under every policy: key data that is not zero,
// a rolling period of 1 to 144 intervals, a start that is not negative,
// enumerations and ranges as defined.
type Policy struct {
	// MaxAge is how long ago a rolling period may have ended. Phones remember
	// whom they met for 14 days, so older keys are of no use to anybody, and one
	// such key made the European gateway refuse a whole batch (EFGS 233). Zero
	// accepts only keys whose period has not ended; see [AnyAge].
	MaxAge time.Duration

	// MaxLead is how far ahead of the clock a rolling period may begin, to
	// allow for clocks that differ.
	MaxLead time.Duration

	// Embargo is how long ago the rolling period must have ended; zero if it
	// need not have. What is shorter than [Embargo] counts as that.
	Embargo time.Duration

	// ReportTypes are those allowed. A key without one is always allowed.
	ReportTypes ReportTypes

	// ArchiveOnset allows days since onset of -14 to 14 only; otherwise all
	// forms of [DaysSinceOnset] are allowed.
	ArchiveOnset bool

	// RequireConsent asks that consent to federate be stated, either way.
	RequireConsent bool

	// AllowPadding allows keys that were made up.
	AllowPadding bool
}

// FromPhone is the policy for a back end's own submissions.
func FromPhone() Policy {
	return Policy{
		MaxAge:         14 * 24 * time.Hour,
		MaxLead:        IntervalLength,
		ReportTypes:    ReportTypesOf(ReportConfirmedTest, ReportConfirmedClinicalDiagnosis, ReportSelfReport),
		ArchiveOnset:   true,
		RequireConsent: true,
	}
}

// FromPartner is the policy for keys that another back end or a federation
// server sends. It takes what they really send: unknown report types, and days
// since onset in the European encoding. REVOKED is not a key but a withdrawal,
// and told apart before.
func FromPartner() Policy {
	return Policy{
		MaxAge:      14 * 24 * time.Hour,
		MaxLead:     IntervalLength,
		ReportTypes: ReportTypesOf(ReportUnknown, ReportConfirmedTest, ReportConfirmedClinicalDiagnosis, ReportSelfReport),
	}
}

// IntoArchive is the policy for what may be written into an archive for phones:
// whatever no phone refuses, and nothing under embargo. It is the last gate.
// Age is not asked: a key is published once, when its window closes.
func IntoArchive() Policy {
	return Policy{
		MaxAge:       AnyAge,
		Embargo:      Embargo,
		ReportTypes:  ReportTypesOf(ReportUnknown, ReportConfirmedTest, ReportConfirmedClinicalDiagnosis, ReportSelfReport, ReportRecursive, ReportRevoked),
		ArchiveOnset: true,
		AllowPadding: true,
	}
}

// AnyAge as the MaxAge of a [Policy] accepts keys however old they are.
const AnyAge time.Duration = math.MaxInt64

// Check judges k at the time now. The error, if any, is a [*Rejection] with the
// first rule that k does not meet: first those of the format, then p's. Check
// neither changes k nor keeps it.
func (p Policy) Check(k *DiagnosisKey, now time.Time) error {
	if err := p.CheckExposure(&k.TemporaryExposureKey, now); err != nil {
		return err
	}
	switch {
	case k.Origin.IsZero():
		return reject(FieldOrigin, ReasonMissing, "every key has an origin")
	case !k.TestType.Valid():
		return reject(FieldTestType, ReasonRange, "%d is no test type", uint8(k.TestType))
	case k.ConsentToFederate > ConsentRefused:
		return reject(FieldConsent, ReasonRange, "%d is no consent", uint8(k.ConsentToFederate))
	case p.RequireConsent && k.ConsentToFederate == ConsentUnstated:
		return reject(FieldConsent, ReasonMissing, "consent must be stated, given or refused")
	case k.Provenance > Padding:
		return reject(FieldProvenance, ReasonRange, "%d is no provenance", uint8(k.Provenance))
	case k.Provenance == Padding && !p.AllowPadding:
		return reject(FieldProvenance, ReasonNotAllowed, "padding")
	}
	return nil
}

// CheckExposure is [Policy.Check] for the part of a key that phones see.
func (p Policy) CheckExposure(k *TemporaryExposureKey, now time.Time) error {
	if err := checkFormat(k); err != nil {
		return err
	}
	if err := p.checkTime(k, now); err != nil {
		return err
	}
	if r, ok := k.ReportType.Get(); ok && !p.ReportTypes.Has(r) {
		return reject(FieldReportType, ReasonNotAllowed, "%s", r)
	}
	if d, ok := k.DaysSinceOnsetOfSymptoms.Get(); ok && p.ArchiveOnset && !d.InArchive().Present() {
		return reject(FieldDaysSinceOnset, ReasonNotAllowed, "%d, want -14 .. 14", d)
	}
	return nil
}

// checkFormat holds k against the rules that no policy can lift.
func checkFormat(k *TemporaryExposureKey) error {
	switch {
	case k.KeyData.IsZero():
		return reject(FieldKeyData, ReasonZero, "all zeros")
	case k.RollingStartIntervalNumber < 0:
		return reject(FieldRollingStart, ReasonRange, "%d is negative", k.RollingStartIntervalNumber)
	case k.RollingPeriod < 1 || k.RollingPeriod > IntervalsPerDay:
		return reject(FieldRollingPeriod, ReasonRange, "%d, want 1 .. %d", k.RollingPeriod, IntervalsPerDay)
	}
	if level, ok := k.TransmissionRiskLevel.Get(); ok && level > MaxTransmissionRiskLevel {
		return reject(FieldTransmissionRisk, ReasonRange, "%d, want 0 .. %d", level, MaxTransmissionRiskLevel)
	}
	if r, ok := k.ReportType.Get(); ok && !r.Valid() {
		return reject(FieldReportType, ReasonRange, "%d is no report type", uint8(r))
	}
	if v, ok := k.VariantOfConcern.Get(); ok && v > MaxVariantOfConcern {
		return reject(FieldVariant, ReasonRange, "%d, want 0 .. %d", v, MaxVariantOfConcern)
	}
	if d, ok := k.DaysSinceOnsetOfSymptoms.Get(); ok {
		if _, known := d.Onset(); !known {
			return reject(FieldDaysSinceOnset, ReasonRange, "%d is not a value of the encoding", d)
		}
	}
	return nil
}

func (p Policy) checkTime(k *TemporaryExposureKey, now time.Time) error {
	start := k.RollingStartIntervalNumber.Time()
	if p.MaxAge != AnyAge && k.End().Before(now.Add(-p.MaxAge)) {
		return reject(FieldRollingStart, ReasonTooOld, "ended %s ago, at most %s", now.Sub(k.End()).Round(time.Second), p.MaxAge)
	}
	if p.Embargo <= 0 {
		if start.After(now.Add(p.MaxLead)) {
			return reject(FieldRollingStart, ReasonInFuture, "begins in %s", start.Sub(now).Round(time.Second))
		}
		return nil
	}
	if release := k.End().Add(max(p.Embargo, Embargo)); release.After(now) {
		return reject(FieldRollingPeriod, ReasonEmbargo, "under embargo for another %s", release.Sub(now).Round(time.Second))
	}
	return nil
}
