package keystest_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
)

// TestLeakFindsWhatFmtPrints hides key data in an unexported field, where it
// cannot redact itself, and expects every way of printing it to be found.
func TestLeakFindsWhatFmtPrints(t *testing.T) {
	type careless struct{ key keys.KeyData }
	g := keystest.New(1, nil)
	for range 50 {
		k := g.KeyData()
		for _, format := range []string{
			"%v", "%+v", "%#v", "%d", "%x", "%X", "%#x", "%#X", "% x", "% X", "% #x", "% #X",
			"%o", "%#o", "%O", "%b", "%#b", "%c", "%U", "%s", "%q", "%+q", "%w",
		} {
			for _, v := range []any{careless{k}, []careless{{}, {k}}} {
				text := fmt.Sprintf("key "+format+" refused", v)
				if keystest.Leak(text, k) == "" {
					t.Errorf("%s is not found in %s", format, text)
				}
			}
		}
	}
}

func TestLeakFindsWhatEncodersWrite(t *testing.T) {
	k := keystest.New(1, nil).KeyData()
	asJSON, err := json.Marshal([16]byte(k))
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("refused", "key", k[:])
	for form, text := range map[string]string{
		"raw bytes":       "a" + string(k[:]) + "b",
		"base64":          `{"key":"` + base64.StdEncoding.EncodeToString(k[:]) + `"}`,
		"base64 for URLs": "/key/" + base64.RawURLEncoding.EncodeToString(k[:]),
		"hexadecimal":     fmt.Sprintf("%x…", k[:8]),
		"JSON array":      string(asJSON),
		"quoted":          log.String(),
	} {
		got := keystest.Leak(text, k)
		if got == "" {
			t.Errorf("%s is not found in %q", form, text)
		}
	}
}

func TestLeakFindsNothing(t *testing.T) {
	g := keystest.New(1, nil)
	k, other := g.KeyData(), g.KeyData()
	up := g.Upload(noon)
	for _, text := range []string{
		"",
		fmt.Sprint(k, up),
		fmt.Sprintf("%x", other[:]),
		fmt.Sprintf("%x", k[8:]),
		fmt.Sprintf("%x", k[:7]), // an abbreviation that says which, not what
		base64.StdEncoding.EncodeToString(other[:]),
	} {
		if form := keystest.Leak(text, k); form != "" {
			t.Errorf("found as %s in %q", form, text)
		}
	}
}
