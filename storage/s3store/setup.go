package s3store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"

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
func New(ctx context.Context, client *s3.Client, bucket string, opts *Options) (*Bucket, error) {
	b, err := newBucket(client, bucket, opts)
	if err != nil {
		return nil, err
	}
	if err := b.setUp(ctx, opts != nil && opts.PublicRead); err != nil {
		return nil, fmt.Errorf("s3store: bucket %q: %w", bucket, err)
	}
	return b, nil
}

// setUp looks first and changes something only when nothing else is wrong.
func (b *Bucket) setUp(ctx context.Context, public bool) error {
	leftovers, err := b.look(ctx)
	if err != nil {
		return needs("s3:ListBucket", err)
	}
	name := probePrefix + rand.Text()
	if err := b.readable(ctx, name); err != nil || b.readOnly {
		return needs("s3:GetObject", err)
	}
	if err := b.probe(ctx, name, public); err != nil {
		return err
	}
	for _, name := range leftovers {
		if err := b.Delete(ctx, name); err != nil {
			return needs("s3:DeleteObject", err)
		}
	}
	return nil
}

// needs adds the name of the permission where one lacks.
func needs(permission string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s is needed: %w", permission, err)
	}
	return err
}

// look lists what dead processes left, and compares the clocks.
func (b *Bucket) look(ctx context.Context) (leftovers []string, err error) {
	for page, err := range b.pages(ctx, b.prefix+probePrefix) {
		if err != nil {
			return nil, err
		}
		server, known := awsmiddleware.GetServerTime(page.ResultMetadata)
		if !known {
			server = time.Now() // a server without a Date
		}
		if err := checkClock(time.Since(server)); err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			a, err := b.listed(page, o)
			if err != nil {
				return nil, err
			}
			if server.Sub(a.Modified) > probeAge {
				leftovers = append(leftovers, a.Name)
			}
		}
	}
	return leftovers, nil
}

// checkClock takes how far our clock is ahead of the server's.
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

// readable finds out by an object that does not exist.
func (b *Bucket) readable(ctx context.Context, name string) error {
	body, _, err := b.Get(ctx, name)
	switch {
	case err == nil:
		body.Close()
		return fmt.Errorf("the server gave an object %q that nobody put", name)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	default:
		return err
	}
}

// probe puts an empty object and finds out by it what the server can do. The
// object is deleted in any case: an answer that was lost may have been a yes.
func (b *Bucket) probe(ctx context.Context, name string, public bool) (err error) {
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer cancel()
		if deleted := b.Delete(ctx, name); err == nil {
			err = needs("s3:DeleteObject", deleted)
		}
	}()
	if err := b.probeCreate(ctx, name, public); err != nil {
		return err
	}
	b.replaces, err = b.probeReplace(ctx, name)
	return err
}

func (b *Bucket) probeCreate(ctx context.Context, name string, public bool) error {
	opts := &storage.PutOptions{IfAbsent: true}
	permission := "s3:PutObject"
	if public {
		opts.ACL = storage.PublicRead
		permission += " and s3:PutObjectAcl"
	}
	_, err := b.Put(ctx, name, strings.NewReader(""), opts)
	if errors.Is(err, errNoACL) {
		return fmt.Errorf("Options.PublicRead: %w", err)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("%w: it refused one: %w", ErrNoConditions, err)
	}
	if err != nil {
		return needs(permission, err)
	}
	_, err = b.Put(ctx, name, strings.NewReader(""), opts)
	switch {
	case err == nil:
		return fmt.Errorf("%w: it created an object (If-None-Match) that existed", ErrNoConditions)
	case errors.Is(err, fs.ErrExist):
		return nil
	default:
		return err
	}
}

// probeReplace reports whether the server compares ETags.
func (b *Bucket) probeReplace(ctx context.Context, name string) (bool, error) {
	in := b.putInput(name, &storage.PutOptions{})
	in.IfMatch = aws.String(`"00000000000000000000000000000000"`)
	_, err := b.put(ctx, in, strings.NewReader(""))
	switch {
	case errors.Is(err, storage.ErrPrecondition):
		return true, nil
	case err == nil || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrInvalid):
		return false, nil
	default:
		return false, err
	}
}
