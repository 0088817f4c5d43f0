//go:build unix

package filestore

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The tests with several processes start this test binary again as a child,
// with these variables: what to do, in which folder, and how.
const (
	childVariable = "FILESTORE_CHILD"
	childDir      = "FILESTORE_CHILD_DIR"
	childMode     = "FILESTORE_CHILD_MODE"
)

var children = map[string]func(ctx context.Context, b *Bucket) error{
	"churn":  churn,
	"create": createMany,
	"full":   fillUp,
}

func TestMain(m *testing.M) {
	if what := os.Getenv(childVariable); what != "" {
		if err := runChild(what); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func runChild(what string) error {
	b, err := New(os.Getenv(childDir), &Options{NoSync: true})
	if err != nil {
		return err
	}
	return children[what](context.Background(), modes[os.Getenv(childMode)](b))
}

// child is a process that works in a folder and writes lines of what it does.
type child struct {
	*exec.Cmd
	lines *bufio.Scanner
}

func startChild(t *testing.T, what, dir, mode string) *child {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+what, childDir+"="+dir, childMode+"="+mode)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &child{cmd, bufio.NewScanner(out)}
}

// first returns the first line, which shows that the child is at work.
func (c *child) first() (lines [][]string) {
	if c.lines.Scan() {
		lines = append(lines, strings.Fields(c.lines.Text()))
	}
	return lines
}

// rest returns the lines until the child ends, however that may be.
func (c *child) rest() (lines [][]string) {
	for c.lines.Scan() {
		lines = append(lines, strings.Fields(c.lines.Text()))
	}
	return lines
}
