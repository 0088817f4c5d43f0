package storage_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/storage"
)

func TestGetHoldsSize(t *testing.T) {
	broken := errors.New("connection reset")
	for _, tt := range []struct {
		name string
		body io.Reader
		size int64
		want string
		err  error // io.EOF stands for a good end
	}{
		{"whole", content("content"), 7, "content", io.EOF},
		{"empty", content(""), 0, "", io.EOF},
		{"short", content("cont"), 7, "cont", io.ErrUnexpectedEOF},
		{"nothing", content(""), 7, "", io.ErrUnexpectedEOF},
		{"failing", io.MultiReader(content("cont"), failing{broken}), 7, "cont", broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &stub{body: tt.body, size: tt.size}
			rc, a, err := storage.Get(t.Context(), s, "a")
			if err != nil {
				t.Fatal(err)
			}
			if a.Name != "a" {
				t.Errorf("got the name %q", a.Name)
			}
			got, err := io.ReadAll(rc)
			if string(got) != tt.want || (tt.err == io.EOF) != (err == nil) || err != nil && !errors.Is(err, tt.err) {
				t.Errorf("got %q, %v, want %q, %v", got, err, tt.want, tt.err)
			}
			if _, again := rc.Read(make([]byte, 1)); tt.err != io.EOF && again != err {
				t.Errorf("read again: %v, want %v once more", again, err)
			}
			if rc.Close(); !s.closed {
				t.Error("the bucket's body was not closed")
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestGetRefusesMoreThanSize(t *testing.T) {
	rc, _, err := storage.Get(t.Context(), &stub{body: content("content"), size: 4}, "a")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(rc)
	if string(got) != "cont" || err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("got %q, %v", got, err)
	}
	if _, _, err := storage.Get(t.Context(), &stub{body: content(""), size: -1}, "a"); err == nil {
		t.Error("a negative size was taken")
	}
}

// TestReadErrorIsNotAbsence: a file system that loses a file while it is read
// must not make the object one that never was.
func TestReadErrorIsNotAbsence(t *testing.T) {
	rc, _, err := storage.Get(t.Context(), &stub{body: failing{&fs.PathError{Op: "read", Path: "a", Err: fs.ErrNotExist}}, size: 7}, "a")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(rc)
	if err == nil || errors.Is(err, fs.ErrNotExist) || !storage.Retryable(err) {
		t.Errorf("got %v, want an error that is not fs.ErrNotExist", err)
	}
}

func TestReadAll(t *testing.T) {
	for _, tt := range []struct {
		name  string
		stub  *stub
		limit int64
		want  string
		err   error
	}{
		{"at the limit", &stub{body: content("content"), size: 7}, 7, "content", nil},
		{"over the limit", &stub{body: failing{errors.New("was read")}, size: 8}, 7, "", storage.ErrTooLarge},
		{"short", &stub{body: content("cont"), size: 7}, 7, "", io.ErrUnexpectedEOF},
		{"empty but not", &stub{body: content(""), size: 1}, 7, "", io.ErrUnexpectedEOF},
		{"missing", &stub{err: fs.ErrNotExist}, 7, "", fs.ErrNotExist},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := storage.ReadAll(t.Context(), tt.stub, "a", tt.limit)
			if string(got) != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %q, %v, want %q, %v", got, err, tt.want, tt.err)
			}
			if tt.stub.body != nil && !tt.stub.closed {
				t.Error("the body was not closed")
			}
		})
	}
	if got, _, err := storage.ReadAll(t.Context(), &stub{body: content("content"), size: 4}, "a", 100); err == nil {
		t.Errorf("more than the size: got %q and no error", got)
	}
}

func TestPutGivesCheckedOptions(t *testing.T) {
	s := &stub{}
	if _, err := storage.Put(t.Context(), s, "a", content("x"), nil); err != nil || s.opts == nil {
		t.Fatalf("nil options: the bucket got %v, %v", s.opts, err)
	}
	opts := &storage.PutOptions{ContentType: "text/plain", Metadata: map[string]string{"k": "v"}}
	a, err := storage.Put(t.Context(), s, "a", content("x"), opts)
	if err != nil {
		t.Fatal(err)
	}
	s.opts.ContentType = "changed by the bucket"
	s.opts.Metadata["k"] = "changed by the bucket"
	if opts.ContentType != "text/plain" || opts.Metadata["k"] != "v" {
		t.Errorf("the bucket could change the caller's options: %+v", opts)
	}
	if a.Name != "a" || a.ContentType != "text/plain" || !maps.Equal(a.Metadata, opts.Metadata) {
		t.Errorf("Put gave %+v", a)
	}
	a.Metadata["k"] = "changed by the caller"
	if opts.Metadata["k"] != "v" {
		t.Error("Put gave the caller's own map back")
	}
}

func TestPutKeepsSeeker(t *testing.T) {
	s := &stub{}
	if _, err := storage.Put(t.Context(), s, "a", strings.NewReader("content"), nil); err != nil {
		t.Fatal(err)
	}
	seeker, ok := s.got.(io.Seeker)
	if !ok {
		t.Fatal("the bucket's reader cannot seek, though the caller's can")
	}
	if n, err := seeker.Seek(0, io.SeekEnd); n != 7 || err != nil {
		t.Errorf("Seek: %d, %v", n, err)
	}
	if _, err := storage.Put(t.Context(), s, "a", io.LimitReader(content("x"), 1), nil); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.got.(io.Seeker); ok {
		t.Error("the bucket's reader can seek, though the caller's cannot")
	}
}

func TestPutEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &stub{before: cancel}
	if _, err := storage.Put(ctx, s, "a", content("x"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(s.got); !errors.Is(err, context.Canceled) {
		t.Errorf("the reader gives %v after the context has ended", err)
	}
}

func TestList(t *testing.T) {
	broken := errors.New("503")
	for _, tt := range []struct {
		name   string
		stub   *stub
		prefix string
		want   []string
		fails  string
	}{
		{"in order", &stub{names: []string{"a", "a-", "a/b"}}, "a", []string{"a", "a-", "a/b"}, ""},
		{"foreign names", &stub{names: []string{"/", "a//b", "a/b", "a/b/"}}, "", []string{"a/b"}, ""},
		{"fails", &stub{names: []string{"a", "b"}, err: broken}, "", []string{"a", "b"}, "503"},
		{"out of order", &stub{names: []string{"a", "c", "b", "d"}}, "", []string{"a", "c"}, `listed "b" after "c"`},
		{"twice", &stub{names: []string{"a", "a"}}, "", []string{"a"}, `listed "a" after "a"`},
		{"foreign names out of order", &stub{names: []string{"b//", "a"}}, "", nil, `listed "a" after "b//"`},
		{"other prefix", &stub{names: []string{"hour/1", "hour/2"}}, "hour/1", []string{"hour/1"}, `listed "hour/2"`},
		{"no name", &stub{names: []string{""}}, "", nil, `listed "" after ""`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			var failed error
			for a, err := range storage.List(t.Context(), tt.stub, tt.prefix) {
				if failed != nil {
					t.Error("the listing went on after its error")
				}
				if failed = err; err != nil {
					continue
				}
				got = append(got, a.Name)
				if a.Size != 1 || a.ETag != "e" || a.ContentType != "" {
					t.Errorf("got %+v, want size and ETag, and nothing that Get alone gives", a)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if tt.fails == "" && failed != nil || tt.fails != "" && (failed == nil || !strings.Contains(failed.Error(), tt.fails)) {
				t.Errorf("got error %v, want %q", failed, tt.fails)
			}
		})
	}
}

func TestListEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	var failed error
	for _, err := range storage.List(ctx, &stub{names: []string{"a", "b", "c"}}, "") {
		n++
		failed = err
		cancel()
	}
	if n != 2 || !errors.Is(failed, context.Canceled) {
		t.Errorf("went round %d times, last with %v, want twice and context.Canceled", n, failed)
	}
}

// TestNothingStarts: with a bad name or a context that is over, the bucket is
// not called at all.
func TestNothingStarts(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	s := &stub{before: func() { t.Error("the bucket was called") }}
	for _, tt := range []struct {
		name string
		ctx  context.Context
		want error
	}{
		{"a", over, context.Canceled},
		{"../a", t.Context(), storage.ErrInvalidName},
	} {
		_, _, getErr := storage.Get(tt.ctx, s, tt.name)
		_, putErr := storage.Put(tt.ctx, s, tt.name, content(""), nil)
		_, statErr := storage.Stat(tt.ctx, s, tt.name)
		for _, err := range []error{getErr, putErr, statErr, storage.Delete(tt.ctx, s, tt.name), storage.DeleteAll(tt.ctx, s, []string{tt.name})} {
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		}
	}
}
