package efgs

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gaenkit/gaen/federation"
)

// A Tag is the tag that the gateway gives a batch that it hands out: yyyyMMdd-N, N
// from 1 on in each day of UTC. What follows in the tag of another gateway, after
// another hyphen, is passed over.
type Tag struct {
	Day federation.Day
	N   int
}

// ParseTag reads a tag. It reports false for one of another form, which is legal:
// tags are the server's.
func ParseTag(s string) (Tag, bool) {
	day, rest, found := strings.Cut(s, "-")
	if !found || len(day) != len("20060102") {
		return Tag{}, false
	}
	t, err := time.Parse("20060102", day)
	if err != nil {
		return Tag{}, false
	}
	n, _, _ := strings.Cut(rest, "-")
	if n == "" || n[0] < '0' || n[0] > '9' {
		return Tag{}, false
	}
	number, err := strconv.Atoi(n)
	if err != nil || number < 1 {
		return Tag{}, false
	}
	return Tag{Day: federation.DayOf(t), N: number}, true
}

// String returns the tag.
func (t Tag) String() string {
	return fmt.Sprintf("%s-%d", t.Day.Start().Format("20060102"), t.N)
}

// noTag is how the gateway writes that there is no next batch.
const noTag = "null"

// headerTag reads a tag in a header: absent, empty and "null" are none.
func headerTag(s string) string {
	if s = strings.TrimSpace(s); s == noTag {
		return ""
	}
	return s
}
