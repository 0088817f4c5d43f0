package bucketledger_test

// volume returns how much of something a test does: n, or with the race detector
// slowly, which is enough to find races.
func volume(n, slowly int) int {
	if slow {
		return slowly
	}
	return n
}
