package orders

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/gaenkit/gaen/storage/ledger/submit"
)

// Credentials are the people who may give orders: their names, with the hashes of
// their secrets.
type Credentials map[string][][sha256.Size]byte

// ParseCredentials reads a line name:secret for each. While a secret is replaced, a
// name has two lines.
func ParseCredentials(text string) (Credentials, error) {
	c := Credentials{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key, err := submit.ParseAPIKey(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		c[key.Name] = append(c[key.Name], key.Hash)
	}
	if len(c) == 0 {
		return nil, errors.New("nobody may give orders: want a line name:secret for each who may")
	}
	return c, nil
}

// CheckListen returns an error unless a desk may listen at an address: one of this
// host alone, since names and secrets come as they are.
func CheckListen(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q, want an address of this host alone, such as 127.0.0.1:9091", addr)
	}
	return nil
}

// who returns the name of who makes a request, by the basic authentication of HTTP.
func (c Credentials) who(r *http.Request) (name string, ok bool) {
	name, secret, _ := r.BasicAuth()
	got := sha256.Sum256([]byte(secret))
	for _, want := range c[name] {
		if subtle.ConstantTimeCompare(got[:], want[:]) == 1 {
			ok = true
		}
	}
	return name, ok
}
