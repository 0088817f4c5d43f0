package orders

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

const operators = "ada:0123456789abcdef\n\n ada:fedcba9876543210 \ngrace:0123456789ABCDEF\n"

// asked is a request to a desk.
type asked struct {
	method, path, kind, name, secret, body string
	header                                 map[string]string
}

// answer returns what a desk says, and what it logs.
func (a asked) answer(t *testing.T, answers map[string]Answer) (status int, body, log string) {
	t.Helper()
	c, err := ParseCredentials(operators)
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	r := httptest.NewRequestWithContext(t.Context(), a.method, a.path, strings.NewReader(a.body))
	r.Header.Set("Content-Type", a.kind)
	for k, v := range a.header {
		r.Header.Set(k, v)
	}
	if a.name != "" {
		r.SetBasicAuth(a.name, a.secret)
	}
	w := httptest.NewRecorder()
	NewDesk(c, slog.New(slog.NewTextHandler(&logged, nil)), answers).ServeHTTP(w, r)
	return w.Code, w.Body.String(), logged.String()
}

// TestDesk: who may ask, how, and what becomes of it.
func TestDesk(t *testing.T) {
	calls := 0
	answers := map[string]Answer{
		"POST /orders": func(_ context.Context, by string, body []byte) (any, error) {
			calls++
			switch string(body) {
			case "{}":
				return map[string]string{"by": by}, nil
			case "unclear":
				return nil, Invalid(errors.New("select.all: a word"))
			case "many":
				return nil, &ledger.OrderError{Reason: ledger.RefusedUnconfirmed, Effects: ledger.Effects{Waiting: 2000}}
			case "none":
				return nil, &ledger.OrderError{Reason: ledger.RefusedUnknown}
			}
			return nil, errors.New("pgledger: the password is hunter2")
		},
		"GET /orders": func(context.Context, string, []byte) (any, error) { calls++; return []int{}, nil },
	}
	good := asked{method: "POST", path: "/orders", kind: "application/json", name: "ada", secret: "0123456789abcdef", body: "{}"}
	with := func(change func(*asked)) asked { a := good; change(&a); return a }
	for _, c := range []struct {
		name   string
		asked  asked
		status int
		says   string // in the answer
		taken  bool
	}{
		{"good", good, 200, `"by": "ada"`, true},
		{"a secret that is about to be replaced", with(func(a *asked) { a.secret = "fedcba9876543210" }), 200, `"by": "ada"`, true},
		{"with a charset", with(func(a *asked) { a.kind = "application/json; charset=utf-8" }), 200, "", true},
		{"records", with(func(a *asked) { a.method, a.kind, a.body = "GET", "", "" }), 200, "[]", true},
		{"nobody", with(func(a *asked) { a.name = "" }), 401, "", false},
		{"no secret", with(func(a *asked) { a.secret = "" }), 401, "", false},
		{"another's secret", with(func(a *asked) { a.name = "grace" }), 401, "", false},
		{"a stranger", with(func(a *asked) { a.name = "eve" }), 401, "", false},
		{"a stranger, elsewhere", with(func(a *asked) { a.name, a.path = "eve", "/nowhere" }), 404, "", false},
		{"a stranger reads", with(func(a *asked) { a.name, a.method = "eve", "GET" }), 401, "", false},
		{"a form of a web page", with(func(a *asked) { a.kind = "application/x-www-form-urlencoded" }), 415, "", false},
		{"text", with(func(a *asked) { a.kind = "text/plain" }), 415, "", false},
		{"a script of another site", with(func(a *asked) { a.header = map[string]string{"Sec-Fetch-Site": "cross-site"} }), 403, "", false},
		{"too large", with(func(a *asked) { a.body = strings.Repeat(" ", maxBody+1) }), 413, "", false},
		{"another method", with(func(a *asked) { a.method = "DELETE" }), 405, "", false},
		{"unclear", with(func(a *asked) { a.body = "unclear" }), 400, "select.all", true},
		{"unconfirmed", with(func(a *asked) { a.body = "many" }), 409, `"changes": 2000`, true},
		{"refused", with(func(a *asked) { a.body = "none" }), 422, `"reason": "unknown"`, true},
		{"failed", with(func(a *asked) { a.body = "else" }), 500, "log", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls = 0
			status, body, log := c.asked.answer(t, answers)
			if status != c.status || !strings.Contains(body, c.says) || (calls == 1) != c.taken {
				t.Errorf("answered %d %q after %d calls, want %d with %q", status, body, calls, c.status, c.says)
			}
			if strings.Contains(body, "hunter2") || c.asked.secret != "" && strings.Contains(body+log, c.asked.secret) {
				t.Errorf("somebody is told a secret: %q, %q", body, log)
			}
			if refused := strings.Contains(log, "refused"); refused != (c.status == 401) {
				t.Errorf("logged %q", log)
			}
		})
	}
}

func TestParseCredentials(t *testing.T) {
	for text, want := range map[string]string{
		"":      "nobody",
		"\n \n": "nobody",
		"ada\n": "line 1",
		"ada:0123456789abcdef\n:0123456789abcdef": "line 2",
		"ada:hunter2": "want 16 or more",
	} {
		if _, err := ParseCredentials(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// TestParse reads all that an order may say.
func TestParse(t *testing.T) {
	data := keystest.New(1, nil).KeyData()
	for _, text := range []string{
		hex.EncodeToString(data[:]), base64.StdEncoding.EncodeToString(data[:]),
		base64.RawURLEncoding.EncodeToString(data[:]),
	} {
		o, err := Parse(fmt.Appendf(nil, `{
			"id": "7", "action": "withdraw", "immediately": true, "confirm": 3, "previewed": "2026-03-01T10:00:00Z", "why": "wrong sample",
			"select": {"units": [{"origin": "DE", "keyData": %q}], "uploads": ["u"], "origin": "DE", "source": "own",
				"testType": "UNSTATED", "reportType": "CONFIRMED_TEST", "from": "2026-03-01T08:00:00Z", "to": "2026-03-01T09:00:00Z"}
		}`, text), "ada")
		if err != nil {
			t.Fatal(err)
		}
		test, stated := o.Select.TestType.Get()
		switch s := o.Select; {
		case len(s.Units) != 1 || s.Units[0].KeyData != data || s.Units[0].Origin.String() != "DE",
			o.ID != "7" || o.By != "ada" || o.Why != "wrong sample" || !o.Immediately || o.Confirm != 3 || o.Previewed.Hour() != 10,
			len(s.Uploads) != 1 || s.Source != ledger.Own || s.Origin.String() != "DE" || s.From.Hour() != 8 || s.To.Hour() != 9 || s.All,
			!stated || test != keys.TestUnstated || s.ReportType != keys.Some(keys.ReportConfirmedTest):
			t.Errorf("got %+v", o)
		}
	}
	o, err := Parse([]byte(`{"action": "hold", "holds": {"origins": ["FR"], "sources": ["hub"]}, "why": "x"}`), "ada")
	if err != nil || len(o.Holds.Origins) != 1 || len(o.Holds.Sources) != 1 {
		t.Errorf("got %+v, %v", o, err)
	}
	o, err = Parse([]byte(`{"action": "revise", "reportType": "CONFIRMED_TEST", "select": {"all": true}}`), "ada")
	if err != nil || o.ReportType != keys.Some(keys.ReportConfirmedTest) || !o.Select.All {
		t.Errorf("got %+v, %v", o, err)
	}
	secret := hex.EncodeToString(data[:])
	for text, want := range map[string]string{
		``:                         "EOF",
		`{} {}`:                    "follows",
		`{"by": "grace"}`:          "by",
		`{"select": {"unit": []}}`: "unit",
		`{"select": {"units": [{"origin": "DE", "keyData": "` + secret + `00"}]}}`: "select.units[0].keyData",
		`{"select": {"origin": "` + secret + `"}}`:                                 "region",
		`{"select": {"from": "` + secret + `"}}`:                                   "time",
		`{"reportType": "CONFIRMED"}`:                                              "",
	} {
		if _, err := Parse([]byte(text), "ada"); err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(want)) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

func TestParseInquiry(t *testing.T) {
	data := keystest.New(1, nil).KeyData()
	text := hex.EncodeToString(data[:])
	in, err := ParseInquiry([]byte(`{"keyData": "` + text + `", "origin": "DE", "rollingStartIntervalNumber": 2656800}`))
	if err != nil || in.KeyData != data || in.Origin.String() != "DE" || in.RollingStartIntervalNumber != 2656800 {
		t.Errorf("got %v, %v", in, err)
	}
	for _, text := range []string{`{}`, `{"keyData": "` + text + `00"}`, `{"keyData": "` + text + `", "rollingStartIntervalNumber": -1}`, `{"keyData": "` + text + `", "more": 1}`, `[]`} {
		if _, err := ParseInquiry([]byte(text)); err == nil || keystest.Leak(err.Error(), data) != "" {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// FuzzParse: an order is read or refused, whatever comes, and no error quotes it.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"action": "withdraw", "select": {"units": [{"origin": "DE", "keyData": "00112233445566778899aabbccddeeff"}]}}`))
	f.Add([]byte(`{"action": "hold", "holds": {"sources": ["hub"]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := Parse(text, "ada")
		if err != nil {
			return
		}
		if o.By != "ada" {
			t.Errorf("by %q", o.By)
		}
		if !json.Valid(text) {
			t.Error("no JSON")
		}
		if _, err := ParseInquiry(text); err == nil && o.Action != "" {
			t.Error("an order and an inquiry")
		}
	})
}

// TestDeskIsPatient: what takes longer than a server lets answers take, such as a repair
// of the whole tree, is answered.
func TestDeskIsPatient(t *testing.T) {
	c, err := ParseCredentials(operators)
	if err != nil {
		t.Fatal(err)
	}
	const timeout = 50 * time.Millisecond
	server := httptest.NewUnstartedServer(NewDesk(c, slog.New(slog.DiscardHandler), map[string]Answer{
		"POST /repair": func(context.Context, string, []byte) (any, error) {
			time.Sleep(4 * timeout)
			return "done", nil
		},
	}))
	server.Config.WriteTimeout = timeout
	server.Start()
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/repair", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth("grace", "0123456789ABCDEF")
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err != nil || string(text) != "\"done\"\n" {
		t.Errorf("the answer is %q, %v", text, err)
	}
}
