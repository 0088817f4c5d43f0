//go:build !race

package sqliteledger_test

// slow says that the race detector is on.
const slow = false
