package ledger_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// accounts returns what the ledger says of a key.
func (s *setup) accounts(in ledger.Inquiry) []*ledger.Account {
	s.t.Helper()
	all, err := s.Account(s.t.Context(), in)
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// account returns what it says of the one unit of a key.
func (s *setup) account(k keys.DiagnosisKey) *ledger.Account {
	s.t.Helper()
	all := s.accounts(ledger.Inquiry{KeyData: k.KeyData, RollingStartIntervalNumber: k.RollingStartIntervalNumber})
	if len(all) != 1 {
		s.t.Fatalf("%d accounts, want 1", len(all))
	}
	return all[0]
}

func (s *setup) order(f func() (*ledger.OperatorReceipt, error)) {
	s.t.Helper()
	if r, err := f(); err != nil || r.Done == 0 {
		s.t.Fatalf("%+v, %v", r, err)
	}
}

// wants holds the status of a key's one unit, and what it waits for, against want.
func (s *setup) wants(k keys.DiagnosisKey, want string) {
	s.t.Helper()
	a := s.account(k)
	words := []string{string(a.Status), a.Pending}
	for _, o := range a.Obstacles {
		words = append(words, string(o.Kind))
	}
	if got := strings.Join(strings.Fields(strings.Join(words, " ")), " "); got != want {
		s.t.Errorf("the account says %q, want %q", got, want)
	}
	// Whatever the account says of the next cut, that is what the next cut does.
	before := len(s.unit(k).Events)
	s.release()
	if took := len(s.unit(k).Events) > before; took != (a.Pending != "" && len(a.Obstacles) == 0) {
		s.t.Errorf("%s: the next cut took it: %t", want, took)
	} else if took && !a.NextCut.Equal(s.now) {
		s.t.Errorf("%s: taken by the cut of %s, said %s", want, s.now, a.NextCut)
	}
}

// TestAccountOfWaiting: why the next cut does not take a key, and that it does what
// is said.
func TestAccountOfWaiting(t *testing.T) {
	policy := ledger.DefaultPolicy()
	policy.MinKeys, policy.MinUploads, policy.LongestWait, policy.Quota = 2, 2, 3*time.Hour, 7
	policy.MinWithdrawnUploads, policy.WithdrawalWait = 2, 2*time.Hour
	s := open(t, &ledger.Options{Policy: &policy})
	s.release()
	k := s.key()
	s.accept(ledger.Own, "u", k)
	first := s.now.Add(time.Hour)
	if a := s.account(k); len(a.Obstacles) != 1 || a.Obstacles[0].Keys != 1 || a.Obstacles[0].Uploads != 1 ||
		!a.Obstacles[0].Until.Equal(first.Add(3*time.Hour)) || !a.NextCut.IsZero() {
		t.Errorf("got %+v", a)
	}
	s.wants(k, "waiting new threshold")
	other := s.key()
	s.accept(ledger.Own, "v", other)
	s.wants(k, "waiting new")
	s.wants(k, "active")
	s.order(func() (*ledger.OperatorReceipt, error) { return s.Withdraw(t.Context(), ledger.IDOf(&k)) })
	s.wants(k, "active withdrawal threshold")
	s.wants(k, "active withdrawal threshold")
	s.wants(k, "active withdrawal") // the longest wait has passed
	s.wants(k, "withdrawn")
	s.order(func() (*ledger.OperatorReceipt, error) { return s.Reinstate(t.Context(), ledger.IDOf(&k)) })
	s.hold(ledger.Holds{Origins: []keys.Region{k.Origin}})
	s.wants(k, "withdrawn change hold")
	s.resume(ledger.Holds{Origins: []keys.Region{k.Origin}})
	s.wants(k, "withdrawn change")
	s.wants(k, "active")

	today := s.key() // whose period is not over yet
	today.RollingStartIntervalNumber = keys.StartOfDay(keys.IntervalAt(s.now).Day())
	s.accept("hub", "b", today)
	a := s.account(today)
	if want := today.End().Add(keys.Embargo + time.Hour); len(a.Obstacles) != 1 || !a.Obstacles[0].Until.Equal(want) || !a.Due.Equal(want) {
		t.Errorf("got %+v, want the embargo to end at %s", a, want)
	}
	s.wants(today, "waiting new embargo")
	s.hold(ledger.Holds{Sources: []ledger.Source{"hub"}})
	s.wants(today, "waiting new embargo hold")
	var last keys.DiagnosisKey
	for range 8 {
		last = s.key()
		s.accept("flood", "f", last)
	}
	s.wants(last, "waiting new quota")
	never := s.key()
	s.accept(ledger.Own, "n", never)
	s.order(func() (*ledger.OperatorReceipt, error) { return s.RollBack(t.Context(), "n") })
	s.wants(never, "never")
}

func (s *setup) hold(h ledger.Holds) {
	s.t.Helper()
	if err := s.Hold(s.t.Context(), h); err != nil {
		s.t.Fatal(err)
	}
}

func (s *setup) resume(h ledger.Holds) {
	s.t.Helper()
	if err := s.Resume(s.t.Context(), h); err != nil {
		s.t.Fatal(err)
	}
}

// TestAccountOfRoom: where a cut cannot take a whole group.
func TestAccountOfRoom(t *testing.T) {
	policy := ledger.DefaultPolicy()
	policy.MinKeys, policy.MinUploads, policy.MaxCut = 0, 0, 1
	s := open(t, &ledger.Options{Policy: &policy})
	s.release()
	k := s.key()
	s.accept(ledger.Own, "u", k, s.key())
	if a := s.account(k); len(a.Obstacles) != 1 || a.Obstacles[0].Kind != ledger.ObstacleRoom {
		t.Errorf("got %+v", a)
	}
	s.release()
	s.release()
	if a := s.account(k); a.Status != ledger.StatusActive {
		t.Errorf("got %+v", a)
	}
}

// TestAccountOfClaims: by whom a key was brought, what its cuts said of it, and who
// took it back.
func TestAccountOfClaims(t *testing.T) {
	s := open(t, nil)
	k := s.key()
	k.ReportType = keys.Some(keys.ReportSelfReport)
	s.now = s.now.Add(10 * time.Minute)
	s.accept("hub", "batch", k)
	s.release()
	k.ReportType = keys.Some(keys.ReportConfirmedTest)
	s.accept(ledger.Own, "upload", k)
	s.release()
	s.withdraw("hub", k)
	s.release()
	a := s.account(k)
	want := []ledger.ClaimAccount{
		{Source: "hub", Upload: "batch", By: noon.Add(time.Hour), ReportType: keys.Some(keys.ReportSelfReport), Consent: keys.ConsentGiven},
		{Source: ledger.Own, Upload: "upload", By: noon.Add(2 * time.Hour), ReportType: keys.Some(keys.ReportConfirmedTest), Consent: keys.ConsentGiven},
	}
	if !slices.Equal(a.Claims, want) {
		t.Errorf("claims: got %+v, want %+v", a.Claims, want)
	}
	events := []ledger.EventAccount{
		{Cut: 1, Time: noon.Add(time.Hour), Own: "active", Partners: "active", ReportType: keys.Some(keys.ReportSelfReport), Sources: "hub"},
		{Cut: 2, Time: noon.Add(2 * time.Hour), Own: "active", Partners: "active", ReportType: keys.Some(keys.ReportConfirmedTest), Sources: "hub,own"},
		{Cut: 3, Time: noon.Add(3 * time.Hour), Own: "withdrawn", Partners: "withdrawn", ReportType: keys.Some(keys.ReportConfirmedTest), Sources: "hub,own"},
	}
	if !slices.Equal(a.Events, events) {
		t.Errorf("events: got %+v, want %+v", a.Events, events)
	}
	if !a.Own || a.Status != ledger.StatusWithdrawn || !slices.Equal(a.Withdrawn, []ledger.Source{"hub", ledger.Own}) || a.Padding || a.Erase {
		t.Errorf("got %+v", a)
	}
	if !a.Start.Equal(k.RollingStartIntervalNumber.Time()) || !a.End.Equal(k.End()) {
		t.Errorf("used from %s to %s", a.Start, a.End)
	}
}

// TestAccountOfWhatIsNotThere: kept withdrawals, keys set aside, tombstones, other
// origins, and what is not known at all.
func TestAccountOfWhatIsNotThere(t *testing.T) {
	s := open(t, nil)
	at := keys.MustRegion("AT")
	awaited, bad, gone, twice := s.key(), s.key(), s.key(), s.key()
	s.withdraw("hub", awaited)
	bad.RollingPeriod = 0
	s.accept("hub", "b", bad)
	gone.RollingStartIntervalNumber -= 144 * 13
	sibling := twice
	sibling.Origin = at
	s.accept("hub", "b", twice)
	s.accept("hub", "c", sibling)
	status := func(in ledger.Inquiry) string {
		var words []string
		for _, a := range s.accounts(in) {
			words = append(words, a.Origin.String()+" "+string(a.Status))
		}
		return strings.Join(words, ", ")
	}
	for _, tt := range []struct {
		name string
		in   ledger.Inquiry
		want string
	}{
		{"a withdrawal before its key", ledger.Inquiry{KeyData: awaited.KeyData, Origin: awaited.Origin}, "DE awaited"},
		{"the same, of no origin", ledger.Inquiry{KeyData: awaited.KeyData}, " unknown"},
		{"set aside", ledger.Inquiry{KeyData: bad.KeyData}, "DE set-aside"},
		{"set aside, of an origin", ledger.Inquiry{KeyData: bad.KeyData, Origin: bad.Origin}, "DE set-aside"},
		{"two origins", ledger.Inquiry{KeyData: twice.KeyData}, "AT waiting, DE waiting"},
		{"two origins, of one", ledger.Inquiry{KeyData: twice.KeyData, Origin: at}, "AT waiting, DE waiting"},
		{"unknown", ledger.Inquiry{KeyData: s.key().KeyData, Origin: at, RollingStartIntervalNumber: gone.RollingStartIntervalNumber}, "AT unknown"},
		{"too old", ledger.Inquiry{KeyData: s.key().KeyData, Origin: at, RollingStartIntervalNumber: gone.RollingStartIntervalNumber - 2*144}, "AT too-old"},
	} {
		if got := status(tt.in); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	a := s.accounts(ledger.Inquiry{KeyData: bad.KeyData})[0]
	if len(a.SetAside) != 1 || a.SetAside[0].Field != keys.FieldRollingPeriod || a.SetAside[0].Source != "hub" {
		t.Errorf("set aside: %+v", a)
	}
	if a := s.accounts(ledger.Inquiry{KeyData: awaited.KeyData, Origin: awaited.Origin})[0]; !slices.Equal(a.Kept, []ledger.Source{"hub"}) {
		t.Errorf("kept: %+v", a)
	}
	if _, err := s.Account(t.Context(), ledger.Inquiry{}); err == nil {
		t.Error("there is an account of no key")
	}
	// Withdrawn, removed, and refused.
	up := s.key()
	s.accept(ledger.Own, "e", up)
	s.release()
	s.order(func() (*ledger.OperatorReceipt, error) { return s.Erase(t.Context(), "e") })
	s.release()
	if _, err := s.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := status(ledger.Inquiry{KeyData: up.KeyData, Origin: up.Origin}); got != "DE removed" {
		t.Errorf("erased: got %q", got)
	}
}

// TestAccountChangesNothing: to look at the next cut stores nothing.
func TestAccountChangesNothing(t *testing.T) {
	s := open(t, nil)
	k := s.key()
	s.accept(ledger.Own, "u", k)
	before, err := s.Log(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	s.account(k)
	after, err := s.Log(t.Context(), 0)
	if err != nil || fmt.Sprint(*before) != fmt.Sprint(*after) || s.unit(k).Released() {
		t.Errorf("the log was %+v and is %+v, %v", before, after, err)
	}
}

// TestAccountHoldsNoKey: neither printed nor marshalled.
func TestAccountHoldsNoKey(t *testing.T) {
	s := open(t, nil)
	k := s.key()
	s.accept(ledger.Own, "u", k)
	s.release()
	in := ledger.Inquiry{KeyData: k.KeyData}
	a := s.account(k)
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(text), fmt.Sprintf("%v %+v %#v", a, a, *a), fmt.Sprintf("%v %+v", in, &in)} {
		if form := keystest.Leak(text, k.KeyData); form != "" {
			t.Errorf("key data as %s", form)
		}
	}
}

// TestFamilies: as a whole read of the log yields them, whether one asks for some or
// for many.
func TestFamilies(t *testing.T) {
	s := open(t, nil)
	var all []keys.KeyData
	origins := []keys.Region{keys.MustRegion("DE"), keys.MustRegion("AT"), keys.MustRegion("FR")}
	for i := range 600 {
		k := s.key()
		all = append(all, k.KeyData)
		for j := range i % 4 {
			k.Origin = origins[(i/4+j)%3]
			s.accept([]ledger.Source{"hub", ledger.Own, "hub-b"}[(i/3+j)%3], fmt.Sprint(i, j), k)
			if i%5 == j {
				s.now = s.now.Add(time.Second)
			}
			if i%7 == j && i%60 == 0 {
				s.release()
			}
		}
	}
	s.release()
	late := s.key()
	s.accept(ledger.Own, "late", late) // has no number
	all = append(all, late.KeyData)
	want := map[keys.KeyData]string{}
	for u, err := range s.Read(t.Context(), 0, 1<<40) {
		if err != nil {
			t.Fatal(err)
		}
		want[u.Key.KeyData] = family(u)
	}
	want[late.KeyData] = "DE[]"
	for _, n := range []int{3, 500, len(all)} {
		got, err := s.Families(t.Context(), append(all[len(all)-n:], all[len(all)-1], keys.KeyData{})...)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[keys.KeyData]bool{}
		for _, u := range got {
			if family(u) != want[u.Key.KeyData] || len(u.Claims) == 0 || seen[u.Key.KeyData] {
				t.Fatalf("got %s with %d claims, want %s", family(u), len(u.Claims), want[u.Key.KeyData])
			}
			seen[u.Key.KeyData] = true
		}
		for _, k := range all[len(all)-n:] {
			if seen[k] != (want[k] != "") {
				t.Fatalf("of %d: found %t, want %s", n, seen[k], want[k])
			}
		}
	}
}

// family is a unit and its siblings in their order.
func family(u *ledger.Unit) string {
	text := u.Key.Origin.String() + fmt.Sprint(u.Events)
	for i := range u.Siblings {
		text += " " + family(&u.Siblings[i])
	}
	return text
}
