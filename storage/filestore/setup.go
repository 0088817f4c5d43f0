package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"
)

// What the bucket keeps beside the objects. Only we have business there.
const (
	privateDir = ".gaen"
	tmpDir     = privateDir + "/tmp"
	attrsDir   = privateDir + "/attrs"
	lockPath   = privateDir + "/lock"
)

// leftoverAge is how old a file in tmpDir must be to be a dead process's. A
// Put that is under way touches its file with every write.
const leftoverAge = 6 * time.Hour

func (b *Bucket) setUp() error {
	for _, dir := range []string{tmpDir, attrsDir} {
		if err := b.root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := b.syncUp(privateDir, true); err != nil {
		return err
	}
	f, err := b.root.OpenFile(lockPath, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	b.lock = newLocker(f)
	if err := b.lock.probe(); err != nil {
		return fmt.Errorf("cannot lock %s: %w", lockPath, err)
	}
	if err := b.probe(); err != nil {
		return err
	}
	return b.sweep(time.Now().Add(-leftoverAge))
}

// probe finds out whether the file system has what the bucket stands on.
func (b *Bucket) probe() error {
	tmp := tmpPath()
	f, err := b.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer b.root.Remove(tmp)
	if err := f.Close(); err != nil {
		return err
	}
	if err := b.probeTime(tmp); err != nil {
		return err
	}
	if err := b.root.Link(tmp, tmp+"-link"); err != nil {
		return fmt.Errorf("the file system has no hard links: %w", err)
	}
	return b.root.Remove(tmp + "-link")
}

func (b *Bucket) probeTime(tmp string) error {
	want := time.Unix(time.Now().Unix(), 123_456_700) // not of the past: another process may sweep
	if err := b.root.Chtimes(tmp, want, want); err != nil {
		return err
	}
	fi, err := b.root.Lstat(tmp)
	if err != nil {
		return err
	}
	return checkTime(fi.ModTime(), want)
}

func checkTime(got, want time.Time) error {
	if got.Equal(want) {
		return nil
	}
	return fmt.Errorf("the file system does not keep modification times to 100 ns, which ETags need: %w: set %v, got %v",
		errors.ErrUnsupported, want.UTC(), got.UTC())
}

// sweep removes what in tmpDir has not been touched since the given time.
func (b *Bucket) sweep(before time.Time) error {
	dir, err := b.root.Open(tmpDir)
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := b.sweepOne(path.Join(tmpDir, name), before); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bucket) sweepOne(tmp string, before time.Time) error {
	fi, err := b.root.Lstat(tmp)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // its owner was not dead after all
	}
	if err != nil || !fi.ModTime().Before(before) {
		return err
	}
	return b.root.RemoveAll(tmp)
}
