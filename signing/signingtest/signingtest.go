// Package signingtest checks a [crypto.Signer] against what package signing
// needs of one. A team that plugs in a key service or an HSM writes
//
//	func TestSigner(t *testing.T) {
//		signingtest.Test(t, newOurSigner(t), nil)
//	}
//
// and knows what its archives will be signed with.
package signingtest

import (
	"crypto"
	"crypto/ecdsa"
	"testing"
)

// DefaultSignatures is how many signatures the clauses that need many ask for.
// One signature in 128 has an integer with a leading zero byte, so that 512
// meet one with a probability of 98 %.
const DefaultSignatures = 512

// Options of [Test]. Nil means no options.
type Options struct {
	// Skip declares deviations: the name of a clause, and why it does not
	// hold. A clause that does not exist is an error.
	Skip map[string]string

	// Deterministic asks that a digest have one signature, the same each time,
	// as those of keys in memory do. Key services rarely promise it.
	Deterministic bool

	// Signatures replaces [DefaultSignatures], where each costs money.
	Signatures int
}

// Test runs the suite, one subtest a clause.
//
// It calls s as package signing does: an *ecdsa.PrivateKey without a source of
// randomness, which makes it deterministic, everything else with
// [crypto/rand.Reader].
func Test(t *testing.T, s crypto.Signer, opts *Options) {
	t.Helper()
	if opts == nil {
		opts = &Options{}
	}
	for name := range opts.Skip {
		if !hasClause(name) {
			t.Errorf("Options.Skip names %q, which is no clause", name)
		}
	}
	sub := newSubject(s, opts)
	for _, c := range clauses {
		t.Run(c.name, func(t *testing.T) {
			if why, ok := opts.Skip[c.name]; ok {
				t.Skipf("declared deviation: %s", why)
			}
			if c.optional != nil && !c.optional(opts) {
				t.Skip("not asked for in the options")
			}
			if err := c.check(sub); err != nil {
				t.Errorf("%v\n\tclause: %s", err, c.must)
			}
		})
	}
}

func hasClause(name string) bool {
	for _, c := range clauses {
		if c.name == name {
			return true
		}
	}
	return false
}

// subject is the signer under test.
type subject struct {
	signer     crypto.Signer
	signatures int
}

func newSubject(s crypto.Signer, opts *Options) *subject {
	sub := &subject{signer: s, signatures: opts.Signatures}
	if sub.signatures <= 0 {
		sub.signatures = DefaultSignatures
	}
	return sub
}

// key returns the public key, nil if there is none of the right type.
func (s *subject) key() *ecdsa.PublicKey {
	key, _ := s.signer.Public().(*ecdsa.PublicKey)
	return key
}
