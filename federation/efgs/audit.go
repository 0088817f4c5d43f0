package efgs

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/jsontext"
	"github.com/gaenkit/gaen/federation/internal/remote"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/cms"
)

// An Audit says how a [Client] holds batches against the signatures of the uploads
// that they are made of.
//
// The keys of an upload whose signature is not good, or whose origin is not the
// country that signed them, are set aside, all of them, with [FieldSignature] and
// [ReasonUnverified]; the other uploads of the batch are taken. A bad nation
// stops no other.
type Audit struct {
	// Verifier knows the certificates that nations sign with. It is required.
	Verifier Verifier

	// Anchor is the certificate of the gateway's operator, who has to have signed
	// each nation's certificate. Nil leaves that to the Verifier's list.
	Anchor *x509.Certificate

	// Unsigned takes keys that nobody has signed. A gateway of this package has
	// some, in batches of their own: those that came by other protocols. Otherwise
	// they are set aside.
	Unsigned bool

	// Patience is for how long a batch is asked for again whose audit cannot be
	// had, or speaks of another number of keys than it has: an answer that was cut
	// off looks like that. After that, and five tries, its keys are set aside, so
	// that it does not stop those that follow. 0 is 6 h.
	Patience time.Duration
}

func (a *Audit) complete() error {
	a.Patience = cmp.Or(a.Patience, 6*time.Hour)
	switch {
	case a.Verifier == nil:
		return errors.New("ClientOptions.Audit.Verifier is nil")
	case a.Patience < 0:
		return fmt.Errorf("ClientOptions.Audit.Patience: %s is negative", a.Patience)
	}
	return nil
}

// An AuditEntry is what the gateway says of one of the uploads that a batch is made
// of. Uploads have the order of their keys in the batch, and those of whoever asks
// are among them, though their keys are not in the batch for it.
type AuditEntry struct {
	Country                             string     `json:"country"`
	UploadedTime                        UploadTime `json:"uploadedTime"`
	UploaderCertificate                 string     `json:"uploaderCertificate"` // in PEM
	UploaderThumbprint                  string     `json:"uploaderThumbprint"`  // SHA-256 in hexadecimal
	UploaderOperatorSignature           string     `json:"uploaderOperatorSignature"`
	SigningCertificate                  string     `json:"signingCertificate"` // in PEM
	UploaderSigningThumbprint           string     `json:"uploaderSigningThumbprint"`
	SigningCertificateOperatorSignature string     `json:"signingCertificateOperatorSignature"`
	Amount                              int64      `json:"amount"` // of keys
	BatchSignature                      string     `json:"batchSignature"`
}

// An UploadTime is a time as audits have it.
type UploadTime struct{ time.Time }

// auditTime is how the gateway prints times.
const auditTime = "2006-01-02T15:04:05.000Z07:00"

// MarshalJSON writes the time as the gateway does.
func (t UploadTime) MarshalJSON() ([]byte, error) { return json.Marshal(t.UTC().Format(auditTime)) }

// UnmarshalJSON reads a time. What is none is zero: audits are not refused for it.
func (t *UploadTime) UnmarshalJSON(b []byte) error {
	t.Time = time.Time{}
	text, ok := jsontext.Value(b).Text()
	if !ok {
		return nil
	}
	if parsed, err := time.Parse(time.RFC3339, string(text)); err == nil {
		t.Time = parsed
	}
	return nil
}

// maxAudit is the size of the largest audit that is read, in bytes. An entry has
// some 10 kB, and a batch of 5,000 keys can be of many small uploads.
const maxAudit = 64 << 20

// A doubt is a batch whose audit was no good.
type doubt struct {
	tag   string
	since time.Time
	tries int
}

// minTries is how often a batch is asked for at least before patience is at an end:
// after an outage there was patience, and no try.
const minTries = 5

// audited returns which keys of a batch are to be set aside.
func (c *Client) audited(ctx context.Context, h *handout) (aside map[int]*keys.Rejection, err error) {
	if c.opts.Audit == nil {
		return nil, nil
	}
	entries, err := c.auditOf(ctx, h)
	if errors.Is(err, errNotSigned) { // once more, as an answer that was cut off can say that, too
		entries, err = c.auditOf(ctx, h)
	}
	switch {
	case errors.Is(err, errNotSigned):
		return h.all(err.Error()), nil
	case errors.Is(err, federation.ErrDenied) || errors.Is(err, federation.ErrThrottled):
		return nil, err
	case err != nil && c.bearsWith(h.tag):
		return nil, err
	case err != nil:
		return h.all("its audit cannot be had"), nil
	}
	return c.check(ctx, entries, h)
}

// auditOf returns the audit of the keys that a batch has.
func (c *Client) auditOf(ctx context.Context, h *handout) ([]AuditEntry, error) {
	entries, err := c.entries(ctx, h)
	if err != nil {
		return nil, err
	}
	return c.fit(entries, len(h.batch.Keys))
}

// all sets all keys of a batch aside.
func (h *handout) all(why string) map[int]*keys.Rejection {
	aside := make(map[int]*keys.Rejection, len(h.batch.Keys))
	for i := range h.batch.Keys {
		aside[i] = unverified(why)
	}
	return aside
}

func unverified(why string) *keys.Rejection {
	return &keys.Rejection{Field: FieldSignature, Reason: ReasonUnverified, Detail: why}
}

// bearsWith reports whether a batch is to be asked for again.
func (c *Client) bearsWith(tag string) bool {
	now := c.opts.Clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.doubted.tag != tag {
		c.doubted = doubt{tag: tag, since: now}
	}
	c.doubted.tries++
	return c.doubted.tries < minTries || now.Sub(c.doubted.since) < c.opts.Audit.Patience
}

// entries asks for the audit of a batch.
func (c *Client) entries(ctx context.Context, h *handout) ([]AuditEntry, error) {
	var a *remote.Answer
	// The day must be the batch's, which around midnight is not the tag's.
	for _, day := range []federation.Day{h.day, h.day + 1, h.day - 1} {
		var err error
		if a, err = c.do(ctx, &remote.Request{Op: opAudit, Method: http.MethodGet, Path: "/audit/download/" + day.String() + "/" + url.PathEscape(h.tag),
			Header: accepting(JSON), Limit: maxAudit}); err != nil {
			return nil, err
		}
		if a.Status != http.StatusNotFound {
			break
		}
	}
	if a.Status != http.StatusOK {
		return nil, a.Failure(meaning(opAudit, a.Status))
	}
	var entries []AuditEntry
	if err := json.Unmarshal(a.Body, &entries); err != nil || entries == nil {
		return nil, unavailable(opAudit, a.Status, "no JSON array of audits")
	}
	return entries, nil
}

var errNotSigned = errors.New("nobody has signed it")

// fit returns the entries of the uploads whose keys are in a batch of so many keys:
// all but this country's.
func (c *Client) fit(entries []AuditEntry, has int) ([]AuditEntry, error) {
	if len(entries) == 0 && has > 0 {
		if c.opts.Audit.Unsigned {
			return nil, nil
		}
		return nil, errNotSigned
	}
	others := slices.DeleteFunc(entries, func(e AuditEntry) bool { return strings.EqualFold(e.Country, c.country.String()) })
	sum := int64(0)
	for i := range others {
		if n := others[i].Amount; n < 0 || n > int64(has) {
			return nil, unavailable(opAudit, http.StatusOK, "an upload of %d keys in a batch of %d", n, has)
		}
		sum += others[i].Amount
	}
	if sum != int64(has) {
		return nil, unavailable(opAudit, http.StatusOK, "uploads of %d keys in a batch of %d", sum, has)
	}
	return others, nil
}

// check verifies upload by upload, and returns which keys are to be set aside.
func (c *Client) check(ctx context.Context, entries []AuditEntry, h *handout) (map[int]*keys.Rejection, error) {
	aside := map[int]*keys.Rejection{}
	from := 0
	for i := range entries {
		to := from + int(entries[i].Amount)
		err := c.opts.Audit.verify(ctx, &entries[i], h.batch.Keys[from:to], c.opts.Clock())
		if errors.Is(err, cms.ReasonUnavailable) || ctx.Err() != nil {
			return nil, unavailable(opAudit, 0, "who may sign cannot be found out: %w", err)
		}
		if err != nil {
			why := unverified(err.Error())
			for n := from; n < to; n++ {
				aside[n] = why
			}
		}
		from = to
	}
	return aside, nil
}

// verify returns why an upload is not what the country signed that it is said to be
// of, as the field's clients check it: signature, certificate, thumbprint, trust
// anchor, origins.
func (a *Audit) verify(ctx context.Context, e *AuditEntry, part []DiagnosisKey, now time.Time) error {
	if len(part) == 0 {
		return nil
	}
	s, err := a.Verifier.Verify(ctx, SigningBytes(part), e.BatchSignature, e.signedAt(now))
	switch {
	case errors.Is(err, cms.ReasonUnavailable):
		return err
	case err != nil:
		return fmt.Errorf("the signature is not good: %s", printable(err.Error()))
	case s.Country != e.Country:
		return errors.New("the certificate is of another country")
	case !sameThumbprint(s.Thumbprint, e.UploaderSigningThumbprint):
		return errors.New("the certificate is not the one that the gateway names")
	}
	if err := a.confirm(s.Certificate, e); err != nil {
		return err
	}
	for i := range part {
		if part[i].Origin != e.Country {
			return errors.New("a key is of another origin than the certificate")
		}
	}
	return nil
}

// confirm asks the trust anchor about a certificate.
func (a *Audit) confirm(cert *x509.Certificate, e *AuditEntry) error {
	if e.SigningCertificate == "" && a.Anchor == nil {
		return nil
	}
	shown, err := cms.ParseCertificate(e.SigningCertificate)
	if err != nil || !shown.Equal(cert) {
		return errors.New("the certificate is not the one that the gateway shows")
	}
	if a.Anchor == nil {
		return nil
	}
	if err := cms.VerifyAnchor(a.Anchor, e.SigningCertificate, e.SigningCertificateOperatorSignature); err != nil {
		return fmt.Errorf("the operator has not confirmed the certificate: %s", printable(err.Error()))
	}
	return nil
}

// signedAt returns the time by which a certificate is judged: that of the upload,
// since one that has run out since then was good; now if that is not to be had.
func (e *AuditEntry) signedAt(now time.Time) time.Time {
	const longest = retention + 48*time.Hour // between an upload and its download
	if t := e.UploadedTime.Time; t.Before(now) && t.After(now.Add(-longest)) {
		return t
	}
	return now
}

// sameThumbprint reports whether a thumbprint is that of a certificate. One that
// begins with a zero byte loses its zeros in the gateway; one that is not there says
// nothing.
func sameThumbprint(have cms.Thumbprint, told string) bool {
	return told == "" || strings.EqualFold(strings.TrimLeft(have.String(), "0"), strings.TrimLeft(told, "0"))
}

// printable returns a text as it can be stored and shown.
func printable(s string) string {
	const longest = 200
	if len(s) > longest {
		s = s[:longest]
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s)
}
