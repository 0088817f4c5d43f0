package submit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Tokens are one-time tokens, each tied to a positive test. They are kept as
// hashes in registers of the ledger that the keys go to. Any number of processes
// may issue and spend them.
type Tokens struct {
	ledger *ledger.Ledger
	opts   TokenOptions
}

// TokenOptions are options of [NewTokens]. Nil means no options.
type TokenOptions struct {
	// Lifetime is for how long a token is good, at least; it ends with a day, in
	// UTC. 0 is [DefaultLifetime].
	Lifetime time.Duration

	// PrivateJourney has submissions without a token stored on these terms, if the
	// phone says that it is a private journey and its test is LAB_RESULT or
	// RAPID_SELF_REPORTED. Nil refuses them: whoever can send a request could put
	// keys into the archives.
	PrivateJourney *Terms

	// Now is the clock, nil for time.Now.
	Now func() time.Time
}

// DefaultLifetime is for how long a token is good where [TokenOptions] do not say
// otherwise: as long as keys are of use.
const DefaultLifetime = 14 * 24 * time.Hour

// tokenPrefix begins the names of the tokens' registers.
const tokenPrefix = "submission/token/"

// noToken is what a phone sends that has none.
const noToken = "00000000-0000-0000-0000-000000000000"

// tokenRecord is what is kept of a token.
type tokenRecord struct {
	Terms   storedTerms `json:"terms,omitzero"`
	Expires time.Time   `json:"expires"` // midnight, so that it does not tell when the token was issued
	Spent   bool        `json:"spent,omitzero"`
}

// storedTerms are [Terms] as they are kept.
type storedTerms struct {
	TestType   keys.TestType    `json:"testType"`
	ReportType *keys.ReportType `json:"reportType,omitzero"`
	Consent    string           `json:"consent"`
}

// NewTokens returns the tokens in a ledger. The error names the field.
func NewTokens(l *ledger.Ledger, opts *TokenOptions) (*Tokens, error) {
	t := &Tokens{ledger: l}
	if opts != nil {
		t.opts = *opts
	}
	if t.opts.Lifetime == 0 {
		t.opts.Lifetime = DefaultLifetime
	}
	if t.opts.Now == nil {
		t.opts.Now = time.Now
	}
	if t.opts.Lifetime < 0 {
		return nil, fmt.Errorf("submit: TokenOptions.Lifetime: %s is negative", t.opts.Lifetime)
	}
	if t.opts.PrivateJourney != nil {
		if err := t.opts.PrivateJourney.check(); err != nil {
			return nil, fmt.Errorf("submit: TokenOptions.PrivateJourney: %w", err)
		}
	}
	return t, nil
}

// Issue returns a new token: a random UUID. It is known to nobody else, the ledger
// has its hash alone.
func (t *Tokens) Issue(ctx context.Context, terms Terms) (string, error) {
	if err := terms.check(); err != nil {
		return "", err
	}
	token := newUUID()
	day := 24 * time.Hour
	value, err := json.Marshal(&tokenRecord{
		Terms:   store(terms),
		Expires: t.opts.Now().UTC().Add(t.opts.Lifetime).Truncate(day).Add(day),
	})
	if err != nil {
		return "", err
	}
	return token, t.ledger.Swap(ctx, ledger.NewNonce(), ledger.Swap{Name: t.register(token), Value: value})
}

// Authorize implements [Authorizer]. It reads one register, whatever the token.
func (t *Tokens) Authorize(ctx context.Context, r *Request) (Grant, error) {
	token := strings.ToLower(r.Token)
	register, err := read(ctx, t.ledger, t.register(token))
	if err != nil {
		return Grant{}, err
	}
	if token == noToken || token == "" {
		return t.private(r), nil
	}
	var record tokenRecord
	if register.Version == 0 {
		return Grant{}, nil
	}
	if err := json.Unmarshal(register.Value, &record); err != nil {
		return Grant{}, fmt.Errorf("submit: the register of a token cannot be read: %w", err)
	}
	if record.Spent || !r.Time.Before(record.Expires) {
		return Grant{}, nil
	}
	terms, ok := record.Terms.terms().of(r)
	if !ok {
		return Grant{}, nil
	}
	// A mark stays until the token would have expired. A deletion would do as well
	// but for a lost answer, which is known by what was written.
	spent, err := json.Marshal(&tokenRecord{Expires: record.Expires, Spent: true})
	if err != nil {
		return Grant{}, err
	}
	return Grant{Store: true, Terms: terms, Spend: []ledger.Swap{{Name: register.Name, Version: register.Version, Value: spent}}}, nil
}

// private returns what is granted without a token.
func (t *Tokens) private(r *Request) Grant {
	if t.opts.PrivateJourney == nil || !r.PrivateJourney {
		return Grant{}
	}
	// The kit is the phone's to say, and the terms only what it is stored as.
	terms := *t.opts.PrivateJourney
	asked, ok := Terms{}.of(r)
	if !ok || asked.TestType != keys.TestLab && asked.TestType != keys.TestRapidSelfReported {
		return Grant{}
	}
	terms.TestType = asked.TestType
	terms, ok = terms.of(r)
	return Grant{Store: ok, Terms: terms}
}

// pruned is how many tokens are forgotten in one step.
const pruned = 500

// Prune forgets the tokens that have expired, spent or not, and returns how many.
// One that is spent at this very moment is left to the next time.
func (t *Tokens) Prune(ctx context.Context) (int, error) {
	registers, err := t.ledger.Registers(ctx, tokenPrefix)
	if err != nil {
		return 0, err
	}
	var old []ledger.Swap
	for _, r := range registers {
		var record tokenRecord
		if json.Unmarshal(r.Value, &record) == nil && !t.opts.Now().Before(record.Expires) {
			old = append(old, ledger.Swap{Name: r.Name, Version: r.Version, Delete: true})
		}
	}
	n := 0
	for some := range slices.Chunk(old, pruned) {
		err := t.ledger.Swap(ctx, ledger.NewNonce(), some...)
		if _, conflict := errors.AsType[*ledger.ConflictError](err); conflict {
			continue
		}
		if err != nil {
			return n, err
		}
		n += len(some)
	}
	return n, nil
}

// register returns the name of a token's register. It is made with the ledger's
// identity, so that two ledgers do not show that they know the same token.
func (t *Tokens) register(token string) string {
	identity := t.ledger.Identity()
	sum := sha256.Sum256(slices.Concat([]byte("gaen submission token\x00"), identity[:], []byte(token)))
	return tokenPrefix + hex.EncodeToString(sum[:])
}

// read returns a register; one of version 0 if there is none.
func read(ctx context.Context, l *ledger.Ledger, name string) (ledger.Register, error) {
	found, err := l.Registers(ctx, name)
	if err != nil {
		return ledger.Register{}, err
	}
	for _, r := range found {
		if r.Name == name {
			return r, nil
		}
	}
	return ledger.Register{Name: name}, nil
}

func store(t Terms) storedTerms {
	s := storedTerms{TestType: t.TestType, Consent: t.ConsentToFederate.String()}
	if r, ok := t.ReportType.Get(); ok {
		s.ReportType = &r
	}
	return s
}

func (s *storedTerms) terms() Terms {
	t := Terms{TestType: s.TestType}
	if s.ReportType != nil {
		t.ReportType = keys.Some(*s.ReportType)
	}
	for _, c := range []keys.Consent{keys.ConsentGiven, keys.ConsentRefused} {
		if s.Consent == c.String() {
			t.ConsentToFederate = c
		}
	}
	return t
}

// newUUID returns a random UUID (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}
