package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"io/fs"
	"os"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/efgs"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/cms"
)

// europeans are the nations of the European protocol and their certificates, as
// they are in the ledger now. It is both of what [efgs.Server] needs for it.
type europeans struct {
	registry *registry
	anchor   *watched[*x509.Certificate] // which has to have signed every certificate
	failed   func(error)
}

var (
	_ efgs.Nations     = (*europeans)(nil)
	_ cms.Certificates = (*europeans)(nil)
)

func newEuropeans(g *registry, anchor string, failed func(error)) (*europeans, error) {
	e := &europeans{registry: g, failed: failed}
	var err error
	e.anchor, err = watch([]string{anchor}, func() (*x509.Certificate, error) { return readCertificate(anchor) }, failed)
	return e, err
}

func readCertificate(path string) (*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	cert, err := cms.ParseCertificate(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return cert, nil
}

// all returns the nations. A request asks the ledger once.
func (e *europeans) all(ctx context.Context) (all []*nation, err error) {
	v, visited := ctx.Value(visitKey{}).(*visit)
	if visited && v.europeans != nil {
		return v.europeans, nil
	}
	found, err := e.registry.all(ctx)
	for _, n := range found {
		if n.european() {
			all = append(all, n)
		}
	}
	if visited && err == nil {
		v.europeans = all
	}
	return all, err
}

// Nation implements [efgs.Nations].
func (e *europeans) Nation(ctx context.Context, country keys.Region) (*federation.Nation, error) {
	all, err := e.all(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range all {
		if n.Region == country {
			return n.federated(), nil
		}
	}
	return nil, efgs.ErrUnknownNation
}

// Find implements [cms.Certificates]. A certificate that the trust anchor, as it is
// now, has not signed is as good as none.
func (e *europeans) Find(ctx context.Context, t cms.Thumbprint, use cms.Use) (cms.Entry, error) {
	all, err := e.all(ctx)
	if err != nil {
		return cms.Entry{}, err
	}
	for _, n := range all {
		for _, c := range n.Certificates {
			if c.Thumbprint != t || c.Use != use {
				continue
			}
			if err := cms.VerifyAnchor(e.anchor.get(), c.Certificate, c.AnchorSignature); err != nil {
				e.failed(fmt.Errorf("nation %s: certificate %s: %w", n.ID, t, err))
				break
			}
			return c, nil
		}
	}
	return cms.Entry{}, fmt.Errorf("certificate %s for %s: %w", t, use, fs.ErrNotExist)
}
