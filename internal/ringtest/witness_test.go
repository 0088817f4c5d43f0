package ringtest_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
)

var morning = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// uploadOf returns a request that uploads a key of a day, with a report type.
func uploadOf(tag string, data keys.KeyData, day time.Time, reportType int) string {
	content, err := json.Marshal([]exposure{{KeyData: data[:], RollingStartNumber: day.Unix() / 600, RollingPeriod: 144, ReportType: reportType}})
	if err != nil {
		panic(err)
	}
	body := fmt.Sprintf(`{"batchTag":%q,"payload":"e30.%s.c2ln"}`, tag, base64.RawURLEncoding.EncodeToString(content))
	return fmt.Sprintf("POST /diagnosiskeys/upload HTTP/1.1\r\nHost: hub\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// TestRecorder has uploads that are as they should be, and others.
func TestRecorder(t *testing.T) {
	gen := keystest.New(1, nil)
	one, other := gen.KeyData(), gen.KeyData()
	yesterday, today := morning.AddDate(0, 0, -2), morning.AddDate(0, 0, -1).Truncate(24*time.Hour).Add(9*time.Hour)
	const poll = "GET /download/2026-03-01 HTTP/1.1\r\nHost: hub\r\n\r\n"
	for _, c := range []struct {
		name     string
		requests []string
		finding  string
		uploads  int
		again    int
	}{
		{"as it should be", []string{uploadOf("1", one, yesterday, 1), poll, uploadOf("2", other, yesterday, 1)}, "", 2, 0},
		{"again", []string{uploadOf("1", one, yesterday, 1), uploadOf("1", one, yesterday, 1)}, "", 1, 1},
		{"withdrawn", []string{uploadOf("1", one, yesterday, 1), uploadOf("2", one, yesterday, 5)}, "", 2, 0},
		{"cut off", []string{uploadOf("1", one, yesterday, 1), uploadOf("2", one, yesterday, 1)[:150]}, "", 1, 0},
		{"other content", []string{uploadOf("1", one, yesterday, 1), uploadOf("1", other, yesterday, 1)}, "other content", 1, 1},
		{"another tag", []string{uploadOf("1", one, yesterday, 1), uploadOf("2", one, yesterday, 1)}, "under the tags", 2, 0},
		{"too early", []string{uploadOf("1", one, today, 1)}, "before it may", 1, 0},
		{"unreadable", []string{strings.Replace(uploadOf("1", one, yesterday, 1), "e30.", "e30,", 1)}, "cannot be read", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRecorder("way", func() time.Time { return morning })
			tap := r.tap()
			for _, request := range c.requests {
				if _, err := tap.Write([]byte(request)); err != nil {
					t.Fatal(err)
				}
			}
			tap.Close()
			uploads, again, _ := r.count()
			found := strings.Join(r.findings, "\n")
			if uploads != c.uploads || again != c.again || (found == "") != (c.finding == "") || !strings.Contains(found, c.finding) {
				t.Errorf("%d uploads, %d again, %q; want %d, %d, %q", uploads, again, found, c.uploads, c.again, c.finding)
			}
		})
	}
}

// TestLeaks has lines with and without what must not be said.
func TestLeaks(t *testing.T) {
	gen := keystest.New(1, nil)
	data, other := gen.KeyData(), gen.KeyData()
	for data[0] != 0xfb { // so that base64 has both alphabets
		data = gen.KeyData()
	}
	l := newLeaks()
	l.addKey(data)
	l.addSecret("-----BEGIN SECRET-----\nabcdefghijklmnopqrstuvwxyz\nshort\n")
	for _, c := range []struct{ name, line, want string }{
		{"clean", `{"msg":"pushed","keys":12}`, ""},
		{"empty", ``, ""},
		{"another key", hex.EncodeToString(other[:]), ""},
		{"hexadecimal", `{"key":"` + hex.EncodeToString(data[:]) + `"}`, "key data in hexadecimal"},
		{"upper case", fmt.Sprintf("%X", data[:]), "key data in hexadecimal"},
		{"base64", `{"key":"` + base64.StdEncoding.EncodeToString(data[:]) + `"}`, "key data in base64"},
		{"for URLs", base64.RawURLEncoding.EncodeToString(data[:]), "key data in base64"},
		{"the beginning alone", base64.StdEncoding.EncodeToString(data[:])[:10], "key data in base64"},
		{"secret", "Bearer abcdefghijklmnopqrstuvwxyz!", "a secret"},
		{"nothing secret", "-----BEGIN SECRET----- short", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := l.in(c.line); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
