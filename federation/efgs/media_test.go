package efgs

import (
	"errors"
	"testing"

	"github.com/gaenkit/gaen/federation"
)

func TestContentNegotiation(t *testing.T) {
	for _, c := range []struct {
		header          string
		content, accept int // statuses; 0 if it is taken
		format          Format
	}{
		{"application/protobuf; version=1.0", 0, 0, Protobuf},
		{"application/json; version=1.0", 0, 0, JSON},
		{"application/json;version=1.0", 0, 0, JSON},
		{"Application/JSON; charset=utf-8; version=1.0", 0, 0, JSON},
		{`application/json; version="1.0"`, 0, 0, JSON},
		{"", 400, 400, 0},
		{"application/protobuf", 400, 415, 0},
		{"application/protobuf; version=", 400, 415, 0},
		{"application/protobuf; version=1.1", 406, 415, 0},
		{"application/protobuf; version=2.0", 406, 415, 0},
		{"application/protobuf; version=1", 406, 415, 0},
		{"text/plain; version=1.0", 400, 415, 0},
		{"application/x-protobuf; version=1.0", 400, 415, 0},
		{"*/*", 400, 415, 0},
		{"application/json; version", 400, 415, 0},
		{"nonsense", 400, 415, 0},
		{"text/html, application/json; version=1.0, */*", 400, 0, JSON},
		{"application/protobuf; version=2.0, application/protobuf; version=1.0", 400, 0, Protobuf},
	} {
		format, err := ContentType(c.header)
		if status := statusOf(err); status != c.content || c.content == 0 && format != c.format {
			t.Errorf("content type %q: %d, %v, want %d", c.header, status, format, c.content)
		}
		format, err = Accept(c.header)
		if status := statusOf(err); status != c.accept || c.accept == 0 && format != c.format {
			t.Errorf("accept %q: %d, %v, want %d", c.header, status, format, c.accept)
		}
	}
	if got := Protobuf.MediaType() + JSON.MediaType(); got != "application/protobuf; version=1.0application/json; version=1.0" {
		t.Errorf("media types are %s", got)
	}
	for header, want := range map[string]string{
		"": "application/json", "application/protobuf": "application/protobuf", "application/json; version=1.7": "application/json",
		"application/json; version=2.0": "error", "text/html": "error", ";": "error",
	} {
		f, err := answeredIn(header, JSON)
		if got := f.String(); err == nil && got != want || (err != nil) != (want == "error") {
			t.Errorf("answered in %q: %s, %v, want %s", header, got, err, want)
		}
	}
}

func statusOf(err error) int {
	if e, ok := errors.AsType[*MediaError](err); ok {
		return e.Status
	}
	return 0
}

func TestTags(t *testing.T) {
	for text, want := range map[string]string{
		"20210602-1": "2021-06-02 1", "20210602-12": "2021-06-02 12", "20210602-3-0a1b2c3d": "2021-06-02 3",
		"20210602": "", "20210602-": "", "20210602-x": "", "20210602-0": "", "20210602--1": "", "20210602-+1": "", "2021602-1": "", "20210231-1": "",
		"202106021-1": "", "": "", "null": "", "20210602-99999999999999999999": "", "x-20210602-1": "",
	} {
		tag, ok := ParseTag(text)
		if !ok && want != "" || ok && tag.Day.String()+" "+tag.String()[9:] != want {
			t.Errorf("%q: got %v, %v, want %q", text, tag, ok, want)
		}
	}
	if got := (Tag{Day: federation.DayOf(noon), N: 7}).String(); got != "20210602-7" {
		t.Errorf("got %s", got)
	}
}
