package nation

import (
	"fmt"
	"strings"
	"time"

	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/submit"
)

// terms are what is stored where nothing else is said.
func (c *Config) terms() submit.Terms {
	t := submit.Terms{}
	switch c.Input.ConsentToFederate {
	case "given":
		t.ConsentToFederate = keys.ConsentGiven
	case "refused":
		t.ConsentToFederate = keys.ConsentRefused
	}
	return t
}

func (c *Config) newTokens(l *ledger.Ledger, now func() time.Time) (*submit.Tokens, error) {
	opts := &submit.TokenOptions{Lifetime: time.Duration(c.Submission.TokenLifetime), Now: now}
	if c.Submission.PrivateJourney {
		terms := c.terms()
		opts.PrivateJourney = &terms
	}
	return submit.NewTokens(l, opts)
}

func (c *Config) newPhones(l *ledger.Ledger, tokens *submit.Tokens, s partner.Secrets, now func() time.Time, observe func(submit.Outcome)) (*submit.Server, error) {
	authorizer, err := c.authorizer(tokens, s)
	if err != nil {
		return nil, fmt.Errorf("submission.apiKeys: %w", err)
	}
	signer, err := partner.Signer(s.Of(c.Submission.SigningKey), c.Identity())
	if err != nil {
		return nil, fmt.Errorf("submission.signingKey: %w", err)
	}
	return submit.NewServer(l, c.API.OriginCountry, authorizer, signer, &submit.Options{
		Path: c.Submission.Path, MaxKeys: c.Submission.MaxKeys, Parallel: c.Submission.Parallel, Beat: time.Duration(c.Submission.Beat),
		KeyID: c.Submission.KeyID, Now: now, Observe: observe,
	})
}

func (c *Config) authorizer(tokens *submit.Tokens, s partner.Secrets) (submit.Authorizer, error) {
	var next submit.Authorizer = tokens
	if !c.Submission.tokens() {
		var err error
		if next, err = submit.Anybody(c.terms()); err != nil {
			return nil, err
		}
	}
	if !c.Submission.keyed() {
		return next, nil
	}
	var known []submit.APIKey
	for line := range strings.Lines(s.Of(c.Submission.APIKeys)) {
		key, err := submit.ParseAPIKey(strings.TrimSpace(line))
		if err != nil {
			return nil, err
		}
		known = append(known, key)
	}
	return submit.NewAPIKeys(next, known...)
}
