package distribution

import (
	"errors"
	"slices"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// viewer turns the log into what a package's archives say.
type viewer struct {
	state *packageState
	maps  map[string]*PublicationMap

	// leftOut counts the keys that the maps or the archive's rules left out of
	// the content last made, by reason.
	leftOut map[string]int
	reason  string // why the key at hand was left out last

	// shared counts the keys of that content that several origins claim.
	shared int

	// key is what a map is shown. A variable would be allocated for each key, since
	// nobody knows what the map does with it.
	key keys.DiagnosisKey
}

// shown is what a package says of a key at one number of the log.
type shown struct {
	key keys.TemporaryExposureKey
	ok  bool // it shows the key at all
}

// says returns what a file over the base windows between bounds says of a key, and
// as what; nothing if that is empty. bounds are the numbers at the ends of its base
// windows, the beginning first. A file of one base window has two.
//
// A base window writes keys that are shown at its end and were not at its
// beginning as new, keys shown otherwise than before as revised, and keys shown
// no longer as revised to REVOKED. A roll-up has every key that one of its
// windows wrote, by its state at the end (invariant 3).
func (v *viewer) says(u *ledger.Unit, bounds []int64, end time.Time) (k keys.TemporaryExposureKey, as SaidAs) {
	before, after, wrote := v.over(u, bounds, end)
	if wrote && claimedBySeveral(u, bounds[len(bounds)-1]) {
		v.shared++
	}
	switch {
	case !wrote:
		return k, ""
	case after.ok && !before.ok:
		return after.key, SaidNew
	case after.ok:
		return after.key, SaidRevised
	}
	after.key.ReportType = keys.Some(keys.ReportRevoked)
	return after.key, SaidRevoked
}

// add writes a key into a file that says it so.
func (as SaidAs) add(c *export.Content, k keys.TemporaryExposureKey) {
	switch as {
	case SaidNew:
		c.Keys = append(c.Keys, k)
	case SaidRevised, SaidRevoked:
		c.RevisedKeys = append(c.RevisedKeys, k)
	}
}

// claimedBySeveral reports whether several origins' units of a key have a number up
// to n. Whoever reads further than n finds later ones too.
func claimedBySeveral(u *ledger.Unit, n int64) bool {
	return slices.ContainsFunc(u.Siblings, func(s ledger.Unit) bool { return s.Released() && s.Events[0].Number <= n })
}

// over follows a key over the bounds. It returns how the package showed it at
// the first and at the last, and whether any window between wrote it. Where it
// is not shown at the last, after.key is how it was shown before.
func (v *viewer) over(u *ledger.Unit, bounds []int64, end time.Time) (before, after shown, wrote bool) {
	before = v.at(u, bounds[0], end)
	after = before
	for i, n := range bounds[1:] {
		if !moved(u, bounds[i], n) {
			continue
		}
		now := v.at(u, n, end)
		if now != after && (now.ok || after.ok) {
			wrote = true
		}
		if !now.ok {
			now.key = after.key
		}
		after = now
	}
	if !before.ok && !after.ok && v.reason != "" {
		v.leftOut[v.reason]++
	}
	return before, after, wrote
}

// moved reports whether a unit or one of its siblings has a number in (from, to].
func moved(u *ledger.Unit, from, to int64) bool {
	if u.At(to).Number > from {
		return true
	}
	for i := range u.Siblings {
		if u.Siblings[i].At(to).Number > from {
			return true
		}
	}
	return false
}

// at returns how the package shows a key after number n: with the metadata of
// the unit released first among those it shows.
func (v *viewer) at(u *ledger.Unit, n int64, end time.Time) shown {
	v.reason = ""
	if s := v.unitAt(u, n, end); s.ok {
		return s
	}
	for i := range u.Siblings {
		if s := v.unitAt(&u.Siblings[i], n, end); s.ok {
			return s
		}
	}
	return shown{}
}

// unitAt is at for one unit. While a unit is active, the package shows it from
// the first event that its selector and map of that number take, and by that
// same map, whatever selector and map it has later.
func (v *viewer) unitAt(u *ledger.Unit, n int64, end time.Time) shown {
	var now shown
	var publish *PublicationMap
	adopted := false // it was out before this ledger was there
	for _, e := range u.Events {
		if e.Number > n {
			break
		}
		if e.Own != ledger.Active {
			now, publish = shown{}, nil
			continue
		}
		if publish == nil {
			publish, _ = v.selects(u, e)
			adopted = publish != nil && v.state.epochAt(e.Number).Adopted
		}
		switch {
		case publish != nil && adopted:
			now = v.publish(publish, u, e, farFuture)
		case publish != nil:
			now = v.publish(publish, u, e, end)
		}
		if !now.ok {
			publish = nil
		}
	}
	return now
}

// selects returns the map by which the event makes the package show the unit, or nil
// and why it does not.
func (v *viewer) selects(u *ledger.Unit, e ledger.Event) (*PublicationMap, Absence) {
	epoch := v.state.epochAt(e.Number)
	if epoch == nil {
		return nil, AbsentBeforePackage
	}
	if why := epoch.Select.leavesOut(&u.Key, e); why != "" {
		return nil, why
	}
	return v.maps[epoch.Map], ""
}

// publish returns what the map makes of a unit in the state an event gave it,
// as far as phones take it.
func (v *viewer) publish(m *PublicationMap, u *ledger.Unit, e ledger.Event, end time.Time) shown {
	t, leaveOut := m.stated(&v.key, u, e, end)
	if leaveOut != "" {
		v.reason = leaveOut
		return shown{}
	}
	return shown{key: t, ok: true}
}

// stated returns what a map makes of a unit in the state an event gave it, or why
// it, or the phones, leave it out. What k holds is written over.
func (m *PublicationMap) stated(k *keys.DiagnosisKey, u *ledger.Unit, e ledger.Event, end time.Time) (keys.TemporaryExposureKey, string) {
	*k = u.Key
	k.ReportType = e.ReportType
	t, leaveOut := m.Publish(k)
	if leaveOut == "" {
		leaveOut = refusal(intoArchive.CheckExposure(&t, end))
	}
	return t, leaveOut
}

// intoArchive judges each key that is published.
var intoArchive = keys.IntoArchive()

// refusal returns the field and reason of a rejection, empty for none.
func refusal(err error) string {
	if r, ok := errors.AsType[*keys.Rejection](err); ok {
		return string(r.Field) + "/" + string(r.Reason)
	}
	return ""
}
