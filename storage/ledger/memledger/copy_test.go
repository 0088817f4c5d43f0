package memledger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

func TestClockOfTheMachine(t *testing.T) {
	before := time.Now().Add(-time.Second)
	log, err := memledger.New(nil).Log(t.Context(), 0)
	if err != nil || log.Replay || log.Now.Before(before) || log.Now.After(time.Now().Add(time.Second)) {
		t.Errorf("got %+v, %v; want the time of the machine", log, err)
	}
}

// TestCopyGoesItsOwnWay changes the copy and the original in every way and
// looks at the other.
func TestCopyGoesItsOwnWay(t *testing.T) {
	now := time.Date(2021, 1, 10, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	store := memledger.New(&memledger.Options{Clock: clock})
	up := keystest.New(1, &keystest.Options{EndOfPeriod: true}).Upload(now.Add(-time.Minute))
	begin(t, store, up)
	now = now.Add(time.Hour)
	for range 3 { // slices with room to spare are where a copy may still share
		release(t, store)
		now = now.Add(time.Hour)
	}
	accept(t, openAround(t, store), ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: "later", Keys: up.Keys[1:2]}}})
	now = now.Add(time.Hour)
	for _, twin := range []*memledger.Store{store.Copy(), store.CopyWithClock(clock)} {
		for _, pair := range [][2]*memledger.Store{{store.Copy(), twin}, {twin, store}} {
			for _, s := range pair {
				found := 0
				for range openAround(t, s).Find(t.Context(), ledger.Query{Upload: "later"}) {
					found++
				}
				if found != 1 {
					t.Errorf("%d units are found by an upload's name, want 1", found)
				}
			}
			before := content(t, pair[1], up)
			goOn(t, pair[0], up)
			if after := content(t, pair[1], up); after != before {
				t.Errorf("a change of one shows in the other:\n%s\n%s", before, after)
			}
			if content(t, pair[0], up) == before {
				t.Error("the change does not show where it was made")
			}
		}
	}
	later := now.Add(time.Hour)
	if log, _ := store.CopyWithClock(func() time.Time { return later }).Log(t.Context(), 0); !log.Now.Equal(later) || !log.Replay {
		t.Errorf("the copy's clock shows %s, want %s", log.Now, later)
	}
}

// openAround opens the ledger of a store, whose next cut takes everything.
func openAround(t *testing.T, store *memledger.Store) *ledger.Ledger {
	t.Helper()
	p := ledger.DefaultPolicy()
	p.MinKeys, p.MinUploads, p.MinWithdrawnUploads = 0, 0, 0
	l, err := ledger.Open(t.Context(), store, &ledger.Options{Policy: &p})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func accept(t *testing.T, l *ledger.Ledger, d ledger.Delivery) {
	t.Helper()
	if _, err := l.Accept(t.Context(), &d); err != nil {
		t.Fatal(err)
	}
}

// begin leaves something of every kind in a store: the keys of the upload
// wait, but for the second, and for the last, which is kept as withdrawn by two.
func begin(t *testing.T, store *memledger.Store, up keystest.Upload) {
	t.Helper()
	l := openAround(t, store)
	last, bad := up.Keys[len(up.Keys)-1], up.Keys[0]
	bad.RollingPeriod = 0
	for _, source := range []ledger.Source{"p", "q"} {
		accept(t, l, ledger.Delivery{Source: source, Withdrawals: []ledger.UnitID{ledger.IDOf(&last)}})
	}
	accept(t, l, ledger.Delivery{
		Source:  ledger.Own,
		Uploads: []ledger.Upload{{ID: up.ID, Keys: append(up.Keys[2:len(up.Keys)-1:len(up.Keys)-1], up.Keys[0])}, {ID: "bad", Keys: []keys.DiagnosisKey{bad}}},
		Swaps:   []ledger.Swap{{Name: "cursor", Value: []byte("1")}},
	})
}

// release makes the next cut.
func release(t *testing.T, store *memledger.Store) {
	t.Helper()
	if r, err := openAround(t, store).Release(t.Context(), nil); err != nil || r == nil {
		t.Fatalf("the cut is %+v, %v", r, err)
	}
}

// goOn changes something of every kind.
func goOn(t *testing.T, store *memledger.Store, up keystest.Upload) {
	t.Helper()
	l := openAround(t, store)
	accept(t, l, ledger.Delivery{Source: "p", Uploads: []ledger.Upload{{ID: "batch", Keys: up.Keys[2:]}}})
	for _, upload := range []string{"bad", up.ID} {
		if _, err := l.Erase(t.Context(), upload); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := l.Release(t.Context(), nil); err != nil || r.Gone == 0 || r.New != 1 {
		t.Fatalf("the cut is %+v, %v", r, err)
	}
	if r, err := l.Prune(t.Context()); err != nil || r.Removed == 0 {
		t.Fatalf("pruning gives %+v, %v", r, err)
	}
	if err := l.Hold(t.Context(), ledger.Holds{Sources: []ledger.Source{"p"}}); err != nil {
		t.Fatal(err)
	}
}

// content prints what a store holds of an upload, so that two can be told apart.
func content(t *testing.T, store *memledger.Store, up keystest.Upload) string {
	t.Helper()
	log, err := store.Log(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	registers, err := store.Registers(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{fmt.Sprint(log.Cuts), fmt.Sprint(log.Tallies), fmt.Sprint(registers)}
	for i := range up.Keys {
		id := ledger.IDOf(&up.Keys[i])
		for rec, err := range store.Find(t.Context(), ledger.Query{Unit: &id, SetAside: true}) {
			lines = append(lines, fmt.Sprint(i, rec, err))
		}
	}
	for u, err := range store.Read(t.Context(), 0, log.Last.Last) {
		lines = append(lines, fmt.Sprint(u, err))
	}
	return strings.Join(lines, "\n")
}

func TestPrintsNothingOfWhatItKeeps(t *testing.T) {
	now := time.Date(2021, 1, 10, 12, 0, 0, 0, time.UTC)
	store := memledger.New(&memledger.Options{Clock: func() time.Time { return now }})
	begin(t, store, keystest.New(3, &keystest.Options{EndOfPeriod: true}).Upload(now.Add(-time.Minute)))
	log, err := store.Log(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		for _, v := range []any{store, struct{ S *memledger.Store }{store}, []ledger.Store{store}} {
			want := "memledger.Store(" + log.Identity.String() + ")"
			if got := fmt.Sprintf(verb, v); len(got) > len(want)+60 || !strings.Contains(got, want) {
				t.Errorf("%s of %T prints %d bytes, want %s", verb, v, len(got), want)
			}
		}
	}
}
