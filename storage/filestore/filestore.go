package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/gaenkit/gaen/storage"
)

// Options are the settings of a [Bucket]; nil and the zero value are the
// defaults.
type Options struct {
	// FileMode is the mode of the files of objects that are not put with
	// [storage.PublicRead]; 0600 if zero. Set 0640 or 0644 where the web server
	// is another user and the publisher sets no ACL.
	FileMode fs.FileMode

	// NoSync leaves out fsync. What was put may then be lost or torn when the
	// machine loses power, though not when the process is killed. For tests.
	NoSync bool
}

const (
	defaultMode = 0o600
	publicMode  = 0o644
)

// Bucket is a bucket in a folder. Use [New].
type Bucket struct {
	root *os.Root
	lock *locker
	mode fs.FileMode
	sync bool

	// exchange swaps a file and a folder; see convert.
	exchange func(aDir *os.File, a string, bDir *os.File, b string) error
}

var (
	_ storage.Bucket   = (*Bucket)(nil)
	_ storage.Replacer = (*Bucket)(nil)
	_ storage.Stater   = (*Bucket)(nil)
)

// New returns the bucket in the folder dir, which must exist and be writable.
// It removes what processes that died hours ago left unfinished.
func New(dir string, opts *Options) (*Bucket, error) {
	if opts == nil {
		opts = &Options{}
	}
	mode := opts.FileMode
	if mode == 0 {
		mode = defaultMode
	}
	if mode&^fs.ModePerm != 0 || mode&0o400 == 0 {
		return nil, fmt.Errorf("filestore: Options.FileMode: %#o, want permission bits with 0400", mode)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	b := &Bucket{root: root, mode: mode, sync: !opts.NoSync, exchange: exchange}
	if err := b.setUp(); err != nil {
		b.Close()
		return nil, fmt.Errorf("filestore: folder %q: %w", dir, err)
	}
	return b, nil
}

// Close frees what the bucket holds open. No other method may be called after
// it.
func (b *Bucket) Close() error {
	if b.lock == nil {
		return b.root.Close()
	}
	return errors.Join(b.lock.close(), b.root.Close())
}
