package deltaset

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/export"
)

const goodRecord = "00112233445566778899aabbccddeeff 20513 2953872 144 1 -\n"

// FuzzRecords: a file that is taken is the one that its records are written as.
func FuzzRecords(f *testing.F) {
	f.Add([]byte(""), false)
	f.Add([]byte(goodRecord), false)
	f.Add([]byte(goodRecord+"1"+goodRecord[1:]), false)
	f.Add([]byte(strings.Replace(goodRecord, " 1 -", " revoked -3", 1)), true)
	f.Add([]byte(strings.Replace(goodRecord, " 1 -", " expired 14", 1)), true)
	f.Fuzz(func(t *testing.T, text []byte, retracted bool) {
		var again []byte
		for r, err := range readRecords(bytes.NewReader(text), retracted) {
			if err != nil {
				if strings.Contains(err.Error(), "00112233") {
					t.Fatal("key data in an error")
				}
				return
			}
			again = appendRecord(again, &r)
		}
		if !bytes.Equal(again, text) {
			t.Errorf("taken, and written otherwise: %q as %q", text, again)
		}
	})
}

// FuzzParseSums: what is taken is written as it was.
func FuzzParseSums(f *testing.F) {
	f.Add(someSums().text())
	by := someSums()
	by.Files, by.Entries, by.Snapshot, by.Next = ByDay, []Entry{{strings.Repeat("0", 64), "active/26030123-20513.gz"}}, -1, 15*time.Minute
	f.Add(by.text())
	f.Add(by.of(snapshot).text())
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseSums(text)
		if err != nil {
			return
		}
		if !bytes.Equal(s.text(), text) {
			t.Errorf("taken, and written otherwise: %q as %q", text, s.text())
		}
		s.from(s.Newest - 2)
		s.from(-1)
	})
}

func someSums() *Sums {
	return &Sums{
		Ledger: strings.Repeat("5d", 16), Package: "DE", Folder: ".", Interval: time.Hour, Files: ByInterval, Days: 14,
		Newest: 494000, Snapshot: 494000, Made: time.Date(2026, 5, 10, 9, 0, 41, 0, time.UTC),
		Entries: []Entry{
			{strings.Repeat("a", 64), "exposures/494000"},
			{strings.Repeat("b", 64), "retractions/494000"},
			{strings.Repeat("c", 64), "snapshot/494000"},
		},
	}
}

func FuzzParseLatest(f *testing.F) {
	f.Add([]byte("494000\n"))
	f.Add([]byte("0\n"))
	f.Add([]byte("-1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if n, err := parseLatest(text); err == nil && strconv.FormatInt(n, 10)+"\n" != string(text) {
			t.Errorf("%q is taken for %d", text, n)
		}
	})
}

// FuzzParse: a name that is taken is the one that its file has.
func FuzzParse(f *testing.F) {
	for _, name := range []string{
		"deltaset/DE/exposures/494000", "deltaset/DE/snapshot/494000", "deltaset/DE/active/26030123-20513.gz", "deltaset/DE/snapshot/26030123.gz",
		"deltaset/DE/i900/retractions/494000", "deltaset/DE/i900/retracted/2603012315-20513.gz", "deltaset/DE/exposures/-1", "deltaset/de/exposures/1",
	} {
		f.Add(name)
	}
	var layouts []*Layout
	for _, o := range []Options{{}, {Files: ByDay}, {Interval: 15 * time.Minute, Subfolder: true}, {Interval: 15 * time.Minute, Subfolder: true, Files: ByDay}, {Interval: 2 * time.Hour, Snapshot: 6 * time.Hour}} {
		l, err := New(&o)
		if err != nil {
			f.Fatal(err)
		}
		layouts = append(layouts, l)
	}
	f.Fuzz(func(t *testing.T, name string) {
		for _, l := range layouts {
			file, ok := l.Parse(name)
			if !ok {
				continue
			}
			if again := l.Object(file); again != name {
				t.Errorf("%q is the file %+v, whose name is %q", name, file, again)
			}
			w := file.Window
			if length := w.End.Sub(w.Start); length != l.span(file.Span).Length || !w.Start.Truncate(length).Equal(w.Start) {
				t.Errorf("%q is of %s, which is no window", name, w)
			}
		}
	})
}

// FuzzDecode: what is decoded has a content that is encoded to the same text.
func FuzzDecode(f *testing.F) {
	plain, err := New(&Options{Gzip: true})
	if err != nil {
		f.Fatal(err)
	}
	file := distribution.File{Package: "DE", Span: snapshot, Window: distribution.Window{
		Start: time.Unix(2953872*600, 0), End: time.Unix(2953872*600+3600, 0),
	}, Parts: 1}
	e, err := plain.encoded([]byte(goodRecord))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(e.Bytes)
	f.Add([]byte(goodRecord))
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, stored []byte) {
		have, content, err := plain.Decode(file, stored)
		if err != nil {
			return
		}
		again, err := plain.Encode(file, &export.Content{Start: content.Start, End: content.End, Keys: content.Keys})
		if err != nil {
			t.Fatal(err)
		}
		relevant := len(records(new(plain.span(snapshot)), snapshot, content))
		if relevant == len(content.Keys) && again.Content != have.Content {
			t.Error("encoded again, it says something else")
		}
	})
}
