package deltaset_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution/deltaset"
)

// TestOrder: of a key that is exposed, retracted and exposed again in intervals that
// were missed together, the last of them counts, in either form of files, and comes
// to what the snapshot has.
func TestOrder(t *testing.T) {
	for _, files := range []deltaset.Files{deltaset.ByInterval, deltaset.ByDay} {
		t.Run(string(files), func(t *testing.T) {
			w := newWorld(t, &deltaset.Options{Files: files})
			first := w.upload()
			w.hour()
			c := w.client()
			w.update(c)
			back, gone := first[len(first)/2], first[len(first)/2+1] // keys of some days ago, which are due at once
			w.withdraw(back)
			second := w.upload()
			w.hour()
			w.reinstate(back)
			late := second[len(second)/2]
			w.withdraw(gone, late)
			w.hour()
			u := w.update(c)
			if u.Snapshot || u.Gone != 3 || u.Exposed != w.exposed(2) || u.Files != w.listed(2) || u.To.Newest != w.newest() {
				t.Errorf("%+v, want deltas of %d files with %d exposures and 3 retractions", u, w.listed(2), w.exposed(2))
			}
			have := dataOf(t, c)
			if !have[back.KeyData] || have[gone.KeyData] || have[late.KeyData] {
				t.Errorf("reinstated is there: %t; withdrawn are there: %t, %t", have[back.KeyData], have[gone.KeyData], have[late.KeyData])
			}
			fresh := w.client()
			if w.update(fresh); !maps.Equal(have, dataOf(t, fresh)) {
				t.Error("not what the snapshot has")
			}
			if names := w.deltas(3); !slices.IsSorted(names) {
				t.Errorf("SHA256SUMS is not in order: %q", names)
			}
			w.verify()
		})
	}
}

// deltas returns the names of the files of the newest intervals, in the order of
// SHA256SUMS.
func (w *world) deltas(intervals int64) (names []string) {
	for line := range strings.Lines(string(w.object(tree + "SHA256SUMS"))) {
		_, path, _ := strings.Cut(strings.TrimSpace(line), "  ")
		for n := w.newest() - intervals + 1; n <= w.newest(); n++ {
			end := time.Unix((n+1)*3600, 0).UTC().Format("06010215")
			if folder, name, _ := strings.Cut(path, "/"); folder != "snapshot" && (name == fmt.Sprint(n) || strings.HasPrefix(name, end)) {
				names = append(names, path)
			}
		}
	}
	return names
}

func (w *world) listed(intervals int64) int { return len(w.deltas(intervals)) }

// exposed returns how many keys the files of exposures have.
func (w *world) exposed(intervals int64) (n int) {
	w.t.Helper()
	for _, path := range w.deltas(intervals) {
		if strings.HasPrefix(path, "exposures/") || strings.HasPrefix(path, "active/") {
			n += strings.Count(plainOf(w.t, w.object(tree+path)), "\n")
		}
	}
	return n
}

// TestMissedOverMidnight: who follows by deltas drops what is not relevant, as the
// snapshot does, and retractions alone change nothing else.
func TestMissedOverMidnight(t *testing.T) {
	w := newWorld(t, &deltaset.Options{Days: 5})
	w.upload()
	w.upload()
	w.hour()
	c := w.client()
	before := w.update(c).To.Keys
	w.hour() // midnight
	u, fresh := w.update(c), w.client()
	w.update(fresh)
	if u.Snapshot || u.Gone != 0 || u.To.Keys >= before || !maps.Equal(dataOf(t, c), dataOf(t, fresh)) {
		t.Errorf("%d keys before midnight, then %+v", before, u)
	}
}

// TestSnapshotAltered: a snapshot is a file like others, and its sum is compared
// before anything in it is taken.
func TestSnapshotAltered(t *testing.T) {
	const record = "00000000000000000000000000000001 20513 2953872 144 1 -\n"
	for _, files := range []deltaset.Files{deltaset.ByInterval, deltaset.ByDay} {
		w := newWorld(t, &deltaset.Options{Files: files})
		w.upload()
		w.hour()
		name, altered := fmt.Sprint(tree, "snapshot/", w.newest()), []byte(record)
		if files == deltaset.ByDay {
			name, altered = tree+"snapshot/26030123.gz", compressed(altered)
		}
		good, dir := w.object(name), t.TempDir()
		w.put(name, altered, nil)
		c := w.clientOf(dir, deltaset.FromBucket(w.bucket, tree), nil)
		if _, err := c.Update(t.Context()); !errors.Is(err, deltaset.ErrTryAgain) {
			t.Errorf("%s: got %v, want ErrTryAgain", files, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("%s: left %v, %v", files, left, err)
		}
		w.put(name, good, nil)
		if u := w.update(c); u.Files != 1 || u.To.Keys != len(dataOf(t, c)) {
			t.Errorf("%s: once all is right again: %+v", files, u)
		}
	}
}

func compressed(text []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(text)
	z.Close()
	return b.Bytes()
}

// TestBombsByDay: files that are compressed for good are bounded by what they
// inflate to, too.
func TestBombsByDay(t *testing.T) {
	w := newWorld(t, &deltaset.Options{Files: deltaset.ByDay})
	w.hour()
	dir := t.TempDir()
	w.update(w.clientOf(dir, deltaset.FromBucket(w.bucket, tree), nil))
	w.hour()
	bomb := compressed(make([]byte, 4<<20))
	for name, dir := range map[string]string{"active/26030200-20513.gz": dir, "snapshot/26030200.gz": t.TempDir()} {
		good := w.object(tree + name)
		w.put(tree+name, bomb, nil)
		c := w.clientOf(dir, deltaset.FromBucket(w.bucket, tree), &deltaset.ClientOptions{MaxFile: 1 << 20})
		if _, err := c.Update(t.Context()); !errors.Is(err, deltaset.ErrTooLarge) {
			t.Errorf("%s: got %v, want ErrTooLarge", name, err)
		}
		w.put(tree+name, good, nil)
	}
}

// TestMaxFile bounds indexes as well.
func TestMaxFile(t *testing.T) {
	w := newWorld(t, nil)
	w.hour()
	c := w.clientOf(t.TempDir(), deltaset.FromBucket(w.bucket, tree), &deltaset.ClientOptions{MaxFile: 100})
	if _, err := c.Update(t.Context()); !errors.Is(err, deltaset.ErrTooLarge) || !strings.Contains(err.Error(), "SHA256SUMS") {
		t.Errorf("got %v, want ErrTooLarge of SHA256SUMS", err)
	}
}

// TestStaleAt: a state is stale once its newest interval ended longer ago than
// MaxAge, or three intervals and an hour.
func TestStaleAt(t *testing.T) {
	for _, test := range []struct {
		interval, maxAge, limit time.Duration
	}{
		{time.Hour, 0, 4 * time.Hour},
		{2 * time.Hour, 0, 7 * time.Hour},
		{time.Hour, 10 * time.Minute, 10 * time.Minute},
		{time.Hour, 30 * time.Hour, 30 * time.Hour},
	} {
		w := newWorld(t, &deltaset.Options{Interval: test.interval})
		w.cut(1)
		w.cut(1) // midnight
		w.publish()
		end := w.clock.Truncate(time.Hour)
		c := w.clientOf(t.TempDir(), deltaset.FromBucket(w.bucket, tree), &deltaset.ClientOptions{MaxAge: test.maxAge})
		w.clock = end.Add(test.limit)
		for _, when := range []string{"begun", "read before"} {
			if _, err := c.Update(t.Context()); err != nil {
				t.Errorf("%+v, %s: %v", test, when, err)
			}
		}
		w.clock = w.clock.Add(time.Second)
		if u, err := c.Update(t.Context()); !errors.Is(err, deltaset.ErrStale) || !u.To.End().Equal(end) {
			t.Errorf("%+v, a second later: %+v, %v, want ErrStale", test, u, err)
		}
	}
}

// TestLatestStays: nobody signs latest, so that one that stays what it was, or says 0,
// keeps nobody from what is published.
func TestLatestStays(t *testing.T) {
	w := newWorld(t, nil)
	w.hour()
	c := w.client()
	w.update(c)
	before := w.object(tree + "latest")
	for range 6 {
		w.hour()
	}
	w.put(tree+"latest", before, nil)
	if u := w.update(c); u.To.Newest != w.newest() {
		t.Errorf("it stays %s, and the client at %+v", bytes.TrimSpace(before), u.To)
	}
	w.put(tree+"latest", []byte("0\n"), nil)
	if u := w.update(w.client()); u.To.Newest != w.newest() {
		t.Errorf("it says 0, and who begins is at %+v", u.To)
	}
}

// TestStateOnDisk: the state is written when there is something new and not
// otherwise, for its owner's eyes alone.
func TestStateOnDisk(t *testing.T) {
	w := newWorld(t, nil)
	w.upload()
	w.hour()
	dir := filepath.Join(t.TempDir(), "keys")
	c := w.clientOf(dir, deltaset.FromBucket(w.bucket, tree), nil)
	w.update(c)
	at := func(path string) os.FileInfo {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	first := at(filepath.Join(dir, "state"))
	if folder := at(dir); folder.Mode().Perm()&0o077 != 0 || first.Mode().Perm()&0o077 != 0 {
		t.Errorf("the folder is %s, the state %s", folder.Mode(), first.Mode())
	}
	w.put(tree+"latest", []byte("1\n"), nil) // so that the sums are read
	if w.update(c); !os.SameFile(first, at(filepath.Join(dir, "state"))) {
		t.Error("nothing new, and it was written again")
	}
	w.hour()
	if w.update(c); os.SameFile(first, at(filepath.Join(dir, "state"))) {
		t.Error("an interval more, and it was not replaced")
	}
}

// TestTogether: updates of one client at the same time wait for each other.
func TestTogether(t *testing.T) {
	w := newWorld(t, nil)
	w.upload()
	w.hour()
	c := w.client()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := c.Update(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if state, err := c.State(); err != nil || state.Newest != w.newest() || state.Keys == 0 {
		t.Errorf("%+v, %v", state, err)
	}
}
