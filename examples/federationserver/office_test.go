package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/examples/internal/orders"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// keysFile writes keys into a file as orders want them, and returns its path.
func (s *site) keysFile(name string, ks []keys.DiagnosisKey) string {
	s.t.Helper()
	var lines strings.Builder
	for _, k := range ks {
		fmt.Fprintf(&lines, "%s %x\n", k.Origin, k.KeyData[:])
	}
	if err := os.WriteFile(s.path(name), []byte(lines.String()), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return s.path(name)
}

// ask asks the desk as an operator.
func (p *process) ask(method, path, body string) (int, string) {
	p.site.t.Helper()
	req, err := http.NewRequest(method, p.desk+path, strings.NewReader(body))
	if err != nil {
		p.site.t.Fatal(err)
	}
	req.SetBasicAuth("ada", "0123456789abcdef")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.site.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.site.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// TestOrders has the operator of a server withdraw keys, on the command line and at
// the desk: batches no longer carry them, whoever had them is counted, and has not
// been told; what their nation takes back it is told.
func TestOrders(t *testing.T) {
	s := newSite(t)
	if err := os.WriteFile(s.path("operators"), []byte("ada:0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	irish, gibraltar := s.onboard("ie", "IE"), s.onboard("gi", "GI")
	s.onboard("je", "JE")
	s.run("nation", "rights", "-withdrawals=false", "je")
	p := s.start("-orders", "127.0.0.1:0", "-operators", s.path("operators"))
	ie, gi := s.client("ie", "IE", irish, p.base, nil), s.client("gi", "GI", gibraltar, p.base, nil)

	ks := s.keysOf("IE", 8)
	bad, worse, takenBack, good := ks[:2], ks[2:3], ks[3:6], ks[6:]
	if answer, err := ie.Upload(t.Context(), batchOf("first", ks)); err != nil || answer.Inserted != len(ks) {
		t.Fatal(answer, err)
	}
	before := newReader(gi)
	readAll := func(r *reader) {
		t.Helper()
		if err := r.read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the other nation has the keys", func() bool { readAll(before); return before.lacks(ks) == 0 })

	path := s.keysFile("bad", bad)
	var preview, done orders.Report
	decode := func(text string, v any) {
		t.Helper()
		if err := json.Unmarshal([]byte(text[strings.Index(text, "{\n"):]), v); err != nil { // after the log
			t.Fatalf("%v: %s", err, text)
		}
	}
	decode(s.run("order", "-action", "withdraw", "-keys", path), &preview)
	decode(s.run("order", "-action", "withdraw", "-keys", path, "-by", "ada", "-why", "wrong sample", "-do"), &done)
	for what, r := range map[string]orders.Report{"the preview": preview, "the order": done} {
		var words []string
		for _, p := range r.Reach.Partners {
			words = append(words, p.String())
		}
		const want = "gi: of 2 units it would be told 0; it has and cannot be told 2 (operator-withdrew) | " +
			"ie: of 2 units it would be told 0; nothing changes for 2 (own) | " +
			"je: of 2 units it would be told 0; it has and cannot be told 2 (operator-withdrew)"
		if got := strings.Join(words, " | "); got != want || len(r.Notes) != 1 || r.Effects.Foreign != 2 {
			t.Errorf("%s says %q, with the notes %q, want %q", what, got, r.Notes, want)
		}
	}
	body := fmt.Sprintf(`{"action": "withdraw", "select": {"units": [{"origin": "IE", "keyData": "%x"}]}, "why": "another"}`, worse[0].KeyData[:])
	if status, text := p.ask("POST", "/orders", body); status != 200 || !strings.Contains(text, "withdrawn here alone") {
		t.Errorf("the desk answers %d %s", status, text)
	}
	if status, text := p.ask("POST", "/orders", body); status != 422 || !strings.Contains(text, "was so before") {
		t.Errorf("given again, the desk answers %d %s", status, text)
	}
	await(t, "no batch carries what was withdrawn", func() bool {
		r := newReader(gi)
		readAll(r)
		return r.lacks(good)+r.lacks(takenBack) == 0 && r.lacks(bad) == len(bad) && r.lacks(worse) == 1
	})
	readAll(before)
	for _, k := range append(bad, worse...) {
		if before.has[k.KeyData] != 1 {
			t.Errorf("who had a key hears of it %d times", before.has[k.KeyData])
		}
	}

	for i := range takenBack {
		takenBack[i].ReportType = keys.Some(keys.ReportRevoked)
	}
	if _, err := ie.Upload(t.Context(), batchOf("second", takenBack)); err != nil {
		t.Fatal(err)
	}
	await(t, "the other nation hears what was taken back", func() bool {
		readAll(before)
		return before.has[takenBack[0].KeyData]+before.has[takenBack[1].KeyData]+before.has[takenBack[2].KeyData] == 6
	})
	await(t, "who takes no withdrawals is counted", func() bool {
		je, _ := p.metric(`federation_untold_withdrawals{nation="je"}`)
		gi, ok := p.metric(`federation_untold_withdrawals{nation="gi"}`)
		return ok && je == 3 && gi == 0
	})
	var b struct {
		Sources map[ledger.Source]ledger.SourceStats
		Arrears struct {
			Nations map[ledger.Source]federation.Arrears
		}
	}
	if status, text := p.ask("GET", "/books", ""); status != 200 {
		t.Errorf("the books are answered %d %s", status, text)
	}
	decode(s.run("books"), &b)
	if b.Sources["ie"].Accepted != int64(len(ks)) || b.Arrears.Nations["je"].Untold != 3 {
		t.Errorf("the books: %+v", b)
	}
	if text := s.run("orders"); strings.Count(text, `"by": "ada"`) != 3 || !strings.Contains(text, `"refused": "already"`) {
		t.Errorf("the records: %s", text)
	}
	var e explanation
	if err := os.WriteFile(s.path("asked"), fmt.Appendf(nil, "%x", bad[0].KeyData[:]), 0o600); err != nil {
		t.Fatal(err)
	}
	text := s.run("explain", "-key", s.path("asked"))
	decode(text, &e)
	if len(e.Ledger) != 1 || e.Ledger[0].Status != ledger.StatusWithdrawn || len(e.Nations) != 3 {
		t.Errorf("explained: %s", text)
	}
	if out, err := s.try("order", "-action", "withdraw"); err == nil || !strings.Contains(out, "nothing is selected") {
		t.Errorf("an order of nothing gives %s, %v", out, err)
	}
	p.terminate()
	noLeak(t, "the log", p.log.String()+text, ks)
}
