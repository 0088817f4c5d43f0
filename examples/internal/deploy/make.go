package deploy

import (
	"fmt"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/cwa"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
)

// Layout returns the tree that is published.
func (c *Config) Layout() (*cwa.Layout, error) {
	return cwa.New(&cwa.Options{
		Path: cwa.Path{
			Version:       c.API.VersionPath,
			VersionName:   c.API.Version,
			DiagnosisKeys: c.API.DiagnosisKeysPath,
			Country:       c.API.CountryPath,
			Date:          c.API.DatePath,
			Hour:          c.API.HourPath,
		},
		Index:      c.API.IndexName,
		HourDigits: c.API.HourDigits,
		Shared:     c.API.SharedIndexes,
		Days:       c.Retention.Days,
		HourDays:   c.Retention.HourDays,
		Hash:       cwa.Hash(c.ObjectStore.Hash),
		Archive: export.WriteOptions{
			Format:         c.Format(),
			AppBundleID:    c.Signature.AppBundleID,
			AndroidPackage: c.Signature.AndroidPackage,
		},
	})
}

// Format returns what archives look like inside.
func (c *Config) Format() export.Format {
	return export.Format{
		BinName:     c.TEKExport.FileName,
		SigName:     c.Signature.FileName,
		Header:      c.TEKExport.FileHeader,
		HeaderWidth: c.TEKExport.FileHeaderWidth,
	}
}

// Packages returns what is published: the origin country, the union, the
// packages of visited regions, and those that say for themselves what they are.
func (c *Config) Packages() ([]distribution.Package, error) {
	m, err := c.publicationMap()
	if err != nil {
		return nil, err
	}
	origin := c.API.OriginCountry
	all := []distribution.Package{{Name: origin.String(), Select: distribution.FromOrigin(origin), Map: m}}
	if c.API.UnionPackage != "" {
		all = append(all, distribution.Package{Name: c.API.UnionPackage, Select: distribution.FromEverywhere(), Map: m})
	}
	for _, region := range c.API.VisitedPackages {
		all = append(all, distribution.Package{Name: region.String(), Select: distribution.OfInterestTo(region), Map: m})
	}
	for _, p := range c.API.Packages {
		all = append(all, distribution.Package{Name: p.Name, Region: p.Region, Select: p.Selector, Map: m, FromBeginning: p.FromBeginning})
	}
	return all, nil
}

func (c *Config) publicationMap() (distribution.PublicationMap, error) {
	switch c.API.PublicationMap {
	case "identity":
		return distribution.Identity(), nil
	case "revocable":
		return distribution.Revocable(distribution.Identity()), nil
	case "cwa":
		if risk := c.API.MinimumRisk; risk < 0 || risk > int(keys.MaxTransmissionRiskLevel) {
			return distribution.PublicationMap{}, fmt.Errorf("api.minimumRisk: %d, want 0 to %d", risk, keys.MaxTransmissionRiskLevel)
		}
		return distribution.CWA(keys.TransmissionRiskLevel(c.API.MinimumRisk)), nil
	}
	return distribution.PublicationMap{}, fmt.Errorf("api.publicationMap: %q, want \"identity\", \"revocable\" or \"cwa\"", c.API.PublicationMap)
}

// Publisher returns how files are written.
func (c *Config) Publisher() distribution.Options {
	budget := c.ObjectStore.MaxFailedOperations
	if budget == 0 {
		budget = -1 // none; 0 stands for the default
	}
	return distribution.Options{
		Parallel:   c.ObjectStore.Threads,
		Tries:      c.ObjectStore.RetryAttempts,
		Pause:      time.Duration(c.ObjectStore.RetryBackoff),
		Budget:     budget,
		MaxAge:     time.Duration(c.ObjectStore.MaxAge),
		PublicRead: c.ObjectStore.PublicReadACL,
	}
}

// Identity returns whose archives they are.
func (c *Config) Identity() signing.Identity {
	return signing.Identity{KeyID: c.Signature.KeyID, KeyVersion: c.Signature.KeyVersion}
}

// Regions returns what archives say of packages whose region is not their name.
func (c *Config) Regions() map[string]string {
	regions := map[string]string{}
	for _, p := range c.API.Packages {
		if p.Region != "" {
			regions[p.Name] = p.Region
		}
	}
	return regions
}
