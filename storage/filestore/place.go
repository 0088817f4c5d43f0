package filestore

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/gaenkit/gaen/storage"
)

// objectFile is the object's file where a folder stands in its place.
const objectFile = "/.object"

// tmpPath returns a path in tmpDir that nobody else has.
func tmpPath() string { return path.Join(tmpDir, rand.Text()) }

// absent reports whether err says that there is nothing at a path, which also
// is so if one of its parents is a file.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// find returns where the object is or would be, and its file's info, nil if
// there is no such object. The name is checked once more because here a name
// becomes a path, and one of ours, .gaen/lock, is within the root.
func (b *Bucket) find(name string) (file string, fi fs.FileInfo, err error) {
	if err := storage.CheckName(name); err != nil {
		return "", nil, err
	}
	file = name
	fi, err = b.root.Stat(file)
	if err == nil && fi.IsDir() {
		file = name + objectFile
		fi, err = b.root.Stat(file)
	}
	switch {
	case absent(err):
		return file, nil, nil
	case err != nil:
		return "", nil, err
	case !fi.Mode().IsRegular():
		return file, nil, nil
	default:
		return file, fi, nil
	}
}

// open opens the object's file. A folder never becomes a file again while its
// object exists, so looking for the file first and in the folder second misses
// nothing.
func (b *Bucket) open(name string) (*os.File, fs.FileInfo, error) {
	if err := storage.CheckName(name); err != nil {
		return nil, nil, err
	}
	f, fi, err := b.openFile(name)
	if err == nil && fi.IsDir() {
		f.Close()
		f, fi, err = b.openFile(name + objectFile)
	}
	switch {
	case absent(err):
		return nil, nil, fs.ErrNotExist
	case err != nil:
		return nil, nil, err
	case !fi.Mode().IsRegular():
		f.Close()
		return nil, nil, fs.ErrNotExist
	default:
		return f, fi, nil
	}
}

// openFile opens a path without waiting for a writer, should it be a pipe.
func (b *Bucket) openFile(file string) (*os.File, fs.FileInfo, error) {
	f, err := b.root.OpenFile(file, os.O_RDONLY|nonBlock, 0)
	if err != nil {
		return nil, nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, fi, nil
}

// makeParents makes the folders above file and reports whether there was
// something to make. The caller holds the lock.
func (b *Bucket) makeParents(file string) (made bool, err error) {
	parent := path.Dir(file)
	if fi, err := b.root.Stat(parent); err == nil && fi.IsDir() {
		return false, nil
	}
	if b.root.MkdirAll(parent, 0o777) == nil {
		return true, nil
	}
	for i, c := range file { // something is in the way; find out where
		if c != '/' {
			continue
		}
		if err := b.makeDir(file[:i]); err != nil {
			return true, err
		}
	}
	return true, nil
}

// makeDir makes dir a folder, whatever it is.
func (b *Bucket) makeDir(dir string) error {
	err := b.root.Mkdir(dir, 0o777)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	fi, err := b.root.Lstat(dir)
	if err != nil {
		return err
	}
	if fi.Mode().IsRegular() {
		return b.convert(dir)
	}
	_, err = b.root.Stat(dir)
	if absent(err) {
		return b.remakeDir(dir)
	}
	return err // a file that is neither shows in the next step
}

// remakeDir makes dir where a link stands that leads nowhere: a Delete was
// killed between removing a folder and the link to it.
func (b *Bucket) remakeDir(dir string) error {
	if err := b.root.Remove(dir); err != nil {
		return err
	}
	return b.root.Mkdir(dir, 0o777)
}

// prune removes dir and the folders above it as long as they are empty, and
// returns the first that stays. That one cannot be removed, for whatever
// reason, is no failure: an empty folder is no object. The caller holds the
// lock, so that nobody is about to put something there.
func (b *Bucket) prune(dir string) (stays string) {
	for dir != "." && b.removeDir(dir) == nil {
		dir = path.Dir(dir)
	}
	return dir
}

// removeDir removes an empty folder, and the link to it if it is one of ours.
// The folder goes first, since only that finds out whether it is empty.
func (b *Bucket) removeDir(dir string) error {
	target, linked, err := b.linkedDir(dir)
	if err != nil {
		return err
	}
	if linked {
		if err := b.root.Remove(target); err != nil && !absent(err) {
			return err
		}
	}
	return b.root.Remove(dir)
}

// linkedDir returns the folder that dir is a link of ours to, if it is one. A
// link of somebody else's is an error.
func (b *Bucket) linkedDir(dir string) (target string, linked bool, err error) {
	fi, err := b.root.Lstat(dir)
	if err != nil || fi.IsDir() {
		return "", false, err
	}
	target, err = b.root.Readlink(dir)
	if err != nil {
		return "", false, err
	}
	if !ourLink(target) {
		return "", false, errors.New("a link from elsewhere")
	}
	return path.Join(path.Dir(dir), target), true, nil
}

// ourLink reports whether a link to target is one that convert made.
func ourLink(target string) bool {
	return strings.HasPrefix(target, linkedPrefix) && !strings.Contains(target, "/")
}
