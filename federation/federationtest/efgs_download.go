package federationtest

import (
	"net/http"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/gaenkit/gaen/internal/efgspb"
)

// download answers by the gateway's rules, in their order.
func (s *EFGSServer) download(in *efgsIncoming) *efgsReply {
	asJSON, status := efgsFormat(in.http.Header.Get("Accept"), 400, 415, 415)
	if status != 0 {
		return efgsMessage(status, "Accept")
	}
	day, why := s.day(in.Date)
	if why != nil {
		return why
	}
	i := -1
	if in.Tag == "" {
		i = slices.IndexFunc(s.batches, func(b *efgsBatch) bool { return b.created.After(day) })
	} else {
		i = slices.IndexFunc(s.batches, func(b *efgsBatch) bool { return b.tag == in.Tag })
	}
	switch {
	case i < 0:
		return efgsMessage(http.StatusNotFound, "no such batch")
	case s.batches[i].created.Truncate(24 * time.Hour).Before(day):
		return efgsMessage(http.StatusBadRequest, "the batch is of an earlier day")
	}
	return s.batch(i, in.nation, asJSON)
}

// day returns a day that batches are kept of.
func (s *EFGSServer) day(date string) (time.Time, *efgsReply) {
	day, err := time.Parse(time.DateOnly, date)
	today := s.opts.Clock().UTC().Truncate(24 * time.Hour)
	switch {
	case err != nil:
		return day, efgsMessage(http.StatusBadRequest, "date")
	case day.Before(today.AddDate(0, 0, -s.opts.MaxAge)):
		return day, efgsMessage(http.StatusGone, "too old")
	}
	return day, nil
}

// batch returns a batch as a nation is given it.
func (s *EFGSServer) batch(i, nation int, asJSON bool) *efgsReply {
	b := s.batches[i]
	out := &efgspb.DiagnosisKeyBatch{}
	for _, u := range b.uploads {
		if s.nations[u.nation].Country != s.nations[nation].Country && !b.cleaned {
			out.Keys = append(out.Keys, u.keys...)
		}
	}
	next := "null"
	if i+1 < len(s.batches) {
		next = s.batches[i+1].tag
	}
	a := &efgsReply{status: http.StatusOK, header: http.Header{
		"X-Protobuf-Schema": {"Efgs.proto"}, "X-Protobuf-Message": {"eu.interop.DiagnosisKeyBatch"},
	}}
	a.header.Set(headerBatchTag, b.tag)
	a.header.Set(headerNext, next)
	if asJSON {
		a.header.Set("Content-Type", "application/json; version=1.0")
		a.body, _ = protojson.MarshalOptions{UseProtoNames: true}.Marshal(out)
		return a
	}
	a.header.Set("Content-Type", "application/protobuf; version=1.0")
	a.body, _ = proto.Marshal(out)
	return a
}

// audit answers with the uploads of a batch, those of the caller among them.
func (s *EFGSServer) audit(in *efgsIncoming) *efgsReply {
	day, why := s.day(in.Date)
	if why != nil {
		return why
	}
	i := slices.IndexFunc(s.batches, func(b *efgsBatch) bool { return b.tag == in.Tag && sameDay(b.created, day) })
	if i < 0 {
		return efgsMessage(http.StatusNotFound, "no such batch")
	}
	entries := []map[string]any{}
	for _, u := range s.batches[i].uploads {
		n := &s.nations[u.nation]
		entries = append(entries, map[string]any{
			"country": n.Country, "uploadedTime": u.created.Format("2006-01-02T15:04:05.000Z07:00"),
			"uploaderCertificate": n.UploaderCertificate, "uploaderThumbprint": n.Thumbprint, "uploaderOperatorSignature": n.UploaderOperatorSignature,
			"signingCertificate": n.SigningCertificate, "uploaderSigningThumbprint": n.SigningThumbprint,
			"signingCertificateOperatorSignature": n.SigningCertificateOperatorSignature,
			"amount":                              len(u.keys), "batchSignature": u.signature,
		})
	}
	return &efgsReply{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json; version=1.0"}}, body: marshal(entries)}
}
