package deploy

import (
	"strings"
	"testing"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/memstore"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// TestOverlay: what is above behaves as a bucket.
func TestOverlay(t *testing.T) {
	storagetest.Test(t, func(t *testing.T) storage.Bucket { return NewOverlay(memstore.New(nil)) }, nil)
}

// TestOverlayReadsBelow, and writes nothing there.
func TestOverlayReadsBelow(t *testing.T) {
	below := memstore.New(nil)
	for _, name := range []string{"a", "b", "d"} {
		put(t, below, name, "below", nil)
	}
	frozen := storagetest.Faulty(below, nil)
	o := NewOverlay(frozen)
	if _, err := storage.Put(t.Context(), o, "a", strings.NewReader("x"), &storage.PutOptions{IfAbsent: true}); err == nil {
		t.Error("what is below was created again")
	}
	put(t, o, "b", "above", nil)
	put(t, o, "c", "above", &storage.PutOptions{IfAbsent: true})
	if err := storage.DeleteAll(t.Context(), o, []string{"a", "d"}); err != nil {
		t.Fatal(err)
	}
	put(t, o, "d", "again", &storage.PutOptions{IfAbsent: true})
	var got strings.Builder
	for a, err := range storage.List(t.Context(), o, "") {
		if err != nil {
			t.Fatal(err)
		}
		content, _, err := storage.ReadAll(t.Context(), o, a.Name, 100)
		got.WriteString(a.Name + "=" + string(content) + " ")
		if err != nil {
			t.Error(err)
		}
	}
	if want := "b=above c=above d=again "; got.String() != want {
		t.Errorf("holds %s, want %s", got.String(), want)
	}
	if _, err := storage.Stat(t.Context(), o, "a"); err == nil {
		t.Error("what was deleted is there")
	}
	if n := frozen.Count(storagetest.OpPut, storagetest.OpCreate, storagetest.OpReplace, storagetest.OpDelete, storagetest.OpDeleteAll); n > 0 {
		t.Errorf("%d calls changed what is below", n)
	}
}

func put(t *testing.T, b storage.Bucket, name, content string, opts *storage.PutOptions) {
	t.Helper()
	if _, err := storage.Put(t.Context(), b, name, strings.NewReader(content), opts); err != nil {
		t.Fatal(err)
	}
}
