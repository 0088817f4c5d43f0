package ledger_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// chain returns n cuts, an hour apart.
func chain(id ledger.Identity, n int) []ledger.Cut {
	cuts := make([]ledger.Cut, n)
	last := ledger.Cut{}
	for i := range cuts {
		cuts[i] = last.Next(id, noon.Add(time.Duration(i)*time.Hour), int64(10*i), 3)
		last = cuts[i]
	}
	return cuts
}

func TestCutsAreChained(t *testing.T) {
	id := ledger.Identity{1}
	cuts := chain(id, 3)
	before := ledger.Cut{}
	for i, c := range cuts {
		if c.Seq != int64(i+1) || c.Last != int64(10*i) || c.Policy != 3 || !c.Follows(id, before) {
			t.Errorf("%+v does not follow %+v", c, before)
		}
		before = c
	}
	good := cuts[2]
	tests := []struct {
		name   string
		change func(c *ledger.Cut)
	}{
		{"sequence", func(c *ledger.Cut) { c.Seq++ }},
		{"time", func(c *ledger.Cut) { c.Time = c.Time.Add(time.Second) }},
		{"last", func(c *ledger.Cut) { c.Last++ }},
		{"policy", func(c *ledger.Cut) { c.Policy++ }},
		{"nonce", func(c *ledger.Cut) { c.Nonce[15]++ }},
		{"hash", func(c *ledger.Cut) { c.Hash[0]++ }},
	}
	for _, tt := range tests {
		c := good
		if tt.change(&c); c.Follows(id, cuts[1]) {
			t.Errorf("with another %s it still follows", tt.name)
		}
	}
	if good.Follows(ledger.Identity{2}, cuts[1]) || good.Follows(id, cuts[0]) || good.Follows(id, ledger.Cut{}) {
		t.Error("it follows another cut, or in another ledger")
	}
	pruned := good
	if pruned.Pruned = true; !pruned.Follows(id, cuts[1]) {
		t.Error("pruning changes the chain")
	}
}

func TestTwoHistoriesDiffer(t *testing.T) {
	id := ledger.Identity{1}
	a, b := chain(id, 2), chain(id, 2)
	if a[0].Hash == b[0].Hash || a[1].Hash == b[1].Hash || a[0].Position() == b[0].Position() {
		t.Error("two cuts of the same time and number have the same hash")
	}
	if a[1].Follows(id, b[0]) {
		t.Error("a cut follows one of another history")
	}
}

func TestCheckPosition(t *testing.T) {
	s := open(t, nil)
	first, second := s.release().Cut.Position(), s.release().Cut.Position()
	change := func(f func(p *ledger.Position)) ledger.Position {
		p := first
		f(&p)
		return p
	}
	tests := []struct {
		name string
		p    ledger.Position
		want error
	}{
		{name: "the beginning", p: ledger.Position{}},
		{name: "first", p: first},
		{name: "second", p: second},
		{name: "later", p: change(func(p *ledger.Position) { p.Cut = 3 }), want: ledger.ErrWentBack},
		{name: "much later", p: change(func(p *ledger.Position) { p.Cut = 1 << 62 }), want: ledger.ErrWentBack},
		{name: "another hash", p: change(func(p *ledger.Position) { p.Hash[0]++ }), want: ledger.ErrOtherLedger},
		{name: "no hash", p: change(func(p *ledger.Position) { p.Hash = ledger.Hash{} }), want: ledger.ErrOtherLedger},
		{name: "another number", p: change(func(p *ledger.Position) { p.Number++ }), want: ledger.ErrOtherLedger},
		{name: "the hash of another cut", p: change(func(p *ledger.Position) { p.Hash = second.Hash }), want: ledger.ErrOtherLedger},
		{name: "cut 0", p: change(func(p *ledger.Position) { p.Cut = 0 }), want: ledger.ErrOtherLedger},
		{name: "negative", p: change(func(p *ledger.Position) { p.Cut = -1 << 63 }), want: ledger.ErrOtherLedger},
	}
	for _, tt := range tests {
		if err := s.Check(t.Context(), tt.p); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestPositionJSON(t *testing.T) {
	want := chain(ledger.Identity{1}, 2)[1].Position()
	encoded, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got ledger.Position
	if err := json.Unmarshal(encoded, &got); err != nil || got != want {
		t.Errorf("%s comes back as %+v, %v", encoded, got, err)
	}
	if text := want.Hash.String(); len(text) != 64 || !strings.Contains(string(encoded), text) {
		t.Errorf("%s does not hold the hash %s", encoded, text)
	}
}

func TestHashText(t *testing.T) {
	tests := []struct {
		name string
		text string
		ok   bool
	}{
		{"right", strings.Repeat("0a", 32), true},
		{"capitals", strings.Repeat("0A", 32), true},
		{"empty", "", false},
		{"short", strings.Repeat("0a", 31), false},
		{"long", strings.Repeat("0a", 33), false},
		{"odd", strings.Repeat("0a", 32) + "0", false},
		{"not hexadecimal", strings.Repeat("0g", 32), false},
	}
	for _, tt := range tests {
		var h ledger.Hash
		if err := h.UnmarshalText([]byte(tt.text)); (err == nil) != tt.ok {
			t.Errorf("%s: got %v, want an error: %t", tt.name, err, !tt.ok)
		}
	}
}

func FuzzHash(f *testing.F) {
	f.Add(strings.Repeat("0a", 32))
	f.Add(strings.Repeat("FF", 32))
	f.Add(strings.Repeat("f", 65))
	f.Fuzz(func(t *testing.T, text string) {
		var h ledger.Hash
		if err := h.UnmarshalText([]byte(text)); err != nil {
			return
		}
		if got, err := h.MarshalText(); err != nil || string(got) != strings.ToLower(text) {
			t.Errorf("%q comes back as %q, %v", text, got, err)
		}
	})
}
