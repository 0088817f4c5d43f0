package distribution

import (
	"fmt"

	"github.com/gaenkit/gaen/keys"
)

// A PublicationMap says what a package's archives say of a key, or that they
// leave it out. It must be a pure function of the key: plans name the map that
// showed a key, and revisions of the key go through the same one.
type PublicationMap struct {
	// Name is how plans remember the map. Another rule needs another name.
	Name string

	// Publish returns what is published of k, or the reason for which it is
	// left out.
	Publish func(k *keys.DiagnosisKey) (_ keys.TemporaryExposureKey, leaveOut string)

	coded bool // report types are codes for something else
	wrong string
}

// Identity publishes a key as it is stored. What is known of the onset of
// symptoms in a form that archives do not have is left unsaid.
func Identity() PublicationMap {
	return PublicationMap{Name: "identity", Publish: func(k *keys.DiagnosisKey) (keys.TemporaryExposureKey, string) {
		t := k.TemporaryExposureKey
		if d, ok := t.DaysSinceOnsetOfSymptoms.Get(); ok {
			t.DaysSinceOnsetOfSymptoms = d.InArchive()
		}
		return t, ""
	}}
}

// cwaCodes are the report type and the days since onset by which the German app
// tells the transmission risk levels apart, which newer phones do not hand to
// it.
var cwaCodes = [keys.MaxTransmissionRiskLevel + 1]struct {
	report keys.ReportType
	onset  keys.DaysSinceOnset
}{
	1: {4, 1}, 2: {4, 2},
	3: {3, 1}, 4: {3, 2},
	5: {2, 1}, 6: {2, 2},
	7: {1, 1}, 8: {1, 2},
}

// CWA publishes a key as the German back end does: report type and days since
// onset are replaced by codes for the transmission risk level, and keys with a
// level below minRisk are left out (3 in production). The app gives
// infectiousness to its own codes only, so without this map its phones
// misjudge every key.
func CWA(minRisk keys.TransmissionRiskLevel) PublicationMap {
	return PublicationMap{Name: fmt.Sprintf("cwa-%d", minRisk), coded: true, Publish: func(k *keys.DiagnosisKey) (keys.TemporaryExposureKey, string) {
		t := k.TemporaryExposureKey
		risk, ok := t.TransmissionRiskLevel.Get()
		switch {
		case !ok || risk == 0 || risk > keys.MaxTransmissionRiskLevel:
			return t, "no-transmission-risk-level"
		case risk < minRisk:
			return t, "low-transmission-risk-level"
		}
		code := cwaCodes[risk]
		t.ReportType = keys.Some(code.report)
		t.DaysSinceOnsetOfSymptoms = keys.Some(code.onset)
		return t, ""
	}}
}

// NHS publishes a key as the British back end does: as [Identity], but with 0 days
// since onset where nothing is known of them.
func NHS() PublicationMap {
	identity := Identity().Publish
	return PublicationMap{Name: "nhs", Publish: func(k *keys.DiagnosisKey) (keys.TemporaryExposureKey, string) {
		t, leaveOut := identity(k)
		if !t.DaysSinceOnsetOfSymptoms.Present() {
			t.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(0))
		}
		return t, leaveOut
	}}
}

// Revocable publishes a key as m does, but CONFIRMED_TEST as
// CONFIRMED_CLINICAL_DIAGNOSIS, so that phones forget the key if it is withdrawn:
// nothing leads out of the former, and REVOKED out of the latter (see [Phone]).
//
// It takes an app that is configured for it. The app must give
// CONFIRMED_CLINICAL_DIAGNOSIS the weight, and the infectiousness, that it gives
// CONFIRMED_TEST, and cannot tell the two apart; one that passes over clinical
// diagnoses warns of no key at all. So it is for a back end to choose with its app,
// and what no map names stays as it is.
//
// Not everything becomes revocable. A key is revised once: one that was published as
// SELF_REPORT and then confirmed is not forgotten any more. One without report type
// is what the app takes it for. And what a package showed by another map stays as
// it was shown.
//
// The maps of [CWA] cannot be made revocable, since report types mean something else
// in them; [New] refuses it.
func Revocable(m PublicationMap) PublicationMap {
	r := PublicationMap{Name: "revocable-" + m.Name, wrong: m.wrong, Publish: func(k *keys.DiagnosisKey) (keys.TemporaryExposureKey, string) {
		t, leaveOut := m.Publish(k)
		if t.ReportType == keys.Some(keys.ReportConfirmedTest) {
			t.ReportType = keys.Some(keys.ReportConfirmedClinicalDiagnosis)
		}
		return t, leaveOut
	}}
	switch {
	case m.Name == "" || m.Publish == nil:
		r.Name, r.Publish = "", nil
	case m.coded:
		r.wrong = fmt.Sprintf("%s cannot be made revocable: its report types are codes, of which 2 means another", m.Name)
	}
	return r
}

// readyMade returns the maps of this package, under all their names.
func readyMade() []PublicationMap {
	maps := []PublicationMap{Identity(), Revocable(Identity()), NHS(), Revocable(NHS())}
	for risk := range keys.MaxTransmissionRiskLevel + 1 {
		maps = append(maps, CWA(risk))
	}
	return maps
}
