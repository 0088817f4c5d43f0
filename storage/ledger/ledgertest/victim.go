package ledgertest

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// An OpenPlace opens the ledger at a place, or an empty one where there is none.
// The place is a path or a URL: what another process understands, too. If the store
// has a method Close, it is called.
type OpenPlace = func(ctx context.Context, place string, clock func() time.Time) (ledger.Store, error)

// victimPlace is the environment variable that makes a process a victim, and says
// where its ledger is.
const victimPlace = "GAEN_LEDGERTEST_PLACE"

// Victim makes this process the one that [TestKilled] kills, if TestKilled has started
// it, and else returns at once: call it first thing in TestMain.
func Victim(open OpenPlace) {
	place := os.Getenv(victimPlace)
	if place == "" {
		return
	}
	err := suffer(context.Background(), place, open)
	fmt.Fprintln(os.Stderr, "ledgertest.Victim:", err)
	os.Exit(1)
}

// suffer writes until it is killed, and says on the standard output what it has been
// answered.
func suffer(ctx context.Context, place string, open OpenPlace) error {
	fmt.Println(saidBegin)
	v, err := newVictim(ctx, place, open)
	if err != nil {
		return err
	}
	fmt.Println(saidOpen)
	for {
		for _, step := range []func() (string, error){v.deliver, v.cut, v.swap, v.deliver, v.cut, v.withdraw, v.prune} {
			said, err := step()
			if err != nil {
				return err
			}
			fmt.Println(said)
		}
	}
}

// What a victim says, a line for each step; behind saidRemoved, of how many keys.
const (
	saidBegin     = "begin"
	saidOpen      = "open"
	saidDelivery  = "delivery"
	saidCut       = "cut"
	saidSwap      = "swap"
	saidWithdrawn = "withdrawn"
	saidRemoved   = "removed "
)

// stepsOfVictim are the steps in one round of a victim's.
const stepsOfVictim = 7

// keysPerDelivery are what a victim delivers at a time, and keysWithdrawn how many of
// them it takes back.
const (
	keysPerDelivery = 40
	keysWithdrawn   = 5
)

// The registers in which a victim counts.
const (
	countDelivered = "delivered"
	countSwapped   = "swapped"
)

// victim is at work on a ledger. Its clock goes on from the last cut, and stands
// still until it is moved.
type victim struct {
	ctx    context.Context
	now    time.Time
	store  ledger.Store
	ledger *ledger.Ledger
	keys   *keystest.Generator
	last   []ledger.UnitID // that were delivered
}

func newVictim(ctx context.Context, place string, open OpenPlace) (*victim, error) {
	v := &victim{ctx: ctx, now: noon, keys: keystest.New(uint64(time.Now().UnixNano()), nil)}
	var err error
	if v.store, err = open(ctx, place, func() time.Time { return v.now }); err != nil {
		return nil, err
	}
	log, err := v.store.Log(ctx, 0)
	if err != nil {
		return nil, err
	}
	if log.Last.Seq > 0 {
		v.now = log.Last.Time
	}
	policy, phone, partner := eager(), keys.FromPhone(), keys.FromPartner()
	policy.PruneAge, phone.MaxAge, partner.MaxAge = 24*time.Hour, 24*time.Hour, 24*time.Hour
	v.ledger, err = ledger.Open(ctx, v.store, &ledger.Options{Policy: &policy, FromPhone: &phone, FromPartner: &partner})
	return v, err
}

func (v *victim) close() error {
	if c, ok := v.store.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// deliver brings keys, and counts the delivery in the same step.
func (v *victim) deliver() (string, error) {
	swap, err := v.increment(countDelivered)
	if err != nil {
		return "", err
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
	if err == nil && receipt.Accepted != keysPerDelivery {
		err = fmt.Errorf("%d keys accepted: %+v", receipt.Accepted, receipt.Rejected)
	}
	return saidDelivery, err
}

// counter reads a number that is kept in a register.
func (v *victim) counter(name string) (count, version int64, err error) {
	registers, err := v.ledger.Registers(v.ctx, name)
	if err != nil || len(registers) == 0 {
		return 0, 0, err
	}
	count, err = strconv.ParseInt(string(registers[0].Value), 10, 64)
	return count, registers[0].Version, err
}

// increment returns the swap that adds 1 to a register.
func (v *victim) increment(name string) (ledger.Swap, error) {
	count, version, err := v.counter(name)
	return ledger.Swap{Name: name, Version: version, Value: strconv.AppendInt(nil, count+1, 10)}, err
}

func (v *victim) cut() (string, error) {
	v.now = v.now.Add(6 * time.Hour)
	_, err := v.ledger.Release(v.ctx, nil)
	return saidCut, err
}

func (v *victim) swap() (string, error) {
	swap, err := v.increment(countSwapped)
	if err != nil {
		return "", err
	}
	return saidSwap, v.ledger.Swap(v.ctx, ledger.NewNonce(), swap)
}

// withdraw takes back some of what was delivered last.
func (v *victim) withdraw() (string, error) {
	_, err := v.ledger.Withdraw(v.ctx, v.last[:keysWithdrawn]...)
	return saidWithdrawn, err
}

func (v *victim) prune() (string, error) {
	report, err := v.ledger.Prune(v.ctx, everywhere{})
	return fmt.Sprint(saidRemoved, report.Removed), err
}

// everywhere is a sink that gets everything.
type everywhere struct{}

func (everywhere) Name() string                  { return "everywhere" }
func (everywhere) Term(*ledger.Unit) ledger.Term { return ledger.TermSent }
