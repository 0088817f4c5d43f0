package nation

import (
	"fmt"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/signing/jws"
	"github.com/gaenkit/gaen/storage/ledger"
)

// exchange is an instance at work: nil where a switch is off.
type exchange struct {
	*Instance
	pull *federation.Pull
	push *federation.Push
}

// defaultBudget is less than the push barrier, so that one server that is slow
// does not use it up.
const defaultBudget = 5 * time.Minute

// exchanges returns the instances that are not disabled.
func (c *Config) exchanges(l *ledger.Ledger, s secrets) ([]*exchange, error) {
	var all []*exchange
	for i := range c.Instances {
		in := &c.Instances[i]
		if in.Disabled {
			continue
		}
		x, err := c.exchange(l, in, s)
		if err != nil {
			return nil, fmt.Errorf("instance %s: %w", in.Name, err)
		}
		all = append(all, x)
	}
	return all, nil
}

func (c *Config) exchange(l *ledger.Ledger, in *Instance, s secrets) (*exchange, error) {
	client, err := c.client(in, s)
	if err != nil {
		return nil, err
	}
	x := &exchange{Instance: in}
	if in.Import {
		if x.pull, err = federation.NewPull(l, in.Name, client, c.pullOptions(in)); err != nil {
			return nil, err
		}
	}
	if in.Export || in.Gateway {
		if x.push, err = federation.NewPush(l, in.Name, client, c.rules(in), in.pushOptions()); err != nil {
			return nil, err
		}
	}
	return x, nil
}

func (c *Config) client(in *Instance, s secrets) (*interop.Client, error) {
	opts := &interop.ClientOptions{
		Extended: in.Extended, PlainHTTP: in.PlainHTTP, Timeout: time.Duration(in.Limits.Timeout),
	}
	if in.Export || in.Gateway {
		opts.Region = in.region(c.API.OriginCountry)
		signer, err := signerOf(s[in.SigningKey.key()], c.Identity())
		if err != nil {
			return nil, err
		}
		if opts.Signer, err = jws.NewSigner(signer, &jws.SignerOptions{Padded: in.Padded}); err != nil {
			return nil, err
		}
	}
	return interop.NewClient(in.URL, interop.TokenText(s[in.Token.key()]), opts)
}

// signerOf returns the signer by a private key in PEM.
func signerOf(text string, id signing.Identity) (*signing.Signer, error) {
	key, err := signing.ParsePrivateKey([]byte(text))
	if err != nil {
		return nil, err
	}
	return signing.NewSigner(id, key, nil)
}

func (c *Config) pullOptions(in *Instance) *federation.PullOptions {
	reject := in.Reject
	if reject.Origins.IsEmpty() && !in.AcceptOwn {
		reject.Origins = keys.Only(c.API.OriginCountry)
	}
	return &federation.PullOptions{
		Reject: reject, Defaults: in.Defaults, MaxPages: in.Limits.MaxPages, Budget: in.budget(),
		History: time.Duration(in.Limits.History), Settle: time.Duration(in.Limits.Settle), Silence: time.Duration(in.Limits.Silence),
	}
}

func (in *Instance) pushOptions() *federation.PushOptions {
	return &federation.PushOptions{
		FromBeginning: in.FromBeginning, MaxBatch: in.Limits.MaxBatch, MaxBatches: in.Limits.MaxBatches, Budget: in.budget(),
	}
}

func (in *Instance) budget() time.Duration {
	if in.Limits.Budget != 0 {
		return time.Duration(in.Limits.Budget)
	}
	return defaultBudget
}

// rules returns what an instance is sent: by its switches, narrowed down by its
// rules.
func (c *Config) rules(in *Instance) federation.Rules {
	r := in.Rules.Rules
	if r.Origins.IsEmpty() && r.Interest.IsEmpty() {
		r = federation.Relay() // no rules were named
	}
	var sources []ledger.Source
	if in.Export {
		sources = append(sources, ledger.Own)
	}
	for i := range c.Instances {
		if other := &c.Instances[i]; in.Gateway && other.Name != in.Name {
			sources = append(sources, other.Name)
		}
	}
	r.Sources = keys.Only(sources...)
	return r
}

// published returns the sources whose keys are published: all but those that are
// withheld.
func (c *Config) published() keys.Set[ledger.Source] {
	sources := []ledger.Source{ledger.Own}
	withheld := false
	for i := range c.Instances {
		if c.Instances[i].Withheld {
			withheld = true
			continue
		}
		sources = append(sources, c.Instances[i].Name)
	}
	if !withheld {
		return keys.All[ledger.Source]()
	}
	return keys.Only(sources...)
}
