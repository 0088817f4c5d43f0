package s3store

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/gaenkit/gaen/storage"
)

// source is the content of one Put: of known length, and to be read again,
// because it is read for its checksum first and then sent.
type source struct {
	r     io.ReadSeeker
	start int64
	size  int64
	err   error // of the reader, not of the network
}

// newSource returns r from where it stands. A reader that cannot seek is read
// into memory, up to max bytes.
func newSource(ctx context.Context, r io.Reader, max int64) (*source, error) {
	if s, ok := r.(io.ReadSeeker); ok {
		return seekable(s)
	}
	content, err := io.ReadAll(io.LimitReader(r, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > max {
		return nil, fmt.Errorf("%w of %d bytes for readers that cannot seek (Options.MaxBuffer)", storage.ErrTooLarge, max)
	}
	return &source{r: bytes.NewReader(content), size: int64(len(content))}, ctx.Err()
}

func seekable(r io.ReadSeeker) (*source, error) {
	start, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	end, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	s := &source{r: r, start: start, size: max(end-start, 0)}
	return s, s.rewind()
}

func (s *source) rewind() error {
	_, err := s.r.Seek(s.start, io.SeekStart)
	return err
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func (s *source) Seek(offset int64, whence int) (int64, error) { return s.r.Seek(offset, whence) }
