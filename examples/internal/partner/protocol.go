package partner

import (
	"fmt"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/efgs"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/signing/jws"
)

// Protocol is how a server is spoken to.
type Protocol string

const (
	// Interop is the interoperability protocol (package federation/interop).
	Interop Protocol = "interop"

	// EFGS is that of the European gateway (package federation/efgs).
	EFGS Protocol = "efgs"
)

func (p Protocol) check() error {
	if p != "" && p != Interop && p != EFGS {
		return fmt.Errorf("%q, want %q or %q", string(p), Interop, EFGS)
	}
	return nil
}

// A client is what there is of every protocol.
type client interface {
	federation.Downloader
	federation.Uploader
}

// client returns the client of the instance's protocol, and what is usual with it
// where the limits say nothing. Certificates are judged by a clock.
func (in *Instance) client(own keys.Region, s Secrets, clock func() time.Time) (client, federation.PullOptions, error) {
	switch in.Protocol {
	case "", Interop:
		c, err := in.interop(own, s)
		return c, federation.PullOptions{}, err
	case EFGS:
		c, err := in.efgs(own, s, clock)
		if err != nil {
			return nil, federation.PullOptions{}, err
		}
		return c, *c.PullOptions(), nil
	}
	return nil, federation.PullOptions{}, in.Protocol.check()
}

// maxBatch returns how many keys are sent at a time where the limits say nothing; 0
// is the default of package federation.
func (p Protocol) maxBatch() int {
	if p == EFGS {
		return efgs.MaxBatch
	}
	return 0
}

// credentials says by what the server knows who calls.
func (in *Instance) credentials() string {
	if in.Protocol == EFGS {
		return "certificate from " + in.EFGS.Certificate.String()
	}
	return "token from " + in.Token.String()
}

// identity names keys in errors. It is not in messages.
var identity = signing.Identity{KeyID: "federation", KeyVersion: "v1"}

func (in *Instance) interop(own keys.Region, s Secrets) (*interop.Client, error) {
	opts := &interop.ClientOptions{
		Extended: in.Extended, PlainHTTP: in.PlainHTTP, Timeout: time.Duration(in.Limits.Timeout),
	}
	if in.Pushes() {
		opts.Region = in.region(own)
		signer, err := Signer(s.Of(in.SigningKey), identity)
		if err != nil {
			return nil, fmt.Errorf("signingKey: %w", err)
		}
		if opts.Signer, err = jws.NewSigner(signer, &jws.SignerOptions{Padded: in.Padded}); err != nil {
			return nil, err
		}
	}
	return interop.NewClient(in.URL, interop.TokenText(s.Of(in.Token)), opts)
}

// Signer returns the signer by a private key in PEM.
func Signer(text string, id signing.Identity) (*signing.Signer, error) {
	key, err := signing.ParsePrivateKey([]byte(text))
	if err != nil {
		return nil, err
	}
	return signing.NewSigner(id, key, nil)
}
