// Package scripttest runs the test scripts of the example programs (txtar, see
// testscript), with two commands and a variable that all of them need:
//
//	exits n program args...   runs a program and checks its exit status
//	[vectors] ...             where the files of real systems are there, in $VECTORS
package scripttest

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Command is a command of scripts.
type Command = func(ts *testscript.TestScript, neg bool, args []string)

// Run runs the scripts in testdata/script. setup prepares the directory of each,
// unless it is nil; commands are those that the scripts have besides.
func Run(t *testing.T, setup func(dir string) error, commands map[string]Command) {
	all := map[string]Command{"exits": exits}
	maps.Copy(all, commands)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("VECTORS", vectors())
			if setup == nil {
				return nil
			}
			return setup(e.WorkDir)
		},
		Condition: func(name string) (bool, error) {
			if name != "vectors" {
				return false, errors.New("no such condition")
			}
			return vectors() != "", nil
		},
		Cmds: all,
	})
}

// vectors returns the folder of files that real systems made, which is kept
// beside the project; empty if it is not there.
func vectors() string {
	dir, err := filepath.Abs("../../../shared/vectors")
	if err != nil {
		return ""
	}
	if _, err := os.Stat(filepath.Join(dir, "two-keys.zip")); err != nil {
		return ""
	}
	return dir
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits status program args...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		failed, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = failed.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}
