package efgs

import (
	"fmt"
	"log/slog"

	"github.com/gaenkit/gaen/keys"
)

// A DiagnosisKey is a key as it stands on the wire, whatever it says: what is
// signed are these values, also where no key can be made of them. [Of] and
// [DiagnosisKey.Key] lead to the model and back.
//
// It prints without its key data and refuses to be marshalled.
type DiagnosisKey struct {
	KeyData                    []byte // may share the memory of the body it was decoded from
	RollingStartIntervalNumber uint32
	RollingPeriod              uint32
	TransmissionRiskLevel      int32
	VisitedCountries           []string // in the order of the sender, repetitions and empty ones included; may be shared with other keys
	Origin                     string
	ReportType                 int32
	DaysSinceOnsetOfSymptoms   int32
}

// unknownOnset is what is said of the onset where nothing is known: "not known
// whether there were symptoms", in the encoding of the gateway.
const unknownOnset = 4000

// Of returns the form that k has on the wire.
//
// Each field goes there and back without loss, with two exceptions. The protocol
// has no way to leave out the days since the onset, and 0 days is one (EFGS 207):
// where none are stated, 4000 is, "not known whether there were symptoms". Where no
// report type is stated, UNKNOWN is. Test type and consent are not on the wire.
func Of(k *keys.DiagnosisKey) DiagnosisKey { return new(atlas).of(k) }

func (a *atlas) of(k *keys.DiagnosisKey) DiagnosisKey {
	return DiagnosisKey{
		KeyData:                    k.KeyData[:],
		RollingStartIntervalNumber: uint32(k.RollingStartIntervalNumber),
		RollingPeriod:              uint32(k.RollingPeriod),
		TransmissionRiskLevel:      keys.TransmissionRiskNumber(k.TransmissionRiskLevel),
		VisitedCountries:           a.codes(k.VisitedCountries),
		Origin:                     a.code(k.Origin),
		ReportType:                 int32(k.ReportType.Or(keys.ReportUnknown)),
		DaysSinceOnsetOfSymptoms:   int32(k.DaysSinceOnsetOfSymptoms.Or(unknownOnset)),
	}
}

// Key returns the key that k is. The error is a [*keys.Rejection]; the key then
// has what identifies it, if that could be read. Only the form is judged: age and
// the like are for a [keys.Policy].
//
// The field's visited countries may name the origin, and have empty strings among
// them (EFGS 227): neither is kept.
func (k *DiagnosisKey) Key() (key keys.DiagnosisKey, err error) { return new(atlas).key(k) }

func (a *atlas) key(k *DiagnosisKey) (key keys.DiagnosisKey, err error) {
	if key.KeyData, err = keys.ParseKeyData(k.KeyData); err != nil {
		return key, err
	}
	if key.Origin, err = keys.ParseRegion(k.Origin); err != nil {
		return key, asOf(keys.FieldOrigin, err)
	}
	if key.RollingStartIntervalNumber, err = keys.ParseInterval(int64(k.RollingStartIntervalNumber)); err != nil {
		return key, err
	}
	if key.RollingPeriod, err = keys.ParseRollingPeriod(int64(k.RollingPeriod)); err != nil {
		return key, err
	}
	if key.TransmissionRiskLevel, err = keys.ParseTransmissionRiskLevel(int64(k.TransmissionRiskLevel)); err != nil {
		return key, err
	}
	report, err := keys.ParseReportType(int64(k.ReportType))
	if err != nil {
		return key, err
	}
	key.ReportType = keys.Some(report)
	onset, err := keys.ParseDaysSinceOnset(int64(k.DaysSinceOnsetOfSymptoms))
	if err != nil {
		return key, err
	}
	key.DaysSinceOnsetOfSymptoms = keys.Some(onset)
	key.VisitedCountries, err = a.visited(k.VisitedCountries, key.Origin)
	return key, err
}

// Format prints what is no secret of the key, whatever the verb.
func (k DiagnosisKey) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{%d bytes, from %d for %d, risk %d, report %d, onset %d}", len(k.KeyData),
		k.RollingStartIntervalNumber, k.RollingPeriod, k.TransmissionRiskLevel, k.ReportType, k.DaysSinceOnsetOfSymptoms)
}

// LogValue returns what is no secret of the key.
func (k DiagnosisKey) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(k)) }

// MarshalText returns [keys.ErrNotMarshalled]; [Format.Append] is for the wire.
func (k DiagnosisKey) MarshalText() ([]byte, error) { return nil, keys.ErrNotMarshalled }

// MarshalBinary returns [keys.ErrNotMarshalled].
func (k DiagnosisKey) MarshalBinary() ([]byte, error) { return nil, keys.ErrNotMarshalled }
