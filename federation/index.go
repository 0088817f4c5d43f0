package federation

import (
	"sort"
	"time"
)

// An index finds batches that stand in order, by their tags and times.
type index struct {
	byTag map[string]int
	times []time.Time // of the batches
}

// add adds the next batch.
func (x *index) add(tag string, t time.Time) {
	if x.byTag == nil {
		x.byTag = map[string]int{}
	}
	x.byTag[tag], x.times = len(x.times), append(x.times, t)
}

// has reports whether a tag is that of a batch, or none.
func (x *index) has(tag string) bool {
	_, ok := x.byTag[tag]
	return ok || tag == ""
}

// after returns the index of the batch that follows a place: behind that with its
// tag or, if there is none, the first of its day or a later one.
func (x *index) after(at Place) int {
	if i, ok := x.byTag[at.Tag]; ok {
		return i + 1
	}
	start := at.Day.Start()
	return sort.Search(len(x.times), func(i int) bool { return !x.times[i].Before(start) })
}
