package readme_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/examples/internal/nation"
	"github.com/gaenkit/gaen/examples/internal/partner"
)

const guide = "../../OPERATIONS.md"

// TestGuideNamesMetrics: an alarm for a metric that nobody shows would never be heard.
func TestGuideNamesMetrics(t *testing.T) {
	shown := sources(t, "..")
	names := named(t, `\b(?:gaen|federation)_[a-z_]+`)
	if len(names) < 10 {
		t.Errorf("found %v", names)
	}
	for _, name := range names {
		if !strings.Contains(shown, `"`+name+`"`) {
			t.Errorf("%s names the metric %s, which no program has", guide, name)
		}
	}
}

// TestGuideNamesFields: what the guide says of the configuration is in it, under the
// names of the file or of an instance.
func TestGuideNamesFields(t *testing.T) {
	fields := map[string]bool{}
	addFields(fields, reflect.TypeFor[nation.Config](), "")
	addFields(fields, reflect.TypeFor[partner.Instance](), "")
	quoted := named(t, "`[a-z]\\w*(?:\\.[a-z]\\w*)+`")
	found := 0
	for _, name := range quoted {
		name = strings.Trim(name, "`")
		if slices.Contains([]string{".pem", ".yaml", ".json", ".db"}, filepath.Ext(name)) {
			continue
		}
		found++
		if !fields[name] {
			t.Errorf("%s names %s, which is no field of the configuration", guide, name)
		}
	}
	if found < 12 {
		t.Errorf("found %d fields in %v", found, quoted)
	}
}

// named returns what matches in the guide, each once.
func named(t *testing.T, form string) []string {
	t.Helper()
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(form).FindAllString(string(text), -1)
	slices.Sort(all)
	return slices.Compact(all)
}

// sources returns the programs below a folder, without their tests.
func sources(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// addFields adds the names of a type's fields in JSON, with those of its fields below
// them.
func addFields(to map[string]bool, typ reflect.Type, prefix string) {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct {
		return
	}
	for f := range typ.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			addFields(to, f.Type, prefix)
		case f.IsExported() && name != "" && name != "-":
			to[prefix+name] = true
			addFields(to, f.Type, prefix+name+".")
		}
	}
}
