package bucketledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
)

// FieldName is the field of what is set aside because the name of its object
// says nothing that can be used, FieldObject of an object that is no submission.
const (
	FieldName   keys.Field = "name"
	FieldObject keys.Field = "object"
)

// A Prefix is a part of the inbox: the objects whose names begin with its
// segments. Of several the longest holds, so that of a server one origin may be
// told apart: nearform, and nearform/JE.
type Prefix struct {
	// Prefix is one segment or more of a name, without a '/' at either end:
	// "nearform/GI" is nearform/GI/20201127/x.json and not nearform/GIX/...
	Prefix string

	// Source is who brought what lies there: the name of the federation server.
	Source ledger.Source

	// Origin is that of the keys there. Where it is zero, the segment after the
	// prefix names it; where Source is [ledger.Own], it is the inbox's.
	Origin keys.Region

	// Consent is what is taken for granted of keys that say nothing of consent.
	Consent keys.Consent

	// Disabled leaves the objects where they are. Those that are still there,
	// and not too old, are taken in when it is enabled again. Keys that are to
	// come in but not to be published are for [ledger.Ledger.Hold], or for the
	// selectors of package distribution.
	Disabled bool
}

// mobile is where phones' submissions lie, by the kind of the test.
const mobile = "mobile"

func (p *Prefix) check() error {
	switch {
	case !storage.ValidName(p.Prefix):
		return fmt.Errorf("Prefix %q: %w", p.Prefix, storage.ErrInvalidName)
	case strings.HasPrefix(p.Prefix+"/", root):
		return fmt.Errorf("Prefix %q: is the ledger's", p.Prefix)
	case p.Disabled:
		return nil
	case p.Source == ledger.Operator:
		return fmt.Errorf("Prefix %q: Source %q brings no keys", p.Prefix, p.Source)
	}
	if err := p.Source.Check(); err != nil {
		return fmt.Errorf("Prefix %q: Source: %w", p.Prefix, err)
	}
	return nil
}

// below returns the segments of a name after the prefix, and whether the name is
// below it at all.
func (p *Prefix) below(name string) ([]string, bool) {
	rest, ok := strings.CutPrefix(name, p.Prefix+"/")
	return strings.Split(rest, "/"), ok
}

// where is what an object's name says of the keys in it.
type where struct {
	source   ledger.Source
	granted  keys.DiagnosisKey
	rejected *keys.Rejection // why nothing in it can be taken; nil if it can
}

// placed says whose an object is.
type placed uint8

const (
	nobodys  placed = iota // of no prefix: somebody else's, or the ledger's own
	disabled               // of one that is disabled
	somebody               // to be taken in
)

// place reads an object's name.
func (in *Inbox) place(name string) (w where, whose placed) {
	p := in.prefixOf(name) // never of the ledger's own; see check
	switch {
	case p != nil && p.Disabled:
		return w, disabled
	case p != nil:
		return p.place(name, in.origin), somebody
	}
	own := where{source: ledger.Own, granted: keys.DiagnosisKey{Origin: in.origin, ConsentToFederate: in.consent}}
	segments := strings.Split(name, "/")
	switch {
	case len(segments) == 1: // of the first days
		return own, somebody
	case segments[0] != mobile:
		return w, nobodys
	case len(segments) < 3:
		own.rejected = &keys.Rejection{Field: FieldName, Reason: keys.ReasonMalformed, Detail: "no kind of test"}
		return own, somebody
	}
	var err error
	if own.granted.TestType, err = keys.ParseTestType(segments[1]); err != nil || own.granted.TestType == keys.TestUnstated {
		own.rejected = &keys.Rejection{Field: FieldName, Reason: keys.ReasonMalformed, Detail: "no kind of test has this name"}
	}
	return own, somebody
}

// prefixOf returns the longest prefix that a name is below; nil if there is
// none.
func (in *Inbox) prefixOf(name string) (longest *Prefix) {
	for i := range in.prefixes {
		p := &in.prefixes[i]
		if _, ok := p.below(name); ok && (longest == nil || len(p.Prefix) > len(longest.Prefix)) {
			longest = p
		}
	}
	return longest
}

func (p *Prefix) place(name string, origin keys.Region) where {
	w := where{source: p.Source, granted: keys.DiagnosisKey{Origin: p.Origin, ConsentToFederate: p.Consent}}
	segments, _ := p.below(name)
	switch {
	case !p.Origin.IsZero():
	case p.Source == ledger.Own:
		w.granted.Origin = origin
	case len(segments) < 2:
		w.rejected = &keys.Rejection{Field: FieldName, Reason: keys.ReasonMalformed, Detail: "no origin"}
	default:
		var err error
		if w.granted.Origin, err = keys.ParseRegion(segments[0]); err != nil {
			w.rejected = &keys.Rejection{Field: FieldName, Reason: keys.ReasonMalformed, Detail: "its origin is no region"}
		}
	}
	return w
}

// MobileName returns the name under which readers of the inbox look for an own
// submission: mobile/LAB_RESULT/1606471200000_<id>.json. The id is a UUID or
// anything else that is unique.
func MobileName(kit keys.TestType, at time.Time, id string) string {
	if kit == keys.TestUnstated {
		kit = keys.TestLab // the kit that there was first
	}
	return fmt.Sprintf("%s/%s/%d_%s.json", mobile, kit, at.UnixMilli(), plainly(id))
}

// BatchName returns the name under which they look for a batch that came by
// federation: nearform/GI/20201127/<tag>.json. The day is that of the download.
func BatchName(prefix string, origin keys.Region, at time.Time, tag string) string {
	return fmt.Sprintf("%s/%s/%s/%s.json", prefix, origin, at.UTC().Format("20060102"), plainly(tag))
}

// plain is what may stand in a name as it is.
var plain = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$`)

// plainly returns a string from outside as it may stand in a name: itself, or its
// hash if it is anything but plain.
func plainly(s string) string {
	if plain.MatchString(s) && !strings.HasPrefix(s, hashed) {
		return s
	}
	return hash(s)
}

const hashed = "sha256-"

func hash(s string) string {
	h := sha256.Sum256([]byte(s))
	return hashed + hex.EncodeToString(h[:])
}

// maxUploadID is the length of the longest name of an upload in a ledger.
const maxUploadID = 200

// uploadID returns what an object's upload is called.
func uploadID(name string) string {
	if len(name) > maxUploadID {
		return hash(name)
	}
	return name
}
