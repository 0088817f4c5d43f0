package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/gaenkit/gaen/keys"
)

// A Ledger is a [Store] with the rules around it. It may be used from several
// goroutines at once, and several processes may open ledgers over one store
// that allows it.
type Ledger struct {
	store     Store
	identity  Identity
	replay    bool
	policy    Policy
	version   int64 // of the policy's register
	phone     keys.Policy
	partner   keys.Policy
	maxUpload int
}

// Options are what may be chosen when a ledger is opened. The zero value is
// what a national back end wants.
type Options struct {
	// Policy is what the ledger goes by. Nil is [DefaultPolicy] for a new
	// ledger, and whatever it goes by for one that exists.
	Policy *Policy

	// FromPhone judges own submissions, FromPartner all others. Nil is
	// [keys.FromPhone] and [keys.FromPartner].
	FromPhone   *keys.Policy
	FromPartner *keys.Policy

	// MaxUpload is how many keys of one own upload are taken; the rest are set
	// aside. Zero is 30, as phones keep no more than two keys a day.
	MaxUpload int
}

// Open opens the ledger that store keeps, and makes it if it is new. If it goes
// by another policy than opts asks for, the error satisfies errors.Is(err,
// [ErrPolicy]) and prints both; [ChangePolicy] changes it.
func Open(ctx context.Context, store Store, opts *Options) (*Ledger, error) {
	if opts == nil {
		opts = &Options{}
	}
	l := &Ledger{store: store, phone: keys.FromPhone(), partner: keys.FromPartner(), maxUpload: 30}
	if opts.FromPhone != nil {
		l.phone = *opts.FromPhone
	}
	if opts.FromPartner != nil {
		l.partner = *opts.FromPartner
	}
	if opts.MaxUpload < 0 {
		return nil, fmt.Errorf("ledger: Options.MaxUpload: %d is negative", opts.MaxUpload)
	}
	if opts.MaxUpload > 0 {
		l.maxUpload = opts.MaxUpload
	}
	log, err := store.Log(ctx, 0)
	if err != nil {
		return nil, err
	}
	l.identity, l.replay = log.Identity, log.Replay
	if err := l.settlePolicy(ctx, opts.Policy); err != nil {
		return nil, err
	}
	return l, l.checkAges()
}

// settlePolicy finds the ledger's policy, or makes want its policy if it has
// none yet.
func (l *Ledger) settlePolicy(ctx context.Context, want *Policy) error {
	have, err := readRegister(ctx, l.store, policyRegister)
	if err != nil {
		return err
	}
	if have.Version == 0 {
		if want == nil {
			want = new(DefaultPolicy())
		}
		// Another process may make it at the same time; what it made is judged below.
		if err := swapPolicy(ctx, l.store, *want, 0); err != nil && !isConflict(err) {
			return err
		}
		if have, err = readRegister(ctx, l.store, policyRegister); err != nil {
			return err
		}
	}
	l.version = have.Version
	if err := json.Unmarshal(have.Value, &l.policy); err != nil {
		return fmt.Errorf("ledger: register %s: %w", policyRegister, err)
	}
	if err := l.policy.Check(); err != nil {
		return fmt.Errorf("ledger: register %s: %w", policyRegister, err)
	}
	if want != nil && *want != l.policy {
		return fmt.Errorf("%w:\n\thas   %s\n\twants %s", ErrPolicy, l.policy, *want)
	}
	return nil
}

// checkAges sees to it that no key is accepted that would be pruned at once.
func (l *Ledger) checkAges() error {
	for _, p := range []struct {
		name   string
		policy keys.Policy
	}{{"FromPhone", l.phone}, {"FromPartner", l.partner}} {
		if p.policy.MaxAge > l.policy.PruneAge {
			return fmt.Errorf("ledger: Options.%s accepts keys of %s, which Policy.PruneAge of %s removes at once", p.name, p.policy.MaxAge, l.policy.PruneAge)
		}
	}
	return nil
}

// ChangePolicy gives the ledger that store keeps another policy, in place of
// the one with that version, which [Ledger.Policy] returns. Processes that have
// it open under the old one can accept and release nothing any more, until they
// open it again. What has been released stays as it is.
func ChangePolicy(ctx context.Context, store Store, p Policy, version int64) error {
	return swapPolicy(ctx, store, p, version)
}

func swapPolicy(ctx context.Context, store Store, p Policy, version int64) error {
	if err := p.Check(); err != nil {
		return err
	}
	value, err := json.Marshal(p)
	if err != nil {
		return err
	}
	nonce := NewNonce()
	err = store.Swap(ctx, nonce, []Swap{{Name: policyRegister, Version: version, Value: value}})
	if repeated(err, nonce) {
		return nil
	}
	return err
}

func isConflict(err error) bool {
	_, ok := errors.AsType[*ConflictError](err)
	return ok
}

// readRegister returns the register with that name, which is only one of those
// that begin with it; version 0 if there is none.
func readRegister(ctx context.Context, store Store, name string) (Register, error) {
	registers, err := store.Registers(ctx, name)
	if err != nil {
		return Register{}, err
	}
	for _, r := range registers {
		if r.Name == name {
			return r, nil
		}
	}
	return Register{Name: name}, nil
}

// checkVersion reports whether the ledger still goes by the policy it was
// opened under.
func (l *Ledger) checkVersion(have Register) error {
	if have.Version != l.version {
		return fmt.Errorf("%w:\n\thas   %s\n\twants %s", ErrPolicy, bytes.TrimSpace(have.Value), l.policy)
	}
	return nil
}

// With returns the same ledger by way of another handle on its store, such as one
// that is bound to a transaction of the caller's. Nothing is read.
func (l *Ledger) With(store Store) *Ledger {
	other := *l
	other.store = store
	return &other
}

// Policy returns the policy and the version of it that the ledger was opened
// under.
func (l *Ledger) Policy() (Policy, int64) { return l.policy, l.version }

// Identity returns what tells this ledger from any other.
func (l *Ledger) Identity() Identity { return l.identity }

// Log returns the clock, the counters, and the cuts after the one with that
// sequence number.
func (l *Ledger) Log(ctx context.Context, after int64) (*Log, error) { return l.store.Log(ctx, after) }

// Check returns an error if p is not a place in this ledger's history:
// [ErrWentBack] or [ErrOtherLedger]. Consumers call it before they change
// anything.
func (l *Ledger) Check(ctx context.Context, p Position) error {
	if p == (Position{}) {
		return nil
	}
	log, err := l.store.Log(ctx, p.Cut-1)
	if err != nil {
		return err
	}
	return log.check(p)
}

// check judges p by a log that begins no later than p's cut.
func (log *Log) check(p Position) error {
	if p.Cut > log.Last.Seq {
		return fmt.Errorf("%w: asked for cut %d, the last is %d", ErrWentBack, p.Cut, log.Last.Seq)
	}
	for _, c := range log.Cuts {
		if c.Seq == p.Cut && c.Position() == p {
			return nil
		}
	}
	return fmt.Errorf("%w: cut %d", ErrOtherLedger, p.Cut)
}

// Read yields what has a number in (from, to], as [Store.Read] does.
func (l *Ledger) Read(ctx context.Context, from, to int64) iter.Seq2[*Unit, error] {
	return l.store.Read(ctx, from, to)
}

// Registers returns the registers whose names begin with prefix, in ascending
// order of their names.
func (l *Ledger) Registers(ctx context.Context, prefix string) ([]Register, error) {
	return l.store.Registers(ctx, prefix)
}

// Swap changes registers in one step, or none and returns a [*ConflictError].
// Calling it again with the same nonce after an error is safe: if the first
// call did happen after all, the second returns nil. Only a step of nothing but
// deletions leaves no nonce behind; its second call returns a conflict with
// version 0, that of a register that is not there.
func (l *Ledger) Swap(ctx context.Context, nonce Nonce, swaps ...Swap) error {
	if err := checkSwaps(swaps); err != nil {
		return err
	}
	err := l.store.Swap(ctx, nonce, swaps)
	if repeated(err, nonce) {
		return nil
	}
	return err
}

// Find yields the records that q describes.
func (l *Ledger) Find(ctx context.Context, q Query) iter.Seq2[*Record, error] {
	return l.store.Find(ctx, q)
}
