package deploy

import (
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Config is a deployment. Read it with [Read], which starts from [Default].
type Config struct {
	Paths       Paths       `json:"paths"`
	TEKExport   TEKExport   `json:"tekExport"`
	API         API         `json:"api"`
	Signature   Signature   `json:"signature"`
	ObjectStore ObjectStore `json:"objectStore"`
	Retention   Retention   `json:"retention"`
	Release     Release     `json:"release"`
	Input       Input       `json:"input"`
}

// Paths are files and folders. Those that are not absolute are below the
// directory of the run.
type Paths struct {
	Ledger     string `json:"ledger"`
	Output     string `json:"output"`
	Staging    string `json:"staging"` // every file is written here first; empty for none
	PrivateKey string `json:"privateKey"`
	PublicKey  string `json:"publicKey"` // the key file for the app stores

	// MetadataKey signs the metadata of files in the British layout; its public key
	// is written beside it, with ".pub" at the end of the name.
	MetadataKey string `json:"metadataKey"`
}

// TEKExport is what archives look like inside. Phones take only the defaults.
type TEKExport struct {
	FileName        string `json:"fileName"`
	FileHeader      string `json:"fileHeader"`
	FileHeaderWidth int    `json:"fileHeaderWidth"`
}

// API is what is published under which address.
type API struct {
	// Layouts are how it is published: "cwa", "nhs", "deltaset", each a tree of its
	// own beside the others, on the same cuts.
	Layouts []string `json:"layouts"`

	VersionPath       string `json:"versionPath"`
	Version           string `json:"version"`
	DiagnosisKeysPath string `json:"diagnosisKeysPath"`
	CountryPath       string `json:"countryPath"`
	DatePath          string `json:"datePath"`
	HourPath          string `json:"hourPath"`
	IndexName         string `json:"indexName"`  // what a directory is kept as; empty where names are no paths
	HourDigits        int    `json:"hourDigits"` // 1: hour/5; 2: hour/05

	// SharedIndexes leaves the lists of versions and countries to others, who publish
	// in the same tree.
	SharedIndexes bool `json:"sharedIndexes"`

	OriginCountry   keys.Region   `json:"originCountry"`   // a package of the keys that come from there
	UnionPackage    string        `json:"unionPackage"`    // a package of the keys from everywhere; empty for none
	VisitedPackages []keys.Region `json:"visitedPackages"` // for each, a package of the keys of interest there
	Packages        []Package     `json:"packages"`        // further ones

	// PublicationMap is "identity", "cwa", or "revocable": as "identity", but with keys
	// of a confirmed test as clinically diagnosed, which phones forget if they are
	// withdrawn. The app must be configured for it; see distribution.Revocable.
	PublicationMap string `json:"publicationMap"`
	MinimumRisk    int    `json:"minimumRisk"` // by the map "cwa", keys below are left out

	Invalidate Invalidate `json:"invalidate,omitzero"`
}

// Invalidate names the cache before the bucket that is told what was replaced; none is
// told if it is empty. It needs a program that was built with the tag "cloud".
type Invalidate struct {
	CloudFront string `json:"cloudfront"`       // id of the distribution
	Prefix     string `json:"prefix,omitempty"` // path at which the bucket's objects are served; empty is "/"
}

// Package is a package that says for itself what is in it. Origins, visited
// regions and sources are lists, or "*" for all there are.
type Package struct {
	Name   string `json:"name"`
	Region string `json:"region"` // in the archives; empty for the name
	distribution.Selector
	FromBeginning bool `json:"fromBeginning"`
}

// Signature is whose archives they are.
type Signature struct {
	KeyID          string `json:"keyId"`
	KeyVersion     string `json:"keyVersion"`
	FileName       string `json:"fileName"`
	AppBundleID    string `json:"appBundleId"`
	AndroidPackage string `json:"androidPackage"`

	// NotBefore and NotAfter are when the key of paths.privateKey signs, RFC 3339;
	// nothing for always.
	NotBefore time.Time `json:"notBefore,omitzero"`
	NotAfter  time.Time `json:"notAfter,omitzero"`

	// Further are the keys that sign beside it while one follows the other.
	Further []FurtherKey `json:"further"`
}

// ObjectStore is how files are written.
type ObjectStore struct {
	MaxAge              Duration `json:"maxAge"` // how long caches may keep them
	PublicReadACL       bool     `json:"publicReadAcl"`
	RetryAttempts       int      `json:"retryAttempts"`
	RetryBackoff        Duration `json:"retryBackoff"`
	MaxFailedOperations int      `json:"maxFailedOperations"`
	Threads             int      `json:"threads"`
	Hash                string   `json:"hash"` // "sha256" or "md5", in the metadata "cwa-hash"
}

// Retention is for how many days files are kept.
type Retention struct {
	Days     int `json:"days"`
	HourDays int `json:"hourDays"`
}

// Release is a [ledger.Policy]; see there.
type Release struct {
	Grid                Duration       `json:"grid"`
	FineGrid            bool           `json:"fineGrid"`
	Expiry              Duration       `json:"expiry"` // Policy.Embargo
	ExpiryRule          ledger.DueRule `json:"expiryRule"`
	MinKeys             int            `json:"minKeys"`
	MinUploads          int            `json:"minUploads"`
	LongestWait         Duration       `json:"longestWait"`
	MinWithdrawnUploads int            `json:"minWithdrawnUploads"`
	WithdrawalWait      Duration       `json:"withdrawalWait"`
	MaxCut              int            `json:"maxCut"`
	MaxDay              int            `json:"maxDay"`
	Quota               int            `json:"quota"`
	PruneAge            Duration       `json:"pruneAge"`
	Padding             Padding        `json:"padding"`
}

// Padding is a [ledger.Padding].
type Padding struct {
	Echoes          int  `json:"echoes"`
	AlongsideExport bool `json:"alongsideExport"`
}

// Input is what is taken for granted of keys that do not say it themselves.
type Input struct {
	// ConsentToFederate is "given", "refused", or empty: then an own key that
	// does not state it is rejected. There is no default, because somebody must
	// have asked.
	ConsentToFederate string `json:"consentToFederate"`

	MaxKeysPerUpload int           `json:"maxKeysPerUpload"`
	PartnerSource    ledger.Source `json:"partnerSource"` // who brings archives and federated submissions
	ArchiveOrigin    keys.Region   `json:"archiveOrigin"` // of archives without a region

	// Inbox is the place of a bucket that others put submissions into, as package
	// bucketledger describes it; empty for none. It is only read.
	Inbox         string        `json:"inbox"`
	InboxPrefixes []InboxPrefix `json:"inboxPrefixes"`
}

// InboxPrefix is where the keys of a federation server lie; see
// Prefix in package bucketledger.
type InboxPrefix struct {
	Prefix            string        `json:"prefix"`
	Source            ledger.Source `json:"source"`            // empty for the prefix's first segment
	Origin            keys.Region   `json:"origin"`            // empty where names say it
	ConsentToFederate string        `json:"consentToFederate"` // as Input.ConsentToFederate
	Disabled          bool          `json:"disabled"`
}
