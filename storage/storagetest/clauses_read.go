package storagetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"

	"github.com/gaenkit/gaen/storage"
)

var readClauses = []clause{
	{"get-missing", "Get and Stat of an object that does not exist must satisfy errors.Is(err, fs.ErrNotExist), also where its name is the beginning of another's.", getMissing},
	{"get-returns-private-bytes", "What Get and Stat return must be the caller's own: changing it must not change the object.", getReturnsPrivateBytes},
	{"get-one-version", "The body must be of the version that the attributes are of, or fail, though the object is replaced or deleted while it is read.", getOneVersion},
	{"get-twice", "Several readers of one object must not disturb each other.", getTwice},
	{"stat", "Stat must return the attributes that Get returns.", statEqualsGet},
	{"empty-object", "An object may be empty.", emptyObject},
	{"large-object", "An object may be larger than any buffer, and comes back as it was.", largeObject},
}

func getMissing(ctx context.Context, b storage.Bucket) error {
	if err := wantAbsent(ctx, b, "a"); err != nil {
		return err
	}
	if err := putAll(ctx, b, "a/b", "cd"); err != nil {
		return err
	}
	for _, name := range []string{"a", "a/b/c", "c", "cd/e"} {
		if err := wantAbsent(ctx, b, name); err != nil {
			return err
		}
	}
	return nil
}

// getReturnsPrivateBytes calls the bucket itself, because the reader that
// storage.Get returns has only Read.
func getReturnsPrivateBytes(ctx context.Context, b storage.Bucket) error {
	opts := &storage.PutOptions{Metadata: map[string]string{"k": "v"}}
	if _, err := storage.Put(ctx, b, "a", strings.NewReader("content"), opts); err != nil {
		return err
	}
	rc, a, err := b.Get(ctx, "a")
	if err != nil {
		return err
	}
	defer rc.Close()
	var k keeper
	if _, err := io.Copy(&k, rc); err != nil {
		return err
	}
	k.scribble()
	scribble(a.Metadata)
	if a, err = storage.Stat(ctx, b, "a"); err != nil {
		return err
	}
	scribble(a.Metadata)
	if a, err = storage.Stat(ctx, b, "a"); err != nil {
		return err
	}
	if a.Metadata["k"] != "v" {
		return fmt.Errorf("the metadata is %v after a caller changed its own", a.Metadata)
	}
	return wantContent(ctx, b, "a", "content")
}

// keeper keeps what it is given and overwrites it later, which a Writer may
// not do, but a caller who was given the bytes may.
type keeper struct{ given [][]byte }

func (k *keeper) Write(p []byte) (int, error) {
	k.given = append(k.given, p)
	return len(p), nil
}

func (k *keeper) scribble() {
	for _, p := range k.given {
		for i := range p {
			p[i] = 'X'
		}
	}
}

func scribble(m map[string]string) {
	for k := range m {
		m[k] = "X"
	}
}

func getOneVersion(ctx context.Context, b storage.Bucket) error {
	changes := map[string]func() error{
		"replaced": func() error { _, err := put(ctx, b, "a", strings.Repeat("n", 100_000)); return err },
		"deleted":  func() error { return storage.Delete(ctx, b, "a") },
	}
	for what, change := range changes {
		old := strings.Repeat("o", 100_000)
		if _, err := put(ctx, b, "a", old); err != nil {
			return err
		}
		got, err := readAround(ctx, b, "a", change)
		if err == nil && got != old {
			return fmt.Errorf("read while it was %s: %s, want the old version or an error", what, brief(got))
		}
	}
	return nil
}

// readAround returns what a reader gets that was opened before the change and
// has read a little.
func readAround(ctx context.Context, b storage.Bucket, name string, change func() error) (string, error) {
	rc, _, err := storage.Get(ctx, b, name)
	if err != nil {
		return "", err
	}
	defer rc.Close()
	head := make([]byte, 10)
	if _, err := io.ReadFull(rc, head); err != nil {
		return "", err
	}
	if err := change(); err != nil {
		return "", err
	}
	rest, err := io.ReadAll(rc)
	return string(head) + string(rest), err
}

func getTwice(ctx context.Context, b storage.Bucket) error {
	if _, err := put(ctx, b, "a", "content"); err != nil {
		return err
	}
	var got [2]strings.Builder
	var readers [2]io.ReadCloser
	for i := range readers {
		rc, _, err := storage.Get(ctx, b, "a")
		if err != nil {
			return err
		}
		defer rc.Close()
		readers[i] = rc
	}
	for range len("content") { // a byte from each in turn
		for i, r := range readers {
			if _, err := io.CopyN(&got[i], r, 1); err != nil {
				return err
			}
		}
	}
	if got[0].String() != "content" || got[1].String() != "content" {
		return fmt.Errorf("two readers got %q and %q", got[0].String(), got[1].String())
	}
	return nil
}

func statEqualsGet(ctx context.Context, b storage.Bucket) error {
	if _, err := storage.Put(ctx, b, "a", strings.NewReader("content"), fullOptions()); err != nil {
		return err
	}
	s, err := storage.Stat(ctx, b, "a")
	if err != nil {
		return err
	}
	rc, g, err := storage.Get(ctx, b, "a")
	if err != nil {
		return err
	}
	rc.Close()
	if err := sameAttributes(s, g); err != nil {
		return fmt.Errorf("Stat against Get: %w", err)
	}
	if !s.Modified.Equal(g.Modified) {
		return fmt.Errorf("Stat: modified %v, Get: %v", s.Modified, g.Modified)
	}
	return nil
}

func emptyObject(ctx context.Context, b storage.Bucket) error {
	a, err := put(ctx, b, "a", "")
	if err != nil {
		return err
	}
	if a.Size != 0 || a.ETag == "" {
		return fmt.Errorf("Put: got size %d, ETag %q", a.Size, a.ETag)
	}
	if err := wantContent(ctx, b, "a", ""); err != nil {
		return err
	}
	return wantList(ctx, b, "", "a")
}

// largeSize is no multiple of anything, and more than S3 takes for the least
// part of a multipart upload.
const largeSize = 11<<20 + 7

func largeObject(ctx context.Context, b storage.Bucket) error {
	want, got := sha256.New(), sha256.New()
	source := io.LimitReader(rand.NewChaCha8([32]byte{1}), largeSize)
	a, err := storage.Put(ctx, b, "a", io.TeeReader(source, want), nil)
	if err != nil {
		return err
	}
	if a.Size != largeSize {
		return fmt.Errorf("Put: got size %d, want %d", a.Size, largeSize)
	}
	rc, _, err := storage.Get(ctx, b, "a")
	if err != nil {
		return err
	}
	defer rc.Close()
	if _, err := io.Copy(got, rc); err != nil {
		return err
	}
	if string(got.Sum(nil)) != string(want.Sum(nil)) {
		return errors.New("the object came back changed")
	}
	return nil
}
