package partner

import (
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gaenkit/gaen/examples/internal/wholefile/wholefiletest"
	"github.com/gaenkit/gaen/signing"
)

// TestMakeKeyFull: half a key is none. A disk that is full leaves nothing that the
// next attempt takes for one.
func TestMakeKeyFull(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key.pem")
	for _, room := range []uint64{0, 40, 235} { // nothing, part of the key, and all but the end
		wholefiletest.Full(t, room, func() {
			if made, err := MakeKey(path); made || err == nil {
				t.Errorf("with room for %d bytes: made %t, %v", room, made, err)
			}
		})
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("with room for %d bytes: %v is left, %v", room, left, err)
		}
	}
	if made, err := MakeKey(path); !made || err != nil {
		t.Fatalf("made %t, %v", made, err)
	}
	checkKey(t, path)
}

// TestMakeKeyOnce: of several that want it at once, one makes it, and the public key is
// that of the key that is there.
func TestMakeKeyOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "key.pem")
	var made atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			did, err := MakeKey(path)
			if err != nil {
				t.Error(err)
			}
			if did {
				made.Add(1)
			}
		})
	}
	group.Wait()
	if n := made.Load(); n != 1 {
		t.Errorf("%d made it", n)
	}
	checkKey(t, path)
}

// checkKey checks that a key is for its owner alone, and has its public key beside it.
func checkKey(t *testing.T, path string) {
	t.Helper()
	key, err := signing.ReadPrivateKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v, want mode 0600", info, err)
	}
	text, err := os.ReadFile(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	if public, err := signing.ParsePublicKey(text); err != nil || !key.PublicKey.Equal(public) {
		t.Errorf("the public key beside it is another's, or none: %v", err)
	}
}
