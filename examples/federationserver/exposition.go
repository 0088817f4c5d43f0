package main

import (
	"fmt"
	"io"
	"strconv"
)

// The text format of Prometheus (version 0.0.4) is written here by hand: a dozen
// metrics of which none is a histogram do not need its client library, which would
// be a direct dependency with eight others behind it, for every user of the module
// to download.

const expositionType = "text/plain; version=0.0.4; charset=utf-8"

// An exposition writes metrics.
type exposition struct{ w io.Writer }

// metric begins a metric: its values follow at once.
func (e *exposition) metric(name, kind, help string) {
	fmt.Fprintf(e.w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// value writes a value, of a label if it has a name.
func (e *exposition) value(name, label, of string, v float64) {
	if label != "" {
		name += "{" + label + "=" + strconv.Quote(of) + "}" // ids and numbers: nothing that Go quotes otherwise
	}
	fmt.Fprintf(e.w, "%s %s\n", name, strconv.FormatFloat(v, 'g', -1, 64))
}
