package distribution_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/deltaset"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// TestStateOfSeveralOrigins: of units of several origins with the same key data a
// snapshot has the one released first; of one cut, our own before others, then the one
// that was accepted first, then by origin. Deltas have the same.
func TestStateOfSeveralOrigins(t *testing.T) {
	type claim struct {
		source ledger.Source
		origin keys.Region
		after  time.Duration
		cut    bool // a cut is made after it
	}
	reports := map[keys.Region]keys.ReportType{
		de: keys.ReportConfirmedTest, fr: keys.ReportSelfReport, it: keys.ReportConfirmedClinicalDiagnosis,
	}
	for _, tt := range []struct {
		name   string
		claims []claim
		want   keys.Region
	}{
		{"released first", []claim{{source: "hub", origin: it, cut: true}, {source: ledger.Own, origin: de}}, it},
		{"released first, by a later origin", []claim{{source: "hub", origin: it, cut: true}, {source: "hub", origin: fr}}, it},
		{"own before others", []claim{{source: "hub", origin: it}, {source: ledger.Own, origin: de, after: time.Minute}}, de},
		{"own before others, of a later origin", []claim{{source: "hub", origin: de}, {source: ledger.Own, origin: fr, after: time.Minute}}, fr},
		{"accepted first", []claim{{source: "hub", origin: it}, {source: "hub", origin: fr, after: time.Minute}}, it},
		{"by origin", []claim{{source: "hub-b", origin: it}, {source: "hub-a", origin: fr}}, fr},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := &deltaHistory{history: &history{world: newWorld(t, 1), seen: map[string][]byte{}}}
			h.layout = newDeltas(t, &deltaset.Options{})
			h.packages[1].Map = distribution.Identity()
			h.policy.MinKeys, h.policy.MinUploads = 0, 0
			h.run()
			up := h.upload(de)
			up.Keys = slices.DeleteFunc(up.Keys, func(k keys.DiagnosisKey) bool { // which may leave, and is relevant
				return k.End().Add(2*time.Hour).After(h.clock) || k.End().Add(5*24*time.Hour).Before(h.clock)
			})[:1]
			follower := h.client("EUR")
			for _, c := range tt.claims {
				h.clock = h.clock.Add(c.after)
				claimed := claimedBy(up, c.origin)
				setReport(&claimed, reports[c.origin])
				h.accept(c.source, claimed)
				if c.cut {
					h.release()
					h.run()
					if _, err := follower.Update(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			h.release()
			h.run()
			newcomer := h.client("EUR")
			for name, c := range map[string]*deltaset.Client{"who follows": follower, "who begins with the snapshot": newcomer} {
				if _, err := c.Update(t.Context()); err != nil {
					t.Fatal(err)
				}
				got := keysOf(t, c)
				if len(got) != 1 || got[up.Keys[0].KeyData].ReportType != keys.Some(reports[tt.want]) {
					t.Errorf("%s has %d keys, as %v, want that of %s", name, len(got), got[up.Keys[0].KeyData].ReportType, tt.want)
				}
			}
		})
	}
}
