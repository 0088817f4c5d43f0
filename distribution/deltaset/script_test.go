package deltaset_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution/deltaset"
	"github.com/gaenkit/gaen/internal/nginxtest"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage/filestore"
)

func newReader(b []byte) io.Reader { return bytes.NewReader(b) }

// TestScript has the shell script of the documentation follow a delta set that nginx
// serves, with compression and a cache before it, through new intervals, a
// retraction, a reinstatement and intervals that it misses. In the end it has the
// very file that the newest snapshot is. The library's client comes to the same by
// the same way.
func TestScript(t *testing.T) {
	for _, program := range []string{"sh", "curl", "openssl", "sha256sum", "awk"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	w := newWorld(t, nil)
	www := t.TempDir()
	var err error
	if w.bucket, err = filestore.New(www, nil); err != nil {
		t.Fatal(err)
	}
	s := &script{world: w, address: startNginx(t, www) + "/deltaset/DE", key: publicKey(t, w.ring), dir: t.TempDir()}
	source, err := deltaset.FromURL(&http.Client{Timeout: 10 * time.Second}, s.address)
	if err != nil {
		t.Fatal(err)
	}
	c := w.clientOf(t.TempDir(), source, nil)

	first := w.upload()
	first = first[len(first)/2:] // keys that are relevant for some days yet
	w.hour()
	s.follow("the first time", true)
	w.update(c)
	w.hour()
	s.follow("an interval without events", false)
	second := w.upload()
	second = second[len(second)/2:]
	w.hour()
	s.follow("a new interval", false)
	w.withdraw(first[0], second[0])
	w.hour()
	s.follow("a retraction", false)
	if s.has(first[0].KeyData[:]) || s.has(second[0].KeyData[:]) || !s.has(first[1].KeyData[:]) {
		t.Error("the wrong keys are retracted")
	}
	w.reinstate(first[0])
	w.hour()
	s.follow("a reinstatement", false)
	if !s.has(first[0].KeyData[:]) || s.has(second[0].KeyData[:]) {
		t.Error("the wrong keys are reinstated")
	}
	for range 5 { // over midnight, when keys cease to be relevant
		w.upload()
		w.hour()
	}
	s.follow("several intervals missed", false)
	w.clock = w.clock.Add(17 * 24 * time.Hour)
	w.hour()
	w.upload()
	w.hour()
	s.follow("so many missed that they are listed no more", true)
	u := s.updated(c)
	if have := len(s.lines()); u.To.Keys != have {
		t.Errorf("the script has %d keys, and the client %d", have, u.To.Keys)
	}
	s.refusesForgery()
}

// script is the shell script and where it keeps its state.
type script struct {
	*world
	address, key, dir string
}

func (s *script) run() (string, error) {
	out, err := exec.CommandContext(s.t.Context(), "sh", "testdata/follow.sh", s.address, s.key, s.dir).CombinedOutput()
	return string(out), err
}

// follow runs the script until the cache shows what was published last, and
// compares what it has with the snapshot.
func (s *script) follow(when string, snapshot bool) {
	s.t.Helper()
	var out string
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		out, err = s.run()
		if newest, _ := os.ReadFile(filepath.Join(s.dir, "state/newest")); strings.TrimSpace(string(newest)) != fmt.Sprint(s.newest()) {
			continue
		}
		have, err := os.ReadFile(filepath.Join(s.dir, "state/keys"))
		if err != nil {
			s.t.Fatal(err)
		}
		if want := s.object(fmt.Sprint(tree, "snapshot/", s.newest())); !bytes.Equal(have, want) {
			s.t.Errorf("%s: %d lines, and the snapshot has %d", when, bytes.Count(have, []byte("\n")), bytes.Count(want, []byte("\n")))
		}
		if fetched, _ := filepath.Glob(filepath.Join(s.dir, "new/snapshot/*")); snapshot != (len(fetched) > 0) {
			s.t.Errorf("%s: fetched %d snapshots", when, len(fetched))
		}
		return
	}
	s.t.Fatalf("%s: the script does not come to interval %d: %v\n%s", when, s.newest(), err, out)
}

// updated updates the client until it has come to the newest interval.
func (s *script) updated(c *deltaset.Client) *deltaset.Update {
	s.t.Helper()
	var last error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		u, err := c.Update(s.t.Context())
		if last = err; err == nil && u.To.Newest == s.newest() {
			return u
		}
	}
	s.t.Fatalf("the client does not come to interval %d: %v", s.newest(), last)
	return nil
}

// lines returns what the script has.
func (s *script) lines() []string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "state/keys"))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Fields(strings.ReplaceAll(string(text), " ", ","))
}

func (s *script) has(data []byte) bool {
	for _, line := range s.lines() {
		if strings.HasPrefix(line, fmt.Sprintf("%x,", data)) {
			return true
		}
	}
	return false
}

// refuses runs the script until the cache shows what was altered, which it must not
// take.
func (s *script) refuses(name string) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		_, err := s.run()
		if newest, _ := os.ReadFile(filepath.Join(s.dir, "state/newest")); strings.TrimSpace(string(newest)) == fmt.Sprint(s.newest()) {
			s.t.Errorf("%s: altered, and taken", name)
			return
		}
		if err != nil {
			return
		}
	}
	s.t.Errorf("%s: altered, and the script does not mind", name)
}

// refusesForgery has the script meet sums and files that were altered.
func (s *script) refusesForgery() {
	s.t.Helper()
	before := s.lines()
	s.upload()
	s.hour()
	for _, name := range []string{"SHA256SUMS", fmt.Sprint("exposures/", s.newest())} {
		content := s.object(tree + name)
		s.put(tree+name, append([]byte("#"), content...), nil)
		s.refuses(name)
		s.put(tree+name, content, nil)
	}
	if after := s.lines(); len(after) != len(before) {
		s.t.Errorf("%d keys, and %d before a forgery", len(after), len(before))
	}
	time.Sleep(1100 * time.Millisecond)
	s.follow("after a forgery", false)
}

// publicKey returns the path of a ring's public key in PEM.
func publicKey(t testing.TB, ring *signing.Ring) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(ring.PublicKeys()[0].Key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "public.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// startNginx serves a folder by the documented configuration, with shorter times,
// and returns the address of the cache.
func startNginx(t *testing.T, www string) string {
	t.Helper()
	origin, cache := nginxtest.FreeAddress(t), nginxtest.FreeAddress(t)
	nginxtest.Start(t, "testdata/nginx.conf", []string{origin, cache}, [][2]string{
		{"/srv/www", www}, {"/var/cache/nginx/deltaset", t.TempDir()},
		{"listen 8080", "listen " + origin}, {"listen 8081", "listen " + cache}, {"127.0.0.1:8080", origin},
		{"max-age=300", "max-age=1"}, {"max-age=30\"", "max-age=1\""},
	}...)
	return "http://" + cache
}
