package federationtest

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
)

var efgsFetchClauses = []efgsClause{
	{"page", "Download must return the keys of the batch, with every field as it was signed.", efgsPage},
	{"page-json", "A client that asks for JSON must be given the same keys by it.", efgsPageJSON},
	{"page-format", "An answer in another format than the one that was asked for must be read as what it says that it is.", efgsPageFormat},
	{"page-request", "A download must be a GET of /diagnosiskeys/download/yyyy-mm-dd, with the type and its version in Accept, and the tag, or none, in batchTag.", efgsPageRequest},
	{"page-nothing", "404 without a tag must be that there is no batch yet: nil.", efgsPageNothing},
	{"page-blank", "200 without a tag and a body must be as 404: the gateway was seen to answer so.", efgsPageBlank},
	{"pages-follow", "Each batch must lead to the one that it says is next, and each must be returned once.", efgsPagesFollow},
	{"page-null", "A nextBatchTag that is null, empty or missing must be that nothing follows yet: nil, and later what does.", efgsPageNull},
	{"page-later-day", "The first batch of a day may be of a later one: it must be taken.", efgsPageLaterDay},
	{"page-over-midnight", "Batches must be followed over midnight.", efgsPageOverMidnight},
	{"page-day-of-tag", "The date that goes with a tag must be the tag's own day: one that the gateway no longer keeps is 410, whatever the tag.", efgsPageDayOfTag},
	{"page-unknown-tag", "404 to a tag that was given must not be taken for the end.", efgsPageUnknownTag},
	{"page-empty", "A batch without keys is a page: the next comes after it.", efgsPageEmpty},
	{"page-bad-key-alone", "What is no key must be in Page.Unreadable, each, and its neighbours, whose signature is good, in Page.Keys.", efgsPageBadKeyAlone},
	{"page-revoked", "A key of the report type REVOKED must be returned as one.", efgsPageRevoked},
	{"page-repeated", "A batch that says that it follows itself must be returned as it is: whether that is a loop is for Pull to say.", efgsPageRepeated},
	{"page-another", "Another batch than the one that was asked for must not be taken for it.", efgsPageAnother},
	{"page-without-tag", "A batch without a tag leads nowhere: it must be an error of the class ErrUnavailable.", efgsPageVerdict(NoTag)},
	{"page-long-tag", "A tag of more than MaxTag bytes is no tag: it must be an error of the class ErrUnavailable.", efgsPageVerdict(LongTag)},
	{"concurrent", "Calls from several goroutines must not get in each other's way.", efgsConcurrent},
}

func efgsPage(x *efgsTrial) error {
	want := x.hand(40)
	page, err := x.download(Pass)
	if err != nil {
		return err
	}
	return wantPage(page, want)
}

// wantPage returns an error if a page is not of these keys and no others.
func wantPage(page *federation.Page, want []keys.DiagnosisKey) error {
	if page != nil && len(page.Unreadable) > 0 {
		return fmt.Errorf("%d keys were set aside", len(page.Unreadable))
	}
	return wantKeys(page, want)
}

func efgsPageJSON(x *efgsTrial) error {
	want := x.hand(20)
	a := x.account(0)
	a.JSON = true
	page, err := x.make(a).Download(x.ctx, x.first())
	if err != nil {
		return err
	}
	if accept := x.heard(0)[0].header.Get("Accept"); !mediaIs(accept, "application/json") {
		return fmt.Errorf("header Accept is %q", accept)
	}
	return wantPage(page, want)
}

func efgsPageFormat(x *efgsTrial) error {
	want := x.hand(10)
	for _, asJSON := range []bool{false, true} {
		a := x.account(0)
		a.JSON = asJSON
		x.put(func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/download/") && !strings.Contains(r.URL.Path, "/audit/") {
				r.Header.Set("Accept", map[bool]string{true: mediaProtobuf, false: mediaJSON}[asJSON])
			}
			return false
		}, nil)
		page, err := x.make(a).Download(x.ctx, x.first())
		if err != nil {
			return err
		}
		if err := wantPage(page, want); err != nil {
			return err
		}
	}
	return nil
}

func efgsPageRequest(x *efgsTrial) error {
	x.hand(1)
	page, err := x.download(Pass)
	if err != nil {
		return err
	}
	r := x.heard(0)[0]
	switch {
	case r.method != http.MethodGet || r.path != "/diagnosiskeys/download/"+x.first().Day.String():
		return fmt.Errorf("the request is %s %s", r.method, r.path)
	case !mediaIs(r.header.Get("Accept"), "application/protobuf"):
		return fmt.Errorf("header Accept is %q", r.header.Get("Accept"))
	case r.header.Get(headerBatchTag) != "":
		return errors.New("there is a batchTag")
	}
	n := len(x.heard(0))
	if _, err := x.make(x.account(0)).Download(x.ctx, page.Next); err != nil { // one that remembers nothing
		return err
	}
	for _, r := range x.heard(n) {
		if r.header.Get(headerBatchTag) == page.Tag && r.path == "/diagnosiskeys/download/"+page.Next.Day.String() {
			return nil
		}
	}
	return errors.New("the batch of the place was not asked for")
}

// wantNothing returns an error unless nothing was found.
func wantNothing(what string, page *federation.Page, err error) error {
	if page != nil || err != nil {
		return fmt.Errorf("%s: got a page or the error %v, want neither", what, err)
	}
	return nil
}

func efgsPageNothing(x *efgsTrial) error {
	page, err := x.download(Pass)
	return wantNothing("no batch yet", page, err)
}

func efgsPageBlank(x *efgsTrial) error {
	page, err := x.download(Blank)
	return wantNothing("200 without anything", page, err)
}

// follow reads what follows a place.
func (x *efgsTrial) follow(at *federation.Place, want []keys.DiagnosisKey) error {
	page, err := x.client.Download(x.ctx, *at)
	if err != nil {
		return err
	}
	if err := wantPage(page, want); err != nil {
		return err
	}
	if page.Tag == "" || page.Next.Tag != page.Tag {
		return errors.New("the place after the page is not its tag")
	}
	*at = page.Next
	return nil
}

func efgsPagesFollow(x *efgsTrial) error {
	var all [][]keys.DiagnosisKey
	for range 4 {
		all = append(all, x.hand(3))
	}
	at := x.first()
	for i, want := range all {
		if i == 2 { // and by one that remembers nothing
			x.client = &listening{&x.overheard, x.make(x.account(0))}
		}
		if err := x.follow(&at, want); err != nil {
			return fmt.Errorf("batch %d: %w", i, err)
		}
	}
	page, err := x.client.Download(x.ctx, at)
	return wantNothing("after the last batch", page, err)
}

func efgsPageNull(x *efgsTrial) error {
	for what, value := range map[string]string{"null": "null", "empty": "", "missing": "-"} {
		x.put(nil, func(r *http.Request, a *httptest.ResponseRecorder) {
			if a.Header().Get(headerNext) != "null" {
				return
			}
			a.Header().Set(headerNext, value)
			if value == "-" {
				a.Header().Del(headerNext)
			}
		})
		at := x.first()
		x.hand(2)
		for {
			page, err := x.client.Download(x.ctx, at)
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			if page == nil {
				break
			}
			at = page.Next
		}
		page, err := x.client.Download(x.ctx, at)
		if err := wantNothing(what+", again", page, err); err != nil {
			return err
		}
		if err := x.follow(&at, x.hand(2)); err != nil {
			return fmt.Errorf("%s, and then a batch: %w", what, err)
		}
	}
	return nil
}

func efgsPageLaterDay(x *efgsTrial) error {
	x.after(24 * time.Hour)
	want := x.hand(2)
	at := x.first() // on which there is none, nor on the day after
	return x.follow(&at, want)
}

func efgsPageOverMidnight(x *efgsTrial) error {
	at := x.first()
	for i := range 4 {
		want := x.hand(2)
		if err := x.follow(&at, want); err != nil {
			return fmt.Errorf("day %d: %w", i, err)
		}
		x.after(13 * time.Hour)
	}
	first, second := x.hand(2), x.hand(3)
	x.after(24 * time.Hour)
	for _, want := range [][]keys.DiagnosisKey{first, second, x.hand(1)} {
		if err := x.follow(&at, want); err != nil {
			return fmt.Errorf("a day later: %w", err)
		}
	}
	return nil
}

func efgsPageDayOfTag(x *efgsTrial) error {
	at := x.first()
	if err := x.follow(&at, x.hand(2)); err != nil {
		return err
	}
	x.after(36 * time.Hour)
	if err := x.follow(&at, x.hand(2)); err != nil {
		return err
	}
	x.after(36 * time.Hour)
	at.Day = x.first().Day // of which the gateway has nothing any more
	x.client = &listening{&x.overheard, x.make(x.account(0))}
	return x.follow(&at, x.hand(2))
}

func efgsPageUnknownTag(x *efgsTrial) error {
	at := x.first()
	for range 2 {
		if err := x.follow(&at, x.hand(2)); err != nil {
			return err
		}
	}
	x.gateway.Forget() // and count from 1 again
	x.client = &listening{&x.overheard, x.make(x.account(0))}
	if page, err := x.client.Download(x.ctx, at); page == nil && err == nil {
		return errors.New("it is taken for the end")
	}
	want := x.hand(2)
	page, err := x.client.Download(x.ctx, at)
	if err != nil {
		return wantClass("a tag that is not known", err, federation.ErrUnavailable)
	}
	return wantPage(page, want)
}

func efgsPageEmpty(x *efgsTrial) error {
	x.provide(0, 2) // its own, which are left out
	x.gateway.Assemble()
	want := x.hand(2)
	at := x.first()
	for _, want := range [][]keys.DiagnosisKey{{}, want} {
		if err := x.follow(&at, want); err != nil {
			return err
		}
	}
	return nil
}

func efgsPageBadKeyAlone(x *efgsTrial) error {
	want := x.keys(1, 6)
	list := messagesOf(want)
	for i, m := range messagesOf(x.keys(1, 3)) {
		switch i {
		case 0:
			m.RollingPeriod = 1440
		case 1:
			m.ReportType = 77
		case 2:
			m.KeyData = m.KeyData[:15]
		}
		list = slices.Insert(list, 2*i+1, m)
	}
	x.provideSigned(1, list, x.signers[1])
	x.gateway.Assemble()
	page, err := x.download(Pass)
	if err != nil {
		return err
	}
	if len(page.Unreadable) != 3 {
		return fmt.Errorf("%d are unreadable, want 3", len(page.Unreadable))
	}
	return wantKeys(page, want)
}

func efgsPageRevoked(x *efgsTrial) error {
	want := x.keys(1, 4)
	want[1].ReportType, want[3].ReportType = keys.Some(keys.ReportRevoked), keys.Some(keys.ReportRevoked)
	x.provideSigned(1, messagesOf(want), x.signers[1])
	x.gateway.Assemble()
	page, err := x.download(Pass)
	if err != nil {
		return err
	}
	return wantPage(page, want)
}

func efgsPageRepeated(x *efgsTrial) error {
	want := x.hand(2)
	at := x.first()
	x.gateway.SetHook(Always(Repeat))
	for range 2 {
		if err := x.follow(&at, want); err != nil {
			return err
		}
	}
	return nil
}

func efgsPageAnother(x *efgsTrial) error {
	first, second, third := x.hand(2), x.hand(2), x.hand(2)
	at := x.first()
	if err := x.follow(&at, first); err != nil {
		return err
	}
	x.put(func(w http.ResponseWriter, r *http.Request) bool {
		if tag := r.Header.Get(headerBatchTag); strings.HasSuffix(tag, "-2") {
			r.Header.Set(headerBatchTag, strings.TrimSuffix(tag, "2")+"3")
		}
		return false
	}, nil)
	if page, err := x.client.Download(x.ctx, at); err == nil && page != nil && wantPage(page, third) == nil {
		return errors.New("the batch after the next one is taken for the next")
	}
	x.put(nil, nil)
	return x.follow(&at, second)
}

// efgsPageVerdict returns a check of what a batch that is none must be.
func efgsPageVerdict(verdicts ...Verdict) func(x *efgsTrial) error {
	return func(x *efgsTrial) error {
		x.hand(20)
		for _, v := range verdicts {
			page, err := x.download(v)
			if page != nil {
				return fmt.Errorf("verdict %d: there is a page", v)
			}
			if err := wantClass(fmt.Sprintf("verdict %d", v), err, federation.ErrUnavailable); err != nil {
				return err
			}
		}
		return nil
	}
}

func efgsConcurrent(x *efgsTrial) error {
	want := x.hand(5)
	errs := make([]error, 8)
	var all sync.WaitGroup
	for i := range errs {
		batch := x.batch(3)
		all.Go(func() {
			if i%2 == 0 {
				_, errs[i] = x.client.Upload(x.ctx, batch)
				return
			}
			page, err := x.client.Download(x.ctx, x.first())
			if errs[i] = err; err == nil {
				errs[i] = wantPage(page, want)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

var efgsAnswerClauses = []efgsClause{
	{"page-denied", "401 and 403 must be of the class ErrDenied.", efgsPageStatuses(federation.ErrDenied, 401, 403)},
	{"page-throttled", "429 must be of the class ErrThrottled.", efgsPageStatuses(federation.ErrThrottled, 429)},
	{"page-gone", "410 must be of the class ErrGone.", efgsPageStatuses(federation.ErrGone, 410)},
	{"page-unavailable", "Any other status must be of the class ErrUnavailable: it says nothing of what there is, and above all not that there is nothing.", efgsPageStatuses(federation.ErrUnavailable, 400, 405, 406, 415, 500, 502, 503, 504, 599)},
	{"page-cut-off", "A batch that breaks off must be an error of the class ErrUnavailable, never less of a batch.", efgsPageVerdict(Half, Fail, FailAfter)},
	{"page-no-page", "200 with what is no batch must be an error of the class ErrUnavailable.", efgsPageVerdict(HTML)},
	{"retry-after", "What a gateway says in Retry-After, in seconds or as a time, must be in the error.", efgsRetryAfter},
	{"redirect", "Keys and signatures must not go to another host: redirects must be of the class ErrUnavailable.", efgsRedirect},
	{"errors-tell-nothing", "Errors must hold no key data, whatever the gateway says.", efgsErrorsTellNothing},
	{"bounded-in-time", "A gateway that does not answer must be given up after the timeout.", efgsBoundedInTime},
	{"bounded-in-memory", "An answer without end must be given up, also one that is compressed.", efgsBoundedInMemory},
	{"cancelled", "A call must end soon after its context has.", efgsCancelled},
}

func efgsPageStatuses(class error, statuses ...int) func(x *efgsTrial) error {
	return func(x *efgsTrial) error {
		x.hand(2)
		for _, status := range statuses {
			_, err := x.download(Verdict(status))
			if err := wantClass(fmt.Sprint("status ", status), err, class); err != nil {
				return err
			}
		}
		return nil
	}
}

func efgsRetryAfter(x *efgsTrial) error {
	for _, c := range []struct {
		status int
		header string
		low    time.Duration
	}{
		{429, "120", 120 * time.Second}, {503, "7", 7 * time.Second}, {503, time.Now().Add(10 * time.Minute).UTC().Format(http.TimeFormat), 9 * time.Minute},
	} {
		x.put(func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Retry-After", c.header)
			w.WriteHeader(c.status)
			return true
		}, nil)
		_, err1 := x.client.Download(x.ctx, x.first())
		_, err2 := x.client.Upload(x.ctx, x.batch(1))
		for i, err := range []error{err1, err2} {
			if d, ok := federation.RetryAfter(err); !ok || d < c.low || d > c.low+2*time.Minute {
				return fmt.Errorf("%s to %s: the error says %s, %t", c.header, []string{"a download", "an upload"}[i], d, ok)
			}
		}
	}
	return nil
}

func efgsRedirect(x *efgsTrial) error {
	x.put(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.Host, "localhost") {
			return false
		}
		_, port, _ := strings.Cut(r.Host, ":")
		w.Header().Set("Location", "http://localhost:"+port+r.URL.RequestURI())
		w.WriteHeader(http.StatusPermanentRedirect)
		return true
	}, nil)
	x.hand(1)
	_, err := x.client.Download(x.ctx, x.first())
	if err := wantClass("a redirected download", err, federation.ErrUnavailable); err != nil {
		return err
	}
	_, err = x.client.Upload(x.ctx, x.batch(1))
	if err := wantClass("a redirected upload", err, federation.ErrUnavailable); err != nil {
		return err
	}
	for _, r := range x.heard(0) {
		if r.host == "localhost" {
			return errors.New("another host was called")
		}
	}
	return nil
}

func efgsErrorsTellNothing(x *efgsTrial) error {
	x.hand(3)
	for _, v := range []Verdict{Quote, HTML, 400, 403, 500} {
		if _, err := x.upload(v); err == nil {
			return fmt.Errorf("verdict %d is no error", v)
		}
		x.download(v) // whatever comes of it
	}
	return nil // what errors hold is looked at after every clause
}

func efgsBoundedInTime(x *efgsTrial) error {
	a := x.account(0)
	a.Timeout = 200 * time.Millisecond
	x.client = &listening{&x.overheard, x.make(a)}
	return within("a gateway that does not answer", func() error {
		_, err := x.download(Stall)
		if err := wantClass("a download", err, federation.ErrUnavailable); err != nil {
			return err
		}
		_, err = x.upload(Stall)
		return wantClass("an upload", err, federation.ErrUnavailable)
	})
}

func efgsBoundedInMemory(x *efgsTrial) error {
	bomb, zeros := mebibyte(), make([]byte, 64<<10)
	for _, compressed := range []bool{false, true} {
		x.put(func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", mediaProtobuf)
			w.Header().Set(headerBatchTag, "20260302-1")
			part, n := zeros, 1<<20
			if compressed && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				w.Header().Set("Content-Encoding", "gzip")
				part, n = bomb, bombSize
			}
			for range n {
				if _, err := w.Write(part); err != nil {
					break
				}
			}
			return true
		}, nil)
		before := allocated()
		if err := within("an answer without end", func() error {
			_, err := x.client.Download(x.ctx, x.first())
			if err == nil {
				return errors.New("an answer without end is no error")
			}
			_, err = x.client.Upload(x.ctx, x.batch(1))
			return wantClass("an answer without end", err, federation.ErrUnavailable)
		}); err != nil {
			return err
		}
		if n := allocated() - before; n > maxMemory {
			return fmt.Errorf("%d MiB were allocated", n>>20)
		}
	}
	return nil
}

func efgsCancelled(x *efgsTrial) error {
	x.gateway.SetHook(Always(Stall))
	return endsWithContext(x.ctx, x.client, x.first(), x.batch(1))
}
