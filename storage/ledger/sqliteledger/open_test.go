package sqliteledger_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
)

// open opens a ledger that is closed when the test is over.
func open(t *testing.T, path string, opts *sqliteledger.Options) *sqliteledger.Store {
	t.Helper()
	s, err := sqliteledger.Open(t.Context(), path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(t *testing.T, path string)
		opts    *sqliteledger.Options
		want    error
	}{
		{"no such directory", func(t *testing.T, path string) { remove(t, filepath.Dir(path)) }, nil, fs.ErrNotExist},
		{"no file to read", func(*testing.T, string) {}, &sqliteledger.Options{ReadOnly: true}, fs.ErrNotExist},
		{"a directory", func(t *testing.T, path string) { makeDir(t, path) }, nil, sqliteledger.ErrNotLedger},
		{"an empty file to read", func(t *testing.T, path string) { write(t, path, "") }, &sqliteledger.Options{ReadOnly: true}, sqliteledger.ErrNotLedger},
		{"text", func(t *testing.T, path string) { write(t, path, strings.Repeat("not a database\n", 1000)) }, nil, sqliteledger.ErrNotLedger},
		{"another database", func(t *testing.T, path string) { execute(t, path, "CREATE TABLE patients (name TEXT)") }, nil, sqliteledger.ErrNotLedger},
		{"another database of version 1", func(t *testing.T, path string) {
			execute(t, path, "CREATE TABLE patients (name TEXT); PRAGMA application_id = 7; PRAGMA user_version = 1")
		}, nil, sqliteledger.ErrNotLedger},
		{"a database with an id and no tables", func(t *testing.T, path string) { execute(t, path, "PRAGMA application_id = 7") }, nil, sqliteledger.ErrNotLedger},
		{"a later version", madeAnd("PRAGMA user_version = 2"), nil, sqliteledger.ErrNewer},
		{"an earlier version, which there was not", madeAnd("PRAGMA user_version = 0"), nil, sqliteledger.ErrNotLedger},
		{"pages that are damaged", func(t *testing.T, path string) { madeAnd("")(t, path); damage(t, path, 4096) }, nil, sqliteledger.ErrCorrupt},
		{"a replay ledger without a clock", madeReplay, nil, ledger.ErrReplay},
		{"an ordinary ledger with a clock", madeAnd(""), &sqliteledger.Options{Clock: time.Now}, ledger.ErrReplay},
		{"an ordinary ledger with a clock, to read", madeAnd(""), &sqliteledger.Options{Clock: time.Now, ReadOnly: true}, ledger.ErrReplay},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sub", "ledger.db")
			makeDir(t, filepath.Dir(path))
			tt.prepare(t, path)
			before := snapshot(path)
			s, err := sqliteledger.Open(t.Context(), path, tt.opts)
			if err == nil {
				s.Close()
			}
			checkError(t, err, "open", path, tt.want)
			if after := snapshot(path); after != before {
				t.Errorf("the file has changed from %d bytes to %d", len(before), len(after))
			}
		})
	}
}

// TestUnfinished opens what a process left that was killed while it made the
// ledger.
func TestUnfinished(t *testing.T) {
	for _, statement := range []string{"", "PRAGMA journal_mode = wal"} {
		path := filepath.Join(t.TempDir(), "ledger.db")
		write(t, path, "")
		execute(t, path, statement)
		newWriter(t, open(t, path, nil)).accept(1)
	}
}

// checkError fails unless err names the operation and the file, and is want.
func checkError(t *testing.T, err error, op, path string, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	e, ok := errors.AsType[*sqliteledger.Error](err)
	if !ok || e.Op != op || e.Path != path || !strings.HasPrefix(err.Error(), "sqliteledger: "+op+" "+path+": ") {
		t.Errorf("got %q, want an Error that names %s and %s", err, op, path)
	}
}

// madeAnd makes a ledger and executes a statement on it.
func madeAnd(query string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		if err := open(t, path, nil).Close(); err != nil {
			t.Fatal(err)
		}
		execute(t, path, query)
	}
}

func madeReplay(t *testing.T, path string) {
	if err := open(t, path, &sqliteledger.Options{Clock: time.Now}).Close(); err != nil {
		t.Fatal(err)
	}
}

func execute(t *testing.T, path, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func makeDir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

// snapshot returns the content of a file that no store has open.
func snapshot(path string) string {
	content, _ := os.ReadFile(path) // "" if there is none
	return string(content)
}

// damage overwrites a file from an offset on.
func damage(t *testing.T, path string, offset int) {
	t.Helper()
	content := []byte(snapshot(path))
	for i := offset; i < len(content); i++ {
		content[i] = byte(i * 31)
	}
	write(t, path, string(content))
}

// TestDamagedLater meets damage where Open does not look.
func TestDamagedLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := open(t, path, nil)
	w := newWriter(t, s)
	for range 40 {
		w.accept(50)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	damage(t, path, len(snapshot(path))/2)

	s = open(t, path, nil)
	var err error
	for _, e := range s.Find(t.Context(), ledger.Query{}) {
		err = e
	}
	checkError(t, err, "find", path, sqliteledger.ErrCorrupt)
}

// TestMissingRows reads a range from which a unit is missing that nobody has
// pruned: it must not read as fewer keys.
func TestMissingRows(t *testing.T) {
	now := time.Date(2021, 6, 1, 12, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := open(t, path, &sqliteledger.Options{Clock: func() time.Time { return now }})
	w := newWriter(t, s)
	w.accept(10)
	now = now.Add(24 * time.Hour)
	if _, err := w.ledger.Release(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"DELETE FROM unit WHERE id = 7", "DELETE FROM event WHERE number = 3"} {
		execute(t, path, statement)
		n := 0
		var err error
		for _, e := range s.Read(t.Context(), 0, 10) {
			if err = e; e == nil {
				n++
			}
		}
		checkError(t, err, "read", path, sqliteledger.ErrCorrupt)
		if n > 0 {
			t.Errorf("%s: %d units were yielded before", statement, n)
		}
	}
}

// TestPaths opens ledgers at paths that mean something else to SQLite, or to a
// URL.
func TestPaths(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{
		"ledger.db", "a b.db", "a%20b.db", "what?.db", "a#b.db", "ä.db", ":memory:", "file:x.db", "x?mode=memory", "-", "a&b=c;d",
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, name, nil)
			newWriter(t, s).accept(1)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(name); err != nil || info.Size() == 0 {
				t.Fatalf("%v: nothing was written there", err)
			}
			if got := newWriter(t, open(t, name, nil)).count(); got != 1 {
				t.Errorf("got %d units, want 1", got)
			}
		})
	}
}

// TestRelativePath changes the directory while a ledger is open.
func TestRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	s := open(t, "ledger.db", nil)
	w := newWriter(t, s)
	w.accept(3)
	t.Chdir(t.TempDir())
	if got := w.count(); got != 3 {
		t.Errorf("got %d units from another directory, want 3", got)
	}
}

func TestFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := open(t, path, nil)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if got := fmt.Sprintf(verb, s); got != "sqliteledger.Store("+path+")" {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

func TestFileMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	newWriter(t, open(t, path, nil)).accept(1)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("ledger.db%s has mode %o, want 600", suffix, got)
		}
	}
}

// TestModeOfOthers leaves the mode of a file that is there as it is: whoever
// runs several users over one ledger has chosen it.
func TestModeOfOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	write(t, path, "")
	if err := os.Chmod(path, 0o660); err != nil {
		t.Fatal(err)
	}
	open(t, path, nil)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("got mode %v, %v; want 660", info.Mode(), err)
	}
}

// TestOpenTogether has many stores make one ledger at the same time.
func TestOpenTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	identities := make([]ledger.Identity, 8)
	var wg sync.WaitGroup
	for i := range identities {
		wg.Go(func() {
			s, err := sqliteledger.Open(t.Context(), path, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			log, err := s.Log(t.Context(), 0)
			if err != nil {
				t.Error(err)
				return
			}
			identities[i] = log.Identity
		})
	}
	wg.Wait()
	for _, id := range identities {
		if id != identities[0] || id == (ledger.Identity{}) {
			t.Fatalf("got the identities %v, want the same", identities)
		}
	}
}

func TestReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	w := newWriter(t, open(t, path, nil))
	w.accept(5)
	s := open(t, path, &sqliteledger.Options{ReadOnly: true})
	if got := newReader(t, s).count(); got != 5 {
		t.Errorf("got %d units, want 5", got)
	}
	w.accept(2)
	if got := newReader(t, s).count(); got != 7 {
		t.Errorf("after two more, got %d units, want 7", got)
	}
	for op, err := range changes(t.Context(), s) {
		checkError(t, err, op, path, sqliteledger.ErrReadOnly)
	}
}

// changes calls every method that changes a ledger.
func changes(ctx context.Context, s ledger.Store) map[string]error {
	_, release := s.Release(ctx, &ledger.Release{})
	_, remove := s.Remove(ctx, &ledger.Removal{})
	return map[string]error{
		"accept":  s.Accept(ctx, &ledger.Intake{}),
		"release": release,
		"swap":    s.Swap(ctx, ledger.Nonce{}, nil),
		"remove":  remove,
	}
}

func TestClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := open(t, path, nil)
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	for op, err := range changes(t.Context(), s) {
		checkError(t, err, op, path, sqliteledger.ErrClosed)
	}
	_, err := s.Log(t.Context(), 0)
	checkError(t, err, "log", path, sqliteledger.ErrClosed)
}

// TestCancelled expects every method to notice that its context is done, also
// while it waits for another writer.
func TestCancelled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	s, other := open(t, path, nil), open(t, path, nil)
	ctx, cancel := context.WithCancel(t.Context())
	err := other.Accept(t.Context(), &ledger.Intake{Decide: func(*ledger.Standing) (*ledger.Changes, error) {
		time.AfterFunc(150*time.Millisecond, cancel)
		if err := s.Swap(ctx, ledger.Nonce{}, nil); err != context.Canceled {
			t.Errorf("waiting for another store: got %v", err)
		}
		return &ledger.Changes{}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for op, err := range changes(ctx, s) {
		if err != context.Canceled {
			t.Errorf("%s: got %v", op, err)
		}
	}
	if _, err := s.Log(ctx, 0); err != context.Canceled {
		t.Errorf("log: got %v", err)
	}
	newWriter(t, s).accept(1) // and goes on
}

// TestPatience expects a writer to give up.
func TestPatience(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := open(t, path, &sqliteledger.Options{Patience: 50 * time.Millisecond})
	err := open(t, path, nil).Accept(t.Context(), &ledger.Intake{Decide: func(*ledger.Standing) (*ledger.Changes, error) {
		err := s.Swap(t.Context(), ledger.Nonce{}, nil)
		checkError(t, err, "swap", path, sqliteledger.ErrBusy)
		_, err = s.Log(t.Context(), 0) // readers wait for nobody
		return &ledger.Changes{}, err
	}})
	if err != nil {
		t.Fatal(err)
	}
}
