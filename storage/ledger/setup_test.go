package ledger_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

var noon = time.Date(2021, 1, 10, 12, 0, 0, 0, time.UTC)

// setup is a ledger in memory whose clock the test sets.
type setup struct {
	*ledger.Ledger
	t     *testing.T
	store *memledger.Store
	now   time.Time
	keys  *keystest.Generator
}

// open opens a new ledger. Nil options are those of a ledger whose next cut
// takes everything.
func open(t *testing.T, opts *ledger.Options) *setup {
	t.Helper()
	s := &setup{t: t, now: noon, keys: keystest.New(1, nil)}
	s.store = memledger.New(&memledger.Options{Clock: func() time.Time { return s.now }})
	if opts == nil {
		p := ledger.DefaultPolicy()
		p.MinKeys, p.MinUploads, p.MinWithdrawnUploads = 0, 0, 0
		opts = &ledger.Options{Policy: &p}
	}
	l, err := ledger.Open(t.Context(), s.store, opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Ledger = l
	return s
}

// key returns a key of yesterday.
func (s *setup) key() keys.DiagnosisKey {
	return keys.DiagnosisKey{
		TemporaryExposureKey: keys.TemporaryExposureKey{
			KeyData:                    s.keys.KeyData(),
			RollingStartIntervalNumber: keys.StartOfDay(keys.IntervalAt(noon).Day() - 1),
			RollingPeriod:              144,
			ReportType:                 keys.Some(keys.ReportConfirmedTest),
		},
		Origin:            keys.MustRegion("DE"),
		ConsentToFederate: keys.ConsentGiven,
	}
}

// accept has one upload accepted.
func (s *setup) accept(source ledger.Source, upload string, ks ...keys.DiagnosisKey) *ledger.Receipt {
	s.t.Helper()
	r, err := s.Accept(s.t.Context(), &ledger.Delivery{Source: source, Uploads: []ledger.Upload{{ID: upload, Keys: ks}}})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// release makes the cut of the next hour.
func (s *setup) release() *ledger.ReleaseReport {
	s.t.Helper()
	s.now = s.now.Truncate(time.Hour).Add(time.Hour)
	r, err := s.Release(s.t.Context(), nil)
	if err != nil || r == nil {
		s.t.Fatalf("no cut: %v", err)
	}
	return r
}

// outage sets the clock to a later time and makes the one cut after it.
func (s *setup) outage(until time.Time) {
	s.t.Helper()
	s.now = until
	if _, err := s.Release(s.t.Context(), &ledger.ReleaseOptions{AllowGap: true}); err != nil {
		s.t.Fatal(err)
	}
}

// find returns the records that a query describes.
func (s *setup) find(q ledger.Query) (list []*ledger.Record) {
	s.t.Helper()
	for rec, err := range s.Find(s.t.Context(), q) {
		if err != nil {
			s.t.Fatal(err)
		}
		list = append(list, rec)
	}
	return list
}

// unit returns a key's unit, nil if there is none.
func (s *setup) unit(k keys.DiagnosisKey) *ledger.Unit {
	s.t.Helper()
	id := ledger.IDOf(&k)
	for _, rec := range s.find(ledger.Query{Unit: &id}) {
		return rec.Unit
	}
	return nil
}

// withdraw has a source take keys back.
func (s *setup) withdraw(source ledger.Source, ks ...keys.DiagnosisKey) *ledger.Receipt {
	s.t.Helper()
	d := &ledger.Delivery{Source: source}
	for i := range ks {
		d.Withdrawals = append(d.Withdrawals, ledger.IDOf(&ks[i]))
	}
	r, err := s.Accept(s.t.Context(), d)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// outcome says in a word what became of the one key of a receipt.
func outcome(r *ledger.Receipt) string {
	switch {
	case r.Offered != 1 || r.Accepted+r.Revised+r.Duplicates+len(r.Rejected) != 1:
		return "not one"
	case r.Accepted == 1:
		return "accepted"
	case r.Revised == 1:
		return "revised"
	case r.Duplicates == 1:
		return "duplicate"
	}
	return string(r.Rejected[0].Field) + " " + string(r.Rejected[0].Reason)
}

func sources(u *ledger.Unit) []ledger.Source { return slices.Collect(u.Sources().All()) }
