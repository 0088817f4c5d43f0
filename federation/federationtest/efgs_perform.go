package federationtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/gaenkit/gaen/internal/efgspb"
)

// perform answers a request by a verdict. Those that are about exposures, JSON or
// the interoperability service are [Pass] here, but for [Odd].
func (s *EFGSServer) perform(v Verdict, w http.ResponseWriter, in *efgsIncoming) {
	switch {
	case v == Fail:
		panic(http.ErrAbortHandler) // net/http resets the connection
	case v == Stall:
		<-in.http.Context().Done()
		panic(http.ErrAbortHandler)
	case v == FailAfter:
		s.answer(in)
		panic(http.ErrAbortHandler)
	case v == TimeoutAfter:
		s.answer(in)
		s.send(w, efgsMessage(http.StatusGatewayTimeout, "upstream request timeout"))
	case v.status():
		a := efgsMessage(int(v), "on purpose")
		a.header.Set("Retry-After", "1")
		a.header.Set("Location", "https://elsewhere.example"+in.Path)
		s.send(w, a)
	case v == Half:
		s.half(w, s.answer(in))
	default:
		s.send(w, s.distorted(v, in))
	}
}

func (s *EFGSServer) send(w http.ResponseWriter, a *efgsReply) {
	for name, values := range a.header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	w.WriteHeader(a.status)
	w.Write(a.body) // if it fails, the caller is gone
}

// half breaks off half way.
func (s *EFGSServer) half(w http.ResponseWriter, a *efgsReply) {
	w.Header().Set("Content-Length", fmt.Sprint(len(a.body)+1))
	s.send(w, &efgsReply{status: a.status, header: a.header, body: a.body[:len(a.body)/2]})
	panic(http.ErrAbortHandler)
}

// distorted returns what is answered instead of what should be.
func (s *EFGSServer) distorted(v Verdict, in *efgsIncoming) *efgsReply {
	switch v {
	case Blank:
		return &efgsReply{status: http.StatusOK, header: http.Header{}}
	case NullBody:
		return &efgsReply{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: []byte("null")}
	case HTML:
		return &efgsReply{status: http.StatusOK, header: http.Header{"Content-Type": {"text/html"}}, body: []byte("<!DOCTYPE html><html>Scheduled maintenance</html>")}
	case Quote:
		return efgsMessage(http.StatusInternalServerError, in.http.Header.Get(headerSignature)+" "+string(in.body))
	}
	a := s.answer(in)
	if a.status != http.StatusOK {
		return a
	}
	switch {
	case v == Partial:
		a.body = a.body[:len(a.body)/2]
	case v == Silence && in.Route == RouteDownload:
		return efgsMessage(http.StatusNotFound, "no such batch")
	case v == Repeat && in.Route == RouteDownload:
		a.header.Set(headerNext, a.header.Get(headerBatchTag))
	case v == NoTag && in.Route == RouteDownload:
		a.header.Set(headerBatchTag, "null")
	case v == LongTag && in.Route == RouteDownload:
		a.header.Set(headerNext, strings.Repeat("t", 1<<16))
	case v == Odd && in.Route == RouteDownload:
		a.body = efgsOdd(a.body)
	case v == Short && in.Route == RouteAudit:
		a.body = withoutLast(a.body)
	}
	return a
}

// efgsOdd puts keys between those of a protobuf body that are none.
func efgsOdd(body []byte) []byte {
	odd := [][]byte{
		{0xff}, // no field at all
		protowire.AppendString(protowire.AppendTag(nil, 6, protowire.BytesType), "\xff\xfe"), // no UTF-8
		{}, // nothing in it
	}
	for _, k := range []*efgspb.DiagnosisKey{
		{KeyData: make([]byte, 15), Origin: "ZZ", RollingPeriod: 144},
		{KeyData: []byte("0123456789abcdef"), Origin: "Zürich", RollingPeriod: 144},
		{KeyData: []byte("0123456789abcdef"), Origin: "ZZ", RollingPeriod: 1440},
		{KeyData: []byte("0123456789abcdef"), Origin: "ZZ", RollingPeriod: 144, ReportType: 77},
		{KeyData: []byte("0123456789abcdef"), Origin: "ZZ", RollingPeriod: 144, DaysSinceOnsetOfSymptoms: 5000},
		{KeyData: []byte("0123456789abcdef"), Origin: "ZZ", RollingPeriod: 144, TransmissionRiskLevel: -1},
	} {
		message, _ := proto.Marshal(k)
		odd = append(odd, message)
	}
	var mixed []byte
	for _, message := range odd {
		mixed = protowire.AppendBytes(protowire.AppendTag(mixed, 1, protowire.BytesType), message)
	}
	return append(mixed, body...)
}

// withoutLast returns a JSON array without its last element.
func withoutLast(body []byte) []byte {
	var list []json.RawMessage
	if err := json.Unmarshal(body, &list); err != nil || len(list) == 0 {
		return body
	}
	return marshal(list[:len(list)-1])
}
