package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/jws"
)

const (
	// DefaultTimeout bounds one request of a [Client] with its answer, where its
	// options do not say otherwise. The interoperability service takes 9 s for
	// 100,000 keys.
	DefaultTimeout = 2 * time.Minute

	// DefaultMaxPage is the size of the largest page that a [Client] reads, in
	// bytes after decompression: some 300,000 keys. Servers of the field make pages
	// of 1,000.
	DefaultMaxPage = 64 << 20

	// DefaultMaxKeys is how many exposures a page or an upload may have, good or
	// bad. Without it 64 MiB could hold 20 million bad ones.
	DefaultMaxKeys = 500_000

	// maxAnswer is the size of the largest answer that is read of what is not a
	// page.
	maxAnswer = 1 << 20

	defaultUserAgent = "gaen"

	opDownload = "download"
	opUpload   = "upload"
)

// ClientOptions are options of [NewClient]. Nil is a client that only downloads.
type ClientOptions struct {
	// Signer signs what is uploaded. Without one nothing can be.
	Signer *jws.Signer

	// Region is what the server takes for the origin of whatever is uploaded with
	// this token: it follows from the token, and uploads do not name it.
	Region keys.Region

	// Extended is for a server of this package whose operator has marked this
	// client as one that knows the extended form: origins travel with the keys, and
	// what is not known of a key is left out.
	Extended bool

	// IgnoreRegions has keys come without the regions that their owners visited.
	IgnoreRegions bool

	// PlainHTTP allows a base URL without TLS. Everybody on the way can read the
	// token and the keys then.
	PlainHTTP bool

	HTTPClient *http.Client  // nil is http.DefaultClient. Redirects are not followed, whatever it says
	UserAgent  string        // "" is "gaen"
	Timeout    time.Duration // of a request with its answer; 0 is [DefaultTimeout]
	MaxPage    int64         // bytes; 0 is [DefaultMaxPage]
	MaxKeys    int           // of a page; 0 is [DefaultMaxKeys]
}

// A Client speaks to one server with the token of one nation. It may be used from
// several goroutines at once.
type Client struct {
	base  string // without a slash at its end
	http  *http.Client
	token Token
	opts  ClientOptions
}

var (
	_ federation.Downloader = (*Client)(nil)
	_ federation.Uploader   = (*Client)(nil)
)

// NewClient returns the client of the server with this base URL: whatever stands
// before "/upload" and "/download". For those behind a gateway as the British one
// it ends in "/diagnosiskeys". The error names the argument or the field.
func NewClient(base string, token Token, opts *ClientOptions) (*Client, error) {
	c := &Client{token: token}
	if opts != nil {
		c.opts = *opts
	}
	if err := c.opts.complete(); err != nil {
		return nil, fmt.Errorf("interop: %w", err)
	}
	if token == nil {
		return nil, errors.New("interop: token is nil")
	}
	var err error
	if c.base, err = parseBase(base, c.opts.PlainHTTP); err != nil {
		return nil, fmt.Errorf("interop: base URL: %w", err)
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
	switch {
	case o.Signer == nil && !o.Region.IsZero():
		return errors.New("ClientOptions.Signer is nil, and ClientOptions.Region set: nothing is uploaded without a signer")
	case o.Signer != nil && o.Region.IsZero() && !o.Extended:
		return errors.New("ClientOptions.Region is zero: a server takes it from the token, and keys of others would become keys of it")
	case strings.ContainsFunc(o.UserAgent, func(c rune) bool { return c < ' ' || c > '~' }):
		return errors.New("ClientOptions.UserAgent: not printable ASCII")
	case o.Timeout < 0:
		return fmt.Errorf("ClientOptions.Timeout: %s is negative", o.Timeout)
	case o.MaxPage < 0:
		return fmt.Errorf("ClientOptions.MaxPage: %d is negative", o.MaxPage)
	case o.MaxKeys < 0:
		return fmt.Errorf("ClientOptions.MaxKeys: %d is negative", o.MaxKeys)
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
		return "", errors.New("a user in it; the token is what the server goes by")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", errors.New("a query or fragment in it")
	case u.Scheme != "https" && u.Scheme != "http":
		return "", errors.New("neither https nor http")
	case u.Scheme == "http" && !plain && !isLoopback(u.Hostname()):
		return "", errors.New("http sends the token in the clear; ClientOptions.PlainHTTP if that is meant")
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Origins returns the region that the server derives from the token, or all where
// they travel with the keys.
func (c *Client) Origins() keys.Set[keys.Region] {
	switch {
	case c.opts.Signer == nil:
		return keys.Only[keys.Region]()
	case c.opts.Extended:
		return keys.All[keys.Region]()
	}
	return keys.Only(c.opts.Region)
}

// String returns the base URL; the token is not for printing.
func (c *Client) String() string { return c.base }

// An answer is what a server said.
type answer struct {
	status int
	header http.Header
	body   []byte // as much as was to be read
}

// do sends a request and reads the answer up to a limit.
func (c *Client) do(ctx context.Context, op, method, path string, body []byte, limit int64) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	bearer, err := c.token.header(ctx)
	if err != nil {
		return nil, unavailable(op, 0, "%w", err)
	}
	var content io.Reader // not a *bytes.Reader that is nil
	if body != nil {
		content = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return nil, unavailable(op, 0, "no request can be made of it")
	}
	req.Header.Set("Authorization", bearer)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.opts.UserAgent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, unavailable(op, 0, "%w", safe(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		limit = min(limit, maxAnswer)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, unavailable(op, resp.StatusCode, "reading the answer: %w", safe(err))
	}
	if int64(len(text)) > limit {
		return nil, unavailable(op, resp.StatusCode, "an answer of more than %d bytes", limit)
	}
	return &answer{resp.StatusCode, resp.Header, text}, nil
}
