package interop

import (
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/jsontext"
	"github.com/gaenkit/gaen/federation/internal/service"
	"github.com/gaenkit/gaen/signing/jws"
	"github.com/gaenkit/gaen/storage/ledger"
)

// upload takes in what a nation brings. It answers 200 if the signature is the
// nation's and the content an array: one bad key never takes its neighbours, as it
// does in the interoperability service (spec/interop, measured).
func (s *Server) upload(w http.ResponseWriter, r *http.Request, m *Member) (*service.Reply, error) {
	if m.Verifier == nil {
		return nil, service.Refuse(http.StatusForbidden, "no right to upload")
	}
	if err := service.OnlyBy(r, http.MethodPost); err != nil {
		return nil, err
	}
	body, err := s.body(w, r)
	if err != nil {
		return nil, err
	}
	tag, signed, err := parseUpload(body)
	if err != nil {
		return nil, err
	}
	in, err := s.open(signed, m)
	if err != nil {
		return nil, err
	}
	in.Tag = tag
	receipt, err := s.hub.Upload(r.Context(), &m.Nation, in)
	switch {
	case errors.Is(err, federation.ErrKind):
		return nil, service.Refuse(http.StatusForbidden, "the nation uploads by a protocol that seals").Because(err)
	case err != nil:
		return nil, service.Unable(err)
	}
	s.opts.Logger.LogAttrs(r.Context(), slog.LevelInfo, "interop: upload", slog.String("nation", string(m.Name)),
		slog.Int("offered", receipt.Offered), slog.Int("accepted", receipt.Accepted), slog.Int("revised", receipt.Revised),
		slog.Int("duplicates", receipt.Duplicates), slog.Int("rejected", len(receipt.Rejected)),
		slog.Int("withdrawals", receipt.WithdrawalsTaken+receipt.WithdrawalsKept))
	s.tell(Exchange{Nation: m.Name, Receipt: receipt})
	return receiptReply(tag, receipt)
}

// body reads the body, which must be JSON and not encoded any further.
func (s *Server) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != mediaType {
		return nil, service.Refuse(http.StatusUnsupportedMediaType, "Content-Type: want "+mediaType)
	}
	if r.Header.Get("Content-Encoding") != "" {
		return nil, service.Refuse(http.StatusUnsupportedMediaType, "Content-Encoding: want none")
	}
	return service.Body(w, r, s.opts.MaxUpload)
}

// parseUpload takes the body of an upload apart.
func parseUpload(body []byte) (tag, signed string, err error) {
	v, ok := jsontext.Parse(body)
	if !ok || !v.IsObject() {
		return "", "", service.Refuse(http.StatusBadRequest, "body: no JSON object")
	}
	var f [2]jsontext.Value
	if twice := v.Once([]string{"batchTag", "payload"}, f[:]); twice != "" {
		return "", "", service.Refuse(http.StatusBadRequest, twice+": there twice")
	}
	if tag, err = parseTag(f[0]); err != nil {
		return "", "", service.Refuse(http.StatusBadRequest, err.Error())
	}
	if tag == "" {
		return "", "", service.Refuse(http.StatusBadRequest, "batchTag: missing or empty")
	}
	payload, ok := f[1].Text()
	if !ok {
		return "", "", service.Refuse(http.StatusBadRequest, "payload: missing or no string")
	}
	return tag, string(payload), nil
}

// statuses are what is answered if a JWS is not good.
var statuses = map[jws.Reason]int{
	jws.ReasonTooLarge:  http.StatusRequestEntityTooLarge,
	jws.ReasonMalformed: http.StatusBadRequest,
	jws.ReasonAlgorithm: http.StatusBadRequest,
	jws.ReasonHeader:    http.StatusBadRequest,
	jws.ReasonSignature: http.StatusUnauthorized, // so that clients see to their keys, and not to the content
}

// open verifies a JWS and reads the exposures in it.
func (s *Server) open(signed string, m *Member) (*federation.Incoming, error) {
	message, err := m.Verifier.Verify(signed)
	if err != nil {
		status := http.StatusBadRequest
		if e, ok := errors.AsType[*jws.Error](err); ok && statuses[e.Reason] != 0 {
			status = statuses[e.Reason]
		}
		return nil, service.Refuse(status, "payload: "+err.Error())
	}
	list, ok := jsontext.Parse(message.Payload)
	if !ok || !list.IsArray() {
		return nil, service.Refuse(http.StatusBadRequest, "payload: no JSON array")
	}
	in := &federation.Incoming{}
	// An origin that is named is taken at its word, and the hub holds it against
	// the nation's rights: to take it for the nation's own would make one country's
	// key another's.
	exposures := reader{owner: m.Region, extended: m.Extended}
	if in.Keys, in.Unreadable, err = exposures.all(list, s.opts.MaxKeys); err != nil {
		return nil, service.Refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("payload: %v: at most %d", err, s.opts.MaxKeys))
	}
	return in, nil
}

// receiptReply says what became of an upload. Clients of the field read the first
// two fields and pass over the others, which are there if any key was not taken.
func receiptReply(tag string, receipt *ledger.Receipt) (*service.Reply, error) {
	result := struct {
		BatchTag           string         `json:"batchTag"`
		InsertedExposures  int            `json:"insertedExposures"`
		RejectedExposures  int            `json:"rejectedExposures,omitzero"`
		Rejections         map[string]int `json:"rejections,omitzero"` // by field and reason: "rolling_period/range"
		RefusedWithdrawals int            `json:"refusedWithdrawals,omitzero"`
	}{
		BatchTag:           tag,
		InsertedExposures:  receipt.Accepted + receipt.Revised,
		RejectedExposures:  len(receipt.Rejected),
		RefusedWithdrawals: receipt.WithdrawalsRefused,
	}
	for _, a := range receipt.Rejected {
		if result.Rejections == nil {
			result.Rejections = map[string]int{}
		}
		result.Rejections[string(a.Field)+"/"+string(a.Reason)]++
	}
	return service.JSON(http.StatusOK, jsonKind, result)
}
