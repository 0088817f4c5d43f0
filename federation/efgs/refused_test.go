package efgs

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestRefusedBodies: whoever is refused before the body was read has no more than a
// moment to send it, whatever the limits of the server are; so has whoever calls back.
func TestRefusedBodies(t *testing.T) {
	w := newWorld(t, nil)
	mux := http.NewServeMux()
	mux.Handle("/callback", NewCallback())
	mux.Handle("/", w.server)
	limits := NewHTTPServer("127.0.0.1:0", mux)
	l := must(net.Listen("tcp", limits.Addr))
	go limits.Serve(l)
	t.Cleanup(func() { limits.Close() })
	known := w.request(an{country: "DE", tag: "1", keys: BatchOf(w.newKeys("DE", 1)).Keys}).header
	known.Del("batchSignature")
	unknown := known.Clone()
	unknown.Set("X-SSL-Client-SHA256", strings.Repeat("0", 64))
	for _, tt := range []struct {
		name, path string
		header     http.Header
		want       string
	}{
		{"unknown", "/diagnosiskeys/upload", unknown, "HTTP/1.1 403"},
		{"known, and not for this", "/diagnosiskeys/upload", known, "HTTP/1.1 400"},
		{"no such resource", "/nowhere", unknown, "HTTP/1.1 404"},
		{"nobody that may call back", "/callback", unknown, "HTTP/1.1 403"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var head strings.Builder
			head.WriteString("POST " + tt.path + " HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n")
			if err := tt.header.Write(&head); err != nil {
				t.Fatal(err)
			}
			c := must(net.Dial("tcp", l.Addr().String()))
			defer c.Close()
			c.SetDeadline(time.Now().Add(limits.ReadTimeout / 4))
			io.WriteString(c, head.String()+"\r\n{")
			answer, err := io.ReadAll(c) // until it is cut off
			if err != nil || !strings.HasPrefix(string(answer), tt.want) {
				t.Errorf("got %.60q, %v, want %q", answer, err, tt.want)
			}
		})
	}
}
