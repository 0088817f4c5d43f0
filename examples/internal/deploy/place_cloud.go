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
	ledgerServers = map[string]ledgerServer{"postgres": postgres, "postgresql": postgres}

	postgres = ledgerServer{open: openPostgres, has: hasPostgres}
)

// serverAdvice is for the errors of servers.
var serverAdvice = []hint{
	{s3store.ErrNoBucket, "make it, or correct the name"},
	{gcsstore.ErrNoBucket, "make it, or correct the name"},
	{s3store.ErrRegion, "say region=REGION in the URL"},
	{s3store.ErrClock, setClocks},
	{gcsstore.ErrClock, setClocks},
	{s3store.ErrNoConditions, "publish to a server that has it: without it, two runs at once would write over each other"},
	{gcsstore.ErrNoConditions, "publish to a server that has it: without it, two runs at once would write over each other"},
	{pgledger.ErrClock, setClocks},
	{pgledger.ErrReadOnly, "name the primary, and a role whose default_transaction_read_only is off"},
	{pgledger.ErrPermission, "grant the role CREATE on the database or the schema, or all on the tables and sequences of the ledger"},
	{pgledger.ErrNotLedger, "name another schema (schema=NAME)"},
	{pgledger.ErrFull, makeRoom},
	{s3store.ErrFull, makeRoom},
}

// isServerLedgers reports whether an error is of a ledger on a server.
func isServerLedgers(err error) bool {
	_, ok := errors.AsType[*pgledger.Error](err)
	return ok
}

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
	b, err := s3store.New(ctx, client, u.Host, &s3store.Options{Prefix: prefixOf(u), PublicRead: access.PublicRead, ReadOnly: access.ReadOnly})
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
	b, err := gcsstore.New(ctx, client, u.Host, &gcsstore.Options{Prefix: prefixOf(u), PublicRead: access.PublicRead, ReadOnly: access.ReadOnly})
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	return b, client.Close, nil
}

func openPostgres(ctx context.Context, u *url.URL, clock func() time.Time) (ledger.Store, closing, error) {
	pool, schema, err := connect(ctx, u)
	if err != nil {
		return nil, nil, err
	}
	s, err := pgledger.Open(ctx, pool, &pgledger.Options{Schema: schema, Clock: clock})
	if err != nil {
		pool.Close()
		return nil, nil, err
	}
	return s, func() error { pool.Close(); return nil }, nil
}

// hasPostgres reports whether the schema has a ledger, of whatever kind.
func hasPostgres(ctx context.Context, u *url.URL) (bool, error) {
	pool, schema, err := connect(ctx, u)
	if err != nil {
		return false, err
	}
	defer pool.Close()
	_, err = pgledger.Open(ctx, pool, &pgledger.Options{Schema: schema, ReadOnly: true})
	switch {
	case errors.Is(err, pgledger.ErrNotLedger):
		return false, nil
	case errors.Is(err, ledger.ErrReplay):
		return true, nil
	}
	return err == nil, err
}

// connect returns connections to the database, and the ledger's schema in it.
func connect(ctx context.Context, u *url.URL) (pool *pgxpool.Pool, schema string, err error) {
	server := *u
	server.RawQuery, schema, err = cutSchema(u.RawQuery)
	if err != nil {
		return nil, "", err
	}
	pool, err = pgxpool.New(ctx, server.String()) // the error leaves the password out
	return pool, schema, err
}

// cutSchema takes the parameter that is ours out of a query. The others are for
// the driver, and left as they are written: to PostgreSQL a '+' is no space.
func cutSchema(query string) (rest, schema string, err error) {
	var others []string
	for parameter := range strings.SplitSeq(query, "&") {
		value, ours := strings.CutPrefix(parameter, "schema=")
		if !ours {
			others = append(others, parameter)
			continue
		}
		if schema, err = url.QueryUnescape(value); err != nil {
			return "", "", errors.New("malformed parameters")
		}
	}
	return strings.Join(others, "&"), schema, nil
}
