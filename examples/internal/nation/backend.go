package nation

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
	"github.com/gaenkit/gaen/storage/ledger/submit"
	"github.com/gaenkit/gaen/storage/memstore"
)

// Options are what a program adds to the configuration.
type Options struct {
	Logger *slog.Logger // nil discards

	// Clock is for replays and tests, with a ledger made for them; nil is the
	// ledger's own.
	Clock func() time.Time

	// Store and Bucket return what is to be used in the place of what was opened,
	// such as what fails on purpose around it; nil is what was opened.
	Store  func(ledger.Store) ledger.Store
	Bucket func(storage.Bucket) storage.Bucket

	// ChangePolicy gives the ledger the release policy of the configuration, if it has
	// another, which is an error otherwise.
	ChangePolicy bool

	// Alone reads no secret of partners, phones or operators, and has made-up ones in
	// their place: for whoever works on the ledger and what is published, and must be
	// able to while a vault is down. Such a back end is not to tick or to serve.
	Alone bool
}

// A Backend is a national back end. Its methods may be called from several
// goroutines at once, and in several processes.
type Backend struct {
	config   *Config
	log      *slog.Logger
	now      func() time.Time
	ledger   *ledger.Ledger
	tokens   *submit.Tokens
	outputs  deploy.Outputs
	counters *counters
	active   atomic.Pointer[active]
	looked   atomic.Pointer[look]
	pauses   *partner.Pauses
	closers  []func() error
}

// active is what depends on secrets, and is made again when one of them changes.
type active struct {
	secrets   partner.Secrets
	exchanges []*partner.Exchange
	phones    http.Handler
	desk      http.Handler
}

// Open opens the ledger, the bucket and whatever else the configuration names.
func Open(ctx context.Context, c *Config, opts *Options) (b *Backend, err error) {
	if opts == nil {
		opts = &Options{}
	}
	b = &Backend{config: c, log: opts.Logger, now: opts.Clock, counters: newCounters(time.Duration(c.Operations.Resolution))}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if b.now == nil {
		b.now = time.Now
	}
	b.pauses = partner.NewPauses(b.now)
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	secrets := c.readSecrets
	if opts.Alone {
		secrets = c.madeUpSecrets
	}
	s, err := secrets(ctx)
	if err != nil {
		return b, err
	}
	if err := b.openLedger(ctx, opts); err != nil {
		return b, err
	}
	if err := b.openOutputs(ctx, opts); err != nil {
		return b, err
	}
	a, err := b.activate(s)
	if err != nil {
		return b, err
	}
	b.active.Store(a)
	return b, nil
}

// Close closes what Open opened.
func (b *Backend) Close() error {
	var errs []error
	for _, f := range slices.Backward(b.closers) {
		errs = append(errs, f())
	}
	b.closers = nil
	return errors.Join(errs...)
}

func (b *Backend) openLedger(ctx context.Context, opts *Options) error {
	store, closing, err := deploy.OpenStore(ctx, b.config.place(b.config.Paths.Ledger), opts.Clock)
	if err != nil {
		return fmt.Errorf("paths.ledger: %w", err)
	}
	b.closers = append(b.closers, closing)
	if opts.Store != nil {
		store = opts.Store(store)
	}
	b.ledger, err = ledger.Open(ctx, store, b.config.ledgerOptions())
	if errors.Is(err, ledger.ErrPolicy) && opts.ChangePolicy {
		b.ledger, err = b.changePolicy(ctx, store)
	}
	if err != nil {
		return err
	}
	b.tokens, err = b.config.newTokens(b.ledger, b.now)
	return err
}

// changePolicy gives the ledger, which has another, the release policy of the
// configuration.
func (b *Backend) changePolicy(ctx context.Context, store ledger.Store) (*ledger.Ledger, error) {
	l, err := ledger.Open(ctx, store, nil)
	if err != nil {
		return nil, err
	}
	_, version := l.Policy()
	if err := ledger.ChangePolicy(ctx, store, *b.config.Release.Policy(), version); err != nil {
		return nil, err
	}
	b.log.Warn("release policy changed")
	return ledger.Open(ctx, store, b.config.ledgerOptions())
}

func (c *Config) ledgerOptions() *ledger.Options {
	return &ledger.Options{Policy: c.Release.Policy(), MaxUpload: max(c.Input.MaxKeysPerUpload, c.Submission.MaxKeys)}
}

func (b *Backend) openOutputs(ctx context.Context, opts *Options) error {
	place := b.config.place(b.config.Paths.Output)
	if !deploy.IsURL(place) {
		if err := os.MkdirAll(place, 0o755); err != nil {
			return fmt.Errorf("paths.output: %w", err)
		}
	}
	bucket, closing, err := deploy.OpenBucket(ctx, place, deploy.Access{PublicRead: b.config.ObjectStore.PublicReadACL})
	if err != nil {
		return fmt.Errorf("paths.output: %w", err)
	}
	b.closers = append(b.closers, closing)
	if opts.Bucket != nil {
		bucket = opts.Bucket(bucket)
	}
	archives, err := b.config.Ring(func(place string) (*ecdsa.PrivateKey, error) {
		return signing.ReadPrivateKeyFile(b.config.place(place))
	})
	if err != nil {
		return err
	}
	metadata, err := b.metadataSigner()
	if err != nil {
		return err
	}
	cache, err := b.config.Invalidator(ctx)
	if err != nil {
		return err
	}
	b.outputs, err = b.config.newOutputs(b.ledger, bucket, archives, metadata, cache, b.log)
	return err
}

// metadataSigner returns the signer of metadata, nil if no layout has any.
func (b *Backend) metadataSigner() (*signing.Signer, error) {
	if !b.config.HasLayout(deploy.NHS) {
		return nil, nil
	}
	key, err := signing.ReadPrivateKeyFile(b.config.place(b.config.Paths.MetadataKey))
	if err != nil {
		return nil, fmt.Errorf("paths.metadataKey: %w", err)
	}
	return signing.NewSigner(b.config.MetadataIdentity(), key, nil)
}

func (c *Config) newOutputs(l *ledger.Ledger, bucket storage.Bucket, ring *signing.Ring, metadata *signing.Signer, cache distribution.Invalidator, log *slog.Logger) (deploy.Outputs, error) {
	trees, err := c.Trees(metadata)
	if err != nil {
		return nil, err
	}
	for _, t := range trees {
		for i := range t.Packages {
			// The operator brings no keys: a set that has it is the set of all.
			if s := &t.Packages[i].Select; s.Sources.Has(ledger.Operator) {
				s.Sources = c.published()
			}
		}
	}
	opts := c.Publisher()
	opts.Logger, opts.Invalidator = log, cache
	return deploy.NewOutputs(l, bucket, trees, ring, &opts)
}

// place returns where a path or URL of the configuration is.
func (c *Config) place(p string) string {
	if deploy.IsURL(p) {
		return p
	}
	return partner.PathIn(c.dir, p)
}

// activate makes what depends on secrets.
func (b *Backend) activate(s partner.Secrets) (*active, error) {
	a := &active{secrets: s}
	var err error
	if a.exchanges, err = b.config.exchanges(b.ledger, s, b.pauses); err != nil {
		return nil, err
	}
	if a.desk, err = b.newDesk(s); err != nil {
		return nil, err
	}
	if b.config.Submission.Listen == "" {
		return a, nil
	}
	a.phones, err = b.config.newPhones(b.ledger, b.tokens, s, b.now, b.counters.submitted)
	return a, err
}

// readSecrets reads every secret that is in use.
func (c *Config) readSecrets(ctx context.Context) (partner.Secrets, error) {
	return partner.ReadSecrets(ctx, c.dir, c.secretFields())
}

// madeUpSecrets returns secrets by which nobody is known, other ones each time.
func (c *Config) madeUpSecrets(context.Context) (partner.Secrets, error) {
	s, err := partner.MadeUp(c.secretFields())
	if err != nil {
		return nil, err
	}
	s.Put(c.Submission.APIKeys, "made-up:"+rand.Text())
	s.Put(c.Orders.Operators, "made-up:"+rand.Text())
	return s, nil
}

// secretFields returns the secrets in use, by the fields that name them.
func (c *Config) secretFields() []partner.SecretField { return slices.Concat(c.secretOwners()...) }

// secretOwners returns the secrets in use by what they are for: phones, operators,
// and each instance.
func (c *Config) secretOwners() [][]partner.SecretField {
	var all [][]partner.SecretField
	if sub := &c.Submission; sub.Listen != "" {
		fields := []partner.SecretField{{Name: "submission.signingKey", Secret: sub.SigningKey}}
		if sub.keyed() {
			fields = append(fields, partner.SecretField{Name: "submission.apiKeys", Secret: sub.APIKeys})
		}
		all = append(all, fields)
	}
	if c.Orders.Listen != "" {
		all = append(all, []partner.SecretField{{Name: "orders.operators", Secret: c.Orders.Operators}})
	}
	for i := range c.Instances {
		all = append(all, c.Instances[i].SecretFields(fmt.Sprintf("instances[%d].", i), c.API.OriginCountry))
	}
	return all
}

// refresh reads the secrets again. Those of one owner that cannot be used stay what
// they were, and hold up no other's: an operator who is struck off while the token of
// some server cannot be read gives no more orders.
func (b *Backend) refresh(ctx context.Context) error {
	var errs []error
	for _, fields := range b.config.secretOwners() {
		errs = append(errs, b.replace(ctx, fields))
	}
	return errors.Join(errs...)
}

// replace reads secrets again. If one has changed, what depends on it is made again;
// if that fails, what there is goes on.
func (b *Backend) replace(ctx context.Context, fields []partner.SecretField) error {
	read, err := partner.ReadSecrets(ctx, b.config.dir, fields)
	if err != nil {
		return err
	}
	had := b.active.Load().secrets
	now := maps.Clone(had)
	maps.Copy(now, read)
	if maps.Equal(now, had) {
		return nil
	}
	a, err := b.activate(now)
	if err != nil {
		return err
	}
	b.active.Store(a)
	b.log.Info("secrets were replaced")
	return nil
}

// Phones takes what phones submit.
func (b *Backend) Phones() http.Handler {
	return b.current(func(a *active) http.Handler { return a.phones })
}

// current serves what there is of a kind at the time of a request.
func (b *Backend) current(of func(*active) http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := of(b.active.Load()); h != nil {
			h.ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	})
}

// IssueToken returns a new one-time token.
func (b *Backend) IssueToken(ctx context.Context, terms submit.Terms) (string, error) {
	return b.tokens.Issue(ctx, terms)
}

// Rehearse opens everything in memory, with made-up secrets, which finds what is
// wrong with a configuration without asking anybody.
func (c *Config) Rehearse(ctx context.Context) error {
	s, err := c.madeUpSecrets(ctx)
	if err != nil {
		return err
	}
	ring, err := c.Ring(func(string) (*ecdsa.PrivateKey, error) { return signing.GenerateKey() })
	if err != nil {
		return err
	}
	l, err := ledger.Open(ctx, memledger.New(nil), c.ledgerOptions())
	if err != nil {
		return err
	}
	b := &Backend{config: c, ledger: l, now: time.Now, counters: newCounters(time.Hour), pauses: partner.NewPauses(time.Now)}
	if b.tokens, err = c.newTokens(l, time.Now); err != nil {
		return err
	}
	cache, err := c.Invalidator(ctx)
	if err != nil {
		return err
	}
	if _, err := c.newOutputs(l, memstore.New(nil), ring, nil, cache, nil); err != nil {
		return err
	}
	_, err = b.activate(s)
	return err
}
