package filestore

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/gaenkit/gaen/storage"
)

// maxSidecarSize is the size of the largest sidecar that is read. What
// [storage.PutOptions.Check] lets pass is a third of it, escaped.
const maxSidecarSize = 64 << 10

// A sidecar is the file with those attributes of an object's version that the
// file system does not keep. It is written before the version takes its place
// and removed after the version has lost it, and its path names the version;
// so a reader that holds the one finds the right other or none.
type sidecar struct {
	Name            string            `json:"name"`
	ContentType     string            `json:"contentType,omitempty"`
	ContentEncoding string            `json:"contentEncoding,omitempty"`
	CacheControl    string            `json:"cacheControl,omitempty"`
	Metadata        map[string]string `json:"metadata,omitempty"`
}

func newSidecar(name string, opts *storage.PutOptions) (_ *sidecar, needed bool) {
	s := &sidecar{name, opts.ContentType, opts.ContentEncoding, opts.CacheControl, opts.Metadata}
	return s, s.ContentType != "" || s.ContentEncoding != "" || s.CacheControl != "" || len(s.Metadata) > 0
}

func sidecarPath(name, etag string) string {
	h := sha256.Sum256([]byte(name))
	hash := hex.EncodeToString(h[:16])
	return path.Join(attrsDir, hash[:2], hash[2:]+"-"+etag)
}

// writeSidecar writes the attributes of the version etag of an object, if it
// has any. If there is a sidecar already, left by a process that was killed,
// the error satisfies errors.Is(err, fs.ErrExist) and another ETag will do.
func (b *Bucket) writeSidecar(name, etag string, opts *storage.PutOptions) (string, error) {
	file := sidecarPath(name, etag)
	s, needed := newSidecar(name, opts)
	if !needed {
		_, err := b.root.Lstat(file)
		switch {
		case err == nil:
			return "", fs.ErrExist
		case absent(err):
			return "", nil
		default:
			return "", err
		}
	}
	text, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	return file, b.createSidecar(file, text)
}

func (b *Bucket) createSidecar(file string, text []byte) error {
	if err := b.makeAttrsDir(path.Dir(file)); err != nil {
		return err
	}
	f, err := b.root.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil && b.sync {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = b.syncDir(path.Dir(file))
	}
	if err != nil {
		err = errors.Join(err, b.removeSidecar(file))
	}
	return err
}

func (b *Bucket) makeAttrsDir(dir string) error {
	err := b.root.Mkdir(dir, 0o700)
	switch {
	case err == nil:
		return b.syncDir(attrsDir)
	case errors.Is(err, fs.ErrExist):
		return nil
	default:
		return err
	}
}

// readSidecar returns attributes a completed with the version's sidecar. If
// there is none, the error satisfies errors.Is(err, fs.ErrNotExist).
func (b *Bucket) readSidecar(a storage.Attributes) (storage.Attributes, error) {
	f, err := b.root.Open(sidecarPath(a.Name, a.ETag))
	if err != nil {
		return a, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSidecarSize+1))
	if err != nil {
		return a, err
	}
	if len(text) > maxSidecarSize {
		return a, fmt.Errorf("%s: more than %d bytes", f.Name(), maxSidecarSize)
	}
	var s sidecar
	if err := json.Unmarshal(text, &s); err != nil {
		return a, fmt.Errorf("%s: %w", f.Name(), err)
	}
	if s.Name != a.Name {
		return a, fmt.Errorf("%s: is of the object %q", f.Name(), s.Name)
	}
	a.ContentType, a.ContentEncoding, a.CacheControl, a.Metadata = s.ContentType, s.ContentEncoding, s.CacheControl, s.Metadata
	return a, nil
}

// removeSidecar removes a sidecar, if it is there.
func (b *Bucket) removeSidecar(file string) error {
	if err := b.root.Remove(file); !absent(err) {
		return err
	}
	return nil
}
