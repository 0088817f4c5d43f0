//go:build unix

package bucketledger_test

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

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/filestore"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/bucketledger"
)

// childVariable names the folder that this test binary, started again as a
// child, works in until it is killed.
const childVariable = "BUCKETLEDGER_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		fmt.Fprintln(os.Stderr, suffer(context.Background(), dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestKilled kills a process that writes, again and again in the middle of
// whatever it does, and expects that everything it was answered is there, that
// the next delivery is there whole or not at all, and that the ledger is sound.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(3, 9))
	before := int64(0)
	kills := volume(25, 5)
	for i := range kills {
		answered := kill(t, dir, time.Duration(r.IntN(volume(250, 1500)))*time.Millisecond)
		there := examine(t, dir)
		if there < answered || there > max(before, answered)+1 {
			t.Fatalf("after kill %d: %d deliveries are there, %d before, %d were answered", i+1, there, before, answered)
		}
		before = there
	}
	if before < int64(kills) {
		t.Errorf("only %d deliveries in %d lives: too few to tell", before, kills)
	}
	t.Logf("%d deliveries in %d lives", before, kills)
}

// kill starts a victim, lets it work for a while, kills it, and returns the last
// delivery that it was answered.
func kill(t *testing.T, dir string, after time.Duration) (answered int64) {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), childVariable+"="+dir)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	begun := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if !begun {
			begun = true
			time.AfterFunc(after, func() { c.Process.Kill() })
		}
		if answered, err = strconv.ParseInt(strings.TrimPrefix(lines.Text(), "delivery "), 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Wait(); err == nil || c.ProcessState.Exited() {
		t.Fatalf("the victim was not killed, but ended: %v", err)
	}
	return answered
}

// openVictim opens the ledger in a folder, whose time goes on from its last cut.
func openVictim(ctx context.Context, dir string, now *time.Time) (*bucketledger.Store, *ledger.Ledger, error) {
	b, err := filestore.New(dir, &filestore.Options{NoSync: true})
	if err != nil {
		return nil, nil, err
	}
	s, err := bucketledger.Open(ctx, b, &bucketledger.Options{Clock: func() time.Time { return *now }, MaxSegments: 6})
	if err != nil {
		return nil, nil, err
	}
	log, err := s.Log(ctx, 0)
	if err != nil {
		return nil, nil, err
	}
	if *now = noon; log.Last.Seq > 0 {
		*now = log.Last.Time
	}
	policy, phone, partner := eager(), keys.FromPhone(), keys.FromPartner()
	policy.PruneAge, phone.MaxAge, partner.MaxAge = 24*time.Hour, 24*time.Hour, 24*time.Hour
	l, err := ledger.Open(ctx, s, &ledger.Options{Policy: policy, FromPhone: &phone, FromPartner: &partner})
	return s, l, err
}

// perDelivery are the keys that a victim delivers at a time.
const perDelivery = 10

// suffer writes until it is killed, and says which delivery it was answered.
func suffer(ctx context.Context, dir string) error {
	now := noon
	_, l, err := openVictim(ctx, dir, &now)
	if err != nil {
		return err
	}
	g := keystest.New(uint64(time.Now().UnixNano()), nil)
	for {
		n, err := bring(ctx, l, g, now)
		if err != nil {
			return err
		}
		fmt.Println("delivery", n)
		now = now.Add(3 * time.Hour)
		if _, err := l.Release(ctx, nil); err != nil {
			return err
		}
		if _, err := l.Prune(ctx); err != nil {
			return err
		}
	}
}

// bring brings keys, and counts the delivery in the same step.
func bring(ctx context.Context, l *ledger.Ledger, g *keystest.Generator, now time.Time) (int64, error) {
	have, err := l.Registers(ctx, "delivered")
	if err != nil {
		return 0, err
	}
	n, version := int64(0), int64(0)
	if len(have) == 1 {
		fmt.Sscan(string(have[0].Value), &n)
		version = have[0].Version
	}
	n++
	d := &ledger.Delivery{Source: ledger.Own, Swaps: []ledger.Swap{{Name: "delivered", Version: version, Value: strconv.AppendInt(nil, n, 10)}}}
	for i := range perDelivery {
		k := g.Upload(now).Keys[0]
		k.RollingStartIntervalNumber, k.RollingPeriod = keys.IntervalAt(now)-12, 10
		d.Uploads = append(d.Uploads, ledger.Upload{ID: fmt.Sprint("upload-", i), Keys: []keys.DiagnosisKey{k}})
	}
	r, err := l.Accept(ctx, d)
	if err == nil && r.Accepted != perDelivery {
		err = fmt.Errorf("%d keys accepted: %+v", r.Accepted, r.Rejected)
	}
	return n, err
}

// examine opens what a killed process left, expects it to be sound, and returns
// the last delivery there is.
func examine(t *testing.T, dir string) int64 {
	t.Helper()
	now := noon
	s, l, err := openVictim(t.Context(), dir, &now)
	if err != nil {
		t.Fatal(err)
	}
	log, err := s.Log(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	before := ledger.Cut{}
	for _, c := range log.Cuts {
		if !c.Follows(log.Identity, before) {
			t.Fatalf("cut %d does not follow cut %d", c.Seq, before.Seq)
		}
		before = c
	}
	stats, err := l.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stats.Check(); err != nil {
		t.Error(err)
	}
	have, err := s.Registers(t.Context(), "delivered")
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	if len(have) == 1 {
		fmt.Sscan(string(have[0].Value), &n)
	}
	if accepted := log.Tallies["accepted/own"]; accepted != n*perDelivery {
		t.Errorf("%d keys of %d deliveries", accepted, n)
	}
	return n
}
