package efgs

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/remote"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/cms"
)

const (
	// DefaultTimeout bounds one request of a [Client] with its answer, where its
	// options do not say otherwise. The gateway was seen to need minutes for an
	// upload while it makes batches (EFGS 97, CWA 1874).
	DefaultTimeout = 5 * time.Minute

	// DefaultMaxPage is the size of the largest batch that a [Client] reads, in
	// bytes after decompression: 5,000 keys are some 300 kB of protobuf and 1 MB of
	// JSON.
	DefaultMaxPage = 16 << 20

	// DefaultMaxKeys is how many keys a downloaded batch may have, good or bad.
	DefaultMaxKeys = 50_000

	opDownload = "download"
	opUpload   = "upload"
	opAudit    = "audit"
	opCallback = "callback"
)

// ClientOptions are options of [NewClient]. Nil is a client that only downloads.
type ClientOptions struct {
	// Signer signs what is uploaded. Without one nothing can be.
	Signer Signer

	// Audit has every batch held against the signatures of its uploads. Nil takes
	// what the gateway hands out for what its nations sent.
	Audit *Audit

	// Format is the format of uploads, and the one that downloads are asked for in.
	Format Format

	// Header is sent with every request. Where no load balancer stands before the
	// gateway, as in tests, it can say who the caller is: X-SSL-Client-SHA256,
	// X-SSL-Client-DN.
	Header http.Header

	// PlainHTTP allows a base URL without TLS, as to a proxy that adds it. Everybody
	// on the way can read the keys then.
	PlainHTTP bool

	// HTTPClient is what requests are made with; its transport has the client
	// certificate ([Certificate.ClientTLS]). Nil is http.DefaultClient, which has none.
	// Redirects are not followed, whatever it says.
	HTTPClient *http.Client

	UserAgent string           // "" is "gaen"
	Timeout   time.Duration    // of a request with its answer; 0 is [DefaultTimeout]
	MaxPage   int64            // bytes; 0 is [DefaultMaxPage]
	MaxKeys   int              // of a batch; 0 is [DefaultMaxKeys]
	Clock     func() time.Time // by which batches are signed and certificates judged; nil is time.Now
}

// A Client speaks to one gateway as one country. It may be used from several
// goroutines at once.
type Client struct {
	server  *remote.Server
	country keys.Region
	opts    ClientOptions

	mu      sync.Mutex
	ahead   step // what is known to follow the batch that was downloaded last
	doubted doubt
}

var (
	_ federation.Downloader = (*Client)(nil)
	_ federation.Uploader   = (*Client)(nil)
)

// NewClient returns the client of the gateway with this base URL, whatever stands
// before "/diagnosiskeys", for a country: the C of its certificates. The error
// names the argument or the field.
func NewClient(base string, country keys.Region, opts *ClientOptions) (*Client, error) {
	c := &Client{country: country}
	if opts != nil {
		c.opts = *opts
	}
	if country.IsZero() {
		return nil, errors.New("efgs: country is zero")
	}
	for _, err := range []error{c.opts.complete(), checkSigner(c.opts.Signer, country)} {
		if err != nil {
			return nil, fmt.Errorf("efgs: %w", err)
		}
	}
	server, err := remote.New(protocol, base, &remote.Options{
		HTTPClient: c.opts.HTTPClient, UserAgent: c.opts.UserAgent, Timeout: c.opts.Timeout, PlainHTTP: c.opts.PlainHTTP,
		Credentials: c.credentials,
	})
	if err != nil {
		return nil, fmt.Errorf("efgs: %w", err)
	}
	c.server = server
	return c, nil
}

// credentials puts into a header what a load balancer would, where none is.
func (c *Client) credentials(_ context.Context, header http.Header) error {
	maps.Copy(header, c.opts.Header)
	return nil
}

func (o *ClientOptions) complete() error {
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	o.MaxPage = cmp.Or(o.MaxPage, DefaultMaxPage)
	o.MaxKeys = cmp.Or(o.MaxKeys, DefaultMaxKeys)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	o.Header = o.Header.Clone()
	switch {
	case o.Format > JSON:
		return fmt.Errorf("ClientOptions.Format: %s", o.Format)
	case o.MaxPage < 0:
		return fmt.Errorf("ClientOptions.MaxPage: %d is negative", o.MaxPage)
	case o.MaxKeys < 0:
		return fmt.Errorf("ClientOptions.MaxKeys: %d is negative", o.MaxKeys)
	}
	if o.Audit == nil {
		return nil
	}
	audit := *o.Audit
	o.Audit = &audit
	return audit.complete()
}

// checkSigner returns an error if a signer says that it is another country's: the
// gateway would refuse each key by itself.
func checkSigner(s Signer, country keys.Region) error {
	named, ok := s.(interface{ Certificate() *x509.Certificate })
	if !ok {
		return nil
	}
	code, err := cms.CountryOf(named.Certificate())
	if err == nil && code != country.String() {
		err = fmt.Errorf("its certificate is of %s, not of %s", code, country)
	}
	if err != nil {
		return fmt.Errorf("ClientOptions.Signer: %w", err)
	}
	return nil
}

// Origins returns the country: the gateway takes keys of no other origin from it.
func (c *Client) Origins() keys.Set[keys.Region] {
	if c.opts.Signer == nil {
		return keys.Only[keys.Region]()
	}
	return keys.Only(c.country)
}

// PullOptions returns the options of a [federation.Pull] that suit a gateway. Its
// batches are whole when they are given out, it says so if it does not know a tag,
// it keeps batches for the day and the two before it, and it has no keys of the
// caller's own for it.
func (c *Client) PullOptions() *federation.PullOptions {
	return &federation.PullOptions{
		Settle: -1, Silence: -1, History: retention, Retention: retention,
		Reject: federation.Reject{Origins: keys.Only(c.country)},
	}
}

// retention is for how long a batch can be had at least: the gateway's "older than
// two days" is counted in days of UTC.
const retention = 2 * 24 * time.Hour

// String returns the base URL.
func (c *Client) String() string { return c.server.String() }

// do asks the gateway, whose paths all begin alike.
func (c *Client) do(ctx context.Context, r *remote.Request) (*remote.Answer, error) {
	r.Path = "/diagnosiskeys" + r.Path
	return c.server.Ask(ctx, r)
}

// accepting is the header that asks for answers in a format.
func accepting(f Format) map[string]string { return map[string]string{"Accept": f.MediaType()} }
