package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation/interop"
)

// spaces is a body of so many bytes.
type spaces struct{ left int }

func (s *spaces) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), s.left)
	for i := range p[:n] {
		p[i] = ' '
	}
	s.left -= n
	return n, nil
}

// memory returns the largest resident size that a process ever had, in MiB.
func (p *process) memory() int {
	p.site.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.site.t.Skipf("how large a process is cannot be read here: %v", err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		p.site.t.Skip("/proc has no VmHWM here")
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		p.site.t.Fatal(err)
	}
	return n >> 10
}

// TestLargeBodies has the process sent bodies of 100 MiB, many at the same time. It
// refuses them all, stores nothing, serves others meanwhile, and does not grow: by
// nothing for who is not known or says how much it is, by what one nation may have
// it read for the others.
func TestLargeBodies(t *testing.T) {
	if testing.Short() {
		t.Skip("it is about the memory of the program, of which the race detector takes several times as much")
	}
	s := newSite(t)
	key := s.onboard("ie", "IE")
	s.onboard("gi", "GI")
	p := s.start()
	good, bad := s.header("ie"), "Bearer "+strings.Repeat("x", 100)
	const large = 100 << 20
	before := p.memory()
	for _, c := range []struct {
		name, token string
		length      int64
		want        int
		grows       int // MiB, at most
	}{
		{"unknown, in chunks", bad, -1, http.StatusUnauthorized, 16},
		{"unknown, with a length", bad, large, http.StatusUnauthorized, 16},
		{"known, with a length", good, large, http.StatusRequestEntityTooLarge, 16},
		{"known, in chunks", good, -1, http.StatusRequestEntityTooLarge, 3 * interop.DefaultParallel * interop.DefaultMaxUpload >> 20},
	} {
		var all sync.WaitGroup
		for range 12 {
			all.Go(func() {
				if got, err := flood(t, p.base, c.token, c.length, large); err == nil && got != c.want && got != http.StatusTooManyRequests {
					t.Errorf("%s: got %d, want %d", c.name, got, c.want)
				} // an error: it was cut off while it sent
			})
		}
		if _, err := s.client("gi", "GI", key, p.base, nil).Download(t.Context(), newReader(nil).at); err != nil {
			t.Errorf("%s: another is not served meanwhile: %v", c.name, err)
		}
		all.Wait()
		after := p.memory()
		t.Logf("%s: %d MiB at most", c.name, after)
		if after-before > c.grows {
			t.Errorf("%s: it grew from %d to %d MiB", c.name, before, after)
		}
		before = max(before, after)
	}
	p.terminate()
	if strings.Contains(p.log.String(), `"interop: upload"`) {
		t.Error("something was stored")
	}
}

// header returns the header of a nation's token.
func (s *site) header(id string) string {
	s.t.Helper()
	token, err := os.ReadFile(s.path(id + ".token"))
	if err != nil {
		s.t.Fatal(err)
	}
	return "Bearer " + strings.TrimSpace(string(token))
}

// flood uploads a large body, over a connection of its own, and returns the status.
func flood(t *testing.T, base, token string, length int64, size int) (int, error) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/upload", &spaces{size})
	if err != nil {
		return 0, err
	}
	req.ContentLength = length
	req.Header.Set("Authorization", token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// TestSlowClients has hundreds of connections to the process say half of something
// and no more. Others are served meanwhile; who does not finish its headers is cut
// off after 10 s, and who is not known before it sends a body.
func TestSlowClients(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for 10 s")
	}
	t.Parallel()
	s := newSite(t)
	key := s.onboard("ie", "IE")
	p := s.start()
	address := strings.TrimPrefix(p.base, "http://")
	before := p.memory()
	const n = 150
	begun := time.Now()
	var all sync.WaitGroup
	for name, sent := range map[string]string{
		"nothing":         "",
		"half of headers": "POST /upload HTTP/1.1\r\nHost: h\r\nX-",
		"no body":         "POST /upload HTTP/1.1\r\nHost: h\r\nAuthorization: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
	} {
		for range n {
			all.Go(func() {
				if err := cutOff(address, sent); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	}
	for range 20 {
		if _, err := s.client("ie", "IE", key, p.base, nil).Download(t.Context(), newReader(nil).at); err != nil {
			t.Errorf("another is not served meanwhile: %v", err)
		}
	}
	all.Wait()
	after := p.memory()
	t.Logf("%d connections were cut off within %s; from %d to %d MiB", 3*n, time.Since(begun).Round(time.Second), before, after)
	if after-before > 32 {
		t.Errorf("it grew from %d to %d MiB", before, after)
	}
	p.terminate()
}

// cutOff sends something and waits until it is cut off.
func cutOff(address, sent string) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(c, sent)
	if _, err := io.Copy(io.Discard, c); err != nil {
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			return fmt.Errorf("it is not cut off")
		}
	}
	return nil
}
