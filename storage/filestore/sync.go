package filestore

import (
	"errors"
	"path"
	"syscall"
)

// syncDir makes durable what was renamed, linked or removed in dir. A folder
// that is gone has nothing to make durable, and some file systems (SMB, FUSE)
// say that they cannot, since they do so by themselves.
func (b *Bucket) syncDir(dir string) error {
	if !b.sync {
		return nil
	}
	f, err := b.root.Open(dir)
	if absent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// syncUp is syncDir for dir, and if all is set for every folder above it.
func (b *Bucket) syncUp(dir string, all bool) error {
	for {
		if err := b.syncDir(dir); err != nil {
			return err
		}
		if !all || dir == "." {
			return nil
		}
		dir = path.Dir(dir)
	}
}
