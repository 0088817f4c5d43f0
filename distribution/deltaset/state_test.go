package deltaset_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/distribution/deltaset"
)

// TestStateRefused: a state of which the sum is right, and that no client has
// written so, is damaged.
func TestStateRefused(t *testing.T) {
	w := newWorld(t, nil)
	w.upload()
	w.hour()
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	c := w.clientOf(dir, deltaset.FromBucket(w.bucket, tree), nil)
	w.update(c)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	header, rest, _ := strings.Cut(string(good), "\n")
	first, _, _ := strings.Cut(rest, "\n")
	records := rest[:strings.Index(rest, "sha256 ")]
	for _, test := range []struct{ name, header, records string }{
		{"of another version", strings.Replace(header, "state-1", "state-2", 1), records},
		{"a number with a sign", strings.Replace(header, " 492334", " +492334", 1), records},
		{"a long header", strings.Replace(header, " DE ", " "+strings.Repeat("D", 300)+" ", 1), records},
		{"a key twice", header, first + "\n" + records},
		{"a key that is retracted", header, "00000000000000000000000000000001 20513 2953872 144 revoked -\n" + records},
	} {
		content := test.header + "\n" + test.records
		content += fmt.Sprintf("sha256 %x\n", sha256.Sum256([]byte(content)))
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := c.State(); !errors.Is(err, deltaset.ErrState) {
			t.Errorf("%s: got %v, want ErrState", test.name, err)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	for range c.Keys() {
		break // who has seen enough is not called again
	}
}

// TestStateUnreadable: a state that cannot be read is not none, nor damaged, and
// nothing is begun in its place.
func TestStateUnreadable(t *testing.T) {
	w := newWorld(t, nil)
	w.hour()
	dir := t.TempDir()
	if err := os.Symlink("state", filepath.Join(dir, "state")); err != nil {
		t.Skip(err)
	}
	c := w.clientOf(dir, deltaset.FromBucket(w.bucket, tree), nil)
	if _, err := c.Update(t.Context()); err == nil || errors.Is(err, deltaset.ErrState) {
		t.Errorf("got %v, want that it cannot be read", err)
	}
}
