package exporttest

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/signing"
)

// Vectors has the files of all vectors, in the folder vectors.
//
//go:embed vectors
var Vectors embed.FS

const (
	vectorFolder = "vectors"
	trustedFile  = "trusted.txt"
)

// Vector is an archive and what a reader must make of it; see the package's
// documentation.
type Vector struct {
	Name    string // of the file, without its extension
	Archive []byte

	About  string
	Origin string
	Limit  int64 // 0: none

	Open        export.Kind // empty: opens
	Verify      export.Kind // empty: verifies
	SignedBy    []string
	BinSHA256   string
	Keys        int
	RevisedKeys int
	Rejected    []string
	Findings    []string
}

// All returns the vectors of this package and the keys to be trusted.
func All() ([]Vector, *signing.TrustList, error) { return ReadVectors(Vectors, vectorFolder) }

// ReadVectors returns the vectors in a folder, and the keys to be trusted. It
// fails if there is none, if an archive lacks its text or a text its archive,
// and if a text says anything that is not known here.
func ReadVectors(fsys fs.FS, folder string) ([]Vector, *signing.TrustList, error) {
	files, err := fs.ReadDir(fsys, folder)
	if err != nil {
		return nil, nil, fmt.Errorf("exporttest: %w", err)
	}
	trusted, err := readTrusted(fsys, path.Join(folder, trustedFile))
	if err != nil {
		return nil, nil, fmt.Errorf("exporttest: %w", err)
	}
	var all []Vector
	texts := 0
	for _, f := range files {
		switch ext := path.Ext(f.Name()); {
		case f.Name() == trustedFile:
		case ext == ".txt":
			texts++
		case ext == ".zip":
			v, err := readVector(fsys, folder, strings.TrimSuffix(f.Name(), ext))
			if err != nil {
				return nil, nil, fmt.Errorf("exporttest: vector %s: %w", f.Name(), err)
			}
			all = append(all, v)
		default:
			return nil, nil, fmt.Errorf("exporttest: %s is neither an archive nor a text", f.Name())
		}
	}
	if len(all) == 0 {
		return nil, nil, errors.New("exporttest: no vectors")
	}
	if texts != len(all) {
		return nil, nil, fmt.Errorf("exporttest: %d texts for %d archives", texts, len(all))
	}
	return all, trusted, nil
}

func readTrusted(fsys fs.FS, name string) (*signing.TrustList, error) {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	registrations, err := signing.ParseKeyFile(text)
	if err != nil {
		return nil, err
	}
	public := make([]signing.PublicKey, len(registrations))
	for i, r := range registrations {
		public[i] = r.PublicKey
	}
	return signing.NewTrustList(public...)
}

func readVector(fsys fs.FS, folder, name string) (Vector, error) {
	v := Vector{Name: name}
	var err error
	if v.Archive, err = fs.ReadFile(fsys, path.Join(folder, name+".zip")); err != nil {
		return v, err
	}
	text, err := fs.ReadFile(fsys, path.Join(folder, name+".txt"))
	if err != nil {
		return v, err
	}
	seen := make(map[string]bool)
	for line := range bytes.Lines(text) {
		field, value, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), ": ")
		if !ok {
			return v, fmt.Errorf("%q is not \"name: value\"", line)
		}
		if seen[field] {
			return v, fmt.Errorf("a second %q", field)
		}
		seen[field] = true
		if err := v.set(field, value); err != nil {
			return v, fmt.Errorf("%s: %w", field, err)
		}
	}
	return v, v.complete(seen)
}

func (v *Vector) set(field, value string) (err error) {
	switch field {
	case "about":
		v.About = value
	case "origin":
		v.Origin = value
	case "limit":
		v.Limit, err = strconv.ParseInt(value, 10, 64)
	case "open":
		v.Open, err = parseKind(value)
	case "verify":
		v.Verify, err = parseKind(value)
	case "signed-by":
		v.SignedBy = strings.Fields(value)
	case "bin-sha256":
		v.BinSHA256 = value
	case "keys":
		v.Keys, err = strconv.Atoi(value)
	case "revised-keys":
		v.RevisedKeys, err = strconv.Atoi(value)
	case "rejected":
		v.Rejected = strings.Fields(value)
	case "findings":
		v.Findings = strings.Fields(value)
	default:
		err = errors.New("unknown field")
	}
	return err
}

// complete reports whether the fields seen are all that there must be.
func (v *Vector) complete(seen map[string]bool) error {
	must := []string{"about", "origin", "open"}
	if v.Open == "" {
		must = append(must, "verify", "bin-sha256", "keys", "revised-keys")
	}
	for _, field := range must {
		if !seen[field] {
			return fmt.Errorf("no %q", field)
		}
	}
	return nil
}

func parseKind(s string) (export.Kind, error) {
	if s == "ok" {
		return "", nil
	}
	if _, known := kindSeverities[export.Kind(s)]; !known {
		return "", fmt.Errorf("%q is neither ok nor a kind of error", s)
	}
	return export.Kind(s), nil
}
