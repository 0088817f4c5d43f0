package ledgertest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// flaw is a fault of [flawed] and the clause that must find it.
type flaw struct {
	name   string
	clause string
}

var faults = []flaw{
	{"same identity", "identity-random"},
	{"identity changes", "identity-stable"},
	{"nanoseconds", "clock"},
	{"context ignored", "cancelled"},

	{"prefix of any case", "register-prefix"},
	{"registers out of order", "register-prefix"},
	{"empty register is none", "register-empty"},
	{"value ends at a zero", "register-bytes"},
	{"values shared", "register-private"},
	{"versions begin again", "register-version"},
	{"version 0 overwrites", "register-conflict"},
	{"swaps one by one", "register-several"},
	{"nonce forgotten", "register-nonce"},
	{"first conflict only", "register-nonce"},
	{"swap not exclusive", "swap-one-winner"},

	{"swaps forgotten", "accept-swaps"},
	{"conflict stores", "accept-conflict"},
	{"error stores", "accept-error"},
	{"tallies outside the step", "accept-error"},
	{"error before conflict", "accept-conflict-first"},
	{"nonce not kept by accept", "accept-lost-answer"},
	{"records in another order", "accept-standing"},
	{"events not shown", "accept-earlier"},
	{"units shared", "accept-private"},
	{"seconds only", "accept-whole"},
	{"absent is zero", "accept-whole"},
	{"accept not isolated", "together"},
	{"withdrawals not kept", "kept-applies"},
	{"lifts all", "kept-withdrawals"},
	{"no identity, not kept", "set-aside"},
	{"erases of all sources", "set-aside-erased"},
	{"tallies shared", "tallies"},

	{"time of the clock", "cut-time"},
	{"empty cut not recorded", "cut-empty"},
	{"not chained", "cut-chain"},
	{"page off by one", "cut-chain"},
	{"cut in spite of an error", "cut-error"},
	{"due at the cut", "due"},
	{"gap in the numbers", "numbers-dense"},
	{"numbers from 0", "numbers-dense"},
	{"numbers by arrival", "numbers-canonical"},
	{"state of today", "states"},
	{"changes forgotten", "changes-immediate"},
	{"release not exclusive", "release-exclusive"},
	{"foreign grouped as own", "threshold-origins"},
	{"uploads counted by claims", "threshold-uploads"},
	{"one upload, one key", "threshold"},
	{"waits forgotten", "longest-wait"},
	{"waits added", "longest-wait-again"},
	{"hold ignored", "hold-origin"},
	{"hold lets changes go", "hold-origin"},
	{"hold by any source", "hold-source"},
	{"hold delays withdrawals", "hold-withdrawal"},
	{"quota ignored", "quota"},
	{"first come, first cut", "limit-cut"},
	{"tallies of cuts forgotten", "limit-day"},
	{"padding forgotten", "padding"},
	{"padding waits", "padding"},

	{"order of the first number ever", "read-range"},
	{"beyond is an error", "read-bounds"},
	{"events after to shown", "read-after-to"},
	{"waiting siblings shown", "read-after-to"},
	{"siblings missing", "read-siblings"},
	{"siblings apart", "read-siblings"},
	{"siblings by origin", "read-siblings"},
	{"own not first", "read-siblings"},
	{"second claim overwrites", "read-one-origin"},
	{"own as of today first", "read-constant"},
	{"read of many moments", "read-moment"},
	{"of any origin if only kept", "like-memory"},
	{"claims found apart", "find-fields"},
	{"of any key data", "find-fields"},
	{"of any key data if set aside", "find-fields"},
	{"only units found", "find-unit"},

	{"ended at is ended before", "remove-age"},
	{"what waits stays", "remove-age"},
	{"floor ignored", "remove-floor"},
	{"floor of siblings ignored", "remove-floor"},
	{"pruned reads short", "remove-marks"},
	{"error after units", "remove-marks"},
	{"cuts not marked", "remove-marks"},
	{"siblings not marked", "remove-marks"},
	{"all cuts marked", "remove-marks"},
	{"shown twice", "remove-each"},
	{"tallies of removals forgotten", "remove-each"},
	{"limit ignored", "remove-limit"},
	{"no tombstones", "remove-tombstones"},
	{"tombstones for ever", "remove-tombstones"},
	{"tombstone of all origins", "remove-tombstones"},
	{"set aside for ever", "remove-rest"},
	{"kept for ever", "remove-rest"},
	{"forgets by prefix", "remove-forget"},
	{"erased before it was withdrawn", "erase"},

	{"due for good", "adopt"},
	{"key for good", "adopt"},

	{"swaps beside units forgotten", "order-one-step"},
	{"tallies of accept forgotten", "order-immediately"},
}

// A jury hears the failures of a trial instead of the test.
type jury struct {
	testing.TB
}

func (j *jury) Helper() {}

func (j *jury) Fatalf(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }

type failure string

// try runs one clause and returns what it failed with, "" if it held.
func try(t *testing.T, name string, open Opener, opts *Options) string {
	t.Helper()
	for _, c := range clauses() {
		if c.name == name {
			return verdict(t, c, func(j *jury) { c.check(newTrial(t, j, c, open, opts)) })
		}
	}
	t.Fatalf("no clause is named %s", name)
	return ""
}

// verdict returns what a check of a clause failed with, "" if it held.
func verdict(t *testing.T, c clause, check func(*jury)) (said string) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			f, ok := p.(failure)
			if !ok {
				panic(p)
			}
			said = string(f)
			if !strings.Contains(said, c.must) {
				t.Errorf("the failure does not quote its clause: %s", said)
			}
		}
	}()
	check(&jury{TB: t})
	return ""
}

// TestFaults holds every clause to what it is there for.
func TestFaults(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			open := func(_ *testing.T, clock func() time.Time) ledger.Store { return newFlawed(f.name, clock) }
			verdict := try(t, f.clause, open, &Options{Histories: 20})
			if verdict == "" {
				t.Errorf("clause %s does not find it", f.clause)
			}
			t.Log(verdict)
		})
	}
}

// TestFaultless holds the store that has the faults to the whole suite while it
// has none.
func TestFaultless(t *testing.T) {
	Test(t, func(_ *testing.T, clock func() time.Time) ledger.Store { return newFlawed("", clock) }, &Options{
		Histories: 40,
		Reopen:    func(_ *testing.T, s ledger.Store) ledger.Store { return s.(*flawed).copy() },
		Copy:      func(_ *testing.T, s ledger.Store) ledger.Store { return s.(*flawed).copy() },
		Second:    func(_ *testing.T, s ledger.Store) ledger.Store { return s },
	})
}

// TestFaultyCapabilities holds the clauses about several handles to what they
// are there for.
func TestFaultyCapabilities(t *testing.T) {
	open := func(_ *testing.T, clock func() time.Time) ledger.Store { return newFlawed("", clock) }
	same := func(_ *testing.T, s ledger.Store) ledger.Store { return s }
	apart := func(_ *testing.T, s ledger.Store) ledger.Store { return s.(*flawed).copy() }
	loses := func(lose func(*flawed)) func(*testing.T, ledger.Store) ledger.Store {
		return func(_ *testing.T, s ledger.Store) ledger.Store {
			c := s.(*flawed).copy()
			lose(c)
			return c
		}
	}
	tests := []struct {
		name   string
		clause string
		opts   Options
	}{
		{"reopened without its waits", "reopen", Options{Reopen: loses(func(s *flawed) { s.waits = nil })}},
		{"reopened without its tombstones", "reopen", Options{Reopen: loses(func(s *flawed) { clear(s.tombs) })}},
		{"reopened without its last cut", "reopen", Options{Reopen: loses(func(s *flawed) { s.cuts = s.cuts[:len(s.cuts)-1] })}},
		{"reopened with another identity", "reopen", Options{Reopen: loses(func(s *flawed) { s.identity[0]++ })}},
		{"reopened without a register", "reopen", Options{Reopen: loses(func(s *flawed) { delete(s.registers, "holds") })}},
		{"a copy that is none", "copy", Options{Copy: same}},
		{"a second that is a copy", "second", Options{Second: apart}},
		{"two that swap apart", "swap-one-winner-two", Options{Second: apart}},
		{"two that release apart", "release-exclusive-two", Options{Second: apart}},
		{"two that accept apart", "together-two", Options{Second: apart}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			verdict := try(t, tt.clause, open, &tt.opts)
			if verdict == "" {
				t.Errorf("clause %s does not find it", tt.clause)
			}
			t.Log(verdict)
		})
	}
}

// TestEveryClauseFindsSomething sees that no clause is without a fault that it
// finds, but those that hold the rules and not the store.
func TestEveryClauseFindsSomething(t *testing.T) {
	finds := map[string]bool{
		"reopen": true, "copy": true, "second": true, "together-two": true, "swap-one-winner-two": true, "release-exclusive-two": true,
	}
	for _, f := range faults {
		finds[f.clause] = true
	}
	rules := []string{ // found by breaking package ledger itself; or, the last ones, by many faults at once
		"accept-partial", "cut-once", "cut-ahead", "foreign-not-grouped", "foreign-threshold", "limit-withdrawals", "padding-room", "withdrawal-groups",
		"withdrawal-before-number", "withdrawal-cancels", "withdrawal-by-others", "partners-only-rise", "roll-back", "erase-spares",
		"order-steps", "order-two-hands", "order-moved", "read-abandoned", "find-whole", "other-ledger", "clock-jumps", "order-of-uploads", "others-do-not-touch", "books-balance", "random-histories",
	}
	for _, name := range rules {
		if finds[name] {
			t.Errorf("clause %s is listed twice", name)
		}
		finds[name] = true
	}
	seen := map[string]bool{}
	for _, c := range clauses() {
		if seen[c.name] || c.must == "" || c.check == nil {
			t.Errorf("clause %s is there twice, or has no sentence or check", c.name)
		}
		seen[c.name] = true
		if !finds[c.name] {
			t.Errorf("no fault is found by clause %s", c.name)
		}
		delete(finds, c.name)
	}
	for name := range finds {
		t.Errorf("there is no clause %s", name)
	}
}

// TestSkips sees that a declared deviation is skipped, and nothing else, and
// that one which names no clause is noticed.
func TestSkips(t *testing.T) {
	opened := 0
	open := func(_ *testing.T, clock func() time.Time) ledger.Store { opened++; return newFlawed("", clock) }
	skip := map[string]string{}
	for _, c := range clauses() {
		if c.name != "clock" {
			skip[c.name] = "not what this test is about"
		}
	}
	if t.Run("suite", func(t *testing.T) { Test(t, open, &Options{Skip: skip}) }); opened != 1 {
		t.Errorf("%d stores were opened, want 1", opened)
	}
	opts := &Options{Skip: map[string]string{"clock": "", "no-such-clause": "", "Clock": ""}}
	if got := opts.strangers(); len(got) != 2 {
		t.Errorf("got %q, want the two that no clause is named", got)
	}
}

// TestFaultyPassesThrough holds the store whose calls fail on purpose to the
// suite while none is to fail.
func TestFaultyPassesThrough(t *testing.T) {
	Test(t, func(_ *testing.T, clock func() time.Time) ledger.Store {
		return Faulty(newFlawed("", clock), nil)
	}, &Options{Histories: 5})
}
