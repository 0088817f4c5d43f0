package efgs

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gaenkit/gaen/federation"
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

	// maxAnswer is the size of the largest answer that is read of what is neither a
	// batch nor an audit.
	maxAnswer = 1 << 20

	defaultUserAgent = "gaen"

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
	base    string // without a slash at its end
	country keys.Region
	http    *http.Client
	opts    ClientOptions

	mu    sync.Mutex
	ahead step // what is known to follow the batch that was downloaded last
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
	var err error
	if c.base, err = parseBase(base, c.opts.PlainHTTP); err != nil {
		return nil, fmt.Errorf("efgs: base URL: %w", err)
	}
	own := http.Client{}
	if c.opts.HTTPClient != nil {
		own = *c.opts.HTTPClient
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http = &own
	return c, nil
}

func (o *ClientOptions) complete() error {
	setDefault(&o.UserAgent, defaultUserAgent)
	setDefault(&o.Timeout, DefaultTimeout)
	setDefault(&o.MaxPage, DefaultMaxPage)
	setDefault(&o.MaxKeys, DefaultMaxKeys)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	o.Header = o.Header.Clone()
	switch {
	case o.Format > JSON:
		return fmt.Errorf("ClientOptions.Format: %s", o.Format)
	case strings.ContainsFunc(o.UserAgent, func(c rune) bool { return c < ' ' || c > '~' }):
		return errors.New("ClientOptions.UserAgent: not printable ASCII")
	case o.Timeout < 0:
		return fmt.Errorf("ClientOptions.Timeout: %s is negative", o.Timeout)
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
	return audit.check()
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

func setDefault[T comparable](field *T, def T) {
	var zero T
	if *field == zero {
		*field = def
	}
}

// parseBase returns a base URL without the slash at its end. Errors do not quote
// it: it may hold a password.
func parseBase(base string, plain bool) (string, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return "", errors.New("not a URL")
	case u.Host == "" || u.Opaque != "":
		return "", errors.New("no host")
	case u.User != nil:
		return "", errors.New("a user in it; the certificate is what the gateway goes by")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", errors.New("a query or fragment in it")
	case u.Scheme != "https" && u.Scheme != "http":
		return "", errors.New("neither https nor http")
	case u.Scheme == "http" && !plain && !isLoopback(u.Hostname()):
		return "", errors.New("http shows the keys to everybody on the way; ClientOptions.PlainHTTP if that is meant")
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
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
func (c *Client) String() string { return c.base }

// A request is what is asked of a gateway.
type request struct {
	op     string
	method string
	path   string // after "/diagnosiskeys"
	accept string
	header map[string]string
	body   []byte
	limit  int64 // of the answer, if it is 200
}

// An answer is what a gateway said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request and reads the answer.
func (c *Client) do(ctx context.Context, r *request) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	var content io.Reader // not a *bytes.Reader that is nil
	if r.body != nil {
		content = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.base+"/diagnosiskeys"+r.path, content)
	if err != nil {
		return nil, unavailable(r.op, 0, "no request can be made of it")
	}
	maps.Copy(req.Header, c.opts.Header)
	req.Header.Set("User-Agent", c.opts.UserAgent)
	req.Header.Set("Accept", r.accept)
	for _, name := range slices.Sorted(maps.Keys(r.header)) {
		req.Header.Set(name, r.header[name])
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, unavailable(r.op, 0, "%w", safe(err))
	}
	defer resp.Body.Close()
	limit := r.limit
	if resp.StatusCode != http.StatusOK || limit == 0 {
		limit = maxAnswer
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, unavailable(r.op, resp.StatusCode, "reading the answer: %w", safe(err))
	}
	if int64(len(text)) > limit {
		return nil, unavailable(r.op, resp.StatusCode, "an answer of more than %d bytes", limit)
	}
	return &answer{resp.StatusCode, resp.Header, text}, nil
}
