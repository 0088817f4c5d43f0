package federationtest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

var tagClauses = []serverClause{
	{"tag-is-the-nations-own", "A tag that another nation has used must not be in an upload's way.", tagIsTheNationsOwn},
	{"tag-before-date", "With a tag the date must not matter.", tagBeforeDate},
	{"tag-unknown", "A tag that the server does not know must not be answered as if there were nothing new.", tagUnknown},
	{"tag-odd", "A tag that the server cannot have given must not break it: whatever it is, no status of 500 or more.", tagOdd},
	{"tag-twice", "Two tags in one request must be answered 400.", tagTwice},
	{"tag-empty", "An empty tag must be as none.", tagEmpty},
	{"tag-of-another", "The tag of a page that another nation was given must not give a nation its own keys.", tagOfAnother},
}

var pagingClauses = []serverClause{
	{"paging-loses-nothing", "Whoever reads page after page must be given every key, while uploads go on and batches are made.", pagingLosesNothing},
	{"pages-stay", "The page after a tag must be the same when it is asked for again.", pagesStay},
	{"pages-lead-on", "No tag must come twice.", pagesLeadOn},
}

func tagIsTheNationsOwn(x *examination) (later, error) {
	tag, mine, theirs := x.newTag(), x.exposures(2), x.exposures(2)
	for i, list := range [][]exposure{mine, theirs} {
		n, err := x.uploadAs(i, tag, list)
		if err != nil {
			return nil, err
		}
		if n != 2 {
			return nil, fmt.Errorf("insertedExposures is %d, want 2", n)
		}
	}
	return both(wantHandedOut(0, mine), wantHandedOut(1, theirs)), nil
}

// ask asks for the page after a tag.
func (x *examination) ask(nation int, date, tag string) (outcome, error) {
	return x.do(call{path: downloadPath(date, tag), token: x.nations[nation].Token})
}

// somePages wants a reading of two pages at least, to have tags to ask for.
func (r *reader) somePages() ([]handedOut, error) {
	if pages := r.again.all(); len(pages) > 0 {
		return pages, nil
	}
	return nil, errors.New("there was no page")
}

func tagBeforeDate(*examination) (later, error) {
	return func(x *examination) error {
		pages, err := x.readers[0].somePages()
		if err != nil || len(pages) < 2 {
			return err
		}
		for _, date := range []string{"2020-01-01", "9999-12-31"} {
			got, err := x.ask(0, date, pages[0].tag)
			if err != nil {
				return err
			}
			if err := wantStatus("a tag and the day "+date, got, http.StatusOK); err != nil {
				return err
			}
			if pageOf(got).tag != pages[1].tag {
				return fmt.Errorf("a tag and the day %s: not the page that follows the tag", date)
			}
		}
		return nil
	}, nil
}

func tagUnknown(*examination) (later, error) {
	return func(x *examination) error {
		if _, err := x.readers[0].somePages(); err != nil {
			return err
		}
		got, err := x.ask(0, x.start.String(), newUUID())
		if err != nil {
			return err
		}
		return wantStatus("an unknown tag", got, append([]int{http.StatusOK}, clientError...)...)
	}, nil
}

func tagOdd(x *examination) (later, error) {
	for _, tag := range []string{"x", "0", "-1", "1'--", "../..", "%", "a b&c=d", "\x00", "\xff", "é", "null", strings.Repeat("t", 1000), strings.Repeat("t", 3000)} {
		got, err := x.ask(0, x.start.String(), tag)
		if err != nil {
			return nil, err
		}
		if got.status >= 500 {
			return nil, fmt.Errorf("status %d to a tag of %d bytes", got.status, len(tag))
		}
	}
	return nil, nil
}

func tagTwice(x *examination) (later, error) {
	got, err := x.do(call{path: downloadPath(x.start.String(), newUUID()) + "&batchTag=" + newUUID(), token: x.nations[0].Token})
	if err != nil {
		return nil, err
	}
	return nil, wantStatus("two tags", got, http.StatusBadRequest)
}

func tagEmpty(*examination) (later, error) {
	return func(x *examination) error {
		without, err := x.ask(0, x.start.String(), "")
		if err != nil {
			return err
		}
		empty, err := x.do(call{path: downloadPath(x.start.String(), "") + "?batchTag=", token: x.nations[0].Token})
		if err != nil {
			return err
		}
		if without.status != empty.status || pageOf(without).tag != pageOf(empty).tag {
			return errors.New("another answer than to no tag")
		}
		return nil
	}, nil
}

func tagOfAnother(x *examination) (later, error) {
	list := x.exposures(2)
	if _, err := x.upload(0, list); err != nil {
		return nil, err
	}
	return func(x *examination) error {
		pages, err := x.observer().somePages()
		if err != nil {
			return err
		}
		for _, p := range pages {
			got, err := x.ask(0, x.start.String(), p.tag)
			if err != nil {
				return err
			}
			if got.status >= 500 {
				return fmt.Errorf("status %d", got.status)
			}
			for _, e := range list {
				if strings.Contains(string(got.body), e.KeyData) {
					return errors.New("a nation is given its own keys")
				}
			}
		}
		return nil
	}, nil
}

func pagingLosesNothing(*examination) (later, error) {
	return func(x *examination) error {
		r := x.observer()
		if n := x.lacks(r.seen()); n > 0 {
			return fmt.Errorf("%d of %d keys were never given to %s, who was reading meanwhile", n, len(x.traffic), r.nation)
		}
		return nil
	}, nil
}

func pagesStay(*examination) (later, error) {
	return func(x *examination) error {
		for _, r := range x.readers {
			again := r.again.all()
			if len(again) < len(r.pages) {
				return fmt.Errorf("%d pages, and %d when they are read again", len(r.pages), len(again))
			}
			for i := range r.pages {
				first, second := &r.pages[i], &again[i]
				if first.tag != second.tag || len(first.exposures) != len(second.exposures) {
					return fmt.Errorf("page %d has another tag, or %d exposures where it had %d", i+1, len(second.exposures), len(first.exposures))
				}
			}
		}
		return nil
	}, nil
}

func pagesLeadOn(*examination) (later, error) {
	return func(x *examination) error {
		for _, r := range x.readers {
			tags := map[string]bool{}
			for _, p := range r.pages {
				if tags[p.tag] {
					return errors.New("a tag came twice")
				}
				tags[p.tag] = true
			}
		}
		return nil
	}, nil
}
