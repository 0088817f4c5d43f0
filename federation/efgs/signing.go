package efgs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"time"
	"unicode"

	"github.com/gaenkit/gaen/signing/cms"
)

var (
	_ Signer   = (*cms.Signer)(nil)
	_ Verifier = (*cms.Verifier)(nil)
)

// A Signer signs the bytes of batches: a [*cms.Signer] is one. It may be called from
// several goroutines at once.
type Signer interface {
	// Sign must return a signature of content, made at this time, as the header
	// batchSignature has it: detached CMS in base64 without line breaks.
	Sign(content []byte, at time.Time) (string, error)
}

// A Verifier checks the signatures of batches: a [*cms.Verifier] is one. It may be
// called from several goroutines at once.
type Verifier interface {
	// Verify must return who has signed content, or an error if the signature is
	// not a good one of it, or if its certificate was not good at this time or is
	// not one that is trusted. An error that satisfies errors.Is with
	// [cms.ReasonUnavailable] means that it could not be found out. Errors must be
	// without content.
	Verify(ctx context.Context, content []byte, signature string, at time.Time) (*cms.Signature, error)
}

// AppendSigningString appends to b what is signed of a key: eight fields in
// base64, with a dot after each. Integers are of four bytes, big-endian, two's
// complement; countries are joined by commas, in the order that they have.
//
// It is what the gateway does, and not what its design document says, which has
// another order of keys and a comma after each country. Letters that are not ASCII
// become question marks, as they do in Java.
func (k *DiagnosisKey) AppendSigningString(b []byte) []byte {
	b = appendField(b, k.KeyData)
	b = appendInteger(b, k.RollingStartIntervalNumber)
	b = appendInteger(b, k.RollingPeriod)
	b = appendInteger(b, uint32(k.TransmissionRiskLevel))
	var text [usualCountries]byte
	b = appendField(b, appendASCII(text[:0], k.VisitedCountries...))
	b = appendField(b, appendASCII(text[:0], k.Origin))
	b = appendInteger(b, uint32(k.ReportType))
	return appendInteger(b, uint32(k.DaysSinceOnsetOfSymptoms))
}

// usualCountries is the length of a list of countries that needs no memory of its
// own, in bytes.
const usualCountries = 128

func appendField(b, field []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(b, field), '.')
}

func appendInteger(b []byte, n uint32) []byte {
	var field [4]byte
	binary.BigEndian.PutUint32(field[:], n)
	return appendField(b, field[:])
}

// appendASCII appends texts with commas between them.
func appendASCII(b []byte, texts ...string) []byte {
	for i, text := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		for _, c := range text {
			if c > unicode.MaxASCII {
				c = '?'
			}
			b = append(b, byte(c))
		}
	}
	return b
}

// Digest returns SHA-256 of what is signed of a key, by which the gateway knows a
// key that it has already: the same key data with anything else changed is a new
// one.
func (k *DiagnosisKey) Digest() [sha256.Size]byte {
	var b [usualString]byte
	return sha256.Sum256(k.AppendSigningString(b[:0]))
}

// usualString is how long the signing string of a key usually is at most, in bytes.
const usualString = 256

// SigningBytes returns what the signature of a batch is made of: the signing
// strings of its keys one after another, in the order of their base64. It does not
// matter in which order the batch has them, and that stays as it is.
//
// The design document's "sorted by Diagnosis Key encoded in Base64" is another
// order, which the gateway does not take.
func SigningBytes(all []DiagnosisKey) []byte {
	type entry struct{ text, order []byte }
	entries := make([]entry, len(all))
	texts := make([]byte, 0, len(all)*usualString/2)
	ends := make([]int, len(all))
	for i := range all {
		texts = all[i].AppendSigningString(texts)
		ends[i] = len(texts)
	}
	orders := make([]byte, 0, base64.StdEncoding.EncodedLen(len(texts))+4*len(all))
	from := 0
	for i, end := range ends {
		begin := len(orders)
		orders = base64.StdEncoding.AppendEncode(orders, texts[from:end])
		entries[i] = entry{texts[from:end], orders[begin:len(orders):len(orders)]}
		from = end
	}
	slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.order, b.order) })
	sorted := make([]byte, 0, len(texts))
	for i := range entries {
		sorted = append(sorted, entries[i].text...)
	}
	return sorted
}
