package nation

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/storage/ledger/submit"
)

// counters are what Prometheus reads. What is shown changes only at multiples of
// the resolution: a number that rises with every submission tells whoever reads it
// often enough who was at the phone.
type counters struct {
	resolution time.Duration

	mu    sync.Mutex
	now   map[string]float64 // by name with labels
	shown map[string]float64
	since time.Time // the multiple at which they were last shown
}

func newCounters(resolution time.Duration) *counters {
	c := &counters{resolution: resolution, now: map[string]float64{}, shown: map[string]float64{}}
	for _, kind := range []submit.Kind{submit.Stored, submit.Refused, submit.Decoy, submit.Invalid, submit.Failed} {
		c.add(0, "gaen_submissions_total", "kind", kind.String())
	}
	c.add(0, "gaen_submissions_late_total")
	c.add(0, "gaen_released_keys_total")
	c.add(0, "gaen_archives_written_total")
	return c
}

// add adds to a counter. Labels are name, value, …, and names of the configuration,
// which need no escape.
func (c *counters) add(n float64, name string, labels ...string) {
	if len(labels) > 0 {
		var pairs []string
		for pair := range slices.Chunk(labels, 2) {
			pairs = append(pairs, fmt.Sprintf("%s=%q", pair[0], pair[1]))
		}
		name += "{" + strings.Join(pairs, ",") + "}"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now[name] += n
}

func (c *counters) submitted(o submit.Outcome) {
	c.add(1, "gaen_submissions_total", "kind", o.Kind.String())
	if o.Late {
		c.add(1, "gaen_submissions_late_total")
	}
}

func (c *counters) pulled(r *federation.PullReport) {
	name := string(r.Instance)
	c.add(float64(r.Accepted), "gaen_pulled_keys_total", "instance", name, "outcome", "accepted")
	c.add(float64(r.Duplicates), "gaen_pulled_keys_total", "instance", name, "outcome", "duplicate")
	c.add(float64(r.Rejected), "gaen_pulled_keys_total", "instance", name, "outcome", "rejected")
}

func (c *counters) pushed(r *federation.PushReport) {
	c.add(float64(r.Keys), "gaen_pushed_keys_total", "instance", string(r.Instance))
	c.add(float64(r.Withdrawals), "gaen_pushed_withdrawals_total", "instance", string(r.Instance))
}

// show lets the counters be seen as they are, if a multiple of the resolution has
// passed.
func (c *counters) show(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := now.Truncate(c.resolution); at.After(c.since) {
		c.since, c.shown = at, maps.Clone(c.now)
	}
}

// write writes what is shown in the text format of Prometheus.
func (c *counters) write(w io.Writer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := ""
	for _, name := range slices.Sorted(maps.Keys(c.shown)) {
		family, _, _ := strings.Cut(name, "{")
		if family != last {
			fmt.Fprintf(w, "# TYPE %s counter\n", family)
			last = family
		}
		fmt.Fprintf(w, "%s %g\n", name, c.shown[name])
	}
	fmt.Fprintf(w, "# TYPE gaen_shown_timestamp_seconds gauge\ngaen_shown_timestamp_seconds %d\n", c.since.Unix())
}
