package bucketledger

import (
	"bytes"
	"context"
	"errors"
	"io/fs"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// leastLog is how many bytes of segments are no reason for a snapshot, however
// small the last one was.
const leastLog = 1 << 20

// Checkpoint makes a snapshot of the ledger as it is and deletes what it makes
// superfluous. Steps do so by themselves from time to time; a process that ends
// may call it so that the next begins faster.
func (s *Store) Checkpoint(ctx context.Context) error {
	end, err := s.take(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := s.follow(ctx); err != nil {
		return err
	}
	return s.checkpoint(ctx)
}

// segments returns how many segments there are beyond the last snapshot.
func (s *Store) segments() int64 { return s.at().number - s.snapshot }

// upkeep makes a snapshot when the log has grown to where opening it takes
// markedly longer than it must. If that fails nothing is lost, and the next step
// tries again; see ready.
func (s *Store) upkeep(ctx context.Context) {
	if s.segments() >= int64(s.opts.MaxSegments) || s.logSize >= max(leastLog, s.stateSize/2) {
		_ = s.checkpoint(ctx)
	}
}

// ready makes sure that a step may be taken: clocks agree, and the log has not
// grown on and on because no snapshot could be made.
func (s *Store) ready(ctx context.Context) error {
	if s.skew != nil {
		if err := s.probe(ctx); err != nil {
			return err
		}
	}
	if s.segments() >= 4*int64(s.opts.MaxSegments) {
		return s.checkpoint(ctx)
	}
	return nil
}

// scrub makes a snapshot if anything that has been removed is still in the
// bucket, and brings to its end what another process had begun.
func (s *Store) scrub(ctx context.Context) error {
	end, err := s.take(ctx)
	if err != nil {
		return err
	}
	defer end()
	switch {
	case s.removed:
		return s.checkpoint(ctx)
	case s.litter:
		return fail("checkpoint", "", s.tidy(ctx))
	}
	return nil
}

// checkpoint puts a snapshot of the present state and then, and not before,
// deletes the segments that it covers and the snapshots before it. A crash leaves
// objects that nobody reads and that the next checkpoint deletes.
func (s *Store) checkpoint(ctx context.Context) error {
	name := stateName(s.at().number)
	trail := s.trail[max(0, len(s.trail)-trailLength):]
	var b []byte
	s.memory.View(func(st *memledger.State) {
		snap := snapshot{
			header: header{kind: stateKind, identity: s.identity, replay: s.opts.Clock != nil, number: s.at().number},
			trail:  trail,
			state:  st,
		}
		b = snap.encode()
	})
	a, err := storage.Put(ctx, s.bucket, name, bytes.NewReader(b), &storage.PutOptions{ContentType: contentType, IfAbsent: true})
	switch {
	case errors.Is(err, fs.ErrExist): // the same, by another
	case err != nil:
		return fail("checkpoint", name, err)
	default:
		s.seen = a.ETag
	}
	s.snapshot, s.stateSize, s.logSize = s.at().number, int64(len(b)), 0
	s.removed, s.litter = false, true
	return fail("checkpoint", "", s.tidy(ctx))
}

// tidy deletes all that the newest snapshot covers.
func (s *Store) tidy(ctx context.Context) error {
	states, err := s.list(ctx, statePrefix)
	if err != nil || len(states) == 0 {
		return err
	}
	newest := states[len(states)-1].number
	segments, err := s.list(ctx, logPrefix)
	if err != nil {
		return err
	}
	var names []string
	for _, o := range segments {
		if o.number <= newest {
			names = append(names, segmentName(o.number))
		}
	}
	for _, o := range states[:len(states)-1] {
		names = append(names, stateName(o.number))
	}
	err = storage.DeleteAll(ctx, s.bucket, names)
	s.litter = err != nil
	return err
}
