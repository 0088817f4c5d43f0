//go:build !race

package pgledger_test

// slow says that the race detector is on.
const slow = false
