package main

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing"
)

// archiveTime is when the archives of these tests end.
var archiveTime = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// writeArchive writes an archive with this content, of a country named FR.
func writeArchive(t *testing.T, dir, name string, fresh, revised []keys.TemporaryExposureKey) (path string) {
	t.Helper()
	key, err := signing.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := signing.NewSigner(signing.Identity{KeyID: "208", KeyVersion: "v1"}, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &export.Content{Start: archiveTime.Add(-time.Hour), End: archiveTime, Region: "FR", Keys: fresh, RevisedKeys: revised}
	var b bytes.Buffer
	if _, err := export.Write(&b, c, []*signing.Signer{signer}, nil); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, name)
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// exposureKeys returns n keys of the day before that were self-reported.
func exposureKeys(n int) (all []keys.TemporaryExposureKey) {
	gen := keystest.New(1, &keystest.Options{EndOfPeriod: true})
	for _, k := range gen.Keys(archiveTime, n)[:n] {
		k.RollingStartIntervalNumber, k.RollingPeriod = keys.IntervalAt(archiveTime.Add(-36*time.Hour)), keys.IntervalsPerDay
		k.ReportType = keys.Some(keys.ReportSelfReport)
		all = append(all, k.TemporaryExposureKey)
	}
	return all
}

// TestRevisedArchive takes in an archive and then one that revises a key of it
// and withdraws another: both must come out as that.
func TestRevisedArchive(t *testing.T) {
	dir := t.TempDir()
	all := exposureKeys(3)
	first := writeArchive(t, dir, "first.zip", all, nil)
	confirmed, revoked := all[0], all[1]
	confirmed.ReportType = keys.Some(keys.ReportConfirmedTest)
	revoked.ReportType = keys.Some(keys.ReportRevoked)
	second := writeArchive(t, dir, "second.zip", nil, []keys.TemporaryExposureKey{confirmed, revoked})

	site := filepath.Join(dir, "run")
	out := distribute(t, exitDone, "-dir", site, first, "-now", "2026-03-10T13:00:00Z")
	wantMatch(t, out, `(?m)^partner +3 +3 +0 +0 +0 +0 `)
	wantMatch(t, out, `(?m)^EUR +hour +\d+ +\d+ +3 +0 `)
	out = distribute(t, exitDone, "-dir", site, second, "-now", "2026-03-11T13:00:00Z")
	wantMatch(t, out, `(?m)^partner +1 +0 +1 +0 +0 +1 `)
	wantMatch(t, out, `(?m)^EUR +hour +\d+ +\d+ +0 +2 `)
	wantMatch(t, out, `(?m)^verified: `)
}

// TestLargeArchive takes in an archive of more keys than one delivery has.
func TestLargeArchive(t *testing.T) {
	dir := t.TempDir()
	const n = 2*maxDelivery + 1
	path := writeArchive(t, dir, "large.zip", exposureKeys(n), nil)
	out := distribute(t, exitDone, "-dir", filepath.Join(dir, "run"), path, "-now", "2026-03-10T13:00:00Z")
	wantMatch(t, out, `(?m)^partner +10001 +10001 +0 +0 +0 `)
	wantMatch(t, out, `(?m)^cwa.EUR +10001 +0 +0 `)
}

// TestArchiveWithoutRegion needs to be told where the keys come from.
func TestArchiveWithoutRegion(t *testing.T) {
	dir := t.TempDir()
	path := writeArchive(t, dir, "archive.zip", exposureKeys(1), nil)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	nowhere := filepath.Join(dir, "nowhere.zip")
	if err := os.WriteFile(nowhere, withoutRegion(t, text), 0o600); err != nil {
		t.Fatal(err)
	}
	out := distribute(t, exitDone, "-dir", filepath.Join(dir, "run"), nowhere, "-now", "2026-03-10T13:00:00Z")
	wantLine(t, out, "nowhere.zip: region: the archive names none, and input.archiveOrigin is not set")
	out = distribute(t, exitDone, "-dir", filepath.Join(dir, "run"), nowhere, "-set", "input.archiveOrigin=IT", "-now", "2026-03-10T13:00:00Z")
	wantMatch(t, out, `(?m)^partner +1 +1 `)
}

// withoutRegion returns an archive whose export.bin names no region: field 3, of
// two bytes, becomes the unknown field 15.
func withoutRegion(t *testing.T, archive []byte) []byte {
	t.Helper()
	in, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range in.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		w, err := z.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(bytes.Replace(content, []byte("\x1a\x02FR"), []byte("\x7a\x02FR"), 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
