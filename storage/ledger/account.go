package ledger

import (
	"context"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// An Inquiry names a key, to be told where it has been.
type Inquiry struct {
	KeyData keys.KeyData

	// RollingStartIntervalNumber tells whether a key that is not known is too old
	// to be. Zero is not known.
	RollingStartIntervalNumber keys.Interval

	// Origin is asked about too if no unit of it is known: withdrawals that came
	// before their key, and keys that were withdrawn and removed, are only found by
	// it. Zero is not known.
	Origin keys.Region
}

// An Account is what a ledger knows of one unit, without its key. It may be printed
// and marshalled. Of times it has only those of cuts, and those that follow from
// the key itself.
type Account struct {
	Origin keys.Region `json:"origin"`
	Status Status      `json:"status"`

	// Key says when the key was used, and what it says of itself.
	Start      time.Time                      `json:"start,omitzero"`
	End        time.Time                      `json:"end,omitzero"`
	ReportType keys.Optional[keys.ReportType] `json:"reportType,omitzero"`
	Own        bool                           `json:"own,omitempty"`
	Padding    bool                           `json:"padding,omitempty"`
	Due        time.Time                      `json:"due,omitzero"` // the first point of the grid at which it might leave
	Claims     []ClaimAccount                 `json:"claims,omitempty"`
	Events     []EventAccount                 `json:"events,omitempty"`
	Pending    string                         `json:"pending,omitempty"` // what the next cut that takes it numbers: "new", "change", "withdrawal"
	Obstacles  []Obstacle                     `json:"obstacles,omitempty"`
	NextCut    time.Time                      `json:"nextCut,omitzero"`    // of what is pending: it would take it as things stand
	Withdrawn  []Source                       `json:"withdrawn,omitempty"` // who took it back; Operator for orders and rolled back uploads
	Erase      bool                           `json:"erase,omitempty"`     // to be removed as soon as nobody needs it
	Kept       []Source                       `json:"kept,omitempty"`      // whose withdrawals wait for the key
	SetAside   []SetAsideAccount              `json:"setAside,omitempty"`
	Refused    time.Time                      `json:"refused,omitzero"` // until when the key is, since it was withdrawn and removed
}

// Status says in a word what has become of a unit in its ledger.
type Status string

const (
	StatusWaiting   Status = "waiting"   // for its first cut
	StatusActive    Status = "active"    // released
	StatusWithdrawn Status = "withdrawn" // after it was released
	StatusNever     Status = "never"     // withdrawn before it was released, and not to be
	StatusRemoved   Status = "removed"   // withdrawn, pruned, and refused if it comes again
	StatusAwaited   Status = "awaited"   // a withdrawal came, and no key yet
	StatusSetAside  Status = "set-aside" // it was not taken
	StatusTooOld    Status = "too-old"   // not known: if it was, it has been pruned
	StatusUnknown   Status = "unknown"
)

// A ClaimAccount is who brought a key.
type ClaimAccount struct {
	Source     Source                         `json:"source"`
	Upload     string                         `json:"upload"`
	By         time.Time                      `json:"by"` // the point of the grid after it came
	ReportType keys.Optional[keys.ReportType] `json:"reportType,omitzero"`
	Consent    keys.Consent                   `json:"consent"`
	OverQuota  bool                           `json:"overQuota,omitempty"`
	RolledBack bool                           `json:"rolledBack,omitempty"`
}

// An EventAccount is one number of a unit, by the cut that gave it.
type EventAccount struct {
	Cut        int64                          `json:"cut"`
	Time       time.Time                      `json:"time"`
	Own        string                         `json:"own"`
	Partners   string                         `json:"partners"`
	ReportType keys.Optional[keys.ReportType] `json:"reportType,omitzero"`
	Sources    Sources                        `json:"sources"`
}

// A SetAsideAccount is a key that was not taken.
type SetAsideAccount struct {
	Source Source      `json:"source"`
	Upload string      `json:"upload"`
	By     time.Time   `json:"by"`
	Field  keys.Field  `json:"field"`
	Reason keys.Reason `json:"reason"`
}

// An Obstacle is what keeps the next cut from taking what is pending.
type Obstacle struct {
	Kind  ObstacleKind `json:"kind"`
	Until time.Time    `json:"until,omitzero"` // when it ends by itself, at the latest

	// Of a group that is too small: how many due keys and uploads it has.
	Keys    int `json:"keys,omitempty"`
	Uploads int `json:"uploads,omitempty"`
}

// ObstacleKind says what an [Obstacle] is.
type ObstacleKind string

const (
	ObstacleEmbargo   ObstacleKind = "embargo"   // it is not due
	ObstacleQuota     ObstacleKind = "quota"     // it came beyond its sources' quotas, see Ledger.Admit
	ObstacleHold      ObstacleKind = "hold"      // its origin or sources are held, see Ledger.Resume
	ObstacleThreshold ObstacleKind = "threshold" // it waits for others to go with
	ObstacleRoom      ObstacleKind = "room"      // a cut or a day cannot take the whole group
)

// Account says where a key has been: one account for each origin that has claimed
// it, and one of the origin that was asked about. There is always one. It excludes
// cuts while it looks at what the next one would take; nothing is changed.
func (l *Ledger) Account(ctx context.Context, in Inquiry) ([]*Account, error) {
	if in.KeyData.IsZero() {
		return nil, &keys.Rejection{Field: keys.FieldKeyData, Reason: keys.ReasonZero, Detail: "all zeros"}
	}
	o, err := l.outlook(ctx)
	if err != nil {
		return nil, err
	}
	log, err := l.store.Log(ctx, 0)
	if err != nil {
		return nil, err
	}
	var accounts []*Account
	for _, q := range in.queries() {
		for rec, err := range l.store.Find(ctx, q) {
			if err != nil {
				return nil, err
			}
			if !slices.ContainsFunc(accounts, func(a *Account) bool { return a.Origin == rec.ID.Origin }) {
				accounts = append(accounts, l.account(rec, log, o))
			}
		}
	}
	if len(accounts) == 0 {
		accounts = append(accounts, l.noAccount(in, log.Now))
	}
	slices.SortFunc(accounts, func(a, b *Account) int { return a.Origin.Compare(b.Origin) })
	return accounts, nil
}

func (in *Inquiry) queries() []Query {
	all := []Query{{KeyData: in.KeyData, SetAside: true}}
	if !in.Origin.IsZero() {
		all = append(all, Query{Unit: &UnitID{Origin: in.Origin, KeyData: in.KeyData}, SetAside: true})
	}
	return all
}

// noAccount is what is said of a key of which nothing is known.
func (l *Ledger) noAccount(in Inquiry, now time.Time) *Account {
	a := &Account{Origin: in.Origin, Status: StatusUnknown}
	longest := keys.TemporaryExposureKey{RollingStartIntervalNumber: in.RollingStartIntervalNumber, RollingPeriod: keys.IntervalsPerDay}
	if in.RollingStartIntervalNumber > 0 && longest.End().Before(now.Add(-l.policy.PruneAge)) {
		a.Status = StatusTooOld
	}
	return a
}

// account says what is known of one unit.
func (l *Ledger) account(rec *Record, log *Log, o *outlook) *Account {
	a := &Account{Origin: rec.ID.Origin, Refused: rec.Tombstone}
	for _, k := range rec.Kept {
		a.Kept = append(a.Kept, k.Source)
	}
	for _, s := range rec.SetAside {
		a.SetAside = append(a.SetAside, SetAsideAccount{s.Source, s.Upload, l.roundUp(s.At), s.Field, s.Reason})
	}
	switch {
	case rec.Unit != nil:
		l.describe(a, rec.Unit, log)
		o.describe(a, rec.Unit)
	case !rec.Tombstone.IsZero():
		a.Status = StatusRemoved
	case len(rec.Kept) > 0:
		a.Status = StatusAwaited
	default:
		a.Status = StatusSetAside
	}
	return a
}

// roundUp returns the first point of the grid after a moment, of which nobody but
// the ledger is to know.
func (l *Ledger) roundUp(t time.Time) time.Time {
	return t.UTC().Truncate(l.policy.Grid).Add(l.policy.Grid)
}

// describe says what a unit is and was.
func (l *Ledger) describe(a *Account, u *Unit, log *Log) {
	a.Start, a.End, a.ReportType = u.Key.RollingStartIntervalNumber.Time().UTC(), u.Key.End().UTC(), u.Key.ReportType
	a.Own, a.Padding, a.Erase = u.Own(), u.Key.Provenance == keys.Padding, u.Erase
	a.Due = l.roundUp(u.Due) // a cut takes what is due before it
	for _, c := range u.Claims {
		a.Claims = append(a.Claims, ClaimAccount{
			Source: c.Source, Upload: c.Upload, By: l.roundUp(c.Accepted), ReportType: c.Key.ReportType,
			Consent: c.Key.ConsentToFederate, OverQuota: c.Held, RolledBack: c.Withdrawn,
		})
	}
	for _, e := range u.Events {
		at := EventAccount{Own: e.Own.String(), Partners: e.Partners.String(), ReportType: e.ReportType, Sources: e.Sources}
		if i := log.cutOf(e.Number); i < len(log.Cuts) {
			at.Cut, at.Time = log.Cuts[i].Seq, log.Cuts[i].Time
		}
		a.Events = append(a.Events, at)
	}
	if u.SourceWithdrew {
		a.Withdrawn = append(a.Withdrawn, u.takenBackBy()...)
	}
	if u.operatorWithdrew() {
		a.Withdrawn = append(a.Withdrawn, Operator)
	}
	a.Status = u.status()
}

// takenBackBy returns the sources one of which took a unit back: the ledger keeps
// that one of them did.
func (u *Unit) takenBackBy() (all []Source) {
	for _, c := range u.Claims {
		if !slices.Contains(all, c.Source) {
			all = append(all, c.Source)
		}
	}
	return all
}

func (u *Unit) status() Status {
	_, wait := u.Pending()
	switch {
	case !u.Released() && wait == WaitNothing:
		return StatusNever
	case !u.Released():
		return StatusWaiting
	case u.Events[len(u.Events)-1].Own == Withdrawn:
		return StatusWithdrawn
	}
	return StatusActive
}

// describe says what is pending of a unit, and what it waits for.
func (o *outlook) describe(a *Account, u *Unit) {
	_, wait := u.Pending()
	if wait == WaitNothing {
		return
	}
	a.Pending = [...]string{WaitNew: "new", WaitChange: "change", WaitWithdrawal: "withdrawal"}[wait]
	a.Obstacles = o.obstacles(u, GroupID{Origin: u.Key.Origin, Own: u.Own(), Wait: wait})
	if len(a.Obstacles) == 0 {
		a.NextCut = o.time
	}
}

// obstacles returns what keeps the next cut from taking what is pending of a unit.
// Whatever keeps it out of its group comes first, and alone.
func (o *outlook) obstacles(u *Unit, id GroupID) (all []Obstacle) {
	if id.Wait == WaitNew && !u.Due.Before(o.time) {
		all = append(all, Obstacle{Kind: ObstacleEmbargo, Until: o.ledger.roundUp(u.Due)})
	}
	if id.Wait == WaitNew && u.Held() {
		all = append(all, Obstacle{Kind: ObstacleQuota})
	}
	if id.Wait != WaitWithdrawal && o.holds.Holds(u.Key.Origin, u.Sources()) {
		all = append(all, Obstacle{Kind: ObstacleHold})
	}
	if len(all) > 0 {
		return all
	}
	g := o.groups[id]
	switch taken := o.taken(id); {
	case taken == 0 && !o.reaches(g):
		return []Obstacle{{Kind: ObstacleThreshold, Until: o.waiting(id), Keys: g.Keys, Uploads: g.Uploads}}
	case taken < g.Keys:
		return []Obstacle{{Kind: ObstacleRoom}}
	}
	return nil
}
