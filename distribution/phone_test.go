package distribution_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// reads has a phone read a key in files, one after the other: first among the keys,
// then among the revised.
func reads(p *distribution.Phone, k keys.TemporaryExposureKey, reports ...keys.Optional[keys.ReportType]) {
	for i, report := range reports {
		k.ReportType = report
		c := &export.Content{Start: time.Unix(int64(i), 0), End: time.Unix(int64(i)+1, 0)}
		if i == 0 {
			c.Keys = []keys.TemporaryExposureKey{k}
		} else {
			c.RevisedKeys = []keys.TemporaryExposureKey{k}
		}
		p.Read(c)
	}
}

// TestPhone is the table of transitions, spec "What a phone does with a key it meets
// again".
func TestPhone(t *testing.T) {
	var (
		none  = keys.Optional[keys.ReportType]{}
		unk   = keys.Some(keys.ReportUnknown)
		test  = keys.Some(keys.ReportConfirmedTest)
		diag  = keys.Some(keys.ReportConfirmedClinicalDiagnosis)
		self  = keys.Some(keys.ReportSelfReport)
		gone  = keys.Some(keys.ReportRevoked)
		recur = keys.Some(keys.ReportRecursive)
	)
	k := someKeys(t, 1)[0]
	for _, tt := range []struct {
		name    string
		met     []keys.Optional[keys.ReportType]
		missing keys.ReportType
		want    keys.ReportType
		matches bool
		forgets bool
		kept    distribution.Keeping
	}{
		{name: "never", want: 0},
		{name: "test", met: []keys.Optional[keys.ReportType]{test}, want: 1, matches: true, kept: distribution.KeptConfirmedTest},
		{name: "diagnosis", met: []keys.Optional[keys.ReportType]{diag}, want: 2, matches: true, forgets: true},
		{name: "self-report", met: []keys.Optional[keys.ReportType]{self}, want: 3, matches: true, forgets: true},
		{name: "recursive", met: []keys.Optional[keys.ReportType]{recur}, want: 4, matches: true, kept: distribution.KeptReportType},
		{name: "revoked first", met: []keys.Optional[keys.ReportType]{gone}, want: 5},
		{name: "revoked first, then a test", met: []keys.Optional[keys.ReportType]{gone, test}, want: 5},
		{name: "test, revoked", met: []keys.Optional[keys.ReportType]{test, gone}, want: 1, matches: true, kept: distribution.KeptConfirmedTest},
		{name: "diagnosis, revoked", met: []keys.Optional[keys.ReportType]{diag, gone}, want: 5},
		{name: "self-report, revoked", met: []keys.Optional[keys.ReportType]{self, gone}, want: 5},
		{name: "revoked, and back", met: []keys.Optional[keys.ReportType]{self, gone, self}, want: 5},
		{name: "diagnosis, test", met: []keys.Optional[keys.ReportType]{diag, test}, want: 1, matches: true, kept: distribution.KeptTransitionUsed},
		{name: "self-report, diagnosis, revoked", met: []keys.Optional[keys.ReportType]{self, diag, gone}, want: 2, matches: true, kept: distribution.KeptTransitionUsed},
		{name: "diagnosis, self-report, revoked", met: []keys.Optional[keys.ReportType]{diag, self, gone}, want: 5},
		{name: "missing", met: []keys.Optional[keys.ReportType]{none, gone}, want: 1, matches: true, kept: distribution.KeptConfirmedTest},
		{name: "unknown", met: []keys.Optional[keys.ReportType]{unk}, want: 1, matches: true, kept: distribution.KeptConfirmedTest},
		{name: "missing is a diagnosis", met: []keys.Optional[keys.ReportType]{none}, missing: 2, want: 2, matches: true, forgets: true},
		{name: "missing is a diagnosis, revoked", met: []keys.Optional[keys.ReportType]{none, gone}, missing: 2, want: 5},
	} {
		p := &distribution.Phone{WhenMissing: tt.missing}
		reads(p, k, tt.met...)
		report, matches := p.Matches(k.KeyData)
		can, why := p.CanForget(k.KeyData)
		if report != tt.want || matches != tt.matches || can != tt.forgets || why != tt.kept {
			t.Errorf("%s: %s, matched %t, forgotten %t (%s)", tt.name, report, matches, can, why)
		}
	}

	p := &distribution.Phone{}
	k.ReportType = self
	reads(p, k, self)
	k.RollingPeriod--
	k.ReportType = gone
	if !p.Read(&export.Content{Start: time.Unix(9, 0), End: time.Unix(10, 0), RevisedKeys: []keys.TemporaryExposureKey{k}}) {
		t.Error("a file is skipped")
	}
	if _, matches := p.Matches(k.KeyData); !matches {
		t.Error("a key with another rolling period is not skipped")
	}
	k.RollingPeriod++
	same := &export.Content{Start: time.Unix(0, 0), End: time.Unix(1, 0), RevisedKeys: []keys.TemporaryExposureKey{k}}
	if p.Read(same) {
		t.Error("a file with the bounds of another is read")
	}
	if _, matches := p.Matches(k.KeyData); !matches {
		t.Error("what is in it is taken")
	}
	same.End = time.Unix(2, 0)
	if !p.Read(same) {
		t.Error("a file that ends later is taken for another")
	}
	if _, matches := p.Matches(k.KeyData); matches {
		t.Error("it is not forgotten")
	}
}

// TestRevocable publishes a confirmed test, and takes it back, by either map.
func TestRevocable(t *testing.T) {
	w := newWorld(t, 3)
	w.policy.MinKeys, w.policy.MinUploads = 0, 0
	w.packages = []distribution.Package{
		{Name: "DE", Select: distribution.FromEverywhere(), Map: distribution.Identity(), FromBeginning: true},
		{Name: "EUR", Select: distribution.FromEverywhere(), Map: distribution.Revocable(distribution.Identity()), FromBeginning: true},
	}
	confirmed, confirmedLater, stays := w.upload(de), w.upload(de), w.upload(de)
	for _, up := range []*ledger.Upload{&confirmed, &confirmedLater, &stays} {
		up.Keys = up.Keys[len(up.Keys)-1:]
		setReport(up, keys.ReportConfirmedTest)
	}
	setReport(&confirmedLater, keys.ReportSelfReport)
	w.accept(ledger.Own, confirmed, confirmedLater, stays)
	w.release()
	w.clock = w.clock.Add(26 * time.Hour)
	w.release()
	w.run()
	setReport(&confirmedLater, keys.ReportConfirmedTest)
	w.accept(ledger.Own, confirmedLater)
	w.release()
	w.run()
	p, _ := w.publisher(nil, nil)
	foresight, err := p.Foresee(t.Context(), keys.ReportUnknown, append(ids(confirmed), ids(confirmedLater)...)...)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"DE: of 2 keys phones would forget 0; keep 1 (confirmed-test); keep 1 (transition-used)",
		"EUR: of 2 keys phones would forget 1; keep 1 (transition-used)",
	} {
		if got := foresight[i].String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	w.withdraw(append(ids(confirmed), ids(confirmedLater)...)...)
	w.release()
	w.run()
	h := &history{world: w, seen: objects(t, w.bucket)}
	for pkg, want := range map[string][3]bool{"DE": {true, true, true}, "EUR": {false, true, true}} {
		phone := h.phone(h.published(pkg))
		for i, up := range []ledger.Upload{confirmed, confirmedLater, stays} {
			if _, matches := phone.Matches(up.Keys[0].KeyData); matches != want[i] {
				t.Errorf("%s: key %d is matched: %t", pkg, i, matches)
			}
		}
	}
	// By another map nothing changes of what was shown.
	before := objects(t, w.bucket)
	w.packages[0].Map = distribution.Revocable(distribution.Identity())
	w.packages[1].Map = distribution.Identity()
	w.release()
	w.run()
	for _, pkg := range []string{"DE", "EUR"} {
		for end, f := range w.have(pkg, "hour") {
			if end.Equal(w.clock.Truncate(time.Hour)) && len(f.keys)+len(f.revised) > 0 {
				t.Errorf("%s: %d keys are said anew", pkg, len(f.keys)+len(f.revised))
			}
		}
	}
	if len(before) == 0 {
		t.Error("nothing was published")
	}
}

// TestRevocableOfCodes: the codes of the German app cannot be made revocable.
func TestRevocableOfCodes(t *testing.T) {
	w := newWorld(t, 1)
	for name, m := range map[string]distribution.PublicationMap{
		"codes": distribution.Revocable(distribution.CWA(3)), "twice": distribution.Revocable(distribution.Revocable(distribution.CWA(3))),
		"nothing": distribution.Revocable(distribution.PublicationMap{}), "no function": distribution.Revocable(distribution.PublicationMap{Name: "x"}),
	} {
		w.packages[0].Map = m
		if _, err := distribution.New(w.open(nil), w.bucket, w.layout, w.packages, w.ring, nil); err == nil || !strings.Contains(err.Error(), "package DE: Map: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.packages[0].Map = distribution.Revocable(distribution.Identity())
	if _, err := distribution.New(w.open(nil), w.bucket, w.layout, w.packages, w.ring, nil); err != nil {
		t.Error(err)
	}
}

// TestRevokedOnlyWherePublished: in random histories a package says REVOKED, or
// anything else of a key among the revised, only of keys that it has shown, in a
// file before.
func TestRevokedOnlyWherePublished(t *testing.T) {
	revoked, shown := 0, map[keys.KeyData]bool{}
	for seed := range uint64(4) {
		h := &history{world: newWorld(t, seed+200), seen: map[string][]byte{}}
		for range 25 {
			h.hour()
			if h.chance(20) {
				h.cleanRun()
				h.change()
			}
		}
		h.cleanRun()
		for _, pkg := range h.packages {
			clear(shown)
			for _, f := range h.published(pkg.Name) {
				if f.file.Span != "hour" {
					continue
				}
				for k, r := range f.says.revised {
					if !shown[k] {
						t.Errorf("%s revises a key that the package does not show", f.name)
					}
					if r.ReportType == keys.Some(keys.ReportRevoked) {
						delete(shown, k)
						revoked++
					}
				}
				for k := range f.says.keys {
					shown[k] = true
				}
			}
		}
	}
	if revoked == 0 {
		t.Error("nothing was revoked")
	}
}
