package privacy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/cwa"
	"github.com/gaenkit/gaen/distribution/privacy"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
	"github.com/gaenkit/gaen/storage/memstore"
)

var (
	de = keys.MustRegion("DE")
	fr = keys.MustRegion("FR")
)

// dawn is when the tests' ledgers are made: late, so that keys of full days are due
// when they come, and so that the first day is soon over, before which no index
// leads to its hours.
var dawn = time.Date(2026, 3, 2, 21, 0, 0, 0, time.UTC)

// nation is a ledger, a bucket, and what is published in it, by a clock of its own.
type nation struct {
	t       *testing.T
	clock   time.Time
	policy  ledger.Policy
	store   ledger.Store
	ledger  *ledger.Ledger
	bucket  storage.Bucket
	ring    *signing.Ring
	outputs []privacy.Output
	gen     *keystest.Generator
	nth     int
	seen    []keys.KeyData
}

// newNation returns one with the defaults of a national back end, as change has
// them.
func newNation(t *testing.T, change func(*nation)) *nation {
	t.Helper()
	n := &nation{t: t, clock: dawn, policy: ledger.DefaultPolicy(), gen: keystest.New(7, nil), bucket: memstore.New(nil)}
	n.store = memledger.New(&memledger.Options{Clock: func() time.Time { return n.clock }})
	key, err := signing.GenerateKey()
	n.check(err)
	signer, err := signing.NewSigner(signing.Identity{KeyID: "262", KeyVersion: "v1"}, key, nil)
	n.check(err)
	n.ring, err = signing.NewRing(signer)
	n.check(err)
	layout, err := cwa.New(nil)
	n.check(err)
	n.outputs = []privacy.Output{{Layout: layout, Packages: packages(distribution.Identity())}}
	if change != nil {
		change(n)
	}
	n.ledger, err = ledger.Open(t.Context(), n.store, &ledger.Options{Policy: &n.policy})
	n.check(err)
	n.publish()
	return n
}

func packages(m distribution.PublicationMap) []distribution.Package {
	return []distribution.Package{
		{Name: "DE", Select: distribution.FromOrigin(de), Map: m, FromBeginning: true},
		{Name: "EUR", Select: distribution.FromEverywhere(), Map: m, FromBeginning: true},
	}
}

func (n *nation) check(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// publish runs all outputs.
func (n *nation) publish() {
	n.t.Helper()
	for i, o := range n.outputs {
		p, err := distribution.New(n.ledger, n.bucket, o.Layout, o.Packages, n.ring, &distribution.Options{Output: fmt.Sprintf("output-%d", i)})
		n.check(err)
		if r, err := p.Run(n.t.Context()); err != nil {
			n.t.Fatalf("%v\n%s", err, r)
		}
	}
}

// accept takes uploads in.
func (n *nation) accept(source ledger.Source, uploads ...ledger.Upload) {
	n.t.Helper()
	r, err := n.ledger.Accept(n.t.Context(), &ledger.Delivery{Source: source, Uploads: uploads})
	n.check(err)
	if len(r.Rejected) > 0 {
		n.t.Fatalf("rejected: %s %s", r.Rejected[0].Field, r.Rejected[0].Reason)
	}
	for _, u := range uploads {
		for i := range u.Keys {
			n.seen = append(n.seen, u.Keys[i].KeyData)
		}
	}
}

// pass lets a time pass, with a cut at each point of the grid.
func (n *nation) pass(d time.Duration) {
	n.t.Helper()
	for end := n.clock.Add(d); n.clock.Before(end); {
		n.clock = n.clock.Add(n.policy.Grid)
		_, err := n.ledger.Release(n.t.Context(), nil)
		n.check(err)
	}
}

// traffic is what comes in an hour, a few at a time.
func (n *nation) traffic(hours, uploads int) {
	n.t.Helper()
	steps := int(time.Hour / n.policy.Grid)
	for range hours * steps {
		for range uploads / steps {
			n.accept(ledger.Own, n.generated(de))
		}
		n.pass(n.policy.Grid)
	}
}

// generated returns an upload that looks like production.
func (n *nation) generated(origin keys.Region) ledger.Upload {
	up := n.gen.Upload(n.clock)
	for i := range up.Keys {
		up.Keys[i].Origin = origin
	}
	return ledger.Upload{ID: up.ID, Keys: up.Keys}
}

// upload returns an upload of so many keys of full days up to yesterday, with an
// onset so many days ago; less than 0 is unknown.
func (n *nation) upload(count, onset int) ledger.Upload {
	n.nth++
	up := ledger.Upload{ID: fmt.Sprintf("made-%d", n.nth)}
	today := keys.IntervalAt(n.clock).Day()
	for age := range count {
		k := keys.DiagnosisKey{Origin: de, ConsentToFederate: keys.ConsentGiven, TestType: keys.TestLab}
		k.KeyData = n.gen.KeyData()
		k.RollingStartIntervalNumber, k.RollingPeriod = keys.StartOfDay(today-age-1), 144
		k.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(1 + age%8))
		k.ReportType = keys.Some(keys.ReportConfirmedTest)
		if onset >= 0 {
			k.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(onset - age - 1))
		}
		up.Keys = append(up.Keys, k)
	}
	return up
}

// ofLedger returns the report of the ledger, and ofTree that of what is published.
func (n *nation) ofLedger(opts *privacy.Options) *privacy.Report {
	n.t.Helper()
	r, err := privacy.OfLedger(n.t.Context(), n.ledger, n.outputs, opts)
	n.check(err)
	n.checkSecret(r)
	return r
}

func (n *nation) ofTree(opts *privacy.Options) *privacy.Report {
	n.t.Helper()
	n.publish()
	trusted, err := signing.NewTrustList(n.ring.PublicKeys()...)
	n.check(err)
	var trees []*distribution.Tree
	for _, o := range n.outputs {
		tree, err := distribution.OpenTree(n.t.Context(), n.bucket, o.Layout, trusted, nil)
		n.check(err)
		trees = append(trees, tree)
	}
	r, err := privacy.OfTree(n.t.Context(), trees, opts)
	n.check(err)
	n.checkSecret(r)
	if r.Unread > 0 {
		n.t.Errorf("%d files unread", r.Unread)
	}
	return r
}

// checkSecret sees to it that a report has no key data and names no upload.
func (n *nation) checkSecret(r *privacy.Report) {
	n.t.Helper()
	text, err := json.Marshal(r)
	n.check(err)
	said := string(text) + textOf(r)
	for _, k := range n.seen[:min(len(n.seen), 500)] {
		if how := keystest.Leak(said, k); how != "" {
			n.t.Errorf("the report has a key, in %s", how)
		}
	}
	if strings.Contains(said, "made-") || strings.Contains(said, "upload-7") {
		n.t.Error("the report names an upload")
	}
}

func textOf(r *privacy.Report) string {
	var b bytes.Buffer
	r.Text(&b)
	return b.String()
}

// findingOf returns the first finding of a rule, nil if there is none.
func findingOf(r *privacy.Report, rule privacy.Rule) *privacy.Finding {
	for i := range r.Findings {
		if r.Findings[i].Rule == rule {
			return &r.Findings[i]
		}
	}
	return nil
}

// only reports whether all findings are of these rules, and all rules found.
func only(t *testing.T, r *privacy.Report, rules ...privacy.Rule) {
	t.Helper()
	want := map[privacy.Rule]bool{}
	for _, rule := range rules {
		want[rule] = true
		if !r.Has(rule) {
			t.Errorf("%s not found in\n%s", rule, textOf(r))
		}
	}
	for i := range r.Findings {
		if !want[r.Findings[i].Rule] {
			t.Errorf("false alarm: %s", &r.Findings[i])
		}
	}
}

// metadataSigner returns a signer of the British layout's metadata.
func metadataSigner(n *nation) *signing.Signer {
	key, err := signing.GenerateKey()
	n.check(err)
	s, err := signing.NewSigner(signing.Identity{KeyID: "metadata", KeyVersion: "v1"}, key, nil)
	n.check(err)
	return s
}
