package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gaenkit/gaen/storage"
)

// web is a published tree behind a server of the web, as a phone has it: objects are
// read by their names, and cannot be listed. Where the server hands out a folder's
// index file under the folder's name, the layout is one without index names
// (api.indexName).
type web struct {
	base   *url.URL
	client *http.Client
	pause  time.Duration // before the second attempt
}

var _ storage.Bucket = (*web)(nil)

// webTries is how often an object is asked for whose server does not answer, or says
// that it cannot now.
const webTries = 3

// webTimeout is how long an answer may take, its body included.
const webTimeout = 2 * time.Minute

func openWeb(u *url.URL, access Access) (storage.Bucket, closing, error) {
	switch {
	case !access.ReadOnly:
		return nil, nil, fmt.Errorf("%s: a server of the web is only read", shown(u))
	case u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return nil, nil, fmt.Errorf("%s: want %s://HOST/PATH", shown(u), u.Scheme)
	}
	w := &web{base: u, client: &http.Client{Timeout: webTimeout}, pause: time.Second}
	return w, func() error { w.client.CloseIdleConnections(); return nil }, nil
}

// Get opens an object.
func (w *web) Get(ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
	for try, pause := 1, w.pause; ; try, pause = try+1, 2*pause {
		body, a, err := w.get(ctx, name)
		if err == nil || try == webTries || !errors.Is(err, errBusy) {
			return body, a, err
		}
		select {
		case <-ctx.Done():
			return nil, storage.Attributes{}, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// errBusy says that a server may answer another time.
var errBusy = errors.New("the server does not answer, or not now")

func (w *web) get(ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
	u := w.base.JoinPath(strings.Split(name, "/")...)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, storage.Attributes{}, err
	}
	r.Header.Set("User-Agent", "gaen-verify")
	answer, err := w.client.Do(r)
	switch {
	case ctx.Err() != nil:
		return nil, storage.Attributes{}, ctx.Err()
	case err != nil:
		return nil, storage.Attributes{}, fmt.Errorf("%w: %w", errBusy, err)
	case answer.StatusCode == http.StatusOK && answer.ContentLength < 0:
		return unmeasured(name, answer)
	case answer.StatusCode == http.StatusOK:
		return answer.Body, webAttributes(name, answer), nil
	}
	answer.Body.Close()
	return nil, storage.Attributes{}, refused(answer)
}

// maxUnmeasured is the size of the largest object that is taken of a server that does
// not say how large it is, such as one that compresses on the way.
const maxUnmeasured = 256 << 20

// unmeasured reads an object whose size is not known, which a bucket must say.
func unmeasured(name string, answer *http.Response) (io.ReadCloser, storage.Attributes, error) {
	defer answer.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answer.Body, maxUnmeasured+1))
	switch {
	case err != nil:
		return nil, storage.Attributes{}, fmt.Errorf("%w: %w", errBusy, err)
	case len(content) > maxUnmeasured:
		return nil, storage.Attributes{}, fmt.Errorf("%w: more than %d bytes", storage.ErrTooLarge, maxUnmeasured)
	}
	a := webAttributes(name, answer)
	a.Size = int64(len(content))
	return io.NopCloser(bytes.NewReader(content)), a, nil
}

// refused returns the error of an answer that is no object.
func refused(answer *http.Response) error {
	err := fmt.Errorf("the server says %q", answer.Status)
	switch code := answer.StatusCode; {
	case code == http.StatusNotFound, code == http.StatusGone:
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fmt.Errorf("%w: %w", fs.ErrPermission, err)
	case code == http.StatusTooManyRequests, code >= http.StatusInternalServerError:
		return fmt.Errorf("%w: %w", errBusy, err)
	}
	return err
}

func webAttributes(name string, answer *http.Response) storage.Attributes {
	a := storage.Attributes{
		Name:         name,
		Size:         max(0, answer.ContentLength),
		ETag:         answer.Header.Get("ETag"),
		ContentType:  answer.Header.Get("Content-Type"),
		CacheControl: answer.Header.Get("Cache-Control"),
	}
	if t, err := http.ParseTime(answer.Header.Get("Last-Modified")); err == nil {
		a.Modified = t
	}
	return a
}

// List is not possible.
func (w *web) List(context.Context, string) iter.Seq2[storage.Attributes, error] {
	return func(yield func(storage.Attributes, error) bool) {
		yield(storage.Attributes{}, fmt.Errorf("a server of the web does not list what it has: %w", errors.ErrUnsupported))
	}
}

// Put is not possible.
func (w *web) Put(context.Context, string, io.Reader, *storage.PutOptions) (storage.Attributes, error) {
	return storage.Attributes{}, errReadOnly
}

// Delete is not possible.
func (w *web) Delete(context.Context, string) error { return errReadOnly }
