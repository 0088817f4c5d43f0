package partner

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/federation/efgs"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/cms"
)

// EFGSOptions are what an instance of the European protocol has beside the others. Whatever
// is a certificate or a key is PEM; both may be in one file.
type EFGSOptions struct {
	// Certificate and CertificateKey are by what the gateway knows the country.
	Certificate    Secret `json:"certificate"`
	CertificateKey Secret `json:"certificateKey"`

	// SigningCertificate is that of the instance's signingKey.
	SigningCertificate Secret `json:"signingCertificate,omitzero"`

	// Authority has issued the gateway's certificate; none is those of the system.
	Authority Secret `json:"authority,omitzero"`

	Format string `json:"format,omitzero"` // "protobuf", which is the default, or "json"

	// Audit has what comes held against the signatures of those who uploaded it.
	// Without it the gateway is taken at its word.
	Audit *Audit `json:"audit,omitzero"`

	// Callback has the gateway say when there is something. It is looked for all
	// the same.
	Callback *Callback `json:"callback,omitzero"`
}

// Audit says whose signatures are good.
type Audit struct {
	Off bool `json:"off,omitzero"` // nothing is verified

	Certificates Secret          `json:"certificates"`      // a list as cms.ParseList reads it
	Anchor       Secret          `json:"anchor,omitzero"`   // the trust anchor's certificate, which has to have signed the others
	Unsigned     bool            `json:"unsigned,omitzero"` // takes what a hub of this project hands on from other protocols
	Patience     deploy.Duration `json:"patience,omitzero"` // with a gateway that has no audit of a batch
}

var formats = map[string]efgs.Format{"": efgs.Protobuf, "protobuf": efgs.Protobuf, "json": efgs.JSON}

// checkEFGS is Check of what is particular to the protocol.
func (in *Instance) checkEFGS(own keys.Region) error {
	switch country := in.region(own).String(); {
	case in.EFGS == nil:
		return fmt.Errorf("efgs: missing: the protocol %q wants certificates", EFGS)
	case !in.Token.IsZero():
		return errors.New("token: this protocol goes by certificates")
	case in.Padded:
		return errors.New("padded: this protocol has no such signatures")
	case in.Extended:
		return errors.New("extended: this protocol has no such form")
	case len(country) != 2:
		return fmt.Errorf("region: %q, want a country of two letters, as its certificates have it", country)
	case in.Limits.MaxBatch > efgs.MaxBatch:
		return fmt.Errorf("limits.maxBatch: %d, at most %d", in.Limits.MaxBatch, efgs.MaxBatch)
	}
	if in.EFGS.Callback != nil && !in.Import {
		return errors.New("efgs.callback: is for what is imported, and nothing is")
	}
	if in.Pushes() {
		if err := in.SigningKey.Check(); err != nil {
			return fmt.Errorf("signingKey: %w", err)
		}
	}
	if err := in.EFGS.check(in.Pushes()); err != nil {
		return fmt.Errorf("efgs.%w", err)
	}
	return nil
}

// A need is a secret that there has to be, if it is asked for.
type need struct {
	name   string
	secret Secret
	must   bool
}

func checkNeeds(all ...need) error {
	for _, n := range all {
		if !n.must && n.secret.IsZero() {
			continue
		}
		if err := n.secret.Check(); err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
	}
	return nil
}

func (o *EFGSOptions) check(pushes bool) error {
	err := checkNeeds(
		need{"certificate", o.Certificate, true}, need{"certificateKey", o.CertificateKey, true},
		need{"signingCertificate", o.SigningCertificate, pushes}, need{"authority", o.Authority, false})
	if err != nil {
		return err
	}
	if _, ok := formats[o.Format]; !ok {
		return fmt.Errorf("format: %q, want \"protobuf\" or \"json\"", o.Format)
	}
	if o.verifies() {
		if err := checkNeeds(need{"audit.certificates", o.Audit.Certificates, true}, need{"audit.anchor", o.Audit.Anchor, false}); err != nil {
			return err
		}
		if o.Audit.Patience < 0 {
			return errors.New("audit.patience: negative")
		}
	}
	if o.Callback != nil {
		if err := o.Callback.check(); err != nil {
			return fmt.Errorf("callback.%w", err)
		}
	}
	return nil
}

func (o *EFGSOptions) verifies() bool { return o.Audit != nil && !o.Audit.Off }

// patience is for how long a batch without audit is asked for again; 0 is the usual.
func (in *Instance) patience() time.Duration {
	if in.EFGS == nil || !in.EFGS.verifies() {
		return 0
	}
	return time.Duration(in.EFGS.Audit.Patience)
}

// efgsFields are the secrets of the protocol that are in use.
func (in *Instance) efgsFields(prefix, country string) []SecretField {
	o := in.EFGS
	all := []SecretField{
		{prefix + "efgs.certificate", o.Certificate, aPair, country},
		{prefix + "efgs.certificateKey", o.CertificateKey, aPair, country},
	}
	if in.Pushes() {
		all = append(all,
			SecretField{prefix + "efgs.signingCertificate", o.SigningCertificate, aPair, country},
			SecretField{prefix + "signingKey", in.SigningKey, aPair, country})
	}
	if !o.Authority.IsZero() {
		all = append(all, SecretField{prefix + "efgs.authority", o.Authority, aCertificate, ""})
	}
	if o.verifies() {
		all = append(all, SecretField{prefix + "efgs.audit.certificates", o.Audit.Certificates, aList, ""})
		if !o.Audit.Anchor.IsZero() {
			all = append(all, SecretField{prefix + "efgs.audit.anchor", o.Audit.Anchor, aCertificate, ""})
		}
	}
	if c := o.Callback; c != nil {
		all = append(all,
			SecretField{prefix + "efgs.callback.certificate", c.Certificate, aPair, country},
			SecretField{prefix + "efgs.callback.key", c.Key, aPair, country})
	}
	return all
}

// efgs returns the client of a European gateway. A certificate that was replaced
// makes another client: what has begun with the old one ends with it.
func (in *Instance) efgs(own keys.Region, s Secrets, clock func() time.Time) (*efgs.Client, error) {
	o := in.EFGS
	opts := &efgs.ClientOptions{
		Format: formats[o.Format], PlainHTTP: in.PlainHTTP, Timeout: time.Duration(in.Limits.Timeout), Clock: clock,
	}
	pair, err := s.pair(o.Certificate, o.CertificateKey)
	if err != nil {
		return nil, fmt.Errorf("efgs.certificate: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*pair}}
	if !o.Authority.IsZero() {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(s.Of(o.Authority))) {
			return nil, errors.New("efgs.authority: no certificate in it")
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = config
	opts.HTTPClient = &http.Client{Transport: transport}
	if in.Pushes() {
		if opts.Signer, err = s.signer(o.SigningCertificate, in.SigningKey); err != nil {
			return nil, fmt.Errorf("efgs.signingCertificate: %w", err)
		}
	}
	if o.verifies() {
		if opts.Audit, err = o.Audit.open(s); err != nil {
			return nil, err
		}
	}
	return efgs.NewClient(in.URL, in.region(own), opts)
}

// pair returns a certificate with its key. The error quotes neither.
func (s Secrets) pair(certificate, key Secret) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair([]byte(s.Of(certificate)), []byte(s.Of(key)))
	return &pair, err
}

func (s Secrets) signer(certificate, key Secret) (*cms.Signer, error) {
	pair, err := s.pair(certificate, key)
	if err != nil {
		return nil, err
	}
	return cms.NewSigner(pair.Leaf, pair.PrivateKey.(crypto.Signer), nil)
}

func (a *Audit) open(s Secrets) (*efgs.Audit, error) {
	opened := &efgs.Audit{Unsigned: a.Unsigned}
	var err error
	if !a.Anchor.IsZero() {
		if opened.Anchor, err = cms.ParseCertificate(s.Of(a.Anchor)); err != nil {
			return nil, fmt.Errorf("efgs.audit.anchor: %w", err)
		}
	}
	entries, err := cms.ParseList(bytes.TrimSpace([]byte(s.Of(a.Certificates))), opened.Anchor)
	if err != nil {
		return nil, fmt.Errorf("efgs.audit.certificates: %w", err)
	}
	list, err := cms.NewAllowList(entries...)
	if err != nil {
		return nil, fmt.Errorf("efgs.audit.certificates: %w", err)
	}
	opened.Verifier, err = cms.NewVerifier(list, nil)
	return opened, err
}
