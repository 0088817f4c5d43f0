package bucketledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// object is one of ours as a listing shows it.
type object struct {
	number int64
	etag   string
	size   int64
}

func byNumber(o object, n int64) int { return cmp.Compare(o.number, n) }

func (s *Store) list(ctx context.Context, prefix string) (all []object, err error) {
	for a, err := range storage.List(ctx, s.bucket, prefix) {
		if err != nil {
			return nil, err
		}
		if n, ok := numberOf(a.Name, prefix); ok {
			all = append(all, object{n, a.ETag, a.Size})
		}
	}
	return all, nil
}

// newestState returns the snapshot with the highest number, zero if there is
// none, and how many there are.
func (s *Store) newestState(ctx context.Context) (object, int, error) {
	all, err := s.list(ctx, statePrefix)
	if err != nil || len(all) == 0 {
		return object{}, 0, err
	}
	return all[len(all)-1], len(all), nil
}

// patience is how often the bucket is looked at again because others have made a
// snapshot meanwhile, and pause for how long one waits at most before it is.
const (
	patience = 100
	pause    = 100 * time.Millisecond
)

// errMoved: what a listing showed is no longer there.
var errMoved = errors.New("bucketledger: superseded while it was read")

// follow brings the state in memory to where the log in the bucket has come.
//
// A listing is not of one moment: of objects that come and go meanwhile it may
// show one and miss another that came before it. What looks like another history
// is believed when it looks the same twice.
func (s *Store) follow(ctx context.Context) error {
	var doubted *view
	for i := range patience {
		v, err := s.look(ctx)
		if err != nil {
			return fail("read the log", "", err)
		}
		switch err = s.followTo(ctx, v); {
		case err == errMoved:
		case !doubtful(err), doubted != nil && v.equal(doubted):
			return fail("read the log", "", err)
		default:
			doubted = &v
		}
		if err := rest(ctx, i); err != nil {
			return fail("read the log", "", err)
		}
	}
	return fail("read the log", "", errMoved)
}

// doubtful reports whether an error may come of a listing that showed what never
// was there at one time.
func doubtful(err error) bool {
	return errors.Is(err, ledger.ErrOtherLedger) || errors.Is(err, ledger.ErrWentBack) || errors.Is(err, ErrGap)
}

// rest waits before another attempt, longer the more there have been.
func rest(ctx context.Context, attempts int) error {
	d := min(pause, time.Millisecond<<min(attempts, 10))
	select {
	case <-time.After(rand.N(d)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A view is what of ours is in the bucket. Segments are listed first: if one was
// gone because a snapshot covers it, that snapshot is in the view.
type view struct {
	segments []object
	newest   object // snapshot; zero if there is none
	litter   bool   // there are objects that it covers
}

func (s *Store) look(ctx context.Context) (v view, err error) {
	if v.segments, err = s.list(ctx, logPrefix); err != nil {
		return v, err
	}
	n := 0
	v.newest, n, err = s.newestState(ctx)
	v.litter = n > 1 || len(v.segments) > 0 && v.segments[0].number <= v.newest.number
	return v, err
}

func (v *view) equal(w *view) bool {
	return v.newest == w.newest && slices.Equal(v.segments, w.segments)
}

// end returns the number of the last segment that has been.
func (v *view) end() int64 {
	if n := len(v.segments); n > 0 {
		return max(v.segments[n-1].number, v.newest.number)
	}
	return v.newest.number
}

// after returns the segments after a number, of which none may be missing.
func (v *view) after(n int64) ([]object, error) {
	first, _ := slices.BinarySearchFunc(v.segments, n+1, byNumber)
	segments := v.segments[first:]
	for i, o := range segments {
		if want := n + 1 + int64(i); o.number != want {
			return nil, &Error{Op: "read the log", Name: segmentName(want), Err: ErrGap}
		}
	}
	return segments, nil
}

func (s *Store) followTo(ctx context.Context, v view) error {
	at := s.at().number
	s.litter = v.litter
	switch {
	case v.end() < at:
		return fmt.Errorf("%w: the log ends at %d, and has been read up to %d", ledger.ErrWentBack, v.end(), at)
	case v.newest.number > at:
		if err := s.restore(ctx, v.newest); err != nil {
			return err
		}
	case at > 0:
		if err := s.recognise(ctx, v); err != nil {
			return err
		}
	}
	segments, err := v.after(s.at().number)
	if err != nil {
		return err
	}
	return s.replay(ctx, segments)
}

// recognise makes sure that the last place is in the bucket as it was. Where a
// snapshot covers it, the segment of that number is of no account any more.
func (s *Store) recognise(ctx context.Context, v view) error {
	at := s.at()
	if v.newest.number == at.number {
		return s.recogniseState(ctx, at, v.newest)
	}
	i, found := slices.BinarySearchFunc(v.segments, at.number, byNumber)
	switch {
	case !found:
		return &Error{Op: "read the log", Name: segmentName(at.number), Err: ErrGap}
	case v.segments[i].etag == s.seen:
		return nil
	}
	_, d, err := s.readSegment(ctx, v.segments[i])
	if err != nil {
		return err
	}
	return s.recognised(d == at.digest, v.segments[i].etag)
}

func (s *Store) recogniseState(ctx context.Context, at place, o object) error {
	if o.etag == s.seen {
		return nil
	}
	trail, err := s.readTrail(ctx, o.number)
	if err != nil {
		return moved(err)
	}
	return s.recognised(trail[len(trail)-1] == at, o.etag)
}

func (s *Store) recognised(same bool, etag string) error {
	if !same {
		return fmt.Errorf("%w: segment %d", ledger.ErrOtherLedger, s.at().number)
	}
	s.seen = etag
	return nil
}

// moved returns errMoved for an object that is no longer there.
func moved(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errMoved
	}
	return err
}

// restore begins anew from a snapshot.
func (s *Store) restore(ctx context.Context, o object) error {
	name := stateName(o.number)
	b, a, err := storage.ReadAll(ctx, s.bucket, name, MaxState)
	if err != nil {
		return moved(err)
	}
	snap, err := decodeSnapshot(b, o.number)
	if err != nil {
		return fail("read", name, err)
	}
	if err := s.ours(name, snap.header); err != nil {
		return err
	}
	if !s.leadsFrom(snap.trail) {
		return fmt.Errorf("%w: snapshot %d", ledger.ErrOtherLedger, o.number)
	}
	memory, err := memledger.Restore(snap.state, s.memoryOptions())
	if err != nil {
		return fail("read", name, fmt.Errorf("%w: %w", ErrCorrupt, err))
	}
	s.memory, s.identity = memory, snap.identity
	s.trail, s.seen = snap.trail, a.ETag
	s.snapshot, s.stateSize, s.logSize, s.removed = o.number, a.Size, 0, false
	return nil
}

// leadsFrom reports whether what has been read so far may lead to a trail. Where
// a trail has gone too far beyond to tell, the cuts and the consumers who name
// them still do.
func (s *Store) leadsFrom(trail []place) bool {
	at := s.at()
	return at.number == 0 || at.number < trail[0].number || slices.Contains(trail, at)
}

// ours judges an object by its header.
func (s *Store) ours(name string, h header) error {
	switch {
	case h.replay != (s.opts.Clock != nil):
		return fail("read", name, ledger.ErrReplay)
	case s.memory != nil && h.identity != s.identity:
		return fail("read", name, ledger.ErrOtherLedger)
	}
	return nil
}

// readSegment returns a segment as it was listed, and its digest. Another may be
// there since, which is no part of the log: when a snapshot covers a segment it is
// deleted, and a writer who was slow may then create it anew, before it learns that
// it is beaten.
func (s *Store) readSegment(ctx context.Context, o object) (*segment, digest, error) {
	name := segmentName(o.number)
	b, a, err := storage.ReadAll(ctx, s.bucket, name, MaxSegment)
	if err != nil {
		return nil, digest{}, moved(err)
	}
	if a.ETag != o.etag {
		return nil, digest{}, errMoved
	}
	seg, d, err := decodeSegment(b, o.number)
	if err != nil {
		return nil, d, fail("read", name, err)
	}
	return seg, d, s.ours(name, seg.header)
}

// readAhead is how many segments are fetched at a time.
const readAhead = 16

// replay takes the steps of segments, in their order.
func (s *Store) replay(ctx context.Context, segments []object) error {
	for chunk := range slices.Chunk(segments, readAhead) {
		read := make([]*segment, len(chunk))
		digests := make([]digest, len(chunk))
		errs := make([]error, len(chunk))
		var group errgroup.Group
		for i, o := range chunk {
			group.Go(func() error {
				read[i], digests[i], errs[i] = s.readSegment(ctx, o)
				return nil
			})
		}
		group.Wait()
		for i, o := range chunk { // so that of several errors it is the first that is told
			if errs[i] != nil {
				return errs[i]
			}
			if err := s.applySegment(read[i], digests[i], o); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) applySegment(seg *segment, d digest, o object) error {
	name := segmentName(seg.number)
	memory := s.memory
	if memory == nil {
		var err error
		if memory, err = memledger.Restore(emptyState(seg.header), s.memoryOptions()); err != nil {
			return fail("read", name, err)
		}
	}
	if seg.before != s.at().digest { // which stands for its identity, too
		return fail("read", name, ledger.ErrOtherLedger)
	}
	if err := memory.Apply(&seg.step); err != nil {
		return fail("read", name, fmt.Errorf("%w: %w", ErrCorrupt, err))
	}
	s.memory, s.identity = memory, seg.identity
	s.advance(place{seg.number, d}, storage.Attributes{ETag: o.etag, Size: o.size}, &seg.step)
	return nil
}

// emptyState is what a ledger begins with.
func emptyState(h header) *memledger.State {
	return &memledger.State{
		Identity:  h.identity,
		Replay:    h.replay,
		Units:     map[ledger.UnitID]*ledger.Unit{},
		Kept:      map[ledger.UnitID][]ledger.KeptWithdrawal{},
		Tombs:     map[ledger.Tombstone]time.Time{},
		Registers: map[string]ledger.Register{},
		Tallies:   ledger.Tallies{},
	}
}
