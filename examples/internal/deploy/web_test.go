package deploy

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/memstore"
)

// site is a server of the web that misbehaves by the names it is asked for.
type site struct{ asked atomic.Int64 }

const siteText = "what is published"

var siteTime = time.Date(2026, 3, 2, 5, 0, 7, 0, time.UTC)

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := s.asked.Add(1)
	name := strings.TrimPrefix(r.URL.Path, "/below/")
	switch name {
	case "plain/a b+c":
		w.Header().Set("Last-Modified", siteTime.Format(http.TimeFormat))
		w.Header().Set("ETag", `"e"`)
		fmt.Fprint(w, siteText)
	case "chunked":
		fmt.Fprint(w, siteText[:5])
		w.(http.Flusher).Flush()
		fmt.Fprint(w, siteText[5:])
	case "compressed":
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprint(z, siteText)
		z.Close()
	case "gone":
		w.WriteHeader(http.StatusGone)
	case "forbidden":
		w.WriteHeader(http.StatusForbidden)
	case "teapot":
		w.WriteHeader(http.StatusTeapot)
	case "broken":
		w.WriteHeader(http.StatusBadGateway)
	case "busy":
		if n < webTries {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, siteText)
	case "cut":
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, siteText)
	default:
		http.NotFound(w, r)
	}
}

func TestWeb(t *testing.T) {
	for _, test := range []struct {
		name  string
		err   error
		asked int64
	}{
		{"plain/a b+c", nil, 1},
		{"chunked", nil, 1},
		{"compressed", nil, 1},
		{"busy", nil, 3},
		{"missing", fs.ErrNotExist, 1},
		{"gone", fs.ErrNotExist, 1},
		{"forbidden", fs.ErrPermission, 1},
		{"teapot", errors.New("418"), 1},
		{"broken", errBusy, 3},
		{"cut", io.ErrUnexpectedEOF, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &site{}
			server := httptest.NewServer(s)
			defer server.Close()
			b, closing, err := OpenBucket(t.Context(), server.URL+"/below", Access{ReadOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			defer closing()
			b.(*web).pause = time.Millisecond
			content, a, err := storage.ReadAll(t.Context(), b, test.name, 1000)
			switch {
			case test.err == nil && (err != nil || string(content) != siteText || a.Size != int64(len(siteText))):
				t.Errorf("reads %q, %+v, %v", content, a, err)
			case test.err != nil && !errors.Is(err, test.err) && (err == nil || !strings.Contains(err.Error(), test.err.Error())):
				t.Errorf("fails with %v, want %v", err, test.err)
			}
			if test.name == "plain/a b+c" && (!a.Modified.Equal(siteTime) || a.ETag != `"e"`) {
				t.Errorf("attributes: %+v", a)
			}
			if got := s.asked.Load(); got != test.asked {
				t.Errorf("asked %d times, want %d", got, test.asked)
			}
		})
	}
}

// TestWebIsOnlyRead: what cannot be done says so, and places that make no sense are
// refused.
func TestWebIsOnlyRead(t *testing.T) {
	ctx := t.Context()
	b, _, err := OpenBucket(ctx, "https://keys.example/path", Access{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range storage.List(ctx, b, "") {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("List: %v", err)
		}
	}
	if _, err := storage.Put(ctx, b, "name", strings.NewReader("x"), nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Put: %v", err)
	}
	if err := storage.Delete(ctx, b, "name"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Delete: %v", err)
	}
	if Listable(b) || !attributeless(b) || !Listable(memstore.New(nil)) || attributeless(memstore.New(nil)) {
		t.Error("takes a server of the web for a store, or the reverse")
	}
	for _, place := range []string{"https://keys.example", "http:///path", "https://keys.example/?region=x", "https://keys.example/#x"} {
		_, _, err := OpenBucket(ctx, place, Access{ReadOnly: place != "https://keys.example"})
		if err == nil {
			t.Errorf("%s: opened", place)
		}
	}
}

// counted counts what is asked of a bucket.
type counted struct {
	storage.Bucket
	gets atomic.Int64
}

func (c *counted) Get(ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
	c.gets.Add(1)
	return c.Bucket.Get(ctx, name)
}

func TestFetched(t *testing.T) {
	ctx := t.Context()
	inner := &counted{Bucket: memstore.New(nil)}
	for i := range 5 {
		if _, err := storage.Put(ctx, inner, fmt.Sprint(i), bytes.NewReader(make([]byte, 100+i)), &storage.PutOptions{ContentType: "x/y"}); err != nil {
			t.Fatal(err)
		}
	}
	fetch := func(limits Limits, tell func(int, int64)) *Fetched {
		t.Helper()
		f, err := Fetch(inner, limits, tell)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	read := func(f *Fetched, i int) error {
		content, a, err := storage.ReadAll(ctx, f, fmt.Sprint(i), 1000)
		if err == nil && (len(content) != 100+i || a.ContentType != "x/y") {
			t.Errorf("object %d: %d bytes, %+v", i, len(content), a)
		}
		return err
	}
	var told []int64
	f := fetch(Limits{}, func(n int, bytes int64) { told = append(told, int64(n), bytes) })
	for range 2 {
		for i := range 3 {
			if err := read(f, i); err != nil {
				t.Fatal(err)
			}
		}
	}
	if inner.gets.Load() != 3 || fmt.Sprint(told) != "[1 100 2 201 3 303]" {
		t.Errorf("asked %d times, told %v", inner.gets.Load(), told)
	}
	if err := read(f, 9); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was kept is still there: %v", err)
	}

	f = fetch(Limits{Objects: 2}, nil)
	if err := errors.Join(read(f, 0), read(f, 1), read(f, 0)); err != nil {
		t.Errorf("two objects: %v", err)
	}
	if err := read(f, 2); !errors.Is(err, ErrLimit) {
		t.Errorf("a third object: %v", err)
	}
	f = fetch(Limits{Bytes: 201}, nil)
	if err := errors.Join(read(f, 0), read(f, 1)); err != nil {
		t.Errorf("201 bytes: %v", err)
	}
	f = fetch(Limits{Bytes: 200}, nil)
	if err := read(f, 0); err != nil {
		t.Error(err)
	}
	if err := read(f, 1); !errors.Is(err, ErrLimit) {
		t.Errorf("a byte too many: %v", err)
	}
	if _, err := storage.Put(ctx, f, "x", strings.NewReader("x"), nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Put: %v", err)
	}
	if err := storage.Delete(ctx, f, "0"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Delete: %v", err)
	}
	n := 0
	for _, err := range storage.List(ctx, f, "") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 5 {
		t.Errorf("lists %d", n)
	}
}
