package federationtest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// fetched returns the status and body of one request, -1 if it breaks off before
// there is a status, and whether the body was whole.
func fetched(t *testing.T, r *http.Request) (status int, body string, whole bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	transport := &http.Transport{DisableKeepAlives: true} // which would try again
	resp, err := transport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return -1, "", false
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	return resp.StatusCode, string(b), err == nil
}

// TestVerdicts has each verdict answer a download and an upload: by which status,
// with what in the body, and whether what was asked for was done.
func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		name     string
		verdict  Verdict
		download int
		holds    string // in the page
		lacks    string
		whole    bool
		upload   int
		stored   bool
	}{
		{"pass", Pass, 200, `"exposures":[{`, "null", true, 200, true},
		{"fail", Fail, -1, "", "", false, -1, false},
		{"fail-after", FailAfter, -1, "", "", false, -1, true},
		{"timeout-after", TimeoutAfter, 504, "", "", true, 504, true},
		{"stall", Stall, -1, "", "", false, -1, false},
		{"half", Half, 200, `{"batchTag"`, "]}", false, 200, true},
		{"partial", Partial, 200, `{"batchTag"`, "]}", true, 200, true},
		{"trickle", Trickle, 200, "]}", "", true, 200, true},
		{"drip", Drip, 200, "{ ", "]}", false, 200, true},
		{"endless", Endless, 200, "{   ", "]}", true, 200, true},
		{"bomb", Bomb, 200, "     ", "]}", true, 200, true},
		{"blank", Blank, 200, "", "{", true, 200, false},
		{"null", NullBody, 200, "null", "{", true, 200, false},
		{"html", HTML, 200, "<html>", "{", true, 200, false},
		{"nested", Nested, 200, "[[[[", "{", true, 200, false},
		{"odd", Odd, 200, "CONFIRMED_TEST", "", true, 200, true},
		{"null exposures", NullExposures, 200, `"exposures":null`, "[", true, 200, true},
		{"no exposures", NoExposures, 200, "batchTag", "exposures", true, 200, true},
		{"no tag", NoTag, 200, "exposures", "batchTag", true, 200, true},
		{"long tag", LongTag, 200, "tttttttttt", "", true, 200, true},
		{"silence", Silence, 204, "", "{", true, 200, true},
		{"quote", Quote, 500, "Bearer good.", "", true, 500, false},
		{"no key found", NoKeyFound, 200, `"exposures":[{`, "", true, 500, false},
		{"not null", NotNull, 200, `"exposures":[{`, "", true, 500, false},
		{"410", 410, 410, "on purpose", "", true, 410, false},
		{"302", 302, 302, "", "", true, 302, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, e := newEndpoint(t, nil)
			x := &examination{ctx: t.Context(), nations: e.Nations, opts: &EndpointOptions{Now: time.Now}}
			theirs, err := x.sealed(1, x.exposures(5))
			if err != nil {
				t.Fatal(err)
			}
			if status, _, _ := fetched(t, uploadRequest(t, e, 1, theirs)); status != 200 {
				t.Fatal(status)
			}
			s.SetHook(Always(c.verdict))
			req, err := http.NewRequest(http.MethodGet, e.URL+"/download/2020-01-01", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+e.Nations[0].Token)
			status, body, whole := fetched(t, req)
			if status != c.download || whole != c.whole {
				t.Errorf("download: status %d, whole %t; want %d, %t", status, whole, c.download, c.whole)
			}
			if !strings.Contains(body, c.holds) || c.lacks != "" && strings.Contains(body, c.lacks) {
				t.Errorf("download: %d bytes, which do not hold %q, or hold %q", len(body), c.holds, c.lacks)
			}
			mine, err := x.sealed(0, x.exposures(3))
			if err != nil {
				t.Fatal(err)
			}
			if status, _, _ := fetched(t, uploadRequest(t, e, 0, mine)); status != c.upload {
				t.Errorf("upload: status %d, want %d", status, c.upload)
			}
			if n := s.Keys(ie); (n == 3) != c.stored || (n == 0) == c.stored {
				t.Errorf("upload: %d keys were stored, want all to be %t", n, c.stored)
			}
		})
	}
}

func uploadRequest(t *testing.T, e *Endpoint, nation int, message string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, e.URL+"/upload", strings.NewReader(string(envelope(newUUID(), message))))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+e.Nations[nation].Token)
	r.Header.Set("Content-Type", "application/json")
	return r
}

// TestFaithfulUploads holds the faithful server to what the real one was measured to
// answer to one odd exposure beside a good one, and to what it hands out then.
func TestFaithfulUploads(t *testing.T) {
	good := strangeKey()
	for _, c := range []struct {
		name     string
		exposure json.RawMessage
		status   int
		says     string
		out      string // as it is handed out
	}{
		{"8 bytes", changed(good, "keyData", "AAAAAAAAAAA="), 400, "Invalid key length", ""},
		{"no key data", changed(good, "keyData", absent), 500, "ERR_INVALID_ARG_TYPE", ""},
		{"base64url", changed(good, "keyData", "-__--__--__--__--__--w"), 200, `"insertedExposures":2`, `"-__--__--__--__--__--w"`},
		{"junk inside", changed(good, "keyData", "2xqYNH7m\n*VXGRKE7+K6NXHg=="), 200, `"insertedExposures":2`, `2xqYNH7m\n*VXGRKE7+K6NXHg==`},
		{"an array", changed(good, "keyData", []int{235, 169, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}), 200, `"insertedExposures":2`, `"[235,169,3`},
		{"no test type", changed(good, "testType", absent), 500, "23502", ""},
		{"no onset", changed(good, "daysSinceOnset", nil), 200, `"insertedExposures":2`, `"daysSinceOnset":0`},
		{"no regions", changed(good, "regions", nil), 200, `"insertedExposures":2`, `"regions":[]`},
		{"regions a string", changed(good, "regions", "IE"), 500, "regions", ""},
		{"a period of ten days", changed(good, "rollingPeriod", 1440), 200, `"insertedExposures":2`, `"rollingPeriod":1440`},
		{"more than int4", changed(good, "rollingStartNumber", 1<<40), 500, "22003", ""},
		{"a name", changed(good, "reportType", "CONFIRMED_TEST"), 500, "22P02", ""},
		{"a number as text", changed(good, "rollingPeriod", "144"), 200, `"insertedExposures":2`, `"rollingPeriod":144`},
		{"null", json.RawMessage("null"), 500, "500", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, e := newEndpoint(t, &ServerOptions{Faithful: true})
			x := &examination{ctx: t.Context(), nations: e.Nations, opts: &EndpointOptions{Now: time.Now}}
			message, err := x.sealed(1, []json.RawMessage{marshal(strangeKey()), c.exposure})
			if err != nil {
				t.Fatal(err)
			}
			status, body, _ := fetched(t, uploadRequest(t, e, 1, message))
			if status != c.status || !strings.Contains(body, c.says) {
				t.Errorf("status %d, want %d and %q", status, c.status, c.says)
			}
			if stored := s.Keys(gi); stored != map[bool]int{true: 2, false: 0}[c.status == 200] {
				t.Errorf("%d keys are stored", stored)
			}
			if c.status != 200 {
				return
			}
			if page := s.page(0, 0); !strings.Contains(string(page.body), c.out) {
				t.Errorf("%q is not handed out", c.out)
			}
		})
	}
}
