package keys

import (
	"fmt"
	"slices"
)

// ReportType says why a key was reported. The numbers are those of the archive
// format and of the federation protocols, which agree.
type ReportType uint8

const (
	ReportUnknown                    ReportType = 0 // stated to be unknown, which is not the same as not stated
	ReportConfirmedTest              ReportType = 1
	ReportConfirmedClinicalDiagnosis ReportType = 2
	ReportSelfReport                 ReportType = 3
	ReportRecursive                  ReportType = 4 // reserved by the format; nobody may send it
	ReportRevoked                    ReportType = 5 // the key is withdrawn
)

var reportTypeNames = [...]string{
	ReportUnknown:                    "UNKNOWN",
	ReportConfirmedTest:              "CONFIRMED_TEST",
	ReportConfirmedClinicalDiagnosis: "CONFIRMED_CLINICAL_DIAGNOSIS",
	ReportSelfReport:                 "SELF_REPORT",
	ReportRecursive:                  "RECURSIVE",
	ReportRevoked:                    "REVOKED",
}

// Valid reports whether r is one of the format's report types.
func (r ReportType) Valid() bool { return int(r) < len(reportTypeNames) }

// String returns the format's name for r.
func (r ReportType) String() string {
	if r.Valid() {
		return reportTypeNames[r]
	}
	return fmt.Sprintf("ReportType(%d)", uint8(r))
}

// MarshalText returns the format's name, as configuration has it.
func (r ReportType) MarshalText() ([]byte, error) {
	if !r.Valid() {
		return nil, reject(FieldReportType, ReasonRange, "%d is no report type", uint8(r))
	}
	return []byte(r.String()), nil
}

// UnmarshalText reads what MarshalText writes.
func (r *ReportType) UnmarshalText(text []byte) error {
	i := slices.Index(reportTypeNames[:], string(text))
	if i < 0 {
		return reject(FieldReportType, ReasonMalformed, "no report type has this name")
	}
	*r = ReportType(i)
	return nil
}

// ParseReportType returns the report type with this number on the wire. The
// error is a [*Rejection] for the field "report_type".
func ParseReportType(n int64) (ReportType, error) {
	if n < 0 || n >= int64(len(reportTypeNames)) {
		return 0, reject(FieldReportType, ReasonRange, "%d is no report type", n)
	}
	return ReportType(n), nil
}

// CanBecome reports whether a key reported as r may later be reported as next.
// Phones apply exactly these transitions, once a key, and ignore all others
// (reference device code): a self-report may be confirmed by a test or a
// doctor, a doctor's diagnosis by a test, and both may be revoked. Nothing
// leads out of CONFIRMED_TEST or REVOKED.
//
// A back end withdraws keys that phones no longer forget as well; that is a
// withdrawal, not a transition.
func (r ReportType) CanBecome(next ReportType) bool {
	switch r {
	case ReportSelfReport:
		return next == ReportConfirmedClinicalDiagnosis || next == ReportConfirmedTest || next == ReportRevoked
	case ReportConfirmedClinicalDiagnosis:
		return next == ReportConfirmedTest || next == ReportRevoked
	default:
		return false
	}
}

// ReportTypes is a set of report types. The empty set holds none.
type ReportTypes uint8

// ReportTypesOf returns the set of those of the given report types that are
// valid.
func ReportTypesOf(types ...ReportType) ReportTypes {
	var s ReportTypes
	for _, r := range types {
		if r.Valid() {
			s |= 1 << r
		}
	}
	return s
}

// Has reports whether r is in the set.
func (s ReportTypes) Has(r ReportType) bool { return r.Valid() && s&(1<<r) != 0 }
