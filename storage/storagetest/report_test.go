package storagetest

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/memstore"
)

// childVariable, when set, makes TestReportChild run the suite on a broken
// bucket, which fails; TestReport starts such a child and looks at its output.
const childVariable = "STORAGETEST_REPORT_CHILD"

func TestReportChild(t *testing.T) {
	if os.Getenv(childVariable) == "" {
		t.Skip("is run by TestReport")
	}
	Test(t, func(*testing.T) storage.Bucket {
		return newBroken(brokenBuckets["delete-all-past-one-request"]["1000"])
	}, &Options{Skip: map[string]string{"delete-missing": "because of a reason", "no-such-clause": "typing error"}})
}

func TestReport(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestReportChild$", "-test.v")
	cmd.Env = append(os.Environ(), childVariable+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("the suite passed a broken bucket")
	}
	for what, want := range map[string]string{
		"the failing subtest":     "--- FAIL: TestReportChild/delete-all-past-one-request ",
		"its clause":              "clause: DeleteAll must take any number of names.",
		"a passing subtest":       "--- PASS: TestReportChild/replace-changed ",
		"the skipped subtest":     "--- SKIP: TestReportChild/delete-missing ",
		"the reason of the skip":  "declared deviation: because of a reason",
		"the unknown declaration": `there is no clause "no-such-clause"`,
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%s: %q is not in the output", what, want)
		}
	}
	if n := strings.Count(string(out), "--- FAIL: TestReportChild/"); n != 1 {
		t.Errorf("%d subtests failed, want 1", n)
	}
	if t.Failed() {
		t.Logf("output:\n%s", out)
	}
}

func TestMinimalSkipsReplace(t *testing.T) {
	skipped := 0
	for _, c := range replaceClauses {
		if err := c.run(t.Context(), Minimal(memstore.New(nil))); err == errNotOffered {
			skipped++
		}
	}
	if skipped != len(replaceClauses) {
		t.Errorf("%d of %d clauses about Replace were skipped", skipped, len(replaceClauses))
	}
}
