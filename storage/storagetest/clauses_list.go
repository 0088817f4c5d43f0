package storagetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gaenkit/gaen/storage"
)

var listClauses = []clause{
	{"list-order", "List must be in ascending byte order of the whole names.", listOrder},
	{"list-each-once", "List must give each object once.", listEachOnce},
	{"list-prefix-is-bytes", "A prefix is any string of bytes, not a folder: hour/1 lists hour/1, hour/10 and hour/1/x; the empty one lists everything.", listPrefixIsBytes},
	{"list-past-one-page", "List must give all objects, however many.", listPastOnePage},
	{"list-lazy", "There must be no request before the sequence is ranged over.", listLazy},
	{"list-ranged-twice", "Ranging again must list again.", listRangedTwice},
	{"list-abandoned", "Leaving the loop early must stop the listing and free what it holds.", listAbandoned},
	{"list-body-may-call", "The body of the loop may call the bucket.", listBodyMayCall},
	{"list-stable-under-insert-and-delete", "Objects that exist from beginning to end must be listed, once, whatever is put or deleted meanwhile.", listStable},
	{"list-read-your-writes", "What was put or deleted must be listed so at once.", listReadYourWrites},
}

// orderNames are where folders, pages and byte order disagree: '-' and '.' come
// before '/', digits after it.
var orderNames = []string{
	"A", "B", "a", "a-", "a-/b", "a-b", "a.b", "a/-", "a/B", "a/b", "a/b-", "a/b-/c", "a/b-c", "a/b/c", "a/b/c/d", "a/b0", "a/é", "a0", "a0/b", "aa",
	"b/c/d", "b0", "z", "~", "é", "日", "🦠",
}

func listOrder(ctx context.Context, b storage.Bucket) error {
	if err := putAll(ctx, b, reversed(orderNames)...); err != nil {
		return err
	}
	if !slices.IsSorted(orderNames) {
		return errors.New("storagetest: orderNames are not in order")
	}
	// By the bucket itself, as storage.List would stop it.
	var got []string
	for a, err := range b.List(ctx, "") {
		if err != nil {
			return err
		}
		got = append(got, a.Name)
	}
	if !slices.Equal(got, orderNames) {
		return fmt.Errorf("got %q, want %q", got, orderNames)
	}
	return nil
}

func reversed(names []string) []string {
	r := slices.Clone(names)
	slices.Reverse(r)
	return r
}

func listEachOnce(ctx context.Context, b storage.Bucket) error {
	if err := putAll(ctx, b, orderNames...); err != nil {
		return err
	}
	if err := putAll(ctx, b, orderNames[:5]...); err != nil {
		return err
	}
	seen := make(map[string]int)
	for a, err := range b.List(ctx, "") {
		if err != nil {
			return err
		}
		seen[a.Name]++
	}
	for _, name := range orderNames {
		if seen[name] != 1 {
			return fmt.Errorf("%q was listed %d times", name, seen[name])
		}
	}
	if len(seen) != len(orderNames) {
		return fmt.Errorf("%d names were listed, want %d", len(seen), len(orderNames))
	}
	return nil
}

func listPrefixIsBytes(ctx context.Context, b storage.Bucket) error {
	names := []string{"hour", "hour/0", "hour/1", "hour/1/x", "hour/10", "hour/1é", "hour/2", "hours", "x/hour/1"}
	if err := putAll(ctx, b, names...); err != nil {
		return err
	}
	for _, prefix := range []string{
		"", "h", "hour", "hour/", "hour/1", "hour/1/", "hour/10", "hour/100", "hour/1\xc3", "hours/", "x/h", "x/hour/1", "y", "our", "hour/1/x/", "hour//",
	} {
		var want []string
		for _, name := range names {
			if strings.HasPrefix(name, prefix) {
				want = append(want, name)
			}
		}
		if err := wantList(ctx, b, prefix, want...); err != nil {
			return err
		}
	}
	return nil
}

func listPastOnePage(ctx context.Context, b storage.Bucket) error {
	names := numbered("page/%04d", manyObjects)
	if err := putAll(ctx, b, append(slices.Clone(names), "after", "zz")...); err != nil {
		return err
	}
	if err := wantList(ctx, b, "page/", names...); err != nil {
		return err
	}
	return wantList(ctx, b, "", slices.Concat([]string{"after"}, names, []string{"zz"})...)
}

// listLazy calls the bucket itself, because storage.List puts List off.
func listLazy(ctx context.Context, b storage.Bucket) error {
	seq := b.List(ctx, "")
	if err := putAll(ctx, b, "a"); err != nil {
		return err
	}
	for a, err := range seq {
		if err == nil && a.Name == "a" {
			return nil
		}
		return fmt.Errorf("got %q, %v", a.Name, err)
	}
	return errors.New("an object put before the sequence was ranged over is not in it")
}

// listRangedTwice calls the bucket itself, because storage.List lists anew.
func listRangedTwice(ctx context.Context, b storage.Bucket) error {
	if err := putAll(ctx, b, "a", "b", "c"); err != nil {
		return err
	}
	seq := b.List(ctx, "")
	for i, want := range []int{1, 3, 2} {
		if i == 2 {
			if err := storage.Delete(ctx, b, "b"); err != nil {
				return err
			}
		}
		n := 0
		for _, err := range seq {
			if err != nil {
				return err
			}
			n++
			if i == 0 {
				break
			}
		}
		if n != want {
			return fmt.Errorf("ranged over for the %d. time: %d objects, want %d", i+1, n, want)
		}
	}
	return nil
}

func listAbandoned(ctx context.Context, b storage.Bucket) error {
	const times = 50
	if err := putAll(ctx, b, numbered("a/%03d", 100)...); err != nil {
		return err
	}
	before := runtime.NumGoroutine()
	for range times {
		for _, err := range b.List(ctx, "") {
			if err != nil {
				return err
			}
			break
		}
	}
	if err := putAll(ctx, b, "b"); err != nil { // nothing is locked
		return err
	}
	for range 100 { // goroutines may take a moment to end
		if runtime.NumGoroutine() < before+times/2 {
			return wantContent(ctx, b, "b", "b")
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("%d goroutines before %d listings that were left, %d after", before, times, runtime.NumGoroutine())
}

func listBodyMayCall(ctx context.Context, b storage.Bucket) error {
	names := numbered("a/%d", 5)
	if err := putAll(ctx, b, names...); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for a, err := range storage.List(ctx, b, "a/") {
		if err != nil {
			return err
		}
		if err := wantContent(ctx, b, a.Name, a.Name); err != nil {
			return err
		}
		if err := putAll(ctx, b, "b/"+a.Name); err != nil {
			return err
		}
		if err := storage.Delete(ctx, b, a.Name); err != nil {
			return err
		}
	}
	return wantList(ctx, b, "", "b/a/0", "b/a/1", "b/a/2", "b/a/3", "b/a/4")
}

func listStable(ctx context.Context, b storage.Bucket) error {
	stable := numbered("s/%04d", 1200) // more than a page
	loose := numbered("s/%04d-", 240)
	if err := putAll(ctx, b, slices.Concat(stable, loose)...); err != nil {
		return err
	}
	if err := listWhileChanging(ctx, b, stable, loose); err != nil {
		return err
	}
	return listWhileRacing(ctx, b, stable[:100], loose[:100])
}

// listWhileChanging deletes, from the body of the loop, objects before and
// after the place where the listing is, puts others, and replaces the stable.
func listWhileChanging(ctx context.Context, b storage.Bucket, stable, loose []string) error {
	var got []string
	n := 0
	for a, err := range storage.List(ctx, b, "s/") {
		if err != nil {
			return err
		}
		got = append(got, a.Name)
		if n++; n%10 != 0 {
			continue
		}
		i, j := n/10%len(loose), n%len(stable)
		err := errors.Join(
			storage.Delete(ctx, b, loose[i]), storage.Delete(ctx, b, loose[len(loose)-1-i]),
			putAll(ctx, b, loose[i]+"new", stable[j]+"new", stable[j], stable[len(stable)-1-j]))
		if err != nil {
			return err
		}
	}
	return wantAllOnce(got, stable)
}

// listWhileRacing does so from other goroutines.
func listWhileRacing(ctx context.Context, b storage.Bucket, stable, loose []string) error {
	var wg sync.WaitGroup
	stop := make(chan struct{})
	errs := make([]error, 2)
	for i, change := range []func(int) error{
		func(n int) error { return putAll(ctx, b, loose[n%len(loose)], stable[n%len(stable)]) },
		func(n int) error { return storage.Delete(ctx, b, loose[(n+7)%len(loose)]) },
	} {
		wg.Go(func() {
			for n := 0; errs[i] == nil; n++ {
				select {
				case <-stop:
					return
				default:
					errs[i] = change(n)
				}
			}
		})
	}
	var err error
	for range 5 {
		var got []string
		if got, err = list(ctx, b, "s/00"); err == nil {
			err = wantAllOnce(got, stable)
		}
		if err != nil {
			break
		}
	}
	close(stop)
	wg.Wait()
	return errors.Join(append(errs, err)...)
}

func wantAllOnce(got, want []string) error {
	times := make(map[string]int)
	for _, name := range got {
		times[name]++
	}
	for _, name := range want {
		if times[name] != 1 {
			return fmt.Errorf("%q, which was there all the time, was listed %d times", name, times[name])
		}
	}
	return nil
}

func listReadYourWrites(ctx context.Context, b storage.Bucket) error {
	if err := wantList(ctx, b, ""); err != nil {
		return err
	}
	for i, name := range []string{"a", "b/c", "b"} {
		if err := putAll(ctx, b, name); err != nil {
			return err
		}
		if err := wantList(ctx, b, "", slices.Sorted(slices.Values([]string{"a", "b/c", "b"}[:i+1]))...); err != nil {
			return err
		}
	}
	for _, name := range []string{"b/c", "a", "b"} {
		if err := storage.Delete(ctx, b, name); err != nil {
			return err
		}
		got, err := list(ctx, b, name)
		if err != nil || slices.Contains(got, name) {
			return fmt.Errorf("List after Delete %q: %q, %v", name, got, err)
		}
	}
	return nil
}
