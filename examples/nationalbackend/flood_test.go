package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/internal/fastclock"
	"github.com/gaenkit/gaen/storage/ledger/submit"
)

// memory returns the largest resident size that a process ever had, in MiB.
func memory(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("how large a process is cannot be read here: %v", err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		t.Skip("/proc has no VmHWM here")
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n >> 10
}

// spaces is a body without end.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestFlood has bodies of 100 MiB, and phones that say half of something and no
// more, come to the process at the same time. It refuses the ones, cuts off the
// others, answers decoys meanwhile, and does not grow.
func TestFlood(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for 10 s")
	}
	t.Parallel()
	j := &journey{t: t, dir: t.TempDir(), clock: fastclock.New(1)}
	for name, text := range map[string]string{"backend.json": config, "api-keys": "app:0123456789abcdef\n"} {
		if err := os.WriteFile(filepath.Join(j.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	j.run("nationalbackend", "init", "-config", "backend.json")
	p := j.start(2, "nationalbackend", "serve", "-config", "backend.json")
	url := p.addr["listeningsubmission"] + submit.DefaultPath
	before := memory(t, p.cmd.Process.Pid)

	var all sync.WaitGroup
	for i := range 300 {
		sent := "POST " + submit.DefaultPath + " HTTP/1.1\r\nHost: h\r\nX-"
		if i%2 == 0 {
			sent = ""
		}
		all.Go(func() {
			c, err := net.Dial("tcp", strings.TrimPrefix(p.addr["listeningsubmission"], "http://"))
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(time.Minute))
			io.WriteString(c, sent)
			_, err = io.Copy(io.Discard, c)
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Error("a slow phone is not cut off")
			}
		})
	}
	for range 12 {
		all.Go(func() {
			body := io.LimitReader(spaces{}, 100<<20) // in chunks: no length is said
			resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request(t, url, body))
			if err != nil {
				return // cut off while it sent
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("100 MiB: got %s", resp.Status)
			}
		})
	}
	for range 20 {
		resp, err := http.DefaultTransport.RoundTrip(request(t, url, strings.NewReader(`{"temporaryExposureKeys":[]}`)))
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != http.StatusOK {
			t.Errorf("a decoy meanwhile: got %s", resp.Status)
		}
	}
	all.Wait()
	after := memory(t, p.cmd.Process.Pid)
	t.Logf("from %d to %d MiB", before, after)
	if after-before > 40 {
		t.Errorf("it grew from %d to %d MiB", before, after)
	}
}

func request(t *testing.T, url string, body io.Reader) *http.Request {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	if err != nil {
		t.Error(err)
	}
	return r
}
