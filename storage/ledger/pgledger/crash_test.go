package pgledger_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
)

// The test binary is also the process that is killed, if the environment says
// where its database is.
const childURL = "PGLEDGER_TEST_URL"

func TestMain(m *testing.M) {
	url := os.Getenv(childURL)
	if url == "" {
		os.Exit(pgtest.Main(m))
	}
	fmt.Fprintln(os.Stderr, suffer(context.Background(), url))
	os.Exit(1)
}

// TestKilled kills a process that writes, again and again in the middle of
// whatever it does, and expects that everything it was answered is there, that
// the next step is there whole or not at all, and that the ledger is sound.
func TestKilled(t *testing.T) {
	pool := fresh(t)
	url := pgtest.Shared(t).URL(pool.Config().ConnConfig.Database)
	r := rand.New(rand.NewPCG(1, 9))
	var before answers
	kills := volume(12, 3)
	for i := range kills {
		told := kill(t, url, time.Duration(r.IntN(volume(300, 1000)))*time.Millisecond)
		after := examine(t, pool)
		if missing := after.lacks(before, told); missing != "" {
			t.Fatalf("after kill %d: %s\nbefore %+v\ntold   %+v\nthere  %+v", i+1, missing, before, told, after)
		}
		before = after
	}
	if before.deliveries < int64(kills) || before.cuts < int64(kills) {
		t.Errorf("too little happened to tell: %+v", before)
	}
	checkIntegrity(t, pool)
}

// answers are what a victim has been answered, or what is there.
type answers struct{ deliveries, cuts, swaps, removed int64 }

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
func kill(t *testing.T, url string, after time.Duration) (told answers) {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), childURL+"="+url)
	c.Stderr = os.Stderr
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

// victim is a process that is going to be killed. Its clock goes on from the last
// cut, and stands still until it is moved.
type victim struct {
	ctx    context.Context
	now    time.Time
	ledger *ledger.Ledger
	keys   *keystest.Generator
	last   []ledger.UnitID // that were delivered
}

func newVictim(ctx context.Context, pool *pgxpool.Pool) (*victim, error) {
	v := &victim{ctx: ctx, now: time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC), keys: keystest.New(uint64(time.Now().UnixNano()), nil)}
	s, err := pgledger.Open(ctx, pool, &pgledger.Options{Clock: func() time.Time { return v.now }})
	if err != nil {
		return nil, err
	}
	log, err := s.Log(ctx, 0)
	if err == nil && log.Last.Seq > 0 {
		v.now = log.Last.Time
	}
	policy, phone, partner := eager(), keys.FromPhone(), keys.FromPartner()
	policy.PruneAge, phone.MaxAge, partner.MaxAge = 24*time.Hour, 24*time.Hour, 24*time.Hour
	v.ledger, err = ledger.Open(ctx, s, &ledger.Options{Policy: policy, FromPhone: &phone, FromPartner: &partner})
	return v, err
}

// suffer writes until it is killed, and says what it has been answered.
func suffer(ctx context.Context, url string) error {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	v, err := newVictim(ctx, pool)
	if err != nil {
		return err
	}
	for step := 0; ; step++ {
		steps := []func() error{v.deliver, v.cut, v.swap, v.deliver, v.cut, v.withdraw, v.prune}
		if err := steps[step%len(steps)](); err != nil {
			return err
		}
	}
}

// deliver brings keys, and counts the delivery in the same step.
func (v *victim) deliver() error {
	swap, err := v.increment("delivered")
	if err != nil {
		return err
	}
	d := &ledger.Delivery{Source: ledger.Own, Swaps: []ledger.Swap{swap}}
	v.last = nil
	for i := range keysPerDelivery {
		k := v.keys.Upload(v.now).Keys[0]
		k.RollingStartIntervalNumber, k.RollingPeriod = keys.IntervalAt(v.now)-12, 10
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

// increment returns the swap that adds 1 to a register.
func (v *victim) increment(name string) (ledger.Swap, error) {
	count, version, err := counter(v.ctx, v.ledger, name)
	return ledger.Swap{Name: name, Version: version, Value: strconv.AppendInt(nil, count+1, 10)}, err
}

func (v *victim) cut() error {
	v.now = v.now.Add(3 * time.Hour)
	if _, err := v.ledger.Release(v.ctx, nil); err != nil {
		return err
	}
	fmt.Println("cut")
	return nil
}

func (v *victim) swap() error {
	swap, err := v.increment("swapped")
	if err != nil {
		return err
	}
	if err := v.ledger.Swap(v.ctx, ledger.NewNonce(), swap); err != nil {
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

// examine looks at what a killed process left, once the server has noticed, and
// expects it to be sound.
func examine(t *testing.T, pool *pgxpool.Pool) (a answers) {
	t.Helper()
	v, err := newVictim(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	for len(queryAll(t, pool, `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()`)) > 0 {
		time.Sleep(10 * time.Millisecond)
	}
	stats, err := v.ledger.Stats(t.Context(), everywhere{})
	if err != nil {
		t.Fatal(err)
	}
	if err := stats.Check(); err != nil {
		t.Error(err)
	}
	log, err := v.ledger.Log(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	a.cuts = log.Last.Seq
	for name, n := range map[string]*int64{"delivered": &a.deliveries, "swapped": &a.swaps} {
		if *n, _, err = counter(t.Context(), v.ledger, name); err != nil {
			t.Fatal(err)
		}
	}
	accepted := log.Tallies["accepted/own"]
	if accepted != a.deliveries*keysPerDelivery {
		t.Errorf("%d keys of %d deliveries", accepted, a.deliveries)
	}
	for _, err := range v.ledger.Find(t.Context(), ledger.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		accepted--
	}
	a.removed = accepted
	return a
}

// TestServerCrash has a server crash that was told not to wait for the disk. What
// the ledger answered must be there all the same.
func TestServerCrash(t *testing.T) {
	// The longest that the server may leave to itself what to write and when.
	settings := pgtest.Settings{"synchronous_commit": "off", "wal_writer_delay": "10000", "wal_writer_flush_after": "0"}
	server, err := pgtest.Start(settings)
	pgtest.Need(t, err)
	defer server.Stop()
	var want answers
	for range volume(4, 1) {
		pool := server.Pool(t, "postgres")
		v, err := newVictim(t.Context(), pool)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []func() error{v.cut, v.deliver} {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		want.deliveries, want.cuts = want.deliveries+1, want.cuts+1
		if err := server.Restart(settings); err != nil {
			t.Fatal(err)
		}
		pool.Close()
	}
	if got := examine(t, server.Pool(t, "postgres")); got.deliveries != want.deliveries || got.cuts != want.cuts {
		t.Errorf("there are %+v, answered were %+v", got, want)
	}
}
