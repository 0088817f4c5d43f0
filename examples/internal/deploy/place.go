package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
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
// One that is only read may be behind a server of the web, as phones have it:
//
//	https://keys.example/path
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
	return shown(u)
}

// shown returns a URL without what is secret in it.
func shown(u *url.URL) string {
	q := u.Query()
	secret := false
	for _, name := range []string{"password", "sslpassword"} {
		if q.Has(name) {
			q.Set(name, "xxxxx")
			secret = true
		}
	}
	if secret {
		c := *u
		c.RawQuery = q.Encode()
		u = &c
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

// OpenBucket opens the bucket at a place. A folder must exist. The error is a
// [*PlaceError].
func OpenBucket(ctx context.Context, place string, access Access) (storage.Bucket, closing, error) {
	b, closed, err := openBucketAt(ctx, place, access)
	if err != nil {
		return nil, nil, At(place, err)
	}
	return b, closed, nil
}

func openBucketAt(ctx context.Context, place string, access Access) (storage.Bucket, closing, error) {
	u, err := parse(place, "file")
	if err != nil {
		return nil, nil, err
	}
	switch u.Scheme {
	case "file":
		return openFolder(u, access)
	case "http", "https":
		return openWeb(u, access)
	}
	open, ok := bucketServers[u.Scheme]
	if !ok {
		return nil, nil, unknown(u)
	}
	return open(ctx, u, access)
}

func openFolder(u *url.URL, access Access) (storage.Bucket, closing, error) {
	path, err := pathOf(u)
	if err != nil {
		return nil, nil, err
	}
	if access.ReadOnly {
		f, err := openReadOnly(path)
		if err != nil {
			return nil, nil, err
		}
		return f, f.close, nil
	}
	b, err := filestore.New(path, &filestore.Options{NoSync: access.NoSync})
	if err != nil {
		return nil, nil, err
	}
	return b, b.Close, nil
}

// OpenStore opens the ledger at a place, and makes one if there is none. With a
// clock it is one for replays. The error is a [*PlaceError].
func OpenStore(ctx context.Context, place string, clock func() time.Time) (ledger.Store, closing, error) {
	s, closed, err := openStoreAt(ctx, place, clock)
	if err != nil {
		return nil, nil, At(place, err)
	}
	return s, closed, nil
}

func openStoreAt(ctx context.Context, place string, clock func() time.Time) (ledger.Store, closing, error) {
	if bucket, ok := inBucket(place); ok {
		b, closed, err := openBucketAt(ctx, bucket, Access{})
		if err != nil {
			return nil, nil, err
		}
		return openBucketLedger(ctx, b, closed, clock)
	}
	u, err := parse(place, "sqlite")
	if err != nil {
		return nil, nil, err
	}
	if u.Scheme == "sqlite" {
		return openFile(ctx, u, clock)
	}
	server, ok := ledgerServers[u.Scheme]
	if !ok {
		return nil, nil, unknown(u)
	}
	return server.open(ctx, u, clock)
}

// inBucket returns the bucket that a ledger lies in, if it lies in one.
func inBucket(place string) (bucket string, ok bool) { return strings.CutPrefix(place, "bucket+") }

// HasLedger reports whether there is a ledger at a place, and changes nothing.
// The error is a [*PlaceError].
func HasLedger(ctx context.Context, place string) (bool, error) {
	has, err := hasLedgerAt(ctx, place)
	if err != nil {
		return false, At(place, err)
	}
	return has, nil
}

func hasLedgerAt(ctx context.Context, place string) (has bool, err error) {
	if bucket, ok := inBucket(place); ok {
		b, closed, err := openBucketAt(ctx, bucket, Access{ReadOnly: true})
		if err != nil {
			return false, err
		}
		defer func() { err = errors.Join(err, closed()) }()
		return bucketledger.Exists(ctx, b)
	}
	u, err := parse(place, "sqlite")
	if err != nil {
		return false, err
	}
	if u.Scheme == "sqlite" {
		return hasFile(u)
	}
	server, ok := ledgerServers[u.Scheme]
	if !ok {
		return false, unknown(u)
	}
	return server.has(ctx, u)
}

// hasFile reports whether there is a file with something in it.
func hasFile(u *url.URL) (bool, error) {
	path, err := pathOf(u)
	if err != nil {
		return false, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.Size() > 0, err
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

func openBucketLedger(ctx context.Context, b storage.Bucket, closed closing, clock func() time.Time) (ledger.Store, closing, error) {
	s, err := bucketledger.Open(ctx, b, &bucketledger.Options{Clock: clock})
	if err != nil {
		return nil, nil, errors.Join(err, closed())
	}
	return s, closed, nil
}

// Rehearse opens a ledger that lies in a bucket as [OpenStore] does, but what it
// changes stays in memory: the bucket is only read. The error is a [*PlaceError];
// for ledgers elsewhere it satisfies errors.Is(err, [ErrNoCopy]).
func Rehearse(ctx context.Context, place string, clock func() time.Time) (ledger.Store, closing, error) {
	bucket, ok := inBucket(place)
	if !ok {
		return nil, nil, At(place, ErrNoCopy)
	}
	b, closed, err := openBucketAt(ctx, bucket, Access{ReadOnly: true})
	if err != nil {
		return nil, nil, At(place, err)
	}
	s, closed, err := openBucketLedger(ctx, NewOverlay(b), closed, clock)
	if err != nil {
		return nil, nil, At(place, err)
	}
	return s, closed, nil
}

// ErrNoCopy says that a ledger is none that a copy can be made of.
var ErrNoCopy = errors.New("not a ledger that can be copied")

// FileOf returns the path of a ledger that is a file.
func FileOf(place string) (path string, ok bool) {
	u, err := parse(place, "sqlite")
	if err != nil || u.Scheme != "sqlite" {
		return "", false
	}
	path, err = pathOf(u)
	return path, err == nil
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
		return "", fmt.Errorf("%s: want %s:///path", shown(u), u.Scheme)
	}
	return u.Path, nil
}

type (
	openBucket func(context.Context, *url.URL, Access) (storage.Bucket, closing, error)

	// A ledgerServer keeps ledgers.
	ledgerServer struct {
		open func(context.Context, *url.URL, func() time.Time) (ledger.Store, closing, error)
		has  func(context.Context, *url.URL) (bool, error)
	}
)
