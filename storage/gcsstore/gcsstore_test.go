package gcsstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gcs "cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/gcsstore"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// recorder answers every request as the real service did when it was asked,
// for one object a, and notes what it was asked. The suite itself is run
// against a whole server in internal/gcstest.
type recorder struct {
	mu       sync.Mutex
	do       func(w http.ResponseWriter, r *http.Request) bool
	requests []*http.Request
	bodies   []string
	probes   map[string]bool
}

func (rec *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.requests = append(rec.requests, r)
	rec.bodies = append(rec.bodies, string(body))
	if rec.do != nil && rec.do(w, r) {
		return
	}
	rec.answer(w, r, string(body))
}

func (rec *recorder) answer(w http.ResponseWriter, r *http.Request, body string) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/upload/"):
		name := uploaded(r, body)["name"].(string)
		if rec.probes[name] && r.URL.Query().Get("ifGenerationMatch") == "0" {
			refuse(w, 412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
			return
		}
		rec.probes[name] = strings.Contains(name, ".gaen/")
		object(w, name, len(body))
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	case strings.HasSuffix(r.URL.Path, "/o"):
		io.WriteString(w, `{"kind":"storage#objects"}`)
	case strings.HasPrefix(r.URL.Path, "/b/") && !strings.HasSuffix(r.URL.Path, "/a"):
		refuse(w, 404, "notFound", "No such object: bucket/x")
	case strings.HasPrefix(r.URL.Path, "/b/"):
		object(w, "a", 7)
	default:
		w.Header().Set("X-Goog-Generation", "17")
		w.Header().Set("Content-Encoding", "gzip") // which it is not: whoever unpacks it shows
		w.Header().Set("Content-Length", "7")
		io.WriteString(w, "content")
	}
}

func object(w http.ResponseWriter, name string, size int) {
	fmt.Fprintf(w, `{"kind":"storage#object","name":%q,"bucket":"bucket","generation":"17","metageneration":"3","size":"%d","updated":%q}`,
		name, size, time.Now().UTC().Format(time.RFC3339Nano))
}

func refuse(w http.ResponseWriter, status int, reason, message string) bool {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":{"code":%d,"message":%q,"errors":[{"message":%q,"domain":"global","reason":%q}]}}`, status, message, message, reason)
	return true
}

// uploaded returns the metadata in the body of an upload.
func uploaded(r *http.Request, body string) (meta map[string]any) {
	_, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	part, err := multipart.NewReader(strings.NewReader(body), params["boundary"]).NextPart()
	if err == nil {
		json.NewDecoder(part).Decode(&meta)
	}
	return meta
}

// forget lets the recorder do something else from now on.
func (rec *recorder) forget(do func(http.ResponseWriter, *http.Request) bool) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.do, rec.requests, rec.bodies = do, nil, nil
}

// newClient returns a client of the recorder, and its transport.
func newClient(t *testing.T, rec *recorder, via http.RoundTripper, more ...option.ClientOption) *gcs.Client {
	t.Helper()
	s := httptest.NewServer(rec)
	t.Cleanup(s.Close)
	opts := append([]option.ClientOption{option.WithEndpoint(s.URL + "/"), option.WithHTTPClient(&http.Client{Transport: via})}, more...)
	client, err := gcs.NewClient(t.Context(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func recorded(t *testing.T, via http.RoundTripper) (*gcsstore.Bucket, *recorder) {
	t.Helper()
	rec := &recorder{probes: make(map[string]bool)}
	b, err := gcsstore.New(t.Context(), newClient(t, rec, via), "bucket", nil)
	if err != nil {
		t.Fatal(err)
	}
	rec.forget(nil)
	return b, rec
}

var operations = map[string]func(ctx context.Context, b storage.Bucket) error{
	"get": func(ctx context.Context, b storage.Bucket) error {
		_, _, err := storage.ReadAll(ctx, b, "a", 1<<20)
		return err
	},
	"stat": func(ctx context.Context, b storage.Bucket) error { _, err := storage.Stat(ctx, b, "a"); return err },
	"put": func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.Put(ctx, b, "a", strings.NewReader("new"), nil)
		return err
	},
	"create": func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.Put(ctx, b, "a", strings.NewReader("new"), &storage.PutOptions{IfAbsent: true})
		return err
	},
	"replace": func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.Replace(ctx, b, "a", "3-17", strings.NewReader("new"), nil)
		return err
	},
	"delete":     func(ctx context.Context, b storage.Bucket) error { return storage.Delete(ctx, b, "a") },
	"delete-all": func(ctx context.Context, b storage.Bucket) error { return storage.DeleteAll(ctx, b, []string{"a"}) },
	"list": func(ctx context.Context, b storage.Bucket) error {
		for _, err := range storage.List(ctx, b, "a") {
			if err != nil {
				return err
			}
		}
		return nil
	},
}

var kinds = []error{
	fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, fs.ErrInvalid, storage.ErrPrecondition, storage.ErrTooLarge,
	errors.ErrUnsupported, gcsstore.ErrNoBucket, gcsstore.ErrClock,
}

var errNone = errors.New("no error")

func checkKind(t *testing.T, what string, err, want error) {
	t.Helper()
	if want == errNone {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return
	}
	if err == nil || storage.Retryable(err) != (want == nil) {
		t.Errorf("%s: got %v, retryable: %v", what, err, storage.Retryable(err))
	}
	for _, kind := range kinds {
		if is := want != nil && errors.Is(want, kind); errors.Is(err, kind) != is {
			t.Errorf("%s: is %q: %v, want %v; %v", what, kind, !is, is, err)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		status          int
		reason, message string
		list            int // what a listing answers where an object is not found
		ops             map[string]error
		all             error
	}{
		{status: 404, reason: "notFound", message: "No such object", list: 200, ops: map[string]error{
			"get": fs.ErrNotExist, "stat": fs.ErrNotExist, "delete": errNone, "delete-all": errNone,
			"replace": storage.ErrPrecondition, "list": errNone,
		}},
		{status: 404, reason: "notFound", message: "The specified bucket does not exist.", list: 404, all: gcsstore.ErrNoBucket},
		{status: 404, list: 403, all: fs.ErrPermission},
		{status: 404, list: 500},
		{status: 401, reason: "authError", list: 401, all: fs.ErrPermission},
		{status: 403, reason: "forbidden", list: 403, all: fs.ErrPermission},
		{status: 403, reason: "userRateLimitExceeded", list: 403},
		{status: 400, reason: "invalid", list: 400, all: fs.ErrInvalid},
		{status: 400, reason: "invalid", message: "Cannot insert legacy ACL for an object when uniform bucket-level access is enabled.", list: 400, all: errors.ErrUnsupported},
		{status: 412, reason: "conditionNotMet", message: "Request violates constraint 'constraints/storage.publicAccessPrevention'", list: 412, all: errors.ErrUnsupported},
		{status: 412, reason: "conditionNotMet", list: 412, ops: map[string]error{"create": fs.ErrExist, "put": nil}, all: storage.ErrPrecondition},
		{status: 413, list: 413, all: storage.ErrTooLarge},
		{status: 408, list: 408}, {status: 409, list: 409}, {status: 429, reason: "rateLimitExceeded", list: 429},
		{status: 500, list: 500}, {status: 501, list: 501, all: errors.ErrUnsupported}, {status: 503, list: 503},
	} {
		b, rec := recorded(t, nil)
		rec.forget(func(w http.ResponseWriter, r *http.Request) bool {
			isList := r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/o")
			if isList && tt.list == 200 {
				return false
			}
			if isList {
				return refuse(w, tt.list, tt.reason, tt.message)
			}
			return refuse(w, tt.status, tt.reason, tt.message)
		})
		for op, do := range operations {
			want, ok := tt.ops[op]
			if !ok {
				want = tt.all
			}
			checkKind(t, fmt.Sprintf("%d %s, %s", tt.status, tt.reason, op), do(t.Context(), b), want)
		}
	}
}

// TestRequests are those of every Put, Create and Replace.
func TestRequests(t *testing.T) {
	b, rec := recorded(t, nil)
	full := &storage.PutOptions{
		ContentType: "application/zip", ContentEncoding: "gzip", CacheControl: "public,max-age=300",
		ACL: storage.PublicRead, Metadata: map[string]string{"cwa-hash": "12"},
	}
	for _, opts := range []*storage.PutOptions{nil, full, {IfAbsent: true}} {
		if _, err := storage.Put(t.Context(), b, "a", strings.NewReader("x"), opts); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := storage.Replace(t.Context(), b, "a", "3-17", strings.NewReader("x"), nil); err != nil {
		t.Fatal(err)
	}
	for i, want := range []map[string]string{
		{"ifGenerationMatch": "", "ifMetagenerationMatch": "", "predefinedAcl": ""},
		{"ifGenerationMatch": "", "ifMetagenerationMatch": "", "predefinedAcl": "publicRead"},
		{"ifGenerationMatch": "0", "ifMetagenerationMatch": "", "predefinedAcl": ""},
		{"ifGenerationMatch": "17", "ifMetagenerationMatch": "3", "predefinedAcl": ""},
	} {
		for k, v := range want {
			if got := rec.requests[i].URL.Query().Get(k); got != v {
				t.Errorf("request %d: %s: got %q, want %q", i+1, k, got, v)
			}
		}
		meta := uploaded(rec.requests[i], rec.bodies[i])
		if meta["crc32c"] == nil || i == 1 && (meta["contentType"] != "application/zip" || meta["contentEncoding"] != "gzip" ||
			meta["cacheControl"] != "public,max-age=300" || fmt.Sprint(meta["metadata"]) != "map[cwa-hash:12]") {
			t.Errorf("request %d: metadata %v", i+1, meta)
		}
		guessed := strings.Contains(rec.bodies[i], "text/plain")
		if _, typed := meta["contentType"]; (typed || guessed) && i != 1 {
			t.Errorf("request %d: a content type that nobody gave: %q", i+1, rec.bodies[i])
		}
	}
}

// TestOneAttempt: whoever calls repeats; nothing repeats behind its back.
func TestOneAttempt(t *testing.T) {
	for op, do := range operations {
		b, rec := recorded(t, nil)
		rec.forget(func(w http.ResponseWriter, _ *http.Request) bool { return refuse(w, 503, "backendError", "x") })
		if err := do(t.Context(), b); !storage.Retryable(err) || len(rec.requests) != 1 {
			t.Errorf("%s: got %v after %d requests, want one that may pass after 1", op, err, len(rec.requests))
		}
	}
}

func TestETags(t *testing.T) {
	b, rec := recorded(t, nil)
	for _, etag := range []string{"", "17", "17-", "-3", "+3-17", "03-17", "3-17-1", "0-0", "3-0", "0-17", "3-17 ", "1-99999999999999999999"} {
		_, err := storage.Replace(t.Context(), b, "a", etag, strings.NewReader("x"), nil)
		if !errors.Is(err, storage.ErrPrecondition) || len(rec.requests) > 0 {
			t.Errorf("%q: got %v after %d requests", etag, err, len(rec.requests))
		}
	}
	if a, err := storage.Stat(t.Context(), b, "a"); a.ETag != "3-17" || err != nil {
		t.Errorf("got %q, %v", a.ETag, err)
	}
}

// TestGetIsOfOneVersion: the content asked for is that of the attributes, as it
// is stored; where it has been replaced, Get begins anew, and ends.
func TestGetIsOfOneVersion(t *testing.T) {
	b, rec := recorded(t, nil)
	if err := operations["get"](t.Context(), b); err != nil {
		t.Fatal(err)
	}
	read := rec.requests[1]
	if read.URL.Query().Get("generation") != "17" {
		t.Errorf("the content was asked for by %s", read.URL)
	}
	rec.forget(func(w http.ResponseWriter, r *http.Request) bool {
		return !strings.HasPrefix(r.URL.Path, "/b/") && refuse(w, 404, "notFound", "No such object")
	})
	err := operations["get"](t.Context(), b)
	checkKind(t, "replaced again and again", err, nil)
}

func TestNewRefuses(t *testing.T) {
	at := func(n int, answer func(w http.ResponseWriter) bool) func(http.ResponseWriter, *http.Request) bool {
		i := 0
		return func(w http.ResponseWriter, _ *http.Request) bool { i++; return i == n && answer(w) }
	}
	denied := func(w http.ResponseWriter) bool { return refuse(w, 403, "forbidden", "x") }
	for _, tt := range []struct {
		name string
		do   func(http.ResponseWriter, *http.Request) bool
		opts *gcsstore.Options
		is   error
		says string
	}{
		{name: "no bucket", do: at(1, func(w http.ResponseWriter) bool { return refuse(w, 404, "notFound", "x") }), is: gcsstore.ErrNoBucket},
		{name: "may not list", do: at(1, denied), is: fs.ErrPermission, says: "storage.objects.list is needed"},
		{name: "may not get", do: at(2, denied), is: fs.ErrPermission, says: "storage.objects.get is needed"},
		{name: "may not create", do: at(4, denied), is: fs.ErrPermission, says: "storage.objects.create is needed"},
		{name: "may not delete", do: at(6, denied), is: fs.ErrPermission, says: "storage.objects.delete is needed"},
		{name: "is there", do: at(2, func(w http.ResponseWriter) bool { object(w, "x", 1); return true }), says: "nobody put"},
		{name: "no conditions", do: at(5, func(w http.ResponseWriter) bool { object(w, "x", 1); return true }), is: gcsstore.ErrNoConditions},
		{name: "clock", do: at(4, func(w http.ResponseWriter) bool {
			fmt.Fprintf(w, `{"name":"x","generation":"1","metageneration":"1","size":"0","updated":%q}`, time.Now().Add(-time.Hour).Format(time.RFC3339))
			return true
		}), is: gcsstore.ErrClock, says: "ahead of"},
		{name: "clock behind", do: at(4, func(w http.ResponseWriter) bool {
			fmt.Fprintf(w, `{"name":"x","generation":"1","metageneration":"1","size":"0","updated":%q}`, time.Now().Add(time.Hour).Format(time.RFC3339))
			return true
		}), is: gcsstore.ErrClock, says: "behind"},
		{name: "no ACLs", do: at(4, func(w http.ResponseWriter) bool {
			return refuse(w, 400, "invalid", "uniform bucket-level access is enabled")
		}), opts: &gcsstore.Options{PublicRead: true}, is: errors.ErrUnsupported, says: "Options.PublicRead"},
		{name: "parallel", opts: &gcsstore.Options{Parallel: -1}, says: "Options.Parallel"},
		{name: "buffer", opts: &gcsstore.Options{MaxBuffer: -1}, says: "Options.MaxBuffer"},
		{name: "public and read-only", opts: &gcsstore.Options{PublicRead: true, ReadOnly: true}, says: "Options.PublicRead"},
		{name: "prefix", opts: &gcsstore.Options{Prefix: "a"}, says: "Options.Prefix"},
		{name: "no name", opts: &gcsstore.Options{Prefix: "a//"}, is: storage.ErrInvalidName, says: "Options.Prefix"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec := &recorder{probes: make(map[string]bool), do: tt.do}
			b, err := gcsstore.New(t.Context(), newClient(t, rec, nil), "bucket", tt.opts)
			if b != nil || err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want one that is %v and says %q", err, tt.is, tt.says)
			}
			if errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v is fs.ErrNotExist", err)
			}
			put := slices.ContainsFunc(rec.requests, func(r *http.Request) bool { return r.Method == http.MethodPost })
			deleted := slices.ContainsFunc(rec.requests, func(r *http.Request) bool { return r.Method == http.MethodDelete })
			if put != deleted {
				t.Errorf("put: %v, deleted: %v", put, deleted)
			}
		})
	}
	if _, err := gcsstore.New(t.Context(), nil, "b", nil); err == nil {
		t.Error("no client: no error")
	}
}

// TestReadOnly: who may only read opens a bucket by reading, and is refused
// everything else before it is asked of the server.
func TestReadOnly(t *testing.T) {
	rec := &recorder{probes: make(map[string]bool), do: func(w http.ResponseWriter, r *http.Request) bool {
		return r.Method != http.MethodGet && refuse(w, 403, "forbidden", "x")
	}}
	b, err := gcsstore.New(t.Context(), newClient(t, rec, nil), "bucket", &gcsstore.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(rec.requests); n != 3 {
		t.Errorf("New made %d requests, want 3", n)
	}
	for op, do := range operations {
		rec.forget(rec.do)
		err := do(t.Context(), b)
		if strings.HasPrefix(op, "get") || strings.HasPrefix(op, "stat") || strings.HasPrefix(op, "list") {
			if err != nil {
				t.Errorf("%s: %v", op, err)
			}
			continue
		}
		if !errors.Is(err, gcsstore.ErrReadOnly) || !errors.Is(err, errors.ErrUnsupported) || storage.Retryable(err) {
			t.Errorf("%s: got %v, want ErrReadOnly", op, err)
		}
		if n := len(rec.requests); n > 0 {
			t.Errorf("%s: asked the server %d times", op, n)
		}
	}
	for what, do := range map[string]http.HandlerFunc{
		"no bucket":    func(w http.ResponseWriter, _ *http.Request) { refuse(w, 404, "notFound", "x") },
		"may not list": func(w http.ResponseWriter, _ *http.Request) { refuse(w, 403, "forbidden", "x") },
	} {
		rec := &recorder{probes: make(map[string]bool), do: func(w http.ResponseWriter, r *http.Request) bool { do(w, r); return true }}
		if _, err := gcsstore.New(t.Context(), newClient(t, rec, nil), "bucket", &gcsstore.Options{ReadOnly: true}); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

// TestProbeIsDeleted also when the context ends between the two creates.
func TestProbeIsDeleted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	hook := storagetest.Only(func(_ context.Context, c storagetest.Call) storagetest.Verdict {
		if c.N == 2 {
			cancel()
		}
		return storagetest.Pass
	}, http.MethodPost)
	rec := &recorder{probes: make(map[string]bool)}
	if _, err := gcsstore.New(ctx, newClient(t, rec, storagetest.Transport(nil, hook)), "bucket", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if !slices.ContainsFunc(rec.requests, func(r *http.Request) bool { return r.Method == http.MethodDelete }) {
		t.Error("the probe was not deleted")
	}
}

// TestFaults at every request: what fails may pass.
func TestFaults(t *testing.T) {
	for _, verdict := range []storagetest.Verdict{storagetest.Fail, storagetest.FailAfter, storagetest.Half, 500, 503, 429} {
		for op, do := range operations {
			for n := 1; ; n++ {
				calls := 0
				armed := false
				transport := storagetest.Transport(nil, func(context.Context, storagetest.Call) storagetest.Verdict {
					if !armed {
						return storagetest.Pass
					}
					if calls++; calls == n {
						return verdict
					}
					return storagetest.Pass
				})
				b, _ := recorded(t, transport)
				armed = true
				err := do(t.Context(), b)
				if calls < n {
					if err != nil {
						t.Errorf("%s: without a fault: %v", op, err)
					}
					break
				}
				// The answer to a DELETE has no body to break, and where that of a
				// Get breaks the client asks for the rest of the same generation.
				whole := verdict == storagetest.Half && (strings.HasPrefix(op, "delete") || op == "get" && n == 2)
				if whole && err != nil || !whole && !storage.Retryable(err) {
					t.Errorf("%s: verdict %d at %d: got %v", op, verdict, n, err)
				}
			}
		}
	}
}

// TestNoCredentials: a file that is not there is not an object that is not
// there.
func TestNoCredentials(t *testing.T) {
	rec := &recorder{probes: make(map[string]bool)}
	via := &tokens{path: filepath.Join(t.TempDir(), "token")}
	b, err := gcsstore.New(t.Context(), newClient(t, rec, via), "bucket", nil)
	if err != nil {
		t.Fatal(err)
	}
	via.broken = true
	for op, do := range operations {
		checkKind(t, op, do(t.Context(), b), nil)
	}
}

// tokens is a transport that, when it is broken, needs a file that is not there.
type tokens struct {
	path   string
	broken bool
}

func (s *tokens) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.broken {
		if _, err := os.ReadFile(s.path); err != nil {
			return nil, err
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// failing is a reader that fails half way.
type failing struct {
	*strings.Reader
}

var errRead = errors.New("the disk is broken")

func (f failing) Read(p []byte) (int, error) {
	if f.Len() < 5 {
		return 0, errRead
	}
	return f.Reader.Read(p[:min(len(p), 5)])
}

// TestReaders: one that fails or is too large fails before there is a request.
func TestReaders(t *testing.T) {
	rec := &recorder{probes: make(map[string]bool)}
	b, err := gcsstore.New(t.Context(), newClient(t, rec, nil), "bucket", &gcsstore.Options{MaxBuffer: 10})
	if err != nil {
		t.Fatal(err)
	}
	rec.forget(nil)
	middle := strings.NewReader("head content")
	io.CopyN(io.Discard, middle, 5)
	for _, tt := range []struct {
		name string
		r    io.Reader
		is   error
		sent string
	}{
		{"seeks and fails", failing{strings.NewReader("123456789012")}, errRead, ""},
		{"fails", io.MultiReader(failing{strings.NewReader("123456789")}), errRead, ""},
		{"too large", io.MultiReader(strings.NewReader("12345678901")), storage.ErrTooLarge, ""},
		{"fits", io.MultiReader(strings.NewReader("1234567890")), nil, "1234567890"},
		{"larger and seeks", strings.NewReader("12345678901"), nil, "12345678901"},
		{"from where it stands", middle, nil, "content"},
	} {
		rec.forget(nil)
		_, err := storage.Put(t.Context(), b, "a", tt.r, nil)
		if !errors.Is(err, tt.is) || (len(rec.requests) > 0) != (tt.sent != "") {
			t.Errorf("%s: got %v after %d requests", tt.name, err, len(rec.requests))
		}
		if tt.sent != "" && !strings.Contains(rec.bodies[0], "\r\n\r\n"+tt.sent+"\r\n") {
			t.Errorf("%s: sent %q", tt.name, rec.bodies[0])
		}
	}
}
