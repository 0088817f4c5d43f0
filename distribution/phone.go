package distribution

import (
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
)

// A Phone is a model of what a phone makes of the archives it reads, by the
// reference device code: whether it matches a key, and whether it still can forget
// it. Of the archives of one index it is to be given those that the phone fetches,
// in their order. The zero Phone has read nothing.
//
// It goes by these rules, and no others:
//
//   - A key that is met as REVOKED is not matched, any other is.
//   - A key that is met again with another report type takes it if
//     [keys.ReportType.CanBecome] has that, and once: so a self-report that was
//     confirmed can no longer be revoked.
//   - A key that is met again with another rolling period is skipped.
//   - A key without report type, or of UNKNOWN, is what the app says.
//   - A file that has the bounds of one read before is taken for it and skipped.
//
// What a phone has warned of it does not take back either; that is no matter of
// keys.
type Phone struct {
	// WhenMissing is what the app has keys without report type taken for. The zero
	// is CONFIRMED_TEST, which the British and the German app say.
	WhenMissing keys.ReportType

	files map[bounds]bool
	keys  map[keys.KeyData]phoneKey
}

// bounds are what phones tell the files of an index apart by, beside the number of
// the batch, which is 1 in all of ours.
type bounds struct{ start, end int64 }

// phoneKey is what a phone keeps of a key.
type phoneKey struct {
	period uint8
	report keys.ReportType
	moved  bool // its one transition has been used
}

// Read reads an archive. It reports whether it did: one that is taken for another is
// not read.
func (p *Phone) Read(c *export.Content) bool {
	file := bounds{c.Start.Unix(), c.End.Unix()}
	if p.files[file] {
		return false
	}
	if p.files == nil {
		p.files, p.keys = map[bounds]bool{}, map[keys.KeyData]phoneKey{}
	}
	p.files[file] = true
	for i := range c.Keys {
		p.meet(&c.Keys[i])
	}
	for i := range c.RevisedKeys {
		p.meet(&c.RevisedKeys[i])
	}
	return true
}

// meet takes note of a key of an archive.
func (p *Phone) meet(k *keys.TemporaryExposureKey) {
	report := p.reportOf(k)
	have, known := p.keys[k.KeyData]
	switch {
	case !known:
		p.keys[k.KeyData] = phoneKey{period: k.RollingPeriod, report: report}
	case have.period == k.RollingPeriod && !have.moved && have.report.CanBecome(report):
		have.report, have.moved = report, true
		p.keys[k.KeyData] = have
	}
}

// reportOf returns what the app takes a key for.
func (p *Phone) reportOf(k *keys.TemporaryExposureKey) keys.ReportType {
	if r := k.ReportType.Or(keys.ReportUnknown); r != keys.ReportUnknown {
		return r
	}
	if p.WhenMissing != keys.ReportUnknown {
		return p.WhenMissing
	}
	return keys.ReportConfirmedTest
}

// Matches reports whether the phone warns of a key, and as what.
func (p *Phone) Matches(k keys.KeyData) (report keys.ReportType, matches bool) {
	have, known := p.keys[k]
	return have.report, known && have.report != keys.ReportRevoked
}

// CanForget reports whether the phone matches a key and would not any more, were it
// to meet it as REVOKED. If it matches the key and cannot forget it, why says what is
// in the way.
func (p *Phone) CanForget(k keys.KeyData) (can bool, why Keeping) {
	have, known := p.keys[k]
	switch {
	case !known || have.report == keys.ReportRevoked:
		return false, ""
	case have.moved:
		return false, KeptTransitionUsed
	case have.report.CanBecome(keys.ReportRevoked):
		return true, ""
	case have.report == keys.ReportConfirmedTest:
		return false, KeptConfirmedTest
	}
	return false, KeptReportType
}

// A Keeping is why phones go on matching a key that is withdrawn.
type Keeping string

const (
	KeptConfirmedTest  Keeping = "confirmed-test"  // nothing leads out of it; see [Revocable]
	KeptTransitionUsed Keeping = "transition-used" // its report type has risen before
	KeptReportType     Keeping = "report-type"     // another of which no transition leads
)
