package filestore

import (
	"context"
	"io/fs"
	"path"
)

// Delete implements [storage.Bucket]. Folders that it leaves empty go too.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	var old fs.FileInfo
	var stays string
	err := b.lock.do(ctx, func() (err error) {
		var file string
		file, old, err = b.find(name)
		if err != nil || old == nil {
			return err
		}
		if err := b.root.Remove(file); err != nil {
			return err
		}
		if file == name {
			b.dropHidden(name) // content that is deleted must be gone
		}
		stays = b.prune(path.Dir(file))
		return nil
	})
	if err != nil || old == nil {
		return err
	}
	// The sidecar last: after a power failure between the two there may be an
	// object that was to be deleted, but none that has lost its attributes.
	if err := b.syncDir(stays); err != nil {
		return err
	}
	return b.removeSidecar(sidecarPath(name, etag(old)))
}
