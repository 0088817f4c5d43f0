package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/examples/internal/exposition"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing/jws"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// newMemory returns a ledger in memory with its clock.
func newMemory(t *testing.T) (*ledger.Ledger, *time.Time) {
	t.Helper()
	now := time.Date(2026, 3, 10, 9, 0, 0, 0, time.UTC)
	l, err := ledger.Open(t.Context(), memledger.New(&memledger.Options{Clock: func() time.Time { return now }}), &ledger.Options{Policy: new(hubPolicy())})
	if err != nil {
		t.Fatal(err)
	}
	return l, &now
}

// TestCountsShowHoursThatAreOver: nothing that is counted is seen before its hour
// is over.
func TestCountsShowHoursThatAreOver(t *testing.T) {
	now := time.Date(2026, 3, 10, 9, 59, 0, 0, time.UTC)
	c := newCounts(func() time.Time { return now })
	upload := func() {
		c.exchanged(&interop.Exchange{Nation: "ie", Receipt: &ledger.Receipt{Offered: 11, Accepted: 3, Revised: 1, Duplicates: 2, Rejected: make([]ledger.SetAside, 5), WithdrawalsTaken: 1, WithdrawalsKept: 1}})
	}
	page := &federation.Page{Keys: make([]keys.DiagnosisKey, 7)}
	upload()
	c.exchanged(&interop.Exchange{Nation: "ie", Page: page})
	c.exchanged(&interop.Exchange{Nation: "ie"}) // nothing new
	if got := c.tallies(); len(got) != 0 {
		t.Errorf("in the hour: %v", got)
	}
	now = now.Add(time.Minute)
	upload() // is not of the hour that is over
	want := tally{accepted: 4, duplicates: 2, rejected: 5, withdrawals: 2, keys: 7, batches: 1}
	if got := c.tallies()["ie"]; got != want {
		t.Errorf("after the hour: %+v, want %+v", got, want)
	}
	now = now.Add(59 * time.Minute)
	if got := c.tallies()["ie"]; got != want {
		t.Errorf("at the end of the next hour: %+v, want %+v", got, want)
	}
	now = now.Add(time.Minute)
	if got := c.tallies()["ie"]; got.accepted != 8 {
		t.Errorf("after the next hour: %+v", got)
	}
}

// TestSightings: where nations stand only moves ahead, whatever they look back at
// and whichever process stores it.
func TestSightings(t *testing.T) {
	l, now := newMemory(t)
	hub, err := federation.NewHub(l, &federation.HubOptions{Fresh: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	ie := &federation.Nation{Name: "ie", Region: keys.MustRegion("IE")}
	phones := keystest.New(1, &keystest.Options{Origins: []keys.Region{ie.Region}, EndOfPeriod: true})
	places := []federation.Place{{Day: federation.DayOf(*now)}}
	for i := range 4 {
		ks := phones.Keys(now.Add(-3*time.Hour), 2)[:2]
		if _, err := hub.Upload(t.Context(), ie, &federation.Incoming{Tag: fmt.Sprint(i), Keys: ks}); err != nil {
			t.Fatal(err)
		}
		*now = now.Add(5 * time.Minute)
		if _, err := hub.Release(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		page, err := hub.Download(t.Context(), ie, places[i])
		if err != nil || page == nil {
			t.Fatal(page, err)
		}
		places = append(places, page.Next)
	}
	one, other := newSightings(hub, l), newSightings(hub, l)
	expect := func(what string, s *sightings, want federation.Place) {
		t.Helper()
		all, err := s.all(t.Context())
		if err != nil || all["gi"].Asked != want {
			t.Errorf("%s: got %+v (%v), want %+v", what, all["gi"].Asked, err, want)
		}
	}
	asks := func(s *sightings, at federation.Place) { s.see(t.Context(), "gi", sighting{Asked: at}) }
	store := func(s *sightings) {
		t.Helper()
		if err := s.store(t.Context()); err != nil {
			t.Error(err)
		}
	}
	asks(one, places[0])
	expect("at first", one, places[0])
	asks(one, places[3])
	asks(one, places[1])
	expect("having looked back", one, places[3])
	asks(one, federation.Place{Day: places[0].Day, Tag: "unknown"})
	expect("with an unknown tag", one, places[3])
	one.see(t.Context(), "gi", sighting{Uploaded: hourOf(*now)})
	expect("having uploaded", one, places[3])
	expect("not stored", other, federation.Place{})
	store(one)
	expect("stored", other, places[3])
	asks(other, places[2])
	store(other)
	expect("with another server, further back", other, places[3])
	asks(other, places[4])
	asks(one, places[3])
	store(other)
	store(one)
	expect("both having stored", one, places[4])
	if len(one.unstored()) != 0 {
		t.Error("what was stored is kept")
	}
	all, err := other.all(t.Context())
	if err != nil || !all["gi"].Uploaded.Equal(hourOf(*now)) {
		t.Errorf("the upload: %+v (%v)", all["gi"], err)
	}
	before, err := l.Registers(t.Context(), seenPrefix)
	if err != nil {
		t.Fatal(err)
	}
	asks(one, places[1])
	store(one)
	after, err := l.Registers(t.Context(), seenPrefix)
	if err != nil || after[0].Version != before[0].Version {
		t.Error("what changes nothing is stored")
	}
}

// TestNobodyIsAhead: a nation that asks by a day to come stands at today.
func TestNobodyIsAhead(t *testing.T) {
	l, now := newMemory(t)
	ledgerClock = func() time.Time { return *now }
	defer func() { ledgerClock = nil }()
	hub, err := federation.NewHub(l, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{sightings: newSightings(hub, l), counts: newCounts(clock)}
	s.granted(&interop.Exchange{Nation: "gi", Asked: federation.Place{Day: federation.DayOf(*now) + 1000}})
	want := sighting{Asked: federation.Place{Day: federation.DayOf(*now)}, Downloaded: hourOf(*now)}
	if got := s.sightings.unstored()["gi"]; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestNothingIsRemovedByAClockThatJumped ahead: it makes no cut either.
func TestNothingIsRemovedByAClockThatJumped(t *testing.T) {
	l, now := newMemory(t)
	hub, err := federation.NewHub(l, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{options: &options{every: time.Hour}, log: slog.New(slog.DiscardHandler), ledger: l, hub: hub, sightings: newSightings(hub, l), monitor: &monitor{}}
	s.office = &office{ledger: l, hub: hub, registry: newRegistry(l)}
	stop := make(chan struct{})
	close(stop)
	tick := func() {
		t.Helper()
		if err := s.tick(t.Context(), stop); err != nil {
			t.Fatal(err)
		}
	}
	gi := federation.Nation{Name: "gi", Region: keys.MustRegion("GI")}
	ks := keystest.New(1, &keystest.Options{Origins: []keys.Region{gi.Region}, EndOfPeriod: true}).Keys(now.Add(-3*time.Hour), 5)
	if _, err := hub.Upload(t.Context(), &gi, &federation.Incoming{Tag: "a", Keys: ks}); err != nil {
		t.Fatal(err)
	}
	tick()
	before := *now
	*now = before.AddDate(0, 2, 0)
	tick()
	*now = before.Add(5 * time.Minute)
	tick()
	page, err := hub.Download(t.Context(), &federation.Nation{Name: "ie", Region: keys.MustRegion("IE")}, federation.Place{})
	if err != nil || page == nil || len(page.Keys) != len(ks) {
		t.Errorf("got %v, %v, want the %d keys that were there", page, err, len(ks))
	}
}

// TestHealth: a server that makes no cuts is not well.
func TestHealth(t *testing.T) {
	l, _ := newMemory(t)
	m := &monitor{ledger: l, log: func(error) {}}
	for _, tt := range []struct {
		name  string
		state *releaseState
		well  bool
	}{
		{"not looked yet", nil, false},
		{"just now", &releaseState{at: time.Now()}, true},
		{"failed", &releaseState{at: time.Now(), err: errors.New("no")}, false},
		{"long ago", &releaseState{at: time.Now().Add(-patience - time.Second)}, false},
	} {
		m.released.Store(tt.state)
		if err := m.check(t.Context()); (err == nil) != tt.well {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestLastUploadIsShownLate: the hour of an upload is shown when it is over.
func TestLastUploadIsShownLate(t *testing.T) {
	l, now := newMemory(t)
	hub, err := federation.NewHub(l, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := &monitor{hub: hub, ledger: l, registry: newRegistry(l), sightings: newSightings(hub, l), counts: newCounts(func() time.Time { return *now })}
	err = m.registry.change(t.Context(), "ie", func(n *nation) error {
		n.Region, n.Downloads = keys.MustRegion("IE"), true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	uploaded := *now
	m.sightings.see(t.Context(), "ie", sighting{Uploaded: hourOf(uploaded)})
	for _, after := range []time.Duration{0, 59 * time.Minute, time.Hour} {
		*now = uploaded.Add(after)
		var text strings.Builder
		if err := m.nations(t.Context(), exposition.New(&text)); err != nil {
			t.Fatal(err)
		}
		shown := strings.Contains(text.String(), fmt.Sprintf("\nfederation_last_upload_timestamp_seconds{nation=\"ie\"} %s\n", strconv.FormatFloat(float64(uploaded.Unix()), 'g', -1, 64)))
		if shown != (after == time.Hour) {
			t.Errorf("after %s it is shown: %t\n%s", after, shown, &text)
		}
	}
}

// TestManySightings are stored in several steps.
func TestManySightings(t *testing.T) {
	l, _ := newMemory(t)
	hub, err := federation.NewHub(l, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := newSightings(hub, l)
	for i := range 2*maxStored + 1 {
		s.see(t.Context(), ledger.Source(fmt.Sprint("n", i)), sighting{Asked: federation.Place{Day: 5}})
	}
	if err := s.store(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, _, err := s.stored(t.Context())
	if err != nil || len(all) != 2*maxStored+1 || len(s.unstored()) != 0 {
		t.Errorf("%d are stored (%v), and %d not", len(all), err, len(s.unstored()))
	}
}

// TestRegistry has several change one nation at the same time, and nations whose
// ids begin alike told apart.
func TestRegistry(t *testing.T) {
	l, _ := newMemory(t)
	g := newRegistry(l)
	add := func(id ledger.Source) {
		t.Helper()
		err := g.change(t.Context(), id, func(n *nation) error {
			n.Region, n.Downloads = keys.MustRegion("IE"), true
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	add("ie2")
	if _, _, err := g.find(t.Context(), "ie"); !errors.Is(err, interop.ErrUnknownNation) {
		t.Errorf("ie: got %v, want no such nation", err)
	}
	add("ie")
	if n, _, err := g.find(t.Context(), "ie"); err != nil || n.ID != "ie" {
		t.Errorf("ie: got %+v, %v", n, err)
	}
	if _, _, err := g.find(t.Context(), "../ie"); !errors.Is(err, interop.ErrUnknownNation) {
		t.Errorf("got %v, want no such nation", err)
	}
	calls := 0
	err := g.change(t.Context(), "ie", present(func(n *nation) error {
		if calls++; calls == 1 { // another is quicker
			return newRegistry(l).change(t.Context(), "ie", func(n *nation) error { n.Extended = true; return nil })
		}
		n.Withdrawals = true
		return nil
	}))
	if n, _, found := g.find(t.Context(), "ie"); err != nil || found != nil || calls != 2 || !n.Extended || !n.Withdrawals {
		t.Errorf("two changes at once: %+v, %v, %v", n, err, found)
	}
	var group sync.WaitGroup
	for i := range 5 {
		group.Go(func() {
			err := newRegistry(l).change(context.Background(), "ie", present(func(n *nation) error {
				n.Tokens = append(n.Tokens, issuedToken{ID: fmt.Sprint(i), Expires: time.Now()})
				return nil
			}))
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	n, _, err := g.find(t.Context(), "ie")
	if err != nil || len(n.Tokens) != 5 {
		t.Errorf("%d tokens (%v), want 5", len(n.Tokens), err)
	}
	if all, err := g.all(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("%d nations (%v), want 2", len(all), err)
	}
}

// TestRefuses: which tokens a nation no longer has.
func TestRefuses(t *testing.T) {
	at := time.Date(2026, 3, 10, 9, 0, 0, 0, time.UTC)
	claims := func(id string, issued time.Time) jws.Claims {
		return jws.Claims{Nation: "ie", TokenID: id, IssuedAt: issued, ExpiresAt: issued.Add(time.Hour)}
	}
	n := &nation{ID: "ie", Region: keys.MustRegion("IE")}
	n.issued(claims("a", at), at)
	n.issued(claims("b", at.Add(time.Minute)), at)
	if n.refuses(claims("a", at)) || n.refuses(claims("", at)) {
		t.Error("a token is refused that is good")
	}
	if err := n.revoke("a", at); err != nil {
		t.Fatal(err)
	}
	if !n.refuses(claims("a", at)) || n.refuses(claims("b", at)) {
		t.Error("one token was revoked, not the other")
	}
	n.revokeAll(at) // by a clock that is behind the one that issued b
	if !n.refuses(claims("b", at.Add(time.Minute))) || !n.refuses(claims("", at)) || n.refuses(claims("c", at.Add(61*time.Second))) {
		t.Error("all tokens there were are revoked, and no other")
	}
	n.issued(claims("d", at), at)
	n.issued(claims("e", at.Add(48*time.Hour)), at.Add(48*time.Hour))
	if len(n.Tokens) != 1 || n.Tokens[0].ID != "e" {
		t.Errorf("tokens that have expired are kept: %+v", n.Tokens)
	}
	n.remove(at)
	if !n.refuses(claims("e", at.Add(48*time.Hour))) || !n.refuses(claims("x", at.Add(100*time.Hour))) {
		t.Error("a nation that was removed has a token")
	}
}

// TestWatched: a value follows its files, and stays while they cannot be read.
func TestWatched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "value")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	put("1")
	reads, failures := 0, 0
	w, err := watch([]string{path}, func() (string, error) {
		reads++
		text, err := os.ReadFile(path)
		if string(text) == "bad" {
			err = errors.New("bad")
		}
		return string(text), err
	}, func(error) { failures++ })
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want string) {
		t.Helper()
		for range 3 {
			if got := w.get(); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
	expect("1")
	put("2")
	expect("2")
	put("bad")
	expect("2")
	put("3")
	expect("3")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expect("3")
	if reads != 9 || failures != 2 {
		t.Errorf("%d reads and %d failures, want 9 and 2", reads, failures)
	}
}

// TestWatchedIsReadWhenItCanBe: a file that nobody may read but by mistake everybody, or
// that this process may not, is followed once that is mended, which changes nothing in it.
func TestWatchedIsReadWhenItCanBe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token-secrets")
	if _, err := readOrMakeSecrets(path); err != nil {
		t.Fatal(err)
	}
	failures := 0
	w, err := watch([]string{path}, func() ([]jws.SecretKey, error) { return readSecrets(path) }, func(error) { failures++ })
	if err != nil {
		t.Fatal(err)
	}
	next := newSecret()
	if err := os.WriteFile(path, []byte(formatSecrets([]jws.SecretKey{next})+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := w.get(); got[0].ID == next.ID || failures != 1 {
		t.Errorf("of a file that everybody can read: taken %t, %d failures", got[0].ID == next.ID, failures)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := w.get(); len(got) != 1 || got[0].ID != next.ID || failures != 1 {
		t.Errorf("the secret that was dropped is still good, %d failures", failures)
	}
}

// TestSecretsAreMadeOnce: of several who need them first, all get the same.
func TestSecretsAreMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets")
	all := make([]string, 8)
	var group sync.WaitGroup
	for i := range all {
		group.Go(func() {
			made, err := readOrMakeSecrets(path)
			if err != nil {
				t.Error(err)
			}
			all[i] = formatSecrets(made)
		})
	}
	group.Wait()
	if len(slices.Compact(all)) != 1 {
		t.Error("they differ")
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files are left (%v), want 1", len(entries), err)
	}
	if err := os.WriteFile(path+".new", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err = changeSecrets(path, func(all []jws.SecretKey) ([]jws.SecretKey, error) { return all, nil })
	if !errors.Is(err, os.ErrExist) {
		t.Errorf("two changes at once: got %v", err)
	}
}

// FuzzSecrets: what is read as secrets is written and read again as the same.
func FuzzSecrets(f *testing.F) {
	f.Add(formatSecrets([]jws.SecretKey{newSecret(), newSecret()}))
	f.Add("a AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseSecrets(text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q", err)
			}
			return
		}
		again, err := parseSecrets(formatSecrets(all))
		if err != nil || formatSecrets(again) != formatSecrets(all) {
			t.Errorf("read again as something else (%v)", err)
		}
	})
}

// TestThresholdFlags are a policy of the ledger, checked as one.
func TestThresholdFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		keys int
		wait time.Duration
		bad  string
	}{
		{nil, 0, 0, ""},
		{[]string{"-min-keys", "1000", "-longest-wait", "2h"}, 1000, 2 * time.Hour, ""},
		{[]string{"-min-keys", "-1"}, 0, 0, "MinForeignKeys"},
		{[]string{"-longest-wait", "2h"}, 0, 0, "ForeignWait"},
	} {
		o, err := serveOptions(c.args, io.Discard)
		if c.bad != "" {
			if !errors.Is(err, errUsage) || !strings.Contains(err.Error(), c.bad) {
				t.Errorf("%v: got %v", c.args, err)
			}
			continue
		}
		if p := o.policy(); err != nil || p.MinForeignKeys != c.keys || p.ForeignWait != c.wait || o.policyGiven != (len(c.args) > 0) {
			t.Errorf("%v: got %v, %v", c.args, p, err)
		}
	}
}

// TestAllowGap: after an outage the first cut, and no other, may be late.
func TestAllowGap(t *testing.T) {
	l, now := newMemory(t)
	hub, err := federation.NewHub(l, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{
		options: &options{every: time.Hour}, log: slog.New(slog.DiscardHandler), ledger: l, hub: hub,
		sightings: newSightings(hub, l), monitor: &monitor{},
		office: &office{ledger: l, hub: hub, registry: newRegistry(l)},
	}
	stopped := make(chan struct{})
	close(stopped)
	for _, c := range []struct {
		after time.Duration
		allow bool
		made  bool
	}{{5 * time.Minute, false, true}, {25 * time.Hour, false, false}, {5 * time.Minute, true, true}, {0, true, false}, {25 * time.Hour, false, false}} {
		*now = now.Add(c.after)
		before, err := l.Log(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		s.allowGap = c.allow
		if err := s.tick(t.Context(), stopped); err != nil {
			t.Fatal(err)
		}
		after, err := l.Log(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if made := after.Last.Seq > before.Last.Seq; made != c.made {
			t.Errorf("%s later, a gap allowed %t: a cut was made %t", c.after, c.allow, made)
		}
	}
}
