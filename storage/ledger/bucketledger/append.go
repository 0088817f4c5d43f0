package bucketledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// errBeaten: another writer has taken the step with that number. What was
// decided must be decided again.
var errBeaten = errors.New("bucketledger: another writer was faster")

// settling bounds how long it may take to find out what became of a step when
// ctx is over.
const settling = 10 * time.Second

// at returns the last place; zero before there is any.
func (s *Store) at() place {
	if len(s.trail) == 0 {
		return place{}
	}
	return s.trail[len(s.trail)-1]
}

// append creates the next segment: the journal of the state in memory. The
// create is the lock, and the step.
func (s *Store) append(ctx context.Context, step *memledger.Step) error {
	seg := segment{
		header: header{kind: segmentKind, identity: s.identity, replay: s.opts.Clock != nil, number: s.at().number + 1},
		before: s.at().digest,
		step:   *step,
	}
	b, d := seg.encode()
	name := segmentName(seg.number)
	if len(b) > MaxSegment {
		return fail("write", name, fmt.Errorf("%w: %d bytes, at most %d", storage.ErrTooLarge, len(b), MaxSegment))
	}
	a, err := storage.Put(ctx, s.bucket, name, bytes.NewReader(b), &storage.PutOptions{ContentType: contentType, IfAbsent: true})
	// What has been begun is brought to its end: the object may be there.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settling)
	defer cancel()
	if err != nil {
		if a, err = s.settle(ctx, name, d, err); err != nil {
			return err
		}
	}
	if err := s.confirm(ctx, place{seg.number, d}); err != nil {
		return err
	}
	s.advance(place{seg.number, d}, a, step)
	s.checkClock(a)
	return nil
}

// contentType keeps browsers and well-meaning tools from looking inside.
const contentType = "application/octet-stream"

// settle finds out whose the object is that could not be created. An answer may
// have been lost, also one of an attempt that a client repeated by itself.
func (s *Store) settle(ctx context.Context, name string, ours digest, cause error) (storage.Attributes, error) {
	b, a, err := storage.ReadAll(ctx, s.bucket, name, MaxSegment)
	switch {
	case errors.Is(err, fs.ErrNotExist) && errors.Is(cause, fs.ErrExist):
		return a, errBeaten // and a snapshot has taken its place since
	case errors.Is(err, fs.ErrNotExist):
		return a, fail("write", name, cause)
	case err != nil:
		return a, fail("write", name, fmt.Errorf("%w: %w; and reading it back: %w", ErrUncertain, cause, err))
	}
	if _, d, err := unseal(b); err != nil || d != ours {
		return a, errBeaten
	}
	return a, nil
}

// confirm makes sure that a segment was created in a place that was free because
// nobody had taken it, and not because a snapshot had made it superfluous while
// this process was asleep. Segments go only after a snapshot that covers them
// is there: where none reaches to the place, it was free.
func (s *Store) confirm(ctx context.Context, p place) error {
	name := segmentName(p.number)
	trail, err := s.covering(ctx, p.number)
	switch {
	case p.number == 1 && errors.Is(err, ledger.ErrOtherLedger): // that of who was first to make one here
	case err != nil:
		return fail("write", name, fmt.Errorf("%w: %w", ErrUncertain, err))
	case trail == nil, slices.Contains(trail, p): // or it is part of the snapshot
		return nil
	case trail[0].number > p.number:
		return fail("write", name, ErrUncertain)
	}
	// Nobody reads what a snapshot covers, so that this is tidiness and no more.
	_ = storage.Delete(ctx, s.bucket, name)
	return errBeaten
}

// covering returns the trail of the newest snapshot if it covers a number, else
// nil.
func (s *Store) covering(ctx context.Context, number int64) ([]place, error) {
	for range patience {
		newest, _, err := s.newestState(ctx)
		if err != nil || newest.number < number {
			return nil, err
		}
		trail, err := s.readTrail(ctx, newest.number)
		if !errors.Is(err, fs.ErrNotExist) { // else there is a newer one
			return trail, err
		}
	}
	return nil, errMoved
}

// advance notes that the log has come to a place.
func (s *Store) advance(p place, a storage.Attributes, step *memledger.Step) {
	s.trail = append(s.trail, p)
	if len(s.trail) >= 2*trailLength {
		s.trail = append([]place(nil), s.trail[len(s.trail)-trailLength:]...)
	}
	s.seen = a.ETag
	s.logSize += a.Size
	s.removed = s.removed || len(step.Removed) > 0 || step.Forgets || len(step.Erased) > 0
}

// readTrail reads the beginning of a snapshot.
func (s *Store) readTrail(ctx context.Context, number int64) ([]place, error) {
	name := stateName(number)
	body, _, err := storage.Get(ctx, s.bucket, name)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, int64(maxTrail)))
	if err != nil {
		return nil, err
	}
	h, trail, err := decodeTrail(b, number)
	if err != nil {
		return nil, fail("read", name, err)
	}
	return trail, s.ours(name, h)
}
