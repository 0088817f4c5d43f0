package storagetest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// FaultyTransport is an [http.RoundTripper] whose requests fail on purpose.
// Use [Transport].
type FaultyTransport struct {
	base http.RoundTripper
	hook Hook

	mu    sync.Mutex
	calls []Call
}

var _ http.RoundTripper = (*FaultyTransport)(nil)

// Transport returns a transport that sends requests by base,
// [http.DefaultTransport] if it is nil, with faults where the hook wants them.
// The same hooks serve as for [Faulty]; the operations are methods.
//
// [Fail] refuses the connection. [FailAfter] resets it when the server has
// answered. [Half] resets it when half of the request's body is sent or, if it
// has none, half of the answer's has come. [Partial] ends the answer's body
// after half, as if that were all; [Trickle] has it come in small pieces.
// [Stale] passes. With a status, an answer as S3 gives it comes at once, with
// Retry-After where it is 429 or 503.
func Transport(base http.RoundTripper, hook Hook) *FaultyTransport {
	if base == nil {
		base = http.DefaultTransport
	}
	return &FaultyTransport{base: base, hook: hook}
}

// Calls returns the requests made so far, failed ones too, in order.
func (f *FaultyTransport) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// RoundTrip implements [http.RoundTripper].
func (f *FaultyTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	v := f.hook.ask(req.Context(), f.call(req))
	switch {
	case v == Fail:
		drop(req)
		return nil, reset(syscall.ECONNREFUSED)
	case v.status():
		drop(req)
		return answer(req, int(v)), nil
	case v == Half && req.Body != nil && req.ContentLength > 0:
		return f.base.RoundTrip(halfSent(req))
	}
	resp, err := f.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	switch v {
	case FailAfter:
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return nil, reset(syscall.ECONNRESET)
	case Half:
		resp.Body = body{io.MultiReader(half(resp), severed{}), resp.Body}
	case Partial:
		resp.Body = body{half(resp), resp.Body}
	case Trickle:
		resp.Body = body{&trickle{req.Context(), resp.Body, resp.ContentLength}, resp.Body}
	}
	return resp, nil
}

func (f *FaultyTransport) call(req *http.Request) Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := Call{N: len(f.calls) + 1, Op: req.Method, Name: req.URL.RequestURI()}
	f.calls = append(f.calls, c)
	return c
}

// drop closes the body of a request that is not sent, as a RoundTripper must.
func drop(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

func reset(cause error) error { return fmt.Errorf("%w: %w", ErrFault, cause) }

// severed is where a connection ends.
type severed struct{}

func (severed) Read([]byte) (int, error) { return 0, reset(syscall.ECONNRESET) }

// halfSent returns req with a body that breaks half way.
func halfSent(req *http.Request) *http.Request {
	part := req.Clone(req.Context())
	part.Body = body{io.MultiReader(io.LimitReader(req.Body, req.ContentLength/2), severed{}), req.Body}
	part.GetBody = nil
	return part
}

// half returns the first half of the answer's body. One of unknown length is
// read to find out.
func half(resp *http.Response) io.Reader {
	if resp.ContentLength >= 0 {
		return io.LimitReader(resp.Body, resp.ContentLength/2)
	}
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		return severed{}
	}
	return bytes.NewReader(all[:len(all)/2])
}

// codes are S3's names for some statuses.
var codes = map[int]string{
	http.StatusForbidden:           "AccessDenied",
	http.StatusTooManyRequests:     "TooManyRequests",
	http.StatusInternalServerError: "InternalError",
	http.StatusServiceUnavailable:  "SlowDown",
}

// answer returns the answer of a server that does nothing.
func answer(req *http.Request, status int) *http.Response {
	code := codes[status]
	if code == "" {
		code = strings.ReplaceAll(http.StatusText(status), " ", "")
	}
	text := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>%v</Message></Error>`, code, ErrFault)
	if req.Method == http.MethodHead {
		text = ""
	}
	header := http.Header{"Content-Type": {"application/xml"}, "Date": {time.Now().UTC().Format(http.TimeFormat)}}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		header.Set("Retry-After", "1")
	}
	return &http.Response{
		Status:        strconv.Itoa(status) + " " + http.StatusText(status),
		StatusCode:    status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          io.NopCloser(strings.NewReader(text)),
		ContentLength: int64(len(text)),
		Request:       req,
	}
}
