package sqliteledger

import "github.com/gaenkit/gaen/storage/ledger"

// saveWaiting stores what the next cut is to number of a unit, ready to be
// copied into the log, or that it is nothing. What [ledger.Unit.Pending] makes of
// the unit is decided here, so that a cut need not read the unit again: if it is
// ever to decide otherwise, the schema needs another version, and this table to
// be made anew.
func (t *tx) saveWaiting(id, upload int64, u *ledger.Unit) error {
	event, wait := u.Pending()
	if wait == ledger.WaitNothing {
		_, err := t.exec(`DELETE FROM waiting WHERE unit = ?`, id)
		return err
	}
	const replace = `INSERT OR REPLACE INTO waiting
		(unit, origin, own, wait, upload, due, held, ` + eventColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	_, err := t.exec(replace,
		id, u.Key.Origin.String(), u.Own(), int64(wait), upload, micros(u.Due), u.Held(),
		int64(event.Own), int64(event.Partners), orNull(event.ReportType), string(event.Sources))
	return err
}
