package keys_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gaenkit/gaen/keys"
)

// regionSets returns sets of many sizes, drawn from few codes so that equal ones
// come up, each with the codes it was made of, sorted and without repetition.
func regionSets(t *testing.T) (sets []keys.Regions, members [][]string) {
	t.Helper()
	codes := []string{"AT", "BE", "DE", "DE-BY", "FR", "GB", "GB-EAW", "419", "CHGS", "US-WA"}
	r := rand.New(rand.NewPCG(3, 3))
	for range 400 {
		var chosen []string
		for range r.IntN(6) {
			chosen = append(chosen, codes[r.IntN(len(codes))])
		}
		set, err := keys.ParseRegions(chosen...)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(chosen)
		sets, members = append(sets, set), append(members, slices.Compact(chosen))
	}
	return sets, members
}

func TestRegionsHoldTheirMembers(t *testing.T) {
	sets, members := regionSets(t)
	for i, set := range sets {
		var got []string
		for r := range set.All() {
			got = append(got, r.String())
			if !set.Has(r) {
				t.Errorf("%q has no %s", set, r)
			}
		}
		if !slices.Equal(got, members[i]) || set.Len() != len(members[i]) || set.String() != strings.Join(members[i], ",") {
			t.Errorf("got %v, %d of them, as %q; want %v", got, set.Len(), set, members[i])
		}
		for _, code := range []string{"DE", "DE-BY", "GB", "US", "19"} {
			if got, want := set.Has(keys.MustRegion(code)), slices.Contains(members[i], code); got != want {
				t.Errorf("%q has %s: got %t, want %t", set, code, got, want)
			}
		}
	}
}

func TestRegionsAreEqualIfTheirMembersAre(t *testing.T) {
	sets, members := regionSets(t)
	for i, a := range sets {
		for j, b := range sets {
			want := slices.Compare(members[i], members[j])
			if (a == b) != (want == 0) || (a.Compare(b) == 0) != (want == 0) {
				t.Fatalf("%q == %q is %t", a, b, a == b)
			}
			if a.Compare(b) != -b.Compare(a) || a.Compare(b) != strings.Compare(a.String(), b.String()) {
				t.Fatalf("%q to %q compares as %d, and back as %d", a, b, a.Compare(b), b.Compare(a))
			}
		}
	}
}

func TestRegionsForgetOrderAndRepetition(t *testing.T) {
	sets, _ := regionSets(t)
	r := rand.New(rand.NewPCG(4, 4))
	for _, want := range sets {
		list := slices.Collect(want.All())
		list = append(list, list...)
		list = append(list, keys.Region{})
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		before := slices.Clone(list)
		if got, err := keys.RegionsOf(list...); err != nil || got != want {
			t.Errorf("%v: got %q, %v; want %q", list, got, err, want)
		}
		if !slices.Equal(list, before) {
			t.Errorf("the caller's slice has changed from %v to %v", before, list)
		}
		codes := strings.Split(strings.ToLower(want.String()), ",")
		if got, err := keys.ParseRegions(append(codes, "", codes[0])...); err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", codes, got, err, want)
		}
		var back keys.Regions
		text, _ := want.MarshalText()
		if err := back.UnmarshalText(text); err != nil || back != want {
			t.Errorf("%q comes back as %q, %v", want, back, err)
		}
	}
}

func TestNoRegions(t *testing.T) {
	none, err := keys.RegionsOf()
	parsed, err2 := keys.ParseRegions("", "")
	zero, err3 := keys.RegionsOf(keys.Region{})
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	for _, set := range []keys.Regions{none, parsed, zero} {
		if set != (keys.Regions{}) || set.Len() != 0 || set.String() != "" || set.Has(keys.MustRegion("DE")) || set.Has(keys.Region{}) {
			t.Errorf("got %q, want the empty set", set)
		}
		for r := range set.All() {
			t.Errorf("the empty set has %q", r)
		}
	}
}

func TestRegionsAllStops(t *testing.T) {
	set, err := keys.ParseRegions("AT", "BE", "DE")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // and begins again
		var seen []string
		for r := range set.All() {
			if seen = append(seen, r.String()); len(seen) == 2 {
				break
			}
		}
		if !slices.Equal(seen, []string{"AT", "BE"}) {
			t.Errorf("got %v", seen)
		}
	}
}

// TestRegionsLimit draws the line between 100 and 101 regions.
func TestRegionsLimit(t *testing.T) {
	codes := make([]string, keys.MaxRegions+1)
	regions := make([]keys.Region, len(codes))
	for i := range codes {
		codes[i] = fmt.Sprintf("AA-%04d", i)
		regions[i] = keys.MustRegion(codes[i])
	}
	largest, err := keys.ParseRegions(codes[:keys.MaxRegions]...)
	if err != nil || largest.Len() != keys.MaxRegions {
		t.Fatalf("100 regions: got %d, %v", largest.Len(), err)
	}
	var back keys.Regions
	if err := back.UnmarshalText([]byte(largest.String())); err != nil || back != largest {
		t.Errorf("100 regions as text: %v", err)
	}
	if again, err := keys.RegionsOf(append(regions[:100:100], regions[:100]...)...); err != nil || again != largest {
		t.Errorf("100 regions twice: %v", err)
	}
	tooMany := &keys.Rejection{Field: keys.FieldVisitedCountries, Reason: keys.ReasonTooMany}
	if set, err := keys.ParseRegions(codes...); !errors.Is(err, tooMany) || set != (keys.Regions{}) {
		t.Errorf("101 codes: got %v", err)
	}
	if set, err := keys.RegionsOf(regions...); !errors.Is(err, tooMany) || set != (keys.Regions{}) {
		t.Errorf("101 regions: got %v", err)
	}
	if _, err := keys.ParseRegions(slices.Repeat([]string{"DE"}, 101)...); !errors.Is(err, tooMany) {
		t.Errorf("101 times one code: got %v", err)
	}
}

func TestParseRegionsRefuses(t *testing.T) {
	long := strings.Repeat("DE,", 301)
	tests := []struct {
		name   string
		text   string
		reason keys.Reason
	}{
		{"malformed", "DE,../etc", keys.ReasonMalformed},
		{"the first that is wrong counts", "DE,D,D.", keys.ReasonLength},
		{"text too long", long, keys.ReasonLength},
		{"too many", strings.Repeat("DE,", 100), keys.ReasonTooMany}, // the 101st is empty
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, err := keys.ParseRegions("IE")
			if err != nil {
				t.Fatal(err)
			}
			set := before
			err = set.UnmarshalText([]byte(tt.text))
			if !errors.Is(err, &keys.Rejection{Field: keys.FieldVisitedCountries, Reason: tt.reason}) || set != before {
				t.Errorf("got %q, %v; want the reason %s and no change", set, err, tt.reason)
			}
		})
	}
}

func TestRegionsFromManyGoroutines(t *testing.T) {
	var parsed [8]keys.Regions
	var wg sync.WaitGroup
	for i := range parsed {
		wg.Go(func() {
			for range 200 {
				parsed[i], _ = keys.ParseRegions("FR", "DE", "AT")
			}
		})
	}
	wg.Wait()
	for _, set := range parsed {
		if set != parsed[0] || set.String() != "AT,DE,FR" {
			t.Errorf("got %q and %q", set, parsed[0])
		}
	}
}

func FuzzParseRegions(f *testing.F) {
	for _, text := range []string{"", "DE", "DE,FR,de,,AT", "419,GB-EAW", "DE;FR", ",,,", "DE,../..", "D,E", "DE,\x00\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		codes := strings.Split(text, ",")
		set, err := keys.ParseRegions(codes...)
		var fromText keys.Regions
		if errText := fromText.UnmarshalText([]byte(text)); errText == nil && (err != nil || fromText != set) {
			t.Errorf("as text %q, as codes %q, %v", fromText, set, err)
		}
		if err != nil {
			checkRejection(t, err, keys.FieldVisitedCountries)
			return
		}
		if set.Len() > keys.MaxRegions {
			t.Errorf("holds %d regions", set.Len())
		}
		for _, code := range codes {
			if r, err := keys.ParseRegion(code); code != "" && (err != nil || !set.Has(r)) {
				t.Errorf("%q has no %q, %v", set, code, err)
			}
		}
		previous := keys.Region{}
		for r := range set.All() {
			if !wellFormed(r.String()) || r.Compare(previous) <= 0 {
				t.Errorf("%q follows %q", r, previous)
			}
			previous = r
		}
		slices.Reverse(codes)
		if reversed, err := keys.ParseRegions(codes...); err != nil || reversed != set {
			t.Errorf("reversed it is %q, %v; want %q", reversed, err, set)
		}
		if again, err := keys.ParseRegions(strings.Split(set.String(), ",")...); err != nil || again != set {
			t.Errorf("%q parses as %q, %v", set, again, err)
		}
	})
}
