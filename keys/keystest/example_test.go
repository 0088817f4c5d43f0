package keystest_test

import (
	"fmt"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
)

// A day of uploads from two countries.
func Example() {
	g := keystest.New(1, &keystest.Options{
		Origins: []keys.Region{keys.MustRegion("DE"), keys.MustRegion("IE")},
	})
	monday := time.Date(2021, 2, 8, 0, 0, 0, 0, time.UTC)
	count := make(map[keys.Region]int)
	for upload := range g.Uploads(monday, monday.AddDate(0, 0, 1), 100) {
		for _, k := range upload.Keys {
			count[k.Origin]++
		}
	}
	fmt.Println(count)
	// Output: map[DE:588 IE:565]
}

// A test that what was logged holds none of the keys it is about.
func ExampleLeak() {
	k := keystest.New(1, nil).KeyData()
	careless := fmt.Sprintf("refused key %x", k[:])
	careful := fmt.Sprintf("refused key %x", k)
	fmt.Printf("%q %q\n", keystest.Leak(careless, k), keystest.Leak(careful, k))
	// Output: "hexadecimal" ""
}
