//go:build !linux

package wholefiletest

import "testing"

// Full skips the test.
func Full(t *testing.T, _ uint64, _ func()) { t.Skip("a full disk is made on Linux only") }
