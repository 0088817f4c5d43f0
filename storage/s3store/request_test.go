package s3store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/s3store"
)

// recorded returns a bucket on a recording gofakes3, which has forgotten New's
// requests.
func recorded(t *testing.T, do middleware) (*s3store.Bucket, *altered) {
	t.Helper()
	bucket, client, _, server := onAltered(t, nil)
	b, err := s3store.New(t.Context(), client, bucket, nil)
	if err != nil {
		t.Fatal(err)
	}
	server.do = do
	server.forget()
	return b, server
}

// TestHeaders are those of every Put, Create and Replace.
func TestHeaders(t *testing.T) {
	b, server := recorded(t, nil)
	full := &storage.PutOptions{
		ContentType: "application/zip", ContentEncoding: "gzip", CacheControl: "public,max-age=300",
		ACL: storage.PublicRead, Metadata: map[string]string{"cwa-hash": "12"},
	}
	create := &storage.PutOptions{IfAbsent: true}
	put := func(opts *storage.PutOptions) storage.Attributes {
		a, err := storage.Put(t.Context(), b, "a/b c", strings.NewReader("x"), opts)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
		return a
	}
	put(nil)
	a := put(full)
	put(create)
	if _, err := storage.Replace(t.Context(), b, "a/b c", a.ETag, strings.NewReader("y"), full); err != nil {
		t.Fatal(err)
	}
	none := map[string]string{
		"X-Amz-Acl": "", "Content-Type": "binary/octet-stream", "Content-Encoding": "", "Cache-Control": "",
		"If-None-Match": "", "If-Match": "", "X-Amz-Meta-Cwa-Hash": "",
	}
	all := map[string]string{
		"X-Amz-Acl": "public-read", "Content-Type": "application/zip", "Content-Encoding": "gzip",
		"Cache-Control": "public,max-age=300", "X-Amz-Meta-Cwa-Hash": "12", "If-None-Match": "", "If-Match": "",
	}
	puts := server.seen("PUT")
	if len(puts) != 4 {
		t.Fatalf("%d requests, want 4", len(puts))
	}
	for i, want := range []map[string]string{none, all, with(none, "If-None-Match", "*"), with(all, "If-Match", `"`+a.ETag+`"`)} {
		for k, v := range want {
			if got := puts[i].Header.Get(k); got != v {
				t.Errorf("request %d: %s: got %q, want %q", i+1, k, got, v)
			}
		}
		if puts[i].Header.Get("X-Amz-Checksum-Crc32") == "" || puts[i].ContentLength != 1 || !strings.HasSuffix(puts[i].URL.EscapedPath(), "/a/b%20c") {
			t.Errorf("request %d: checksum %q, length %d, path %s", i+1, puts[i].Header.Get("X-Amz-Checksum-Crc32"), puts[i].ContentLength, puts[i].URL.EscapedPath())
		}
	}
}

func with(m map[string]string, k, v string) map[string]string {
	c := map[string]string{k: v}
	for key, value := range m {
		if key != k {
			c[key] = value
		}
	}
	return c
}

// TestOneAttempt: whoever calls repeats; nothing repeats behind its back.
func TestOneAttempt(t *testing.T) {
	for op, do := range operations {
		b, server := recorded(t, func(w http.ResponseWriter, r *http.Request) bool {
			return refuse(w, r, 503, "SlowDown")
		})
		if err := do(t.Context(), b); !storage.Retryable(err) {
			t.Errorf("%s: got %v, want a retryable error", op, err)
		}
		if n := len(server.seen("")); n != 1 {
			t.Errorf("%s: %d requests, want 1", op, n)
		}
	}
}

// TestFewRequests: what a run costs.
func TestFewRequests(t *testing.T) {
	b, server := recorded(t, nil)
	names := make([]string, 2500)
	for i := range names {
		names[i] = fmt.Sprintf("%04d", i)
	}
	for op, tt := range map[string]struct {
		do   func() error
		want int
	}{
		"put":        {func() error { return operations["put"](t.Context(), b) }, 1},
		"stat":       {func() error { return operations["put"](t.Context(), b) }, 1},
		"delete-all": {func() error { return storage.DeleteAll(t.Context(), b, append(names, names...)) }, 3},
		"nothing":    {func() error { return storage.DeleteAll(t.Context(), b, nil) }, 0},
	} {
		server.forget()
		if err := tt.do(); err != nil {
			t.Fatal(err)
		}
		if n := len(server.seen("")); n != tt.want {
			t.Errorf("%s: %d requests, want %d", op, n, tt.want)
		}
	}
}

// conflicting is a transport without a network: n conflicts, then the answer.
func conflicting(n int, then int, bodies *[]string) roundTripper {
	return func(r *http.Request) (*http.Response, error) {
		content, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		*bodies = append(*bodies, string(content))
		rec := httptest.NewRecorder()
		rec.Header().Set("ETag", `"e"`)
		switch {
		case len(*bodies) <= n:
			refuse(rec, r, 409, "ConditionalRequestConflict")
		case then == 200:
			rec.WriteHeader(200)
		default:
			refuse(rec, r, then, "PreconditionFailed")
		}
		return rec.Result(), nil
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestConflict: neither yes nor no is asked again, with the whole body, for a
// while and with pauses, and then may pass.
func TestConflict(t *testing.T) {
	for _, tt := range []struct {
		name      string
		conflicts int
		then      int
		is        error
		requests  int
	}{
		{"created", 3, 200, nil, 4},
		{"exists", 3, 412, fs.ErrExist, 4},
		{"at the last try", 6, 412, fs.ErrExist, 7},
		{"goes on", 100, 200, errMayPass, 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var bodies []string
				b := s3store.Unchecked(newClient("http://example.invalid", conflicting(tt.conflicts, tt.then, &bodies)), "bucket")
				begin := time.Now()
				r := strings.NewReader("head content")
				io.CopyN(io.Discard, r, 5)
				_, err := storage.Put(t.Context(), b, "a", r, &storage.PutOptions{IfAbsent: true})
				if tt.is == errMayPass && !storage.Retryable(err) || tt.is != errMayPass && !errors.Is(err, tt.is) {
					t.Errorf("got %v, want %v", err, tt.is)
				}
				if len(bodies) != tt.requests || slices.ContainsFunc(bodies, func(s string) bool { return s != "content" }) {
					t.Errorf("sent %q, want content %d times", bodies, tt.requests)
				}
				if d := time.Since(begin); d < 25*time.Millisecond || d > 4*time.Second {
					t.Errorf("took %v", d)
				}
			})
		})
	}
}

var errMayPass = errors.New("an error that may pass")

func TestConflictEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bodies []string
		b := s3store.Unchecked(newClient("http://example.invalid", conflicting(100, 200, &bodies)), "bucket")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := storage.Put(ctx, b, "a", strings.NewReader("x"), &storage.PutOptions{IfAbsent: true})
		if !errors.Is(err, context.DeadlineExceeded) || len(bodies) != 1 {
			t.Errorf("got %v after %d requests", err, len(bodies))
		}
	})
}

// reader hides what a reader can do beyond reading.
type reader struct{ io.Reader }

func TestMaxBuffer(t *testing.T) {
	bucket, client, _, server := onAltered(t, nil)
	b, err := s3store.New(t.Context(), client, bucket, &s3store.Options{MaxBuffer: 10})
	if err != nil {
		t.Fatal(err)
	}
	server.forget()
	for content, fits := range map[string]bool{"": true, "123456789": true, "1234567890": true, "12345678901": false} {
		_, err := storage.Put(t.Context(), b, "a", reader{strings.NewReader(content)}, nil)
		if fits && err != nil || !fits && (!errors.Is(err, storage.ErrTooLarge) || storage.Retryable(err)) {
			t.Errorf("%d bytes: %v", len(content), err)
		}
	}
	if n := len(server.seen("")); n != 3 {
		t.Errorf("%d requests, want none for what is too large", n)
	}
	// Readers that can seek are not read into memory, and may be larger.
	path := filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(path, bytes.Repeat([]byte("0123456789"), 1<<17), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if a, err := storage.Put(t.Context(), b, "a", f, nil); err != nil || a.Size != 10<<17 {
		t.Errorf("a file: %v, %v", a.Size, err)
	}
}

var errRead = errors.New("the disk is broken")

// failing is a reader that can seek and fails half way.
type failing struct {
	*strings.Reader
}

func (f *failing) Read(p []byte) (int, error) {
	if f.Len() < 5 {
		return 0, errRead
	}
	return f.Reader.Read(p[:min(len(p), 5)])
}

// TestFailingSeeker: the reader's error comes back as it is, and the old object
// stays.
func TestFailingSeeker(t *testing.T) {
	b, _ := recorded(t, nil)
	if _, err := storage.Put(t.Context(), b, "a", strings.NewReader("old"), nil); err != nil {
		t.Fatal(err)
	}
	_, err := storage.Put(t.Context(), b, "a", &failing{Reader: strings.NewReader("123456789012")}, nil)
	if e, ok := errors.AsType[*storage.Error](err); !ok || e.Err != errRead {
		t.Errorf("got %v, want the reader's error as it is", err)
	}
	if got, _, err := storage.ReadAll(t.Context(), b, "a", 100); string(got) != "old" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// stalling is a reader that can seek; when it is read for the third time, to be
// sent after it was read for the two checksums, it stalls half way.
type stalling struct {
	*strings.Reader
	ctx     context.Context
	rewinds int
}

func (s *stalling) Seek(offset int64, whence int) (int64, error) {
	if offset == 0 && whence == io.SeekStart {
		s.rewinds++
	}
	return s.Reader.Seek(offset, whence)
}

func (s *stalling) Read(p []byte) (int, error) {
	if s.rewinds >= 3 && s.Len() < 1<<20 {
		<-s.ctx.Done()
		return 0, s.ctx.Err()
	}
	return s.Reader.Read(p)
}

// TestUploadCancelled half way, when the server has part of the body.
func TestUploadCancelled(t *testing.T) {
	half := make(chan struct{})
	b, _ := recorded(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && r.ContentLength > 1000 {
			body := r.Body
			head := make([]byte, 1000)
			io.ReadFull(body, head)
			close(half)
			r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(head), body))
		}
		return false
	})
	if _, err := storage.Put(t.Context(), b, "a", strings.NewReader("old"), nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-half; cancel() }()
	_, err := storage.Put(ctx, b, "a", &stalling{Reader: strings.NewReader(strings.Repeat("new", 1<<20)), ctx: ctx}, nil)
	if !errors.Is(err, context.Canceled) || storage.Retryable(err) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if got, _, err := storage.ReadAll(t.Context(), b, "a", 100); string(got) != "old" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestClientTimeout: a time-out that is the client's, not the caller's, is
// worth another try.
func TestClientTimeout(t *testing.T) {
	bucket, client, _, server := onAltered(t, nil)
	impatient := s3.New(client.Options(), func(o *s3.Options) { o.HTTPClient = &http.Client{Timeout: 50 * time.Millisecond} })
	b, err := s3store.New(t.Context(), impatient, bucket, nil)
	if err != nil {
		t.Skipf("the machine is too busy: %v", err)
	}
	server.do = func(w http.ResponseWriter, r *http.Request) bool {
		io.Copy(io.Discard, r.Body) // or the server would not notice that the client has gone
		<-r.Context().Done()
		return true
	}
	if err := operations["put"](t.Context(), b); !storage.Retryable(err) {
		t.Errorf("got %v, want one that may pass", err)
	}
}

// TestForeignKeys: what others put does not keep ours from being listed.
func TestForeignKeys(t *testing.T) {
	bucket, client, direct, _ := onAltered(t, nil)
	b, err := s3store.New(t.Context(), client, bucket, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b\x01\n", "b//c/", "c+d %2B", "e"} {
		if _, err := direct.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("x")}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for a, err := range storage.List(t.Context(), b, "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, a.Name)
	}
	if want := []string{"a", "c+d %2B", "e"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestNoncharacters: XML turns U+FFFE and U+FFFF into U+FFFD, another name.
func TestNoncharacters(t *testing.T) {
	b, server := recorded(t, nil)
	names := []string{"a\ufffd", "a\ufffe", "a\uffff"}
	for _, name := range names {
		if _, err := storage.Put(t.Context(), b, name, strings.NewReader(name), nil); err != nil {
			t.Fatal(err)
		}
	}
	server.forget()
	if err := storage.DeleteAll(t.Context(), b, append(names[1:], "b")); err != nil {
		t.Fatal(err)
	}
	if posts, deletes := len(server.seen("POST")), len(server.seen("DELETE")); posts != 1 || deletes != 2 {
		t.Errorf("%d batches and %d deletes, want 1 and 2", posts, deletes)
	}
	for name, want := range map[string]error{names[0]: nil, names[1]: fs.ErrNotExist, names[2]: fs.ErrNotExist} {
		if _, err := storage.Stat(t.Context(), b, name); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", name, err, want)
		}
	}
}

// TestDeleteAllFallsBack to single deletes where the server has no batches.
func TestDeleteAllFallsBack(t *testing.T) {
	b, server := recorded(t, func(w http.ResponseWriter, r *http.Request) bool {
		return r.Method == http.MethodPost && refuse(w, r, 501, "NotImplemented")
	})
	if err := storage.DeleteAll(t.Context(), b, []string{"a", "b"}); err != nil {
		t.Error(err)
	}
	if n := len(server.seen("DELETE")); n != 2 {
		t.Errorf("%d deletes, want 2", n)
	}
}

// TestDeleteAllGoesOn after a batch that failed, and names all of it.
func TestDeleteAllGoesOn(t *testing.T) {
	names := make([]string, 2500)
	for i := range names {
		names[i] = fmt.Sprintf("%04d", i)
	}
	n := 0
	b, _ := recorded(t, func(w http.ResponseWriter, r *http.Request) bool {
		n++
		return n == 2 && refuse(w, r, 403, "AccessDenied")
	})
	err := storage.DeleteAll(t.Context(), b, names)
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || n != 3 {
		t.Fatalf("%d batches, want 3; got %T", n, err)
	}
	var failed []string
	for _, err := range joined.Unwrap() {
		for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
			e, _ := errors.AsType[*storage.Error](err)
			failed = append(failed, e.Name)
		}
	}
	if !slices.Equal(failed, names[1000:2000]) {
		t.Errorf("%d objects failed, want those of the second batch", len(failed))
	}
}

// TestOddListings: what no server should say.
func TestOddListings(t *testing.T) {
	page := func(inner string) string {
		return `<ListBucketResult><EncodingType>url</EncodingType>` + inner + `</ListBucketResult>`
	}
	object := func(key string) string {
		return "<Contents><Key>" + key + "</Key><Size>1</Size><ETag>\"e\"</ETag></Contents>"
	}
	for name, tt := range map[string]struct{ answer, says string }{
		"no next page":   {page(object("a") + "<IsTruncated>true</IsTruncated>"), "no way to the next page"},
		"same page":      {page("<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"), "no way to the next page"},
		"bad encoding":   {page(object("a%zz")), "not encoded"},
		"not ours":       {page(object("b")), ""}, // dropped: it has not the prefix
		"not in order":   {page(object("ab") + object("aa")), "after"},
		"not a document": {"<ListBucketResult>", ""},
	} {
		b, _ := recorded(t, func(w http.ResponseWriter, r *http.Request) bool {
			io.WriteString(w, tt.answer)
			return true
		})
		err := operations["list"](t.Context(), b)
		if name == "not ours" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.says) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v, want one that says %q", name, err, tt.says)
		}
	}
}

// TestEncodedKeys: AWS encodes a space as '+'.
func TestEncodedKeys(t *testing.T) {
	b, _ := recorded(t, func(w http.ResponseWriter, r *http.Request) bool {
		io.WriteString(w, "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>a+b%2Bc%20%C3%A9/d</Key></Contents></ListBucketResult>")
		return true
	})
	for a, err := range storage.List(t.Context(), b, "a ") {
		if want := "a b+c é/d"; a.Name != want || err != nil {
			t.Errorf("got %q, %v, want %q", a.Name, err, want)
		}
		return
	}
	t.Error("nothing was listed")
}

// TestOddAnswers to Put and Get.
func TestOddAnswers(t *testing.T) {
	b, _ := recorded(t, func(w http.ResponseWriter, r *http.Request) bool { return r.Method == http.MethodPut })
	if err := operations["put"](t.Context(), b); err == nil || !storage.Retryable(err) {
		t.Errorf("no ETag: got %v", err)
	}
	b, _ = recorded(t, func(w http.ResponseWriter, r *http.Request) bool {
		io.WriteString(w, "con")
		w.(http.Flusher).Flush() // so that there is no length
		return true
	})
	if err := operations["get"](t.Context(), b); err == nil || !strings.Contains(err.Error(), "size of -1") {
		t.Errorf("no length: got %v", err)
	}
}

// TestBadChecksum: what came is not what was stored.
func TestBadChecksum(t *testing.T) {
	b, server := recorded(t, nil)
	if err := operations["put"](t.Context(), b); err != nil {
		t.Fatal(err)
	}
	server.do = func(w http.ResponseWriter, r *http.Request) bool {
		rec := httptest.NewRecorder()
		server.inner.ServeHTTP(rec, r)
		maps.Copy(w.Header(), rec.Header())
		w.Write([]byte("nev"))
		return true
	}
	if err := operations["get"](t.Context(), b); err == nil || !strings.Contains(err.Error(), "checksum") || !storage.Retryable(err) {
		t.Errorf("got %v, want an error about the checksum that may pass", err)
	}
}
