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

// probe creates an object twice. That the bucket takes the first and refuses the
// second is what the ledger rests upon; and the time it gives the object shows
// if the clocks agree.
func (s *Store) probe(ctx context.Context) error {
	name := probePrefix + rand.Text()
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settling)
		defer cancel()
		_ = storage.Delete(ctx, s.bucket, name) // if it stays, it is in nobody's way
	}()
	create := func() (storage.Attributes, error) {
		return storage.Put(ctx, s.bucket, name, strings.NewReader("gaen"), &storage.PutOptions{IfAbsent: true})
	}
	a, err := create()
	if errors.Is(err, errors.ErrUnsupported) {
		err = fmt.Errorf("%w: %w", ErrNoCreate, err)
	}
	if err != nil {
		return fail("try the bucket", name, err)
	}
	switch _, err := create(); {
	case err == nil:
		return fail("try the bucket", name, ErrNoCreate)
	case !errors.Is(err, fs.ErrExist):
		return fail("try the bucket", name, err)
	}
	if a.Modified.IsZero() { // stores need not tell what they put
		if a, err = storage.Stat(ctx, s.bucket, name); err != nil {
			return fail("try the bucket", name, err)
		}
	}
	s.checkClock(a)
	return fail("try the bucket", "", s.skew)
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
