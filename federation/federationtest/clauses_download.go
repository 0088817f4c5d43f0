package federationtest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gaenkit/gaen/keys"
)

var downloadClauses = []serverClause{
	{"page-form", "A page must be JSON with a batchTag that is not empty and an array of exposures, also when it has none.", pageForm},
	{"exposure-form", "Exposures must have all nine fields, none of them null: there are clients that give up a page over one.", exposureForm},
	{"nothing-new", "After the last page the answer must be 204 without a body.", nothingNew},
	{"own-keys-left-out", "A nation must not be given its own keys.", ownKeysLeftOut},
	{"keys-once", "A key must be handed out once.", keysOnce},
	{"answers-not-cached", "Answers must not be kept by caches: Cache-Control: no-store.", answersNotCached},
	{"date-malformed", "A date that is not yyyy-mm-dd must be answered 400.", dateMalformed},
	{"date-impossible", "A day that there is not must be answered 400.", dateImpossible},
	{"date-to-come", "A day that is to come has nothing: 204.", dateToCome},
	{"date-first-page", "Without a tag the answer must be the first page of the day, or of one after it.", dateFirstPage},
}

// eachPage returns what looks at every page of every reading.
func eachPage(look func(r *reader, p *handedOut) error) later {
	return func(x *examination) error {
		for _, r := range x.readers {
			for _, p := range append(r.pages, r.again.all()...) {
				if err := look(r, &p); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// all returns the pages of a reading, none if there was none.
func (r *reader) all() []handedOut {
	if r == nil {
		return nil
	}
	return r.pages
}

func pageForm(*examination) (later, error) {
	return eachPage(func(_ *reader, p *handedOut) error {
		if p.wrong != "" {
			return errors.New(p.wrong)
		}
		return wantJSON(p.answer)
	}), nil
}

func exposureForm(x *examination) (later, error) {
	list := x.exposures(2)
	if err := x.wantInserted(0, list, 2); err != nil {
		return nil, err
	}
	bare := []any{changed(x.exposures(1)[0], "daysSinceOnset", absent), changed(x.exposures(1)[0], "regions", absent)}
	if _, err := x.sendAll(0, x.newTag(), bare); err != nil { // taken or not
		return nil, err
	}
	return func(x *examination) error {
		for _, r := range x.readers {
			if r.nation.Extended {
				continue
			}
			for _, p := range r.pages {
				for _, text := range p.exposures {
					if e, ok := readExposure(text); ok && !x.ours(e.KeyData) {
						continue // others' are not ours to judge
					}
					if field := missingField(text); field != "" {
						return fmt.Errorf("an exposure has no %s, or null", field)
					}
				}
			}
		}
		return nil
	}, nil
}

// ours reports whether the suite has sent a key.
func (x *examination) ours(data string) bool {
	return slices.Contains(x.sent, data)
}

// missingField returns the first field that an exposure does not have.
func missingField(text json.RawMessage) string {
	var f map[string]json.RawMessage
	if err := json.Unmarshal(text, &f); err != nil {
		return "fields"
	}
	for _, name := range []string{"keyData", "rollingStartNumber", "transmissionRiskLevel", "rollingPeriod", "origin", "regions", "testType", "reportType", "daysSinceOnset"} {
		if isNull(f[name]) {
			return name
		}
	}
	return ""
}

func nothingNew(*examination) (later, error) {
	return func(x *examination) error {
		for _, r := range x.readers {
			if len(r.pages) == 0 {
				return errors.New("there was no page at all")
			}
			got, err := x.do(call{path: downloadPath(r.day.String(), r.tag), token: r.nation.Token})
			if err != nil {
				return err
			}
			if got.status == http.StatusOK {
				continue // somebody else has uploaded
			}
			if err := wantStatus("after the last page", got, http.StatusNoContent); err != nil {
				return err
			}
			if len(got.body) > 0 {
				return errors.New("204 with a body")
			}
		}
		return nil
	}, nil
}

func ownKeysLeftOut(x *examination) (later, error) {
	lists := [][]exposure{x.exposures(2), x.exposures(2)}
	for i := range lists {
		if err := x.wantInserted(i, lists[i], 2); err != nil {
			return nil, err
		}
	}
	return func(x *examination) error {
		for i, list := range lists {
			seen := x.readers[i].final()
			for _, e := range list {
				if _, ok := seen[e.KeyData]; ok {
					return fmt.Errorf("%s is given its own keys", x.nations[i])
				}
			}
		}
		return nil
	}, nil
}

func keysOnce(*examination) (later, error) {
	return func(x *examination) error {
		times := map[string]int{}
		for _, p := range x.observer().again.all() {
			for _, text := range p.exposures {
				if e, ok := readExposure(text); ok && len(lenientBase64(e.KeyData)) == keys.KeyDataSize {
					times[base64.StdEncoding.EncodeToString(lenientBase64(e.KeyData))]++
				}
			}
		}
		for _, data := range x.sent {
			if times[data] > 1 {
				return fmt.Errorf("a key is handed out %d times", times[data])
			}
		}
		return nil
	}, nil
}

func answersNotCached(x *examination) (later, error) {
	return eachPage(func(_ *reader, p *handedOut) error {
		if !strings.Contains(p.answer.header.Get("Cache-Control"), "no-store") {
			return errors.New("a page without Cache-Control: no-store")
		}
		return nil
	}), nil
}

// wantDay asks for a day and wants one of these statuses.
func (x *examination) wantDay(date string, want ...int) error {
	got, err := x.do(call{path: downloadPath(date, ""), token: x.nations[0].Token})
	if err != nil {
		return err
	}
	return wantStatus(fmt.Sprintf("the day %q", date), got, want...)
}

func dateMalformed(x *examination) (later, error) {
	for _, date := range []string{"yesterday", "20201001", "2020-1-1", "2020-10-01T00:00:00Z", "2020-10-01 ", "-1"} {
		if err := x.wantDay(date, http.StatusBadRequest); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func dateImpossible(x *examination) (later, error) {
	for _, date := range []string{"2020-13-01", "2020-02-30", "2020-00-10"} {
		if err := x.wantDay(date, http.StatusBadRequest); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func dateToCome(x *examination) (later, error) {
	return nil, x.wantDay("9999-12-31", http.StatusNoContent)
}

func dateFirstPage(*examination) (later, error) {
	return func(x *examination) error {
		for _, r := range x.readers {
			if r.from != "" || len(r.pages) == 0 {
				continue // the server had pages of this day before
			}
			got, err := x.do(call{path: downloadPath(r.day.String(), ""), token: r.nation.Token})
			if err != nil {
				return err
			}
			if err := wantStatus("the first page", got, http.StatusOK); err != nil {
				return err
			}
			if pageOf(got).tag != r.pages[0].tag {
				return errors.New("the day's first page is another than it was")
			}
		}
		return nil
	}, nil
}
