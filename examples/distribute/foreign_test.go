package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/export"
)

// The archive of a day of a published tree, read by programs that know nothing
// of this project.
const dayObject = "version/v1/diagnosis-keys/country/EUR/date/2026-03-09/index"

// TestForeignReaders takes an archive apart with unzip, protoc and openssl.
func TestForeignReaders(t *testing.T) {
	dir := published(t)
	archive := filepath.Join(dir, "www", filepath.FromSlash(dayObject))
	bin := tool(t, nil, "unzip", "-p", archive, "export.bin")
	sig := tool(t, nil, "unzip", "-p", archive, "export.sig")
	if got, want := string(bin[:min(16, len(bin))]), "EK Export v1    "; got != want {
		t.Fatalf("export.bin begins with %q, want %q", got, want)
	}
	keys := countOurs(t, archive)
	t.Run("protoc", func(t *testing.T) { checkMessage(t, bin[16:], keys) })
	t.Run("openssl", func(t *testing.T) { checkSignature(t, dir, bin, sig) })
}

// tool runs a program and returns what it prints. It skips the test, saying so,
// where the program is not installed.
func tool(t *testing.T, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, errs.String())
	}
	return out
}

// countOurs returns the number of keys as this project reads them.
func countOurs(t *testing.T, path string) int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, err := export.Read(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a.Info().Keys
}

// checkMessage reads the message in export.bin without its description: field 3
// is the region, each field 7 a key.
func checkMessage(t *testing.T, message []byte, keys int) {
	text := string(tool(t, message, "protoc", "--decode_raw"))
	if !strings.Contains(text, "\n3: \"EUR\"\n") {
		t.Errorf("no region EUR in\n%.300s", text)
	}
	if got := len(regexp.MustCompile(`(?m)^7 \{$`).FindAllString(text, -1)); got != keys || keys == 0 {
		t.Errorf("protoc finds %d keys, we %d", got, keys)
	}
}

// checkSignature verifies the signature with the key file of the run, which
// openssl reads as it is. The signature is the last field of the only entry of
// export.sig: tag 0x22, its length, and the DER to the end.
func checkSignature(t *testing.T, dir string, bin, sig []byte) {
	field := regexp.MustCompile(`(?s)\x22([\x40-\x48])(\x30.*)$`).FindSubmatch(sig)
	if field == nil || len(field[2]) != int(field[1][0]) {
		t.Fatalf("no DER signature at the end of export.sig: %x", sig)
	}
	scratch := t.TempDir()
	binPath, sigPath := filepath.Join(scratch, "export.bin"), filepath.Join(scratch, "signature.der")
	for path, content := range map[string][]byte{binPath: bin, sigPath: field[2]} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	public := filepath.Join(dir, "keys", "public.txt")
	out := tool(t, nil, "openssl", "dgst", "-sha256", "-verify", public, "-signature", sigPath, binPath)
	if strings.TrimSpace(string(out)) != "Verified OK" {
		t.Errorf("openssl says %q", out)
	}
}
