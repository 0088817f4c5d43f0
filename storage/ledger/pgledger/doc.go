// Package pgledger keeps a ledger in a schema of a PostgreSQL database (13 or
// later), through the caller's pool of connections.
//
//	store, err := pgledger.Open(ctx, pool, nil)
//	l, err := ledger.Open(ctx, store, nil)
//
// [Open] makes the ledger if there is none, by the [Migrations], and brings one
// of an earlier version up to date. Any number of processes and hosts may have it
// open at once. Its clock is the database's.
//
// # In a transaction of the caller's
//
// [Store.WithTx] joins a transaction of the caller's, so that a submission's
// token is spent exactly if its keys are stored:
//
//	receipt, err := l.With(store.WithTx(tx)).Accept(ctx, delivery)
//	err = tx.Commit(ctx)
//
// # Steps and their locks
//
// Each step of [ledger.Store] is one transaction. These are all locks that it
// takes, in this order; all are held to its end.
//
//  1. The log: a table lock of cut. Release takes EXCLUSIVE, Remove SHARE ROW
//     EXCLUSIVE, so that both exclude themselves and each other. An Accept that
//     meets units which are known takes ROW SHARE, which excludes Release alone.
//     One that meets none takes none: it finds out when it looks, and begins
//     again with the lock if there are any. So a phone's submission of new keys
//     waits neither for a cut nor for a removal, however long they take.
//  2. Registers to be swapped that are there: their rows, by name.
//  3. Units that are asked for, and those of other origins with their key data:
//     their rows (FOR UPDATE), by key data and place. A unit that was added by
//     somebody who was waited for is not among those found; so they are counted
//     afterwards, and if there are more the step is repeated.
//  4. Units to be added: their entries in the index unit_key of key data and
//     place, the number among the units of the key data, in that order. Whoever
//     adds the first unit of a key data at the same time takes the same place,
//     waits, finds it taken, and is repeated. Key data that were asked for and
//     get no unit are entered too, and taken out again before the end, so that
//     what was seen as missing is missing until then. Traces of units that are
//     not there (kept withdrawals, tombstones) are then read once more: if there
//     are others than before, the step is repeated.
//  5. Claims, what waits, kept withdrawals and keys set aside: rows that belong to
//     a unit or key data held by 3 or 4. Those set aside of an upload that is
//     erased are taken by id. Remove passes over what others hold.
//  6. Registers that are new: their entries in the primary key, by name.
//  7. Counters: their rows, by name. Each has 64, of which a connection uses
//     the one of its server process, so that connections do not wait for each
//     other.
//
// Nothing deadlocks. A step comes to these kinds of locks in their order, and
// takes those of a kind in the order given. Whoever waits for a lock waits for a
// step that has come as far: a lock of 1 to 3 or 7 is held by one that has taken
// it on its way, and an entry of 4 or 6 is there only since its step has come to
// 4 or 6. That step waits, if at all, for something further on, so there is no
// ring. Rows of 5 belong to units and key data that their step holds alone; the
// exception is Remove, which takes old ones that it holds nothing of: whoever
// waits there for a Remove waits for a step that has only 7 before it, and Remove
// itself waits for none of them. Counters that it takes away are those of days
// long past, to which nobody adds. A step that is repeated first gives up all that
// it holds. PostgreSQL finds a deadlock with locks of the caller's own, or of other
// programs that write the tables; then the step is repeated, or, in the caller's
// transaction, the error is the caller's to act on.
//
// The steps have the effect of some order one after the other. Release sees one
// moment (REPEATABLE READ), which begins when it has the log; nobody else writes
// what it writes, and a unit that is added meanwhile is for the next cut. An
// Accept holds all units it asks for, there or not, from before it reads the
// registers, which is its moment, to its end. Quotas are the exception: counters
// are read without a lock, so that deliveries of one source that run side by side
// may together go beyond its quota by what they bring.
//
// In a transaction of the caller's the locks of an Accept or Swap are held until
// the caller commits or rolls back: a lock of the log delays the next cut until
// then, a unit whoever brings the same key, a register whoever swaps it, the
// counters nobody but a connection whose process shares the slot. Commit soon,
// and wait for nobody with it open. Several steps in one transaction take their
// locks one after the other, so that two such transactions can deadlock, which
// PostgreSQL notices after a second: roll back and begin again.
//
// # Durability, lost connections
//
// What a method has answered is on the server's disk: synchronous_commit is turned
// on for a step where it is off, and left alone where it asks for more. The
// server must have fsync on. When a connection is lost while a step is committed,
// nobody knows whether it was: the error is an [*Error], nothing is repeated
// then, and the nonces of [ledger.Intake] and Swap tell when the caller does.
//
// # Standbys
//
// A store on a standby is opened with Options.ReadOnly. Its Log says how far the
// standby has come, and [ledger.Ledger.Check] whether that is as far as a
// position that a consumer was told of. A range that reaches beyond it is refused
// with [ErrLags] rather than read in part, which is where it deviates from
// [ledger.Store]. Registers are as old as the standby is: whoever changes
// anything by them reads them from the primary.
//
// # What is removed
//
// Remove works in the steps it is asked for, and stalls nobody who brings new
// keys. Removed rows stay in the files until VACUUM has passed, in the
// write-ahead log and in backups for as long as those are kept. Autovacuum's
// defaults wait for a fifth of a table; for a ledger of millions of keys set
// autovacuum_vacuum_scale_factor to 0.02 on unit, event and waiting. waiting is
// filled and emptied every hour. A loop over what Read yields keeps a snapshot
// open, and VACUUM from removing what it sees, for as long as it lasts.
//
// # Key data
//
// Errors of this package have no key data in them. The server's own log may, if
// it is told to write parameters of statements (log_statement,
// log_min_duration_statement): set log_parameter_max_length to 0.
//
// # Text
//
// PostgreSQL keeps no zero characters and no text that is not UTF-8. In names
// that the rules of package ledger let through there are none; in details of keys
// set aside they are replaced by U+FFFD.
//
// # Errors
//
// Errors are of type [*Error] and name the operation and the schema, except where
// [ledger.Store] promises one of its own and where a context is done.
//
// # Compatibility
//
// The schema has a version, in its table gaen_migration. This package opens
// version 1 and refuses later ones.
package pgledger
