package export_test

import (
	"archive/zip"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing"
)

var (
	start = time.Date(2021, 6, 2, 2, 0, 0, 0, time.UTC)
	end   = start.Add(time.Hour)
)

// newSigner returns a signer with a key that everybody knows, that of RFC 6979,
// A.2.5, with one byte of it replaced.
func newSigner(t testing.TB, id string, last byte, notBefore time.Time) *signing.Signer {
	t.Helper()
	scalar := unhex(t, "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")
	scalar[31] = last
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := signing.ParseIdentity(id)
	if err != nil {
		t.Fatal(err)
	}
	s, err := signing.NewSigner(identity, key, &signing.Options{Validity: signing.Validity{NotBefore: notBefore}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func oneSigner(t testing.TB) []*signing.Signer {
	t.Helper()
	return []*signing.Signer{newSigner(t, "262-v1", 0x21, time.Time{})}
}

func trust(t testing.TB, signers ...*signing.Signer) *signing.TrustList {
	t.Helper()
	var public []signing.PublicKey
	for _, s := range signers {
		public = append(public, s.PublicKey())
	}
	list, err := signing.NewTrustList(public...)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// production returns n keys as uploads have them.
func production(seed uint64, n int) []keys.TemporaryExposureKey {
	all := make([]keys.TemporaryExposureKey, 0, n)
	for _, k := range keystest.New(seed, nil).Keys(start.Add(-24*time.Hour), n)[:n] {
		all = append(all, k.TemporaryExposureKey)
	}
	return all
}

// randomKey returns a key with any of the values that an archive may have.
func randomKey(r *rand.Rand) keys.TemporaryExposureKey {
	k := keys.TemporaryExposureKey{
		RollingStartIntervalNumber: keys.Interval(r.Uint32() >> (1 + r.IntN(31))),
		RollingPeriod:              uint8(1 + r.IntN(keys.IntervalsPerDay)),
	}
	for i := range k.KeyData {
		k.KeyData[i] = byte(r.Uint32())
	}
	if r.IntN(2) == 0 {
		k.RollingPeriod = keys.IntervalsPerDay
	}
	if r.IntN(2) == 0 {
		k.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(r.IntN(int(keys.MaxTransmissionRiskLevel) + 1)))
	}
	if r.IntN(2) == 0 {
		k.ReportType = keys.Some(keys.ReportType(r.IntN(6)))
	}
	if r.IntN(2) == 0 {
		k.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(r.IntN(29) - 14))
	}
	if r.IntN(2) == 0 {
		k.VariantOfConcern = keys.Some(keys.VariantOfConcern(r.IntN(int(keys.MaxVariantOfConcern) + 1)))
	}
	return k
}

func randomContent(r *rand.Rand) *export.Content {
	c := &export.Content{
		Start:  time.Unix(r.Int64N(1<<33), 0).UTC(),
		Region: []string{"DE", "EUR", "GB-EAW", "222", "x"}[r.IntN(5)],
	}
	c.End = c.Start.Add(time.Duration(1+r.IntN(1_000_000)) * time.Second)
	for range r.IntN(50) {
		c.Keys = append(c.Keys, randomKey(r))
	}
	for range r.IntN(20) {
		k := randomKey(r)
		k.ReportType = keys.Some(keys.ReportRevoked)
		c.RevisedKeys = append(c.RevisedKeys, k)
	}
	return c
}

// content returns one with n keys, of which every fifth is revised.
func content(n int) *export.Content {
	all := production(1, n)
	return &export.Content{Start: start, End: end, Region: "DE", Keys: all[n/5:], RevisedKeys: all[:n/5]}
}

// mustWrite returns the archive with this content.
func mustWrite(t testing.TB, c *export.Content, signers []*signing.Signer, opts *export.WriteOptions) []byte {
	t.Helper()
	var out bytes.Buffer
	info, err := export.Write(&out, c, signers, opts)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size != int64(out.Len()) {
		t.Errorf("Write says that it wrote %d bytes, and wrote %d", info.Size, out.Len())
	}
	return out.Bytes()
}

func mustOpen(t testing.TB, archive []byte, opts *export.ReadOptions) *export.Archive {
	t.Helper()
	a, err := export.Open(bytes.NewReader(archive), int64(len(archive)), opts)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// entry returns an entry of an archive.
func entry(t testing.TB, archive []byte, name string) []byte {
	t.Helper()
	zr, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := zr.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// repack returns an archive with these entries, in pairs of name and content.
func repack(t testing.TB, pairs ...any) []byte {
	t.Helper()
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	for i := 0; i < len(pairs); i += 2 {
		w, err := zw.Create(pairs[i].(string))
		if err != nil {
			t.Fatal(err)
		}
		w.Write(pairs[i+1].([]byte))
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func kindOf(err error) export.Kind {
	if e, ok := errors.AsType[*export.Error](err); ok {
		return e.Kind
	}
	return ""
}

// vector returns a file that a real system made, from the folder beside the
// project's.
func vector(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../shared/vectors/" + name)
	if err != nil {
		t.Skipf("the folder of real systems' files is not here: %v", err)
	}
	return data
}

// run runs a program of somebody else's, if it is installed.
func run(t *testing.T, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed here: nothing checked with it", name)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, stderr.Bytes())
	}
	return out
}

func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := t.TempDir() + "/" + name
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
