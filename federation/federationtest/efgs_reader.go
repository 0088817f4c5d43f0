package federationtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/internal/efgspb"
)

// A gatewayReader reads a gateway's batches as one member, from a place on.
type gatewayReader struct {
	x      *gatewayExam
	member int
	from   string // the tag of the last batch before the suite's
	tag    string // of the last batch
	pages  []gatewayPage
	again  *gatewayReader // what a second reading found
}

// A gatewayPage is a batch as it came.
type gatewayPage struct {
	answer    outcome
	tag, next string
	keys      []*efgspb.DiagnosisKey
	day       federation.Day // on which its audit was to be had
	audit     []gatewayAudit
	unaudited error // why there is none
}

// A gatewayAudit is what an audit says of one upload.
type gatewayAudit struct {
	Country                             string `json:"country"`
	UploadedTime                        string `json:"uploadedTime"`
	UploaderCertificate                 string `json:"uploaderCertificate"`
	UploaderThumbprint                  string `json:"uploaderThumbprint"`
	UploaderOperatorSignature           string `json:"uploaderOperatorSignature"`
	SigningCertificate                  string `json:"signingCertificate"`
	UploaderSigningThumbprint           string `json:"uploaderSigningThumbprint"`
	SigningCertificateOperatorSignature string `json:"signingCertificateOperatorSignature"`
	Amount                              int    `json:"amount"`
	BatchSignature                      string `json:"batchSignature"`
}

// drain reads until there is nothing more.
func (r *gatewayReader) drain() error {
	for range r.x.opts.MaxBatches {
		next, err := r.following()
		if err != nil {
			return err
		}
		if next == "" && r.tag != "" {
			return nil
		}
		p, err := r.page(next)
		if err != nil || p == nil {
			return err
		}
		if p.tag == r.tag {
			return fmt.Errorf("a batch that follows itself")
		}
		r.tag = p.tag
		r.pages = append(r.pages, *p)
	}
	return fmt.Errorf("more than %d batches", r.x.opts.MaxBatches)
}

// following returns the tag that the last batch says follows it, "" for none.
func (r *gatewayReader) following() (string, error) {
	if r.tag == "" {
		return "", nil
	}
	p, err := r.page(r.tag)
	if err != nil {
		return "", err
	}
	return p.next, nil
}

// page asks for a batch, for the first of the day if tag is empty; nil if there is
// none.
func (r *gatewayReader) page(tag string) (*gatewayPage, error) {
	got, err := r.x.get(r.member, r.x.start.String(), tag, nil)
	switch {
	case err != nil:
		return nil, err
	case got.status == http.StatusNotFound && tag == "":
		return nil, nil
	case got.status != http.StatusOK:
		return nil, fmt.Errorf("status %d to a download", got.status)
	}
	return gatewayPageOf(got)
}

// gatewayPageOf takes a batch in protobuf apart.
func gatewayPageOf(got outcome) (*gatewayPage, error) {
	p := &gatewayPage{answer: got, tag: got.header.Get(headerBatchTag), next: got.header.Get(headerNext)}
	if p.next == "null" {
		p.next = ""
	}
	if p.tag == "" || p.tag == "null" {
		return nil, fmt.Errorf("a batch without a tag")
	}
	batch := &efgspb.DiagnosisKeyBatch{}
	if err := proto.Unmarshal(got.body, batch); err != nil {
		return nil, fmt.Errorf("batch %q is no protobuf", p.tag)
	}
	p.keys = batch.GetKeys()
	return p, nil
}

// dayIn returns the day in a tag, yyyyMMdd-…, which is how clients learn it.
func dayIn(tag string) (federation.Day, bool) {
	if len(tag) < 9 || tag[8] != '-' {
		return 0, false
	}
	t, err := time.Parse("20060102", tag[:8])
	return federation.DayOf(t), err == nil
}

// readAudits asks for the audit of each batch, by the day in its tag or, where there
// is none, by any that may be it.
func (r *gatewayReader) readAudits() {
	for i := range r.pages {
		p := &r.pages[i]
		days := []federation.Day{r.x.start + 1, r.x.start, r.x.start + 2}
		if day, ok := dayIn(p.tag); ok {
			days = []federation.Day{day}
		}
		for _, p.day = range days {
			if p.audit, p.unaudited = r.readAudit(p); p.unaudited == nil {
				break
			}
		}
	}
}

func (r *gatewayReader) readAudit(p *gatewayPage) ([]gatewayAudit, error) {
	got, err := r.x.audit(r.member, p.day.String(), p.tag)
	if err != nil {
		return nil, err
	}
	if got.status != http.StatusOK {
		return nil, fmt.Errorf("status %d to its audit", got.status)
	}
	var audit []gatewayAudit
	if err := json.Unmarshal(got.body, &audit); err != nil || audit == nil {
		return nil, errors.New("its audit is no JSON array")
	}
	return audit, nil
}

// seen returns all that was handed out, by key data, in order.
func (r *gatewayReader) seen() map[string][]*efgspb.DiagnosisKey {
	seen := map[string][]*efgspb.DiagnosisKey{}
	for i := range r.pages {
		for _, k := range r.pages[i].keys {
			seen[string(k.GetKeyData())] = append(seen[string(k.GetKeyData())], k)
		}
	}
	return seen
}

// all returns the batches of the second reading.
func (r *gatewayReader) all() []gatewayPage { return r.again.pages }

// eachBatch returns what looks at every batch that any member was given, twice.
func eachBatch(look func(r *gatewayReader, p *gatewayPage) error) gatewayLater {
	return func(x *gatewayExam) error {
		for _, r := range x.readers {
			for _, pages := range [][]gatewayPage{r.pages, r.all()} {
				for i := range pages {
					if err := look(r, &pages[i]); err != nil {
						return fmt.Errorf("%s, batch %q: %w", x.members[r.member], pages[i].tag, err)
					}
				}
			}
		}
		return nil
	}
}

// holds reports whether the body of a batch has these bytes in it.
func (p *gatewayPage) holds(part []byte) bool { return bytes.Contains(p.answer.body, part) }
