package deltaset

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"

	"github.com/gaenkit/gaen/storage"
)

// A Source is where a [Client] reads a delta set from: the folder of a package.
type Source interface {
	// Get opens a file by its name below that folder, without the content encoding
	// it may have been sent in. If there is none, the error must satisfy
	// errors.Is(err, fs.ErrNotExist), and no other error may. The client closes what
	// it gets, and reads no more than it can bear.
	Get(ctx context.Context, name string) (io.ReadCloser, error)
}

// FromURL returns the source at an address, such as
// https://keys.example/deltaset/DE. Nil is [http.DefaultClient]; a client that
// others may keep waiting needs a timeout.
func FromURL(client *http.Client, base string) (Source, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("deltaset: FromURL: base is no address of HTTP")
	}
	if client == nil {
		client = http.DefaultClient
	}
	return &web{client, u}, nil
}

type web struct {
	client *http.Client
	base   *url.URL
}

func (w *web) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base.JoinPath(name).String(), nil)
	if err != nil {
		return nil, fmt.Errorf("deltaset: %s: %w", name, err)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("deltaset: %w", err)
	}
	if err := answered(resp); err != nil {
		resp.Body.Close()
		return nil, fmt.Errorf("deltaset: %s: %w", name, err)
	}
	return resp.Body, nil
}

// answered returns an error if an answer does not bring the file as it is. The
// transport has undone gzip, which it asked for.
func answered(resp *http.Response) error {
	switch encoding := resp.Header.Get("Content-Encoding"); {
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone:
		return fmt.Errorf("%s: %w", resp.Status, fs.ErrNotExist)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("the server answered %s", resp.Status)
	case encoding != "" && encoding != "identity":
		return errors.New("the server sends it in an encoding that was not asked for")
	}
	return nil
}

// FromBucket returns the source below a prefix of a bucket, such as deltaset/DE/.
func FromBucket(b storage.Bucket, prefix string) Source { return &inBucket{b, prefix} }

type inBucket struct {
	bucket storage.Bucket
	prefix string
}

func (b *inBucket) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	stored, attrs, err := storage.Get(ctx, b.bucket, b.prefix+name)
	if err != nil || attrs.ContentEncoding != "gzip" {
		return stored, err
	}
	z, err := gzip.NewReader(stored)
	if err != nil {
		stored.Close()
		return nil, fmt.Errorf("deltaset: %s: %w", name, err)
	}
	return &unzipped{z, stored}, nil
}

// unzipped closes what it reads from, too.
type unzipped struct {
	*gzip.Reader
	stored io.Closer
}

func (u *unzipped) Close() error { return errors.Join(u.Reader.Close(), u.stored.Close()) }
