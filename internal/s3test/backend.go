package s3test

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"sync"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"
)

// atomicBackend is gofakes3's memory in which a condition still holds at the moment it
// takes effect. The server alone looks before and leaves the rest to whoever
// stores (gofakes3.CheckWriteConditions); s3mem does not, and of two conditional
// writes both win now and then.
type atomicBackend struct {
	*s3mem.Backend
	mu sync.Mutex
}

// NewBackend returns where a server keeps what it is given: in memory.
func NewBackend() gofakes3.Backend { return &atomicBackend{Backend: s3mem.New()} }

func (b *atomicBackend) PutObject(ctx context.Context, bucket, key string, meta map[string]string, r io.Reader, size int64) (gofakes3.PutObjectResult, error) {
	content, err := gofakes3.ReadAll(r, size)
	if err != nil {
		return gofakes3.PutObjectResult{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	exists, etag := false, ""
	switch old, err := b.HeadObject(ctx, bucket, key); {
	case err == nil:
		exists, etag = true, hex.EncodeToString(old.Hash)
		old.Contents.Close()
	case !gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchKey):
		return gofakes3.PutObjectResult{}, err
	}
	if err := gofakes3.CheckWriteConditions(ctx, exists, etag); err != nil {
		return gofakes3.PutObjectResult{}, err
	}
	return b.Backend.PutObject(ctx, bucket, key, meta, bytes.NewReader(content), int64(len(content)))
}

func (b *atomicBackend) DeleteObject(ctx context.Context, bucket, key string) (gofakes3.ObjectDeleteResult, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Backend.DeleteObject(ctx, bucket, key)
}

func (b *atomicBackend) DeleteMulti(ctx context.Context, bucket string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Backend.DeleteMulti(ctx, bucket, keys...)
}
