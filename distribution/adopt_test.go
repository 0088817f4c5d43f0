package distribution_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/cwa"
	"github.com/gaenkit/gaen/internal/exportpb"
	"github.com/gaenkit/gaen/internal/treetest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// switchTime is a weekday morning.
var switchTime = time.Date(2026, 3, 11, 9, 20, 0, 0, time.UTC)

// A submitted is an upload that the other system took in, and when it published it:
// zero if it has not.
type submitted struct {
	ledger.Upload
	source    ledger.Source
	published time.Time
}

// predecessor is a back end that runs another system, until the switch.
type predecessor struct {
	*world
	uploads []submitted
	before  map[string][]byte // the tree as it was left
	left    map[string]string // the ETags of it
	replace string            // of what is there, what alone may be put
	files   map[string][]byte // every one that there ever was
}

// newPredecessor lives through some days of submissions. What is submitted in the last
// hour is not published yet.
func newPredecessor(t testing.TB, kind placeKind, days int, british bool) *predecessor {
	p := &predecessor{world: newWorldIn(t, kind, 17)}
	p.rand = rand.New(rand.NewPCG(4, 4))
	p.packages = []distribution.Package{
		{Name: "DE", Select: distribution.FromOrigin(de), Map: distribution.CWA(3)},
		{Name: "EUR", Select: distribution.FromEverywhere(), Map: distribution.CWA(3)},
	}
	p.layout = newLayout(t, &cwa.Options{Hash: cwa.HashMD5, HourDays: 3})
	if british {
		p.british(nil)
	}
	p.ring = newRing(t, "262-v2")
	p.opts.Trusted = newRing(t, "262-v1").PublicKeys()
	for at := switchTime.AddDate(0, 0, -days).Truncate(hour); at.Before(switchTime); at = at.Add(hour) {
		p.clock = at.Add(20 * time.Minute)
		published := at
		if !at.Add(2 * hour).Before(switchTime) {
			published = time.Time{}
		}
		for range 2 {
			p.submit(ledger.Own, p.upload(de), published)
		}
		if at.Hour()%3 == 0 {
			p.submit("hub", p.upload(fr), published)
		}
	}
	p.clock = switchTime
	return p
}

// submit notes an upload, of which only keys that have been over for two hours are
// there: the others come later, and are not of interest here.
func (p *predecessor) submit(source ledger.Source, up ledger.Upload, published time.Time) {
	up.Keys = slices.DeleteFunc(up.Keys, func(k keys.DiagnosisKey) bool {
		valid := k.End().Add(2*hour).After(p.clock.Truncate(hour)) && p.layout.Name() != "nhs" // which publishes them
		return valid || k.End().AddDate(0, 0, 13).Before(switchTime)
	})
	for i := range up.Keys {
		up.Keys[i].TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(1 + p.rand.IntN(8)))
	}
	if len(up.Keys) > 0 {
		p.uploads = append(p.uploads, submitted{up, source, published})
	}
}

// published returns the keys that the other system has published, by package.
func (p *predecessor) published() map[string][]treetest.Key {
	all := map[string][]treetest.Key{"DE": nil, "EUR": nil}
	for _, up := range p.uploads {
		for _, k := range up.Keys {
			if up.published.IsZero() {
				continue
			}
			t := treetest.Key{
				Data: k.KeyData, Start: int32(k.RollingStartIntervalNumber), Period: int32(k.RollingPeriod), Published: up.published,
			}
			if risk, ok := k.TransmissionRiskLevel.Get(); ok {
				t.Risk = int32(risk)
			}
			all["EUR"] = append(all["EUR"], t)
			if k.Origin == de {
				all["DE"] = append(all["DE"], t)
			}
		}
	}
	return all
}

// leave puts the other system's tree into the bucket.
func (p *predecessor) leave() {
	p.t.Helper()
	var tree map[string]treetest.Object
	signer := treetest.Signer{Key: fixedKey(p.t, "262-v1"), ID: "262", Version: "v1"}
	if p.layout.Name() == "nhs" {
		n := treetest.NHS{Signer: signer, Metadata: treetest.Signer{Key: fixedKey(p.t, "metadata"), ID: "metadata"}}
		tree = n.Tree(p.published()["EUR"], switchTime.Truncate(2*hour).Add(-14*time.Minute))
		p.replace = "distribution/daily/2026031200.zip"
	} else {
		c := treetest.CWA{Signer: signer, HourDays: 2}
		tree = c.Tree(p.published(), switchTime.AddDate(0, 0, -9), switchTime.Add(-hour/2))
	}
	p.lay(tree)
}

func (p *predecessor) lay(tree map[string]treetest.Object) {
	p.t.Helper()
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		o := tree[name]
		_, err := storage.Put(p.t.Context(), p.bucket, name, bytes.NewReader(o.Body), &storage.PutOptions{
			ContentType: o.ContentType, CacheControl: o.CacheControl, Metadata: o.Metadata,
		})
		if err != nil {
			p.t.Fatal(err)
		}
	}
	p.before, p.left, p.files = objects(p.t, p.bucket), map[string]string{}, map[string][]byte{}
	for a, err := range storage.List(p.t.Context(), p.bucket, "") {
		if err != nil {
			p.t.Fatal(err)
		}
		p.left[a.Name] = a.ETag
		if _, ok := p.layout.Parse(a.Name); ok {
			p.remember(a.Name)
		}
	}
}

// hand has the ledger accept what the other system knows of keys.
func (p *predecessor) hand() {
	p.t.Helper()
	for _, up := range p.uploads {
		p.accept(up.source, up.Upload)
	}
}

// adopt adopts without faults and expects no error.
func (p *predecessor) adopt(opts *distribution.AdoptOptions) *distribution.AdoptReport {
	p.t.Helper()
	pub, b := p.publisher(nil, nil)
	r, err := pub.Adopt(p.t.Context(), opts)
	if err != nil {
		p.t.Fatalf("%v\n%s", err, r)
	}
	if n := b.Count(storagetest.OpPut, storagetest.OpCreate, storagetest.OpReplace, storagetest.OpDelete); n > 0 {
		p.t.Fatalf("adoption made %d changes to the bucket", n)
	}
	return r
}

// publish makes the cut of the next hour and runs. Nothing that was left is put, but
// for indexes and the day in progress.
func (p *predecessor) publish() *distribution.Report {
	p.t.Helper()
	p.release()
	pub, b := p.publisher(nil, nil)
	r, err := pub.Run(p.t.Context())
	if err != nil {
		p.t.Fatalf("run at %s: %v\n%s", p.clock, err, r)
	}
	for _, c := range b.Calls() {
		_, was := p.left[c.Name]
		_, file := p.layout.Parse(c.Name)
		if was && file && c.Name != p.replace && slices.Contains([]string{storagetest.OpPut, storagetest.OpCreate, storagetest.OpReplace}, c.Op) {
			p.t.Fatalf("%s at %s: %s", c.Op, p.clock, c.Name)
		}
		if was && !file && c.Op != storagetest.OpGet && slices.Contains(r.Indexes, c.Name) {
			now, _, err := storage.ReadAll(p.t.Context(), p.bucket, c.Name, 1<<20)
			if err != nil || bytes.Equal(now, p.before[c.Name]) {
				p.t.Fatalf("%s at %s: %s, which says what it said: %v", c.Op, p.clock, c.Name, err)
			}
		}
	}
	for _, w := range slices.Concat(r.Published, r.Open) {
		p.remember(w.Objects...)
	}
	return r
}

// live lets hours pass: new uploads, and some that come a second time, both ones
// that the other system published and ones that it had not.
func (p *predecessor) live(hours int) {
	p.t.Helper()
	for n := range hours {
		p.clock = p.clock.Add(time.Minute)
		up := p.upload(de)
		up.Keys = slices.DeleteFunc(up.Keys, func(k keys.DiagnosisKey) bool { return k.End().Add(2 * hour).After(p.clock) })
		for i := range up.Keys {
			up.Keys[i].TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(8))
		}
		p.uploads = append(p.uploads, submitted{up, ledger.Own, time.Time{}})
		p.accept(ledger.Own, up)
		again := p.uploads[(n*37)%len(p.uploads)]
		p.accept(again.source, again.Upload)
		p.publish()
	}
	for range 4 { // until nothing waits for others
		p.publish()
	}
}

// shown returns what every file has, by key data, read with nothing of the
// publisher's.
func (p *predecessor) shown(name string, content []byte) (shown map[keys.KeyData]*exportpb.TemporaryExposureKey, revised map[keys.KeyData]*exportpb.TemporaryExposureKey) {
	p.t.Helper()
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		p.t.Fatalf("%s: %v", name, err)
	}
	f, err := z.Open("export.bin")
	if err != nil {
		p.t.Fatalf("%s: %v", name, err)
	}
	bin, err := io.ReadAll(f)
	if err != nil {
		p.t.Fatalf("%s: %v", name, err)
	}
	e := &exportpb.TemporaryExposureKeyExport{}
	if err := proto.Unmarshal(bin[16:], e); err != nil {
		p.t.Fatalf("%s: %v", name, err)
	}
	by := func(all []*exportpb.TemporaryExposureKey) map[keys.KeyData]*exportpb.TemporaryExposureKey {
		m := map[keys.KeyData]*exportpb.TemporaryExposureKey{}
		for _, k := range all {
			m[keys.KeyData(k.KeyData)] = k
		}
		return m
	}
	return by(e.Keys), by(e.RevisedKeys)
}

// remember keeps what is in the bucket, or of it what a run has written.
func (p *predecessor) remember(names ...string) {
	p.t.Helper()
	for _, name := range names {
		content, _, err := storage.ReadAll(p.t.Context(), p.bucket, name, 1<<30)
		if err != nil {
			p.t.Fatal(err)
		}
		p.files[name] = content
	}
}

// check holds the files against what was submitted: every key of a package is in one
// base window, and in none of ours if the other system had published it; a day is the
// sum of its hours.
func (p *predecessor) check(risk bool) {
	p.t.Helper()
	wanted := map[string]map[keys.KeyData]bool{} // whether it was published before
	for _, pkg := range p.packages {
		wanted[pkg.Name] = map[keys.KeyData]bool{}
		for _, up := range p.uploads {
			for _, k := range up.Keys {
				level, _ := k.TransmissionRiskLevel.Get()
				if (!risk || level >= 3) && (pkg.Name != "DE" || k.Origin == de || !risk) {
					wanted[pkg.Name][k.KeyData] = wanted[pkg.Name][k.KeyData] || !up.published.IsZero()
				}
			}
		}
	}
	base := p.layout.Spans()[0].Name
	times := map[string]map[keys.KeyData]int{"DE": {}, "EUR": {}}
	days := map[string]map[keys.KeyData]bool{}
	sums := map[string]map[keys.KeyData]bool{}
	hours := map[string]int{}
	for name, content := range p.files {
		f, _ := p.layout.Parse(name)
		shown, _ := p.shown(name, content)
		day := f.Package + f.Window.Start.Add(-p.layout.Offset()).Format(time.DateOnly)
		_, was := p.left[name]
		for k := range shown {
			if f.Span != base {
				continue
			}
			if times[f.Package][k]++; times[f.Package][k] > 1 {
				p.t.Fatalf("%s has a key that another file of the package had", name)
			}
			if before, ok := wanted[f.Package][k]; !ok || !was && before {
				p.t.Fatalf("%s has a key that was published before the switch, or is none of the package", name)
			}
		}
		into := days
		if f.Span == base {
			into = sums
			hours[day]++
		}
		if into[day] == nil {
			into[day] = map[keys.KeyData]bool{}
		}
		for k := range shown {
			into[day][k] = true
		}
	}
	length := int(24 * hour / p.layout.Spans()[0].Length)
	for day, all := range days {
		if hours[day] == length && !maps.Equal(all, sums[day]) {
			p.t.Errorf("day %s has %d keys, its hours %d", day, len(all), len(sums[day]))
		}
		for k := range all { // of days of which there are no hours
			if pkg, _, _ := strings.Cut(day, "20"); times[pkg][k] == 0 {
				times[pkg][k]++
			}
		}
	}
	for pkg, all := range wanted {
		lost := 0
		for k := range all {
			if times[pkg][k] == 0 {
				lost++
			}
		}
		if lost > 0 {
			p.t.Errorf("%s: %d of %d keys were never published", pkg, lost, len(all))
		}
	}
}

// TestAdoptTree takes over a tree with cwa-server's names, headers and hashes, and runs
// for a week.
func TestAdoptTree(t *testing.T) {
	for _, kind := range []placeKind{inMemory, inFiles, onS3} {
		for _, records := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, records %t", kind, records), func(t *testing.T) {
				t.Parallel()
				if kind != inMemory && !records {
					t.Skip("in memory it is shown")
				}
				p := newPredecessor(t, kind, 8, false)
				if kind == inFiles {
					p.layout = newLayout(t, &cwa.Options{Hash: cwa.HashMD5, HourDays: 3, Index: "index"})
				}
				p.leaveIn(kind)
				if records {
					p.hand()
				} else {
					p.uploads = slices.DeleteFunc(p.uploads, func(u submitted) bool { return u.published.IsZero() })
				}
				hours := 7 * 24
				if kind != inMemory || !records {
					hours = 30 // past the end of the day of the switch
				}
				p.takeOver(hours, true)
			})
		}
	}
}

func (p *predecessor) leaveIn(kind placeKind) {
	if kind != inFiles {
		p.leave()
		return
	}
	c := treetest.CWA{Signer: treetest.Signer{Key: fixedKey(p.t, "262-v1"), ID: "262", Version: "v1"}, HourDays: 2, Index: "index"}
	p.lay(c.Tree(p.published(), switchTime.AddDate(0, 0, -9), switchTime.Add(-hour/2)))
}

// takeOver adopts, lives through a week, and checks everything.
func (p *predecessor) takeOver(hours int, risk bool) {
	p.t.Helper()
	r := p.adopt(nil)
	if len(r.Differences)+len(r.Missing)+len(r.Refused)+len(r.Warnings) > 0 {
		p.t.Errorf("got\n%s", r)
	}
	if d := difference(objects(p.t, p.bucket), p.before); d != "" {
		p.t.Errorf("adoption: %s", d)
	}
	p.released()
	if again := p.adopt(nil); !again.Already {
		p.t.Errorf("adopted again:\n%s", again)
	}
	both, err := signing.NewTrustList(append(p.ring.PublicKeys(), p.opts.Trusted...)...)
	if err != nil {
		p.t.Fatal(err)
	}
	p.publish()
	p.live(hours)
	tree, err := distribution.Verify(p.t.Context(), p.bucket, p.layout, both, &distribution.VerifyOptions{Now: p.clock, MaxAge: 3 * hour, NoAttributes: true})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, f := range tree.Findings {
		if _, was := p.left[f.Object]; !was || !strings.HasPrefix(f.Problem, "order: ") { // of the other system's, who shuffled
			p.t.Errorf("verify: %s", f)
		}
	}
	p.check(risk)
	p.balance()
}

// released sees to it that of no key that was published a unit waits.
func (p *predecessor) released() {
	p.t.Helper()
	out := map[keys.KeyData]bool{}
	for _, all := range p.published() {
		for _, k := range all {
			out[k.Data] = k.Risk >= 3 || p.layout.Name() == "nhs"
		}
	}
	for rec, err := range p.open(nil).Find(p.t.Context(), ledger.Query{}) {
		if err != nil {
			p.t.Fatal(err)
		}
		if rec.Unit != nil && rec.Unit.Released() != out[rec.ID.KeyData] {
			p.t.Fatalf("a unit of %s is released: %t, and published: %t", rec.ID.Origin, rec.Unit.Released(), out[rec.ID.KeyData])
		}
	}
}

// balance holds the ledger's books to its equations, with the packages as sinks.
func (p *predecessor) balance() {
	p.t.Helper()
	pub, _ := p.publisher(nil, nil)
	sinks, err := pub.Sinks(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	stats, err := p.open(nil).Stats(p.t.Context(), sinks...)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := stats.Check(); err != nil {
		p.t.Error(err)
	}
}

// TestAdoptBritish takes over what the British back end left, keys among it that are
// in use still, and runs for a week. What is there is not put again, but for the day in
// progress.
func TestAdoptBritish(t *testing.T) {
	t.Parallel()
	p := newPredecessor(t, inMemory, 8, true)
	p.leave()
	p.hand()
	p.takeOver(7*24, false)
}
