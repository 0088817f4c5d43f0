package nhs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/nhs"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
)

func newSigner(t testing.TB, text string) *signing.Signer {
	t.Helper()
	id, err := signing.ParseIdentity(text)
	if err != nil {
		t.Fatal(err)
	}
	d := sha256.Sum256([]byte(text))
	d[0] = 0 // below the order of the curve
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		t.Fatal(err)
	}
	s, err := signing.NewSigner(id, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newLayout(t testing.TB, opts *nhs.Options) *nhs.Layout {
	t.Helper()
	l, err := nhs.New("GB-EAW", newSigner(t, "metadata-v1"), opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func file(span, start, end string) distribution.File {
	return distribution.File{Package: "GB-EAW", Span: span, Window: distribution.Window{Start: at(start), End: at(end)}, Parts: 1}
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func TestNames(t *testing.T) {
	none := new(time.Duration(0))
	for _, test := range []struct {
		name string
		opts *nhs.Options
		file distribution.File
		want string
	}{
		{"two hours", nil, file("two-hourly", "2020-09-21T05:45:00Z", "2020-09-21T07:45:00Z"), "distribution/two-hourly/2020092108.zip"},
		{"over midnight", nil, file("two-hourly", "2020-09-20T23:45:00Z", "2020-09-21T01:45:00Z"), "distribution/two-hourly/2020092102.zip"},
		{"until midnight", nil, file("two-hourly", "2020-12-31T21:45:00Z", "2020-12-31T23:45:00Z"), "distribution/two-hourly/2021010100.zip"},
		{"day", nil, file("daily", "2020-09-20T23:45:00Z", "2020-09-21T23:45:00Z"), "distribution/daily/2020092200.zip"},
		{"leap day", nil, file("daily", "2024-02-28T23:45:00Z", "2024-02-29T23:45:00Z"), "distribution/daily/2024030100.zip"},
		{"not moved", &nhs.Options{Offset: none}, file("two-hourly", "2020-09-21T06:00:00Z", "2020-09-21T08:00:00Z"), "distribution/two-hourly/2020092108.zip"},
		{"moved on", &nhs.Options{Offset: new(time.Hour)}, file("daily", "2020-09-21T01:00:00Z", "2020-09-22T01:00:00Z"), "distribution/daily/2020092200.zip"},
		{"prefix", &nhs.Options{Prefix: "a/b"}, file("daily", "2020-09-20T23:45:00Z", "2020-09-21T23:45:00Z"), "a/b/daily/2020092200.zip"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLayout(t, test.opts)
			if got := l.Object(test.file); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if got, ok := l.Parse(test.want); !ok || got != test.file {
				t.Errorf("parsed as %+v, %v", got, ok)
			}
			partial := test.file
			partial.Window.End = partial.Window.Start.Add(2 * time.Hour)
			if got := l.Object(partial); got != test.want {
				t.Errorf("while it is open: got %s, want %s", got, test.want)
			}
			if !strings.HasPrefix(test.want, l.Prefix()) {
				t.Errorf("does not begin with %s", l.Prefix())
			}
		})
	}
}

func TestNamesOfOthers(t *testing.T) {
	l := newLayout(t, nil)
	for _, name := range []string{
		"", "distribution", "distribution/", "distribution/daily", "distribution/daily/", "distribution/daily/.zip",
		"distribution/daily/2020092201.zip", "distribution/daily/2020092212.zip", "distribution/two-hourly/2020092207.zip",
		"distribution/two-hourly/2020092224.zip", "distribution/two-hourly/2020023008.zip", "distribution/two-hourly/20200921.zip",
		"distribution/two-hourly/2020092108", "distribution/two-hourly/2020092108.zip.zip", "distribution/two-hourly/2020092108.bin",
		"distribution/hourly/2020092108.zip", "distribution/daily/x/2020092200.zip", "distribution/daily/+020092200.zip",
		"distribution/gaen-probe", "other/daily/2020092200.zip", "/distribution/daily/2020092200.zip", "Distribution/daily/2020092200.zip",
	} {
		if f, ok := l.Parse(name); ok {
			t.Errorf("%q was taken for %+v", name, f)
		}
	}
}

// FuzzParse: whatever is taken for a file is named so by it.
func FuzzParse(f *testing.F) {
	f.Add("distribution/daily/2020092200.zip", -15)
	f.Add("distribution/two-hourly/2020092108.zip", 0)
	f.Add("distribution/two-hourly/0001010100.zip", 119)
	f.Fuzz(func(t *testing.T, name string, offset int) {
		l := newLayout(t, &nhs.Options{Offset: new(time.Duration(offset%120) * time.Minute)})
		file, ok := l.Parse(name)
		if !ok {
			return
		}
		if got := l.Object(file); got != name {
			t.Errorf("%q is %+v, which is named %q", name, file, got)
		}
		if err := storage.CheckName(name); err != nil {
			t.Error(err)
		}
		if length := file.Window.End.Sub(file.Window.Start); length != 2*time.Hour && length != 24*time.Hour {
			t.Errorf("%q covers %s", name, length)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct {
		pkg  string
		opts nhs.Options
		want string
	}{
		{"gb", nhs.Options{}, "package"},
		{"", nhs.Options{}, "package"},
		{"GB", nhs.Options{Prefix: "/a"}, "Prefix"},
		{"GB", nhs.Options{Prefix: "a//b"}, "Prefix"},
		{"GB", nhs.Options{Prefix: ".."}, "Prefix"},
		{"GB", nhs.Options{Days: -1}, "Days"},
		{"GB", nhs.Options{Offset: new(2 * time.Hour)}, "Offset"},
		{"GB", nhs.Options{Offset: new(-2 * time.Hour)}, "Offset"},
		{"GB", nhs.Options{Offset: new(time.Millisecond)}, "Offset"},
		{"GB", nhs.Options{KeyID: `a"b`}, "KeyID"},
		{"GB", nhs.Options{KeyID: "a b"}, "KeyID"},
		{"GB", nhs.Options{Trusted: make([]signing.PublicKey, 1)}, "Trusted"},
	} {
		if _, err := nhs.New(test.pkg, nil, &test.opts); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q %+v: got %v, want it to name %s", test.pkg, test.opts, err, test.want)
		}
	}
}

func TestMetadata(t *testing.T) {
	content := []byte("a zip")
	a := &distribution.Archive{File: file("daily", "2020-09-20T23:45:00Z", "2020-09-21T05:45:00Z"), Bytes: content}
	for _, test := range []struct {
		name, keyID, date string
		opts              *nhs.Options
	}{
		{"as it was", "metadata", "Mon, 21 Sep 2020 05:45:00 UTC", nil},
		{"of HTTP", "metadata", "Mon, 21 Sep 2020 05:45:00 GMT", &nhs.Options{GMT: true}},
		{"key", "b4c27bf3-8a76", "Mon, 21 Sep 2020 05:45:00 UTC", &nhs.Options{KeyID: "b4c27bf3-8a76"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLayout(t, test.opts)
			o, err := l.FileOptions(a)
			if err != nil {
				t.Fatal(err)
			}
			if err := o.Check(); err != nil {
				t.Error(err)
			}
			if o.ContentType != "application/zip" || len(o.Metadata) != 2 || o.Metadata["signature-date"] != test.date ||
				!strings.HasPrefix(o.Metadata["signature"], `keyId="`+test.keyID+`",signature="ME`) {
				t.Errorf("got %+v", o)
			}
			again, err := l.FileOptions(a)
			if err != nil || again.Metadata["signature"] != o.Metadata["signature"] {
				t.Errorf("signed again, it is another signature: %v", err)
			}
		})
	}
}

// TestCheckAttributes: of what was signed nothing may be another.
func TestCheckAttributes(t *testing.T) {
	l := newLayout(t, nil)
	content := []byte("a zip")
	o, err := l.FileOptions(&distribution.Archive{File: file("daily", "2020-09-20T23:45:00Z", "2020-09-21T23:45:00Z"), Bytes: content})
	if err != nil {
		t.Fatal(err)
	}
	signature, date := o.Metadata["signature"], o.Metadata["signature-date"]
	check := func(l *nhs.Layout, content []byte, signature, date string) error {
		return l.CheckAttributes(content, storage.Attributes{Metadata: map[string]string{"signature": signature, "signature-date": date}})
	}
	reader := func(keys ...signing.PublicKey) *nhs.Layout {
		l, err := nhs.New("GB-EAW", nil, &nhs.Options{Trusted: keys})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	ours, theirs := newSigner(t, "metadata-v1").PublicKey(), newSigner(t, "other-v1").PublicKey()
	for name, l := range map[string]*nhs.Layout{"its own": l, "trusted": reader(theirs, ours), "form alone": reader()} {
		if err := check(l, content, signature, date); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, test := range []struct {
		name            string
		layout          *nhs.Layout
		content         []byte
		signature, date string
		unsigned        bool // errors.Is(err, signing.ErrBadSignature)
	}{
		{"other content", l, []byte("a zap"), signature, date, true},
		{"other date", l, content, signature, "Tue, 22 Sep 2020 23:45:00 UTC", true},
		{"other zone", l, content, signature, strings.Replace(date, "UTC", "GMT", 1), true},
		{"other key", reader(theirs), content, signature, date, true},
		{"no date", l, content, signature, "", false},
		{"no weekday of that date", l, content, signature, "Sun, 21 Sep 2020 23:45:00 UTC", false},
		{"no signature", l, content, "", date, false},
		{"no signature, form alone", reader(), content, "x", date, false},
		{"no base64", l, content, `keyId="a",signature="A"`, date, false},
		{"more", l, content, signature + " ", date, false},
	} {
		err := check(test.layout, test.content, test.signature, test.date)
		if err == nil || errors.Is(err, signing.ErrBadSignature) != test.unsigned {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
}

// TestReadersDoNotSign: a layout without a signer is for who reads.
func TestReadersDoNotSign(t *testing.T) {
	l, err := nhs.New("GB-EAW", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.FileOptions(&distribution.Archive{}); err == nil {
		t.Error("signed by nobody")
	}
}

func ExampleNew() {
	l, err := nhs.New("GB-EAW", nil, nil) // with a signer, where files are written
	if err != nil {
		panic(err)
	}
	f, ok := l.Parse("distribution/two-hourly/2020092108.zip")
	fmt.Println(f.Window, ok)
	// Output: 2020-09-21T05:45:00Z/2020-09-21T07:45:00Z true
}
