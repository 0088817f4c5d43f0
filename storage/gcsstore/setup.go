package gcsstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	gcs "cloud.google.com/go/storage"

	"github.com/gaenkit/gaen/storage"
)

const (
	// MaxClockSkew is how far apart our clock and the server's may be.
	MaxClockSkew = 5 * time.Minute

	// probePrefix begins the names of the objects that New puts and deletes. No
	// object of a [storage.Bucket] has such a name.
	probePrefix = ".gaen/probe/"

	// probeAge is how old a probe must be to be a dead process's.
	probeAge = time.Hour

	// cleanupTime is how long New tries to delete its probe when ctx is over.
	cleanupTime = 10 * time.Second
)

// New returns the bucket of this name, reached by the client, after it has
// found out that everything is there that a bucket needs; see the package's
// documentation.
func New(ctx context.Context, client *gcs.Client, bucket string, opts *Options) (*Bucket, error) {
	b, err := newBucket(client, bucket, opts)
	if err != nil {
		return nil, err
	}
	if err := b.setUp(ctx, opts != nil && opts.PublicRead); err != nil {
		return nil, fmt.Errorf("gcsstore: bucket %q: %w", bucket, err)
	}
	return b, nil
}

// setUp looks first and changes something only when nothing else is wrong.
func (b *Bucket) setUp(ctx context.Context, public bool) error {
	var old []storage.Attributes
	for a, err := range b.List(ctx, probePrefix) {
		if err != nil {
			return needs("storage.objects.list", err)
		}
		old = append(old, a)
	}
	name := probePrefix + rand.Text()
	if _, err := b.Stat(ctx, name); !errors.Is(err, fs.ErrNotExist) {
		return needs("storage.objects.get", err)
	}
	if b.readOnly {
		return nil
	}
	now, err := b.probe(ctx, name, public)
	if err != nil {
		return err
	}
	for _, a := range old {
		if now.Sub(a.Modified) < probeAge {
			continue
		}
		if err := b.Delete(ctx, a.Name); err != nil {
			return err
		}
	}
	return nil
}

// needs adds the name of the permission where one lacks.
func needs(permission string, err error) error {
	switch {
	case err == nil:
		return errors.New("the server has an object that nobody put")
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s is needed: %w", permission, err)
	default:
		return err
	}
}

// probe puts an empty object, finds out by it what the server can do, and
// returns the server's time. The object is deleted in any case: an answer that
// was lost may have been a yes.
func (b *Bucket) probe(ctx context.Context, name string, public bool) (now time.Time, err error) {
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer cancel()
		if deleted := b.Delete(ctx, name); err == nil && deleted != nil {
			err = needs("storage.objects.delete", deleted)
		}
	}()
	opts := &storage.PutOptions{IfAbsent: true}
	if public {
		opts.ACL = storage.PublicRead
	}
	a, err := b.Put(ctx, name, strings.NewReader(""), opts)
	if errors.Is(err, errNoACL) {
		return time.Time{}, fmt.Errorf("Options.PublicRead: %w", err)
	}
	if err != nil {
		return time.Time{}, needs("storage.objects.create", err)
	}
	if err := checkClock(time.Since(a.Modified)); err != nil {
		return time.Time{}, err
	}
	_, err = b.Put(ctx, name, strings.NewReader(""), opts)
	switch {
	case err == nil:
		return time.Time{}, fmt.Errorf("%w: it created an object that existed", ErrNoConditions)
	case errors.Is(err, fs.ErrExist):
		return a.Modified, nil
	default:
		return time.Time{}, err
	}
}

// checkClock takes how far our clock is ahead of the server's, which has just
// dated an object.
func checkClock(ahead time.Duration) error {
	switch {
	case ahead > MaxClockSkew:
		return fmt.Errorf("%w: it is %v ahead of the server's, want at most %v", ErrClock, ahead.Round(time.Second), MaxClockSkew)
	case ahead < -MaxClockSkew:
		return fmt.Errorf("%w: it is %v behind the server's, want at most %v", ErrClock, -ahead.Round(time.Second), MaxClockSkew)
	default:
		return nil
	}
}
