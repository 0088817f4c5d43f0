package partner

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"

	"github.com/gaenkit/gaen/federation/efgs"
	"github.com/gaenkit/gaen/signing/cms"
)

// Callback is where a gateway says that there is something.
type Callback struct {
	Listen string `json:"listen"` // address

	// Certificate and Key are by what the gateway knows who it calls.
	Certificate Secret `json:"certificate"`
	Key         Secret `json:"key"`

	// Allowed are the SHA-256 of the certificates that the gateway calls with.
	// Nobody else is heard.
	Allowed []cms.Thumbprint `json:"allowed"`

	// URL is what the gateway is told to call, by which ID; empty if it has been
	// told otherwise.
	URL string `json:"url,omitzero"`
	ID  string `json:"id,omitzero"`
}

func (c *Callback) check() error {
	switch {
	case c.Listen == "":
		return errors.New("listen: missing")
	case len(c.Allowed) == 0:
		return errors.New("allowed: name the certificates that the gateway calls with")
	case (c.URL == "") != (c.ID == ""):
		return errors.New("id: goes with url")
	}
	if u, err := url.Parse(c.URL); c.URL != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "") {
		return errors.New("url: want https, a host, and no query")
	}
	return checkNeeds(need{"certificate", c.Certificate, true}, need{"key", c.Key, true})
}

// Calls reports whether the instance is called back by its gateway.
func (in *Instance) Calls() bool {
	return !in.Disabled && in.Import && in.EFGS != nil && in.EFGS.Callback != nil
}

// receiver returns the certificate of the callback, if there is one.
func (in *Instance) receiver(s Secrets) (*tls.Certificate, error) {
	if !in.Calls() {
		return nil, nil
	}
	pair, err := s.pair(in.EFGS.Callback.Certificate, in.EFGS.Callback.Key)
	if err != nil {
		return nil, fmt.Errorf("efgs.callback.certificate: %w", err)
	}
	return pair, nil
}

// Subscribe sees to it that the gateway calls back, which gateways forget.
func (x *Exchange) Subscribe(ctx context.Context) error {
	c, ok := x.client.(*efgs.Client)
	if !ok || !x.Calls() || x.EFGS.Callback.URL == "" {
		return nil
	}
	if err := x.pauses.check(x.Name); err != nil {
		return err
	}
	return c.Subscribe(ctx, efgs.Subscription{ID: x.EFGS.Callback.ID, URL: x.EFGS.Callback.URL})
}
