package distribution

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// viewer turns the log into what a package's archives say.
type viewer struct {
	state *packageState
	maps  map[string]PublicationMap

	// leftOut counts the keys that the maps or the archive's rules left out of
	// the content last made, by reason.
	leftOut map[string]int
	reason  string // why the key at hand was left out last

	// shared counts the keys of that content that several origins claim.
	shared int
}

// shown is what a package says of a key at one number of the log.
type shown struct {
	key keys.TemporaryExposureKey
	ok  bool // it shows the key at all
}

// content returns what a file over the base windows between bounds says: bounds
// are the numbers at the ends of its base windows, the beginning first. A file
// of one base window has two.
//
// A base window writes keys that are shown at its end and were not at its
// beginning as new, keys shown otherwise than before as revised, and keys shown
// no longer as revised to REVOKED. A roll-up has every key that one of its
// windows wrote, by its state at the end (invariant 3).
func (v *viewer) content(ctx context.Context, l *ledger.Ledger, bounds []int64, w Window, region string) (*export.Content, error) {
	c := &export.Content{Start: w.Start, End: w.End, Region: region}
	v.leftOut, v.shared = map[string]int{}, 0
	first, last := bounds[0], bounds[len(bounds)-1]
	if first == last {
		return c, nil
	}
	for u, err := range l.Read(ctx, first, last) {
		if err != nil {
			return nil, fmt.Errorf("distribution: reading numbers %d to %d: %w", first+1, last, err)
		}
		v.enter(c, u, bounds, w.End)
	}
	return c, nil
}

// enter writes what a file says of one key.
func (v *viewer) enter(c *export.Content, u *ledger.Unit, bounds []int64, end time.Time) {
	before, after, wrote := v.over(u, bounds, end)
	if wrote && len(u.Siblings) > 0 {
		v.shared++
	}
	switch {
	case !wrote:
	case after.ok && !before.ok:
		c.Keys = append(c.Keys, after.key)
	case after.ok:
		c.RevisedKeys = append(c.RevisedKeys, after.key)
	default:
		gone := after.key
		gone.ReportType = keys.Some(keys.ReportRevoked)
		c.RevisedKeys = append(c.RevisedKeys, gone)
	}
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
		}
		if publish != nil {
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
	m := v.maps[epoch.Map]
	return &m, ""
}

// publish returns what the map makes of a unit in the state an event gave it,
// as far as phones take it.
func (v *viewer) publish(m *PublicationMap, u *ledger.Unit, e ledger.Event, end time.Time) shown {
	t, leaveOut := m.stated(u, e, end)
	if leaveOut != "" {
		v.reason = leaveOut
		return shown{}
	}
	return shown{key: t, ok: true}
}

// stated returns what a map makes of a unit in the state an event gave it, or why
// it, or the phones, leave it out.
func (m *PublicationMap) stated(u *ledger.Unit, e ledger.Event, end time.Time) (keys.TemporaryExposureKey, string) {
	k := u.Key
	k.ReportType = e.ReportType
	t, leaveOut := m.Publish(&k)
	if leaveOut == "" {
		leaveOut = refusal(keys.IntoArchive().CheckExposure(&t, end))
	}
	return t, leaveOut
}

// refusal returns the field and reason of a rejection, empty for none.
func refusal(err error) string {
	if r, ok := errors.AsType[*keys.Rejection](err); ok {
		return string(r.Field) + "/" + string(r.Reason)
	}
	return ""
}
