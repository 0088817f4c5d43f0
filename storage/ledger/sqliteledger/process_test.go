package sqliteledger_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
)

// workUploads are the uploads of one delivery.
const workUploads = 5

// workDeliveries are those of one worker.
var workDeliveries = volume(25, 6)

// startOfClock has the moment at which the clock of several processes began.
const startOfClock = "SQLITELEDGER_TEST_START"

// fastClock is the same in all processes. It begins at noon and goes an hour in
// 0.7 seconds.
func fastClock() time.Time {
	start, err := strconv.ParseInt(os.Getenv(startOfClock), 10, 64)
	if err != nil {
		panic("fastClock: " + err.Error())
	}
	return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC).Add(time.Since(time.Unix(0, start)) * 5000)
}

// TestProcesses has several goroutines, two stores of this process and two other
// processes bring keys, make cuts, read, and swap one register, all at
// once, and expects every key to be released once and no swap to be lost.
func TestProcesses(t *testing.T) {
	t.Setenv(startOfClock, strconv.FormatInt(time.Now().UnixNano(), 10))
	path := filepath.Join(t.TempDir(), "ledger.db")
	var children []*exec.Cmd
	for i := range 2 {
		c := child(t, "worker", path, fmt.Sprint("process-", i))
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		children = append(children, c)
	}
	stores := []*sqliteledger.Store{
		open(t, path, &sqliteledger.Options{Clock: fastClock}),
		open(t, path, &sqliteledger.Options{Clock: fastClock}),
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			if err := workOn(t.Context(), stores[i%2], fmt.Sprint("goroutine-", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, c := range children {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	checkWork(t, stores[0], 6)
	checkIntegrity(t, path)
}

// work is a worker in a process of its own.
func work(ctx context.Context, path, name string) error {
	s, err := sqliteledger.Open(ctx, path, &sqliteledger.Options{Clock: fastClock})
	if err != nil {
		return err
	}
	defer s.Close()
	return workOn(ctx, s, name)
}

// workOn is one worker.
func workOn(ctx context.Context, s *sqliteledger.Store, name string) error {
	l, err := ledger.Open(ctx, s, &ledger.Options{Policy: eager()})
	if err != nil {
		return err
	}
	g := keystest.New(rand.Uint64(), &keystest.Options{EndOfPeriod: true})
	for i := range workDeliveries {
		if err := bring(ctx, l, g, fmt.Sprint(name, "-", i)); err != nil {
			return err
		}
		if err := increment(ctx, l, "shared"); err != nil {
			return err
		}
		if _, err := l.Release(ctx, &ledger.ReleaseOptions{AllowGap: true}); err != nil {
			return err
		}
		if err := readTwice(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// bring delivers uploads, and the same once more.
func bring(ctx context.Context, l *ledger.Ledger, g *keystest.Generator, name string) error {
	d := &ledger.Delivery{Source: "p"}
	for i := range workUploads {
		up := g.Upload(fastClock())
		d.Uploads = append(d.Uploads, ledger.Upload{ID: fmt.Sprint(name, "-", i), Keys: up.Keys[:1]})
	}
	for _, want := range []int{workUploads, 0} {
		d.Nonce = ledger.Nonce{}
		receipt, err := l.Accept(ctx, d)
		if err != nil {
			return err
		}
		if receipt.Accepted != want || receipt.Accepted+receipt.Duplicates != workUploads {
			return fmt.Errorf("%s: %d keys accepted, want %d: %+v", name, receipt.Accepted, want, receipt)
		}
	}
	return nil
}

// increment adds 1 to a register, however often others are faster.
func increment(ctx context.Context, l *ledger.Ledger, name string) error {
	for {
		count, version, err := counter(ctx, l, name)
		if err != nil {
			return err
		}
		err = l.Swap(ctx, ledger.NewNonce(), ledger.Swap{Name: name, Version: version, Value: strconv.AppendInt(nil, count+1, 10)})
		if _, conflict := err.(*ledger.ConflictError); !conflict {
			return err
		}
	}
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

// readTwice reads what has been released and expects the same when it reads it
// again, whatever others have done meanwhile.
func readTwice(ctx context.Context, l *ledger.Ledger) error {
	log, err := l.Log(ctx, 0)
	if err != nil {
		return err
	}
	var first []ledger.UnitID
	for u, err := range l.Read(ctx, 0, log.Last.Last) {
		if err != nil {
			return err
		}
		first = append(first, u.ID())
	}
	if int64(len(first)) != log.Last.Last {
		return fmt.Errorf("%d units up to number %d", len(first), log.Last.Last)
	}
	i := 0
	for u, err := range l.Read(ctx, 0, log.Last.Last) {
		if err != nil {
			return err
		}
		if u.ID() != first[i] {
			return fmt.Errorf("unit %d of a range has changed", i)
		}
		i++
	}
	return nil
}

// checkWork expects what so many workers have done.
func checkWork(t *testing.T, s *sqliteledger.Store, workers int) {
	t.Helper()
	l, err := ledger.Open(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // so that everything is due before the next cut
	if _, err := l.Release(t.Context(), &ledger.ReleaseOptions{AllowGap: true}); err != nil {
		t.Fatal(err)
	}
	log := ledgertest.CheckLog(t, s)
	count, _, err := counter(t.Context(), l, "shared")
	if err != nil {
		t.Fatal(err)
	}
	keys := int64(workers * workDeliveries * workUploads)
	if count != int64(workers*workDeliveries) || log.Last.Last != keys || log.Tallies["accepted/p"] != keys {
		t.Errorf("%d swaps, %d numbers, %d accepted; want %d, %d, %d",
			count, log.Last.Last, log.Tallies["accepted/p"], workers*workDeliveries, keys, keys)
	}
}
