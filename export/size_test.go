package export_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
)

// Nothing that is written is larger than what compress/flate makes of the same
// bytes at its hardest.
func TestSizeAgainstLevel9(t *testing.T) {
	if testing.Short() {
		t.Skip("compresses for seconds")
	}
	signers := oneSigner(t)
	check := func(name string, c *export.Content) {
		archive := mustWrite(t, c, signers, nil)
		got, want := len(rawEntry(t, archive, "export.bin")), flateSize(t, entry(t, archive, "export.bin"), 9)
		if got > want {
			t.Errorf("%s: %d bytes, level 9 makes %d", name, got, want)
		}
	}
	for name, c := range inflateContents() {
		check(name, c)
	}
	for _, n := range []int{20_000, 30_000, 100_000} {
		check(fmt.Sprint("production ", n), &export.Content{Start: start, End: end, Region: "DE", Keys: production(1, n)})
	}
	r := rand.New(rand.NewPCG(31, 32))
	for _, groups := range []int{1, 10, 100} {
		for _, each := range []int{3, 50, 127, 128, 250} { // about where the ordinary compressor is no longer asked
			c := &export.Content{Start: start, End: end, Region: "DE"}
			for range groups {
				alike := randomKey(r)
				for range each {
					k := alike
					k.KeyData = randomKey(r).KeyData
					c.Keys = append(c.Keys, k)
				}
			}
			check(fmt.Sprintf("%d groups of %d", groups, each), c)
			for range len(c.Keys) / 5 { // and as many alone as there may be
				c.Keys = append(c.Keys, randomKey(r))
			}
			check(fmt.Sprintf("%d groups of %d and others", groups, each), c)
		}
	}
}

// An archive is a tenth smaller than that of the stock writer, and within 1.5 % of
// what these blocks of DEFLATE can be: see BENCHMARKS.md.
func TestSizeAgainstStock(t *testing.T) {
	if testing.Short() {
		t.Skip("compresses for seconds")
	}
	c, signers := shuffledProduction(100_000), oneSigner(t)
	got := len(mustWrite(t, c, signers, nil))
	var stock countingWriter
	if err := stockWrite(&stock, c, signers[0]); err != nil {
		t.Fatal(err)
	}
	if limit := int(stock) * 9 / 10; got > limit {
		t.Errorf("%d bytes, stock makes %d: at most %d were asked for", got, stock, limit)
	}
	if floor := blockFloor(c.Keys) / 8; float64(got) > 1.015*floor {
		t.Errorf("%d bytes, the floor is %.0f", got, floor)
	}
}

// As many keys as there may be, with all that they can say, fit into the largest
// file that phones take.
func TestLargestArchiveFitsPhones(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	c := content(export.MaxKeys)
	if n := len(mustWrite(t, c, oneSigner(t), nil)); n > export.MaxPhoneArchive {
		t.Errorf("%d bytes, phones take %d", n, export.MaxPhoneArchive)
	}
}

// groupsOf returns the keys by their metadata, in canonical order.
func groupsOf(all []keys.TemporaryExposureKey) [][]keys.TemporaryExposureKey {
	ordered := slices.SortedFunc(slices.Values(all), func(a, b keys.TemporaryExposureKey) int { return a.Compare(&b) })
	var groups [][]keys.TemporaryExposureKey
	for len(ordered) > 0 {
		n := 1
		for n < len(ordered) && ordered[n].CompareMetadata(&ordered[0]) == 0 {
			n++
		}
		groups, ordered = append(groups, ordered[:n]), ordered[n:]
	}
	return groups
}

// entropy returns how many bits it takes to say which keys these are, when all
// know the metadata and how many have each: a set of n random keys is one of
// 2^128n/n!.
func entropy(all []keys.TemporaryExposureKey) (bits float64) {
	for _, g := range groupsOf(all) {
		ordered, _ := math.Lgamma(float64(len(g)) + 1)
		bits += 128*float64(len(g)) - ordered/math.Ln2
	}
	return bits
}

// blockFloor returns how many bits DEFLATE takes at least where each key is one
// match and the rest literals, and its codes had fractions of bits: the first
// bytes that a key has in common with the one before it are free, 1 bit chooses
// among the two distances that a code must have, and more bits are those of the
// length and of a distance of one record.
func blockFloor(all []keys.TemporaryExposureKey) (bits float64) {
	for _, g := range groupsOf(all) {
		for i := range g {
			shared := 0
			if i > 0 {
				for g[i].KeyData[shared] == g[i-1].KeyData[shared] {
					shared++
				}
			}
			symbols := float64(keys.KeyDataSize - shared + 1)
			literals := symbols - 1
			bits += literals*(8+math.Log2(symbols/literals)) + math.Log2(symbols) + 1 + 1 + 3
		}
	}
	return bits
}

func shuffledProduction(n int) *export.Content {
	c := &export.Content{Start: start, End: end, Region: "EUR", Keys: production(1, n)}
	shuffle(c.Keys)
	return c
}
