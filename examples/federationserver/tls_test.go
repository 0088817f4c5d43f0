package main

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/signing"
)

// A slowBody is a transport whose first request ends only when it may.
type slowBody struct {
	once           sync.Once
	begun, proceed chan struct{}
}

func (s *slowBody) RoundTrip(r *http.Request) (*http.Response, error) {
	s.once.Do(func() {
		body := r.Body
		pr, pw := io.Pipe()
		r.Body, r.GetBody = pr, nil
		r.Header.Set("Expect", "100-continue") // so that it begins when the server reads it
		go func() {
			if _, err := io.CopyN(pw, body, 10); err == nil {
				close(s.begun)
				<-s.proceed
				_, err = io.Copy(pw, body)
				pw.CloseWithError(err)
			}
		}()
	})
	return (&http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: time.Minute}).RoundTrip(r)
}

// certify writes a certificate for loopback, and returns what trusts it.
func certify(t *testing.T, s *site, serial int64) *x509.CertPool {
	t.Helper()
	key, err := signing.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := signing.MarshalPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, text := range map[string][]byte{"cert.pem": text, "key.pem": private} {
		if err := os.WriteFile(s.path(name+".new"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(s.path(name+".new"), s.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool
}

// TestTLS has the certificate replaced while the server runs.
func TestTLS(t *testing.T) {
	s := newSite(t)
	key := s.onboard("ie", "IE")
	first := certify(t, s, 1)
	p := s.start("-cert", s.path("cert.pem"), "-key", s.path("key.pem"))
	ask := func(pool *x509.CertPool) error {
		own := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
		_, err := s.client("ie", "IE", key, p.base, own).Download(t.Context(), federation.Place{Day: federation.DayOf(time.Now())})
		return err
	}
	if err := ask(first); err != nil {
		t.Fatal(err)
	}
	second := certify(t, s, 2)
	if err := ask(second); err != nil {
		t.Errorf("with the new certificate: %v", err)
	}
	if err := ask(first); !errors.Is(err, federation.ErrUnavailable) {
		t.Errorf("the old certificate is still shown (%v)", err)
	}
	// Halfway through the next, the server keeps what it has.
	if err := os.WriteFile(s.path("cert.pem"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := ask(second); err != nil {
			t.Errorf("with half a certificate in the file: %v", err)
		}
	}
	p.terminate()
}
