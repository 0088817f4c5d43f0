package keys_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
)

func TestParseKeyData(t *testing.T) {
	random := keystest.New(1, nil).KeyData()
	tests := []struct {
		name   string
		bytes  []byte
		reason keys.Reason // "" if it is key data
	}{
		{name: "random", bytes: random[:]},
		{name: "one bit", bytes: append(make([]byte, 15), 1)},
		{name: "nil", reason: keys.ReasonLength},
		{name: "empty", bytes: []byte{}, reason: keys.ReasonLength},
		{name: "15 bytes", bytes: random[:15], reason: keys.ReasonLength},
		{name: "17 bytes", bytes: append(random[:], 1), reason: keys.ReasonLength},
		{name: "32 bytes, as one server's documentation has it", bytes: bytes.Repeat([]byte{1}, 32), reason: keys.ReasonLength},
		{name: "base64 text", bytes: []byte("I8e3NiWMh2V5QmdRwsuLIg=="), reason: keys.ReasonLength},
		{name: "zeros", bytes: make([]byte, 16), reason: keys.ReasonZero},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := keys.ParseKeyData(tt.bytes)
			if tt.reason == "" {
				if err != nil || !bytes.Equal(got[:], tt.bytes) || got.IsZero() {
					t.Errorf("got other bytes or an error: %v", err)
				}
				return
			}
			if !errors.Is(err, &keys.Rejection{Field: keys.FieldKeyData, Reason: tt.reason}) {
				t.Errorf("got %v, want a rejection for %s", err, tt.reason)
			}
			if !got.IsZero() {
				t.Error("got key data along with the error")
			}
		})
	}
}

func TestParseKeyDataCopies(t *testing.T) {
	b := bytes.Repeat([]byte{7}, keys.KeyDataSize)
	k, err := keys.ParseKeyData(b)
	if err != nil {
		t.Fatal(err)
	}
	b[0] = 8
	if k[0] != 7 {
		t.Error("key data changed with the slice it was parsed from")
	}
}

// secrets are values that hold key data, each as made with the one given.
var secrets = []struct {
	name string
	of   func(keys.KeyData) any
}{
	{"KeyData", func(d keys.KeyData) any { return d }},
	{"pointer", func(d keys.KeyData) any { return &d }},
	{"slice", func(d keys.KeyData) any { return []keys.KeyData{d, d} }},
	{"array", func(d keys.KeyData) any { return [2]keys.KeyData{d, d} }},
	{"map value", func(d keys.KeyData) any { return map[string]keys.KeyData{"k": d} }},
	{"map key", func(d keys.KeyData) any { return map[keys.KeyData]int{d: 1} }},
	{"struct", func(d keys.KeyData) any { return struct{ K keys.KeyData }{d} }},
	{"embedded", func(d keys.KeyData) any { return struct{ keys.KeyData }{d} }},
	{"interface", func(d keys.KeyData) any { return []any{d, struct{ K any }{d}} }},
	{"optional", func(d keys.KeyData) any { return keys.Some(d) }},
	{"TemporaryExposureKey", func(d keys.KeyData) any { return secretKey(d).TemporaryExposureKey }},
	{"DiagnosisKey", func(d keys.KeyData) any { return secretKey(d) }},
	{"DiagnosisKey pointer", func(d keys.KeyData) any { k := secretKey(d); return &k }},
	{"DiagnosisKey slice", func(d keys.KeyData) any { return []keys.DiagnosisKey{secretKey(d)} }},
	{"DiagnosisKey map", func(d keys.KeyData) any { return map[keys.DiagnosisKey]bool{secretKey(d): true} }},
	{"DiagnosisKey optional", func(d keys.KeyData) any { return keys.Some(secretKey(d)) }},
	{"upload", func(d keys.KeyData) any { return keystest.Upload{ID: "u", Keys: []keys.DiagnosisKey{secretKey(d)}} }},
	{"rejection", func(d keys.KeyData) any {
		k := secretKey(d)
		k.RollingPeriod = 200
		return keys.FromPhone().Check(&k, atUpload)
	}},
}

func secretKey(d keys.KeyData) keys.DiagnosisKey {
	k := goodKey()
	k.KeyData = d
	return k
}

// differs renders a secret around one key data and around another, and reports
// how the texts betray them: they do if they are not the same.
func differs(of func(keys.KeyData) any, render func(any) string) string {
	g := keystest.New(2, nil)
	a, b := g.KeyData(), g.KeyData()
	textA, textB := render(of(a)), render(of(b))
	if form := keystest.Leak(textA, a); form != "" {
		return fmt.Sprintf("holds key data as %s: %s", form, textA)
	}
	if textA != textB {
		return fmt.Sprintf("depends on the key data:\n%s\n%s", textA, textB)
	}
	return ""
}

func TestPrintsRedacted(t *testing.T) {
	flags := []string{"", "+", "-", "#", " ", "0", "+#", "# ", "-30", "030", ".3", "40.20", "#+-0 30.5"}
	for _, secret := range secrets {
		for _, verb := range "abcdefghijklmnoqrstuvxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!世" { // not p and w
			for _, flag := range flags {
				format := "%" + flag + string(verb)
				if got := fmt.Sprintf(format, keys.KeyData{1}); got != "KeyData(redacted)" && verb != 'T' {
					t.Fatalf("%s prints %q", format, got)
				}
				if bad := differs(secret.of, func(v any) string { return fmt.Sprintf(format, v) }); bad != "" {
					t.Fatalf("%s with %s %s", secret.name, format, bad)
				}
			}
		}
	}
}

func TestPrintsRedactedByOtherWays(t *testing.T) {
	tooFew, tooMany := "%[3]x", "-" // as variables, since go vet sees what is wrong with them
	renders := map[string]func(any) string{
		"Sprint":    func(v any) string { return fmt.Sprint(v) },
		"Sprintln":  func(v any) string { return fmt.Sprintln("a", v, v) },
		"Errorf":    func(v any) string { return fmt.Errorf("at %v", v).Error() },
		"surplus":   func(v any) string { return fmt.Sprintf(tooMany, v) },
		"as width":  func(v any) string { return fmt.Sprintf("%[1]*[1]d", v) },
		"indexed":   func(v any) string { return fmt.Sprintf("%[2]x", 1, v) },
		"bad index": func(v any) string { return fmt.Sprintf(tooFew, 1, v) },
	}
	for _, secret := range secrets {
		for name, render := range renders {
			if bad := differs(secret.of, render); bad != "" {
				t.Errorf("%s by %s %s", secret.name, name, bad)
			}
		}
	}
}

func TestPrintsSayRedacted(t *testing.T) {
	k := goodKey()
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%d", "%q"} {
		for _, v := range []any{k.KeyData, k, []keys.DiagnosisKey{k}, keys.Some(k.KeyData)} {
			if got := fmt.Sprintf(format, v); !strings.Contains(got, "KeyData(redacted)") {
				t.Errorf("%T with %s prints %s", v, format, got)
			}
		}
	}
	if got, want := k.KeyData.String(), "KeyData(redacted)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestRedactionLimits holds what the documentation of KeyData says cannot be
// covered. If it fails, package fmt has changed, and the documentation may.
func TestRedactionLimits(t *testing.T) {
	k := keystest.New(3, nil).KeyData()
	format := "%p and %w"
	if got := fmt.Sprintf(format, k, k); keystest.Leak(got, k) == "" {
		t.Errorf("%%p and %%w no longer print the array: %s", got)
	}
	if got := fmt.Sprint(struct{ k keys.KeyData }{k}); keystest.Leak(got, k) == "" {
		t.Errorf("an unexported field no longer prints as an array: %s", got)
	}
}

func TestLogsRedacted(t *testing.T) {
	handlers := map[string]func(io.Writer, *slog.HandlerOptions) slog.Handler{
		"text": func(w io.Writer, o *slog.HandlerOptions) slog.Handler { return slog.NewTextHandler(w, o) },
		"JSON": func(w io.Writer, o *slog.HandlerOptions) slog.Handler { return slog.NewJSONHandler(w, o) },
	}
	for name, newHandler := range handlers {
		for _, secret := range secrets {
			bad := differs(secret.of, func(v any) string {
				var log strings.Builder
				logger := slog.New(newHandler(&log, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
				logger.With("with", v).WithGroup("g").Info("m", "key", v, slog.Group("in", "key", v))
				return log.String()
			})
			if bad != "" {
				t.Errorf("%s in a %s log %s", secret.name, name, bad)
			}
		}
	}
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && len(groups) == 0 {
		return slog.Attr{}
	}
	return a
}

func TestLogsSayRedacted(t *testing.T) {
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "key", goodKey().KeyData)
	if !strings.Contains(log.String(), `"key":"KeyData(redacted)"`) {
		t.Errorf("got %s", log.String())
	}
}

func TestRefusesToBeMarshalled(t *testing.T) {
	encoders := map[string]func(any) ([]byte, error){
		"JSON": json.Marshal,
		"gob": func(v any) ([]byte, error) {
			var b bytes.Buffer
			err := gob.NewEncoder(&b).Encode(v)
			return b.Bytes(), err
		},
	}
	for name, encode := range encoders {
		for _, secret := range secrets {
			if secret.name == "rejection" {
				continue // may be marshalled, and TestLogsRedacted sees what comes of it
			}
			data := goodKey().KeyData
			encoded, err := encode(secret.of(data))
			if form := keystest.Leak(string(encoded), data); err == nil || form != "" {
				t.Errorf("%s as %s: got %v and key data as %q, want an error only", secret.name, name, err, form)
			}
		}
		if _, err := encode(goodKey().KeyData); !errors.Is(err, keys.ErrNotMarshalled) {
			t.Errorf("%s: got %v, want ErrNotMarshalled", name, err)
		}
	}
	if _, err := xml.Marshal(goodKey().KeyData); !errors.Is(err, keys.ErrNotMarshalled) {
		t.Errorf("XML: got %v, want ErrNotMarshalled", err)
	}
	if _, err := json.Marshal(goodKey()); !errors.Is(err, keys.ErrNotMarshalled) {
		t.Errorf("got %v, want ErrNotMarshalled", err)
	}
}
