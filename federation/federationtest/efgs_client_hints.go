package federationtest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gaenkit/gaen/federation"
)

var efgsHintClauses = []efgsClause{
	{"callback-hint", "A call must be answered 2xx, be a hint to pull, and have nothing be fetched by itself: what it names may be anything.", efgsHint},
	{"callback-one-hint", "Calls before the pull begins must be one hint, and none of them wait.", efgsOneHint},
	{"callback-stranger", "A call without the gateway's certificate must be refused, and be no hint.", efgsHintStranger},
	{"callback-malformed", "A call that names no batch or no day must be answered 400, and be no hint.", efgsHintMalformed},
}

// called is a receiver of calls, and the gateway's certificate.
type called struct {
	EFGSReceiver
	gateway *tls.Certificate
}

func (x *efgsTrial) receive() (*called, error) {
	if x.receiver == nil {
		return nil, fmt.Errorf("%w: EFGSClientOptions.Receiver is nil", errNotGiven)
	}
	gateway := stranger("EU")
	return &called{x.receiver(gateway.Leaf), gateway}, nil
}

// call calls, and returns the status.
func (c *called) call(method, query string, by *tls.Certificate) int {
	r := httptest.NewRequest(method, "https://back-end.example/callback?"+query, nil)
	r.TLS = &tls.ConnectionState{HandshakeComplete: true}
	if by != nil {
		r.TLS.PeerCertificates = []*x509.Certificate{by.Leaf}
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w.Code
}

// hinted reports whether there is a hint, and takes it.
func (c *called) hinted() bool {
	select {
	case <-c.Hints():
		return true
	default:
		return false
	}
}

const goodCall = "batchTag=20260302-7&date=2026-03-02"

func efgsHint(x *efgsTrial) error {
	c, err := x.receive()
	if err != nil {
		return err
	}
	want := x.hand(2)
	for _, query := range []string{goodCall, "batchTag=20200101-1&date=2020-01-01", "date=2026-03-02&batchTag=..%2F..%2Fupload"} {
		if status := c.call(http.MethodGet, query, c.gateway); status < 200 || status > 299 {
			return fmt.Errorf("a call is answered %d", status)
		}
		if !c.hinted() {
			return errors.New("a call is no hint")
		}
	}
	if n := len(x.heard(0)); n > 0 {
		return fmt.Errorf("a call has %d requests be made", n)
	}
	page, err := x.download(Pass) // whatever was named
	if err != nil {
		return err
	}
	return wantPage(page, want)
}

func efgsOneHint(x *efgsTrial) error {
	c, err := x.receive()
	if err != nil {
		return err
	}
	return within("calls that nobody waits for", func() error {
		for range 20 {
			if status := c.call(http.MethodGet, goodCall, c.gateway); status < 200 || status > 299 {
				return fmt.Errorf("a call is answered %d", status)
			}
		}
		if !c.hinted() || c.hinted() {
			return errors.New("twenty calls are not one hint")
		}
		return nil
	})
}

func efgsHintStranger(x *efgsTrial) error {
	c, err := x.receive()
	if err != nil {
		return err
	}
	for what, by := range map[string]*tls.Certificate{"no certificate": nil, "another certificate": stranger("EU"), "a member's certificate": x.members[1].Authentication} {
		if status := c.call(http.MethodGet, goodCall, by); status != http.StatusForbidden && status != http.StatusUnauthorized {
			return fmt.Errorf("%s: a call is answered %d", what, status)
		}
		if c.hinted() {
			return fmt.Errorf("%s: a call is a hint", what)
		}
	}
	return nil
}

func efgsHintMalformed(x *efgsTrial) error {
	c, err := x.receive()
	if err != nil {
		return err
	}
	for _, query := range []string{"", "batchTag=x", "date=2026-03-02", "batchTag=&date=2026-03-02", "batchTag=x&date=yesterday", "batchTag=x&date=2026-02-30",
		"batchTag=" + strings.Repeat("x", federation.MaxTag+1) + "&date=2026-03-02"} {
		if status := c.call(http.MethodGet, query, c.gateway); status != http.StatusBadRequest {
			return fmt.Errorf("the query %.60q is answered %d", query, status)
		}
		if c.hinted() {
			return fmt.Errorf("the query %.60q is a hint", query)
		}
	}
	return nil
}
