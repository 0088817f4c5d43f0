package deltaset_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/deltaset"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
)

// survey reads what the indexes name.
func (w *world) survey() ([]distribution.Listed, []string, error) {
	return newLayout(w.t, &w.opts).Survey(func(name string) ([]byte, error) {
		content, _, err := storage.ReadAll(w.t.Context(), w.bucket, name, 1<<30)
		return content, err
	}, trust(w.t, w.ring))
}

// TestSurvey: all that is listed comes with its sum and the time it was made, and
// every index that was read is named.
func TestSurvey(t *testing.T) {
	w := newWorld(t, nil)
	w.hour()
	files, indexes, err := w.survey()
	if err != nil || len(files) != 3 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if !f.Completed.Equal(w.clock) || len(f.SHA256) != 64 {
			t.Errorf("%+v, want it completed at %s", f, w.clock)
		}
	}
	slices.Sort(indexes)
	var want []string
	for _, name := range []string{"packages", "DE/latest", "DE/SHA256SUMS", "DE/exposures/SHA256SUMS", "DE/retractions/SHA256SUMS", "DE/snapshot/SHA256SUMS"} {
		want = append(want, "deltaset/"+name)
		if strings.HasSuffix(name, "SHA256SUMS") {
			want = append(want, "deltaset/"+name+".sig")
		}
	}
	slices.Sort(want)
	if !slices.Equal(indexes, want) {
		t.Errorf("read %q, want %q", indexes, want)
	}
}

// TestSurveyFinds: indexes that do not agree are found, and which it is.
func TestSurveyFinds(t *testing.T) {
	const sums = tree + "SHA256SUMS"
	for _, test := range []struct {
		name  string
		alter func(w *world)
		want  string // what the error names
	}{
		{"no list of packages", func(w *world) { w.delete("deltaset/packages") }, "deltaset/packages"},
		{"no package", func(w *world) { w.put("deltaset/packages", []byte("de\n"), nil) }, "deltaset/packages: a line is no package"},
		{"no sums", func(w *world) { w.delete(sums) }, sums},
		{"nobody signed", func(w *world) { w.delete(sums + ".sig") }, sums + ": deltaset: SHA256SUMS is not signed"},
		{"a folder altered", func(w *world) { w.edit(tree+"snapshot/SHA256SUMS", "# days: 14", "# days: 13") }, tree + "snapshot/SHA256SUMS: deltaset: SHA256SUMS is not signed"},
		{"a folder lists less", func(w *world) {
			w.reissue(tree+"exposures/SHA256SUMS", strings.Replace(w.line("exposures/492334"), "exposures/", "", 1), "")
		}, tree + "exposures/SHA256SUMS: does not say what"},
		{"latest is behind", func(w *world) { w.put(tree+"latest", []byte("492333\n"), nil) }, tree + "latest: says 492333"},
		{"latest is no number", func(w *world) { w.put(tree+"latest", []byte("x\n"), nil) }, tree + "latest: deltaset: latest is no number"},
		{"another package", func(w *world) { w.reissue(sums, "# package: DE", "# package: FR") }, sums + ": it is that of FR"},
		{"another folder", func(w *world) {
			w.put(tree+"exposures/SHA256SUMS", w.object(tree+"retractions/SHA256SUMS"), nil)
			w.sign(tree + "exposures/SHA256SUMS")
		}, tree + "exposures/SHA256SUMS: it is that of DE, folder retractions"},
		{"another interval", func(w *world) { w.reissue(sums, "# interval: 3600", "# interval: 7200") }, sums + ": its files are by interval of 2h"},
		{"other files", func(w *world) {
			text := string(w.object(sums))
			w.put(sums, []byte(strings.Replace(text[:strings.Index(text, "next: -\n")+8], "files: interval", "files: day", 1)), nil)
			w.sign(sums)
		}, sums + ": its files are by day"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.hour()
			test.alter(w)
			if _, _, err := w.survey(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// TestCatalogue: of two packages, each lists its own files; sums of folders come
// before those at the top, each before its signature, then latest, and the list of
// packages last. A package without an interval is not on it.
func TestCatalogue(t *testing.T) {
	l := newLayout(t, &deltaset.Options{Subfolder: true})
	listed := func(pkg, span, kind, end string) distribution.Listed {
		return distribution.Listed{
			File:      distribution.File{Package: pkg, Span: span, Kind: kind, Window: window(end, time.Hour), Parts: 1},
			SHA256:    strings.Repeat("a", 64),
			Completed: time.Date(2026, 3, 1, 23, 5, 0, 999, time.UTC),
		}
	}
	const end = "2026-03-01T23:00:00Z"
	indexes := l.Catalogue(&distribution.Catalogue{
		Packages: []string{"FR", "DE", "AT"},
		Files: []distribution.Listed{
			listed("DE", "interval", "exposures", end), listed("DE", "interval", "retractions", end),
			listed("FR", "interval", "exposures", "2026-03-02T00:00:00Z"), listed("FR", "interval", "retractions", "2026-03-02T00:00:00Z"),
		},
		Signers: []signing.Identity{{KeyID: "262", KeyVersion: "v1"}},
	})
	var names, want []string
	for _, i := range indexes {
		names = append(names, i.Name)
	}
	for _, pkg := range []string{"DE", "FR"} {
		for _, folder := range []string{"exposures/", "retractions/", "snapshot/", ""} {
			at := "deltaset/" + pkg + "/i3600/" + folder + "SHA256SUMS"
			want = append(want, at, at+".sig")
		}
		want = append(want, "deltaset/"+pkg+"/i3600/latest")
	}
	want = append(want, "deltaset/packages.i3600")
	if !slices.Equal(names, want) {
		t.Fatalf("got %q, want %q", names, want)
	}
	if got := string(indexes[len(indexes)-1].Content); got != "DE\nFR\n" {
		t.Errorf("the packages are %q", got)
	}
	for at, n := range map[int]int{6: 492334, 15: 492335} {
		s, err := deltaset.ParseSums(indexes[at].Content)
		if err != nil || s.Newest != int64(n) || s.Snapshot != -1 || len(s.Entries) != 2 || s.Entries[0].Path != fmt.Sprint("exposures/", n) {
			t.Errorf("%s: %+v, %v", indexes[at].Name, s, err)
		}
	}
}
