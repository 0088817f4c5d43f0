package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/memstore"
)

// step is one operation of a script, on a bucket with the objects a, b, c, d.
type step struct {
	op string
	do func(ctx context.Context, b storage.Bucket) error
}

var steps = []step{
	{OpGet, func(ctx context.Context, b storage.Bucket) error {
		_, _, err := storage.ReadAll(ctx, b, "a", maxRead)
		return err
	}},
	{OpStat, func(ctx context.Context, b storage.Bucket) error { _, err := storage.Stat(ctx, b, "a"); return err }},
	{OpPut, func(ctx context.Context, b storage.Bucket) error { _, err := put(ctx, b, "put", "new"); return err }},
	{OpCreate, func(ctx context.Context, b storage.Bucket) error {
		_, err := create(ctx, b, "create", "new")
		return err
	}},
	{OpReplace, func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.Replace(ctx, b, "a", etagOfA, strings.NewReader("new"), nil)
		return err
	}},
	{OpDelete, func(ctx context.Context, b storage.Bucket) error { return storage.Delete(ctx, b, "b") }},
	{OpDeleteAll, func(ctx context.Context, b storage.Bucket) error {
		return storage.DeleteAll(ctx, b, []string{"c", "d"})
	}},
	{OpList, func(ctx context.Context, b storage.Bucket) error { _, err := list(ctx, b, "a"); return err }},
}

// etagOfA is the memstore's for the content "a", which is the same every time.
var etagOfA = func() string {
	a, err := put(context.Background(), memstore.New(nil), "a", "a")
	if err != nil {
		panic(err)
	}
	return a.ETag
}()

// state is the names and contents of a bucket.
func state(t *testing.T, b storage.Bucket) string {
	t.Helper()
	names, err := list(t.Context(), b, "")
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, name := range names {
		content, _, err := storage.ReadAll(t.Context(), b, name, maxRead)
		if err != nil {
			t.Fatal(err)
		}
		s = append(s, name+"="+string(content))
	}
	return strings.Join(s, " ")
}

func four(t *testing.T) *memstore.Bucket {
	t.Helper()
	b := memstore.New(nil)
	if err := putAll(t.Context(), b, "a", "b", "c", "d"); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVerdicts(t *testing.T) {
	const before = "a=a b=b c=c d=d"
	after := map[string]string{
		OpPut: before + " put=new", OpCreate: "a=a b=b c=c create=new d=d", OpReplace: "a=new b=b c=c d=d",
		OpDelete: "a=a c=c d=d", OpDeleteAll: "a=a b=b",
	}
	half := map[string]string{OpDeleteAll: "a=a b=b d=d"}
	for _, v := range []Verdict{Pass, Fail, FailAfter, Half} {
		for _, s := range steps {
			t.Run(fmt.Sprintf("%d/%s", v, s.op), func(t *testing.T) {
				inner := four(t)
				f := Faulty(inner, FailAt(1, v))
				err := s.do(t.Context(), f)
				if v == Pass && err != nil || v != Pass && !storage.Retryable(err) {
					t.Errorf("got error %v", err)
				}
				want := before
				switch {
				case v == Half && half[s.op] != "":
					want = half[s.op]
				case (v == Pass || v == FailAfter) && after[s.op] != "":
					want = after[s.op]
				}
				if got := state(t, inner); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				if c := f.Calls(); len(c) != 1 || c[0].Op != s.op || c[0].N != 1 {
					t.Errorf("got calls %v", c)
				}
			})
		}
	}
}

func TestHalfBody(t *testing.T) {
	f := Faulty(four(t), FailAt(2, Half))
	if _, err := put(t.Context(), f, "x", "0123456789"); err != nil {
		t.Fatal(err)
	}
	rc, _, err := storage.Get(t.Context(), f, "x")
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	got, err := io.ReadAll(rc)
	if string(got) != "01234" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestHalfPutReads(t *testing.T) {
	f := Faulty(four(t), FailAt(1, Half))
	r := strings.NewReader("content")
	if _, err := storage.Put(t.Context(), f, "x", r, nil); !errors.Is(err, ErrFault) {
		t.Errorf("got %v, want ErrFault", err)
	}
	if r.Len() == len("content") {
		t.Error("nothing was read, so a repeat with the same reader would go unnoticed")
	}
}

func TestFaultyList(t *testing.T) {
	for name, tt := range map[string]struct {
		verdict Verdict
		want    []string
	}{
		"fail":       {Fail, nil},
		"half":       {Half, []string{"a", "b"}},
		"fail after": {FailAfter, []string{"a", "b", "c", "d"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := list(t.Context(), Faulty(four(t), FailAt(1, tt.verdict)), "")
			if !slices.Equal(got, tt.want) || !errors.Is(err, ErrFault) {
				t.Errorf("got %q, %v, want %q and ErrFault", got, err, tt.want)
			}
		})
	}
}

func TestFailFrom(t *testing.T) {
	inner := memstore.New(nil)
	f := Faulty(inner, FailFrom(2, FailAfter))
	var failed []int
	for i := range 4 {
		if err := putAll(t.Context(), f, fmt.Sprint(i+1)); err != nil {
			failed = append(failed, i+1)
		}
	}
	if !slices.Equal(failed, []int{2, 3, 4}) {
		t.Errorf("the calls %v failed, want 2, 3, 4", failed)
	}
	if got := state(t, inner); got != "1=1 2=2" {
		t.Errorf("got %s, want 1 and 2 to have taken effect", got)
	}
}

func TestFailEach(t *testing.T) {
	inner := memstore.New(nil)
	f := Faulty(inner, FailEach(map[int]Verdict{1: Fail, 3: FailAfter}))
	var failed []int
	for i := range 4 {
		if err := putAll(t.Context(), f, fmt.Sprint(i+1)); err != nil {
			failed = append(failed, i+1)
		}
	}
	if got := state(t, inner); !slices.Equal(failed, []int{1, 3}) || got != "2=2 3=3 4=4" {
		t.Errorf("the calls %v failed, want 1 and 3; got %s, want 2, 3 and 4", failed, got)
	}
}

func TestCount(t *testing.T) {
	f := Faulty(Minimal(four(t)), nil)
	for _, s := range steps {
		if err := s.do(t.Context(), f); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Fatal(err)
		}
	}
	// Around a bucket without capabilities, Stat is a Get and DeleteAll two Deletes.
	if got := []int{f.Count(OpGet), f.Count(OpDelete), f.Count(OpStat, OpReplace, OpDeleteAll), f.Count(OpPut, OpCreate)}; !slices.Equal(got, []int{2, 3, 0, 2}) {
		t.Errorf("got %v, want 2 Gets, 3 Deletes, no capabilities, 2 Puts; calls: %v", got, f.Calls())
	}
	for i, c := range f.Calls() {
		if c.N != i+1 {
			t.Errorf("call %d has number %d", i+1, c.N)
		}
	}
}

// TestPausedCall plays a runner that is paused at its Put for an hour while
// another one works.
func TestPausedCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memstore.New(nil)
		paused := Faulty(inner, func(ctx context.Context, c Call) Verdict {
			select {
			case <-time.After(time.Hour):
			case <-ctx.Done():
			}
			return Pass
		})
		done := make(chan error)
		go func() { _, err := create(t.Context(), paused, "a", "late"); done <- err }()
		synctest.Wait()
		if _, err := create(t.Context(), inner, "a", "early"); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err == nil {
			t.Error("both created the object")
		}
		if got := state(t, inner); got != "a=early" {
			t.Errorf("got %s", got)
		}
	})
}

// TestPausedCallIsCancelled shows that a paused call ends with its context.
func TestPausedCallIsCancelled(t *testing.T) {
	f := Faulty(memstore.New(nil), func(ctx context.Context, c Call) Verdict { <-ctx.Done(); return Pass })
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	if err := putAll(ctx, f, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
