package efgs

import (
	"slices"

	"github.com/gaenkit/gaen/keys"
)

// An atlas knows regions by their codes and back. It remembers the last: the keys of
// a batch are of few countries.
type atlas struct {
	region keys.Region // with its code
	text   string

	regions keys.Regions // with their codes
	list    []string

	visitors struct { // a list, whose it was, and what it came to
		list   []string
		origin keys.Region
		set    keys.Regions
	}
}

// code returns the code of a region.
func (a *atlas) code(r keys.Region) string {
	if r != a.region {
		a.region, a.text = r, r.String()
	}
	return a.text
}

// codes returns the codes of regions, which may be shared.
func (a *atlas) codes(set keys.Regions) []string {
	if set == a.regions {
		return a.list
	}
	a.regions, a.list = set, make([]string, 0, set.Len())
	for region := range set.All() {
		a.list = append(a.list, region.String())
	}
	return a.list
}

// visited returns the set of the countries named but for the origin.
func (a *atlas) visited(codes []string, origin keys.Region) (keys.Regions, error) {
	last := &a.visitors
	if last.origin == origin && slices.Equal(last.list, codes) {
		return last.set, nil
	}
	set, err := keys.ParseRegions(codes...)
	if err != nil {
		return set, err
	}
	if set.Has(origin) {
		others := slices.DeleteFunc(slices.Collect(set.All()), func(r keys.Region) bool { return r == origin })
		if set, err = keys.RegionsOf(others...); err != nil {
			return set, err
		}
	}
	last.list, last.origin, last.set = codes, origin, set
	return set, nil
}
