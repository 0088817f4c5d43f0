package internal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/gaenkit/gaen"

// may says which packages of ours a package may import: imports point one way
// (the longest entry that is the package or a folder above it holds). Suites and
// examples are not in it: a package's suite may import what the package may, and
// the package.
var may = map[string][]string{
	"":                            {},
	"keys":                        {},
	"keys/submission":             {"keys"},
	"signing":                     {},
	"signing/":                    {"signing"}, // the containers of signed messages
	"export":                      {"keys", "signing", "export/internal/inflate"},
	"export/internal/inflate":     {},
	"storage":                     {},
	"storage/memstore":            {"storage"},
	"storage/filestore":           {"storage"},
	"storage/s3store":             {"storage"},
	"storage/gcsstore":            {"storage"},
	"storage/ledger":              {"keys"},
	"storage/ledger/":             {"keys", "storage/ledger"}, // the stores of ledgers
	"storage/ledger/bucketledger": {"keys", "keys/submission", "storage", "storage/ledger", "storage/ledger/memledger"},
	"storage/ledger/submit":       {"keys", "keys/submission", "signing", "storage/ledger"},
	"distribution":                {"keys", "export", "signing", "storage", "storage/ledger"},
	"distribution/":               {"keys", "export", "signing", "storage", "storage/ledger", "distribution"}, // the layouts
	"federation":                  {"keys", "storage/ledger"},
	"federation/interop":          {"keys", "signing/jws", "storage/ledger", "federation", "federation/internal/jsontext", "federation/internal/remote", "federation/internal/service"},
	"federation/efgs":             {"keys", "signing/cms", "storage/ledger", "federation", "federation/internal/jsontext", "federation/internal/remote", "federation/internal/service"},

	"federation/internal/jsontext": {},
	"federation/internal/remote":   {"federation"},
	"federation/internal/service":  {"storage/ledger"},

	"keys/keystest":       {"keys"},
	"signing/signingtest": {"signing"},
	"export/exporttest":   {"keys", "signing", "export"},
	"storage/storagetest": {"storage", "storage/memstore"},
	"federation/federationtest": {"keys", "keys/keystest", "signing", "signing/jws", "storage/ledger", "storage/ledger/memledger", "storage/ledger/ledgertest", "federation",
		"internal/efgspb", "signing/cms"}, // whose suites and gateway of the European protocol are to share no code with federation/efgs; the container of its signatures they do, and hold it against openssl
	"storage/ledger/ledgertest": {"keys", "keys/keystest", "storage/ledger", "storage/ledger/memledger"},

	"internal/efgspb":    {},
	"internal/exportpb":  {},
	"internal/treetest":  {"internal/exportpb"},
	"internal/fastclock": {},
	"internal/killtest":  {},
	"internal/pbtest":    {},
	"internal/nginxtest": {},
	"internal/pgtest":    {},
	"internal/ringtest":  {},
	"internal/s3test":    {},
	"internal/threats":   {},
}

type listed struct {
	ImportPath string
	Imports    []string
}

func TestImportsPointOneWay(t *testing.T) {
	for _, p := range list(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if strings.HasPrefix(name, "examples/") {
			continue
		}
		allowed, ok := allowedTo(name)
		if !ok {
			t.Errorf("%s is not in the table of imports: add it, with a thought to the direction", name)
			continue
		}
		for _, imported := range p.Imports {
			ours, ok := strings.CutPrefix(imported, module+"/")
			if ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s, and may import only %v", name, ours, allowed)
			}
		}
	}
}

// allowedTo returns what a package may import: by its own entry, or by that of
// the folder it is in.
func allowedTo(name string) ([]string, bool) {
	if allowed, ok := may[name]; ok {
		return allowed, true
	}
	dir, _ := filepath.Split(name)
	allowed, ok := may[dir]
	return allowed, ok
}

// list returns the packages of the module, without their tests.
func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var packages []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if len(packages) == 0 {
		t.Fatal("go list found no packages")
	}
	return packages
}

// TestTopLevel keeps the root of the repository to what belongs there.
func TestTopLevel(t *testing.T) {
	belongs := []string{
		"keys", "federation", "export", "distribution", "storage", "signing", "examples", "internal",
		"go.mod", "go.sum", "doc.go", "README.md", "OPERATIONS.md", "THREATS.md", "LICENSE",
	}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !strings.HasPrefix(e.Name(), "gaen-") && !slices.Contains(belongs, e.Name()) {
			t.Errorf("%s does not belong at the top", e.Name())
		}
	}
}

// TestLibraryDoesNotLogOrExit: libraries take a logger, return errors, and leave
// the process alone.
func TestLibraryDoesNotLogOrExit(t *testing.T) {
	for _, p := range list(t) {
		if strings.Contains(p.ImportPath, "/examples/") {
			continue
		}
		for _, banned := range []string{"log", "flag"} {
			if slices.Contains(p.Imports, banned) && !strings.HasSuffix(p.ImportPath, "test") {
				t.Errorf("%s imports %s", p.ImportPath, banned)
			}
		}
	}
}
