package ledgertest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// noon is when trials begin: half a day after yesterday's keys have ended, so
// that they are due as soon as they are accepted.
var noon = time.Date(2021, 1, 10, 12, 0, 0, 0, time.UTC)

// A trial is one check of one clause, with a ledger of its own.
type trial struct {
	t      *testing.T // what the store is opened with
	tb     testing.TB // what failures are told to
	clause clause
	opener Opener
	opts   *Options
	ctx    context.Context

	clock  *clock
	random *keystest.Generator
	names  map[keys.KeyData]string // for messages: key data is not printed
	count  int                     // of uploads

	store  ledger.Store
	ledger *ledger.Ledger
	story  func() string // what has happened so far, for messages; may be nil
}

func newTrial(t *testing.T, tb testing.TB, c clause, open Opener, opts *Options) *trial {
	return &trial{
		t: t, tb: tb, clause: c, opener: open, opts: opts,
		ctx:    tb.Context(),
		clock:  &clock{now: noon},
		random: keystest.New(1, nil),
		names:  map[keys.KeyData]string{},
	}
}

// fail ends the trial, quoting the clause.
func (tr *trial) fail(format string, args ...any) {
	tr.tb.Helper()
	story := ""
	if tr.story != nil {
		story = tr.story()
	}
	tr.tb.Fatalf("%s%s\n\tclause: %s", story, fmt.Sprintf(format, args...), tr.clause.must)
}

// must ends the trial if there is an error.
func (tr *trial) must(err error) {
	tr.tb.Helper()
	if err != nil {
		tr.fail("got the error %v", err)
	}
}

// clock is what ledgers under test run by.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// pass lets time go by.
func (tr *trial) pass(d time.Duration) { tr.clock.set(tr.clock.Now().Add(d)) }

// openStore opens an empty store, without a ledger around it.
func (tr *trial) openStore() ledger.Store {
	tr.tb.Helper()
	tr.store = tr.opener(tr.t, tr.clock.Now)
	return tr.store
}

// eager is a policy by which the next cut takes everything.
func eager() ledger.Policy {
	p := ledger.DefaultPolicy()
	p.MinKeys, p.MinUploads, p.MinWithdrawnUploads = 0, 0, 0
	return p
}

// open opens an empty ledger that goes by the policy.
func (tr *trial) open(p ledger.Policy) {
	tr.tb.Helper()
	tr.ledger = tr.around(tr.openStore(), p)
}

// around opens the ledger that a store keeps.
func (tr *trial) around(s ledger.Store, p ledger.Policy) *ledger.Ledger {
	tr.tb.Helper()
	l, err := ledger.Open(tr.ctx, s, &ledger.Options{Policy: &p})
	tr.must(err)
	return l
}

// deliver has a delivery accepted.
func (tr *trial) deliver(d ledger.Delivery) *ledger.Receipt {
	tr.tb.Helper()
	receipt, err := tr.ledger.Accept(tr.ctx, &d)
	tr.must(err)
	return receipt
}

// accept has one upload of keys accepted, each as a claim, and returns its id.
func (tr *trial) accept(source ledger.Source, ks ...keys.DiagnosisKey) string {
	tr.tb.Helper()
	up := tr.upload(ks...)
	r := tr.deliver(ledger.Delivery{Source: source, Uploads: []ledger.Upload{up}})
	if r.Accepted != len(ks) {
		tr.fail("got a receipt for %d of %d keys: %+v", r.Accepted, len(ks), *r)
	}
	return up.ID
}

func (tr *trial) upload(ks ...keys.DiagnosisKey) ledger.Upload {
	tr.count++
	return ledger.Upload{ID: fmt.Sprintf("upload-%d", tr.count), Keys: ks}
}

// withdraw has a source take keys back.
func (tr *trial) withdraw(source ledger.Source, ks ...keys.DiagnosisKey) *ledger.Receipt {
	tr.tb.Helper()
	return tr.deliver(ledger.Delivery{Source: source, Withdrawals: ids(ks)})
}

func ids(ks []keys.DiagnosisKey) []ledger.UnitID {
	all := make([]ledger.UnitID, len(ks))
	for i := range ks {
		all[i] = ledger.IDOf(&ks[i])
	}
	return all
}

// cut waits for the next hour and makes its cut.
func (tr *trial) cut() *ledger.ReleaseReport {
	tr.tb.Helper()
	tr.clock.set(tr.clock.Now().Truncate(time.Hour).Add(time.Hour))
	report, err := tr.ledger.Release(tr.ctx, nil)
	tr.must(err)
	if report == nil {
		tr.fail("no cut was made at %s", tr.clock.Now())
	}
	return report
}

// log returns the whole log.
func (tr *trial) log() *ledger.Log {
	tr.tb.Helper()
	log, err := tr.store.Log(tr.ctx, 0)
	tr.must(err)
	return log
}

// end returns the last number.
func (tr *trial) end() int64 {
	tr.tb.Helper()
	return tr.log().Last.Last
}

// read returns what a range yields.
func (tr *trial) read(from, to int64) []*ledger.Unit {
	tr.tb.Helper()
	units, err := tr.tryRead(from, to)
	tr.must(err)
	return units
}

func (tr *trial) tryRead(from, to int64) ([]*ledger.Unit, error) {
	var units []*ledger.Unit
	for u, err := range tr.store.Read(tr.ctx, from, to) {
		if err != nil {
			return units, err
		}
		units = append(units, u.Clone())
	}
	return units, nil
}

// find returns the records that a query describes.
func (tr *trial) find(q ledger.Query) []*ledger.Record {
	tr.tb.Helper()
	var records []*ledger.Record
	for rec, err := range tr.store.Find(tr.ctx, q) {
		tr.must(err)
		records = append(records, rec)
	}
	return records
}

// unit returns what is known of a key's unit, nil if there is none.
func (tr *trial) unit(k keys.DiagnosisKey) *ledger.Unit {
	tr.tb.Helper()
	id := ledger.IDOf(&k)
	records := tr.find(ledger.Query{Unit: &id})
	switch {
	case len(records) > 1:
		tr.fail("found %d records of one unit", len(records))
	case len(records) == 1:
		return records[0].Unit
	}
	return nil
}

// key returns a new key of an origin, of the whole of yesterday, that every
// policy takes.
func (tr *trial) key(origin string) keys.DiagnosisKey {
	k := keys.DiagnosisKey{
		TemporaryExposureKey: keys.TemporaryExposureKey{
			KeyData:                    tr.random.KeyData(),
			RollingStartIntervalNumber: keys.StartOfDay(keys.IntervalAt(tr.clock.Now()).Day() - 1),
			RollingPeriod:              keys.IntervalsPerDay,
			TransmissionRiskLevel:      keys.Some(keys.TransmissionRiskLevel(5)),
			ReportType:                 keys.Some(keys.ReportConfirmedClinicalDiagnosis),
		},
		Origin:            keys.MustRegion(origin),
		ConsentToFederate: keys.ConsentGiven,
	}
	tr.label(k.KeyData)
	return k
}

// keys returns n new keys of an origin.
func (tr *trial) keys(origin string, n int) []keys.DiagnosisKey {
	ks := make([]keys.DiagnosisKey, n)
	for i := range ks {
		ks[i] = tr.key(origin)
	}
	return ks
}

// label gives key data a name for messages, in the order of first use.
func (tr *trial) label(k keys.KeyData) string {
	if tr.names[k] == "" {
		tr.names[k] = fmt.Sprintf("k%d", len(tr.names)+1)
	}
	return tr.names[k]
}
