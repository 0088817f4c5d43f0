package distribution_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
)

// TestTree reads a tree file by file, and finds in it what was planned; what no phone
// would read is told from what a bucket refuses.
func TestTree(t *testing.T) {
	const hour0 = tree + "/DE/date/2026-03-02/hour/0"
	w := newWorld(t, 1)
	w.hours(28)
	w.run()
	trusted, err := signing.NewTrustList(w.ring.PublicKeys()...)
	if err != nil {
		t.Fatal(err)
	}
	open := func(b storage.Bucket) *distribution.Tree {
		t.Helper()
		tr, err := distribution.OpenTree(t.Context(), b, w.layout, trusted, nil)
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	verified := w.verify()
	tr := open(w.bucket)
	keys, revised, size, base := 0, 0, int64(0), 0
	for _, f := range tr.Files() {
		c, a, err := tr.Read(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		size += a.Size
		if tr.Base(f) {
			base++
			keys += len(c.Keys)
			revised += len(c.RevisedKeys)
		}
		if want := f.Window; !c.Start.Equal(want.Start) || !c.End.Equal(want.End) || tr.Span(f).Name != f.Span {
			t.Errorf("%+v says %s to %s", f, c.Start, c.End)
		}
	}
	if len(tr.Files()) != verified.Archives || keys != verified.Keys || revised != verified.Revised || size != verified.Bytes || base == 0 || base == len(tr.Files()) {
		t.Errorf("%d files with %d keys, %d revised, %d bytes; verified are %+v", len(tr.Files()), keys, revised, size, verified)
	}
	if len(tr.Findings()) > 0 {
		t.Errorf("finds %v", tr.Findings())
	}

	i := slices.IndexFunc(tr.Files(), func(f distribution.File) bool { return w.layout.Object(f) == hour0 })
	damaged := w.copy()
	damaged.putBytes(hour0, []byte("no archive"))
	if _, _, err := open(damaged.bucket).Read(t.Context(), tr.Files()[i]); !errors.Is(err, distribution.ErrUnreadable) {
		t.Errorf("damaged: %v", err)
	}
	damaged.delete(hour0)
	if _, _, err := open(damaged.bucket).Read(t.Context(), tr.Files()[i]); !errors.Is(err, distribution.ErrUnreadable) {
		t.Errorf("missing: %v", err)
	}
	damaged.delete(tree + "/DE/date/2026-03-02/hour")
	damaged.putBytes(tree+"/DE/date", []byte("no list"))
	if found := open(damaged.bucket).Findings(); len(found) == 0 {
		t.Error("says nothing of a damaged index")
	}
}
