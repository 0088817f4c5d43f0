package interop

import (
	"testing"

	"github.com/gaenkit/gaen/federation"
)

// TestGranted: whoever keeps count is told of what was granted, and of nothing
// else.
func TestGranted(t *testing.T) {
	var told []Exchange
	w := newWorld(t, &ServerOptions{Granted: func(x *Exchange) { told = append(told, *x) }})
	ks := w.newKeys(ie, 2)
	w.upload("ie", "a", payload(ks...))
	w.release()
	day := federation.DayOf(noon)
	page, err := w.client("gi").Download(t.Context(), federation.Place{Day: day})
	if err != nil || page == nil {
		t.Fatal(page, err)
	}
	if _, err := w.client("gi").Download(t.Context(), page.Next); err != nil {
		t.Fatal(err)
	}
	w.upload("ie", "", payload(ks...))                   // no tag
	w.do(call{path: "/download/2021-06-02", token: "x"}) // nobody
	w.client("deaf").Download(t.Context(), page.Next)    // no right

	if len(told) != 3 {
		t.Fatalf("told of %d requests, want 3", len(told))
	}
	if x := told[0]; x.Nation != "ie" || x.Receipt == nil || x.Receipt.Accepted != 2 {
		t.Errorf("the upload: %+v", x)
	}
	if x := told[1]; x.Nation != "gi" || x.Receipt != nil || x.Asked != (federation.Place{Day: day}) || len(x.Page.Keys) != 2 {
		t.Errorf("the page: %+v", x)
	}
	if x := told[2]; x.Nation != "gi" || x.Asked != page.Next || x.Page != nil {
		t.Errorf("nothing new: %+v", x)
	}
}
