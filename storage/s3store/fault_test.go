package s3store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/s3store"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// faults are all that can happen to a request.
var faults = map[string]storagetest.Verdict{
	"refused": storagetest.Fail, "lost": storagetest.FailAfter, "half": storagetest.Half,
	"500": http.StatusInternalServerError, "503": http.StatusServiceUnavailable, "429": http.StatusTooManyRequests,
}

// scene is an operation on a bucket with the objects a and b, and the content
// of a, b and c before and after.
type scene struct {
	do    func(ctx context.Context, b storage.Bucket, etag string) error
	after string
}

const before = "a=old b=old"

func scenes() map[string]scene {
	put := func(name string, opts *storage.PutOptions) func(context.Context, storage.Bucket, string) error {
		return func(ctx context.Context, b storage.Bucket, _ string) error {
			_, err := storage.Put(ctx, b, name, strings.NewReader("new"), opts)
			return err
		}
	}
	plain := func(op string) func(context.Context, storage.Bucket, string) error {
		return func(ctx context.Context, b storage.Bucket, _ string) error { return operations[op](ctx, b) }
	}
	return map[string]scene{
		"get":    {plain("get"), before},
		"stat":   {plain("stat"), before},
		"list":   {plain("list"), before},
		"put":    {put("a", nil), "a=new b=old"},
		"create": {put("c", &storage.PutOptions{IfAbsent: true}), "a=old b=old c=new"},
		"replace": {func(ctx context.Context, b storage.Bucket, etag string) error {
			_, err := storage.Replace(ctx, b, "a", etag, strings.NewReader("new"), nil)
			return err
		}, "a=new b=old"},
		"delete":     {plain("delete"), "b=old"},
		"delete-all": {plain("delete-all"), ""},
	}
}

// state is the names and contents of a bucket.
func state(t *testing.T, b storage.Bucket) string {
	t.Helper()
	var s []string
	for a, err := range storage.List(t.Context(), b, "") {
		if err != nil {
			t.Fatal(err)
		}
		content, _, err := storage.ReadAll(t.Context(), b, a.Name, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		s = append(s, a.Name+"="+string(content))
	}
	return strings.Join(s, " ")
}

// TestFaults gives every operation every fault at every request that it makes,
// and then repeats it as a publisher does: nothing is half done, the error may
// pass, and the repeat's answer is right, if need be that its own earlier
// attempt was there first.
func TestFaults(t *testing.T) {
	for op, s := range scenes() {
		for name, verdict := range faults {
			t.Run(op+"/"+name, func(t *testing.T) {
				for n := 1; ; n++ {
					if done := faultAt(t, s, n, verdict); done {
						if n == 1 {
							t.Error("no request failed")
						}
						return
					}
				}
			})
		}
	}
}

// faultAt reports true if there is no request with number n.
func faultAt(t *testing.T, s scene, n int, verdict storagetest.Verdict) bool {
	t.Helper()
	bucket, _, direct, _ := onAltered(t, nil)
	good := s3store.Unchecked(direct, bucket)
	etag := ""
	for _, name := range []string{"b", "a"} {
		a, err := storage.Put(t.Context(), good, name, strings.NewReader("old"), nil)
		if err != nil {
			t.Fatal(err)
		}
		etag = a.ETag
	}
	transport := storagetest.Transport(nil, storagetest.FailAt(n, verdict))
	b := s3store.Unchecked(newClient(*direct.Options().BaseEndpoint, transport), bucket)
	err := s.do(t.Context(), b, etag)
	now := state(t, good)
	if len(transport.Calls()) < n {
		if err != nil || now != s.after {
			t.Errorf("without a fault: got %v, %s, want %s", err, now, s.after)
		}
		return true
	}
	if !storage.Retryable(err) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("request %d: got %v, want one that may pass", n, err)
	}
	took := verdict == storagetest.FailAfter || verdict == storagetest.Half && s.after == "b=old" // DELETE has no body to break
	if want := map[bool]string{true: s.after, false: before}[took]; now != want {
		t.Errorf("request %d: got %s, want %s", n, now, want)
	}
	again := s.do(t.Context(), b, etag)
	if took && s.after != before {
		checkRepeat(t, s, again)
	} else if again != nil {
		t.Errorf("request %d: repeated: %v", n, again)
	}
	if now := state(t, good); now != s.after {
		t.Errorf("request %d: repeated: got %s, want %s", n, now, s.after)
	}
	return false
}

// checkRepeat checks the answer to an operation that had taken effect before.
func checkRepeat(t *testing.T, s scene, err error) {
	t.Helper()
	switch {
	case strings.Contains(s.after, "c=new"): // create
		if !errors.Is(err, fs.ErrExist) {
			t.Errorf("a create that had taken effect: got %v, want fs.ErrExist", err)
		}
	case err != nil && !errors.Is(err, storage.ErrPrecondition): // replace
		t.Errorf("repeated: %v", err)
	}
}

// TestFaultsInNew: set-up that fails anywhere leaves nothing, or what the next
// set-up but one takes away, and what it says may pass.
func TestFaultsInNew(t *testing.T) {
	for name, verdict := range faults {
		for n := 1; n <= 6; n++ {
			bucket, _, direct, _ := onAltered(t, nil)
			transport := storagetest.Transport(nil, storagetest.FailAt(n, verdict))
			_, err := s3store.New(t.Context(), newClient(*direct.Options().BaseEndpoint, transport), bucket, nil)
			// Where the answer is no, half of it says all: 404, 412 and 412.
			said := verdict == storagetest.Half && (n == 2 || n == 4 || n == 5)
			if said && err != nil || !said && !storage.Retryable(err) {
				t.Errorf("%s at %d: got %v, want one that may pass", name, n, err)
			}
			left := everything(t, direct, bucket)
			if len(left) > 1 || len(left) == 1 && (n != 6 || !strings.HasPrefix(left[0], ".gaen/probe/")) {
				t.Errorf("%s at %d: left %q", name, n, left)
			}
			if _, err := s3store.New(t.Context(), direct, bucket, nil); err != nil {
				t.Errorf("%s at %d: the next: %v", name, n, err)
			}
		}
	}
}

// TestBadDay: a publisher that repeats gets everything right in spite of faults
// at random, on several pages and batches.
func TestBadDay(t *testing.T) {
	bucket, _, direct, _ := onAltered(t, nil)
	hook := storagetest.Random(7, 0.3, storagetest.Fail, storagetest.FailAfter, storagetest.Half, 500, 503, storagetest.Trickle)
	b := s3store.Unchecked(newClient(*direct.Options().BaseEndpoint, storagetest.Transport(nil, hook)), bucket)
	insist := func(op func() error) error {
		for range 50 {
			if err := op(); !storage.Retryable(err) {
				return err
			}
		}
		return errors.New("50 tries were not enough")
	}
	var names []string
	for i := range 1100 {
		names = append(names, fmt.Sprintf("%04d", i))
		err := insist(func() error {
			_, err := storage.Put(t.Context(), b, names[i], strings.NewReader(names[i]), &storage.PutOptions{IfAbsent: true})
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
	}
	count := 0
	err := insist(func() error {
		count = 0
		for _, err := range storage.List(t.Context(), b, "") {
			if err != nil {
				return err
			}
			count++
		}
		return nil
	})
	if err != nil || count != len(names) {
		t.Errorf("listed %d, %v, want %d", count, err, len(names))
	}
	for _, name := range names[:50] {
		if err := insist(func() error {
			got, _, err := storage.ReadAll(t.Context(), b, name, 100)
			if err == nil && string(got) != name {
				t.Errorf("%s has %q", name, got)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	}
	if err := insist(func() error { return storage.DeleteAll(t.Context(), b, names) }); err != nil {
		t.Error(err)
	}
	if left := everything(t, direct, bucket); len(left) > 0 {
		t.Errorf("left %d objects", len(left))
	}
}
