//go:build unix

package filestore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/storage"
)

// TestDamagedSidecar: attributes that cannot be read are an error, not absent.
func TestDamagedSidecar(t *testing.T) {
	for name, text := range map[string]string{
		"not JSON":  "{",
		"empty":     "",
		"other's":   `{"name":"b","contentType":"text/html"}`,
		"too large": `{"name":"a"}` + strings.Repeat(" ", maxSidecarSize),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b := open(t, dir)
			a := put(t, b, "a", "content", &storage.PutOptions{ContentType: "text/plain"})
			if err := os.WriteFile(filepath.Join(dir, sidecarPath("a", a.ETag)), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, _, getErr := storage.Get(t.Context(), b, "a")
			_, statErr := storage.Stat(t.Context(), b, "a")
			for _, err := range []error{getErr, statErr} {
				if err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), ".gaen/attrs") {
					t.Errorf("got %v, want an error that names the file", err)
				}
			}
			put(t, b, "a", "new", nil)
			if got := read(t, b, "a"); got != "new" {
				t.Errorf("got %q after a Put", got)
			}
		})
	}
}

// TestLargestSidecar: what storage.Put lets pass can be read back.
func TestLargestSidecar(t *testing.T) {
	b := open(t, t.TempDir())
	odd := strings.Repeat("<", storage.MaxHeaderLength) // six bytes each in JSON
	opts := &storage.PutOptions{ContentType: odd, ContentEncoding: odd, CacheControl: odd, Metadata: map[string]string{"a": odd, "b": odd[:1022]}}
	name := strings.Repeat(strings.Repeat("<", 255)+"/", 3) + strings.Repeat("<", 255)
	put(t, b, name, "content", opts)
	a, err := storage.Stat(t.Context(), b, name)
	if err != nil || a.CacheControl != odd || a.Metadata["b"] != odd[:1022] {
		t.Errorf("got %+v, %v", a, err)
	}
}

// TestLeftSidecarIsNotUsed: a sidecar that a killed process left must not
// become the attributes of a version that has none.
func TestLeftSidecarIsNotUsed(t *testing.T) {
	b := open(t, t.TempDir())
	opts := &storage.PutOptions{ContentType: "text/plain"}
	file, err := b.writeSidecar("a", "5f.0-7", opts)
	if err != nil || file != sidecarPath("a", "5f.0-7") {
		t.Fatalf("got %q, %v", file, err)
	}
	for _, opts := range []*storage.PutOptions{{}, opts} {
		if _, err := b.writeSidecar("a", "5f.0-7", opts); !errors.Is(err, fs.ErrExist) {
			t.Errorf("got %v, want fs.ErrExist, so that another ETag is taken", err)
		}
	}
	if _, err := b.writeSidecar("a", "60.0-7", &storage.PutOptions{}); err != nil {
		t.Error(err)
	}
}
