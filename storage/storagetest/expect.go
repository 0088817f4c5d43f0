package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/gaenkit/gaen/storage"
)

// maxRead is the size of the largest object that the suite reads into memory.
const maxRead = 1 << 20

// put stores content without options.
func put(ctx context.Context, b storage.Bucket, name, content string) (storage.Attributes, error) {
	return storage.Put(ctx, b, name, strings.NewReader(content), nil)
}

// putAll stores each name with itself as content, several at a time.
func putAll(ctx context.Context, b storage.Bucket, names ...string) error {
	return each(names, func(name string) error {
		_, err := put(ctx, b, name, name)
		return err
	})
}

// each calls f for each item, at most 16 at a time.
func each[T any](items []T, f func(T) error) error {
	var wg sync.WaitGroup
	limit := make(chan struct{}, 16)
	errs := make([]error, len(items))
	for i, item := range items {
		limit <- struct{}{}
		wg.Go(func() {
			defer func() { <-limit }()
			errs[i] = f(item)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// wantContent returns an error unless the object has this content.
func wantContent(ctx context.Context, b storage.Bucket, name, want string) error {
	got, _, err := storage.ReadAll(ctx, b, name, maxRead)
	if err != nil {
		return err
	}
	if string(got) != want {
		return fmt.Errorf("%q is %s, want %s", name, brief(string(got)), brief(want))
	}
	return nil
}

func brief(s string) string {
	if len(s) > 40 {
		return fmt.Sprintf("%q... (%d bytes)", s[:40], len(s))
	}
	return fmt.Sprintf("%q", s)
}

// wantAbsent returns an error unless there is no such object, by Get and Stat.
func wantAbsent(ctx context.Context, b storage.Bucket, name string) error {
	rc, _, err := storage.Get(ctx, b, name)
	if err == nil {
		rc.Close()
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("Get %q: %v, want fs.ErrNotExist", name, err)
	}
	if _, err := storage.Stat(ctx, b, name); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("Stat %q: %v, want fs.ErrNotExist", name, err)
	}
	return nil
}

// list returns the names with the prefix.
func list(ctx context.Context, b storage.Bucket, prefix string) ([]string, error) {
	var names []string
	for a, err := range storage.List(ctx, b, prefix) {
		if err != nil {
			return names, err
		}
		names = append(names, a.Name)
	}
	return names, nil
}

// wantList returns an error unless the prefix lists exactly these names.
func wantList(ctx context.Context, b storage.Bucket, prefix string, want ...string) error {
	got, err := list(ctx, b, prefix)
	if err != nil {
		return err
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("List %q: got %s, want %s", prefix, briefly(got), briefly(want))
	}
	return nil
}

func briefly(names []string) string {
	if len(names) > 20 {
		return fmt.Sprintf("%q... (%d names)", names[:20], len(names))
	}
	return fmt.Sprintf("%q", names)
}

// wantIs returns an error unless err satisfies errors.Is(err, target).
func wantIs(what string, err, target error) error {
	if errors.Is(err, target) {
		return nil
	}
	return fmt.Errorf("%s: %v, want an error that is %q", what, err, target)
}

// numbered returns n names.
func numbered(format string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf(format, i)
	}
	return names
}

// failingReader yields content and then err.
func failingReader(content string, err error) io.Reader {
	return io.MultiReader(strings.NewReader(content), readerFunc(func([]byte) (int, error) { return 0, err }))
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
