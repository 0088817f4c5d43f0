package deploy

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestPlaces(t *testing.T) {
	dir := t.TempDir()
	for _, place := range []string{dir, "file://" + dir} {
		b, closing, err := OpenBucket(t.Context(), place, Access{})
		if err != nil {
			t.Errorf("%s: %v", place, err)
			continue
		}
		if b == nil || closing() != nil {
			t.Errorf("%s: no bucket", place)
		}
	}
	path := filepath.Join(dir, "ledger.db")
	for _, place := range []string{path, "sqlite://" + path, "bucket+file://" + dir} {
		s, closing, err := OpenStore(t.Context(), place, nil)
		if err != nil {
			t.Errorf("%s: %v", place, err)
			continue
		}
		if _, err := s.Log(t.Context(), 0); err != nil {
			t.Errorf("%s: %v", place, err)
		}
		if err := closing(); err != nil {
			t.Errorf("%s: %v", place, err)
		}
	}
}

func TestPlacesThatAreNone(t *testing.T) {
	for place, why := range map[string]string{
		"ftp://host/www":              "ftp://: not a place that is known",
		"file://host/www":             "want file:///path",
		"file:///www?x=1":             "want file:///path",
		"file://":                     "want file:///path",
		"file:///there/is/no/such":    "no such file",
		"s3://user:word@[::1/b":       "s3://…: not a URL",
		"bucket+ftp://host":           "ftp://: not a place that is known",
		"bucket+file:///there/is/no1": "no such file",
	} {
		_, _, err := OpenBucket(t.Context(), place, Access{})
		if strings.HasPrefix(place, "bucket+") {
			_, _, err = OpenStore(t.Context(), place, nil)
		}
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: got %v, want %s", place, err, why)
		}
		if err != nil && strings.Contains(err.Error(), "word") {
			t.Errorf("%v: has the password in it", err)
		}
	}
}

func TestRedacted(t *testing.T) {
	for place, want := range map[string]string{
		"/srv/www":                    "/srv/www",
		"s3://bucket/x?region=r":      "s3://bucket/x?region=r",
		"postgres://u:secret@h/d?x=y": "postgres://u:xxxxx@h/d?x=y",
	} {
		if got := Redacted(place); got != want {
			t.Errorf("%s is printed as %s, want %s", place, got, want)
		}
	}
}
