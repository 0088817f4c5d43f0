package cms_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"math/big"
	"time"

	"github.com/gaenkit/gaen/signing/cms"
)

// A nation signs a batch; whoever receives it verifies it by a list of
// certificates.
func Example() {
	now := time.Date(2021, 6, 2, 12, 0, 0, 0, time.UTC)
	cert, key := certificate(now) // or x509.ParseCertificate, and a key service's crypto.Signer
	signer, err := cms.NewSigner(cert, key, nil)
	if err != nil {
		log.Fatal(err)
	}
	content := []byte("AAECAwQFBgcICQoLDA0ODw==.ACiw8A==.AAAAkA==.f////w==..Rkk=.AAAAAQ==.AAAPnQ==.")
	text, err := signer.Sign(content, now)
	if err != nil {
		log.Fatal(err)
	}

	list, err := cms.NewAllowList(cms.Entry{
		Use: cms.UseSigning, Country: "FI",
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})),
	})
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := cms.NewVerifier(list, nil)
	if err != nil {
		log.Fatal(err)
	}
	signature, err := verifier.Verify(context.Background(), content, text, now)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(signature.Country, signature.SigningTime.Format(time.RFC3339), signature.Algorithm)

	_, err = verifier.Verify(context.Background(), append(content, '.'), text, now)
	fmt.Println(err)
	_, err = verifier.Verify(context.Background(), content, text, now.AddDate(1, 0, 0))
	fmt.Println(err, errors.Is(err, cms.ReasonExpired))
	// Output:
	// FI 2021-06-02T12:00:00Z ECDSA-SHA256
	// cms: content: it is not what was signed
	// cms: certificate: expired at 2021-07-02T12:00:00Z true
}

// Load balancers spell thumbprints in more than one way.
func ExampleParseThumbprint() {
	for _, text := range []string{
		"00C697C045B4CDAA441A28AF0EC1CC4128153B9DDC796B66BFA04B02EA3E103E",
		"AMaXwEW0zapEGiivDsHMQSgVO53ceWtmv6BLAuo%2BED4%3D",
	} {
		t, err := cms.ParseThumbprint(text)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(t)
	}
	// Output:
	// 00c697c045b4cdaa441a28af0ec1cc4128153b9ddc796b66bfa04b02ea3e103e
	// 00c697c045b4cdaa441a28af0ec1cc4128153b9ddc796b66bfa04b02ea3e103e
}

// certificate returns a certificate that has signed itself, with its key.
func certificate(now time.Time) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{Country: []string{"FI"}, CommonName: "Signing"},
		NotBefore:    now,
		NotAfter:     now.AddDate(0, 1, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		log.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		log.Fatal(err)
	}
	return cert, key
}
