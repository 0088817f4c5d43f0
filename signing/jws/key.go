package jws

import (
	"crypto/ecdsa"
	"fmt"

	"github.com/gaenkit/gaen/signing"
)

const (
	// MaxKeys is how many keys a [Verifier] or [Tokens] may have. A rotation
	// needs two; each costs a verification for a message that names none.
	MaxKeys = 16

	// MaxName is the length of the longest key id, nation and token id.
	MaxName = 128
)

// Key is a public key that verifies, on P-256. It must not be changed
// afterwards.
type Key struct {
	// ID is the key id ("kid") by which messages may name the key, "" if they
	// name none.
	ID  string
	Key *ecdsa.PublicKey
}

func (k Key) id() string { return k.ID }

func (k Key) check() error { return signing.CheckKey(k.Key) }

// checkKeys checks keys for what is wrong with one and with all of them.
func checkKeys[K interface {
	id() string
	check() error
}](keys []K) error {
	if len(keys) == 0 || len(keys) > MaxKeys {
		return fail(ReasonOptions, "keys", "%d, want 1 to %d", len(keys), MaxKeys)
	}
	seen := make(map[string]bool)
	for i, k := range keys {
		subject := fmt.Sprintf("keys[%d]", i)
		if err := k.check(); err != nil {
			return &Error{Reason: ReasonOptions, Subject: subject, Err: err}
		}
		if k.id() == "" {
			continue
		}
		if err := checkName(k.id()); err != nil {
			return &Error{Reason: ReasonOptions, Subject: subject + ".ID", Err: err}
		}
		if seen[k.id()] {
			return fail(ReasonOptions, subject+".ID", "two keys have it")
		}
		seen[k.id()] = true
	}
	return nil
}

// candidates returns the keys that a message with this key id may be signed by:
// the one of that id; or else each, since what calls itself by a name that only
// the sender knows may still be signed by a key that both know.
func candidates[K interface{ id() string }](keys []K, keyID string) []K {
	for i, k := range keys {
		if keyID != "" && k.id() == keyID {
			return keys[i : i+1]
		}
	}
	return keys
}

// checkName reports whether s may be a key id, a nation or a token id. Those
// end in logs, so that what is not printable ASCII stays out.
func checkName(s string) error {
	if s == "" || len(s) > MaxName {
		return fmt.Errorf("%d bytes, want 1 to %d", len(s), MaxName)
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return fmt.Errorf("byte %d is not printable ASCII", i)
		}
	}
	return nil
}
