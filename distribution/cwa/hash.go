package cwa

import (
	"archive/zip"
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/storage"
)

// Hash is what the metadata "cwa-hash" of an object holds: a hash of
// export.bin for archives, of the file itself for indexes.
type Hash string

const (
	// HashSHA256 is what the seed document says: SHA-256, in hexadecimal.
	HashSHA256 Hash = "sha256"

	// HashMD5 is what the German back end came to write: the hexadecimal MD5 of
	// the raw MD5, chosen to look like the ETag of a multipart upload. It is
	// there for those who take such a bucket over, and protects nothing.
	HashMD5 Hash = "md5"
)

const hashKey = "cwa-hash"

// hash returns the hash of a content.
func (h Hash) of(content []byte) string {
	if h == HashMD5 {
		inner := md5.Sum(content)
		outer := md5.Sum(inner[:])
		return hex.EncodeToString(outer[:])
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// FileOptions returns the attributes of an archive.
func (l *Layout) FileOptions(a *distribution.Archive) (storage.PutOptions, error) {
	hash := hex.EncodeToString(a.Info.SHA256[:])
	if l.opts.Hash == HashMD5 {
		content, err := l.exportBin(a)
		if err != nil {
			return storage.PutOptions{}, err
		}
		hash = HashMD5.of(content)
	}
	return storage.PutOptions{ContentType: "application/zip", Metadata: map[string]string{hashKey: hash}}, nil
}

// exportBin returns the export.bin of an archive that was just written.
func (l *Layout) exportBin(a *distribution.Archive) ([]byte, error) {
	z, err := zip.NewReader(bytes.NewReader(a.Bytes), int64(len(a.Bytes)))
	if err != nil {
		return nil, fmt.Errorf("cwa: %w", err)
	}
	f, err := z.File[0].Open()
	if err != nil {
		return nil, fmt.Errorf("cwa: %w", err)
	}
	defer f.Close()
	return io.ReadAll(f)
}

// IndexOptions returns the attributes of an index.
func (l *Layout) IndexOptions(i distribution.Index) storage.PutOptions {
	return storage.PutOptions{
		ContentType: "application/json",
		Metadata:    map[string]string{hashKey: l.opts.Hash.of(i.Content)},
	}
}
