package bucketledger_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"crypto/sha256"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/filestore"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/bucketledger"
	"github.com/gaenkit/gaen/storage/memstore"
	"github.com/gaenkit/gaen/storage/storagetest"
)

var replay = &bucketledger.Options{Clock: clockAtNoon}

// history is a bucket with a ledger of 30 segments, and a snapshot at 20 if
// that is wanted.
func history(t *testing.T, snapshot bool) *memstore.Bucket {
	t.Helper()
	b := memstore.New(nil)
	s := open(t, b, replay)
	for i := 2; i <= 30; i++ {
		put(t, s, "r", fmt.Sprint(i))
		if snapshot && i == 20 {
			if err := s.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b
}

func segment(n int) string { return fmt.Sprintf("gaen/log/%020d", n) }
func state(n int) string   { return fmt.Sprintf("gaen/state/%020d", n) }

func content(t *testing.T, b storage.Bucket, name string) []byte {
	t.Helper()
	content, _, err := storage.ReadAll(t.Context(), b, name, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func replace(t *testing.T, b storage.Bucket, name string, content []byte) {
	t.Helper()
	if _, err := storage.Put(t.Context(), b, name, bytes.NewReader(content), nil); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, b storage.Bucket, names ...string) {
	t.Helper()
	if err := storage.DeleteAll(t.Context(), b, names); err != nil {
		t.Fatal(err)
	}
}

// sealed gives content its digest again, as one would who made it up.
func sealed(b []byte) []byte {
	b = b[:len(b)-sha256.Size]
	sum := sha256.Sum256(b)
	return append(bytes.Clone(b), sum[:]...)
}

// TestOpenRefuses spoils a bucket in every way that it may be spoiled, and expects
// one clear error that names the object, before anything is changed.
func TestOpenRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		want  error
		of    string // the object that the error names
		spoil func(t *testing.T, b storage.Bucket)
	}{
		{"somebody else's segment", bucketledger.ErrNotLedger, segment(25), func(t *testing.T, b storage.Bucket) { replace(t, b, segment(25), []byte("hello")) }},
		{"an empty segment", bucketledger.ErrNotLedger, segment(25), func(t *testing.T, b storage.Bucket) { replace(t, b, segment(25), nil) }},
		{"somebody else's snapshot", bucketledger.ErrNotLedger, state(20), func(t *testing.T, b storage.Bucket) { replace(t, b, state(20), []byte(`{"version":1}`)) }},
		{"a later version's segment", bucketledger.ErrNewer, segment(22), func(t *testing.T, b storage.Bucket) {
			c := content(t, b, segment(22))
			c[6] = 2
			replace(t, b, segment(22), sealed(c))
		}},
		{"a later version's snapshot", bucketledger.ErrNewer, state(20), func(t *testing.T, b storage.Bucket) {
			c := content(t, b, state(20))
			c[6] = 99
			replace(t, b, state(20), c)
		}},
		{"half a segment", bucketledger.ErrCorrupt, segment(30), func(t *testing.T, b storage.Bucket) {
			c := content(t, b, segment(30))
			replace(t, b, segment(30), c[:len(c)/2])
		}},
		{"a bit of a segment", bucketledger.ErrCorrupt, segment(30), func(t *testing.T, b storage.Bucket) {
			c := content(t, b, segment(30))
			c[len(c)/2] ^= 1
			replace(t, b, segment(30), c)
		}},
		{"a bit of a snapshot", bucketledger.ErrCorrupt, state(20), func(t *testing.T, b storage.Bucket) {
			c := content(t, b, state(20))
			c[len(c)-40] ^= 1
			replace(t, b, state(20), c)
		}},
		{"a segment in another's place", bucketledger.ErrCorrupt, segment(24), func(t *testing.T, b storage.Bucket) { replace(t, b, segment(24), content(t, b, segment(23))) }},
		{"a segment that is no step", bucketledger.ErrCorrupt, segment(23), func(t *testing.T, b storage.Bucket) {
			c := content(t, b, segment(23))
			c[len(c)-33] = 0x7f
			replace(t, b, segment(23), sealed(c))
		}},
		{"a segment missing in the middle", bucketledger.ErrGap, segment(25), func(t *testing.T, b storage.Bucket) { remove(t, b, segment(25)) }},
		{"the first after the snapshot missing", bucketledger.ErrGap, segment(21), func(t *testing.T, b storage.Bucket) { remove(t, b, segment(21)) }},
		{"the snapshot missing", bucketledger.ErrGap, segment(1), func(t *testing.T, b storage.Bucket) { remove(t, b, state(20)) }},
		{"another ledger's segment", ledger.ErrOtherLedger, segment(30), func(t *testing.T, b storage.Bucket) {
			replace(t, b, segment(30), content(t, history(t, false), segment(30)))
		}},
		{"another ledger's snapshot", ledger.ErrOtherLedger, segment(21), func(t *testing.T, b storage.Bucket) {
			replace(t, b, state(20), content(t, history(t, true), state(20)))
		}},
		{"a segment that follows another", ledger.ErrOtherLedger, segment(26), func(t *testing.T, b storage.Bucket) {
			fork := memstore.New(nil)
			copyBucket(t, fork, b)
			remove(t, fork, segment(25), segment(26), segment(27), segment(28), segment(29), segment(30))
			put(t, open(t, fork, replay), "r", "differently")
			replace(t, b, segment(25), content(t, fork, segment(25)))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := history(t, true)
			tt.spoil(t, b)
			f := storagetest.Faulty(b, nil)
			_, err := bucketledger.Open(t.Context(), f, replay)
			e, ok := errors.AsType[*bucketledger.Error](err)
			if !errors.Is(err, tt.want) || !ok || e.Name != tt.of || !strings.Contains(err.Error(), tt.of) {
				t.Errorf("got %v, want %v of %s", err, tt.want, tt.of)
			}
			if n := f.Count(storagetest.OpCreate, storagetest.OpPut, storagetest.OpDelete, storagetest.OpDeleteAll, storagetest.OpReplace); n != 0 {
				t.Errorf("the bucket was changed: %v", f.Calls())
			}
		})
	}
}

// TestOpenPassesOver what is nobody's business of the ledger.
func TestOpenPassesOver(t *testing.T) {
	b := history(t, true)
	for _, name := range []string{"gaen/log/readme.txt", "gaen/log/00000000000000000031.bak", "gaen/log/31", "gaen/state/x", "gaen/later/1", "gaen/log/00000000000000000000", "mobile/x.json"} {
		replace(t, b, name, []byte("x"))
	}
	replace(t, b, segment(3), []byte("left over")) // the snapshot covers it
	replace(t, b, state(4), []byte("left over"))
	wantRegister(t, open(t, b, replay), "r", "30")
}

func TestOpenReplay(t *testing.T) {
	ordinary := memstore.New(nil)
	open(t, ordinary, nil)
	for _, tt := range []struct {
		b    storage.Bucket
		opts *bucketledger.Options
	}{{history(t, false), nil}, {history(t, true), nil}, {ordinary, replay}} {
		if _, err := bucketledger.Open(t.Context(), tt.b, tt.opts); !errors.Is(err, ledger.ErrReplay) || errors.Is(err, bucketledger.ErrCorrupt) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := bucketledger.Open(t.Context(), memstore.New(nil), &bucketledger.Options{MaxSegments: -1}); err == nil || !strings.Contains(err.Error(), "MaxSegments") {
		t.Errorf("got %v", err)
	}
}

// TestWentBack restores a bucket from a copy under a store that is open: it
// notices before it changes anything, and stays as it was.
func TestWentBack(t *testing.T) {
	for _, tt := range []struct {
		name    string
		want    error
		restore func(t *testing.T, b, other storage.Bucket)
	}{
		{"emptied", ledger.ErrWentBack, func(t *testing.T, b, _ storage.Bucket) {}},
		{"an earlier copy", ledger.ErrWentBack, func(t *testing.T, b, other storage.Bucket) { copyBucket(t, b, other) }},
		{"an earlier copy that went on", ledger.ErrOtherLedger, func(t *testing.T, b, other storage.Bucket) {
			copyBucket(t, b, other)
			s := open(t, b, replay)
			for i := range 40 {
				put(t, s, "r", fmt.Sprint("differently", i))
			}
		}},
		{"one that went on to the same number", ledger.ErrOtherLedger, func(t *testing.T, b, other storage.Bucket) {
			copyBucket(t, b, other)
			s := open(t, b, replay)
			for range 10 {
				put(t, s, "r", "30")
			}
		}},
		{"one that went on and made a snapshot", ledger.ErrOtherLedger, func(t *testing.T, b, other storage.Bucket) {
			copyBucket(t, b, other)
			s := open(t, b, replay)
			for range 10 {
				put(t, s, "r", "30")
			}
			if err := s.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
		}},
		{"one that went far and made a snapshot", ledger.ErrOtherLedger, func(t *testing.T, b, other storage.Bucket) {
			copyBucket(t, b, other)
			s := open(t, b, replay)
			for i := range 100 {
				put(t, s, "r", fmt.Sprint(i))
			}
			if err := s.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
		}},
		{"another ledger", ledger.ErrOtherLedger, func(t *testing.T, b, _ storage.Bucket) { copyBucket(t, b, history(t, false)) }},
		{"another ledger that has gone far", ledger.ErrOtherLedger, func(t *testing.T, b, _ storage.Bucket) {
			other := history(t, false)
			s := open(t, other, replay)
			for i := range 600 {
				put(t, s, "r", fmt.Sprint(i))
			}
			if err := s.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
			copyBucket(t, b, other)
		}},
		{"another ledger's snapshot", ledger.ErrOtherLedger, func(t *testing.T, b, _ storage.Bucket) {
			other := history(t, false)
			s := open(t, other, replay)
			put(t, s, "r", "31")
			if err := s.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
			copyBucket(t, b, other)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := memstore.New(nil)
			first := open(t, b, replay)
			var early storage.Bucket
			for i := 2; i <= 30; i++ {
				put(t, first, "r", fmt.Sprint(i))
				if i == 20 {
					early = memstore.New(nil)
					copyBucket(t, early, b)
				}
			}
			for a := range storage.List(t.Context(), b, "") {
				remove(t, b, a.Name)
			}
			tt.restore(t, b, early)
			before := listing(t, b)
			swap := first.Swap(t.Context(), ledger.NewNonce(), []ledger.Swap{{Name: "new"}})
			_, reading := first.Log(t.Context(), 0)
			for _, err := range []error{swap, reading} {
				if !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			}
			if after := listing(t, b); !slices.Equal(before, after) {
				t.Errorf("the bucket was changed:\n%v\n%v", before, after)
			}
		})
	}
}

func listing(t *testing.T, b storage.Bucket) (all []string) {
	t.Helper()
	for a, err := range storage.List(t.Context(), b, "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a.Name+" "+a.ETag)
	}
	return all
}

// TestRestored: a bucket that was restored whole, with other ETags and times, is
// the same ledger to who has it open.
func TestRestored(t *testing.T) {
	for _, snapshot := range []bool{false, true} {
		b := history(t, false)
		s := open(t, b, replay)
		if snapshot {
			if err := s.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for a := range storage.List(t.Context(), b, "") {
			c := content(t, b, a.Name)
			_, err := storage.Put(t.Context(), b, a.Name, bytes.NewReader(c), &storage.PutOptions{ContentType: "application/x-restored"})
			if err != nil {
				t.Fatal(err)
			}
		}
		put(t, s, "r", "31")
		wantRegister(t, open(t, b, replay), "r", "31")
	}
}

// careless overwrites where it was to create.
type careless struct{ storage.Bucket }

func (c careless) Put(ctx context.Context, name string, r io.Reader, o *storage.PutOptions) (storage.Attributes, error) {
	o.IfAbsent = false
	return c.Bucket.Put(ctx, name, r, o)
}

// honest says that it cannot.
type honest struct{ storage.Bucket }

func (h honest) Put(ctx context.Context, name string, r io.Reader, o *storage.PutOptions) (storage.Attributes, error) {
	if o.IfAbsent {
		return storage.Attributes{}, errors.ErrUnsupported
	}
	return h.Bucket.Put(ctx, name, r, o)
}

func TestNeedsAtomicCreate(t *testing.T) {
	for _, b := range []storage.Bucket{careless{memstore.New(nil)}, honest{memstore.New(nil)}, careless{history(t, true)}} {
		before := listing(t, b)
		if _, err := bucketledger.Open(t.Context(), b, replay); !errors.Is(err, bucketledger.ErrNoCreate) {
			t.Errorf("%T: got %v", b, err)
		}
		if after := listing(t, b); !slices.Equal(before, after) {
			t.Errorf("%T: the bucket was changed: %v", b, after)
		}
	}
}

// silent does not tell when it put an object, until it is asked.
type silent struct{ storage.Bucket }

func (s silent) Put(ctx context.Context, name string, r io.Reader, o *storage.PutOptions) (storage.Attributes, error) {
	a, err := s.Bucket.Put(ctx, name, r, o)
	a.Modified = time.Time{}
	return a, err
}

// TestClock has the bucket's clock go wrong, which is as well the process's.
func TestClock(t *testing.T) {
	off := time.Duration(0)
	b := memstore.New(&memstore.Options{Now: func() time.Time { return time.Now().Add(off) }})
	s := open(t, b, nil)
	for _, tt := range []struct {
		off time.Duration
		ok  bool
	}{{0, true}, {4 * time.Minute, true}, {-4 * time.Minute, true}, {6 * time.Minute, false}, {-6 * time.Minute, false}, {0, true}} {
		off = tt.off
		for _, opener := range []storage.Bucket{b, silent{b}} {
			_, err := bucketledger.Open(t.Context(), opener, nil)
			if errors.Is(err, bucketledger.ErrClock) == tt.ok || (err == nil) != tt.ok {
				t.Errorf("off by %s: opening gives %v", tt.off, err)
			}
		}
		_ = s.Swap(t.Context(), ledger.NewNonce(), []ledger.Swap{{Name: fmt.Sprint("looks ", time.Now().UnixNano())}}) // may be the one that finds out
		before := count(t, b, "gaen/log/")
		err := s.Swap(t.Context(), ledger.NewNonce(), []ledger.Swap{{Name: fmt.Sprint("then ", time.Now().UnixNano())}})
		if errors.Is(err, bucketledger.ErrClock) == tt.ok || (err == nil) != tt.ok {
			t.Errorf("off by %s: a step gives %v", tt.off, err)
		}
		if after := count(t, b, "gaen/log/"); tt.ok != (after > before) {
			t.Errorf("off by %s: %d segments, before %d", tt.off, after, before)
		}
		if _, err := s.Log(t.Context(), 0); err != nil {
			t.Errorf("off by %s: reading gives %v", tt.off, err)
		}
	}
	if n := count(t, b, "gaen/probe/"); n != 0 {
		t.Errorf("%d probes are left", n)
	}
	replayed := memstore.New(&memstore.Options{Now: func() time.Time { return time.Now().Add(time.Hour) }})
	put(t, open(t, replayed, replay), "r", "a replay has a clock of its own")
}

// TestGolden pins the form: what an earlier version wrote must be read by every
// later one.
func TestGolden(t *testing.T) {
	b := memstore.New(nil)
	open(t, b, replay)
	first := content(t, b, segment(1))
	want := []byte("gaenbl\x01L")
	if !bytes.HasPrefix(first, want) || binary.BigEndian.Uint64(first[25:33]) != 1 || first[24] != 1 {
		t.Errorf("the first segment begins with %q", first[:33])
	}
}

// TestProbesOfTheDead: what a process left that died while it opened the ledger is
// taken away by the next, but not what one is about to use.
func TestProbesOfTheDead(t *testing.T) {
	dir := t.TempDir()
	b, err := filestore.New(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for name, age := range map[string]time.Duration{"dead": 2 * time.Hour, "alive": 50 * time.Minute, "ahead": -50 * time.Minute} {
		replace(t, b, "gaen/probe/"+name, []byte("gaen"))
		at := time.Now().Add(-age)
		if err := os.Chtimes(filepath.Join(dir, "gaen", "probe", name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	replace(t, b, "gaen/probes", []byte("x"))
	open(t, b, nil)
	var left []string
	for a, err := range storage.List(t.Context(), b, "gaen/probe") {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, a.Name)
	}
	if want := []string{"gaen/probe/ahead", "gaen/probe/alive", "gaen/probes"}; !slices.Equal(left, want) {
		t.Errorf("left are %q, want %q", left, want)
	}
}
