package distribution_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/deltaset"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// strip has the bucket hold what it holds, without attributes, as copies of trees that
// somebody made of their bytes alone. It returns the names.
func (w *world) strip() (names []string) {
	w.t.Helper()
	for name, content := range objects(w.t, w.bucket) {
		w.putBytes(name, content)
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// findings returns what the tree is found to differ in from the ledger.
func (w *world) findings() []distribution.Finding {
	w.t.Helper()
	p, _ := w.publisher(nil, nil)
	r, err := p.Reconcile(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return r.Findings
}

// TestAttributesLost: archives that phones would refuse for their attributes alone are
// found, and stored again as they are.
func TestAttributesLost(t *testing.T) {
	for _, test := range []struct {
		name  string
		later time.Duration
	}{
		{"now", 0},
		{"when their keys are forgotten", 13 * 24 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, 1)
			w.british(nil)
			w.hours(6)
			w.run()
			if test.later > 0 {
				w.clock = w.clock.Add(test.later)
				w.release()
				w.run()
				if r, err := w.open(nil).Prune(t.Context()); err != nil || r.Removed == 0 {
					t.Fatalf("pruned %+v, %v", r, err)
				}
			}
			want := objects(t, w.bucket)
			w.strip()
			lost := len(w.inspect(nil).Findings)
			if found := len(w.findings()); test.later == 0 && found != lost-1 { // of the open file, less is asked
				t.Errorf("reconciling finds %d files, want %d", found, lost-1)
			}
			r := w.run()
			if len(r.Repaired) != lost || lost == 0 {
				t.Errorf("repaired %d, want %d", len(r.Repaired), lost)
			}
			w.verify()
			if d := difference(objects(t, w.bucket), want); d != "" {
				t.Error(d)
			}
			if r := w.run(); r.Written > 0 {
				t.Errorf("the next run still finds something to do:\n%s", r)
			}
		})
	}

	t.Run("of a delta set", func(t *testing.T) {
		w := newWorld(t, 1)
		w.layout = newDeltas(t, &deltaset.Options{Gzip: true})
		w.hours(3)
		w.run()
		want := objects(t, w.bucket)
		w.strip()
		if found := len(w.inspect(nil).Findings); found == 0 || len(w.findings()) != found {
			t.Errorf("verifying finds %d files, reconciling %d", found, len(w.findings()))
		}
		w.layout = newDeltas(t, nil) // what is compressed stays so
		w.run()
		w.verify()
		if d := difference(objects(t, w.bucket), want); d != "" {
			t.Error(d)
		}
	})

	t.Run("where ETags are of the content", func(t *testing.T) {
		w := newWorld(t, 1)
		w.british(nil)
		w.hours(6)
		w.run()
		sound := w.bucket
		copied := &bare{Bucket: sound, names: map[string]bool{}}
		for name := range objects(t, sound) {
			copied.names[name] = true
		}
		w.bucket = copied
		if r := w.run(); r.Written > 0 {
			t.Errorf("a run reads what is listed as it was written:\n%s", r)
		}
		p, _ := w.publisher(nil, nil)
		r, err := p.Repair(t.Context())
		if err != nil || len(r.Repaired) != len(objects(t, sound)) {
			t.Errorf("%v\n%s", err, r)
		}
		w.verify()
	})

	t.Run("adopted", func(t *testing.T) {
		p := small(t, true)
		p.adopt(nil)
		want := p.afterwards()
		p.strip()
		lost := len(p.inspect(nil).Findings)
		if r := p.run(); len(r.Repaired) != lost || lost < 2 {
			t.Errorf("repaired %d of %d\n%s", len(r.Repaired), lost, r)
		}
		if d := difference(objects(t, p.bucket), want); d != "" {
			t.Error(d)
		}
		if found := p.findings(); len(found) > 0 {
			t.Errorf("found %v", found)
		}
	})

	t.Run("and cannot be written", func(t *testing.T) {
		w := newWorld(t, 1)
		w.british(nil)
		w.hours(6)
		w.run()
		lost := w.strip()
		p, _ := w.publisher(func(_ context.Context, call storagetest.Call) storagetest.Verdict {
			if call.Op == storagetest.OpReplace && strings.Contains(call.Name, "two-hourly") {
				return storagetest.Fail
			}
			return storagetest.Pass
		}, nil)
		r, err := p.Run(t.Context())
		if !errors.Is(err, distribution.ErrIncomplete) || len(r.Failed) == 0 || len(r.Failed) >= len(lost) {
			t.Errorf("%v\n%s", err, r)
		}
		w.run()
		w.verify()
	})
}

// bare gives objects without their metadata, by the ETag that they had with it, until
// they are put again: as S3 has it, whose ETags are of contents alone.
type bare struct {
	storage.Bucket
	mu    sync.Mutex
	names map[string]bool
}

func (b *bare) Get(ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
	body, a, err := b.Bucket.Get(ctx, name)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.names[name] {
		a.Metadata = nil
	}
	return body, a, err
}

func (b *bare) Replace(ctx context.Context, name, etag string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	a, err := b.Bucket.(storage.Replacer).Replace(ctx, name, etag, r, opts)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.names[name] = b.names[name] && err != nil
	return a, err
}
