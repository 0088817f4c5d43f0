package sqliteledger

import (
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// TestPacked: numbers that are read together are those that are read one by one,
// whatever they are.
func TestPacked(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), &Options{Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	policy := ledger.DefaultPolicy()
	policy.MinKeys, policy.MinUploads = 0, 0
	l, err := ledger.Open(t.Context(), s, &ledger.Options{Policy: &policy})
	if err != nil {
		t.Fatal(err)
	}
	deliver(t, l, keystest.New(1, nil), now, ledger.Own, 40)
	deliver(t, l, keystest.New(2, nil), now, "partner", 40)
	now = now.Add(24 * time.Hour)
	if _, err := l.Release(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	err = s.writeStep(t.Context(), func(x *tx) error {
		return x.run(t.Context(), `
			UPDATE event SET own_state = abs(random()) % 3, partners_state = abs(random()) % 3,
				report_type = CASE abs(random()) % 3 WHEN 0 THEN NULL ELSE abs(random()) % 256 END;
			UPDATE unit SET rolling_start_interval_number = random() % 2147483648, rolling_period = abs(random()) % 256,
				transmission_risk_level = CASE abs(random()) % 3 WHEN 0 THEN NULL ELSE abs(random()) % 256 END,
				report_type = CASE abs(random()) % 3 WHEN 0 THEN NULL ELSE abs(random()) % 256 END,
				variant_of_concern = CASE abs(random()) % 3 WHEN 0 THEN NULL ELSE abs(random()) % 256 END,
				days_since_onset_of_symptoms = CASE abs(random()) % 3 WHEN 0 THEN NULL ELSE random() % 32768 END,
				test_type = abs(random()) % 256, consent_to_federate = abs(random()) % 3, provenance = abs(random()) % 3,
				source_withdrew = abs(random()) % 2, operator_withdrew = abs(random()) % 2, erase = abs(random()) % 2,
				changed = 0, shared = 0`)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[ledger.UnitID]*ledger.Unit{}
	for r, err := range s.Find(t.Context(), ledger.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Unit.Released() {
			r.Unit.Claims = nil
			want[r.ID] = r.Unit
		}
	}
	n := 0
	for u, err := range s.Read(t.Context(), 0, allNumbers) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; !reflect.DeepEqual(u, want[u.ID()]) {
			t.Fatalf("unit %d is read otherwise together than one by one", n)
		}
	}
	if n != len(want) || n < 40 {
		t.Errorf("%d units of %d", n, len(want))
	}
}
