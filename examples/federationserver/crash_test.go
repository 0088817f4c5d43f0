package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
)

var kills = flag.Int("kills", 36, "how often a server is killed")

// A traveller is a nation that exchanges keys with whichever server is up.
type traveller struct {
	site   *site
	region string
	reader *reader
	client atomic.Pointer[federatedClient]

	mu   sync.Mutex
	sent []keys.DiagnosisKey // and answered
}

type federatedClient struct {
	federation.Uploader
	federation.Downloader
}

// Download asks the server that is up.
func (n *traveller) Download(ctx context.Context, at federation.Place) (*federation.Page, error) {
	return n.client.Load().Download(ctx, at)
}

// upload uploads a batch again and again until it is answered, as the next runs of
// a push would.
func (n *traveller) upload(ctx context.Context, tag string, ks []keys.DiagnosisKey) error {
	for {
		answer, err := n.client.Load().Upload(ctx, batchOf(tag, ks))
		switch {
		case err == nil && answer.Inserted > len(ks):
			return fmt.Errorf("%d inserted of %d", answer.Inserted, len(ks))
		case err == nil:
			n.mu.Lock()
			n.sent = append(n.sent, ks...)
			n.mu.Unlock()
			return nil
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, federation.ErrDenied), errors.Is(err, federation.ErrRefused):
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// live uploads and reads until the context ends.
func (n *traveller) live(ctx context.Context) error {
	for i := 0; ctx.Err() == nil; i++ {
		if err := n.upload(ctx, fmt.Sprint("t", i), n.site.keysOf(n.region, 20)); err != nil {
			return err
		}
		if err := n.reader.read(ctx); errors.Is(err, federation.ErrDenied) {
			return err
		}
	}
	return nil
}

// TestKilled kills servers at random moments, of two that serve one ledger, while
// nations upload and download: what was answered is there for everybody else, and
// nothing comes that was not sent.
func TestKilled(t *testing.T) {
	n := *kills
	if testing.Short() {
		n = min(n, 6)
	}
	s := newSite(t)
	var nations []*traveller
	connect := []func(base string){}
	for _, region := range []string{"IE", "GI", "JE"} {
		id := map[string]string{"IE": "ie", "GI": "gi", "JE": "je"}[region]
		key := s.onboard(id, region)
		tr := &traveller{site: s, region: region}
		tr.reader = newReader(tr)
		nations = append(nations, tr)
		connect = append(connect, func(base string) {
			c := s.client(id, region, key, base, &http.Client{Transport: &http.Transport{}})
			tr.client.Store(&federatedClient{c, c})
		})
	}
	to := func(p *process, n int) { connect[n](p.base) }
	servers := []*process{s.start(), s.start()}
	for i := range nations {
		to(servers[i%2], i)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for _, tr := range nations {
		group.Go(func() {
			if err := tr.live(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
		victim := servers[i%2]
		victim.cmd.Process.Kill()
		<-victim.ended
		for j := range nations { // a proxy would send them there
			to(servers[(i+1)%2], j)
		}
		servers[i%2] = s.start()
		for j := range nations {
			to(servers[random.IntN(2)], j)
		}
	}
	cancel()
	group.Wait()

	for i := range nations {
		to(servers[i%2], i)
	}
	total := expectAll(t, nations)
	t.Logf("%d deaths, %d keys", n, total)
	if total < 20*n {
		t.Errorf("%d keys were exchanged, which is too few for %d deaths", total, n)
	}
}

// expectAll expects that each nation has, or gets, all that the others sent, and
// nothing else. It returns how many keys were sent.
func expectAll(t *testing.T, nations []*traveller) (total int) {
	t.Helper()
	for _, tr := range nations {
		total += len(tr.sent)
		await(t, tr.region+" has what the others sent", func() bool {
			if err := tr.reader.read(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, other := range nations {
				if other != tr && tr.reader.lacks(other.sent) > 0 {
					return false
				}
			}
			return true
		})
		if own := len(tr.sent) - tr.reader.lacks(tr.sent); own > 0 {
			t.Errorf("%s was given %d keys of its own", tr.region, own)
		}
	}
	return total
}

// TestTerminated ends a server while uploads are under way. Those that it has begun
// to read it finishes; whatever was answered is there for the next.
func TestTerminated(t *testing.T) {
	s := newSite(t)
	ieKey, giKey := s.onboard("ie", "IE"), s.onboard("gi", "GI")
	var answered []keys.DiagnosisKey
	for round := range 5 {
		p := s.start()
		ie := s.client("ie", "IE", ieKey, p.base, &http.Client{Transport: &http.Transport{}})
		var group sync.WaitGroup
		var mu sync.Mutex
		first, begun := make(chan struct{}), sync.Once{}
		for i := range 3 {
			batches := slices.Collect(slices.Chunk(s.keysOf("IE", 2000), 200))
			group.Go(func() {
				begin := func() { close(first) }
				defer begun.Do(begin)
				for j, ks := range batches {
					if _, err := ie.Upload(t.Context(), batchOf(fmt.Sprint(round, i, j), ks)); err != nil {
						return
					}
					mu.Lock()
					answered = append(answered, ks...)
					mu.Unlock()
					begun.Do(begin)
				}
			})
		}
		<-first
		time.Sleep(time.Duration(10*round) * time.Millisecond)
		p.terminate()
		group.Wait()
	}
	p := s.start()
	r := newReader(s.client("gi", "GI", giKey, p.base, nil))
	await(t, "what was answered is there", func() bool {
		if err := r.read(t.Context()); err != nil {
			t.Fatal(err)
		}
		return r.lacks(answered) == 0
	})
	if len(answered) == 0 {
		t.Error("no upload was answered")
	}
	t.Logf("%d keys were answered", len(answered))
}

// TestEnding: a server that is to end answers the request that it has, which is
// held open here until it has said that it ends.
func TestEnding(t *testing.T) {
	s := newSite(t)
	key := s.onboard("ie", "IE")
	p := s.start()
	slow := &slowBody{begun: make(chan struct{}), proceed: make(chan struct{})}
	c := s.client("ie", "IE", key, p.base, &http.Client{Transport: slow})
	done := make(chan error, 1)
	ks := s.keysOf("IE", 100)
	go func() {
		answer, err := c.Upload(t.Context(), batchOf("x", ks))
		if err == nil && answer.Inserted != 100 {
			err = fmt.Errorf("%d inserted", answer.Inserted)
		}
		done <- err
	}()
	<-slow.begun
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, "the monitor says that it ends", func() bool {
		status, text := p.get("/healthz")
		return status == http.StatusServiceUnavailable && text == "ending\n"
	})
	if _, err := c.Download(t.Context(), federation.Place{Day: 1}); err == nil {
		t.Error("it takes connections while it ends")
	}
	close(slow.proceed)
	if err := <-done; err != nil {
		t.Errorf("the upload under way: %v", err)
	}
	if err := <-p.ended; err != nil {
		t.Errorf("it did not end well: %v\n%s", err, p.log)
	}
}
