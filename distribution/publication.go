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
	return PublicationMap{Name: fmt.Sprintf("cwa-%d", minRisk), Publish: func(k *keys.DiagnosisKey) (keys.TemporaryExposureKey, string) {
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

// readyMade returns the maps of this package, under all their names.
func readyMade() []PublicationMap {
	maps := []PublicationMap{Identity(), NHS()}
	for risk := range keys.MaxTransmissionRiskLevel + 1 {
		maps = append(maps, CWA(risk))
	}
	return maps
}
