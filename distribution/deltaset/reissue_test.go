package deltaset_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution/deltaset"
)

// reissue replaces text in a SHA256SUMS and signs it again, as only its publisher
// can.
func (w *world) reissue(name, old, with string) {
	w.t.Helper()
	w.edit(name, old, with)
	w.sign(name)
}

func (w *world) sign(name string) {
	w.t.Helper()
	digest := sha256.Sum256(w.object(name))
	signature, err := signers["262-v1"].SignDigest(digest[:])
	if err != nil {
		w.t.Fatal(err)
	}
	w.put(name+".sig", signature, nil)
}

// line returns the line of a file in the SHA256SUMS at the top.
func (w *world) line(path string) string {
	w.t.Helper()
	for line := range strings.Lines(string(w.object(tree + "SHA256SUMS"))) {
		if strings.HasSuffix(line, "  "+path+"\n") {
			return line
		}
	}
	w.t.Fatalf("%s is not listed", path)
	return ""
}

// TestReissued: a signature makes sums no good that are not those of this tree, or
// do not lead to the newest interval. The state stays as it was.
func TestReissued(t *testing.T) {
	const sums = tree + "SHA256SUMS"
	for _, test := range []struct {
		name  string
		alter func(w *world)
		want  error
	}{
		{"another package", func(w *world) { w.reissue(sums, "# package: DE", "# package: FR") }, deltaset.ErrOther},
		{"another ledger", func(w *world) {
			w.reissue(sums, w.ledger.Identity().String(), strings.Repeat("5d", 16))
		}, deltaset.ErrOther},
		{"another interval", func(w *world) { w.reissue(sums, "# interval: 3600", "# interval: 7200") }, deltaset.ErrOther},
		{"another version", func(w *world) { w.reissue(sums, "gaen-deltaset 1", "gaen-deltaset 2") }, deltaset.ErrSums},
		{"no sums", func(w *world) { w.put(sums, []byte("hello\n"), nil); w.sign(sums) }, deltaset.ErrSums},
		{"next is this very tree", func(w *world) {
			w.reissue(sums, "# next: -", "# next: i7200")
			w.put(tree+"i7200/SHA256SUMS", w.object(sums), nil)
			w.sign(tree + "i7200/SHA256SUMS")
		}, deltaset.ErrOther},
		{"next is of another ledger", func(w *world) {
			w.put(tree+"i7200/SHA256SUMS", w.object(sums), nil)
			w.edit(tree+"i7200/SHA256SUMS", "# interval: 3600", "# interval: 7200")
			w.reissue(tree+"i7200/SHA256SUMS", w.ledger.Identity().String(), strings.Repeat("5d", 16))
			w.reissue(sums, "# next: -", "# next: i7200")
		}, deltaset.ErrOther},
		{"next has lost its snapshot", func(w *world) {
			w.put(tree+"i7200/SHA256SUMS", w.object(sums), nil)
			w.reissue(tree+"i7200/SHA256SUMS", "# interval: 3600", "# interval: 7200")
			w.reissue(sums, "# next: -", "# next: i7200")
		}, deltaset.ErrTryAgain},
		{"no exposures of the newest, nor a snapshot", func(w *world) {
			w.reissue(sums, w.line(fmt.Sprint("exposures/", w.newest())), "")
		}, deltaset.ErrTryAgain},
		{"no retractions in between, nor a snapshot", func(w *world) {
			w.reissue(sums, w.line(fmt.Sprint("retractions/", w.newest()-1)), "")
		}, deltaset.ErrTryAgain},
		{"the snapshot is not listed, nor all deltas", func(w *world) {
			w.edit(sums, w.line(fmt.Sprint("exposures/", w.newest()-1)), "")
			w.reissue(sums, w.line("snapshot/492335"), "")
		}, deltaset.ErrTryAgain},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, &deltaset.Options{Snapshot: 4 * time.Hour})
			for range 3 { // until 01:00, with a snapshot at midnight
				w.upload()
				w.hour()
			}
			c := w.client()
			w.update(c)
			before, from := dataOf(t, c), w.newest()
			for range 2 {
				w.upload()
				w.hour()
			}
			test.alter(w)
			u, err := c.Update(t.Context())
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if u.To != u.From || u.To.Newest != from || !maps.Equal(dataOf(t, c), before) {
				t.Errorf("the state has changed: %+v", u)
			}
		})
	}
}

// TestMalformedSnapshot: a snapshot that is listed by its sum and has a line that is
// no record is not taken, nor what is before that line.
func TestMalformedSnapshot(t *testing.T) {
	w := newWorld(t, nil)
	w.upload()
	w.hour()
	path := fmt.Sprint("snapshot/", w.newest())
	content := append(w.object(tree+path), "hello\n"...)
	line := w.line(path)
	w.put(tree+path, content, nil)
	w.reissue(tree+"SHA256SUMS", line, fmt.Sprintf("%x  %s\n", sha256.Sum256(content), path))
	dir := t.TempDir()
	c := w.clientOf(dir, deltaset.FromBucket(w.bucket, tree), nil)
	if u, err := c.Update(t.Context()); !errors.Is(err, deltaset.ErrRecord) || u.To.Ledger != "" {
		t.Errorf("got %+v, %v, want ErrRecord", u, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// TestGap: intervals that are not all listed, the newest among them, are made up for
// by a snapshot that is as new.
func TestGap(t *testing.T) {
	for _, ago := range []int64{0, 1} {
		for _, folder := range []string{"exposures", "retractions"} {
			w := newWorld(t, nil)
			w.upload()
			w.hour()
			c := w.client()
			w.update(c)
			for range 2 {
				w.upload()
				w.hour()
			}
			w.reissue(tree+"SHA256SUMS", w.line(fmt.Sprint(folder, "/", w.newest()-ago)), "")
			u, fresh := w.update(c), w.client()
			w.update(fresh)
			if !u.Snapshot || !maps.Equal(dataOf(t, c), dataOf(t, fresh)) {
				t.Errorf("no %s %d intervals ago: %+v, want the snapshot", folder, ago, u)
			}
		}
	}
}

// TestFolderAtTheTop: the sums of a folder in the place of those at the top are not
// taken for them, even if they are of the interval that was read.
func TestFolderAtTheTop(t *testing.T) {
	w := newWorld(t, nil)
	w.hour()
	c := w.client()
	w.update(c)
	sums, signature := w.object(tree+"exposures/SHA256SUMS"), w.object(tree+"exposures/SHA256SUMS.sig")
	w.hour()
	w.put(tree+"SHA256SUMS", sums, nil)
	w.put(tree+"SHA256SUMS.sig", signature, nil)
	if _, err := c.Update(t.Context()); !errors.Is(err, deltaset.ErrTryAgain) {
		t.Errorf("got %v, want ErrTryAgain", err)
	}
}
