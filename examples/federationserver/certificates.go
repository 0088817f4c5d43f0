package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/signing/cms"
)

// listedIn returns the certificates that a file lists, all of them signed by the
// trust anchor, if its file is named.
func listedIn(path, anchor string) ([]cms.Entry, error) {
	var trusted *x509.Certificate
	if anchor != "" {
		var err error
		if trusted, err = readCertificate(anchor); err != nil {
			return nil, fmt.Errorf("-anchor: %w", err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, cms.MaxListText+1))
	if err != nil {
		return nil, err
	}
	entries, err := cms.ParseList(text, trusted)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return entries, nil
}

// addCertificates adds those of its country that a list has, in the place of those
// that it has already. One that was revoked here stays so, also if whoever makes the
// list has not heard of it: it is forgotten first, by whoever wants it back.
func (n *nation) addCertificates(entries []cms.Entry) error {
	added := false
	for _, e := range entries {
		if e.Country != n.Region.String() {
			continue
		}
		if e.Certificate == "" {
			return fmt.Errorf("certificate %s: only its thumbprint is listed", e.Thumbprint)
		}
		cert, err := cms.ParseCertificate(e.Certificate)
		if err != nil {
			return err
		}
		e.Thumbprint, added = cms.ThumbprintOf(cert), true
		e.Revoked = e.Revoked || n.revoked(e.Thumbprint)
		n.Certificates = slices.DeleteFunc(n.Certificates, func(had cms.Entry) bool { return had.Thumbprint == e.Thumbprint && had.Use == e.Use })
		n.Certificates = append(n.Certificates, e)
	}
	if !added {
		return fmt.Errorf("no certificate of %s in the list", n.Region)
	}
	return nil
}

// revoked reports whether a certificate is refused, whatever it is for.
func (n *nation) revoked(t cms.Thumbprint) bool {
	return slices.ContainsFunc(n.Certificates, func(had cms.Entry) bool { return had.Thumbprint == t && had.Revoked })
}

// revokeCertificate refuses a certificate, whatever it was for.
func (n *nation) revokeCertificate(t cms.Thumbprint) error {
	found := false
	for i := range n.Certificates {
		if n.Certificates[i].Thumbprint == t {
			n.Certificates[i].Revoked, found = true, true
		}
	}
	if !found {
		return fmt.Errorf("it has no certificate %s", t)
	}
	return nil
}

// removeCertificate forgets a certificate, which is refused then like any other.
func (n *nation) removeCertificate(t cms.Thumbprint) error {
	rest := slices.DeleteFunc(slices.Clone(n.Certificates), func(e cms.Entry) bool { return e.Thumbprint == t })
	if len(rest) == len(n.Certificates) {
		return fmt.Errorf("it has no certificate %s", t)
	}
	n.Certificates = rest
	return nil
}

func (n *nation) printCertificates(w io.Writer) {
	for _, e := range n.Certificates {
		state := "cannot be read"
		if cert, err := cms.ParseCertificate(e.Certificate); err == nil {
			state = "good until " + deploy.Shown(cert.NotAfter)
		}
		if e.Revoked {
			state = "revoked"
		}
		fmt.Fprintf(w, "  certificate %s for %s, %s\n", e.Thumbprint, e.Use, state)
	}
}

var errNotEuropean = errors.New("it has keys and tokens; certificates are for -protocol efgs")

func nationCertificate(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, place := newFlags("nation certificate", stderr)
	add := f.String("add", "", "`file` of a list (JSON), of which those of its country are added")
	anchor := f.String("anchor", "", "`file` of the trust anchor, which has to have signed them")
	revoke := f.String("revoke", "", "`SHA-256` of the certificate to refuse, as nation list prints it")
	remove := f.String("remove", "", "`SHA-256` of the certificate to forget")
	id, err := parseID(f, args)
	if err != nil {
		return err
	}
	change, err := certificateChange(*add, *anchor, *revoke, *remove)
	if err != nil {
		return err
	}
	return withRegistry(ctx, *place, func(g *registry) error {
		err := g.change(ctx, id, present(func(n *nation) error {
			if !n.european() {
				return errNotEuropean
			}
			return change(n)
		}))
		return say(stdout, err, "nation %s changed", id)
	})
}

// certificateChange returns what one of three flags asks for.
func certificateChange(add, anchor, revoke, remove string) (func(*nation) error, error) {
	given := 0
	for _, flag := range []string{add, revoke, remove} {
		if flag != "" {
			given++
		}
	}
	if given != 1 {
		return nil, usage("nation certificate: want one of -add, -revoke and -remove")
	}
	if add != "" {
		entries, err := listedIn(add, anchor)
		return func(n *nation) error { return n.addCertificates(entries) }, err
	}
	t, err := cms.ParseThumbprint(revoke + remove)
	if err != nil {
		return nil, usage("nation certificate: %w", err)
	}
	if revoke != "" {
		return func(n *nation) error { return n.revokeCertificate(t) }, nil
	}
	return func(n *nation) error { return n.removeCertificate(t) }, nil
}
