package interop

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/remote"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/jws"
)

// A script is a server that answers every request alike, and remembers the last.
type script struct {
	status int
	header map[string]string
	body   string

	request *http.Request
	sent    string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s.request, s.sent = r, string(body)
	for name, v := range s.header {
		w.Header().Set(name, v)
	}
	w.WriteHeader(s.status)
	io.WriteString(w, s.body)
}

// start returns a client of a handler, with what opts say beyond who it is.
func start(t testing.TB, h http.Handler, opts *ClientOptions) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return connect(t, server.URL, opts)
}

const testToken = "aaa.bbb.ccc"

func connect(t testing.TB, base string, opts *ClientOptions) *Client {
	t.Helper()
	own := ClientOptions{Signer: newSigner(t, nil), Region: ie}
	if opts != nil {
		own = *opts
	}
	c, err := NewClient(base, TokenText(testToken), &own)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// checkError checks that err is ours, of a class, and tells nothing it must not.
func checkError(t testing.TB, err, class error, status int) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || !errors.Is(err, class) || e.Class != class || e.Status != status || e.Op == "" {
		t.Fatalf("got %v, want %v with status %d", err, class, status)
	}
	for _, other := range []error{federation.ErrDenied, federation.ErrThrottled, federation.ErrRefused, federation.ErrGone, federation.ErrUnavailable} {
		if other != class && errors.Is(err, other) {
			t.Errorf("%v is of the class %v, too", err, other)
		}
	}
	noLeak(t, "the error", err.Error(), []keys.DiagnosisKey{goodKey(t)})
	if strings.Contains(err.Error(), testToken) {
		t.Errorf("the error holds the token: %v", err)
	}
	return e
}

const unauthorized = `{"statusCode":401,"error":"Unauthorized","message":"Unauthorized"}`

// uuid is a tag as the interoperability service makes them.
const uuid = "2f1a6c1e-9e46-4a5b-a8a5-6a4e7a1c1f60"

// TestDownloadAnswers has the rows of the second table of what was measured, and
// what others answered.
func TestDownloadAnswers(t *testing.T) {
	at := federation.Place{Day: federation.DayOf(noon), Tag: uuid}
	good := goodExposure()
	page := func(tag, exposures string) string {
		return `{"batchTag":` + tag + `,"exposures":` + exposures + `}`
	}
	for _, tt := range []struct {
		name   string
		answer script
		tag    string // of the page; "" for none
		keys   int
		aside  int
		class  error
	}{
		{"no batch yet, or nothing newer, or an unknown tag", script{status: 204}, "", 0, 0, nil},
		{"a page", script{status: 200, body: page(`"`+uuid+`"`, "["+good+","+good+"]")}, uuid, 2, 0, nil},
		{"a page of own keys alone, or one that is still being made", script{status: 200, body: page(`"b"`, "[]")}, "b", 0, 0, nil},
		{"exposures null", script{status: 200, body: page(`"b"`, "null")}, "b", 0, 0, nil},
		{"exposures missing", script{status: 200, body: `{"batchTag":"b"}`}, "b", 0, 0, nil},
		{"the tag last, and more", script{status: 200, body: `{"x":[{}],"exposures":[` + good + `],"batchTag":"b"}`}, "b", 1, 0, nil},
		{"a number as tag", script{status: 200, body: page("17", "[]")}, "17", 0, 0, nil},
		{"a tag that must be escaped", script{status: 200, body: page(`"a&b=\u00e4 \"/..\r\n"`, "[]")}, "a&b=ä \"/..\r\n", 0, 0, nil},
		{"no tag and no exposures", script{status: 200, body: page("null", "[]")}, "", 0, 0, nil},
		{"nothing in it", script{status: 200, body: "{}"}, "", 0, 0, nil},
		{"no tag", script{status: 200, body: page("null", "["+good+"]")}, "", 0, 0, federation.ErrUnavailable},
		{"an object as tag", script{status: 200, body: page("{}", "[]")}, "", 0, 0, federation.ErrUnavailable},
		{"a tag of 1025 bytes", script{status: 200, body: page(`"`+strings.Repeat("x", 1025)+`"`, "[]")}, "", 0, 0, federation.ErrUnavailable},
		{"two tags", script{status: 200, body: `{"batchTag":"a","batchTag":"b"}`}, "", 0, 0, federation.ErrUnavailable},
		{"exposures twice", script{status: 200, body: `{"batchTag":"a","exposures":[],"exposures":[]}`}, "", 0, 0, federation.ErrUnavailable},
		{"an object as exposures", script{status: 200, body: page(`"a"`, "{}")}, "", 0, 0, federation.ErrUnavailable},

		// What the second nation really received, of 54 keys 10 odd.
		{"odd keys", script{status: 200, body: page(`"b"`, "["+strings.Join([]string{
			good,
			with(keyData, `"keyData":"[235,169,1,2,3,4,5,6,7,8,9,10,11,12,13,14]"`), // an array, as text
			with(keyData, `"keyData":"-__--__--__--__--__--w"`),                     // taken
			with(keyData, `"keyData":"2xqYNH7m\n*VXGRKE7+K6NXHg=="`),
			with(rollingPeriod, `"rollingPeriod":1440`), with(rollingPeriod, `"rollingPeriod":-1`),
			with(rollingPeriod, `"rollingPeriod":145`), with(rollingPeriod, `"rollingPeriod":0`),
			with(transmissionRiskLevel, `"transmissionRiskLevel":255`), with(transmissionRiskLevel, `"transmissionRiskLevel":-5`),
			with(transmissionRiskLevel, `"transmissionRiskLevel":9`),
			with(reportType, `"reportType":77`), with(testType, `"testType":99`), with(daysSinceOnset, `"daysSinceOnset":4000`), // taken
			with(regions, `"regions":null`), with(daysSinceOnset, `"daysSinceOnset":null`), // taken: the British client gives up here
			"null", good,
		}, ",")+"]")}, "b", 6, 12, nil},

		{"no body", script{status: 200}, "", 0, 0, federation.ErrUnavailable},
		{"null", script{status: 200, body: "null"}, "", 0, 0, federation.ErrUnavailable},
		{"an HTML page with status 200", script{status: 200, body: "<html>log in</html>"}, "", 0, 0, federation.ErrUnavailable},
		{"half a page", script{status: 200, body: page(`"b"`, "["+good+",")[:200]}, "", 0, 0, federation.ErrUnavailable},
		{"a page and more", script{status: 200, body: page(`"b"`, "[]") + "{}"}, "", 0, 0, federation.ErrUnavailable},

		{"bad or no token", script{status: 401, body: unauthorized}, "", 0, 0, federation.ErrDenied},
		{"forbidden", script{status: 403}, "", 0, 0, federation.ErrDenied},
		{"a tag that is no UUID", script{status: 500, body: `{"statusCode":500,"code":"22P02","error":"Internal Server Error","message":"invalid input syntax for type uuid"}`}, "", 0, 0, nil},
		{"a date that is none", script{status: 500, body: `{"statusCode":500,"code":"22007"}`}, "", 0, 0, federation.ErrUnavailable},
		{"a date of another form, or two tags", script{status: 400, body: `{"message":"params.date should match format \"date\""}`}, "", 0, 0, federation.ErrUnavailable},
		{"another path", script{status: 404}, "", 0, 0, federation.ErrUnavailable},
		{"gone", script{status: 410}, "", 0, 0, federation.ErrGone},
		{"too large", script{status: 413}, "", 0, 0, federation.ErrUnavailable},
		{"throttled", script{status: 429}, "", 0, 0, federation.ErrThrottled},
		{"broken", script{status: 500, body: "no key found"}, "", 0, 0, federation.ErrUnavailable},
		{"bad gateway", script{status: 502, body: "<html>"}, "", 0, 0, federation.ErrUnavailable},
		{"another success", script{status: 206, body: page(`"b"`, "[]")}, "", 0, 0, federation.ErrUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := start(t, &tt.answer, nil).Download(t.Context(), at)
			if tt.class != nil {
				checkError(t, err, tt.class, tt.answer.status)
				return
			}
			if err != nil || (got != nil) != (tt.tag != "") {
				t.Fatal(got, err)
			}
			if got != nil && (got.Tag != tt.tag || len(got.Keys) != tt.keys || len(got.Unreadable) != tt.aside) {
				t.Errorf("tag %q, %d keys, %d set aside; want %q, %d, %d", got.Tag, len(got.Keys), len(got.Unreadable), tt.tag, tt.keys, tt.aside)
			}
			if got != nil && got.Next != (federation.Place{Day: at.Day, Tag: tt.tag}) {
				t.Errorf("next is %+v", got.Next)
			}
		})
	}
}

// TestUnknownTagIsSilenceOnlyForTags: without a tag the same answer is a fault.
func TestUnknownTagIsSilenceOnlyForTags(t *testing.T) {
	c := start(t, &script{status: 500, body: `{"code":"22P02"}`}, nil)
	_, err := c.Download(t.Context(), federation.Place{Day: federation.DayOf(noon)})
	checkError(t, err, federation.ErrUnavailable, 500)
}

// TestUploadAnswers has the rows of the first table of what was measured that a
// client can get, and what others answered.
func TestUploadAnswers(t *testing.T) {
	for _, tt := range []struct {
		name     string
		answer   script
		inserted int
		class    error
	}{
		{"taken", script{status: 200, body: `{"batchTag":"t","insertedExposures":1}`}, 1, nil},
		{"known already", script{status: 200, body: `{"batchTag":"t","insertedExposures":0}`}, 0, nil},
		{"as the schema says", script{status: 201, body: `{"insertedExposures":1}`}, 1, nil},
		{"as the README says", script{status: 204}, -1, nil},
		{"nothing with status 200", script{status: 200, body: " "}, 0, federation.ErrUnavailable},
		{"no count", script{status: 200, body: `{"batchTag":"t"}`}, -1, nil},
		{"null as count", script{status: 200, body: `{"insertedExposures":null}`}, -1, nil},
		{"more than was sent", script{status: 200, body: `{"insertedExposures":2}`}, -1, nil},
		{"less than nothing", script{status: 200, body: `{"insertedExposures":-1}`}, -1, nil},
		{"an HTML page with status 200", script{status: 200, body: "<html>log in</html>"}, 0, federation.ErrUnavailable},
		{"an array", script{status: 200, body: "[]"}, 0, federation.ErrUnavailable},
		{"an object of a proxy's", script{status: 200, body: `{"message":"down for maintenance"}`}, 0, federation.ErrUnavailable},
		{"an empty object", script{status: 200, body: `{}`}, 0, federation.ErrUnavailable},
		{"accepted for later", script{status: 202}, 0, federation.ErrUnavailable},

		{"bad or no token", script{status: 401, body: unauthorized}, 0, federation.ErrDenied},
		{"forbidden", script{status: 403}, 0, federation.ErrDenied},
		{"a signature that is not the nation's", script{status: 500, body: `{"statusCode":500,"error":"Internal Server Error","message":"no key found"}`}, 0, federation.ErrDenied},
		{"a key of another length", script{status: 400, body: `{"statusCode":400,"error":"Bad Request","message":"Invalid key length"}`}, 0, federation.ErrRefused},
		{"too large", script{status: 413, body: `{"statusCode":413,"code":"FST_ERR_CTP_BODY_TOO_LARGE"}`}, 0, federation.ErrRefused},
		{"unprocessable", script{status: 422}, 0, federation.ErrRefused},
		{"a missing column", script{status: 500, body: `{"statusCode":500,"code":"23502","message":"null value in column \"test_type\""}`}, 0, federation.ErrRefused},
		{"a number too large", script{status: 500, body: `{"statusCode":500,"code":"22003"}`}, 0, federation.ErrRefused},
		{"text for a number", script{status: 500, body: `{"statusCode":500,"code":"22P02"}`}, 0, federation.ErrRefused},
		{"another code", script{status: 500, body: `{"statusCode":500,"code":"53300","message":"sorry, too many clients already"}`}, 0, federation.ErrUnavailable},
		{"a code of Node's", script{status: 500, body: `{"statusCode":500,"code":"ERR_INVALID_ARG_TYPE"}`}, 0, federation.ErrUnavailable},
		{"not JSON to it", script{status: 500, body: `{"statusCode":500,"message":"Unexpected token in JSON"}`}, 0, federation.ErrUnavailable},
		{"broken", script{status: 500, body: "no key found"}, 0, federation.ErrUnavailable},
		{"another path", script{status: 404}, 0, federation.ErrUnavailable},
		{"no content type", script{status: 415}, 0, federation.ErrUnavailable},
		{"gone", script{status: 410}, 0, federation.ErrUnavailable},
		{"throttled", script{status: 429}, 0, federation.ErrThrottled},
		{"unavailable", script{status: 503}, 0, federation.ErrUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := start(t, &tt.answer, nil).Upload(t.Context(), &federation.Batch{Tag: uuid, Keys: []keys.DiagnosisKey{goodKey(t)}})
			if tt.class != nil {
				checkError(t, err, tt.class, tt.answer.status)
				return
			}
			if err != nil || got.Inserted != tt.inserted || len(got.Known)+len(got.Refused) > 0 {
				t.Errorf("got %+v, %v, want %d inserted", got, err, tt.inserted)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for _, status := range []int{429, 503} {
		c := start(t, &script{status: status, header: map[string]string{"Retry-After": "90"}}, nil)
		_, err := c.Download(t.Context(), federation.Place{})
		if d, ok := federation.RetryAfter(fmt.Errorf("run: %w", err)); !ok || d != 90*time.Second {
			t.Errorf("told %s, %t", d, ok)
		}
		if e, ok := errors.AsType[*Error](err); !ok || e.RetryAfter != 90*time.Second || !strings.Contains(err.Error(), "1m30s") {
			t.Errorf("got %v", err)
		}
	}
}

// TestDownloadRequest: tags are the server's, and never become another request.
func TestDownloadRequest(t *testing.T) {
	s := &script{status: 204}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c := connect(t, server.URL+"/diagnosiskeys/", &ClientOptions{UserAgent: "team/1"})
	for _, tag := range []string{"", uuid, "../../upload", "a&batchTag=b", "x#y", "a b+c%20", "\r\nX-Header: 1", "ä\x00", "http://else.where/"} {
		page, err := c.Download(t.Context(), federation.Place{Day: federation.DayOf(noon), Tag: tag})
		if err != nil || page != nil {
			t.Fatal(page, err)
		}
		r := s.request
		if r.Method != "GET" || r.URL.Path != "/diagnosiskeys/download/2021-06-02" {
			t.Errorf("%q: %s %s", tag, r.Method, r.URL.Path)
		}
		got := r.URL.Query()
		if tag == "" && r.URL.RawQuery != "" || tag != "" && (len(got) != 1 || len(got["batchTag"]) != 1 || got.Get("batchTag") != tag) {
			t.Errorf("%q: the query is %q", tag, r.URL.RawQuery)
		}
		if r.Header.Get("X-Header") != "" || r.Header.Get("Authorization") != "Bearer "+testToken || r.Header.Get("User-Agent") != "team/1" {
			t.Errorf("%q: headers %v", tag, r.Header)
		}
	}
}

// TestUploadRequest checks what is sent, as the British back end sends it too.
func TestUploadRequest(t *testing.T) {
	for _, padded := range []bool{false, true} {
		signer := newSigner(t, &jws.SignerOptions{Padded: padded})
		s := &script{status: 200, body: `{"batchTag":"t"}`}
		c := start(t, s, &ClientOptions{Signer: signer, Region: ie})
		k := goodKey(t)
		if _, err := c.Upload(t.Context(), &federation.Batch{Tag: `a"b`, Keys: []keys.DiagnosisKey{k}}); err != nil {
			t.Fatal(err)
		}
		if r := s.request; r.Method != "POST" || r.URL.Path != "/upload" || r.Header.Get("Content-Type") != "application/json" ||
			r.Header.Get("Authorization") != "Bearer "+testToken || r.Header.Get("User-Agent") != "gaen" || r.ContentLength != int64(len(s.sent)) {
			t.Errorf("%s %s with %v", r.Method, r.URL, r.Header)
		}
		var sent struct{ BatchTag, Payload string }
		d := json.NewDecoder(strings.NewReader(s.sent))
		d.DisallowUnknownFields()
		if err := d.Decode(&sent); err != nil || sent.BatchTag != `a"b` {
			t.Fatal(s.sent, err)
		}
		message, err := verifierOf(t, signer).Verify(sent.Payload)
		if err != nil || string(message.Payload) != payload(k) {
			t.Errorf("signed is %v, %v", message, err)
		}
		if strings.Contains(sent.Payload, "=") != padded || !strings.HasPrefix(sent.Payload, "eyJhbGciOiJFUzI1NiJ9.") {
			t.Errorf("the JWS is %s", sent.Payload)
		}
	}
}

// TestUploadOfOthersKeys: a server that takes the origin from the token would make
// them keys of this nation.
func TestUploadOfOthersKeys(t *testing.T) {
	s := &script{status: 200, body: "{}"}
	k := goodKey(t)
	k.Origin = de
	_, err := start(t, s, nil).Upload(t.Context(), &federation.Batch{Tag: "t", Keys: []keys.DiagnosisKey{goodKey(t), k}})
	checkError(t, err, federation.ErrDenied, 0)
	if s.request != nil {
		t.Error("it was sent")
	}
	_, err = start(t, s, &ClientOptions{}).Upload(t.Context(), &federation.Batch{Tag: "t"})
	checkError(t, err, federation.ErrDenied, 0)
}

func TestOrigins(t *testing.T) {
	s := newSigner(t, nil)
	for _, tt := range []struct {
		opts   *ClientOptions
		ie, de bool
	}{
		{&ClientOptions{Signer: s, Region: ie}, true, false},
		{&ClientOptions{Signer: s, Region: ie, Extended: true}, true, true},
		{&ClientOptions{Signer: s, Extended: true}, true, true},
		{&ClientOptions{Extended: true}, false, false},
	} {
		got := connect(t, "https://h", tt.opts).Origins()
		if got.Has(ie) != tt.ie || got.Has(de) != tt.de || got.IsEmpty() != (!tt.ie && !tt.de) {
			t.Errorf("%+v: got %+v", tt.opts, got)
		}
	}
}

func TestNewClientRefuses(t *testing.T) {
	signer := newSigner(t, nil)
	token := TokenText(testToken)
	for _, tt := range []struct {
		name, base string
		token      Token
		opts       *ClientOptions
		want       string
	}{
		{"no token", "https://h", nil, nil, "token"},
		{"no URL", "://", token, nil, "base URL"},
		{"no host", "https:///x", token, nil, "base URL"},
		{"no scheme", "h/x", token, nil, "base URL"},
		{"another scheme", "ftp://h", token, nil, "base URL"},
		{"in the clear", "http://h", token, nil, "PlainHTTP"},
		{"a user", "https://u:geheim@h", token, nil, "base URL"},
		{"a query", "https://h?a=b", token, nil, "base URL"},
		{"an empty query", "https://h?", token, nil, "base URL"},
		{"a fragment", "https://h#a", token, nil, "base URL"},
		{"a region without a signer", "https://h", token, &ClientOptions{Region: ie}, "Signer"},
		{"a signer without a region", "https://h", token, &ClientOptions{Signer: signer}, "Region"},
		{"a header as user agent", "https://h", token, &ClientOptions{UserAgent: "a\r\nb"}, "UserAgent"},
		{"negative timeout", "https://h", token, &ClientOptions{Timeout: -1}, "Timeout"},
		{"negative page", "https://h", token, &ClientOptions{MaxPage: -1}, "MaxPage"},
		{"negative keys", "https://h", token, &ClientOptions{MaxKeys: -1}, "MaxKeys"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := NewClient(tt.base, tt.token, tt.opts); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("got %v, want it to name %s", err, tt.want)
			}
		})
	}
	for _, base := range []string{"http://127.0.0.1:8080", "http://[::1]/", "http://localhost/x/"} {
		if c, err := NewClient(base, token, nil); err != nil || strings.HasSuffix(c.String(), "/") {
			t.Error(c, err)
		}
	}
	if _, err := NewClient("http://h", token, &ClientOptions{PlainHTTP: true}); err != nil {
		t.Error(err)
	}
}

// TestRedirectsAreNotFollowed: the token is for one server.
func TestRedirectsAreNotFollowed(t *testing.T) {
	other := &script{status: 200, body: `{"batchTag":"t","exposures":[]}`}
	elsewhere := httptest.NewServer(other)
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		c := start(t, &script{status: status, header: map[string]string{"Location": elsewhere.URL}}, &ClientOptions{
			Signer: newSigner(t, nil), Region: ie,
			HTTPClient: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }},
		})
		_, err := c.Download(t.Context(), federation.Place{})
		checkError(t, err, federation.ErrUnavailable, status)
		_, err = c.Upload(t.Context(), &federation.Batch{Tag: "t"})
		checkError(t, err, federation.ErrUnavailable, status)
	}
	if other.request != nil {
		t.Error("a redirect was followed")
	}
}

// TestBounded: neither the size nor the time of an answer is the server's to choose.
func TestBounded(t *testing.T) {
	exposures := func(n int) string {
		return `{"batchTag":"t","exposures":[` + strings.Repeat("{},", n-1) + "{}]}"
	}
	for _, tt := range []struct {
		name   string
		answer script
		ok     bool
	}{
		{"as many keys as allowed", script{status: 200, body: exposures(100)}, true},
		{"one more", script{status: 200, body: exposures(101)}, false},
		{"as many bytes as allowed", script{status: 200, body: exposures(1) + strings.Repeat(" ", 10_000-len(exposures(1)))}, true},
		{"one more byte", script{status: 200, body: exposures(1) + strings.Repeat(" ", 10_001-len(exposures(1)))}, false},
		{"a bomb", script{status: 200, header: map[string]string{"Content-Encoding": "gzip"}, body: bomb(t, 20<<20)}, false},
		{"gzip", script{status: 200, header: map[string]string{"Content-Encoding": "gzip"}, body: zipped(t, exposures(3))}, true},
		{"deep JSON", script{status: 200, body: `{"batchTag":"t","x":` + strings.Repeat("[", 4000)}, false},
		{"a long answer to an error", script{status: 503, body: strings.Repeat("x", 100_000)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			page, err := start(t, &tt.answer, &ClientOptions{MaxPage: 10_000, MaxKeys: 100}).Download(t.Context(), federation.Place{})
			if tt.ok != (err == nil && page != nil) {
				t.Fatal(page, err)
			}
			if !tt.ok {
				checkError(t, err, federation.ErrUnavailable, tt.answer.status)
			}
		})
	}
}

// TestEndless: no more is read of an answer than is allowed, however much there is.
func TestEndless(t *testing.T) {
	for status, limit := range map[int]int{200: 3 << 20, 503: remote.MaxAnswer} {
		c := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			for block := make([]byte, 1<<16); ; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}), &ClientOptions{MaxPage: 3 << 20, Timeout: 20 * time.Second})
		_, err := c.Download(t.Context(), federation.Place{})
		if want := fmt.Sprintf("more than %d bytes", limit); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("status %d: got %v, want %s", status, err, want)
		}
	}
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// bomb returns n zeros, compressed.
func bomb(t *testing.T, n int) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for block := make([]byte, 1<<20); n > 0; n -= len(block) {
		if _, err := z.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestNoAnswer: whatever goes wrong on the way is no answer, and quotes none.
func TestNoAnswer(t *testing.T) {
	secret := goodExposure()
	for _, tt := range []struct {
		name  string
		serve func(net.Conn)
		want  error // beside the class; nil for any
	}{
		{"hangs up", func(c net.Conn) {}, io.EOF},
		{"speaks another protocol", func(c net.Conn) { io.WriteString(c, secret+"\r\n\r\n") }, nil},
		{"a status that is none", func(c net.Conn) { io.WriteString(c, "HTTP/1.1 "+secret+"\r\n\r\n") }, nil},
		{"a header that is none", func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\n"+secret+"\r\n\r\n") }, nil},
		{"a redirect to nowhere", func(c net.Conn) { io.WriteString(c, "HTTP/1.1 302 Found\r\nLocation: http://["+secret+"\r\n\r\n") }, nil},
		{"ends in the middle", func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"+secret) }, io.ErrUnexpectedEOF},
		{"a chunk that is none", func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+secret+"\r\n")
		}, nil},
		{"not gzip", func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 40\r\n\r\n"+secret[:40])
		}, nil},
		{"never answers", func(c net.Conn) { time.Sleep(3 * time.Second) }, context.DeadlineExceeded},
		{"never ends", func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
			time.Sleep(3 * time.Second)
		}, context.DeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						defer c.Close()
						c.Read(make([]byte, 4096))
						tt.serve(c)
					}()
				}
			}()
			client := connect(t, "http://"+l.Addr().String(), &ClientOptions{Timeout: 1500 * time.Millisecond, HTTPClient: &http.Client{Transport: &http.Transport{}}})
			_, err = client.Download(t.Context(), federation.Place{})
			e, _ := errors.AsType[*Error](err)
			if e == nil || !errors.Is(err, federation.ErrUnavailable) || tt.want != nil && !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			checkError(t, err, federation.ErrUnavailable, e.Status)
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		_, err := connect(t, server.URL, nil).Download(t.Context(), federation.Place{})
		checkError(t, err, federation.ErrUnavailable, 0)
		if !strings.Contains(err.Error(), "refused") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a certificate that nobody knows", func(t *testing.T) {
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		server.StartTLS()
		defer server.Close()
		_, err := connect(t, server.URL, nil).Download(t.Context(), federation.Place{})
		checkError(t, err, federation.ErrUnavailable, 0)
		if !strings.Contains(err.Error(), "certificate") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := start(t, &script{status: 204}, nil).Download(ctx, federation.Place{})
		checkError(t, err, federation.ErrUnavailable, 0)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// TestTokens: the token is asked for each time, and never sent if it would become
// something else.
func TestTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	s := &script{status: 204}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c, err := NewClient(server.URL, TokenFile(path), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Download(t.Context(), federation.Place{})
	checkError(t, err, federation.ErrUnavailable, 0)
	for _, token := range []string{"one", "two\n", " three "} {
		if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Download(t.Context(), federation.Place{}); err != nil {
			t.Fatal(err)
		}
		if got := s.request.Header.Get("Authorization"); got != "Bearer "+strings.TrimSpace(token) {
			t.Errorf("got %q", got)
		}
	}
	s.request = nil
	for _, token := range []string{"", " \n", "a b", "a\r\nX: y", "ä", "a\x00b", strings.Repeat("x", maxToken+1)} {
		if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := c.Download(t.Context(), federation.Place{})
		e := checkError(t, err, federation.ErrUnavailable, 0)
		if s.request != nil || token != "" && strings.Contains(e.Error(), token) {
			t.Errorf("%.20q: %v", token, err)
		}
	}
	failing := errors.New("vault is sealed")
	c, err = NewClient(server.URL, func(context.Context) (string, error) { return "", failing }, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Download(t.Context(), federation.Place{}); !errors.Is(err, failing) {
		t.Errorf("got %v", err)
	}
}

// TestClientPrints nothing but the base URL.
func TestClientPrints(t *testing.T) {
	c := connect(t, "https://h/x", nil)
	for _, format := range []string{"%v", "%s"} {
		if got := fmt.Sprintf(format, c); got != "https://h/x" {
			t.Errorf("%s: %s", format, got)
		}
	}
}

// FuzzPage reads whatever a server hands out: it is a page, no page, or an error of
// the protocol's without what was handed out.
func FuzzPage(f *testing.F) {
	f.Add([]byte(`{"batchTag":"t","exposures":[` + goodExposure() + `,{}]}`))
	f.Add([]byte(`{"batchTag":17,"exposures":null}`))
	f.Add([]byte(`{"exposures":[],"exposures":[{}]}`))
	f.Add([]byte("null"))
	c, err := NewClient("https://h", TokenText(testToken), &ClientOptions{MaxKeys: 50})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		at := federation.Place{Day: 18000, Tag: "before"}
		page, err := c.page(at, &remote.Answer{Status: 200, Body: body})
		if err != nil {
			checkError(t, err, federation.ErrUnavailable, 200)
			return
		}
		if page == nil {
			return
		}
		if page.Tag == "" || len(page.Tag) > federation.MaxTag || page.Next != (federation.Place{Day: 18000, Tag: page.Tag}) || len(page.Keys)+len(page.Unreadable) > 50 {
			t.Errorf("got %+v", page)
		}
		again, err := appendPage(page, true)
		if err != nil {
			t.Fatal(err)
		}
		back, err := (&Client{opts: ClientOptions{MaxKeys: 50, Extended: true}}).page(at, &remote.Answer{Status: 200, Body: again})
		if err != nil || back.Tag != page.Tag || len(back.Keys) != len(page.Keys) || len(back.Unreadable) != 0 {
			t.Errorf("written again it is %+v, %v", back, err)
		}
		for i := range back.Keys {
			if back.Keys[i] != page.Keys[i] {
				t.Errorf("key %d is %+v, was %+v", i, back.Keys[i], page.Keys[i])
			}
		}
	})
}
