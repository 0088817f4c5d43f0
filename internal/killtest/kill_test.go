package killtest_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/cwa"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
)

var (
	kills = flag.Int("kills", 25, "how often a service is killed in each place")
	seed  = flag.Uint64("seed", 1, "seed of what happens")
)

// TestKilled kills services until they have died as often as asked, and
// expects of every next run that nothing is lost.
func TestKilled(t *testing.T) {
	n := *kills
	if testing.Short() {
		n = min(n, 5)
	}
	for name, build := range sites {
		t.Run(name, func(t *testing.T) {
			s := &service{t: t, site: build(t), rand: rand.New(rand.NewPCG(*seed, 1)), archives: map[string][]byte{}}
			for s.deaths < n && !t.Failed() {
				s.live()
			}
			t.Logf("seed %d: %d deaths in %d hours, %d restores, of which %d were refused; %d keys in %d archives",
				*seed, s.deaths, s.hour, s.restores, s.refused, len(s.released(s.hour-1)), len(s.archives))
			if n > 200 && (s.restores == 0 || s.refused == 0 || s.refused == s.restores) {
				t.Error("too little happened to restored ledgers")
			}
		})
	}
}

// service is a service in a place, hour by hour.
type service struct {
	t    *testing.T
	site site
	rand *rand.Rand
	hour int

	deaths, restores, refused int

	backup   string // a ledger as it was
	archives map[string][]byte
}

// live lets an hour pass, in which the service may die several times.
func (s *service) live() {
	s.t.Helper()
	if s.rand.IntN(8) == 0 {
		s.backup = s.site.copyLedger(s.t, s.site.Ledger)
	}
	for s.rand.IntN(4) > 0 && s.dies() {
		s.deaths++
	}
	if s.backup != "" && s.rand.IntN(8) == 0 {
		s.goBack()
	}
	if code := s.run(0, 0); code != 0 {
		s.t.Fatalf("seed %d, hour %d: the next run exits with %d", *seed, s.hour, code)
	}
	s.examine()
	s.hour++
}

// dies runs the service until it dies of itself. It reports whether it did.
func (s *service) dies() bool {
	s.t.Helper()
	at, after := 1+s.rand.IntN(40), time.Duration(0)
	if s.rand.IntN(2) == 0 {
		at, after = 0, time.Duration(1+s.rand.IntN(60_000))*time.Microsecond
	}
	switch code := s.run(at, after); code {
	case killed:
		return true
	case 0:
		return false
	default:
		s.t.Fatalf("seed %d, hour %d, to die at call %d or after %s: exits with %d", *seed, s.hour, at, after, code)
		return false
	}
}

// killed is the exit code of who was killed.
const killed = -1

// run runs the service's hour in a process of its own.
func (s *service) run(at int, after time.Duration) int {
	s.t.Helper()
	c := orders{place: s.site.place, Seed: *seed, Hour: s.hour, DieAt: at, DieAfter: after}.command(s.t)
	out, err := c.CombinedOutput()
	exit, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return 0
	case !ok:
		s.t.Fatal(err)
	case exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
		return killed
	}
	if code := exit.ExitCode(); code != exitRefused {
		s.t.Logf("hour %d: %s", s.hour, out)
	}
	return exit.ExitCode()
}

// goBack takes the ledger back to an older backup. The next run either refuses,
// and changes nothing, or is as good as any.
func (s *service) goBack() {
	s.t.Helper()
	s.restores++
	present := s.site.Ledger
	s.site.Ledger = s.site.copyLedger(s.t, s.backup)
	before := s.objects()
	switch code := s.run(0, 0); code {
	case 0:
		s.examine()
	case exitRefused:
		s.refused++
		if after := s.objects(); !maps.EqualFunc(before, after, bytes.Equal) {
			s.t.Errorf("seed %d, hour %d: the run refused the restored ledger, and changed the bucket", *seed, s.hour)
		}
		s.site.Ledger = present
	default:
		s.t.Fatalf("seed %d, hour %d: with a restored ledger the run exits with %d", *seed, s.hour, code)
	}
}

func (s *service) bucket() storage.Bucket {
	s.t.Helper()
	b, err := s.site.openBucket(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// objects returns all there is in the bucket.
func (s *service) objects() map[string][]byte {
	s.t.Helper()
	b := s.bucket()
	all := map[string][]byte{}
	for a, err := range storage.List(s.t.Context(), b, "") {
		if err != nil {
			s.t.Fatal(err)
		}
		content, _, err := storage.ReadAll(s.t.Context(), b, a.Name, 1<<24)
		if err != nil {
			s.t.Fatal(err)
		}
		all[a.Name] = content
	}
	return all
}

// retention is for how long archives stay at least.
const retention = 14 * 24 * time.Hour

// examine expects a tree that verifies, archives that are what they were, and
// every released key in one hour.
func (s *service) examine() {
	s.t.Helper()
	if err := s.examineTree(); err != nil {
		s.t.Fatalf("seed %d, hour %d: %v", *seed, s.hour, err)
	}
}

func (s *service) examineTree() error {
	ring, err := ring()
	if err != nil {
		return err
	}
	trusted, err := signing.NewTrustList(ring.PublicKeys()...)
	if err != nil {
		return err
	}
	layout, err := cwa.New(&cwa.Options{Index: "index"})
	if err != nil {
		return err
	}
	report, err := distribution.Verify(s.t.Context(), s.bucket(), layout, trusted, &distribution.VerifyOptions{
		Now: begin(s.hour + 1), MaxAge: time.Second,
	})
	if err != nil {
		return err
	}
	if len(report.Findings) > 0 {
		return fmt.Errorf("the tree does not verify: %v", report.Findings)
	}
	present := s.objects()
	for name, content := range present {
		if _, ok := layout.Parse(name); !ok {
			continue
		}
		if was, ok := s.archives[name]; ok && !bytes.Equal(was, content) {
			return fmt.Errorf("%s has changed", name)
		}
		s.archives[name] = content
	}
	found := map[keys.KeyData]string{}
	for name, content := range s.archives { // those past their retention, too
		f, _ := layout.Parse(name)
		if _, ok := present[name]; !ok && begin(s.hour).Sub(f.Window.End) < retention {
			return fmt.Errorf("%s is gone", name)
		}
		if f.Span != "hour" {
			continue
		}
		if err := collect(found, name, content); err != nil {
			return err
		}
	}
	return s.compare(found)
}

// collect notes in which archive keys are.
func collect(found map[keys.KeyData]string, name string, content []byte) error {
	a, err := export.Open(bytes.NewReader(content), int64(len(content)), nil)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for k, err := range a.Unverified().Keys() {
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if other, ok := found[k.KeyData]; ok {
			return fmt.Errorf("a key is in %s and in %s", other, name)
		}
		found[k.KeyData] = name
	}
	return nil
}

// compare expects what was found to be what must have been released.
func (s *service) compare(found map[keys.KeyData]string) error {
	want := s.released(s.hour)
	for data := range found {
		if _, ok := want[data]; !ok {
			return fmt.Errorf("%s has a key that should not be there", found[data])
		}
	}
	missing := 0
	for data := range want {
		if _, ok := found[data]; !ok {
			missing++
		}
	}
	if missing > 0 {
		return fmt.Errorf("%d keys of %d are missing", missing, len(want))
	}
	return nil
}

// released returns the keys that have been released when an hour is over: those
// whose period ended two hours before.
func (s *service) released(hour int) map[keys.KeyData]bool {
	all := map[keys.KeyData]bool{}
	for h := range hour + 1 {
		for _, up := range uploads(*seed, h) {
			for i := range up.Keys {
				if k := &up.Keys[i]; k.End().Add(keys.Embargo).Before(begin(hour + 1)) {
					all[k.KeyData] = true
				}
			}
		}
	}
	return all
}
