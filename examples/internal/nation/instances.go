package nation

import (
	"fmt"

	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// exchanges returns the instances that are not disabled, at work.
func (c *Config) exchanges(l *ledger.Ledger, s partner.Secrets, pauses *partner.Pauses) ([]*partner.Exchange, error) {
	var all []*partner.Exchange
	for i := range c.Instances {
		in := &c.Instances[i]
		if in.Disabled {
			continue
		}
		x, err := in.Open(l, c.API.OriginCountry, c.sources(in), s, pauses)
		if err != nil {
			return nil, fmt.Errorf("instance %s: %w", in.Name, err)
		}
		all = append(all, x)
	}
	return all, nil
}

// sources returns those whose keys an instance is sent, by its switches.
func (c *Config) sources(in *partner.Instance) keys.Set[ledger.Source] {
	var sources []ledger.Source
	if in.Export {
		sources = append(sources, ledger.Own)
	}
	for i := range c.Instances {
		if other := &c.Instances[i]; in.Gateway && other.Name != in.Name {
			sources = append(sources, other.Name)
		}
	}
	return keys.Only(sources...)
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
