package nation

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/examples/internal/orders"
	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/submit"
)

// Config is a national back end: what deploy.Config says of publishing, and the
// rest. Paths that are not absolute are below the folder of its file.
type Config struct {
	deploy.Config

	Submission Submission         `json:"submission"`
	Operations Operations         `json:"operations"`
	Orders     Orders             `json:"orders"`
	Schedule   Schedule           `json:"schedule"`
	Instances  []partner.Instance `json:"instances"`

	dir string
}

// Submission is how phones submit.
type Submission struct {
	Listen string `json:"listen"` // address; empty takes no submissions
	Path   string `json:"path"`

	// Authorizer is "token", "apiKey", "apiKey+token" or "none". There is no
	// default: that anybody may submit must have been said.
	Authorizer string `json:"authorizer"`

	APIKeys        partner.Secret  `json:"apiKeys,omitzero"` // a line name:value for each
	SigningKey     partner.Secret  `json:"signingKey,omitzero"`
	KeyID          string          `json:"keyId"`          // of the signing key, as phones know it
	TokenLifetime  deploy.Duration `json:"tokenLifetime"`  // at least
	PrivateJourney bool            `json:"privateJourney"` // takes submissions without a token
	MaxKeys        int             `json:"maxKeys"`
	Beat           deploy.Duration `json:"beat"` // answers leave at multiples of it
	Parallel       int             `json:"parallel"`
}

// Operations is what operators look at.
type Operations struct {
	Listen     string          `json:"listen"`     // address; empty is none
	Resolution deploy.Duration `json:"resolution"` // numbers change only at multiples of it
}

// Orders is where operators give orders; see [Backend.Desk].
type Orders struct {
	// Listen is an address of this host alone, since names and secrets come as they
	// are: what lets others in from outside, such as a proxy, speaks TLS with them.
	// Empty takes orders from the command line only.
	Listen    string         `json:"listen"`
	Operators partner.Secret `json:"operators,omitzero"` // a line name:secret for each
}

// Schedule is when what is done.
type Schedule struct {
	Every       deploy.Duration `json:"every"`       // between two looks
	Jitter      deploy.Duration `json:"jitter"`      // each look is up to so much later
	PushBarrier deploy.Duration `json:"pushBarrier"` // for how long a cut waits to be pushed before it is published
	AllowGap    bool            `json:"allowGap"`    // a cut more than 24 hours after the last, as after an outage
}

// Default returns the configuration of a back end without phones and partners.
func Default() *Config {
	c := &Config{
		Config: *deploy.Default(),
		Submission: Submission{
			Path: submit.DefaultPath, TokenLifetime: deploy.Duration(submit.DefaultLifetime),
			MaxKeys: submit.DefaultMaxKeys, Beat: deploy.Duration(submit.DefaultBeat), Parallel: submit.DefaultParallel,
		},
		Operations: Operations{Resolution: deploy.Duration(15 * time.Minute)},
		Schedule: Schedule{
			Every: deploy.Duration(time.Minute), Jitter: deploy.Duration(20 * time.Second), PushBarrier: deploy.Duration(15 * time.Minute),
		},
		Instances: []partner.Instance{},
	}
	return c
}

// Read returns the configuration in a file, over the defaults. The error names the
// field.
func Read(path string) (*Config, error) {
	c := Default()
	if err := deploy.ReadInto(path, c); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	c.dir = dir
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// String returns the configuration as a file that Read takes. It holds no secret.
func (c *Config) String() string {
	shown := *c
	shown.Paths.Ledger = deploy.Redacted(c.Paths.Ledger)
	shown.Paths.Output = deploy.Redacted(c.Paths.Output)
	shown.Instances = append([]partner.Instance(nil), c.Instances...)
	for i := range shown.Instances {
		shown.Instances[i].URL = redacted(c.Instances[i].URL)
	}
	text, err := json.MarshalIndent(&shown, "", "  ")
	if err != nil {
		panic("nation: the configuration does not marshal: " + err.Error())
	}
	return string(text) + "\n"
}

func redacted(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "(no URL)"
	}
	return u.Redacted()
}

// Check returns an error that names the first field that makes no sense.
func (c *Config) Check() error {
	if err := c.Config.Check(); err != nil {
		return err
	}
	if err := c.Submission.check(); err != nil {
		return fmt.Errorf("submission.%w", err)
	}
	if err := c.Orders.check(); err != nil {
		return fmt.Errorf("orders.%w", err)
	}
	if err := c.checkSchedule(); err != nil {
		return err
	}
	seen := map[ledger.Source]bool{}
	for i := range c.Instances {
		in := &c.Instances[i]
		if err := in.Check(c.API.OriginCountry); err != nil {
			return fmt.Errorf("instances[%d] (%s).%w", i, in.Name, err)
		}
		if seen[in.Name] {
			return fmt.Errorf("instances[%d].name: %q is another's", i, in.Name)
		}
		seen[in.Name] = true
	}
	return nil
}

func (o *Orders) check() error {
	if o.Listen == "" {
		return nil
	}
	if err := orders.CheckListen(o.Listen); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if err := o.Operators.Check(); err != nil {
		return fmt.Errorf("operators: %w", err)
	}
	return nil
}

func (c *Config) checkSchedule() error {
	s := &c.Schedule
	switch {
	case s.Every < deploy.Duration(time.Second):
		return errors.New("schedule.every: want a second or more")
	case s.Jitter < 0 || s.Jitter >= s.Every:
		return errors.New("schedule.jitter: want less than schedule.every")
	case s.PushBarrier < 0 || s.PushBarrier >= c.Release.Grid:
		return errors.New("schedule.pushBarrier: want less than release.grid, or windows would pile up")
	case c.Operations.Resolution < deploy.Duration(time.Minute):
		return errors.New("operations.resolution: want a minute or more: what changes with every submission tells when there was one")
	}
	return nil
}

func (s *Submission) check() error {
	if s.Listen == "" {
		return nil
	}
	switch s.Authorizer {
	case "token", "apiKey", "apiKey+token", "none":
	default:
		return fmt.Errorf("authorizer: %q, want \"token\", \"apiKey\", \"apiKey+token\", or \"none\" to let anybody submit", s.Authorizer)
	}
	if err := s.SigningKey.Check(); err != nil {
		return fmt.Errorf("signingKey: %w", err)
	}
	if s.keyed() {
		if err := s.APIKeys.Check(); err != nil {
			return fmt.Errorf("apiKeys: %w", err)
		}
	}
	if s.PrivateJourney && !s.tokens() {
		return fmt.Errorf("privateJourney: the authorizer %q asks for no token", s.Authorizer)
	}
	for _, f := range []struct {
		name  string
		value int64
	}{{"maxKeys", int64(s.MaxKeys)}, {"parallel", int64(s.Parallel)}, {"beat", int64(s.Beat)}, {"tokenLifetime", int64(s.TokenLifetime)}} {
		if f.value < 1 {
			return fmt.Errorf("%s: want more than nothing", f.name)
		}
	}
	return nil
}

func (s *Submission) keyed() bool  { return s.Authorizer == "apiKey" || s.Authorizer == "apiKey+token" }
func (s *Submission) tokens() bool { return s.Authorizer == "token" || s.Authorizer == "apiKey+token" }
