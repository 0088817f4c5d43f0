package distribution_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/memstore"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// published returns a world that has published some hours of its own uploads.
func published(t *testing.T, seed uint64, ring *signing.Ring) *world {
	t.Helper()
	w := newWorld(t, seed)
	if ring != nil {
		w.ring = ring
	}
	w.release() // an hour without keys, which says nothing of whose it is
	w.hours(5)
	w.run()
	return w
}

// otherRing is a signer of the same name with another key: what two deployments
// have that were made from one configuration.
func otherRing(t *testing.T) *signing.Ring {
	t.Helper()
	key, err := signing.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := signing.NewSigner(newRing(t, "262-v1").PublicKeys()[0].Identity, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := signing.NewRing(signer)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// TestSwappedTrees: two ledgers of the same configuration, whose trees have the
// same names, are given each other's. Neither run changes anything.
func TestSwappedTrees(t *testing.T) {
	for name, ring := range map[string]*signing.Ring{"one signing key": nil, "signing keys of their own": otherRing(t)} {
		t.Run(name, func(t *testing.T) {
			a, b := published(t, 1, nil), published(t, 2, ring)
			a.bucket, b.bucket = b.bucket, a.bucket
			for _, w := range []*world{a, b} {
				w.hours(1)
				refusesCheck(t, w)
				refuses(t, w)
			}
			a.bucket, b.bucket = b.bucket, a.bucket
			for _, w := range []*world{a, b} {
				if p, _ := w.publisher(nil, nil); p.Check(t.Context()) != nil {
					t.Errorf("at home again: %v", p.Check(t.Context()))
				}
				w.run()
				w.verify()
			}
		})
	}
}

func refusesCheck(t *testing.T, w *world) {
	t.Helper()
	p, _ := w.publisher(nil, nil)
	before := fmt.Sprint(w.store.Registers(t.Context(), ""))
	if err := p.Check(t.Context()); !errors.Is(err, distribution.ErrForeign) || !strings.Contains(err.Error(), "country/") {
		t.Errorf("Check: got %v, want ErrForeign and an object", err)
	}
	if after := fmt.Sprint(w.store.Registers(t.Context(), "")); after != before {
		t.Error("Check changed the ledger")
	}
}

// TestCopiedTree: in a tree that was copied to another bucket all ETags differ,
// and it is ours all the same; also if some of it is damaged.
func TestCopiedTree(t *testing.T) {
	w := published(t, 1, nil)
	want := objects(t, w.bucket)
	for name, damage := range map[string]func(i int) bool{
		"whole":     func(int) bool { return false },
		"one of it": func(i int) bool { return i == 0 },
		"most":      func(i int) bool { return i%4 > 0 },
	} {
		c := w.copy()
		c.bucket = memstore.New(nil)
		i := 0
		for _, object := range sortedNames(want) {
			content := want[object]
			if _, archive := c.layout.Parse(object); archive {
				if damage(i) {
					content = []byte("<html>")
				}
				i++
			}
			_, err := storage.Put(t.Context(), c.bucket, object, strings.NewReader(string(content)), nil)
			if err != nil {
				t.Fatal(err)
			}
		}
		if p, _ := c.publisher(nil, nil); p.Check(t.Context()) != nil {
			t.Errorf("%s: %v", name, p.Check(t.Context()))
			continue
		}
		c.run()
		if d := difference(objects(t, c.bucket), want); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// TestStrayArchive: one archive of somebody else's in a tree that was copied does
// not make the others somebody else's.
func TestStrayArchive(t *testing.T) {
	w, other := published(t, 1, nil), published(t, 2, otherRing(t))
	theirs := objects(t, other.bucket)
	c := w.copy()
	c.bucket = memstore.New(nil)
	mine, strays := objects(t, w.bucket), 0
	for _, name := range sortedNames(mine) {
		content := mine[name]
		if _, archive := c.layout.Parse(name); archive && strays == 0 {
			content = theirs[name]
			strays++
		}
		if _, err := storage.Put(t.Context(), c.bucket, name, strings.NewReader(string(content)), nil); err != nil {
			t.Fatal(err)
		}
	}
	if p, _ := c.publisher(nil, nil); p.Check(t.Context()) != nil {
		t.Errorf("got %v", p.Check(t.Context()))
	}
}

// TestStrayAtHome: nor in the tree that this ledger wrote.
func TestStrayAtHome(t *testing.T) {
	w, other := published(t, 1, nil), published(t, 2, otherRing(t))
	for _, name := range sortedNames(objects(t, other.bucket)) {
		if _, archive := w.layout.Parse(name); archive {
			w.putBytes(name, objects(t, other.bucket)[name])
			break
		}
	}
	if p, _ := w.publisher(nil, nil); p.Check(t.Context()) != nil {
		t.Errorf("got %v", p.Check(t.Context()))
	}
}

// TestEmptyTrees: trees without a key differ by who signed them.
func TestEmptyTrees(t *testing.T) {
	a, b := newWorld(t, 1), newWorld(t, 2)
	b.ring = otherRing(t)
	for _, w := range []*world{a, b} {
		w.release()
		w.release()
		w.run()
	}
	a.bucket, b.bucket = b.bucket, a.bucket
	refuses(t, a)
	refuses(t, b)
}

func sortedNames(all map[string][]byte) (names []string) {
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// TestDamagedTree: a bucket in which nothing is an archive any more is written
// again, since it is nobody else's.
func TestDamagedTree(t *testing.T) {
	w := published(t, 1, nil)
	want := objects(t, w.bucket)
	for _, name := range sortedNames(want) {
		if _, archive := w.layout.Parse(name); archive {
			w.putBytes(name, []byte("<html>"))
		}
	}
	w.run()
	if d := difference(objects(t, w.bucket), want); d != "" {
		t.Error(d)
	}
}

// TestCheckFindsFailures: a bucket that cannot be listed, or of which what is
// altered cannot be read, is not one that is all right.
func TestCheckFindsFailures(t *testing.T) {
	w := published(t, 1, nil)
	w.bucket = published(t, 2, nil).bucket
	for _, op := range []string{storagetest.OpList, storagetest.OpGet} {
		hook := storagetest.Only(func(context.Context, storagetest.Call) storagetest.Verdict { return storagetest.Fail }, op)
		p, _ := w.publisher(hook, nil)
		if err := p.Check(t.Context()); !errors.Is(err, storagetest.ErrFault) || errors.Is(err, distribution.ErrForeign) {
			t.Errorf("%s: got %v, want the bucket's error", op, err)
		}
	}
}
