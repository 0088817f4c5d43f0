package ledgertest

import (
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

var findClauses = []clause{
	{
		name:  "find-fields",
		must:  "Find yields the records that every field of the query describes, each once",
		check: checkFindFields,
	},
	{
		name:  "find-unit",
		must:  "a unit that is named is found also if only a kept withdrawal or a tombstone is known of it, and its siblings are not",
		check: checkFindUnit,
	},
	{
		name:  "find-whole",
		must:  "a record has everything that is known but siblings: claims, events, kept withdrawals, what was set aside",
		check: checkFindWhole,
	},
}

// found returns which of the keys a query finds, by their names and origins, in
// ascending order, and "-" for what has no identity.
func (tr *trial) found(q ledger.Query) string {
	tr.tb.Helper()
	var names []string
	for _, rec := range tr.find(q) {
		if rec.Unit != nil && rec.Unit.ID() != rec.ID {
			tr.fail("a record has the unit of another")
		}
		name := "-"
		if rec.ID != (ledger.UnitID{}) {
			name = rec.ID.Origin.String() + tr.label(rec.ID.KeyData)[1:]
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func checkFindFields(tr *trial) {
	tr.open(eager())
	ks := []keys.DiagnosisKey{tr.key("DE"), tr.key("DE"), tr.key("AT"), tr.key("DE")}
	deliver := func(s ledger.Source, upload string, ks ...keys.DiagnosisKey) {
		tr.deliver(ledger.Delivery{Source: s, Uploads: []ledger.Upload{{ID: upload, Keys: ks}}})
	}
	deliver(ledger.Own, "u", ks[0], ks[2])
	deliver("p", "u", ks[1])
	deliver("p", "v", ks[0])
	contradiction := ks[3]
	contradiction.RollingPeriod = 0
	deliver("p", "u", contradiction)
	tr.deliver(ledger.Delivery{Source: "q", Unreadable: []ledger.SetAside{{Upload: "u", Field: keys.FieldKeyData, Reason: keys.ReasonLength}}})
	de, id1 := keys.MustRegion("DE"), ledger.IDOf(&ks[0])
	for _, tt := range []struct {
		name string
		q    ledger.Query
		want string
	}{
		{name: "all units", q: ledger.Query{}, want: "AT3 DE1 DE2"},
		{name: "all", q: ledger.Query{SetAside: true}, want: "- AT3 DE1 DE2 DE4"},
		{name: "origin", q: ledger.Query{Origin: de}, want: "DE1 DE2"},
		{name: "source", q: ledger.Query{Source: "p"}, want: "DE1 DE2"},
		{name: "own", q: ledger.Query{Source: ledger.Own}, want: "AT3 DE1"},
		{name: "upload", q: ledger.Query{Upload: "u"}, want: "AT3 DE1 DE2"},
		{name: "upload v", q: ledger.Query{Upload: "v"}, want: "DE1"},
		{name: "upload and source of different claims", q: ledger.Query{Upload: "v", Source: ledger.Own}, want: ""},
		{name: "upload and source", q: ledger.Query{Upload: "u", Source: "p"}, want: "DE2"},
		{name: "upload and origin", q: ledger.Query{Upload: "u", Origin: de}, want: "DE1 DE2"},
		{name: "upload, with set aside", q: ledger.Query{Upload: "u", SetAside: true}, want: "- AT3 DE1 DE2 DE4"},
		{name: "source, with set aside", q: ledger.Query{Source: "p", SetAside: true}, want: "DE1 DE2 DE4"},
		{name: "origin, with set aside", q: ledger.Query{Origin: de, SetAside: true}, want: "DE1 DE2 DE4"},
		{name: "unit", q: ledger.Query{Unit: &id1}, want: "DE1"},
		{name: "unit and its source", q: ledger.Query{Unit: &id1, Source: "p"}, want: "DE1"},
		{name: "unit and another source", q: ledger.Query{Unit: &id1, Source: "q"}, want: ""},
		{name: "unit and another origin", q: ledger.Query{Unit: &id1, Origin: keys.MustRegion("AT")}, want: ""},
		{name: "key data", q: ledger.Query{KeyData: ks[2].KeyData}, want: "AT3"},
		{name: "key data and origin", q: ledger.Query{KeyData: ks[2].KeyData, Origin: de}, want: ""},
		{name: "key data and source", q: ledger.Query{KeyData: ks[0].KeyData, Source: "p"}, want: "DE1"},
		{name: "key data and another source", q: ledger.Query{KeyData: ks[0].KeyData, Source: "q"}, want: ""},
		{name: "key data and upload", q: ledger.Query{KeyData: ks[0].KeyData, Upload: "u"}, want: "DE1"},
		{name: "key data that is not of the upload", q: ledger.Query{KeyData: ks[0].KeyData, Upload: "w"}, want: ""},
		{name: "key data and unit", q: ledger.Query{KeyData: ks[0].KeyData, Unit: &id1}, want: "DE1"},
		{name: "key data and another unit", q: ledger.Query{KeyData: ks[2].KeyData, Unit: &id1}, want: ""},
		{name: "key data that was set aside", q: ledger.Query{KeyData: ks[3].KeyData, SetAside: true}, want: "DE4"},
		{name: "key data, without what was set aside", q: ledger.Query{KeyData: ks[3].KeyData}, want: ""},
		{name: "unknown source", q: ledger.Query{Source: "nobody", SetAside: true}, want: ""},
		{name: "wildcards", q: ledger.Query{Upload: "%"}, want: ""},
	} {
		if got := tr.found(tt.q); got != tt.want {
			tr.fail("%s: found %q, want %q", tt.name, got, tt.want)
		}
	}
}

func checkFindUnit(tr *trial) {
	tr.open(eager())
	k := siblings(tr.key("DE"), "DE", "AT", "FR")
	tr.accept("p", k[0])
	tr.withdraw("p", k[1]) // kept
	for i, want := range []string{"DE1", "AT1", ""} {
		id := ledger.IDOf(&k[i])
		if got := tr.found(ledger.Query{Unit: &id}); got != want {
			tr.fail("found %q, want %q", got, want)
		}
	}
	if got := tr.found(ledger.Query{KeyData: k[0].KeyData}); got != "DE1" {
		tr.fail("a query for key data found %q, want %q", got, "DE1")
	}
	tr.accept("r", k[2])
	if got := tr.found(ledger.Query{KeyData: k[0].KeyData}); got != "DE1 FR1" {
		tr.fail("a query for key data that two origins claim found %q, want %q", got, "DE1 FR1")
	}
	de, at := ledger.IDOf(&k[0]), ledger.IDOf(&k[1])
	if got := tr.found(ledger.Query{KeyData: tr.key("DE").KeyData, Unit: &at}) + tr.found(ledger.Query{KeyData: k[0].KeyData, Unit: &de}); got != "DE1" {
		tr.fail("queries for key data and a unit found %q, want %q", got, "DE1")
	}
	if got := tr.found(ledger.Query{Source: "p"}); got != "DE1" {
		tr.fail("a query for all units found %q, want %q", got, "DE1")
	}
}

func checkFindWhole(tr *trial) {
	tr.open(eager())
	k := siblings(tr.key("DE"), "DE", "AT")
	up := tr.accept(ledger.Own, k[0])
	accepted := tr.clock.Now()
	tr.accept("p", k[1])
	tr.withdraw("q", k[0]) // kept
	tr.cut()
	tr.pass(time.Minute)
	contradiction := k[0]
	contradiction.RollingPeriod = 7
	r := tr.deliver(ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{tr.upload(contradiction)}})
	id := ledger.IDOf(&k[0])
	records := tr.find(ledger.Query{Unit: &id, SetAside: true})
	if len(records) != 1 {
		tr.fail("found %d records", len(records))
	}
	rec := records[0]
	if rec.Unit == nil || len(rec.Unit.Events) != 1 || len(rec.Unit.Siblings) != 0 || rec.Unit.Upload != up ||
		len(rec.Unit.Claims) != 1 || !rec.Unit.Accepted.Equal(accepted) {
		tr.fail("found%s", tr.show(rec.Unit))
	}
	if len(rec.Kept) != 1 || rec.Kept[0].Source != "q" || !sameSetAside(rec.SetAside, r.Rejected) {
		tr.fail("kept are %+v, set aside %+v, want one of q and %+v", rec.Kept, rec.SetAside, r.Rejected)
	}
}
