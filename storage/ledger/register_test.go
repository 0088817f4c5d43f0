package ledger_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

func TestRegisterNamesAndSizes(t *testing.T) {
	tests := []struct {
		name  string
		swaps []ledger.Swap
		want  string // "" if it is stored
	}{
		{name: "plain", swaps: []ledger.Swap{{Name: "plan/DE/2021-01-10"}}},
		{name: "longest name", swaps: []ledger.Swap{{Name: strings.Repeat("n", 200)}}},
		{name: "every printable character", swaps: []ledger.Swap{{Name: "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"}}},
		{name: "no name", swaps: []ledger.Swap{{}}, want: "register name of 0 bytes"},
		{name: "longer name", swaps: []ledger.Swap{{Name: strings.Repeat("n", 201)}}, want: "register name of 201 bytes"},
		{name: "space", swaps: []ledger.Swap{{Name: "a b"}}, want: "register name of 3 bytes"},
		{name: "newline", swaps: []ledger.Swap{{Name: "a\n"}}, want: "register name"},
		{name: "delete", swaps: []ledger.Swap{{Name: "a\x7f"}}, want: "register name"},
		{name: "not ASCII", swaps: []ledger.Swap{{Name: "ü"}}, want: "register name"},
		{name: "longest value", swaps: []ledger.Swap{{Name: "v", Value: make([]byte, ledger.MaxRegister)}}},
		{name: "longer value", swaps: []ledger.Swap{{Name: "w", Value: make([]byte, ledger.MaxRegister+1)}}, want: "register w: value of 65537 bytes"},
		{name: "negative version", swaps: []ledger.Swap{{Name: "v", Version: -1}}, want: "version -1"},
		{name: "twice", swaps: []ledger.Swap{{Name: "x"}, {Name: "y"}, {Name: "x", Delete: true}}, want: "register x: swapped twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, nil)
			err := s.Swap(t.Context(), ledger.NewNonce(), tt.swaps...)
			_, err2 := s.Accept(t.Context(), &ledger.Delivery{Source: "p", Swaps: tt.swaps})
			if tt.want == "" {
				if _, ok := errors.AsType[*ledger.ConflictError](err2); err != nil || !ok {
					t.Errorf("got %v, and a second time %v; want no error and a conflict", err, err2)
				}
				return
			}
			for _, err := range []error{err, err2} {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %q", err, tt.want)
				}
			}
		})
	}
}

func TestSwapRecognisesItself(t *testing.T) {
	s := open(t, nil)
	nonce := ledger.NewNonce()
	for range 2 { // the answer to the first was lost
		if err := s.Swap(t.Context(), nonce, ledger.Swap{Name: "a"}, ledger.Swap{Name: "b"}); err != nil {
			t.Fatal(err)
		}
	}
	err := s.Swap(t.Context(), ledger.NewNonce(), ledger.Swap{Name: "a"})
	conflict, ok := errors.AsType[*ledger.ConflictError](err)
	if !ok || conflict.Have.Name != "a" || !strings.Contains(err.Error(), "register a has version 2, not 0") {
		t.Errorf("another writer gets %v", err)
	}
	// A deletion leaves nothing to recognise, as Swap says.
	gone := ledger.Swap{Name: "a", Version: conflict.Have.Version, Delete: true}
	err = s.Swap(t.Context(), nonce, gone)
	err2 := s.Swap(t.Context(), nonce, gone)
	if again, ok := errors.AsType[*ledger.ConflictError](err2); err != nil || !ok || again.Have.Version != 0 {
		t.Errorf("deleting gives %v, and again %v", err, err2)
	}
}

func TestHolds(t *testing.T) {
	s := open(t, nil)
	// A register that only begins with the same letters is no hold.
	if err := s.Swap(t.Context(), ledger.NewNonce(), ledger.Swap{Name: "holds-of-mine", Value: []byte("mine")}); err != nil {
		t.Fatal(err)
	}
	de, at := s.key().Origin, ledger.Source("p")
	hold := func(change func(l *setup) error) ledger.Holds {
		t.Helper()
		if err := change(s); err != nil {
			t.Fatal(err)
		}
		h, err := s.Ledger.Holds(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	both := ledger.Holds{Origins: []keys.Region{de}, Sources: []ledger.Source{at}}
	h := hold(func(l *setup) error { return l.Hold(t.Context(), both) })
	h = hold(func(l *setup) error { return l.Hold(t.Context(), both) })
	if len(h.Origins) != 1 || len(h.Sources) != 1 || !h.Holds(de, "own") || !h.Holds(keys.Region{}, "p") {
		t.Errorf("holds are %+v", h)
	}
	h = hold(func(l *setup) error { return l.Resume(t.Context(), ledger.Holds{Sources: []ledger.Source{"q", "p"}}) })
	if len(h.Origins) != 1 || len(h.Sources) != 0 {
		t.Errorf("after resuming, holds are %+v", h)
	}
}

func TestHoldsBySource(t *testing.T) {
	h := ledger.Holds{Sources: []ledger.Source{"p", "q"}}
	for sources, want := range map[ledger.Sources]bool{"": false, "p": true, "q": true, "p,q": true, "own": false, "own,p": false, "p,q,r": false, "pq": false} {
		if got := h.Holds(keys.Region{}, sources); got != want {
			t.Errorf("%q: got %t, want %t", sources, got, want)
		}
	}
	if (ledger.Holds{}).Holds(keys.Region{}, "p") {
		t.Error("no holds hold something")
	}
}

func FuzzRegisterName(f *testing.F) {
	for _, name := range []string{"plan/DE", "", " ", "a\x00", "ü", strings.Repeat("n", 201), "%", "_"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		good := len(name) >= 1 && len(name) <= 200
		for i := range len(name) {
			good = good && '!' <= name[i] && name[i] <= '~'
		}
		s := open(t, nil)
		if err := s.Swap(t.Context(), ledger.NewNonce(), ledger.Swap{Name: name}); (err == nil) != good && name != "policy" {
			t.Fatalf("a register named %q gives %v", name, err)
		}
		found, err := s.Registers(t.Context(), name)
		if err != nil || good && (len(found) == 0 || found[0].Name != name) {
			t.Errorf("%q: found %+v, %v", name, found, err)
		}
	})
}
