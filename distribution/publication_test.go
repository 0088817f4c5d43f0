package distribution_test

import (
	"encoding/json"
	"testing"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// TestCWA is the table of the German back end, spec "publication map".
func TestCWA(t *testing.T) {
	report := map[keys.TransmissionRiskLevel]keys.ReportType{1: 4, 2: 4, 3: 3, 4: 3, 5: 2, 6: 2, 7: 1, 8: 1}
	onset := map[keys.TransmissionRiskLevel]keys.DaysSinceOnset{1: 1, 2: 2, 3: 1, 4: 2, 5: 1, 6: 2, 7: 1, 8: 2}
	k := keys.DiagnosisKey{TemporaryExposureKey: someKeys(t, 1)[0], Origin: de}
	for risk := range keys.MaxTransmissionRiskLevel + 1 {
		k.TransmissionRiskLevel = keys.Some(risk)
		for minRisk := range keys.MaxTransmissionRiskLevel + 1 {
			got, leaveOut := distribution.CWA(minRisk).Publish(&k)
			switch {
			case risk == 0 || risk < minRisk:
				if leaveOut == "" {
					t.Errorf("risk %d is published from %d on", risk, minRisk)
				}
				continue
			case leaveOut != "":
				t.Errorf("risk %d from %d on: left out: %s", risk, minRisk, leaveOut)
				continue
			}
			want := k.TemporaryExposureKey
			want.ReportType = keys.Some(report[risk])
			want.DaysSinceOnsetOfSymptoms = keys.Some(onset[risk])
			if got != want {
				t.Errorf("risk %d: got %+v, want %+v", risk, got, want)
			}
		}
	}
	k.TransmissionRiskLevel = keys.Optional[keys.TransmissionRiskLevel]{}
	if _, leaveOut := distribution.CWA(0).Publish(&k); leaveOut == "" {
		t.Error("a key without a risk is published")
	}
}

func TestIdentity(t *testing.T) {
	k := keys.DiagnosisKey{TemporaryExposureKey: someKeys(t, 1)[0], Origin: de}
	for _, test := range []struct {
		onset keys.Optional[keys.DaysSinceOnset]
		want  keys.Optional[keys.DaysSinceOnset]
	}{
		{},
		{keys.Some[keys.DaysSinceOnset](-14), keys.Some[keys.DaysSinceOnset](-14)},
		{keys.Some[keys.DaysSinceOnset](0), keys.Some[keys.DaysSinceOnset](0)},
		{keys.Some[keys.DaysSinceOnset](14), keys.Some[keys.DaysSinceOnset](14)},
		{onset: keys.Some[keys.DaysSinceOnset](101)},  // a range: phones ignore a file with it (COCOA 639)
		{onset: keys.Some[keys.DaysSinceOnset](3000)}, // no symptoms
	} {
		k.DaysSinceOnsetOfSymptoms = test.onset
		want := k.TemporaryExposureKey
		want.DaysSinceOnsetOfSymptoms = test.want
		if got, leaveOut := distribution.Identity().Publish(&k); got != want || leaveOut != "" {
			t.Errorf("onset %s: got %+v, %q", test.onset, got, leaveOut)
		}
	}
}

// TestSelectors publishes one key of each kind into packages that select
// differently.
func TestSelectors(t *testing.T) {
	w := newWorld(t, 1)
	traveller := w.upload(fr)
	visited, err := keys.RegionsOf(de, it)
	if err != nil {
		t.Fatal(err)
	}
	for i := range traveller.Keys {
		traveller.Keys[i].VisitedCountries = visited
	}
	uploads := map[string]ledger.Upload{"own": w.upload(de), "relayed": w.upload(de), "foreign": w.upload(fr), "traveller": traveller}
	for kind, up := range uploads {
		for i := range up.Keys {
			if kind != "traveller" {
				up.Keys[i].VisitedCountries = keys.Regions{}
			}
		}
	}
	w.policy.MinKeys, w.policy.MinUploads = 0, 0
	w.accept(ledger.Own, uploads["own"])
	w.accept("hub-b", uploads["relayed"])
	w.accept("hub-a", uploads["foreign"], uploads["traveller"])

	want := map[string][]string{
		"DE": {"own", "relayed"},
		"AT": {"own"},
		"EU": {"own", "relayed", "foreign", "traveller"},
		"VI": {"own", "relayed", "traveller"},
		"IT": {"traveller"},
		"XX": {"foreign", "traveller"},
	}
	onlyOwn := distribution.FromOrigin(de)
	onlyOwn.Sources = keys.Only(ledger.Own)
	notHubB := distribution.FromEverywhere()
	notHubB.Sources = keys.Only[ledger.Source]("hub-a")
	w.packages = nil
	for name, s := range map[string]distribution.Selector{
		"DE": distribution.FromOrigin(de), "AT": onlyOwn, "EU": distribution.FromEverywhere(),
		"VI": distribution.OfInterestTo(de), "IT": distribution.OfInterestTo(it), "XX": notHubB,
	} {
		w.packages = append(w.packages, distribution.Package{Name: name, Select: s, Map: distribution.Identity(), FromBeginning: true})
	}
	w.release()
	w.clock = w.clock.Add(26 * 60 * 60 * 1e9) // past the embargo of the day's keys
	w.release()
	w.run()
	for pkg, kinds := range want {
		got := map[keys.KeyData]bool{}
		for _, f := range w.have(pkg, "hour") {
			for k := range f.keys {
				got[k] = true
			}
		}
		n := 0
		for _, kind := range kinds {
			for _, k := range uploads[kind].Keys {
				n++
				if !got[k.KeyData] {
					t.Errorf("%s lacks a key: %s", pkg, kind)
				}
			}
		}
		if len(got) != n {
			t.Errorf("%s has %d keys, want %d", pkg, len(got), n)
		}
	}
}

func TestSelectorJSON(t *testing.T) {
	for _, s := range []distribution.Selector{
		distribution.FromOrigin(de, fr), distribution.FromEverywhere(), distribution.OfInterestTo(it),
		{Origins: keys.Only(de), Sources: keys.Only(ledger.Own, "hub")},
		{},
	} {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back distribution.Selector
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		again, err := json.Marshal(back)
		if err != nil || string(again) != string(text) {
			t.Errorf("%s came back as %s, %v", text, again, err)
		}
	}
}
