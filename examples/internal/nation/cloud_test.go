//go:build cloud

package nation

import (
	"net/url"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/internal/s3test"
	"github.com/gaenkit/gaen/signing"
)

// TestPostgresAndS3 has a nation's ledger in PostgreSQL and its tree in S3.
func TestPostgresAndS3(t *testing.T) {
	place, err := url.Parse(pgtest.Database(t).Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	query := place.Query()
	query.Set("schema", "nation")
	place.RawQuery = query.Encode()
	server := s3test.Start(t, "tree")
	for name, value := range s3test.Environment() {
		t.Setenv(name, value)
	}
	w := newWorld(t)
	a := w.hub()
	germany := w.country(de)
	germany.config.Paths.Ledger, germany.config.Paths.Output, germany.config.API.IndexName = place.String(), server.Place("tree"), ""
	germany.joins(a, plain("hub-a"), interop.Member{})
	germany.open()
	germany.tick()
	ks := germany.submit(6)
	for range 2 {
		w.hour([]*hub{a}, germany)
		germany.open()
	}
	if o := a.origins(); o[de] != 6 {
		t.Errorf("the server has %v", o)
	}
	layout, err := germany.config.Layout()
	if err != nil {
		t.Fatal(err)
	}
	bucket, closing, err := deploy.OpenBucket(t.Context(), germany.config.Paths.Output, deploy.Access{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer closing()
	key, err := signing.ReadPrivateKeyFile(germany.config.place(germany.config.Paths.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := signing.NewTrustList(signing.PublicKey{Identity: germany.config.Identity(), Key: &key.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	report, err := distribution.Verify(t.Context(), bucket, layout, trusted, &distribution.VerifyOptions{Now: w.clock().Add(time.Minute)})
	if err != nil || len(report.Findings) > 0 {
		t.Errorf("%v, %v", report, err)
	}
	w.clean(ks, germany)
}
