package submit

import (
	"testing"

	"github.com/gaenkit/gaen/keys"
)

// FuzzUpload has whatever a phone sends come out as granted, or not at all.
func FuzzUpload(f *testing.F) {
	const good = `{"diagnosisKeySubmissionToken":"00000000-0000-0000-0000-000000000000","temporaryExposureKeys":[{"key":"AAECAwQFBgcICQoLDA0ODw==","rollingStartNumber":2655792,"rollingPeriod":144}],"consentToFederate":true`
	for _, seed := range []string{good + `}`, good + `,"origin":"DE","reportType":3,"testKit":"RAPID_RESULT"}`, `{"temporaryExposureKeys":[7,null,{}]}`, `{}`, `[`} {
		f.Add([]byte(seed))
	}
	terms := Terms{TestType: keys.TestRapid, ReportType: keys.Some(keys.ReportConfirmedTest), ConsentToFederate: keys.ConsentRefused}
	origin := keys.MustRegion("GB-EAW")
	f.Fuzz(func(t *testing.T, text []byte) {
		b, ok := parse(text)
		d, err := upload(text, "id", origin, terms)
		if err != nil {
			return
		}
		n := len(d.Unreadable)
		for _, u := range d.Uploads {
			n += len(u.Keys)
			for i := range u.Keys {
				k := &u.Keys[i]
				if k.Origin != origin || k.TestType != terms.TestType || k.ReportType != terms.ReportType || k.ConsentToFederate != keys.ConsentRefused || k.VariantOfConcern.Present() || k.Provenance != keys.Real {
					t.Errorf("%+v is not what was granted", k)
				}
			}
		}
		if ok && n != len(b.Keys) {
			t.Errorf("%d keys counted, %d read", len(b.Keys), n)
		}
	})
}
