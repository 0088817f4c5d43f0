package deploy

import (
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Default returns the configuration of the seed: the German distribution
// service, into a folder.
func Default() *Config {
	return &Config{
		Paths: Paths{
			Ledger:      "ledger.db",
			Output:      "www",
			PrivateKey:  "keys/private.pem",
			PublicKey:   "keys/public.txt",
			MetadataKey: "keys/metadata.pem",
		},
		TEKExport: TEKExport{FileName: "export.bin", FileHeader: "EK Export v1", FileHeaderWidth: 16},
		API: API{
			Layouts:           []string{CWA},
			VersionPath:       "version",
			Version:           "v1",
			DiagnosisKeysPath: "diagnosis-keys",
			CountryPath:       "country",
			DatePath:          "date",
			HourPath:          "hour",
			IndexName:         "index",
			HourDigits:        1,
			OriginCountry:     keys.MustRegion("DE"),
			UnionPackage:      "EUR",
			VisitedPackages:   []keys.Region{},
			Packages:          []Package{},
			PublicationMap:    "identity",
			MinimumRisk:       3,
		},
		Signature: Signature{KeyID: "262", KeyVersion: "v1", FileName: "export.sig", Further: []FurtherKey{}},
		ObjectStore: ObjectStore{
			MaxAge:              Duration(300 * time.Second),
			PublicReadACL:       true,
			RetryAttempts:       3,
			RetryBackoff:        Duration(2 * time.Second),
			MaxFailedOperations: 5,
			Threads:             4,
			Hash:                "sha256",
		},
		Retention: Retention{Days: 14, HourDays: 14},
		Release:   releaseOf(ledger.DefaultPolicy()),
		Input:     Input{MaxKeysPerUpload: 30, PartnerSource: "partner", InboxPrefixes: []InboxPrefix{}},
	}
}

func releaseOf(p ledger.Policy) Release {
	return Release{
		Grid: Duration(p.Grid), FineGrid: p.FineGrid,
		Expiry: Duration(p.Embargo), ExpiryRule: p.DueRule,
		MinKeys: p.MinKeys, MinUploads: p.MinUploads, LongestWait: Duration(p.LongestWait),
		MinWithdrawnUploads: p.MinWithdrawnUploads, WithdrawalWait: Duration(p.WithdrawalWait),
		MaxCut: p.MaxCut, MaxDay: p.MaxDay, Quota: p.Quota,
		PruneAge: Duration(p.PruneAge), Padding: Padding(p.Padding),
	}
}

// Policy returns the policy of the ledger.
func (r *Release) Policy() *ledger.Policy {
	return &ledger.Policy{
		Grid: time.Duration(r.Grid), FineGrid: r.FineGrid,
		Embargo: time.Duration(r.Expiry), DueRule: r.ExpiryRule,
		MinKeys: r.MinKeys, MinUploads: r.MinUploads, LongestWait: time.Duration(r.LongestWait),
		MinWithdrawnUploads: r.MinWithdrawnUploads, WithdrawalWait: time.Duration(r.WithdrawalWait),
		MaxCut: r.MaxCut, MaxDay: r.MaxDay, Quota: r.Quota,
		PruneAge: time.Duration(r.PruneAge), Padding: ledger.Padding(r.Padding),
	}
}
