package deploy

import (
	"fmt"
	"strings"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/bucketledger"
)

// Consent returns what is taken for granted where a configuration says "given",
// "refused" or nothing.
func Consent(text string) (keys.Consent, error) {
	switch text {
	case "":
		return keys.ConsentUnstated, nil
	case "given":
		return keys.ConsentGiven, nil
	case "refused":
		return keys.ConsentRefused, nil
	}
	return keys.ConsentUnstated, fmt.Errorf("%q, want \"given\", \"refused\" or nothing", text)
}

// MakeInbox returns the inbox in a bucket. The error names the field that is
// wrong; it needs no bucket to be found.
func (c *Config) MakeInbox(b storage.Bucket) (*bucketledger.Inbox, error) {
	consent, err := Consent(c.Input.ConsentToFederate)
	if err != nil {
		return nil, fmt.Errorf("input.consentToFederate: %w", err)
	}
	opts := &bucketledger.InboxOptions{Consent: consent}
	for i, p := range c.Input.InboxPrefixes {
		consent, err := Consent(p.ConsentToFederate)
		if err != nil {
			return nil, fmt.Errorf("input.inboxPrefixes[%d].consentToFederate: %w", i, err)
		}
		if p.Source == "" {
			first, _, _ := strings.Cut(p.Prefix, "/")
			p.Source = ledger.Source(first)
		}
		opts.Prefixes = append(opts.Prefixes, bucketledger.Prefix{
			Prefix: p.Prefix, Source: p.Source, Origin: p.Origin, Consent: consent, Disabled: p.Disabled,
		})
	}
	in, err := bucketledger.NewInbox(b, c.API.OriginCountry, opts)
	if err != nil {
		return nil, fmt.Errorf("input.inboxPrefixes: %w", err)
	}
	return in, nil
}

// AddInboxPrefixes adds prefixes, each with a source after a '=' if it is not its
// first segment, and disabled ones.
func (c *Config) AddInboxPrefixes(prefixes, disabled []string) error {
	for _, text := range prefixes {
		prefix, source, _ := strings.Cut(text, "=")
		c.Input.InboxPrefixes = append(c.Input.InboxPrefixes, InboxPrefix{Prefix: prefix, Source: ledger.Source(source)})
	}
	for _, prefix := range disabled {
		c.Input.InboxPrefixes = append(c.Input.InboxPrefixes, InboxPrefix{Prefix: prefix, Disabled: true})
	}
	_, err := c.MakeInbox(nil)
	return err
}
