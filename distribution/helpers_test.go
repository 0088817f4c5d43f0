package distribution_test

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/gaenkit/gaen/distribution/cwa"
)

const hour = time.Hour

// retentionOfADay keeps every archive for a day.
var retentionOfADay = &cwa.Options{Days: 1, HourDays: 1}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hexOf(sum[:])
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }
