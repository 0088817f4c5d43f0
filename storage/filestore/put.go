package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/gaenkit/gaen/storage"
)

// condition is asked whether the version with this info, nil if there is none,
// may be replaced.
type condition func(old fs.FileInfo) error

// Put implements [storage.Bucket].
func (b *Bucket) Put(ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	return b.put(ctx, name, r, opts, func(old fs.FileInfo) error {
		if opts.IfAbsent && old != nil {
			return fs.ErrExist
		}
		return nil
	})
}

// Replace implements [storage.Replacer].
func (b *Bucket) Replace(ctx context.Context, name, want string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	return b.put(ctx, name, r, opts, func(old fs.FileInfo) error {
		switch {
		case old == nil:
			return fmt.Errorf("%w: there is none", storage.ErrPrecondition)
		case etag(old) != want:
			return fmt.Errorf("%w: its ETag is %s, expected %q", storage.ErrPrecondition, etag(old), want)
		default:
			return nil
		}
	})
}

// put prepares everything aside and then, under the lock, asks the condition
// and lets it take effect. The condition is asked before as well, to spare the
// work where the answer is no.
func (b *Bucket) put(ctx context.Context, name string, r io.Reader, opts *storage.PutOptions, may condition) (storage.Attributes, error) {
	_, old, err := b.find(name)
	if err == nil {
		err = may(old)
	}
	if err != nil {
		return storage.Attributes{}, err
	}
	v := &version{b: b, name: name, opts: opts, tmp: tmpPath()}
	defer v.discard()
	if err := v.write(r); err != nil {
		return storage.Attributes{}, err
	}
	if err := v.stamp(old); err != nil {
		return storage.Attributes{}, err
	}
	if err := v.commit(ctx, may); err != nil {
		return storage.Attributes{}, err
	}
	return v.attributes(), v.settle()
}

// version is a new version of an object on its way into the tree.
type version struct {
	b    *Bucket
	name string
	opts *storage.PutOptions

	tmp      string // the file while it is aside
	f        *os.File
	size     int64
	modified time.Time
	sidecar  string // its sidecar, "" if it needs none

	file string      // where it took its place, "" if it has not
	made bool        // whether folders were made for it
	old  fs.FileInfo // what it replaced
}

// write writes the content aside.
func (v *version) write(r io.Reader) (err error) {
	v.f, err = v.b.root.OpenFile(v.tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if v.size, err = io.Copy(v.f, r); err != nil {
		return err
	}
	mode := v.b.mode
	if v.opts.ACL == storage.PublicRead {
		mode = publicMode
	}
	return v.f.Chmod(mode)
}

// stamp gives the version a time, and thereby its ETag, and writes the
// sidecar. Then all of it is on the disk.
func (v *version) stamp(old fs.FileInfo) error {
	for range maxRaces {
		modified := nextTime(time.Now(), old)
		sidecar, err := v.b.writeSidecar(v.name, etagOf(modified, v.size), v.opts)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := v.dropSidecar(); err != nil {
			return err
		}
		v.modified, v.sidecar = modified, sidecar
		return v.setTime()
	}
	return errRaces
}

func (v *version) setTime() error {
	if err := v.b.root.Chtimes(v.tmp, v.modified, v.modified); err != nil {
		return err
	}
	if v.b.sync {
		return v.f.Sync()
	}
	return nil
}

// commit lets the version take its place, if the condition still holds.
func (v *version) commit(ctx context.Context, may condition) error {
	return v.b.lock.do(ctx, func() error {
		_, old, err := v.b.find(v.name)
		if err == nil {
			err = may(old)
		}
		if err == nil && !follows(v.modified, old) {
			err = v.stamp(old) // somebody was faster; rare, so the lock may wait
		}
		if err != nil {
			return err
		}
		v.old = old
		return v.takePlace()
	})
}

// takePlace makes the folders and renames the file. Making a folder may turn
// the file of an object above into one, never the version's own place; so only
// now is it certain where that is.
func (v *version) takePlace() (err error) {
	if v.made, err = v.b.makeParents(v.name); err != nil {
		return err
	}
	file, _, err := v.b.find(v.name)
	if err != nil {
		return err
	}
	if err := v.b.root.Rename(v.tmp, file); err != nil {
		v.b.prune(path.Dir(file))
		return err
	}
	v.file = file
	return nil
}

// settle makes what commit did durable and then removes the sidecar of what
// was replaced.
func (v *version) settle() error {
	if err := v.b.syncUp(path.Dir(v.file), v.made); err != nil {
		return err
	}
	if v.old == nil {
		return nil
	}
	return v.b.removeSidecar(sidecarPath(v.name, etag(v.old)))
}

// discard frees what the version holds, and removes it unless it has taken its
// place. What cannot be removed, sweep will find.
func (v *version) discard() {
	if v.f != nil {
		v.f.Close()
	}
	if v.file == "" {
		v.b.root.Remove(v.tmp)
		v.dropSidecar()
	}
}

func (v *version) dropSidecar() error {
	if v.sidecar == "" {
		return nil
	}
	return v.b.removeSidecar(v.sidecar)
}

func (v *version) attributes() storage.Attributes {
	return storage.Attributes{
		Name:     v.name,
		Size:     v.size,
		ETag:     etagOf(v.modified, v.size),
		Modified: time.Unix(v.modified.Unix(), 0).UTC(),
	}
}
