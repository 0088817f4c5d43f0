package exporttest_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/export/exporttest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing"
)

// constants returns the values of all constants of a string type that a file of
// package export declares.
func constants(t *testing.T, file, typ string) (values []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || fmt.Sprint(spec.Type) != typ {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
		return true
	})
	if len(values) == 0 {
		t.Fatalf("%s declares no %s", file, typ)
	}
	return values
}

// Every error that reading and verifying can give, every remark and every field
// of a key is a finding.
func TestNamesAreComplete(t *testing.T) {
	writing := []string{"content", "options", "signer"}
	elsewhere := []string{"io", "changed", "malformed-key"}
	want := slices.Concat(constants(t, "../error.go", "Kind"), constants(t, "../remark.go", "RemarkName"),
		[]string{"unverified", "duplicate-key", "embargo",
			"key_data", "rolling_start_interval_number", "rolling_period", "transmission_risk_level",
			"report_type", "days_since_onset_of_symptoms", "variant_of_concern"})
	want = slices.DeleteFunc(want, func(name string) bool {
		return slices.Contains(writing, name) || slices.Contains(elsewhere, name) || name == "keys" // told field by field
	})
	slices.Sort(want)
	if got := exporttest.Names(); !slices.Equal(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
}

// Every finding is in a vector, or in a test below.
func TestEveryFindingIsFound(t *testing.T) {
	vectors, trusted, err := exporttest.All()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{"unverified": true, "unexpected": true, "size": true} // TestCheckOptions, TestCheckSize
	for _, v := range vectors {
		opts := &exporttest.CheckOptions{Trusted: trusted, ReadOptions: export.ReadOptions{Limits: export.Limits{Bin: v.Limit}}}
		for _, f := range exporttest.Check(v.Archive, opts) {
			found[f.Name] = true
			if f.Severity == "" || f.Detail == "" {
				t.Errorf("%s: got %+v, want a severity and a sentence", v.Name, f)
			}
		}
	}
	for _, name := range exporttest.Names() {
		if !found[name] {
			t.Errorf("no vector has the finding %q", name)
		}
	}
}

func vectorNamed(t *testing.T, name string) []byte {
	t.Helper()
	vectors, _, err := exporttest.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		if v.Name == name {
			return v.Archive
		}
	}
	t.Fatalf("no vector %q", name)
	return nil
}

func TestCheckOptions(t *testing.T) {
	_, trusted, err := exporttest.All()
	if err != nil {
		t.Fatal(err)
	}
	good := vectorNamed(t, "ours")
	tests := []struct {
		name string
		opts *exporttest.CheckOptions
		want []string
	}{
		{"nothing to trust", nil, []string{"odd: unverified"}},
		{"fine", &exporttest.CheckOptions{Trusted: trusted}, nil},
		{"as expected", &exporttest.CheckOptions{Trusted: trusted, Expect: &export.Expectation{Region: "DE"}}, nil},
		{"another", &exporttest.CheckOptions{Trusted: trusted, Expect: &export.Expectation{Region: "FR"}}, []string{"misread: unexpected"}},
		{"impossible options", &exporttest.CheckOptions{Trusted: trusted, ReadOptions: export.ReadOptions{Limits: export.Limits{Keys: -1}}}, []string{"refused: options"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range exporttest.Check(good, tt.opts) {
				got = append(got, string(f.Severity)+": "+f.Name)
				if !strings.HasPrefix(f.String(), string(f.Severity)+": "+f.Name+": ") {
					t.Errorf("prints as %q", f)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// The most severe comes first.
func TestCheckOrder(t *testing.T) {
	a := base()
	a.region = ""                               // odd
	a.keys = append(a.keys, full(4).with(4, 0)) // misread
	a.batch = []uint64{2, 2}                    // refused
	file, _ := a.build(t)
	var got []exporttest.Severity
	for _, f := range exporttest.Check(file, nil) {
		got = append(got, f.Severity)
	}
	if !slices.IsSortedFunc(got, func(a, b exporttest.Severity) int {
		order := []exporttest.Severity{exporttest.Refused, exporttest.Misread, exporttest.Odd}
		return slices.Index(order, a) - slices.Index(order, b)
	}) || len(slices.Compact(got)) != 3 {
		t.Errorf("got %v, want all three, the most severe first", got)
	}
}

// An archive larger than phones take is found, though it can be read.
func TestCheckSize(t *testing.T) {
	for size, want := range map[int]bool{15 << 20: false, 16 << 20: true} {
		a := base()
		a.after = fieldBytes(99, make([]byte, size))
		file, _ := a.build(t)
		if got := slices.Contains(names(exporttest.Check(file, nil)), "size"); got != want {
			t.Errorf("%d bytes are said to be too large: %t, want %t", len(file), got, want)
		}
	}
}

// No finding holds key data.
func TestFindingsDoNotQuoteKeys(t *testing.T) {
	vectors, trusted, err := exporttest.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		for _, f := range exporttest.Check(v.Archive, &exporttest.CheckOptions{Trusted: trusted}) {
			for n := range 20 {
				if form := keystest.Leak(f.String(), keys.KeyData(keyData(n))); form != "" {
					t.Errorf("%s: key %d as %s in %q", v.Name, n, form, f)
				}
			}
		}
	}
}

// A writer of ours makes archives in which nothing is to be found.
func TestOursHaveNoFindings(t *testing.T) {
	var all []keys.TemporaryExposureKey
	end := time.Date(2021, 6, 2, 3, 0, 0, 0, time.UTC)
	for _, k := range keystest.New(3, &keystest.Options{EndOfPeriod: true}).Keys(end.Add(-26*time.Hour), 2000) {
		all = append(all, k.TemporaryExposureKey)
	}
	var out bytes.Buffer
	c := &export.Content{Start: end.Add(-time.Hour), End: end, Region: "DE", Keys: all}
	s := testSigner(t, "262-v1", testKey, time.Time{})
	if _, err := export.Write(&out, c, []*signing.Signer{s}, nil); err != nil {
		t.Fatal(err)
	}
	_, trusted, err := exporttest.All()
	if err != nil {
		t.Fatal(err)
	}
	if findings := exporttest.Check(out.Bytes(), &exporttest.CheckOptions{Trusted: trusted}); len(findings) > 0 {
		t.Errorf("got %v", findings)
	}
}

// Check takes anything.
func FuzzCheck(f *testing.F) {
	vectors, trusted, err := exporttest.All()
	if err != nil {
		f.Fatal(err)
	}
	for _, v := range vectors {
		f.Add(v.Archive)
	}
	known := exporttest.Names()
	f.Fuzz(func(t *testing.T, data []byte) {
		opts := &exporttest.CheckOptions{Trusted: trusted}
		opts.Bin = 1 << 20
		for _, finding := range exporttest.Check(data, opts) {
			if !slices.Contains(known, finding.Name) || finding.Severity == "" {
				t.Errorf("got %v, want a finding with a known name", finding)
			}
		}
	})
}
