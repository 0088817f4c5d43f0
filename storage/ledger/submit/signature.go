package submit

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"time"
)

const (
	signatureHeader = "X-Amz-Meta-Signature"
	dateHeader      = "X-Amz-Meta-Signature-Date"

	// dateLayout is that of the British back end, which writes UTC where HTTP
	// writes GMT.
	dateLayout = "Mon, 02 Jan 2006 15:04:05 UTC"
)

// sign puts the signature of an answer into its header.
func (s *Server) sign(h http.Header, r *http.Request, now time.Time, body []byte) error {
	date := now.UTC().Format(dateLayout)
	digest := sha256.Sum256(signed(r.Header.Get("Request-Id"), r.Method, r.URL.Path, date, body))
	signature, err := s.signer.SignDigest(digest[:])
	if err != nil {
		return fmt.Errorf("submit: signing an answer: %w", err)
	}
	h.Set(signatureHeader, fmt.Sprintf("keyId=%q,signature=%q", s.opts.KeyID, base64.StdEncoding.EncodeToString(signature)))
	h.Set(dateHeader, date)
	return nil
}

// signed returns what the signature of an answer covers.
func signed(requestID, method, path, date string, body []byte) []byte {
	if requestID == "" {
		requestID = "not-set"
	}
	return slices.Concat([]byte(requestID+":"+method+":"+path+":"+date+":"), body)
}
