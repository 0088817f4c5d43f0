package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/memstore"
)

// verdicts asks the hook about calls of these operations, numbered from 1.
func verdicts(hook Hook, ops ...string) (all []Verdict) {
	for i, op := range ops {
		all = append(all, hook(context.Background(), Call{N: i + 1, Op: op}))
	}
	return all
}

func TestOnly(t *testing.T) {
	got := verdicts(Only(FailAt(2, FailAfter), OpCreate, OpReplace), OpCreate, OpPut, OpGet, OpReplace, OpCreate)
	if want := []Verdict{Pass, Pass, Pass, FailAfter, Pass}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := verdicts(Only(FailFrom(1, Fail)), OpGet, OpPut); !slices.Equal(got, []Verdict{Pass, Pass}) {
		t.Errorf("no operations are not all: got %v", got)
	}
}

func TestFirst(t *testing.T) {
	second := 0
	count := func(context.Context, Call) Verdict { second++; return Half }
	got := verdicts(First(nil, FailAt(2, Fail), count, FailFrom(1, Stale)), OpGet, OpGet)
	if want := []Verdict{Half, Fail}; !slices.Equal(got, want) || second != 2 {
		t.Errorf("got %v and asked the second hook %d times, want %v and 2", got, second, want)
	}
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		if got := verdicts(Delay(time.Minute, FailAt(1, Fail)), OpGet, OpGet); !slices.Equal(got, []Verdict{Fail, Pass}) {
			t.Errorf("got %v", got)
		}
		if waited := time.Since(begin); waited != 2*time.Minute {
			t.Errorf("waited %v, want 2m", waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		Delay(time.Minute, nil)(ctx, Call{N: 1})
		if waited := time.Since(begin); waited != 2*time.Minute+time.Second {
			t.Errorf("a call whose context ended waited on: %v", waited)
		}
	})
}

func TestRandom(t *testing.T) {
	draw := func(seed uint64, p float64, of ...Verdict) []Verdict {
		return verdicts(Random(seed, p, of...), make([]string, 2000)...)
	}
	count := func(all []Verdict, v Verdict) (n int) {
		for _, got := range all {
			if got == v {
				n++
			}
		}
		return n
	}
	one := draw(1, 0.3, Fail, FailAfter)
	if fail, after := count(one, Fail), count(one, FailAfter); fail < 200 || after < 200 || fail+after > 700 {
		t.Errorf("of 2000 calls %d failed before and %d after, want about 300 each", fail, after)
	}
	if !slices.Equal(one, draw(1, 0.3, Fail, FailAfter)) {
		t.Error("the same seed gave other faults")
	}
	if slices.Equal(one, draw(2, 0.3, Fail, FailAfter)) {
		t.Error("another seed gave the same faults")
	}
	if never, always := count(draw(1, 0, Fail), Fail), count(draw(1, 1, Fail), Fail); never != 0 || always != 2000 {
		t.Errorf("with probability 0 %d failed, with 1 %d", never, always)
	}
	if got := count(draw(1, 1), Pass); got != 2000 {
		t.Errorf("without verdicts %d passed", got)
	}
}

func TestStatusVerdicts(t *testing.T) {
	for _, tt := range []struct {
		status int
		final  bool
	}{{400, false}, {401, true}, {403, true}, {429, false}, {500, false}, {503, false}} {
		for _, s := range steps {
			inner := four(t)
			err := s.do(t.Context(), Faulty(inner, FailAt(1, Verdict(tt.status))))
			if !errors.Is(err, ErrFault) || errors.Is(err, fs.ErrPermission) != tt.final || storage.Retryable(err) == tt.final {
				t.Errorf("%d: %s: got %v, retryable %v", tt.status, s.op, err, storage.Retryable(err))
			}
			if got := state(t, inner); got != "a=a b=b c=c d=d" {
				t.Errorf("%d: %s took effect: %s", tt.status, s.op, got)
			}
		}
	}
}

// TestLies: some verdicts change what a reader sees, and let the rest alone.
func TestLies(t *testing.T) {
	for _, v := range []Verdict{Partial, Stale, Trickle} {
		for _, s := range steps {
			inner, passed := four(t), four(t)
			err := s.do(t.Context(), Faulty(inner, FailAt(1, v)))
			if v == Partial && s.op == OpGet {
				if !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("a part of a body: %v", err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%d: %s: %v", v, s.op, err)
			}
			if err := s.do(t.Context(), passed); err != nil {
				t.Fatal(err)
			}
			if got, want := state(t, inner), state(t, passed); got != want {
				t.Errorf("%d: %s: got %s, want %s", v, s.op, got, want)
			}
		}
	}
}

func TestPartialList(t *testing.T) {
	got, err := list(t.Context(), Faulty(four(t), FailAt(1, Partial)), "")
	if !slices.Equal(got, []string{"a", "b"}) || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestStaleList(t *testing.T) {
	ctx, inner := t.Context(), four(t)
	f := Faulty(inner, Only(FailEach(map[int]Verdict{1: Stale, 4: Stale, 6: Stale}), OpList))
	for i, want := range [][]string{
		nil, {"a", "b", "c", "d"}, {"b"}, // nothing yet; then two prefixes
		{"a", "b", "c", "d"}, {"a", "c", "d"}, {"a", "c", "d"}, // b is deleted
	} {
		prefix := ""
		if i == 2 {
			prefix = "b"
		}
		got, err := list(ctx, f, prefix)
		if !slices.Equal(got, want) || err != nil {
			t.Errorf("listing %d: got %q, %v, want %q", i+1, got, err, want)
		}
		if i == 2 {
			if err := storage.Delete(ctx, f, "b"); err != nil {
				t.Fatal(err)
			}
			for range storage.List(ctx, Faulty(inner, nil), "") {
				break // one that is left is not remembered
			}
		}
	}
}

func TestStaleListIsOfPrefix(t *testing.T) {
	f := Faulty(four(t), FailAt(3, Stale))
	for i, prefix := range []string{"b", "", "b"} {
		got, err := list(t.Context(), f, prefix)
		if err != nil || i == 2 && !slices.Equal(got, []string{"b"}) {
			t.Errorf("listing %d: got %q, %v", i+1, got, err)
		}
	}
}

func TestTrickle(t *testing.T) {
	f := Faulty(memstore.New(nil), Only(FailFrom(1, Trickle), OpGet))
	content := fmt.Sprintf("%0160d", 7)
	if _, err := put(t.Context(), f, "x", content); err != nil {
		t.Fatal(err)
	}
	rc, _, err := storage.Get(t.Context(), f, "x")
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	if n, err := rc.Read(make([]byte, 100)); n != 10 || err != nil {
		t.Errorf("the first read gave %d bytes, %v, want 10", n, err)
	}
	if rest, err := io.ReadAll(rc); string(rest) != content[10:] || err != nil {
		t.Errorf("got %q, %v", rest, err)
	}
}
