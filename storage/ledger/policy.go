package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// A Policy says when units may leave the ledger. It is a register of the
// ledger, the same for every process that opens it, because threshold, hold and
// embargo are decided once, at the cut, for every sink.
type Policy struct {
	// Grid is the distance between the times of cuts, a whole divisor of a day.
	// Finer than an hour tells more about single uploads, and is refused unless
	// FineGrid is set.
	Grid     time.Duration
	FineGrid bool

	// Embargo is how long a key waits after the end of its period, at least
	// [keys.Embargo]. DueRule says how the due time follows from it.
	Embargo time.Duration
	DueRule DueRule

	// MinKeys and MinUploads are what the due own units of an origin must reach
	// before a cut takes them, unless cuts have passed them over for
	// LongestWait.
	MinKeys     int
	MinUploads  int
	LongestWait time.Duration

	// MinForeignKeys is what the due units of an origin that came by federation must
	// reach before a cut takes them, unless cuts have passed them over for
	// ForeignWait. By default they are not grouped again: their origin has done so. A
	// hub that serves origins which do not groups them with this.
	MinForeignKeys int
	ForeignWait    time.Duration

	// MinWithdrawnUploads and WithdrawalWait are the same for the withdrawals
	// of released own units.
	MinWithdrawnUploads int
	WithdrawalWait      time.Duration

	// MaxCut is the most that one cut takes, MaxDay the most that the cuts of
	// one UTC day take together: what a layout that cannot name parts can carry
	// in one file. The rest waits; nothing is dropped. Withdrawals and changes
	// count, but never wait.
	MaxCut int
	MaxDay int

	// Quota is how many keys and withdrawals a source may bring of one origin in
	// a UTC day. What comes beyond it is stored held.
	Quota int

	// PruneAge is how long after the end of its period a key is kept.
	PruneAge time.Duration

	// Padding is off by default: waiting is the way.
	Padding Padding
}

// DefaultPolicy returns the policy of a national back end: hourly cuts, the
// seed's due time, 140 keys and 12 uploads or a day's wait.
func DefaultPolicy() Policy {
	return Policy{
		Grid:                time.Hour,
		Embargo:             keys.Embargo,
		DueRule:             DueExact,
		MinKeys:             140,
		MinUploads:          12,
		LongestWait:         24 * time.Hour,
		MinWithdrawnUploads: 5,
		WithdrawalWait:      2 * time.Hour,
		MaxCut:              500_000,
		MaxDay:              700_000,
		Quota:               1_000_000,
		PruneAge:            14 * 24 * time.Hour,
	}
}

// DueRule is how the due time of a key follows from its acceptance and the end
// of its period.
type DueRule string

const (
	// DueExact is the rule of the seed: the later of the acceptance and the end
	// of the period plus the embargo.
	DueExact DueRule = "exact"

	// DueCWAHour is the German back end's rule to the hour: a key accepted
	// later than the embargo after its end (acceptance taken down to its hour)
	// is due in that hour, any other in the hour of its end plus the embargo
	// plus an hour. So a full day's key, which the seed makes due at 02:00, is
	// due at 03:00.
	DueCWAHour DueRule = "cwa-hour"
)

// Due returns when a key may leave at the earliest.
func (p *Policy) Due(accepted time.Time, k *keys.TemporaryExposureKey) time.Time {
	end := k.End()
	if p.DueRule == DueCWAHour {
		return cwaHour(accepted, end, p.Embargo)
	}
	if embargo := end.Add(p.Embargo); embargo.After(accepted) {
		return embargo
	}
	return accepted
}

// cwaHour is the bucket of cwa-server's expiry policy. Its minutes are whole
// and truncated towards zero, and a difference of exactly the embargo takes the
// late branch.
func cwaHour(accepted, end time.Time, embargo time.Duration) time.Time {
	submitted := accepted.Truncate(time.Hour)
	if submitted.Sub(end).Truncate(time.Minute) <= embargo {
		return end.Add(embargo + time.Hour).Truncate(time.Hour)
	}
	return submitted
}

// Check returns an error that names the first field that makes no sense.
func (p *Policy) Check() error {
	day := 24 * time.Hour
	switch {
	case p.Grid < time.Minute || day%p.Grid != 0:
		return p.wrong("Grid", "%s is not a divisor of a day of at least a minute", p.Grid)
	case p.Grid < time.Hour && !p.FineGrid:
		return p.wrong("Grid", "%s is finer than an hour, which tells more about single uploads: set FineGrid if that is meant", p.Grid)
	case p.Embargo < keys.Embargo:
		return p.wrong("Embargo", "%s is less than %s", p.Embargo, keys.Embargo)
	case p.DueRule != DueExact && p.DueRule != DueCWAHour:
		return p.wrong("DueRule", "%q is neither %q nor %q", p.DueRule, DueExact, DueCWAHour)
	case p.MinKeys < 0:
		return p.wrong("MinKeys", "%d is negative", p.MinKeys)
	case p.MinUploads < 0:
		return p.wrong("MinUploads", "%d is negative", p.MinUploads)
	case p.LongestWait < 0:
		return p.wrong("LongestWait", "%s is negative", p.LongestWait)
	case p.MinForeignKeys < 0:
		return p.wrong("MinForeignKeys", "%d is negative", p.MinForeignKeys)
	case p.ForeignWait < 0:
		return p.wrong("ForeignWait", "%s is negative", p.ForeignWait)
	case p.ForeignWait > 0 && p.MinForeignKeys == 0:
		return p.wrong("ForeignWait", "%s, and nothing waits without MinForeignKeys", p.ForeignWait)
	case p.MinWithdrawnUploads < 0:
		return p.wrong("MinWithdrawnUploads", "%d is negative", p.MinWithdrawnUploads)
	case p.WithdrawalWait < 0:
		return p.wrong("WithdrawalWait", "%s is negative", p.WithdrawalWait)
	case p.MaxCut < 1:
		return p.wrong("MaxCut", "%d lets no cut take anything", p.MaxCut)
	case p.MaxDay < 1:
		return p.wrong("MaxDay", "%d lets no day take anything", p.MaxDay)
	case p.Quota < 1:
		return p.wrong("Quota", "%d holds every key", p.Quota)
	case p.Padding.Echoes < 0 || p.Padding.Echoes > maxEchoes:
		return p.wrong("Padding.Echoes", "%d, want 0 to %d", p.Padding.Echoes, maxEchoes)
	case min(p.MaxCut, p.MaxDay) < 1+p.Padding.Echoes:
		return p.wrong("Padding.Echoes", "%d: no cut has room for a key with so many", p.Padding.Echoes)
	case p.PruneAge < day:
		return p.wrong("PruneAge", "%s is less than a day", p.PruneAge)
	}
	return nil
}

func (p *Policy) wrong(field, format string, args ...any) error {
	return fmt.Errorf("ledger: Policy.%s: %s", field, fmt.Sprintf(format, args...))
}

// policyRegister is the register that holds the policy.
const policyRegister = "policy"

// policyText is how a policy is kept and printed: durations in words.
type policyText struct {
	Grid                string  `json:"grid"`
	FineGrid            bool    `json:"fineGrid,omitzero"`
	Embargo             string  `json:"embargo"`
	DueRule             DueRule `json:"dueRule"`
	MinKeys             int     `json:"minKeys"`
	MinUploads          int     `json:"minUploads"`
	LongestWait         string  `json:"longestWait"`
	MinForeignKeys      int     `json:"minForeignKeys,omitzero"`
	ForeignWait         string  `json:"foreignWait,omitzero"` // none is 0s
	MinWithdrawnUploads int     `json:"minWithdrawnUploads"`
	WithdrawalWait      string  `json:"withdrawalWait"`
	MaxCut              int     `json:"maxCut"`
	MaxDay              int     `json:"maxDay"`
	Quota               int     `json:"quota"`
	PruneAge            string  `json:"pruneAge"`
	Padding             Padding `json:"padding,omitzero"`
}

// MarshalJSON writes durations as text, "2h0m0s".
func (p Policy) MarshalJSON() ([]byte, error) {
	t := policyText{
		Grid: p.Grid.String(), FineGrid: p.FineGrid,
		Embargo: p.Embargo.String(), DueRule: p.DueRule,
		MinKeys: p.MinKeys, MinUploads: p.MinUploads, LongestWait: p.LongestWait.String(),
		MinWithdrawnUploads: p.MinWithdrawnUploads, WithdrawalWait: p.WithdrawalWait.String(),
		MaxCut: p.MaxCut, MaxDay: p.MaxDay, Quota: p.Quota,
		PruneAge: p.PruneAge.String(), Padding: p.Padding,
		MinForeignKeys: p.MinForeignKeys,
	}
	if p.ForeignWait != 0 {
		t.ForeignWait = p.ForeignWait.String()
	}
	return json.Marshal(t)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (p *Policy) UnmarshalJSON(b []byte) error {
	var t policyText
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields() // a later version's rule is not to be overlooked
	if err := d.Decode(&t); err != nil {
		return err
	}
	*p = Policy{
		FineGrid: t.FineGrid, DueRule: t.DueRule,
		MinKeys: t.MinKeys, MinUploads: t.MinUploads,
		MinForeignKeys:      t.MinForeignKeys,
		MinWithdrawnUploads: t.MinWithdrawnUploads,
		MaxCut:              t.MaxCut, MaxDay: t.MaxDay, Quota: t.Quota, Padding: t.Padding,
	}
	if t.ForeignWait == "" {
		t.ForeignWait = "0s"
	}
	var errs []error
	for _, d := range []struct {
		field string
		text  string
		to    *time.Duration
	}{
		{"grid", t.Grid, &p.Grid},
		{"embargo", t.Embargo, &p.Embargo},
		{"longestWait", t.LongestWait, &p.LongestWait},
		{"foreignWait", t.ForeignWait, &p.ForeignWait},
		{"withdrawalWait", t.WithdrawalWait, &p.WithdrawalWait},
		{"pruneAge", t.PruneAge, &p.PruneAge},
	} {
		var err error
		if *d.to, err = time.ParseDuration(d.text); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", d.field, err))
		}
	}
	return errors.Join(errs...)
}

// String returns the policy as JSON.
func (p Policy) String() string {
	b, err := json.Marshal(p)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
