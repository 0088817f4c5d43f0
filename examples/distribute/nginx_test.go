package main

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/internal/nginxtest"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/memstore"
)

// TestNginx serves a published folder with the documented configuration, fetches
// it as a phone does, and verifies what arrived.
func TestNginx(t *testing.T) {
	dir := published(t)
	base := serve(t, filepath.Join(dir, "www"))
	fetched := &fetcher{t: t, base: base, index: "/index", bucket: memstore.New(nil)}

	config := deploy.Default()
	layout, err := config.Layout()
	if err != nil {
		t.Fatal(err)
	}
	files, indexes, err := layout.Follow(fetched.readIndex)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		fetched.archive(layout.Object(f))
	}
	if len(indexes) < 8 || len(files) < 90 {
		t.Fatalf("fetched %d indexes and %d archives, want two days of two packages", len(indexes), len(files))
	}
	report, err := distribution.Verify(t.Context(), fetched.bucket, layout, trusted(t, dir), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		t.Errorf("verify: %s", f)
	}
	if report.Archives != len(files) || report.Keys == 0 {
		t.Errorf("verified %d archives with %d keys, want %d with some", report.Archives, report.Keys, len(files))
	}
	fetched.revalidated("version")
	fetched.absent("version/v1/diagnosis-keys/country/DE/date/2026-03-10/hour/23")
	fetched.absent(".gaen/lock")
	fetched.absent("../ledger.db")
}

// published runs the program and returns the directory of the run.
func published(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	distribute(t, exitDone, "-dir", dir, "-generate=40", "-days", "2", "-now", "2026-03-10T09:00:00Z")
	return dir
}

func trusted(t *testing.T, dir string) *signing.TrustList {
	t.Helper()
	trust, err := deploy.ReadTrust(filepath.Join(dir, "keys", "public.txt"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := trust.List()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// serve starts nginx on a folder and returns its address.
func serve(t *testing.T, www string) string {
	t.Helper()
	address := nginxtest.FreeAddress(t)
	nginxtest.Start(t, "nginx.conf", []string{address}, [2]string{"/srv/gaen-demo/www", www}, [2]string{"listen 8080", "listen " + address})
	return "http://" + address
}

// fetcher fetches a tree over HTTP into a bucket. An object's address is its name
// without that of the index file.
type fetcher struct {
	t      *testing.T
	base   string
	index  string
	bucket storage.Bucket
}

// readIndex fetches an index, as [distribution.Layout.Follow] reads them.
func (f *fetcher) readIndex(name string) ([]byte, error) {
	r, content := f.get(name)
	if r.StatusCode == http.StatusNotFound {
		return nil, fs.ErrNotExist
	}
	f.check(r, name, "application/json")
	f.keep(name, content)
	return content, nil
}

func (f *fetcher) archive(name string) {
	r, content := f.get(name)
	f.check(r, name, "application/zip")
	f.keep(name, content)
}

func (f *fetcher) get(name string) (*http.Response, []byte) {
	f.t.Helper()
	r, err := http.Get(f.base + "/" + strings.TrimSuffix(name, f.index))
	if err != nil {
		f.t.Fatal(err)
	}
	defer r.Body.Close()
	content, err := io.ReadAll(r.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return r, content
}

func (f *fetcher) check(r *http.Response, name, contentType string) {
	f.t.Helper()
	if r.StatusCode != http.StatusOK {
		f.t.Fatalf("%s: status %s", name, r.Status)
	}
	if got := r.Header.Get("Content-Type"); got != contentType {
		f.t.Errorf("%s: Content-Type %q, want %q", name, got, contentType)
	}
	if got, want := r.Header.Get("Cache-Control"), "public,max-age=300"; got != want {
		f.t.Errorf("%s: Cache-Control %q, want %q", name, got, want)
	}
	if r.Header.Get("ETag") == "" {
		f.t.Errorf("%s: no ETag", name)
	}
}

func (f *fetcher) keep(name string, content []byte) {
	f.t.Helper()
	if _, err := storage.Put(f.t.Context(), f.bucket, name, bytes.NewReader(content), nil); err != nil {
		f.t.Fatal(err)
	}
}

// revalidated checks that what has not changed is not sent again.
func (f *fetcher) revalidated(name string) {
	f.t.Helper()
	r, _ := f.get(name)
	request, err := http.NewRequest(http.MethodGet, f.base+"/"+name, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	request.Header.Set("If-None-Match", r.Header.Get("ETag"))
	again, err := http.DefaultClient.Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	again.Body.Close()
	if again.StatusCode != http.StatusNotModified {
		f.t.Errorf("%s with its ETag: status %s, want 304", name, again.Status)
	}
}

func (f *fetcher) absent(name string) {
	f.t.Helper()
	if r, _ := f.get(name); r.StatusCode != http.StatusNotFound && r.StatusCode != http.StatusBadRequest {
		f.t.Errorf("%s: status %s, want none to be had", name, r.Status)
	}
}
