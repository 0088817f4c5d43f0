package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/examples/internal/nation"
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

// TestWithdrawal is an upload that is withdrawn: at once and everywhere if it has not
// left; after the wait of withdrawals that are too few, in the archives of two
// nations, if it has; and with the next cut, if the order says immediately.
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
	ie.comesToShow("EUR", good, slow, quick)

	var never []keys.DiagnosisKey
	for { // an hour is two seconds, so a cut may come in between
		never = de.submit(5)
		r := de.order(never)
		if r.Effects.Waiting == len(never) {
			break
		}
		t.Logf("a cut was quicker: %+v", r.Effects)
		slow = append(slow, never...)
	}

	before := int64(len(de.cuts()))
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
