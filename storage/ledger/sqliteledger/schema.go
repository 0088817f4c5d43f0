package sqliteledger

import (
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"

	"github.com/gaenkit/gaen/storage/ledger"
)

//go:embed schema.sql
var schema string

const (
	// applicationID in a file's header says that it is a ledger: "gaen".
	applicationID = 0x6761656e

	// schemaVersion is that of schema.sql.
	schemaVersion = 1
)

// scratch are tables of the writer's own, which no other connection sees, and
// which are emptied before they are used. They are in memory.
const scratch = `
	CREATE TEMP TABLE on_hold (origin TEXT, sources TEXT, PRIMARY KEY (origin, sources)) WITHOUT ROWID;
	CREATE TEMP TABLE take (origin TEXT, own INTEGER, wait INTEGER, PRIMARY KEY (origin, own, wait)) WITHOUT ROWID;
	CREATE TEMP TABLE taken (unit INTEGER PRIMARY KEY);`

// prepareSchema makes the ledger if the file is empty, and sees to it that it is
// one that can be used.
func (s *Store) prepareSchema(ctx context.Context, w *session) error {
	err := s.check(ctx) // before anything is written into somebody else's file
	if err != nil && err != errEmpty {
		return err
	}
	if err := w.checkWritable(); err != nil {
		return err
	}
	if err := retry(ctx, s.opts.Patience, w.useLog); err != nil {
		return err
	}
	if err := w.run(ctx, scratch); err != nil {
		return err
	}
	if err != errEmpty {
		return nil
	}
	if err := w.write(ctx, s.opts.Patience, s.create); err != nil {
		return err
	}
	return s.check(ctx)
}

// errEmpty says that a file holds nothing yet.
var errEmpty = fmt.Errorf("%w: the file is empty", ErrNotLedger)

// check reads what the ledger is.
func (s *Store) check(ctx context.Context) error {
	return s.readStep(ctx, func(t *tx) error {
		if err := t.checkSchema(); err != nil {
			return err
		}
		var identity bytes16
		var replay integer
		if _, err := t.get(`SELECT identity, replay FROM ledger`, nil, &identity, &replay); err != nil {
			return err
		}
		s.identity = ledger.Identity(identity)
		if replay.bool() != (s.opts.Clock != nil) {
			return ledger.ErrReplay
		}
		return nil
	})
}

// checkSchema judges whose file it is, and of which version.
func (t *tx) checkSchema() error {
	var id, version, tables integer
	const query = `SELECT
		(SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version),
		(SELECT count(*) FROM sqlite_schema)`
	if _, err := t.get(query, nil, &id, &version, &tables); err != nil {
		return err
	}
	switch {
	case id == 0 && version == 0 && tables == 0:
		return errEmpty
	case id != applicationID:
		return fmt.Errorf("%w: a database of application %d with %d tables", ErrNotLedger, id, tables)
	case version > schemaVersion:
		return fmt.Errorf("%w: its schema has version %d, the latest known is %d", ErrNewer, version, schemaVersion)
	case version < schemaVersion:
		return fmt.Errorf("%w: its schema has version %d", ErrNotLedger, version)
	}
	return nil
}

// create makes the ledger, unless another process has done so meanwhile.
func (s *Store) create(t *tx) error {
	if err := t.checkSchema(); err != errEmpty {
		return err
	}
	if err := t.run(t.ctx, schema); err != nil {
		return err
	}
	identity := make([]byte, len(ledger.Identity{}))
	rand.Read(identity)
	_, err := t.exec(`INSERT INTO ledger (id, identity, replay, version, removals, scrubbed) VALUES (1, ?, ?, 0, 0, 0)`,
		identity, s.opts.Clock != nil)
	if err != nil {
		return err
	}
	return t.run(t.ctx, fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = %d`, applicationID, schemaVersion))
}
