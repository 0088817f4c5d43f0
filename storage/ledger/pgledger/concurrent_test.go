package pgledger_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
)

// queryAll returns the first column of a query, as text.
func queryAll(t *testing.T, pool *pgxpool.Pool, query string) (found []string) {
	t.Helper()
	rows, err := pool.Query(t.Context(), "SELECT x::text FROM ("+query+") AS q (x)")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		found = append(found, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// checkIntegrity looks for rows that no ledger may have.
func checkIntegrity(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	for _, query := range []string{
		`SELECT unit FROM gaen.claim WHERE unit NOT IN (SELECT id FROM gaen.unit WHERE source IS NULL)`,
		`SELECT unit FROM gaen.event WHERE unit NOT IN (SELECT id FROM gaen.unit)`,
		`SELECT unit FROM gaen.waiting WHERE unit NOT IN (SELECT id FROM gaen.unit)`,
		`SELECT id FROM gaen.unit WHERE origin = ''`,
		`SELECT min(id) FROM gaen.unit GROUP BY key_data, origin HAVING count(*) > 1`,
		`SELECT a.id FROM gaen.unit a JOIN gaen.unit b ON a.key_data = b.key_data AND a.id <> b.id WHERE NOT a.shared`,
		`SELECT unit FROM gaen.event GROUP BY unit HAVING count(*) > 1 AND NOT (SELECT changed FROM gaen.unit WHERE id = unit)`,
		`SELECT seq FROM gaen.cut WHERE after <> coalesce((SELECT last FROM gaen.cut AS b WHERE b.seq = cut.seq - 1), 0)`,
		`SELECT seq FROM gaen.cut WHERE NOT pruned AND last - after <> (SELECT count(*) FROM gaen.event WHERE number > after AND number <= last)`,
		`SELECT w.unit FROM gaen.waiting w JOIN gaen.unit u ON u.id = w.unit WHERE (w.key_data, w.origin, w.upload, w.due) <> (u.key_data, u.origin, u.upload, u.due)`,
		`SELECT w.unit FROM gaen.waiting w WHERE (wait = 1) = EXISTS (SELECT FROM gaen.event e WHERE e.unit = w.unit)`,
		`SELECT k.source FROM gaen.kept k JOIN gaen.unit u USING (key_data, origin) WHERE u.source = k.source`,
		`SELECT k.source FROM gaen.kept k JOIN gaen.unit u USING (key_data, origin) JOIN gaen.claim c ON c.unit = u.id WHERE c.source = k.source`,
	} {
		if got := queryAll(t, pool, query); len(got) > 0 {
			t.Errorf("%d rows, such as %q, for which the ledger is wrong: %s", len(got), got[0], query)
		}
	}
}

// storm is several processes, each with a pool of its own, at work on one ledger:
// with the same few keys of several origins and sources, with withdrawals that
// come before their keys, with cuts, readers and removals all the time.
type storm struct {
	t       *testing.T
	pools   []*pgxpool.Pool
	stores  []*pgledger.Store
	ledgers []*ledger.Ledger
	keys    []keys.DiagnosisKey
	now     atomic.Int64 // seconds
	offered sync.Map     // of each source, as receipts say: *atomic.Int64
}

var stormStart = time.Date(2022, 3, 1, 12, 0, 0, 0, time.UTC)

func newStorm(t *testing.T, processes int) *storm {
	s := &storm{t: t}
	s.now.Store(stormStart.Unix())
	policy, phone, partner := eager(), keys.FromPhone(), keys.FromPartner()
	policy.PruneAge, phone.MaxAge, partner.MaxAge = 14*24*time.Hour, 14*24*time.Hour, 14*24*time.Hour
	first := fresh(t)
	for i := range processes {
		pool := first
		if i > 0 {
			pool = another(t, first)
		}
		store := open(t, pool, &pgledger.Options{Clock: func() time.Time { return time.Unix(s.now.Load(), 0).UTC() }})
		l, err := ledger.Open(t.Context(), store, &ledger.Options{Policy: policy, FromPhone: &phone, FromPartner: &partner})
		if err != nil {
			t.Fatal(err)
		}
		s.pools, s.stores, s.ledgers = append(s.pools, pool), append(s.stores, store), append(s.ledgers, l)
	}
	g := keystest.New(3, &keystest.Options{EndOfPeriod: true})
	for len(s.keys) < 60 {
		s.keys = append(s.keys, g.Upload(stormStart.Add(-13*24*time.Hour)).Keys...)
	}
	return s
}

// bring delivers some of the keys, as a source, for several origins.
func (s *storm) bring(l *ledger.Ledger, r *rand.Rand, name string) error {
	source := []ledger.Source{ledger.Own, "p", "q"}[r.IntN(3)]
	d := &ledger.Delivery{Source: source}
	up := ledger.Upload{ID: name}
	for range 1 + r.IntN(8) {
		k := s.keys[r.IntN(len(s.keys))]
		k.Origin = keys.MustRegion([]string{"DE", "AT", "FR"}[r.IntN(3)])
		k.RollingStartIntervalNumber = keys.IntervalAt(stormStart.Add(-24*time.Hour*time.Duration(1+int(k.KeyData[0])%13))) - 144
		k.RollingPeriod = 144
		if r.IntN(4) == 0 {
			d.Withdrawals = append(d.Withdrawals, ledger.IDOf(&k))
		} else {
			up.Keys = append(up.Keys, k)
		}
	}
	d.Uploads = []ledger.Upload{up}
	receipt, err := l.Accept(s.t.Context(), d)
	if err == nil {
		counter, _ := s.offered.LoadOrStore(source, new(atomic.Int64))
		counter.(*atomic.Int64).Add(int64(receipt.Offered))
	}
	return err
}

// readLog reads what has been released, and fails if it is not of one moment.
func (s *storm) readLog(l *ledger.Ledger) error {
	ctx := s.t.Context()
	log, err := l.Log(ctx, 0)
	if err != nil {
		return err
	}
	from := int64(0)
	for _, c := range log.Cuts {
		if c.Pruned {
			from = c.Last
		}
	}
	seen := map[int64]bool{}
	for u, err := range l.Read(ctx, from, log.Last.Last) {
		if errors.Is(err, ledger.ErrPruned) { // since
			return nil
		}
		if err != nil {
			return err
		}
		for _, x := range append([]ledger.Unit{*u}, u.Siblings...) {
			for _, e := range x.Events {
				if e.Number > from {
					seen[e.Number] = true
				}
			}
		}
	}
	if int64(len(seen)) != log.Last.Last-from {
		return fmt.Errorf("%d of the numbers (%d, %d]", len(seen), from, log.Last.Last)
	}
	return nil
}

func (s *storm) release(l *ledger.Ledger) error {
	s.now.Add(3600)
	_, err := l.Release(s.t.Context(), &ledger.ReleaseOptions{AllowGap: true})
	return err
}

// TestStorm expects everything to be well after a storm: books that balance, a
// chain of cuts, rows that go together.
func TestStorm(t *testing.T) {
	s := newStorm(t, 4)
	var bringing, others sync.WaitGroup
	var done atomic.Bool
	for i := range 12 {
		bringing.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for n := range volume(120, 25) {
				if err := s.bring(s.ledgers[i%4], r, fmt.Sprint("upload-", i, "-", n)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	side := func(pause time.Duration, f func(*ledger.Ledger) error) {
		for i := range 2 {
			others.Go(func() {
				for !done.Load() {
					if err := f(s.ledgers[i]); err != nil {
						t.Error(err)
						return
					}
					time.Sleep(pause)
				}
			})
		}
	}
	side(60*time.Millisecond, s.release)
	side(20*time.Millisecond, s.readLog)
	side(100*time.Millisecond, func(l *ledger.Ledger) error { _, err := l.Prune(t.Context(), everywhere{}); return err })
	bringing.Wait()
	done.Store(true)
	others.Wait()
	s.judge()
}

// everywhere is a sink that gets everything.
type everywhere struct{}

func (everywhere) Name() string                    { return "everywhere" }
func (everywhere) Term(u *ledger.Unit) ledger.Term { return ledger.TermSent }

func (s *storm) judge() {
	s.t.Helper()
	if err := s.release(s.ledgers[0]); err != nil {
		s.t.Fatal(err)
	}
	if err := s.readLog(s.ledgers[1]); err != nil {
		s.t.Error(err)
	}
	stats, err := s.ledgers[2].Stats(s.t.Context(), everywhere{})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := stats.Check(); err != nil {
		s.t.Error(err)
	}
	s.offered.Range(func(source, n any) bool {
		if got, want := stats.Sources[source.(ledger.Source)].Offered, n.(*atomic.Int64).Load(); got != want {
			s.t.Errorf("%s offered %d keys by the tallies, %d by the receipts", source, got, want)
		}
		return true
	})
	ledgertest.CheckLog(s.t, s.stores[3])
	checkIntegrity(s.t, s.pools[0])
	written := pgtest.Shared(s.t).Log()
	if n := strings.Count(written, "deadlock detected"); n > 0 {
		s.t.Errorf("%d deadlocks", n)
	}
	if strings.Contains(written, "Key (key_data") {
		s.t.Error("the server's log has key data in it")
	}
}

// TestSortedAdditions has deliveries add the same new keys side by side, each in
// an order of its own: none may wait for one that waits for it.
func TestSortedAdditions(t *testing.T) {
	s := newStorm(t, 2)
	g := keystest.New(12, &keystest.Options{EndOfPeriod: true})
	for round := range volume(12, 3) {
		var ks []keys.DiagnosisKey
		for len(ks) < 150 {
			ks = append(ks, g.Upload(stormStart).Keys...)
		}
		back := slices.Clone(ks)
		slices.Reverse(back)
		var wg sync.WaitGroup
		for i, some := range [][]keys.DiagnosisKey{ks, back, ks, back} {
			wg.Go(func() {
				source := ledger.Source("p" + strconv.Itoa(i))
				d := &ledger.Delivery{Source: source, Uploads: []ledger.Upload{{ID: fmt.Sprint(round), Keys: some}}}
				if r, err := s.ledgers[i%2].Accept(t.Context(), d); err != nil || r.Accepted != len(ks) {
					t.Errorf("%+v, %v", r, err)
				}
			})
		}
		wg.Wait()
	}
	if strings.Contains(pgtest.Shared(t).Log(), "deadlock detected") {
		t.Error("a deadlock")
	}
	checkIntegrity(t, s.pools[0])
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

// TestIncrements has several processes add 1 to one register, each as often as it
// is not too late.
func TestIncrements(t *testing.T) {
	s := newStorm(t, 3)
	const each = 15
	var wg sync.WaitGroup
	for i := range 6 {
		l := s.ledgers[i%3]
		wg.Go(func() {
			for done := 0; done < each; {
				count, version, err := counter(t.Context(), l, "count")
				if err == nil {
					err = l.Swap(t.Context(), ledger.NewNonce(), ledger.Swap{Name: "count", Version: version, Value: strconv.AppendInt(nil, count+1, 10)})
				}
				if _, late := errors.AsType[*ledger.ConflictError](err); late {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				done++
			}
		})
	}
	wg.Wait()
	if count, _, err := counter(t.Context(), s.ledgers[0], "count"); err != nil || count != 6*each {
		t.Errorf("the register says %d, want %d (%v)", count, 6*each, err)
	}
}

// TestSlots sees that connections add to different slots of a counter.
func TestSlots(t *testing.T) {
	s := newStorm(t, 4)
	for _, l := range s.ledgers {
		d := &ledger.Delivery{Source: "p", Unreadable: []ledger.SetAside{{Upload: "u"}}}
		if _, err := l.Accept(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if got := queryAll(t, s.pools[0], `SELECT count(*) > 1 AND sum(count) = 4 FROM gaen.tally WHERE name = 'offered/p'`); got[0] != "true" {
		t.Errorf("the counter is in one slot, or not 4")
	}
}

// TestRemovePassesOver sees that Remove does not wait for a kept withdrawal or a
// key set aside that somebody else has locked.
func TestRemovePassesOver(t *testing.T) {
	o := newOffice(t)
	k := o.keys.Upload(o.now).Keys[0]
	d := &ledger.Delivery{Source: "p", Withdrawals: []ledger.UnitID{ledger.IDOf(&k)}, Unreadable: []ledger.SetAside{{Upload: "u"}}}
	if _, err := o.ledger.Accept(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	tx := o.begin(pgx.TxOptions{})
	if _, err := tx.Exec(t.Context(), `SELECT FROM gaen.kept FOR UPDATE; SELECT FROM gaen.set_aside FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	again := 0
	remove := func() {
		t.Helper()
		_, err := o.store.Remove(ctx, &ledger.Removal{
			Now: o.now, Ended: o.now.Add(time.Hour), Limit: 9,
			Again: func() { again++ }, Tallies: func() ledger.Tallies { return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	remove()
	left := func() string {
		return queryAll(t, o.pool, `SELECT (SELECT count(*) FROM gaen.kept) + (SELECT count(*) FROM gaen.set_aside)`)[0]
	}
	if got := left(); got != "2" {
		t.Errorf("%s rows are left, want 2", got)
	}
	tx.Rollback(t.Context())
	remove()
	if got := left(); got != "0" || again != 2 {
		t.Errorf("%s rows are left, want 0; Again was called %d times", got, again)
	}
}

// TestRemoveExcludes sees that a cut and another Remove wait for a Remove, and that
// deliveries of other keys, known or not, do not.
func TestRemoveExcludes(t *testing.T) {
	o := newOffice(t)
	old, known := o.delivery("old"), o.delivery("known")
	for _, d := range []*ledger.Delivery{old, known} {
		if _, err := o.ledger.Accept(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	o.now = o.now.Add(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	waited := make(chan error, 2)
	early, calls := false, 0
	removal := &ledger.Removal{
		Now: o.now, Ended: o.now.Add(48 * time.Hour), Floor: 1 << 40, Limit: 1, Again: func() {},
		Tallies: func() ledger.Tallies { return nil },
	}
	second := *removal
	second.Each = func(*ledger.Unit) time.Time { return time.Time{} }
	removal.Each = func(u *ledger.Unit) time.Time {
		if calls++; calls > 1 {
			return time.Time{}
		}
		go func() {
			n, err := o.store.Remove(ctx, &second)
			if err == nil && n != 1 { // there are more than one to be removed
				err = fmt.Errorf("%d removed", n)
			}
			waited <- err
		}()
		time.Sleep(100 * time.Millisecond)
		free := known.Uploads[0]
		free.Keys = slices.DeleteFunc(slices.Clone(free.Keys), func(k keys.DiagnosisKey) bool { return k.KeyData == u.Key.KeyData })
		for _, d := range []*ledger.Delivery{o.delivery("new"), {Source: "p", Uploads: []ledger.Upload{free}}} {
			if _, err := o.ledger.Accept(ctx, d); err != nil {
				t.Error(err)
			}
		}
		go func() { _, err := o.ledger.Release(ctx, nil); waited <- err }()
		select {
		case err := <-waited:
			waited <- err
			early = true
		case <-time.After(300 * time.Millisecond):
		}
		return time.Time{}
	}
	if n, err := o.store.Remove(ctx, removal); err != nil || n != 1 || early {
		t.Errorf("%d removed, somebody did not wait: %t, %v", n, early, err)
	}
	for range 2 {
		if err := <-waited; err != nil {
			t.Error(err)
		}
	}
	checkIntegrity(t, o.pool)
}

// TestWithdrawnBeforeItCame has one source bring a key and withdraw it at the same
// moment, by two processes. Whichever is first, the key must be withdrawn.
func TestWithdrawnBeforeItCame(t *testing.T) {
	s := newStorm(t, 2)
	g := keystest.New(9, &keystest.Options{EndOfPeriod: true})
	for i := range volume(150, 30) {
		k := g.Upload(stormStart).Keys[0]
		id := ledger.IDOf(&k)
		deliveries := []*ledger.Delivery{
			{Source: "p", Uploads: []ledger.Upload{{ID: fmt.Sprint(i), Keys: []keys.DiagnosisKey{k}}}},
			{Source: "p", Withdrawals: []ledger.UnitID{id}},
		}
		var wg sync.WaitGroup
		for j, d := range deliveries {
			wg.Go(func() {
				if _, err := s.ledgers[j].Accept(t.Context(), d); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for rec, err := range s.ledgers[0].Find(t.Context(), ledger.Query{Unit: &id}) {
			if err != nil || rec.Unit == nil || !rec.Unit.SourceWithdrew || len(rec.Kept) > 0 {
				t.Fatalf("round %d: kept %d, error %v, unit %v", i, len(rec.Kept), err, rec.Unit)
			}
		}
	}
	checkIntegrity(t, s.pools[0])
}

// slowDecide has an Accept of one unit wait in the middle, between what it saw
// and what it stores, until f has been called.
func slowDecide(ctx context.Context, s *pgledger.Store, id ledger.UnitID, f func(), decide func(*ledger.Standing) (*ledger.Changes, error)) (attempts int, err error) {
	err = s.Accept(ctx, &ledger.Intake{Units: []ledger.UnitID{id}, Decide: func(st *ledger.Standing) (*ledger.Changes, error) {
		if attempts++; attempts == 1 {
			f()
		}
		return decide(st)
	}})
	return attempts, err
}

// TestMissingIsMissing sees that an Accept that was shown that there is no unit is
// repeated if there is one, or a trace of one, by the time it stores; whatever it
// decides.
func TestMissingIsMissing(t *testing.T) {
	now := time.Date(2022, 3, 1, 12, 0, 0, 0, time.UTC)
	s := open(t, fresh(t), &pgledger.Options{Clock: func() time.Time { return now }})
	g := keystest.New(4, nil)
	nothing := func(*ledger.Standing) (*ledger.Changes, error) { return &ledger.Changes{}, nil }
	unitOf := func(k keys.DiagnosisKey) *ledger.Unit {
		return &ledger.Unit{Key: k, Accepted: now, Due: now, Upload: "u", Claims: []ledger.Claim{{Source: "p", Upload: "u", Accepted: now, Key: k}}}
	}
	adds := func(k keys.DiagnosisKey) func(*ledger.Standing) (*ledger.Changes, error) {
		return func(*ledger.Standing) (*ledger.Changes, error) {
			return &ledger.Changes{Units: []*ledger.Unit{unitOf(k)}}, nil
		}
	}
	keeps := func(k keys.DiagnosisKey) func(*ledger.Standing) (*ledger.Changes, error) {
		return func(*ledger.Standing) (*ledger.Changes, error) {
			return &ledger.Changes{Kept: []ledger.KeptChange{{ID: ledger.IDOf(&k), Kept: ledger.KeptWithdrawal{Source: "p", At: now}}}}, nil
		}
	}
	for _, tt := range []struct {
		name            string
		meanwhile, then func(keys.DiagnosisKey) func(*ledger.Standing) (*ledger.Changes, error)
		origin          string
		removed         bool
		attempts        int
	}{
		{name: "a unit, seen by one that decides nothing", meanwhile: adds, then: func(keys.DiagnosisKey) func(*ledger.Standing) (*ledger.Changes, error) { return nothing }, attempts: 2},
		{name: "a unit of another origin", meanwhile: adds, then: adds, origin: "FR", attempts: 2},
		{name: "a unit, seen by one that keeps a withdrawal", meanwhile: adds, then: keeps, attempts: 2},
		{name: "a kept withdrawal", meanwhile: keeps, then: adds, attempts: 2},
		{name: "a tombstone", meanwhile: adds, removed: true, then: adds, attempts: 2},
		{name: "nothing", then: adds, attempts: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := g.Upload(now).Keys[0]
			k.Origin = keys.MustRegion("DE")
			asked := k
			if tt.origin != "" {
				asked.Origin = keys.MustRegion(tt.origin)
			}
			attempts, err := slowDecide(t.Context(), s, ledger.IDOf(&asked), func() {
				if tt.meanwhile == nil {
					return
				}
				err := s.Accept(t.Context(), &ledger.Intake{Units: []ledger.UnitID{ledger.IDOf(&k)}, Decide: tt.meanwhile(k)})
				if err == nil && tt.removed {
					_, err = s.Remove(t.Context(), &ledger.Removal{
						Now: now, Ended: now.Add(48 * time.Hour), Floor: 1 << 40, Limit: 10000, Again: func() {},
						Each:    func(*ledger.Unit) time.Time { return now.Add(time.Hour) },
						Tallies: func() ledger.Tallies { return nil },
					})
				}
				if err != nil {
					t.Error(err)
				}
			}, tt.then(asked))
			if err != nil || attempts != tt.attempts {
				t.Errorf("%d attempts, want %d; %v", attempts, tt.attempts, err)
			}
		})
	}
}

// TestSiblingIsSeen sees that whoever waits for a unit of a key data sees the unit
// of another origin that the one it waited for has added.
func TestSiblingIsSeen(t *testing.T) {
	now := time.Date(2022, 3, 1, 12, 0, 0, 0, time.UTC)
	s := open(t, fresh(t), &pgledger.Options{Clock: func() time.Time { return now }})
	k := keystest.New(4, nil).Upload(now).Keys[0]
	adds := func(origin string) (ledger.UnitID, func(*ledger.Standing) (*ledger.Changes, error)) {
		k := k
		k.Origin = keys.MustRegion(origin)
		u := &ledger.Unit{Key: k, Accepted: now, Due: now, Upload: "u"}
		return u.ID(), func(*ledger.Standing) (*ledger.Changes, error) { return &ledger.Changes{Units: []*ledger.Unit{u}}, nil }
	}
	first, add := adds("FR")
	if err := s.Accept(t.Context(), &ledger.Intake{Units: []ledger.UnitID{first}, Decide: add}); err != nil {
		t.Fatal(err)
	}
	second, add := adds("DE")
	seen := make(chan bool, 1)
	_, err := slowDecide(t.Context(), s, second, func() {
		go func() {
			known := false
			err := s.Accept(t.Context(), &ledger.Intake{Units: []ledger.UnitID{second}, Decide: func(st *ledger.Standing) (*ledger.Changes, error) {
				known = st.Records[0].Unit != nil
				return &ledger.Changes{}, nil
			}})
			if err != nil {
				t.Error(err)
			}
			seen <- known
		}()
		time.Sleep(300 * time.Millisecond) // until it waits
	}, add)
	if err != nil || !<-seen {
		t.Errorf("the unit that was waited for was not seen (%v)", err)
	}
}

// TestKnownIsHeld sees that nobody changes a unit that an Accept was shown, before
// that is done, and that a cut waits for it, and a submission of new keys for
// none of them.
func TestKnownIsHeld(t *testing.T) {
	now := time.Date(2022, 3, 1, 12, 0, 0, 0, time.UTC)
	s := open(t, fresh(t), &pgledger.Options{Clock: func() time.Time { return now }})
	l, err := ledger.Open(t.Context(), s, &ledger.Options{Policy: eager()})
	if err != nil {
		t.Fatal(err)
	}
	g := keystest.New(4, &keystest.Options{EndOfPeriod: true})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	deliver := func(source ledger.Source, name string, ks ...keys.DiagnosisKey) error {
		_, err := l.Accept(ctx, &ledger.Delivery{Source: source, Uploads: []ledger.Upload{{ID: name, Keys: ks}}})
		return err
	}
	k, other := g.Upload(now).Keys[0], g.Upload(now).Keys[0]
	if err := deliver(ledger.Own, "first", k, other); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	waited := make(chan error, 2)
	var early bool
	_, err = slowDecide(t.Context(), s, ledger.IDOf(&k), func() {
		if err := deliver("p", "another", other); err != nil { // waits for nobody
			t.Error(err)
		}
		go func() { waited <- deliver("p", "second", k) }()
		go func() { _, err := l.Release(t.Context(), nil); waited <- err }()
		if err := deliver(ledger.Own, "new", g.Upload(now).Keys...); err != nil { // waits for nobody
			t.Error(err)
		}
		select {
		case err := <-waited:
			waited <- err
			early = true
		case <-time.After(300 * time.Millisecond):
		}
	}, func(*ledger.Standing) (*ledger.Changes, error) { return &ledger.Changes{}, nil })
	if err != nil || early {
		t.Errorf("somebody did not wait: %t, %v", early, err)
	}
	for range 2 {
		if err := <-waited; err != nil {
			t.Error(err)
		}
	}
}
