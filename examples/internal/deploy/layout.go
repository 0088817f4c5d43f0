package deploy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/deltaset"
	"github.com/gaenkit/gaen/distribution/nhs"
	"github.com/gaenkit/gaen/signing"
)

// The layouts that programs know by name.
const (
	CWA      = "cwa"      // the German back end's
	NHS      = "nhs"      // the British back end's
	Deltaset = "deltaset" // exposures and retractions, as text
)

var layouts = []string{CWA, NHS, Deltaset}

// CheckLayouts returns an error unless each of these names is one of a layout, and
// there once.
func CheckLayouts(names []string) error {
	if len(names) == 0 {
		return fmt.Errorf("missing: want one or more of %s", strings.Join(layouts, ", "))
	}
	for i, name := range names {
		if !slices.Contains(layouts, name) {
			return fmt.Errorf("%q, want %s", name, strings.Join(layouts, ", "))
		}
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("%q is there twice", name)
		}
	}
	return nil
}

// HasLayout reports whether a layout is published.
func (c *Config) HasLayout(name string) bool { return slices.Contains(c.API.Layouts, name) }

// LayoutNamed returns the layout of that name. The signer of metadata is the
// British layout's; without one its files can only be read, and with keys their
// metadata are verified.
func (c *Config) LayoutNamed(name string, metadata *signing.Signer, keys ...signing.PublicKey) (distribution.Layout, error) {
	switch name {
	case CWA:
		return c.Layout()
	case NHS:
		return nhs.New(c.API.OriginCountry.String(), metadata, &nhs.Options{
			Days:     c.Retention.Days,
			BundleID: c.Signature.AppBundleID,
			Trusted:  keys,
		})
	}
	return deltaset.New(&deltaset.Options{Days: c.Retention.Days, Retain: c.Retention.Days})
}

// PackagesOf returns what is published in the layout of that name. The British one
// has files of one package, which holds the keys from everywhere.
func (c *Config) PackagesOf(layout string) ([]distribution.Package, error) {
	if layout == NHS {
		return []distribution.Package{{
			Name: c.API.OriginCountry.String(), Select: distribution.FromEverywhere(), Map: distribution.NHS(),
		}}, nil
	}
	return c.Packages()
}

// MetadataIdentity returns by what name metadata are signed.
func (c *Config) MetadataIdentity() signing.Identity {
	return signing.Identity{KeyID: "metadata", KeyVersion: c.Signature.KeyVersion}
}
