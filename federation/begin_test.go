package federation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
)

// TestBeginAt goes on where another system stopped: nothing before is asked for at
// first, and the pages of the day are read once more when they have settled.
func TestBeginAt(t *testing.T) {
	p := newPuller(t)
	all := p.foreign(40)
	p.server.add(p.clock.Add(-24*time.Hour), "x", all[:10]...)
	b := p.server.add(p.clock, "a", all[10:15]...)
	p.server.add(p.clock, "b", all[20:30]...)
	p.server.add(p.clock, "c", all[30:]...)
	at := federation.Place{Day: federation.DayOf(p.clock), Tag: "b"}
	for range 2 {
		if err := federation.BeginAt(t.Context(), p.ledger, "hub", at); err != nil {
			t.Fatal(err)
		}
	}
	if r := p.run(); r.Pages != 1 || r.Accepted != 10 || p.server.asked[0] != at {
		t.Errorf("got %+v after asking for %+v", r, p.server.asked)
	}
	b.Keys = all[10:20] // the other system had read it half full
	p.clock = p.clock.Add(31 * time.Minute)
	p.run()
	if n := p.has(all[10:20]); n != 10 {
		t.Errorf("%d of the last page's keys came, want all", n)
	}
	if n := p.has(all[:10]); n != 0 {
		t.Errorf("%d keys of the day before came", n)
	}
	p.server.asked = nil
	p.clock = p.clock.Add(time.Hour)
	if r := p.run(); len(p.server.asked) != 1 || p.server.asked[0].Tag != "c" {
		t.Errorf("then asks for %+v: %+v", p.server.asked, r)
	}
}

// TestBeginAtTheLast reads the last page once more, also where none has come after it.
func TestBeginAtTheLast(t *testing.T) {
	p := newPuller(t)
	all := p.foreign(10)
	p.server.add(p.clock, "a", all...)
	at := federation.Place{Day: federation.DayOf(p.clock), Tag: "a"}
	if err := federation.BeginAt(t.Context(), p.ledger, "hub", at); err != nil {
		t.Fatal(err)
	}
	if p.run(); p.has(all) != 0 {
		t.Error("the last page was read at once")
	}
	p.clock = p.clock.Add(31 * time.Minute)
	if p.run(); p.has(all) != len(all) {
		t.Error("the last page was not read once more")
	}
}

func TestBeginAtRefuses(t *testing.T) {
	p := newPuller(t)
	today := federation.DayOf(p.clock)
	for name, at := range map[string]federation.Place{
		"is a day to come": {Day: today + 1},
		"at most":          {Day: today, Tag: strings.Repeat("x", federation.MaxTag+1)},
	} {
		if err := federation.BeginAt(t.Context(), p.ledger, "hub", at); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
	}
	if err := federation.BeginAt(t.Context(), p.ledger, "Hub", federation.Place{Day: today}); err == nil {
		t.Error("a name that no instance has")
	}
	p.server.add(p.clock, "a", p.foreign(3)...)
	p.run()
	if err := federation.BeginAt(t.Context(), p.ledger, "hub", federation.Place{Day: today}); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("an instance that has begun: %v", err)
	}
}
