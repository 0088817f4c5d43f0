//go:build race

package sqliteledger_test

// slow says that the race detector is on. It makes SQLite, which is Go here,
// some fifteen times slower, so that tests of volume do with less of it.
const slow = true
