package sqliteledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"sync"

	"modernc.org/sqlite"
)

// creating excludes stores of this process from each other while one makes its
// file: to close a file undoes all POSIX locks that the process has on it,
// those of SQLite included. For the same reason nothing else here opens a
// ledger's file but SQLite.
var creating sync.Mutex

// prepareFile makes an empty file, for its owner alone, if there is none. SQLite
// gives the files it puts beside it the same mode.
func (s *Store) prepareFile(file string) error {
	creating.Lock()
	defer creating.Unlock()
	info, err := os.Stat(file)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%w: not a regular file", ErrNotLedger)
	case err == nil || s.opts.ReadOnly || !errors.Is(err, fs.ErrNotExist):
		return err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil // another process was faster
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// Settings of connections. SQLite reads them in this form as it connects.
var (
	readerSettings = []string{
		"busy_timeout(10000)", // a reader waits only for the recovery after a crash
		"query_only(true)",
		"cache_size(-8000)", // 8 MB
		"temp_store(memory)",
	}

	writerSettings = []string{
		"busy_timeout(100)",  // and again; see beginWrite
		"synchronous(full)",  // what is answered is on the disk
		"secure_delete(on)",  // what is deleted is overwritten; see scrub
		"cache_size(-65536)", // 64 MB: what one delivery changes
		"temp_store(memory)", // a sort of keys must leave no file behind

		// A page that several deliveries change is written back once for all of
		// them. After a large step the log is cut to this size again.
		"wal_autocheckpoint(8000)",
		"journal_size_limit(33554432)",
	}
)

func (s *Store) openReaders(file string) (*sql.DB, error) {
	mode := "rw"
	if s.opts.ReadOnly {
		mode = "ro"
	}
	db, err := openDB(file, mode, readerSettings)
	if err != nil {
		return nil, err
	}
	db.SetMaxIdleConns(-1) // sessions keep connections, with what is prepared on them
	return db, nil
}

func (s *Store) openWriters(file string) (*sql.DB, error) {
	db, err := openDB(file, "rw", writerSettings)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

func openDB(file, mode string, settings []string) (*sql.DB, error) {
	query := url.Values{"mode": {mode}, "_pragma": settings, "_error_rc": {"true"}}
	uri := url.URL{Scheme: "file", Path: path.Join("/", filepath.ToSlash(file)), RawQuery: query.Encode()}
	connector, err := sqlite.NewConnector(uri.String())
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// checkWritable returns [ErrReadOnly] if SQLite could open the file only for
// reading, which it does not say by itself.
func (s *session) checkWritable() error {
	return s.conn.Raw(func(conn any) error {
		c, ok := conn.(interface{ IsReadOnly(string) (bool, error) })
		if !ok {
			return fmt.Errorf("driver connection %T does not say whether it is read-only", conn)
		}
		readOnly, err := c.IsReadOnly("main")
		if err == nil && readOnly {
			err = ErrReadOnly
		}
		return err
	})
}

// useLog turns on the write-ahead log, so that readers and a writer do not wait
// for each other.
func (s *session) useLog(ctx context.Context) error {
	var mode string
	if err := s.conn.QueryRowContext(ctx, "PRAGMA journal_mode = wal").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("the file system does not allow a write-ahead log: journal_mode is %s", mode)
	}
	return nil
}
