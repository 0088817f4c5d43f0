package federationtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/signing/jws"
)

// A Nation is a back end as a server of the protocol knows it, and what it proves
// that with. It prints and logs as its region alone.
type Nation struct {
	Region keys.Region   // the origin that the server gives what is uploaded with the token
	Token  string        // the bearer token
	Key    crypto.Signer // on P-256: with which uploads are signed

	// Expired is a token that was good once; "" if none is at hand.
	Expired string

	// Withdrawals has the server tell it what was withdrawn, by keys of the report
	// type REVOKED.
	Withdrawals bool

	// Extended has the server read and write for it the extended form of exposures:
	// what is not known of a key is left out, and an onset of 0 days is one.
	Extended bool

	// Relays are origins beside its own that the server lets it bring keys of, each
	// of which it names.
	Relays []keys.Region
}

// NewNation returns a nation with a token and a key of its own, for a [Server].
func NewNation(region keys.Region) Nation {
	key, err := signing.GenerateKey()
	if err != nil {
		panic("federationtest: " + err.Error()) // there is no randomness
	}
	return Nation{Region: region, Token: "good." + rand.Text(), Key: key, Expired: "old." + rand.Text()}
}

// Signer returns a signer of messages by the nation's key, for a client under test.
func (n Nation) Signer() (*jws.Signer, error) {
	named, err := signing.NewSigner(signing.Identity{KeyID: "federationtest", KeyVersion: "v1"}, n.Key, nil)
	if err != nil {
		return nil, err
	}
	return jws.NewSigner(named, nil)
}

// check returns an error that names the field.
func (n *Nation) check() error {
	switch {
	case n.Region.IsZero():
		return errors.New("nation without a Region")
	case n.Token == "":
		return fmt.Errorf("nation %s: Token is empty", n.Region)
	case n.Key == nil:
		return fmt.Errorf("nation %s: Key is nil", n.Region)
	case n.publicKey() == nil:
		return fmt.Errorf("nation %s: Key: %w", n.Region, signing.ErrUnsupportedKey)
	}
	return nil
}

// relays reports whether the nation may bring keys of a region that is not its own.
func (n *Nation) relays(region keys.Region) bool { return slices.Contains(n.Relays, region) }

// publicKey returns the key that verifies, nil if it is none of the protocol's.
func (n *Nation) publicKey() *ecdsa.PublicKey {
	public, ok := n.Key.Public().(*ecdsa.PublicKey)
	if !ok || signing.CheckKey(public) != nil {
		return nil
	}
	return public
}

// String returns the region; the token is not for printing.
func (n Nation) String() string { return n.Region.String() }

// Format prints [Nation.String] whatever the verb and flags.
func (n Nation) Format(f fmt.State, _ rune) { io.WriteString(f, n.String()) }

// LogValue returns [Nation.String]; the token is not for logs.
func (n Nation) LogValue() slog.Value { return slog.StringValue(n.String()) }
