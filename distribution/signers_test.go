package distribution_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/signing"
)

// TestSignersOfLateWindows: whenever windows are published, each is signed by keys
// that were valid at its end, and only if all of those have ended by them alone.
func TestSignersOfLateWindows(t *testing.T) {
	at := func(h, m int) time.Time { return epoch.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute) }
	all := map[string]signing.Validity{
		"262-v1": {NotAfter: at(3, 30)},
		"262-v2": {NotBefore: at(2, 0), NotAfter: at(5, 30)},
		"262-v3": {NotBefore: at(5, 0)},
	}
	for name, tt := range map[string]struct {
		runs []int // after so many hours
		want []string
	}{
		"in time":    {[]int{1, 1, 1, 1, 1, 1}, []string{"v1", "v2 v1", "v2 v1", "v2", "v3 v2", "v3"}},
		"late":       {[]int{6}, []string{"v1", "v2 v1", "v2 v1", "v2", "v3", "v3"}},
		"later":      {[]int{4, 2}, []string{"v1", "v2", "v2", "v2", "v3", "v3"}},
		"in between": {[]int{2, 3, 1}, []string{"v1", "v2 v1", "v2", "v2", "v3 v2", "v3"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1)
			w.ring = validRing(t, all, slices.Sorted(maps.Keys(all))...)
			for _, hours := range tt.runs {
				w.hours(hours)
				w.run()
			}
			w.verify()
			got := w.signedBy("DE")
			if !slices.Equal(got, tt.want) {
				t.Errorf("hours are signed by %q, want %q", got, tt.want)
			}
		})
	}
}

// signedBy returns who signed the hours of a package, in their order.
func (w *world) signedBy(pkg string) (all []string) {
	w.t.Helper()
	byEnd := map[time.Time]string{}
	for name, text := range objects(w.t, w.bucket) {
		if !strings.HasPrefix(name, tree+"/"+pkg+"/") || !strings.Contains(name, "/hour/") {
			continue
		}
		a, err := export.Open(bytes.NewReader(text), int64(len(text)), nil)
		if err != nil {
			w.t.Fatal(err)
		}
		var versions []string
		for _, s := range a.Signatures() {
			versions = append(versions, s.Info.KeyVersion)
		}
		byEnd[a.Header().End] = strings.Join(versions, " ")
	}
	var ends []time.Time
	for end := range byEnd {
		ends = append(ends, end)
	}
	slices.SortFunc(ends, time.Time.Compare)
	for _, end := range ends {
		all = append(all, byEnd[end])
	}
	return all
}

// TestSignersOfNoTime: keys of phones leave though no key for signing was valid when
// their window ended. The tree says so.
func TestSignersOfNoTime(t *testing.T) {
	w := newWorld(t, 1)
	w.ring = validRing(t, map[string]signing.Validity{"262-v3": {NotBefore: epoch.Add(2 * time.Hour)}}, "262-v3")
	w.hours(3)
	w.run()
	if got, want := w.signedBy("DE"), []string{"v3", "v3", "v3"}; !slices.Equal(got, want) {
		t.Errorf("hours are signed by %q, want %q", got, want)
	}
	if len(w.inspect(nil).Findings) == 0 {
		t.Error("that a key signed before its time is not found")
	}
}
