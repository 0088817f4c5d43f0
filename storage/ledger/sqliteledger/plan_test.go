package sqliteledger

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// scans are what may be read whole, and why. All other tables grow with history.
var scans = map[string]string{
	"waiting":    "the cut decides about everything that waits",
	"take":       "what the cut takes",
	"taken":      "likewise",
	"on_hold":    "what is on hold",
	"group_wait": "a few groups",
	"tally":      "a few dozen counters",
	"ledger":     "one row",
	"unit_erase": "an index of what is to be erased, and nothing else",
	"json_each":  "a list that was given",

	"sqlite_master": "the schema",
	"sqlite_dbpage": "scrub looks at every page, while others write",

	"pragma_page_count": "one row", "CONSTANT": "one row", "(subquery-2)": "the rows of a window function",
}

// TestPlans has every query that a method uses explained, and expects each table
// that grows with history to be searched by an index.
func TestPlans(t *testing.T) {
	var queries []string
	s := exercise(t, func(query string) {
		if !slices.Contains(queries, query) {
			queries = append(queries, query)
		}
	})
	if len(queries) < 60 {
		t.Errorf("only %d queries were seen", len(queries))
	}
	err := s.writeStep(t.Context(), func(x *tx) error {
		for _, query := range queries {
			first := strings.HasSuffix(query, " LIMIT 1") && !strings.Contains(query, "WHERE")
			if !first && !wholeLedger(query) {
				explain(t, x, query)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// wholeLedger reports whether a query reads a whole table because that was asked
// for: Find of everything that was set aside.
func wholeLedger(query string) bool {
	return strings.HasPrefix(query, selectSetAside+" WHERE 1 ORDER BY")
}

func explain(t *testing.T, x *tx, query string) {
	rows, err := x.conn.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?"))...)
	if err != nil {
		t.Errorf("%v: %s", err, query)
		return
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		if what, scan := strings.CutPrefix(step, "SCAN "); scan && !mayScan(what) {
			t.Errorf("%s\n\tin %s", step, query)
		}
	}
	if err := rows.Err(); err != nil {
		t.Errorf("%v: %s", err, query)
	}
}

// mayScan judges a step such as "unit USING INDEX unit_erase".
func mayScan(step string) bool {
	for name := range strings.FieldsSeq(step) {
		if scans[strings.TrimPrefix(name, "temp.")] != "" {
			return true
		}
	}
	return false
}

// exercise calls every method, in every way that leads to other queries.
func exercise(t *testing.T, trace func(string)) *Store {
	now := time.Date(2022, 1, 20, 12, 0, 0, 0, time.UTC)
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), &Options{Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w := <-s.writer
	s.trace, w.trace = trace, trace
	s.writer <- w
	policy := ledger.DefaultPolicy()
	policy.MinKeys, policy.MinUploads, policy.MaxCut, policy.PruneAge = 2000, 5, 100, 14*24*time.Hour
	policy.Padding.Echoes = 1
	l, err := ledger.Open(t.Context(), s, &ledger.Options{Policy: &policy})
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	g := keystest.New(3, nil)
	ids := deliver(t, l, g, now, ledger.Own, 20)
	deliver(t, l, g, now, "p", 300)
	must(l.Hold(t.Context(), ledger.Holds{Sources: []ledger.Source{"q"}}))
	for range 3 {
		now = now.Add(time.Hour)
		_, err := l.Release(t.Context(), nil)
		must(err)
	}
	_, err = l.Withdraw(t.Context(), ids...)
	must(err)
	now = now.Add(24 * time.Hour)
	_, err = l.Release(t.Context(), nil)
	must(err)
	readAll(t, s, ids[0])
	now = now.Add(15 * 24 * time.Hour)
	_, err = l.Release(t.Context(), &ledger.ReleaseOptions{AllowGap: true})
	must(err)
	_, err = l.Prune(t.Context())
	must(err)
	return s
}

// deliver brings keys of two origins, some of which are not taken, withdrawals
// without keys, and swaps.
func deliver(t *testing.T, l *ledger.Ledger, g *keystest.Generator, now time.Time, source ledger.Source, n int) (ids []ledger.UnitID) {
	t.Helper()
	d := &ledger.Delivery{Source: source, Swaps: []ledger.Swap{{Name: "cursor/" + string(source), Value: []byte("x")}}}
	for _, k := range g.Keys(now, n) {
		other := k
		other.Origin = keys.MustRegion("FR")
		bad := k
		bad.RollingPeriod = 0
		d.Uploads = append(d.Uploads, ledger.Upload{ID: keystest.New(uint64(len(d.Uploads)), nil).Upload(now).ID, Keys: []keys.DiagnosisKey{k, other, bad}})
		ids = append(ids, ledger.IDOf(&k))
	}
	d.Withdrawals = []ledger.UnitID{{Origin: keys.MustRegion("FR"), KeyData: g.KeyData()}}
	if _, err := l.Accept(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if source == ledger.Own {
		if _, err := l.Erase(t.Context(), d.Uploads[0].ID); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

func readAll(t *testing.T, s *Store, id ledger.UnitID) {
	t.Helper()
	for _, err := range s.Read(t.Context(), 0, 1000) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []ledger.Query{
		{}, {SetAside: true}, {Unit: &id, SetAside: true}, {Unit: &ledger.UnitID{}},
		{Upload: "x", SetAside: true}, {Upload: "x", Source: "p"}, {Source: "p"}, {Origin: id.Origin},
	} {
		for _, err := range s.Find(t.Context(), q) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := s.Registers(context.Background(), "cursor/"); err != nil {
		t.Fatal(err)
	}
}
