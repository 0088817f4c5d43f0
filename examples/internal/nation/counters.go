package nation

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gaenkit/gaen/examples/internal/exposition"
	"github.com/gaenkit/gaen/examples/internal/orders"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/submit"
)

// A metric is what is counted.
type metric struct{ name, help string }

var (
	submissionsTotal     = metric{"gaen_submissions_total", "Submissions of phones, by what became of them."}
	submissionsLateTotal = metric{"gaen_submissions_late_total", "Submissions that were not answered on the beat, so that the time of an answer may tell what became of one."}
	releasedTotal        = metric{"gaen_released_keys_total", "Keys that the cuts of this process let go."}
	fewTotal             = metric{"gaen_few_withdrawn_uploads_total", "Uploads whose withdrawal the cuts of this process told in the company of fewer than the policy asks for, by why."}
	pulledTotal          = metric{"gaen_pulled_keys_total", "Keys that servers handed out, by what became of them."}
	givenUpBatches       = metric{"gaen_given_up_batches", "Batches that could not be verified and whose keys are lost, of those that the server still has."}
	pushedTotal          = metric{"gaen_pushed_keys_total", "Keys that servers were sent."}
	pushedGoneTotal      = metric{"gaen_pushed_withdrawals_total", "Withdrawals that servers were sent."}
	owedWithdrawals      = metric{"gaen_owed_withdrawals", "Withdrawals of keys that a server has, on their way to it, as of the last cut."}
	untoldWithdrawals    = metric{"gaen_untold_withdrawals", "Withdrawals of keys that a server has and that it cannot be told, by why, as of the last cut."}
	archivesTotal        = metric{"gaen_archives_written_total", "Archives that were published."}
	objectsFailedTotal   = metric{"gaen_objects_failed_total", "Objects that could not be published; they are tried again."}
	deferredTotal        = metric{"gaen_publications_deferred_total", "Looks after which the last cut was not published, since some server had not been sent it."}
	hintsTotal           = metric{"gaen_hints_total", "Hints of gateways that there is something to be pulled."}
	failuresTotal        = metric{"gaen_failures_total", "Steps that failed, by step and instance."}
)

// kind returns what can be done with the metric, by how Prometheus has it named.
func (m metric) kind() exposition.Kind {
	if strings.HasSuffix(m.name, "_total") {
		return exposition.Counter
	}
	return exposition.Gauge
}

// A series is one of a metric's values: with these labels, as they are written.
type series struct {
	metric
	labels string
}

func (s series) compare(o series) int {
	return cmp.Or(cmp.Compare(s.name, o.name), cmp.Compare(s.labels, o.labels))
}

// counters are what Prometheus reads. What is shown changes only at multiples of
// the resolution: a number that rises with every submission tells whoever reads it
// often enough who was at the phone.
type counters struct {
	resolution time.Duration

	mu    sync.Mutex
	now   map[series]float64
	shown map[series]float64
	since time.Time // the multiple at which they were last shown
}

func newCounters(resolution time.Duration) *counters {
	c := &counters{resolution: resolution, now: map[series]float64{}, shown: map[series]float64{}}
	for _, kind := range []submit.Kind{submit.Stored, submit.Refused, submit.Decoy, submit.Invalid, submit.Failed} {
		c.add(0, submissionsTotal, "kind", kind.String())
	}
	c.add(0, submissionsLateTotal)
	c.add(0, archivesTotal)
	c.cut(&ledger.ReleaseReport{})
	return c
}

// cut counts what a cut of this process let go.
func (c *counters) cut(r *ledger.ReleaseReport) {
	c.add(float64(r.New), releasedTotal)
	c.add(float64(r.WaitedOut.Uploads), fewTotal, "why", "waited-out")
	c.add(float64(r.ByOrder.Uploads), fewTotal, "why", "by-order")
}

// add adds to a counter. Labels are name, value, and so on.
func (c *counters) add(n float64, m metric, labels ...string) {
	of := series{m, exposition.Labels(labels...)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now[of] += n
}

// set sets what is not counted but looked up.
func (c *counters) set(n float64, m metric, labels ...string) {
	of := series{m, exposition.Labels(labels...)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now[of] = n
}

func (c *counters) submitted(o submit.Outcome) {
	c.add(1, submissionsTotal, "kind", o.Kind.String())
	if o.Late {
		c.add(1, submissionsLateTotal)
	}
}

func (c *counters) pulled(r *federation.PullReport) {
	name := string(r.Instance)
	c.add(float64(r.Accepted), pulledTotal, "instance", name, "outcome", "accepted")
	c.add(float64(r.Duplicates), pulledTotal, "instance", name, "outcome", "duplicate")
	c.add(float64(r.Rejected), pulledTotal, "instance", name, "outcome", "rejected")
	if !r.Time.IsZero() { // else it was not looked up
		c.set(float64(len(r.GivenUp)), givenUpBatches, "instance", name)
	}
}

// owing sets what partners have not been told. What is no longer so is 0.
func (c *counters) owing(all []*orders.Arrears) {
	c.mu.Lock()
	for s := range c.now {
		if s.metric == owedWithdrawals || s.metric == untoldWithdrawals {
			c.now[s] = 0
		}
	}
	c.mu.Unlock()
	for _, a := range all {
		name := string(a.Partner)
		c.set(float64(a.Owed), owedWithdrawals, "instance", name)
		for why, n := range a.Untold {
			c.set(float64(n), untoldWithdrawals, "instance", name, "why", why)
		}
	}
}

func (c *counters) pushed(r *federation.PushReport) {
	c.add(float64(r.Keys), pushedTotal, "instance", string(r.Instance))
	c.add(float64(r.Withdrawals), pushedGoneTotal, "instance", string(r.Instance))
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

// text returns what is shown. It is written to nobody here, since who reads slowly
// would have submissions wait for the lock.
func (c *counters) text() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b bytes.Buffer
	e := exposition.New(&b)
	var last metric
	for _, s := range slices.SortedFunc(maps.Keys(c.shown), series.compare) {
		if s.metric != last {
			e.Family(s.name, s.kind(), s.help)
			last = s.metric
		}
		e.Sample(c.shown[s], s.labels)
	}
	e.Family("gaen_shown_timestamp_seconds", exposition.Gauge, "The time of the counters.")
	e.Value(float64(c.since.Unix()))
	return b.Bytes()
}
