package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"time"
)

// A Pair is a certificate and its key.
type Pair struct {
	Certificate *x509.Certificate
	Key         *ecdsa.PrivateKey
}

// lifetime is for how long certificates are good: longer than anybody tries things
// out, and shorter than they are forgotten.
const lifetime = 2 * 365 * 24 * time.Hour

// Root returns a pair that no other has issued.
func Root(name string) (*Pair, error) {
	return issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}, nil)
}

// Issue returns a pair of a country, for these hosts if it is a server's.
func (p *Pair) Issue(name, country string, hosts []string) (*Pair, error) {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: name, Country: []string{country}},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return issue(template, p)
}

func issue(template *x509.Certificate, by *Pair) (*Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, err
	}
	now := time.Now().UTC().Truncate(time.Second)
	template.NotBefore, template.NotAfter = now.Add(-24*time.Hour), now.Add(lifetime)
	if by == nil {
		by = &Pair{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.Certificate, &key.PublicKey, by.Key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &Pair{cert, key}, err
}

// PEM returns the certificate as text.
func (p *Pair) PEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate.Raw}))
}

// KeyPEM returns the key as text.
func (p *Pair) KeyPEM() (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(p.Key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), err
}

// Confirm returns what a trust anchor says of a certificate: its signature over the
// text, as cms.VerifyAnchor takes it.
func (p *Pair) Confirm(text string) (string, error) {
	sum := sha256.Sum256([]byte(text))
	signature, err := ecdsa.SignASN1(rand.Reader, p.Key, sum[:])
	return base64.StdEncoding.EncodeToString(signature), err
}
