package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress shows how far the job is: on a terminal in one line that changes,
// elsewhere, if that is asked for, in lines.
type progress struct {
	w        io.Writer
	on       bool
	terminal bool
	begun    time.Time
	last     time.Time
}

func newProgress(w io.Writer, wanted bool) *progress {
	terminal := isTerminal(w)
	return &progress{w: w, on: terminal || wanted, terminal: terminal, begun: time.Now()}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// pause is the time between two lines: enough to read one.
func (p *progress) pause() time.Duration {
	if p.terminal {
		return 100 * time.Millisecond
	}
	return time.Second
}

// step shows a step, if the last was shown long enough ago.
func (p *progress) step(format string, args ...any) {
	if !p.on || time.Since(p.last) < p.pause() {
		return
	}
	p.last = time.Now()
	p.line(fmt.Sprintf(format, args...))
}

func (p *progress) line(text string) {
	seconds := time.Since(p.begun).Seconds()
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%5.1f s  %s", seconds, text)
		return
	}
	fmt.Fprintf(p.w, "%5.1f s  %s\n", seconds, text)
}

// end says that all is done, and leaves the terminal clean.
func (p *progress) end() {
	if !p.on {
		return
	}
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
		return
	}
	p.line("done")
}
