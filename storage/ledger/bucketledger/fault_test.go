package bucketledger_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/bucketledger"
	"github.com/gaenkit/gaen/storage/memstore"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// A play is a short history of a ledger, of which each step is repeated until it
// succeeds, as a back end would.
type play struct {
	ctx    context.Context
	bucket storage.Bucket
	reopen bool // after each error, as if the process had died of it
	now    time.Time

	store  *bucketledger.Store
	ledger *ledger.Ledger
}

// errStuck ends a play in which a step does not succeed at all.
var errStuck = errors.New("a step fails again and again")

// insist takes a step until it succeeds.
func (p *play) insist(step func() error) error {
	var err error
	for range 6 {
		if p.store == nil {
			err = p.open()
		}
		if p.store != nil {
			if err = step(); err == nil {
				return nil
			}
			if p.reopen {
				p.store = nil
			}
		}
	}
	return fmt.Errorf("%w: %w", errStuck, err)
}

func (p *play) open() error {
	s, err := bucketledger.Open(p.ctx, p.bucket, &bucketledger.Options{Clock: func() time.Time { return p.now }, MaxSegments: 4})
	if err != nil {
		return err
	}
	l, err := ledger.Open(p.ctx, s, &ledger.Options{Policy: eager()})
	if err != nil {
		return err
	}
	p.store, p.ledger = s, l
	return nil
}

// uploads are the same in every play.
func uploads(n int) (all []ledger.Upload) {
	g := keystest.New(77, &keystest.Options{EndOfPeriod: true})
	for range n {
		up := g.Upload(noon)
		all = append(all, ledger.Upload{ID: up.ID, Keys: up.Keys[:2]})
	}
	return all
}

// run plays the history.
func (p *play) run() error {
	p.now = noon
	ups := uploads(3)
	var old []keys.DiagnosisKey
	for i := range ups {
		old = append(old, ups[i].Keys...)
		if err := p.deliver(i, ups[i]); err != nil {
			return err
		}
	}
	steps := []func() error{
		func() error { _, err := p.ledger.Release(p.ctx, nil); return err },
		func() error {
			_, err := p.ledger.Withdraw(p.ctx, ledger.IDOf(&old[0]), ledger.IDOf(&old[1]))
			return err
		},
		func() error { _, err := p.ledger.Release(p.ctx, &ledger.ReleaseOptions{AllowGap: true}); return err },
		func() error { return p.ledger.Hold(p.ctx, ledger.Holds{Sources: []ledger.Source{"p"}}) },
		p.prune,
	}
	for i, step := range steps {
		p.now = noon.Add(time.Duration(i+1) * time.Hour)
		if i == len(steps)-1 {
			p.now = noon.Add(30 * 24 * time.Hour)
		}
		if err := p.insist(step); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

// prune removes what is old, after a cut of the time.
func (p *play) prune() error {
	if _, err := p.ledger.Release(p.ctx, &ledger.ReleaseOptions{AllowGap: true}); err != nil {
		return err
	}
	_, err := p.ledger.Prune(p.ctx)
	return err
}

// deliver brings an upload with a cursor, under one nonce however often.
func (p *play) deliver(i int, up ledger.Upload) error {
	d := &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{up}, Nonce: ledger.NewNonce()}
	return p.insist(func() error {
		have, err := p.ledger.Registers(p.ctx, "cursor")
		if err != nil {
			return err
		}
		version := int64(0)
		if len(have) == 1 && have[0].Nonce != d.Nonce {
			version = have[0].Version
		}
		d.Swaps = []ledger.Swap{{Name: "cursor", Version: version, Value: []byte{byte(i)}}}
		_, err = p.ledger.Accept(p.ctx, d)
		return err
	})
}

// dump prints all that a ledger holds, but for what is random.
func dump(ctx context.Context, b storage.Bucket, now time.Time) (string, error) {
	p := &play{ctx: ctx, bucket: b, now: now}
	if err := p.open(); err != nil {
		return "", err
	}
	var lines []string
	for rec, err := range p.store.Find(ctx, ledger.Query{SetAside: true}) {
		if err != nil {
			return "", err
		}
		lines = append(lines, fmt.Sprintf("%x %+v %+v", sha256.Sum256(rec.ID.KeyData[:]), rec, rec.Unit))
	}
	slices.Sort(lines)
	log, err := p.store.Log(ctx, 0)
	if err != nil {
		return "", err
	}
	before := ledger.Cut{}
	for _, c := range log.Cuts {
		if !c.Follows(log.Identity, before) {
			return "", fmt.Errorf("cut %d does not follow", c.Seq)
		}
		before = c
		lines = append(lines, fmt.Sprint(c.Seq, c.Time, c.Last, c.Pruned))
	}
	registers, err := p.store.Registers(ctx, "")
	for _, r := range registers {
		lines = append(lines, fmt.Sprintf("%s %q", r.Name, r.Value))
	}
	lines = append(lines, fmt.Sprint(log.Tallies))
	return strings.Join(lines, "\n"), err
}

// TestFaults breaks each call of a play in every way, and every two of them, and
// expects that the same comes of it as without.
func TestFaults(t *testing.T) {
	end := noon.Add(30 * 24 * time.Hour)
	clean := storagetest.Faulty(memstore.New(nil), nil)
	if err := (&play{ctx: t.Context(), bucket: clean}).run(); err != nil {
		t.Fatal(err)
	}
	calls := len(clean.Calls())
	want, err := dump(t.Context(), clean, end)
	if err != nil {
		t.Fatal(err)
	}
	runs := 0
	try := func(name string, reopen bool, hook storagetest.Hook) {
		runs++
		b := memstore.New(nil)
		if err := (&play{ctx: t.Context(), bucket: storagetest.Faulty(b, hook), reopen: reopen}).run(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := dump(t.Context(), b, end)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got != want {
			t.Fatalf("%s: there is\n%s\nwant\n%s", name, got, want)
		}
	}
	verdicts := []storagetest.Verdict{storagetest.Fail, storagetest.FailAfter, storagetest.Half}
	for _, reopen := range []bool{false, true} {
		for n := 1; n <= calls+10; n++ {
			for _, v := range verdicts {
				try(fmt.Sprintf("call %d, verdict %d, reopen %t", n, v, reopen), reopen, storagetest.FailAt(n, v))
			}
		}
	}
	for n := 1; n <= calls; n++ {
		for m := n + 1; m <= calls+10; m += volume(1, 17) {
			for i, v := range verdicts {
				w := verdicts[(i+n+m)%3] // each pair of verdicts comes up
				try(fmt.Sprintf("calls %d and %d, verdicts %d and %d", n, m, v, w), (n+m)%2 == 0,
					storagetest.FailEach(map[int]storagetest.Verdict{n: v, m: w}))
			}
		}
	}
	t.Logf("%d calls, %d runs", calls, runs)
}

// TestDies has the process die at each call, in every way, and another begin
// where it was.
func TestDies(t *testing.T) {
	end := noon.Add(30 * 24 * time.Hour)
	for _, verdict := range []storagetest.Verdict{storagetest.Fail, storagetest.FailAfter, storagetest.Half} {
		for n := 1; ; n++ {
			b := memstore.New(nil)
			dead := storagetest.Faulty(b, storagetest.FailFrom(n, verdict))
			err := (&play{ctx: t.Context(), bucket: dead}).run()
			if err == nil {
				break
			}
			// Whatever is there is a ledger: what was delivered is there whole.
			p := &play{ctx: t.Context(), bucket: b, now: end}
			if err := p.open(); err != nil {
				t.Fatalf("call %d, verdict %d: %v", n, verdict, err)
			}
			log, err := p.store.Log(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			have, err := p.store.Registers(t.Context(), "cursor")
			if err != nil {
				t.Fatal(err)
			}
			delivered := 0
			if len(have) == 1 {
				delivered = int(have[0].Value[0]) + 1
			}
			if log.Tallies["accepted/own"] != int64(2*delivered) {
				t.Fatalf("call %d, verdict %d: %d keys of %d deliveries", n, verdict, log.Tallies["accepted/own"], delivered)
			}
			if err := p.prune(); err != nil {
				t.Fatal(err)
			}
			wantNoKeys(t, b, uploads(3))
		}
	}
}

// wantNoKeys looks for key data in every object of the bucket.
func wantNoKeys(t *testing.T, b storage.Bucket, ups []ledger.Upload) {
	t.Helper()
	for a, err := range storage.List(t.Context(), b, "gaen/") {
		if err != nil {
			t.Fatal(err)
		}
		content, _, err := storage.ReadAll(t.Context(), b, a.Name, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		for _, up := range ups {
			for _, k := range up.Keys {
				if strings.Contains(string(content), string(k.KeyData[:])) {
					t.Fatalf("a key that was removed is still in %s", a.Name)
				}
			}
		}
	}
}

// TestRemoveRemoves looks for key data in the bucket before and after keys are
// pruned.
func TestRemoveRemoves(t *testing.T) {
	b := memstore.New(nil)
	p := &play{ctx: t.Context(), bucket: b, now: noon}
	ups := uploads(3)
	if err := p.deliver(0, ups[0]); err != nil {
		t.Fatal(err)
	}
	found := false
	for a := range storage.List(t.Context(), b, "gaen/") {
		content, _, _ := storage.ReadAll(t.Context(), b, a.Name, 1<<30)
		found = found || strings.Contains(string(content), string(ups[0].Keys[0].KeyData[:]))
	}
	if !found {
		t.Fatal("the key is nowhere in the bucket: this test cannot tell")
	}
	n, err := p.store.Remove(t.Context(), &ledger.Removal{ // of nothing but units
		Now: noon, Ended: noon.Add(time.Hour), Floor: 1 << 40, Limit: 100,
		Each:    func(*ledger.Unit) time.Time { return time.Time{} },
		Tallies: func() ledger.Tallies { return nil },
		Again:   func() {},
	})
	if n != 2 || err != nil {
		t.Fatal(n, err)
	}
	wantNoKeys(t, b, ups)
}

// TestRemoveTriesAgain: if the snapshot cannot be put, the units are removed
// nevertheless, the error says so, and the next call makes up for it.
func TestRemoveTriesAgain(t *testing.T) {
	b := memstore.New(nil)
	var failing atomic.Bool
	p := &play{ctx: t.Context(), now: noon, bucket: storagetest.Faulty(b, func(_ context.Context, c storagetest.Call) storagetest.Verdict {
		if failing.Load() && strings.HasPrefix(c.Name, "gaen/state/") && c.Op == storagetest.OpCreate {
			return storagetest.Fail
		}
		return storagetest.Pass
	})}
	ups := uploads(1)
	if err := p.deliver(0, ups[0]); err != nil {
		t.Fatal(err)
	}
	failing.Store(true)
	p.now = noon.Add(30 * 24 * time.Hour)
	if r, err := p.ledger.Prune(t.Context()); err == nil || r.Removed != 2 {
		t.Fatalf("got %+v, %v; want 2 removed, and why they are still in the bucket", r, err)
	}
	failing.Store(false)
	second := &play{ctx: t.Context(), bucket: b, now: p.now} // and be it by another process
	if err := second.open(); err != nil {
		t.Fatal(err)
	}
	if r, err := second.ledger.Prune(t.Context()); err != nil || r.Removed != 0 {
		t.Fatal(r, err)
	}
	wantNoKeys(t, b, ups)
}
