package threats

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// A verdict is what becomes of what is tried.
type verdict string

const (
	prevented verdict = "prevented"
	detected  verdict = "detected"
	accepted  verdict = "accepted"
)

// A row is one of THREATS.md.
type row struct {
	id, tried string
	verdict   verdict
	how       string
	tests     []test
}

// A test is named by its function and the file that it is in.
type test struct{ name, file string }

// actors are who tries it, by the letter with which the ids of their rows begin.
var actors = map[string]string{
	"P": "Phone", "N": "Nation", "H": "Hub", "C": "CDN and network",
	"B": "Bucket", "T": "Token", "X": "Certificate and key", "O": "Operator",
}

var (
	rowForm  = regexp.MustCompile(`(?m)^\| ([A-Z]\d+) \| ([^|]+) \| (\w+) \| ([^|]+) \|([^|]+)\|$`)
	testForm = regexp.MustCompile("((?:`Test\\w+`,? )+)in `([^`]+_test\\.go)`")
)

// document returns the sections of THREATS.md by their titles.
func document(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "THREATS.md"))
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, s := range strings.Split(string(text), "\n## ")[1:] {
		title, rest, _ := strings.Cut(s, "\n")
		sections[title] = rest
	}
	return sections
}

// rows returns the rows of THREATS.md in their order within each section.
func rows(t *testing.T) (all []row) {
	t.Helper()
	for _, section := range document(t) {
		for _, m := range rowForm.FindAllStringSubmatch(section, -1) {
			r := row{id: m[1], tried: m[2], verdict: verdict(m[3]), how: m[4]}
			for _, named := range testForm.FindAllStringSubmatch(m[5], -1) {
				for _, name := range regexp.MustCompile(`Test\w+`).FindAllString(named[1], -1) {
					r.tests = append(r.tests, test{name, named[2]})
				}
			}
			all = append(all, r)
		}
	}
	return all
}

// TestTable holds the form of the table: a section for each actor, ids that are
// those of its section and unique, no line of a table that is no row.
func TestTable(t *testing.T) {
	sections := document(t)
	seen := map[string]bool{}
	for letter, actor := range actors {
		section, ok := sections[actor]
		if !ok {
			t.Errorf("there is no section %q", actor)
			continue
		}
		found := rowForm.FindAllStringSubmatch(section, -1)
		if lines := strings.Count(section, "\n|") - 2; lines != len(found) {
			t.Errorf("%s: %d lines of the table, and %d rows", actor, lines, len(found))
		}
		for _, m := range found {
			if !strings.HasPrefix(m[1], letter) || seen[m[1]] {
				t.Errorf("%s: row %s is of another section, or there twice", actor, m[1])
			}
			seen[m[1]] = true
		}
	}
	if len(seen) < 45 {
		t.Errorf("found %d rows, want all of them", len(seen))
	}
}

// TestRows: what is prevented or detected names tests that are there, what is
// accepted says what can be done about it.
func TestRows(t *testing.T) {
	for _, r := range rows(t) {
		_, remedy, _ := strings.Cut(r.how, "Remedy: ")
		switch r.verdict {
		case prevented, detected:
			if len(r.tests) == 0 {
				t.Errorf("%s is %s, and no test says so", r.id, r.verdict)
			}
		case accepted:
			if len(remedy) < 20 {
				t.Errorf("%s is accepted, without a remedy", r.id)
			}
		default:
			t.Errorf("%s: verdict %q", r.id, r.verdict)
		}
		for _, named := range r.tests {
			text, err := os.ReadFile(filepath.Join(root, named.file))
			if err != nil {
				t.Errorf("%s: %v", r.id, err)
			} else if !strings.Contains(string(text), "\nfunc "+named.name+"(t *testing.T)") {
				t.Errorf("%s: %s has no %s", r.id, named.file, named.name)
			}
		}
	}
}

// TestRowsHaveProtections: each test that a row names is one that fails when a
// protection of the table is taken away, and each protection is of such a row.
func TestRowsHaveProtections(t *testing.T) {
	all := rows(t)
	for _, r := range all {
		for _, named := range r.tests {
			if !slices.ContainsFunc(protections(), func(p protection) bool { return p.row == r.id && p.shownBy(named) }) {
				t.Errorf("%s: there is no protection without which %s fails", r.id, named.name)
			}
		}
	}
	for _, p := range protections() {
		i := slices.IndexFunc(all, func(r row) bool { return r.id == p.row })
		if i < 0 {
			t.Errorf("protection of %s, which is no row", p.row)
		} else if !slices.ContainsFunc(all[i].tests, p.shownBy) {
			t.Errorf("%s does not name %s of %s, which a protection says shows it", p.row, p.test, p.pkg)
		}
	}
}

// TestProtectionsAreThere: what would be taken away is in its file, once.
func TestProtectionsAreThere(t *testing.T) {
	for _, p := range protections() {
		if _, err := p.without(); err != nil {
			t.Error(err)
		}
	}
}

// shownBy reports whether a test is that which fails without p.
func (p *protection) shownBy(named test) bool {
	function, _, _ := strings.Cut(p.test, "/")
	return function == named.name && p.pkg == path.Dir(named.file)
}
