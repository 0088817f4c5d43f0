package bucketledger_test

import (
	"encoding/base64"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// eager lets a cut take whatever is due.
func eager() *ledger.Policy {
	p := ledger.DefaultPolicy()
	p.MinKeys, p.MinUploads, p.MinWithdrawnUploads = 0, 0, 0
	p.MaxCut, p.MaxDay, p.Quota = 1e7, 1e7, 1e9
	return &p
}

func base64Of(k keys.KeyData) string { return base64.StdEncoding.EncodeToString(k[:]) }

// volume returns how much of something a test does: n, or with the race detector
// slowly, which is enough to find races.
func volume(n, slowly int) int {
	if slow {
		return slowly
	}
	return n
}
