package ledger_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

type reportType = keys.Optional[keys.ReportType]

var (
	absent   = reportType{}
	unknown  = keys.Some(keys.ReportUnknown)
	self     = keys.Some(keys.ReportSelfReport)
	clinical = keys.Some(keys.ReportConfirmedClinicalDiagnosis)
	test     = keys.Some(keys.ReportConfirmedTest)
)

// ahead holds what may be reported after what: the transitions of the reference
// device code, but for revocation, which is a withdrawal.
var ahead = map[reportType][]reportType{self: {clinical, test}, clinical: {test}}

func leads(from, to reportType) bool {
	return slices.Contains(ahead[from], to)
}

// TestClaimsByReportType goes through every pair of report types, of the same
// source and of another, of own and foreign ones, before and after the release.
func TestClaimsByReportType(t *testing.T) {
	all := []reportType{absent, unknown, self, clinical, test}
	for _, first := range []ledger.Source{ledger.Own, "p"} {
		for _, then := range []ledger.Source{ledger.Own, "p", "q"} {
			for _, released := range []bool{false, true} {
				for _, was := range all {
					for _, is := range all {
						name := fmt.Sprintf("%s says %s, then %s, released %t, %s", first, was, then, released, is)
						t.Run(name, func(t *testing.T) { checkReportTypes(t, first, then, released, was, is) })
					}
				}
			}
		}
	}
}

func checkReportTypes(t *testing.T, first, then ledger.Source, released bool, was, is reportType) {
	phone := keys.FromPartner() // which takes an unknown report type, too
	phone.RequireConsent = true
	p := ledger.DefaultPolicy()
	p.MinKeys, p.MinUploads = 0, 0
	s := open(t, &ledger.Options{Policy: &p, FromPhone: &phone})
	k := s.key()
	k.ReportType = was
	s.accept(first, "u1", k)
	if released {
		s.release()
	}
	k.ReportType = is
	got := outcome(s.accept(then, "u1", k))

	want, becomes := "accepted", was
	switch {
	case first == then && was == is, first == then && leads(is, was):
		want = "duplicate"
	case first == then && leads(was, is):
		want, becomes = "revised", is
	case first == then:
		want = "report_type conflict"
	case then == ledger.Own && !released: // own before all
		becomes = is
		if leads(is, was) {
			becomes = was
		}
	case leads(was, is):
		becomes = is
	}
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := s.unit(k).Key.ReportType; got != becomes {
		t.Errorf("the unit's report type is %s, want %s", got, becomes)
	}
}

// TestClaimsThatDiffer changes one field of a key that has been claimed.
func TestClaimsThatDiffer(t *testing.T) {
	visited, err := keys.ParseRegions("FR")
	if err != nil {
		t.Fatal(err)
	}
	changes := []struct {
		name     string
		change   func(*keys.DiagnosisKey)
		interval bool
		field    keys.Field // where the same source says it
	}{
		{"start", func(k *keys.DiagnosisKey) { k.RollingStartIntervalNumber-- }, true, keys.FieldRollingStart},
		{"period", func(k *keys.DiagnosisKey) { k.RollingPeriod-- }, true, keys.FieldRollingPeriod},
		{"risk", func(k *keys.DiagnosisKey) { k.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(3)) }, false, keys.FieldTransmissionRisk},
		{"onset", func(k *keys.DiagnosisKey) { k.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(0)) }, false, keys.FieldDaysSinceOnset},
		{"variant", func(k *keys.DiagnosisKey) { k.VariantOfConcern = keys.Some(keys.VariantOfConcern(1)) }, false, keys.FieldVariant},
		{"visited", func(k *keys.DiagnosisKey) { k.VisitedCountries = visited }, false, keys.FieldVisitedCountries},
		{"test type", func(k *keys.DiagnosisKey) { k.TestType = keys.TestRapid }, false, keys.FieldTestType},
		{"consent", func(k *keys.DiagnosisKey) { k.ConsentToFederate = keys.ConsentRefused }, false, keys.FieldConsent},
	}
	for _, c := range changes {
		for _, first := range []ledger.Source{ledger.Own, "p"} {
			for _, then := range []ledger.Source{ledger.Own, "p", "q"} {
				for _, released := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s, %s then %s, released %t", c.name, first, then, released), func(t *testing.T) {
						s := open(t, nil)
						k := s.key()
						s.accept(first, "u1", k)
						if released {
							s.release()
						}
						before := s.unit(k)
						other := k
						c.change(&other)
						got, want, says := outcome(s.accept(then, "u2", other)), "accepted", k
						speaks := first != ledger.Own && then == ledger.Own && !released
						switch {
						case first == then:
							want = string(c.field) + " conflict"
						case speaks:
							says = other
						case c.interval:
							want = string(keys.FieldRollingStart) + " conflict"
						}
						after := s.unit(k)
						if got != want || after.Key != says {
							t.Errorf("got %s and the unit %+v, want %s and %+v", got, after.Key, want, says)
						}
						if !speaks && !after.Due.Equal(before.Due) {
							t.Errorf("due %s became %s", before.Due, after.Due)
						}
						counted := "u1"
						if first != ledger.Own && then == ledger.Own && want == "accepted" {
							counted = "u2" // an own upload before a partner's, also of what is out
						}
						if after.Upload != counted {
							t.Errorf("counted with upload %s, want %s", after.Upload, counted)
						}
					})
				}
			}
		}
	}
}

// TestOwnBeforeAll has an own submission come after partners' claims.
func TestOwnBeforeAll(t *testing.T) {
	s := open(t, nil)
	k := s.key()
	k.ReportType = unknown
	s.accept("p", "batch", k)
	k.ReportType = test
	s.accept("q", "batch", k)
	s.now = s.now.Add(time.Minute)
	own := k
	own.ReportType = self
	own.RollingStartIntervalNumber, own.RollingPeriod = keys.IntervalAt(noon)-6, 6 // ends at noon
	s.accept(ledger.Own, "submission", own)
	u := s.unit(k)
	want := own
	want.ReportType = test // the furthest any of them brought
	if u.Key != want || u.Upload != "submission" || !u.Accepted.Equal(noon) || !u.Due.Equal(noon.Add(2*time.Hour)) {
		t.Errorf("the unit is %+v of upload %s, accepted %s, due %s", u.Key, u.Upload, u.Accepted, u.Due)
	}
}

// TestOwnUploadsOfOneKey has several own uploads bring one key.
func TestOwnUploadsOfOneKey(t *testing.T) {
	s := open(t, nil)
	k := s.key()
	k.ReportType = self
	s.accept("p", "b", k) // a partner's batch, of the same name as an own upload
	first := outcome(s.accept(ledger.Own, "a", k))
	again := outcome(s.accept(ledger.Own, "a", k))
	other := outcome(s.accept(ledger.Own, "b", k))
	k.ReportType = test
	third := outcome(s.accept(ledger.Own, "c", k))
	if got := []string{first, again, other, third}; fmt.Sprint(got) != "[accepted duplicate duplicate revised]" {
		t.Errorf("got %v", got)
	}
	u := s.unit(k)
	if len(u.Claims) != 4 || u.Upload != "a" || fmt.Sprint(sources(u)) != "[own p]" {
		t.Errorf("the unit has %d claims, upload %s, sources %v", len(u.Claims), u.Upload, sources(u))
	}
	for _, c := range u.Claims[1:] {
		if c.Key.ReportType != test {
			t.Errorf("the claim of upload %s is of type %s after the revision", c.Upload, c.Key.ReportType)
		}
	}
}

// TestWithdrawnStaysWithdrawn has a key come again that was taken back.
func TestWithdrawnStaysWithdrawn(t *testing.T) {
	const refused = "key_data withdrawn"
	operator := func(s *setup, k keys.DiagnosisKey) {
		if _, err := s.Withdraw(t.Context(), ledger.IDOf(&k)); err != nil {
			t.Fatal(err)
		}
	}
	rollBack := func(s *setup, _ keys.DiagnosisKey) {
		if _, err := s.RollBack(t.Context(), "u"); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name     string
		withdraw func(*setup, keys.DiagnosisKey)
		source   ledger.Source
		upload   string
		want     string
	}{
		{"by its source, again by it", func(s *setup, k keys.DiagnosisKey) { s.withdraw(ledger.Own, k) }, ledger.Own, "u", "duplicate"},
		{"by its source, by another upload", func(s *setup, k keys.DiagnosisKey) { s.withdraw(ledger.Own, k) }, ledger.Own, "v", refused},
		{"by its source, by another source", func(s *setup, k keys.DiagnosisKey) { s.withdraw(ledger.Own, k) }, "p", "u", refused},
		{"by name, again", operator, ledger.Own, "u", "duplicate"},
		{"by name, by another upload", operator, ledger.Own, "v", refused},
		{"by name, by another source", operator, "p", "u", "accepted"}, // a claim, which changes nothing
		{"by upload, by another upload", rollBack, ledger.Own, "v", refused},
		{"by upload, by another source", rollBack, "p", "u", "accepted"},
	}
	for _, tt := range tests {
		for _, released := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, released %t", tt.name, released), func(t *testing.T) {
				s := open(t, nil)
				k := s.key()
				s.accept(ledger.Own, "u", k)
				if released {
					s.release()
				}
				tt.withdraw(s, k)
				if got := outcome(s.accept(tt.source, tt.upload, k)); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
				s.release()
				if u := s.unit(k); u.At(1<<40).Own == ledger.Active {
					t.Errorf("it is back: %+v", u.Events)
				}
			})
		}
	}
}

// TestRemovedStaysWithdrawn has a key come again that was erased: the ledger has a
// hash of it alone, and takes it from nobody.
func TestRemovedStaysWithdrawn(t *testing.T) {
	for _, source := range []ledger.Source{ledger.Own, "p"} {
		s := open(t, nil)
		k := s.key()
		s.accept(ledger.Own, "u", k)
		s.release()
		s.order(func() (*ledger.OperatorReceipt, error) { return s.Erase(t.Context(), "u") })
		s.release()
		if r, err := s.Prune(t.Context()); err != nil || r.Removed != 1 {
			t.Fatalf("removed %+v, %v", r, err)
		}
		if got := outcome(s.accept(source, "v", k)); got != "key_data withdrawn" {
			t.Errorf("by %s: got %s", source, got)
		}
	}
}
