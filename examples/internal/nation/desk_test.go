package nation

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/examples/internal/orders"
	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/storage/ledger"
)

// ask asks the desk of a nation, as an operator, and returns what it says.
func (c *country) ask(as, method, path, body string) (int, string) {
	c.w.t.Helper()
	r := httptest.NewRequestWithContext(c.w.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	name, secret, _ := strings.Cut(as, ":")
	r.SetBasicAuth(name, secret)
	w := httptest.NewRecorder()
	c.backend.Desk().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// TestDesk: an operator looks at what the withdrawal of a key would do, orders it,
// and finds it gone from the archives, at a partner, and in the records. Who may ask
// is changed without a restart.
func TestDesk(t *testing.T) {
	const ada, grace = "ada:0123456789abcdef", "grace:fedcba9876543210"
	w := newWorld(t)
	h := w.hub()
	a, b := w.country(de), w.country(fr)
	in := plain("hub")
	in.Rules.Rules = federation.Relay()
	in.Rules.Withdrawals = true
	for _, c := range []*country{a, b} {
		c.joins(h, in, interop.Member{})
	}
	a.config.API.Layouts = []string{deploy.CWA, deploy.NHS, deploy.Deltaset}
	a.config.Orders = Orders{Listen: "127.0.0.1:0", Operators: partner.Secret{File: "operators"}}
	a.write("operators", ada+"\n")
	a.open()
	b.open()
	if status, _ := b.ask(ada, "GET", "/orders", ""); status != http.StatusNotFound {
		t.Errorf("a back end that takes no orders answers %d", status)
	}

	bad, good := a.submit(3), a.submit(4)
	hubs := []*hub{h}
	for range 4 {
		w.hour(hubs, a, b)
	}
	b.shows("EUR", bad, good)
	order := func(do string) string {
		var units []string
		for _, k := range bad {
			units = append(units, fmt.Sprintf(`{"origin": "DE", "keyData": %q}`, base64.StdEncoding.EncodeToString(k.KeyData[:])))
		}
		return fmt.Sprintf(`{"action": "withdraw", "select": {"units": [%s]}, "why": "wrong sample"%s}`, strings.Join(units, ","), do)
	}
	status, text := a.ask(ada, "POST", "/orders/preview", order(""))
	var preview orders.Report
	if err := json.Unmarshal([]byte(text), &preview); status != 200 || err != nil {
		t.Fatalf("%d %s, %v", status, text, err)
	}
	if preview.OrderReport == nil || preview.Effects.Released != 3 || preview.Reach == nil {
		t.Fatalf("the preview: %s", text)
	}
	next := w.clock().Truncate(time.Hour).Add(time.Hour)
	var seen strings.Builder
	for _, p := range preview.Reach.Packages {
		fmt.Fprintf(&seen, "%s %s %d kept %d retracted; ", p.Layout, p.Package, p.Kept[distribution.KeptConfirmedTest], p.Retracted)
		if p.Keys != 3 || p.By.Before(next) || p.By.After(next.Add(2*time.Hour)) {
			t.Errorf("in %s %s: %s, by %s", p.Layout, p.Package, p, p.By)
		}
	}
	if want := "cwa DE 3 kept 0 retracted; cwa EUR 3 kept 0 retracted; nhs DE 3 kept 0 retracted; deltaset DE 0 kept 3 retracted; deltaset EUR 0 kept 3 retracted; "; seen.String() != want {
		t.Errorf("the packages: %q, want %q", seen.String(), want)
	}
	if p := preview.Reach.Partners; len(p) != 1 || p[0].Told != 3 || !p[0].By.Equal(next) {
		t.Errorf("the partners: %+v", p)
	}
	a.shows("EUR", bad, good)
	if status, text = a.ask(ada, "GET", "/orders", ""); status != 200 || strings.TrimSpace(text) != "[]" {
		t.Errorf("after a preview the records are %d %s", status, text)
	}
	if status, text = a.ask(ada, "POST", "/orders", order(`, "confirm": 7`)); status != 409 {
		t.Errorf("an order that was confirmed otherwise is answered %d %s", status, text)
	}
	if status, text = a.ask(ada, "POST", "/orders", order("")); status != 200 {
		t.Errorf("the order is answered %d %s", status, text)
	}
	var answer orders.Report
	if err := json.Unmarshal([]byte(text), &answer); err != nil || !reflect.DeepEqual(answer.Reach, preview.Reach) {
		t.Errorf("the order says %s of whom it reaches, %v; the preview did otherwise", text, err)
	}
	if status, text = a.ask(ada, "POST", "/orders", order("")); status != 422 || !strings.Contains(text, "already") {
		t.Errorf("given again it is answered %d %s", status, text)
	}
	for range 6 { // the wait of withdrawals, and the way
		w.hour(hubs, a, b)
	}
	for _, c := range []*country{a, b} {
		for rec, err := range c.backend.ledger.Find(t.Context(), ledger.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			gone := rec.Unit.SourceWithdrew || rec.Unit.OperatorWithdrew
			if want := rec.ID.KeyData == bad[0].KeyData || rec.ID.KeyData == bad[1].KeyData || rec.ID.KeyData == bad[2].KeyData; gone != want {
				t.Errorf("%s: a unit is withdrawn: %t, want %t", c.region, gone, want)
			}
		}
	}
	inquiry := fmt.Sprintf(`{"keyData": %q}`, base64.StdEncoding.EncodeToString(bad[0].KeyData[:]))
	status, text = a.ask(ada, "POST", "/explain", inquiry)
	if status != 200 || !strings.Contains(text, "packages") {
		t.Errorf("explained: %d %s", status, text)
	}
	if status, text = a.ask(ada, "GET", "/books", ""); status != 200 || strings.Contains(text, "Unbalanced") {
		t.Errorf("books: %d %s", status, text)
	}
	if status, text = a.ask(ada, "POST", "/repair", "{}"); status != 200 {
		t.Errorf("repair: %d %s", status, text)
	}

	a.write("operators", grace+"\n")
	a.tick()
	if status, _ = a.ask(ada, "GET", "/orders", ""); status != 401 {
		t.Errorf("who is no longer an operator is answered %d", status)
	}
	status, text = a.ask(grace, "GET", "/orders", "")
	for _, want := range []string{`"by": "ada"`, `"why": "wrong sample"`, `"refused": "unconfirmed"`, `"refused": "already"`, `"done": true`} {
		if status != 200 || !strings.Contains(text, want) {
			t.Errorf("no %s in the records: %d %s", want, status, text)
		}
	}
	w.clean(append(bad, good...), a, b)
}
