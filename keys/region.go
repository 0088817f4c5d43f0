package keys

import (
	"bytes"
	"iter"
	"slices"
	"strings"
	"unique"
)

const (
	// MaxRegionLength is the length of the longest region code.
	MaxRegionLength = 8

	// MaxRegions is the number of regions one key may name.
	MaxRegions = 100

	maxRegionsText = MaxRegions * (MaxRegionLength + 1)
)

// Region is the code of a country, a part of one, or a group: an ISO 3166-1
// code (DE), an ISO 3166-2 code (US-WA), a code that a federation made up
// (GB-EAW), a UN M.49 number (419). The zero value is no region.
//
// It is an array, so that a key with an origin is a comparable value without
// pointers.
type Region struct{ code [MaxRegionLength]byte }

// ParseRegion returns s as a region: 2 to 8 letters, digits and inner hyphens.
// Lower case is taken as upper case, since federation servers compare that way.
// The error is a [*Rejection] for the field "region".
func ParseRegion(s string) (Region, error) { return parseRegion(s, FieldRegion) }

func parseRegion[T string | []byte](s T, field Field) (Region, error) {
	if len(s) < 2 || len(s) > MaxRegionLength {
		return Region{}, reject(field, ReasonLength, "%d bytes, want 2 to %d", len(s), MaxRegionLength)
	}
	var r Region
	for i := range len(s) {
		c := s[i]
		switch {
		case 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		case c == '-' && 0 < i && i < len(s)-1:
		default:
			return Region{}, reject(field, ReasonMalformed, "byte %d is not a letter, a digit or an inner hyphen", i)
		}
		r.code[i] = c
	}
	return r, nil
}

// MustRegion is [ParseRegion] for codes that stand in the source. It panics
// where ParseRegion gives an error.
func MustRegion(s string) Region {
	r, err := ParseRegion(s)
	if err != nil {
		panic("keys: MustRegion(" + s + "): " + err.Error())
	}
	return r
}

// IsZero reports whether r is the zero value, which is no region.
func (r Region) IsZero() bool { return r == Region{} }

// String returns the code.
func (r Region) String() string {
	n := bytes.IndexByte(r.code[:], 0)
	if n < 0 {
		n = len(r.code)
	}
	return string(r.code[:n])
}

// Compare orders regions by their codes.
func (r Region) Compare(other Region) int { return bytes.Compare(r.code[:], other.code[:]) }

// MarshalText returns the code.
func (r Region) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText is [ParseRegion]; empty text is no region.
func (r *Region) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*r = Region{}
		return nil
	}
	parsed, err := parseRegion(text, FieldRegion)
	if err != nil {
		return err
	}
	*r = parsed
	return nil
}

// Regions is a set of regions: those that the owner of a key visited. The zero
// value is the empty set, which means that none are known, never "all".
//
// Equal sets share their memory, of which a country's keys need very little:
// the value is one word, comparable, and cheap to copy.
type Regions struct{ codes unique.Handle[string] }

// RegionsOf returns the set of the given regions. Order and repetition do not
// matter. The error is a [*Rejection] for the field "visited_countries" if
// there are more than [MaxRegions].
func RegionsOf(regions ...Region) (Regions, error) {
	return setOf(slices.Clone(regions))
}

// setOf is RegionsOf for a slice that is ours to change.
func setOf(regions []Region) (Regions, error) {
	slices.SortFunc(regions, Region.Compare)
	sorted := slices.DeleteFunc(slices.Compact(regions), Region.IsZero)
	if len(sorted) > MaxRegions {
		return Regions{}, reject(FieldVisitedCountries, ReasonTooMany, "%d regions, at most %d", len(sorted), MaxRegions)
	}
	if len(sorted) == 0 {
		return Regions{}, nil
	}
	codes := make([]byte, 0, len(sorted)*(MaxRegionLength+1))
	for i, r := range sorted {
		if i > 0 {
			codes = append(codes, ',')
		}
		codes = append(codes, r.String()...)
	}
	return Regions{unique.Make(string(codes))}, nil
}

// ParseRegions returns the set of the given codes, of which there may be
// [MaxRegions], repetitions included. Empty codes are passed over: one federation
// server sends lists with an empty string in them (EFGS 227). The error is a
// [*Rejection] for the field "visited_countries", that of the first code that is
// malformed.
func ParseRegions(codes ...string) (Regions, error) {
	if len(codes) > MaxRegions {
		return Regions{}, reject(FieldVisitedCountries, ReasonTooMany, "%d regions, at most %d", len(codes), MaxRegions)
	}
	regions := make([]Region, 0, len(codes))
	for _, code := range codes {
		if code == "" {
			continue
		}
		r, err := parseRegion(code, FieldVisitedCountries)
		if err != nil {
			return Regions{}, err
		}
		regions = append(regions, r)
	}
	return setOf(regions)
}

// All returns the regions in ascending order.
func (s Regions) All() iter.Seq[Region] {
	return func(yield func(Region) bool) {
		for code := range strings.SplitSeq(s.String(), ",") {
			if code == "" {
				return
			}
			var r Region
			copy(r.code[:], code)
			if !yield(r) {
				return
			}
		}
	}
}

// Has reports whether r is in the set.
func (s Regions) Has(r Region) bool {
	for have := range s.All() {
		if have == r {
			return true
		}
	}
	return false
}

// Len returns the number of regions.
func (s Regions) Len() int {
	if s == (Regions{}) {
		return 0
	}
	return 1 + strings.Count(s.String(), ",")
}

// String returns the codes in ascending order, with commas between them.
func (s Regions) String() string {
	if s == (Regions{}) {
		return ""
	}
	return s.codes.Value()
}

// Compare orders sets by the text of [Regions.String].
func (s Regions) Compare(other Regions) int {
	if s == other {
		return 0
	}
	return strings.Compare(s.String(), other.String())
}

// MarshalText returns the text of [Regions.String].
func (s Regions) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is [ParseRegions] on text with commas between the codes.
func (s *Regions) UnmarshalText(text []byte) error {
	if len(text) > maxRegionsText {
		return reject(FieldVisitedCountries, ReasonLength, "%d bytes, at most %d", len(text), maxRegionsText)
	}
	parsed, err := ParseRegions(strings.Split(string(text), ",")...)
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}
