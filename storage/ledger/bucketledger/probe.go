package bucketledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/gaenkit/gaen/storage"
)

// maxSkew is by how much the clock of this process and the bucket's may differ.
// Keys are due, and cuts are made, by the first; a clock that is ahead would let
// keys go before their time.
const maxSkew = 5 * time.Minute

// probeAge is how old a probe must be, by the bucket's clock, to be that of a
// process that died.
const probeAge = time.Hour

// probe creates an object twice. That the bucket takes the first and refuses the
// second is what the ledger rests upon; and the time it gives the object shows
// if the clocks agree. Probes that dead processes left are deleted.
func (s *Store) probe(ctx context.Context) error {
	left, err := s.probes(ctx)
	if err != nil {
		return fail("try the bucket", "", err)
	}
	a, err := s.try(ctx)
	if err != nil {
		return err
	}
	for _, old := range left {
		if a.Modified.Sub(old.Modified) > probeAge {
			_ = storage.Delete(ctx, s.bucket, old.Name) // or the next Open
		}
	}
	s.checkClock(a)
	return fail("try the bucket", "", s.skew)
}

// probes returns those that are there.
func (s *Store) probes(ctx context.Context) (all []storage.Attributes, err error) {
	for a, err := range storage.List(ctx, s.bucket, probePrefix) {
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// try makes a probe, and returns its attributes. It is deleted in any case: an
// answer that was lost may have been a yes.
func (s *Store) try(ctx context.Context) (a storage.Attributes, err error) {
	name := probePrefix + rand.Text()
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settling)
		defer cancel()
		_ = storage.Delete(ctx, s.bucket, name) // if it stays, it is in nobody's way
	}()
	create := func() (storage.Attributes, error) {
		return storage.Put(ctx, s.bucket, name, strings.NewReader("gaen"), &storage.PutOptions{IfAbsent: true})
	}
	a, err = create()
	if errors.Is(err, errors.ErrUnsupported) {
		err = fmt.Errorf("%w: %w", ErrNoCreate, err)
	}
	if err != nil {
		return a, fail("try the bucket", name, err)
	}
	switch _, err := create(); {
	case err == nil:
		return a, fail("try the bucket", name, ErrNoCreate)
	case !errors.Is(err, fs.ErrExist):
		return a, fail("try the bucket", name, err)
	}
	if a.Modified.IsZero() { // stores need not tell what they put
		a, err = storage.Stat(ctx, s.bucket, name)
	}
	return a, fail("try the bucket", name, err)
}

// checkClock compares the clock with the time that the bucket gave an object just
// written. Steps look at it as they go; if it is off, none follows until it is
// not.
func (s *Store) checkClock(a storage.Attributes) {
	if s.opts.Clock != nil || a.Modified.IsZero() {
		return
	}
	s.skew = nil
	if by := s.now().Sub(a.Modified); by.Abs() > maxSkew {
		s.skew = fmt.Errorf("%w: it shows %s more than the bucket's, at most %s", ErrClock, by.Round(time.Second), maxSkew)
	}
}
