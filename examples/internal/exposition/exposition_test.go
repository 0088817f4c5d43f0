package exposition

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

func TestWriter(t *testing.T) {
	var b bytes.Buffer
	e := New(&b)
	e.Family("requests_total", Counter, "Requests,\nby \\status\\.")
	e.Value(17, "status", "200")
	e.Value(1e9, "status", "500", "op", "a \"b\" \\ c\nd é\t")
	e.Family("age_seconds", Gauge, "How old.")
	e.Value(0.25)
	e.Sample(math.Inf(1), Labels("nation", "ie"))
	const want = `# HELP requests_total Requests,\nby \\status\\.
# TYPE requests_total counter
requests_total{status="200"} 17
requests_total{status="500",op="a \"b\" \\ c\nd é	"} 1e+09
# HELP age_seconds How old.
# TYPE age_seconds gauge
age_seconds 0.25
age_seconds{nation="ie"} +Inf
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestLabels(t *testing.T) {
	if got := Labels(); got != "" {
		t.Errorf("no labels: got %q", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a label without a value does not panic")
		}
	}()
	pairs := strings.Fields("nation")
	Labels(pairs...)
}
