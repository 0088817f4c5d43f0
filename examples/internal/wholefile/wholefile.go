// Package wholefile writes files whole or not at all: what a full disk or a kill
// leaves of a key is not to be taken for one.
package wholefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// A Draft is a file that is written, under another name in the folder where it is to
// be. Who is killed may leave it there, and nobody takes it for the file.
type Draft struct{ beside, path string }

// Write writes a draft, which is the owner's alone from the first byte on, and gets
// the mode when it is complete. The caller discards it.
func Write(path string, text []byte, mode fs.FileMode) (*Draft, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".draft-*") // of mode 0600
	if err != nil {
		return nil, err
	}
	d := &Draft{f.Name(), path}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		d.Discard()
		return nil, err
	}
	if err := os.Chmod(d.beside, mode); err != nil {
		d.Discard()
		return nil, err
	}
	return d, nil
}

// Create has the draft be the file. If there is one already it stays, and the error
// satisfies errors.Is(err, [fs.ErrExist]).
func (d *Draft) Create() error { return os.Link(d.beside, d.path) }

// Replace has the draft be the file, in the place of one that may be there.
func (d *Draft) Replace() error { return os.Rename(d.beside, d.path) }

// Discard removes the draft, and not the file.
func (d *Draft) Discard() { os.Remove(d.beside) }

// Create creates a file of mode 0600, for a secret. Its error is as that of
// [Draft.Create].
func Create(path string, text []byte) error {
	d, err := Write(path, text, 0o600)
	if err != nil {
		return err
	}
	defer d.Discard()
	return d.Create()
}
