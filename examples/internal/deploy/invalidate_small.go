//go:build !cloud

package deploy

import (
	"context"
	"errors"

	"github.com/gaenkit/gaen/distribution"
)

// Invalidator returns the cache that is to be told what was replaced, nil if there is
// none. It asks nobody; the error names the field.
func (c *Config) Invalidator(context.Context) (distribution.Invalidator, error) {
	if c.API.Invalidate.CloudFront == "" {
		return nil, nil
	}
	return nil, errors.New("api.invalidate.cloudfront: this program was built without servers; build it with -tags cloud")
}
