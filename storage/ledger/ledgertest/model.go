package ledgertest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A model is the design of the ledger written down as plainly as can be: lists
// that are searched from one end to the other, and nothing of the rules of
// package ledger, of which it uses the data types only. Random histories are
// held against it.
type model struct {
	policy  ledger.Policy
	phone   keys.Policy
	partner keys.Policy

	units  []*modelUnit
	kept   []modelKept
	tombs  map[ledger.UnitID]time.Time
	aside  []ledger.SetAside
	log    []modelEntry // number n is at n-1
	cuts   []ledger.Cut // without nonce and hash
	passed map[ledger.GroupID]time.Time
	days   map[string]int // what the cuts of a day numbered
	quota  map[modelDay]int
	holds  ledger.Holds
	floors map[string]ledger.Floor
	books  map[ledger.Source]*ledger.SourceStats
	padded int64
	urgent map[keys.Region]bool // withdrawals that the next cut takes in any case
}

type modelUnit struct {
	id       ledger.UnitID
	voice    ledger.Source     // whose statement the unit makes its own
	says     keys.DiagnosisKey // that statement, but for the report type
	accepted time.Time
	due      time.Time
	upload   string
	claims   []ledger.Claim
	numbers  []int64

	bySource, byOperator, erase bool
}

type modelKept struct {
	id ledger.UnitID
	ledger.KeptWithdrawal
}

type modelEntry struct {
	unit  *modelUnit
	event ledger.Event
}

type modelDay struct {
	day    string
	source ledger.Source
	origin keys.Region
}

func newModel(p ledger.Policy, phone, partner keys.Policy) *model {
	return &model{
		policy: p, phone: phone, partner: partner,
		tombs:  map[ledger.UnitID]time.Time{},
		passed: map[ledger.GroupID]time.Time{},
		days:   map[string]int{},
		quota:  map[modelDay]int{},
		floors: map[string]ledger.Floor{},
		books:  map[ledger.Source]*ledger.SourceStats{},
		urgent: map[keys.Region]bool{},
	}
}

func (m *model) find(id ledger.UnitID) *modelUnit {
	for _, u := range m.units {
		if u.id == id {
			return u
		}
	}
	return nil
}

func (m *model) book(s ledger.Source) *ledger.SourceStats {
	if m.books[s] == nil {
		m.books[s] = &ledger.SourceStats{Rejected: map[string]int64{}, Sinks: map[string]map[ledger.Term]int64{}}
	}
	return m.books[s]
}

// due is the due time as the design and the description of the German rule
// have it, in whole minutes.
func (m *model) due(accepted time.Time, k keys.DiagnosisKey) time.Time {
	end := time.Unix(int64(k.RollingStartIntervalNumber)*600+int64(k.RollingPeriod)*600, 0).UTC()
	if m.policy.DueRule == ledger.DueExact {
		if free := end.Add(m.policy.Embargo); free.After(accepted) {
			return free
		}
		return accepted
	}
	const hour = 3600
	submitted := accepted.Unix() / hour * hour // S
	d := (submitted - end.Unix()) / 60         // truncated toward zero
	embargo := int64(m.policy.Embargo / time.Minute)
	if d <= embargo {
		return time.Unix((end.Unix()+embargo*60+hour)/hour*hour, 0).UTC()
	}
	return time.Unix(submitted, 0).UTC()
}

// rank is how far a report type lies along the transitions that are allowed; 0
// for those that no transition leads from or to.
func rank(t keys.Optional[keys.ReportType]) int {
	switch t {
	case keys.Some(keys.ReportSelfReport):
		return 1
	case keys.Some(keys.ReportConfirmedClinicalDiagnosis):
		return 2
	case keys.Some(keys.ReportConfirmedTest):
		return 3
	}
	return 0
}

// key is what a unit says of itself: its voice's statement, with the report
// type the furthest that any claim brought.
func (u *modelUnit) key() keys.DiagnosisKey {
	k := u.says
	for _, c := range u.claims {
		if rank(k.ReportType) > 0 && rank(c.Key.ReportType) > rank(k.ReportType) {
			k.ReportType = c.Key.ReportType
		}
	}
	return k
}

func (u *modelUnit) claimsOf(s ledger.Source) (list []*ledger.Claim) {
	for i := range u.claims {
		if u.claims[i].Source == s {
			list = append(list, &u.claims[i])
		}
	}
	return list
}

// gone reports whether the operator has withdrawn a unit, by name or by every
// own upload that brought it.
func (u *modelUnit) gone() bool {
	own := u.claimsOf(ledger.Own)
	standing := slices.ContainsFunc(own, func(c *ledger.Claim) bool { return !c.Withdrawn })
	return u.byOperator || len(own) > 0 && !standing
}

// sources are those whose claims stand and came within their quota.
func (u *modelUnit) sources() []string {
	var names []string
	for _, c := range u.claims {
		if !c.Withdrawn && !c.Held && !slices.Contains(names, string(c.Source)) {
			names = append(names, string(c.Source))
		}
	}
	slices.Sort(names)
	return names
}

// dayOf is the UTC day of a time, as the model's maps have it.
func modelDayOf(t time.Time) string { return t.UTC().Format("2006-01-02") }

// accept judges a delivery.
func (m *model) accept(d *ledger.Delivery, now time.Time) *ledger.Receipt {
	r := &ledger.Receipt{}
	over := map[keys.Region]bool{}
	for _, up := range d.Uploads {
		for _, k := range up.Keys {
			r.Offered++
			m.offer(r, over, d.Source, up.ID, k, now)
		}
	}
	for _, a := range d.Unreadable {
		r.Offered++
		m.reject(r, over, ledger.SetAside{Source: d.Source, Upload: a.Upload, At: now, ID: a.ID, Field: a.Field, Reason: a.Reason})
	}
	for _, id := range d.Withdrawals {
		m.takeBack(r, over, d.Source, id, now)
	}
	for origin := range over {
		r.OverQuota = append(r.OverQuota, ledger.Pair{Source: d.Source, Origin: origin})
	}
	b := m.book(d.Source)
	b.Offered += int64(r.Offered)
	b.Accepted += int64(r.Accepted)
	b.Revised += int64(r.Revised)
	b.Duplicates += int64(r.Duplicates)
	b.WithdrawalsOffered += int64(len(d.Withdrawals))
	b.WithdrawalsTaken += int64(r.WithdrawalsTaken)
	b.WithdrawalsKept += int64(r.WithdrawalsKept)
	b.WithdrawalsRefused += int64(r.WithdrawalsRefused)
	return r
}

func (m *model) reject(r *ledger.Receipt, over map[keys.Region]bool, a ledger.SetAside) {
	r.Rejected = append(r.Rejected, a)
	m.book(a.Source).Rejected[string(a.Field)+"/"+string(a.Reason)]++
	day := modelDay{modelDayOf(a.At), a.Source, a.ID.Origin}
	if m.quota[day] >= m.policy.Quota {
		over[a.ID.Origin] = true
		return
	}
	m.quota[day]++
	m.aside = append(m.aside, a)
}

// claims counts the claims on a unit.
func (m *model) claims(id ledger.UnitID) int {
	if u := m.find(id); u != nil {
		return len(u.claims)
	}
	return 0
}

// offer judges one key of an upload.
func (m *model) offer(r *ledger.Receipt, over map[keys.Region]bool, s ledger.Source, upload string, k keys.DiagnosisKey, now time.Time) {
	rules := m.partner
	if s == ledger.Own {
		rules = m.phone
	}
	day := modelDay{modelDayOf(now), s, k.Origin}
	c := ledger.Claim{Source: s, Upload: upload, Accepted: now, Key: k, Held: m.quota[day] >= m.policy.Quota}
	what, field, reason := "", keys.Field(""), keys.Reason("")
	if wrong, ok := errors.AsType[*keys.Rejection](rules.Check(&k, now)); ok {
		field, reason = wrong.Field, wrong.Reason
	} else {
		before := m.claims(ledger.IDOf(&k))
		what, field, reason = m.claim(c, now)
		if (what == "revision" || what == "duplicate") && m.claims(ledger.IDOf(&k)) > before {
			m.quota[day]++ // the claim of another own upload
		}
	}
	switch what {
	case "new":
		r.Accepted++
		m.quota[day]++
		over[k.Origin] = over[k.Origin] || c.Held
	case "revision":
		r.Revised++
	case "duplicate":
		r.Duplicates++
	default:
		m.reject(r, over, ledger.SetAside{Source: s, Upload: upload, At: now, ID: ledger.IDOf(&k), Field: field, Reason: reason})
	}
	if !over[k.Origin] {
		delete(over, k.Origin)
	}
	if what != "" {
		m.applyKept(s, ledger.IDOf(&k))
	}
}

// claim adds a claim to its unit and says what it is, or why it is none.
func (m *model) claim(c ledger.Claim, now time.Time) (what string, field keys.Field, reason keys.Reason) {
	id := ledger.IDOf(&c.Key)
	u := m.find(id)
	own := c.Source == ledger.Own
	switch {
	case !m.tombs[id].IsZero():
		return "", keys.FieldKeyData, ledger.ReasonWithdrawn
	case u == nil:
		m.units = append(m.units, &modelUnit{
			id: id, voice: c.Source, says: c.Key, accepted: now, due: m.due(now, c.Key), upload: c.Upload, claims: []ledger.Claim{c},
		})
		return "new", "", ""
	case len(u.claimsOf(c.Source)) > 0:
		return u.again(c)
	case u.bySource:
		return "", keys.FieldKeyData, ledger.ReasonWithdrawn
	case own && len(u.numbers) == 0:
		u.voice, u.says, u.due = c.Source, c.Key, m.due(u.accepted, c.Key)
	case u.says.RollingStartIntervalNumber != c.Key.RollingStartIntervalNumber || u.says.RollingPeriod != c.Key.RollingPeriod:
		return "", keys.FieldRollingStart, ledger.ReasonConflict
	}
	u.claims = append(u.claims, c)
	if own {
		u.upload = c.Upload
	}
	return "new", "", ""
}

// again judges a claim of a source that has claims on the unit.
func (u *modelUnit) again(c ledger.Claim) (what string, field keys.Field, reason keys.Reason) {
	mine := u.claimsOf(c.Source)
	said := mine[0].Key
	if f := difference(said, c.Key); f != "" {
		return "", f, ledger.ReasonConflict
	}
	another := c.Source == ledger.Own && !slices.ContainsFunc(mine, func(o *ledger.Claim) bool { return o.Upload == c.Upload })
	if another && (u.bySource || u.gone()) {
		return "", keys.FieldKeyData, ledger.ReasonWithdrawn
	}
	before, now := rank(said.ReportType), rank(c.Key.ReportType)
	what = "duplicate"
	switch {
	case said.ReportType == c.Key.ReportType:
	case before == 0 || now == 0:
		return "", keys.FieldReportType, ledger.ReasonConflict
	case now > before:
		what = "revision"
		for _, o := range mine {
			o.Key.ReportType = c.Key.ReportType
		}
	}
	if another {
		c.Key.ReportType = mine[0].Key.ReportType
		u.claims = append(u.claims, c)
	}
	return what, "", ""
}

// difference names the first field but the report type in which two statements
// of a source differ.
func difference(a, b keys.DiagnosisKey) keys.Field {
	for _, f := range []struct {
		name keys.Field
		same bool
	}{
		{keys.FieldRollingStart, a.RollingStartIntervalNumber == b.RollingStartIntervalNumber},
		{keys.FieldRollingPeriod, a.RollingPeriod == b.RollingPeriod},
		{keys.FieldTransmissionRisk, a.TransmissionRiskLevel == b.TransmissionRiskLevel},
		{keys.FieldDaysSinceOnset, a.DaysSinceOnsetOfSymptoms == b.DaysSinceOnsetOfSymptoms},
		{keys.FieldVariant, a.VariantOfConcern == b.VariantOfConcern},
		{keys.FieldVisitedCountries, a.VisitedCountries == b.VisitedCountries},
		{keys.FieldTestType, a.TestType == b.TestType},
		{keys.FieldConsent, a.ConsentToFederate == b.ConsentToFederate},
	} {
		if !f.same {
			return f.name
		}
	}
	return ""
}

// applyKept applies a source's withdrawal that came before its key.
func (m *model) applyKept(s ledger.Source, id ledger.UnitID) {
	m.kept = slices.DeleteFunc(m.kept, func(k modelKept) bool {
		if k.id == id && k.Source == s {
			m.find(id).bySource = true
			return true
		}
		return false
	})
}

// takeBack judges a source's withdrawal.
func (m *model) takeBack(r *ledger.Receipt, over map[keys.Region]bool, s ledger.Source, id ledger.UnitID, now time.Time) {
	u := m.find(id)
	day := modelDay{modelDayOf(now), s, id.Origin}
	switch {
	case id.Origin.IsZero() || id.KeyData.IsZero():
		r.WithdrawalsRefused++
	case u != nil && len(u.claimsOf(s)) > 0:
		u.bySource = true
		r.WithdrawalsTaken++
	case !m.tombs[id].IsZero():
		r.WithdrawalsTaken++
	case slices.ContainsFunc(m.kept, func(k modelKept) bool { return k.id == id && k.Source == s }):
		r.WithdrawalsKept++
	case m.quota[day] >= m.policy.Quota:
		over[id.Origin] = true
		r.WithdrawalsRefused++
	default:
		m.quota[day]++
		m.kept = append(m.kept, modelKept{id, ledger.KeptWithdrawal{Source: s, At: now}})
		r.WithdrawalsKept++
	}
}

// asUnit is a unit in the form in which the ledger yields it.
func (u *modelUnit) asUnit(m *model, to int64) *ledger.Unit {
	unit := &ledger.Unit{
		Key: u.key(), Accepted: u.accepted, Due: u.due, Upload: u.upload,
		SourceWithdrew: u.bySource, OperatorWithdrew: u.byOperator, Erase: u.erase,
		Claims: slices.Clone(u.claims),
	}
	for _, n := range u.numbers {
		if n <= to {
			unit.Events = append(unit.Events, m.log[n-1].event)
		}
	}
	return unit
}

// String names a unit for messages.
func (u *modelUnit) String() string {
	return fmt.Sprintf("%s by %s", u.id.Origin, strings.Join(u.sources(), ","))
}
