// Package sqliteledger keeps a ledger in one SQLite file: the embedded default,
// without a server and without cgo.
//
//	store, err := sqliteledger.Open(ctx, "/var/lib/gaen/ledger.db", nil)
//	defer store.Close()
//	l, err := ledger.Open(ctx, store, nil)
//
// # Processes
//
// Several processes of one host may have the ledger open at once. One writes at
// a time; the others wait for as long as [Options.Patience] says. Readers see
// one moment, wait for nobody and keep nobody waiting, but as long as one is open
// the write-ahead log beside the file grows. The file must be on a local file
// system: network file systems do not lock as SQLite needs it.
//
// A process must not open the file by other means while it has a store open on
// it, not even to copy it: when it closes it again, the operating system takes
// away SQLite's locks (POSIX). Another process may.
//
// # Durability
//
// What a method has answered is on the disk: the log is synchronised with every
// step (journal_mode=wal, synchronous=full). A process may be killed at any
// moment. A backup is made by "VACUUM INTO" or SQLite's backup from another
// process, never by copying the file alone; whoever restores one has a ledger
// that went back, and consumers notice.
//
// # What is removed
//
// What Remove removes is overwritten in the file and cut from the write-ahead
// log. Backups, and blocks that the file system or the disk keeps, are beyond
// it. The file does not shrink; its pages are used again.
//
// # Errors
//
// Errors are of type [*Error] and name the operation and the file, except where
// [ledger.Store] promises one of its own and where a context is done.
//
// # Compatibility
//
// The schema, in schema.sql, has a version that the file carries. This package
// opens files of version 1 and refuses later ones.
package sqliteledger
