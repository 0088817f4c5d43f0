package jws

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// MaxToken is the size of the longest token that is read. Servers limit
	// headers to 8 KiB.
	MaxToken = 8 << 10

	// DefaultLifetime is how long an issued token is good for, where
	// [TokenOptions] do not say otherwise.
	DefaultLifetime = 365 * day

	// DefaultMaxLifetime is how long a token may be good for at most, where
	// [TokenOptions] do not say otherwise: the year of leap years, and of the
	// library that the interoperability service issues with, is longer.
	DefaultMaxLifetime = 366 * day

	// DefaultLeeway is how far clocks may differ, where [TokenOptions] do not
	// say otherwise.
	DefaultLeeway = time.Minute

	// MaxLeeway is the longest that makes sense: more is a clock to be set.
	MaxLeeway = 10 * time.Minute

	day = 24 * time.Hour
)

// TokenOptions are options of [NewSecretTokens] and [NewKeyTokens]. Nil means no
// options.
type TokenOptions struct {
	// Whole seconds; 0 is the default.
	Lifetime    time.Duration // of issued tokens; replaces [DefaultLifetime], at most MaxLifetime
	MaxLifetime time.Duration // of verified tokens; replaces [DefaultMaxLifetime]
	Leeway      time.Duration // replaces [DefaultLeeway], at most [MaxLeeway]

	// Revoked says whether a token has been withdrawn, by its id, or by its
	// nation and the time it was issued for tokens that have none. It is asked
	// for tokens that are good otherwise; what it fails with makes the token
	// refused with [ReasonUnavailable]. Nil means that none is.
	Revoked func(ctx context.Context, c Claims) (bool, error)

	// Now is the clock, nil for time.Now.
	Now func() time.Time
}

// Tokens issues and verifies the bearer tokens by which a server knows the
// nations: JSON Web Tokens (RFC 7519) of one algorithm that is settled here. It
// is safe for concurrent use. For a rotation a new one takes its place, which
// signs with the new key and verifies with both.
type Tokens struct {
	algorithm jose.SignatureAlgorithm
	keys      []tokenKey
	signer    jose.Signer // nil: only verifies
	opts      TokenOptions
}

// NewSecretTokens returns tokens by HS256, as those of the interoperability
// service: whoever can verify them can issue them too. The first key issues, all
// verify.
func NewSecretTokens(keys []SecretKey, opts *TokenOptions) (*Tokens, error) {
	if err := checkKeys(keys); err != nil {
		return nil, err
	}
	t, err := newTokens(jose.HS256, opts)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		t.keys = append(t.keys, tokenKey{k.ID, slices.Clone([]byte(k.Secret))})
	}
	return t.issueWith(t.keys[0])
}

// NewKeyTokens returns tokens by ES256. The signer issues, its key and the others
// verify. Without a signer, nil, the tokens are only verified, so that a server
// needs no private key. The key must sign nothing but tokens.
func NewKeyTokens(signer *Signer, others []Key, opts *TokenOptions) (*Tokens, error) {
	keys := slices.Clone(others)
	if signer != nil {
		keys = slices.Insert(keys, 0, signer.Key())
	}
	if err := checkKeys(keys); err != nil {
		return nil, err
	}
	t, err := newTokens(jose.ES256, opts)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		t.keys = append(t.keys, tokenKey{k.ID, k.Key})
	}
	if signer == nil {
		return t, nil
	}
	return t.issueWith(tokenKey{signer.keyID, opaqueSigner{signer.signer}})
}

// newTokens returns tokens without keys.
func newTokens(algorithm jose.SignatureAlgorithm, opts *TokenOptions) (*Tokens, error) {
	t := &Tokens{algorithm: algorithm}
	if opts != nil {
		t.opts = *opts
	}
	if err := t.opts.complete(); err != nil {
		return nil, err
	}
	return t, nil
}

// complete checks o and fills in what is not set.
func (o *TokenOptions) complete() error {
	if err := orUsual("MaxLifetime", &o.MaxLifetime, DefaultMaxLifetime); err != nil {
		return err
	}
	if err := orUsual("Lifetime", &o.Lifetime, min(DefaultLifetime, o.MaxLifetime)); err != nil {
		return err
	}
	if err := orUsual("Leeway", &o.Leeway, DefaultLeeway); err != nil {
		return err
	}
	if o.Lifetime > o.MaxLifetime {
		return fail(ReasonOptions, "TokenOptions.Lifetime", "%s, which is longer than MaxLifetime, %s", o.Lifetime, o.MaxLifetime)
	}
	if o.Leeway > MaxLeeway {
		return fail(ReasonOptions, "TokenOptions.Leeway", "%s, at most %s", o.Leeway, MaxLeeway)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}

// orUsual sets d, of an option, to what is usual if it is not set.
func orUsual(field string, d *time.Duration, usual time.Duration) error {
	if *d < 0 || *d%time.Second != 0 { // tokens know no less than a second
		return fail(ReasonOptions, "TokenOptions."+field, "%s, want whole seconds", *d)
	}
	*d = cmp.Or(*d, usual)
	return nil
}

// Issue returns a new token for a nation, good from now on for the lifetime in
// the options, and what it says. Who holds it is taken for the nation.
func (t *Tokens) Issue(nation string) (string, Claims, error) {
	if t.signer == nil {
		return "", Claims{}, fail(ReasonOptions, "signer", "nil: these tokens are only verified")
	}
	if err := checkName(nation); err != nil {
		return "", Claims{}, &Error{Reason: ReasonClaims, Subject: "nation", Err: err}
	}
	issued := t.opts.Now().UTC().Truncate(time.Second)
	c := Claims{Nation: nation, TokenID: rand.Text(), IssuedAt: issued, ExpiresAt: issued.Add(t.opts.Lifetime)}
	payload, err := c.marshal()
	if err != nil {
		return "", Claims{}, err
	}
	signed, err := t.signer.Sign(payload)
	if err != nil {
		return "", Claims{}, asError(ReasonSigner, "token", err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		return "", Claims{}, asError(ReasonSigner, "token", err)
	}
	return token, c, nil
}

// Verify returns what a token says that one of the keys has signed and that is
// good now.
func (t *Tokens) Verify(ctx context.Context, token string) (Claims, error) {
	payload, err := t.open(token)
	if err != nil {
		return Claims{}, err
	}
	c, notBefore, err := parseClaims(payload)
	if err != nil {
		return Claims{}, err
	}
	if err := c.check(notBefore, t.opts.Now(), t.opts.Leeway, t.opts.MaxLifetime); err != nil {
		return Claims{}, err
	}
	if t.opts.Revoked == nil {
		return c, nil
	}
	switch revoked, err := t.opts.Revoked(ctx, c); {
	case err != nil:
		return Claims{}, c.refuse(ReasonUnavailable, "TokenOptions.Revoked", "%w", err)
	case revoked:
		return Claims{}, c.refuse(ReasonRevoked, "token", "revoked")
	}
	return c, nil
}

// open returns the payload of a token that one of the keys has signed. The
// library verifies; what is looked at here before is what it passes over: line
// breaks in the parts, headers that bring keys.
func (t *Tokens) open(token string) ([]byte, error) {
	parts, err := split(token, MaxToken)
	if err != nil {
		return nil, err
	}
	keyID, err := readHeader(parts.header, strictly, string(t.algorithm))
	if err != nil {
		return nil, err
	}
	for _, part := range []string{parts.payload, parts.signature} {
		if _, err := strictly(part); err != nil {
			return nil, &Error{Reason: ReasonMalformed, Subject: "token", Err: err}
		}
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{t.algorithm})
	if err != nil { // whose text may quote the token
		return nil, fail(ReasonMalformed, "token", "not a signed token")
	}
	for _, k := range candidates(t.keys, keyID) {
		if payload, err := signed.Verify(k.key); err == nil {
			return payload, nil
		}
	}
	return nil, fail(ReasonSignature, "signature", "none of the keys verifies it")
}

// String names the algorithm; the keys are not for printing.
func (t Tokens) String() string { return "Tokens(" + string(t.algorithm) + ")" }

// Format prints [Tokens.String] whatever the verb and flags.
func (t Tokens) Format(f fmt.State, _ rune) { io.WriteString(f, t.String()) }

// LogValue returns [Tokens.String]; the keys are not for logs.
func (t Tokens) LogValue() slog.Value { return slog.StringValue(t.String()) }
