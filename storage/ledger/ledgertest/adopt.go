package ledgertest

import (
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

var adoptClauses = []clause{
	{
		name:  "adopt",
		must:  "what another system published is cut at the time it has from then on, whatever was to become of it before, and nothing else is",
		check: checkAdopt,
	},
}

// adoption is two hours that another system published.
type adoption struct {
	known, waiting, unknown keys.DiagnosisKey
	until                   time.Time
}

// beginAdoption has the ledger take in three keys: one that it is to learn was
// published at nine, one that was not, and one, published at ten, that it has nothing
// of. By the policy none of them would be cut yet. The operator has withdrawn the first,
// and its source the last, before it brings it.
func (tr *trial) beginAdoption() *adoption {
	tr.tb.Helper()
	p := ledger.DefaultPolicy()
	p.Quota = 1
	tr.open(p)
	tr.pass(time.Minute)
	a := &adoption{known: tr.key("DE"), waiting: tr.key("DE"), unknown: tr.key("FR"), until: noon.Add(-time.Hour)}
	tr.accept(ledger.Own, a.waiting)
	tr.accept(ledger.Own, a.known) // beyond the quota: held
	_, err := tr.ledger.Withdraw(tr.ctx, ledger.IDOf(&a.known))
	tr.must(err)
	tr.withdraw("hub", a.unknown)
	tr.must(tr.ledger.BeginAdoption(tr.ctx, a.until))
	return a
}

func (tr *trial) published(k *keys.DiagnosisKey, at time.Time) ledger.Published {
	return ledger.Published{At: at, Units: ids([]keys.DiagnosisKey{*k}), Claim: ledger.Claim{Source: "hub", Upload: "adopted", Key: *k}}
}

// adopt takes the adoption to its end.
func (tr *trial) adopt(a *adoption) {
	tr.tb.Helper()
	said := a.known.TemporaryExposureKey
	said.ReportType = keys.Optional[keys.ReportType]{}
	known := tr.published(&a.known, noon.Add(-3*time.Hour))
	known.As = &said
	_, err := tr.ledger.Adopt(tr.ctx, known, tr.published(&a.unknown, noon.Add(-2*time.Hour)))
	tr.must(err)
	for h := 2; h >= 1; h-- {
		tr.must(tr.ledger.CutAdopted(tr.ctx, noon.Add(-time.Duration(h)*time.Hour)))
	}
}

func checkAdopt(tr *trial) {
	a := tr.beginAdoption()
	tr.adopt(a)
	log := tr.log()
	if len(log.Cuts) != 2 || log.Cuts[0].Last != 1 || log.Cuts[1].Last != 2 || !log.Last.Time.Equal(a.until) {
		tr.fail("got the cuts %+v, want one of ten with number 1 and one of eleven with number 2", log.Cuts)
	}
	known, unknown := tr.unit(a.known), tr.unit(a.unknown)
	switch {
	case len(known.Events) != 1 || known.Events[0].Number != 1 || known.Events[0].Sources != "own" || known.Events[0].ReportType.Present():
		tr.fail("the key that was known was adopted as%s", tr.show(known))
	case !known.Due.Equal(noon.Add(-3*time.Hour)) || known.Key.ReportType.Present() || !known.Claims[0].Key.ReportType.Present() || known.Claims[0].Held:
		tr.fail("the key that was known stands as%s", tr.show(known))
	case unknown == nil || len(unknown.Events) != 1 || unknown.Events[0].Number != 2 || unknown.Events[0].Sources != "hub":
		tr.fail("the key of which nothing was known was adopted as%s", tr.show(unknown))
	case tr.unit(a.waiting).Released():
		tr.fail("a key that was not published has a number")
	}
	tr.accept("other", a.known) // a further claim, which is no reason to show it again
	for range 25 {
		tr.cut()
	}
	if u := tr.unit(a.waiting); !u.Released() {
		tr.fail("the key that was not published never was, either:%s", tr.show(u))
	}
	for _, k := range []keys.DiagnosisKey{a.known, a.unknown} {
		if u := tr.unit(k); len(u.Events) != 2 || u.Events[1].Own != ledger.Withdrawn || len(tr.kept(u.ID())) > 0 {
			tr.fail("what was withdrawn before it was adopted stands as%s", tr.show(u))
		}
	}
	if n := len(tr.read(0, 2)); n != 2 {
		tr.fail("%d keys are read of what was adopted, want 2", n)
	}
}
