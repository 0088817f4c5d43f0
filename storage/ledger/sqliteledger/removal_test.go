package sqliteledger_test

import (
	"bytes"
	"fmt"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
)

// TestRemovedIsGone fills a ledger and removes most of it, in many rounds, and
// expects to find nothing of what was removed in the bytes of its files: not in
// pages that were balanced since, nor in the write-ahead log.
func TestRemovedIsGone(t *testing.T) {
	now := time.Date(2022, 2, 1, 12, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := open(t, path, &sqliteledger.Options{Clock: func() time.Time { return now }})
	m := &remover{t: t, store: s, path: path, live: map[keys.KeyData]bool{}, gone: map[keys.KeyData]bool{}}
	w := newWriter(t, s)
	w.keys = keystest.New(7, nil)
	for range volume(24, 3) {
		m.bring(w, now)
		now = now.Add(6 * time.Hour)
		if _, err := w.ledger.Release(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		m.removeSome(now)
	}
	if len(m.gone) < volume(10_000, 50) || len(m.live) < volume(5000, 50) {
		t.Fatalf("%d keys removed, %d kept: too few to tell", len(m.gone), len(m.live))
	}
	for _, file := range []string{path, path + "-wal"} {
		content := contentOf(t, file)
		if n := m.leftIn(content, m.gone); n > 0 {
			t.Errorf("%d of %d removed keys are still in %s", n, len(m.gone), filepath.Base(file))
		}
		if n := m.leftIn(content, m.live); file == path && n != len(m.live) {
			t.Errorf("%d of %d keys that were kept are in the file", n, len(m.live))
		}
	}
	checkIntegrity(t, path)
}

// remover keeps account of what has been removed.
type remover struct {
	t          *testing.T
	store      *sqliteledger.Store
	path       string
	live, gone map[keys.KeyData]bool
	round      uint64
}

// bring delivers keys, claims by two sources, keys that are set aside, and
// withdrawals without keys.
func (m *remover) bring(w *writer, now time.Time) {
	for _, source := range []ledger.Source{ledger.Own, "p"} {
		d := &ledger.Delivery{Source: source}
		for range volume(60, 20) {
			up := w.keys.Upload(now)
			for i, k := range up.Keys {
				m.live[k.KeyData] = true
				if i == 0 {
					up.Keys[0].RollingPeriod = 0 // set aside
				}
			}
			d.Uploads = append(d.Uploads, ledger.Upload{ID: up.ID, Keys: up.Keys})
			kept := ledger.UnitID{Origin: keys.MustRegion("FR"), KeyData: w.keys.KeyData()}
			m.live[kept.KeyData] = true
			d.Withdrawals = append(d.Withdrawals, kept)
		}
		if _, err := w.ledger.Accept(m.t.Context(), d); err != nil {
			m.t.Fatal(err)
		}
	}
}

// removeSome has a part of the units removed, in several steps: by age, so that
// what is left lies between.
func (m *remover) removeSome(now time.Time) {
	m.round++
	r := rand.New(rand.NewPCG(m.round, 3))
	for n := 500; n == 500; {
		var err error
		n, err = m.store.Remove(m.t.Context(), &ledger.Removal{
			Now: now, Ended: now.Add(-time.Duration(48+r.IntN(200)) * time.Hour), Floor: 1 << 40, Limit: 500,
			Each:    func(*ledger.Unit) time.Time { return time.Time{} },
			Tallies: func() ledger.Tallies { return nil },
			Again:   func() {},
		})
		if err != nil {
			m.t.Fatal(err)
		}
	}
	m.forgetGone()
}

// forgetGone looks up which of the keys are no longer there: those that were set
// aside, or withdrawn before they came, go by themselves.
func (m *remover) forgetGone() {
	there := map[string]bool{}
	for _, table := range []string{"unit", "set_aside", "kept"} {
		for _, k := range queryAll(m.t, m.path, "SELECT hex(key_data) FROM "+table) {
			there[k] = true
		}
	}
	for k := range m.live {
		if !there[fmt.Sprintf("%X", k[:])] {
			delete(m.live, k)
			m.gone[k] = true
		}
	}
}

// leftIn returns how many of the keys can be found in content: their first half,
// for a copy may have been overwritten in part.
func (m *remover) leftIn(content []byte, all map[keys.KeyData]bool) (n int) {
	halves := make(map[[8]byte]bool, len(all))
	for k := range all {
		halves[[8]byte(k[:])] = true
	}
	for i := 0; i+8 <= len(content); i++ {
		if half := [8]byte(content[i:]); halves[half] {
			delete(halves, half)
			n++
		}
	}
	return n
}

// TestErasedUploadIsGone expects the name of an upload that is erased to
// disappear, also where a key of it stays because another upload brought it too.
func TestErasedUploadIsGone(t *testing.T) {
	const secret, spared, other = "upload-of-somebody-who-wants-out", "upload-all-of-which-stays", "upload-of-another"
	now := time.Date(2022, 2, 1, 12, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := open(t, path, &sqliteledger.Options{Clock: func() time.Time { return now }})
	w := newWriter(t, s)
	up := w.keys.Upload(now)
	for len(up.Keys) < 4 {
		up = w.keys.Upload(now)
	}
	bad := up.Keys[3]
	bad.RollingPeriod = 0
	_, err := w.ledger.Accept(t.Context(), &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{
		{ID: secret, Keys: append(up.Keys[:3:3], bad)},
		{ID: other, Keys: up.Keys[2:3]},
		{ID: spared, Keys: up.Keys[2:3]},
	}})
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := w.ledger.Erase(t.Context(), secret)
	if err != nil || receipt.Done != 2 || receipt.Spared != 1 {
		t.Fatalf("got %+v, %v", receipt, err)
	}
	receipt, err = w.ledger.Erase(t.Context(), spared)
	if err != nil || receipt.Done != 0 || receipt.Spared != 1 {
		t.Fatalf("got %+v, %v", receipt, err)
	}
	if report, err := w.ledger.Prune(t.Context()); err != nil || report.Removed != 2 {
		t.Fatalf("got %+v, %v", report, err)
	}
	for _, file := range []string{path, path + "-wal"} {
		for _, name := range []string{secret, spared} {
			if bytes.Contains(contentOf(t, file), []byte(name)) {
				t.Errorf("%s still has the name %s", filepath.Base(file), name)
			}
		}
	}
	if n := w.count(); n != 1 {
		t.Errorf("%d units are left, want the one that another upload brought", n)
	}
}

// TestNamesGo expects uploads and sets of countries to go with the last unit
// that uses them.
func TestNamesGo(t *testing.T) {
	now := time.Date(2022, 2, 1, 12, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := open(t, path, &sqliteledger.Options{Clock: func() time.Time { return now }})
	w := newWriter(t, s)
	for range volume(5, 2) {
		m := &remover{t: t, store: s, path: path, live: map[keys.KeyData]bool{}, gone: map[keys.KeyData]bool{}}
		m.bring(w, now)
		now = now.Add(24 * time.Hour)
	}
	before := rowsIn(t, path, "upload", "countries")
	now = now.Add(30 * 24 * time.Hour)
	if _, err := w.ledger.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := rowsIn(t, path, "upload", "countries", "unit", "claim", "statement", "waiting", "event", "set_aside", "kept")
	if before["upload"] == 0 || before["countries"] == 0 {
		t.Fatalf("there was nothing to remove: %v", before)
	}
	for table, n := range after {
		if n > 0 {
			t.Errorf("%s has %d rows left", table, n)
		}
	}
}

func rowsIn(t *testing.T, path string, tables ...string) map[string]int {
	t.Helper()
	rows := map[string]int{}
	for _, table := range tables {
		n, err := strconv.Atoi(queryAll(t, path, "SELECT count(*) FROM "+table)[0])
		if err != nil {
			t.Fatal(err)
		}
		rows[table] = n
	}
	return rows
}

// TestTrim removes more that was set aside, and more withdrawals without keys,
// than one step of trim does.
func TestTrim(t *testing.T) {
	now := time.Date(2022, 2, 1, 12, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := open(t, path, &sqliteledger.Options{Clock: func() time.Time { return now }})
	w := newWriter(t, s)
	for _, part := range []int{volume(12_000, 5500), 10} {
		d := &ledger.Delivery{Source: "p"}
		for range part {
			k := w.keys.Upload(now).Keys[0]
			d.Withdrawals = append(d.Withdrawals, ledger.IDOf(&k))
			d.Unreadable = append(d.Unreadable, ledger.SetAside{Upload: "x", Field: keys.FieldKeyData, Reason: keys.ReasonLength})
		}
		if _, err := w.ledger.Accept(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		now = now.Add(24 * time.Hour)
	}
	now = now.Add(13 * 24 * time.Hour)
	if _, err := w.ledger.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := rowsIn(t, path, "set_aside", "kept"); got["set_aside"] != 10 || got["kept"] != 10 {
		t.Errorf("left are %v, want the 10 of the second day", got)
	}
}

// TestReaderHoldsOn removes something while somebody reads. Nobody waits for the
// reader, who sees what there was; what was removed is gone when the next Remove
// finds the reader gone.
func TestReaderHoldsOn(t *testing.T) {
	now := time.Date(2022, 2, 1, 12, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := open(t, path, &sqliteledger.Options{Clock: func() time.Time { return now }})
	w := newWriter(t, s)
	n := volume(3000, 1100) // more than is found at a time
	w.accept(n)
	secret := find(t, s).ID.KeyData
	next, stop := iter.Pull2(s.Find(t.Context(), ledger.Query{}))
	defer stop()
	for range 10 {
		next()
	}

	now = now.Add(30 * 24 * time.Hour)
	start := time.Now()
	if report, err := w.ledger.Prune(t.Context()); err != nil || report.Removed != n {
		t.Fatalf("got %+v, %v", report, err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("pruning took %s", took)
	}
	seen := 10
	for _, err, ok := next(); ok; _, err, ok = next() {
		if err != nil {
			t.Fatal(err)
		}
		seen++
	}
	if seen != n {
		t.Errorf("the reader saw %d units of %d", seen, n)
	}
	if !bytes.Contains(contentOf(t, path), secret[:]) && !bytes.Contains(contentOf(t, path+"-wal"), secret[:]) {
		t.Error("the reader has not held on to anything: the test shows nothing")
	}
	if _, err := w.ledger.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(contentOf(t, path), secret[:]) || bytes.Contains(contentOf(t, path+"-wal"), secret[:]) {
		t.Error("a removed key is still there after the reader has gone")
	}
}

// find returns any record.
func find(t *testing.T, s ledger.Store) *ledger.Record {
	t.Helper()
	for rec, err := range s.Find(t.Context(), ledger.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		return rec
	}
	t.Fatal("there is no unit")
	return nil
}
