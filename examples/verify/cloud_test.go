//go:build cloud

package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone/gofakes3"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/internal/s3test"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/s3store"
)

// TestReadOnlyServer verifies a tree in S3, of which it may read and no more.
func TestReadOnlyServer(t *testing.T) {
	for name, value := range s3test.Environment() {
		t.Setenv(name, value)
	}
	backend := s3test.NewBackend()
	if err := backend.CreateBucket(t.Context(), "tree"); err != nil {
		t.Fatal(err)
	}
	inner := gofakes3.New(backend).Server()
	direct := httptest.NewServer(inner)
	defer direct.Close()
	refused := 0
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			refused++
			w.WriteHeader(http.StatusForbidden)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	defer front.Close()
	dir := t.TempDir()
	if err := makeTree(dir); err != nil {
		t.Fatal(err)
	}
	upload(t, filepath.Join(dir, "www"), direct.URL)

	place := (&s3test.Server{URL: front.URL}).Place("tree")
	var out, errs bytes.Buffer
	if code := run([]string{"-key", filepath.Join(dir, "public.txt"), place}, &out, &errs); code != exitVerified {
		t.Errorf("exits with %d: %s%s", code, out.String(), errs.String())
	}
	if !strings.Contains(out.String(), "102 archives") || refused > 0 {
		t.Errorf("%d requests to write, and it said:\n%s", refused, out.String())
	}
	out.Reset()
	look := []string{"-key", filepath.Join(dir, "public.txt"), "-trends", "-privacy", "-compare", filepath.Join(dir, "www"), place}
	if code := run(look, &out, &errs); code != exitWarned || refused > 0 || !strings.Contains(out.String(), "102 windows with") ||
		!strings.Contains(out.String(), "EUR  2026-03-09       24") || !strings.Contains(out.String(), "small-set") {
		t.Errorf("looks closer with %d: %s%s", code, out.String(), errs.String())
	}
	if code := run([]string{"-key", filepath.Join(dir, "public.txt"), "-max-objects", "20", place}, &out, &errs); code != exitUsage ||
		!strings.Contains(errs.String(), "20 objects") {
		t.Errorf("beyond the limit it exits with %d: %s", code, errs.String())
	}
	place = (&s3test.Server{URL: front.URL}).Place("none")
	errs.Reset()
	if code := run([]string{"-key", filepath.Join(dir, "public.txt"), place}, &out, &errs); code != exitUsage ||
		!strings.Contains(errs.String(), "s3://none?") || !strings.Contains(errs.String(), "the bucket does not exist") {
		t.Errorf("no such bucket: exits with %d: %s", code, errs.String())
	}
}

// upload copies a published folder to a server.
func upload(t *testing.T, folder, url string) {
	t.Helper()
	from, closing, err := deploy.OpenBucket(t.Context(), folder, deploy.Access{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer closing()
	to, err := s3store.New(t.Context(), s3test.Client(url), "tree", nil)
	if err != nil {
		t.Fatal(err)
	}
	for a, err := range storage.List(t.Context(), from, "") {
		if err != nil {
			t.Fatal(err)
		}
		content, _, err := storage.ReadAll(t.Context(), from, a.Name, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := storage.Put(t.Context(), to, a.Name, bytes.NewReader(content), nil); err != nil {
			t.Fatal(err)
		}
	}
}
