package main

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"slices"
	"strconv"
)

// The measures of a plot, in pixels.
const (
	plotWidth   = 900
	chartHeight = 180
	chartGap    = 60
	plotLeft    = 90
	plotRight   = 30
	plotTop     = 60
)

// colours are those of the lines, told apart also by who sees no red or green.
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"}

// A chart is one thing of trends over days.
type chart struct {
	title string
	value func(*trend) (float64, bool)
}

var charts = []chart{
	{"keys a day", func(t *trend) (float64, bool) { return float64(t.Keys), true }},
	{"revised keys a day", func(t *trend) (float64, bool) { return float64(t.Revised), true }},
	{"bytes a day", func(t *trend) (float64, bool) { return float64(t.Bytes), true }},
	{"latest file of the day, minutes after its window", func(t *trend) (float64, bool) {
		if t.Latest == nil {
			return 0, false
		}
		return *t.Latest / 60, true
	}},
}

// plot writes trends as an SVG of four charts, a line for each package, over all days
// in order.
func plot(w io.Writer, all []*trend) error {
	p := &plotter{all: all}
	for _, t := range all {
		p.days = append(p.days, t.Day)
		p.packages = append(p.packages, t.Package)
	}
	p.days, p.packages = once(p.days), once(p.packages)
	height := plotTop + len(charts)*(chartHeight+chartGap)
	p.line(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`, plotWidth, height, plotWidth, height)
	p.line(`<rect width="100%%" height="100%%" fill="white"/>`)
	p.legend()
	for i, c := range charts {
		p.chart(c, plotTop+i*(chartHeight+chartGap))
	}
	p.line(`</svg>`)
	_, err := w.Write(p.b.Bytes())
	return err
}

func once(all []string) []string {
	slices.Sort(all)
	return slices.Compact(all)
}

type plotter struct {
	b              bytes.Buffer
	all            []*trend
	days, packages []string
}

func (p *plotter) line(format string, args ...any) { fmt.Fprintf(&p.b, format+"\n", args...) }

func (p *plotter) legend() {
	for i, pkg := range p.packages {
		x := plotLeft + i*140
		p.line(`<rect x="%d" y="14" width="12" height="12" fill="%s"/>`, x, colours[i%len(colours)])
		p.line(`<text x="%d" y="25">%s</text>`, x+18, html.EscapeString(pkg))
	}
}

// x returns where a day stands.
func (p *plotter) x(day string) float64 {
	i, _ := slices.BinarySearch(p.days, day)
	if len(p.days) == 1 {
		return (plotLeft + plotWidth - plotRight) / 2
	}
	return plotLeft + float64(i)*float64(plotWidth-plotLeft-plotRight)/float64(len(p.days)-1)
}

func (p *plotter) chart(c chart, top int) {
	most := 0.0
	for _, t := range p.all {
		if v, ok := c.value(t); ok {
			most = max(most, v)
		}
	}
	bottom := top + chartHeight
	p.line(`<text x="%d" y="%d" font-weight="bold">%s</text>`, plotLeft, top-8, html.EscapeString(c.title))
	p.line(`<path d="M%d %d V%d H%d" fill="none" stroke="#888"/>`, plotLeft, top, bottom, plotWidth-plotRight)
	p.line(`<text x="%d" y="%d" text-anchor="end">%s</text>`, plotLeft-6, top+6, number(most))
	p.line(`<text x="%d" y="%d" text-anchor="end">0</text>`, plotLeft-6, bottom)
	if n := len(p.days); n > 0 {
		p.line(`<text x="%d" y="%d">%s</text>`, plotLeft, bottom+16, html.EscapeString(p.days[0]))
		p.line(`<text x="%d" y="%d" text-anchor="end">%s</text>`, plotWidth-plotRight, bottom+16, html.EscapeString(p.days[n-1]))
	}
	for i, pkg := range p.packages {
		p.series(c, pkg, colours[i%len(colours)], bottom, most)
	}
}

// series draws one package: a point for each day, and a line between those that
// follow each other, so that a day that is missing is a gap.
func (p *plotter) series(c chart, pkg, colour string, bottom int, most float64) {
	last := -2
	var beforeX, beforeY float64
	for _, t := range p.all {
		v, ok := c.value(t)
		if t.Package != pkg || !ok {
			continue
		}
		x, y := p.x(t.Day), float64(bottom)
		if most > 0 {
			y -= max(0, v) / most * chartHeight
		}
		i, _ := slices.BinarySearch(p.days, t.Day)
		if i == last+1 {
			p.line(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="1.5"/>`, beforeX, beforeY, x, y, colour)
		}
		p.line(`<circle cx="%.1f" cy="%.1f" r="2.5" fill="%s"><title>%s %s: %s</title></circle>`,
			x, y, colour, html.EscapeString(pkg), html.EscapeString(t.Day), number(v))
		last, beforeX, beforeY = i, x, y
	}
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
