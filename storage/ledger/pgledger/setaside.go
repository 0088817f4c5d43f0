package pgledger

import (
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

var insertSetAside = unnest("set_aside", "source text", "upload text", "at timestamptz", "key_data bytea", "origin text",
	"field text", "reason text", "detail text")

// setAside adds to a batch what stores keys that were not taken.
func (b *batch) setAside(all []ledger.SetAside) {
	if len(all) == 0 {
		return
	}
	b.exec(insertSetAside,
		list(all, func(a ledger.SetAside) string { return string(a.Source) }),
		list(all, func(a ledger.SetAside) string { return text(a.Upload) }),
		list(all, func(a ledger.SetAside) time.Time { return a.At }),
		list(all, func(a ledger.SetAside) []byte { return a.ID.KeyData[:] }),
		list(all, func(a ledger.SetAside) string { return a.ID.Origin.String() }),
		list(all, func(a ledger.SetAside) string { return text(string(a.Field)) }),
		list(all, func(a ledger.SetAside) string { return text(string(a.Reason)) }),
		list(all, func(a ledger.SetAside) string { return text(a.Detail) }))
}

// eraseSetAside adds to a batch what removes what was set aside of own uploads,
// in one order, so that two who erase the same do not wait for each other.
func (b *batch) eraseSetAside(uploads []string) {
	if len(uploads) > 0 {
		b.exec(`DELETE FROM gaen.set_aside WHERE id IN (
			SELECT id FROM gaen.set_aside WHERE upload = ANY ($1) AND source = $2 ORDER BY id FOR UPDATE)`,
			list(uploads, text), string(ledger.Own))
	}
}

// eachSetAside adds to a batch a query for keys that were set aside.
func (b *batch) eachSetAside(where string, args []any, f func(id int64, a ledger.SetAside)) {
	var id int64
	var source, upload, origin, field, reason, detail string
	var at time.Time
	var data bytes16
	b.each(`SELECT id, source, upload, at, key_data, origin, field, reason, detail FROM gaen.set_aside`+where, args,
		[]any{&id, &source, &upload, &at, &data, &origin, &field, &reason, &detail}, func() error {
			r, err := region(origin)
			f(id, ledger.SetAside{
				Source: ledger.Source(source), Upload: upload, At: at.UTC(),
				ID:    ledger.UnitID{Origin: r, KeyData: keys.KeyData(data)},
				Field: keys.Field(field), Reason: keys.Reason(reason), Detail: detail,
			})
			return err
		})
}
