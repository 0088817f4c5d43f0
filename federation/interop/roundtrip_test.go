package interop

import (
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A backEnd is a nation's, with a ledger and both directions to the hub.
type backEnd struct {
	w      *world
	ledger *ledger.Ledger
	push   *federation.Push
	pull   *federation.Pull
}

func (w *world) backEnd(id string, rules federation.Rules) *backEnd {
	w.t.Helper()
	b := &backEnd{w: w, ledger: newLedger(w.t, w.clock)}
	var err error
	if b.push, err = federation.NewPush(b.ledger, "hub", w.client(id), rules, &federation.PushOptions{FromBeginning: true, MaxBatch: 20}); err != nil {
		w.t.Fatal(err)
	}
	if b.pull, err = federation.NewPull(b.ledger, "hub", w.client(id), &federation.PullOptions{Settle: -1}); err != nil {
		w.t.Fatal(err)
	}
	return b
}

// submit has an own upload accepted.
func (b *backEnd) submit(id string, ks []keys.DiagnosisKey) {
	b.w.t.Helper()
	for i := range ks {
		ks[i].ConsentToFederate = keys.ConsentGiven
	}
	_, err := b.ledger.Accept(b.w.t.Context(), &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: id, Keys: ks}}})
	if err != nil {
		b.w.t.Fatal(err)
	}
}

// exchange has the back end make its cut, push, the hub make its cut, and the
// other pull.
func (b *backEnd) exchange(other *backEnd) (*federation.PushReport, *federation.PullReport) {
	b.w.t.Helper()
	b.w.clock.add(time.Hour)
	if _, err := b.ledger.Release(b.w.t.Context(), nil); err != nil {
		b.w.t.Fatal(err)
	}
	sent, err := b.push.Run(b.w.t.Context())
	if err != nil {
		b.w.t.Fatal(err)
	}
	b.w.release()
	got, err := other.pull.Run(b.w.t.Context())
	if err != nil {
		b.w.t.Fatal(err)
	}
	return sent, got
}

// keysFrom returns the keys that the hub has brought, in canonical order.
func (b *backEnd) keysFrom(source ledger.Source) (ks []keys.DiagnosisKey) {
	b.w.t.Helper()
	for rec, err := range b.ledger.Find(b.w.t.Context(), ledger.Query{Source: source}) {
		if err != nil {
			b.w.t.Fatal(err)
		}
		if rec.Unit != nil {
			k := rec.Unit.Key
			k.ConsentToFederate = keys.ConsentUnstated
			ks = append(ks, k)
		}
	}
	slices.SortFunc(ks, func(a, b keys.DiagnosisKey) int { return a.Compare(&b) })
	return ks
}

func sorted(ks []keys.DiagnosisKey) []keys.DiagnosisKey {
	ks = slices.Clone(ks)
	for i := range ks {
		ks[i].ConsentToFederate = keys.ConsentUnstated
	}
	slices.SortFunc(ks, func(a, b keys.DiagnosisKey) int { return a.Compare(&b) })
	return ks
}

// TestRoundTrip has keys go from one back end through the hub to another, and be
// withdrawn.
func TestRoundTrip(t *testing.T) {
	w := newWorld(t, nil)
	withWithdrawals := federation.Export()
	withWithdrawals.Withdrawals = true
	irish, gibraltar := w.backEnd("ie", withWithdrawals), w.backEnd("gi", federation.Export())

	ks := w.newKeys(ie, 25) // two batches
	irish.submit("a", ks[:12])
	irish.submit("b", ks[12:])
	sent, got := irish.exchange(gibraltar)
	if sent.Batches != 2 || got.Accepted != 25 || got.Rejected != 0 {
		t.Fatalf("sent %+v, got %+v", sent, got)
	}
	want := slices.Clone(ks)
	for i := range want {
		if want[i].DaysSinceOnsetOfSymptoms.Or(1) == 0 { // which the plain form says for want of one
			want[i].DaysSinceOnsetOfSymptoms = keys.Optional[keys.DaysSinceOnset]{}
		}
	}
	if !slices.Equal(gibraltar.keysFrom("hub"), sorted(want)) {
		t.Error("the keys that came are not those that were sent")
	}

	if _, err := irish.ledger.RollBack(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if _, got := irish.exchange(gibraltar); got.WithdrawalsTaken != 12 {
		t.Errorf("got %+v, want 12 withdrawals", got)
	}
	if _, got := irish.exchange(gibraltar); got.Pages != 0 {
		t.Errorf("got %+v, want nothing more", got)
	}
	noLeak(t, "the log", w.log.String(), ks)
}

// TestExtendedRoundTrip has keys of several origins go through a gateway, with
// everything that the plain form cannot say.
func TestExtendedRoundTrip(t *testing.T) {
	w := newWorld(t, nil)
	ks := w.newKeys(de, 4)
	ks[1].Origin = fr
	visited, err := keys.RegionsOf(ie, gi)
	if err != nil {
		t.Fatal(err)
	}
	ks[0].VisitedCountries = visited
	ks[1].TransmissionRiskLevel = keys.Optional[keys.TransmissionRiskLevel]{}
	ks[1].DaysSinceOnsetOfSymptoms = keys.Optional[keys.DaysSinceOnset]{}
	ks[2].ReportType, ks[2].TestType = keys.Optional[keys.ReportType]{}, keys.TestUnstated
	ks[3].DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(0))

	answer, err := w.client("gw").Upload(t.Context(), &federation.Batch{Tag: "t", Keys: ks})
	if err != nil || answer.Inserted != 4 {
		t.Fatal(answer, err)
	}
	w.release()
	page, err := w.client("dk").Download(t.Context(), federation.Place{Day: federation.DayOf(noon)})
	if err != nil || page == nil || len(page.Unreadable) > 0 {
		t.Fatal(page, err)
	}
	if !slices.Equal(page.Keys, sorted(ks)) {
		t.Error("the keys that came are not those that were sent")
	}

	// Who knows the plain form only is told all fields, and reads what it says.
	plain, err := w.client("gi").Download(t.Context(), federation.Place{Day: federation.DayOf(noon)})
	if err != nil || len(plain.Keys) != 4 || len(plain.Unreadable) > 0 {
		t.Fatal(plain, err)
	}
	for _, k := range plain.Keys {
		if !k.TransmissionRiskLevel.Present() || !k.ReportType.Present() || k.TestType == keys.TestUnstated {
			t.Errorf("got %+v, want all fields", k)
		}
		if k.KeyData == ks[3].KeyData && k.DaysSinceOnsetOfSymptoms.Present() {
			t.Error("an onset of 0 days, which the plain form says for want of one")
		}
	}
}

// TestWithdrawalsGoToPartnersThatTakeThem: others would store them as keys.
func TestWithdrawalsGoToPartnersThatTakeThem(t *testing.T) {
	w := newWorld(t, nil)
	k := w.newKeys(ie, 1)[0]
	if got := w.upload("ie", "new", payload(k)); got.status != 200 {
		t.Fatal(got)
	}
	w.release()
	k.ReportType = keys.Some(keys.ReportRevoked)
	if got := w.upload("ie", "gone", payload(k)); got.status != 200 || got.body != `{"batchTag":"gone","insertedExposures":0}` {
		t.Fatal(got)
	}
	w.release()
	for id, want := range map[string]int{"gi": 1, "gb": 0} {
		c := w.client(id)
		at, reports := federation.Place{Day: federation.DayOf(noon)}, 0
		for range 2 {
			page, err := c.Download(t.Context(), at)
			if err != nil || page == nil {
				t.Fatal(page, err)
			}
			for _, k := range page.Keys {
				if k.ReportType == keys.Some(keys.ReportRevoked) {
					reports++
				}
			}
			at = page.Next
		}
		if reports != want {
			t.Errorf("%s is told of %d withdrawals, want %d", id, reports, want)
		}
	}
}
