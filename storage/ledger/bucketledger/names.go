package bucketledger

import (
	"fmt"
	"strconv"
	"strings"
)

// Everything that is ours lies under this name, which the readers of submissions
// do not look at.
const root = "gaen/"

const (
	logPrefix   = root + "log/"   // + number: a segment
	statePrefix = root + "state/" // + number: a snapshot of what the log up to there has made
	probePrefix = root + "probe/" // + random: whether the bucket creates atomically; gone at once
)

// digits is the length of a number in a name, so that names sort as numbers do.
const digits = 20

func segmentName(n int64) string { return fmt.Sprintf("%s%0*d", logPrefix, digits, n) }

func stateName(n int64) string { return fmt.Sprintf("%s%0*d", statePrefix, digits, n) }

// numberOf returns the number that a name below prefix ends in. Other names are
// not ours to judge.
func numberOf(name, prefix string) (int64, bool) {
	text := strings.TrimPrefix(name, prefix)
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && len(text) == digits && n > 0 && text[0] != '+'
}
