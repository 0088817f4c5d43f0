package nhs

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
)

// Options of a [Layout]. The zero value is what the British back end publishes.
type Options struct {
	// Prefix is what all names begin with, without slashes at its ends; empty is
	// "distribution".
	Prefix string

	// Days is for how many days files are kept; 0 is 14.
	Days int

	// Offset moves all windows; nil is -15 minutes, less than two hours either way.
	Offset *time.Duration

	// BundleID is the app's name, for Android as for iOS, in the signature infos
	// of archives. Phones pass it over; the first apps did not.
	BundleID string

	// KeyID is how the metadata Signature names the key; empty is the id of the
	// signer's identity.
	KeyID string

	// GMT has Signature-Date end in GMT, as HTTP's dates do. The British back end
	// wrote UTC.
	GMT bool

	// Trusted are keys by which the metadata of objects may be signed, beside the
	// signer's own: those of former signers, and for who only reads.
	Trusted []signing.PublicKey

	// Level is how hard archives are compressed, as in [export.WriteOptions].
	Level int
}

// Layout is the files that the NHS COVID-19 app reads.
type Layout struct {
	pkg     string
	signer  *signing.Signer // of metadata; nil for who only reads
	opts    Options
	offset  time.Duration
	archive export.WriteOptions
}

var (
	_ distribution.Layout           = (*Layout)(nil)
	_ distribution.AttributeChecker = (*Layout)(nil)
)

const (
	daily     = "daily"
	twoHourly = "two-hourly"
)

// DefaultOffset is by how much the British back end moves windows.
const DefaultOffset = -15 * time.Minute

// New returns the layout of one package, such as GB-EAW. The signer signs the
// metadata of objects, and may have any P-256 key; the archives' key is another.
// It may be nil where files are only read. The error names the field that makes no
// sense.
func New(pkg string, signer *signing.Signer, opts *Options) (*Layout, error) {
	l := &Layout{pkg: pkg, signer: signer, offset: DefaultOffset}
	if opts != nil {
		l.opts = *opts
	}
	o := &l.opts
	if o.Prefix == "" {
		o.Prefix = "distribution"
	}
	if o.Days == 0 {
		o.Days = 14
	}
	if o.Offset != nil {
		l.offset = *o.Offset
	}
	if o.KeyID == "" && signer != nil {
		o.KeyID = signer.Identity().KeyID
	}
	l.archive = export.WriteOptions{AppBundleID: o.BundleID, AndroidPackage: o.BundleID, NoRegion: true, Level: o.Level}
	return l, l.check()
}

var (
	segment = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*$`)
	keyID   = regexp.MustCompile(`^[!#-\[\]-~]{0,100}$`) // what needs no escape between quotes
)

func (l *Layout) check() error {
	if r, err := keys.ParseRegion(l.pkg); err != nil {
		return fmt.Errorf("nhs: package %q: %w", l.pkg, err)
	} else if r.String() != l.pkg {
		return fmt.Errorf("nhs: package %q: want upper case", l.pkg)
	}
	for s := range strings.SplitSeq(l.opts.Prefix, "/") {
		if !segment.MatchString(s) {
			return fmt.Errorf("nhs: Options.Prefix: %q is no path", l.opts.Prefix)
		}
	}
	switch {
	case l.opts.Days < 1:
		return fmt.Errorf("nhs: Options.Days: %d, want at least 1", l.opts.Days)
	case l.offset <= -2*time.Hour || l.offset >= 2*time.Hour || l.offset%time.Second != 0:
		return errors.New("nhs: Options.Offset: want whole seconds, less than two hours either way")
	case !keyID.MatchString(l.opts.KeyID):
		return fmt.Errorf("nhs: Options.KeyID: %q: want at most 100 printable characters without spaces, quotes and backslashes", l.opts.KeyID)
	}
	for _, k := range l.opts.Trusted {
		if err := k.Check(); err != nil {
			return fmt.Errorf("nhs: Options.Trusted: %w", err)
		}
	}
	return nil
}

// Name returns "nhs".
func (l *Layout) Name() string { return "nhs" }

// Spans returns two hours and days. A day stays two hours longer, until the next
// has a file: so there are 14 of them and the one in progress.
func (l *Layout) Spans() []distribution.Span {
	kept := time.Duration(l.opts.Days) * 24 * time.Hour
	return []distribution.Span{
		{Name: twoHourly, Length: 2 * time.Hour, Retain: kept, Each: true},
		{Name: daily, Length: 24 * time.Hour, Retain: kept + 2*time.Hour, Each: true, Open: true},
	}
}

// Offset returns by how much windows are moved.
func (l *Layout) Offset() time.Duration { return l.offset }

// Archive says that archives have no region, and the app's name.
func (l *Layout) Archive() *export.WriteOptions { return &l.archive }

// Indexes returns none.
func (l *Layout) Indexes([]string, []distribution.File) []distribution.Index { return nil }

// Follow returns [distribution.ErrNoIndexes].
func (l *Layout) Follow(func(string) ([]byte, error)) ([]distribution.File, []string, error) {
	return nil, nil, distribution.ErrNoIndexes
}

// IndexOptions returns nothing, as there are no indexes.
func (l *Layout) IndexOptions(distribution.Index) storage.PutOptions { return storage.PutOptions{} }
