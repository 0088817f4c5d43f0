package cwa_test

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/cwa"
	"github.com/gaenkit/gaen/storage"
)

func layout(t testing.TB, opts *cwa.Options) *cwa.Layout {
	t.Helper()
	l, err := cwa.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func file(pkg, span, start string) distribution.File {
	at, err := time.Parse(time.RFC3339, start)
	if err != nil {
		panic(err)
	}
	length := map[string]time.Duration{"hour": time.Hour, "day": 24 * time.Hour}[span]
	return distribution.File{Package: pkg, Span: span, Window: distribution.Window{Start: at, End: at.Add(length)}, Parts: 1}
}

func TestNames(t *testing.T) {
	hour5 := file("DE", "hour", "2020-06-11T05:00:00Z")
	hour23 := file("EUR", "hour", "2020-06-11T23:00:00Z")
	june11 := file("DE", "day", "2020-06-11T00:00:00Z")
	for _, test := range []struct {
		name string
		opts *cwa.Options
		file distribution.File
		want string
	}{
		{"server, hour", nil, hour5, "version/v1/diagnosis-keys/country/DE/date/2020-06-11/hour/5"},
		{"server, last hour", nil, hour23, "version/v1/diagnosis-keys/country/EUR/date/2020-06-11/hour/23"},
		{"server, day", nil, june11, "version/v1/diagnosis-keys/country/DE/date/2020-06-11"},
		{"seed, hour", &cwa.Options{Index: "index", HourDigits: 2}, hour5, "version/v1/diagnosis-keys/country/DE/date/2020-06-11/hour/05/index"},
		{"seed, day", &cwa.Options{Index: "index", HourDigits: 2}, june11, "version/v1/diagnosis-keys/country/DE/date/2020-06-11/index"},
		{"own path", &cwa.Options{Path: cwa.Path{Prefix: "a/b", Version: "api", VersionName: "v2", DiagnosisKeys: "keys", Country: "land", Date: "tag", Hour: "stunde"}},
			hour5, "a/b/api/v2/keys/land/DE/tag/2020-06-11/stunde/5"},
		{"before the hour", &cwa.Options{Offset: -15 * time.Minute}, file("DE", "hour", "2020-06-11T04:45:00Z"), "version/v1/diagnosis-keys/country/DE/date/2020-06-11/hour/5"},
		{"before midnight", &cwa.Options{Offset: -15 * time.Minute}, file("DE", "hour", "2020-06-10T23:45:00Z"), "version/v1/diagnosis-keys/country/DE/date/2020-06-11/hour/0"},
		{"after the hour", &cwa.Options{Offset: 30 * time.Minute}, file("DE", "hour", "2020-06-11T00:30:00Z"), "version/v1/diagnosis-keys/country/DE/date/2020-06-11/hour/0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := layout(t, test.opts)
			if got := l.Object(test.file); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if got, ok := l.Parse(test.want); !ok || got != test.file {
				t.Errorf("parsed as %+v, %v", got, ok)
			}
			if err := storage.CheckName(test.want); err != nil {
				t.Error(err)
			}
			if !strings.HasPrefix(test.want, l.Prefix()) {
				t.Errorf("does not begin with %s", l.Prefix())
			}
		})
	}
}

func TestNamesOfOthers(t *testing.T) {
	l := layout(t, nil)
	const root = "version/v1/diagnosis-keys/country/"
	for _, name := range []string{
		"", "version", "version/v1", "version/v2/diagnosis-keys/country/DE/date/2020-06-11",
		root + "DE", root + "DE/date", root + "DE/date/", root + "DE/date/2020-06-11/", root + "DE/date/2020-06-11/hour",
		root + "DE/date/2020-06-11/hour/", root + "DE/date/2020-06-11/hour/24", root + "DE/date/2020-06-11/hour/-1",
		root + "DE/date/2020-06-11/hour/05", root + "DE/date/2020-06-11/hour/5/index", root + "DE/date/2020-06-11/hour/5.zip",
		root + "DE/date/2020-06-11/hours/5", root + "DE/date/2020-02-30", root + "DE/date/2020-6-1", root + "de/date/2020-06-11",
		root + "DEUTSCHLAND/date/2020-06-11", root + "../date/2020-06-11", root + "DE/day/2020-06-11", "x/" + root + "DE/date/2020-06-11",
	} {
		if f, ok := l.Parse(name); ok {
			t.Errorf("%q was taken for %+v", name, f)
		}
	}
}

// FuzzParse: whatever is taken for a file is named so by it.
func FuzzParse(f *testing.F) {
	f.Add("version/v1/diagnosis-keys/country/DE/date/2020-06-11/hour/5", false, 0)
	f.Add("version/v1/diagnosis-keys/country/DE/date/2020-06-11/index", true, -15)
	f.Add("version/v1/diagnosis-keys/country/GB-EAW/date/2020-06-11/hour/05/index", true, 30)
	f.Fuzz(func(t *testing.T, name string, index bool, offset int) {
		opts := &cwa.Options{Offset: time.Duration(offset%60) * time.Minute}
		if index {
			opts.Index, opts.HourDigits = "index", 2
		}
		l := layout(t, opts)
		file, ok := l.Parse(name)
		if !ok {
			return
		}
		if got := l.Object(file); got != name {
			t.Errorf("%q was parsed, and is named %q", name, got)
		}
		if file.Parts != 1 || file.Part != 0 || !file.Window.Start.Before(file.Window.End) {
			t.Errorf("%q: %+v", name, file)
		}
	})
}

// FuzzFollow: whatever indexes say, the files they are read to name are files of
// the layout.
func FuzzFollow(f *testing.F) {
	f.Add(`["v1"]`, `["DE","EUR"]`, `["2020-06-10","2020-06-11"]`, `[0,5,23]`)
	f.Add(`["v1"]`, `["../DE"]`, `["9999-12-31"]`, `[-1]`)
	f.Add(`null`, `[""]`, `["2020-06-11","2020-06-11"]`, `{}`)
	f.Fuzz(func(t *testing.T, versions, countries, dates, hours string) {
		l := layout(t, nil)
		files, indexes, _ := l.Follow(func(name string) ([]byte, error) {
			if storage.CheckName(name) != nil {
				return nil, fs.ErrNotExist
			}
			switch {
			case name == "version":
				return []byte(versions), nil
			case strings.HasSuffix(name, "/country"):
				return []byte(countries), nil
			case strings.HasSuffix(name, "/date"):
				return []byte(dates), nil
			}
			return []byte(hours), nil
		})
		for _, file := range files {
			if again, ok := l.Parse(l.Object(file)); !ok || again != file {
				t.Errorf("%+v is named %q, which is %+v", file, l.Object(file), again)
			}
		}
		for _, name := range indexes {
			if err := storage.CheckName(name); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestIndexes(t *testing.T) {
	listed := []distribution.File{
		file("EUR", "hour", "2020-06-12T10:00:00Z"),
		file("EUR", "hour", "2020-06-12T02:00:00Z"),
		file("DE", "day", "2020-06-11T00:00:00Z"),
		file("DE", "day", "2020-06-10T00:00:00Z"),
		file("DE", "hour", "2020-06-11T05:00:00Z"),
		file("DE", "hour", "2020-06-12T00:00:00Z"),
	}
	const root = "version/v1/diagnosis-keys/country"
	want := []distribution.Index{
		{Name: root + "/DE/date/2020-06-11/hour", Content: []byte("[5]")},
		{Name: root + "/DE/date/2020-06-12/hour", Content: []byte("[0]")},
		{Name: root + "/EUR/date/2020-06-12/hour", Content: []byte("[2,10]")},
		{Name: root + "/DE/date", Content: []byte(`["2020-06-10","2020-06-11"]`)},
		{Name: root + "/EUR/date", Content: []byte("[]")},
		{Name: root, Content: []byte(`["DE","EUR"]`)},
		{Name: "version", Content: []byte(`["v1"]`)},
	}
	l := layout(t, nil)
	got := l.Indexes([]string{"EUR", "DE"}, listed)
	if !slices.EqualFunc(got, want, sameIndex) {
		t.Errorf("got\n%s\nwant\n%s", show(got), show(want))
	}

	read := func(name string) ([]byte, error) {
		for _, i := range got {
			if i.Name == name {
				return i.Content, nil
			}
		}
		return nil, fs.ErrNotExist
	}
	files, indexes, err := l.Follow(read)
	if err != nil {
		t.Fatal(err)
	}
	// The hours of EUR belong to no listed day, and nobody would ask for them.
	if len(files) != 4 || len(indexes) != 6 {
		t.Errorf("followed %d indexes to %d files: %v %+v", len(indexes), len(files), indexes, files)
	}
}

func sameIndex(a, b distribution.Index) bool {
	return a.Name == b.Name && string(a.Content) == string(b.Content)
}

func show(indexes []distribution.Index) string {
	var b strings.Builder
	for _, i := range indexes {
		fmt.Fprintf(&b, "%s %s\n", i.Name, i.Content)
	}
	return b.String()
}

// TestHash has the check value of the German back end's hash, which its own
// tests pin, and the SHA-256 of the same.
func TestHash(t *testing.T) {
	for _, test := range []struct {
		hash cwa.Hash
		want string
	}{
		{cwa.HashMD5, "af5da9f45af7a300e3aded972f8ff687"},
		{cwa.HashSHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	} {
		o := layout(t, &cwa.Options{Hash: test.hash}).IndexOptions(distribution.Index{Name: "version", Content: []byte("abc")})
		if got := o.Metadata["cwa-hash"]; got != test.want {
			t.Errorf("%q: got %s, want %s", test.hash, got, test.want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct {
		opts cwa.Options
		want string
	}{
		{cwa.Options{Path: cwa.Path{Version: "a/b"}}, "Path.Version"},
		{cwa.Options{Path: cwa.Path{VersionName: ".."}}, "Path.VersionName"},
		{cwa.Options{Path: cwa.Path{DiagnosisKeys: "a b"}}, "Path.DiagnosisKeys"},
		{cwa.Options{Path: cwa.Path{Country: "."}}, "Path.Country"},
		{cwa.Options{Path: cwa.Path{Date: "\n"}}, "Path.Date"},
		{cwa.Options{Path: cwa.Path{Hour: "/"}}, "Path.Hour"},
		{cwa.Options{Path: cwa.Path{Prefix: "/a"}}, "Path.Prefix"},
		{cwa.Options{Path: cwa.Path{Prefix: "a//b"}}, "Path.Prefix"},
		{cwa.Options{Index: "a/b"}, "Index"},
		{cwa.Options{HourDigits: 3}, "HourDigits"},
		{cwa.Options{Days: -1}, "Days"},
		{cwa.Options{HourDays: -1}, "HourDays"},
		{cwa.Options{Hash: "crc"}, "Hash"},
		{cwa.Options{Offset: time.Hour}, "Offset"},
	} {
		if _, err := cwa.New(&test.opts); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: got %v, want it to name %s", test.opts, err, test.want)
		}
	}
}

func ExampleNew() {
	l, err := cwa.New(&cwa.Options{Index: "index"}) // for a folder of plain files
	if err != nil {
		panic(err)
	}
	start := time.Date(2020, 6, 11, 5, 0, 0, 0, time.UTC)
	fmt.Println(l.Object(distribution.File{
		Package: "DE",
		Span:    "hour",
		Window:  distribution.Window{Start: start, End: start.Add(time.Hour)},
	}))
	// Output: version/v1/diagnosis-keys/country/DE/date/2020-06-11/hour/5/index
}
