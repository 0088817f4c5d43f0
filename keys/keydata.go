package keys

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// KeyDataSize is the length of key data in bytes. A file with a key of any
// other length makes phones hang or ignore the whole file, which is why key
// data is an array here and not a slice.
const KeyDataSize = 16

// KeyData is the secret from which a phone derived the identifiers it
// broadcast during one rolling period. Before it is published it is known to
// its owner and to us alone.
//
// It prints redacted and refuses to be marshalled, so that it does not reach a
// log by accident. Use k[:] where the bytes are meant.
//
// Two ways around that are package fmt's and cannot be closed here: it calls no
// methods of unexported fields, so a struct that keeps key data in one must
// redact itself; and it answers the verbs %p and %w, which key data does not
// have, with the bare array.
type KeyData [KeyDataSize]byte

const redactedKeyData = "KeyData(redacted)"

// ParseKeyData returns b as key data. The error is a [*Rejection] for the
// field "key_data" if b is not 16 bytes long or is all zeros, which no random
// generator that works has ever produced.
func ParseKeyData(b []byte) (KeyData, error) {
	if len(b) != KeyDataSize {
		return KeyData{}, reject(FieldKeyData, ReasonLength, "%d bytes, want %d", len(b), KeyDataSize)
	}
	k := KeyData(b)
	if k.IsZero() {
		return KeyData{}, reject(FieldKeyData, ReasonZero, "all zeros")
	}
	return k, nil
}

// IsZero reports whether k is the zero value, which is no key.
func (k KeyData) IsZero() bool { return k == KeyData{} }

// Format prints a constant, whatever the verb and flags.
func (KeyData) Format(f fmt.State, _ rune) { io.WriteString(f, redactedKeyData) }

// String returns a constant: key data is not for printing.
func (KeyData) String() string { return redactedKeyData }

// LogValue returns a constant: key data is not for logs.
func (KeyData) LogValue() slog.Value { return slog.StringValue(redactedKeyData) }

// ErrNotMarshalled is what marshalling [KeyData] as text or in binary gives, and
// therefore as JSON or by gob. A wire format that carries key data declares its
// own field of bytes; everything else, such as a log handler that falls back to
// JSON, must not have it.
var ErrNotMarshalled = errors.New("keys: key data is not marshalled; slice it where its bytes are meant")

// MarshalText returns [ErrNotMarshalled].
func (KeyData) MarshalText() ([]byte, error) { return nil, ErrNotMarshalled }

// MarshalBinary returns [ErrNotMarshalled].
func (KeyData) MarshalBinary() ([]byte, error) { return nil, ErrNotMarshalled }
