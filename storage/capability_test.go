package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/memstore"
	"github.com/gaenkit/gaen/storage/storagetest"
)

func TestReplaceNeverUnconditional(t *testing.T) {
	s := &stub{}
	_, err := storage.Replace(t.Context(), s, "a", "etag", content("x"), nil)
	if !errors.Is(err, errors.ErrUnsupported) || s.got != nil {
		t.Errorf("got %v, want errors.ErrUnsupported and no Put", err)
	}
	b := storagetest.Faulty(memstore.New(nil), nil)
	for _, tt := range []struct {
		name, etag string
		opts       *storage.PutOptions
		want       error
	}{
		{"a", "", nil, storage.ErrPrecondition},
		{"a", "etag", &storage.PutOptions{IfAbsent: true}, storage.ErrInvalidOptions},
		{"../a", "etag", nil, storage.ErrInvalidName},
	} {
		if _, err := storage.Replace(t.Context(), b, tt.name, tt.etag, content("x"), tt.opts); !errors.Is(err, tt.want) {
			t.Errorf("Replace(%q, %q, %+v) = %v, want %v", tt.name, tt.etag, tt.opts, err, tt.want)
		}
	}
	if c := b.Calls(); len(c) != 0 {
		t.Errorf("the bucket was called: %v", c)
	}
}

// careless replaces whatever the ETag.
type careless struct{ *memstore.Bucket }

func (c careless) Replace(ctx context.Context, name, _ string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	return c.Put(ctx, name, r, opts)
}

func TestCanReplace(t *testing.T) {
	for _, tt := range []struct {
		name   string
		bucket storage.Bucket
		want   bool
		fails  bool
	}{
		{"can", memstore.New(nil), true, false},
		{"cannot", storagetest.Minimal(memstore.New(nil)), false, false},
		{"says so", careless{memstore.New(nil)}, false, true},
		{"fails", storagetest.Faulty(memstore.New(nil), storagetest.FailAt(1, storagetest.Fail)), false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := storage.CanReplace(t.Context(), tt.bucket, "probe")
			if got != tt.want || (err != nil) != tt.fails {
				t.Errorf("got %v, %v", got, err)
			}
			if _, err := storage.Stat(t.Context(), tt.bucket, "probe"); err == nil && tt.name != "says so" {
				t.Error("the probe put an object")
			}
		})
	}
}

func TestDeleteAllGoesOn(t *testing.T) {
	b := memstore.New(nil)
	names := []string{"a", "b", "c", "d"}
	for _, name := range names {
		if _, err := storage.Put(t.Context(), b, name, content("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	f := storagetest.Faulty(storagetest.Minimal(b), func(_ context.Context, c storagetest.Call) storagetest.Verdict {
		if c.Name == "b" || c.Name == "c" {
			return storagetest.Fail
		}
		return storagetest.Pass
	})
	err := storage.DeleteAll(t.Context(), f, names)
	if want := "storage: delete \"b\": storagetest: fault on purpose\nstorage: delete \"c\": storagetest: fault on purpose"; fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if !storage.Retryable(err) {
		t.Error("not retryable")
	}
	var left []string
	for a, err := range storage.List(t.Context(), b, "") {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, a.Name)
	}
	if !slices.Equal(left, []string{"b", "c"}) {
		t.Errorf("left is %q, want b and c", left)
	}
}

func TestDeleteAllChecksAllNamesFirst(t *testing.T) {
	b := storagetest.Faulty(storagetest.Minimal(memstore.New(nil)), nil)
	err := storage.DeleteAll(t.Context(), b, []string{"a", "b/"})
	if !errors.Is(err, storage.ErrInvalidName) || len(b.Calls()) != 0 {
		t.Errorf("got %v after the calls %v", err, b.Calls())
	}
	if err := storage.DeleteAll(t.Context(), b, nil); err != nil || len(b.Calls()) != 0 {
		t.Errorf("no names: got %v after the calls %v", err, b.Calls())
	}
}

// declining has the methods and cannot do any of it, as wrappers may.
type declining struct{ *stub }

func (declining) DeleteAll(context.Context, []string) error { return errors.ErrUnsupported }
func (declining) Stat(context.Context, string) (storage.Attributes, error) {
	return storage.Attributes{}, fmt.Errorf("wrapped: %w", errors.ErrUnsupported)
}

func TestFallBack(t *testing.T) {
	deleted := 0
	s := &stub{body: content("x"), size: 1}
	a, err := storage.Stat(t.Context(), declining{s}, "a")
	if err != nil || a.ETag != "e" || a.Name != "a" || !s.closed {
		t.Errorf("Stat: got %+v, %v; closed: %v", a, err, s.closed)
	}
	s.before = func() { deleted++ }
	if err := storage.DeleteAll(t.Context(), declining{s}, []string{"a", "b"}); err != nil || deleted != 2 {
		t.Errorf("DeleteAll: %v, %d deletes, want 2", err, deleted)
	}
}
