package federationtest

import (
	"cmp"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/signing/cms"
)

// An EFGSEndpoint is a European gateway over HTTP, and the members as which the
// suite calls it.
type EFGSEndpoint struct {
	// URL is whatever stands before "/diagnosiskeys".
	URL string

	// Members are two at least. With a third, what comes of uploads is looked at by
	// one that brings nothing itself.
	Members []EFGSMember

	// Balanced says that the gateway stands behind a load balancer, in whose place
	// the suite calls it: whose certificate it is, [HeaderThumbprint] and [HeaderDN]
	// say. Otherwise it is shown in TLS.
	Balanced bool

	// Anchor has signed the members' certificates for the gateway's list; nil if it
	// is not at hand.
	Anchor *x509.Certificate
}

// ReadEFGSMembers reads the members of an [EFGSEndpoint] from a file of JSON,
//
//	[{"country": "DE", "authentication": "de/authentication.pem", "authenticationKey": "de/authentication-key.pem",
//	  "signing": "de/signing.pem", "signingKey": "de/signing-key.pem"}, …]
//
// in which everything but the country names a file in PEM, relative to that of the
// list. There may also be callback, callbackKey, revoked and revokedKey; what is
// asked of those is not checked without.
func ReadEFGSMembers(path string) ([]EFGSMember, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("federationtest: %w", err)
	}
	var entries []map[string]string
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, fmt.Errorf("federationtest: %s: %w", path, err)
	}
	var members []EFGSMember
	for i, e := range entries {
		m := EFGSMember{Country: e["country"]}
		delete(e, "country")
		for name, pair := range map[string]**tls.Certificate{
			"authentication": &m.Authentication, "signing": &m.Signing, "callback": &m.Callback, "revoked": &m.Revoked,
		} {
			if e[name] != "" {
				loaded, err := tls.LoadX509KeyPair(beside(path, e[name]), beside(path, e[name+"Key"]))
				if err != nil {
					return nil, fmt.Errorf("federationtest: %s: member %d: %s: %w", path, i, name, err)
				}
				*pair = &loaded
			}
			delete(e, name)
			delete(e, name+"Key")
		}
		for name := range e {
			return nil, fmt.Errorf("federationtest: %s: member %d: there is no field %q", path, i, name)
		}
		members = append(members, m)
	}
	return members, nil
}

// EFGSEndpointOptions are options of [TestEFGSServer]. The zero value suits a
// gateway on this machine.
type EFGSEndpointOptions struct {
	// Skip declares deviations: the name of a clause, and why the gateway does not
	// keep it. Each is printed.
	Skip map[string]string

	// UploadTo must be the host of the URL, if that is not this machine: keys of
	// the suite's own making are uploaded to it.
	UploadTo string

	// Release has the gateway make batches of what was uploaded, as in
	// [EndpointOptions].
	Release func() error

	// Patience is how long what was uploaded may take until it is handed out; 0 is
	// 1 min. The European gateway made batches every five. The suite waits twice.
	Patience time.Duration

	// Poll is the pause between two looks at a gateway that has nothing new; 0 is
	// 50 ms on this machine and 5 s elsewhere.
	Poll time.Duration

	// BigUpload is how many keys a gateway must take at one time; 0 is 5,000, which
	// is also the most.
	BigUpload int

	// MaxUpload is a size of a body in bytes that is beyond what the gateway reads;
	// 0 is 64 MiB.
	MaxUpload int64

	// Callback is where the suite listens for being called back ("127.0.0.1:9443"),
	// which the gateway must have been allowed to call. Empty does without. The
	// first member needs its certificate for that.
	Callback string

	// MaxBatches is how many batches the gateway may have of today and yesterday; 0
	// is 2,000.
	MaxBatches int

	// Roots are those by which the gateway's certificate is known; nil is the
	// system's.
	Roots *x509.CertPool

	Now func() time.Time // by which keys are made and signed; nil is time.Now
}

// EFGSDeviations are the clauses of [TestEFGSServer] that the European gateway, as
// it was read from its code, does not keep, and why. Whoever runs the suite against
// it passes them as [EFGSEndpointOptions].Skip.
func EFGSDeviations() map[string]string {
	return map[string]string{
		"tag-is-the-nations-own": "its tags are of all nations together",
	}
}

// MaxEFGSKeys is how many keys an upload or a batch of the European gateway may
// have.
const MaxEFGSKeys = 5000

// complete fills in defaults and returns an error that names the field.
func (o *EFGSEndpointOptions) complete(e *EFGSEndpoint) error {
	local, err := mayUpload(e.URL, o.UploadTo, "EFGSEndpoint", "EFGSEndpointOptions")
	if err != nil {
		return err
	}
	if len(e.Members) < 2 {
		return fmt.Errorf("EFGSEndpoint.Members: %d, want two at least", len(e.Members))
	}
	for i := range e.Members {
		if err := e.Members[i].check(); err != nil {
			return fmt.Errorf("EFGSEndpoint.Members[%d]: %w", i, err)
		}
	}
	if !local {
		o.Poll = cmp.Or(o.Poll, 5*time.Second)
	}
	o.Poll = cmp.Or(o.Poll, 50*time.Millisecond)
	o.Patience = cmp.Or(o.Patience, time.Minute)
	o.BigUpload = cmp.Or(o.BigUpload, MaxEFGSKeys)
	o.MaxUpload = cmp.Or(o.MaxUpload, maxEFGSBody)
	o.MaxBatches = cmp.Or(o.MaxBatches, 2000)
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}

// check returns an error that names the field.
func (m *EFGSMember) check() error {
	switch {
	case len(m.Country) != 2:
		return fmt.Errorf("member %q: Country is none", m.Country)
	case m.Authentication == nil || m.Authentication.Leaf == nil:
		return fmt.Errorf("member %s: Authentication is nil or has no Leaf", m.Country)
	case m.Signing == nil || m.Signing.Leaf == nil:
		return fmt.Errorf("member %s: Signing is nil or has no Leaf", m.Country)
	case m.Callback != nil && m.Callback.Leaf == nil:
		return fmt.Errorf("member %s: Callback has no Leaf", m.Country)
	case m.Revoked != nil && m.Revoked.Leaf == nil:
		return fmt.Errorf("member %s: Revoked has no Leaf", m.Country)
	}
	if _, err := m.Signer(); err != nil {
		return fmt.Errorf("member %s: Signing: %w", m.Country, err)
	}
	return nil
}

var errNoKey = errors.New("the key cannot sign")

// Signer returns what signs uploads in the name of the member.
func (m *EFGSMember) Signer() (*cms.Signer, error) { return signerOf(m.Signing) }

func signerOf(pair *tls.Certificate) (*cms.Signer, error) {
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errNoKey
	}
	return cms.NewSigner(pair.Leaf, key, nil)
}

// String returns the country; keys are not for printing.
func (m EFGSMember) String() string { return m.Country }

// TestEFGSServer holds a European gateway to what its clients need of the protocol,
// one subtest for each clause, as [TestServer] does.
//
// It uploads some 10,000 keys, random ones, three days old, under tags that say so.
// Run it against gateways that are made for tests.
func TestEFGSServer(t *testing.T, e *EFGSEndpoint, opts *EFGSEndpointOptions) {
	if opts == nil {
		opts = &EFGSEndpointOptions{}
	}
	own := *opts
	if err := own.complete(e); err != nil {
		t.Fatalf("federationtest: %v", err)
	}
	for name := range own.Skip {
		if !slices.ContainsFunc(gatewayClauses(), func(c gatewayClause) bool { return c.name == name }) {
			t.Errorf("federationtest: EFGSEndpointOptions.Skip: there is no clause %q", name)
		}
	}
	verdicts := examineGateway(t.Context(), e, &own)
	for _, c := range gatewayClauses() {
		t.Run(c.name, func(t *testing.T) {
			if why, ok := own.Skip[c.name]; ok {
				t.Skipf("declared deviation: %s\n\tclause: %s", why, c.must)
			}
			report(t, verdicts[c.name], c.must)
		})
	}
}
