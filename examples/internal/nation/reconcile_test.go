package nation

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/examples/internal/orders/orderstest"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/memstore"
)

// files returns all that is published.
func (c *country) files() map[string]string {
	c.w.t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(filepath.Join(c.dir, "www"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[path] = string(text)
		return err
	})
	if err != nil {
		c.w.t.Fatal(err)
	}
	return all
}

// TestReconcile loses and alters what is published: that is said, and nothing is
// changed by saying it, and repaired it is as it was.
func TestReconcile(t *testing.T) {
	w := newWorld(t)
	germany := w.country(de)
	germany.config.API.Layouts = []string{deploy.CWA, deploy.NHS, deploy.Deltaset}
	germany.open()
	germany.submit(3)
	for range 4 {
		w.hour(nil, germany)
	}
	reconcile := func() *Reconciliation {
		t.Helper()
		before, there := orderstest.Contents(t, germany.backend.ledger), germany.files()
		r, err := germany.backend.Reconcile(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(orderstest.Contents(t, germany.backend.ledger), before) || !reflect.DeepEqual(germany.files(), there) {
			t.Error("something is changed")
		}
		return r
	}
	if r := reconcile(); r.Wrong() != "" || len(r.Trees) != 3 {
		for _, d := range r.Trees {
			t.Logf("%+v", *d)
		}
		t.Fatalf("of what nobody touched it says %q", r.Wrong())
	}
	whole := germany.files()
	var lost, altered string
	for _, path := range slices.Sorted(func(yield func(string) bool) {
		for path := range whole {
			if !yield(path) {
				return
			}
		}
	}) {
		switch {
		case strings.Contains(path, "/hour/") && strings.HasPrefix(whole[path], "PK"):
			lost = path
		case strings.Contains(path, "/country/") && strings.HasPrefix(whole[path], "["):
			altered = path
		}
	}
	if err := os.Remove(lost); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(altered, []byte("[]"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := reconcile()
	var differs []string
	for _, d := range r.Trees {
		for _, f := range d.Findings {
			differs = append(differs, filepath.Join(germany.dir, "www", f.Object))
		}
	}
	if slices.Sort(differs); r.Wrong() == "" || !slices.Equal(differs, slices.Sorted(slices.Values([]string{lost, altered}))) {
		t.Errorf("it says %q, and that these differ: %q; want %q and %q", r.Wrong(), differs, lost, altered)
	}
	if _, err := germany.backend.Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := germany.files()
	r = reconcile()
	if r.Wrong() != "" || now[lost] != whole[lost] || now[altered] != whole[altered] {
		t.Errorf("after the repair it says %q; what was lost is as it was: %t, what was altered: %t", r.Wrong(), now[lost] == whole[lost], now[altered] == whole[altered])
	}
}

// TestWhoeverMakesTheCutRemoves what is too old: where the cuts are made by runs that do
// not publish, and all else by runs that find them made, nothing is kept for ever.
func TestWhoeverMakesTheCutRemoves(t *testing.T) {
	w := newWorld(t)
	c := w.country(de)
	c.config.Schedule.AllowGap = true
	tree := memstore.New(nil) // of which nothing need be on a disk
	c.opts.Bucket = func(storage.Bucket) storage.Bucket { return tree }
	c.open()
	c.tick()
	c.submit(3)
	export := func(after time.Duration) {
		t.Helper()
		w.add(after)
		if r, err := c.backend.Export(t.Context()); err != nil || r.Cut == nil {
			t.Fatalf("export: cut %v, %v", r.Cut, err)
		}
	}
	export(20 * time.Hour)
	if r := c.tick(); r.Cut != nil {
		t.Fatal("the tick has made a cut")
	}
	for range 6 { // more than the prune age of 14 days
		export(72 * time.Hour)
	}
	if n := len(c.units()); n != 0 {
		t.Errorf("%d units are kept", n)
	}
}
