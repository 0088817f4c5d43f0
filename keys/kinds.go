package keys

import "fmt"

// TestType is the kind of test behind a key; the numbers are those of the
// interoperability protocol. The zero value is not stated.
type TestType uint8

const (
	TestUnstated          TestType = 0
	TestLab               TestType = 1
	TestRapid             TestType = 2
	TestRapidSelfReported TestType = 3
)

var testTypeNames = [...]string{
	TestUnstated:          "UNSTATED",
	TestLab:               "LAB_RESULT",
	TestRapid:             "RAPID_RESULT",
	TestRapidSelfReported: "RAPID_SELF_REPORTED",
}

// Valid reports whether t is one of the protocol's test types, or not stated.
func (t TestType) Valid() bool { return int(t) < len(testTypeNames) }

// String returns the protocol's name for t.
func (t TestType) String() string {
	if t.Valid() {
		return testTypeNames[t]
	}
	return fmt.Sprintf("TestType(%d)", uint8(t))
}

// ParseTestType returns the test type with this name, the protocol's, as
// submissions and object names have it. The error is a [*Rejection] for the
// field "test_type".
func ParseTestType(name string) (TestType, error) {
	for t, n := range testTypeNames {
		if n == name {
			return TestType(t), nil
		}
	}
	return 0, reject(FieldTestType, ReasonMalformed, "no test type has this name")
}

// MarshalText returns the protocol's name, as configuration has it.
func (t TestType) MarshalText() ([]byte, error) {
	if !t.Valid() {
		return nil, reject(FieldTestType, ReasonRange, "%d is no test type", uint8(t))
	}
	return []byte(t.String()), nil
}

// UnmarshalText is [ParseTestType].
func (t *TestType) UnmarshalText(text []byte) (err error) {
	*t, err = ParseTestType(string(text))
	return err
}

// ParseTestTypeNumber returns the test type with this number, as federation has
// it. The error is a [*Rejection] for the field "test_type".
func ParseTestTypeNumber(n int64) (TestType, error) {
	if n < 0 || n >= int64(len(testTypeNames)) {
		return 0, reject(FieldTestType, ReasonRange, "%d is no test type", n)
	}
	return TestType(n), nil
}

// VariantOfConcern is the format's enumeration of virus variants.
type VariantOfConcern uint8

// MaxVariantOfConcern is the highest number the format defines.
const MaxVariantOfConcern VariantOfConcern = 4

// ParseVariantOfConcern returns the variant with this number in an archive. The
// error is a [*Rejection] for the field "variant_of_concern".
func ParseVariantOfConcern(n int64) (VariantOfConcern, error) {
	if n < 0 || n > int64(MaxVariantOfConcern) {
		return 0, reject(FieldVariant, ReasonRange, "%d, want 0 .. %d", n, MaxVariantOfConcern)
	}
	return VariantOfConcern(n), nil
}

// Consent says whether the owner of a key agreed to its being sent to other
// countries. The zero value is "not stated", which is not consent.
type Consent uint8

const (
	ConsentUnstated Consent = iota
	ConsentGiven
	ConsentRefused
)

// String returns "unstated", "given" or "refused".
func (c Consent) String() string {
	switch c {
	case ConsentUnstated:
		return "unstated"
	case ConsentGiven:
		return "given"
	case ConsentRefused:
		return "refused"
	default:
		return fmt.Sprintf("Consent(%d)", uint8(c))
	}
}

// Provenance tells keys of people from keys made up to hide them. It is a type
// and not a flag among others, because padding that leaves by federation is a
// false warning in somebody else's country (EFGS 197, 209).
type Provenance uint8

const (
	Real    Provenance = iota
	Padding            // made up by a back end; never leaves it except in its own archives
)

// String returns "real" or "padding".
func (p Provenance) String() string {
	switch p {
	case Real:
		return "real"
	case Padding:
		return "padding"
	default:
		return fmt.Sprintf("Provenance(%d)", uint8(p))
	}
}
