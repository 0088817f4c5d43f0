package nhs

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
)

// The metadata of an object; HTTP shows them as x-amz-meta-signature and so on.
const (
	signatureKey = "signature"
	dateKey      = "signature-date"
)

const (
	utcDate = "Mon, 02 Jan 2006 15:04:05 UTC"
	gmtDate = "Mon, 02 Jan 2006 15:04:05 GMT"
)

// FileOptions returns the attributes of an archive: its date and the signature of
// both. The date is the end of the last two hours in it, and not the time at which
// it is signed, so that whoever writes it, again or first, writes the same.
func (l *Layout) FileOptions(a *distribution.Archive) (storage.PutOptions, error) {
	if l.signer == nil {
		return storage.PutOptions{}, errors.New("nhs: the layout has no signer of metadata, and can only be read by")
	}
	layout := utcDate
	if l.opts.GMT {
		layout = gmtDate
	}
	date := a.File.Window.End.UTC().Format(layout)
	digest := digestOf(date, a.Bytes)
	der, err := l.signer.SignDigest(digest[:])
	if err != nil {
		return storage.PutOptions{}, fmt.Errorf("nhs: metadata: %w", err)
	}
	return storage.PutOptions{ContentType: "application/zip", Metadata: map[string]string{
		signatureKey: fmt.Sprintf(`keyId="%s",signature="%s"`, l.opts.KeyID, base64.StdEncoding.EncodeToString(der)),
		dateKey:      date,
	}}, nil
}

// digestOf returns the digest of what is signed: date, colon, file.
func digestOf(date string, file []byte) (digest [sha256.Size]byte) {
	h := sha256.New()
	h.Write([]byte(date + ":"))
	h.Write(file)
	h.Sum(digest[:0])
	return digest
}

var signatureForm = regexp.MustCompile(`^keyId="([^"]*)",signature="([A-Za-z0-9+/]+=*)"$`)

// CheckAttributes returns an error if the metadata of an object are not the
// signature of its content by a trusted key. A layout that trusts no key, because
// it has no signer and no [Options.Trusted], looks at their form alone.
func (l *Layout) CheckAttributes(content []byte, a storage.Attributes) error {
	date, err := parseDate(a.Metadata[dateKey])
	if err != nil {
		return err
	}
	m := signatureForm.FindStringSubmatch(a.Metadata[signatureKey])
	if m == nil {
		return fmt.Errorf("nhs: metadata %s: %.100q is no signature", signatureKey, a.Metadata[signatureKey])
	}
	der, err := base64.StdEncoding.DecodeString(m[2])
	if err != nil {
		return fmt.Errorf("nhs: metadata %s: %w", signatureKey, err)
	}
	trusted := l.trusted()
	if len(trusted) == 0 {
		return nil
	}
	digest := digestOf(date, content)
	for _, k := range trusted {
		if k.Verify(digest[:], der) == nil {
			return nil
		}
	}
	return fmt.Errorf("nhs: metadata %s, by key %.100q: %w", signatureKey, m[1], signing.ErrBadSignature)
}

// parseDate returns the text of a date that is one.
func parseDate(text string) (string, error) {
	for _, layout := range []string{utcDate, gmtDate} {
		if t, err := time.Parse(layout, text); err == nil && t.Format(layout) == text {
			return text, nil
		}
	}
	return "", fmt.Errorf("nhs: metadata %s: %.100q is no date", dateKey, text)
}

func (l *Layout) trusted() []signing.PublicKey {
	trusted := l.opts.Trusted
	if l.signer != nil {
		trusted = append([]signing.PublicKey{l.signer.PublicKey()}, trusted...)
	}
	return trusted
}
