package pgledger

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"path"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gaenkit/gaen/storage/ledger"
)

// Migrations are the files that make the schema of a ledger and take it from
// version to version, in the order of their names: SQL to be run in one
// transaction each, with search_path set to the ledger's schema alone. Each notes
// in the table gaen_migration that it was run. The comments at their beginning
// are what goose asks for; other tools pass over them.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// latest is the version of the last of the [Migrations].
const latest = 1

const (
	minServer = 130000 // PostgreSQL 13
	maxSkew   = 5 * time.Minute
)

// open finds out whose database and schema it is, makes the ledger if there is
// none, and reads what it is.
func (s *Store) open(ctx context.Context) error {
	if err := s.checkServer(ctx); err != nil {
		return err
	}
	version, err := s.checkSchema(ctx, s.pool)
	if err != nil {
		return err
	}
	if version < latest {
		if err := s.migrate(ctx); err != nil {
			return err
		}
	}
	return s.identify(ctx)
}

// checkServer judges the server, and what it lets us do.
func (s *Store) checkServer(ctx context.Context) error {
	var server int
	var readOnly bool
	var encoding string
	var now time.Time
	before := time.Now()
	const query = `SELECT current_setting('server_version_num')::int, pg_is_in_recovery(),
		current_setting('transaction_read_only') = 'on', current_setting('server_encoding'), clock_timestamp()`
	if err := s.pool.QueryRow(ctx, query).Scan(&server, &s.standby, &readOnly, &encoding, &now); err != nil {
		return err
	}
	switch {
	case server < minServer:
		return fmt.Errorf("%w: version %d, want %d or later", ErrServer, server, minServer)
	case encoding != "UTF8":
		return fmt.Errorf("%w: the database is in %s, want UTF8", ErrServer, encoding)
	case s.standby && !s.opts.ReadOnly:
		return fmt.Errorf("%w: the server is a standby", ErrReadOnly)
	case readOnly && !s.opts.ReadOnly:
		return fmt.Errorf("%w: the database or the role is", ErrReadOnly)
	case s.opts.Clock != nil:
		return nil
	}
	return checkClock(before, now, time.Now())
}

// checkClock judges the database's clock by this process's before and after it
// was read.
func checkClock(before, database, after time.Time) error {
	skew := max(before.Sub(database), database.Sub(after))
	if skew > maxSkew {
		return fmt.Errorf("%w: by %s, at most %s", ErrClock, skew.Round(time.Second), maxSkew)
	}
	return nil
}

// querier is a pool or a transaction, as far as it concerns what looks around.
type querier interface {
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}

// checkSchema judges whose schema it is, of which version, and whether we may
// use it. It returns version 0 for one that is to be made.
func (s *Store) checkSchema(ctx context.Context, q querier) (version int, err error) {
	var relations int
	var ours bool
	const query = `SELECT count(*), coalesce(bool_or(relname = 'gaen_migration'), false)
		FROM pg_class WHERE relnamespace = to_regnamespace($1) AND relkind <> 'i'`
	if err := q.QueryRow(ctx, query, s.opts.Schema).Scan(&relations, &ours); err != nil {
		return 0, err
	}
	switch {
	case relations == 0 && (s.opts.ReadOnly || s.opts.NoMigrations):
		return 0, fmt.Errorf("%w: the schema is empty or not there", ErrNotLedger)
	case relations == 0:
		return 0, s.checkMayCreate(ctx, q)
	case !ours:
		return 0, fmt.Errorf("%w: the schema has %d tables and others of somebody else", ErrNotLedger, relations)
	}
	if err := s.checkPrivileges(ctx, q); err != nil {
		return 0, err
	}
	if err := q.QueryRow(ctx, s.in(`SELECT coalesce(max(version), 0) FROM gaen.gaen_migration`)).Scan(&version); err != nil {
		return 0, err
	}
	switch {
	case version > latest:
		return version, fmt.Errorf("%w: its schema has version %d, the latest known is %d", ErrNewer, version, latest)
	case version < latest && (s.opts.ReadOnly || s.opts.NoMigrations):
		return version, fmt.Errorf("%w: its schema has version %d, want %d", ErrOlder, version, latest)
	}
	return version, nil
}

// checkMayCreate reports whether the role may make the schema, or tables in it.
func (s *Store) checkMayCreate(ctx context.Context, q querier) error {
	var may bool
	const query = `SELECT coalesce(has_schema_privilege(to_regnamespace($1), 'CREATE') AND has_schema_privilege(to_regnamespace($1), 'USAGE'),
		has_database_privilege(current_database(), 'CREATE'))`
	if err := q.QueryRow(ctx, query, s.opts.Schema).Scan(&may); err != nil {
		return err
	}
	if !may {
		return fmt.Errorf("%w: the role may not create what a ledger needs", ErrPermission)
	}
	return nil
}

// checkPrivileges reports whether the role may use the tables and sequences. They
// must let us lock the table of cuts too, for which any of the rights to write
// will do.
func (s *Store) checkPrivileges(ctx context.Context, q querier) error {
	var denied int
	const query = `SELECT count(*) FROM pg_class
		WHERE relnamespace = to_regnamespace($1) AND relkind IN ('r', 'p', 'S') AND NOT (
			has_schema_privilege(relnamespace, 'USAGE') AND
			CASE WHEN relkind = 'S' THEN $2 OR has_sequence_privilege(oid, 'USAGE')
			ELSE has_table_privilege(oid, 'SELECT') AND ($2 OR relname = 'gaen_migration' OR
				has_table_privilege(oid, 'INSERT') AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))
			END)`
	if err := q.QueryRow(ctx, query, s.opts.Schema, s.opts.ReadOnly).Scan(&denied); err != nil {
		return err
	}
	if denied > 0 {
		return fmt.Errorf("%w: on %d tables and sequences of the ledger", ErrPermission, denied)
	}
	return nil
}

// migrate runs the migrations that were not run yet. Of several processes that
// start at once one does, and the others wait for it.
func (s *Store) migrate(ctx context.Context) error {
	return pgx.BeginFunc(ctx, s.pool, func(t pgx.Tx) error {
		if _, err := t.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, s.migrationLock()); err != nil {
			return err
		}
		version, err := s.checkSchema(ctx, t)
		if err != nil {
			return err
		}
		schema := pgx.Identifier{s.opts.Schema}.Sanitize()
		if _, err := t.Exec(ctx, `SELECT set_config('search_path', $1, true)`, schema); err != nil {
			return err
		}
		if version == 0 {
			if err := makeSchema(ctx, t, s.opts.Schema); err != nil {
				return err
			}
		}
		return runMigrations(ctx, t, version)
	})
}

// makeSchema makes the schema if it is not there. To be told that it is there,
// PostgreSQL wants a right that is not needed then.
func makeSchema(ctx context.Context, t pgx.Tx, name string) error {
	var there bool
	if err := t.QueryRow(ctx, `SELECT to_regnamespace($1) IS NOT NULL`, name).Scan(&there); err != nil || there {
		return err
	}
	_, err := t.Exec(ctx, `CREATE SCHEMA `+pgx.Identifier{name}.Sanitize())
	return err
}

// migrationLock returns the number of the lock that those who migrate one schema
// exclude each other by.
func (s *Store) migrationLock() int64 {
	h := fnv.New64a()
	h.Write([]byte("gaen migration " + s.opts.Schema))
	return int64(h.Sum64())
}

// runMigrations runs those after a version.
func runMigrations(ctx context.Context, t pgx.Tx, version int) error {
	files, err := fs.Glob(Migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	for _, name := range files { // in the order of their names
		n, err := strconv.Atoi(path.Base(name)[:4])
		if err != nil || n <= version {
			continue
		}
		script, err := fs.ReadFile(Migrations, name)
		if err != nil {
			return err
		}
		if _, err := t.Conn().PgConn().Exec(ctx, string(script)).ReadAll(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// identify reads what the ledger is. One that has just been made gets an identity
// first.
func (s *Store) identify(ctx context.Context) error {
	replay, err := s.readIdentity(ctx)
	if errors.Is(err, pgx.ErrNoRows) && !s.opts.ReadOnly {
		identity := make([]byte, len(ledger.Identity{}))
		rand.Read(identity)
		const insert = `INSERT INTO gaen.ledger (id, identity, replay) VALUES (1, $1, $2) ON CONFLICT DO NOTHING`
		if _, err := s.pool.Exec(ctx, s.in(insert), identity, s.opts.Clock != nil); err != nil {
			return err
		}
		replay, err = s.readIdentity(ctx)
	}
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("%w: it has no identity yet", ErrNotLedger)
	case err != nil:
		return err
	case replay != (s.opts.Clock != nil):
		return ledger.ErrReplay
	}
	return nil
}

func (s *Store) readIdentity(ctx context.Context) (replay bool, err error) {
	var identity bytes16
	err = s.pool.QueryRow(ctx, s.in(`SELECT identity, replay FROM gaen.ledger`)).Scan(&identity, &replay)
	s.identity = ledger.Identity(identity)
	return replay, err
}
