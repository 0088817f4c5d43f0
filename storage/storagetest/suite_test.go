package storagetest

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/memstore"
)

// pause lets another goroutine in between two steps that should be one.
func pause() { time.Sleep(100 * time.Microsecond) }

// brokenBuckets has, for each clause, buckets that break it.
var brokenBuckets = func() map[string]map[string]func() storage.Bucket {
	all := maps.Clone(brokenObjects)
	maps.Copy(all, brokenSets)
	return all
}()

// heldByFunctions are the clauses that the package functions keep, whatever
// the bucket does; there can be no bucket that breaks them.
var heldByFunctions = []string{"context-cancelled", "options-checked"}

func (b *broken) withGood() *broken {
	b.good = memstore.New(nil)
	return b
}

func newBroken(f func() storage.Bucket) storage.Bucket {
	b := f()
	if br, ok := b.(*broken); ok {
		return br.withGood()
	}
	return b
}

func TestEveryClauseCatches(t *testing.T) {
	known := make(map[string]bool)
	for _, c := range clauses() {
		known[c.name] = true
		if len(brokenBuckets[c.name]) == 0 && !slices.Contains(heldByFunctions, c.name) {
			t.Errorf("no broken bucket shows that %q catches anything", c.name)
		}
		for what, make := range brokenBuckets[c.name] {
			t.Run(c.name+"/"+what, func(t *testing.T) {
				err := c.run(t.Context(), newBroken(make))
				if err == nil || errors.Is(err, errNotOffered) {
					t.Errorf("the clause says %v of a bucket that breaks it", err)
				}
			})
		}
	}
	for name := range brokenBuckets {
		if !known[name] {
			t.Errorf("there is no clause %q", name)
		}
	}
}

func TestSuitePassesGoodBuckets(t *testing.T) {
	t.Run("all", func(t *testing.T) {
		Test(t, func(*testing.T) storage.Bucket { return memstore.New(nil) }, nil)
	})
	t.Run("minimal", func(t *testing.T) {
		Test(t, func(*testing.T) storage.Bucket { return Minimal(memstore.New(nil)) }, nil)
	})
	t.Run("faulty without faults", func(t *testing.T) {
		Test(t, func(*testing.T) storage.Bucket { return Faulty(memstore.New(nil), nil) }, nil)
	})
	t.Run("prefixed", func(t *testing.T) {
		Test(t, func(t *testing.T) storage.Bucket { return prefixed(t, memstore.New(nil)) }, &Options{
			Skip: map[string]string{"longest-names": "with the prefix they are longer than the longest"},
		})
	})
}

func prefixed(t *testing.T, b storage.Bucket) storage.Bucket {
	t.Helper()
	p, err := storage.Prefixed(b, "some/prefix/")
	if err != nil {
		t.Fatal(err)
	}
	return p
}
