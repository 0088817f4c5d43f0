package distribution_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/cwa"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/memstore"
	"github.com/gaenkit/gaen/storage/storagetest"
)

const tree = "version/v1/diagnosis-keys/country"

func TestUnchangedIsUntouched(t *testing.T) {
	w := newWorld(t, 1)
	w.hours(4)
	w.run()
	p, b := w.publisher(nil, nil)
	r, err := p.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Published)+r.Written+len(r.Indexes)+r.Deleted != 0 {
		t.Errorf("a run with nothing new did something:\n%s", r)
	}
	if got := b.Count(storagetest.OpPut, storagetest.OpCreate, storagetest.OpReplace, storagetest.OpDelete, storagetest.OpDeleteAll, storagetest.OpStat, storagetest.OpGet); got != 0 {
		t.Errorf("%d calls beside the listing: %v", got, b.Calls())
	}
	if got := b.Count(storagetest.OpList); got != 1 {
		t.Errorf("%d listings, want 1", got)
	}
}

// recorder keeps the options of every put.
type recorder struct {
	storage.Bucket
	mu   sync.Mutex
	opts map[string]storage.PutOptions
}

func (r *recorder) Put(ctx context.Context, name string, body io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	r.mu.Lock()
	r.opts[name] = *opts
	r.mu.Unlock()
	return r.Bucket.Put(ctx, name, body, opts)
}

func TestAttributes(t *testing.T) {
	w := newWorld(t, 1)
	rec := &recorder{Bucket: memstore.New(nil), opts: map[string]storage.PutOptions{}}
	w.bucket = rec
	w.opts.PublicRead = true
	w.opts.MaxAge = 10 * time.Minute
	w.hours(1)
	w.run()
	for name, contentType := range map[string]string{
		"version":                            "application/json",
		tree + "/DE/date/2026-03-01/hour":    "application/json",
		tree + "/DE/date/2026-03-01/hour/22": "application/zip",
	} {
		o, ok := rec.opts[name]
		if !ok {
			t.Errorf("%s was not put", name)
			continue
		}
		if o.ContentType != contentType || o.CacheControl != "public,max-age=600" || o.ACL != storage.PublicRead {
			t.Errorf("%s: %+v", name, o)
		}
		content, _, err := storage.ReadAll(t.Context(), w.bucket, name, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		want := sha256Hex(content)
		if a, err := export.Open(bytes.NewReader(content), int64(len(content)), nil); err == nil {
			sum := a.Info().SHA256
			want = hexOf(sum[:])
		}
		if got := o.Metadata["cwa-hash"]; got != want {
			t.Errorf("%s: cwa-hash %s, want %s", name, got, want)
		}
	}
}

// failPuts fails every write of objects whose names hold text.
func failPuts(text string) storagetest.Hook {
	return func(_ context.Context, c storagetest.Call) storagetest.Verdict {
		if (c.Op == storagetest.OpCreate || c.Op == storagetest.OpReplace || c.Op == storagetest.OpPut) && strings.Contains(c.Name, text) {
			return storagetest.Fail
		}
		return storagetest.Pass
	}
}

func TestBudget(t *testing.T) {
	w := newWorld(t, 1)
	w.hours(8)
	w.opts.Budget = 0 // the default: 5

	t.Run("within", func(t *testing.T) {
		c := w.copy()
		p, _ := c.publisher(failPuts("DE/date/2026-03-02/hour/0"), nil)
		r, err := p.Run(t.Context())
		if !errors.Is(err, distribution.ErrIncomplete) || len(r.Failed) != 1 {
			t.Fatalf("one object failed: %v\n%s", err, r)
		}
		if !strings.Contains(r.Failed[0].Error(), "DE/date/2026-03-02/hour/0") {
			t.Errorf("the failure does not name its object: %v", r.Failed[0])
		}
		hours := objects(t, c.bucket)
		if _, ok := hours[tree+"/DE/date/2026-03-02/hour"]; ok {
			t.Error("an index lists hours after the one that failed")
		}
		if got := string(hours[tree+"/EUR/date/2026-03-02/hour"]); got != "[0,1,2,3,4,5]" {
			t.Errorf("the other package's index is %s", got)
		}
		if _, ok := hours[tree+"/DE/date/2026-03-02/hour/3"]; !ok {
			t.Error("what came after the failure was not written")
		}
		c.run()
		c.verify()
	})

	t.Run("over", func(t *testing.T) {
		c := w.copy()
		c.opts.Parallel = 1
		p, b := c.publisher(failPuts("hour"), nil)
		_, err := p.Run(t.Context())
		if !errors.Is(err, distribution.ErrBudget) || errors.Is(err, distribution.ErrIncomplete) {
			t.Fatalf("all objects failed: %v", err)
		}
		failed := 0
		for _, call := range b.Calls() {
			if call.Op == storagetest.OpCreate && strings.Contains(call.Name, "hour") {
				failed++
			}
		}
		if failed != 6 {
			t.Errorf("%d objects failed, want 6: five are allowed to", failed)
		}
	})

	t.Run("none allowed", func(t *testing.T) {
		c := w.copy()
		c.opts.Budget = -1
		p, _ := c.publisher(failPuts("hour/22"), nil)
		if _, err := p.Run(t.Context()); !errors.Is(err, distribution.ErrBudget) {
			t.Fatalf("got %v", err)
		}
	})
}

func TestRetry(t *testing.T) {
	w := newWorld(t, 1)
	w.hours(1)
	w.opts.Tries, w.opts.Pause = 3, time.Millisecond
	var mu sync.Mutex
	failed := map[string]int{}
	p, _ := w.publisher(func(_ context.Context, c storagetest.Call) storagetest.Verdict {
		mu.Lock()
		defer mu.Unlock()
		if failed[c.Op+c.Name]++; failed[c.Op+c.Name] < 3 {
			return storagetest.FailAfter
		}
		return storagetest.Pass
	}, nil)
	if r, err := p.Run(t.Context()); err != nil {
		t.Fatalf("two failures of each object, three tries: %v\n%s", err, r)
	}
	w.verify()
	p, b := w.publisher(nil, nil)
	if _, err := p.Run(t.Context()); err != nil || len(b.Calls()) != 1 {
		t.Errorf("what was written by an attempt whose answer was lost is not known: %v, %v", err, b.Calls())
	}
}

// committed returns a world in which a run committed its plans and could write
// nothing.
func committed(t *testing.T) *world {
	w := newWorld(t, 1)
	w.hours(2)
	p, _ := w.publisher(failPuts(""), nil)
	if _, err := p.Run(t.Context()); !errors.Is(err, distribution.ErrIncomplete) {
		t.Fatal(err)
	}
	return w
}

func (w *world) putArchive(name string, c *export.Content, ring *signing.Ring) {
	w.t.Helper()
	signers, err := ring.ValidAt(w.clock)
	if err != nil {
		w.t.Fatal(err)
	}
	var buf bytes.Buffer
	if _, err := export.Write(&buf, c, signers, nil); err != nil {
		w.t.Fatal(err)
	}
	w.putBytes(name, buf.Bytes())
}

func (w *world) putBytes(name string, content []byte) {
	w.t.Helper()
	if _, err := storage.Put(w.t.Context(), w.bucket, name, bytes.NewReader(content), nil); err != nil {
		w.t.Fatal(err)
	}
}

func TestConflict(t *testing.T) {
	hour := tree + "/DE/date/2026-03-01/hour/22"
	other := &export.Content{Start: epoch, End: epoch.Add(time.Hour), Region: "DE", Keys: someKeys(t, 3)}
	for _, test := range []struct {
		name string
		put  func(w *world)
	}{
		{"another content", func(w *world) { w.putArchive(hour, other, w.ring) }},
		{"another signer", func(w *world) { w.putArchive(hour, other, newRing(t, "999-v1")) }},
		{"no archive", func(w *world) { w.putBytes(hour, []byte("<html>")) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := committed(t)
			test.put(w)
			before := objects(t, w.bucket)[hour]
			w.opts.Parallel = 1
			p, _ := w.publisher(nil, nil)
			r, err := p.Run(t.Context())
			var conflict *distribution.ConflictError
			if !errors.Is(err, distribution.ErrIncomplete) || !errors.As(err, &conflict) || len(r.Conflicts) != 1 {
				t.Fatalf("got %v\n%s", err, r)
			}
			if conflict.Name != hour || len(conflict.Want) != 64 || conflict.Have == "" || conflict.Have == conflict.Want {
				t.Errorf("conflict: %+v", conflict)
			}
			after := objects(t, w.bucket)
			if !bytes.Equal(after[hour], before) {
				t.Error("the archive was overwritten")
			}
			if _, ok := after[tree+"/DE/date/2026-03-01/hour/23"]; ok {
				t.Error("the package went on after its conflict")
			}
			if got := string(after[tree+"/DE/date"]); got != "[]" {
				t.Errorf("the days of the package in conflict are %s", got)
			}
			if got := string(after[tree+"/EUR/date/2026-03-01/hour"]); got != "[22,23]" {
				t.Errorf("the other package's hours are %s", got)
			}
		})
	}
}

// TestConflictMeanwhile has somebody else write an archive between our listing
// and our own attempt.
func TestConflictMeanwhile(t *testing.T) {
	w := newWorld(t, 1)
	w.hours(1)
	hour := tree + "/DE/date/2026-03-01/hour/22"
	p, _ := w.publisher(func(_ context.Context, c storagetest.Call) storagetest.Verdict {
		if c.Op == storagetest.OpCreate && c.Name == hour {
			w.putArchive(hour, &export.Content{Start: epoch, End: epoch.Add(time.Hour), Region: "DE"}, w.ring)
		}
		return storagetest.Pass
	}, nil)
	if r, err := p.Run(t.Context()); !errors.Is(err, distribution.ErrIncomplete) || len(r.Conflicts) != 1 {
		t.Errorf("got %v\n%s", err, r)
	}
}

// TestIndexFails: where a leaf cannot be written, no index that may name it is.
func TestIndexFails(t *testing.T) {
	w := newWorld(t, 1)
	w.hours(3)
	leaf := tree + "/DE/date"
	p, _ := w.publisher(func(_ context.Context, c storagetest.Call) storagetest.Verdict {
		if c.Op == storagetest.OpCreate && c.Name == leaf {
			return storagetest.Fail
		}
		return storagetest.Pass
	}, nil)
	if _, err := p.Run(t.Context()); !errors.Is(err, distribution.ErrIncomplete) {
		t.Fatal(err)
	}
	for _, root := range []string{tree, "version"} {
		if _, ok := objects(t, w.bucket)[root]; ok {
			t.Errorf("%s was written, and %s is missing", root, leaf)
		}
	}
	w.run()
	w.verify()
}

// someKeys returns keys that may be published in the hour that ends at 23:00 of
// the first day.
func someKeys(t *testing.T, n int) []keys.TemporaryExposureKey {
	t.Helper()
	var some []keys.TemporaryExposureKey
	w := newWorld(t, 99)
	for len(some) < n {
		for _, k := range w.upload(de).Keys {
			if k.End().Before(epoch.Add(-24*time.Hour)) && len(some) < n {
				some = append(some, k.TemporaryExposureKey)
			}
		}
	}
	return some
}

func TestAdopt(t *testing.T) {
	w := committed(t)
	reference := w.copy()
	reference.run()
	for name, content := range objects(t, reference.bucket) {
		if _, ok := w.layout.Parse(name); ok {
			w.putBytes(name, content)
		}
	}
	if r := w.run(); r.Written != 0 || len(r.Published) != 6 {
		t.Errorf("archives that were there already were not adopted:\n%s", r)
	}
	if d := difference(objects(t, w.bucket), objects(t, reference.bucket)); d != "" {
		t.Error(d)
	}
}

func TestForeignBucket(t *testing.T) {
	w := newWorld(t, 1)
	w.hours(2)
	w.run()

	t.Run("another ledger", func(t *testing.T) {
		other := newWorld(t, 2)
		other.bucket = copyBucket(t, w.bucket)
		other.hours(3)
		refuses(t, other)
	})
	t.Run("the ledger went back", func(t *testing.T) {
		back := w.copy()
		backup := copyStore(t, back.store, func() time.Time { return back.clock })
		back.hours(2)
		back.run()
		back.store = backup
		refuses(t, back)
		back.clock = back.clock.Add(-time.Hour)
		back.hours(3) // and goes on differently
		refuses(t, back)
	})
	t.Run("what is not of the layout is left alone", func(t *testing.T) {
		c := w.copy()
		c.putBytes("version/v1/diagnosis-keys/country/DE/date/2026-03-01/hour/22.bak", []byte("x"))
		c.putBytes("versions", []byte("y"))
		c.putBytes("other/version", []byte("z"))
		c.clock = c.clock.Add(20 * 24 * time.Hour)
		c.release()
		c.run()
		c.clock = c.clock.Add(2 * time.Hour)
		c.release()
		c.run()
		for name, want := range map[string]string{"versions": "y", "other/version": "z", tree + "/DE/date/2026-03-01/hour/22.bak": "x"} {
			if got := string(objects(t, c.bucket)[name]); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	})
}

// TestKnowsItsLedger: nothing is published from a ledger whose cuts are not those that
// its plans go by, as when some of its tables were restored and others were not.
func TestKnowsItsLedger(t *testing.T) {
	w := newWorld(t, 1)
	w.hours(3)
	w.run()
	registers, err := w.store.Registers(t.Context(), "distribution/cwa/package/")
	if err != nil || len(registers) == 0 {
		t.Fatal(registers, err)
	}
	for name, test := range map[string]struct {
		hours int
		want  error
	}{"gone back": {2, ledger.ErrWentBack}, "of another history": {4, ledger.ErrOtherLedger}} {
		t.Run(name, func(t *testing.T) {
			other := newWorld(t, 2)
			other.hours(test.hours)
			for _, r := range registers {
				if err := other.store.Swap(t.Context(), ledger.NewNonce(), []ledger.Swap{{Name: r.Name, Value: r.Value}}); err != nil {
					t.Fatal(err)
				}
			}
			p, _ := other.publisher(nil, nil)
			if _, err := p.Run(t.Context()); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if n := len(objects(t, other.bucket)); n != 0 {
				t.Errorf("%d objects were written", n)
			}
		})
	}
}

// refuses checks that a run changes nothing and says why.
func refuses(t *testing.T, w *world) {
	t.Helper()
	before := objects(t, w.bucket)
	p, _ := w.publisher(nil, nil)
	if _, err := p.Run(t.Context()); !errors.Is(err, distribution.ErrForeign) {
		t.Errorf("got %v, want ErrForeign", err)
	}
	if d := difference(objects(t, w.bucket), before); d != "" {
		t.Error(d)
	}
}

// rotten is a bucket that lists an object as it was written, and reads something
// else.
type rotten struct {
	storage.Bucket
	name string
	good atomic.Bool // since it was written anew
}

func (b *rotten) Get(ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
	body, a, err := b.Bucket.Get(ctx, name)
	if err != nil || name != b.name || b.good.Load() {
		return body, a, err
	}
	content, err := io.ReadAll(body)
	content[len(content)/2] ^= 1
	return io.NopCloser(bytes.NewReader(content)), a, errors.Join(err, body.Close())
}

func (b *rotten) Put(ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	a, err := b.Bucket.Put(ctx, name, r, opts)
	return a, b.mend(name, err)
}

func (b *rotten) Replace(ctx context.Context, name, etag string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	a, err := b.Bucket.(storage.Replacer).Replace(ctx, name, etag, r, opts)
	return a, b.mend(name, err)
}

func (b *rotten) mend(name string, err error) error {
	if err == nil && name == b.name {
		b.good.Store(true)
	}
	return err
}

// TestDoubt: what a bucket lists as it was written, and is not, is found by those
// who read it, and made again by a repair.
func TestDoubt(t *testing.T) {
	for _, name := range []string{tree + "/DE/date/2026-03-01/hour/22", tree + "/DE/date"} {
		w := newWorld(t, 1)
		w.hours(4)
		w.run()
		want := objects(t, w.bucket)
		sound := w.bucket
		b := &rotten{Bucket: sound, name: name}
		w.bucket = b
		if r := w.run(); r.Written+len(r.Indexes) != 0 || b.good.Load() {
			t.Errorf("%s: a run reads what is listed as it was written:\n%s", name, r)
		}
		p, _ := w.publisher(nil, nil)
		r, err := p.Repair(t.Context())
		if err != nil || !b.good.Load() {
			t.Errorf("%s: %v\n%s", name, err, r)
		}
		if strings.HasSuffix(name, "22") && !slices.Equal(r.Repaired, []string{name}) {
			t.Errorf("%s: repaired %v", name, r.Repaired)
		}
		if d := difference(objects(t, sound), want); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if r := w.run(); r.Written+len(r.Indexes) != 0 {
			t.Errorf("%s: the next run still finds something to do:\n%s", name, r)
		}
	}
}

func TestRepair(t *testing.T) {
	hour := tree + "/DE/date/2026-03-01/hour/22"
	w := newWorld(t, 1)
	w.hours(4)
	w.run()
	want := objects(t, w.bucket)
	index := tree + "/DE/date"

	for _, test := range []struct {
		name   string
		break_ func(w *world)
		fixed  []string
	}{
		{"missing", func(w *world) { w.delete(hour) }, []string{hour}},
		{"damaged", func(w *world) { w.putBytes(hour, []byte("<html>")) }, []string{hour}},
		{"cut off", func(w *world) { w.putBytes(hour, want[hour][:100]) }, []string{hour}},
		{"put again", func(w *world) { w.putBytes(hour, want[hour]) }, nil},
		{"index missing", func(w *world) { w.delete(index) }, nil},
		{"index altered", func(w *world) { w.putBytes(index, []byte(`["2020-01-01"]`)) }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := w.copy()
			c.t = t
			test.break_(c)
			if r := c.run(); !slices.Equal(r.Repaired, test.fixed) {
				t.Errorf("repaired %v, want %v", r.Repaired, test.fixed)
			}
			if d := difference(objects(t, c.bucket), want); d != "" {
				t.Error(d)
			}
			if r := c.run(); r.Written+len(r.Indexes) != 0 {
				t.Errorf("the next run still finds something to do:\n%s", r)
			}
		})
	}

	t.Run("signed, and another content", func(t *testing.T) {
		c := w.copy()
		c.putArchive(hour, &export.Content{Start: epoch, End: epoch.Add(time.Hour), Region: "DE"}, c.ring)
		p, _ := c.publisher(nil, nil)
		r, err := p.Run(t.Context())
		if !errors.Is(err, distribution.ErrIncomplete) || len(r.Conflicts) != 1 {
			t.Errorf("got %v\n%s", err, r)
		}
	})

	t.Run("lost", func(t *testing.T) {
		c := w.copy()
		c.clock = c.clock.Add(13 * 24 * time.Hour) // the oldest keys are pruned, the hour is still served
		c.release()
		c.run()
		if r, err := c.open(nil).Prune(t.Context()); err != nil || r.Removed == 0 {
			t.Fatalf("pruned %+v, %v", r, err)
		}
		whole := objects(t, c.bucket)
		for _, gone := range []func(){
			func() { c.delete(hour) },
			func() { c.putBytes(hour, whole[hour][:100]) },
			func() {
				c.putArchive(hour, &export.Content{Start: epoch, End: epoch.Add(time.Hour), Region: "DE"}, c.ring)
			},
		} {
			gone()
			for range 2 {
				p, _ := c.publisher(nil, nil)
				r, err := p.Run(t.Context())
				if !errors.Is(err, distribution.ErrIncomplete) || !slices.Equal(r.Lost, []string{hour}) {
					t.Errorf("got %v\n%s", err, r)
				}
				if got := string(objects(t, c.bucket)[tree+"/DE/date/2026-03-01/hour"]); got != "[23]" {
					t.Errorf("the index names %s", got)
				}
			}
		}
		c.putBytes(hour, whole[hour]) // from a copy
		if r := c.run(); len(r.Lost) > 0 || len(r.Repaired) > 0 {
			t.Errorf("got\n%s", r)
		}
		if d := difference(objects(t, c.bucket), whole); d != "" {
			t.Error(d)
		}
		if r := c.run(); r.Written+len(r.Indexes) != 0 {
			t.Errorf("the next run still finds something to do:\n%s", r)
		}
	})

	t.Run("lost, and cannot be read", func(t *testing.T) {
		c := w.copy()
		c.clock = c.clock.Add(13 * 24 * time.Hour)
		c.release()
		c.run()
		if _, err := c.open(nil).Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		whole := objects(t, c.bucket)
		c.putBytes(hour, append([]byte{}, whole[hour]...)) // another ETag
		p, _ := c.publisher(func(_ context.Context, call storagetest.Call) storagetest.Verdict {
			if call.Op == storagetest.OpGet && call.Name == hour {
				return storagetest.Fail
			}
			return storagetest.Pass
		}, nil)
		r, err := p.Run(t.Context())
		if !errors.Is(err, distribution.ErrIncomplete) || len(r.Lost) > 0 || len(r.Failed) != 1 {
			t.Errorf("got %v\n%s", err, r)
		}
		if d := difference(objects(t, c.bucket), whole); d != "" {
			t.Errorf("what cannot be read is taken for lost: %s", d)
		}
	})
}

func (w *world) delete(name string) {
	w.t.Helper()
	if err := storage.Delete(w.t.Context(), w.bucket, name); err != nil {
		w.t.Fatal(err)
	}
}

func TestRetention(t *testing.T) {
	w := newWorld(t, 1)
	w.layout = newLayout(t, &cwa.Options{Days: 2, HourDays: 1})
	w.hours(3) // 22, 23 of the first day, 0 of the second
	w.run()
	hour, hours, day := tree+"/DE/date/2026-03-01/hour/22", tree+"/DE/date/2026-03-01/hour", tree+"/DE/date/2026-03-01"
	has := func(name string) bool { _, ok := objects(t, w.bucket)[name]; return ok }
	at := func(moment time.Time) *distribution.Report {
		w.clock = moment.Add(-time.Hour)
		w.release()
		return w.run()
	}

	at(time.Date(2026, 3, 2, 23, 0, 0, 0, time.UTC))
	if !has(hour) || !has(hours) || !has(day) {
		t.Fatal("something is missing before its time")
	}
	at(time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC)) // a day after the day of the hour
	w.run()
	if !has(hour) || !has(hours) {
		t.Error("hours were deleted while indexes that name them may be cached")
	}
	at(time.Date(2026, 3, 3, 1, 0, 0, 0, time.UTC))
	if has(hour) || has(hours) || !has(day) {
		t.Errorf("hour %v, its index %v, day %v; want only the day", has(hour), has(hours), has(day))
	}
	at(time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC))
	if got := string(objects(t, w.bucket)[tree+"/DE/date"]); got != `["2026-03-02","2026-03-03"]` {
		t.Errorf("days: %s", got)
	}
	at(time.Date(2026, 3, 4, 1, 0, 0, 0, time.UTC))
	if has(day) {
		t.Error("the day was not deleted")
	}
	w.verify()
	registers, err := w.store.Registers(t.Context(), "distribution/cwa/plan/DE/")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range registers {
		if strings.Contains(r.Name, "20260301") {
			t.Errorf("register %s is still there", r.Name)
		}
	}
}

// TestRetentionWaitsForIndexes: what an index could not be freed of is not
// deleted, however old.
func TestRetentionWaitsForIndexes(t *testing.T) {
	w := newWorld(t, 1)
	w.layout = newLayout(t, retentionOfADay)
	w.hours(3)
	w.run()
	day := tree + "/DE/date/2026-03-01"
	for range 3 {
		w.clock = w.clock.Add(30 * time.Hour)
		w.release()
		p, _ := w.publisher(func(_ context.Context, c storagetest.Call) storagetest.Verdict {
			if c.Op == storagetest.OpReplace && c.Name == tree+"/DE/date" {
				return storagetest.Fail
			}
			return storagetest.Pass
		}, nil)
		if _, err := p.Run(t.Context()); !errors.Is(err, distribution.ErrIncomplete) {
			t.Fatal(err)
		}
	}
	if _, ok := objects(t, w.bucket)[day]; !ok {
		t.Error("an index still names the day, and it was deleted")
	}
}

// TestRegionChanges: what was planned says what it was planned to say, also if it is
// written, or made again, when the package has another region (invariant 1).
func TestRegionChanges(t *testing.T) {
	hour := func(n int) string { return fmt.Sprintf("%s/DE/date/2026-03-01/hour/%d", tree, n) }
	w := newWorld(t, 1)
	w.hours(2)
	w.run()
	want := objects(t, w.bucket)
	w.hours(1)
	p, _ := w.publisher(failPuts("DE/date/2026-03-02/hour/0"), nil)
	if _, err := p.Run(t.Context()); !errors.Is(err, distribution.ErrIncomplete) {
		t.Fatal(err)
	}
	w.packages[0].Region = "Germany"
	w.delete(hour(22))
	w.hours(1)
	w.run()
	p, _ = w.publisher(nil, nil)
	if r, err := p.Repair(t.Context()); err != nil {
		t.Errorf("%v\n%s", err, r)
	}
	all := objects(t, w.bucket)
	for _, n := range []int{22, 23} {
		if !bytes.Equal(all[hour(n)], want[hour(n)]) {
			t.Errorf("%s differs", hour(n))
		}
	}
	for n, region := range map[int]string{0: "DE", 1: "Germany"} {
		if got := contentOf(t, all[fmt.Sprintf("%s/DE/date/2026-03-02/hour/%d", tree, n)]).Region; got != region {
			t.Errorf("hour %d says %s, want %s", n, got, region)
		}
	}
}

// publishAt makes the cut of that hour and publishes.
func (w *world) publishAt(day, hour int) {
	w.t.Helper()
	w.clock = time.Date(2026, 3, day, hour, 0, 0, 0, time.UTC).Add(-time.Hour)
	w.release()
	w.run()
}

// TestRetentionLonger: what indexes name again, since it is kept for longer now, is
// not deleted before they have ceased to for as long as everything else.
func TestRetentionLonger(t *testing.T) {
	w := newWorld(t, 1)
	long, short := newLayout(t, &cwa.Options{Days: 3, HourDays: 1}), newLayout(t, &cwa.Options{Days: 1, HourDays: 1})
	w.layout = long
	w.hours(3)
	w.run()
	day := tree + "/DE/date/2026-03-01"
	days := func() string { return string(objects(t, w.bucket)[tree+"/DE/date"]) }
	w.layout = short
	w.publishAt(3, 0)
	if got := days(); got != `["2026-03-02"]` {
		t.Fatalf("days: %s", got)
	}
	w.layout = long
	w.run()
	if got := days(); got != `["2026-03-01","2026-03-02"]` {
		t.Fatalf("days: %s", got)
	}
	p, _ := w.publisher(nil, nil)
	if r, err := p.Reconcile(t.Context()); err != nil || r.Retired != 2*2 { // hours of two packages
		t.Errorf("%+v, %v: want the days among those that are looked at", r, err)
	}
	w.publishAt(5, 0)
	if got := days(); got != `["2026-03-02","2026-03-03","2026-03-04"]` {
		t.Errorf("days: %s", got)
	}
	if _, ok := objects(t, w.bucket)[day]; !ok {
		t.Error("the day was deleted while an index that names it may be cached")
	}
	w.publishAt(5, 1)
	if _, ok := objects(t, w.bucket)[day]; ok {
		t.Error("the day was not deleted")
	}
}

// TestRetentionOfPackage: a package that is not published any more leaves nothing when
// its time is over, nor the hours of a day that never came to its end.
func TestRetentionOfPackage(t *testing.T) {
	w := newWorld(t, 1)
	w.layout = newLayout(t, &cwa.Options{Days: 2, HourDays: 1})
	w.hours(4)
	w.run()
	w.packages = w.packages[:1]
	for _, at := range []struct{ day, hour int }{{3, 23}, {5, 0}, {5, 1}} {
		w.publishAt(at.day, at.hour)
		hour := tree + "/EUR/date/2026-03-02/hour/1"
		if _, ok := objects(t, w.bucket)[hour]; !ok && at.day == 3 {
			t.Error("deleted before the day, which could still be published, is past its time")
		}
	}
	for name := range objects(t, w.bucket) {
		if strings.HasPrefix(name, tree+"/EUR/") {
			t.Errorf("%s is still there", name)
		}
	}
	if registers, err := w.store.Registers(t.Context(), "distribution/cwa/plan/EUR/"); err != nil || len(registers) > 0 {
		t.Errorf("%d registers are still there, %v", len(registers), err)
	}
	w.verify()
}

// TestNoCuts: a day whose end no cut has reached is made when one does, even if
// its hours are past their retention by then.
func TestNoCuts(t *testing.T) {
	w := newWorld(t, 1)
	w.layout = newLayout(t, &cwa.Options{Days: 14, HourDays: 1})
	w.hours(1) // of the first day; the cut of midnight is missed
	for range 60 {
		w.clock = w.clock.Add(time.Hour)
		w.run()
	}
	w.release()
	w.run()
	w.verify()
	day := w.have("DE", "day")[time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)]
	if len(day.keys) == 0 {
		t.Error("the day lacks the keys of its hours")
	}
}

func TestRotation(t *testing.T) {
	w := newWorld(t, 1)
	w.ring = newRing(t, "262-v1")
	w.hours(1)
	w.run()
	w.ring = newRing(t, "262-v1", "262-v2") // overlap
	w.hours(1)
	w.run()
	w.verify()
	a, err := export.Open(bytes.NewReader(objects(t, w.bucket)[tree+"/DE/date/2026-03-01/hour/23"]), int64(len(objects(t, w.bucket)[tree+"/DE/date/2026-03-01/hour/23"])), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(a.Signatures()); got != 2 {
		t.Errorf("%d signatures in the overlap, want 2", got)
	}

	// A plan of the old key is carried out after the old key is gone.
	w.hours(1)
	p, _ := w.publisher(failPuts("hour"), nil)
	if _, err := p.Run(t.Context()); !errors.Is(err, distribution.ErrIncomplete) {
		t.Fatal(err)
	}
	old := w.ring
	w.ring = newRing(t, "262-v2")
	w.opts.Trusted = old.PublicKeys()[:1]
	if r := w.run(); len(r.Warnings) == 0 {
		t.Error("nothing is said of the signer that is gone")
	}
	w.ring = old
	w.verify()
}

func TestDeadline(t *testing.T) {
	w := newWorld(t, 1)
	w.hours(2)
	w.opts.Deadline = 50 * time.Millisecond
	p, b := w.publisher(func(ctx context.Context, c storagetest.Call) storagetest.Verdict {
		if c.Op == storagetest.OpCreate {
			<-ctx.Done()
			return storagetest.Fail
		}
		return storagetest.Pass
	}, nil)
	if _, err := p.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "deadline") {
		t.Fatalf("got %v", err)
	}
	if got := len(objects(t, w.bucket)); got != 0 {
		t.Errorf("%d objects were written after the deadline: %v", got, b.Calls())
	}
}

func TestStaging(t *testing.T) {
	w := newWorld(t, 1)
	staging := memstore.New(nil)
	w.opts.Staging = staging
	w.opts.PublicRead = true
	w.hours(2)
	w.run()
	if d := difference(objects(t, staging), objects(t, w.bucket)); d != "" {
		t.Error(d)
	}
}

func TestDue(t *testing.T) {
	w := newWorld(t, 1)
	w.hours(3)
	p, b := w.publisher(nil, nil)
	due, err := p.Due(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if b.Count(storagetest.OpCreate, storagetest.OpReplace, storagetest.OpPut) != 0 {
		t.Error("a dry run wrote something")
	}
	r, err := p.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byName := func(a, b distribution.Planned) int { return strings.Compare(a.Objects[0], b.Objects[0]) }
	slices.SortFunc(due, byName)
	slices.SortFunc(r.Published, byName)
	if len(due) != 8 || len(r.Published) != 8 {
		t.Fatalf("due %d windows, published %d, want 8", len(due), len(r.Published))
	}
	for i := range due {
		d, p := due[i], r.Published[i]
		if !slices.Equal(d.Objects, p.Objects) || d.Keys != p.Keys || d.Revised != p.Revised || d.Window != p.Window {
			t.Errorf("due %+v, published %+v", d, p)
		}
	}
	if due, err = p.Due(t.Context()); err != nil || len(due) != 0 {
		t.Errorf("still due: %v, %v", due, err)
	}
}

func TestBegin(t *testing.T) {
	w := newWorld(t, 1)
	w.hours(2)
	w.packages[0].FromBeginning = false
	w.run()
	if got := w.have("DE", "hour"); len(got) != 0 {
		t.Errorf("a package that begins at the last cut has %d hours", len(got))
	}
	if got := w.have("EUR", "hour"); len(got) != 2 {
		t.Errorf("a package that begins at the first cut has %d hours", len(got))
	}
	w.hours(1)
	w.run()
	if got := w.have("DE", "hour"); len(got) != 1 {
		t.Errorf("after another hour it has %d", len(got))
	}
	w.verify()
}

func TestExpiredPlan(t *testing.T) {
	w := committed(t)
	w.clock = w.clock.Add(40 * 24 * time.Hour)
	w.release()
	r, err := w.open(nil).Prune(t.Context())
	if err != nil || r.Removed == 0 || len(r.Expired) == 0 {
		t.Fatalf("pruned %+v, %v: the package stood still for longer than the prune age", r, err)
	}
	if report := w.run(); len(report.Expired) == 0 {
		t.Errorf("nothing is said of what expired:\n%s", report)
	}
	w.hours(2)
	w.run()
}

// TestExpiredWritten: what was written before a crash, of a plan that nobody came to
// complete before its keys were forgotten, does not stay for good, and is not taken
// for somebody else's.
func TestExpiredWritten(t *testing.T) {
	for _, layout := range []distribution.Layout{newLayout(t, nil), newNHS(t, nil), newDeltas(t, nil)} {
		t.Run(layout.Name(), func(t *testing.T) {
			w := newWorld(t, 1)
			w.british(nil) // which has one package, as all layouts can
			w.layout = layout
			w.hours(3)
			w.opts.Parallel = 1
			archives := 0
			p, _ := w.publisher(func(_ context.Context, c storagetest.Call) storagetest.Verdict {
				if _, file := layout.Parse(c.Name); file && c.Op == storagetest.OpCreate {
					archives++
				}
				return storagetest.Pass
			}, func(_ context.Context, c ledgertest.Call) ledgertest.Verdict {
				if archives > 0 && c.Op == ledgertest.OpSwap {
					return ledgertest.Fail
				}
				return ledgertest.Pass
			})
			if _, err := p.Run(t.Context()); err == nil || archives == 0 {
				t.Fatalf("no crash after an archive: %v", err)
			}
			w.clock = w.clock.Add(40 * 24 * time.Hour)
			w.release()
			if r, err := w.open(nil).Prune(t.Context()); err != nil || r.Removed == 0 {
				t.Fatalf("pruned %+v, %v", r, err)
			}
			if r := w.run(); len(r.Expired) == 0 {
				t.Fatalf("nothing has expired:\n%s", r)
			}
			for range 3 {
				w.hours(2)
				w.run()
			}
			for name := range objects(t, w.bucket) {
				if f, file := layout.Parse(name); file && f.Window.Start.Before(epoch.Add(24*time.Hour)) {
					t.Errorf("%s is still there", name)
				}
			}
		})
	}
}

// TestOutputsAgree: two outputs of one ledger say the same, padding included
// (invariant 8).
func TestOutputsAgree(t *testing.T) {
	w := newWorld(t, 1)
	w.policy.Padding.Echoes = 2
	w.hours(3)
	w.run()
	names := objects(t, w.bucket)

	// A second output of the same ledger, elsewhere.
	w.layout = newLayout(t, &cwa.Options{Path: cwa.Path{Prefix: "second"}})
	w.opts.Output = "second"
	w.run()
	for name, content := range names {
		if !bytes.Equal(objects(t, w.bucket)["second/"+name], content) {
			t.Errorf("second/%s differs", name)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	w := newWorld(t, 1)
	for _, test := range []struct {
		name   string
		change func(w *world)
		want   string
	}{
		{"no packages", func(w *world) { w.packages = nil }, "no packages"},
		{"twice", func(w *world) { w.packages[1].Name = "DE" }, "two packages"},
		{"name", func(w *world) { w.packages[0].Name = "../x" }, "Package.Name"},
		{"selects nothing", func(w *world) { w.packages[0].Select.Origins = keys.Set[keys.Region]{} }, "selects no region"},
		{"selects no source", func(w *world) { w.packages[0].Select.Sources = keys.Set[ledger.Source]{} }, "selects no source"},
		{"no map", func(w *world) { w.packages[0].Map = distribution.PublicationMap{} }, "Map"},
		{"output", func(w *world) { w.opts.Output = "a/b" }, "Options.Output"},
		{"parallel", func(w *world) { w.opts.Parallel = -1 }, "Options.Parallel"},
		{"tries", func(w *world) { w.opts.Tries = -1 }, "Options.Tries"},
		{"pause", func(w *world) { w.opts.Pause = -1 }, "Options.Pause"},
		{"deadline", func(w *world) { w.opts.Deadline = -1 }, "Options.Deadline"},
		{"max age", func(w *world) { w.opts.MaxAge = -1 }, "Options.MaxAge"},
		{"max keys", func(w *world) { w.opts.MaxKeys = 750_001 }, "Options.MaxKeys"},
		{"max bytes", func(w *world) { w.opts.MaxBytes = -1 }, "Options.MaxBytes"},
		{"more a day than a file takes", func(w *world) { w.opts.MaxKeys = 1000 }, "Policy.MaxDay"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := w.copy()
			c.packages = slices.Clone(w.packages)
			test.change(c)
			_, err := distribution.New(c.open(nil), c.bucket, c.layout, c.packages, c.ring, &c.opts)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want it to name %s", err, test.want)
			}
		})
	}
}
