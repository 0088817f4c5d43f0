package deltaset_test

import (
	"bytes"
	"compress/gzip"
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
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution/deltaset"
	"github.com/gaenkit/gaen/internal/s3test"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/memstore"
	"github.com/gaenkit/gaen/storage/s3store"
)

// counting counts what is read, and fails where it is told to.
type counting struct {
	deltaset.Source
	names []string
	fail  func(n int, name string) error
}

func (c *counting) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	c.names = append(c.names, name)
	if c.fail != nil {
		if err := c.fail(len(c.names), name); err != nil {
			return nil, err
		}
	}
	return c.Source.Get(ctx, name)
}

// TestRequests: one small request if there is nothing new, and for an interval the
// index, its signature, and two files.
func TestRequests(t *testing.T) {
	w := newWorld(t, nil)
	w.upload()
	w.hour()
	source := &counting{Source: deltaset.FromBucket(w.bucket, tree)}
	c := w.clientOf(t.TempDir(), source, nil)
	for _, step := range []struct {
		name  string
		hours int
		want  string
	}{
		{"first", 0, "latest SHA256SUMS SHA256SUMS.sig snapshot/492334"},
		{"nothing new", 0, "latest"},
		{"an interval", 1, "latest SHA256SUMS SHA256SUMS.sig exposures/492335 retractions/492335"},
		{"two", 2, "latest SHA256SUMS SHA256SUMS.sig exposures/492336 retractions/492336 exposures/492337 retractions/492337"},
	} {
		for range step.hours {
			w.hour()
		}
		source.names = nil
		u := w.update(c)
		if got := strings.Join(source.names, " "); got != step.want {
			t.Errorf("%s: read %s, want %s", step.name, got, step.want)
		}
		if u.Snapshot != (step.name == "first") || u.To.Newest != w.newest() {
			t.Errorf("%s: %+v", step.name, u)
		}
	}
}

// TestFaults: whichever request fails or ends early, the state stays what it was, and
// the next update makes up for it.
func TestFaults(t *testing.T) {
	w := newWorld(t, nil)
	w.upload()
	w.hour()
	for name, prepare := range map[string]func(c *deltaset.Client){
		"first":  func(*deltaset.Client) {},
		"deltas": func(c *deltaset.Client) { w.update(c); w.upload(); w.hour(); w.upload(); w.hour() },
	} {
		source := &counting{Source: deltaset.FromBucket(w.bucket, tree)}
		probe := w.clientOf(t.TempDir(), source, nil)
		dir := t.TempDir()
		prepare(w.clientOf(dir, deltaset.FromBucket(w.bucket, tree), nil))
		before := dataOf(t, w.clientOf(dir, source, nil))
		w.update(probe)
		want := dataOf(t, probe)
		for _, cut := range []bool{false, true} {
			for at := 1; at <= 12; at++ {
				broken := &counting{Source: source.Source}
				var c *deltaset.Client
				if cut {
					c = w.clientOf(copyDir(t, dir), &cutting{counting: broken, at: at}, nil)
				} else {
					broken.fail = func(n int, _ string) error {
						if n == at {
							return errors.New("no connection")
						}
						return nil
					}
					c = w.clientOf(copyDir(t, dir), broken, nil)
				}
				_, err := c.Update(t.Context())
				met := at <= len(broken.names)
				broken.fail, broken.names = nil, make([]string, 100)
				if err != nil && !maps.Equal(dataOf(t, c), before) {
					t.Errorf("%s: request %d failed (%v), and the state has changed", name, at, err)
				}
				if err == nil && met && !cut {
					t.Errorf("%s: request %d failed, and nobody noticed", name, at)
				}
				w.update(c)
				if !maps.Equal(dataOf(t, c), want) {
					t.Errorf("%s: request %d failed, and the state is another", name, at)
				}
			}
		}
	}
}

// cutting ends a file in the middle without saying so.
type cutting struct {
	*counting
	at int
}

func (c *cutting) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := c.counting.Get(ctx, name)
	if err != nil || len(c.names) != c.at {
		return r, err
	}
	all, err := io.ReadAll(r)
	r.Close()
	return io.NopCloser(bytes.NewReader(all[:len(all)/2])), err
}

func copyDir(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestRefused: what does not fit, or should not be believed, changes nothing.
func TestRefused(t *testing.T) {
	other := newWorld(t, nil)
	other.upload()
	other.hour()
	other.hour()
	forged := newWorld(t, nil)
	forged.ring = newRing(t, "999-v1")
	forged.upload()
	forged.hour()
	forged.hour()

	for _, test := range []struct {
		name  string
		alter func(w *world, old map[string][]byte)
		want  error
	}{
		{"latest is no number", func(w *world, _ map[string][]byte) { w.put(tree+"latest", []byte("<html>\n"), nil) }, deltaset.ErrTryAgain},
		{"latest is long", func(w *world, _ map[string][]byte) { w.put(tree+"latest", bytes.Repeat([]byte("1"), 100), nil) }, deltaset.ErrTooLarge},
		{"latest is missing", func(w *world, _ map[string][]byte) { w.delete(tree + "latest") }, fs.ErrNotExist},
		{"sums altered", func(w *world, _ map[string][]byte) { w.edit(tree+"SHA256SUMS", "# days: 14", "# days: 13") }, deltaset.ErrSignature},
		{"sums altered, in another way", func(w *world, _ map[string][]byte) { w.edit(tree+"SHA256SUMS", "# days: 14", "# days: 13") }, deltaset.ErrTryAgain},
		{"no signature", func(w *world, _ map[string][]byte) { w.delete(tree + "SHA256SUMS.sig") }, deltaset.ErrSignature},
		{"signature long", func(w *world, _ map[string][]byte) { w.put(tree+"SHA256SUMS.sig", make([]byte, 1000), nil) }, deltaset.ErrTooLarge},
		{"signature of before", func(w *world, old map[string][]byte) { w.put(tree+"SHA256SUMS.sig", old[tree+"SHA256SUMS.sig"], nil) }, deltaset.ErrSignature},
		{"signed by somebody else", func(w *world, _ map[string][]byte) {
			w.put(tree+"SHA256SUMS", forged.object(tree+"SHA256SUMS"), nil)
			w.put(tree+"SHA256SUMS.sig", forged.object(tree+"SHA256SUMS.sig"), nil)
		}, deltaset.ErrSignature},
		{"sums of a folder", func(w *world, _ map[string][]byte) {
			w.put(tree+"SHA256SUMS", w.object(tree+"exposures/SHA256SUMS"), nil)
			w.put(tree+"SHA256SUMS.sig", w.object(tree+"exposures/SHA256SUMS.sig"), nil)
		}, deltaset.ErrTryAgain},
		{"another ledger's sums", func(w *world, _ map[string][]byte) {
			w.put(tree+"SHA256SUMS", other.object(tree+"SHA256SUMS"), nil)
			w.put(tree+"SHA256SUMS.sig", other.object(tree+"SHA256SUMS.sig"), nil)
		}, deltaset.ErrOther},
		{"exposures missing", func(w *world, _ map[string][]byte) { w.delete(tree + "exposures/492335") }, deltaset.ErrTryAgain},
		{"retractions altered", func(w *world, _ map[string][]byte) {
			w.put(tree+"retractions/492335", []byte("00000000000000000000000000000001 20513 2953872 144 revoked -\n"), nil)
		}, deltaset.ErrTryAgain},
		{"exposures of another interval", func(w *world, _ map[string][]byte) {
			w.put(tree+"exposures/492335", w.object(tree+"exposures/492334"), nil)
		}, deltaset.ErrTryAgain},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.upload()
			w.hour()
			c := w.client()
			w.update(c)
			before := dataOf(t, c)
			old := map[string][]byte{}
			for name := range w.objects() {
				old[name] = w.object(name)
			}
			w.hour()
			now := map[string][]byte{}
			for name := range w.objects() {
				now[name] = w.object(name)
			}
			test.alter(w, old)
			if _, err := c.Update(t.Context()); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if !maps.Equal(dataOf(t, c), before) {
				t.Error("the state has changed")
			}
			for name, content := range now {
				w.put(name, content, nil)
			}
			if u := w.update(c); u.Snapshot || u.To.Newest != w.newest() {
				t.Errorf("once all is right again: %+v", u)
			}
		})
	}
}

// edit replaces text in an object.
func (w *world) edit(name, old, with string) {
	w.t.Helper()
	text := string(w.object(name))
	if strings.Count(text, old) != 1 {
		w.t.Fatalf("%s has not %q once", name, old)
	}
	w.put(name, []byte(strings.Replace(text, old, with, 1)), nil)
}

// TestLatestBehind: the number of before beside sums of now, which is how it is
// while they are replaced, is nothing to go back by.
func TestLatestBehind(t *testing.T) {
	w := newWorld(t, nil)
	w.upload()
	w.hour()
	before := w.object(tree + "latest")
	w.hour()
	c := w.client()
	w.update(c)
	w.put(tree+"latest", before, nil)
	if u := w.update(c); u.Files != 0 || u.To != u.From {
		t.Errorf("beside sums that were read: %+v", u)
	}
	w.hour()
	w.put(tree+"latest", before, nil)
	if u := w.update(c); u.To.Newest != w.newest() || u.Snapshot {
		t.Errorf("beside sums that are new: %+v", u)
	}
}

// TestWentBack: a whole tree of before is good by itself, and not for who has seen
// more.
func TestWentBack(t *testing.T) {
	w := newWorld(t, nil)
	w.upload()
	w.hour()
	old := map[string][]byte{}
	for name := range w.objects() {
		old[name] = w.object(name)
	}
	w.hour()
	c := w.client()
	w.update(c)
	latest := w.object(tree + "latest")
	for name, content := range old {
		w.put(name, content, nil)
	}
	if _, err := c.Update(t.Context()); !errors.Is(err, deltaset.ErrWentBack) {
		t.Errorf("got %v, want ErrWentBack", err)
	}
	// The same if only latest, which nobody signs, says otherwise.
	w.put(tree+"latest", []byte("492400\n"), nil)
	if _, err := c.Update(t.Context()); !errors.Is(err, deltaset.ErrWentBack) {
		t.Errorf("latest ahead: got %v, want ErrWentBack", err)
	}
	w.put(tree+"latest", latest, nil)
	if u := w.update(w.client()); u.To.Newest != w.newest()-1 {
		t.Errorf("who has seen nothing comes to %d", u.To.Newest)
	}
}

// TestPackage: a client that is told the package takes no other.
func TestPackage(t *testing.T) {
	w := newWorld(t, nil)
	w.hour()
	c := w.clientOf(t.TempDir(), deltaset.FromBucket(w.bucket, tree), &deltaset.ClientOptions{Package: "FR"})
	if _, err := c.Update(t.Context()); !errors.Is(err, deltaset.ErrOther) {
		t.Errorf("got %v, want ErrOther", err)
	}
}

// TestStale: who is up to date with what is hours old says so.
func TestStale(t *testing.T) {
	w := newWorld(t, nil)
	w.upload()
	w.hour()
	c := w.client()
	w.update(c)
	for _, step := range []struct {
		later time.Duration
		want  error
	}{{3 * time.Hour, nil}, {2 * time.Hour, deltaset.ErrStale}} {
		w.clock = w.clock.Add(step.later)
		if u, err := c.Update(t.Context()); !errors.Is(err, step.want) || u.To.Newest != 492334 {
			t.Errorf("after %s: %+v, %v, want %v", step.later, u, err, step.want)
		}
	}
	fresh := w.client()
	if u, err := fresh.Update(t.Context()); !errors.Is(err, deltaset.ErrStale) || u.To.Keys == 0 || len(dataOf(t, fresh)) != u.To.Keys {
		t.Errorf("begun late: %+v, %v", u, err)
	}
	w.update(w.clientOf(t.TempDir(), deltaset.FromBucket(w.bucket, tree), &deltaset.ClientOptions{MaxAge: -1}))
}

// TestExpiredKey: a signing key that is no longer valid is trusted no more.
func TestExpiredKey(t *testing.T) {
	w := newWorld(t, nil)
	w.hour()
	public := w.ring.PublicKeys()[0]
	public.NotAfter = w.clock.Add(-time.Minute)
	trusted, err := signing.NewTrustList(public)
	if err != nil {
		t.Fatal(err)
	}
	c, err := deltaset.NewClient(t.TempDir(), deltaset.FromBucket(w.bucket, tree), trusted, &deltaset.ClientOptions{Now: func() time.Time { return w.clock }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Update(t.Context()); !errors.Is(err, deltaset.ErrSignature) {
		t.Errorf("got %v, want ErrSignature", err)
	}
}

// TestMissed: deltas that are listed no more, or have a gap, are made up for by the
// snapshot.
func TestMissed(t *testing.T) {
	w := newWorld(t, &deltaset.Options{Retain: 1})
	w.upload()
	w.hour()
	c := w.client()
	w.update(c)
	for range 60 {
		if w.clock.Hour() == 12 {
			w.upload()
		}
		w.hour()
	}
	u := w.update(c)
	if !u.Snapshot || u.Files != 1 {
		t.Errorf("%+v, want a snapshot", u)
	}
	fresh := w.client()
	w.update(fresh)
	if !maps.Equal(dataOf(t, c), dataOf(t, fresh)) {
		t.Error("not what the snapshot has")
	}
}

// TestDamagedState: whatever happens to a state on disk, nobody takes it for good,
// and the next update makes a new one.
func TestDamagedState(t *testing.T) {
	w := newWorld(t, nil)
	w.upload()
	w.hour()
	dir := t.TempDir()
	c := w.clientOf(dir, deltaset.FromBucket(w.bucket, tree), nil)
	w.update(c)
	want := dataOf(t, c)
	path := filepath.Join(dir, "state")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damage := map[string][]byte{"empty": nil, "longer": append(bytes.Clone(good), '\n')}
	for i := 0; i < len(good); i += 1 + len(good)/23 {
		flipped := bytes.Clone(good)
		flipped[i] ^= 1
		damage[fmt.Sprint("bit of byte ", i)] = flipped
		damage[fmt.Sprint("cut at ", i)] = good[:i]
	}
	for name, content := range damage {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		var last error
		for _, err := range c.Keys() {
			last = err
		}
		if _, err := c.State(); !errors.Is(last, deltaset.ErrState) || !errors.Is(err, deltaset.ErrState) {
			t.Errorf("%s: got %v and %v, want ErrState", name, last, err)
			continue
		}
		if u := w.update(c); !u.Snapshot || !maps.Equal(dataOf(t, c), want) {
			t.Errorf("%s: not mended: %+v", name, u)
		}
	}
}

// TestLeftovers: what an update that was killed has left is in nobody's way.
func TestLeftovers(t *testing.T) {
	w := newWorld(t, nil)
	w.upload()
	w.hour()
	dir := t.TempDir()
	for _, name := range []string{"state.new", "snapshot.new"} {
		if err := os.WriteFile(filepath.Join(dir, name), bytes.Repeat([]byte("half a line"), 1000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.update(w.clientOf(dir, deltaset.FromBucket(w.bucket, tree), nil))
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "state" {
		t.Errorf("left %v, %v", left, err)
	}
}

// TestAnotherInterval: the old tree names the next, and clients go there once it has
// a snapshot as new as what they have; who begins at the old address, too.
func TestAnotherInterval(t *testing.T) {
	w := newWorld(t, nil)
	w.upload()
	w.cut(1)
	w.publish()
	c := w.client()
	w.update(c)
	w.opts.Next = 2 * time.Hour
	w.cut(1) // midnight
	w.publish()
	w.upload()
	if u := w.update(c); u.To.Interval != time.Hour || u.To.Newest != w.newest() {
		t.Errorf("the next tree is announced only, and the client is at %+v", u.To)
	}
	old, next := w.opts, deltaset.Options{Interval: 2 * time.Hour, Subfolder: true}
	w.cut(1) // 01:00
	w.publish()
	w.opts = next
	w.publish()
	if u := w.update(c); u.To.Interval != time.Hour || u.To.Newest != w.newest() {
		t.Errorf("the next tree is behind, and the client is at %+v", u.To)
	}
	w.cut(1) // 02:00
	w.publish()
	w.opts = old
	w.publish()
	if u := w.update(c); u.To.Interval != 2*time.Hour || !u.Snapshot || !u.To.End().Equal(w.clock.Truncate(time.Hour)) {
		t.Errorf("the client is at %+v, want the next tree", u.To)
	}
	fresh := w.client()
	w.update(fresh)
	w.opts = next
	w.upload()
	w.cut(1)
	w.cut(1)
	w.publish()
	w.verify()
	for name, c := range map[string]*deltaset.Client{"one that moved": c, "one that began at the old address": fresh} {
		if u := w.update(c); u.Snapshot || u.To.Interval != 2*time.Hour || !u.To.End().Equal(w.clock.Truncate(time.Hour)) {
			t.Errorf("%s: %+v", name, u)
		}
	}
	begun := w.clientOf(t.TempDir(), deltaset.FromBucket(w.bucket, tree+"i7200/"), nil)
	w.update(begun)
	if !maps.Equal(dataOf(t, c), dataOf(t, begun)) || !maps.Equal(dataOf(t, fresh), dataOf(t, begun)) {
		t.Error("not what the next tree has")
	}
}

// TestNextWithoutSnapshot: into a tree that has no snapshot yet there is no way, so
// that the old one is read on.
func TestNextWithoutSnapshot(t *testing.T) {
	w := newWorld(t, &deltaset.Options{Next: 2 * time.Hour})
	w.clock = time.Date(2026, 3, 2, 0, 30, 0, 0, time.UTC)
	w.upload()
	w.cut(1)
	w.cut(1) // 02:00
	old := w.opts
	for _, opts := range []deltaset.Options{{Interval: 2 * time.Hour, Subfolder: true, Snapshot: 24 * time.Hour}, old} {
		w.opts = opts
		w.publish()
	}
	if u := w.update(w.client()); u.To.Interval != time.Hour || u.To.Newest != w.newest() {
		t.Errorf("the client is at %+v, want the old tree", u.To)
	}
}

// TestBombs: what inflates, or never ends, is not read for long.
func TestBombs(t *testing.T) {
	w := newWorld(t, nil)
	w.hour()
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	zeros := make([]byte, 1<<20)
	for range 64 {
		z.Write(zeros)
	}
	z.Close()
	for _, name := range []string{"latest", "SHA256SUMS", "SHA256SUMS.sig", fmt.Sprint("snapshot/", w.newest())} {
		good := w.object(tree + name)
		w.put(tree+name, bomb.Bytes(), &storage.PutOptions{ContentEncoding: "gzip"})
		dir := t.TempDir()
		c := w.clientOf(dir, deltaset.FromBucket(w.bucket, tree), &deltaset.ClientOptions{MaxFile: 1 << 20})
		if _, err := c.Update(t.Context()); !errors.Is(err, deltaset.ErrTooLarge) {
			t.Errorf("%s: got %v, want ErrTooLarge", name, err)
		}
		w.put(tree+name, good, nil)
	}
}

// TestDeltasTogether: what many intervals have together is bounded, too.
func TestDeltasTogether(t *testing.T) {
	w := newWorld(t, nil)
	w.hour()
	dir := t.TempDir()
	w.update(w.clientOf(dir, deltaset.FromBucket(w.bucket, tree), nil))
	size, largest := 0, 0
	for range 4 {
		w.upload()
		w.hour()
		n := len(w.object(fmt.Sprint(tree, "exposures/", w.newest())))
		size, largest = size+n, max(largest, n, len(w.object(tree+"SHA256SUMS")))
	}
	for limit, want := range map[int]error{largest: deltaset.ErrTooLarge, max(size, largest): nil} {
		c := w.clientOf(copyDir(t, dir), deltaset.FromBucket(w.bucket, tree), &deltaset.ClientOptions{MaxFile: int64(limit)})
		if _, err := c.Update(t.Context()); !errors.Is(err, want) {
			t.Errorf("at most %d bytes: got %v, want %v", limit, err, want)
		}
	}
}

// TestHTTP follows over HTTP, compressed on the way, and has its errors told apart.
func TestHTTP(t *testing.T) {
	w := newWorld(t, &deltaset.Options{Gzip: true})
	w.upload()
	w.hour()
	status, encoding := 0, "gzip"
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		content, a, err := storage.ReadAll(r.Context(), w.bucket, strings.TrimPrefix(r.URL.Path, "/"), 1<<30)
		switch {
		case status != 0:
			rw.WriteHeader(status)
		case err != nil:
			http.NotFound(rw, r)
		default:
			if a.ContentEncoding != "" {
				rw.Header().Set("Content-Encoding", encoding)
			}
			rw.Write(content)
		}
	}))
	defer server.Close()
	source, err := deltaset.FromURL(server.Client(), server.URL+"/deltaset/DE/")
	if err != nil {
		t.Fatal(err)
	}
	c := w.clientOf(t.TempDir(), source, nil)
	encoding = "br"
	if _, err := c.Update(t.Context()); err == nil || !strings.Contains(err.Error(), "encoding") {
		t.Errorf("got %v, want it to name the encoding", err)
	}
	encoding = "gzip"
	if u := w.update(c); u.To.Keys == 0 {
		t.Errorf("%+v", u)
	}
	for code, absent := range map[int]bool{404: true, 410: true, 403: false, 500: false, 204: false, 206: false} {
		status = code
		if _, err := c.Update(t.Context()); err == nil || errors.Is(err, fs.ErrNotExist) != absent || !strings.Contains(err.Error(), fmt.Sprint(code)) {
			t.Errorf("%d: got %v", code, err)
		}
	}
	for _, base := range []string{"", "keys.example/deltaset", "file:///etc", "http://", "http://a b"} {
		if _, err := deltaset.FromURL(nil, base); err == nil {
			t.Errorf("%q is taken for an address", base)
		}
	}
}

// TestS3 publishes to S3, compressed, and follows from there.
func TestS3(t *testing.T) {
	server := s3test.Start(t, "tree")
	bucket, err := s3store.New(t.Context(), s3test.Client(server.URL), "tree", nil)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, &deltaset.Options{Gzip: true})
	w.bucket = bucket
	ids := w.upload()
	w.hour()
	c := w.client()
	w.update(c)
	w.withdraw(ids[len(ids)/2])
	w.hour()
	u := w.update(c)
	fresh := w.client()
	w.update(fresh)
	if u.Snapshot || u.Gone != 1 || dataOf(t, c)[ids[len(ids)/2].KeyData] || !maps.Equal(dataOf(t, c), dataOf(t, fresh)) {
		t.Errorf("%+v", u)
	}
	w.verify()
}

func TestNewClientRefuses(t *testing.T) {
	w := newWorld(t, nil)
	source := deltaset.FromBucket(memstore.New(nil), "")
	if _, err := deltaset.NewClient(t.TempDir(), source, nil, nil); err == nil || !strings.Contains(err.Error(), "trusted") {
		t.Errorf("trusts nobody: %v", err)
	}
	if _, err := deltaset.NewClient(t.TempDir(), source, trust(t, w.ring), &deltaset.ClientOptions{MaxFile: -1}); err == nil || !strings.Contains(err.Error(), "MaxFile") {
		t.Errorf("MaxFile: %v", err)
	}
}
