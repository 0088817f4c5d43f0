package ledgertest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gaenkit/gaen/storage/ledger"
)

// dump prints everything that can be observed of the store, to be compared.
func (tr *trial) dump() string {
	tr.tb.Helper()
	var b strings.Builder
	log := tr.log()
	fmt.Fprintf(&b, "identity %s replay %t\n", log.Identity, log.Replay)
	for _, c := range log.Cuts {
		fmt.Fprintf(&b, "cut %+v\n", c)
	}
	for _, name := range slices.Sorted(maps.Keys(log.Tallies)) {
		fmt.Fprintf(&b, "tally %s %d\n", name, log.Tallies[name])
	}
	for _, r := range tr.registers("") {
		fmt.Fprintf(&b, "register %s %d %x %x\n", r.Name, r.Version, r.Value, r.Nonce)
	}
	records := tr.find(ledger.Query{SetAside: true})
	slices.SortFunc(records, func(a, b *ledger.Record) int {
		return cmp.Or(strings.Compare(tr.names[a.ID.KeyData], tr.names[b.ID.KeyData]), a.ID.Origin.Compare(b.ID.Origin))
	})
	for _, rec := range records {
		fmt.Fprintf(&b, "record %s/%s tombstone %d", rec.ID.Origin, tr.names[rec.ID.KeyData], rec.Tombstone.UnixMicro())
		for _, k := range rec.Kept {
			fmt.Fprintf(&b, " kept %s %d", k.Source, k.At.UnixMicro())
		}
		for _, a := range rec.SetAside {
			fmt.Fprintf(&b, " aside %s %s %d %s %s %s", a.Source, a.Upload, a.At.UnixMicro(), a.Field, a.Reason, a.Detail)
		}
		if rec.Unit != nil {
			tr.showUnit(&b, rec.Unit)
		}
		b.WriteByte('\n')
	}
	units, err := tr.tryRead(0, log.Last.Last)
	fmt.Fprintf(&b, "read%s\nerror %v\n", tr.show(units...), err)
	return b.String()
}

// wantDump fails if anything that can be observed has changed.
func (tr *trial) wantDump(before, by string) {
	tr.tb.Helper()
	if after := tr.dump(); after != before {
		tr.fail("%s changed the ledger: what was\n%s\nis\n%s", by, without(before, after), without(after, before))
	}
}

// without returns the lines of a that b has not.
func without(a, b string) string {
	known := map[string]bool{}
	for line := range strings.SplitSeq(b, "\n") {
		known[line] = true
	}
	var rest []string
	for line := range strings.SplitSeq(a, "\n") {
		if !known[line] {
			rest = append(rest, line)
		}
	}
	return strings.Join(rest, "\n")
}
