package ringtest_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// A recorder holds every upload that a nation sends to a hub against those before:
// invariants 4 and 6.
type recorder struct {
	name  string // of the way
	clock func() time.Time

	mu        sync.Mutex
	requests  int
	uploads   map[string]int // by tag, how often
	content   map[string][sha256.Size]byte
	said      map[said]string // under which tag
	findings  []string
	sentAgain int
}

// said is what is said of a key: that it is there, or that it was withdrawn.
type said struct {
	key        keys.KeyData
	reportType int
}

func newRecorder(name string, clock func() time.Time) *recorder {
	return &recorder{name: name, clock: clock, uploads: map[string]int{}, content: map[string][sha256.Size]byte{}, said: map[said]string{}}
}

// A tap is what a connection pours into, besides where it leads.
type tap struct {
	*io.PipeWriter
	done chan struct{}
}

// Close waits until everything has been seen.
func (t *tap) Close() error {
	err := t.PipeWriter.Close()
	<-t.done
	return err
}

// tap reads the requests of one connection as they go by.
func (r *recorder) tap() io.WriteCloser {
	from, to := io.Pipe()
	t := &tap{to, make(chan struct{})}
	go func() {
		defer close(t.done)
		r.read(from)
		io.Copy(io.Discard, from) // whoever writes is not to wait
	}()
	return t
}

// read sees requests until one is cut off.
func (r *recorder) read(from io.Reader) {
	in := bufio.NewReader(from)
	for {
		request, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		r.seen(request.URL.Path, body)
	}
}

func (r *recorder) seen(path string, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	if !strings.HasSuffix(path, "/upload") {
		return
	}
	if err := r.upload(body); err != nil {
		r.found("an upload that cannot be read: %v", err)
	}
}

func (r *recorder) found(format string, args ...any) {
	r.findings = append(r.findings, r.name+": "+fmt.Sprintf(format, args...))
}

// exposure is a key as it is uploaded.
type exposure struct {
	KeyData            []byte `json:"keyData"`
	RollingStartNumber int64  `json:"rollingStartNumber"`
	RollingPeriod      int64  `json:"rollingPeriod"`
	ReportType         int    `json:"reportType"`
}

// end returns when the key's period ends.
func (e *exposure) end() time.Time { return time.Unix((e.RollingStartNumber+e.RollingPeriod)*600, 0) }

func (r *recorder) upload(body []byte) error {
	var message struct{ BatchTag, Payload string }
	if err := json.Unmarshal(body, &message); err != nil {
		return fmt.Errorf("no JSON of %d bytes", len(body))
	}
	parts := strings.Split(message.Payload, ".")
	if len(parts) != 3 {
		return fmt.Errorf("a payload of %d parts", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return fmt.Errorf("a payload that is no base64url")
	}
	var all []exposure
	if err := json.Unmarshal(payload, &all); err != nil {
		return fmt.Errorf("a payload that is no list of exposures")
	}
	tag, content := message.BatchTag, sha256.Sum256(payload)
	if before, ok := r.content[tag]; ok && before != content {
		r.found("tag %s comes with other content than before", tag)
	}
	if r.uploads[tag]++; r.uploads[tag] > 1 {
		r.sentAgain++
		return nil
	}
	r.content[tag] = content
	now := r.clock()
	for i := range all {
		r.exposed(&all[i], tag, now)
	}
	return nil
}

func (r *recorder) exposed(e *exposure, tag string, now time.Time) {
	if wait := e.end().Add(keys.Embargo).Sub(now); wait > 0 {
		r.found("a key leaves %s before it may", wait)
	}
	what := said{keys.KeyData(e.KeyData), e.ReportType}
	if other, ok := r.said[what]; ok && other != tag {
		r.found("the same of a key with report type %d under the tags %s and %s", e.ReportType, other, tag)
	}
	r.said[what] = tag
}

// count returns how many uploads were seen, under their tags and beyond.
func (r *recorder) count() (tags, again, requests int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.uploads), r.sentAgain, r.requests
}
