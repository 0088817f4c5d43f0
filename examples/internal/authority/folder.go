package authority

import (
	"crypto/ecdsa"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gaenkit/gaen/examples/internal/wholefile"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/cms"
)

// A Folder has certificates in files, each with its key beside it:
//
//	authority.pem               has issued the others but the anchor
//	anchor.pem                  the trust anchor, by which the list is signed
//	gateway.pem                 of the gateway, as a server and when it calls back
//	de/authentication.pem       of a country: as the client of the gateway
//	de/signing.pem                  to sign its uploads
//	de/callback.pem                 as the server that is called back
//	certificates.json           the list of the certificates of all countries
//
// The key of x.pem is x-key.pem.
type Folder struct {
	Path string
	Made []string // the certificates that were made, by their paths

	authority, anchor *Pair
}

// ListName is the name of the list in a [Folder].
const ListName = "certificates.json"

// uses are the certificates of a country.
var uses = []cms.Use{cms.UseAuthentication, cms.UseSigning, cms.UseCallback}

// Make makes what is not there yet: certificates of these countries, and those of
// a gateway that is reached by these hosts. What is there stays as it is.
func (f *Folder) Make(countries []string, hosts []string) error {
	for _, country := range countries {
		if err := checkCountry(country); err != nil {
			return err
		}
	}
	var err error
	if f.authority, err = f.pair("authority", func() (*Pair, error) { return Root("authority") }); err != nil {
		return err
	}
	if f.anchor, err = f.pair("anchor", func() (*Pair, error) { return Root("trust anchor") }); err != nil {
		return err
	}
	if _, err := f.pair("gateway", func() (*Pair, error) { return f.authority.Issue("gateway", "EU", hosts) }); err != nil {
		return err
	}
	for _, country := range countries {
		for _, use := range uses {
			issue := func() (*Pair, error) { return f.authority.Issue(string(use), country, hosts) }
			if _, err := f.pair(nameOf(country, use), issue); err != nil {
				return err
			}
		}
	}
	return f.list()
}

func checkCountry(country string) error {
	if region, err := keys.ParseRegion(country); err != nil || len(country) != 2 || region.String() != country {
		return fmt.Errorf("%q is no country of two upper-case letters", country)
	}
	return nil
}

func nameOf(country string, use cms.Use) string {
	return strings.ToLower(country) + "/" + string(use)
}

// pair returns the pair of a name, which is made if it is not there.
func (f *Folder) pair(name string, issue func() (*Pair, error)) (*Pair, error) {
	path := filepath.Join(f.Path, filepath.FromSlash(name))
	p, err := load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	if p, err = issue(); err != nil {
		return nil, err
	}
	key, err := p.KeyPEM()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := write(path, key, p.PEM()); err != nil {
		return nil, err
	}
	f.Made = append(f.Made, path+".pem")
	return p, nil
}

// write writes a pair: the key first, so that a certificate that is there has its key.
func write(path, key, certificate string) error {
	secret, err := wholefile.Write(path+"-key.pem", []byte(key), 0o600)
	if err != nil {
		return err
	}
	defer secret.Discard()
	shown, err := wholefile.Write(path+".pem", []byte(certificate), 0o644)
	if err != nil {
		return err
	}
	defer shown.Discard()
	if err := secret.Replace(); err != nil {
		return err
	}
	return shown.Replace()
}

// load reads a pair that was made here.
func load(path string) (*Pair, error) {
	if _, err := os.Stat(path + ".pem"); err != nil {
		return nil, err
	}
	both, err := tls.LoadX509KeyPair(path+".pem", path+"-key.pem")
	if err != nil {
		return nil, fmt.Errorf("%s.pem and its key: %v", path, err) // not that it does not exist
	}
	key, ok := both.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s-key.pem: not a key on P-256", path)
	}
	return &Pair{both.Leaf, key}, nil
}

// list writes the list of all countries that there are.
func (f *Folder) list() error {
	found, err := filepath.Glob(filepath.Join(f.Path, "??"))
	if err != nil {
		return err
	}
	slices.Sort(found)
	var entries []cms.Entry
	for _, dir := range found {
		country := strings.ToUpper(filepath.Base(dir))
		for _, use := range uses {
			p, err := load(filepath.Join(f.Path, filepath.FromSlash(nameOf(country, use))))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			e := cms.Entry{Use: use, Country: country, Certificate: p.PEM()}
			if e.AnchorSignature, err = f.anchor.Confirm(e.Certificate); err != nil {
				return err
			}
			entries = append(entries, e)
		}
	}
	text, err := cms.MarshalList(entries)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(f.Path, ListName), text, 0o644)
}
