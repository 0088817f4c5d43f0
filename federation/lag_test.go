package federation_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
)

// TestLag has a reader fall behind, catch up, and stand at places that the hub
// never gave.
func TestLag(t *testing.T) {
	h := newHub(t)
	if got := must(h.hub.Lag(t.Context(), today(h))); got != (federation.Lag{}) {
		t.Errorf("before the first batch: %+v", got)
	}
	begin := today(h)
	var cuts []time.Time
	for _, tag := range []string{"1", "2", "3"} {
		h.upload(&germany, tag, h.make(de, 10)...)
		h.release()
		cuts = append(cuts, h.clock.Truncate(5*time.Minute))
	}
	at := begin
	for i := range 4 {
		want := federation.Lag{Batches: 3 - i}
		if i < 3 {
			want.Since = cuts[i]
		}
		if got := must(h.hub.Lag(t.Context(), at)); got.Batches != want.Batches || !got.Since.Equal(want.Since) {
			t.Errorf("after %d batches: %+v, want %+v", i, got, want)
		}
		if page := must(h.hub.Download(t.Context(), &germany, at)); page != nil {
			at = page.Next
		}
	}
	// A process that has not looked for a while knows the tags that others give.
	other := must(federation.NewHub(h.ledger, &federation.HubOptions{Fresh: time.Hour}))
	must(other.Lag(t.Context(), begin))
	h.upload(&germany, "4", h.make(de, 10)...)
	h.release()
	last := must(h.hub.Download(t.Context(), &germany, at)).Next
	if got := must(other.Lag(t.Context(), last)); got.Batches != 0 {
		t.Errorf("after a batch of another process: %+v, want none", got)
	}
	for name, place := range map[string]federation.Place{
		"an unknown tag": {Day: begin.Day, Tag: "of another server"},
		"an early day":   {Day: begin.Day - 10},
	} {
		if got := must(h.hub.Lag(t.Context(), place)); got.Batches != 4 {
			t.Errorf("%s: %+v, want 4 batches", name, got)
		}
	}
	if got := must(h.hub.Lag(t.Context(), federation.Place{Day: begin.Day + 1})); got.Batches != 0 {
		t.Errorf("tomorrow: %+v, want none", got)
	}
}

// TestSealedLag has readers who check seals fall behind and catch up, each by what it
// is given.
func TestSealedLag(t *testing.T) {
	h := newSealed(t)
	only := france
	only.SealedOnly = true
	begin := today(h.hubSite)
	lag := func(n *federation.Nation, at federation.Place) federation.Lag {
		t.Helper()
		return must(h.hub.SealedLag(t.Context(), n, at))
	}
	if got := lag(&france, begin); got != (federation.Lag{}) {
		t.Errorf("before the first batch: %+v", got)
	}
	var cuts []time.Time
	for i := range 3 {
		if i != 1 {
			h.put(&germany, fmt.Sprint(i), h.keysOf(de, 2)...)
		}
		h.upload(&gateway, fmt.Sprint(i), h.keysOf(it, 2)...)
		h.release()
		cuts = append(cuts, h.clock.Truncate(5*time.Minute))
	}
	for name, c := range map[string]struct {
		nation *federation.Nation
		since  []int // the cut of each batch
	}{"one that is given all": {&france, []int{0, 0, 1, 2, 2}}, "one that wants seals alone": {&only, []int{0, 2}}, "the sealing nation": {&germany, []int{0, 0, 1, 2, 2}}} {
		at := begin
		for i := range len(c.since) + 1 {
			want := federation.Lag{Batches: len(c.since) - i}
			if want.Batches > 0 {
				want.Since = cuts[c.since[i]]
			}
			if got := lag(c.nation, at); got.Batches != want.Batches || !got.Since.Equal(want.Since) {
				t.Errorf("%s, after %d batches: %+v, want %+v", name, i, got, want)
			}
			if page := must(h.hub.DownloadSealed(t.Context(), c.nation, at)); page != nil {
				at = page.Next
			}
		}
	}
	for name, place := range map[string]federation.Place{
		"an unknown tag": {Day: begin.Day, Tag: "of another server"},
		"an early day":   {Day: begin.Day - 10},
	} {
		if got := lag(&france, place); got.Batches != 5 {
			t.Errorf("%s: %+v, want 5 batches", name, got)
		}
	}
	if _, err := h.hub.SealedLag(t.Context(), &federation.Nation{Name: "x"}, begin); err == nil {
		t.Error("a nation that is none has a lag")
	}
}
