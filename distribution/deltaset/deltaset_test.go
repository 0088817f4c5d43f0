package deltaset_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/deltaset"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
)

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct {
		opts deltaset.Options
		want string
	}{
		{deltaset.Options{Prefix: "/a"}, "Prefix"},
		{deltaset.Options{Prefix: "a/../b"}, "Prefix"},
		{deltaset.Options{Interval: 30 * time.Second}, "Interval"},
		{deltaset.Options{Interval: 7 * time.Minute}, "Interval"},
		{deltaset.Options{Interval: 48 * time.Hour}, "Interval"},
		{deltaset.Options{Interval: -time.Hour}, "Interval"},
		{deltaset.Options{Next: time.Second}, "Next"},
		{deltaset.Options{Next: time.Hour}, "Next"},
		{deltaset.Options{Files: "hour"}, "Files"},
		{deltaset.Options{Snapshot: 90 * time.Minute}, "Snapshot"},
		{deltaset.Options{Snapshot: 5 * time.Hour}, "Snapshot"},
		{deltaset.Options{Snapshots: -1}, "Snapshots"},
		{deltaset.Options{Days: -1}, "Days"},
		{deltaset.Options{Retain: -1}, "Retain"},
		{deltaset.Options{Gzip: true, Files: deltaset.ByDay}, "Gzip"},
	} {
		if _, err := deltaset.New(&test.opts); err == nil || !strings.Contains(err.Error(), "Options."+test.want+":") {
			t.Errorf("%+v: got %v, want it to name %s", test.opts, err, test.want)
		}
	}
}

// TestIntervals: from a minute to a day, and how often there is a snapshot then.
func TestIntervals(t *testing.T) {
	for interval, snapshot := range map[time.Duration]time.Duration{
		time.Minute: time.Hour, 9 * time.Minute: 9 * time.Minute, 15 * time.Minute: time.Hour, 2 * time.Hour: 2 * time.Hour, 24 * time.Hour: 24 * time.Hour,
	} {
		l := newLayout(t, &deltaset.Options{Interval: interval})
		spans := l.Spans()
		if spans[0].Length != interval || spans[1].Length != snapshot || !spans[1].State {
			t.Errorf("%s: %+v", interval, spans)
		}
	}
}

func window(end string, length time.Duration) distribution.Window {
	t, err := time.Parse(time.RFC3339, end)
	if err != nil {
		panic(err)
	}
	return distribution.Window{Start: t.Add(-length), End: t}
}

func TestNames(t *testing.T) {
	quarter := &deltaset.Options{Interval: 15 * time.Minute, Subfolder: true}
	quarterByDay := &deltaset.Options{Prefix: "a/b", Interval: 15 * time.Minute, Files: deltaset.ByDay}
	byDay := &deltaset.Options{Files: deltaset.ByDay}
	ninety := &deltaset.Options{Interval: 90 * time.Minute, Files: deltaset.ByDay}
	hour, at := time.Hour, "2026-03-01T23:00:00Z"
	for _, test := range []struct {
		opts *deltaset.Options
		file distribution.File
		want string
	}{
		{nil, distribution.File{Span: "interval", Kind: "exposures", Window: window(at, hour)}, "deltaset/DE/exposures/492334"},
		{nil, distribution.File{Span: "interval", Kind: "retractions", Window: window(at, hour)}, "deltaset/DE/retractions/492334"},
		{nil, distribution.File{Span: "snapshot", Window: window(at, hour)}, "deltaset/DE/snapshot/492334"},
		{quarter, distribution.File{Span: "interval", Kind: "exposures", Window: window(at, 15*time.Minute)}, "deltaset/DE/i900/exposures/1969339"},
		{quarter, distribution.File{Span: "snapshot", Window: window(at, hour)}, "deltaset/DE/i900/snapshot/1969339"},
		{byDay, distribution.File{Span: "interval", Kind: "active-20513", Window: window(at, hour)}, "deltaset/DE/active/26030123-20513.gz"},
		{byDay, distribution.File{Span: "interval", Kind: "retracted-20499", Window: window(at, hour)}, "deltaset/DE/retracted/26030123-20499.gz"},
		{ninety, distribution.File{Span: "snapshot", Window: window("2026-03-01T22:30:00Z", 90*time.Minute)}, "deltaset/DE/snapshot/2603012230.gz"},
		{byDay, distribution.File{Span: "snapshot", Window: window(at, hour)}, "deltaset/DE/snapshot/26030123.gz"},
		{quarterByDay, distribution.File{Span: "interval", Kind: "active-20513", Window: window("2026-03-01T23:15:00Z", 15*time.Minute)}, "a/b/DE/active/2603012315-20513.gz"},
	} {
		l := newLayout(t, test.opts)
		test.file.Package, test.file.Parts = "DE", 1
		if got := l.Object(test.file); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
		if got, ok := l.Parse(test.want); !ok || got != test.file {
			t.Errorf("%s: got %+v, %t, want %+v", test.want, got, ok, test.file)
		}
	}
	for _, name := range []string{
		"deltaset/packages", "deltaset/DE/latest", "deltaset/DE/SHA256SUMS", "deltaset/DE/exposures/SHA256SUMS.sig", "deltaset/DE/i900/exposures/1",
		"deltaset/DE/exposures/01", "deltaset/DE/exposures/+1", "deltaset/DE/exposures/-1", "deltaset/DE/exposures/1/2", "deltaset/DE/other/1", "deltaset/x/exposures/1",
		"deltaset/DE/exposures/99999999999999999999", "deltaset/DE/exposures/1099511627777",
	} {
		if f, ok := newLayout(t, nil).Parse(name); ok {
			t.Errorf("%s is taken for %+v", name, f)
		}
	}
	for name, opts := range map[string]*deltaset.Options{
		"deltaset/DE/active/26030123--1.gz":      byDay,
		"deltaset/DE/active/26030123.gz":         byDay,
		"deltaset/DE/active/26030123-020513.gz":  byDay,
		"deltaset/DE/snapshot/26030123-20513.gz": byDay,
		"deltaset/DE/i900/snapshot/1969338":      quarter, // not at an hour
	} {
		if f, ok := newLayout(t, opts).Parse(name); ok {
			t.Errorf("%s is taken for %+v", name, f)
		}
	}
	for want, opts := range map[string]*deltaset.Options{"deltaset": nil, "deltaset-i900": quarter} {
		if got := newLayout(t, opts).Name(); got != want {
			t.Errorf("the layout is named %s, want %s", got, want)
		}
	}
}

// testKey is key number i, of a day so many days before the tests' window ends.
func testKey(i byte, daysAgo int, report keys.ReportType) keys.TemporaryExposureKey {
	return keys.TemporaryExposureKey{
		KeyData:                    keys.KeyData{i, 15: 0xff},
		RollingStartIntervalNumber: keys.StartOfDay(20513 - daysAgo),
		RollingPeriod:              144,
		ReportType:                 keys.Some(report),
		TransmissionRiskLevel:      keys.Some(keys.TransmissionRiskLevel(3)),
	}
}

// TestFiles has what a window's content becomes: exposed, exposed again, retracted,
// expired, and passed over.
func TestFiles(t *testing.T) {
	w := window("2026-03-01T23:00:00Z", time.Hour)
	fresh := testKey(2, 1, keys.ReportConfirmedTest)
	fresh.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(-3))
	plain := testKey(1, 2, 0)
	plain.ReportType = keys.Optional[keys.ReportType]{}
	content := &export.Content{
		Start: w.Start, End: w.End, Region: "DE",
		Keys: []keys.TemporaryExposureKey{fresh, plain, testKey(3, 14, keys.ReportSelfReport)}, // the last is not relevant
		RevisedKeys: []keys.TemporaryExposureKey{
			testKey(5, 13, keys.ReportConfirmedTest), // the last day that is
			testKey(4, 1, keys.ReportRevoked),
			testKey(6, 14, keys.ReportConfirmedTest),
			testKey(7, 14, keys.ReportRevoked),
		},
	}
	const (
		one   = "010000000000000000000000000000ff 20511 2953584 144 - -\n"
		two   = "020000000000000000000000000000ff 20512 2953728 144 1 -3\n"
		five  = "050000000000000000000000000000ff 20500 2952000 144 1 -\n"
		four  = "040000000000000000000000000000ff 20512 2953728 144 revoked -\n"
		six   = "060000000000000000000000000000ff 20499 2951856 144 expired -\n"
		seven = "070000000000000000000000000000ff 20499 2951856 144 revoked -\n"
		empty = ""
	)
	for _, test := range []struct {
		name string
		opts deltaset.Options
		want map[string]string // text by kind
	}{
		{"by interval", deltaset.Options{}, map[string]string{"exposures": one + two + five, "retractions": four + seven}},
		{"announced", deltaset.Options{Announce: true}, map[string]string{"exposures": one + two + five, "retractions": four + six + seven}},
		{"compressed", deltaset.Options{Gzip: true}, map[string]string{"exposures": one + two + five, "retractions": four + seven}},
		{"by day", deltaset.Options{Files: deltaset.ByDay, Announce: true}, map[string]string{
			"active-20500": five, "active-20511": one, "active-20512": two, "active-20513": empty, "retracted-20499": six + seven, "retracted-20512": four,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLayout(t, &test.opts)
			kinds := l.Kinds(l.Spans()[0], content)
			if len(kinds) != len(test.want) || !slices.IsSorted(kinds) {
				t.Fatalf("got kinds %q, want %d", kinds, len(test.want))
			}
			for _, kind := range kinds {
				f := distribution.File{Package: "DE", Span: "interval", Kind: kind, Window: w, Parts: 1}
				e, err := l.Encode(f, content)
				if err != nil {
					t.Fatal(err)
				}
				if got := plainOf(t, e.Bytes); got != test.want[kind] {
					t.Errorf("%s: got\n%swant\n%s", kind, got, test.want[kind])
				}
				back, said, err := l.Decode(f, e.Bytes)
				if err != nil || back.SHA256 != e.SHA256 || back.Content != e.Content {
					t.Errorf("%s: decoded as another file: %v", kind, err)
				}
				if n := strings.Count(test.want[kind], "\n"); len(said.Keys)+len(said.RevisedKeys) != n {
					t.Errorf("%s: decoded %d keys, want %d", kind, len(said.Keys)+len(said.RevisedKeys), n)
				}
				revoked := 0
				for _, k := range said.RevisedKeys {
					if k.ReportType == keys.Some(keys.ReportRevoked) {
						revoked++
					}
				}
				if n := strings.Count(test.want[kind], "revoked"); revoked != n {
					t.Errorf("%s: decoded %d revoked keys, want %d", kind, revoked, n)
				}
			}
		})
	}
}

// TestLastHour: the interval that ends at midnight is of the day that it begins in,
// and what is relevant is by the day that it ends at.
func TestLastHour(t *testing.T) {
	w := window("2026-03-02T00:00:00Z", time.Hour)
	content := &export.Content{Start: w.Start, End: w.End, Region: "DE", Keys: []keys.TemporaryExposureKey{
		testKey(1, 12, keys.ReportConfirmedTest), testKey(2, 13, keys.ReportConfirmedTest),
	}}
	byDay := newLayout(t, &deltaset.Options{Files: deltaset.ByDay})
	if got, want := byDay.Kinds(byDay.Spans()[0], content), []string{"active-20501", "active-20513"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	l := newLayout(t, nil)
	for _, f := range []distribution.File{{Span: "interval", Kind: "exposures"}, {Span: "snapshot"}} {
		f.Package, f.Window, f.Parts = "DE", w, 1
		e, err := l.Encode(f, content)
		if err != nil || strings.Count(string(e.Bytes), "\n") != 1 || !strings.HasPrefix(string(e.Bytes), "01") {
			t.Errorf("%s: got %q, %v, want the first key", f.Span, e.Bytes, err)
		}
	}
}

// TestAttributes: each kind of file says what it is and how it is stored, and one
// that says otherwise is found out.
func TestAttributes(t *testing.T) {
	text := []byte("00112233445566778899aabbccddeeff 20513 2953872 144 1 -\n")
	for _, test := range []struct {
		name     string
		opts     deltaset.Options
		stored   []byte
		mime     string
		encoding string
		wrong    string
	}{
		{"plain", deltaset.Options{}, text, "text/plain; charset=utf-8", "", "gzip"},
		{"empty", deltaset.Options{}, nil, "text/plain; charset=utf-8", "", "gzip"},
		{"compressed", deltaset.Options{Gzip: true}, compressed(text), "text/plain; charset=utf-8", "gzip", ""},
		{"compressed for good", deltaset.Options{Files: deltaset.ByDay}, compressed(text), "application/gzip", "", "gzip"},
	} {
		l := newLayout(t, &test.opts)
		o, err := l.FileOptions(&distribution.Archive{Bytes: test.stored})
		if err != nil || o.ContentType != test.mime || o.ContentEncoding != test.encoding {
			t.Errorf("%s: %+v, %v", test.name, o, err)
		}
		if err := l.CheckAttributes(test.stored, storage.Attributes{ContentEncoding: test.encoding}); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		for _, wrong := range []string{test.wrong, "br"} {
			if err := l.CheckAttributes(test.stored, storage.Attributes{ContentEncoding: wrong}); err == nil {
				t.Errorf("%s: taken with content encoding %q", test.name, wrong)
			}
		}
	}
	l := newLayout(t, nil)
	for name, want := range map[string]string{"SHA256SUMS": "text/plain; charset=utf-8", "SHA256SUMS.sig": "application/octet-stream", "latest": "text/plain; charset=utf-8"} {
		if o := l.IndexOptions(distribution.Index{Name: tree + name}); o.ContentType != want {
			t.Errorf("%s is %s, want %s", name, o.ContentType, want)
		}
	}
}

// TestDecodeByDay: a file that is to be compressed for good and is not is none.
func TestDecodeByDay(t *testing.T) {
	l := newLayout(t, &deltaset.Options{Files: deltaset.ByDay})
	f := distribution.File{Package: "DE", Span: "snapshot", Window: window("2026-03-01T23:00:00Z", time.Hour), Parts: 1}
	if _, _, err := l.Decode(f, nil); err == nil {
		t.Error("an empty object is taken for a file")
	}
}

// TestTree has the whole of a small tree: names, attributes, headers, signatures.
func TestTree(t *testing.T) {
	w := newWorld(t, &deltaset.Options{Gzip: true, Next: 2 * time.Hour})
	w.upload()
	w.hour()
	var names []string
	for name := range w.objects() {
		names = append(names, strings.TrimPrefix(name, "deltaset/"))
	}
	slices.Sort(names)
	n := w.newest()
	want := []string{
		"DE/SHA256SUMS", "DE/SHA256SUMS.sig",
		"DE/exposures/" + fmt.Sprint(n), "DE/exposures/SHA256SUMS", "DE/exposures/SHA256SUMS.sig",
		"DE/latest",
		"DE/retractions/" + fmt.Sprint(n), "DE/retractions/SHA256SUMS", "DE/retractions/SHA256SUMS.sig",
		"DE/snapshot/" + fmt.Sprint(n), "DE/snapshot/SHA256SUMS", "DE/snapshot/SHA256SUMS.sig",
		"packages",
	}
	if !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	objects := w.objects()
	if a := objects[tree+"latest"]; a.CacheControl != "public,max-age=30" || string(w.object(tree+"latest")) != fmt.Sprintf("%d\n", n) {
		t.Errorf("latest is kept by %q and says %q", a.CacheControl, w.object(tree+"latest"))
	}
	a := objects[tree+"exposures/"+fmt.Sprint(n)]
	if a.ContentType != "text/plain; charset=utf-8" || a.ContentEncoding != "gzip" || a.CacheControl != "public,max-age=300" {
		t.Errorf("exposures have %+v", a)
	}
	header := fmt.Sprintf(`# layout: gaen-deltaset 1
# ledger: %s
# package: DE
# folder: retractions
# files: interval
# interval: 3600
# days: 14
# newest: %d
# snapshot: %d
# made: 2026-03-01T23:05:00Z
# next: i7200
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  %d
`, w.ledger.Identity(), n, n, n)
	if got := string(w.object(tree + "retractions/SHA256SUMS")); got != header {
		t.Errorf("got\n%swant\n%s", got, header)
	}
	if r := w.verify(); r.Archives != 3 || r.Keys == 0 || r.Newest["DE"] != w.clock.Truncate(time.Hour) {
		t.Errorf("verified %+v", r)
	}
}

// TestUnchanged: a run with nothing new signs and writes nothing.
func TestUnchanged(t *testing.T) {
	w := newWorld(t, nil)
	w.upload()
	w.hour()
	if r := w.publish(); r.Written+len(r.Indexes)+r.Deleted != 0 {
		t.Errorf("nothing new, and %s", r)
	}
}

// TestSnapshotsGo: only the newest are kept, and after an outage only those are made.
func TestSnapshotsGo(t *testing.T) {
	w := newWorld(t, &deltaset.Options{Snapshots: 2})
	w.upload()
	for range 5 {
		w.hour()
	}
	if got := w.count("snapshot/"); got != 3 { // of which one is listed no more
		t.Errorf("%d snapshots after 5 hours", got)
	}
	w.cut(1)
	w.cut(1)
	w.cut(5)
	w.publish()
	w.cut(1)
	w.publish()
	w.verify()
	if got := w.count("snapshot/"); got > 4 {
		t.Errorf("%d snapshots after an outage", got)
	}
	if got := w.count("exposures/"); got != int(w.newest()-492334)+1 {
		t.Errorf("%d files of exposures", got)
	}
}

// TestRotation: while keys overlap, whoever has one of them can follow.
func TestRotation(t *testing.T) {
	w := newWorld(t, nil)
	w.upload()
	w.hour()
	old := trust(t, w.ring)
	w.ring = newRing(t, "262-v1", "262-v2")
	w.hour()
	fresh := trust(t, newRing(t, "262-v2"))
	digest := sha256.Sum256(w.object(tree + "SHA256SUMS"))
	for name, public := range map[string]signing.PublicKey{"SHA256SUMS.sig": old.Keys()[0], "SHA256SUMS.262-v1.sig": old.Keys()[0], "SHA256SUMS.262-v2.sig": fresh.Keys()[0]} {
		if err := public.Verify(digest[:], w.object(tree+name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, trusted := range map[string]*signing.TrustList{"old": old, "new": fresh, "both": trust(t, w.ring)} {
		c, err := deltaset.NewClient(t.TempDir(), deltaset.FromBucket(w.bucket, tree), trusted, &deltaset.ClientOptions{Now: func() time.Time { return w.clock }})
		if err != nil {
			t.Fatal(err)
		}
		if u, err := c.Update(t.Context()); err != nil || u.To.Keys == 0 {
			t.Errorf("%s key: %+v, %v", name, u, err)
		}
	}
	w.verify()
	w.ring = newRing(t, "262-v2")
	w.hour()
	w.verify()
	w.hour()
	if got := w.count("SHA256SUMS.262-v1.sig"); got != 0 {
		t.Error("signatures by the old key are still there")
	}
}

// TestFinerThanTheGrid: the ledger's policy says how fine intervals can be.
func TestFinerThanTheGrid(t *testing.T) {
	w := newWorld(t, nil)
	packages := []distribution.Package{{Name: "DE", Select: distribution.FromOrigin(de), Map: distribution.Identity()}}
	for _, opts := range []deltaset.Options{{Interval: 15 * time.Minute}, {Days: 15}, {Days: 13, Announce: true}} {
		if _, err := distribution.New(w.ledger, w.bucket, newLayout(t, &opts), packages, w.ring, nil); err == nil {
			t.Errorf("%+v: no error", opts)
		}
	}
}

// TestMinutes: where the ledger's policy names so fine a grid, an interval is a
// minute.
func TestMinutes(t *testing.T) {
	w := newWorld(t, &deltaset.Options{Interval: time.Minute, Snapshots: 1})
	policy := ledger.DefaultPolicy()
	policy.Grid, policy.FineGrid = time.Minute, true
	policy.MinKeys, policy.MinUploads, policy.LongestWait = 1, 1, 0
	w.open(&policy)
	w.clock = time.Date(2026, 3, 1, 22, 57, 30, 0, time.UTC)
	w.upload()
	c := w.client()
	for range 5 {
		w.clock = w.clock.Truncate(time.Minute).Add(time.Minute + 5*time.Second)
		w.must(w.ledger.Release(t.Context(), &ledger.ReleaseOptions{AllowGap: true}))
		w.publish()
		u, err := c.Update(t.Context())
		if hour := w.clock.Hour() == 23; hour && err != nil || !hour && !errors.Is(err, deltaset.ErrTryAgain) {
			t.Errorf("at %s: %v; there is a snapshot by the hour", w.clock, err)
		}
		if err == nil && (u.To.Newest != w.clock.Unix()/60-1 || u.Snapshot != (w.clock.Minute() == 0)) {
			t.Errorf("at %s: %+v", w.clock, u)
		}
	}
	if got := string(w.object(tree + "latest")); got != fmt.Sprintf("%d\n", w.clock.Unix()/60-1) {
		t.Errorf("latest says %s", got)
	}
	w.verify()
}

// TestExpired: what is no longer relevant is announced once, at midnight, and by no
// other interval.
func TestExpired(t *testing.T) {
	w := newWorld(t, &deltaset.Options{Announce: true, Days: 5})
	w.upload()
	w.upload()
	w.hour() // 23:00
	w.hour() // midnight
	expired := 0
	for n := w.newest() - 1; n <= w.newest(); n++ {
		text := string(w.object(fmt.Sprint(tree, "retractions/", n)))
		if n < w.newest() && text != "" {
			t.Errorf("interval %d retracts something", n)
		}
		for line := range strings.Lines(text) {
			if f := strings.Fields(line); f[1] != "20509" || f[4] != "expired" {
				t.Errorf("day %s is %s at the end of day 20513, of which 5 are relevant", f[1], f[4])
			}
			expired++
		}
	}
	if expired == 0 {
		t.Error("nothing expired")
	}
	before := string(w.object(fmt.Sprint(tree, "snapshot/", w.newest()-1)))
	after := string(w.object(fmt.Sprint(tree, "snapshot/", w.newest())))
	if got := strings.Count(before, "\n") - strings.Count(after, "\n"); got != expired {
		t.Errorf("%d keys went, and %d expired", got, expired)
	}
}

// TestErased: an upload that is erased leaves the following snapshots, and one that
// has gone missing is not made again with other keys.
func TestErased(t *testing.T) {
	w := newWorld(t, nil)
	w.upload()
	ids := w.upload()
	w.hour()
	n := w.newest()
	upload := ""
	for rec, err := range w.ledger.Find(t.Context(), ledger.Query{Unit: &ids[0]}) {
		if err != nil {
			t.Fatal(err)
		}
		upload = rec.Unit.Upload
	}
	w.must(w.ledger.Erase(t.Context(), upload))
	w.hour()
	w.hour()
	w.must(w.ledger.Prune(t.Context()))
	w.delete(fmt.Sprint(tree, "snapshot/", n))
	w.cut(1)
	r := w.run()
	if len(r.Lost) != 1 || len(r.Repaired) != 0 {
		t.Errorf("lost %q, repaired %q, want the snapshot lost", r.Lost, r.Repaired)
	}
}
