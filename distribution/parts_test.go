package distribution_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage"
)

// partsLayout is a layout that can name parts, as the reference key server's:
// root/DE/1772402400-1772406000-00001.zip and root/DE/index.txt.
type partsLayout struct{ distribution.Layout }

func (partsLayout) Name() string          { return "parts" }
func (partsLayout) Offset() time.Duration { return 0 }
func (partsLayout) Prefix() string        { return "root/" }
func (partsLayout) Spans() []distribution.Span {
	return []distribution.Span{{Name: "hour", Length: time.Hour, Retain: 14 * 24 * time.Hour, Parts: true}}
}
func (partsLayout) Archive() *export.WriteOptions { return &export.WriteOptions{} }
func (partsLayout) FileOptions(*distribution.Archive) (storage.PutOptions, error) {
	return storage.PutOptions{ContentType: "application/zip"}, nil
}
func (partsLayout) IndexOptions(distribution.Index) storage.PutOptions {
	return storage.PutOptions{ContentType: "text/plain"}
}

func (partsLayout) Object(f distribution.File) string {
	return fmt.Sprintf("root/%s/%d-%d-%05d.zip", f.Package, f.Window.Start.Unix(), f.Parts, f.Part+1)
}

func (l partsLayout) Parse(name string) (distribution.File, bool) {
	f := distribution.File{Span: "hour"}
	var start int64
	rest, ok := strings.CutPrefix(name, "root/")
	if !ok || len(rest) < 3 {
		return f, false
	}
	f.Package, rest, _ = strings.Cut(rest, "/")
	if _, err := fmt.Sscanf(rest, "%d-%d-%05d.zip", &start, &f.Parts, &f.Part); err != nil {
		return f, false
	}
	f.Part--
	f.Window = distribution.Window{Start: time.Unix(start, 0).UTC(), End: time.Unix(start, 0).UTC().Add(time.Hour)}
	return f, l.Object(f) == name
}

func (l partsLayout) Indexes(packages []string, listed []distribution.File) []distribution.Index {
	var indexes []distribution.Index
	for _, pkg := range packages {
		var lines []string
		for _, f := range listed {
			if f.Package == pkg {
				lines = append(lines, l.Object(f))
			}
		}
		indexes = append(indexes, distribution.Index{Name: "root/" + pkg + "/index.txt", Content: []byte(strings.Join(lines, "\n"))})
	}
	return indexes
}

func (l partsLayout) Follow(read func(string) ([]byte, error)) (files []distribution.File, indexes []string, err error) {
	for _, pkg := range []string{"DE", "EUR"} {
		name := "root/" + pkg + "/index.txt"
		content, err := read(name)
		if err != nil {
			return nil, nil, err
		}
		indexes = append(indexes, name)
		for line := range strings.SplitSeq(string(content), "\n") {
			if f, ok := l.Parse(line); ok {
				files = append(files, f)
			}
		}
	}
	return files, indexes, nil
}

// TestParts is invariant 5 for windows that are too large for one file: none of
// their keys is dropped, every part stays within the limits, and no two files
// have the same bounds.
func TestParts(t *testing.T) {
	for _, test := range []struct {
		name     string
		maxKeys  int
		maxBytes int64
	}{
		{"by keys", 50, 0},
		{"by bytes", 0, 1500},
		{"one key a file", 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, 1)
			w.packages[1].Map = distribution.Identity()
			w.layout = partsLayout{}
			w.hours(3)
			w.run()
			whole := contents(t, w)

			w.opts.Output = "in-parts" // a second output of the same ledger
			w.bucket = copyBucket(t, w.bucket)
			for name := range objects(t, w.bucket) {
				w.delete(name)
			}
			w.opts.MaxKeys, w.opts.MaxBytes = test.maxKeys, test.maxBytes
			w.run()
			w.verify()
			if got := contents(t, w); !maps.Equal(got, whole) {
				t.Errorf("%d keys in parts, %d as a whole", len(got), len(whole))
			}
			w.checkParts(test.maxKeys, test.maxBytes)
		})
	}
}

// place says that a key is in a package's window, as new or revised.
type place struct {
	pkg     string
	start   time.Time
	key     keys.TemporaryExposureKey
	revised bool
}

func contents(t *testing.T, w *world) map[place]int {
	t.Helper()
	all := map[place]int{}
	for name, content := range objects(t, w.bucket) {
		f, ok := w.layout.Parse(name)
		if !ok {
			continue
		}
		c := contentOf(t, content)
		for _, k := range c.Keys {
			all[place{f.Package, f.Window.Start, k, false}]++
		}
		for _, k := range c.RevisedKeys {
			all[place{f.Package, f.Window.Start, k, true}]++
		}
	}
	return all
}

func contentOf(t testing.TB, archive []byte) *export.Content {
	t.Helper()
	a, err := export.Open(bytes.NewReader(archive), int64(len(archive)), nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.Unverified().Content()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) checkParts(maxKeys int, maxBytes int64) {
	w.t.Helper()
	bounds := map[string]string{}
	parts := 0
	for name, content := range objects(w.t, w.bucket) {
		f, ok := w.layout.Parse(name)
		if !ok {
			continue
		}
		c := contentOf(w.t, content)
		n := len(c.Keys) + len(c.RevisedKeys)
		if maxKeys > 0 && n > maxKeys {
			w.t.Errorf("%s has %d keys", name, n)
		}
		if maxBytes > 0 && int64(len(content)) > maxBytes && n > 1 {
			w.t.Errorf("%s has %d bytes", name, len(content))
		}
		id := fmt.Sprint(c.Region, c.Start.Unix(), c.End.Unix())
		if other, ok := bounds[id]; ok {
			w.t.Errorf("%s and %s have the same bounds", name, other)
		}
		bounds[id] = name
		if f.Parts > 1 {
			parts++
		}
	}
	if parts == 0 {
		w.t.Error("no window has several parts")
	}
}

// TestArrivalOrder is invariant 14: the order in which uploads arrive, and with
// what other uploads, changes no byte that leaves.
func TestArrivalOrder(t *testing.T) {
	var want map[string][]byte
	for permutation := range 4 {
		w := newWorld(t, 5)
		for range 3 {
			uploads := []struct {
				source string
				origin keys.Region
			}{{"own", de}, {"own", de}, {"own", de}, {"hub-a", fr}, {"hub-b", it}, {"hub-b", fr}}
			var made []delivery
			for _, u := range uploads {
				made = append(made, delivery{source: u.source, upload: w.upload(u.origin)})
			}
			w.rand.Shuffle(len(made), func(i, j int) {
				if permutation > 0 {
					made[i], made[j] = made[j], made[i]
				}
			})
			for _, d := range made {
				if permutation == 3 {
					slices.Reverse(d.upload.Keys)
				}
				w.clock = w.clock.Add(time.Duration(w.rand.IntN(300)) * time.Second)
				w.acceptDelivery(d)
			}
			w.release()
		}
		w.run()
		got := objects(t, w.bucket)
		if want == nil {
			want = got
		}
		if d := difference(got, want); d != "" {
			t.Errorf("permutation %d: %s", permutation, d)
		}
	}
}
