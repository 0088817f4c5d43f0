package distribution_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage/ledger"
)

func (w *world) reconcile() (*distribution.Reconciliation, error) {
	w.t.Helper()
	trusted, err := signing.NewTrustList(w.ring.PublicKeys()...)
	if err != nil {
		w.t.Fatal(err)
	}
	return distribution.Reconcile(w.t.Context(), w.open(nil), w.bucket, w.layout, w.packages, trusted, &w.opts)
}

func (w *world) reconciled() *distribution.Reconciliation {
	w.t.Helper()
	r, err := w.reconcile()
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// TestReconcile plants what can differ between a tree and its ledger, also what the
// tree alone does not show: hour and day changed alike.
func TestReconcile(t *testing.T) {
	const (
		date  = tree + "/DE/date/2026-03-02"
		hour0 = date + "/hour/0"
	)
	w := newWorld(t, 1)
	w.hours(28)
	w.run()
	if r := w.reconciled(); len(r.Findings) > 0 || r.Windows != 2*(28+2) || r.Objects != r.Windows || r.Due+r.Forgotten+r.Retired > 0 {
		t.Fatalf("as published: %+v", r)
	}
	for _, test := range []struct {
		name  string
		plant func(w *world)
		want  []string // objects and problems
	}{
		{"a key less in hour and day", func(w *world) {
			gone := common(contentOf(t, objects(t, w.bucket)[hour0]).Keys, contentOf(t, objects(t, w.bucket)[date]).Keys)
			for _, name := range []string{hour0, date} {
				c := contentOf(t, objects(t, w.bucket)[name])
				c.Keys = slices.DeleteFunc(c.Keys, func(k keys.TemporaryExposureKey) bool { return k.KeyData == gone })
				w.putArchive(name, c, w.ring)
			}
		}, []string{hour0 + ": published with another content", date + ": published with another content"}},
		{"missing", func(w *world) { w.delete(hour0) }, []string{hour0 + ": the ledger has published it, and it is not there"}},
		{"damaged", func(w *world) { w.putBytes(hour0, []byte("no archive")) }, []string{hour0 + ": not an archive"}},
		{"another signer", func(w *world) {
			w.putArchive(hour0, contentOf(t, objects(t, w.bucket)[hour0]), newRing(t, "999-v1"))
		}, []string{hour0 + ": not signed by a trusted key"}},
		{"an index is missing", func(w *world) { w.delete(date + "/hour") }, []string{date + "/hour: the ledger has written it, and it is not there"}},
		{"an index is altered", func(w *world) { w.putBytes(date+"/hour", []byte("[]")) }, []string{date + "/hour: it does not say what was written"}},
		{"an index is put again", func(w *world) { w.putBytes(date+"/hour", objects(t, w.bucket)[date+"/hour"]) }, nil},
		{"one more", func(w *world) {
			w.putBytes(tree+"/DE/date/2026-03-20", objects(t, w.bucket)[date])
		}, []string{tree + "/DE/date/2026-03-20: the ledger has no record of it"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := w.copy()
			test.plant(b)
			before := objects(t, b.bucket)
			r := b.reconciled()
			if len(r.Findings) != len(test.want) {
				t.Fatalf("finds %v, want %v", r.Findings, test.want)
			}
			for i, f := range r.Findings {
				if !strings.HasPrefix(f.String(), test.want[i]) {
					t.Errorf("finds %s, want %s", f, test.want[i])
				}
			}
			if d := difference(objects(t, b.bucket), before); d != "" {
				t.Errorf("changes the bucket: %s", d)
			}
		})
	}
}

// common returns the key data of a key that is in both lists.
func common(a, b []keys.TemporaryExposureKey) keys.KeyData {
	for _, k := range a {
		if slices.ContainsFunc(b, func(other keys.TemporaryExposureKey) bool { return other.KeyData == k.KeyData }) {
			return k.KeyData
		}
	}
	return keys.KeyData{}
}

// TestReconcileWhatIsNotThere: what is due is no fault, what the ledger has forgotten
// cannot be told, and another ledger is refused.
func TestReconcileWhatIsNotThere(t *testing.T) {
	w := newWorld(t, 1)
	w.hours(5)
	w.run()
	w.hours(3)
	if r := w.reconciled(); len(r.Findings) > 0 || r.Windows == 0 {
		t.Errorf("before a run: %+v", r)
	}
	w.run()
	published := w.bucket
	w.clock = w.clock.Add(15 * 24 * time.Hour)
	w.release()
	w.run()
	if _, err := w.open(nil).Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := w.reconciled(); len(r.Findings) > 0 || r.Forgotten+r.Retired == 0 {
		t.Errorf("after all was forgotten: %+v", r)
	}

	foreign := newWorld(t, 2)
	foreign.bucket = published
	if _, err := foreign.reconcile(); err != nil && !errors.Is(err, ledger.ErrOtherLedger) {
		t.Fatal(err)
	}
	if r, err := foreign.reconcile(); err == nil && len(r.Findings) == 0 {
		t.Error("another ledger's bucket is taken for its own")
	}
	if _, err := distribution.Reconcile(t.Context(), w.open(nil), w.bucket, w.layout, nil, nil, nil); err == nil {
		t.Error("no packages are taken")
	}
}

// TestReconcileDeltas does the same with files that are no archives.
func TestReconcileDeltas(t *testing.T) {
	w := newWorld(t, 1)
	w.layout = newDeltas(t, nil)
	w.hours(6)
	w.run()
	r := w.reconciled()
	if len(r.Findings) > 0 || r.Windows == 0 || r.Objects <= r.Windows {
		t.Fatalf("as published: %+v", r)
	}
	var name string
	for n := range objects(t, w.bucket) {
		if strings.Contains(n, "DE/exposures/4") {
			name = max(name, n)
		}
	}
	w.putBytes(name, nil)
	if r := w.reconciled(); len(r.Findings) != 1 || r.Findings[0].Object != name {
		t.Errorf("an emptied file %s: %v", name, r.Findings)
	}
}

// TestReconcileOpenFile: the file of a window that is in progress is one that was
// written, and the version that was written last.
func TestReconcileOpenFile(t *testing.T) {
	w := newWorld(t, 1)
	w.british(nil)
	w.hours(5)
	w.run()
	before := objects(t, w.bucket)
	if r := w.reconciled(); len(r.Findings) > 0 {
		t.Fatalf("as published: %v", r.Findings)
	}
	w.hours(4)
	w.run()
	var open string
	for name, text := range objects(t, w.bucket) {
		if old, was := before[name]; was && string(old) != string(text) {
			open = name
		}
	}
	if open == "" {
		t.Fatal("no file has been replaced")
	}
	whole := objects(t, w.bucket)[open]
	for _, c := range []struct {
		name string
		put  func(w *world)
		want string // the problem
	}{
		{"put again", func(w *world) { w.putBytes(open, whole) }, ""},
		{"missing", func(w *world) { w.delete(open) }, "the ledger has written it, and it is not there"},
		{"damaged", func(w *world) { w.putBytes(open, whole[:100]) }, "it is not the version that was written last"},
		{"an earlier version", func(w *world) { w.putBytes(open, before[open]) }, "it is not the version that was written last"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := w.copy()
			b.t = t
			c.put(b)
			r := b.reconciled()
			if c.want == "" && len(r.Findings) > 0 || c.want != "" && (len(r.Findings) != 1 || r.Findings[0] != (distribution.Finding{Object: open, Problem: c.want})) {
				t.Errorf("finds %v, want %q of %s", r.Findings, c.want, open)
			}
		})
	}
}
