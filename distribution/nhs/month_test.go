package nhs_test

import (
	"archive/zip"
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/nhs"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/internal/exportpb"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
	"github.com/gaenkit/gaen/storage/memstore"
)

// month is a back end whose cuts are made every hour and whose files are published
// by runs that come as they like.
type month struct {
	t         *testing.T
	rand      *rand.Rand
	clock     time.Time
	firstCut  time.Time
	lastCut   time.Time
	ledger    *ledger.Ledger
	bucket    storage.Bucket
	layout    *nhs.Layout
	publisher *distribution.Publisher
	trusted   *signing.TrustList
	gen       *keystest.Generator

	due    map[keys.KeyData]time.Time // by what was accepted
	files  map[string][]byte          // as they were last seen
	counts map[string]int             // keys, by file
	runs   int
}

const (
	moved     = -15 * time.Minute
	grace     = 20 * time.Minute // a cache's five minutes, and the fifteen that a run may take
	fortnight = 14 * 24 * time.Hour
)

func newMonth(t *testing.T, seed uint64) *month {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	m := &month{
		t: t, rand: rand.New(rand.NewPCG(seed, 3)),
		clock:  time.Date(2020, 9, 24, 9, 30, 0, 0, time.UTC),
		bucket: memstore.New(nil),
		layout: newLayout(t, &nhs.Options{BundleID: "uk.nhs.covid19.production"}),
		gen:    keystest.New(seed, &keystest.Options{Origins: []keys.Region{keys.MustRegion("GB-EAW")}}),
		due:    map[keys.KeyData]time.Time{},
		files:  map[string][]byte{},
		counts: map[string]int{},
	}
	policy := ledger.DefaultPolicy()
	policy.MinKeys, policy.MinUploads = 0, 0
	store := memledger.New(&memledger.Options{Clock: func() time.Time { return m.clock }})
	var err error
	m.ledger, err = ledger.Open(t.Context(), store, &ledger.Options{Policy: &policy})
	must(err)
	ring, err := signing.NewRing(newSigner(t, "234-v1"))
	must(err)
	m.trusted, err = signing.NewTrustList(ring.PublicKeys()...)
	must(err)
	m.publisher, err = distribution.New(m.ledger, m.bucket, m.layout, []distribution.Package{{
		Name: "GB-EAW", Select: distribution.FromEverywhere(), Map: distribution.NHS(), FromBeginning: true,
	}}, ring, &distribution.Options{Tries: 1})
	must(err)
	return m
}

// hour lets an hour pass with some uploads, and makes its cut.
func (m *month) hour() {
	m.t.Helper()
	start := m.clock.Truncate(time.Hour)
	for range 1 + m.rand.IntN(2) {
		m.clock = m.clock.Add(time.Duration(m.rand.IntN(int(start.Add(time.Hour).Sub(m.clock)))))
		up := m.gen.Upload(m.clock)
		for i := range up.Keys {
			k := &up.Keys[i]
			k.DaysSinceOnsetOfSymptoms = keys.Optional[keys.DaysSinceOnset]{}
			m.due[k.KeyData] = latest(m.clock, k.End().Add(2*time.Hour))
		}
		r, err := m.ledger.Accept(m.t.Context(), &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: up.ID, Keys: up.Keys}}})
		if err != nil || len(r.Rejected) > 0 {
			m.t.Fatalf("%v, %d rejected", err, len(r.Rejected))
		}
	}
	m.clock = start.Add(time.Hour)
	if _, err := m.ledger.Release(m.t.Context(), nil); err != nil {
		m.t.Fatal(err)
	}
	m.lastCut = m.clock
	if m.firstCut.IsZero() {
		m.firstCut = m.clock
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (m *month) run() {
	m.t.Helper()
	if r, err := m.publisher.Run(m.t.Context()); err != nil {
		m.t.Fatalf("at %s: %v\n%s", m.clock, err, r)
	}
	m.runs++
	m.check()
}

// want returns the files that must be there, by their names' ends, and whether each
// is past its retention and only waits for caches to forget it. It is the table of
// what the British back end publishes, worked out from nothing but the clock.
func (m *month) want() map[string]bool {
	want := map[string]bool{}
	first := m.firstCut.Truncate(2 * time.Hour).Add(2 * time.Hour) // the first file; of a cut at an even hour, too
	for end := m.firstCut.Truncate(2 * time.Hour); !end.After(m.lastCut.Add(24 * time.Hour)); end = end.Add(2 * time.Hour) {
		retired := end.Add(moved + fortnight)
		if !end.Before(first) && !end.After(m.lastCut) && !m.clock.After(retired.Add(grace)) {
			want["distribution/two-hourly/"+end.Format("2006010215")+".zip"] = !m.clock.Before(retired)
		}
		if retired = retired.Add(2 * time.Hour); end.Hour() == 0 && !m.lastCut.Before(latest(first, end.Add(-22*time.Hour))) && !m.clock.After(retired.Add(grace)) {
			want["distribution/daily/"+end.Format("20060102")+"00.zip"] = !m.clock.Before(retired)
		}
	}
	return want
}

// check compares the bucket with the table, and what is in it with what was there.
func (m *month) check() {
	m.t.Helper()
	want, have := m.want(), map[string]bool{}
	for a, err := range storage.List(m.t.Context(), m.bucket, "") {
		if err != nil {
			m.t.Fatal(err)
		}
		have[a.Name] = true
		if _, ok := want[a.Name]; !ok {
			m.t.Errorf("at %s: %s should not be there", m.clock, a.Name)
		}
		m.checkFile(a.Name)
	}
	kept := map[string]int{}
	for name, retired := range want {
		if !have[name] {
			m.t.Errorf("at %s: %s is missing", m.clock, name)
		}
		if !retired {
			kept[strings.Split(name, "/")[1]]++
		}
	}
	if m.lastCut.Sub(m.firstCut) > 16*24*time.Hour && (kept["two-hourly"] != 168 || kept["daily"] != 15) && m.clock.Sub(m.lastCut) < moved+2*time.Hour {
		m.t.Errorf("at %s: %v files, want 168 and 15", m.clock, kept)
	}
}

// checkFile looks at a file that is new or another than it was.
func (m *month) checkFile(name string) {
	m.t.Helper()
	content, a, err := storage.ReadAll(m.t.Context(), m.bucket, name, 1<<24)
	if err != nil {
		m.t.Fatal(err)
	}
	before, seen := m.files[name]
	if bytes.Equal(before, content) {
		return
	}
	m.files[name] = content
	f, _ := m.layout.Parse(name)
	c, h := m.open(name, content)
	if seen {
		was, _ := m.open(name, before)
		if !was.End.Before(c.End) || was.End.Equal(f.Window.End) || len(was.Keys) > len(c.Keys) {
			m.t.Errorf("at %s: %s, which ended at %s with %d keys, ends at %s with %d", m.clock, name, was.End, len(was.Keys), c.End, len(c.Keys))
		}
	}
	end := f.Window.End
	if f.Span == "daily" && end.After(m.lastCut) {
		end = m.lastCut.Truncate(2 * time.Hour).Add(moved)
	}
	if !c.Start.Equal(f.Window.Start) || !c.End.Equal(end) {
		m.t.Errorf("at %s: %s says %s to %s, want %s to %s", m.clock, name, c.Start, c.End, f.Window.Start, end)
	}
	if h.Region != "" || h.BatchNum != 1 || h.BatchSize != 1 || h.SignatureInfos[0].AppBundleID != "uk.nhs.covid19.production" ||
		h.SignatureInfos[0].AndroidPackage != "uk.nhs.covid19.production" || h.SignatureInfos[0].KeyID != "234" || h.SignatureInfos[0].KeyVersion != "v1" {
		m.t.Errorf("%s: %+v", name, h)
	}
	if err := m.layout.CheckAttributes(content, a); err != nil || a.ContentType != "application/zip" {
		m.t.Errorf("%s: %q, %v", name, a.ContentType, err)
	}
	m.counts[name] = len(c.Keys)
	for i := range c.Keys {
		m.checkKey(name, f, &c.Keys[i])
	}
}

// checkKey sees to it that a key is in the file of the first cut after it was due.
func (m *month) checkKey(name string, f distribution.File, k *keys.TemporaryExposureKey) {
	m.t.Helper()
	cut := m.due[k.KeyData].Truncate(time.Hour).Add(time.Hour)
	if !cut.After(f.Window.Start) || cut.After(f.Window.End) {
		m.t.Errorf("%s has a key of the cut of %s", name, cut)
	}
	if d, ok := k.DaysSinceOnsetOfSymptoms.Get(); !ok || d != 0 {
		m.t.Errorf("%s has a key with %v days since onset", name, d)
	}
}

func (m *month) open(name string, content []byte) (*export.Content, export.Header) {
	m.t.Helper()
	a, err := export.Open(bytes.NewReader(content), int64(len(content)), nil)
	if err != nil {
		m.t.Fatalf("%s: %v", name, err)
	}
	v, err := a.Verify(m.trusted, nil)
	if err != nil {
		m.t.Fatalf("%s: %v", name, err)
	}
	c, err := v.Content()
	if err != nil {
		m.t.Fatalf("%s: %v", name, err)
	}
	return c, a.Header()
}

// complete sees to it that every key is in one two-hourly file, and every day has
// as many as its hours.
func (m *month) complete() {
	m.t.Helper()
	want := 0
	for _, due := range m.due {
		if cut := due.Truncate(time.Hour).Add(time.Hour); !cut.After(m.lastCut.Truncate(2 * time.Hour).Add(moved)) {
			want++
		}
	}
	got, sums := 0, map[string]int{}
	for name, n := range m.counts {
		if f, _ := m.layout.Parse(name); f.Span == "two-hourly" {
			got += n
			day := f.Window.Start.Add(-moved).Truncate(24 * time.Hour).Add(24 * time.Hour)
			sums["distribution/daily/"+day.Format("20060102")+"00.zip"] += n
		}
	}
	if got != want || want == 0 {
		m.t.Errorf("%d keys were published, want %d", got, want)
	}
	for name, n := range sums {
		if m.counts[name] != n {
			m.t.Errorf("%s has %d keys, its hours %d", name, m.counts[name], n)
		}
	}
}

// TestMonth holds a month of files against the table of what the British back end
// publishes, with runs that are on time, early, late, doubled and missing. There, a
// run outside of two minutes was none, and every run made all files again.
func TestMonth(t *testing.T) {
	m := newMonth(t, 1)
	missing := 0
	for range 31 * 24 {
		m.hour()
		if missing > 0 {
			missing--
			continue
		}
		switch n := m.rand.IntN(60); {
		case n == 0:
			missing = m.rand.IntN(40) // hours without a run
		case n < 8 || m.clock.Hour()%2 == 1 && n < 45: // none in this hour
		case n < 15: // late
			m.clock = m.clock.Add(time.Duration(m.rand.IntN(59)) * time.Minute)
			m.run()
		case n < 18: // twice
			m.run()
			m.run()
		default: // in odd hours too early for another file
			m.clock = m.clock.Add(time.Minute)
			m.run()
		}
		if t.Failed() {
			return
		}
	}
	m.clock = m.clock.Add(time.Minute)
	m.run()
	m.complete()
	r, err := distribution.Verify(t.Context(), m.bucket, m.layout, m.trusted, &distribution.VerifyOptions{Now: m.clock, MaxAge: 3 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		t.Errorf("verify: %s", f)
	}
	t.Logf("%d runs, %d files, of which %d there: %d keys", m.runs, len(m.files), r.Archives, len(m.due))
	m.openssl()
}

// openssl verifies both signatures of the files that are there, as whoever has
// nothing of ours.
func (m *month) openssl() {
	m.t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		m.t.Log("openssl is not there: signatures are verified by this library alone")
		return
	}
	dir := m.t.TempDir()
	archiveKey := writePEM(m.t, dir, newSigner(m.t, "234-v1").PublicKey())
	metadataKey := writePEM(m.t, dir, newSigner(m.t, "metadata-v1").PublicKey())
	names := slices.Sorted(maps.Keys(m.want()))
	for _, name := range append(names[len(names)-8:], names[:15]...) { // the last hours, and all days
		content, a, err := storage.ReadAll(m.t.Context(), m.bucket, name, 1<<24)
		if err != nil {
			m.t.Fatal(err)
		}
		var list exportpb.TEKSignatureList
		if err := proto.Unmarshal(entryOf(m.t, content, "export.sig"), &list); err != nil || len(list.Signatures) != 1 {
			m.t.Fatalf("%s: %v, %d signatures", name, err, len(list.Signatures))
		}
		opensslVerifies(m.t, name, archiveKey, entryOf(m.t, content, "export.bin"), list.Signatures[0].Signature)
		_, text, _ := strings.Cut(a.Metadata["signature"], `",signature="`)
		der, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(text, `"`))
		if err != nil {
			m.t.Fatal(err)
		}
		opensslVerifies(m.t, name+", metadata", metadataKey, append([]byte(a.Metadata["signature-date"]+":"), content...), der)
	}
}

func writePEM(t *testing.T, dir string, k signing.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.Key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, k.KeyID+".pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func entryOf(t *testing.T, archive []byte, name string) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func opensslVerifies(t *testing.T, what, key string, content, signature []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "signature")
	if err := os.WriteFile(path, signature, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "openssl", "dgst", "-sha256", "-verify", key, "-signature", path)
	cmd.Stdin = bytes.NewReader(content)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "Verified OK") {
		t.Errorf("%s: openssl says %q", what, fmt.Sprint(string(out), err))
	}
}
