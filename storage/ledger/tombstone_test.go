package ledger_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"testing"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// TestTombstoneForGood: tombstones outlive the version that wrote them. With another
// hash, keys that were withdrawn and removed would be accepted again.
func TestTombstoneForGood(t *testing.T) {
	id := ledger.Identity{1, 2, 3}
	data := keystest.New(1, nil).KeyData()
	for _, region := range []string{"DE", "GB-EAW"} {
		h := hmac.New(sha256.New, id[:])
		h.Write([]byte(region + "\x00" + string(data[:])))
		if ledger.TombstoneOf(id, ledger.UnitID{Origin: keys.MustRegion(region), KeyData: data}) != ledger.Tombstone(h.Sum(nil)) {
			t.Errorf("the tombstone of a key of %s is another", region)
		}
	}
}
