package jws

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// MinSecret is the size of the shortest secret, in bytes: RFC 7518, 3.2, wants
// as many as the hash has. A shorter one can be guessed from one token, by
// whoever holds it and without asking anybody.
const MinSecret = 32

const redacted = "Secret(redacted)"

// Secret is what HS256 signs and verifies with: whoever has it can issue
// tokens. It prints and logs as a constant, and is not marshalled as text or
// JSON.
type Secret []byte

// NewSecret returns a secret of [MinSecret] random bytes.
func NewSecret() Secret {
	s := make(Secret, MinSecret)
	rand.Read(s) // never fails
	return s
}

// Format prints a constant, whatever the verb and flags.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// String returns a constant: secrets are not for printing.
func (Secret) String() string { return redacted }

// LogValue returns a constant: secrets are not for logs.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns an error, so that a configuration that is printed as JSON
// does not hold it.
func (Secret) MarshalText() ([]byte, error) {
	return nil, errors.New("jws: a secret is not marshalled; convert it where its bytes are meant")
}

// SecretKey is a secret that tokens are signed and verified with. It must not be
// changed afterwards.
type SecretKey struct {
	ID     string // the key id ("kid") that is written into tokens, "" for none
	Secret Secret
}

func (k SecretKey) id() string { return k.ID }

func (k SecretKey) check() error {
	if len(k.Secret) < MinSecret {
		return fmt.Errorf("a secret of %d bytes, want %d at least", len(k.Secret), MinSecret)
	}
	return nil
}
