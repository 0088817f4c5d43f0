package federationtest

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"regexp"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/internal/efgspb"
)

var gatewayDownloads = []gatewayClause{
	{"download-form", "A batch must have a batchTag, a nextBatchTag, the Content-Type that was asked for with its version, and the headers that name its message.", downloadForm},
	{"download-accept", "A download without Accept must be answered 400, one for another type, or without its version or of another, 415.", downloadAccept},
	{"download-json", "A batch must be the same keys in JSON as in protobuf.", downloadJSON},
	{"download-date-malformed", "A date that is not yyyy-mm-dd must be answered 400.", downloadDateMalformed},
	{"download-gone", "A date of which batches are no longer kept must be answered 410, whatever the tag.", downloadGone},
	{"download-nothing", "A day after which there is no batch must be answered 404.", downloadNothing},
	{"download-unknown-tag", "A tag that the gateway has not given must be answered 404.", downloadUnknownTag},
	{"download-later-day", "Without a tag the answer must be the first batch of the day, which may be of a later one.", downloadLaterDay},
	{"download-earlier-date", "With a tag, an earlier date than the batch's must be answered as its own: batches lead over midnight.", downloadEarlierDate},
	{"download-later-date", "With a tag, a later date than the batch's must be answered 400.", downloadLaterDate},
}

// mediaIs reports whether a header names a type of version 1.0.
func mediaIs(header, want string) bool {
	kind, params, err := mime.ParseMediaType(header)
	return err == nil && kind == want && params["version"] == "1.0"
}

func downloadForm(*gatewayExam) (gatewayLater, error) {
	return eachBatch(func(_ *gatewayReader, p *gatewayPage) error {
		h := p.answer.header
		switch {
		case h.Get(headerNext) == "":
			return errors.New("no nextBatchTag")
		case !mediaIs(h.Get("Content-Type"), "application/protobuf"):
			return fmt.Errorf("Content-Type %q", h.Get("Content-Type"))
		case h.Get("X-Protobuf-Schema") == "" || h.Get("X-Protobuf-Message") == "":
			return errors.New("no X-Protobuf-Schema or X-Protobuf-Message")
		}
		return nil
	}), nil
}

func downloadAccept(x *gatewayExam) (gatewayLater, error) {
	for accept, status := range map[string]int{
		"": 400, "text/html": 415, "text/plain; version=1.0": 415, "application/protobuf": 415, "application/json": 415,
		"application/protobuf; version=2.0": 415, "application/json; version=1.1": 415,
	} {
		got, err := x.get(0, x.start.String(), "", map[string]string{"Accept": accept})
		if err != nil {
			return nil, err
		}
		if err := wantStatus(fmt.Sprintf("Accept %q", accept), got, status); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func downloadJSON(x *gatewayExam) (gatewayLater, error) {
	if _, err := x.store(0, x.variedKeys(0)); err != nil {
		return nil, err
	}
	return func(x *gatewayExam) error {
		r := x.observer()
		for _, p := range r.all() {
			got, err := x.get(r.member, x.start.String(), p.tag, map[string]string{"Accept": mediaJSON})
			if err != nil {
				return err
			}
			if err := wantStatus("a download in JSON", got, http.StatusOK); err != nil {
				return err
			}
			batch := &efgspb.DiagnosisKeyBatch{}
			switch err := protojson.Unmarshal(got.body, batch); {
			case !mediaIs(got.header.Get("Content-Type"), "application/json"):
				return fmt.Errorf("Content-Type %q", got.header.Get("Content-Type"))
			case err != nil:
				return errors.New("a batch that is not the JSON of its message")
			case !proto.Equal(batch, &efgspb.DiagnosisKeyBatch{Keys: p.keys}):
				return fmt.Errorf("batch %q has other keys in JSON than in protobuf", p.tag)
			}
		}
		return nil
	}, nil
}

// wantDownload asks for a batch, and wants a status.
func (x *gatewayExam) wantDownload(what, date, tag string, want ...int) error {
	got, err := x.get(0, date, tag, nil)
	if err != nil {
		return err
	}
	return wantStatus(what, got, want...)
}

func downloadDateMalformed(x *gatewayExam) (gatewayLater, error) {
	for _, date := range []string{"yesterday", "20210602", "2021-6-2", "2021-13-01", "2021-02-30", "2021-06-02T00:00:00Z"} {
		if err := x.wantDownload("date "+date, date, "", http.StatusBadRequest); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func downloadGone(x *gatewayExam) (gatewayLater, error) {
	old := (x.start - 10).String()
	if err := x.wantDownload("a day long ago", old, "", http.StatusGone); err != nil {
		return nil, err
	}
	return func(x *gatewayExam) error {
		for _, p := range x.readers[0].all() {
			return x.wantDownload("a tag with a day long ago", old, p.tag, http.StatusGone)
		}
		return errors.New("there was no batch at all")
	}, nil
}

func downloadNothing(x *gatewayExam) (gatewayLater, error) {
	return func(x *gatewayExam) error {
		return x.wantDownload("a day to come", (x.start + 30).String(), "", http.StatusNotFound)
	}, nil
}

func downloadUnknownTag(x *gatewayExam) (gatewayLater, error) {
	day := (x.start + 1).Start().Format("20060102")
	for _, tag := range []string{day + "-99999", "unknown", x.newTag(), "../../upload", "null"} {
		if err := x.wantDownload("tag "+tag, x.start.String(), tag, http.StatusNotFound); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func downloadLaterDay(*gatewayExam) (gatewayLater, error) {
	return func(x *gatewayExam) error {
		for _, r := range x.readers {
			p, err := r.page("")
			switch {
			case err != nil:
				return err
			case p == nil:
				return fmt.Errorf("%s is given no batch of yesterday or later", x.members[r.member])
			case r.from == "" && len(r.all()) > 0 && p.tag != r.all()[0].tag:
				return fmt.Errorf("%s is given batch %q, and not the first, %q", x.members[r.member], p.tag, r.all()[0].tag)
			}
		}
		return nil
	}, nil
}

func downloadEarlierDate(*gatewayExam) (gatewayLater, error) {
	return eachBatch(func(r *gatewayReader, p *gatewayPage) error {
		for day := p.day; day >= r.x.start && day > 0; day-- {
			got, err := r.x.get(r.member, day.String(), p.tag, nil)
			if err == nil {
				err = wantStatus("on "+day.String(), got, http.StatusOK)
			}
			if err == nil && got.header.Get(headerBatchTag) != p.tag {
				err = fmt.Errorf("on %s it is another", day)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}), nil
}

func downloadLaterDate(*gatewayExam) (gatewayLater, error) {
	return func(x *gatewayExam) error {
		for _, p := range x.readers[0].all() {
			if err := x.wantDownload("a tag with a later day", (p.day + 1).String(), p.tag, http.StatusBadRequest); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

var gatewayBatches = []gatewayClause{
	{"batch-tag", "The tag of a batch must be yyyyMMdd-N, with the day by which its audit is to be had: clients take it from there.", batchTag},
	{"batch-next", "Batches must lead from one to the next, and the last to the word null, until one follows it.", batchNext},
	{"batch-stays", "A batch must be the same, byte for byte, when it is asked for again.", batchStays},
	{"batch-loses-nothing", "Whoever reads batch after batch must be given every key, while uploads go on and batches are made.", batchLosesNothing},
	{"batch-own-left-out", "A nation must not be given the keys that it brought.", batchOwnLeftOut},
	{"batch-keys-once", "What was uploaded once must be handed out once, but for withdrawals, which may be told again.", batchKeysOnce},
	{"batch-keys-unchanged", "A key must come out with every field as it was signed, of the origin that its nation has.", batchKeysUnchanged},
	{"batch-whole-uploads", "An upload must be in one batch, whole, byte for byte and in its order.", batchWholeUploads},
	{"batch-size", "A batch must have 5,000 keys at most.", batchSize},
}

var tagForm = regexp.MustCompile(`^\d{8}-[1-9]\d*(-.*)?$`)

func batchTag(*gatewayExam) (gatewayLater, error) {
	return eachBatch(func(r *gatewayReader, p *gatewayPage) error {
		if _, ok := dayIn(p.tag); !ok || !tagForm.MatchString(p.tag) {
			return errors.New("a tag of another form")
		}
		if day, _ := dayIn(p.tag); day < r.x.start || day > federation.DayOf(r.x.opts.Now())+1 {
			return errors.New("a tag of another day")
		}
		return nil
	}), nil
}

func batchNext(*gatewayExam) (gatewayLater, error) {
	return func(x *gatewayExam) error {
		for _, r := range x.readers {
			given := map[string]bool{}
			for i, p := range r.all() {
				switch last := i == len(r.all())-1; {
				case given[p.tag]:
					return fmt.Errorf("batch %q comes twice", p.tag)
				case last && p.answer.header.Get(headerNext) != "null":
					return fmt.Errorf("the last batch says that %q follows", p.answer.header.Get(headerNext))
				case !last && p.next != r.all()[i+1].tag:
					return fmt.Errorf("batch %q says that %q follows", p.tag, p.next)
				}
				given[p.tag] = true
			}
		}
		return nil
	}, nil
}

func batchStays(*gatewayExam) (gatewayLater, error) {
	return func(x *gatewayExam) error {
		for _, r := range x.readers {
			first := map[string]string{}
			for _, p := range r.pages {
				first[p.tag] = string(p.answer.body)
			}
			for _, p := range r.all() {
				if body, ok := first[p.tag]; ok && body != string(p.answer.body) {
					return fmt.Errorf("batch %q is another one for %s", p.tag, x.members[r.member])
				}
			}
		}
		return nil
	}, nil
}

func batchLosesNothing(*gatewayExam) (gatewayLater, error) {
	return func(x *gatewayExam) error {
		for _, r := range x.readers {
			seen := r.seen() // by the first reading: nobody reads twice
			for _, u := range x.stored {
				for _, k := range u.keys {
					if u.member != r.member && len(seen[string(k.GetKeyData())]) == 0 {
						return fmt.Errorf("%s was not given a key that %s brought", x.members[r.member], x.members[u.member])
					}
				}
			}
		}
		return nil
	}, nil
}

func batchOwnLeftOut(x *gatewayExam) (gatewayLater, error) {
	if _, err := x.store(1, x.keys(1, 2)); err != nil {
		return nil, err
	}
	return func(x *gatewayExam) error {
		for _, r := range x.readers {
			for _, all := range r.again.seen() {
				for _, k := range all {
					if k.GetOrigin() == x.members[r.member].Country {
						return fmt.Errorf("%s was given a key of its own", x.members[r.member])
					}
				}
			}
		}
		return nil
	}, nil
}

func batchKeysOnce(*gatewayExam) (gatewayLater, error) {
	return func(x *gatewayExam) error {
		for _, r := range x.readers {
			for _, all := range r.again.seen() {
				times := map[string]int{}
				for _, k := range all {
					if times[k.GetOrigin()]++; times[k.GetOrigin()] > 1 && k.GetReportType() != efgspb.ReportType_REVOKED {
						return fmt.Errorf("%s was given a key twice", x.members[r.member])
					}
				}
			}
		}
		return nil
	}, nil
}

func batchKeysUnchanged(x *gatewayExam) (gatewayLater, error) {
	mine, theirs := x.variedKeys(0), x.variedKeys(1)
	if _, err := x.store(0, mine); err != nil {
		return nil, err
	}
	_, err := x.store(1, theirs)
	return bothLater(wantAsSent(0, mine), wantAsSent(1, theirs)), err
}

func batchWholeUploads(*gatewayExam) (gatewayLater, error) {
	return func(x *gatewayExam) error {
		for _, r := range x.readers {
			for _, u := range x.stored {
				if u.member != r.member && !r.again.hasWhole(u) {
					return fmt.Errorf("%s was not given an upload of %s as it was signed", x.members[r.member], x.members[u.member])
				}
			}
		}
		return nil
	}, nil
}

// hasWhole reports whether a batch has an upload in one piece.
func (r *gatewayReader) hasWhole(u *gatewayUpload) bool {
	body := protobufOf(u.keys)
	for i := range r.pages {
		p := &r.pages[i]
		for at, k := range p.keys {
			if string(k.GetKeyData()) != string(u.keys[0].GetKeyData()) || len(p.keys) < at+len(u.keys) {
				continue
			}
			if string(protobufOf(p.keys[at:at+len(u.keys)])) == string(body) && p.holds(body) {
				return true
			}
		}
	}
	return false
}

func batchSize(*gatewayExam) (gatewayLater, error) {
	return eachBatch(func(_ *gatewayReader, p *gatewayPage) error {
		if len(p.keys) > MaxEFGSKeys {
			return fmt.Errorf("%d keys", len(p.keys))
		}
		return nil
	}), nil
}
