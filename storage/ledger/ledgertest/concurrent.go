package ledgertest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

var concurrencyClauses = []clause{
	{
		name:  "together",
		must:  "methods may be called from several goroutines at once: every key that is accepted is numbered once",
		check: func(tr *trial) { checkTogether(tr, tr.openStore()) },
	},
	{
		name:  "together-two",
		must:  "two processes may use one ledger at once: every key that is accepted is numbered once",
		needs: second,
		check: func(tr *trial) { s := tr.openStore(); checkTogether(tr, s, tr.opts.Second(tr.t, s)) },
	},
	{
		name:  "swap-one-winner",
		must:  "of all who swap one version of a register, one succeeds",
		check: func(tr *trial) { checkOneWinner(tr, tr.openStore()) },
	},
	{
		name:  "swap-one-winner-two",
		must:  "of all who swap one version of a register from two processes, one succeeds",
		needs: second,
		check: func(tr *trial) { s := tr.openStore(); checkOneWinner(tr, s, tr.opts.Second(tr.t, s)) },
	},
	{
		name:  "release-exclusive",
		must:  "Releases exclude each other: of many at one time, one makes the cut",
		check: func(tr *trial) { checkReleaseExclusive(tr, tr.openStore()) },
	},
	{
		name:  "release-exclusive-two",
		must:  "Releases of two processes exclude each other: of many at one time, one makes the cut",
		needs: second,
		check: func(tr *trial) { s := tr.openStore(); checkReleaseExclusive(tr, s, tr.opts.Second(tr.t, s)) },
	},
}

// crew runs functions side by side and gathers their errors.
type crew struct {
	group sync.WaitGroup
	mu    sync.Mutex
	errs  []error
}

func (c *crew) run(f func() error) {
	c.group.Go(func() {
		if err := f(); err != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.errs = append(c.errs, err)
		}
	})
}

func (c *crew) wait() error {
	c.group.Wait()
	return errors.Join(c.errs...)
}

// ledgers opens a ledger around each store.
func (tr *trial) ledgers(stores []ledger.Store) []*ledger.Ledger {
	tr.tb.Helper()
	var all []*ledger.Ledger
	for _, s := range stores {
		all = append(all, tr.around(s, eager()))
	}
	tr.ledger = all[0]
	return all
}

func checkTogether(tr *trial, stores ...ledger.Store) {
	const writers, deliveries = 6, 8
	ls := tr.ledgers(stores)
	ks := tr.keys("DE", 60)
	var c crew
	accepted := make([]int, writers)
	for w := range writers {
		l := ls[w%len(ls)]
		source := ledger.Source("p" + strconv.Itoa(w%3)) // two writers to a source
		c.run(func() error {
			for i := range deliveries {
				at := (w*7 + i*11) % 50 // with the same keys as others
				d := &ledger.Delivery{Source: source, Uploads: []ledger.Upload{{ID: fmt.Sprintf("u-%d-%d", w, i), Keys: ks[at : at+10]}}}
				r, err := l.Accept(tr.ctx, d)
				if err != nil {
					return fmt.Errorf("accept: %w", err)
				}
				accepted[w] += r.Accepted
			}
			return nil
		})
	}
	done := make(chan struct{})
	var side crew
	for i := range 4 {
		l := ls[i%len(ls)]
		side.run(func() error { return tr.disturb(l, i, done) })
	}
	err := c.wait()
	close(done)
	tr.must(errors.Join(err, side.wait()))
	tr.clock.set(noon.Add(6 * 24 * time.Hour)) // later than any clock that was shown
	_, err = tr.ledger.Release(tr.ctx, &ledger.ReleaseOptions{AllowGap: true})
	tr.must(err)
	tr.judgeTogether(ks, accepted)
}

// disturb releases, reads or swaps until done.
func (tr *trial) disturb(l *ledger.Ledger, kind int, done chan struct{}) error {
	name := "busy/" + strconv.Itoa(kind)
	for i := int64(0); ; i++ {
		select {
		case <-done:
			return nil
		default:
		}
		switch kind % 2 {
		case 0:
			tr.clock.set(noon.Add(time.Duration(min(i, 300)) * 20 * time.Minute))
			if _, err := l.Release(tr.ctx, &ledger.ReleaseOptions{AllowGap: true}); err != nil {
				return fmt.Errorf("release: %w", err)
			}
		case 1:
			registers, err := l.Registers(tr.ctx, name)
			if err != nil {
				return err
			}
			version := int64(0)
			if len(registers) > 0 {
				version = registers[0].Version
			}
			if err := l.Swap(tr.ctx, ledger.NewNonce(), ledger.Swap{Name: name, Version: version, Value: []byte(name)}); err != nil {
				return fmt.Errorf("swap: %w", err)
			}
			if err := readOnce(tr, l); err != nil {
				return err
			}
		}
	}
}

// readOnce reads the whole log and sees that its numbers are of one moment: as
// many as there are, each once.
func readOnce(tr *trial, l *ledger.Ledger) error {
	log, err := l.Log(tr.ctx, 0)
	if err != nil {
		return err
	}
	seen := map[int64]bool{}
	for u, err := range l.Read(tr.ctx, 0, log.Last.Last) {
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		for _, e := range u.Events {
			if seen[e.Number] {
				return fmt.Errorf("number %d was read twice", e.Number)
			}
			seen[e.Number] = true
		}
	}
	if int64(len(seen)) != log.Last.Last {
		return fmt.Errorf("the log ends with %d and %d numbers were read", log.Last.Last, len(seen))
	}
	return nil
}

// judgeTogether fails unless every key has one number as new, every source's
// claims were counted once, and nothing is twice.
func (tr *trial) judgeTogether(ks []keys.DiagnosisKey, accepted []int) {
	tr.tb.Helper()
	tr.numbered()
	tr.checkChain(tr.log())
	claims := 0
	for _, k := range ks {
		u := tr.unit(k)
		if u == nil {
			continue // the sums below tell if it was accepted and lost
		}
		if !u.Released() {
			tr.fail("a key that was accepted has no number:%s", tr.show(u))
		}
		sources := map[ledger.Source]bool{}
		for _, c := range u.Claims {
			if sources[c.Source] {
				tr.fail("a source has two claims on a unit:%s", tr.show(u))
			}
			sources[c.Source] = true
		}
		if last := u.Events[len(u.Events)-1]; last.Own != active || last.Sources != u.Sources() {
			tr.fail("the last event is not what the unit is:%s", tr.show(u))
		}
		claims += len(u.Claims)
	}
	sum, tally := 0, int64(0)
	for _, n := range accepted {
		sum += n
	}
	for _, s := range []string{"p0", "p1", "p2"} {
		tally += tr.log().Tallies["accepted/"+s]
	}
	if sum != claims || tally != int64(claims) {
		tr.fail("receipts say %d claims, the tallies %d, and there are %d", sum, tally, claims)
	}
}

func checkOneWinner(tr *trial, stores ...ledger.Store) {
	const rounds, swappers = 12, 8
	version := int64(0)
	for round := range rounds {
		var c crew
		var mu sync.Mutex
		winners := 0
		for i := range swappers {
			s := stores[i%len(stores)]
			c.run(func() error {
				err := s.Swap(tr.ctx, ledger.NewNonce(), []ledger.Swap{
					{Name: "r", Version: version, Value: []byte{byte(i)}}, {Name: fmt.Sprintf("won/%d", round), Value: []byte{byte(i)}}})
				if _, ok := errors.AsType[*ledger.ConflictError](err); ok {
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				winners++
				return err
			})
		}
		tr.must(c.wait())
		r, won := tr.register("r"), tr.register(fmt.Sprintf("won/%d", round))
		if winners != 1 || won.Nonce != r.Nonce || won.Value[0] != r.Value[0] {
			tr.fail("round %d had %d winners; the registers are %+v and %+v", round, winners, r, won)
		}
		version = r.Version
	}
}

func checkReleaseExclusive(tr *trial, stores ...ledger.Store) {
	ls := tr.ledgers(stores)
	for range 5 {
		tr.accept(ledger.Own, tr.keys("DE", 5)...)
		tr.clock.set(tr.clock.Now().Truncate(time.Hour).Add(time.Hour))
		var c crew
		var mu sync.Mutex
		made := 0
		for i := range 8 {
			c.run(func() error {
				report, err := ls[i%len(ls)].Release(tr.ctx, nil)
				if report != nil {
					mu.Lock()
					defer mu.Unlock()
					made++
				}
				return err
			})
		}
		tr.must(c.wait())
		if made != 1 {
			tr.fail("%d cuts were made at one time", made)
		}
	}
	tr.checkChain(tr.log())
	if got := tr.numbered(); len(got) != 25 || tr.log().Last.Seq != 5 {
		tr.fail("25 keys have %d numbers in %d cuts", len(got), tr.log().Last.Seq)
	}
}
