package ledger

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// A Selection says which units an [Order] is about. Its fields narrow it down
// together. One that says nothing is no selection: whoever means every unit
// says so.
type Selection struct {
	Units   []UnitID // by name
	Uploads []string // brought by one of these, which are own ones unless Source is set

	Origin keys.Region
	Source Source // brought by it, whoever else did

	// TestType is the kind of test, ReportType the report type, that a unit
	// states. Both are values that may be meant by their zero.
	TestType   keys.Optional[keys.TestType]
	ReportType keys.Optional[keys.ReportType]

	// From and To are when it was accepted, by the ledger's clock: at From or
	// later, before To. With Uploads or Source, it is the acceptance of that
	// very claim. Zero is no bound.
	From, To time.Time

	All bool // every unit; with no other field
}

// maxNamed is how many units, and how many uploads, a selection may name.
const maxNamed = 10_000

// ranges reports whether s has a field that is not a list of names.
func (s *Selection) ranges() bool {
	return !s.Origin.IsZero() || s.Source != "" || s.TestType.Present() || s.ReportType.Present() || !s.From.IsZero() || !s.To.IsZero()
}

// check returns an error that names the first field that makes no sense.
func (s *Selection) check() error {
	wrong := func(field, format string, args ...any) error {
		return fmt.Errorf("%s: %s", "Selection."+field, fmt.Sprintf(format, args...))
	}
	named := len(s.Units) > 0 || len(s.Uploads) > 0
	report, stated := s.ReportType.Get()
	test, kind := s.TestType.Get()
	switch {
	case s.All && (named || s.ranges()):
		return wrong("All", "every unit, and other fields that narrow it down")
	case !s.All && !named && !s.ranges():
		return wrong("All", "nothing is selected: name something, or set All for every unit")
	case len(s.Units) > maxNamed:
		return wrong("Units", "%d, at most %d", len(s.Units), maxNamed)
	case slices.ContainsFunc(s.Units, func(id UnitID) bool { return !id.valid() }):
		return wrong("Units", "one has no origin, or no key data")
	case len(s.Units) > 0 && !s.Origin.IsZero() && !slices.ContainsFunc(s.Units, func(id UnitID) bool { return id.Origin == s.Origin }):
		return wrong("Origin", "none of the units that are named has it")
	case len(s.Uploads) > maxNamed:
		return wrong("Uploads", "%d, at most %d", len(s.Uploads), maxNamed)
	case slices.ContainsFunc(s.Uploads, func(id string) bool { return checkUploadID(id) != nil }):
		return wrong("Uploads", "one is not 1 to %d bytes of UTF-8 without control characters", maxUploadID)
	case s.Source == Operator:
		return wrong("Source", "%q brings no keys", s.Source)
	case s.Source != "" && s.Source.Check() != nil:
		return wrong("Source", "want 1 to 64 of a-z, 0-9, '.', '_', '-'")
	case stated && !report.Valid():
		return wrong("ReportType", "%d is none", uint8(report))
	case kind && !test.Valid():
		return wrong("TestType", "%d is none", uint8(test))
	case !s.From.IsZero() && !s.To.IsZero() && !s.From.Before(s.To):
		return wrong("To", "is not after From")
	}
	return nil
}

// field returns the field by which s selects, above all.
func (s *Selection) field() string {
	switch {
	case len(s.Units) > 0:
		return "Selection.Units"
	case len(s.Uploads) > 0:
		return "Selection.Uploads"
	}
	return "Order.Select"
}

// source returns whose claims count.
func (s *Selection) source() Source {
	if s.Source == "" && len(s.Uploads) > 0 {
		return Own
	}
	return s.Source
}

// claimOf returns the acceptance of the first claim of u that s describes, if u
// is selected by everything but its name.
func (s *Selection) claimOf(u *Unit) (accepted time.Time, ok bool) {
	test, stated := s.TestType.Get()
	switch {
	case !s.Origin.IsZero() && s.Origin != u.Key.Origin,
		stated && test != u.Key.TestType,
		s.ReportType.Present() && s.ReportType != u.Key.ReportType:
		return time.Time{}, false
	}
	i := slices.IndexFunc(u.Claims, s.describes)
	if i < 0 {
		return time.Time{}, false
	}
	return u.Claims[i].Accepted, true
}

func (s *Selection) describes(c Claim) bool {
	source := s.source()
	switch {
	case source != "" && source != c.Source,
		len(s.Uploads) > 0 && !slices.Contains(s.Uploads, c.Upload),
		!s.From.IsZero() && c.Accepted.Before(s.From),
		!s.To.IsZero() && !c.Accepted.Before(s.To):
		return false
	}
	return true
}

// queries returns what to look up to have every unit that s selects: one query
// for each name, which is not known if it finds nothing.
func (s *Selection) queries() []Query {
	switch {
	case len(s.Units) > 0:
		var list []Query
		for _, id := range once(s.Units) {
			list = append(list, Query{Unit: &id})
		}
		return list
	case len(s.Uploads) > 0:
		var list []Query
		for _, id := range slices.Compact(slices.Sorted(slices.Values(s.Uploads))) {
			list = append(list, Query{Upload: id, Source: s.source(), SetAside: true})
		}
		return list
	}
	return []Query{{Source: s.Source, Origin: s.Origin}}
}

// A SelectionRecord is what the record of an order keeps of its [Selection]:
// names that could lead to a person only as a hash, of this ledger.
type SelectionRecord struct {
	Units   int         `json:"units,omitzero"`   // named
	Uploads int         `json:"uploads,omitzero"` // named
	Names   string      `json:"names,omitzero"`   // hash over both lists, whatever their order
	Origin  keys.Region `json:"origin,omitzero"`
	Source  Source      `json:"source,omitzero"`

	TestType   string    `json:"testType,omitzero"`
	ReportType string    `json:"reportType,omitzero"`
	From       time.Time `json:"from,omitzero"`
	To         time.Time `json:"to,omitzero"`
	All        bool      `json:"all,omitzero"`
}

// record describes s without key data.
func (s *Selection) record(id Identity) SelectionRecord {
	units, uploads := once(s.Units), slices.Compact(slices.Sorted(slices.Values(s.Uploads)))
	r := SelectionRecord{
		Units: len(units), Uploads: len(uploads), Origin: s.Origin, Source: s.Source,
		From: s.From.UTC(), To: s.To.UTC(), All: s.All,
	}
	if t, ok := s.TestType.Get(); ok {
		r.TestType = t.String()
	}
	if t, ok := s.ReportType.Get(); ok {
		r.ReportType = t.String()
	}
	var names []string
	for _, u := range units {
		names = append(names, "unit "+hashOf(id, u))
	}
	for _, name := range uploads {
		h := hmac.New(sha256.New, id[:])
		h.Write([]byte("upload " + name))
		names = append(names, "upload "+hex.EncodeToString(h.Sum(nil)))
	}
	if len(names) > 0 {
		slices.Sort(names)
		h := sha256.New()
		for _, name := range names {
			h.Write([]byte(name + "\n"))
		}
		r.Names = hex.EncodeToString(h.Sum(nil))
	}
	return r
}

// hashOf is what orders and their records call a unit.
func hashOf(id Identity, u UnitID) string {
	t := TombstoneOf(id, u)
	return hex.EncodeToString(t[:])
}
