package s3store_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"

	"github.com/gaenkit/gaen/internal/s3test"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/s3store"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// middleware changes what a server does. It returns true where it has answered
// itself.
type middleware func(w http.ResponseWriter, r *http.Request) bool

// altered is a gofakes3 with a middleware, and the requests it got.
type altered struct {
	inner http.Handler
	do    middleware

	mu       sync.Mutex
	requests []*http.Request
}

func (a *altered) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.requests = append(a.requests, r.Clone(context.Background()))
	a.mu.Unlock()
	if a.do == nil || !a.do(w, r) {
		a.inner.ServeHTTP(w, r)
	}
}

// seen returns the requests so far with this method, or all if it is empty.
func (a *altered) seen(method string) (requests []*http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.requests {
		if method == "" || r.Method == method {
			requests = append(requests, r)
		}
	}
	return requests
}

func (a *altered) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests = nil
}

// onAltered returns a bucket on a gofakes3 of its own, a client of it with the
// middleware in between, and one without.
func onAltered(tb testing.TB, do middleware) (bucket string, client, direct *s3.Client, server *altered) {
	tb.Helper()
	// Without signatures, because a middleware may change what is signed.
	inner := gofakes3.New(s3test.NewBackend()).Server()
	direct = newClient(served(tb, inner))
	bucket = newBucket(tb, direct)
	server = &altered{inner: inner, do: do}
	return bucket, newClient(served(tb, server)), direct, server
}

// refuse answers with an error of S3.
func refuse(w http.ResponseWriter, r *http.Request, status int, code string) bool {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write([]byte("<Error><Code>" + code + "</Code><Message>refused</Message></Error>"))
	}
	return true
}

// everything returns the keys of a bucket, those that are no names too.
func everything(t *testing.T, client *s3.Client, bucket string) (keys []string) {
	t.Helper()
	out, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range out.Contents {
		keys = append(keys, *o.Key)
	}
	return keys
}

// TestNewRefuses: what a bucket needs and has not is one clear error.
func TestNewRefuses(t *testing.T) {
	denied := func(method string) middleware {
		return func(w http.ResponseWriter, r *http.Request) bool {
			isProbe := strings.Contains(r.URL.Path, ".gaen/probe/")
			return r.Method == method && (isProbe || method == "GET") && refuse(w, r, 403, "AccessDenied")
		}
	}
	for _, tt := range []struct {
		name   string
		do     middleware
		opts   *s3store.Options
		is     error
		says   string
		writes bool // whether the probe was put
	}{
		{name: "no such bucket", do: func(w http.ResponseWriter, r *http.Request) bool {
			return refuse(w, r, 404, "NoSuchBucket")
		}, is: s3store.ErrNoBucket, says: "the bucket does not exist"},
		{name: "may not list", do: denied("GET"), is: fs.ErrPermission, says: "s3:ListBucket is needed"},
		{name: "may not get", do: func(w http.ResponseWriter, r *http.Request) bool {
			return r.Method == "GET" && strings.Contains(r.URL.Path, "probe") && refuse(w, r, 403, "AccessDenied")
		}, is: fs.ErrPermission, says: "s3:GetObject is needed"},
		{name: "may not put", do: denied("PUT"), is: fs.ErrPermission, says: "s3:PutObject is needed", writes: true},
		{name: "may not put publicly", do: denied("PUT"), opts: &s3store.Options{PublicRead: true}, is: fs.ErrPermission,
			says: "s3:PutObject and s3:PutObjectAcl is needed", writes: true},
		{name: "may not delete", do: denied("DELETE"), is: fs.ErrPermission, says: "s3:DeleteObject is needed", writes: true},
		{name: "another region", do: func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("X-Amz-Bucket-Region", "eu-central-1")
			return refuse(w, r, 301, "PermanentRedirect")
		}, is: s3store.ErrRegion, says: `("eu-central-1", the client's is "us-east-1")`},
		{name: "another region, signed wrongly", do: func(w http.ResponseWriter, r *http.Request) bool {
			return refuse(w, r, 400, "AuthorizationHeaderMalformed")
		}, is: s3store.ErrRegion, says: `(the client's is "us-east-1")`},
		{name: "another region, without words", do: func(w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(301)
			return true
		}, is: s3store.ErrRegion},
		{name: "clock refused", do: func(w http.ResponseWriter, r *http.Request) bool {
			return refuse(w, r, 403, "RequestTimeTooSkewed")
		}, is: s3store.ErrClock, says: "the clock is wrong"},
		{name: "clock behind", do: date(6 * time.Minute), is: s3store.ErrClock, says: "behind the server's"},
		{name: "clock ahead", do: date(-6 * time.Minute), is: s3store.ErrClock, says: "ahead of the server's"},
		{name: "conditions ignored", do: func(w http.ResponseWriter, r *http.Request) bool {
			r.Header.Del("If-None-Match")
			return false
		}, is: s3store.ErrNoConditions, says: "has no conditional create", writes: true},
		{name: "conditions refused", do: func(w http.ResponseWriter, r *http.Request) bool {
			return r.Header.Get("If-None-Match") != "" && refuse(w, r, 501, "NotImplemented")
		}, is: s3store.ErrNoConditions, says: "it refused one", writes: true},
		{name: "no ACLs", do: func(w http.ResponseWriter, r *http.Request) bool {
			return r.Header.Get("X-Amz-Acl") != "" && refuse(w, r, 400, "AccessControlListNotSupported")
		}, opts: &s3store.Options{PublicRead: true}, is: errors.ErrUnsupported, says: "Options.PublicRead", writes: true},
		{name: "a server that has everything", do: func(w http.ResponseWriter, r *http.Request) bool {
			return r.Method == "GET" && strings.Contains(r.URL.Path, "probe")
		}, says: "that nobody put"},
		{name: "a moment's failure", do: func(w http.ResponseWriter, r *http.Request) bool {
			return refuse(w, r, 503, "SlowDown")
		}, says: "SlowDown"},
		{name: "MaxBuffer", opts: &s3store.Options{MaxBuffer: -1}, says: "Options.MaxBuffer"},
		{name: "public and read-only", opts: &s3store.Options{PublicRead: true, ReadOnly: true}, says: "Options.PublicRead"},
		{name: "prefix without end", opts: &s3store.Options{Prefix: "a"}, says: "Options.Prefix"},
		{name: "prefix that is no name", opts: &s3store.Options{Prefix: "../"}, is: storage.ErrInvalidName, says: "Options.Prefix"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bucket, client, direct, server := onAltered(t, tt.do)
			b, err := s3store.New(t.Context(), client, bucket, tt.opts)
			if b != nil || err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want one that is %v and says %q", err, tt.is, tt.says)
			}
			if errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v is fs.ErrNotExist", err)
			}
			if wrote := len(server.seen("PUT")) > 0; wrote != tt.writes {
				t.Errorf("wrote: %v, want %v", wrote, tt.writes)
			}
			if left := everything(t, direct, bucket); len(left) > 0 && tt.name != "may not delete" {
				t.Errorf("left %q", left)
			}
		})
	}
}

// date has the server's clock be ahead by d.
func date(d time.Duration) middleware {
	return func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Date", time.Now().Add(d).UTC().Format(http.TimeFormat))
		return false
	}
}

func TestNewNeedsParameters(t *testing.T) {
	if _, err := s3store.New(t.Context(), nil, "b", nil); err == nil || !strings.Contains(err.Error(), "client") {
		t.Errorf("without a client: %v", err)
	}
	if _, err := s3store.New(t.Context(), onFake(t), "", nil); err == nil || !strings.Contains(err.Error(), "bucket") {
		t.Errorf("without a bucket: %v", err)
	}
}

// TestNewToleratesClocks that are less than five minutes apart, and servers
// that do not tell.
func TestNewToleratesClocks(t *testing.T) {
	for name, do := range map[string]middleware{
		"4 minutes behind": date(4 * time.Minute), "4 minutes ahead": date(-4 * time.Minute),
		"no date": func(w http.ResponseWriter, _ *http.Request) bool { w.Header()["Date"] = nil; return false },
	} {
		bucket, client, _, _ := onAltered(t, do)
		if _, err := s3store.New(t.Context(), client, bucket, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRealSkew: gofakes3 refuses a clock that is off by 15 minutes, as AWS does.
func TestRealSkew(t *testing.T) {
	ahead := gofakes3.WithTimeSource(gofakes3.FixedTimeSource(time.Now().Add(20 * time.Minute)))
	s := httptest.NewServer(gofakes3.New(s3mem.New(), ahead, gofakes3.WithAutoBucket(true)).Server())
	defer s.Close()
	_, err := s3store.New(t.Context(), newClient(s.URL, nil), "bucket", nil)
	if !errors.Is(err, s3store.ErrClock) || storage.Retryable(err) {
		t.Errorf("got %v, want ErrClock", err)
	}
}

func TestWrongSecret(t *testing.T) {
	s := httptest.NewServer(gofakes3.New(s3mem.New(), gofakes3.WithV4Auth(map[string]string{keyID: "another"})).Server())
	defer s.Close()
	_, err := s3store.New(t.Context(), newClient(s.URL, nil), "bucket", nil)
	if !errors.Is(err, fs.ErrPermission) || strings.Contains(err.Error(), secret) {
		t.Errorf("got %v, want fs.ErrPermission", err)
	}
}

// TestNewLeavesNothing behind, and takes away what others left that died, but
// not the probe of one that is at work.
func TestNewLeavesNothing(t *testing.T) {
	bucket, client, direct, server := onAltered(t, nil)
	put := func(key string) {
		in := &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("x")}
		if _, err := direct.PutObject(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"a", ".gaen/probe/left", ".gaen/other", ".gaen/probe"} {
		put(key)
	}
	if _, err := s3store.New(t.Context(), client, bucket, nil); err != nil {
		t.Fatal(err)
	}
	want := []string{".gaen/other", ".gaen/probe", ".gaen/probe/left", "a"}
	if got := everything(t, direct, bucket); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := len(server.seen("")); n != 6 {
		t.Errorf("New made %d requests, want 6", n)
	}
	// Two hours later, by the server's clock.
	server.do = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != "GET" || !r.URL.Query().Has("list-type") {
			return false
		}
		rec := httptest.NewRecorder()
		server.inner.ServeHTTP(rec, r)
		year := time.Now().UTC().Format("2006")
		w.Write([]byte(strings.ReplaceAll(rec.Body.String(), "<LastModified>"+year, "<LastModified>2020")))
		return true
	}
	if _, err := s3store.New(t.Context(), client, bucket, nil); err != nil {
		t.Fatal(err)
	}
	want = []string{".gaen/other", ".gaen/probe", "a"}
	if got := everything(t, direct, bucket); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestNewStaysBelowPrefix: permissions may end there.
func TestNewStaysBelowPrefix(t *testing.T) {
	bucket, client, _, server := onAltered(t, nil)
	b, err := s3store.New(t.Context(), client, bucket, &s3store.Options{Prefix: "DE/keys/"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := storage.Put(t.Context(), b, "a", strings.NewReader("x"), nil); err != nil {
		t.Fatal(err)
	}
	for _, r := range server.seen("") {
		below := strings.HasPrefix(r.URL.Path, "/"+bucket+"/DE/keys/") || strings.HasPrefix(r.URL.Query().Get("prefix"), "DE/keys/")
		if !below {
			t.Errorf("%s %s is not below the prefix", r.Method, r.URL)
		}
	}
}

// TestProbeIsDeleted also when its context ends after the first create, or the
// answer to it is lost.
func TestProbeIsDeleted(t *testing.T) {
	for _, v := range []storagetest.Verdict{storagetest.Pass, storagetest.FailAfter} {
		bucket, _, direct, _ := onAltered(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		hook := storagetest.Only(func(_ context.Context, c storagetest.Call) storagetest.Verdict {
			if v == storagetest.Pass && c.N == 2 {
				cancel()
			}
			if c.N == 1 {
				return v
			}
			return storagetest.Pass
		}, http.MethodPut)
		client := newClient(*direct.Options().BaseEndpoint, storagetest.Transport(nil, hook))
		if _, err := s3store.New(ctx, client, bucket, nil); err == nil {
			t.Error("New succeeded")
		}
		cancel()
		if left := everything(t, direct, bucket); len(left) > 0 {
			t.Errorf("verdict %d: left %q", v, left)
		}
	}
}

// TestReplaceIsProbed: a server that ignores If-Match has no Replace, and New
// says so by not offering it.
func TestReplaceIsProbed(t *testing.T) {
	for name, do := range map[string]middleware{
		"ignored": func(_ http.ResponseWriter, r *http.Request) bool { r.Header.Del("If-Match"); return false },
		"refused": func(w http.ResponseWriter, r *http.Request) bool {
			return r.Header.Get("If-Match") != "" && refuse(w, r, 501, "NotImplemented")
		},
		"not understood": func(w http.ResponseWriter, r *http.Request) bool {
			return r.Header.Get("If-Match") != "" && refuse(w, r, 400, "InvalidArgument")
		},
	} {
		bucket, client, direct, _ := onAltered(t, do)
		b, err := s3store.New(t.Context(), client, bucket, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if can, err := storage.CanReplace(t.Context(), b, "a"); can || err != nil {
			t.Errorf("%s: CanReplace: got %v, %v", name, can, err)
		}
		if left := everything(t, direct, bucket); len(left) > 0 {
			t.Errorf("%s: left %q", name, left)
		}
	}
	bucket, client, _, _ := onAltered(t, func(w http.ResponseWriter, r *http.Request) bool {
		return r.Header.Get("If-Match") != "" && refuse(w, r, 503, "SlowDown")
	})
	if _, err := s3store.New(t.Context(), client, bucket, nil); err == nil {
		t.Error("New succeeded without having found out")
	}
}

// TestReadOnly: who may only read opens a bucket by reading, and is refused
// everything else before it is asked of the server.
func TestReadOnly(t *testing.T) {
	bucket, client, direct, server := onAltered(t, func(w http.ResponseWriter, r *http.Request) bool {
		return r.Method != "GET" && r.Method != "HEAD" && refuse(w, r, 403, "AccessDenied")
	})
	writer, err := s3store.New(t.Context(), direct, bucket, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := storage.Put(t.Context(), writer, "a", strings.NewReader("x"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s3store.New(t.Context(), client, bucket, nil); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("for writing: %v, want fs.ErrPermission", err)
	}
	server.forget()
	b, err := s3store.New(t.Context(), client, bucket, &s3store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(server.seen("")); n != 2 {
		t.Errorf("New made %d requests, want 2", n)
	}
	content, a, err := storage.ReadAll(t.Context(), b, "a", 10)
	if err != nil || string(content) != "x" {
		t.Errorf("read %q, %v", content, err)
	}
	if listed := names(t, b); !slices.Equal(listed, []string{"a"}) {
		t.Errorf("listed %q", listed)
	}
	server.forget()
	for what, err := range changes(t.Context(), b, a.ETag) {
		if !errors.Is(err, s3store.ErrReadOnly) || !errors.Is(err, errors.ErrUnsupported) || storage.Retryable(err) {
			t.Errorf("%s: got %v, want ErrReadOnly", what, err)
		}
	}
	if can, err := storage.CanReplace(t.Context(), b, "a"); can || err != nil {
		t.Errorf("CanReplace: got %v, %v", can, err)
	}
	if requests := server.seen(""); len(requests) > 0 {
		t.Errorf("asked the server for %d changes", len(requests))
	}
}

// changes tries everything that changes a bucket.
func changes(ctx context.Context, b storage.Bucket, etag string) map[string]error {
	_, put := storage.Put(ctx, b, "b", strings.NewReader("x"), nil)
	_, create := storage.Put(ctx, b, "c", strings.NewReader("x"), &storage.PutOptions{IfAbsent: true})
	_, replace := storage.Replace(ctx, b, "a", etag, strings.NewReader("x"), nil)
	return map[string]error{
		"put": put, "create": create, "replace": replace,
		"delete": storage.Delete(ctx, b, "a"), "delete all": storage.DeleteAll(ctx, b, []string{"a", "b"}),
	}
}

func names(t *testing.T, b storage.Bucket) (names []string) {
	t.Helper()
	for a, err := range storage.List(t.Context(), b, "") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, a.Name)
	}
	return names
}

// TestReadOnlyRefuses: what can be found out by reading still is.
func TestReadOnlyRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   middleware
		is   error
	}{
		{"no such bucket", func(w http.ResponseWriter, r *http.Request) bool { return refuse(w, r, 404, "NoSuchBucket") }, s3store.ErrNoBucket},
		{"another region", func(w http.ResponseWriter, r *http.Request) bool { return refuse(w, r, 301, "PermanentRedirect") }, s3store.ErrRegion},
		{"clock", date(6 * time.Minute), s3store.ErrClock},
		{"may not get", func(w http.ResponseWriter, r *http.Request) bool {
			return strings.Contains(r.URL.Path, "probe") && refuse(w, r, 403, "AccessDenied")
		}, fs.ErrPermission},
	} {
		bucket, client, _, server := onAltered(t, tt.do)
		if _, err := s3store.New(t.Context(), client, bucket, &s3store.Options{ReadOnly: true}); !errors.Is(err, tt.is) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.is)
		}
		if len(server.seen("PUT"))+len(server.seen("DELETE")) > 0 {
			t.Errorf("%s: something was written", tt.name)
		}
	}
}

// TestReadOnlyLeavesLeftovers to those who write.
func TestReadOnlyLeavesLeftovers(t *testing.T) {
	bucket, client, _, server := onAltered(t, date(0))
	server.do = func(w http.ResponseWriter, r *http.Request) bool {
		if !r.URL.Query().Has("list-type") {
			return false
		}
		w.Write([]byte(`<ListBucketResult><Contents><Key>.gaen/probe/left</Key><LastModified>2020-01-01T00:00:00Z</LastModified></Contents></ListBucketResult>`))
		return true
	}
	if _, err := s3store.New(t.Context(), client, bucket, &s3store.Options{ReadOnly: true}); err != nil {
		t.Fatal(err)
	}
	if n := len(server.seen("DELETE")); n > 0 {
		t.Errorf("%d objects deleted", n)
	}
}
