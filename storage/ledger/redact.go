package ledger

import (
	"fmt"
	"io"
)

// What holds key data behind a pointer prints itself. Key data redacts itself
// wherever fmt asks it to; but with a verb that a pointer does not have, as in
// %s of a [Record], fmt prints what it points to and asks nobody.

type (
	plainUnit   Unit
	plainUnitID UnitID
	plainRecord Record
)

// Format prints the unit as %v does, whatever the verb, without key data.
func (u Unit) Format(f fmt.State, verb rune) { format(f, verb, plainUnit(u)) }

// Format prints the identity as %v does, whatever the verb, without key data.
func (id UnitID) Format(f fmt.State, verb rune) { format(f, verb, plainUnitID(id)) }

// Format prints the record as %v does, whatever the verb, without key data.
func (r Record) Format(f fmt.State, verb rune) { format(f, verb, plainRecord(r)) }

// Format prints the ledger's identity, and nothing of what its store holds.
func (l *Ledger) Format(f fmt.State, _ rune) { io.WriteString(f, "Ledger("+l.identity.String()+")") }

func format(f fmt.State, verb rune, v any) {
	if verb != 'v' {
		fmt.Fprint(f, v)
		return
	}
	fmt.Fprintf(f, fmt.FormatString(f, verb), v)
}
