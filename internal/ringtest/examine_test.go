package ringtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/cwa"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/filestore"
	"github.com/gaenkit/gaen/storage/ledger"
)

// expected is what must have become of a key.
type expected struct {
	home      *nation
	end       time.Time
	travels   bool           // there was consent
	withdrawn bool           // where it was submitted
	local     map[*site]bool // where else
}

// expectations are those of all keys that were submitted.
func (r *ring) expectations() map[ledger.UnitID]expected {
	local := map[ledger.UnitID]map[*site]bool{}
	for _, n := range r.nations {
		n.mu.Lock()
		for id := range n.local {
			if local[id] == nil {
				local[id] = map[*site]bool{}
			}
			local[id][n.site] = true
		}
		n.mu.Unlock()
	}
	all := map[ledger.UnitID]expected{}
	for _, n := range r.nations {
		n.mu.Lock()
		for _, up := range n.uploads {
			for i := range up.keys {
				id := ledger.IDOf(&up.keys[i])
				all[id] = expected{home: n, end: up.keys[i].End(), travels: up.consent, withdrawn: up.withdrawn[id], local: local[id]}
			}
		}
		n.mu.Unlock()
	}
	return all
}

// A tally counts what is wrong, by what it is.
type tally map[string]int

// add adds to a count, if there is something to add.
func (t tally) add(what string, n int) {
	if n > 0 {
		t[what] += n
	}
}

func (t tally) String() string {
	var all []string
	for _, what := range slices.Sorted(maps.Keys(t)) {
		all = append(all, fmt.Sprintf("%d %s", t[what], what))
	}
	return strings.Join(all, ", ")
}

// wrong reads a whole ledger, and counts what is not as it should be: invariants
// 4 to 6, 9 and 13.
func (s *site) wrong(ctx context.Context, want map[ledger.UnitID]expected) (tally, error) {
	l, closing, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	defer closing()
	wrong := tally{}
	seen := map[ledger.UnitID]bool{}
	for rec, err := range l.Find(ctx, ledger.Query{SetAside: true}) {
		if err != nil {
			return nil, err
		}
		for _, a := range rec.SetAside {
			if a.Reason != ledger.ReasonWithdrawn { // its withdrawal was here first, by another way
				wrong[fmt.Sprintf("set aside (%s: %s, from %s)", a.Field, a.Reason, a.Source)]++
			}
		}
		if rec.Unit == nil {
			continue
		}
		seen[rec.ID] = true
		w, ok := want[rec.ID]
		if !ok {
			wrong["that nobody submitted"]++
			continue
		}
		s.wrongUnit(rec.Unit, w, wrong)
	}
	for id, w := range want {
		if !seen[id] && (w.home.site == s || w.travels && !w.withdrawn) {
			wrong["missing, of "+w.home.name]++
		}
	}
	return wrong, nil
}

func (s *site) wrongUnit(u *ledger.Unit, w expected, wrong tally) {
	home := w.home.site == s
	var last ledger.Event
	if u.Released() {
		last = u.Events[len(u.Events)-1]
	}
	switch {
	case !home && !w.travels:
		wrong["abroad without consent"]++
	case home != u.Own():
		wrong["with another's claim"]++
	case w.withdrawn && !u.Released():
	case !u.Released():
		wrong["not released"]++
	case w.withdrawn && (last.Own == ledger.Active || last.Partners == ledger.Active):
		wrong["active, and withdrawn at home"]++
	case w.withdrawn:
	case last.Partners != ledger.Active:
		wrong["not active"]++
	case (last.Own == ledger.Active) == w.local[s]:
		wrong["not as the operator has it"]++
	}
	for _, c := range u.Claims {
		if c.Source != ledger.Own && c.Accepted.Before(w.end.Add(keys.Embargo)) {
			wrong["abroad before they may"]++
		}
	}
}

// wrongTree reads what a nation publishes, and counts what is not as it should be.
func (n *nation) wrongTree(ctx context.Context, want map[ledger.UnitID]expected) (tally, *distribution.TreeReport, error) {
	key, err := signing.ReadPrivateKeyFile(n.path("keys/private.pem"))
	if err != nil {
		return nil, nil, err
	}
	trusted, err := signing.NewTrustList(signing.PublicKey{Identity: signing.Identity{KeyID: "262", KeyVersion: "v1"}, Key: &key.PublicKey})
	if err != nil {
		return nil, nil, err
	}
	layout, err := cwa.New(&cwa.Options{Index: "index"})
	if err != nil {
		return nil, nil, err
	}
	bucket, err := filestore.New(n.path("www"), nil)
	if err != nil {
		return nil, nil, err
	}
	report, err := distribution.Verify(ctx, bucket, layout, trusted, nil)
	if err != nil {
		return nil, nil, err
	}
	wrong := tally{}
	for _, f := range report.Findings {
		wrong["finding: "+f.String()]++
	}
	if report.Archives > 0 { // else no day is over, before which a day's hours are named by no index
		wrong.add("archives that no index names", len(report.Unlisted))
	}
	for _, pkg := range []string{"EUR", n.region.String()} {
		shown, err := readPackage(ctx, bucket, layout, trusted, pkg)
		if err != nil {
			return nil, nil, err
		}
		n.compare(pkg, shown, want, wrong)
	}
	return wrong, report, nil
}

// shown is how a package shows a key.
type shown struct {
	times   int
	revoked int
	end     time.Time // of the window that has it first
}

// readPackage reads the base windows of a package.
func readPackage(ctx context.Context, b storage.Bucket, layout *cwa.Layout, trusted *signing.TrustList, pkg string) (map[keys.KeyData]*shown, error) {
	all := map[keys.KeyData]*shown{}
	at := func(data keys.KeyData) *shown {
		if all[data] == nil {
			all[data] = &shown{}
		}
		return all[data]
	}
	for attributes, err := range storage.List(ctx, b, "") {
		if err != nil {
			return nil, err
		}
		f, ok := layout.Parse(attributes.Name)
		if !ok || f.Package != pkg || f.Span != "hour" {
			continue
		}
		content, _, err := storage.ReadAll(ctx, b, attributes.Name, 1<<26)
		if err != nil {
			return nil, err
		}
		a, err := export.Open(bytes.NewReader(content), int64(len(content)), nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", attributes.Name, err)
		}
		v, err := a.Verify(trusted, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", attributes.Name, err)
		}
		for k, err := range v.Keys() {
			if err != nil {
				return nil, fmt.Errorf("%s: %w", attributes.Name, err)
			}
			s := at(k.KeyData)
			s.times++
			s.end = f.Window.End
		}
		for k, err := range v.RevisedKeys() {
			if err != nil {
				return nil, fmt.Errorf("%s: %w", attributes.Name, err)
			}
			if k.ReportType == keys.Some(keys.ReportRevoked) {
				at(k.KeyData).revoked++
			}
		}
	}
	return all, nil
}

// compare holds what a package shows against what it must.
func (n *nation) compare(pkg string, all map[keys.KeyData]*shown, want map[ledger.UnitID]expected, wrong tally) {
	seen := 0
	for id, w := range want {
		s := all[id.KeyData]
		if s == nil {
			s = &shown{}
		} else {
			seen++
		}
		home, withdrawn := w.home == n, w.withdrawn || w.local[n.site]
		is := func(what string, yes bool) {
			if yes {
				wrong[what+" in "+pkg]++
			}
		}
		is("twice", s.times > 1)
		is("withdrawn and not revoked", withdrawn && s.times != s.revoked)
		is("revoked", !withdrawn && s.revoked > 0)
		is("before they may", s.times > 0 && s.end.Before(w.end.Add(keys.Embargo)))
		switch {
		case home:
			is("missing", s.times == 0 && !withdrawn)
		case pkg != "EUR" || !w.travels:
			is("from abroad", s.times > 0)
		case !n.withheld:
			is("missing", s.times == 0 && !withdrawn)
		}
	}
	wrong.add("that nobody submitted in "+pkg, len(all)-seen)
}

// pulse is what changes as long as a ledger is not at rest.
type pulse struct {
	last    int64
	taken   int64
	batches int
}

func (s *site) pulse(ctx context.Context) (p pulse, err error) {
	l, closing, err := s.open(ctx)
	if err != nil {
		return p, err
	}
	defer closing()
	log, err := l.Log(ctx, 1<<62)
	if err != nil {
		return p, err
	}
	p.last = log.Last.Last
	for name, n := range log.Tallies { // what comes again is counted too, and comes again and again
		if strings.HasPrefix(name, "accepted/") || strings.HasPrefix(name, "revised/") {
			p.taken += n
		}
	}
	batches, err := l.Registers(ctx, "federation/hub/batches/")
	p.batches = len(batches)
	return p, err
}

// still is for how many rounds nothing must happen: some cuts and looks of
// everybody.
const (
	round = 300 * time.Millisecond
	still = 6
)

// rest waits until nothing happens any more and everything is where it belongs.
func (r *ring) rest(ctx context.Context, most time.Duration) error {
	var before string
	unchanged := 0
	want := r.expectations()
	deadline := time.Now().Add(most)
	for wrong := (error)(nil); ; time.Sleep(round) {
		now, err := r.pulses(ctx)
		if err != nil {
			return err
		}
		if unchanged++; now != before {
			before, unchanged = now, 0
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("no rest: for %d rounds nothing happened: %s", unchanged, now), wrong)
		}
		if unchanged > 0 && unchanged%still == 0 {
			if wrong = r.examineLedgers(ctx, want); wrong == nil {
				return nil
			}
		}
	}
}

// pulses returns what changes while anything happens.
func (r *ring) pulses(ctx context.Context) (string, error) {
	var text strings.Builder
	for _, s := range r.sites() {
		p, err := s.pulse(ctx)
		if err != nil {
			return "", fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Fprintf(&text, "%s %v; ", s.name, p)
	}
	for _, n := range r.nations {
		for _, w := range n.wires {
			tags, again, _ := w.count()
			fmt.Fprintf(&text, "%s %d %d; ", w.name, tags, again)
		}
	}
	return text.String(), nil
}

// examineLedgers returns what is wrong in any ledger.
func (r *ring) examineLedgers(ctx context.Context, want map[ledger.UnitID]expected) error {
	var errs []error
	for _, s := range r.sites() {
		wrong, err := s.wrong(ctx, want)
		if err == nil && len(wrong) > 0 {
			err = errors.New(wrong.String())
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	return errors.Join(errs...)
}
