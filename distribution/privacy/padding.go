package privacy

import (
	"fmt"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// shape is what anybody can see of a key but its key data.
type shape keys.TemporaryExposureKey

// shapes are the own keys of an origin in one cut, by what they look like.
type shapes struct {
	counts       map[shape]*shapeCount
	real, padded int
}

type shapeCount struct{ real, padded int }

// add adds a unit as an event released it.
func (s *shapes) add(u *ledger.Unit, e ledger.Event) {
	k := shape(u.Key.TemporaryExposureKey)
	k.KeyData, k.ReportType = keys.KeyData{}, e.ReportType
	if s.counts[k] == nil {
		s.counts[k] = &shapeCount{}
	}
	if u.Key.Provenance == keys.Padding {
		s.padded++
		s.counts[k].padded++
		return
	}
	s.real++
	s.counts[k].real++
}

// conspicuous returns how many keys are of a kind of which padding has another
// share than of the whole cut. Echoes leave none: each key has as many.
func (s *shapes) conspicuous() (n int) {
	for _, c := range s.counts {
		if c.padded*s.real != c.real*s.padded {
			n += c.padded + c.real
		}
	}
	return n
}

// judgePadding finds padding that is not in proportion.
func (r *reading) judgePadding(origin keys.Region, s *shapes) {
	if s.padded == 0 {
		return
	}
	n := s.conspicuous()
	if s.real == 0 {
		n = s.padded // nothing is hidden, and who looks longer will see it
	}
	if n == 0 {
		return
	}
	share := float64(n) / float64(s.real+s.padded)
	r.findings.add(Finding{
		Rule: RulePadding, Severity: Warning, Where: groupID{origin, true}.String(), Worst: r.now.window,
		Measured: share, Limit: 0, Unit: "share of keys",
		Detail: fmt.Sprintf("%d of %d keys, %d of them padding, are of kinds (day, period, risk, report type, onset) of which padding has not the share that it has of the cut",
			n, s.real+s.padded, s.padded),
		Do: "pad with echoes of the uploads of the cut alone, as the ledger's policy does; nothing made up looks real for long",
	}, share)
}
