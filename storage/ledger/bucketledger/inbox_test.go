package bucketledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/keys/submission"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/bucketledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
	"github.com/gaenkit/gaen/storage/memstore"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// england is the origin of the inbox in these tests.
var england = keys.MustRegion("GB-EAW")

// A post is a bucket with an inbox, and the ledger that takes in from it.
type post struct {
	t      *testing.T
	bucket storage.Bucket
	inbox  *bucketledger.Inbox
	ledger *ledger.Ledger
	now    time.Time
	random *keystest.Generator
}

func newPost(t *testing.T, b storage.Bucket, prefixes ...bucketledger.Prefix) *post {
	t.Helper()
	p := &post{t: t, bucket: b, now: noon, random: keystest.New(5, &keystest.Options{EndOfPeriod: true})}
	p.ledger = p.open(b)
	var err error
	p.inbox, err = bucketledger.NewInbox(b, england, &bucketledger.InboxOptions{Consent: keys.ConsentGiven, Prefixes: prefixes})
	p.must(err)
	return p
}

var noon = time.Date(2021, 1, 10, 12, 0, 0, 0, time.UTC)

func (p *post) open(b storage.Bucket) *ledger.Ledger {
	p.t.Helper()
	l, err := ledger.Open(p.t.Context(), open(p.t, b, &bucketledger.Options{Clock: func() time.Time { return p.now }}), &ledger.Options{Policy: eager()})
	p.must(err)
	return l
}

func (p *post) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// put puts an object as another writer would.
func (p *post) put(name, content string) {
	p.t.Helper()
	_, err := storage.Put(p.t.Context(), p.bucket, name, strings.NewReader(content), nil)
	p.must(err)
}

// stored is a key as the British back end stores it.
func stored(k keys.KeyData, more string) string {
	start := keys.StartOfDay(keys.IntervalAt(noon).Day() - 1)
	return fmt.Sprintf(`{"key":%q,"rollingStartNumber":%d,"rollingPeriod":144,"transmissionRisk":7%s}`, base64Of(k), start, more)
}

// object is a submission of new keys.
func (p *post) object(n int, more string) string {
	var all []string
	for range n {
		all = append(all, stored(p.random.KeyData(), ""))
	}
	return `{"temporaryExposureKeys":[` + strings.Join(all, ",") + `]` + more + `}`
}

func (p *post) takeIn() *bucketledger.InboxReport {
	p.t.Helper()
	r, err := p.inbox.TakeIn(p.t.Context(), p.ledger)
	p.must(err)
	return r
}

// units returns how many units there are of each source, origin and kind of test.
func (p *post) units() map[string]int {
	p.t.Helper()
	n := map[string]int{}
	for rec, err := range p.ledger.Find(p.t.Context(), ledger.Query{}) {
		p.must(err)
		for _, c := range rec.Unit.Claims {
			n[fmt.Sprintf("%s %s %s", c.Source, rec.ID.Origin, c.Key.TestType)]++
		}
	}
	return n
}

func (p *post) wantUnits(want map[string]int) {
	p.t.Helper()
	if got := p.units(); fmt.Sprint(got) != fmt.Sprint(want) {
		p.t.Errorf("there are %v, want %v", got, want)
	}
}

var nearform = []bucketledger.Prefix{
	{Prefix: "nearform", Source: "nearform", Consent: keys.ConsentGiven},
	{Prefix: "nearform/JE", Disabled: true},
	{Prefix: "efgs/DE", Source: "efgs", Origin: keys.MustRegion("DE")},
	{Prefix: "mobile/RAPID_SELF_REPORTED", Disabled: true},
}

func TestInbox(t *testing.T) {
	for _, tt := range []struct {
		name string
		b    storage.Bucket
	}{{"memory", memstore.New(nil)}, {"files", newFolder(t)}} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPost(t, tt.b, nearform...)
			p.put("legacy.json", p.object(2, ""))
			p.put("mobile/LAB_RESULT/1606471200000_3f4c.json", p.object(3, ""))
			p.put("mobile/RAPID_RESULT/1606471200000_3f4c.json", p.object(4, `,"reportType":3`))
			p.put("mobile/RAPID_SELF_REPORTED/1606471200000_1.json", p.object(5, ""))
			p.put("nearform/GI/20201127/tag.json", p.object(6, ""))
			p.put("nearform/GIX/20201127/tag.json", p.object(7, ""))
			p.put("nearform/JE/20201127/tag.json", p.object(8, ""))
			p.put("nearform/JEX/20201127/tag.json", p.object(1, ""))
			p.put("nearformer/GI/20201127/tag.json", p.object(9, ""))
			p.put("efgs/DE/x.json", p.object(10, ""))
			p.put("efgs/DEX/x.json", p.object(11, ""))
			p.put("distribution/daily/2020112700.zip", "zip")
			r := p.takeIn()
			if r.Listed != 12 || r.Taken != 7 || r.Known != 0 || r.Disabled != 2 || r.Others != 3 || len(r.Bad) != 0 {
				t.Errorf("the report is %+v", r)
			}
			p.wantUnits(map[string]int{
				"own GB-EAW LAB_RESULT":   5,
				"own GB-EAW RAPID_RESULT": 4,
				"nearform GI UNSTATED":    6,
				"nearform GIX UNSTATED":   7,
				"nearform JEX UNSTATED":   1,
				"efgs DE UNSTATED":        10,
			})
			again := p.takeIn()
			if again.Listed != 12 || again.Known != 7 || again.Taken != 0 || len(again.Receipts) != 0 {
				t.Errorf("the second report is %+v", again)
			}
			other := newPost(t, tt.b, nearform[:1]...) // by another process, with JE and self-reports enabled
			if r := other.takeIn(); r.Taken != 2 || r.Disabled != 0 {
				t.Errorf("the report with all enabled is %+v", r)
			}
		})
	}
}

// TestInboxKeepsWhatTheFormHasNoFieldFor writes with package submission and
// expects in the ledger what was written.
func TestInboxKeepsWhatTheFormHasNoFieldFor(t *testing.T) {
	p := newPost(t, memstore.New(nil), nearform...)
	want := map[keys.KeyData]keys.DiagnosisKey{}
	for i := range 20 {
		up := p.random.Upload(p.now)
		for j := range up.Keys {
			k := &up.Keys[j]
			k.Origin, k.TestType = england, keys.TestRapid
			k.TransmissionRiskLevel = keys.Some(k.TransmissionRiskLevel.Or(3))
			k.ConsentToFederate = keys.ConsentRefused
			want[k.KeyData] = *k
		}
		b, err := submission.Append(nil, up.ID, up.Keys)
		p.must(err)
		p.put(bucketledger.MobileName(keys.TestRapid, p.now, fmt.Sprint(i)), string(b))
	}
	p.takeIn()
	n := 0
	for rec, err := range p.ledger.Find(t.Context(), ledger.Query{}) {
		p.must(err)
		if rec.Unit.Key != want[rec.ID.KeyData] {
			t.Fatalf("got %+v, want %+v", rec.Unit.Key, want[rec.ID.KeyData])
		}
		n++
	}
	if n != len(want) {
		t.Errorf("%d keys, want %d", n, len(want))
	}
}

func TestInboxBadObjects(t *testing.T) {
	p := newPost(t, memstore.New(nil), nearform...)
	good := stored(p.random.KeyData(), "")
	p.put("mobile/LAB_RESULT/bad-key.json", `{"temporaryExposureKeys":[`+good+`,{"key":"AAAA","rollingStartNumber":1,"rollingPeriod":1,"transmissionRisk":1},`+stored(p.random.KeyData(), "")+`]}`)
	p.put("mobile/LAB_RESULT/broken.json", `{"temporaryExposureKeys":[`+good)
	p.put("mobile/LAB_RESULT/html.json", `<html>`)
	p.put("mobile/LAB_RESULT/large.json", strings.Repeat(" ", bucketledger.MaxObject+1))
	p.put("mobile/MAGIC/x.json", p.object(1, ""))
	p.put("mobile/UNSTATED/x.json", p.object(1, ""))
	p.put("mobile/x.json", p.object(1, ""))
	p.put("nearform/GI/1/origin.json", p.object(1, `,"origin":"FR"`))
	p.put("nearform/Gibraltar!/1/x.json", p.object(1, ""))
	p.put("nearform/x.json", p.object(1, ""))
	p.put("mobile/LAB_RESULT/"+strings.Repeat("long", 60)+".json", p.object(1, ""))
	r := p.takeIn()
	var bad []string
	for _, o := range r.Bad {
		bad = append(bad, fmt.Sprintf("%s %s %s", o.Name, o.Field, o.Reason))
	}
	slices.Sort(bad)
	want := []string{
		"mobile/LAB_RESULT/broken.json object malformed",
		"mobile/LAB_RESULT/html.json object malformed",
		"mobile/LAB_RESULT/large.json object too-many",
		"mobile/MAGIC/x.json name malformed",
		"mobile/UNSTATED/x.json name malformed",
		"mobile/x.json name malformed",
		"nearform/GI/1/origin.json origin not-allowed",
		"nearform/Gibraltar!/1/x.json name malformed",
		"nearform/x.json name malformed",
	}
	if !slices.Equal(bad, want) {
		t.Errorf("bad are\n%s\nwant\n%s", strings.Join(bad, "\n"), strings.Join(want, "\n"))
	}
	p.wantUnits(map[string]int{"own GB-EAW LAB_RESULT": 3})
	if own := r.Receipts[ledger.Own]; own.Accepted != 3 || len(own.Rejected) != 7 {
		t.Errorf("the receipt of own is %+v", own)
	}
	if again := p.takeIn(); len(again.Bad) != 0 || again.Taken != 0 {
		t.Errorf("reported again: %+v", again)
	}
	aside := 0
	for rec, err := range p.ledger.Find(t.Context(), ledger.Query{SetAside: true}) {
		p.must(err)
		aside += len(rec.SetAside)
	}
	if aside != 10 {
		t.Errorf("%d are set aside, want 10", aside)
	}
	p.put("mobile/LAB_RESULT/broken.json", p.object(2, "")) // its writer ends what it had begun
	if r := p.takeIn(); r.Taken != 1 || r.Receipts[ledger.Own].Accepted != 2 {
		t.Errorf("an object written anew gives %+v", r)
	}
}

// TestInboxWithdrawals: REVOKED from a partner is no key.
func TestInboxWithdrawals(t *testing.T) {
	p := newPost(t, memstore.New(nil), nearform...)
	k := p.random.KeyData()
	p.put("nearform/GI/20210110/1.json", `{"temporaryExposureKeys":[`+stored(k, "")+`]}`)
	p.takeIn()
	p.put("nearform/GI/20210110/2.json", `{"temporaryExposureKeys":[`+stored(k, `,"reportType":5`)+`]}`)
	if r := p.takeIn().Receipts["nearform"]; r.WithdrawalsTaken != 1 || r.Offered != 0 {
		t.Errorf("the receipt is %+v", r)
	}
}

// TestInboxOldTimeStamps has objects appear whose names and times are older than
// all that is there, between any two calls of a run.
func TestInboxOldTimeStamps(t *testing.T) {
	now := noon
	b := memstore.New(&memstore.Options{Now: func() time.Time { now = now.Add(-time.Hour); return now }})
	var p *post
	n, putting := 0, false
	drop := func() {
		if putting || p == nil || n >= 60 {
			return
		}
		putting = true
		defer func() { putting = false }()
		n++
		_, err := storage.Put(context.Background(), b, fmt.Sprintf("mobile/LAB_RESULT/%d_x.json", 1606471200000-n), strings.NewReader(p.object(1, "")), nil)
		p.must(err)
	}
	var mu sync.Mutex
	faulty := storagetest.Faulty(b, func(context.Context, storagetest.Call) storagetest.Verdict {
		mu.Lock()
		defer mu.Unlock()
		drop()
		return storagetest.Pass
	})
	p = newPost(t, faulty)
	for range 40 {
		p.takeIn()
	}
	p.wantUnits(map[string]int{"own GB-EAW LAB_RESULT": 60})
}

// TestInboxTwoProcesses runs several at once, over stores of their own.
func TestInboxTwoProcesses(t *testing.T) {
	p := newPost(t, memstore.New(nil), nearform...)
	const objects = 300
	for i := range objects {
		p.put(fmt.Sprintf("nearform/GI/20210110/%d.json", i), p.object(2, ""))
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	taken, accepted, duplicates := 0, 0, 0
	for range 4 {
		l := p.open(p.bucket)
		wg.Go(func() {
			r, err := p.inbox.TakeIn(t.Context(), l)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			taken += r.Taken
			if got := r.Receipts["nearform"]; got != nil {
				accepted, duplicates = accepted+got.Accepted, duplicates+got.Duplicates
			}
		})
	}
	wg.Wait()
	if taken != objects || accepted != 2*objects || duplicates != 0 {
		t.Errorf("%d objects taken in, %d keys accepted, %d duplicates; want %d, %d, 0", taken, accepted, duplicates, objects, 2*objects)
	}
}

// TestInboxFaults breaks each call of a run, in every way, and expects that the
// next run makes up for it, with nothing twice.
func TestInboxFaults(t *testing.T) {
	for _, verdict := range []storagetest.Verdict{storagetest.Fail, storagetest.FailAfter, storagetest.Half} {
		for n := 1; ; n++ {
			b := memstore.New(nil)
			p := newPost(t, b, nearform...)
			for i := range 3 {
				p.put(fmt.Sprintf("nearform/GI/20210110/%d.json", i), p.object(2, ""))
				p.put(fmt.Sprintf("mobile/LAB_RESULT/%d.json", i), p.object(1, ""))
			}
			p.put("broken.json", "{")
			var failing atomic.Bool
			var calls atomic.Int64
			faulty := storagetest.Faulty(b, func(context.Context, storagetest.Call) storagetest.Verdict {
				if failing.Load() && calls.Add(1) == int64(n) {
					return verdict
				}
				return storagetest.Pass
			})
			broken := newPost(t, faulty, nearform...)
			failing.Store(true)
			_, _ = broken.inbox.TakeIn(t.Context(), broken.ledger)
			failing.Store(false)
			p.takeIn()
			p.wantUnits(map[string]int{"own GB-EAW LAB_RESULT": 3, "nearform GI UNSTATED": 6})
			for rec, err := range p.ledger.Find(t.Context(), ledger.Query{}) {
				p.must(err)
				if len(rec.Unit.Claims) != 1 {
					t.Fatalf("call %d, verdict %d: a key has %d claims", n, verdict, len(rec.Unit.Claims))
				}
			}
			log, err := p.ledger.Log(t.Context(), 0)
			p.must(err)
			if log.Tallies["offered/own"] != 4 || log.Tallies["offered/nearform"] != 6 {
				t.Fatalf("call %d, verdict %d: offered were %d and %d", n, verdict, log.Tallies["offered/own"], log.Tallies["offered/nearform"])
			}
			if calls.Load() < int64(n) {
				break
			}
		}
	}
}

// flaky fails to give one object, or all of a prefix.
type flaky struct {
	storage.Bucket
	name, prefix string
	failed       atomic.Int64
}

func (f *flaky) Get(ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
	if name == f.name || f.prefix != "" && strings.HasPrefix(name, f.prefix) {
		f.failed.Add(1)
		return nil, storage.Attributes{}, errors.New("out of order")
	}
	return f.Bucket.Get(ctx, name)
}

// TestInboxUnreadableObject: what cannot be read now is no bad object.
func TestInboxUnreadableObject(t *testing.T) {
	f := &flaky{Bucket: memstore.New(nil), name: "mobile/LAB_RESULT/1.json"}
	p := newPost(t, f)
	for i := range 3 {
		p.put(fmt.Sprintf("mobile/LAB_RESULT/%d.json", i), p.object(1, ""))
	}
	r, err := p.inbox.TakeIn(t.Context(), p.ledger)
	if err == nil || !strings.Contains(err.Error(), f.name) || r.Taken != 2 || len(r.Bad) != 0 {
		t.Errorf("got %+v, %v", r, err)
	}
	f.name = ""
	if r := p.takeIn(); r.Taken != 1 {
		t.Errorf("the next run gives %+v", r)
	}
}

// TestInboxUnreadableForLong: many objects that cannot be read, run after run, do not keep
// out for good what is listed after them, and each run gives up some time.
func TestInboxUnreadableForLong(t *testing.T) {
	f := &flaky{Bucket: memstore.New(nil), prefix: "mobile/LAB_RESULT/"}
	p := newPost(t, f)
	for i := range 300 {
		p.put(fmt.Sprintf("mobile/LAB_RESULT/%03d.json", i), p.object(1, ""))
	}
	for i := range 40 {
		p.put(fmt.Sprintf("mobile/RAPID_RESULT/%03d.json", i), p.object(1, ""))
	}
	taken := 0
	for runs := 0; taken < 40; runs++ {
		if runs == 1000 {
			t.Fatalf("of 40 objects that can be read %d were taken in", taken)
		}
		f.failed.Store(0)
		r, err := p.inbox.TakeIn(t.Context(), p.ledger)
		if err == nil || f.failed.Load() > 150 {
			t.Fatalf("run %d had %d failures and gives %v", runs, f.failed.Load(), err)
		}
		taken += r.Taken
	}
	f.prefix = ""
	if r := p.takeIn(); r.Taken != 300 {
		t.Errorf("when all can be read, %+v", r)
	}
}

// meddling does something once a listing of everything is over.
type meddling struct {
	storage.Bucket
	then func()
}

func (m *meddling) List(ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
	return func(yield func(storage.Attributes, error) bool) {
		for a, err := range storage.List(ctx, m.Bucket, prefix) {
			if !yield(a, err) {
				return
			}
		}
		if then := m.then; then != nil && prefix == "" {
			m.then = nil
			then()
		}
	}
}

// TestInboxDeletedMeanwhile: an object that goes between being listed and being
// read is no error.
func TestInboxDeletedMeanwhile(t *testing.T) {
	b := memstore.New(nil)
	m := &meddling{Bucket: b, then: func() { remove(t, b, "1.json") }}
	p := newPost(t, m)
	p.put("1.json", p.object(1, ""))
	p.put("2.json", p.object(1, ""))
	if r := p.takeIn(); r.Taken != 1 || r.Listed != 2 {
		t.Errorf("%+v", r)
	}
}

// TestInboxForgetsOnce has two processes find the same objects gone.
func TestInboxForgetsOnce(t *testing.T) {
	b := memstore.New(nil)
	m := &meddling{Bucket: b}
	p := newPost(t, m)
	p.ledger = p.open(memstore.New(nil))
	for i := range 9000 {
		p.put(fmt.Sprintf("%05d.json", i), `{"temporaryExposureKeys":[]}`)
	}
	p.takeIn()
	for i := range 8000 {
		remove(t, b, fmt.Sprintf("%05d.json", i))
	}
	m.then = func() { p.takeIn() }
	if r := p.takeIn(); r.Known != 1000 || p.pages() != 1 {
		t.Errorf("%+v, and %d pages", r, p.pages())
	}
}

// TestInboxForgets deletes objects as a bucket's rule does, and expects that what
// the ledger knows of them goes too, and that nothing is taken in twice.
func TestInboxForgets(t *testing.T) {
	const objects = 9000
	b := memstore.New(nil)
	p := newPost(t, b)
	p.ledger = p.open(memstore.New(nil)) // the ledger may be elsewhere
	for i := range objects {
		p.put(fmt.Sprintf("%05d.json", i), `{"temporaryExposureKeys":[]}`)
	}
	if r := p.takeIn(); r.Taken != objects {
		t.Fatalf("%+v", r)
	}
	before := p.pages()
	for i := range objects - 100 {
		p.must(storage.Delete(t.Context(), b, fmt.Sprintf("%05d.json", i)))
	}
	p.put("new.json", p.object(1, ""))
	if r := p.takeIn(); r.Taken != 1 || r.Known != 100 {
		t.Errorf("%+v", r)
	}
	if after := p.pages(); after >= before || after != 1 {
		t.Errorf("%d pages of marks, before %d", after, before)
	}
	if r := p.takeIn(); r.Taken != 0 || r.Known != 101 {
		t.Errorf("%+v", r)
	}
}

func (p *post) pages() int {
	p.t.Helper()
	all, err := p.ledger.Registers(p.t.Context(), "inbox/")
	p.must(err)
	return len(all)
}

// many lists objects that are not there.
type many struct {
	storage.Bucket
	n    int
	gets atomic.Int64
}

func (m *many) List(context.Context, string) iter.Seq2[storage.Attributes, error] {
	return func(yield func(storage.Attributes, error) bool) {
		for i := range m.n {
			if !yield(storage.Attributes{Name: fmt.Sprintf("mobile/LAB_RESULT/%07d.json", i), ETag: "1"}, nil) {
				return
			}
		}
	}
}

func (m *many) Get(context.Context, string) (io.ReadCloser, storage.Attributes, error) {
	m.gets.Add(1)
	const text = `{"temporaryExposureKeys":[]}`
	return io.NopCloser(strings.NewReader(text)), storage.Attributes{Size: int64(len(text)), ETag: "1"}, nil
}

// TestInboxReadsNothingAgain: of a bucket of many objects a second run lists what
// is there and reads none.
func TestInboxReadsNothingAgain(t *testing.T) {
	m := &many{n: volume(200_000, 20_000)}
	in, err := bucketledger.NewInbox(m, england, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := newPost(t, memstore.New(nil))
	p.inbox = in
	r := p.takeIn()
	if r.Taken != m.n {
		t.Fatalf("%+v", r)
	}
	gets := m.gets.Load()
	if r := p.takeIn(); r.Known != m.n || r.Taken != 0 || m.gets.Load() != gets {
		t.Errorf("%+v, with %d objects read", r, m.gets.Load()-gets)
	}
}

func TestNewInboxRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		origin     keys.Region
		prefixes   []bucketledger.Prefix
	}{
		{"no origin", "origin", keys.Region{}, nil},
		{"slash", `"nearform/"`, england, []bucketledger.Prefix{{Prefix: "nearform/", Source: "x"}}},
		{"empty", `""`, england, []bucketledger.Prefix{{Source: "x"}}},
		{"ours", "ledger's", england, []bucketledger.Prefix{{Prefix: "gaen", Source: "x"}}},
		{"ours below", "ledger's", england, []bucketledger.Prefix{{Prefix: "gaen/log", Source: "x"}}},
		{"no source", "Source", england, []bucketledger.Prefix{{Prefix: "nearform"}}},
		{"operator", "brings no keys", england, []bucketledger.Prefix{{Prefix: "nearform", Source: ledger.Operator}}},
		{"twice", "Prefixes[1]", england, []bucketledger.Prefix{{Prefix: "nearform", Source: "x"}, {Prefix: "nearform", Disabled: true}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := bucketledger.NewInbox(memstore.New(nil), tt.origin, &bucketledger.InboxOptions{Prefixes: tt.prefixes})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want something with %s", err, tt.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	at := time.Date(2020, 11, 27, 23, 30, 0, 0, time.FixedZone("", -3600))
	for _, tt := range []struct{ got, want string }{
		{bucketledger.MobileName(keys.TestRapidSelfReported, at, "3F-c"), "mobile/RAPID_SELF_REPORTED/1606523400000_3F-c.json"},
		{bucketledger.MobileName(keys.TestUnstated, at, "x"), "mobile/LAB_RESULT/1606523400000_x.json"},
		{bucketledger.BatchName("nearform", keys.MustRegion("GI"), at, "3f-c"), "nearform/GI/20201128/3f-c.json"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
	seen := map[string]bool{}
	for _, tag := range []string{"../x", "a/b", "", ".hidden", strings.Repeat("x", 200), "a\nb", "ü", "sha256-x"} {
		name := bucketledger.BatchName("nearform", keys.MustRegion("GI"), at, tag)
		if !storage.ValidName(name) || !regexp.MustCompile(`^nearform/GI/20201128/sha256-[0-9a-f]{64}\.json$`).MatchString(name) || seen[name] {
			t.Errorf("the tag %q gives %s", tag, name)
		}
		seen[name] = true
	}
}

// TestInboxWithAnyLedger: the inbox needs no ledger in a bucket.
func TestInboxWithAnyLedger(t *testing.T) {
	p := newPost(t, memstore.New(nil))
	l, err := ledger.Open(t.Context(), memledger.New(&memledger.Options{Clock: func() time.Time { return noon }}), nil)
	p.must(err)
	p.ledger = l
	p.put("mobile/LAB_RESULT/1.json", p.object(3, ""))
	p.takeIn()
	if r := p.takeIn(); r.Known != 1 {
		t.Errorf("%+v", r)
	}
	p.wantUnits(map[string]int{"own GB-EAW LAB_RESULT": 3})
}

// TestInboxTellsNoKeys looks for key data in what is said of bad objects.
func TestInboxTellsNoKeys(t *testing.T) {
	p := newPost(t, memstore.New(nil))
	data := p.random.KeyData()
	for i, text := range []string{`{"temporaryExposureKeys":"%s"}`, `%s`, `{"temporaryExposureKeys":[{"key":["%s"]}]}`, `{"temporaryExposureKeys":[],"id":{"%s":1}}`} {
		p.put(fmt.Sprint(i), fmt.Sprintf(text, base64Of(data)))
	}
	r := p.takeIn()
	var said bytes.Buffer
	fmt.Fprintf(&said, "%+v %+v", r, r.Receipts[ledger.Own])
	if form := keystest.Leak(said.String(), data); form != "" || len(r.Bad) != 3 {
		t.Errorf("the key data is in the report, %s: %s", form, said.String())
	}
}
