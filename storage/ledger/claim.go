package ledger

import (
	"errors"

	"github.com/gaenkit/gaen/keys"
)

// Reasons for which a ledger sets a key aside, beside those of a
// [keys.Policy].
const (
	// ReasonConflict: the same source, or another of the same origin, has
	// stated the key differently before.
	ReasonConflict keys.Reason = "conflict"

	// ReasonWithdrawn: the key has been withdrawn and may not come back.
	ReasonWithdrawn keys.Reason = "withdrawn"
)

// outcome is what a claim that is taken does to its unit.
type outcome uint8

const (
	duplicate outcome = iota // nothing: the source has said so before
	accepted                 // it is a new claim
	revised                  // it takes the source's report type further
)

// merge applies the claim c to what is known of its unit.
func (p *Policy) merge(rec *Record, c Claim) (outcome, *keys.Rejection) {
	u := rec.Unit
	switch {
	case !rec.Tombstone.IsZero():
		return 0, &keys.Rejection{Field: keys.FieldKeyData, Reason: ReasonWithdrawn}
	case u == nil:
		rec.Unit = p.newUnit(c)
		return accepted, nil
	}
	if old := u.claimOf(c.Source); old != nil {
		return u.repeat(old, c)
	}
	if u.SourceWithdrew {
		return 0, &keys.Rejection{Field: keys.FieldKeyData, Reason: ReasonWithdrawn}
	}
	speaks := c.Source == Own && !u.Released() // own before all, as long as nobody has seen the unit
	if !speaks && !sameInterval(&u.Key, &c.Key) {
		return 0, conflict(keys.FieldRollingStart)
	}
	u.Claims = append(u.Claims, c)
	if speaks {
		p.speakFor(u, c)
	}
	u.recount()
	u.advance(c.Key.ReportType)
	return accepted, nil
}

// newUnit returns the unit of a key that nobody has claimed yet.
func (p *Policy) newUnit(c Claim) *Unit {
	return &Unit{
		Key:      c.Key,
		Accepted: c.Accepted,
		Due:      p.Due(c.Accepted, &c.Key.TemporaryExposureKey),
		Upload:   c.Upload,
		Claims:   []Claim{c},
	}
}

// speakFor makes an own submission the voice of a unit that a partner had
// brought before it. The unit is due when the key as now stated may leave, but
// no later than it would have been because it was submitted later.
func (p *Policy) speakFor(u *Unit, c Claim) {
	u.Key = c.Key
	u.Due = p.Due(u.Accepted, &c.Key.TemporaryExposureKey)
	for i := range u.Claims {
		u.advance(u.Claims[i].Key.ReportType) // from what it now says, which may lead where the first source's did not
	}
}

// repeat applies a further claim of a source that has one already: old.
func (u *Unit) repeat(old *Claim, c Claim) (outcome, *keys.Rejection) {
	before, after := old.Key, c.Key
	before.ReportType, after.ReportType = keys.Optional[keys.ReportType]{}, keys.Optional[keys.ReportType]{}
	if before != after {
		return 0, conflict(fieldOfDifference(&old.Key, &c.Key))
	}
	another := c.Source == Own && u.claimOfUpload(c.Upload) == nil
	if another && (u.SourceWithdrew || u.operatorWithdrew()) {
		return 0, &keys.Rejection{Field: keys.FieldKeyData, Reason: ReasonWithdrawn}
	}
	was, is := old.Key.ReportType, c.Key.ReportType
	result := duplicate
	switch {
	case canBecome(was, is):
		result = revised
		u.revise(c.Source, is)
	case was != is && !canBecome(is, was): // the latter is what was said before a revision
		return 0, conflict(keys.FieldReportType)
	}
	if another {
		// Rolling back the first upload is to spare what this one brought.
		c.Key.ReportType = u.claimOf(Own).Key.ReportType
		u.Claims = append(u.Claims, c)
	}
	return result, nil
}

// revise takes the report type of a source's claims, and the unit's, to t.
func (u *Unit) revise(s Source, t keys.Optional[keys.ReportType]) {
	for i := range u.Claims {
		if u.Claims[i].Source == s {
			u.Claims[i].Key.ReportType = t
		}
	}
	u.advance(t)
}

// claimOfUpload returns the claim that an own upload made, nil if it made none.
func (u *Unit) claimOfUpload(upload string) *Claim {
	for i := range u.Claims {
		if u.Claims[i].Source == Own && u.Claims[i].Upload == upload {
			return &u.Claims[i]
		}
	}
	return nil
}

// advance takes the unit's report type as far as t, if t lies ahead of it.
func (u *Unit) advance(t keys.Optional[keys.ReportType]) {
	if canBecome(u.Key.ReportType, t) {
		u.Key.ReportType = t
	}
}

// canBecome is [keys.ReportType.CanBecome] for types that may be absent: what
// was not stated means what an app takes it for, and cannot be revised.
func canBecome(from, to keys.Optional[keys.ReportType]) bool {
	f, ok := from.Get()
	t, ok2 := to.Get()
	return ok && ok2 && f.CanBecome(t)
}

func sameInterval(a, b *keys.DiagnosisKey) bool {
	return a.RollingStartIntervalNumber == b.RollingStartIntervalNumber && a.RollingPeriod == b.RollingPeriod
}

func conflict(field keys.Field) *keys.Rejection {
	return &keys.Rejection{Field: field, Reason: ReasonConflict, Detail: "stated differently before"}
}

// fieldOfDifference names the first field in which two statements of a key
// differ.
func fieldOfDifference(a, b *keys.DiagnosisKey) keys.Field {
	switch {
	case a.RollingStartIntervalNumber != b.RollingStartIntervalNumber:
		return keys.FieldRollingStart
	case a.RollingPeriod != b.RollingPeriod:
		return keys.FieldRollingPeriod
	case a.TransmissionRiskLevel != b.TransmissionRiskLevel:
		return keys.FieldTransmissionRisk
	case a.DaysSinceOnsetOfSymptoms != b.DaysSinceOnsetOfSymptoms:
		return keys.FieldDaysSinceOnset
	case a.VariantOfConcern != b.VariantOfConcern:
		return keys.FieldVariant
	case a.VisitedCountries != b.VisitedCountries:
		return keys.FieldVisitedCountries
	case a.TestType != b.TestType:
		return keys.FieldTestType
	case a.ConsentToFederate != b.ConsentToFederate:
		return keys.FieldConsent
	default:
		return keys.FieldReportType
	}
}

// rejection returns err as the rejection it is; nil for nil.
func rejection(err error) *keys.Rejection {
	r, _ := errors.AsType[*keys.Rejection](err)
	return r
}
