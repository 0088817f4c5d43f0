package sqliteledger_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
)

// TestKilled kills a process that writes, again and again in the middle of
// whatever it does, and expects that everything it was answered is there, that
// the next delivery is there whole or not at all, and that the ledger is sound.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	r := rand.New(rand.NewPCG(1, 9))
	var before answers
	kills := volume(25, 4)
	for i := range kills {
		told := kill(t, path, time.Duration(r.IntN(volume(150, 1500)))*time.Millisecond)
		after := examine(t, path)
		if missing := after.lacks(before, told); missing != "" {
			t.Fatalf("after kill %d: %s\nbefore %+v\ntold   %+v\nthere  %+v", i+1, missing, before, told, after)
		}
		before = after
	}
	if before.deliveries < int64(kills) || before.cuts < int64(kills) || before.removed == 0 {
		t.Errorf("too little happened to tell: %+v", before)
	}
	checkIntegrity(t, path)
}

// answers are what a victim has been answered, or what is there.
type answers struct {
	deliveries, cuts, swaps, removed int64
	lastCut                          ledger.Position
}

// lacks says what is not there of what was there before and of what a victim
// has been told since. What it was killed in may be there or not.
func (a answers) lacks(before, told answers) string {
	for _, x := range []struct {
		what            string
		there, answered int64
	}{
		{"deliveries", a.deliveries, before.deliveries + told.deliveries},
		{"cuts", a.cuts, before.cuts + told.cuts},
		{"swaps", a.swaps, before.swaps + told.swaps},
	} {
		if x.there != x.answered && x.there != x.answered+1 {
			return fmt.Sprintf("%d %s, %d were answered", x.there, x.what, x.answered)
		}
	}
	if a.removed < before.removed+told.removed {
		return fmt.Sprintf("%d keys removed, %d were answered", a.removed, before.removed+told.removed)
	}
	return ""
}

// kill starts a victim, lets it work for a while, kills it, and returns what it
// had been told.
func kill(t *testing.T, path string, after time.Duration) (told answers) {
	t.Helper()
	c := child(t, "victim", path, "")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if told == (answers{}) { // it has begun
			time.AfterFunc(after, func() { c.Process.Kill() })
		}
		told.note(t, lines.Text())
	}
	if err := c.Wait(); err == nil || c.ProcessState.Exited() {
		t.Fatalf("the victim was not killed, but ended: %v", err)
	}
	return told
}

func (a *answers) note(t *testing.T, line string) {
	what, count, _ := strings.Cut(line, " ")
	switch what {
	case "delivery":
		a.deliveries++
	case "cut":
		a.cuts++
	case "swap":
		a.swaps++
	case "removed":
		n, err := strconv.ParseInt(count, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		a.removed += n
	default:
		t.Fatalf("the victim says %q", line)
	}
}

// keysPerDelivery are what a victim delivers at a time.
const keysPerDelivery = 40

// victimClock stands still until it is moved.
type victimClock struct{ now time.Time }

func (c *victimClock) Now() time.Time { return c.now }

// openVictim opens the ledger that victims work on. Its clock goes on from the
// last cut.
func openVictim(ctx context.Context, path string) (*sqliteledger.Store, *ledger.Ledger, *victimClock, error) {
	clock := &victimClock{now: time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC)}
	s, err := sqliteledger.Open(ctx, path, &sqliteledger.Options{Clock: clock.Now})
	if err != nil {
		return nil, nil, nil, err
	}
	log, err := s.Log(ctx, 0)
	if err == nil && log.Last.Seq > 0 {
		clock.now = log.Last.Time
	}
	policy, phone, partner := eager(), keys.FromPhone(), keys.FromPartner()
	policy.PruneAge, phone.MaxAge, partner.MaxAge = 24*time.Hour, 24*time.Hour, 24*time.Hour
	l, err := ledger.Open(ctx, s, &ledger.Options{Policy: policy, FromPhone: &phone, FromPartner: &partner})
	return s, l, clock, err
}

// suffer writes until it is killed, and says what it has been answered.
func suffer(ctx context.Context, path, _ string) error {
	_, l, clock, err := openVictim(ctx, path)
	if err != nil {
		return err
	}
	v := &victim{ctx: ctx, ledger: l, clock: clock, keys: keystest.New(uint64(time.Now().UnixNano()), nil)}
	for step := 0; ; step++ {
		steps := []func() error{v.deliver, v.cut, v.swap, v.deliver, v.cut, v.withdraw, v.prune}
		if err := steps[step%len(steps)](); err != nil {
			return err
		}
	}
}

// victim is a process that is going to be killed.
type victim struct {
	ctx    context.Context
	ledger *ledger.Ledger
	clock  *victimClock
	keys   *keystest.Generator
	last   []ledger.UnitID // that were delivered
}

// deliver brings keys, and counts the delivery in the same step.
func (v *victim) deliver() error {
	count, version, err := counter(v.ctx, v.ledger, "delivered")
	if err != nil {
		return err
	}
	d := &ledger.Delivery{Source: ledger.Own, Swaps: []ledger.Swap{{Name: "delivered", Version: version, Value: strconv.AppendInt(nil, count+1, 10)}}}
	v.last = nil
	for i := range keysPerDelivery {
		k := v.keys.Upload(v.clock.now).Keys[0]
		k.RollingStartIntervalNumber, k.RollingPeriod = keys.IntervalAt(v.clock.now)-12, 10
		d.Uploads = append(d.Uploads, ledger.Upload{ID: fmt.Sprint("upload-", i), Keys: []keys.DiagnosisKey{k}})
		v.last = append(v.last, ledger.IDOf(&k))
	}
	receipt, err := v.ledger.Accept(v.ctx, d)
	if err != nil {
		return err
	}
	if receipt.Accepted != keysPerDelivery {
		return fmt.Errorf("%d keys accepted: %+v", receipt.Accepted, receipt.Rejected)
	}
	fmt.Println("delivery")
	return nil
}

// counter reads a number that is kept in a register.
func counter(ctx context.Context, l *ledger.Ledger, name string) (count, version int64, err error) {
	registers, err := l.Registers(ctx, name)
	if err != nil || len(registers) == 0 {
		return 0, 0, err
	}
	count, err = strconv.ParseInt(string(registers[0].Value), 10, 64)
	return count, registers[0].Version, err
}

func (v *victim) cut() error {
	v.clock.now = v.clock.now.Add(3 * time.Hour)
	if _, err := v.ledger.Release(v.ctx, nil); err != nil {
		return err
	}
	fmt.Println("cut")
	return nil
}

func (v *victim) swap() error {
	count, version, err := counter(v.ctx, v.ledger, "swapped")
	if err != nil {
		return err
	}
	err = v.ledger.Swap(v.ctx, ledger.NewNonce(), ledger.Swap{Name: "swapped", Version: version, Value: strconv.AppendInt(nil, count+1, 10)})
	if err != nil {
		return err
	}
	fmt.Println("swap")
	return nil
}

// withdraw takes back some of what was delivered last.
func (v *victim) withdraw() error {
	_, err := v.ledger.Withdraw(v.ctx, v.last[:5]...)
	return err
}

func (v *victim) prune() error {
	report, err := v.ledger.Prune(v.ctx, everywhere{})
	if err != nil {
		return err
	}
	fmt.Println("removed", report.Removed)
	return nil
}

// everywhere is a sink that gets everything.
type everywhere struct{}

func (everywhere) Name() string                    { return "everywhere" }
func (everywhere) Term(u *ledger.Unit) ledger.Term { return ledger.TermSent }

// examine opens what a killed process left, expects it to be sound, and returns
// what is there.
func examine(t *testing.T, path string) answers {
	t.Helper()
	s, l, _, err := openVictim(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	log, err := s.Log(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	checkCuts(t, s, log)
	stats, err := l.Stats(t.Context(), everywhere{})
	if err != nil {
		t.Fatal(err)
	}
	if err := stats.Check(); err != nil {
		t.Error(err)
	}
	a := answers{cuts: log.Last.Seq, lastCut: log.Last.Position()}
	if a.deliveries, _, err = counter(t.Context(), l, "delivered"); err != nil {
		t.Fatal(err)
	}
	if a.swaps, _, err = counter(t.Context(), l, "swapped"); err != nil {
		t.Fatal(err)
	}
	accepted := log.Tallies["accepted/own"]
	if accepted != a.deliveries*keysPerDelivery {
		t.Errorf("%d keys of %d deliveries", accepted, a.deliveries)
	}
	a.removed = accepted - int64(units(t, s))
	return a
}

func units(t *testing.T, s ledger.Store) (n int) {
	t.Helper()
	for _, err := range s.Find(t.Context(), ledger.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// checkCuts expects cuts to be chained, and those that are not pruned to have
// each of their numbers once.
func checkCuts(t *testing.T, s ledger.Store, log *ledger.Log) {
	t.Helper()
	before := ledger.Cut{}
	for _, c := range log.Cuts {
		if !c.Follows(log.Identity, before) {
			t.Fatalf("cut %d does not follow cut %d", c.Seq, before.Seq)
		}
		if !c.Pruned {
			checkNumbers(t, s, before.Last, c.Last)
		}
		before = c
	}
	if before.Position() != log.Last.Position() {
		t.Errorf("the last cut is %d, and the log ends with %d", log.Last.Seq, before.Seq)
	}
}

func checkNumbers(t *testing.T, s ledger.Store, from, to int64) {
	t.Helper()
	seen := map[int64]bool{}
	for u, err := range s.Read(t.Context(), from, to) {
		if err != nil {
			t.Fatalf("(%d, %d]: %v", from, to, err)
		}
		for _, e := range u.Events {
			if e.Number > from {
				seen[e.Number] = true
			}
		}
	}
	if int64(len(seen)) != to-from {
		t.Errorf("(%d, %d] has %d numbers", from, to, len(seen))
	}
}
