// Package awscdn has CloudFront forget what was replaced in the bucket behind it: a
// [distribution.Invalidator].
//
//	cfg, err := config.LoadDefaultConfig(ctx) // of aws-sdk-go-v2
//	cache, err := awscdn.New(cloudfront.NewFromConfig(cfg), "E1EXAMPLE", nil)
//	publisher, err := distribution.New(..., &distribution.Options{Invalidator: cache})
//
// The client is the caller's: credentials, time-outs and how often it tries again
// are set there.
//
// # Once
//
// A request is known to CloudFront by a reference that is made of what is asked
// for, so that one that is made again, by the client after a lost answer or by the
// next run, is not carried out twice.
//
// # Permissions and cost
//
// cloudfront:CreateInvalidation on the distribution. CloudFront takes 3,000 paths
// at a time, of more it is asked by one pattern to forget all that is below the
// prefix, and charges for more than 1,000 a month. A tree with many packages is
// better asked for by [Options.Paths], of which a pattern counts as one, or by a
// short [distribution.Options.MaxAge] alone.
package awscdn
