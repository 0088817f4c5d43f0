package awscdn

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/gaenkit/gaen/distribution"
)

// MaxPaths is how many paths CloudFront takes at a time.
const MaxPaths = 3000

// Options of a [Cache]. Nil means no options.
type Options struct {
	// Prefix is the path at which the bucket's objects are served, such as
	// "/keys/"; empty is "/".
	Prefix string

	// Paths are asked for instead of the paths of what was replaced, whatever that
	// was. An asterisk at the end stands for anything: "/distribution/daily/*".
	Paths []string
}

// Cache is a distribution of CloudFront. It is safe for concurrent use.
type Cache struct {
	client       *cloudfront.Client
	distribution string
	opts         Options
}

var _ distribution.Invalidator = (*Cache)(nil)

var distributionID = regexp.MustCompile(`^[A-Z0-9]{1,32}$`)

// New returns the distribution with this id. It asks CloudFront nothing; the error
// names what makes no sense.
func New(client *cloudfront.Client, id string, opts *Options) (*Cache, error) {
	c := &Cache{client: client, distribution: id}
	if opts != nil {
		c.opts = *opts
	}
	if c.opts.Prefix == "" {
		c.opts.Prefix = "/"
	}
	switch {
	case client == nil:
		return nil, errors.New("awscdn: no client")
	case !distributionID.MatchString(id):
		return nil, fmt.Errorf("awscdn: distribution %q: want capital letters and digits", id)
	case !strings.HasPrefix(c.opts.Prefix, "/") || !strings.HasSuffix(c.opts.Prefix, "/"):
		return nil, fmt.Errorf("awscdn: Options.Prefix: %q: want a slash at both ends", c.opts.Prefix)
	case len(c.opts.Paths) > MaxPaths:
		return nil, fmt.Errorf("awscdn: Options.Paths: %d, CloudFront takes %d", len(c.opts.Paths), MaxPaths)
	}
	for _, p := range c.opts.Paths {
		if !strings.HasPrefix(p, "/") || strings.Contains(strings.TrimSuffix(p, "*"), "*") {
			return nil, fmt.Errorf("awscdn: Options.Paths: %q: want a slash first, and an asterisk at the end alone", p)
		}
	}
	return c, nil
}

// Invalidate implements [distribution.Invalidator]. It returns when CloudFront has
// taken the request, which it carries out within minutes.
func (c *Cache) Invalidate(ctx context.Context, reference string, names []string) error {
	paths := c.paths(names)
	if len(paths) == 0 {
		return nil
	}
	_, err := c.client.CreateInvalidation(ctx, &cloudfront.CreateInvalidationInput{
		DistributionId: &c.distribution,
		InvalidationBatch: &types.InvalidationBatch{
			CallerReference: aws.String(callerReference(reference, paths)),
			Paths:           &types.Paths{Items: paths, Quantity: aws.Int32(int32(len(paths)))},
		},
	})
	if err != nil {
		return fmt.Errorf("awscdn: distribution %s: %w", c.distribution, err)
	}
	return nil
}

// paths returns what CloudFront is asked to forget: everything below the prefix where
// that is more than it takes.
func (c *Cache) paths(names []string) []string {
	switch {
	case len(c.opts.Paths) > 0 && len(names) > 0:
		return c.opts.Paths
	case len(names) > MaxPaths:
		return []string{(&url.URL{Path: c.opts.Prefix}).EscapedPath() + "*"}
	}
	var paths []string
	for _, name := range names {
		paths = append(paths, (&url.URL{Path: c.opts.Prefix + name}).EscapedPath())
	}
	return paths
}

// callerReference returns what CloudFront knows the request by. The paths are in
// it, since it refuses a reference that it has seen with others, such as before an
// option was changed.
func callerReference(reference string, paths []string) string {
	sum := sha256.Sum256([]byte(reference + "\n" + strings.Join(paths, "\n")))
	return "gaen-" + hex.EncodeToString(sum[:16])
}
