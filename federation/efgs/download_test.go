package efgs

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/federationtest"
	"github.com/gaenkit/gaen/keys"
)

// read returns the pages from a place on, as a pull reads them.
func read(t *testing.T, c *Client, at federation.Place) (pages []*federation.Page) {
	t.Helper()
	for range 50 {
		page, err := c.Download(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		if page == nil {
			return pages
		}
		pages, at = append(pages, page), page.Next
	}
	t.Fatal("it has no end")
	return nil
}

func tagsOf(pages []*federation.Page) string {
	var tags []string
	for _, p := range pages {
		tags = append(tags, fmt.Sprintf("%s:%d", p.Tag, len(p.Keys)))
	}
	return strings.Join(tags, " ")
}

// asked returns the downloads that the gateway was asked for.
func (e *europe) asked() string {
	var all []string
	for _, r := range e.gateway.Requests() {
		if r.Route == federationtest.RouteDownload {
			all = append(all, r.Date[8:]+"/"+r.Tag)
		}
	}
	return strings.Join(all, " ")
}

// TestDownload: the batches in order, over midnight, without our own keys; "null" is
// asked about again; a batch is asked for once.
func TestDownload(t *testing.T) {
	for _, format := range []Format{Protobuf, JSON} {
		e := newEurope(t, nil)
		fr := e.newKeys("FR", 7)
		e.upload("FR", "1", fr[:3])
		e.upload("DE", "2", e.newKeys("DE", 2))
		e.gateway.Assemble()
		e.upload("DE", "3", e.newKeys("DE", 2)) // a batch of our own alone
		e.gateway.Assemble()
		c := e.client("DE", &ClientOptions{Format: format})
		pages := read(t, c, federation.Place{Day: today})
		if got := tagsOf(pages); got != "20210602-1:3 20210602-2:0" {
			t.Errorf("%s: got %s", format, got)
		}
		if !slices.Equal(pages[0].Keys, fr[:3]) {
			t.Errorf("%s: the keys are not those uploaded, in their order", format)
		}
		if got := e.asked(); got != "02/ 02/20210602-2 02/20210602-2" {
			t.Errorf("%s: asked for %s", format, got)
		}
		e.clock.add(13 * time.Hour) // over midnight
		at := pages[1].Next
		if got := read(t, c, at); len(got) != 0 {
			t.Errorf("%s: got %s", format, tagsOf(got))
		}
		e.upload("FR", "4", fr[3:])
		e.gateway.Assemble()
		next := read(t, c, at)
		if got := tagsOf(next); got != "20210603-1:4" || next[0].Next != (federation.Place{Day: today + 1, Tag: "20210603-1"}) {
			t.Errorf("%s: got %s, next %v", format, got, next[0].Next)
		}
		if got := tagsOf(read(t, e.client("DE", nil), federation.Place{Day: today + 1})); got != "20210603-1:4" {
			t.Errorf("%s: by date: %s", format, got)
		}
		if got := tagsOf(read(t, e.client("DE", nil), federation.Place{Day: today - 1})); got != "20210602-1:3 20210602-2:0 20210603-1:4" {
			t.Errorf("%s: from the day before: %s", format, got)
		}
		if got := tagsOf(read(t, e.client("AT", nil), federation.Place{Day: today + 2})); got != "" {
			t.Errorf("%s: of a day to come: %s", format, got)
		}
	}
}

func TestDownloadGone(t *testing.T) {
	e := newEurope(t, nil)
	e.upload("FR", "1", e.newKeys("FR", 3))
	e.gateway.Assemble()
	e.clock.add(3 * 24 * time.Hour)
	c := e.client("DE", nil)
	for _, at := range []federation.Place{{Day: today}, {Day: today, Tag: "20210602-1"}, {Day: today + 3, Tag: "20210602-1"}} {
		if _, err := c.Download(t.Context(), at); classOf(err) != federation.ErrGone {
			t.Errorf("%v: got %v, want gone", at, err)
		}
	}
}

// TestDownloadUnknownTag: the gateway has lost its batches. What it has of the day
// is read from the beginning.
func TestDownloadUnknownTag(t *testing.T) {
	e := newEurope(t, nil)
	c := e.client("DE", nil)
	at := federation.Place{Day: today, Tag: "20210602-9"}
	if page, err := c.Download(t.Context(), at); classOf(err) != federation.ErrUnavailable || page != nil {
		t.Errorf("a gateway without any batch: %v, %v", page, err)
	}
	e.upload("FR", "1", e.newKeys("FR", 3))
	e.gateway.Assemble()
	e.upload("FR", "2", e.newKeys("FR", 2))
	e.gateway.Assemble()
	if got := tagsOf(read(t, c, at)); got != "20210602-1:3 20210602-2:2" {
		t.Errorf("got %s", got)
	}
	opaque := federation.Place{Day: today - 1, Tag: "opaque"}
	if got := tagsOf(read(t, c, opaque)); got != "20210602-1:3 20210602-2:2" {
		t.Errorf("a tag of another form: got %s", got)
	}
}

// TestDownloadByTheDayOfTheTag: the day of the place may be one that the gateway no
// longer keeps.
func TestDownloadByTheDayOfTheTag(t *testing.T) {
	e := newEurope(t, nil)
	for i := range 2 {
		e.upload("FR", fmt.Sprint(i), e.newKeys("FR", 3))
		e.gateway.Assemble()
	}
	at := federation.Place{Day: today - 9, Tag: "20210602-1"}
	if got := tagsOf(read(t, e.client("DE", nil), at)); got != "20210602-2:3" {
		t.Errorf("got %s", got)
	}
}

func TestDownloadIsBounded(t *testing.T) {
	body := string(Protobuf.Append(nil, []DiagnosisKey{synthetic()}))
	url := answering(t, 200, map[string]string{"batchTag": "a", "Content-Type": "application/protobuf"}, body)
	for limit, want := range map[int]bool{len(body): true, len(body) - 1: false} {
		c := must(NewClient(url, de, &ClientOptions{MaxPage: int64(limit)}))
		if page, err := c.Download(t.Context(), federation.Place{Day: today}); (page != nil) != want || (err == nil) != want {
			t.Errorf("%d bytes where %d may be: %v, %v", len(body), limit, page, err)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	e := newEurope(t, nil)
	redirect := serving(t, http.RedirectHandler(e.http.URL+"/diagnosiskeys/download/2021-06-02", http.StatusFound))
	n := e.nations["DE"]
	c := must(NewClient(redirect, de, &ClientOptions{HTTPClient: http.DefaultClient, Header: n.Header()}))
	if _, err := c.Download(t.Context(), federation.Place{Day: today}); classOf(err) != federation.ErrUnavailable {
		t.Errorf("got %v", err)
	}
	if n := len(e.gateway.Requests()); n != 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
}

// TestDownloadForgetsWhatWasWrong: an answer that named a batch that there is not
// stands in the way of one request, and not for as long as the process lives.
func TestDownloadForgetsWhatWasWrong(t *testing.T) {
	e := newEurope(t, nil)
	for i := range 2 {
		e.upload("FR", fmt.Sprint(i), e.newKeys("FR", 3))
		e.gateway.Assemble()
	}
	wrong := true
	e.between(t, func(_ *http.Request, a *recorded) {
		if wrong {
			a.header.Set("nextBatchTag", "20210602-99")
		}
		wrong = false
	})
	c := e.client("DE", nil)
	page := must(c.Download(t.Context(), federation.Place{Day: today}))
	if _, err := c.Download(t.Context(), page.Next); classOf(err) != federation.ErrUnavailable {
		t.Errorf("got %v", err)
	}
	if got := tagsOf(read(t, c, page.Next)); got != "20210602-2:3" {
		t.Errorf("got %s", got)
	}
}

// TestDownloadAroundMidnight: the tag has the day after the one that the gateway
// keeps the batch under.
func TestDownloadAroundMidnight(t *testing.T) {
	s := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "2021-06-02") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("batchTag", r.Header.Get("batchTag"))
		next := map[string]string{"20210603-1": "20210603-2", "20210603-2": "null"}
		w.Header().Set("nextBatchTag", next[r.Header.Get("batchTag")])
	})
	c := must(NewClient(serving(t, s), de, nil))
	if got := tagsOf(read(t, c, federation.Place{Day: today + 1, Tag: "20210603-1"})); got != "20210603-2:0" {
		t.Errorf("got %s", got)
	}
}

// TestDownloadAnswers is what each answer means, with and without a tag.
func TestDownloadAnswers(t *testing.T) {
	body := string(Protobuf.Append(nil, []DiagnosisKey{synthetic()}))
	text := string(JSON.Append(nil, []DiagnosisKey{synthetic()}))
	type header = map[string]string
	for _, c := range []struct {
		name   string
		status int
		header header
		body   string
		want   string // the page; "" for none
		class  error
	}{
		{"a batch", 200, header{"batchTag": "a", "nextBatchTag": "null", "Content-Type": "application/protobuf; version=1.0"}, body, "a:1", nil},
		{"in the other format", 200, header{"batchTag": "a", "Content-Type": "application/json; version=1.0"}, text, "a:1", nil},
		{"without a version", 200, header{"batchTag": "a", "Content-Type": "application/protobuf"}, body, "a:1", nil},
		{"empty", 200, header{"batchTag": "a", "Content-Type": "application/protobuf; version=1.0"}, "", "a:0", nil},
		{"empty JSON", 200, header{"batchTag": "a", "Content-Type": "application/json"}, "{}", "a:0", nil},
		{"nothing in it (CWA 819)", 200, header{"batchTag": "null", "nextBatchTag": "null", "Content-Type": "application/protobuf"}, "", "", nil},
		{"keys without a tag", 200, header{"batchTag": "null", "Content-Type": "application/protobuf"}, body, "", federation.ErrUnavailable},
		{"version 2.0", 200, header{"batchTag": "a", "Content-Type": "application/protobuf; version=2.0"}, body, "", federation.ErrUnavailable},
		{"HTML", 200, header{"batchTag": "a", "Content-Type": "text/html"}, "<html>", "", federation.ErrUnavailable},
		{"HTML as protobuf", 200, header{"batchTag": "a", "Content-Type": "application/protobuf"}, "<html>", "", federation.ErrUnavailable},
		{"broken off", 200, header{"batchTag": "a", "Content-Type": "application/protobuf"}, body[:10], "", federation.ErrUnavailable},
		{"too long", 200, header{"batchTag": "a", "Content-Type": "application/protobuf"}, strings.Repeat(body, 20), "", federation.ErrUnavailable},
		{"too many keys", 200, header{"batchTag": "a", "Content-Type": "application/protobuf"}, strings.Repeat("\x0a\x00", 12), "", federation.ErrUnavailable},
		{"nothing yet", 404, nil, "", "", nil},
		{"gone", 410, nil, "", "", federation.ErrGone},
		{"400", 400, nil, "", "", federation.ErrUnavailable},
		{"401", 401, nil, "", "", federation.ErrDenied},
		{"403", 403, nil, "", "", federation.ErrDenied},
		{"406", 406, nil, "", "", federation.ErrUnavailable},
		{"415", 415, nil, "", "", federation.ErrUnavailable},
		{"429", 429, nil, "", "", federation.ErrThrottled},
		{"302", 302, header{"Location": "https://elsewhere.example"}, "", "", federation.ErrUnavailable},
		{"204", 204, nil, "", "", federation.ErrUnavailable},
		{"500", 500, nil, "", "", federation.ErrUnavailable},
		{"503", 503, nil, "", "", federation.ErrUnavailable},
	} {
		client := must(NewClient(answering(t, c.status, c.header, c.body), de, &ClientOptions{MaxPage: 1000, MaxKeys: 10}))
		page, err := client.Download(t.Context(), federation.Place{Day: today})
		got := ""
		if page != nil {
			got = tagsOf([]*federation.Page{page})
		}
		if got != c.want || classOf(err) != c.class {
			t.Errorf("%s: got %q, %v", c.name, got, err)
		}
		if page != nil && (page.Next != federation.Place{Day: today, Tag: "a"}) {
			t.Errorf("%s: next is %v", c.name, page.Next)
		}
	}
	for name, h := range map[string]header{
		"another batch":   {"batchTag": "b", "nextBatchTag": "c"},
		"the same next":   {"batchTag": "a", "nextBatchTag": "a"},
		"no next":         {"batchTag": "a"},
		"an empty next":   {"batchTag": "a", "nextBatchTag": " "},
		"no tag, no next": {},
	} {
		client := must(NewClient(answering(t, 200, h, ""), de, nil))
		page, err := client.Download(t.Context(), federation.Place{Day: today, Tag: "a"})
		switch name {
		case "another batch", "no tag, no next": // an empty answer is not an empty batch
			if classOf(err) != federation.ErrUnavailable {
				t.Errorf("%s: %v, %v", name, page, err)
			}
		case "the same next": // which a pull says, and ends
			if err != nil || page.Tag != "a" {
				t.Errorf("%s: %v, %v", name, page, err)
			}
		default:
			if page != nil || err != nil {
				t.Errorf("%s: %v, %v", name, page, err)
			}
		}
	}
}

// TestDownloadSetsAside: keys that are none do not take their neighbours with them.
func TestDownloadSetsAside(t *testing.T) {
	e := newEurope(t, &federationtest.EFGSOptions{})
	all := e.newKeys("FR", 5)
	e.upload("FR", "1", all)
	e.gateway.Assemble()
	e.gateway.SetHook(federationtest.Always(federationtest.Odd))
	page, err := e.client("DE", nil).Download(t.Context(), federation.Place{Day: today})
	if err != nil || !slices.Equal(page.Keys, all) || len(page.Unreadable) != 9 {
		t.Fatalf("got %v, %v", page, err)
	}
	reasons := map[string]bool{}
	for _, a := range page.Unreadable {
		reasons[string(a.Field)+"/"+string(a.Reason)] = true
	}
	for _, want := range []string{"key_data/malformed", "origin/malformed", "key_data/length", "rolling_period/range", "report_type/range", "days_since_onset_of_symptoms/range", "transmission_risk_level/range"} {
		if !reasons[want] {
			t.Errorf("nothing is set aside for %s: %v", want, reasons)
		}
	}
}

func TestPullOptions(t *testing.T) {
	o := must(NewClient("https://efgs.example", de, nil)).PullOptions()
	if o.Settle >= 0 || o.Silence >= 0 || o.Retention != 48*time.Hour || o.History != 48*time.Hour || !o.Reject.Origins.Has(de) || o.Reject.Origins.Has(keys.MustRegion("FR")) {
		t.Errorf("got %+v", o)
	}
}

func serving(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}
