package exporttest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
)

// Severity is what a [Finding] means to a phone.
type Severity string

const (
	Refused Severity = "refused" // phones do not take the file, or hang on it
	Misread Severity = "misread" // they take it and understand something else, or part of it
	Odd     Severity = "odd"     // they take it; it should not be so
)

// Finding is one thing that is wrong with an archive.
type Finding struct {
	Name     string // stable; see Names
	Severity Severity
	Detail   string // a sentence; never with key data in it
}

// String returns severity, name and detail.
func (f Finding) String() string { return fmt.Sprintf("%s: %s: %s", f.Severity, f.Name, f.Detail) }

// CheckOptions of [Check]. Nil means no options.
type CheckOptions struct {
	export.ReadOptions

	// Trusted are the keys that phones know. Without, signatures are not
	// verified, which is a finding.
	Trusted *signing.TrustList

	// Expect is which archive it should be.
	Expect *export.Expectation
}

// kindSeverities says what an error means to phones.
var kindSeverities = map[export.Kind]Severity{
	export.KindNotZip:         Refused,
	export.KindTruncated:      Refused,
	export.KindDamaged:        Refused,
	export.KindTooLarge:       Refused,
	export.KindZipBomb:        Refused,
	export.KindMissingEntry:   Refused,
	export.KindDuplicateEntry: Refused,
	export.KindHeader:         Refused,
	export.KindMalformed:      Refused,
	export.KindUnsigned:       Refused,
	export.KindUntrusted:      Refused,
	export.KindBadSignature:   Refused,
	export.KindUnexpected:     Misread,
}

// remarkSeverities says what a remark means to phones. Those of malformed keys
// are told field by field.
var remarkSeverities = map[export.RemarkName]Severity{
	export.RemarkOrder:          Odd,
	export.RemarkUntyped:        Misread,
	export.RemarkBounds:         Misread,
	export.RemarkRegion:         Odd,
	export.RemarkBatch:          Refused,
	export.RemarkSize:           Refused,
	export.RemarkEntries:        Odd,
	export.RemarkSignatureCount: Refused,
	export.RemarkSignatureInfo:  Odd,
	export.RemarkIdentity:       Odd,
	export.RemarkAlgorithm:      Refused,
	export.RemarkEncoding:       Refused,
	export.RemarkOtherSignature: Refused,
	export.RemarkValidity:       Odd,
}

// keySeverities says what a field that cannot be, in one key, means to phones.
// Key data of the wrong length hangs the matcher; an onset out of range makes
// some phones ignore the whole file without a word (COCOA 639).
var keySeverities = map[keys.Field]Severity{
	keys.FieldKeyData:          Refused,
	keys.FieldDaysSinceOnset:   Refused,
	keys.FieldRollingStart:     Misread,
	keys.FieldRollingPeriod:    Misread,
	keys.FieldTransmissionRisk: Misread,
	keys.FieldReportType:       Misread,
	keys.FieldVariant:          Odd,
}

// What neither an error, a remark nor a field stands for.
const (
	findingUnverified = "unverified"
	findingDuplicate  = "duplicate-key"
	findingEmbargo    = "embargo"
)

// Names returns the names of all findings that there can be, sorted: those of
// [export.Kind] and [export.RemarkName], the fields of a key, and "unverified",
// "duplicate-key" and "embargo".
func Names() []string {
	names := []string{findingUnverified, findingDuplicate, findingEmbargo}
	for kind := range kindSeverities {
		names = append(names, string(kind))
	}
	for remark := range remarkSeverities {
		names = append(names, string(remark))
	}
	for field := range keySeverities {
		names = append(names, string(field))
	}
	slices.Sort(names)
	return names
}

// Check says everything that is wrong with an archive of anybody's, the most
// severe first. An archive that can be opened is checked to its last key; of one
// that cannot, the error is the only finding.
func Check(archive []byte, opts *CheckOptions) []Finding {
	if opts == nil {
		opts = &CheckOptions{}
	}
	c := &checker{}
	a, err := export.Open(bytes.NewReader(archive), int64(len(archive)), &opts.ReadOptions)
	if err != nil {
		c.failed(err)
		return c.findings
	}
	c.signatures(a, opts)
	c.keys(a)
	rank := map[Severity]int{Refused: 0, Misread: 1, Odd: 2}
	slices.SortStableFunc(c.findings, func(a, b Finding) int { return rank[a.Severity] - rank[b.Severity] })
	return c.findings
}

type checker struct{ findings []Finding }

func (c *checker) add(name string, severity Severity, format string, args ...any) {
	c.findings = append(c.findings, Finding{name, severity, fmt.Sprintf(format, args...)})
}

func (c *checker) failed(err error) {
	kind := export.KindIO
	if e, ok := errors.AsType[*export.Error](err); ok {
		kind = e.Kind
	}
	c.add(string(kind), cmp.Or(kindSeverities[kind], Refused), "%v", err)
}

func (c *checker) signatures(a *export.Archive, opts *CheckOptions) {
	remarks := a.Remarks()
	switch v, err := a.Verify(opts.Trusted, opts.Expect); {
	case opts.Trusted.Len() == 0:
		c.add(findingUnverified, Odd, "no trusted key was given: the signatures are not verified")
	case err != nil:
		c.failed(err)
	default:
		remarks = v.Remarks
	}
	for _, r := range remarks {
		if r.Name != export.RemarkKeys { // told field by field
			c.add(string(r.Name), remarkSeverities[r.Name], "%s", r.Detail)
		}
	}
}

// keys looks at every key: those that cannot be, those that are there twice, and
// those that were published before they were harmless.
func (c *checker) keys(a *export.Archive) {
	t := &tally{
		end:      a.Header().End.Unix(),
		seen:     make(map[keys.KeyData]bool),
		rejected: make(map[keys.Field]*group),
	}
	for k, err := range a.Unverified().Keys() {
		if !t.take(&k, err) {
			c.failed(err)
			return
		}
	}
	for k, err := range a.Unverified().RevisedKeys() {
		if !t.take(&k, err) {
			c.failed(err)
			return
		}
	}
	for _, field := range t.fields {
		g := t.rejected[field]
		c.add(string(field), keySeverities[field], "%d keys; the first: %v", g.n, g.first)
	}
	if t.duplicates > 0 {
		c.add(findingDuplicate, Misread, "%d keys are there more than once", t.duplicates)
	}
	if t.early > 0 {
		c.add(findingEmbargo, Odd, "%d keys were published less than %s after the end of their period", t.early, keys.Embargo)
	}
}

// tally counts what is found about keys.
type tally struct {
	end        int64
	seen       map[keys.KeyData]bool
	rejected   map[keys.Field]*group
	fields     []keys.Field // of rejected, in the order of the file
	duplicates int
	early      int
}

type group struct {
	n     int
	first error
}

// take counts one key. It reports false if err is not about one key.
func (t *tally) take(k *keys.TemporaryExposureKey, err error) bool {
	if r, ok := errors.AsType[*keys.Rejection](err); ok {
		g := t.rejected[r.Field]
		if g == nil {
			g = &group{first: err}
			t.rejected[r.Field] = g
			t.fields = append(t.fields, r.Field)
		}
		g.n++
		return true
	}
	if err != nil {
		return false
	}
	if t.seen[k.KeyData] {
		t.duplicates++
	}
	t.seen[k.KeyData] = true
	if k.End().Add(keys.Embargo).Unix() > t.end {
		t.early++
	}
	return true
}
