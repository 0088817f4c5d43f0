package federationtest

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"runtime"
	"sync"

	"github.com/gaenkit/gaen/federation"
)

var fetchClauses = []clientClause{
	{"page", "Download must return the keys of the page, with every field as the server says it is.", fetchPage},
	{"page-request", "A download must be a GET of /download/yyyy-mm-dd, with the token and the tag of the place.", fetchRequest},
	{"page-nothing", "Download must return nil if there is no page yet.", fetchNothing},
	{"pages-follow", "Each page must lead to the next, until there is none.", fetchFollow},
	{"page-empty", "A page without keys is a page: the next comes after it. null or no exposures are none.", fetchEmpty},
	{"page-bad-key-alone", "What is no key must be in Page.Unreadable, each, and its neighbours in Page.Keys.", fetchBadKeyAlone},
	{"page-without-tag", "A page without a tag leads nowhere: it must be an error of the class ErrUnavailable.", fetchWithoutTag},
	{"page-long-tag", "A tag of more than MaxTag bytes is no tag: it must be an error of the class ErrUnavailable.", fetchLongTag},
	{"page-tag-escaped", "A tag is opaque: the server must be asked for it as it was given, whatever is in it.", fetchTagEscaped},
	{"page-repeated", "A page that comes again must be returned as it is: whether that is a loop is for Pull to say.", fetchRepeated},
	{"concurrent", "Calls from several goroutines must not get in each other's way.", fetchConcurrent},
}

func fetchPage(x *clientTrial) error {
	want := x.provide(40)
	page, err := x.download(Pass)
	if err != nil {
		return err
	}
	if len(page.Unreadable) > 0 {
		return fmt.Errorf("%d keys could not be read", len(page.Unreadable))
	}
	return wantKeys(page, want)
}

func fetchRequest(x *clientTrial) error {
	x.provide(1)
	if _, err := x.download(Pass); err != nil {
		return err
	}
	all := x.server.Requests()
	r := all[len(all)-1]
	want := Request{N: len(all), Route: RouteDownload, Method: http.MethodGet, Path: "/diagnosiskeys/download/" + x.first().Day.String(), Date: x.first().Day.String(), Nation: x.nations[0].Region}
	if !reflect.DeepEqual(r, want) {
		return fmt.Errorf("the request is %+v, want %+v", r, want)
	}
	return nil
}

func fetchNothing(x *clientTrial) error {
	if page, err := x.download(Pass); page != nil || err != nil {
		return fmt.Errorf("got a page or the error %v, want neither", err)
	}
	return nil
}

func fetchFollow(x *clientTrial) error {
	at := x.first()
	for range 3 {
		want := x.provide(2)
		page, err := x.client.Download(x.ctx, at)
		if err != nil {
			return err
		}
		if err := wantKeys(page, want); err != nil {
			return err
		}
		if page.Tag == "" || page.Next.Tag != page.Tag {
			return errors.New("the place after the page is not its tag")
		}
		at = page.Next
	}
	if page, err := x.client.Download(x.ctx, at); page != nil || err != nil {
		return fmt.Errorf("after the last page: a page or the error %v", err)
	}
	return nil
}

func fetchEmpty(x *clientTrial) error {
	x.server.put(0, x.keys(0, 2)) // its own, which are left out
	for what, v := range map[string]Verdict{"no exposures": Pass, "null": NullExposures, "a missing field": NoExposures} {
		page, err := x.download(v)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if page == nil || page.Tag == "" || page.Next.Tag == "" || len(page.Keys)+len(page.Unreadable) > 0 {
			return fmt.Errorf("%s: not a page with a tag and without keys", what)
		}
	}
	return nil
}

func fetchBadKeyAlone(x *clientTrial) error {
	want := x.provide(10)
	page, err := x.download(Odd)
	if err != nil {
		return err
	}
	if n := len(oddExposures(exposure{})); len(page.Unreadable) != n {
		return fmt.Errorf("%d are unreadable, want %d", len(page.Unreadable), n)
	}
	return wantKeys(page, want)
}

func fetchWithoutTag(x *clientTrial) error {
	x.provide(2)
	_, err := x.download(NoTag)
	return wantClass("a page without a tag", err, federation.ErrUnavailable)
}

func fetchLongTag(x *clientTrial) error {
	x.provide(2)
	_, err := x.download(LongTag)
	return wantClass("a page with a tag of a mebibyte", err, federation.ErrUnavailable)
}

func fetchTagEscaped(x *clientTrial) error {
	for _, tag := range []string{"plain", "a b", "a+b", "a&batchTag=b", "a=b#c?d", "100%", "%41", "../../upload", "é", "\"'<>", "\r\nX-Header: 1"} {
		x.client.Download(x.ctx, federation.Place{Day: x.first().Day, Tag: tag}) // what comes of it does not matter
		all := x.server.Requests()
		if len(all) == 0 || all[len(all)-1].Tag != tag || all[len(all)-1].Date != x.first().Day.String() {
			return fmt.Errorf("the server was not asked for the tag %q", tag)
		}
	}
	return nil
}

func fetchRepeated(x *clientTrial) error {
	want := x.provide(2)
	page, err := x.download(Pass)
	if err != nil {
		return err
	}
	x.server.SetHook(Always(Repeat))
	again, err := x.client.Download(x.ctx, page.Next)
	if err != nil {
		return err
	}
	if again == nil || again.Tag != page.Tag {
		return errors.New("another page than the server gave")
	}
	return wantKeys(again, want)
}

func fetchConcurrent(x *clientTrial) error {
	want := x.provide(20)
	errs := make([]error, 8)
	var all sync.WaitGroup
	for i := range errs {
		b := x.batch(5)
		all.Go(func() {
			if i%2 == 0 {
				_, errs[i] = x.client.Upload(x.ctx, b)
				return
			}
			page, err := x.client.Download(x.ctx, x.first())
			if err == nil {
				err = wantKeys(page, want)
			}
			errs[i] = err
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

var answerClauses = []clientClause{
	{"page-denied", "401 and 403 must be of the class ErrDenied.", fetchStatuses(federation.ErrDenied, 401, 403)},
	{"page-throttled", "429 must be of the class ErrThrottled.", fetchStatuses(federation.ErrThrottled, 429)},
	{"page-gone", "410 to a download must be of the class ErrGone.", fetchStatuses(federation.ErrGone, 410)},
	{"page-unavailable", "Any other status must be of the class ErrUnavailable: it says nothing of what there is.", fetchStatuses(federation.ErrUnavailable, 400, 404, 405, 413, 500, 502, 503, 504, 599)},
	{"page-cut-off", "A page that breaks off must be an error of the class ErrUnavailable, never less of a page.", fetchVerdicts(Half, Partial, Fail, FailAfter)},
	{"page-no-page", "200 with what is no page must be an error of the class ErrUnavailable.", fetchVerdicts(Blank, HTML, NullBody)},
	{"page-nested", "What is nested without end must be an error, and not the end of the process.", fetchVerdicts(Nested)},
	{"page-slow", "A page that comes slowly must be read.", fetchSlow},
	{"redirect", "The token and keys must not go to another host: redirects must be of the class ErrUnavailable.", redirected},
	{"errors-tell-nothing", "Errors must hold neither key data nor the token, whatever the server says.", errorsTellNothing},
}

func fetchStatuses(class error, statuses ...int) func(*clientTrial) error {
	return func(x *clientTrial) error {
		x.provide(2)
		for _, status := range statuses {
			page, err := x.download(Verdict(status))
			if page != nil {
				return fmt.Errorf("status %d: a page", status)
			}
			if err := wantClass(fmt.Sprint("status ", status), err, class); err != nil {
				return err
			}
		}
		return nil
	}
}

func fetchVerdicts(verdicts ...Verdict) func(*clientTrial) error {
	return func(x *clientTrial) error {
		x.provide(50)
		for _, v := range verdicts {
			page, err := x.download(v)
			if page != nil {
				return errors.New("a page of what is none")
			}
			if err := wantClass("an answer that is no page", err, federation.ErrUnavailable); err != nil {
				return err
			}
		}
		return nil
	}
}

func fetchSlow(x *clientTrial) error {
	want := x.provide(20)
	page, err := x.download(Trickle)
	if err != nil {
		return err
	}
	return wantKeys(page, want)
}

func redirected(x *clientTrial) error {
	x.provide(2)
	for _, status := range []int{301, 302, 307, 308} {
		_, err := x.download(Verdict(status))
		if err := wantClass(fmt.Sprint("download, status ", status), err, federation.ErrUnavailable); err != nil {
			return err
		}
		_, err = x.upload(Verdict(status))
		if err := wantClass(fmt.Sprint("upload, status ", status), err, federation.ErrUnavailable); err != nil {
			return err
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.hosts["localhost"] {
		return errors.New("the token went to another host")
	}
	return nil
}

func errorsTellNothing(x *clientTrial) error {
	x.server.SetHook(Always(Quote))
	x.provide(1)
	if _, err := x.client.Download(x.ctx, x.first()); err == nil {
		return errors.New("500 to a download is no error")
	}
	if _, err := x.client.Upload(x.ctx, x.batch(3)); err == nil {
		return errors.New("500 to an upload is no error")
	}
	return nil // what they hold is looked at after every clause
}

var boundClauses = []clientClause{
	{"bounded-in-time", "A server that does not answer, or never comes to an end, must be given up after the timeout.", boundedInTime},
	{"bounded-in-memory", "An answer without end must be given up, also one that is compressed.", boundedInMemory},
	{"cancelled", "A call must end soon after its context has.", cancelled},
}

func boundedInTime(x *clientTrial) error {
	x.provide(2)
	for what, v := range map[string]Verdict{"no answer": Stall, "an answer a byte at a time": Drip} {
		if err := within(what, func() error {
			_, err := x.download(v)
			return wantClass("download, "+what, err, federation.ErrUnavailable)
		}); err != nil {
			return err
		}
		if err := within(what, func() error {
			_, err := x.upload(v)
			return wantClass("upload, "+what, err, federation.ErrUnavailable)
		}); err != nil {
			return err
		}
	}
	return nil
}

// maxMemory is how much more a process may have allocated for an answer that is
// given up after clientMaxPage, the server's part included.
const maxMemory = 20 * clientMaxPage

func boundedInMemory(x *clientTrial) error {
	x.provide(2)
	mebibyte()
	for what, v := range map[string]Verdict{"an endless page": Endless, "a compressed page": Bomb} {
		before := allocated()
		if err := within(what, func() error {
			_, err := x.download(v)
			return wantClass(what, err, federation.ErrUnavailable)
		}); err != nil {
			return err
		}
		if n := allocated() - before; n > maxMemory {
			return fmt.Errorf("%s: %d MiB were allocated", what, n>>20)
		}
	}
	return within("an endless answer", func() error {
		_, err := x.upload(Endless)
		return wantClass("an endless answer to an upload", err, federation.ErrUnavailable)
	})
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func cancelled(x *clientTrial) error {
	x.server.SetHook(Always(Stall))
	return endsWithContext(x.ctx, x.client, x.first(), x.batch(1))
}
