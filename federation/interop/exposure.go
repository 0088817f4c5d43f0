package interop

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/gaenkit/gaen/federation/internal/jsontext"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// The fields of an exposure, in the order in which the protocol's pages have them.
const (
	keyData = iota
	rollingStartNumber
	transmissionRiskLevel
	rollingPeriod
	origin
	regions
	testType
	reportType
	daysSinceOnset
	numFields
)

// names are the fields' names, and fields what a rejection calls them.
var (
	names = []string{
		keyData: "keyData", rollingStartNumber: "rollingStartNumber",
		transmissionRiskLevel: "transmissionRiskLevel", rollingPeriod: "rollingPeriod",
		origin: "origin", regions: "regions",
		testType: "testType", reportType: "reportType", daysSinceOnset: "daysSinceOnset",
	}
	fields = [numFields]keys.Field{
		keyData: keys.FieldKeyData, rollingStartNumber: keys.FieldRollingStart,
		transmissionRiskLevel: keys.FieldTransmissionRisk, rollingPeriod: keys.FieldRollingPeriod,
		origin: keys.FieldOrigin, regions: keys.FieldVisitedCountries,
		testType: keys.FieldTestType, reportType: keys.FieldReportType, daysSinceOnset: keys.FieldDaysSinceOnset,
	}
)

// errTooMany: more exposures than the limit allows.
var errTooMany = errors.New("too many exposures")

// A reader reads exposures. Each is judged alone.
type reader struct {
	// owner is the origin of exposures that name none; zero where they must.
	owner keys.Region

	// ignoreRegions passes over the regions of interest.
	ignoreRegions bool

	// extended takes an onset of 0 days for one. In the plain protocol it is what
	// servers and clients write where nothing is known.
	extended bool

	// What was read last: a page's keys are of few origins and regions.
	lastOrigin struct {
		text   []byte
		region keys.Region
	}
	lastRegions struct {
		text []byte
		of   keys.Region
		set  keys.Regions
	}
}

// all reads an array of exposures. What is no key is set aside, its neighbours
// are not.
func (r *reader) all(list jsontext.Value, limit int) (ks []keys.DiagnosisKey, aside []ledger.SetAside, err error) {
	const usual = 200 // bytes of an exposure
	ks = make([]keys.DiagnosisKey, 0, min(len(list)/usual+1, limit))
	for e := range list.Elements() {
		if len(ks)+len(aside) == limit {
			return nil, nil, errTooMany
		}
		k, err := r.exposure(e)
		if err == nil {
			ks = append(ks, k)
			continue
		}
		a := setAside(err)
		if !k.Origin.IsZero() && !k.KeyData.IsZero() {
			a.ID = ledger.IDOf(&k)
		}
		aside = append(aside, a)
	}
	return ks, aside, nil
}

// setAside returns what is kept of an exposure that is no key.
func setAside(err error) ledger.SetAside {
	why, ok := errors.AsType[*keys.Rejection](err)
	if !ok {
		why = &keys.Rejection{Field: keys.FieldKeyData, Reason: keys.ReasonMalformed}
	}
	return ledger.SetAside{Field: why.Field, Reason: why.Reason, Detail: why.Detail}
}

// exposure reads one. The error is a [*keys.Rejection]; the key then has what
// identifies it, if that could be read.
func (r *reader) exposure(v jsontext.Value) (k keys.DiagnosisKey, err error) {
	if !v.IsObject() {
		return k, malformed(keys.FieldKeyData, "not a JSON object")
	}
	var f [numFields]jsontext.Value
	if twice := v.Once(names, f[:]); twice != "" {
		return k, malformed(fieldOf(twice), "there twice")
	}
	if k.KeyData, err = parseKeyData(f[keyData]); err != nil {
		return k, err
	}
	if k.Origin, err = r.origin(f[origin]); err != nil {
		return k, err
	}
	return k, r.rest(&k, &f)
}

func fieldOf(name string) keys.Field {
	for i, n := range names {
		if n == name {
			return fields[i]
		}
	}
	return keys.FieldKeyData
}

func (r *reader) origin(v jsontext.Value) (keys.Region, error) {
	switch {
	case v.IsAbsent() && r.owner.IsZero():
		return keys.Region{}, missing(keys.FieldOrigin)
	case v.IsAbsent():
		return r.owner, nil
	case bytes.Equal(v, r.lastOrigin.text):
		return r.lastOrigin.region, nil
	}
	code, ok := v.Text()
	if !ok {
		return keys.Region{}, malformed(keys.FieldOrigin, "not a string")
	}
	region, err := keys.ParseRegion(string(code))
	if err != nil {
		return keys.Region{}, asOf(keys.FieldOrigin, err)
	}
	r.lastOrigin.text, r.lastOrigin.region = v, region
	return region, nil
}

// rest reads everything but what identifies a key. What the format of archives
// asks for is mandatory; the rest may be missing or null, though no server says
// so, because nothing is gained by losing the key.
func (r *reader) rest(k *keys.DiagnosisKey, f *[numFields]jsontext.Value) error {
	n, err := mandatory(f, rollingStartNumber)
	if err != nil {
		return err
	}
	if k.RollingStartIntervalNumber, err = keys.ParseInterval(n); err != nil {
		return err
	}
	if n, err = mandatory(f, rollingPeriod); err != nil {
		return err
	}
	if k.RollingPeriod, err = keys.ParseRollingPeriod(n); err != nil {
		return err
	}
	if k.VisitedCountries, err = r.visited(f[regions], k.Origin); err != nil {
		return err
	}
	return r.optional(k, f)
}

func mandatory(f *[numFields]jsontext.Value, i int) (int64, error) {
	if f[i].IsAbsent() {
		return 0, missing(fields[i])
	}
	return integer(f[i], fields[i])
}

// integer returns the whole number that a value is, or says as a string: one server
// of the field takes "144" for 144, and hands out what it took.
func integer(v jsontext.Value, field keys.Field) (int64, error) {
	digits, ok := v.Text()
	switch {
	case ok:
	case v.IsNumber():
		digits = v
	default:
		return 0, malformed(field, "not a number")
	}
	n, err := strconv.ParseInt(string(digits), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, &keys.Rejection{Field: field, Reason: keys.ReasonRange, Detail: "more than 64 bits"}
	case err != nil:
		return 0, malformed(field, "not a whole number")
	}
	return n, nil
}

func (r *reader) optional(k *keys.DiagnosisKey, f *[numFields]jsontext.Value) error {
	if v := f[transmissionRiskLevel]; !v.IsAbsent() {
		n, err := integer(v, keys.FieldTransmissionRisk)
		if err != nil {
			return err
		}
		if k.TransmissionRiskLevel, err = keys.ParseTransmissionRiskLevel(n); err != nil {
			return err
		}
	}
	if v := f[testType]; !v.IsAbsent() {
		n, err := integer(v, keys.FieldTestType)
		if err != nil {
			return err
		}
		if k.TestType, err = keys.ParseTestTypeNumber(n); err != nil {
			return err
		}
	}
	if v := f[reportType]; !v.IsAbsent() {
		n, err := integer(v, keys.FieldReportType)
		if err != nil {
			return err
		}
		report, err := keys.ParseReportType(n)
		if err != nil {
			return err
		}
		k.ReportType = keys.Some(report)
	}
	if v := f[daysSinceOnset]; !v.IsAbsent() {
		n, err := integer(v, keys.FieldDaysSinceOnset)
		if err != nil {
			return err
		}
		if n == unknownOnset && !r.extended {
			return nil
		}
		onset, err := keys.ParseDaysSinceOnset(n)
		if err != nil {
			return err
		}
		k.DaysSinceOnsetOfSymptoms = keys.Some(onset)
	}
	return nil
}

// visited reads the regions of interest, among which the field names the origin
// too: the British back end names nothing else.
func (r *reader) visited(v jsontext.Value, of keys.Region) (keys.Regions, error) {
	last := &r.lastRegions
	switch {
	case v.IsAbsent() || r.ignoreRegions:
		return keys.Regions{}, nil
	case !v.IsArray():
		return keys.Regions{}, malformed(keys.FieldVisitedCountries, "not an array")
	case bytes.Equal(v, last.text) && of == last.of:
		return last.set, nil
	}
	codes := make([]string, 0, 4)
	for e := range v.Elements() {
		code, ok := e.Text()
		if !ok {
			return keys.Regions{}, malformed(keys.FieldVisitedCountries, "not all strings")
		}
		if len(codes) == keys.MaxRegions {
			return keys.Regions{}, &keys.Rejection{Field: keys.FieldVisitedCountries, Reason: keys.ReasonTooMany}
		}
		codes = append(codes, string(code))
	}
	named, err := keys.ParseRegions(codes...)
	if err != nil {
		return keys.Regions{}, err
	}
	set, err := without(named, of)
	if err != nil {
		return keys.Regions{}, err
	}
	last.text, last.of, last.set = v, of, set
	return set, nil
}

// without returns the set of the regions but for one.
func without(set keys.Regions, of keys.Region) (keys.Regions, error) {
	if !set.Has(of) {
		return set, nil
	}
	var others []keys.Region
	for region := range set.All() {
		if region != of {
			others = append(others, region)
		}
	}
	return keys.RegionsOf(others...)
}

// asOf returns an error of package keys as one of this field.
func asOf(field keys.Field, err error) error {
	r, ok := errors.AsType[*keys.Rejection](err)
	if !ok {
		return err
	}
	return &keys.Rejection{Field: field, Reason: r.Reason, Detail: r.Detail}
}
