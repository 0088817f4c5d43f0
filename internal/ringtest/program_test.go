package ringtest_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gaenkit/gaen/internal/fastclock"
)

// build builds the programs into a folder: their test binaries, which are the
// programs where they are called by their names, but for the clock.
func build(t *testing.T, dir string) {
	t.Helper()
	var both sync.WaitGroup
	for _, name := range []string{"federationserver", "nationalbackend"} {
		both.Go(func() {
			args := []string{"test", "-c", "-tags", "cloud", "-ldflags", "-s -w", "-o", filepath.Join(dir, name), "github.com/gaenkit/gaen/examples/" + name}
			if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
				t.Errorf("building %s: %v\n%s", name, err, out)
			}
		})
	}
	both.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// A program is a process that is started again whenever it ends, until it is to.
type program struct {
	name  string
	dir   string
	clock *fastclock.Clock
	leaks *leaks

	// steady is spared: how its memory grows is seen of a process that lives long.
	steady bool

	tell func(...any) // logs what must not be

	// prepare returns the command line, when everything it names is in place.
	prepare func() []string

	mu       sync.Mutex
	cmd      *exec.Cmd
	at       map[string]string // addresses, by what they are for
	running  bool
	stopping bool
	killed   bool // on purpose
	tail     []string
	findings []string
	starts   int
	kills    int
	gaveUp   int // ended of itself, as where its database does not answer
	lastExit int
	ended    chan struct{}
}

// restartPause is how long a program that ended of itself waits, as under a
// supervisor.
const restartPause = 100 * time.Millisecond

// run keeps the program running until it is stopped.
func (p *program) run() {
	p.ended = make(chan struct{})
	go func() {
		defer close(p.ended)
		for p.once() {
			time.Sleep(restartPause)
		}
	}()
}

// once runs the program to its end, and reports whether it is to be run again.
func (p *program) once() bool {
	args := p.prepare()
	p.mu.Lock()
	if p.stopping {
		p.mu.Unlock()
		return false
	}
	p.cmd = p.command(args...)
	output, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		p.found("it does not start: %v", err)
		p.mu.Unlock()
		return false
	}
	p.starts++
	p.running, p.killed = true, false
	p.mu.Unlock()

	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		p.line(lines.Text())
	}
	err = p.cmd.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running, p.at = false, nil
	p.judge(err)
	return !p.stopping
}

// command returns the program, to be run with arguments.
func (p *program) command(args ...string) *exec.Cmd {
	c := exec.Command(args[0], args[1:]...)
	c.Dir = p.dir
	c.Env = append(os.Environ(), p.clock.Environ())
	return c
}

// judge notes how the program ended.
func (p *program) judge(err error) {
	p.lastExit = p.cmd.ProcessState.ExitCode()
	switch {
	case p.killed:
		p.kills++
	case p.lastExit == 0 || p.lastExit == 1:
		p.gaveUp++
	default: // wrong usage, or a panic
		p.found("it ended with %v:\n\t%s", err, strings.Join(p.tail[max(0, len(p.tail)-30):], "\n\t"))
		p.stopping = true
	}
}

// found notes something that must not be; p.mu is held.
func (p *program) found(format string, args ...any) {
	what := p.name + ": " + fmt.Sprintf(format, args...)
	p.findings = append(p.findings, what)
	p.tell(what) // at once: a run may be long
}

const tailLines = 200

// line takes in what the program says.
func (p *program) line(text string) {
	leak := p.leaks.in(text)
	p.mu.Lock()
	defer p.mu.Unlock()
	if leak != "" && len(p.findings) < 20 {
		var entry struct{ Msg string }
		json.Unmarshal([]byte(text), &entry) // the line itself is not for showing
		p.found("it says %s (%q)", leak, entry.Msg)
	}
	if p.tail = append(p.tail, text); len(p.tail) > 2*tailLines {
		p.tail = p.tail[tailLines:]
	}
	var entry struct {
		Msg, For, Addr, Address string
	}
	if !strings.Contains(text, "127.0.0.1:") || json.Unmarshal([]byte(text), &entry) != nil {
		return
	}
	if p.at == nil {
		p.at = map[string]string{}
	}
	switch entry.Msg {
	case "listening": // nationalbackend
		p.at[entry.For] = entry.Addr
	case "serving", "monitoring": // federationserver
		p.at[entry.Msg] = entry.Address
	}
}

// where returns where the program listens for something.
func (p *program) where(what string) (address, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a, ok := p.at[what]
	return address{"tcp", a}, ok
}

// signal sends a signal to the process, if there is one.
func (p *program) signal(s os.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running {
		return
	}
	p.killed = p.killed || s == os.Kill // it may be told to end while it is dying
	p.cmd.Process.Signal(s)
}

// kill kills the process. It is started again.
func (p *program) kill() { p.signal(os.Kill) }

// interrupt has the process end as an operator does. It is started again.
func (p *program) interrupt() { p.signal(syscall.SIGTERM) }

// stop has the program end for good, and returns its exit status.
func (p *program) stop() int {
	p.mu.Lock()
	p.stopping = true
	p.mu.Unlock()
	p.interrupt()
	<-p.ended
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lastExit
}

// abandon ends the program without regard.
func (p *program) abandon() {
	p.mu.Lock()
	p.stopping = true
	p.mu.Unlock()
	p.kill()
	if p.ended != nil {
		<-p.ended
	}
}

// resident returns the memory of the process in KiB, 0 if there is none or it has
// only begun.
func (p *program) resident() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running || p.at == nil {
		return 0
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			n, _ := strconv.Atoi(string(bytes.Fields(rest)[0]))
			return n
		}
	}
	return 0
}
