//go:build unix

package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage"
)

// churnNames are objects above and below each other, so that files become
// folders and folders go again.
var churnNames = []string{"a", "a/b", "a/b/c", "a-b", "d/e/f", "d", "d/e", "g"}

// churn puts, replaces and deletes at random and for ever. It writes a line
// before each operation and one after it: "begin put a 17", "end put a 17".
func churn(ctx context.Context, b *Bucket) error {
	for n := os.Getpid() * 1000; ; n++ {
		name := churnNames[rand.IntN(len(churnNames))]
		op, do := churnStep(ctx, b, name, n)
		fmt.Println("begin", op, name, n)
		// Among several, another may have been faster; alone, the object that
		// was not replaced shows in checkKilled.
		if err := do(); err != nil && !errors.Is(err, storage.ErrPrecondition) {
			return err
		}
		fmt.Println("end", op, name, n)
	}
}

func churnStep(ctx context.Context, b *Bucket, name string, n int) (op string, do func() error) {
	content, opts := churnVersion(n)
	switch rand.IntN(5) {
	case 0, 1:
		return "delete", func() error { return storage.Delete(ctx, b, name) }
	case 2:
		return "put", func() error { // if it can, by Replace
			a, err := storage.Stat(ctx, b, name)
			if errors.Is(err, fs.ErrNotExist) {
				_, err = storage.Put(ctx, b, name, strings.NewReader(content), opts)
				return err
			}
			if err == nil {
				_, err = storage.Replace(ctx, b, name, a.ETag, strings.NewReader(content), opts)
			}
			return err
		}
	default:
		return "put", func() error {
			_, err := storage.Put(ctx, b, name, strings.NewReader(content), opts)
			return err
		}
	}
}

// churnVersion is content and attributes that give each other away: a number
// over and over. Every third version has no attributes.
func churnVersion(n int) (content string, opts *storage.PutOptions) {
	number := fmt.Sprintf("%010d", n)
	if n%3 == 0 {
		return strings.Repeat(number, 500), &storage.PutOptions{}
	}
	return strings.Repeat(number, 500), &storage.PutOptions{Metadata: map[string]string{"number": number}, ACL: storage.ACL(n % 2)}
}

// churned returns the number of the version of the object, 0 if there is none,
// or an error if the object is not one whole version.
func churned(ctx context.Context, b *Bucket, name string) (int, error) {
	content, a, err := storage.ReadAll(ctx, b, name, 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(string(content[:min(len(content), 10)]))
	if err != nil {
		return 0, err
	}
	want, opts := churnVersion(n)
	if string(content) != want || a.Metadata["number"] != opts.Metadata["number"] {
		return 0, fmt.Errorf("%s: version %d is mixed: %d bytes, metadata %v", name, n, len(content), a.Metadata)
	}
	return n, nil
}

// TestKill kills a process that churns, with SIGKILL, at a random moment, time
// and again in the same folder. What it had done is done, what it had not begun
// is not, and what it was doing is done or not. It goes on until enough has been
// done to show something, however busy the machine.
func TestKill(t *testing.T) {
	for mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			b := open(t, dir)
			state := make(map[string]int)
			operations := 0
			for kill := 0; kill < 30 || operations < 100; kill++ {
				c := startChild(t, "churn", dir, mode)
				lines := c.first()
				time.AfterFunc(rand.N(40*time.Millisecond), func() { c.Process.Kill() })
				lines = append(lines, c.rest()...)
				if err := c.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
					t.Fatalf("the child ended by itself: %v", err)
				}
				operations += len(lines) / 2
				checkKilled(t, b, state, lines)
			}
			t.Logf("%d operations", operations)
			checkOrder(t, b, dir)
		})
	}
}

// checkKilled follows the lines from the state before and compares with b.
func checkKilled(t *testing.T, b *Bucket, state map[string]int, lines [][]string) {
	t.Helper()
	unsure, or := "", 0
	for _, l := range lines {
		if len(l) != 4 { // torn by the kill, and then the last
			continue
		}
		op, name := l[1], l[2]
		n, err := strconv.Atoi(l[3])
		if err != nil {
			t.Fatal(err)
		}
		if op == "delete" {
			n = 0
		}
		if l[0] == "begin" {
			unsure, or = name, n
			continue
		}
		state[name], unsure = n, ""
	}
	for _, name := range churnNames {
		got, err := churned(t.Context(), b, name)
		if err != nil {
			t.Fatal(err)
		}
		if got != state[name] && (name != unsure || got != or) {
			t.Fatalf("%s is version %d, want %d; unsure is %q: %d", name, got, state[name], unsure, or)
		}
		state[name] = got
	}
}

// checkOrder returns to order: the listing shows what can be read, New sweeps,
// and when everything is deleted, everything is gone.
func checkOrder(t *testing.T, b *Bucket, dir string) {
	t.Helper()
	var want []string
	for _, name := range slices.Sorted(slices.Values(churnNames)) {
		if n, err := churned(t.Context(), b, name); err != nil {
			t.Fatal(err)
		} else if n > 0 {
			want = append(want, name)
		}
	}
	if got := list(t, b, ""); !slices.Equal(got, want) {
		t.Errorf("listed: %q, want %q", got, want)
	}
	if err := b.sweep(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for _, name := range churnNames {
		put(t, b, name, "last", nil)
	}
	for _, name := range churnNames {
		if err := storage.Delete(t.Context(), b, name); err != nil {
			t.Fatal(err)
		}
	}
	var left []string
	for _, line := range tree(t, dir) {
		if !strings.HasPrefix(line, ".gaen/attrs: ") { // a killed Put's attributes may stay, unread
			left = append(left, line)
		}
	}
	if len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// TestKillSeveral kills one of several processes at work in one folder; the
// others go on, and every object is one whole version at any time.
func TestKillSeveral(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	for range 6 {
		var all []*child
		for range 3 {
			all = append(all, startChild(t, "churn", dir, "exchange"))
		}
		for _, c := range all {
			c.first()
		}
		for _, c := range all {
			for range 20 {
				for _, name := range churnNames {
					if _, err := churned(t.Context(), b, name); err != nil {
						t.Fatal(err)
					}
				}
				for a, err := range storage.List(t.Context(), b, "") {
					if err != nil || !slices.Contains(churnNames, a.Name) {
						t.Fatalf("List: %q, %v", a.Name, err)
					}
				}
			}
			c.Process.Kill()
			c.rest()
			if err := c.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
				t.Fatalf("a child ended by itself: %v", err)
			}
		}
	}
	checkOrder(t, b, dir)
}

const createNames = 200

// createMany creates the same objects as its siblings, and writes what it won.
func createMany(ctx context.Context, b *Bucket) error {
	for i := range createNames {
		name := path.Join("race", strings.Repeat("x/", i%3), strconv.Itoa(i))
		r := strings.NewReader(strconv.Itoa(os.Getpid()))
		_, err := storage.Put(ctx, b, name, r, &storage.PutOptions{IfAbsent: true})
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err == nil {
			fmt.Println(name, os.Getpid())
		}
	}
	return nil
}

func TestProcessesOneWinner(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	err := b.lock.do(t.Context(), func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	var all []*child
	for range 4 {
		all = append(all, startChild(t, "create", dir, "exchange"))
	}
	winner := make(map[string]string)
	for _, c := range all {
		for _, l := range c.rest() {
			if w, ok := winner[l[0]]; ok {
				t.Errorf("%s was created by %s and by %s", l[0], w, l[1])
			}
			winner[l[0]] = l[1]
		}
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	if len(winner) != createNames {
		t.Errorf("%d objects were created, want %d", len(winner), createNames)
	}
	for name, w := range winner {
		if got := read(t, b, name); got != w {
			t.Errorf("%s is by %s, but %s was told to have won", name, got, w)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, tmpDir, "*")); err != nil || len(left) > 0 {
		t.Errorf("left: %q, %v", left, err)
	}
}
