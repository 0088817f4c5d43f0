package partner

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Instance is a federation server, and what a program does with it.
type Instance struct {
	Name ledger.Source `json:"name"` // its source in the ledger, the prefix of the seed
	URL  string        `json:"url"`

	Protocol Protocol `json:"protocol,omitzero"` // empty is Interop

	Disabled bool `json:"disabled,omitzero"` // nothing is done; what it brought before stays
	Import   bool `json:"import"`
	Export   bool `json:"export"`  // what was submitted here is sent there
	Gateway  bool `json:"gateway"` // what others brought is sent there

	// Withheld has what it brings stored, and sent on by gateways, and not
	// published: the disabled prefix of the seed.
	Withheld bool `json:"withheld,omitzero"`

	Token      Secret `json:"token,omitzero"`
	SigningKey Secret `json:"signingKey,omitzero"`
	Padded     bool   `json:"padded,omitzero"` // signed as the British back end does it

	// Region is what the server takes for the origin of what is uploaded with the
	// token; empty for the own country.
	Region keys.Region `json:"region,omitzero"`

	// EFGS is what the European protocol needs beside the rest, in the place of a
	// token: there, Region is the country of the certificates.
	EFGS *EFGSOptions `json:"efgs,omitzero"`

	Extended  bool `json:"extended,omitzero"`  // a server of this project: origins travel with the keys
	PlainHTTP bool `json:"plainHttp,omitzero"` // for tests: without TLS

	// Rules narrow down what is sent; what they leave out is everything. Their
	// sources follow from Export and Gateway.
	Rules Rules `json:"rules,omitzero"`

	// Reject is never stored. Keys of the own country are rejected unless
	// AcceptOwn is set, so that nobody abroad can add to what is published of it.
	Reject    federation.Reject   `json:"reject,omitzero"`
	AcceptOwn bool                `json:"acceptOwn,omitzero"`
	Defaults  federation.Defaults `json:"defaults,omitzero"`

	FromBeginning bool   `json:"fromBeginning,omitzero"` // sends what was released before it was configured
	Limits        Limits `json:"limits,omitzero"`
}

// Limits bound a run; zero is the default of the protocol, else of package
// federation, and less than zero where that has a meaning.
type Limits struct {
	MaxPages   int             `json:"maxPages,omitzero"`
	MaxBatch   int             `json:"maxBatch,omitzero"`
	MaxBatches int             `json:"maxBatches,omitzero"`
	History    deploy.Duration `json:"history,omitzero"`
	Settle     deploy.Duration `json:"settle,omitzero"`
	Silence    deploy.Duration `json:"silence,omitzero"`
	Retention  deploy.Duration `json:"retention,omitzero"`
	Timeout    deploy.Duration `json:"timeout,omitzero"` // of a request
	Budget     deploy.Duration `json:"budget,omitzero"`  // of a pull or push; zero is 5 min
}

// Rules are federation.Rules in which what is left out is everything.
type Rules struct{ federation.Rules }

// UnmarshalJSON reads rules over those that leave nothing out.
func (r *Rules) UnmarshalJSON(b []byte) error {
	r.Rules = federation.Relay()
	r.Sources = keys.Set[ledger.Source]{}
	if err := deploy.Decode(b, &r.Rules); err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	return nil
}

// from returns the rules with the sources that they are for.
func (r *Rules) from(sources keys.Set[ledger.Source]) federation.Rules {
	rules := r.Rules
	if rules.Origins.IsEmpty() && rules.Interest.IsEmpty() {
		rules = federation.Relay() // none were named
	}
	rules.Sources = sources
	return rules
}

// Check returns an error that names the first field that makes no sense for a
// program whose own country this is, none for a federation server.
func (in *Instance) Check(own keys.Region) error {
	if err := in.Name.Check(); err != nil {
		return fmt.Errorf("name: %w", err)
	}
	u, err := url.Parse(in.URL)
	switch {
	case in.Name == ledger.Own || in.Name == ledger.Operator:
		return fmt.Errorf("name: %q is not a server", in.Name)
	case err != nil || u.Host == "":
		return errors.New("url: not a URL")
	case u.User != nil:
		return errors.New("url: a password belongs in a secret")
	case in.Gateway && !in.Extended && in.region(own) == own:
		return errors.New("gateway: the server takes what is uploaded with this token for the own country's; say extended, or the region that the token stands for")
	}
	if err := in.Protocol.check(); err != nil {
		return fmt.Errorf("protocol: %w", err)
	}
	if in.Protocol == EFGS {
		return in.checkEFGS(own)
	}
	if in.EFGS != nil {
		return fmt.Errorf("efgs: is for the protocol %q", EFGS)
	}
	if err := in.Token.Check(); err != nil {
		return fmt.Errorf("token: %w", err)
	}
	if in.Pushes() {
		if err := in.SigningKey.Check(); err != nil {
			return fmt.Errorf("signingKey: %w", err)
		}
	}
	return nil
}

// Pushes reports whether anything is sent there.
func (in *Instance) Pushes() bool { return in.Export || in.Gateway }

func (in *Instance) region(own keys.Region) keys.Region {
	if in.Region.IsZero() {
		return own
	}
	return in.Region
}

// DefaultBudget is less than the push barrier of a national back end, so that one
// server that is slow does not use it up.
const DefaultBudget = 5 * time.Minute

func (in *Instance) budget() time.Duration {
	if in.Limits.Budget != 0 {
		return time.Duration(in.Limits.Budget)
	}
	return DefaultBudget
}

// Plan lists in words what is done with an instance.
func (in *Instance) Plan() []string {
	if in.Disabled {
		return []string{"disabled"}
	}
	var does []string
	for _, s := range []struct {
		on   bool
		what string
	}{
		{in.Import, "imports"},
		{in.Import && in.Withheld, "without publishing what comes"},
		{in.Export, "exports what is submitted"},
		{in.Gateway, "relays what others bring"},
	} {
		if s.on {
			does = append(does, s.what)
		}
	}
	if len(does) == 0 {
		does = []string{"nothing is switched on"}
	}
	return append(does, in.credentials())
}
