package keys

import "math"

// TransmissionRiskLevel is an app's own estimate of how infectious the owner of
// a key was, 0 to 8. The format calls it deprecated; most apps used it.
type TransmissionRiskLevel uint8

// MaxTransmissionRiskLevel is the highest level.
const MaxTransmissionRiskLevel TransmissionRiskLevel = 8

// transmissionRiskAbsent is how the European gateway writes "no level": its
// field has no presence, and 0 is a level.
const transmissionRiskAbsent = math.MaxInt32

// ParseTransmissionRiskLevel returns the level with this number on the wire of
// a federation protocol, where 2³¹-1 stands for none. The error is a
// [*Rejection] for the field "transmission_risk_level".
func ParseTransmissionRiskLevel(n int64) (Optional[TransmissionRiskLevel], error) {
	switch {
	case n == transmissionRiskAbsent:
		return Optional[TransmissionRiskLevel]{}, nil
	case n < 0 || n > int64(MaxTransmissionRiskLevel):
		return Optional[TransmissionRiskLevel]{}, reject(FieldTransmissionRisk, ReasonRange, "%d, want 0 .. %d", n, MaxTransmissionRiskLevel)
	default:
		return Some(TransmissionRiskLevel(n)), nil
	}
}

// TransmissionRiskNumber is the inverse of [ParseTransmissionRiskLevel].
func TransmissionRiskNumber(level Optional[TransmissionRiskLevel]) int32 {
	if l, ok := level.Get(); ok {
		return int32(l)
	}
	return transmissionRiskAbsent
}
