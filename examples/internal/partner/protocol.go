package partner

import (
	"fmt"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/signing/jws"
)

// Protocol is how a server is spoken to.
type Protocol string

// Interop is the interoperability protocol (package federation/interop).
const Interop Protocol = "interop"

func (p Protocol) check() error {
	if p != "" && p != Interop {
		return fmt.Errorf("%q, want %q", string(p), Interop)
	}
	return nil
}

// A client is what there is of every protocol.
type client interface {
	federation.Downloader
	federation.Uploader
}

// client returns the client of the instance's protocol. This is the one place that
// tells protocols apart.
func (in *Instance) client(own keys.Region, s Secrets) (client, error) {
	switch in.Protocol {
	case "", Interop:
		return in.interop(own, s)
	}
	return nil, in.Protocol.check()
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
