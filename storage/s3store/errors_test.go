package s3store_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/s3store"
)

// operations are all there are, each on the object a.
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
		_, err := storage.Replace(ctx, b, "a", "some-etag", strings.NewReader("new"), nil)
		return err
	},
	"delete": func(ctx context.Context, b storage.Bucket) error { return storage.Delete(ctx, b, "a") },
	"delete-all": func(ctx context.Context, b storage.Bucket) error {
		return storage.DeleteAll(ctx, b, []string{"a", "b"})
	},
	"list": func(ctx context.Context, b storage.Bucket) error {
		for _, err := range storage.List(ctx, b, "a") {
			if err != nil {
				return err
			}
		}
		return nil
	},
}

// answering returns a bucket whose server, once it is set up, gives one answer
// to everything, and to HEAD of the bucket the status head.
func answering(t *testing.T, status int, code string, head int) *s3store.Bucket {
	t.Helper()
	bucket, client, _, server := onAltered(t, nil)
	b, err := s3store.New(t.Context(), client, bucket, nil)
	if err != nil {
		t.Fatal(err)
	}
	server.do = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead && strings.Trim(r.URL.Path, "/") == bucket {
			w.WriteHeader(head)
			return true
		}
		if code != "" {
			return refuse(w, r, status, code)
		}
		w.WriteHeader(status)
		return true
	}
	return b
}

// kinds are all the errors that storage knows by name.
var kinds = []error{
	fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, fs.ErrInvalid, storage.ErrPrecondition, storage.ErrTooLarge,
	errors.ErrUnsupported, s3store.ErrNoBucket, s3store.ErrRegion, s3store.ErrClock, s3store.ErrFull,
}

// TestErrors: what the server says is what storage is told, and nothing else.
// An operation that is not in ops gives the error of "".
func TestErrors(t *testing.T) {
	t.Parallel()
	missing := map[string]error{
		"get": fs.ErrNotExist, "stat": fs.ErrNotExist, "delete": errNone, "delete-all": nil, "replace": storage.ErrPrecondition,
	}
	for _, tt := range []struct {
		status int
		code   string
		head   int
		ops    map[string]error // nil: may pass; errNone: no error
		all    error
	}{
		{status: 404, code: "NoSuchKey", head: 200, ops: missing},
		{status: 404, head: 200, ops: missing},
		{status: 404, head: 404, all: s3store.ErrNoBucket},
		{status: 404, head: 403, all: fs.ErrPermission},
		{status: 404, head: 500, all: nil},
		{status: 404, code: "NoSuchBucket", head: 404, all: s3store.ErrNoBucket},
		{status: 403, code: "AccessDenied", all: fs.ErrPermission},
		{status: 403, code: "SignatureDoesNotMatch", all: fs.ErrPermission},
		{status: 401, all: fs.ErrPermission},
		{status: 400, code: "ExpiredToken", ops: map[string]error{"stat": fs.ErrInvalid}, all: fs.ErrPermission},
		{status: 403, code: "RequestTimeTooSkewed", ops: map[string]error{"stat": fs.ErrPermission}, all: s3store.ErrClock},
		{status: 301, code: "PermanentRedirect", all: s3store.ErrRegion},
		{status: 400, code: "InvalidRequest", all: fs.ErrInvalid},
		{status: 400, code: "RequestTimeout", ops: map[string]error{"stat": fs.ErrInvalid}, all: nil},
		{status: 400, code: "BadDigest", ops: map[string]error{"stat": fs.ErrInvalid}, all: nil},
		{status: 400, code: "KeyTooLongError", ops: map[string]error{"stat": fs.ErrInvalid}, all: storage.ErrInvalidName},
		{status: 400, code: "EntityTooLarge", ops: map[string]error{"stat": fs.ErrInvalid}, all: storage.ErrTooLarge},
		{status: 409, code: "ObjectParentIsFile", ops: map[string]error{"stat": nil}, all: errors.ErrUnsupported},
		{status: 409, code: "OperationAborted", all: nil},
		{status: 412, code: "PreconditionFailed", ops: map[string]error{
			"put": nil, "create": fs.ErrExist,
		}, all: storage.ErrPrecondition},
		{status: 429, code: "TooManyRequests", all: nil},
		{status: 500, code: "InternalError", all: nil},
		{status: 501, code: "NotImplemented", all: errors.ErrUnsupported},
		{status: 503, code: "SlowDown", all: nil},
		{status: 507, code: "InsufficientStorage", all: s3store.ErrFull},
		{status: 507, all: s3store.ErrFull},
		{status: 507, code: "XMinioStorageFull", all: s3store.ErrFull},
		{status: 403, code: "QuotaExceeded", ops: map[string]error{"stat": fs.ErrPermission}, all: s3store.ErrFull},
		{status: 503, all: nil},
	} {
		for op, do := range operations {
			want, ok := tt.ops[op]
			if !ok {
				want = tt.all
			}
			err := do(t.Context(), answering(t, tt.status, tt.code, tt.head))
			checkKind(t, op, tt.status, tt.code, err, want)
		}
	}
}

var errNone = errors.New("no error")

func checkKind(t *testing.T, op string, status int, code string, err, want error) {
	t.Helper()
	if want == errNone {
		if err != nil {
			t.Errorf("%s: %d %s: %v", op, status, code, err)
		}
		return
	}
	if _, ok := errors.AsType[*storage.Error](err); !ok {
		t.Errorf("%s: %d %s: got %v, want a *storage.Error", op, status, code, err)
	}
	if mayPass := want == nil || want == s3store.ErrFull; storage.Retryable(err) != mayPass {
		t.Errorf("%s: %d %s: retryable: %v; %v", op, status, code, storage.Retryable(err), err)
	}
	for _, kind := range kinds {
		is := want != nil && errors.Is(want, kind)
		if errors.Is(err, kind) != is {
			t.Errorf("%s: %d %s: is %q: %v, want %v; %v", op, status, code, kind, !is, is, err)
		}
	}
}

// TestRefusalInBatch: what S3 says of one object of many.
func TestRefusalInBatch(t *testing.T) {
	for code, want := range map[string]error{
		"AccessDenied": fs.ErrPermission, "InternalError": nil, "SlowDown": nil, "NoSuchKey": errNone, "Odd": nil,
	} {
		bucket, client, _, server := onAltered(t, nil)
		b, err := s3store.New(t.Context(), client, bucket, &s3store.Options{Prefix: "p/"})
		if err != nil {
			t.Fatal(err)
		}
		server.do = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost {
				w.Write([]byte("<DeleteResult><Error><Key>p/b</Key><Code>" + code + "</Code><Message>m</Message></Error></DeleteResult>"))
			}
			return r.Method == http.MethodPost
		}
		err = storage.DeleteAll(t.Context(), b, []string{"a", "b", "c"})
		checkKind(t, "delete-all", 200, code, err, want)
		if e, ok := errors.AsType[*storage.Error](err); want != errNone && (!ok || e.Name != "b" || e.Op != "delete") {
			t.Errorf("%s: got %v, want one that names b", code, err)
		}
	}
}

// TestNoCredentials: a file that is not there is not an object that is not
// there.
func TestNoCredentials(t *testing.T) {
	bucket, _, direct, _ := onAltered(t, nil)
	broken := false
	client := s3.New(direct.Options(), func(o *s3.Options) {
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			if broken {
				_, err := os.ReadFile(filepath.Join(t.TempDir(), "token"))
				return aws.Credentials{}, err
			}
			return aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, nil
		})
	})
	b, err := s3store.New(t.Context(), client, bucket, nil)
	if err != nil {
		t.Fatal(err)
	}
	broken = true
	for op, do := range operations {
		if err := do(t.Context(), b); err == nil || errors.Is(err, fs.ErrNotExist) || !storage.Retryable(err) {
			t.Errorf("%s: got %v, want one that may pass", op, err)
		}
	}
}
