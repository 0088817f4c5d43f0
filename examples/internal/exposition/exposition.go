// Package exposition writes metrics in the text format of Prometheus (version
// 0.0.4).
//
//	var text bytes.Buffer
//	e := exposition.New(&text)
//	e.Family("hub_requests_total", exposition.Counter, "Requests answered, by status.")
//	e.Value(17, "status", "200")
//
// It is written by hand: a dozen metrics of which none is a histogram do not need
// Prometheus's client library, which would be a direct dependency with eight others
// behind it, for every user of the module to download.
package exposition

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ContentType is the media type of what is written.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// A Kind is what can be done with a metric's values.
type Kind string

const (
	Counter Kind = "counter" // only rises, but for restarts
	Gauge   Kind = "gauge"
)

// A Writer writes metrics, to what must not fail: a buffer. A connection is written
// to by whoever holds no lock.
type Writer struct {
	w      io.Writer
	family string
}

// New returns a writer.
func New(w io.Writer) *Writer { return &Writer{w: w} }

// Family begins a metric. The format wants all its values together, and each metric
// once.
func (w *Writer) Family(name string, kind Kind, help string) {
	w.family = name
	fmt.Fprintf(w.w, "# HELP %s %s\n# TYPE %s %s\n", name, helpEscapes.Replace(help), name, kind)
}

// Value writes a value of the metric that was begun last, with labels: name, value,
// and so on. Each set of labels may come once.
func (w *Writer) Value(v float64, labels ...string) { w.Sample(v, Labels(labels...)) }

// Sample is [Writer.Value] with labels that are written already.
func (w *Writer) Sample(v float64, labels string) {
	fmt.Fprintf(w.w, "%s%s %s\n", w.family, labels, strconv.FormatFloat(v, 'g', -1, 64))
}

// Labels writes labels, name after value, as they stand behind the name of a
// metric; "" for none. It panics if a value is missing.
func Labels(pairs ...string) string {
	if len(pairs)%2 != 0 {
		panic("exposition: a label without a value")
	}
	if len(pairs) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteByte('{')
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(pairs[i] + `="` + labelEscapes.Replace(pairs[i+1]) + `"`)
	}
	b.WriteByte('}')
	return b.String()
}

// What the format escapes, and nothing else: Go's quoting has forms that Prometheus
// does not read.
var (
	labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	helpEscapes  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
)
