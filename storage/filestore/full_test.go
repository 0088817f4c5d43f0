//go:build unix

package filestore

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/gaenkit/gaen/storage"
)

// fillUp puts an object that is larger than a file of this process may be, as
// if the disk were full.
func fillUp(ctx context.Context, b *Bucket) error {
	const limit = 1 << 16
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		return err
	}
	for _, name := range []string{"a", "new/b"} {
		_, err := storage.Put(ctx, b, name, strings.NewReader(strings.Repeat("x", limit+1)), nil)
		if !errors.Is(err, syscall.EFBIG) {
			return fmt.Errorf("got %v, want EFBIG", err)
		}
		fmt.Println(err)
	}
	return nil
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	put(t, b, "a", "content", nil)
	c := startChild(t, "full", dir, "exchange")
	var text []string
	for _, words := range c.rest() {
		text = append(text, strings.Join(words, " "))
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(text) != 2 || !strings.HasPrefix(text[0], `storage: put "a": write `) || !strings.HasSuffix(text[0], "file too large") {
		t.Errorf("got %q", text)
	}
	wantTree(t, dir, "a -rw------- content")
}
