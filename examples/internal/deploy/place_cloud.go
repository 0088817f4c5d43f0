//go:build cloud

package deploy

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	gcs "cloud.google.com/go/storage"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/gcsstore"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
	"github.com/gaenkit/gaen/storage/s3store"
)

var (
	bucketServers = map[string]openBucket{"s3": openS3, "gs": openGCS}
	ledgerServers = map[string]openLedger{"postgres": openPostgres, "postgresql": openPostgres}
)

// unknown is the error for a place that the program does not know.
func unknown(u *url.URL) error { return fmt.Errorf("%s://: not a place that is known", u.Scheme) }

// nothing is what there is to close of some.
func nothing() error { return nil }

// parameters returns the parameters of a place, of which it must have no others.
func parameters(u *url.URL, names ...string) (url.Values, error) {
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("malformed parameters")
	}
	known := url.Values{}
	for _, name := range names {
		if values := q[name]; len(values) > 0 {
			known.Set(name, values[0])
			delete(q, name)
		}
	}
	for name := range q {
		return nil, fmt.Errorf("unknown parameter %q, want %s", name, strings.Join(names, ", "))
	}
	return known, nil
}

// prefixOf returns what the names of objects begin with.
func prefixOf(u *url.URL) string {
	prefix := strings.Trim(u.Path, "/")
	if prefix != "" {
		prefix += "/"
	}
	return prefix
}

func openS3(ctx context.Context, u *url.URL, access Access) (storage.Bucket, closing, error) {
	q, err := parameters(u, "region", "endpoint", "path-style")
	if err != nil {
		return nil, nil, err
	}
	var loading []func(*config.LoadOptions) error
	if region := q.Get("region"); region != "" {
		loading = append(loading, config.WithRegion(region))
	}
	c, err := config.LoadDefaultConfig(ctx, loading...)
	if err != nil {
		return nil, nil, err
	}
	pathStyle := q.Has("endpoint") // as servers want it that are not Amazon's
	if q.Has("path-style") {
		if pathStyle, err = strconv.ParseBool(q.Get("path-style")); err != nil {
			return nil, nil, fmt.Errorf("path-style: want true or false")
		}
	}
	client := s3.NewFromConfig(c, func(o *s3.Options) {
		o.UsePathStyle = pathStyle
		if endpoint := q.Get("endpoint"); endpoint != "" {
			o.BaseEndpoint = aws.String(endpoint)
		}
	})
	b, err := s3store.New(ctx, client, u.Host, &s3store.Options{Prefix: prefixOf(u), PublicRead: access.PublicRead})
	return b, nothing, err
}

func openGCS(ctx context.Context, u *url.URL, access Access) (storage.Bucket, closing, error) {
	if _, err := parameters(u); err != nil {
		return nil, nil, err
	}
	client, err := gcs.NewClient(ctx)
	if err != nil {
		return nil, nil, err
	}
	b, err := gcsstore.New(ctx, client, u.Host, &gcsstore.Options{Prefix: prefixOf(u), PublicRead: access.PublicRead})
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	return b, client.Close, nil
}

func openPostgres(ctx context.Context, u *url.URL, clock func() time.Time) (ledger.Store, closing, error) {
	q := u.Query()
	schema := q.Get("schema")
	q.Del("schema") // ours; the rest is for the driver
	server := *u
	server.RawQuery = q.Encode()
	pool, err := pgxpool.New(ctx, server.String())
	if err != nil {
		return nil, nil, err // the driver leaves the password out
	}
	s, err := pgledger.Open(ctx, pool, &pgledger.Options{Schema: schema, Clock: clock})
	if err != nil {
		pool.Close()
		return nil, nil, err
	}
	return s, func() error { pool.Close(); return nil }, nil
}
