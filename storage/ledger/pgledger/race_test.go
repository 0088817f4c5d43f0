//go:build race

package pgledger_test

// slow says that the race detector is on. Tests of volume do with less of it.
const slow = true
