package deltaset

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestRecordsRefused: a file with a line that is no record is not taken, and the
// error has nothing of the line.
func TestRecordsRefused(t *testing.T) {
	const key = "00112233445566778899aabbccddeeff"
	for _, test := range []struct {
		name, text string
		retracted  bool
	}{
		{"no newline at the end", strings.TrimSuffix(goodRecord, "\n"), false},
		{"carriage return", strings.Replace(goodRecord, "\n", "\r\n", 1), false},
		{"empty line", "\n" + goodRecord, false},
		{"the same key twice", goodRecord + goodRecord, false},
		{"backwards", goodRecord + "000" + goodRecord[3:], false},
		{"capitals", strings.ToUpper(goodRecord), false},
		{"short key", goodRecord[2:], false},
		{"no hexadecimal", "x" + goodRecord[1:], false},
		{"zeros", strings.Repeat("0", 32) + goodRecord[32:], false},
		{"two spaces", strings.Replace(goodRecord, " ", "  ", 1), false},
		{"another day", strings.Replace(goodRecord, "20513", "20512", 1), false},
		{"before the epoch", key + " -1 -144 144 1 -\n", false},
		{"period of 0", key + " 20513 2953872 0 1 -\n", false},
		{"period of 145", key + " 20513 2953872 145 1 -\n", false},
		{"start too large", key + " 20513 99999999999 144 1 -\n", false},
		{"leading zero", key + " 20513 2953872 0144 1 -\n", false},
		{"report type 5", key + " 20513 2953872 144 5 -\n", false},
		{"report type in words", key + " 20513 2953872 144 confirmed -\n", false},
		{"onset of 15", key + " 20513 2953872 144 1 15\n", false},
		{"onset in words", key + " 20513 2953872 144 1 soon\n", false},
		{"a field more", strings.Replace(goodRecord, "\n", " 1\n", 1), false},
		{"long", key + strings.Repeat(" ", 200) + "\n", false},
		{"endless", strings.Repeat("0", 1<<18), false},
		{"retracted among exposed", key + " 20513 2953872 144 revoked -\n", false},
		{"exposed among retracted", goodRecord, true},
	} {
		var last error
		for _, err := range readRecords(strings.NewReader(test.text), test.retracted) {
			last = err
		}
		if !errors.Is(last, ErrRecord) {
			t.Errorf("%s: got %v, want ErrRecord", test.name, last)
		} else if strings.Contains(last.Error(), key[:8]) {
			t.Errorf("%s: the error has key data", test.name)
		}
	}
}

// TestSumsRefused: a SHA256SUMS in which anything is out of place is not taken.
func TestSumsRefused(t *testing.T) {
	good := string(someSums().text())
	if _, err := ParseSums([]byte(good)); err != nil {
		t.Fatal(err)
	}
	sum := strings.Repeat("d", 64)
	for _, test := range []struct{ name, old, with string }{
		{"layout", "layout: gaen-deltaset 1", "layout: gaen-deltaset 2"},
		{"ledger", "5d5d", "5d"},
		{"package", "package: DE", "package: .."},
		{"files", "files: interval", "files: week"},
		{"interval", "interval: 3600", "interval: 3601"},
		{"interval of 0", "interval: 3600", "interval: 0"},
		{"interval of two days", "interval: 3600", "interval: 172800"},
		{"days", "days: 14", "days: 0"},
		{"days of years", "days: 14", "days: 1001"},
		{"newest", "newest: 494000", "newest: -1"},
		{"newest, too large", "newest: 494000", "newest: 1099511627777"},
		{"newest, with a sign", ": 494000\n# snap", ": +494000\n# snap"},
		{"snapshot", "snapshot: 494000", "snapshot: none"},
		{"made", "2026-05-10T09:00:41Z", "yesterday"},
		{"next, no folder", ": -\n", ": 900\n"},
		{"next, no interval", "next: -", "next: i7"},
		{"order", "days: 14\n# ", ""},
		{"file listed twice", "  snapshot/494000\n", "  snapshot/494000\n" + sum + "  snapshot/494000\n"},
		{"newer than the newest", "  exposures/494000", "  exposures/494001"},
		{"no file of the layout", "  exposures/494000", "  exposures/../../etc/passwd"},
		{"of another kind", "  exposures/494000", "  active/26030123-20513.gz"},
		{"one space", "  exposures", " exposures"},
		{"short sum", "aa  ", "  "},
		{"capitals", strings.Repeat("a", 64), strings.Repeat("A", 64)},
		{"no newline at the end", "snapshot/494000\n", "snapshot/494000"},
	} {
		if strings.Count(good, test.old) < 1 {
			t.Fatalf("%s: %q is not there", test.name, test.old)
		}
		if _, err := ParseSums([]byte(strings.Replace(good, test.old, test.with, 1))); !errors.Is(err, ErrSums) {
			t.Errorf("%s: got %v, want ErrSums", test.name, err)
		} else if field, _, ok := strings.Cut(test.old, ": "); ok && !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v does not name %s", test.name, err, field)
		}
	}
	if _, err := ParseSums(make([]byte, MaxSums+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: got %v", err)
	}
}

// TestLatestRefused: latest is a number as it is written, and a newline.
func TestLatestRefused(t *testing.T) {
	for _, text := range []string{"", "\n", "494000", "494000\r\n", "494000\n\n", " 494000\n", "+494000\n", "0494000\n", "-1\n", "1099511627777\n", "9223372036854775808\n"} {
		if n, err := parseLatest([]byte(text)); err == nil {
			t.Errorf("%q is taken for %d", text, n)
		}
	}
}

// TestRecordsCutShort: where reading fails, the records do not just end.
func TestRecordsCutShort(t *testing.T) {
	failed := errors.New("no connection")
	n, last := 0, error(nil)
	for _, err := range readRecords(io.MultiReader(strings.NewReader(goodRecord), iotest.ErrReader(failed)), false) {
		n, last = n+1, err
	}
	if n != 2 || !errors.Is(last, failed) {
		t.Errorf("%d records, the last with %v", n-1, last)
	}
}
