package distribution

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/storage"
)

// attributesError says that an archive is what it should be, and is stored with
// attributes that are not, so that phones refuse it: whoever brought it back from a
// copy brought its bytes alone.
type attributesError struct {
	archive *Archive
	etag    string
	err     error
}

func (e *attributesError) Error() string {
	return fmt.Sprintf("stored with other attributes than it should be: %v", e.err)
}

func (e *attributesError) Unwrap() error { return e.err }

// checkAttributes returns an [*attributesError] if an archive was not stored with the
// attributes that the layout wants of it.
func (r *run) checkAttributes(f File, archive []byte, digest [32]byte, a storage.Attributes) error {
	checker, ok := r.layout.(AttributeChecker)
	if !ok {
		return nil
	}
	if err := checker.CheckAttributes(archive, a); err != nil {
		stored := &Archive{File: f, Bytes: archive, Info: export.Info{SHA256: digest, Size: int64(len(archive))}}
		return &attributesError{stored, a.ETag, err}
	}
	return nil
}

// dress stores an archive once more as it is, with the attributes that it should have.
func (r *run) dress(ctx context.Context, e *attributesError) (object, error) {
	name := r.layout.Object(e.archive.File)
	opts, err := r.layout.FileOptions(e.archive)
	if err != nil {
		return object{}, err
	}
	a, err := r.put(ctx, name, e.etag, e.archive.Bytes, opts)
	if err != nil {
		return object{}, &objectError{name, err}
	}
	return object{Name: name, ETag: a.ETag, Size: a.Size, SHA256: hex.EncodeToString(e.archive.Info.SHA256[:])}, nil
}
