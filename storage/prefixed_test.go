package storage_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/memstore"
)

func TestPrefixedRefuses(t *testing.T) {
	for _, prefix := range []string{"", "a", "/", "a//", "../", ".gaen/", strings.Repeat("a/", 600)} {
		if b, err := storage.Prefixed(memstore.New(nil), prefix); !errors.Is(err, storage.ErrInvalidName) || b != nil {
			t.Errorf("Prefixed(%.20q): got %v, want ErrInvalidName", prefix, err)
		}
	}
}

func TestPrefixedStaysBelow(t *testing.T) {
	all := memstore.New(nil)
	for _, name := range []string{"DE", "DE/a", "DE/a/b", "DE-old/a", "DEF/a", "a"} {
		if _, err := storage.Put(t.Context(), all, name, content(name), nil); err != nil {
			t.Fatal(err)
		}
	}
	de, err := storage.Prefixed(all, "DE/")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for a, err := range storage.List(t.Context(), de, "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, a.Name)
	}
	if want := []string{"a", "a/b"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	c, a, err := storage.ReadAll(t.Context(), de, "a/b", 100)
	if string(c) != "DE/a/b" || a.Name != "a/b" || err != nil {
		t.Errorf("got %q, %+v, %v", c, a, err)
	}
	if _, err := storage.Put(t.Context(), de, "../a", content("x"), nil); !errors.Is(err, storage.ErrInvalidName) {
		t.Errorf("got %v, want ErrInvalidName", err)
	}
	// A name that is valid, but not with the prefix.
	if _, err := storage.Put(t.Context(), de, strings.Repeat("ab/", 340)+"abc", content("x"), nil); !errors.Is(err, storage.ErrInvalidName) {
		t.Errorf("got %v, want ErrInvalidName", err)
	}
}
