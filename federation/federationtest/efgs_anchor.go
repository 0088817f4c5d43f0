package federationtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"time"

	"github.com/gaenkit/gaen/signing/cms"
)

// An EFGSAnchor is the trust anchor of a European gateway made for tests: it makes
// members, and signs their certificates for the gateway's list.
type EFGSAnchor struct{ pair *tls.Certificate }

// NewEFGSAnchor returns a trust anchor with a key of its own.
func NewEFGSAnchor() *EFGSAnchor {
	return &EFGSAnchor{newPair(pkix.Name{CommonName: "federationtest"})}
}

// Certificate returns the certificate of the trust anchor.
func (a *EFGSAnchor) Certificate() *x509.Certificate { return a.pair.Leaf }

// Member returns a country with certificates of its own, to authenticate with, to
// sign with and to be called back at on this machine.
func (a *EFGSAnchor) Member(country string) EFGSMember {
	name := pkix.Name{CommonName: "federationtest", Country: []string{country}}
	return EFGSMember{Country: country, Authentication: newPair(name), Signing: newPair(name), Callback: newPair(name), Revoked: newPair(name)}
}

// Entries returns what a list of the gateway's has of a member: that Revoked is
// good no longer, too.
func (a *EFGSAnchor) Entries(m *EFGSMember) (list []cms.Entry) {
	for _, c := range []struct {
		use  cms.Use
		pair *tls.Certificate
	}{{cms.UseAuthentication, m.Authentication}, {cms.UseSigning, m.Signing}, {cms.UseCallback, m.Callback}, {cms.UseAuthentication, m.Revoked}} {
		if c.pair != nil {
			text := pemOf(c.pair.Leaf)
			list = append(list, cms.Entry{Use: c.use, Country: m.Country, Certificate: text, AnchorSignature: a.confirm(text), Revoked: c.pair == m.Revoked})
		}
	}
	return list
}

// Nation returns a member as an [EFGSServer] knows it.
func (a *EFGSAnchor) Nation(m *EFGSMember) EFGSNation {
	login, signing := pemOf(m.Authentication.Leaf), pemOf(m.Signing.Leaf)
	return EFGSNation{
		Country: m.Country, Thumbprint: thumbprint(m.Authentication),
		UploaderCertificate: login, UploaderOperatorSignature: a.confirm(login),
		SigningCertificate: signing, SigningThumbprint: thumbprint(m.Signing), SigningCertificateOperatorSignature: a.confirm(signing),
	}
}

// confirm returns the anchor's signature over a certificate.
func (a *EFGSAnchor) confirm(text string) string {
	sum := sha256.Sum256([]byte(text))
	signature, err := a.pair.PrivateKey.(crypto.Signer).Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		panic("federationtest: " + err.Error()) // the key is in memory
	}
	return base64.StdEncoding.EncodeToString(signature)
}

// An EFGSMember is a country as the suites call a gateway, and what it proves that
// with.
type EFGSMember struct {
	Country        string           // two upper-case letters
	Authentication *tls.Certificate // listed for authentication
	Signing        *tls.Certificate // listed to sign uploads

	// Callback is one that is listed for being called back; nil if none is at hand.
	Callback *tls.Certificate

	// Revoked is one that was listed for authentication once; nil if none is at
	// hand.
	Revoked *tls.Certificate
}

// Header returns what a load balancer says of a member's requests.
func (m *EFGSMember) Header() http.Header { return balancerHeader(m.Authentication) }

// balancerHeader returns what a load balancer says of a certificate.
func balancerHeader(pair *tls.Certificate) http.Header {
	h := http.Header{}
	h.Set(HeaderThumbprint, thumbprint(pair))
	h.Set(HeaderDN, pair.Leaf.Subject.String())
	return h
}

func thumbprint(pair *tls.Certificate) string {
	sum := sha256.Sum256(pair.Leaf.Raw)
	return hex.EncodeToString(sum[:])
}

func pemOf(cert *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
}

// Certificates of the suites are good for whatever clock a test goes by.
var (
	goodFrom  = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	goodUntil = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

// newPair returns a certificate that no other has issued, with its key.
func newPair(name pkix.Name) *tls.Certificate {
	pair, err := makePair(name)
	if err != nil {
		panic("federationtest: " + err.Error()) // there is no randomness
	}
	return pair
}

func makePair(name pkix.Name) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: name, NotBefore: goodFrom, NotAfter: goodUntil,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}
