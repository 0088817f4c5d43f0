package ledger

import (
	"crypto/rand"

	"github.com/gaenkit/gaen/keys"
)

// Padding makes up uploads so that the few real ones of a small cut need not
// wait. It is off by default.
//
// The uploads are echoes: each real upload of the group is repeated equally
// often, key by key the same but for the key data, which is random. So whatever
// an observer may look at (days, periods, risk, onset, gaps, order, presence in
// overlapping files), a real key and its echoes are alike, and nothing tells
// which is which. What echoes do not hide is the kind of uploads there were,
// and how many, to somebody who guesses the multiple.
type Padding struct {
	// Fill has a cut take a group of own units that is below the threshold at
	// once, with as many echoes as it needs to reach it. Where the cut has no
	// room for them, the group waits as it would without padding.
	Fill bool `json:"fill,omitzero"`

	// AlongsideExport allows padding where keys of the same origin are sent to
	// federation servers. Whoever receives them can subtract them from the
	// archives and knows what is padding; so it is refused unless named here.
	AlongsideExport bool `json:"alongsideExport,omitzero"`
}

// echoes returns how often each upload of a group must be echoed so that the
// group reaches the threshold.
func (p *Policy) echoes(g Group) int {
	times := max(ceilDiv(p.MinKeys, g.Keys), ceilDiv(p.MinUploads, g.Uploads))
	return times - 1
}

func ceilDiv(a, b int) int { return (a + b - 1) / max(b, 1) }

// pad returns the echoes of the units that a cut takes of one group.
func (r *releasing) pad(units []*Unit) []*Unit {
	if len(units) == 0 {
		return nil
	}
	id := GroupID{Origin: units[0].Key.Origin, Own: true, Wait: WaitNew}
	var echoes []*Unit
	for range r.echoes[id] {
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
