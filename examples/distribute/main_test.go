package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/examples/internal/scripttest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"distribute": main})
}

// TestScripts runs the program as a whole. The scripts also have the commands
//
//	snapshot dir    notes every file below a folder: content, size, time
//	unchanged dir   checks that all of it is as it was
func TestScripts(t *testing.T) {
	scripttest.Run(t, nil, map[string]scripttest.Command{"snapshot": snapshot, "unchanged": unchanged})
}

// snapshots are what was noted, by the path of the folder.
var snapshots sync.Map

func snapshot(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: snapshot dir")
	}
	snapshots.Store(ts.MkAbs(args[0]), state(ts, args[0]))
}

func unchanged(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: unchanged dir")
	}
	want, ok := snapshots.Load(ts.MkAbs(args[0]))
	if !ok {
		ts.Fatalf("no snapshot of %s", args[0])
	}
	if d := difference(state(ts, args[0]), want.(string)); d != "" {
		ts.Fatalf("%s has changed:\n%s", args[0], d)
	}
}

// state describes every file and folder below dir.
func state(ts *testscript.TestScript, dir string) string {
	text, err := describe(ts.MkAbs(dir))
	ts.Check(err)
	return text
}

func describe(dir string) (string, error) {
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		b.WriteString(rel + " " + info.Mode().String())
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			b.WriteString(" " + info.ModTime().Format(time.RFC3339Nano) + " " + base64.StdEncoding.EncodeToString(content))
		}
		b.WriteString("\n")
		return nil
	})
	return b.String(), err
}

// difference returns the lines that are in only one of two descriptions, cut to
// what is worth reading.
func difference(got, want string) string {
	var b strings.Builder
	only := func(mark, a, other string) {
		for line := range strings.Lines(a) {
			if !strings.Contains("\n"+other, "\n"+line) {
				b.WriteString(mark + line[:min(len(line), 150)] + "\n")
			}
		}
	}
	only("- ", want, got)
	only("+ ", got, want)
	return b.String()
}

// distribute runs the program in this process and expects the exit status.
func distribute(t *testing.T, want int, args ...string) (stdout string) {
	t.Helper()
	var out, errs bytes.Buffer
	if got := run(args, &out, &errs); got != want {
		t.Fatalf("distribute %s: exit status %d, want %d\n%s%s", strings.Join(args, " "), got, want, out.String(), errs.String())
	}
	return out.String()
}

// TestLive runs the job for cron, which goes by the clock of the machine: what
// comes in waits for the next cut, and a second run changes nothing. It begins
// again if the hour ends meanwhile, for then there is something to do.
func TestLive(t *testing.T) {
	for range 3 {
		hour := time.Now().Truncate(time.Hour)
		dir := filepath.Join(t.TempDir(), "run")
		in := submissions(t, 3)
		first := distribute(t, exitDone, "-dir", dir, "-in", in)
		checkSecrets(t, dir)
		before, err := describe(filepath.Join(dir, "www"))
		if err != nil {
			t.Fatal(err)
		}
		second := distribute(t, exitDone, "-dir", dir, "-in", in)
		after, err := describe(filepath.Join(dir, "www"))
		if err != nil {
			t.Fatal(err)
		}
		if !time.Now().Truncate(time.Hour).Equal(hour) {
			continue
		}
		if d := difference(after, before); d != "" {
			t.Errorf("a second run changed the tree:\n%s", d)
		}
		wantLine(t, first, "1 cuts, the last of "+deploy.Shown(hour))
		wantLine(t, second, "no cut was made")
		wantLine(t, second, "0 windows completed, 0 archives written (0 bytes), 0 indexes, 0 deleted")
		return
	}
	t.Fatal("the hour ended during each of three attempts")
}

// checkSecrets checks that nobody else can read what is secret.
func checkSecrets(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"keys/private.pem", "ledger.db"} {
		info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o, want 600", name, mode)
		}
	}
}

func wantLine(t *testing.T, output, want string) {
	t.Helper()
	if !strings.Contains(output, want) {
		t.Errorf("output lacks %q:\n%s", want, output)
	}
}

func wantMatch(t *testing.T, output, pattern string) {
	t.Helper()
	if !regexp.MustCompile(pattern).MatchString(output) {
		t.Errorf("output has nothing like %q:\n%s", pattern, output)
	}
}

// submissions writes uploads of the present time as a file of JSON lines.
func submissions(t *testing.T, n int) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "uploads.jsonl")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	gen := keystest.New(1, &keystest.Options{EndOfPeriod: true})
	for range n {
		if err := json.NewEncoder(f).Encode(submitted(gen.Upload(time.Now()))); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// submitted returns an upload in the form that the program reads.
func submitted(up keystest.Upload) map[string]any {
	var all []map[string]any
	for _, k := range up.Keys {
		all = append(all, map[string]any{
			"key":                base64.StdEncoding.EncodeToString(k.KeyData[:]),
			"rollingStartNumber": k.RollingStartIntervalNumber,
			"rollingPeriod":      k.RollingPeriod,
			"transmissionRisk":   keys.TransmissionRiskNumber(k.TransmissionRiskLevel),
		})
	}
	return map[string]any{"id": up.ID, "consentToFederate": true, "temporaryExposureKeys": all}
}

// TestSideBySide starts the live job several times at once in a directory that
// is empty, as when cron and a person are both impatient: each must end well,
// with one signing key, and every upload in the books once.
func TestSideBySide(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	in := submissions(t, 3)
	outputs := make([]string, 4)
	var group sync.WaitGroup
	for i := range outputs {
		group.Go(func() {
			var out, errs bytes.Buffer
			if got := run([]string{"-dir", dir, "-in", in}, &out, &errs); got != exitDone {
				t.Errorf("run %d: exit status %d\n%s%s", i, got, out.String(), errs.String())
			}
			outputs[i] = out.String()
		})
	}
	group.Wait()
	accepted := 0
	for _, out := range outputs {
		wantLine(t, out, "verified: every signature")
		for line := range strings.Lines(out) {
			if f := strings.Fields(line); len(f) == 7 && f[0] == "own" && f[2] != "0" {
				accepted++
			}
		}
	}
	if accepted != 1 {
		t.Errorf("%d runs accepted the uploads, want 1:\n%s", accepted, strings.Join(outputs, "\n"))
	}
}
