package exporttest_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/export/exporttest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
)

var update = flag.Bool("update", false, "write the vectors again")

const origin = "go test ./export/exporttest -run TestVectors -update"

// text returns the text that goes with a vector.
func text(v *exporttest.Vector) string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	kind := func(k export.Kind) string {
		if k == "" {
			return "ok"
		}
		return string(k)
	}
	line("about", v.About)
	line("origin", origin)
	if v.Limit > 0 {
		line("limit", fmt.Sprint(v.Limit))
	}
	line("open", kind(v.Open))
	if v.Open == "" {
		line("verify", kind(v.Verify))
		line("signed-by", strings.Join(v.SignedBy, " "))
		line("bin-sha256", v.BinSHA256)
		line("keys", fmt.Sprint(v.Keys))
		line("revised-keys", fmt.Sprint(v.RevisedKeys))
		line("rejected", strings.Join(v.Rejected, " "))
	}
	line("findings", strings.Join(v.Findings, " "))
	return b.String()
}

// files returns all files of the folder of vectors, made anew.
func files(t *testing.T) map[string][]byte {
	all := map[string][]byte{"trusted.txt": trustedFile(t)}
	for _, c := range corpus(t) {
		if _, again := all[c.Name+".zip"]; again {
			t.Fatalf("two vectors are named %s", c.Name)
		}
		var bin []byte
		if c.write != nil {
			c.Archive = c.write(t)
			bin = unzip(t, c.Archive)["export.bin"]
		} else {
			a := base()
			if c.change != nil {
				c.change(a)
			}
			c.Archive, bin = a.build(t)
			if changed, ok := a.contents["export.bin"]; ok {
				bin = changed
			}
		}
		sum := sha256.Sum256(bin)
		c.BinSHA256 = hex.EncodeToString(sum[:])
		all[c.Name+".zip"] = c.Archive
		all[c.Name+".txt"] = []byte(text(&c.Vector))
	}
	return all
}

func trustedFile(t *testing.T) []byte {
	may := time.Date(2021, 5, 1, 0, 0, 0, 0, time.UTC)
	june := time.Date(2021, 6, 1, 0, 0, 0, 0, time.UTC)
	public := func(version string, k *signing.PublicKey) signing.Registration {
		k.Identity = signing.Identity{KeyID: "262", KeyVersion: version}
		return signing.Registration{PublicKey: *k}
	}
	file, err := signing.MarshalKeyFile(
		public("v1", &signing.PublicKey{Key: &testKey.PublicKey}),
		public("v2", &signing.PublicKey{Key: &otherKey.PublicKey, Validity: signing.Validity{NotBefore: june}}),
		public("v0", &signing.PublicKey{Key: &testKey.PublicKey, Validity: signing.Validity{NotAfter: may}}),
	)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func unzip(t *testing.T, file []byte) map[string][]byte {
	t.Helper()
	contents, err := tryUnzip(file)
	if err != nil {
		t.Fatal(err)
	}
	return contents
}

func tryUnzip(file []byte) (map[string][]byte, error) {
	zr, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	contents := make(map[string][]byte)
	for i, f := range zr.File {
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		if contents[fmt.Sprintf("%d %s", i, f.Name)], err = io.ReadAll(r); err != nil {
			return nil, err
		}
		contents[f.Name] = contents[fmt.Sprintf("%d %s", i, f.Name)]
	}
	return contents, nil
}

// same reports whether two files are the same, or zip files with the same in
// them: what a compressor makes of it may change with the version of Go.
func same(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	inA, errA := tryUnzip(a)
	inB, errB := tryUnzip(b)
	return errA == nil && errB == nil && maps.EqualFunc(inA, inB, bytes.Equal)
}

// TestVectorsAreCurrent holds the files against what makes them. With -update it
// writes those that differ, and removes those that nothing makes.
func TestVectorsAreCurrent(t *testing.T) {
	const folder = "vectors"
	want := files(t)
	if !maps.EqualFunc(want, files(t), bytes.Equal) {
		t.Fatal("the vectors are others each time they are made")
	}
	have, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range have {
		if _, ok := want[f.Name()]; ok {
			continue
		}
		if !*update {
			t.Errorf("%s is none of the vectors", f.Name())
		} else if err := os.Remove(folder + "/" + f.Name()); err != nil {
			t.Error(err)
		}
	}
	for name, content := range want {
		got, err := os.ReadFile(folder + "/" + name)
		switch {
		case err == nil && same(got, content):
		case *update:
			if err := os.WriteFile(folder+"/"+name, content, 0o644); err != nil {
				t.Error(err)
			}
		case err != nil:
			t.Error(err)
		default:
			t.Errorf("%s is not what -update would write", name)
		}
	}
}

// TestVectors reads every vector and compares what comes out with its text.
func TestVectors(t *testing.T) {
	if *update {
		t.Skip("the vectors embedded here are those before the update")
	}
	vectors, trusted, err := exporttest.All()
	if err != nil {
		t.Fatal(err)
	}
	if trusted.Len() != 3 {
		t.Errorf("got %d trusted keys, want 3", trusted.Len())
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			opts := export.ReadOptions{Limits: export.Limits{Bin: v.Limit}}
			got := v
			read(t, &got, &opts, trusted)
			findings := exporttest.Check(v.Archive, &exporttest.CheckOptions{ReadOptions: opts, Trusted: trusted})
			got.Findings = names(findings)
			slices.Sort(v.Findings)
			if g, w := text(&got), text(&v); g != w {
				t.Errorf("%s\ngot\n%s\nwant\n%s\nfindings: %v", v.About, g, w, findings)
			}
		})
	}
}

func names(findings []exporttest.Finding) (all []string) {
	for _, f := range findings {
		all = append(all, f.Name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// read sets in v what package export makes of its archive.
func read(t *testing.T, v *exporttest.Vector, opts *export.ReadOptions, trusted *signing.TrustList) {
	v.Open, v.Verify, v.SignedBy, v.Keys, v.RevisedKeys, v.Rejected = "", "", nil, 0, 0, nil
	a, err := export.Open(bytes.NewReader(v.Archive), int64(len(v.Archive)), opts)
	if err != nil {
		v.Open = kindOf(t, err)
		return
	}
	sum := a.Info().SHA256
	v.BinSHA256 = hex.EncodeToString(sum[:])
	verified, err := a.Verify(trusted, nil)
	if err != nil {
		v.Verify = kindOf(t, err)
		if verified != nil {
			t.Error("keys are handed out of an archive that does not verify")
		}
	} else {
		for _, id := range verified.SignedBy {
			v.SignedBy = append(v.SignedBy, id.String())
		}
	}
	p := a.Unverified()
	for k, err := range p.Keys() {
		count(t, v, &v.Keys, &k, err)
	}
	for k, err := range p.RevisedKeys() {
		count(t, v, &v.RevisedKeys, &k, err)
	}
	if info := a.Info(); info.Keys+info.RevisedKeys != v.Keys+v.RevisedKeys+len(v.Rejected) {
		t.Errorf("the info counts %d and %d keys", info.Keys, info.RevisedKeys)
	}
}

func count(t *testing.T, v *exporttest.Vector, n *int, k *keys.TemporaryExposureKey, err error) {
	if err == nil {
		*n++
		return
	}
	e, ok := errors.AsType[*export.Error](err)
	r, isRejection := errors.AsType[*keys.Rejection](err)
	if !ok || !isRejection || e.Kind != export.KindKey || *k != (keys.TemporaryExposureKey{}) {
		t.Errorf("got %v, want a rejection of one key and no key", err)
		return
	}
	v.Rejected = append(v.Rejected, fmt.Sprintf("%s/%s/%s", e.Subject, r.Field, r.Reason))
}

func kindOf(t *testing.T, err error) export.Kind {
	t.Helper()
	e, ok := errors.AsType[*export.Error](err)
	if !ok || !errors.Is(err, e.Kind) {
		t.Errorf("got %v, want an *export.Error of its kind", err)
		return ""
	}
	return e.Kind
}

func TestReadVectorsRefuses(t *testing.T) {
	const good = "about: x\norigin: x\nopen: not-zip\n"
	trusted := trustedFile(t)
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"good", map[string]string{"a.zip": "", "a.txt": good}, ""},
		{"empty corpus", nil, "no vectors"},
		{"archive without text", map[string]string{"a.zip": "", "a.txt": good, "b.zip": ""}, "b.txt"},
		{"text without archive", map[string]string{"a.zip": "", "a.txt": good, "b.txt": good}, "2 texts for 1"},
		{"another file", map[string]string{"a.zip": "", "a.txt": good, "b.bin": ""}, "b.bin"},
		{"unknown field", map[string]string{"a.zip": "", "a.txt": good + "colour: red\n"}, "colour"},
		{"field twice", map[string]string{"a.zip": "", "a.txt": good + "about: y\n"}, "second"},
		{"no form", map[string]string{"a.zip": "", "a.txt": good + "\n"}, "name: value"},
		{"no open", map[string]string{"a.zip": "", "a.txt": "about: x\norigin: x\n"}, "open"},
		{"opens and says no more", map[string]string{"a.zip": "", "a.txt": "about: x\norigin: x\nopen: ok\n"}, "verify"},
		{"unknown kind", map[string]string{"a.zip": "", "a.txt": "about: x\norigin: x\nopen: broken\n"}, "broken"},
		{"no number", map[string]string{"a.zip": "", "a.txt": good + "keys: many\n"}, "keys"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fsys := fstest.MapFS{"v/trusted.txt": {Data: trusted}}
			for name, content := range tt.files {
				fsys["v/"+name] = &fstest.MapFile{Data: []byte(content)}
			}
			all, _, err := exporttest.ReadVectors(fsys, "v")
			if tt.want == "" {
				if err != nil || len(all) != 1 {
					t.Errorf("got %d vectors, %v, want 1", len(all), err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
	if _, _, err := exporttest.ReadVectors(fstest.MapFS{"v/a.zip": {}, "v/a.txt": {Data: []byte(good)}}, "v"); err == nil {
		t.Error("vectors without trusted keys are read")
	}
}
