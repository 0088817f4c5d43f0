package ledger

import (
	"crypto/rand"

	"github.com/gaenkit/gaen/keys"
)

// Padding makes up uploads among which the few real ones of a small cut are
// hidden, so that they need not wait for others. It is off by default.
//
// The uploads are echoes: every own upload that a cut releases is repeated
// equally often, key by key the same but for the key data, which is random. So
// whatever an observer may look at (days, periods, risk, onset, gaps, order,
// presence in overlapping files, numbers of any kind), a real key and its echoes
// are alike, in every cut the same share of the keys is real, and nothing tells
// which. What echoes do not hide is what kinds of uploads there were and, from
// somebody who knows the policy, how many.
type Padding struct {
	// Echoes is how often each own upload is repeated; 0 is no padding. Echoes
	// count towards the threshold: with 11 of them, a single upload is 12.
	Echoes int `json:"echoes,omitzero"`

	// AlongsideExport allows padding where keys of the same origin are sent to
	// federation servers. Whoever receives them can subtract them from the
	// archives and knows what is padding; so it is refused unless named here.
	AlongsideExport bool `json:"alongsideExport,omitzero"`
}

// maxEchoes bounds what padding may cost.
const maxEchoes = 100

// pad returns the echoes of the units that a cut takes of one group.
func (r *releasing) pad(units []*Unit) []*Unit {
	var echoes []*Unit
	for range r.ledger.policy.Padding.Echoes {
		echoes = append(echoes, echo(units)...)
	}
	return echoes
}

// echo repeats units once: the same metadata, other key data. The echoes are
// own units like those they echo; only their provenance tells them apart.
func echo(units []*Unit) []*Unit {
	uploads := map[string]string{}
	echoes := make([]*Unit, len(units))
	for i, u := range units {
		if uploads[u.Upload] == "" {
			uploads[u.Upload] = rand.Text()
		}
		e := &Unit{Key: u.Key, Accepted: u.Accepted, Due: u.Due, Upload: uploads[u.Upload]}
		rand.Read(e.Key.KeyData[:])
		e.Key.Provenance = keys.Padding
		e.Key.ConsentToFederate = keys.ConsentRefused
		e.Claims = []Claim{{Source: Own, Upload: e.Upload, Accepted: e.Accepted, Key: e.Key}}
		echoes[i] = e
	}
	return echoes
}
