package ledger

import (
	"fmt"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// intake is the judgement of one delivery: what each key in it means, given
// what is known already.
type intake struct {
	ledger   *Ledger
	delivery *Delivery
	policy   keys.Policy
	units    []UnitID       // that the delivery speaks of, each once
	index    map[UnitID]int // into units
	pairs    []Pair         // likewise
	paired   map[Pair]bool

	// Made anew by every decide.
	now      time.Time
	standing *Standing
	receipt  *Receipt
	changed  map[UnitID]bool
	changes  *Changes
	used     map[Pair]int64
	over     map[Pair]bool
	partial  *PartialError // what becomes of each part
}

func newIntake(l *Ledger, d *Delivery) *intake {
	in := &intake{ledger: l, delivery: d, index: make(map[UnitID]int), paired: make(map[Pair]bool), policy: l.partner}
	if d.Source == Own {
		in.policy = l.phone
	}
	for i := range d.Uploads {
		for j := range d.Uploads[i].Keys {
			in.add(IDOf(&d.Uploads[i].Keys[j]))
		}
	}
	for _, a := range d.Unreadable {
		in.addPair(a.ID.Origin)
	}
	for _, id := range d.Withdrawals {
		in.add(id)
	}
	return in
}

// add notes that the delivery speaks of a unit. What is no identity at all is
// rejected without looking anything up.
func (in *intake) add(id UnitID) {
	in.addPair(id.Origin)
	if _, ok := in.index[id]; ok || !id.valid() {
		return
	}
	in.index[id] = len(in.units)
	in.units = append(in.units, id)
}

func (in *intake) addPair(origin keys.Region) {
	if pair := (Pair{in.delivery.Source, origin}); !in.paired[pair] {
		in.paired[pair] = true
		in.pairs = append(in.pairs, pair)
	}
}

// quotas names the counters of how much of each origin the source has brought
// today.
func (in *intake) quotas(now time.Time) []string {
	names := make([]string, len(in.pairs))
	for i, p := range in.pairs {
		names[i] = tallyQuota(now, p)
	}
	return names
}

func (in *intake) decide(s *Standing) (*Changes, error) {
	if err := in.ledger.checkVersion(s.Registers[policyRegister]); err != nil {
		return nil, err
	}
	in.now, in.standing = s.Now, s
	in.receipt = &Receipt{}
	in.changed = make(map[UnitID]bool, len(in.units))
	in.changes = &Changes{Tallies: Tallies{}}
	in.used = make(map[Pair]int64, len(in.pairs))
	in.over = make(map[Pair]bool)
	in.partial = &PartialError{Unreadable: len(in.delivery.Unreadable)}
	for _, p := range in.pairs {
		in.used[p] = s.Tallies[tallyQuota(s.Now, p)]
	}

	for i := range in.delivery.Uploads {
		in.upload(&in.delivery.Uploads[i])
	}
	for _, a := range in.delivery.Unreadable {
		in.setAside(a.Upload, a.ID, &keys.Rejection{Field: a.Field, Reason: a.Reason, Detail: a.Detail})
	}
	for _, id := range in.delivery.Withdrawals {
		in.partial.Withdrawals = append(in.partial.Withdrawals, in.withdraw(id))
	}
	if in.delivery.Whole && !in.partial.none() {
		return nil, in.partial
	}
	in.finish()
	return in.changes, nil
}

func (in *intake) upload(up *Upload) {
	for i := range up.Keys {
		k := &up.Keys[i]
		fate := Fate{Refused: in.judge(k, i)}
		if fate.Refused == nil {
			fate = in.claim(up.ID, k)
		}
		if fate.Refused != nil {
			in.setAside(up.ID, IDOf(k), fate.Refused)
		}
		in.partial.Keys = append(in.partial.Keys, fate)
	}
}

// judge applies the rules that need nothing but the key.
func (in *intake) judge(k *keys.DiagnosisKey, i int) *keys.Rejection {
	if in.delivery.Source == Own && i >= in.ledger.maxUpload {
		return &keys.Rejection{Field: keys.FieldKeyData, Reason: keys.ReasonTooMany, Detail: fmt.Sprintf("an upload has at most %d keys", in.ledger.maxUpload)}
	}
	return rejection(in.policy.Check(k, in.now))
}

// claim merges one key that was found good into what is known of its unit.
func (in *intake) claim(upload string, k *keys.DiagnosisKey) Fate {
	id := IDOf(k)
	rec := in.record(id)
	pair := Pair{in.delivery.Source, id.Origin}
	c := Claim{
		Source:   in.delivery.Source,
		Upload:   upload,
		Accepted: in.now,
		Key:      *k,
		Held:     in.used[pair] >= int64(in.ledger.policy.Quota),
	}
	before := 0
	if rec.Unit != nil {
		before = len(rec.Unit.Claims)
	}
	outcome, rejected := in.ledger.policy.merge(rec, c)
	switch {
	case rejected != nil:
		return Fate{Refused: rejected}
	case in.delivery.Whole && outcome == revised && rec.Unit.SourceWithdrew: // whoever is handed it would have the key back
		return Fate{Refused: &keys.Rejection{Field: keys.FieldKeyData, Reason: ReasonWithdrawn}}
	case outcome == accepted:
		in.receipt.Accepted++
		in.use(pair, c.Held)
	case outcome == revised:
		in.receipt.Revised++
	default:
		in.receipt.Duplicates++
	}
	if outcome != accepted && len(rec.Unit.Claims) > before {
		in.use(pair, false) // another own upload of the key is kept, too
	}
	in.receipt.Offered++
	in.changed[id] = true
	in.liftKept(rec)
	return Fate{Known: outcome == duplicate}
}

// liftKept applies a withdrawal of the source that came before its key.
func (in *intake) liftKept(rec *Record) {
	i := slices.IndexFunc(rec.Kept, func(k KeptWithdrawal) bool { return k.Source == in.delivery.Source })
	if i < 0 {
		return
	}
	rec.Unit.SourceWithdrew = true
	in.changes.Kept = append(in.changes.Kept, KeptChange{ID: rec.ID, Kept: rec.Kept[i], Lifted: true})
	rec.Kept = slices.Delete(rec.Kept, i, i+1)
}

// withdraw judges a withdrawal by the source. It is taken if the source itself
// brought the key with that origin, and kept until it does otherwise. A delivery
// that is to be whole does not withdraw what only others brought: whoever is
// handed it could not tell that it has no effect.
func (in *intake) withdraw(id UnitID) Fate {
	if !id.valid() {
		return in.refuse(&keys.Rejection{Field: keys.FieldKeyData, Reason: keys.ReasonMalformed})
	}
	rec := in.record(id)
	source := in.delivery.Source
	pair := Pair{source, id.Origin}
	switch {
	case rec.Unit != nil && rec.Unit.claimOf(source) != nil:
		known := rec.Unit.SourceWithdrew
		rec.Unit.SourceWithdrew = true
		in.changed[id] = true
		in.receipt.WithdrawalsTaken++
		return Fate{Known: known}
	case !rec.Tombstone.IsZero(): // gone already
		in.receipt.WithdrawalsTaken++
		return Fate{Known: true}
	case slices.ContainsFunc(rec.Kept, func(k KeptWithdrawal) bool { return k.Source == source }):
		in.receipt.WithdrawalsKept++
		return Fate{Known: true}
	case in.delivery.Whole && rec.Unit != nil:
		return in.refuse(&keys.Rejection{Field: keys.FieldReportType, Reason: keys.ReasonNotAllowed, Detail: "a key that only others brought"})
	case in.used[pair] >= int64(in.ledger.policy.Quota):
		in.over[pair] = true
		return in.refuse(&keys.Rejection{Field: keys.FieldReportType, Reason: keys.ReasonTooMany, Detail: "withdrawals of unknown keys today"})
	}
	kept := KeptWithdrawal{Source: source, At: in.now}
	rec.Kept = append(rec.Kept, kept)
	in.changes.Kept = append(in.changes.Kept, KeptChange{ID: id, Kept: kept})
	in.use(pair, false)
	in.receipt.WithdrawalsKept++
	return Fate{}
}

func (in *intake) refuse(why *keys.Rejection) Fate {
	in.receipt.WithdrawalsRefused++
	return Fate{Refused: why}
}

func (in *intake) record(id UnitID) *Record { return in.standing.Records[in.index[id]] }

// use counts one more key or withdrawal against its pair's quota.
func (in *intake) use(pair Pair, over bool) {
	in.used[pair]++
	in.changes.Tallies.Add(tallyQuota(in.now, pair), 1)
	if over {
		in.over[pair] = true
	}
}

// setAside keeps a key that was not taken, as long as its pair's quota lasts.
func (in *intake) setAside(upload string, id UnitID, why *keys.Rejection) {
	a := SetAside{
		Source: in.delivery.Source,
		Upload: upload,
		At:     in.now,
		ID:     id,
		Field:  why.Field,
		Reason: why.Reason,
		Detail: why.Detail,
	}
	in.receipt.Offered++
	in.receipt.Rejected = append(in.receipt.Rejected, a)
	in.changes.Tallies.Add(tallyRejected(a.Source, a.Field, a.Reason), 1)

	pair := Pair{in.delivery.Source, id.Origin}
	if in.used[pair] >= int64(in.ledger.policy.Quota) {
		in.over[pair] = true
		return
	}
	in.use(pair, false)
	in.changes.SetAside = append(in.changes.SetAside, a)
}

// finish turns what was gathered into the changes to store.
func (in *intake) finish() {
	for _, id := range in.units {
		if in.changed[id] {
			in.changes.Units = append(in.changes.Units, in.record(id).Unit)
		}
	}
	for _, p := range in.pairs {
		if in.over[p] {
			in.receipt.OverQuota = append(in.receipt.OverQuota, p)
		}
	}
	in.receipt.count(in.delivery.Source, in.changes.Tallies)
}
