package signing

import (
	"strings"
	"time"
)

// AlgorithmECDSAWithSHA256 is the signature algorithm of all archives, as the
// format wants it: a dotted OID. A build of one phone system took a name here
// as well, and the archives of whoever tested with it failed on all others.
const AlgorithmECDSAWithSHA256 = "1.2.840.10045.4.3.2"

// maxIdentityLength limits id and version, each. Three to five characters are
// usual.
const maxIdentityLength = 64

// Identity is how phones look up a verification key. Both parts are letters,
// digits and underscores.
type Identity struct {
	KeyID      string // verification_key_id; by convention the mobile country code, such as 262
	KeyVersion string // verification_key_version, such as v1
}

// String returns the name under which phones keep the key: the id, a hyphen,
// the version.
func (id Identity) String() string { return id.KeyID + "-" + id.KeyVersion }

// Check reports whether both parts are of the format's form. The error is an
// [*Error] that names the field.
func (id Identity) Check() error {
	if err := checkName("verification_key_id", id.KeyID); err != nil {
		return err
	}
	return checkName("verification_key_version", id.KeyVersion)
}

// ParseIdentity is the inverse of [Identity.String].
func ParseIdentity(s string) (Identity, error) {
	keyID, version, _ := strings.Cut(s, "-")
	id := Identity{KeyID: keyID, KeyVersion: version}
	if err := id.Check(); err != nil {
		return Identity{}, err
	}
	return id, nil
}

func checkName(field, s string) error {
	if s == "" {
		return fail(field, "empty")
	}
	if len(s) > maxIdentityLength {
		return fail(field, "%d bytes, at most %d", len(s), maxIdentityLength)
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
		default:
			return fail(field, "byte %d of %q is not a letter, a digit or an underscore", i, s)
		}
	}
	return nil
}

// Validity is the time a key is in use, both ends included. A zero time leaves
// that end open.
type Validity struct {
	NotBefore time.Time
	NotAfter  time.Time
}

// Contains reports whether t lies in v.
func (v Validity) Contains(t time.Time) bool {
	return !t.Before(v.NotBefore) && (v.NotAfter.IsZero() || !t.After(v.NotAfter))
}

func (v Validity) check() error {
	if !v.NotAfter.IsZero() && v.NotAfter.Before(v.NotBefore) {
		return fail("NotAfter", "%s is before NotBefore, %s", v.NotAfter.UTC().Format(time.RFC3339), v.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}
