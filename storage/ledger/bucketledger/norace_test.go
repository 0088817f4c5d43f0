//go:build !race

package bucketledger_test

const slow = false
