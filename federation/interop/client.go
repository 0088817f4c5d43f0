package interop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/remote"
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

	mediaType = "application/json"

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
	server *remote.Server
	token  Token
	opts   ClientOptions
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
	server, err := remote.New(protocol, base, &remote.Options{
		HTTPClient: c.opts.HTTPClient, UserAgent: c.opts.UserAgent, Timeout: c.opts.Timeout, PlainHTTP: c.opts.PlainHTTP,
		Credentials: c.credentials,
	})
	if err != nil {
		return nil, fmt.Errorf("interop: %w", err)
	}
	c.server = server
	return c, nil
}

// credentials puts the token into a header.
func (c *Client) credentials(ctx context.Context, header http.Header) error {
	bearer, err := c.token.header(ctx)
	if err != nil {
		return err
	}
	header.Set("Authorization", bearer)
	return nil
}

func (o *ClientOptions) complete() error {
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	o.MaxPage = cmp.Or(o.MaxPage, DefaultMaxPage)
	o.MaxKeys = cmp.Or(o.MaxKeys, DefaultMaxKeys)
	switch {
	case o.Signer == nil && !o.Region.IsZero():
		return errors.New("ClientOptions.Signer is nil, and ClientOptions.Region set: nothing is uploaded without a signer")
	case o.Signer != nil && o.Region.IsZero() && !o.Extended:
		return errors.New("ClientOptions.Region is zero: a server takes it from the token, and keys of others would become keys of it")
	case o.MaxPage < 0:
		return fmt.Errorf("ClientOptions.MaxPage: %d is negative", o.MaxPage)
	case o.MaxKeys < 0:
		return fmt.Errorf("ClientOptions.MaxKeys: %d is negative", o.MaxKeys)
	}
	return nil
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
func (c *Client) String() string { return c.server.String() }
