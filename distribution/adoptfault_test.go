package distribution_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/cwa"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/internal/treetest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// copyOf returns a predecessor that is the same so far.
func (p *predecessor) copyOf() *predecessor {
	c := *p
	c.world = p.copy()
	c.uploads, c.files = slices.Clone(p.uploads), maps.Clone(p.files)
	return &c
}

// small leaves the tree of a day and a half, and hands the ledger what is known.
func small(t *testing.T, british bool) *predecessor {
	t.Helper()
	p := newPredecessor(t, inMemory, 1, british)
	p.leaveSince(24 * hour)
	p.hand()
	return p
}

func (p *predecessor) leaveSince(ago time.Duration) {
	if p.layout.Name() == "nhs" {
		p.leave()
		return
	}
	p.lay(p.cwaTree(ago, switchTime.Add(-hour/2)))
}

func (p *predecessor) cwaTree(ago time.Duration, now time.Time) map[string]treetest.Object {
	c := treetest.CWA{Signer: treetest.Signer{Key: fixedKey(p.t, "262-v1"), ID: "262", Version: "v1"}, HourDays: 2}
	return c.Tree(p.published(), switchTime.Add(-ago), now)
}

// afterwards is the bucket two cuts after the switch.
func (p *predecessor) afterwards() map[string][]byte {
	p.t.Helper()
	p.publish()
	p.publish()
	return objects(p.t, p.bucket)
}

// TestAdoptFaults has every call of an adoption fail, one at a time, with and without
// its effect: another attempt ends where one without faults does.
func TestAdoptFaults(t *testing.T) {
	for _, layout := range []string{"cwa", "nhs"} {
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			scene := small(t, layout == "nhs")
			scene.opts.Parallel = 1 // the n-th call is the same each time
			straight := scene.copyOf()
			n := 0
			bucketHook, ledgerHook := fault{}.hooks(&n)
			pub, _ := straight.publisher(bucketHook, ledgerHook)
			if r, err := pub.Adopt(t.Context(), nil); err != nil {
				t.Fatalf("%v\n%s", err, r)
			}
			calls := n
			want := straight.afterwards()
			tried, every := 0, scene.stride(31, 5)
			for i := 1; i <= calls; i++ {
				for _, after := range []bool{false, true} {
					if i < calls-8 && i%every != 0 { // the last are those of the ledger
						continue
					}
					tried++
					p := scene.copyOf()
					n := 0
					bucketHook, ledgerHook := fault{i: after}.hooks(&n)
					pub, _ := p.publisher(bucketHook, ledgerHook)
					if r, err := pub.Adopt(t.Context(), nil); err == nil && n < i {
						t.Fatalf("call %d of %d was not made\n%s", i, calls, r)
					}
					p.adopt(nil)
					if d := difference(p.afterwards(), want); d != "" {
						t.Errorf("call %d of %d, lost answer %t: %s", i, calls, after, d)
					}
				}
			}
			t.Logf("%d of %d calls", tried/2, calls)
		})
	}
}

// TestAdoptAtOnce has two processes adopt the same tree, each of them in the middle of
// the other's adoption.
func TestAdoptAtOnce(t *testing.T) {
	scene := small(t, false)
	straight := scene.copyOf()
	straight.adopt(nil)
	want := straight.afterwards()
	for at := 1; at < 60; at += 7 {
		p := scene.copyOf()
		n := 0
		pub, _ := p.publisher(nil, func(context.Context, ledgertest.Call) ledgertest.Verdict {
			if n++; n == at {
				p.adopt(nil)
			}
			return ledgertest.Pass
		})
		if r, err := pub.Adopt(t.Context(), nil); err != nil {
			if _, conflict := errors.AsType[*ledger.ConflictError](err); !conflict {
				t.Fatalf("at call %d: %v\n%s", at, err, r)
			}
		}
		p.adopt(nil)
		if d := difference(p.afterwards(), want); d != "" {
			t.Errorf("at call %d: %s", at, d)
		}
	}
}

// TestAdoptChanging has the other system publish the next hour in the middle of an
// adoption, which notices, wherever that is. Once it has stopped, the hour is adopted
// with the others.
func TestAdoptChanging(t *testing.T) {
	scene := small(t, false)
	for i := range scene.uploads {
		if at := switchTime.Add(-80 * time.Minute).Truncate(hour); scene.uploads[i].published.IsZero() {
			scene.uploads[i].published = at
			break
		}
	}
	later := scene.cwaTree(24*hour, switchTime)
	for _, op := range []string{"list", "Adopt", "CutAdopted"} {
		p := scene.copyOf()
		changed := false
		change := func() {
			if !changed {
				changed = true
				if op == "list" { // the archives come before the indexes that name them
					for name, o := range later {
						if _, was := p.left[name]; !was {
							p.put(name, o.Body)
						}
					}
					return
				}
				p.lay(later)
			}
		}
		lists, accepts, releases := 0, 0, 0
		pub, _ := p.publisher(func(_ context.Context, c storagetest.Call) storagetest.Verdict {
			if c.Op == storagetest.OpList {
				if lists++; lists == 2 && op == "list" {
					change()
				}
			}
			return storagetest.Pass
		}, func(_ context.Context, c ledgertest.Call) ledgertest.Verdict {
			switch {
			case c.Op == ledgertest.OpAccept:
				if accepts++; op == "Adopt" {
					change()
				}
			case c.Op == ledgertest.OpRelease:
				if releases++; releases == 3 && op == "CutAdopted" {
					change()
				}
			}
			return ledgertest.Pass
		})
		if r, err := pub.Adopt(t.Context(), nil); !errors.Is(err, distribution.ErrChanged) || !changed {
			t.Fatalf("%s: got %v\n%s", op, err, r)
		}
		if log, err := p.open(nil).Log(t.Context(), 0); err != nil || op == "list" && log.Last.Seq > 0 {
			t.Errorf("%s: the ledger was filled nevertheless: %+v, %v", op, log.Last, err)
		}
		running, _ := p.publisher(nil, nil)
		if _, err := running.Run(t.Context()); !errors.Is(err, distribution.ErrForeign) {
			t.Errorf("%s: a run gives %v", op, err)
		}
		p.lay(later)
		r := p.adopt(nil)
		if want := switchTime.Truncate(hour); !r.Until.Equal(want) || len(r.Differences) > 0 {
			t.Errorf("%s: got\n%s", op, r)
		}
		p.publish()
		p.check(true)
	}
}

// TestNoCutWhileAdopting holds back cuts of others while the ledger is being filled.
func TestNoCutWhileAdopting(t *testing.T) {
	p := small(t, false)
	l := p.open(nil)
	releases := 0
	pub, _ := p.publisher(nil, func(ctx context.Context, c ledgertest.Call) ledgertest.Verdict {
		if c.Op == ledgertest.OpRelease {
			releases++
			if r, err := l.Release(ctx, nil); !errors.Is(err, ledger.ErrAdopting) {
				t.Errorf("before cut %d of an adoption: %+v, %v", releases, r, err)
			}
		}
		return ledgertest.Pass
	})
	if r, err := pub.Adopt(t.Context(), nil); err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	if releases == 0 {
		t.Error("no cut was made")
	}
	if r, err := l.Release(t.Context(), nil); err != nil || r == nil {
		t.Errorf("afterwards: %+v, %v", r, err)
	}
}

// put puts an object in the place of another, as the other system might have.
func (p *predecessor) put(name string, content []byte) {
	p.t.Helper()
	was, err := storage.Stat(p.t.Context(), p.bucket, name)
	opts := &storage.PutOptions{}
	if err == nil {
		opts.Metadata = was.Metadata
	}
	if _, err := storage.Put(p.t.Context(), p.bucket, name, bytes.NewReader(content), opts); err != nil {
		p.t.Fatal(err)
	}
}

func (p *predecessor) delete(name string) {
	p.t.Helper()
	if err := storage.Delete(p.t.Context(), p.bucket, name); err != nil {
		p.t.Fatal(err)
	}
}

const (
	root  = "version/v1/diagnosis-keys/country/"
	hour7 = root + "DE/date/2026-03-11/hour/7"
	hour6 = root + "DE/date/2026-03-11/hour/6"
)

// TestAdoptRefuses names every object that keeps a tree from being adopted, and
// changes nothing.
func TestAdoptRefuses(t *testing.T) {
	scene := small(t, false)
	british := small(t, true)
	const daily = "distribution/daily/2026031100.zip"
	for _, test := range []struct {
		name   string
		scene  *predecessor
		change func(p *predecessor)
		object string
		says   string
	}{
		{"not signed by us", scene, func(p *predecessor) { p.opts.Trusted = nil }, hour7, "262"},
		{"damaged", scene, func(p *predecessor) { p.put(hour7, p.before[hour7][:100]) }, hour7, "zip"},
		{"no archive", scene, func(p *predecessor) { p.put(hour7, []byte("<html>")) }, hour7, "zip"},
		{"another hour's", scene, func(p *predecessor) { p.put(hour7, p.before[hour6]) }, hour7, "start"},
		{"another country's", scene, func(p *predecessor) { p.put(hour7, p.before[root+"EUR/date/2026-03-11/hour/7"]) }, hour7, "region"},
		{"missing", scene, func(p *predecessor) { p.delete(hour7) }, hour7, "an index names it"},
		{"another country", scene, func(p *predecessor) { p.put(root+"FR/date/2026-03-10", p.before[hour6]) }, root + "FR/date/2026-03-10", "package FR"},
		{"revised keys", scene, func(p *predecessor) { p.put(hour7, p.withRevised()) }, hour7, "revised keys"},
		{"nothing there", scene, func(p *predecessor) {
			for name := range p.before {
				p.delete(name)
			}
		}, "version", "no file"},
		{"metadata of another", british, func(p *predecessor) {
			date := "Wed, 11 Mar 2026 07:46:00 UTC" // what was signed has another time
			_, err := storage.Put(t.Context(), p.bucket, daily, bytes.NewReader(p.before[daily]), &storage.PutOptions{
				Metadata: map[string]string{"signature-date": date, "signature": `keyId="x",signature="MEUCIQDx"`},
			})
			if err != nil {
				t.Fatal(err)
			}
		}, daily, "signature"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := test.scene.copyOf()
			test.change(p)
			pub, b := p.publisher(nil, nil)
			r, err := pub.Adopt(t.Context(), nil)
			if !errors.Is(err, distribution.ErrNotAdopted) {
				t.Fatalf("got %v\n%s", err, r)
			}
			named := slices.ContainsFunc(r.Refused, func(f distribution.Finding) bool {
				return f.Object == test.object && strings.Contains(f.Problem, test.says)
			})
			if !named || !strings.Contains(r.String(), test.object) {
				t.Errorf("want %s named with %q, got\n%s", test.object, test.says, r)
			}
			if n := b.Count(storagetest.OpPut, storagetest.OpCreate, storagetest.OpReplace, storagetest.OpDelete); n > 0 {
				t.Errorf("%d changes to the bucket", n)
			}
			if log, err := p.open(nil).Log(t.Context(), 0); err != nil || log.Last.Seq > 0 {
				t.Errorf("the ledger has a cut: %+v, %v", log.Last, err)
			}
		})
	}
}

// withRevised returns the archive of the seventh hour with a revised key in it.
func (p *predecessor) withRevised() []byte {
	p.t.Helper()
	signers, err := newRing(p.t, "262-v1").ValidAt(p.clock)
	if err != nil {
		p.t.Fatal(err)
	}
	k := p.uploads[0].Keys[0].TemporaryExposureKey
	k.ReportType, k.DaysSinceOnsetOfSymptoms = keys.Some(keys.ReportRevoked), keys.Optional[keys.DaysSinceOnset]{}
	start := switchTime.Truncate(24 * hour).Add(7 * hour)
	var buf bytes.Buffer
	c := &export.Content{Start: start, End: start.Add(hour), Region: "DE", RevisedKeys: []keys.TemporaryExposureKey{k}}
	if _, err := export.Write(&buf, c, signers, nil); err != nil {
		p.t.Fatal(err)
	}
	return buf.Bytes()
}

// TestAdoptAfterACut refuses a ledger that has cuts later than what is to be adopted.
func TestAdoptAfterACut(t *testing.T) {
	p := small(t, false)
	if _, err := p.open(nil).Release(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	pub, _ := p.publisher(nil, nil)
	if r, err := pub.Adopt(t.Context(), nil); !errors.Is(err, ledger.ErrTime) {
		t.Errorf("got %v\n%s", err, r)
	}
}

// TestAdoptTheFuture refuses a tree that is ahead of the ledger's clock.
func TestAdoptTheFuture(t *testing.T) {
	p := small(t, false)
	p.clock = switchTime.Add(-3 * hour)
	pub, _ := p.publisher(nil, nil)
	if r, err := pub.Adopt(t.Context(), nil); !errors.Is(err, distribution.ErrNotAdopted) {
		t.Errorf("got %v\n%s", err, r)
	}
}

// TestAdoptMissing makes the windows between others that the other system left out,
// and the day that it did not come to write.
func TestAdoptMissing(t *testing.T) {
	p := small(t, false)
	const yesterday = root + "EUR/date/2026-03-10"
	p.delete(hour6)
	p.put(root+"DE/date/2026-03-11/hour", []byte("[0,1,2,3,4,5,7]"))
	p.delete(yesterday)
	p.put(root+"EUR/date", []byte("[]"))
	p.left = map[string]string{} // TestAdoptTree watches over what is there
	p.before = objects(t, p.bucket)
	for name := range p.before {
		p.left[name] = ""
	}
	r := p.adopt(nil)
	var missing []string
	for _, m := range r.Missing {
		missing = append(missing, m.Objects...)
	}
	if !slices.Equal(missing, []string{hour6, yesterday}) {
		t.Errorf("got %v\n%s", missing, r)
	}
	p.publish()
	all := objects(t, p.bucket)
	if all[hour6] == nil || all[yesterday] == nil {
		t.Fatal("the first run did not make them")
	}
	in, _ := p.shown(yesterday, all[yesterday])
	for h := range 24 {
		name := yesterday + "/hour/" + strconv.Itoa(h)
		some, _ := p.shown(name, all[name])
		for k := range some {
			if in[k] == nil {
				t.Fatalf("the day lacks a key of %s", name)
			}
		}
	}
	if got := string(all[root+"DE/date/2026-03-11/hour"]); !strings.HasPrefix(got, "[0,1,2,3,4,5,6,7") {
		t.Errorf("the hours are %s", got)
	}
}

// TestAdoptOneBehind goes on for each package where that stopped: what another had in its
// last hour, this one has in the same.
func TestAdoptOneBehind(t *testing.T) {
	p := small(t, false)
	const hours = root + "EUR/date/2026-03-11/hour"
	p.delete(hours + "/7")
	p.put(hours, []byte("[0,1,2,3,4,5,6]"))
	delete(p.left, hours+"/7")
	r := p.adopt(nil)
	if want := switchTime.Truncate(hour).Add(-2 * hour); !r.Next["EUR"].Equal(want) || !r.Next["DE"].Equal(want.Add(hour)) || len(r.Missing)+len(r.Differences) > 0 {
		t.Errorf("got\n%s", r)
	}
	p.publish()
	theirs, _ := p.shown(hour7, p.before[hour7])
	ours, _ := p.shown(hours+"/7", p.files[hours+"/7"])
	if len(theirs) == 0 {
		t.Fatal("there was nothing in that hour")
	}
	for k := range theirs {
		if ours[k] == nil {
			t.Fatal("EUR lacks a key that DE has in the same hour")
		}
	}
}

// TestAdoptReadsOnce: the run after an adoption takes the files as they are, and reads
// none of them again.
func TestAdoptReadsOnce(t *testing.T) {
	p := small(t, false)
	pub, b := p.publisher(nil, nil)
	if r, err := pub.Adopt(t.Context(), nil); err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	reads := map[string]int{}
	count := func(b *storagetest.FaultyBucket) {
		for _, c := range b.Calls() {
			if c.Op == storagetest.OpGet || c.Op == storagetest.OpStat {
				reads[c.Name]++
			}
		}
	}
	count(b)
	p.release()
	pub, b = p.publisher(nil, nil)
	if r, err := pub.Run(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	count(b)
	for name := range p.left {
		if reads[name] != 1 {
			t.Errorf("%s was read %d times", name, reads[name])
		}
	}
}

// TestAdoptedInDoubt has everything read again before there is anything new: it is as it
// was adopted. The day in progress, of which the other system's file says that it is
// over, is made by this one.
func TestAdoptedInDoubt(t *testing.T) {
	for _, british := range []bool{false, true} {
		p := small(t, british)
		p.adopt(nil)
		p.clock = switchTime.Truncate(hour).Add(25 * time.Minute)
		pub, b := p.publisher(nil, nil)
		r, err := pub.Repair(t.Context())
		if err != nil || len(r.Repaired)+len(r.Published) > 0 {
			t.Errorf("British %t: %v\n%s", british, err, r)
		}
		for _, c := range b.Calls() {
			_, file := p.layout.Parse(c.Name)
			if file && c.Name != p.replace && slices.Contains([]string{storagetest.OpPut, storagetest.OpCreate, storagetest.OpReplace}, c.Op) {
				t.Errorf("British %t: %s %s", british, c.Op, c.Name)
			}
		}
		p.publish()
	}
}

// TestAdoptedIsWithdrawn withdraws a key that the other system had published: both
// packages that showed it say so, once.
func TestAdoptedIsWithdrawn(t *testing.T) {
	p := small(t, false)
	p.adopt(nil)
	p.publish()
	var k keys.DiagnosisKey
	for _, up := range p.uploads {
		if level, _ := up.Keys[0].TransmissionRiskLevel.Get(); up.source == ledger.Own && !up.published.IsZero() && level >= 3 {
			k = up.Keys[0]
		}
	}
	p.withdraw(ledger.IDOf(&k))
	said := map[string]int{}
	for range 3 {
		for _, w := range p.publish().Published {
			for _, name := range w.Objects {
				fresh, revised := p.shown(name, p.files[name])
				if e := revised[k.KeyData]; e != nil && e.GetReportType() == 5 && w.Span == "hour" {
					said[w.Package]++
				}
				if fresh[k.KeyData] != nil {
					t.Errorf("%s has it as new", name)
				}
			}
		}
	}
	if said["DE"] != 1 || said["EUR"] != 1 {
		t.Errorf("told by %v, want once by each", said)
	}
}

// TestAdoptedIsMadeAgain makes a file again that the other system had written and that
// is lost or damaged since, with the same content; one of which the ledger says
// otherwise is reported, and nothing takes its place.
func TestAdoptedIsMadeAgain(t *testing.T) {
	scene := small(t, false)
	for name, harm := range map[string]func(p *predecessor){
		"lost":    func(p *predecessor) { p.delete(hour7) },
		"damaged": func(p *predecessor) { p.put(hour7, []byte("<html>")) },
	} {
		p := scene.copyOf()
		p.adopt(nil)
		harm(p)
		p.release()
		pub, _ := p.publisher(nil, nil)
		r, err := pub.Run(t.Context())
		if err != nil || !slices.Contains(r.Repaired, hour7) {
			t.Fatalf("%s: %v\n%s", name, err, r)
		}
		was, _ := p.shown(hour7, p.before[hour7])
		p.remember(hour7)
		is, _ := p.shown(hour7, p.files[hour7])
		if len(was) == 0 || len(was) != len(is) {
			t.Errorf("%s: %d keys, had %d", name, len(is), len(was))
		}
		for k := range was {
			if is[k] == nil || is[k].GetReportType() != was[k].GetReportType() || is[k].GetTransmissionRiskLevel() != was[k].GetTransmissionRiskLevel() {
				t.Errorf("%s: a key is otherwise than it was", name)
			}
		}
		if r, err := pub.Repair(t.Context()); err != nil || len(r.Repaired)+r.Written > 0 {
			t.Errorf("%s: then %v\n%s", name, err, r)
		}
	}
	p := scene.copyOf()
	var last submitted
	for _, up := range p.uploads {
		if level, _ := up.Keys[0].TransmissionRiskLevel.Get(); up.published.IsZero() && up.source == ledger.Own && level >= 3 {
			last = up
		}
	}
	extra := p.published()
	k := extra["DE"][0]
	k.Data, k.Published, k.Risk = last.Keys[0].KeyData, switchTime.AddDate(0, 0, -1), 8
	extra["DE"] = append(extra["DE"], k)
	c := treetest.CWA{Signer: treetest.Signer{Key: fixedKey(t, "262-v1"), ID: "262", Version: "v1"}, HourDays: 2}
	const day = root + "DE/date/2026-03-10"
	p.put(day, c.Tree(extra, switchTime.Add(-24*hour), switchTime)[day].Body)
	r := p.adopt(nil)
	if len(r.Differences) == 0 || !slices.ContainsFunc(r.Differences, func(f distribution.Finding) bool { return strings.HasSuffix(f.Object, "DE/date/2026-03-10/hour/23") }) {
		t.Errorf("a day with a key that no hour has:\n%s", r)
	}
	const odd = day + "/hour/23"
	p.delete(odd)
	p.release()
	pub, _ := p.publisher(nil, nil)
	if r, err := pub.Run(t.Context()); !errors.Is(err, distribution.ErrIncomplete) || !slices.Equal(r.Lost, []string{odd}) {
		t.Errorf("got %v\n%s", err, r)
	}
}

// TestAdoptedRetires deletes what was adopted when its time is over, and nothing of
// others.
func TestAdoptedRetires(t *testing.T) {
	p := small(t, false)
	p.layout = newLayout(t, &cwa.Options{Hash: cwa.HashMD5, HourDays: 1, Days: 2})
	const config = "version/v1/configuration/country/DE/app_config"
	p.put(config, []byte("config"))
	p.adopt(nil)
	p.publish()
	for range 4 {
		p.clock = p.clock.Add(23 * hour)
		p.publish()
	}
	all := objects(t, p.bucket)
	for name := range p.left {
		if _, file := p.layout.Parse(name); file && all[name] != nil {
			t.Errorf("%s is still there", name)
		}
	}
	if all[config] == nil || all["version"] == nil {
		t.Error("what is others' is gone, or the root")
	}
}

// TestAdoptShared leaves the roots to others, and their countries.
func TestAdoptShared(t *testing.T) {
	p := small(t, false)
	p.layout = newLayout(t, &cwa.Options{Hash: cwa.HashMD5, HourDays: 1, Days: 1, Shared: true})
	const theirs = root + "FR/date/2026-03-10"
	p.put(theirs, []byte("theirs"))
	p.put(strings.TrimSuffix(root, "/"), []byte(`["DE","EUR","FR"]`))
	p.put(root+"FR/date", []byte(`["2026-03-10"]`))
	p.adopt(nil)
	p.publish()
	for range 3 {
		p.clock = p.clock.Add(23 * hour)
		p.publish()
	}
	all := objects(t, p.bucket)
	for name, want := range map[string]string{theirs: "theirs", "version": `["v1"]`, strings.TrimSuffix(root, "/"): `["DE","EUR","FR"]`, root + "FR/date": `["2026-03-10"]`} {
		if got := string(all[name]); got != want {
			t.Errorf("%s is %.40q, want %q", name, got, want)
		}
	}
}

// TestAdoptEarlier releases what was published in files that are gone.
func TestAdoptEarlier(t *testing.T) {
	p := newPredecessor(t, inMemory, 4, false)
	gone := map[keys.KeyData]bool{}
	opts := &distribution.AdoptOptions{}
	p.hand()
	for i, up := range p.uploads {
		if !up.published.IsZero() && up.published.Before(switchTime.Add(-24*hour).Truncate(24*hour)) {
			p.uploads[i].published = time.Time{} // in the tree it is no longer
			for _, k := range up.Keys {
				gone[k.KeyData] = true
				opts.Earlier = append(opts.Earlier, ledger.IDOf(&k))
			}
		}
	}
	p.leaveSince(24 * hour)
	if r := p.adopt(opts); r.Earlier != len(opts.Earlier) || r.Earlier == 0 {
		t.Errorf("got\n%s", r)
	}
	for range 6 {
		for _, w := range p.publish().Published {
			for _, name := range w.Objects {
				fresh, _ := p.shown(name, p.files[name])
				for k := range fresh {
					if gone[k] {
						t.Fatalf("%s has a key that was published before", name)
					}
				}
			}
		}
	}
}

// TestAdoptUnknown says whose keys are of which nothing is known but their archive.
func TestAdoptUnknown(t *testing.T) {
	p := newPredecessor(t, inMemory, 1, false)
	p.leaveSince(24 * hour)
	p.adopt(&distribution.AdoptOptions{Unknown: map[string]distribution.Owner{"EUR": {Source: "hub", Origin: fr}}})
	own, foreign := 0, 0
	for rec, err := range p.open(nil).Find(t.Context(), ledger.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		u := rec.Unit
		switch {
		case u == nil || !u.Released() || u.Key.ConsentToFederate != keys.ConsentRefused || u.Key.ReportType.Present():
			t.Errorf("%+v", u)
		case u.Own() && u.Key.Origin == de:
			own++
		case !u.Own() && u.Key.Origin == fr:
			foreign++
		}
	}
	if own == 0 || foreign == 0 {
		t.Errorf("%d own keys and %d of others", own, foreign)
	}
}
