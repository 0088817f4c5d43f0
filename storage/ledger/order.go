package ledger

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gaenkit/gaen/keys"
)

// An Action is what an [Order] does.
type Action string

const (
	// OrderWithdraw takes units back, whoever brought them. What has not been
	// released never leaves, by no way. Of what has, own units are withdrawn
	// everywhere; a foreign one only from what this back end publishes, as the
	// origin's word is not the operator's.
	OrderWithdraw Action = "withdraw"

	// OrderRollBack withdraws what one own upload brought, and spares what
	// another own upload that stands brought, too.
	OrderRollBack Action = "roll-back"

	// OrderErase withdraws what one own upload brought and has it removed as
	// soon as nobody needs it; see [Ledger.Erase].
	OrderErase Action = "erase"

	// OrderReinstate undoes what an operator withdrew. Partners who were told
	// of it cannot be told to forget that: [Effects.Untold] counts those.
	OrderReinstate Action = "reinstate"

	// OrderRevise states a report type of own units that lies further along
	// the allowed transitions, as if their source had revised it.
	OrderRevise Action = "revise"

	// OrderAdmit takes what a source brought of an origin beyond its quota as
	// if it had come within; see [Ledger.Admit].
	OrderAdmit Action = "admit"

	// OrderHold and OrderResume pause and resume cuts by origin or source; see
	// [Holds]. They select no units.
	OrderHold   Action = "hold"
	OrderResume Action = "resume"
)

// An Order is what an operator has the ledger do, and leaves a record of it:
// [Ledger.Order] carries it out, [Ledger.Preview] says what it would do,
// [Ledger.Orders] lists the records.
type Order struct {
	// ID names the order: 1 to 64 of A-Z, a-z, 0-9, '.', '_', '-'. An order that was cut
	// off is given again with the same ID, and goes on where it stopped; one
	// that was done is not done twice. Empty is a new one, which
	// [Ledger.Order] fills in when it begins.
	ID string

	Action Action
	Select Selection
	Holds  Holds // of OrderHold and OrderResume

	// ReportType is what OrderRevise states.
	ReportType keys.Optional[keys.ReportType]

	// Immediately has the next cut take the withdrawals without waiting for
	// others: those of the order, with whatever other withdrawals of the same
	// origin wait already, whose company is better than none. What it exposes
	// is in [OrderReport.Groups]. It has no cut made before its time, and it
	// stands until the next one, even if the order is undone meanwhile.
	Immediately bool

	// Confirm is the number of changes ([Effects.Changes]) in a preview that the
	// operator has seen. An order that changes more than MaxUnconfirmed units,
	// or that selects all that the ledger has and is not by name, is refused
	// without it; and with it, if by now it would change another number. To hold
	// origins and sources of which the ledger has nothing, which may be slips of
	// the pen, it is how many of them there are ([Effects.Unknown]).
	Confirm int

	// Previewed is the time of that preview. What has been accepted since and
	// is among the units of the order is counted in [OrderReport.Arrived].
	Previewed time.Time

	By  string // who orders it: 1 to 64 printable characters
	Why string // for the record: 1 to 500 bytes of UTF-8 in one line, without key data
}

// MaxUnconfirmed is how many units an [Order] may change without a confirmation.
const MaxUnconfirmed = 1000

const (
	maxOrderBy  = 64
	maxOrderWhy = 500
	maxOrderID  = 64
)

// known returns a if it is an action, else none: it may be anything, and is not
// to be repeated.
func (a Action) known() Action {
	switch a {
	case OrderWithdraw, OrderRollBack, OrderErase, OrderReinstate, OrderRevise, OrderAdmit, OrderHold, OrderResume:
		return a
	}
	return ""
}

// Withdraws reports whether an order takes units back.
func (a Action) Withdraws() bool {
	return a == OrderWithdraw || a == OrderRollBack || a == OrderErase
}

// holds reports whether an order is about holds, and so about no units.
func (a Action) holds() bool { return a == OrderHold || a == OrderResume }

// signed returns an error if nobody, or nothing, stands behind the order. There
// is no record of such: it could not say what a record must.
func (o *Order) signed() error {
	switch {
	case len(o.By) < 1 || len(o.By) > maxOrderBy || !printable(o.By):
		return fmt.Errorf("Order.By: %d bytes, want 1 to %d printable ones: who orders it", len(o.By), maxOrderBy)
	case len(o.Why) < 1 || len(o.Why) > maxOrderWhy || !printable(o.Why):
		return fmt.Errorf("Order.Why: %d bytes, want 1 to %d printable ones: why", len(o.Why), maxOrderWhy)
	case mayHoldKey(o.By):
		return fmt.Errorf("Order.By: holds what may be a key, of which the record must keep nothing")
	case mayHoldKey(o.Why):
		return fmt.Errorf("Order.Why: holds what may be a key, of which the record must keep nothing")
	case o.ID != "" && !orderID(o.ID):
		return fmt.Errorf("Order.ID: %d bytes, want 1 to %d of A-Z, a-z, 0-9, '.', '_', '-'", len(o.ID), maxOrderID)
	}
	return nil
}

func orderID(id string) bool {
	return len(id) <= maxOrderID && !strings.ContainsFunc(id, func(r rune) bool {
		return r != '.' && r != '_' && r != '-' && (r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r))
	})
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// mayHoldKey reports whether a word of s is 16 bytes in hexadecimal or base64,
// as keys are written where an operator may have copied one.
func mayHoldKey(s string) bool {
	words := strings.FieldsFunc(s, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("+/=_-", r)
	})
	for _, w := range words {
		text := strings.TrimSuffix(w, "==")
		padded := text != w
		text = text[strings.LastIndex(text, "=")+1:]
		if b, err := hex.DecodeString(text); err == nil && len(b) == len(keys.KeyData{}) {
			return true
		}
		b, err := base64.RawStdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(text))
		if err == nil && len(b) == len(keys.KeyData{}) && (padded || mixed(text)) {
			return true
		}
	}
	return false
}

// mixed reports whether s looks less like a word or a reference than like chance.
func mixed(s string) bool {
	return strings.ContainsFunc(s, unicode.IsLower) && strings.ContainsFunc(s, unicode.IsUpper) &&
		strings.ContainsFunc(s, unicode.IsDigit) && !strings.Contains(s, "-")
}

// check returns an error that names the first field that makes no sense.
func (o *Order) check() error {
	wrong := func(field, format string, args ...any) error {
		return fmt.Errorf("%s: %s", "Order."+field, fmt.Sprintf(format, args...))
	}
	to, stated := o.ReportType.Get()
	empty := len(o.Holds.Origins)+len(o.Holds.Sources) == 0
	switch {
	case o.Action.known() == "":
		return wrong("Action", "%d bytes that name none", len(o.Action))
	case o.Confirm < 0:
		return wrong("Confirm", "%d is negative", o.Confirm)
	case o.Immediately && !o.Action.Withdraws():
		return wrong("Immediately", "is for what withdraws, not to %s", o.Action)
	case stated != (o.Action == OrderRevise):
		return wrong("ReportType", "is what %q needs, and nothing else", OrderRevise)
	case empty == o.Action.holds():
		return wrong("Holds", "are what %q and %q need, and nothing else", OrderHold, OrderResume)
	}
	switch o.Action {
	case OrderWithdraw, OrderReinstate:
	case OrderHold, OrderResume:
		if o.Action == OrderResume && o.Confirm != 0 {
			return wrong("Confirm", "to %s needs none", o.Action)
		}
		if o.Select.All || o.Select.ranges() || len(o.Select.Units)+len(o.Select.Uploads) > 0 {
			return wrong("Select", "to %s selects no units", o.Action)
		}
		return o.Holds.check()
	case OrderRollBack, OrderErase:
		if len(o.Select.Uploads) != 1 || len(o.Select.Units) > 0 || o.Select.ranges() {
			return wrong("Select", "to %s takes one upload, and nothing else", o.Action)
		}
	case OrderAdmit:
		if o.Select.Source == "" || o.Select.Origin.IsZero() {
			return wrong("Select", "to %s takes a source and an origin", o.Action)
		}
	case OrderRevise:
		if to != keys.ReportConfirmedTest && to != keys.ReportConfirmedClinicalDiagnosis {
			return wrong("ReportType", "no allowed transition that is no withdrawal leads to %s", to)
		}
	}
	return o.Select.check()
}

// check judges what is to be held.
func (h *Holds) check() error {
	for _, s := range h.Sources {
		if s.Check() != nil || s == Operator {
			return fmt.Errorf("Holds.Sources: one is no name of a source that brings keys")
		}
	}
	for _, o := range h.Origins {
		if o.IsZero() {
			return fmt.Errorf("Holds.Origins: one is empty")
		}
	}
	if n := len(h.Sources) + len(h.Origins); n > maxNamed/10 {
		return fmt.Errorf("Holds: %d names, at most %d", n, maxNamed/10)
	}
	return nil
}

// change applies the order to a unit. It says what it means for it, and whether
// that is to be stored.
func (o *Order) change(u *Unit) (verdict, bool) {
	switch o.Action {
	case OrderWithdraw:
		return u.withdraw()
	case OrderRollBack:
		return u.rollBack(o.Select.Uploads[0])
	case OrderErase:
		return u.erase(o.Select.Uploads[0])
	case OrderReinstate:
		return u.reinstate()
	case OrderRevise:
		return u.restate(o.ReportType)
	case OrderAdmit:
		return u.admit(o.Select.Source)
	}
	return nothing, false
}

// restate takes the report type of own claims further, as their source could.
// What a partner said of its own keys is not the operator's to say.
func (u *Unit) restate(t keys.Optional[keys.ReportType]) (verdict, bool) {
	switch {
	case !u.Own() || u.SourceWithdrew || u.operatorWithdrew() || u.Erase:
		return refused, false
	case u.Key.ReportType == t:
		return already, false
	case !canBecome(u.Key.ReportType, t) || !canBecome(u.claimOf(Own).Key.ReportType, t):
		return refused, false
	}
	u.revise(Own, t)
	return done, true
}
