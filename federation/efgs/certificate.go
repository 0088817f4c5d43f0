package efgs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"time"
)

// A Certificate is a certificate and its key in two files of PEM, which are read
// again when they have changed: it is rotated by replacing the files. It may be used
// from several goroutines at once.
type Certificate struct {
	certFile, keyFile string

	mu      sync.Mutex
	stamp   [2]stamp // of the files that the pair is from
	current *tls.Certificate
}

// A stamp tells a file from the one that stood there before.
type stamp struct {
	changed time.Time
	size    int64
}

// LoadCertificate reads a certificate and its key.
func LoadCertificate(certFile, keyFile string) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile}
	_, err := c.load()
	return c, err
}

// ClientTLS returns what a client needs to call a gateway that is known by one of
// roots; nil roots are those of the system. New connections have the certificate of
// the moment; those that are open keep theirs until they are idle.
func (c *Certificate) ClientTLS(roots *x509.CertPool) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, GetClientCertificate: c.GetClientCertificate}
}

// GetClientCertificate is for the field of [tls.Config] with that name.
func (c *Certificate) GetClientCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return c.load()
}

// GetCertificate is for the field of [tls.Config] with that name.
func (c *Certificate) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.load() }

// load returns the pair in the files. While they do not make one, because only the
// first of them has been replaced yet, it is the pair before.
func (c *Certificate) load() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, err := c.stamps()
	if err == nil && c.current != nil && now == c.stamp {
		return c.current, nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	switch {
	case err == nil:
		c.current, c.stamp = &pair, now
	case c.current == nil:
		return nil, fmt.Errorf("efgs: certificate: %w", err)
	}
	return c.current, nil
}

func (c *Certificate) stamps() (s [2]stamp, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return s, err
		}
		s[i] = stamp{info.ModTime(), info.Size()}
	}
	return s, nil
}

// ServerTLS returns what a [Server] needs so that its clients reach it directly: a
// client certificate is required, and whose it is the server knows by its list, not
// by who issued it.
func (c *Certificate) ServerTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert, GetCertificate: c.GetCertificate}
}
