//go:build race

package bucketledger_test

// slow is set where the race detector makes everything slow.
const slow = true
