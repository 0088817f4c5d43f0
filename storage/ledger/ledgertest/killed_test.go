package ledgertest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
)

func TestMain(m *testing.M) {
	Victim(openFlawed)
	os.Exit(m.Run())
}

// openFlawed opens the ledger in a file, with the fault that its name begins with.
func openFlawed(ctx context.Context, path string, clock func() time.Time) (ledger.Store, error) {
	s, err := sqliteledger.Open(ctx, path, &sqliteledger.Options{Clock: clock})
	if err != nil {
		return nil, err
	}
	switch fault, _, _ := strings.Cut(filepath.Base(path), "."); fault {
	case "torn":
		return torn{s}, nil
	case "early":
		return &early{Store: s}, nil
	case "mortal":
		return mortal{s}, nil
	}
	return s, nil
}

// slowly is so long that a victim dies in it for certain, sooner or later.
const slowly = 50 * time.Millisecond

// torn accepts in two steps.
type torn struct{ *sqliteledger.Store }

func (s torn) Accept(ctx context.Context, in *ledger.Intake) error {
	first := *in
	first.Swaps = nil
	if err := s.Store.Accept(ctx, &first); err != nil {
		return err
	}
	time.Sleep(slowly)
	return s.Swap(ctx, in.Nonce, in.Swaps)
}

// early answers a swap before it makes it.
type early struct {
	*sqliteledger.Store
	swapping sync.Mutex
}

func (s *early) Swap(ctx context.Context, nonce ledger.Nonce, swaps []ledger.Swap) error {
	s.swapping.Lock()
	go func() {
		defer s.swapping.Unlock()
		time.Sleep(slowly)
		s.Store.Swap(ctx, nonce, swaps)
	}()
	return nil
}

func (s *early) Registers(ctx context.Context, prefix string) ([]ledger.Register, error) {
	s.swapping.Lock()
	defer s.swapping.Unlock()
	return s.Store.Registers(ctx, prefix)
}

// mortal cannot make a cut, of which the victim dies by itself.
type mortal struct{ *sqliteledger.Store }

func (mortal) Release(context.Context, *ledger.Release) (ledger.Cut, error) {
	return ledger.Cut{}, ErrFault
}

func TestKilledStore(t *testing.T) {
	TestKilled(t, filepath.Join(t.TempDir(), "ledger.db"), openFlawed, 6)
}

// TestKilledFinds gives processes to be killed whose ledger is not what it should be.
func TestKilledFinds(t *testing.T) {
	for _, tt := range []struct{ fault, want string }{
		{"torn", "keys are accepted, of"},
		{"early", "swaps are there"},
		{"mortal", "was not killed, but ended"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			place := filepath.Join(t.TempDir(), tt.fault+".db")
			if got := verdict(t, killedClause, func(j *jury) { newKilling(j, place, openFlawed).run(100) }); !strings.Contains(got, tt.want) {
				t.Errorf("it fails with %q, want %q", got, tt.want)
			}
		})
	}
}

// TestServerCrashFinds has a server lose what it has answered.
func TestServerCrashFinds(t *testing.T) {
	dir := t.TempDir()
	crashes := 0
	open := func(ctx context.Context, place string, clock func() time.Time) (ledger.Store, error) {
		return openFlawed(ctx, filepath.Join(dir, fmt.Sprint(place, crashes/3, ".db")), clock) // lost with the third crash
	}
	for n, want := range map[int]string{2: "", 3: "deliveries are there"} {
		crashes = 0
		place := fmt.Sprint("ledger-", n, "-")
		got := verdict(t, killedClause, func(j *jury) { newKilling(j, place, open).runServer(func() { crashes++ }, n) })
		if got == "" != (want == "") || !strings.Contains(got, want) {
			t.Errorf("after %d crashes it fails with %q, want %q", n, got, want)
		}
	}
}

func TestAnswers(t *testing.T) {
	before := answers{deliveries: 3, cuts: 2, swaps: 2, removed: 40}
	told := answers{deliveries: 1, cuts: 1, swaps: 0, removed: 10}
	for _, tt := range []struct {
		name  string
		there answers
		want  string
	}{
		{"what was answered", answers{4, 3, 2, 50}, ""},
		{"a step more", answers{4, 4, 2, 50}, ""},
		{"removed in the last step", answers{4, 3, 2, 90}, ""},
		{"a delivery lost", answers{3, 3, 2, 50}, "3 deliveries are there, 4 were answered"},
		{"a cut lost", answers{4, 2, 2, 50}, "2 cuts are there, 3 were answered"},
		{"a swap lost", answers{4, 3, 1, 50}, "1 swaps are there, 2 were answered"},
		{"a delivery for a cut", answers{5, 2, 2, 50}, "2 cuts are there, 3 were answered"},
		{"two steps more", answers{5, 3, 3, 50}, "2 steps more are there than were answered"},
		{"removed, and there again", answers{4, 3, 2, 49}, "49 keys are removed, 50 were answered"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.there.lacks(before, told); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestCheckLogFinds gives logs to check that are not sound, and one that is.
func TestCheckLogFinds(t *testing.T) {
	for _, tt := range []struct{ fault, want string }{
		{"", ""},
		{"not chained", "does not follow"},
		{"gap in the numbers", "of them are there"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			got := verdict(t, logClause, func(j *jury) {
				tr := newTrial(t, j, logClause, func(_ *testing.T, clock func() time.Time) ledger.Store { return newFlawed(tt.fault, clock) }, nil)
				tr.open(eager())
				for range 3 {
					tr.accept(ledger.Own, tr.keys("DE", 6)...)
					tr.cut()
				}
				tr.checkLog()
			})
			if got == "" != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("it fails with %q, want %q", got, tt.want)
			}
		})
	}
}
