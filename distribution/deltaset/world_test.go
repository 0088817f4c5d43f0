package deltaset_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/deltaset"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
	"github.com/gaenkit/gaen/storage/memstore"
)

var de = keys.MustRegion("DE")

// tree is the folder of the package that the tests publish.
const tree = "deltaset/DE/"

// world is a ledger that publishes a delta set, and the clock they run by.
type world struct {
	t      testing.TB
	clock  time.Time
	ledger *ledger.Ledger
	bucket storage.Bucket
	opts   deltaset.Options
	ring   *signing.Ring
	gen    *keystest.Generator
	nth    int
}

// newWorld is at 22:30 of a day, before the first cut.
func newWorld(t testing.TB, opts *deltaset.Options) *world {
	t.Helper()
	w := &world{
		t:      t,
		clock:  time.Date(2026, 3, 1, 22, 30, 0, 0, time.UTC),
		bucket: memstore.New(nil),
		ring:   newRing(t, "262-v1"),
		gen:    keystest.New(1, &keystest.Options{Origins: []keys.Region{de}}),
	}
	if opts != nil {
		w.opts = *opts
	}
	policy := ledger.DefaultPolicy()
	policy.MinKeys, policy.MinUploads, policy.LongestWait = 1, 1, 0
	policy.MinWithdrawnUploads, policy.WithdrawalWait = 1, 0
	l, err := ledger.Open(t.Context(), memledger.New(&memledger.Options{Clock: func() time.Time { return w.clock }}), &ledger.Options{Policy: &policy})
	if err != nil {
		t.Fatal(err)
	}
	w.ledger = l
	return w
}

// signers are made once, since their keys are random.
var signers = map[string]*signing.Signer{}

// newRing returns a ring of signers with the given identities, each valid an hour
// longer than the one before.
func newRing(t testing.TB, identities ...string) *signing.Ring {
	t.Helper()
	var list []*signing.Signer
	for _, text := range identities {
		if signers[text] == nil {
			id, err := signing.ParseIdentity(text)
			if err != nil {
				t.Fatal(err)
			}
			key, err := signing.GenerateKey()
			if err != nil {
				t.Fatal(err)
			}
			from := time.Date(2020, 1, 1, len(signers), 0, 0, 0, time.UTC)
			if signers[text], err = signing.NewSigner(id, key, &signing.Options{Validity: signing.Validity{NotBefore: from}}); err != nil {
				t.Fatal(err)
			}
		}
		list = append(list, signers[text])
	}
	ring, err := signing.NewRing(list...)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func newLayout(t testing.TB, opts *deltaset.Options) *deltaset.Layout {
	t.Helper()
	l, err := deltaset.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func trust(t testing.TB, ring *signing.Ring) *signing.TrustList {
	t.Helper()
	list, err := signing.NewTrustList(ring.PublicKeys()...)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// upload stores an upload and returns its units.
func (w *world) upload() []ledger.UnitID {
	w.t.Helper()
	up := w.gen.Upload(w.clock)
	w.nth++
	var ids []ledger.UnitID
	for i := range up.Keys {
		ids = append(ids, ledger.IDOf(&up.Keys[i]))
	}
	w.must(w.ledger.Accept(w.t.Context(), &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: fmt.Sprint(up.ID, w.nth), Keys: up.Keys}}}))
	return ids
}

func (w *world) withdraw(ids ...ledger.UnitID) {
	w.t.Helper()
	w.must(w.ledger.Withdraw(w.t.Context(), ids...))
}

func (w *world) reinstate(ids ...ledger.UnitID) {
	w.t.Helper()
	w.must(w.ledger.Reinstate(w.t.Context(), ids...))
}

func (w *world) must(_ any, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// hour lets an hour pass, makes its cut and publishes.
func (w *world) hour() *distribution.Report {
	w.t.Helper()
	w.cut(1)
	return w.publish()
}

// cut lets some hours pass and makes a cut.
func (w *world) cut(hours int) {
	w.t.Helper()
	w.clock = w.clock.Truncate(time.Hour).Add(time.Duration(hours)*time.Hour + 5*time.Minute)
	w.must(w.ledger.Release(w.t.Context(), &ledger.ReleaseOptions{AllowGap: true}))
}

// publish runs once, and expects no error.
func (w *world) publish() *distribution.Report {
	w.t.Helper()
	r, err := w.try()
	if err != nil {
		w.t.Fatalf("%v\n%s", err, r)
	}
	return r
}

// run publishes, whatever comes of it.
func (w *world) run() *distribution.Report {
	w.t.Helper()
	r, _ := w.try()
	return r
}

func (w *world) try() (*distribution.Report, error) {
	w.t.Helper()
	packages := []distribution.Package{{Name: "DE", Select: distribution.FromOrigin(de), Map: distribution.Identity(), FromBeginning: true}}
	p, err := distribution.New(w.ledger, w.bucket, newLayout(w.t, &w.opts), packages, w.ring, &distribution.Options{Tries: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	return p.Run(w.t.Context())
}

// newest is the number of the interval that ended last.
func (w *world) newest() int64 { return w.clock.Unix()/3600 - 1 }

// client returns one that keeps its state in a new folder.
func (w *world) client() *deltaset.Client {
	w.t.Helper()
	return w.clientOf(w.t.TempDir(), deltaset.FromBucket(w.bucket, tree), nil)
}

func (w *world) clientOf(dir string, source deltaset.Source, opts *deltaset.ClientOptions) *deltaset.Client {
	w.t.Helper()
	o := deltaset.ClientOptions{Now: func() time.Time { return w.clock }}
	if opts != nil {
		o = *opts
		o.Now = func() time.Time { return w.clock }
	}
	c, err := deltaset.NewClient(dir, source, trust(w.t, w.ring), &o)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// update updates a client and expects no error.
func (w *world) update(c *deltaset.Client) *deltaset.Update {
	w.t.Helper()
	u, err := c.Update(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

// dataOf returns the key data that a client has.
func dataOf(t testing.TB, c *deltaset.Client) map[keys.KeyData]bool {
	t.Helper()
	all := map[keys.KeyData]bool{}
	for r, err := range c.Keys() {
		if err != nil {
			t.Fatal(err)
		}
		all[r.Key.KeyData] = true
	}
	return all
}

// object returns an object of the bucket.
func (w *world) object(name string) []byte {
	w.t.Helper()
	content, _, err := storage.ReadAll(w.t.Context(), w.bucket, name, 1<<30)
	if err != nil {
		w.t.Fatal(err)
	}
	return content
}

// objects returns the attributes of everything in the bucket.
func (w *world) objects() map[string]storage.Attributes {
	w.t.Helper()
	all := map[string]storage.Attributes{}
	for a, err := range storage.List(w.t.Context(), w.bucket, "") {
		if err != nil {
			w.t.Fatal(err)
		}
		if all[a.Name], err = storage.Stat(w.t.Context(), w.bucket, a.Name); err != nil {
			w.t.Fatal(err)
		}
	}
	return all
}

// count returns how many files of the tree have a name that begins so.
func (w *world) count(prefix string) (n int) {
	for name := range w.objects() {
		if strings.HasPrefix(name, tree+prefix) && !strings.Contains(name, prefix+"SHA256SUMS") {
			n++
		}
	}
	return n
}

func (w *world) delete(name string) {
	w.t.Helper()
	w.must(nil, storage.Delete(w.t.Context(), w.bucket, name))
}

// plainOf returns a file without compression.
func plainOf(t testing.TB, stored []byte) string {
	t.Helper()
	if !bytes.HasPrefix(stored, []byte("\x1f\x8b")) {
		return string(stored)
	}
	z, err := gzip.NewReader(bytes.NewReader(stored))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

func (w *world) put(name string, content []byte, opts *storage.PutOptions) {
	w.t.Helper()
	w.must(storage.Put(w.t.Context(), w.bucket, name, newReader(content), opts))
}

// verify checks the tree from outside.
func (w *world) verify() *distribution.TreeReport {
	w.t.Helper()
	r, err := distribution.Verify(w.t.Context(), w.bucket, newLayout(w.t, &w.opts), trust(w.t, w.ring), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range r.Findings {
		w.t.Errorf("verify: %s", f)
	}
	return r
}
