package filestore

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path"
)

// linkedPrefix begins the names of folders that stand beside an object and
// are linked to from its name.
const linkedPrefix = ".dir-"

// convert turns the plain file of an object into a folder with the file in it,
// because an object below it is about to be put. At every moment the object is
// there for every reader, and a crash anywhere leaves it there: the folder is
// prepared aside with a hard link to the file, made durable, and takes the
// file's place in one step. The caller holds the lock.
func (b *Bucket) convert(name string) error {
	aside := tmpPath()
	err := b.prepareDir(aside, name)
	if err == nil {
		err = b.takePlace(aside, name)
	}
	// What is aside now is the old file or nothing; after a failure, a folder
	// with one link of two. Should it stay, sweep will find it.
	return errors.Join(err, b.root.RemoveAll(aside))
}

func (b *Bucket) prepareDir(aside, name string) error {
	if err := b.root.Mkdir(aside, 0o777); err != nil {
		return err
	}
	if err := b.root.Link(name, aside+objectFile); err != nil {
		return err
	}
	return b.syncDir(aside)
}

func (b *Bucket) takePlace(aside, name string) error {
	asideDir, err := b.root.Open(path.Dir(aside))
	if err != nil {
		return err
	}
	defer asideDir.Close()
	nameDir, err := b.root.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer nameDir.Close()
	err = b.exchange(asideDir, path.Base(aside), nameDir, path.Base(name))
	if errors.Is(err, errors.ErrUnsupported) {
		return b.takePlaceByLink(aside, name)
	}
	return err
}

// takePlaceByLink is for where files and folders cannot be exchanged. A folder
// cannot be renamed over a file, but a link can; so the folder is put beside
// the file under a hidden name, and a link to it over the file. The link is
// relative and within one folder, so trees can be moved and copied.
func (b *Bucket) takePlaceByLink(aside, name string) error {
	b.dropHidden(name)
	if err := b.root.Rename(aside, hiddenDir(name)); err != nil {
		return err
	}
	if err := b.syncDir(path.Dir(name)); err != nil { // the folder before what leads to it
		return err
	}
	if err := b.root.Symlink(path.Base(hiddenDir(name)), aside); err != nil {
		return err
	}
	return b.root.Rename(aside, name)
}

// hiddenDir returns the folder beside name that a link in its place leads to.
func hiddenDir(name string) string {
	h := sha256.Sum256([]byte(path.Base(name)))
	return path.Join(path.Dir(name), linkedPrefix+hex.EncodeToString(h[:8]))
}

// dropHidden removes what an attempt to convert name left when it was killed:
// a folder with a second link to the file as it then was. name must be a file
// or nothing, so that nothing leads there. Of a folder with more in it only
// that link is removed, and what is next shows that it is not empty.
func (b *Bucket) dropHidden(name string) {
	hidden := hiddenDir(name)
	b.root.Remove(hidden + objectFile)
	b.root.Remove(hidden)
}
