//go:build cloud

package deploy

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/awscdn"
)

// Invalidator returns the cache that is to be told what was replaced, nil if there is
// none. It asks nobody; the error names the field.
func (c *Config) Invalidator(ctx context.Context) (distribution.Invalidator, error) {
	in := &c.API.Invalidate
	if in.CloudFront == "" {
		return nil, nil
	}
	aws, err := config.LoadDefaultConfig(ctx, config.WithDefaultRegion("us-east-1")) // it has no others
	if err != nil {
		return nil, fmt.Errorf("api.invalidate.cloudfront: %w", err)
	}
	cache, err := awscdn.New(cloudfront.NewFromConfig(aws), in.CloudFront, &awscdn.Options{Prefix: in.Prefix})
	if err != nil {
		return nil, fmt.Errorf("api.invalidate.cloudfront, prefix: %w", err)
	}
	return cache, nil
}
