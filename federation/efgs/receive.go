package efgs

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/service"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/cms"
)

// upload stores what a nation brings, whole or not at all.
func (s *Server) upload(w http.ResponseWriter, r *http.Request, c *caller) (*service.Reply, error) {
	if err := service.OnlyBy(r, http.MethodPost); err != nil {
		return nil, err
	}
	tag, signature, err := uploadHeaders(r)
	if err != nil {
		return nil, err
	}
	batch, err := s.batch(w, r)
	if err != nil {
		return nil, err
	}
	sealed := &federation.Sealed{Tag: tag}
	if sealed.Keys, err = validity(s.opts.Clock()).keys(batch); err != nil {
		return nil, err
	}
	// What is not signed, such as fields that nobody knows, is not handed on: other
	// nations' decoders may trip over it. What is comes out as it went in.
	if sealed.Body = Protobuf.Append(nil, batch.Keys); len(sealed.Body) > federation.MaxSealed {
		return nil, service.Refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("body: more than %d bytes of protobuf", federation.MaxSealed))
	}
	if sealed.Seal, err = s.seal(r.Context(), c, batch.Keys, signature); err != nil {
		return nil, err
	}
	answer, err := s.hub.UploadSealed(r.Context(), c.nation, sealed)
	switch {
	case errors.Is(err, federation.ErrTagTaken):
		return nil, service.Refuse(http.StatusConflict, "batchTag: another upload has it")
	case errors.Is(err, federation.ErrKind):
		return nil, service.Refuse(http.StatusForbidden, "the nation uploads by another protocol").Because(err)
	case errors.Is(err, federation.ErrRefused):
		return nil, service.Refuse(http.StatusRequestEntityTooLarge, "beyond a limit").Because(err)
	case err != nil:
		return nil, service.Unable(err)
	}
	s.opts.Logger.LogAttrs(r.Context(), slog.LevelInfo, "efgs: upload", slog.String("country", c.country),
		slog.Int("keys", len(sealed.Keys)), slog.Bool("stored", answer.Stored), slog.Bool("again", answer.Again),
		slog.Int("known", len(answer.Known)), slog.Int("refused", len(answer.Refused)))
	s.tell(Exchange{Nation: c.nation.Name, Sent: len(sealed.Keys), Answer: answer})
	return uploadReply(tag, len(sealed.Keys), answer)
}

// uploadHeaders returns what an upload says beside its body.
func uploadHeaders(r *http.Request) (tag, signature string, err error) {
	if tag, err = header(r, headerBatchTag); err != nil {
		return "", "", err
	}
	if tag == "" || len(tag) > federation.MaxTag || strings.ContainsFunc(tag, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", "", service.Refuse(http.StatusBadRequest, fmt.Sprintf("batchTag: want 1 to %d printable ASCII characters", federation.MaxTag))
	}
	if signature, err = header(r, headerBatchSignature); err != nil {
		return "", "", err
	}
	if signature == "" {
		return "", "", service.Refuse(http.StatusBadRequest, "batchSignature: missing")
	}
	return tag, signature, nil
}

// batch reads the body of an upload. The gateway says that there are too many keys
// only after it has looked at each; here none is read beyond the limit.
func (s *Server) batch(w http.ResponseWriter, r *http.Request) (*Batch, error) {
	kind, err := header(r, "Content-Type")
	if err != nil {
		return nil, err
	}
	format, err := ContentType(kind)
	if e, ok := errors.AsType[*MediaError](err); ok {
		return nil, service.Refuse(e.Status, e.Header+": "+e.Err.Error())
	}
	if r.Header.Get("Content-Encoding") != "" {
		return nil, service.Refuse(http.StatusBadRequest, "Content-Encoding: want none")
	}
	body, err := service.Body(w, r, s.opts.MaxUpload)
	if err != nil {
		return nil, err
	}
	batch, err := format.Decode(body, MaxBatch)
	switch {
	case errors.Is(err, ErrTooManyKeys):
		return nil, service.Refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("body: more than %d keys", MaxBatch))
	case err != nil:
		return nil, service.Refuse(http.StatusBadRequest, "body: not a batch of keys")
	case len(batch.Keys) == 0:
		return nil, service.Refuse(http.StatusBadRequest, "body: no keys")
	}
	return batch, nil
}

// keys returns the keys of an upload. As at the gateway one that is not valid has
// the whole refused (EFGS 233): clients of the field halve it until they find that.
func (v validityRange) keys(b *Batch) ([]keys.DiagnosisKey, error) {
	all := make([]keys.DiagnosisKey, len(b.Keys))
	for i := range b.Keys {
		k, err := b.Key(i)
		if err == nil {
			err = v.check(&k)
		}
		if err != nil {
			why := setAside(&k, err)
			return nil, service.Refuse(http.StatusBadRequest, fmt.Sprintf("key %d: %s: %s", i, why.Field, why.Reason))
		}
		all[i] = k
	}
	return all, nil
}

// seal verifies who signed an upload, and returns what its audit will say.
func (s *Server) seal(ctx context.Context, c *caller, all []DiagnosisKey, signature string) ([]byte, error) {
	signed, entry, err := s.signed(ctx, all, signature)
	switch {
	case errors.Is(err, cms.ReasonUnavailable):
		return nil, service.Unable(err)
	case err != nil:
		return nil, service.Refuse(http.StatusBadRequest, "Invalid signature").Because(err)
	case signed.Country != c.country:
		return nil, service.Refuse(http.StatusBadRequest, "Invalid signature").Because(fmt.Errorf("the certificate is of %s", signed.Country))
	}
	for i := range all {
		if all[i].Origin != c.country {
			return nil, service.Refuse(http.StatusBadRequest, fmt.Sprintf("key %d: the origin is not the certificate's country", i))
		}
	}
	seal, err := json.Marshal(AuditEntry{
		Country:                             c.country,
		UploaderCertificate:                 c.entry.Certificate,
		UploaderThumbprint:                  c.entry.Thumbprint.String(),
		UploaderOperatorSignature:           c.entry.AnchorSignature,
		SigningCertificate:                  entry.Certificate,
		UploaderSigningThumbprint:           signed.Thumbprint.String(),
		SigningCertificateOperatorSignature: entry.AnchorSignature,
		Amount:                              int64(len(all)),
		BatchSignature:                      signature,
	})
	if err != nil {
		return nil, service.Unable(err)
	}
	return seal, nil
}

// signed returns who has signed keys, and the entry of that certificate.
func (s *Server) signed(ctx context.Context, all []DiagnosisKey, signature string) (*cms.Signature, *cms.Entry, error) {
	signed, err := s.opts.Verifier.Verify(ctx, SigningBytes(all), signature, s.opts.Clock())
	if err != nil {
		return nil, nil, err
	}
	entry, err := cms.Lookup(ctx, s.list, signed.Thumbprint, cms.UseSigning, signed.Country)
	if err != nil {
		return nil, nil, err
	}
	if err := s.opts.confirm(&entry); err != nil {
		return nil, nil, err
	}
	if entry.Certificate == "" { // the list knows it by its thumbprint
		entry.Certificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed.Certificate.Raw}))
	}
	return signed, &entry, nil
}

// uploadReply says what became of an upload: 201, 409 for one that is there, or 207
// with what each key would have been answered, and then nothing is stored.
func uploadReply(tag string, sent int, a *federation.SealedAnswer) (*service.Reply, error) {
	switch {
	case a.Again:
		return nil, service.Refuse(http.StatusConflict, "batchTag: the upload is there")
	case a.Stored:
		return &service.Reply{Status: http.StatusCreated, Header: map[string]string{headerBatchTag: tag}}, nil
	case len(a.Refused) == sent && sent > 1:
		// A 207 of nothing but 500 looks like a gateway that is broken.
		return nil, service.Refuse(http.StatusBadRequest, "none of the keys is taken").Because(a.Refused[0].Why)
	}
	result := map[string][]int{"201": {}, "409": {}, "500": {}}
	status := make([]string, sent)
	for _, i := range a.Known {
		status[i] = "409"
	}
	for _, refusal := range a.Refused {
		status[refusal.Index] = "500"
	}
	for i, st := range status {
		if st == "" {
			st = "201"
		}
		result[st] = append(result[st], i)
	}
	return jsonReply(http.StatusMultiStatus, result)
}
