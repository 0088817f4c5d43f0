package killtest_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/cwa"
	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// orders are what a victim is told.
type orders struct {
	place
	Seed uint64
	Hour int // since the epoch

	// The victim dies at that call to bucket or ledger, or after so long; zero
	// is never.
	DieAt    int
	DieAfter time.Duration
}

const ordersVariable = "GAEN_KILLTEST_ORDERS"

const (
	exitError   = 1
	exitRefused = 3 // bucket and ledger do not go together
)

// TestMain makes the test binary a victim, if it has orders.
func TestMain(m *testing.M) {
	text := os.Getenv(ordersVariable)
	if text == "" {
		os.Exit(pgtest.Main(m))
	}
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		panic(err)
	}
	err := o.carryOut(context.Background())
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, err)
	for _, refusal := range []error{distribution.ErrForeign, ledger.ErrOtherLedger, ledger.ErrWentBack} {
		if errors.Is(err, refusal) {
			os.Exit(exitRefused)
		}
	}
	os.Exit(exitError)
}

// command returns a process that carries the orders out.
func (o orders) command(t *testing.T) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), ordersVariable+"="+string(text))
	return c
}

// epoch is when services begin.
var epoch = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

// begin is when an hour begins.
func begin(hour int) time.Time { return epoch.Add(time.Duration(hour) * time.Hour) }

var de = keys.MustRegion("DE")

// uploads are what arrives in an hour.
func uploads(seed uint64, hour int) []ledger.Upload {
	gen := keystest.New(seed<<32|uint64(hour), &keystest.Options{Origins: []keys.Region{de}, EndOfPeriod: true})
	var all []ledger.Upload
	for up := range gen.Uploads(begin(hour), begin(hour+1), 4) {
		all = append(all, ledger.Upload{ID: fmt.Sprintf("%d-%s", hour, up.ID), Keys: up.Keys})
	}
	return all
}

// carryOut does what a service does in an hour.
func (o orders) carryOut(ctx context.Context) error {
	var now atomic.Pointer[time.Time]
	set := func(t time.Time) { now.Store(&t) }
	set(begin(o.Hour + 1).Add(-time.Minute))
	if o.DieAfter > 0 {
		time.AfterFunc(o.DieAfter, die)
	}
	s, b, err := o.open(ctx, func() time.Time { return *now.Load() })
	if err != nil {
		return err
	}
	defer s.Close()

	var calls atomic.Int64
	count := func() {
		if int(calls.Add(1)) == o.DieAt {
			die()
		}
	}
	l, err := ledger.Open(ctx, ledgertest.Faulty(s, func(context.Context, ledgertest.Call) ledgertest.Verdict {
		count()
		return ledgertest.Pass
	}), &ledger.Options{Policy: policy()})
	if err != nil {
		return err
	}
	bucket := storagetest.Faulty(b, func(context.Context, storagetest.Call) storagetest.Verdict {
		count()
		return storagetest.Pass
	})
	ring, err := ring()
	if err != nil {
		return err
	}
	layout, err := cwa.New(&cwa.Options{Index: "index"})
	if err != nil {
		return err
	}
	publisher, err := distribution.New(l, bucket, layout, packages(), ring, nil)
	if err != nil {
		return err
	}

	for _, up := range uploads(o.Seed, o.Hour) {
		if _, err := l.Accept(ctx, &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{up}}); err != nil {
			return err
		}
	}
	if o.Hour%5 == 4 {
		if _, err := l.Withdraw(ctx, withdrawn(o.Seed, o.Hour)); err != nil {
			return err
		}
	}
	set(begin(o.Hour + 1).Add(time.Minute))
	// A ledger that was taken back may have missed a day.
	if _, err := l.Release(ctx, &ledger.ReleaseOptions{AllowGap: true}); err != nil {
		return err
	}
	if _, err := publisher.Run(ctx); err != nil {
		return err
	}
	sinks, err := publisher.Sinks(ctx)
	if err != nil {
		return err
	}
	_, err = l.Prune(ctx, sinks...)
	return err
}

// die is kill -9: nothing is put in order before.
func die() {
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// withdrawn is a key that is withdrawn in an hour, three hours after it came.
func withdrawn(seed uint64, hour int) ledger.UnitID {
	return ledger.IDOf(&uploads(seed, hour-3)[0].Keys[0])
}

// policy lets a cut take whatever is due.
func policy() *ledger.Policy {
	p := ledger.DefaultPolicy()
	p.MinKeys, p.MinUploads, p.MinWithdrawnUploads, p.WithdrawalWait = 0, 0, 0, 0
	return &p
}

func packages() []distribution.Package {
	return []distribution.Package{{Name: "DE", Select: distribution.FromOrigin(de), Map: distribution.Identity(), FromBeginning: true}}
}

// ring is always the same.
func ring() (*signing.Ring, error) {
	d := make([]byte, 32)
	d[31] = 42
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
	if err != nil {
		return nil, err
	}
	signer, err := signing.NewSigner(signing.Identity{KeyID: "262", KeyVersion: "v1"}, key, nil)
	if err != nil {
		return nil, err
	}
	return signing.NewRing(signer)
}
