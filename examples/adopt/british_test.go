package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/internal/treetest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
)

// leaveBritish makes what the British back end leaves, below dir: its tree in www and its
// submissions in inbox. It returns how many of their keys are in no file yet.
func leaveBritish(t *testing.T, dir string) (waiting int) {
	t.Helper()
	key, err := makeKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	metadata, err := signing.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	text, err := signing.MarshalPrivateKey(metadata)
	if err != nil {
		t.Fatal(err)
	}
	inbox := filepath.Join(dir, "inbox", "mobile", "LAB_RESULT")
	if err := os.MkdirAll(inbox, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "keys", "metadata.pem"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	run := switchTime.Truncate(2 * time.Hour).Add(-14 * time.Minute)
	var published []treetest.Key
	for n := range 60 {
		at := switchTime.Add(-time.Duration(60-n) * time.Hour)
		k := treetest.Key{Data: [16]byte{1, byte(n)}, Start: int32(keys.StartOfDay(keys.IntervalAt(at).Day() - 2)), Period: 144, Risk: 4, Published: at}
		if at.Before(run.Add(-time.Minute)) {
			published = append(published, k)
		} else {
			waiting++
		}
		content := fmt.Sprintf(`{"temporaryExposureKeys":[{"key":%q,"rollingStartNumber":%d,"rollingPeriod":144,"transmissionRisk":4,"daysSinceOnset":2}]}`,
			base64.StdEncoding.EncodeToString(k.Data[:]), k.Start)
		name := filepath.Join(inbox, fmt.Sprintf("%d_%04d.json", at.UnixMilli(), n))
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	server := treetest.NHS{Signer: treetest.Signer{Key: key, ID: "262", Version: "v1"}, Metadata: treetest.Signer{Key: metadata, ID: "metadata"}}
	if err := lay(filepath.Join(dir, "www"), server.Tree(published, run)); err != nil {
		t.Fatal(err)
	}
	return waiting
}

// TestBritish adopts the files of the British back end with its submissions: what is in
// a file is released, the rest waits. A dry run says so, too.
func TestBritish(t *testing.T) {
	dir := t.TempDir()
	waiting := leaveBritish(t, dir)
	args := []string{
		"-dir", dir, "-layout", "nhs", "-inbox", "inbox", "-consent", "refused", "-now", deploy.Shown(switchTime),
		"-set", "api.originCountry=GB-EAW", "-set", "release.minKeys=0", "-set", "release.minUploads=0",
	}
	var dry, real, errs bytes.Buffer
	if code := run(append(args, "-dry-run"), &dry, &errs); code != exitDone {
		t.Fatalf("dry run exits with %d: %s\n%s", code, errs.String(), dry.String())
	}
	if code := run(args, &real, &errs); code != exitDone {
		t.Fatalf("exits with %d: %s\n%s", code, errs.String(), real.String())
	}
	for _, want := range []string{
		`(?m)^inbox: 60 objects, 60 taken in, 0 of them bad$`,
		`(?m)^nhs at .*: adopted 182 files, 0 indexes$`, // all but the day in progress
		fmt.Sprintf(`(?m)^keys published: %d, of which the ledger had nothing: 0; in files that are gone: 0$`, 60-waiting),
		`(?m)^GB-EAW: goes on at 2026-03-11T07:45:00Z$`,
	} {
		for name, text := range map[string]string{"dry": dry.String(), "real": real.String()} {
			if !regexp.MustCompile(want).MatchString(text) {
				t.Errorf("%s run: want %s, got\n%s", name, want, text)
			}
		}
	}
	if bytes.Contains(real.Bytes(), []byte("differs: ")) || !bytes.Contains(dry.Bytes(), []byte("puts 0 objects and deletes 0")) {
		t.Errorf("got\n%s", dry.String()) // the next two hours are over at a quarter to ten
	}
}
