package pgledger

import (
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A row is a unit with what the ledger notes beside it.
type row struct {
	id      int64
	place   int16 // among the units of its key data
	unit    ledger.Unit
	plain   bool // its only claim says what it says, and is in its row
	changed bool // may have more than one event
	shared  bool // may have siblings
}

// related reports whether a unit may have further events or siblings, which
// must be looked for.
func (r *row) related() bool { return r.changed || r.shared }

// unitColumns are all columns of a unit.
const unitColumns = `id, place, ` + keyColumns + `,
	accepted, due, upload, source_withdrew, operator_withdrew, erase, source, held, withdrawn, changed, shared`

// unitTypes are those columns with their types, for unnest.
var unitTypes = append(append([]string{"id bigint", "place smallint"}, keyTypes...),
	"accepted timestamptz", "due timestamptz", "upload text", "source_withdrew boolean", "operator_withdrew boolean", "erase boolean",
	"source text", "held boolean", "withdrawn boolean", "changed boolean", "shared boolean")

// selectUnits begins the queries that find units.
var selectUnits = `SELECT unit.` + strings.Join(strings.Fields(unitColumns), ` unit.`) + ` FROM gaen.unit `

// unitRow is a unit as its columns hold it.
type unitRow struct {
	codec *codec

	id               int64
	place            int16
	key              keyRow
	accepted, due    pgtype.Timestamptz
	upload           string
	sourceWithdrew   bool
	operatorWithdrew bool
	erase            bool
	source           pgtype.Text
	held, withdrawn  bool
	changed, shared  bool
}

func (r *unitRow) dest() []any {
	return append(append([]any{&r.id, &r.place}, r.key.dest()...),
		&r.accepted, &r.due, &r.upload, &r.sourceWithdrew, &r.operatorWithdrew, &r.erase,
		&r.source, &r.held, &r.withdrawn, &r.changed, &r.shared)
}

// fill fills in a unit, but for claims that are rows, and events.
func (r *unitRow) fill(u *row) (err error) {
	u.id, u.place, u.plain, u.changed, u.shared = r.id, r.place, r.source.Valid, r.changed, r.shared
	u.unit = ledger.Unit{
		Accepted:         r.accepted.Time.UTC(),
		Due:              r.due.Time.UTC(),
		Upload:           r.upload,
		SourceWithdrew:   r.sourceWithdrew,
		OperatorWithdrew: r.operatorWithdrew,
		Erase:            r.erase,
	}
	u.unit.Key, err = r.codec.key(&r.key)
	return err
}

// claim returns the claim that is in the row of u.
func (r *unitRow) claim(u *ledger.Unit) ledger.Claim {
	return ledger.Claim{
		Source:    ledger.Source(r.source.String),
		Upload:    u.Upload,
		Accepted:  u.Accepted,
		Key:       u.Key,
		Held:      r.held,
		Withdrawn: r.withdrawn,
	}
}

// isPlain reports whether a unit's claims are one that says what the unit says.
func isPlain(u *ledger.Unit) bool {
	if len(u.Claims) != 1 {
		return false
	}
	c := &u.Claims[0]
	return c.Upload == u.Upload && c.Accepted.Equal(u.Accepted) && c.Key == u.Key
}

// rows gathers units that queries find, in the order in which they do.
type rows struct {
	codec codec
	all   []*row
	byID  map[int64]*row
}

func newRows() *rows { return &rows{byID: map[int64]*row{}} }

// add returns where the columns of a query for units go, and what gathers them.
// Claims that are in the row of a unit are filled in.
func (rs *rows) add() (dest []any, row func() error) {
	r := &unitRow{codec: &rs.codec}
	return r.dest(), func() error {
		u := rs.next()
		if err := r.fill(u); err != nil {
			return err
		}
		if rs.byID[u.id] = u; u.plain {
			u.unit.Claims = []ledger.Claim{r.claim(&u.unit)}
		}
		return nil
	}
}

func (rs *rows) next() *row {
	u := new(row)
	rs.all = append(rs.all, u)
	return u
}

// ids returns the ids of the units.
func (rs *rows) ids() []int64 { return list(rs.all, func(r *row) int64 { return r.id }) }

// load finds the units that a query describes, as they stand: with all claims and
// events. The query begins after selectUnits.
func (t *tx) load(where string, args ...any) (*rows, error) {
	rs := newRows()
	dest, add := rs.add()
	if err := t.each(selectUnits+where, args, dest, add); err != nil || len(rs.all) == 0 {
		return rs, err
	}
	b := t.batch()
	rs.addClaims(b, `claim.unit = ANY ($1)`, rs.ids())
	rs.addEvents(b, `event.unit = ANY ($1)`, rs.ids())
	return rs, b.send()
}

// eventRow is an event as its columns hold it.
type eventRow struct {
	number        int64
	own, partners int16
	report        nullable
	sources       string
}

func (r *eventRow) dest() []any { return []any{&r.number, &r.own, &r.partners, &r.report, &r.sources} }

func (r *eventRow) event() ledger.Event {
	return ledger.Event{
		Number:     r.number,
		Own:        ledger.State(r.own),
		Partners:   ledger.State(r.partners),
		ReportType: optional[keys.ReportType](r.report),
		Sources:    ledger.Sources(r.sources),
	}
}

// addEvents adds a query for the events that a condition describes, each of which
// goes to its unit.
func (rs *rows) addEvents(b *batch, where string, args ...any) {
	var unit int64
	var e eventRow
	b.each(`SELECT event.unit, number, own_state, partners_state, event.report_type, sources FROM gaen.event WHERE `+where+` ORDER BY number`,
		args, append([]any{&unit}, e.dest()...), func() error {
			if r := rs.byID[unit]; r != nil {
				r.unit.Events = append(r.unit.Events, e.event())
			}
			return nil
		})
}

// claimRow is a claim as its columns hold it.
type claimRow struct {
	source, upload  string
	accepted        time.Time
	held, withdrawn bool
	key             keyRow
}

const claimColumns = `unit, place, source, upload, accepted, held, withdrawn, ` + keyColumns

var claimTypes = append([]string{"unit bigint", "place integer", "source text", "upload text", "accepted timestamptz", "held boolean", "withdrawn boolean"},
	keyTypes...)

// addClaims adds a query for the claims that a condition describes, each of which
// goes to its unit.
func (rs *rows) addClaims(b *batch, where string, args ...any) {
	var unit int64
	var place int32
	var c claimRow
	dest := append([]any{&unit, &place, &c.source, &c.upload, &c.accepted, &c.held, &c.withdrawn}, c.key.dest()...)
	b.each(`SELECT claim.`+strings.Join(strings.Fields(claimColumns), ` claim.`)+` FROM gaen.claim WHERE `+where+` ORDER BY claim.unit, claim.place`,
		args, dest, func() error {
			r := rs.byID[unit]
			if r == nil || r.plain {
				return nil
			}
			claim, err := rs.claim(&r.unit, &c)
			r.unit.Claims = append(r.unit.Claims, claim)
			return err
		})
}

// claim returns the claim of a row on u, whose key it has if it says nothing else.
func (rs *rows) claim(u *ledger.Unit, r *claimRow) (ledger.Claim, error) {
	c := ledger.Claim{
		Source:    ledger.Source(r.source),
		Upload:    r.upload,
		Accepted:  r.accepted.UTC(),
		Key:       u.Key,
		Held:      r.held,
		Withdrawn: r.withdrawn,
	}
	if r.key.data == nil {
		return c, nil
	}
	var err error
	c.Key, err = rs.codec.key(&r.key)
	return c, err
}
