package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/filestore"
)

// A mailbox is a bucket that others put submissions into.
type mailbox struct {
	t      *testing.T
	bucket storage.Bucket
	random *keystest.Generator
}

func newMailbox(t *testing.T, b storage.Bucket) *mailbox {
	return &mailbox{t: t, bucket: b, random: keystest.New(3, &keystest.Options{EndOfPeriod: true})}
}

// inboxNow is when the submissions are made and taken in.
var inboxNow = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// put puts an upload as another writer does, and returns how many keys it has.
func (m *mailbox) put(name string) int {
	m.t.Helper()
	up := m.random.Upload(inboxNow)
	up.Keys = slices.DeleteFunc(up.Keys, func(k keys.DiagnosisKey) bool { // time passes in replays
		return k.End().Before(inboxNow.AddDate(0, 0, -9))
	})
	fields := submitted(up)
	delete(fields, "id")
	text, err := json.Marshal(fields)
	if err != nil {
		m.t.Fatal(err)
	}
	if _, err := storage.Put(m.t.Context(), m.bucket, name, strings.NewReader(string(text)), nil); err != nil {
		m.t.Fatal(err)
	}
	return len(up.Keys)
}

// inboxArgs are those of a run with an inbox.
func inboxArgs(dir, place string, more ...string) []string {
	return append([]string{
		"-dir", dir, "-now", inboxNow.Format(time.RFC3339), "-inbox", place,
		"-inbox-prefix", "nearform", "-inbox-prefix", "efgs/DE=efgs",
	}, more...)
}

// accepted returns how many keys of a source the books say were accepted.
func accepted(t *testing.T, output, source string) string {
	t.Helper()
	_, books, _ := strings.Cut(output, "the books of the ledger")
	found := regexp.MustCompile(`(?m)^` + source + ` +(\d+) +(\d+) +0 +0 +0 *$`).FindStringSubmatch(books)
	if found == nil {
		t.Fatalf("the books do not say that all of %s was accepted, once:\n%s", source, books)
	}
	return found[2]
}

// takesInOnce fills an inbox, runs the program twice, adds to it, runs it again,
// and enables what was disabled: each object comes in exactly once.
func takesInOnce(t *testing.T, m *mailbox, args func(more ...string) []string) {
	t.Helper()
	own := m.put("first.json") + m.put("mobile/LAB_RESULT/1606471200000_3f4c.json") + m.put("mobile/RAPID_RESULT/1606471200000_3f4c.json")
	near := m.put("nearform/FR/20260309/tag.json")
	efgs := m.put("efgs/DE/DE/20260309/tag.json")
	jersey := m.put("nearform/JE/20260309/tag.json")
	m.put("somebody/else.json")
	if _, err := storage.Put(t.Context(), m.bucket, "mobile/LAB_RESULT/bad.json", strings.NewReader("{"), nil); err != nil {
		t.Fatal(err)
	}
	check := func(output, line string) {
		t.Helper()
		wantLine(t, output, line)
		for source, n := range map[string]int{"nearform": near, "efgs": efgs} {
			if got := accepted(t, output, source); got != strconv.Itoa(n) {
				t.Errorf("%s: %s keys accepted, want %d", source, got, n)
			}
		}
		wantMatch(t, output, `(?m)^own +`+strconv.Itoa(own+1)+` +`+strconv.Itoa(own)+` +0 +0 +1 *$`) // the bad one is counted
	}
	jerseyOff := args("-inbox-disabled", "nearform/JE")
	first := distribute(t, exitDone, jerseyOff...)
	check(first, "inbox: 8 objects, 6 taken in, 0 known, 1 below disabled prefixes, 1 of nobody, 1 bad")
	wantMatch(t, first, `(?m)^bad: mobile/LAB_RESULT/bad.json: object: `)
	check(distribute(t, exitDone, jerseyOff...), "inbox: 8 objects, 0 taken in, 6 known, 1 below disabled prefixes, 1 of nobody, 0 bad")
	own += m.put("mobile/LAB_RESULT/1606471200001_9.json")
	check(distribute(t, exitDone, jerseyOff...), "inbox: 9 objects, 1 taken in, 6 known, 1 below disabled prefixes, 1 of nobody, 0 bad")
	near += jersey
	check(distribute(t, exitDone, args()...), "inbox: 9 objects, 1 taken in, 7 known, 0 below disabled prefixes, 1 of nobody, 0 bad")
}

// TestInbox takes in from a folder, into a ledger beside it.
func TestInbox(t *testing.T) {
	dir, box := filepath.Join(t.TempDir(), "run"), t.TempDir()
	b, err := filestore.New(box, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	m := newMailbox(t, b)
	takesInOnce(t, m, func(more ...string) []string { return inboxArgs(dir, "file://"+box, more...) })
}

// TestInboxInDryRun looks into the inbox, and leaves no trace.
func TestInboxInDryRun(t *testing.T) {
	dir, box := filepath.Join(t.TempDir(), "run"), t.TempDir()
	b, err := filestore.New(box, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	newMailbox(t, b).put("mobile/LAB_RESULT/1606471200000_3f4c.json")
	for range 2 {
		said := distribute(t, exitDone, inboxArgs(dir, box, "-dry-run")...)
		wantLine(t, said, "inbox: 1 objects, 1 taken in, 0 known")
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("something was made")
	}
}

// TestBadInbox: whatever is wrong with an inbox stops the job before anything is
// made.
func TestBadInbox(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"no folder", []string{"-inbox", "/there/is/none"}, exitStopped, "/there/is/none"},
		{"prefix without an inbox", []string{"-inbox-prefix", "nearform"}, exitUsage, "-inbox"},
		{"the ledger's own", []string{"-inbox", "/x", "-inbox-prefix", "gaen/log"}, exitUsage, "is the ledger's"},
		{"twice", []string{"-inbox", "/x", "-inbox-prefix", "a", "-inbox-disabled", "a"}, exitUsage, "is there twice"},
		{"consent", []string{"-inbox", "/x", "-set", `input.inboxPrefixes=[{"prefix":"a","consentToFederate":"maybe"}]`}, exitUsage, "input.inboxPrefixes[0].consentToFederate"},
		{"generated", []string{"-inbox", "/x", "-generate"}, exitUsage, "-generate and -inbox"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			var out, errs strings.Builder
			if code := run(append([]string{"-dir", dir}, tt.args...), &out, &errs); code != tt.code || !strings.Contains(errs.String(), tt.says) {
				t.Errorf("exits with %d: %s", code, errs.String())
			}
			if _, err := os.Stat(filepath.Join(dir, "ledger.db")); err == nil {
				t.Error("a ledger was made")
			}
		})
	}
}
