package deploy

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/filestore"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/bucketledger"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
)

// A place is where a bucket or a ledger is. A bucket is a folder, by its path or
// as a URL, or in programs built with the tag "cloud" a bucket of a server:
//
//	/srv/www
//	file:///srv/www
//	s3://BUCKET/PREFIX/?region=eu-central-1&endpoint=http://127.0.0.1:9000
//	gs://BUCKET/PREFIX/
//
// A ledger is a SQLite file, in programs built with the tag "cloud" a schema of a
// PostgreSQL database, or lies in a bucket, beside whatever else is there:
//
//	/var/lib/gaen/ledger.db
//	sqlite:///var/lib/gaen/ledger.db
//	postgres://USER:PASSWORD@HOST/DATABASE?schema=gaen
//	bucket+file:///srv/ledger
//	bucket+s3://BUCKET?region=eu-central-1
//
// Who a program is to S3 and GCS, it finds out as their own tools do: from the
// environment, their files, or the machine.

// IsURL reports whether a place is a URL and not a path.
func IsURL(place string) bool { return strings.Contains(place, "://") }

// Redacted returns a place as it may be printed: without a password.
func Redacted(place string) string {
	u, err := parse(place, "")
	switch {
	case err != nil:
		return err.Error()
	case u.Scheme == "":
		return place
	}
	return u.Redacted()
}

// Access is what a bucket is opened for.
type Access struct {
	ReadOnly   bool
	PublicRead bool // objects get an ACL by which everybody may read them
	NoSync     bool // of a folder: what was written need not survive a power cut
}

// closing closes what was opened.
type closing = func() error

// OpenBucket opens the bucket at a place. A folder must exist.
func OpenBucket(ctx context.Context, place string, access Access) (storage.Bucket, closing, error) {
	u, err := parse(place, "file")
	if err != nil {
		return nil, nil, err
	}
	if u.Scheme == "file" {
		return openFolder(u, access)
	}
	open, ok := bucketServers[u.Scheme]
	if !ok {
		return nil, nil, unknown(u)
	}
	b, closed, err := open(ctx, u, access)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", u.Redacted(), err)
	}
	return b, closed, nil
}

func openFolder(u *url.URL, access Access) (storage.Bucket, closing, error) {
	path, err := pathOf(u)
	if err != nil {
		return nil, nil, err
	}
	b, err := filestore.New(path, &filestore.Options{NoSync: access.NoSync})
	if err != nil {
		return nil, nil, err
	}
	return b, b.Close, nil
}

// OpenStore opens the ledger at a place, and makes one if there is none. With a
// clock it is one for replays.
func OpenStore(ctx context.Context, place string, clock func() time.Time) (ledger.Store, closing, error) {
	u, err := parse(place, "sqlite")
	if err != nil {
		return nil, nil, err
	}
	if bucket, ok := strings.CutPrefix(u.String(), "bucket+"); ok {
		return openBucketLedger(ctx, bucket, clock)
	}
	if u.Scheme == "sqlite" {
		return openFile(ctx, u, clock)
	}
	open, ok := ledgerServers[u.Scheme]
	if !ok {
		return nil, nil, unknown(u)
	}
	s, closed, err := open(ctx, u, clock)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", u.Redacted(), err)
	}
	return s, closed, nil
}

func openFile(ctx context.Context, u *url.URL, clock func() time.Time) (ledger.Store, closing, error) {
	path, err := pathOf(u)
	if err != nil {
		return nil, nil, err
	}
	s, err := sqliteledger.Open(ctx, path, &sqliteledger.Options{Clock: clock})
	if err != nil {
		return nil, nil, err
	}
	return s, s.Close, nil
}

func openBucketLedger(ctx context.Context, bucket string, clock func() time.Time) (ledger.Store, closing, error) {
	b, closed, err := OpenBucket(ctx, bucket, Access{})
	if err != nil {
		return nil, nil, err
	}
	s, err := bucketledger.Open(ctx, b, &bucketledger.Options{Clock: clock})
	if err != nil {
		return nil, nil, errors.Join(err, closed())
	}
	return s, closed, nil
}

// parse reads a place, which is a path or a URL. Its error does not quote what
// may be a password.
func parse(place, scheme string) (*url.URL, error) {
	if !IsURL(place) {
		return &url.URL{Scheme: scheme, Path: place}, nil
	}
	u, err := url.Parse(place)
	if err != nil {
		scheme, _, _ := strings.Cut(place, "://")
		return nil, fmt.Errorf("%s://…: not a URL", scheme)
	}
	return u, nil
}

// pathOf returns the path of a file or folder.
func pathOf(u *url.URL) (string, error) {
	if u.Host != "" || u.RawQuery != "" || u.Fragment != "" || u.Path == "" {
		return "", fmt.Errorf("%s: want %s:///path", u.Redacted(), u.Scheme)
	}
	return u.Path, nil
}

type (
	openBucket func(context.Context, *url.URL, Access) (storage.Bucket, closing, error)
	openLedger func(context.Context, *url.URL, func() time.Time) (ledger.Store, closing, error)
)
