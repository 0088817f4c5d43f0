package submit

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/submission"
	"github.com/gaenkit/gaen/storage/ledger"
)

// body is the envelope of a submission. Its keys are read by package submission,
// once it is known what is granted.
type body struct {
	Token          string            `json:"diagnosisKeySubmissionToken"`
	PrivateJourney bool              `json:"isPrivateJourney"`
	TestKit        string            `json:"testKit"`
	Keys           []json.RawMessage `json:"temporaryExposureKeys"`
}

// parse reads the envelope. What cannot be read has no keys, and is not told from
// what was made up.
func parse(text []byte) (b body, ok bool) {
	if json.Unmarshal(text, &b) != nil || b.Keys == nil || !once(text) {
		return body{}, false
	}
	return b, true
}

// once reports whether no object in a JSON text has a name twice. Of two tokens, or
// two lists of keys, another program on the way may see the one and we the other.
func once(text []byte) bool {
	d := json.NewDecoder(bytes.NewReader(text))
	var names []map[string]bool // of the objects that are open; nil for arrays
	isName := false             // the next string is one
	for {
		token, err := d.Token()
		if err != nil {
			return true // it is the end: the text is valid
		}
		name, _ := token.(string)
		switch {
		case isName && token != json.Delim('}'):
			seen := names[len(names)-1]
			if seen[fold(name)] {
				return false
			}
			seen[fold(name)], isName = true, false
			continue
		case token == json.Delim('{'):
			names = append(names, map[string]bool{})
		case token == json.Delim('['):
			names = append(names, nil)
		case token == json.Delim('}'), token == json.Delim(']'):
			names = names[:len(names)-1]
		}
		isName = len(names) > 0 && names[len(names)-1] != nil
	}
}

// fold returns what names have in common that package json takes for one: those
// that differ in case.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		for { // the smallest of its kind, to which all others lead
			next := unicode.SimpleFold(r)
			if next <= r {
				return next
			}
			r = next
		}
	}, name)
}

// upload returns what a submission brings on these terms: what the authorizer
// decided is said of every key, whatever the phone says of it.
func upload(text []byte, id string, origin keys.Region, t Terms) (*ledger.Delivery, error) {
	// Consent is granted after the keys are read, so that a refusal is seen.
	s, err := submission.Parse(text, keys.DiagnosisKey{Origin: origin, TestType: t.TestType})
	if err != nil {
		return nil, err
	}
	d := &ledger.Delivery{Source: ledger.Own}
	for i := range s.Keys {
		k := &s.Keys[i]
		k.Origin, k.TestType, k.ReportType = origin, t.TestType, t.ReportType
		k.VariantOfConcern = keys.Optional[keys.VariantOfConcern]{} // a laboratory's to say
		k.ConsentToFederate = consent(t.ConsentToFederate, k.ConsentToFederate)
	}
	if len(s.Keys) > 0 {
		d.Uploads = []ledger.Upload{{ID: id, Keys: s.Keys}}
	}
	for _, r := range s.Rejected {
		d.Unreadable = append(d.Unreadable, ledger.SetAside{
			Upload: id, ID: ledger.UnitID{Origin: origin}, Field: r.Field, Reason: r.Reason, Detail: r.Detail,
		})
	}
	return d, nil
}

// consent returns what is granted and stated together: what either refuses is
// refused.
func consent(granted, stated keys.Consent) keys.Consent {
	if granted == keys.ConsentUnstated || stated == keys.ConsentRefused {
		return stated
	}
	return granted
}
