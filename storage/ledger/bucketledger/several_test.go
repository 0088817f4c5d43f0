package bucketledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/bucketledger"
	"github.com/gaenkit/gaen/storage/memstore"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// clockAtNoon makes ledgers for replays whose time does not pass.
func clockAtNoon() time.Time { return noon }

// put sets a register, whatever it was.
func put(t *testing.T, s ledger.Store, name, value string) {
	t.Helper()
	have, err := s.Registers(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	swap := ledger.Swap{Name: name, Value: []byte(value)}
	if len(have) > 0 {
		swap.Version = have[0].Version
	}
	if err := s.Swap(t.Context(), ledger.NewNonce(), []ledger.Swap{swap}); err != nil {
		t.Fatal(err)
	}
}

// wantRegister expects a value, and one register of that name.
func wantRegister(t *testing.T, s ledger.Store, name, value string) {
	t.Helper()
	have, err := s.Registers(t.Context(), name)
	if err != nil || len(have) != 1 || string(have[0].Value) != value {
		t.Fatalf("register %s is %+v, %v; want %s", name, have, err, value)
	}
}

// TestPaused puts a writer to sleep just before it creates a segment, lets
// others take that very step and go on, with snapshots and without, and expects
// that the sleeper's step is decided again, on what there is by then.
func TestPaused(t *testing.T) {
	for _, others := range []int{0, 1, 2, 3, 5, 40, 400} {
		for _, checkpoint := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d steps, checkpoint %t", others, checkpoint), func(t *testing.T) {
				b := memstore.New(nil)
				opts := &bucketledger.Options{Clock: clockAtNoon}
				awake := open(t, b, opts)
				asleep := atomic.Bool{}
				sleeper := open(t, storagetest.Faulty(b, func(_ context.Context, c storagetest.Call) storagetest.Verdict {
					if c.Op == storagetest.OpCreate && asleep.CompareAndSwap(true, false) {
						for i := range others {
							put(t, awake, "other", fmt.Sprint(i))
						}
						if checkpoint {
							if err := awake.Checkpoint(t.Context()); err != nil {
								t.Error(err)
							}
						}
					}
					return storagetest.Pass
				}), opts)
				put(t, awake, "r", "before")
				wantRegister(t, sleeper, "r", "before")
				decided := 0
				asleep.Store(true)
				err := sleeper.Accept(t.Context(), &ledger.Intake{
					Registers: []string{"other"},
					Decide: func(s *ledger.Standing) (*ledger.Changes, error) {
						decided++
						return &ledger.Changes{Tallies: ledger.Tallies{"seen/" + string(s.Registers["other"].Value): 1}}, nil
					},
				})
				last := fmt.Sprint("seen/", others-1)
				if others == 0 {
					last = "seen/"
				}
				for _, s := range []*bucketledger.Store{sleeper, awake, open(t, b, opts)} {
					log, logErr := s.Log(t.Context(), 0)
					if logErr != nil {
						t.Fatal(logErr)
					}
					switch {
					case errors.Is(err, bucketledger.ErrUncertain) && checkpoint && others > 256:
						if len(log.Tallies) != 0 {
							t.Errorf("after %v the tallies are %v", err, log.Tallies)
						}
					case err != nil:
						t.Fatal(err)
					case len(log.Tallies) != 1 || log.Tallies[last] != 1:
						t.Errorf("the tallies are %v after %d decisions, want %s", log.Tallies, decided, last)
					}
				}
				put(t, sleeper, "r", "after")
				wantRegister(t, awake, "r", "after")
			})
		}
	}
}

// TestPausedAfter puts a writer to sleep just after it has created a segment: its
// step counts, whatever others have made of it meanwhile.
func TestPausedAfter(t *testing.T) {
	for _, others := range []int{0, 1, 40} {
		b := memstore.New(nil)
		opts := &bucketledger.Options{Clock: clockAtNoon}
		awake := open(t, b, opts)
		created := atomic.Bool{}
		sleeper := open(t, storagetest.Faulty(b, func(_ context.Context, c storagetest.Call) storagetest.Verdict {
			if c.Op == storagetest.OpCreate && strings.HasPrefix(c.Name, "gaen/log/") {
				created.Store(true)
			} else if c.Op == storagetest.OpList && created.CompareAndSwap(true, false) {
				for i := range others {
					put(t, awake, "other", fmt.Sprint(i))
				}
				if err := awake.Checkpoint(t.Context()); err != nil {
					t.Error(err)
				}
			}
			return storagetest.Pass
		}), opts)
		put(t, sleeper, "r", "sleeper's")
		wantRegister(t, awake, "r", "sleeper's")
		wantRegister(t, sleeper, "r", "sleeper's")
		if others > 0 {
			wantRegister(t, sleeper, "other", fmt.Sprint(others-1))
		}
	}
}

// TestManyProcesses has stores of their own work on one bucket at once, with a
// snapshot every few steps, in memory and in a folder.
func TestManyProcesses(t *testing.T) {
	for _, tt := range []struct {
		name string
		b    storage.Bucket
	}{{"memory", memstore.New(nil)}, {"files", newFolder(t)}} {
		t.Run(tt.name, func(t *testing.T) {
			const workers, each = 6, 25
			opts := &bucketledger.Options{Clock: clockAtNoon, MaxSegments: 5}
			var ledgers []*ledger.Ledger
			for range workers {
				l, err := ledger.Open(t.Context(), open(t, tt.b, opts), &ledger.Options{Policy: eager()})
				if err != nil {
					t.Fatal(err)
				}
				ledgers = append(ledgers, l)
			}
			var wg sync.WaitGroup
			for w, l := range ledgers {
				g := keystest.New(uint64(w), &keystest.Options{EndOfPeriod: true})
				wg.Go(func() {
					for i := range each {
						if err := bringAndCount(t.Context(), l, g, fmt.Sprint(w, "-", i)); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			s := open(t, tt.b, opts)
			log, err := s.Log(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			wantRegister(t, s, "count", fmt.Sprint(workers*each))
			if got := log.Tallies["accepted/own"]; got != workers*each {
				t.Errorf("%d keys accepted, want %d", got, workers*each)
			}
		})
	}
}

// bringAndCount brings a key and adds 1 to a register, however often others are
// faster.
func bringAndCount(ctx context.Context, l *ledger.Ledger, g *keystest.Generator, name string) error {
	up := g.Upload(noon)
	d := &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: name, Keys: up.Keys[:1]}}}
	for {
		have, err := l.Registers(ctx, "count")
		if err != nil {
			return err
		}
		n, version := 0, int64(0)
		if len(have) == 1 {
			fmt.Sscan(string(have[0].Value), &n)
			version = have[0].Version
		}
		d.Swaps = []ledger.Swap{{Name: "count", Version: version, Value: fmt.Append(nil, n+1)}}
		r, err := l.Accept(ctx, d)
		if _, conflict := errors.AsType[*ledger.ConflictError](err); conflict {
			continue
		}
		if err == nil && r.Accepted != 1 {
			err = fmt.Errorf("%s: %+v", name, r)
		}
		return err
	}
}

// TestReadsChangeNothing: neither does reading write, nor does a step that has
// nothing to change; and a call costs what the package says.
func TestReadsChangeNothing(t *testing.T) {
	f := storagetest.Faulty(memstore.New(nil), nil)
	s := open(t, f, &bucketledger.Options{Clock: clockAtNoon})
	put(t, s, "r", "x")
	calls := func(do func()) (all []string) {
		before := len(f.Calls())
		do()
		for _, c := range f.Calls()[before:] {
			name := c.Op
			if c.Op == storagetest.OpCreate {
				name += " " + c.Name
			}
			all = append(all, name)
		}
		return all
	}
	reading := "list list"
	for _, tt := range []struct {
		name, want string
		do         func()
	}{
		{"log", reading, func() { s.Log(t.Context(), 0) }},
		{"registers", reading, func() { s.Registers(t.Context(), "") }},
		{"read", reading, func() {
			for range s.Read(t.Context(), 0, 100) {
			}
		}},
		{"find", reading, func() {
			for range s.Find(t.Context(), ledger.Query{}) {
			}
		}},
		{"accept nothing", reading, func() {
			s.Accept(t.Context(), &ledger.Intake{Decide: func(*ledger.Standing) (*ledger.Changes, error) { return &ledger.Changes{}, nil }})
		}},
		{"remove nothing", reading, func() {
			s.Remove(t.Context(), &ledger.Removal{Now: noon, Limit: 10, Tallies: func() ledger.Tallies { return nil }, Again: func() {}})
		}},
		{"swap", "list list list list create gaen/log/00000000000000000003 list", func() { put(t, s, "r", "y") }},
	} {
		if got := strings.Join(calls(tt.do), " "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestTidy: after a checkpoint there is one object.
func TestTidy(t *testing.T) {
	b := memstore.New(nil)
	s := open(t, b, &bucketledger.Options{Clock: clockAtNoon, MaxSegments: 7})
	for i := range 100 {
		put(t, s, "r", fmt.Sprint(i))
		if n := count(t, b, "gaen/"); n > 9 {
			t.Fatalf("%d objects after %d steps", n, i)
		}
	}
	if err := s.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(t, b, ""); n != 1 {
		t.Errorf("%d objects after a checkpoint, want 1", n)
	}
	wantRegister(t, open(t, b, &bucketledger.Options{Clock: clockAtNoon}), "r", "99")
}

func count(t *testing.T, b storage.Bucket, prefix string) (n int) {
	t.Helper()
	for _, err := range storage.List(t.Context(), b, prefix) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// TestSnapshotFails: a log that grows because no snapshot can be made is at last
// no longer written, and the error says why.
func TestSnapshotFails(t *testing.T) {
	var failing atomic.Bool
	b := storagetest.Faulty(memstore.New(nil), func(_ context.Context, c storagetest.Call) storagetest.Verdict {
		if failing.Load() && strings.HasPrefix(c.Name, "gaen/state/") && c.Op == storagetest.OpCreate {
			return storagetest.Fail
		}
		return storagetest.Pass
	})
	s := open(t, b, &bucketledger.Options{Clock: clockAtNoon, MaxSegments: 5})
	failing.Store(true)
	var err error
	steps := 0
	for ; err == nil && steps < 100; steps++ {
		err = s.Swap(t.Context(), ledger.NewNonce(), []ledger.Swap{{Name: fmt.Sprint("r", steps)}})
	}
	if !errors.Is(err, storagetest.ErrFault) || steps < 5 || steps > 25 {
		t.Fatalf("after %d steps: %v", steps, err)
	}
	failing.Store(false)
	put(t, s, "other", "x")
	if n := count(t, b, "gaen/log/"); n > 2 {
		t.Errorf("%d segments are left", n)
	}
}

// TestCancelled: a context that is over begins nothing, and one that ends while
// others are at it waits no longer.
func TestCancelled(t *testing.T) {
	hold, held := make(chan bool), make(chan bool)
	var holding atomic.Bool
	b := storagetest.Faulty(memstore.New(nil), func(context.Context, storagetest.Call) storagetest.Verdict {
		if holding.CompareAndSwap(true, false) {
			held <- true
			<-hold
		}
		return storagetest.Pass
	})
	s := open(t, b, &bucketledger.Options{Clock: clockAtNoon})
	holding.Store(true)
	done := make(chan error)
	go func() {
		_, err := s.Registers(context.Background(), "")
		done <- err
	}()
	<-held
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := s.Log(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting gives %v", err)
	}
	close(hold)
	if err := <-done; err != nil {
		t.Error(err)
	}
	calls := len(b.Calls())
	if err := s.Swap(ctx, ledger.NewNonce(), []ledger.Swap{{Name: "r"}}); !errors.Is(err, context.Canceled) || len(b.Calls()) != calls {
		t.Errorf("a context that is over gives %v after %d calls", err, len(b.Calls())-calls)
	}
}

// stopping ends a context when it has put, or just before, and loses the answer.
type stopping struct {
	storage.Bucket
	stop   context.CancelFunc // nil: does nothing of the kind
	before bool
}

func (b *stopping) Put(ctx context.Context, name string, r io.Reader, o *storage.PutOptions) (storage.Attributes, error) {
	if b.stop == nil {
		return b.Bucket.Put(ctx, name, r, o)
	}
	if b.before {
		b.stop()
	}
	_, err := b.Bucket.Put(ctx, name, r, o)
	b.stop()
	return storage.Attributes{}, errors.Join(err, context.Canceled)
}

// TestCancelledWhileWriting: a step whose context ends while it is written is
// brought to its end, one way or the other.
func TestCancelledWhileWriting(t *testing.T) {
	for _, before := range []bool{false, true} {
		b := &stopping{Bucket: memstore.New(nil), before: before}
		s := open(t, b, &bucketledger.Options{Clock: clockAtNoon})
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.stop = stop
		err := s.Swap(ctx, ledger.NewNonce(), []ledger.Swap{{Name: "r", Value: []byte("x")}})
		have, readErr := s.Registers(t.Context(), "r")
		if readErr != nil {
			t.Fatal(readErr)
		}
		if stored := len(have) == 1; stored == before || stored != (err == nil) {
			t.Errorf("cancelled before it: %t; gives %v, and stored %t", before, err, stored)
		}
	}
}

// TestPrintsNothingOfWhatItKeeps prints a store in every way.
func TestPrintsNothingOfWhatItKeeps(t *testing.T) {
	b := memstore.New(nil)
	p := &play{ctx: t.Context(), bucket: b, now: noon}
	ups := uploads(1)
	if err := p.deliver(0, ups[0]); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if got := fmt.Sprintf(verb, p.store); got != "bucketledger.Store("+p.ledger.Identity().String()+")" {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

// TestPausedTooLong has others go on so far after a step, before its writer has
// made sure of it, that it can no longer be told whether it counted: then that is
// what the writer is told, and nothing is done twice.
func TestPausedTooLong(t *testing.T) {
	b := memstore.New(nil)
	opts := &bucketledger.Options{Clock: clockAtNoon}
	awake := open(t, b, opts)
	created, slept := atomic.Bool{}, atomic.Bool{}
	sleeper := open(t, storagetest.Faulty(b, func(_ context.Context, c storagetest.Call) storagetest.Verdict {
		if c.Op == storagetest.OpCreate && strings.HasPrefix(c.Name, "gaen/log/") {
			created.Store(true)
		} else if c.Op == storagetest.OpList && created.Load() && slept.CompareAndSwap(false, true) {
			for i := range 300 {
				put(t, awake, "other", fmt.Sprint(i))
			}
			if err := awake.Checkpoint(t.Context()); err != nil {
				t.Error(err)
			}
		}
		return storagetest.Pass
	}), opts)
	count := func(*ledger.Standing) (*ledger.Changes, error) {
		return &ledger.Changes{Tallies: ledger.Tallies{"steps": 1}}, nil
	}
	if err := sleeper.Accept(t.Context(), &ledger.Intake{Decide: count}); !errors.Is(err, bucketledger.ErrUncertain) {
		t.Errorf("got %v", err)
	}
	log, err := sleeper.Log(t.Context(), 0)
	if err != nil || log.Tallies["steps"] != 1 {
		t.Errorf("the tallies are %v, %v", log.Tallies, err)
	}
}

// TestListingsOfNoOneMoment has every third listing miss half of the objects, as
// that of a folder may where they come and go meanwhile.
func TestListingsOfNoOneMoment(t *testing.T) {
	b := memstore.New(nil)
	opts := &bucketledger.Options{Clock: clockAtNoon}
	writer := open(t, b, opts)
	lists := 0
	reader := open(t, storagetest.Faulty(b, func(_ context.Context, c storagetest.Call) storagetest.Verdict {
		if c.Op != storagetest.OpList {
			return storagetest.Pass
		}
		if lists++; lists%3 == 0 {
			return storagetest.Partial
		}
		return storagetest.Pass
	}), opts)
	for i := range 60 {
		put(t, writer, "r", fmt.Sprint(i))
		if i%7 == 6 {
			if err := writer.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := reader.Registers(t.Context(), ""); err != nil {
			t.Fatalf("after step %d: %v", i, err)
		}
	}
	wantRegister(t, reader, "r", "59")
}

// TestMadeMeanwhile puts who makes a ledger to sleep before its first segment,
// while another makes one, goes on, and tidies its own first segment away.
func TestMadeMeanwhile(t *testing.T) {
	b := memstore.New(nil)
	opts := &bucketledger.Options{Clock: clockAtNoon}
	asleep := false
	s := open(t, storagetest.Faulty(b, func(_ context.Context, c storagetest.Call) storagetest.Verdict {
		if c.Op == storagetest.OpCreate && strings.HasPrefix(c.Name, "gaen/log/") && !asleep {
			asleep = true
			awake := open(t, b, opts)
			put(t, awake, "r", "awake")
			if err := awake.Checkpoint(t.Context()); err != nil {
				t.Error(err)
			}
		}
		return storagetest.Pass
	}), opts)
	if !asleep {
		t.Fatal("never slept")
	}
	wantRegister(t, s, "r", "awake")
	put(t, s, "r", "both")
	wantRegister(t, open(t, b, opts), "r", "both")
}

// TestSegmentMadeAnew has a segment be covered by a snapshot and deleted after it
// was listed, and be created anew, otherwise, by a writer who does not know yet,
// before it is read.
func TestSegmentMadeAnew(t *testing.T) {
	const second = "gaen/log/00000000000000000002"
	b, other := memstore.New(nil), memstore.New(nil)
	opts := &bucketledger.Options{Clock: clockAtNoon}
	writer := open(t, b, opts)
	copyAll(t, other, b)
	put(t, open(t, other, opts), "r", "never")
	anew, _, err := storage.ReadAll(t.Context(), other, second, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	met := false
	reader := open(t, storagetest.Faulty(b, func(_ context.Context, c storagetest.Call) storagetest.Verdict {
		if c.Op == storagetest.OpGet && c.Name == second && !met {
			met = true
			if err := writer.Checkpoint(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := storage.Put(t.Context(), b, second, bytes.NewReader(anew), nil); err != nil {
				t.Error(err)
			}
		}
		return storagetest.Pass
	}), opts)
	put(t, writer, "r", "1")
	wantRegister(t, reader, "r", "1")
	if !met {
		t.Fatal("the segment was never read")
	}
	put(t, reader, "r", "2")
	wantRegister(t, writer, "r", "2")
}

func copyAll(t *testing.T, to, from storage.Bucket) {
	t.Helper()
	for a, err := range storage.List(t.Context(), from, "") {
		if err != nil {
			t.Fatal(err)
		}
		content, a, err := storage.ReadAll(t.Context(), from, a.Name, 1<<20)
		if err == nil {
			_, err = storage.Put(t.Context(), to, a.Name, bytes.NewReader(content), &storage.PutOptions{ContentType: a.ContentType, Metadata: a.Metadata})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
