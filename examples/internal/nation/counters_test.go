package nation

import (
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
)

// TestCountersText: every metric is described once, with its values after it, and
// shown as it was at the multiple of the resolution.
func TestCountersText(t *testing.T) {
	c := newCounters(time.Hour)
	c.pulled(&federation.PullReport{Instance: "hub-b", Accepted: 2})
	c.pulled(&federation.PullReport{Instance: "hub-a", Accepted: 3, Rejected: 1})
	lost := &federation.PullReport{Instance: "hub-b", Time: noon, GivenUp: make([]federation.GivenUp, 2)}
	c.pulled(lost)
	c.pulled(lost)
	c.pulled(&federation.PullReport{Instance: "hub-b"}) // one that was not run
	c.show(noon.Add(time.Minute))
	c.pulled(&federation.PullReport{Instance: "hub-a", Accepted: 90})
	c.show(noon.Add(2 * time.Minute))
	text := string(c.text())
	const want = `# TYPE gaen_pulled_keys_total counter
gaen_pulled_keys_total{instance="hub-a",outcome="accepted"} 3
gaen_pulled_keys_total{instance="hub-a",outcome="duplicate"} 0
gaen_pulled_keys_total{instance="hub-a",outcome="rejected"} 1
gaen_pulled_keys_total{instance="hub-b",outcome="accepted"} 2
`
	if !strings.Contains(text, want) {
		t.Errorf("got\n%s\nwhich lacks\n%s", text, want)
	}
	const given = "# TYPE gaen_given_up_batches gauge\ngaen_given_up_batches{instance=\"hub-b\"} 2\n"
	if !strings.Contains(text, given) {
		t.Errorf("got\n%s\nwhich lacks\n%s", text, given)
	}
	if !strings.Contains(text, "gaen_shown_timestamp_seconds 1.6226352e+09\n") {
		t.Errorf("the time of the counters is not noon:\n%s", text)
	}
	described := map[string]bool{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		family, _, _ := strings.Cut(words[0], "{")
		switch {
		case words[1] == "HELP" && (len(words) < 4 || described[words[2]]):
			t.Errorf("%s is described twice, or not at all", words[2])
		case words[1] == "HELP":
			described[words[2]] = true
		case words[0] != "#" && !described[family]:
			t.Errorf("%s is not described", family)
		}
	}
}
