package distribution_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"crypto/elliptic"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/cwa"
	"github.com/gaenkit/gaen/distribution/deltaset"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/storagetest"
)

var (
	de = keys.MustRegion("DE")
	fr = keys.MustRegion("FR")
	it = keys.MustRegion("IT")
)

// epoch is when the tests' ledgers are made.
var epoch = time.Date(2026, 3, 1, 22, 0, 0, 0, time.UTC)

// world is a ledger and a bucket, and the clock they run by.
type world struct {
	t      testing.TB
	clock  time.Time
	store  ledger.Store
	bucket storage.Bucket
	policy ledger.Policy
	gen    *keystest.Generator
	rand   *rand.Rand
	nth    int

	packages []distribution.Package
	layout   distribution.Layout
	ring     *signing.Ring
	opts     distribution.Options
}

func newWorld(t testing.TB, seed uint64) *world {
	t.Helper()
	return newWorldIn(t, inMemory, seed)
}

func newWorldIn(t testing.TB, kind placeKind, seed uint64) *world {
	t.Helper()
	w := &world{
		t:        t,
		clock:    epoch,
		policy:   ledger.DefaultPolicy(),
		gen:      keystest.New(seed, &keystest.Options{Origins: []keys.Region{de}}),
		rand:     rand.New(rand.NewPCG(seed, 1)),
		packages: twoPackages(),
		layout:   newLayout(t, nil),
		ring:     newRing(t, "262-v1"),
	}
	w.policy.MinKeys, w.policy.MinUploads, w.policy.LongestWait = 20, 2, 3*time.Hour
	w.policy.MinWithdrawnUploads, w.policy.WithdrawalWait = 1, 0
	w.opts = distribution.Options{Tries: 1, Budget: 1000}
	w.store, w.bucket = kind.open(t, func() time.Time { return w.clock })
	return w
}

func twoPackages() []distribution.Package {
	return []distribution.Package{
		{Name: "DE", Select: distribution.FromOrigin(de), Map: distribution.Identity(), FromBeginning: true},
		{Name: "EUR", Select: distribution.FromEverywhere(), Map: distribution.CWA(3), FromBeginning: true},
	}
}

func newLayout(t testing.TB, opts *cwa.Options) *cwa.Layout {
	t.Helper()
	l, err := cwa.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// newRing returns a ring of signers with the given identities, whose keys are
// always the same.
func newRing(t testing.TB, identities ...string) *signing.Ring {
	t.Helper()
	return validRing(t, nil, identities...)
}

// validRing returns a ring of keys, each with its time, if it has one.
func validRing(t testing.TB, times map[string]signing.Validity, identities ...string) *signing.Ring {
	t.Helper()
	var signers []*signing.Signer
	for _, text := range identities {
		id, err := signing.ParseIdentity(text)
		if err != nil {
			t.Fatal(err)
		}
		s, err := signing.NewSigner(id, fixedKey(t, text), &signing.Options{Validity: times[text]})
		if err != nil {
			t.Fatal(err)
		}
		signers = append(signers, s)
	}
	ring, err := signing.NewRing(signers...)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func fixedKey(t testing.TB, name string) *ecdsa.PrivateKey {
	t.Helper()
	d := sha256.Sum256([]byte(name))
	d[0] = 0 // below the order of the curve
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// open opens the world's ledger, with faults where hook wants them.
func (w *world) open(hook ledgertest.Hook) *ledger.Ledger {
	w.t.Helper()
	l, err := ledger.Open(w.t.Context(), ledgertest.Faulty(w.store, nil), &ledger.Options{Policy: &w.policy})
	if err != nil {
		w.t.Fatal(err)
	}
	if hook == nil {
		return l
	}
	// The ledger is opened before the faults begin.
	faults := false
	l, err = ledger.Open(w.t.Context(), ledgertest.Faulty(w.store, func(ctx context.Context, c ledgertest.Call) ledgertest.Verdict {
		if !faults {
			return ledgertest.Pass
		}
		return hook(ctx, c)
	}), &ledger.Options{Policy: &w.policy})
	if err != nil {
		w.t.Fatal(err)
	}
	faults = true
	return l
}

// publisher returns a publisher over the world, with faults.
func (w *world) publisher(bucketHook storagetest.Hook, ledgerHook ledgertest.Hook) (*distribution.Publisher, *storagetest.FaultyBucket) {
	w.t.Helper()
	b := storagetest.Faulty(w.bucket, bucketHook)
	p, err := distribution.New(w.open(ledgerHook), b, w.layout, w.packages, w.ring, &w.opts)
	if err != nil {
		w.t.Fatal(err)
	}
	return p, b
}

// run publishes without faults and expects no error.
func (w *world) run() *distribution.Report {
	w.t.Helper()
	p, _ := w.publisher(nil, nil)
	r, err := p.Run(w.t.Context())
	if err != nil {
		w.t.Fatalf("run at %s: %v\n%s", w.clock, err, r)
	}
	return r
}

// accept stores uploads of a source.
func (w *world) accept(source ledger.Source, uploads ...ledger.Upload) {
	w.t.Helper()
	r, err := w.open(nil).Accept(w.t.Context(), &ledger.Delivery{Source: source, Uploads: uploads})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, a := range r.Rejected {
		switch a.Reason {
		case ledger.ReasonWithdrawn, ledger.ReasonConflict, keys.ReasonTooOld: // revised after midnight
		default:
			w.t.Fatalf("rejected: %s %s %s", a.Field, a.Reason, a.Detail)
		}
	}
}

// upload returns a generated upload that is made now.
func (w *world) upload(origin keys.Region) ledger.Upload {
	up := w.gen.Upload(w.clock)
	for i := range up.Keys {
		up.Keys[i].Origin = origin
	}
	w.nth++
	return ledger.Upload{ID: fmt.Sprintf("%s-%d", up.ID, w.nth), Keys: up.Keys}
}

// release makes the cut of the hour that the clock is moved on to.
func (w *world) release() {
	w.t.Helper()
	w.clock = w.clock.Truncate(time.Hour).Add(time.Hour + time.Minute)
	if _, err := w.open(nil).Release(w.t.Context(), &ledger.ReleaseOptions{AllowGap: true}); err != nil {
		w.t.Fatal(err)
	}
}

// hours lets that many hours pass with a few uploads each, own and foreign, some
// of them revised or withdrawn later.
func (w *world) hours(n int) {
	w.t.Helper()
	var self []ledger.Upload
	for range n {
		w.accept(ledger.Own, w.upload(de), w.upload(de))
		foreign := w.upload(fr)
		w.accept("hub", foreign)
		up := w.upload(de)
		for i := range up.Keys {
			up.Keys[i].ReportType = keys.Some(keys.ReportSelfReport)
		}
		w.accept(ledger.Own, up)
		self = append(self, up)
		if len(self) > 2 {
			up, self = self[0], self[1:]
			for i := range up.Keys {
				up.Keys[i].ReportType = keys.Some(keys.ReportConfirmedTest)
			}
			w.accept(ledger.Own, up)
			w.withdraw(ledger.IDOf(&self[0].Keys[0]))
			w.withdrawFrom("hub", ledger.IDOf(&foreign.Keys[0]))
		}
		w.release()
	}
}

func (w *world) withdraw(ids ...ledger.UnitID) {
	w.t.Helper()
	if _, err := w.open(nil).Withdraw(w.t.Context(), ids...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) withdrawFrom(source ledger.Source, ids ...ledger.UnitID) {
	w.t.Helper()
	if _, err := w.open(nil).Accept(w.t.Context(), &ledger.Delivery{Source: source, Withdrawals: ids}); err != nil {
		w.t.Fatal(err)
	}
}

// copy returns a world that is the same so far and goes its own way.
func (w *world) copy() *world {
	w.t.Helper()
	c := *w
	c.store = copyStore(w.t, w.store, func() time.Time { return c.clock })
	c.bucket = copyBucket(w.t, w.bucket)
	c.gen = keystest.New(1<<32, &keystest.Options{Origins: []keys.Region{de}}) // every copy goes the same way
	c.rand = rand.New(rand.NewPCG(1<<32, 1))
	return &c
}

// objects returns everything in a bucket.
func objects(t testing.TB, b storage.Bucket) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for a, err := range storage.List(t.Context(), b, "") {
		if err != nil {
			t.Fatal(err)
		}
		content, _, err := storage.ReadAll(t.Context(), b, a.Name, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		all[a.Name] = content
	}
	return all
}

// difference returns the first object in which two buckets differ.
func difference(got, want map[string][]byte) string {
	for name, content := range want {
		have, ok := got[name]
		if !ok {
			return name + " is missing"
		}
		if !bytes.Equal(have, content) {
			return name + " differs"
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			return name + " should not be there"
		}
	}
	return ""
}

// verify checks the tree from outside.
func (w *world) verify() *distribution.TreeReport {
	w.t.Helper()
	r := w.inspect(nil)
	for _, f := range r.Findings {
		w.t.Errorf("verify: %s", f)
	}
	return r
}

// readable checks the tree from outside, if phones can find it yet.
func (w *world) readable(when string) {
	w.t.Helper()
	root := "version"
	deltas, isDeltas := w.layout.(*deltaset.Layout)
	if isDeltas {
		root = deltas.Prefix() + "packages"
	}
	if _, err := storage.Stat(w.t.Context(), w.bucket, root); errors.Is(err, fs.ErrNotExist) && w.layout.Name() != "nhs" {
		return
	}
	for _, f := range w.inspect(nil).Findings {
		if isDeltas && betweenIndexes(f) {
			continue
		}
		w.t.Errorf("%s: %s", when, f)
	}
}

// betweenIndexes reports whether a finding is what clients of a delta set meet
// while its indexes are replaced one after the other, and try again.
func betweenIndexes(f distribution.Finding) bool {
	return strings.Contains(f.Problem, "not signed by a trusted key") || strings.Contains(f.Problem, "does not say what the one at the top says") ||
		strings.Contains(f.Problem, "and the newest interval is")
}

func newDeltas(t testing.TB, opts *deltaset.Options) *deltaset.Layout {
	t.Helper()
	l, err := deltaset.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// inspect is verify with options, and whatever it finds.
func (w *world) inspect(opts *distribution.VerifyOptions) *distribution.TreeReport {
	w.t.Helper()
	trusted, err := signing.NewTrustList(w.ring.PublicKeys()...)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := distribution.Verify(w.t.Context(), w.bucket, w.layout, trusted, opts)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// delivery is an upload that a source brings.
type delivery struct {
	source string
	upload ledger.Upload
}

func (w *world) acceptDelivery(d delivery) {
	w.t.Helper()
	w.accept(ledger.Source(d.source), d.upload)
}
