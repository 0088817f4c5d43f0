package ledgertest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// odd returns units with every field set, to values at the ends of their ranges
// and to none.
func (tr *trial) odd() []*ledger.Unit {
	visited, err := keys.ParseRegions("AT", "GB-EAW", "419")
	tr.must(err)
	full := tr.key("GB-EAW")
	full.VisitedCountries = visited
	full.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(0))
	full.ReportType = keys.Some(keys.ReportUnknown)
	full.VariantOfConcern = keys.Some(keys.MaxVariantOfConcern)
	full.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(-14))
	full.TestType, full.ConsentToFederate = keys.TestRapidSelfReported, keys.ConsentRefused
	full.RollingStartIntervalNumber, full.RollingPeriod = 0, 1
	bare := tr.key("DE")
	bare.TransmissionRiskLevel, bare.ReportType = keys.Optional[keys.TransmissionRiskLevel]{}, keys.Optional[keys.ReportType]{}
	bare.ConsentToFederate, bare.Provenance = keys.ConsentUnstated, keys.Padding
	bare.KeyData = keys.KeyData{15: 1}
	zeros := tr.key("DE")
	zeros.VariantOfConcern = keys.Some(keys.VariantOfConcern(0))
	zeros.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(0))

	a := tr.unitOf(full)
	a.Accepted = noon.Add(123456 * time.Microsecond)
	a.Due = noon.Add(999 * time.Hour)
	a.Upload = "a name of Ünicode, with 'quotes'; and \"more\" \\ % _"
	a.SourceWithdrew, a.OperatorWithdrew, a.Erase = true, true, true
	a.Claims = append(a.Claims,
		ledger.Claim{Source: "p.q_r-1", Upload: strings.Repeat("u", 200), Accepted: noon.Add(time.Microsecond), Key: zeros, Held: true},
		ledger.Claim{Source: ledger.Own, Upload: "third", Accepted: a.Accepted, Key: full, Withdrawn: true})
	b, c := tr.unitOf(bare), tr.unitOf(zeros)
	b.OperatorWithdrew, c.SourceWithdrew = true, true
	return []*ledger.Unit{a, b, c}
}

func checkAcceptWhole(tr *trial) {
	tr.openStore()
	units := tr.odd()
	tr.plant(units...)
	for _, want := range units {
		if got := tr.unit(want.Key); got == nil || !sameUnit(got, want, asFound) {
			tr.fail("got%s\nwant%s", tr.show(got), tr.show(want))
		}
	}
	units[0].Claims = units[0].Claims[1:] // instead of what was there
	units[0].Erase = false
	tr.plant(units[0])
	if got := tr.unit(units[0].Key); !sameUnit(got, units[0], asFound) {
		tr.fail("after a change: got%s\nwant%s", tr.show(got), tr.show(units[0]))
	}
}

// kept returns what is kept for a unit, by source.
func (tr *trial) kept(id ledger.UnitID) map[ledger.Source]time.Time {
	tr.tb.Helper()
	kept := map[ledger.Source]time.Time{}
	for _, rec := range tr.find(ledger.Query{Unit: &id}) {
		for _, k := range rec.Kept {
			kept[k.Source] = k.At
		}
	}
	return kept
}

func checkKept(tr *trial) {
	tr.openStore()
	k := tr.key("DE")
	id, other := ledger.IDOf(&k), ledger.UnitID{Origin: keys.MustRegion("AT"), KeyData: k.KeyData}
	keep := func(id ledger.UnitID, s ledger.Source, lifted bool) {
		tr.decide([]ledger.UnitID{id}, func(st *ledger.Standing) (*ledger.Changes, error) {
			return &ledger.Changes{Kept: []ledger.KeptChange{{ID: id, Kept: ledger.KeptWithdrawal{Source: s, At: st.Now}, Lifted: lifted}}}, nil
		})
	}
	keep(id, "p", false)
	tr.pass(time.Second)
	keep(id, "q", false)
	want := map[ledger.Source]time.Time{"p": noon, "q": noon.Add(time.Second)}
	if got := tr.kept(id); !maps.EqualFunc(got, want, time.Time.Equal) {
		tr.fail("kept are %v, want %v", got, want)
	}
	if got := tr.kept(other); len(got) != 0 {
		tr.fail("kept for the same key data of another origin are %v", got)
	}
	tr.decide([]ledger.UnitID{other, id}, func(s *ledger.Standing) (*ledger.Changes, error) {
		if len(s.Records[0].Kept) != 0 || len(s.Records[1].Kept) != 2 {
			return nil, fmt.Errorf("the standing shows %+v", s.Records)
		}
		return &ledger.Changes{}, nil
	})
	keep(id, "p", true)
	if got := tr.kept(id); len(got) != 1 || !got["q"].Equal(noon.Add(time.Second)) {
		tr.fail("after one was lifted, kept are %v", got)
	}
}

func checkKeptApplies(tr *trial) {
	tr.open(eager())
	k := tr.key("DE")
	if r := tr.withdraw("p", k); r.WithdrawalsKept != 1 {
		tr.fail("the withdrawal of an unknown key gives %+v", *r)
	}
	tr.accept("q", k) // another source: not its withdrawal
	tr.cut()
	if u := tr.unit(k); len(u.Events) != 1 || u.Events[0].Own != ledger.Active {
		tr.fail("the unit that another source brought was not released:\n%s", tr.show(u))
	}
	if got := tr.kept(ledger.IDOf(&k)); len(got) != 1 {
		tr.fail("kept are %v, want that of p", got)
	}
	tr.accept("p", k)
	tr.cut()
	if u := tr.unit(k); len(u.Events) != 2 || u.Events[1].Own != ledger.Withdrawn || u.Events[1].Partners != ledger.Withdrawn {
		tr.fail("the withdrawal was not applied:\n%s", tr.show(u))
	}
	if got := tr.kept(ledger.IDOf(&k)); len(got) != 0 {
		tr.fail("kept are still %v", got)
	}
}

func checkSetAside(tr *trial) {
	tr.openStore()
	k := tr.key("DE")
	want := []ledger.SetAside{
		{Source: "p", Upload: "u", At: noon, ID: ledger.IDOf(&k), Field: keys.FieldReportType, Reason: keys.ReasonRange, Detail: "9 is no report type"},
		{Source: "q", Upload: "u", At: noon.Add(time.Microsecond), ID: ledger.IDOf(&k), Field: keys.FieldOrigin, Reason: ledger.ReasonConflict},
		{Source: "q", Upload: "v", At: noon, Field: keys.FieldKeyData, Reason: keys.ReasonLength, Detail: "15 bytes, 'quoted' ü"},
		{Source: "q", Upload: "v", At: noon, Field: keys.FieldKeyData, Reason: keys.ReasonLength, Detail: "17 bytes"},
	}
	tr.decide(nil, func(*ledger.Standing) (*ledger.Changes, error) {
		return &ledger.Changes{SetAside: want[:1]}, nil
	})
	tr.decide(nil, func(*ledger.Standing) (*ledger.Changes, error) {
		return &ledger.Changes{SetAside: want[1:]}, nil
	})
	if got := tr.setAside(ledger.Query{SetAside: true}); !sameSetAside(got, want) {
		tr.fail("got %+v\nwant %+v", got, want)
	}
	if n := len(tr.find(ledger.Query{})); n != 0 {
		tr.fail("a query without SetAside finds %d records", n)
	}
}

// setAside returns what a query finds set aside.
func (tr *trial) setAside(q ledger.Query) (all []ledger.SetAside) {
	tr.tb.Helper()
	for _, rec := range tr.find(q) {
		all = append(all, rec.SetAside...)
	}
	return all
}

// sameSetAside compares lists in any order.
func sameSetAside(a, b []ledger.SetAside) bool {
	text := func(list []ledger.SetAside) []string {
		var lines []string
		for _, s := range list {
			at := s.At.UnixMicro()
			s.At = time.Time{}
			lines = append(lines, fmt.Sprintf("%d %x %+v", at, s.ID.KeyData[:], s))
		}
		slices.Sort(lines)
		return lines
	}
	return slices.Equal(text(a), text(b))
}

func checkSetAsideErased(tr *trial) {
	tr.openStore()
	tr.decide(nil, func(*ledger.Standing) (*ledger.Changes, error) {
		return &ledger.Changes{SetAside: []ledger.SetAside{
			{Source: ledger.Own, Upload: "u", At: noon, ID: ledger.UnitID{Origin: keys.MustRegion("DE"), KeyData: keys.KeyData{1}}},
			{Source: ledger.Own, Upload: "u", At: noon},
			{Source: ledger.Own, Upload: "v", At: noon},
			{Source: "p", Upload: "u", At: noon},
		}}, nil
	})
	tr.decide(nil, func(*ledger.Standing) (*ledger.Changes, error) {
		return &ledger.Changes{Erased: []string{"u"}}, nil
	})
	got := tr.setAside(ledger.Query{SetAside: true})
	if want := []ledger.SetAside{{Source: ledger.Own, Upload: "v", At: noon}, {Source: "p", Upload: "u", At: noon}}; !sameSetAside(got, want) {
		tr.fail("set aside are %+v, want %+v", got, want)
	}
}

func checkTallies(tr *trial) {
	tr.openStore()
	add := func(t ledger.Tallies) {
		tr.decide(nil, func(*ledger.Standing) (*ledger.Changes, error) { return &ledger.Changes{Tallies: t}, nil })
	}
	add(ledger.Tallies{"a": 1, "b/c": 1 << 40})
	add(ledger.Tallies{"a": 2})
	if got, want := tr.log().Tallies, (ledger.Tallies{"a": 3, "b/c": 1 << 40}); !maps.Equal(got, want) {
		tr.fail("the tallies are %v, want %v", got, want)
	}
	tr.log().Tallies["a"] = 99
	if got := tr.log().Tallies["a"]; got != 3 {
		tr.fail("a tally changed with the log that was returned: %d", got)
	}
}
