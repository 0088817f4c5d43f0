package export_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
)

// The tests in this file hold this package against other people's programs and
// other people's archives.

func TestTwoKeysVector(t *testing.T) {
	archive, pem := vector(t, "two-keys.zip"), vector(t, "two-keys.public.pem")
	public, err := signing.ParsePublicKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := signing.NewTrustList(signing.PublicKey{Identity: signing.Identity{KeyID: "some_id", KeyVersion: "1"}, Key: public})
	if err != nil {
		t.Fatal(err)
	}
	a := mustOpen(t, archive, nil)
	const sum = "38edb6fc758d9ba014eb66226a9ee580201de3a985dca5467234c5f41099ad3f"
	if got := a.Info().SHA256; hex.EncodeToString(got[:]) != sum {
		t.Errorf("got SHA-256 %x, want %s", got, sum)
	}
	v, err := a.Verify(trusted, &export.Expectation{Region: "US"})
	if err != nil {
		t.Fatal(err)
	}
	if len(v.SignedBy) != 1 || len(v.Remarks) > 0 {
		t.Errorf("signed by %v, remarks %v", v.SignedBy, v.Remarks)
	}
	if der := a.Signatures()[0].DER; len(der) != 72 {
		t.Errorf("got a signature of %d bytes, want 72", len(der))
	}
	got, errs := collect(v.Keys())
	want := []keys.TemporaryExposureKey{
		{KeyData: keys.KeyData(unhex(t, "172fc480e598490c34177604339b1543")), RollingStartIntervalNumber: 2649980, RollingPeriod: 1, TransmissionRiskLevel: keys.Some(keys.TransmissionRiskLevel(8))},
		{KeyData: keys.KeyData(unhex(t, "2b63053ac483238de176169e861f3dcd")), RollingStartIntervalNumber: 2649866, RollingPeriod: 114, TransmissionRiskLevel: keys.Some(keys.TransmissionRiskLevel(1))},
	}
	if !slices.Equal(got, want) || len(errs) > 0 {
		t.Errorf("got %d keys, %v, want the two of the vector", len(got), errs)
	}
	opensslVerifies(t, archive, pem)
}

func TestSampleVector(t *testing.T) {
	a := mustOpen(t, vector(t, "sample-140-keys.zip"), nil)
	if info := a.Info(); info.Keys != 140 || info.RevisedKeys != 0 {
		t.Errorf("got %d keys and %d revised ones, want 140", info.Keys, info.RevisedKeys)
	}
	got, errs := collect(a.Unverified().Keys())
	if len(got) != 140 || len(errs) > 0 {
		t.Errorf("got %d keys, %v, want 140", len(got), errs)
	}
	for i, k := range got {
		if k.RollingPeriod != 144 {
			t.Errorf("key %d: got a period of %d, want the default of 144", i, k.RollingPeriod)
		}
	}
	if remarks := a.Remarks(); len(remarks) > 0 {
		t.Errorf("got remarks %v", remarks)
	}
}

func TestImmuniVector(t *testing.T) {
	bin := vector(t, "immuni-production.export.bin")
	a, err := export.OpenBin(bytes.NewReader(bin), int64(len(bin)), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, errs := collect(a.Unverified().Keys())
	if len(got) != 3 || len(errs) > 0 {
		t.Errorf("got %d keys, %v, want 3", len(got), errs)
	}
	h := a.Header()
	if h.Region != "222" || len(h.SignatureInfos) != 1 || h.SignatureInfos[0].AppBundleID != "it.ministerodellasalute.immuni" {
		t.Errorf("got %+v", h)
	}
}

// hexVector is the archive of two keys as the format's description has it, for
// where the folder of vectors is not.
func TestTwoKeysHex(t *testing.T) {
	bin := unhex(t, "454b204578706f72742076312020202009f0e8c75e0000000011703ac95e000000001a0255532001280132211a01312207736f6d655f69642a13312e322e3834302e31303034352e342e332e323a1b0a10172fc480e598490c34177604339b1543100818fcdea10120013a1b0a102b63053ac483238de176169e861f3dcd1001188adea1012072")
	sig := unhex(t, "0a710a211a01312207736f6d655f69642a13312e322e3834302e31303034352e342e332e3210011801224830460221009eb6e9d5ad6a688fa970b0e67c0886345eefdd1819592edd84604a1ccf4d0247022100906d7fcdf211c710f84a2a7917000573bef0ef27a4974129de2876ac6819f66a")
	pem := []byte("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEml59itec9qzwVojreLXdPNRsUWzf\nYHc1cKvIIi6/H56AJS/kZEYQnfDpxrgyGhdAm+pNN2GAJ3XdnQZ1Sk4amg==\n-----END PUBLIC KEY-----\n")
	public, err := signing.ParsePublicKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := signing.NewTrustList(signing.PublicKey{Identity: signing.Identity{KeyID: "some_id", KeyVersion: "1"}, Key: public})
	if err != nil {
		t.Fatal(err)
	}
	archive := repack(t, "export.sig", sig, "export.bin", bin)
	if _, err := mustOpen(t, archive, nil).Verify(trusted, nil); err != nil {
		t.Error(err)
	}
	opensslVerifies(t, archive, pem)
}

func publicPEM(t *testing.T, s *signing.Signer) []byte {
	t.Helper()
	text, err := signing.MarshalKeyFile(signing.Registration{PublicKey: s.PublicKey()})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func opensslVerifies(t *testing.T, archive, pem []byte) {
	t.Helper()
	a := mustOpen(t, archive, nil)
	out := run(t, entry(t, archive, "export.bin"), "openssl", "dgst", "-sha256",
		"-verify", writeFile(t, "key.pem", pem), "-signature", writeFile(t, "sig.der", a.Signatures()[0].DER))
	if !strings.Contains(string(out), "Verified OK") {
		t.Errorf("openssl says %q", out)
	}
}

func TestOpenSSLVerifiesOurs(t *testing.T) {
	signers := oneSigner(t)
	opensslVerifies(t, mustWrite(t, content(100), signers, nil), publicPEM(t, signers[0]))
}

func TestUnzipReadsOurs(t *testing.T) {
	archive := mustWrite(t, content(1000), oneSigner(t), nil)
	path := writeFile(t, "ours.zip", archive)
	for _, name := range []string{"export.bin", "export.sig"} {
		if got := run(t, nil, "unzip", "-p", path, name); !bytes.Equal(got, entry(t, archive, name)) {
			t.Errorf("unzip gives another %s", name)
		}
	}
	if out := run(t, nil, "unzip", "-t", path); !strings.Contains(string(out), "No errors") {
		t.Errorf("unzip says %q", out)
	}
}

func TestPythonReadsOurs(t *testing.T) {
	const script = `
import hashlib, sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
assert z.namelist() == ["export.bin", "export.sig"], z.namelist()
assert {i.date_time for i in z.infolist()} == {(1980, 1, 1, 0, 0, 0)}, z.infolist()
print(hashlib.sha256(z.read("export.bin")).hexdigest())
`
	archive := mustWrite(t, content(1000), oneSigner(t), nil)
	got := run(t, nil, "python3", "-c", script, writeFile(t, "ours.zip", archive))
	if want := fmt.Sprintf("%x\n", sha256.Sum256(entry(t, archive, "export.bin"))); string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// protocDecodes returns what protoc makes of a message.
func protocDecodes(t *testing.T, message string, data []byte) string {
	t.Helper()
	folder, err := filepath.Abs("../internal/exportpb")
	if err != nil {
		t.Fatal(err)
	}
	return string(run(t, data, "protoc", "--proto_path="+folder, "--decode=gaen.export."+message, "export.proto"))
}

func TestProtocDecodesOurs(t *testing.T) {
	c := sorted(content(50))
	archive := mustWrite(t, c, oneSigner(t), nil)
	text := protocDecodes(t, "TemporaryExposureKeyExport", entry(t, archive, "export.bin")[16:])
	for what, want := range map[string]string{
		"start":       fmt.Sprintf("start_timestamp: %d\n", c.Start.Unix()),
		"end":         fmt.Sprintf("end_timestamp: %d\n", c.End.Unix()),
		"region":      "region: \"DE\"\n",
		"batch":       "batch_num: 1\nbatch_size: 1\n",
		"key version": "verification_key_version: \"v1\"\n",
		"key id":      "verification_key_id: \"262\"\n",
		"algorithm":   "signature_algorithm: \"1.2.840.10045.4.3.2\"\n",
	} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%s: %q is there %d times, want once", what, want, strings.Count(text, want))
		}
	}
	if n, m := strings.Count(text, "\nkeys {"), strings.Count(text, "\nrevised_keys {"); n != len(c.Keys) || m != len(c.RevisedKeys) {
		t.Errorf("got %d keys and %d revised ones, want %d and %d", n, m, len(c.Keys), len(c.RevisedKeys))
	}
	for _, k := range slices.Concat(c.Keys, c.RevisedKeys) {
		if want := fmt.Sprintf("rolling_start_interval_number: %d\n", k.RollingStartIntervalNumber); !strings.Contains(text, want) {
			t.Errorf("no key with %s", want)
		}
		if onset, ok := k.DaysSinceOnsetOfSymptoms.Get(); ok && !strings.Contains(text, fmt.Sprintf("days_since_onset_of_symptoms: %d\n", onset)) {
			t.Errorf("no key with an onset of %d", onset)
		}
	}
	if unknown := regexp.MustCompile(`(?m)^ *[0-9]+[:{ ]`).FindString(text); unknown != "" {
		t.Errorf("protoc does not know the field %q", unknown)
	}
	sig := protocDecodes(t, "TEKSignatureList", entry(t, archive, "export.sig"))
	for _, want := range []string{"signatures {", "batch_num: 1\n", "batch_size: 1\n", "signature: \"0"} {
		if strings.Count(sig, want) != 1 {
			t.Errorf("export.sig: %q is there %d times, want once", want, strings.Count(sig, want))
		}
	}
}

// What other zip programs pack, we read: stored, deflated, with folders' times,
// extra fields and comments.
func TestWeReadWhatZipPacks(t *testing.T) {
	c := sorted(content(500))
	archive := mustWrite(t, c, oneSigner(t), nil)
	const script = `
import sys, zipfile
method = {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED}[sys.argv[2]]
with zipfile.ZipFile(sys.argv[1], "w", method) as z:
    z.comment = b"packed elsewhere"
    z.write(sys.argv[3] + "/export.sig", "export.sig")
    z.write(sys.argv[3] + "/export.bin", "export.bin")
`
	folder := t.TempDir()
	for _, name := range []string{"export.bin", "export.sig"} {
		if err := os.WriteFile(folder+"/"+name, entry(t, archive, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, method := range []string{"stored", "deflated"} {
		path := t.TempDir() + "/packed.zip"
		run(t, nil, "python3", "-c", script, path, method, folder)
		packed, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := mustOpen(t, packed, nil).Unverified().Content(); err != nil || !sameContent(got, c) {
			t.Errorf("%s: other content comes out, %v", method, err)
		}
	}
}

// An entry that is compressed in another way is not one that phones can read.
func TestUnknownCompression(t *testing.T) {
	archive := mustWrite(t, content(5), oneSigner(t), nil)
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	for _, name := range []string{"export.bin", "export.sig"} {
		w, err := zw.CreateRaw(&zip.FileHeader{Name: name, Method: 12, CompressedSize64: 4, UncompressedSize64: 4})
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte("BZh9"))
	}
	zw.Close()
	if _, err := export.Read(&out, nil); kindOf(err) != export.KindDamaged {
		t.Errorf("got %v, want %v", err, export.KindDamaged)
	}
	// And an encrypted one.
	encrypted := bytes.Clone(archive)
	encrypted[bytes.Index(encrypted, []byte("PK\x01\x02"))+8] |= 1
	if _, err := export.Read(bytes.NewReader(encrypted), nil); kindOf(err) != export.KindDamaged || !strings.Contains(err.Error(), "encrypted") {
		t.Errorf("got %v, want %v for being encrypted", err, export.KindDamaged)
	}
}
