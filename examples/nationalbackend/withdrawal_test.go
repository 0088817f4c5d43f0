package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/examples/internal/nation"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// order has an operator withdraw keys, and returns the report.
func (c *country) order(ks []keys.DiagnosisKey, flags ...string) *ledger.OrderReport {
	c.j.t.Helper()
	var lines strings.Builder
	for _, k := range ks {
		fmt.Fprintf(&lines, "%s %x\n", c.region, k.KeyData[:])
	}
	path := c.j.path(c.id, "withdrawn")
	if err := os.WriteFile(path, []byte(lines.String()), 0o600); err != nil {
		c.j.t.Fatal(err)
	}
	args := append([]string{"nationalbackend", "order", "-config", c.id + "/backend.json", "-action", "withdraw", "-keys", path,
		"-by", "ada", "-why", "wrong sample", "-do"}, flags...)
	report := &ledger.OrderReport{}
	if err := json.Unmarshal([]byte(c.j.run(args...)), report); err != nil {
		c.j.t.Fatal(err)
	}
	return report
}

// explain returns where a key has been in a nation.
func (c *country) explain(k keys.DiagnosisKey) *nation.Explanation {
	c.j.t.Helper()
	path := c.j.path(c.id, "asked")
	if err := os.WriteFile(path, []byte(hex.EncodeToString(k.KeyData[:])), 0o600); err != nil {
		c.j.t.Fatal(err)
	}
	e := &nation.Explanation{}
	if err := json.Unmarshal([]byte(c.j.run("nationalbackend", "explain", "-config", c.id+"/backend.json", "-key", path)), e); err != nil {
		c.j.t.Fatal(err)
	}
	return e
}

// told returns the number of the cut that told of a key's withdrawal, and fails the
// test unless every package that showed the key has revoked it.
func (c *country) told(k keys.DiagnosisKey) int64 {
	c.j.t.Helper()
	e := c.explain(k)
	if len(e.Ledger) != 1 || len(e.Ledger[0].Events) != 2 {
		c.j.t.Fatalf("%s: %+v", c.id, e.Ledger)
	}
	for _, s := range e.Packages {
		var as []string
		for _, f := range s.Files {
			if f.Span == "hour" {
				as = append(as, string(f.As))
			}
		}
		if got := strings.Join(as, " "); got != "new revoked" {
			c.j.t.Errorf("%s: in %s it is %q", c.id, s.Package, got)
		}
	}
	return int64(e.Ledger[0].Events[1].Cut)
}

// cuts returns the times of all cuts so far, the first at 1.
func (c *country) cuts() []time.Time {
	c.j.t.Helper()
	times := []time.Time{{}}
	c.onLedger(func(l *ledger.Ledger) {
		log, err := l.Log(c.j.t.Context(), 0)
		if err != nil {
			c.j.t.Fatal(err)
		}
		for _, cut := range log.Cuts {
			times = append(times, cut.Time)
		}
	})
	return times
}

// windows returns what the hours of a package revoke, by the end of each.
func (c *country) windows(pkg string) map[time.Time][]keys.KeyData {
	c.j.t.Helper()
	found := map[time.Time][]keys.KeyData{}
	err := filepath.WalkDir(c.j.path(c.id, "www"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "/country/"+pkg+"/") || !strings.Contains(path, "/hour/") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(text, []byte("PK")) {
			return err // an index
		}
		a, err := export.Open(bytes.NewReader(text), int64(len(text)), nil)
		if err != nil {
			return err
		}
		content, err := a.Unverified().Content()
		if err != nil {
			return err
		}
		for _, k := range content.RevisedKeys {
			if k.ReportType == keys.Some(keys.ReportRevoked) {
				found[content.End] = append(found[content.End], k.KeyData)
			}
		}
		return nil
	})
	if err != nil {
		c.j.t.Fatal(err)
	}
	return found
}

// cutReport is what a process logs of a cut.
type cutReport struct {
	Msg          string
	Time         time.Time
	Gone         int
	FewWaitedOut int
	FewByOrder   int
}

// report returns what a process has logged of a cut, and waits for the line.
func (c *country) report(cut time.Time) (r cutReport, ok bool) {
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		for line := range strings.Lines(c.text()) {
			if json.Unmarshal([]byte(line), &r) == nil && r.Msg == "cut" && r.Time.Equal(cut) {
				return r, true
			}
		}
		if time.Since(start) > 10*time.Second {
			return cutReport{}, false
		}
	}
}

// orderedAt is a withdrawal that was ordered: of an upload, when, and whether at once.
type orderedAt struct {
	upload      string
	cut         time.Time // the last before the order
	immediately bool
}

// groupedIn fails the test if a window of a package revokes keys of fewer uploads than
// the policy asks for, though none of them had waited for the longest time, or was
// ordered immediately; or if the report of its cut does not count exactly those. It
// returns how many windows had to do with few.
func (c *country) groupedIn(pkg string, ordered map[keys.KeyData]orderedAt) (few int) {
	c.j.t.Helper()
	p := ledger.DefaultPolicy()
	for end, gone := range c.windows(pkg) {
		uploads := map[string]bool{}
		waited, asked := false, false
		for _, k := range gone {
			o, ok := ordered[k]
			if !ok {
				c.j.t.Errorf("%s: the window up to %s revokes a key that nobody withdrew", pkg, end)
				continue
			}
			uploads[o.upload] = true
			waited = waited || !end.Before(o.cut.Add(p.WithdrawalWait))
			asked = asked || o.immediately
		}
		r, ok := c.report(end)
		switch counted := r.FewWaitedOut + r.FewByOrder; {
		case !ok || r.Gone != len(gone):
			c.j.t.Errorf("%s: the window up to %s revokes %d keys, its cut reports %+v", pkg, end, len(gone), r)
		case len(uploads) >= p.MinWithdrawnUploads && counted != 0:
			c.j.t.Errorf("%s: the window up to %s revokes %d uploads, its cut counts %d as too few", pkg, end, len(uploads), counted)
		case len(uploads) >= p.MinWithdrawnUploads:
		case !waited && !asked:
			c.j.t.Errorf("%s: the window up to %s revokes %d uploads, and none has waited", pkg, end, len(uploads))
		case counted != len(uploads) || r.FewWaitedOut > 0 && !waited || r.FewByOrder > 0 && !asked:
			c.j.t.Errorf("%s: the window up to %s revokes %d uploads; waited: %t, by order: %t; its cut counts %+v", pkg, end, len(uploads), waited, asked, r)
		}
		if len(uploads) < p.MinWithdrawnUploads {
			few++
		}
	}
	return few
}

// TestWithdrawal is an upload that is withdrawn: at once and everywhere if it has not
// left; after the wait of withdrawals that are too few, in the archives of two
// nations, if it has; with the next cut, if there are enough of them, or if the order
// says immediately. No window of the archives has too few for any other reason, and
// what the process reports of its cuts counts those.
func TestWithdrawal(t *testing.T) {
	if testing.Short() {
		t.Skip("programs are built and run")
	}
	t.Parallel()
	j := newJourney(t)
	j.release = map[string]any{"minKeys": 0, "minUploads": 0} // withdrawals as by default
	j.hub("hub")
	at := map[string]settings{"hub": {rights: []string{"-withdrawals"},
		switches: map[string]any{"import": true, "export": true, "rules": map[string]any{"withdrawals": true}}}}
	de, ie := j.country("de", at), j.country("ie", at)
	const wait = 2 * time.Hour

	good, slow, quick := de.submit(3), de.submit(4), de.submit(2)
	var many []keys.DiagnosisKey // of as many uploads as are enough
	for range ledger.DefaultPolicy().MinWithdrawnUploads {
		many = append(many, de.submit(1)...)
	}
	ie.comesToShow("EUR", good, slow, quick, many)
	ordered := map[keys.KeyData]orderedAt{}
	withdrawn := func(ks []keys.DiagnosisKey, cut time.Time, immediately, apart bool) {
		for _, k := range ks {
			o := orderedAt{upload: fmt.Sprintf("%x", ks[0].KeyData[:]), cut: cut, immediately: immediately}
			if apart {
				o.upload = fmt.Sprintf("%x", k.KeyData[:])
			}
			ordered[k.KeyData] = o
		}
	}

	var never []keys.DiagnosisKey
	for { // an hour is two seconds, so a cut may come in between
		never = de.submit(5)
		r := de.order(never)
		if r.Effects.Waiting == len(never) {
			break
		}
		t.Logf("a cut was quicker: %+v", r.Effects)
		slow = append(slow, never...)
		withdrawn(never, time.Time{}, false, false)
	}

	before := int64(len(de.cuts()))
	withdrawn(slow[:4], de.cuts()[before-1], false, false)
	r := de.order(slow[:4])
	after := int64(len(de.cuts())) // the first cut that certainly passes it over
	if r.Effects.Released != 4 || len(r.Groups) != 1 || !r.Groups[0].Small {
		t.Errorf("the order: %+v", r)
	}
	ie.hears(de, slow...)
	t.Logf("the other nation hears of it within %s", j.clock.Now().Sub(r.Given).Round(time.Minute))
	told, cuts := de.told(slow[0]), de.cuts()
	t.Logf("told by the cut %s after the order", cuts[told].Sub(r.Given).Round(time.Minute))
	if cuts[told].Before(cuts[before].Add(wait)) {
		t.Errorf("told by the cut of %s, and passed over first by that of %s at the earliest", cuts[told], cuts[before])
	}
	if told > after && !cuts[told-1].Before(cuts[after].Add(wait)) {
		t.Errorf("told by the cut of %s, and that of %s was as good", cuts[told], cuts[told-1])
	}

	withdrawn(quick, time.Time{}, true, false)
	r = de.order(quick, "-immediately")
	after = int64(len(de.cuts()))
	if r.Effects.Urgent != 2 {
		t.Errorf("the order: %+v", r)
	}
	ie.hears(de, append(quick, slow...)...)
	t.Logf("the other nation hears of it within %s", j.clock.Now().Sub(r.Given).Round(time.Minute))
	if told = de.told(quick[0]); told > after {
		t.Errorf("told by cut %d, and the next after the order was %d", told, after)
	}
	t.Logf("told by the cut %s after the order", de.cuts()[told].Sub(r.Given).Round(time.Minute))

	withdrawn(many, time.Time{}, false, true)
	r = de.order(many)
	after = int64(len(de.cuts()))
	if r.Effects.Released != len(many) || len(r.Groups) != 1 || r.Groups[0].Small {
		t.Errorf("the order: %+v", r)
	}
	ie.hears(de, slices.Concat(many, quick, slow)...)
	if told = de.told(many[0]); told > after {
		t.Errorf("%d uploads are told by cut %d, and the next after the order was %d", len(many), told, after)
	}
	if few := de.groupedIn("DE", ordered); few < 2 {
		t.Errorf("%d windows have few withdrawals, and two orders were such", few)
	}

	for _, c := range []*country{de, ie} {
		for _, s := range c.explain(never[0]).Packages {
			if len(s.Files) > 0 {
				t.Errorf("%s: %s has shown a key that was withdrawn before it left", c.id, s.Package)
			}
		}
		j.run("verify", "-set", "api.originCountry="+c.region.String(), "-key", c.id+"/keys/private.pem.pub", c.id+"/www")
	}
	if n := strings.Count(j.run("nationalbackend", "orders", "-config", "de/backend.json"), `"by": "ada"`); n < 3 {
		t.Errorf("%d records", n)
	}
}
