package interop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/jsontext"
	"github.com/gaenkit/gaen/federation/internal/service"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/jws"
	"github.com/gaenkit/gaen/storage/ledger"
)

// TestUploadContents has the rows of the first table of what was measured that are
// about content. Where the interoperability service refuses a batch for one key,
// that key alone is set aside.
func TestUploadContents(t *testing.T) {
	w := newWorld(t, nil)
	n := 0
	for _, tt := range []struct {
		name     string
		change   func(fields map[string]string) // of the second of two exposures
		inserted int
		rejected string // by field and reason; "" for none
	}{
		{"valid", func(f map[string]string) {}, 2, ""},
		{"key data of 0 bytes", func(f map[string]string) { f["keyData"] = `""` }, 1, "key_data/length"},
		{"key data of 15 bytes", func(f map[string]string) { f["keyData"] = `"AAECAwQFBgcICQoLDA0O"` }, 1, "key_data/length"},
		{"key data of 17 bytes", func(f map[string]string) { f["keyData"] = `"AAECAwQFBgcICQoLDA0ODxA="` }, 1, "key_data/length"},
		{"key data in hexadecimal", func(f map[string]string) { f["keyData"] = `"000102030405060708090a0b0c0d0e0f"` }, 1, "key_data/length"},
		{"no key data", func(f map[string]string) { delete(f, "keyData") }, 1, "key_data/missing"},
		{"key data a number", func(f map[string]string) { f["keyData"] = "5" }, 1, "key_data/malformed"},
		{"key data an array", func(f map[string]string) { f["keyData"] = "[235,169,1,2,3,4,5,6,7,8,9,10,11,12,13,14]" }, 1, "key_data/malformed"},
		{"key data in base64url, unpadded, with a line break", func(f map[string]string) {
			f["keyData"] = strings.NewReplacer("+", "-", "/", "_", "=", "", `"A`, `"\nA`).Replace(f["keyData"])
		}, 2, ""},
		{"no report type", func(f map[string]string) { delete(f, "reportType") }, 2, ""},
		{"no test type", func(f map[string]string) { f["testType"] = "null" }, 2, ""},
		{"no risk", func(f map[string]string) { delete(f, "transmissionRiskLevel") }, 2, ""},
		{"no period", func(f map[string]string) { delete(f, "rollingPeriod") }, 1, "rolling_period/missing"},
		{"no start", func(f map[string]string) { delete(f, "rollingStartNumber") }, 1, "rolling_start_interval_number/missing"},
		{"no onset", func(f map[string]string) { delete(f, "daysSinceOnset") }, 2, ""},
		{"no regions", func(f map[string]string) { delete(f, "regions") }, 2, ""},
		{"empty regions", func(f map[string]string) { f["regions"] = "[]" }, 2, ""},
		{"regions a string", func(f map[string]string) { f["regions"] = `"IE"` }, 1, "visited_countries/malformed"},
		{"period 0", func(f map[string]string) { f["rollingPeriod"] = "0" }, 1, "rolling_period/range"},
		{"period 145", func(f map[string]string) { f["rollingPeriod"] = "145" }, 1, "rolling_period/range"},
		{"period 1440", func(f map[string]string) { f["rollingPeriod"] = "1440" }, 1, "rolling_period/range"},
		{"start 0", func(f map[string]string) { f["rollingStartNumber"] = "0" }, 1, "rolling_start_interval_number/too-old"},
		{"start 2^31-1", func(f map[string]string) { f["rollingStartNumber"] = "2147483647" }, 1, "rolling_start_interval_number/in-future"},
		{"risk -5", func(f map[string]string) { f["transmissionRiskLevel"] = "-5" }, 1, "transmission_risk_level/range"},
		{"risk 255", func(f map[string]string) { f["transmissionRiskLevel"] = "255" }, 1, "transmission_risk_level/range"},
		{"report type 77", func(f map[string]string) { f["reportType"] = "77" }, 1, "report_type/range"},
		{"report type 4, which nobody may send", func(f map[string]string) { f["reportType"] = "4" }, 1, "report_type/not-allowed"},
		{"test type 99", func(f map[string]string) { f["testType"] = "99" }, 1, "test_type/range"},
		{"onset 50", func(f map[string]string) { f["daysSinceOnset"] = "50" }, 1, "days_since_onset_of_symptoms/range"},
		{"a number over int4", func(f map[string]string) { f["rollingPeriod"] = "4294967440" }, 1, "rolling_period/range"},
		{"an enumeration's name", func(f map[string]string) { f["reportType"] = `"CONFIRMED_TEST"` }, 1, "report_type/malformed"},
		{"numbers as strings", func(f map[string]string) { f["rollingPeriod"] = `"144"` }, 2, ""},
		{"its own origin", func(f map[string]string) { f["origin"] = `"IE"` }, 2, ""},
		{"another's origin", func(f map[string]string) { f["origin"] = `"DE"` }, 1, "origin/not-allowed"},
		{"a path as origin", func(f map[string]string) { f["origin"] = `"../../DE"` }, 1, "origin/malformed"},
		{"a header as origin", func(f map[string]string) { f["origin"] = `"IE\r\nSet-Cookie: a"` }, 1, "origin/length"},
		{"a URL as origin", func(f map[string]string) { f["origin"] = `"http://127.0.0.1/IE"` }, 1, "origin/length"},
		{"NUL in an origin", func(f map[string]string) { f["origin"] = `"I\u0000E"` }, 1, "origin/malformed"},
		{"an origin of 1 MiB", func(f map[string]string) { f["origin"] = `"` + strings.Repeat("IE", 1<<19) + `"` }, 1, "origin/length"},
		{"an origin that is deep", func(f map[string]string) { f["origin"] = strings.Repeat("[", 5000) + strings.Repeat("]", 5000) }, 1, "origin/malformed"},
		{"a path as region", func(f map[string]string) { f["regions"] = `["IE","../DE"]` }, 1, "visited_countries/malformed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ks := w.newKeys(ie, 2)
			var fields map[string]json.RawMessage
			if err := json.Unmarshal([]byte(strings.Trim(payload(ks[1]), "[]")), &fields); err != nil {
				t.Fatal(err)
			}
			spelt := map[string]string{}
			for name, v := range fields {
				spelt[name] = string(v)
			}
			tt.change(spelt)
			var list []string
			for name, v := range spelt {
				list = append(list, `"`+name+`":`+v)
			}
			n++
			before := w.stored("ie")
			got := w.upload("ie", fmt.Sprint(n), "["+strings.Trim(payload(ks[0]), "[]")+",{"+strings.Join(list, ",")+"}]")
			want := fmt.Sprintf(`{"batchTag":"%d","insertedExposures":%d`, n, tt.inserted)
			if tt.rejected != "" {
				want += `,"rejectedExposures":1,"rejections":{"` + tt.rejected + `":1}`
			}
			if got.status != 200 || got.body != want+"}" {
				t.Errorf("got  %d %s\nwant 200 %s}", got.status, got.body, want)
			}
			if after := w.stored("ie"); after-before != tt.inserted {
				t.Errorf("stored %d, want %d", after-before, tt.inserted)
			}
			noLeak(t, "the answer", got.body, ks)
			noLeak(t, "the log", w.log.String(), ks)
		})
	}
}

// TestUploadRepeats: repeats and duplicates are no errors, and are counted once.
func TestUploadRepeats(t *testing.T) {
	w := newWorld(t, nil)
	ks := w.newKeys(ie, 3)
	for _, tt := range []struct{ name, id, tag, payload, want string }{
		{"valid", "ie", "a", payload(ks...), `{"batchTag":"a","insertedExposures":3}`},
		{"again", "ie", "a", payload(ks...), `{"batchTag":"a","insertedExposures":0}`},
		{"again, another tag", "ie", "b", payload(ks...), `{"batchTag":"b","insertedExposures":0}`},
		{"twice in one batch", "ie", "c", payload(append(w.newKeys(ie, 1), ks[0], ks[0])...), `{"batchTag":"c","insertedExposures":1}`},
		{"none", "ie", "d", "[]", `{"batchTag":"d","insertedExposures":0}`},
		{"null", "ie", "e", "[null]", `{"batchTag":"e","insertedExposures":0,"rejectedExposures":1,"rejections":{"key_data/malformed":1}}`},
		// The service files B's keys under A if B's tag is one of A's (H 21).
		{"a tag of another nation's", "gi", "a", payload(w.newKeys(gi, 2)...), `{"batchTag":"a","insertedExposures":2}`},
	} {
		if got := w.upload(tt.id, tt.tag, tt.payload); got.status != 200 || got.body != tt.want {
			t.Errorf("%s: got %d %s, want %s", tt.name, got.status, got.body, tt.want)
		}
	}
	w.release()
	for id, want := range map[string]int{"ie": 2, "gi": 4, "gb": 6} {
		page, err := w.client(id).Download(t.Context(), federation.Place{Day: federation.DayOf(noon)})
		if err != nil || len(page.Keys) != want {
			t.Errorf("%s is given %d keys, %v, want %d", id, len(page.Keys), err, want)
		}
	}
}

// TestTwoAuthorizations: which of two counts, two programs on the way may see
// differently.
func TestTwoAuthorizations(t *testing.T) {
	w := newWorld(t, nil)
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/download/2021-06-02", nil)
	r.Header["Authorization"] = []string{w.token("ie"), w.token("gi")}
	answer := httptest.NewRecorder()
	if w.server.ServeHTTP(answer, r); answer.Code != 401 {
		t.Errorf("got %d", answer.Code)
	}
}

// TestOnsetOfZero: a client of the field sends 0 for want of an onset, one that
// knows the extended form means it.
func TestOnsetOfZero(t *testing.T) {
	w := newWorld(t, nil)
	plain, extended := w.newKeys(ie, 1)[0], w.newKeys(keys.MustRegion("DK"), 1)[0]
	plain.DaysSinceOnsetOfSymptoms, extended.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(0)), keys.Some(keys.DaysSinceOnset(0))
	for id, k := range map[string]keys.DiagnosisKey{"ie": plain, "dk": extended} {
		if got := w.upload(id, "t", payload(k)); got.status != 200 {
			t.Fatal(got)
		}
	}
	w.release()
	page, err := w.client("gw").Download(t.Context(), federation.Place{Day: federation.DayOf(noon)})
	if err != nil || len(page.Keys) != 2 {
		t.Fatal(page, err)
	}
	for _, k := range page.Keys {
		if k.DaysSinceOnsetOfSymptoms.Present() != (k.Origin != ie) {
			t.Errorf("of %s the onset is %s", k.Origin, k.DaysSinceOnsetOfSymptoms)
		}
	}
}

// TestReceipt has all that an answer may say.
func TestReceipt(t *testing.T) {
	got, err := receiptReply("t", &ledger.Receipt{
		Accepted: 3, Revised: 2, Duplicates: 5, WithdrawalsTaken: 1, WithdrawalsRefused: 4,
		Rejected: []ledger.SetAside{
			{Field: keys.FieldRollingPeriod, Reason: keys.ReasonRange}, {Field: keys.FieldOrigin, Reason: keys.ReasonNotAllowed},
			{Field: keys.FieldRollingPeriod, Reason: keys.ReasonRange},
		},
	})
	const want = `{"batchTag":"t","insertedExposures":5,"rejectedExposures":3,"rejections":{"origin/not-allowed":1,"rolling_period/range":2},"refusedWithdrawals":4}`
	if err != nil || got.Status != 200 || string(got.Parts[0]) != want {
		t.Errorf("got %s, %v", got.Parts[0], err)
	}
}

// TestUploadTags has the tags that were tried, and those that look like something
// else.
func TestUploadTags(t *testing.T) {
	w := newWorld(t, nil)
	for _, tt := range []struct {
		name, tag string // as JSON; "" leaves it out
		status    int
		want      string // what is said, or the tag that is given back
	}{
		{"UUID", `"` + uuid + `"`, 200, `"` + uuid + `"`},
		{"no UUID", `"x"`, 200, `"x"`},
		{"number", `17`, 200, `"17"`},
		{"1024 bytes", `"` + strings.Repeat("x", 1024) + `"`, 200, strings.Repeat("x", 1024)},
		{"path", `"../../etc/passwd"`, 200, `"../../etc/passwd"`},
		{"URL", `"http://127.0.0.1/"`, 200, `"http://127.0.0.1/"`},
		{"header", `"a\r\nSet-Cookie: b"`, 200, `"a\r\nSet-Cookie: b"`},
		{"NUL", `"a\u0000b"`, 200, `"a\u0000b"`},
		{"not UTF-8", "\"a\xffb\"", 200, "\"a\ufffdb\""},
		{"HTML", `"<script>"`, 200, `"\u003cscript\u003e"`},
		{"1025 bytes", `"` + strings.Repeat("x", 1025) + `"`, 400, "batchTag"},
		{"5000 bytes", `"` + strings.Repeat("x", 5000) + `"`, 400, "batchTag"},
		{"a number of 5000 digits", strings.Repeat("1", 5000), 400, "batchTag"},
		{"missing", "", 400, "batchTag"},
		{"null", "null", 400, "batchTag"},
		{"empty", `""`, 400, "batchTag"},
		{"array", `["x"]`, 400, "batchTag"},
		{"twice", `"x","batchTag":"y"`, 400, "batchTag"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			signed, err := w.signers["ie"].Sign([]byte(payload(w.newKeys(ie, 1)...)))
			if err != nil {
				t.Fatal(err)
			}
			body := `{"payload":"` + signed + `"}`
			if tt.tag != "" {
				body = `{"batchTag":` + tt.tag + `,"payload":"` + signed + `"}`
			}
			before := w.stored("ie")
			got := w.do(call{path: "/upload", token: "Bearer " + w.token("ie"), body: body})
			if got.status != tt.status || !strings.Contains(got.body, tt.want) || got.header.Get("Set-Cookie") != "" {
				t.Errorf("got %d %.200s, want %d %.50s", got.status, got.body, tt.status, tt.want)
			}
			if stored := w.stored("ie") - before; stored != map[bool]int{true: 1}[tt.status == 200] {
				t.Errorf("stored %d", stored)
			}
		})
	}
}

// TestUploadRequests has the rows about requests.
func TestUploadRequests(t *testing.T) {
	w := newWorld(t, &ServerOptions{MaxUpload: 10_000, MaxKeys: 20})
	token := w.token("ie")
	good := w.envelope("ie", "t", payload(w.newKeys(ie, 1)...))
	for _, tt := range []struct {
		name string
		call call
		want int
	}{
		{"valid", call{path: "/upload", token: "Bearer " + token, body: good}, 200},
		{"with a prefix", call{path: "/diagnosiskeys/upload", token: "Bearer " + token, body: good}, 200},
		{"no scheme", call{path: "/upload", token: token, body: good}, 200},
		{"the scheme in small letters", call{path: "/upload", token: "bearer " + token, body: good}, 200},
		{"space around the token", call{path: "/upload", token: "Bearer   " + token + " ", body: good}, 200},
		{"a charset", call{path: "/upload", token: token, body: good, header: map[string]string{"Content-Type": "application/json; charset=utf-8"}}, 200},
		{"Expect", call{path: "/upload", token: token, body: good, header: map[string]string{"Expect": "100-continue"}}, 200},
		{"unknown fields", call{path: "/upload", token: token, body: `{"x":[1],` + good[1:]}, 200},

		{"no token", call{path: "/upload", body: good}, 401},
		{"no token and no JSON", call{path: "/upload", body: "x"}, 401},
		{"no token and no content type", call{path: "/upload", body: "x", header: map[string]string{"Content-Type": ""}}, 401},
		{"no token and another method", call{path: "/upload", method: "PUT"}, 401},
		{"garbage as token", call{path: "/upload", token: "Bearer garbage", body: good}, 401},
		{"another scheme", call{path: "/upload", token: "Basic " + token, body: good}, 401},
		{"a scheme alone", call{path: "/upload", token: "Bearer", body: good}, 401},
		{"two tokens", call{path: "/upload", token: "Bearer " + token + " " + token, body: good}, 401},

		{"no right to upload", call{path: "/upload", token: w.token("mute"), body: good}, 403},
		{"GET", call{path: "/upload", method: "GET", token: token}, 405},
		{"PUT", call{path: "/upload", method: "PUT", token: token, body: good}, 405},
		{"a slash behind", call{path: "/upload/", token: token, body: good}, 404},
		{"another prefix", call{path: "/x/upload", token: token, body: good}, 404},
		{"two prefixes", call{path: "/diagnosiskeys/diagnosiskeys/upload", token: token, body: good}, 404},
		{"the root", call{path: "/", token: token, body: good}, 404},

		{"empty", call{path: "/upload", method: "POST", token: token, header: map[string]string{"Content-Type": "application/json"}}, 400},
		{"not JSON", call{path: "/upload", token: token, body: "x"}, 400},
		{"an array", call{path: "/upload", token: token, body: "[" + good + "]"}, 400},
		{"two objects", call{path: "/upload", token: token, body: good + good}, 400},
		{"deep JSON", call{path: "/upload", token: token, body: `{"batchTag":"t","payload":` + strings.Repeat("[", 4000) + strings.Repeat("]", 4000) + "}"}, 400},
		{"no payload", call{path: "/upload", token: token, body: `{"batchTag":"t"}`}, 400},
		{"payload null", call{path: "/upload", token: token, body: `{"batchTag":"t","payload":null}`}, 400},
		{"payload unsigned", call{path: "/upload", token: token, body: `{"batchTag":"t","payload":[]}`}, 400},
		{"payload twice", call{path: "/upload", token: token, body: `{"payload":"x",` + good[1:]}, 400},
		{"text", call{path: "/upload", token: token, body: good, header: map[string]string{"Content-Type": "text/plain"}}, 415},
		{"a form", call{path: "/upload", token: token, body: good, header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, 415},
		{"no content type", call{path: "/upload", token: token, body: good, header: map[string]string{"Content-Type": ""}}, 415},
		{"gzip", call{path: "/upload", token: token, body: good, header: map[string]string{"Content-Encoding": "gzip"}}, 415},
		{"as large as allowed", call{path: "/upload", token: token, body: good + strings.Repeat(" ", 10_000-len(good))}, 200},
		{"one byte more", call{path: "/upload", token: token, body: good + strings.Repeat(" ", 10_001-len(good))}, 413},
		{"as many keys as allowed", call{path: "/upload", token: token, body: w.envelope("ie", "t", "["+strings.Repeat("{},", 19)+"{}]")}, 200},
		{"one more", call{path: "/upload", token: token, body: w.envelope("ie", "t", "["+strings.Repeat("{},", 20)+"{}]")}, 413},

		{"signed: an object", call{path: "/upload", token: token, body: w.envelope("ie", "t", "{}")}, 400},
		{"signed: null", call{path: "/upload", token: token, body: w.envelope("ie", "t", "null")}, 400},
		{"signed: a string", call{path: "/upload", token: token, body: w.envelope("ie", "t", `"[]"`)}, 400},
		{"signed: not JSON", call{path: "/upload", token: token, body: w.envelope("ie", "t", "[")}, 400},
		{"signed: nothing", call{path: "/upload", token: token, body: w.envelope("ie", "t", "")}, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := w.do(tt.call)
			if got.status != tt.want {
				t.Errorf("got %d %s, want %d", got.status, got.body, tt.want)
			}
			checkAnswer(t, got)
		})
	}
	if n := w.stored("ie"); n != 1 {
		t.Errorf("%d keys are stored, want the one", n)
	}
}

// checkAnswer checks what every answer must be.
func checkAnswer(t *testing.T, got outcome) {
	t.Helper()
	if got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control is %q", got.header.Get("Cache-Control"))
	}
	if got.status < 400 {
		return
	}
	var said struct {
		StatusCode     int
		Error, Message string
	}
	if err := json.Unmarshal([]byte(got.body), &said); err != nil || said.StatusCode != got.status || said.Error != http.StatusText(got.status) || said.Message == "" {
		t.Errorf("status %d says %s", got.status, got.body)
	}
	switch {
	case got.status == 401 && got.header.Get("WWW-Authenticate") == "":
		t.Error("no WWW-Authenticate")
	case got.status == 405 && got.header.Get("Allow") == "":
		t.Error("no Allow")
	case (got.status == 429 || got.status == 503) && got.header.Get("Retry-After") == "":
		t.Error("no Retry-After")
	}
}

// TestUnauthorizedAsTheServiceSays: clients may compare.
func TestUnauthorizedAsTheServiceSays(t *testing.T) {
	if got := newWorld(t, nil).do(call{path: "/upload", body: "x"}); got.status != 401 || got.body != unauthorized {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

// TestDownloadRequests has the rows of the second table.
func TestDownloadRequests(t *testing.T) {
	w := newWorld(t, nil)
	token := "Bearer " + w.token("gi")
	if got := w.do(call{path: "/download/2021-06-02", token: token}); got.status != 204 || got.body != "" || got.header.Get("Content-Type") != "" {
		t.Errorf("no batch yet: got %d %s", got.status, got.body)
	}
	ks := w.newKeys(ie, 150)
	if got := w.upload("ie", "t", payload(ks...)); got.status != 200 {
		t.Fatal(got)
	}
	w.release()
	first := w.do(call{path: "/download/2021-06-02", token: token})
	var page struct{ BatchTag string }
	if err := json.Unmarshal([]byte(first.body), &page); err != nil || first.status != 200 || page.BatchTag == "" {
		t.Fatal(first, err)
	}
	tag := url.QueryEscape(page.BatchTag)
	for _, tt := range []struct {
		name string
		call call
		want int
		page bool // the first one
	}{
		{"a page", call{path: "/download/2021-06-02", token: token}, 200, true},
		{"with a prefix", call{path: "/diagnosiskeys/download/2021-06-02", token: token}, 200, true},
		{"an earlier day", call{path: "/download/1970-01-01", token: token}, 200, true},
		{"a later day", call{path: "/download/2021-06-03", token: token}, 204, false},
		{"a day far off", call{path: "/download/9999-12-31", token: token}, 204, false},
		{"after the last", call{path: "/download/2021-06-02?batchTag=" + tag, token: token}, 204, false},
		{"after the last, whatever the day", call{path: "/download/1970-01-01?batchTag=" + tag, token: token}, 204, false},
		{"an empty tag", call{path: "/download/2021-06-02?batchTag=", token: token}, 200, true},
		{"a parameter of another case", call{path: "/download/2021-06-02?batchtag=" + tag, token: token}, 200, true},
		// The service says 204 for ever, or 500, and nothing is ever read again.
		{"an unknown tag", call{path: "/download/2021-06-02?batchTag=" + uuid, token: token}, 200, true},
		{"an unknown tag that is no UUID", call{path: "/download/2021-06-02?batchTag=x", token: token}, 200, true},
		{"an upload's tag", call{path: "/download/2021-06-02?batchTag=t", token: token}, 200, true},
		{"a path as tag", call{path: "/download/2021-06-02?batchTag=..%2f..%2fetc", token: token}, 200, true},
		{"a header as tag", call{path: "/download/2021-06-02?batchTag=a%0d%0aX:1%00", token: token}, 200, true},
		{"a tag of 1024 bytes", call{path: "/download/2021-06-02?batchTag=" + strings.Repeat("x", 1024), token: token}, 200, true},

		{"a tag of 1025 bytes", call{path: "/download/2021-06-02?batchTag=" + strings.Repeat("x", 1025), token: token}, 400, false},
		{"two tags", call{path: "/download/2021-06-02?batchTag=a&batchTag=b", token: token}, 400, false},
		{"a query that is none", call{path: "/download/2021-06-02?batchTag=%zz", token: token}, 400, false},
		{"a day without hyphens", call{path: "/download/20210602", token: token}, 400, false},
		{"a short day", call{path: "/download/2021-6-2", token: token}, 400, false},
		{"a word", call{path: "/download/yesterday", token: token}, 400, false},
		{"a time", call{path: "/download/2021-06-02T00:00:00Z", token: token}, 400, false},
		{"a space", call{path: "/download/2021-06-02%20", token: token}, 400, false},
		{"a 13th month", call{path: "/download/2020-13-01", token: token}, 400, false},
		{"a 30th of February", call{path: "/download/2020-02-30", token: token}, 400, false},
		{"zeros", call{path: "/download/0000-00-00", token: token}, 400, false},
		{"no day", call{path: "/download/", token: token}, 400, false},
		{"no day nor slash", call{path: "/download", token: token}, 404, false},
		{"more behind", call{path: "/download/2021-06-02/x", token: token}, 404, false},
		{"the European gateway's", call{path: "/efgs/download/2021-06-02", token: token}, 404, false},
		{"HEAD", call{method: "HEAD", path: "/download/2021-06-02", token: token}, 405, false},
		{"POST", call{method: "POST", path: "/download/2021-06-02", token: token}, 405, false},
		{"no token", call{path: "/download/2021-06-02"}, 401, false},
		{"no token and a bad day", call{path: "/download/x"}, 401, false},
		{"garbage as token", call{path: "/download/2021-06-02", token: "Bearer x"}, 401, false},
		{"no right to download", call{path: "/download/2021-06-02", token: w.token("deaf")}, 403, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := w.do(tt.call)
			if got.status != tt.want || tt.page && got.body != first.body {
				t.Errorf("got %d %.100s, want %d", got.status, got.body, tt.want)
			}
			if tt.call.method != "HEAD" {
				checkAnswer(t, got)
			}
		})
	}
	own := w.do(call{path: "/download/2021-06-02", token: "Bearer " + w.token("ie")})
	if own.status != 200 || own.body != `{"batchTag":"`+page.BatchTag+`","exposures":[]}` {
		t.Errorf("own keys alone: got %d %s", own.status, own.body)
	}
	noLeak(t, "the log", w.log.String(), ks)
}

// TestNewServerRefuses, and names what is wrong.
func TestNewServerRefuses(t *testing.T) {
	w := newWorld(t, nil)
	for _, tt := range []struct {
		want    string
		hub     *federation.Hub
		nations Nations
		tokens  Tokens
		opts    ServerOptions
	}{
		{"hub", nil, w.members, w.tokens, ServerOptions{}},
		{"nations", w.hub, nil, w.tokens, ServerOptions{}},
		{"tokens", w.hub, w.members, nil, ServerOptions{}},
		{"Prefixes", w.hub, w.members, w.tokens, ServerOptions{Prefixes: []string{"", "x"}}},
		{"Prefixes", w.hub, w.members, w.tokens, ServerOptions{Prefixes: []string{"/"}}},
		{"MaxUpload", w.hub, w.members, w.tokens, ServerOptions{MaxUpload: -1}},
		{"MaxKeys", w.hub, w.members, w.tokens, ServerOptions{MaxKeys: -1}},
		{"Parallel", w.hub, w.members, w.tokens, ServerOptions{Parallel: -1}},
	} {
		if _, err := NewServer(tt.hub, tt.nations, tt.tokens, &tt.opts); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want it to name %s", err, tt.want)
		}
	}
}

func TestDirectory(t *testing.T) {
	v := verifierOf(t, newSigner(t, nil))
	good := Member{Nation: federation.Nation{Name: "ie", Region: ie}, Verifier: v}
	for _, tt := range []struct {
		want   string
		change func(m *Member)
	}{
		{"Name", func(m *Member) { m.Name = "" }},
		{"Name", func(m *Member) { m.Name = "IE" }},
		{"Name", func(m *Member) { m.Name = ledger.Own }},
		{"Name", func(m *Member) { m.Name = ledger.Operator }},
		{"Region", func(m *Member) { m.Region = keys.Region{} }},
		{"Verifier", func(m *Member) { m.Verifier = nil }},
	} {
		m := good
		tt.change(&m)
		if _, err := NewDirectory(map[string]Member{"IE": m}); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), `"IE"`) {
			t.Errorf("got %v, want it to name %s", err, tt.want)
		}
	}
	if _, err := NewDirectory(map[string]Member{"a": good, "b": good}); err == nil || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("two nations of one name: %v", err)
	}
	if _, err := new(Directory).Member(t.Context(), "a"); !errors.Is(err, ErrUnknownNation) {
		t.Errorf("got %v", err)
	}
	table := map[string]Member{"a": good}
	d, err := NewDirectory(table)
	if err != nil {
		t.Fatal(err)
	}
	table["b"] = good
	if m, err := d.Member(t.Context(), "a"); err != nil || m.Name != good.Name || m.Verifier != v {
		t.Error(m, err)
	}
	if m, err := d.Member(t.Context(), "b"); !errors.Is(err, ErrUnknownNation) || m != nil {
		t.Error(m, err)
	}
	if err := d.Replace(map[string]Member{"c": {}}); err == nil {
		t.Error("an empty member is taken")
	}
	if _, err := d.Member(t.Context(), "a"); err != nil {
		t.Error("a replacement that failed has replaced")
	}
	if err := d.Replace(nil); err != nil {
		t.Error(err)
	}
	if _, err := d.Member(t.Context(), "a"); !errors.Is(err, ErrUnknownNation) {
		t.Errorf("got %v", err)
	}
}

// failing is a directory and a token service that cannot find out.
type failing struct{ err error }

func (f failing) Member(context.Context, string) (*Member, error) { return nil, f.err }

func (f failing) Verify(context.Context, string) (jws.Claims, error) { return jws.Claims{}, f.err }

// TestUnable: what we cannot find out is no fault of the caller's, and nothing that
// the caller is told more of.
func TestUnable(t *testing.T) {
	w := newWorld(t, nil)
	broken := errors.New("database gone")
	for _, tt := range []struct {
		name    string
		nations Nations
		tokens  Tokens
	}{
		{"nations", failing{broken}, w.tokens},
		{"tokens", w.members, failing{&jws.Error{Reason: jws.ReasonUnavailable, Subject: "x", Err: broken}}},
	} {
		s, err := NewServer(w.hub, tt.nations, tt.tokens, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.http.Config.Handler = s
		got := w.do(call{path: "/download/2021-06-02", token: w.token("ie")})
		if got.status != 503 || strings.Contains(got.body, "gone") {
			t.Errorf("%s: got %d %s", tt.name, got.status, got.body)
		}
		checkAnswer(t, got)
	}
	w.http.Config.Handler = w.server
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the ledger then fails
	for _, r := range []*http.Request{
		httptest.NewRequestWithContext(ctx, "GET", "/download/2021-06-02", nil),
		httptest.NewRequestWithContext(ctx, "POST", "/upload", strings.NewReader(w.envelope("ie", "t", "[]"))),
	} {
		r.Header.Set("Authorization", w.token("ie"))
		r.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		w.server.ServeHTTP(answer, r)
		if answer.Code != 503 {
			t.Errorf("%s: got %d %s", r.Method, answer.Code, answer.Body)
		}
	}
}

// TestParallel: one nation may have so many requests at the same time, and the
// others are none the worse.
func TestParallel(t *testing.T) {
	w := newWorld(t, &ServerOptions{Parallel: 2})
	tokens := map[string]string{"ie": w.token("ie"), "gi": w.token("gi")}
	begin := func() (finish func()) {
		body, done := &slowBody{next: make(chan byte)}, make(chan bool)
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/upload", body)
		r.Header.Set("Authorization", tokens["ie"])
		r.Header.Set("Content-Type", "application/json")
		go func() {
			defer close(done)
			w.server.ServeHTTP(httptest.NewRecorder(), r)
		}()
		body.next <- '{' // it is being read
		return func() {
			close(body.next)
			<-done
		}
	}
	first, second := begin(), begin()
	ask := func(id string) outcome { return w.do(call{path: "/download/2021-06-02", token: tokens[id]}) }
	got := ask("ie")
	if got.status != 429 || got.header.Get("Retry-After") != "1" {
		t.Errorf("the third: got %d %s", got.status, got.body)
	}
	checkAnswer(t, got)
	if got := ask("gi"); got.status != 204 {
		t.Errorf("another nation: got %d", got.status)
	}
	first()
	if got := ask("ie"); got.status != 204 {
		t.Errorf("after the first has ended: got %d", got.status)
	}
	second()
}

// slowBody has a byte when it is told to.
type slowBody struct{ next chan byte }

func (b *slowBody) Read(p []byte) (int, error) {
	c, ok := <-b.next
	if !ok {
		return 0, errors.New("gone")
	}
	p[0] = c
	return 1, nil
}

// TestLog has an upload and a refusal in it, with the nation.
func TestLog(t *testing.T) {
	w := newWorld(t, nil)
	w.upload("ie", "t", "[{}]")
	w.do(call{path: "/upload", token: w.token("mute"), body: "{}"})
	w.clock.add(-400 * 24 * time.Hour)
	old := w.token("gi")
	w.clock.add(400 * 24 * time.Hour)
	w.do(call{path: "/download/x", token: old})
	for _, want := range []string{
		`"level":"INFO","msg":"interop: upload","nation":"ie","offered":1,"accepted":0,"revised":0,"duplicates":0,"rejected":1,"withdrawals":0`,
		`"level":"WARN","msg":"interop: not granted","status":403,"reason":"no right to upload","op":"upload","nation":"mute"`,
		`"level":"WARN","msg":"interop: not granted","status":401,"reason":"Unauthorized","op":"download","cause":"jws: token of gi: claim exp: expired`,
	} {
		if !strings.Contains(w.log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, w.log)
		}
	}
	if strings.Contains(w.log.String(), old) {
		t.Error("the log has the token")
	}
}

// TestUploadBesideSeals: a nation that seals its uploads by another protocol is told
// that it cannot upload by this one.
func TestUploadBesideSeals(t *testing.T) {
	w := newWorld(t, nil)
	ie := w.table["ie"].Nation
	sealed := &federation.Sealed{Tag: "1", Keys: w.newKeys(ie.Region, 1), Body: []byte("body"), Seal: []byte("seal")}
	if a, err := w.hub.UploadSealed(t.Context(), &ie, sealed); err != nil || !a.Stored {
		t.Fatalf("%+v, %v", a, err)
	}
	if got := w.upload("ie", "2", payload(w.newKeys(ie.Region, 1)[0])); got.status != http.StatusForbidden {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

// FuzzUpload takes apart whatever bodies there are, and opens whatever a nation
// signs: no more is made of it than is there, and what is wrong is never the
// server's fault.
func FuzzUpload(f *testing.F) {
	w := newWorld(f, nil)
	f.Add([]byte(`{"batchTag":"t","payload":"a.b.c"}`), []byte("["+goodExposure()+"]"))
	f.Add([]byte(`{"batchTag":17,"payload":"..","x":[]}`), []byte(`[{},null,{"keyData":"AAAA"}]`))
	f.Add([]byte("[]"), []byte("{}"))
	m := w.table["ie"]
	f.Fuzz(func(t *testing.T, body, content []byte) {
		refused := func(err error) {
			if e, ok := errors.AsType[*service.Refusal](err); !ok || e.Status != 400 && e.Status != 401 {
				t.Errorf("got %v", err)
			}
		}
		tag, signed, err := parseUpload(body)
		if err != nil {
			refused(err)
		} else {
			again, text, err := parseUpload([]byte(envelope(tag, signed)))
			if err != nil || again != tag || text != signed || tag == "" || len(tag) > federation.MaxTag {
				t.Errorf("%q and %q come back as %q and %q, %v", tag, signed, again, text, err)
			}
			_, err = w.server.open(signed, &m) // which nobody has signed
			refused(err)
		}
		if signed, err = w.signers["ie"].Sign(content); err != nil {
			t.Fatal(err)
		}
		in, err := w.server.open(signed, &m)
		list, ok := jsontext.Parse(content)
		if ok = ok && list.IsArray(); ok != (err == nil) {
			t.Fatalf("%q: %v", content, err)
		}
		if !ok {
			refused(err)
			return
		}
		n := 0
		for range list.Elements() {
			n++
		}
		if len(in.Keys)+len(in.Unreadable) != n {
			t.Errorf("%d keys and %d set aside of %d", len(in.Keys), len(in.Unreadable), n)
		}
	})
}

// FuzzPlace reads paths and queries: what is taken is written and read again as it
// was.
func FuzzPlace(f *testing.F) {
	f.Add("2021-06-02", "batchTag=a%20b")
	f.Add("0000-01-01", "batchTag=&x=1")
	f.Add("9999-12-31", "batchTag=%zz;")
	f.Fuzz(func(t *testing.T, day, query string) {
		at, err := placeOf(day, query)
		if err != nil {
			if _, ok := errors.AsType[*service.Refusal](err); !ok {
				t.Errorf("got %v", err)
			}
			return
		}
		u, err := url.Parse("http://h" + downloadPath(at))
		if err != nil {
			t.Fatal(err)
		}
		again, err := placeOf(strings.TrimPrefix(u.Path, "/download/"), u.RawQuery)
		if err != nil || again != at || len(at.Tag) > federation.MaxTag {
			t.Errorf("%+v comes back as %+v, %v", at, again, err)
		}
	})
}
