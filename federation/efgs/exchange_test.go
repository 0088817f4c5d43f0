package efgs

import (
	"testing"
)

// TestGranted: whoever keeps count hears of what was answered, and of nothing else.
func TestGranted(t *testing.T) {
	var told []Exchange
	w := newWorld(t, &ServerOptions{Balancers: loopback, Granted: func(x *Exchange) { told = append(told, *x) }})
	all := w.newKeys("DE", 3)
	w.put("DE", "1", all...)
	if g := w.do(w.request(an{country: "DE", tag: "2", keys: BatchOf(all[:2]).Keys})); g.status != 207 {
		t.Fatal(g.status)
	}
	w.get("FR", today.String(), "", Protobuf) // nothing yet
	for range 40 {
		w.release()
	}
	if g := w.get("FR", today.String(), "", Protobuf); g.status != 200 {
		t.Fatal(g.status)
	}
	if len(told) != 3 {
		t.Fatalf("told of %d", len(told))
	}
	if x := told[0]; x.Nation != "de" || x.Sent != 3 || !x.Answer.Stored {
		t.Errorf("%+v", x)
	}
	if x := told[1]; x.Nation != "de" || x.Sent != 2 || x.Answer.Stored || len(x.Answer.Known) != 2 {
		t.Errorf("%+v", x)
	}
	if x := told[2]; x.Nation != "fr" || x.Answer != nil || x.Keys() != 3 || x.Page.Tag == "" {
		t.Errorf("%+v", x)
	}
}
