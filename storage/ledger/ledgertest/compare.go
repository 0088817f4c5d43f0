package ledgertest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// aspect says which parts of a unit a comparison looks at.
type aspect uint8

const (
	// asRead is what Read must yield: all but the claims.
	asRead aspect = iota

	// asWindow is the part of that which no later step changes.
	asWindow

	// asFound is what Find must yield: all but the siblings.
	asFound
)

// sameUnit reports whether two units are the same in every part of the aspect.
func sameUnit(a, b *ledger.Unit, by aspect) bool {
	ka, kb := a.Key, b.Key
	if by == asWindow {
		ka.ReportType, kb.ReportType = keys.Optional[keys.ReportType]{}, keys.Optional[keys.ReportType]{}
	}
	same := ka == kb && a.Accepted.Equal(b.Accepted) && a.Due.Equal(b.Due) && slices.Equal(a.Events, b.Events)
	if by != asWindow {
		same = same && a.Upload == b.Upload && a.SourceWithdrew == b.SourceWithdrew &&
			a.OperatorWithdrew == b.OperatorWithdrew && a.Erase == b.Erase
	}
	if by == asFound {
		return same && slices.EqualFunc(a.Claims, b.Claims, sameClaim)
	}
	return same && slices.EqualFunc(a.Siblings, b.Siblings, func(x, y ledger.Unit) bool { return sameUnit(&x, &y, by) })
}

func sameClaim(a, b ledger.Claim) bool {
	same := a.Accepted.Equal(b.Accepted)
	a.Accepted, b.Accepted = time.Time{}, time.Time{}
	return same && a == b
}

// sameUnits reports whether two lists of units are the same.
func sameUnits(a, b []*ledger.Unit, by aspect) bool {
	return slices.EqualFunc(a, b, func(x, y *ledger.Unit) bool { return sameUnit(x, y, by) })
}

// show prints units for messages, with names instead of key data.
func (tr *trial) show(units ...*ledger.Unit) string {
	if len(units) == 0 {
		return "\n\t(none)"
	}
	var b strings.Builder
	for _, u := range units {
		b.WriteString("\n\t")
		if u == nil {
			b.WriteString("(none)")
			continue
		}
		tr.showUnit(&b, u)
	}
	return b.String()
}

func (tr *trial) showUnit(b *strings.Builder, u *ledger.Unit) {
	fmt.Fprintf(b, "%s/%s", u.Key.Origin, tr.label(u.Key.KeyData))
	if by, ok := u.Key.ReportType.Get(); ok {
		fmt.Fprintf(b, " type %d", by)
	}
	fmt.Fprintf(b, " start %d period %d risk %v consent %s %s upload %s accepted %s due %s",
		u.Key.RollingStartIntervalNumber, u.Key.RollingPeriod, u.Key.TransmissionRiskLevel, u.Key.ConsentToFederate,
		u.Key.Provenance, u.Upload, u.Accepted.Format("02T15:04:05"), u.Due.Format("02T15:04"))
	fmt.Fprintf(b, " withdrawn by source %t by operator %t erase %t", u.SourceWithdrew, u.OperatorWithdrew, u.Erase)
	for _, c := range u.Claims {
		fmt.Fprintf(b, " {%s %s held %t withdrawn %t type %v}", c.Source, c.Upload, c.Held, c.Withdrawn, c.Key.ReportType)
	}
	for _, e := range u.Events {
		fmt.Fprintf(b, " [%d own %s partners %s type %v by %s]", e.Number, e.Own, e.Partners, e.ReportType, e.Sources)
	}
	for i := range u.Siblings {
		b.WriteString("\n\t\twith ")
		tr.showUnit(b, &u.Siblings[i])
	}
}
