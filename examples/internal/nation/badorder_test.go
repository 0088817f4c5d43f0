package nation

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/examples/internal/orders/orderstest"
	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// TestBadOrders asks the desk for what operators get wrong: the status and the text
// say what is wrong, nothing is changed, and there is a record of it, or where there
// can be none, a line of the log that says who asked.
func TestBadOrders(t *testing.T) {
	w := newWorld(t)
	germany := w.country(de)
	germany.config.Orders = Orders{Listen: "127.0.0.1:0", Operators: partner.Secret{File: "operators"}}
	germany.write("operators", "ada:0123456789abcdef\n")
	germany.open()
	germany.tick()
	l := germany.backend.ledger
	cases, ks := orderstest.Fill(t, l, w.clock())
	statuses := map[ledger.RefusalReason]int{"": 200, ledger.RefusedUnconfirmed: 409}
	for _, c := range cases {
		if c.Order.By != "ada" {
			continue // who gives it is who has the secret
		}
		statusOf := func() int {
			if status, ok := statuses[c.Reason]; ok {
				return status
			}
			return 422
		}
		before, records := orderstest.Contents(t, l), len(germany.records())
		logged := len(w.log.String())
		status, text := germany.ask("ada:0123456789abcdef", "POST", "/orders", c.Body(t))
		if status != statusOf() || !strings.Contains(text, c.Says) || c.Wants != 0 && !strings.Contains(text, fmt.Sprintf(`"changes": %d`, c.Wants)) {
			t.Errorf("%s: answered %d %s, want %d with %q", c.Name, status, text, statusOf(), c.Says)
		}
		line := w.log.String()[logged:]
		all := germany.records()
		switch {
		case c.Reason == "":
			continue
		case !reflect.DeepEqual(orderstest.Contents(t, l), before):
			t.Errorf("%s: the ledger is not as it was", c.Name)
		case c.Unrecorded && len(all) != records:
			t.Errorf("%s: there is a record", c.Name)
		case !c.Unrecorded && (len(all) != records+1 || !recorded(all, &c)):
			t.Errorf("%s: there is no record of it", c.Name)
		}
		want := fmt.Sprintf(`"msg":"orders: not done","by":"ada","status":%d,"reason":%q`, status, c.Reason)
		if !strings.Contains(line, want) {
			t.Errorf("%s: logged is %s, want %s", c.Name, line, want)
		}
		for _, k := range ks {
			if form := keystest.Leak(text+line, k.KeyData); form != "" {
				t.Errorf("%s: key data is there in %s", c.Name, form)
			}
		}
	}
	for body, says := range map[string]string{
		`{"action": "withdraw", "select": {"units": [{"origin": "DE", "keyData": "00"}]}}`: "select.units[0].keyData",
		`{"action": "withdraw", "select": {"from": "yesterday"}}`:                          "RFC 3339",
		`{"action": "withdraw", "sellect": {}}`:                                            "sellect",
		`{"action": "withdraw", "by": "grace"}`:                                            "by",
	} {
		before, records, logged := orderstest.Contents(t, l), len(germany.records()), len(w.log.String())
		status, text := germany.ask("ada:0123456789abcdef", "POST", "/orders", body)
		if status != 400 || !strings.Contains(text, says) {
			t.Errorf("%s is answered %d %s", body, status, text)
		}
		if len(germany.records()) != records || !reflect.DeepEqual(orderstest.Contents(t, l), before) {
			t.Errorf("%s changes something", body)
		}
		if line := w.log.String()[logged:]; !strings.Contains(line, `"msg":"orders: not done","by":"ada","status":400`) {
			t.Errorf("%s: logged is %s", body, line)
		}
	}
}

// records returns the records of orders.
func (c *country) records() []ledger.OrderRecord {
	c.w.t.Helper()
	all, err := c.backend.ledger.Orders(c.w.t.Context())
	if err != nil {
		c.w.t.Fatal(err)
	}
	return all
}

// recorded reports whether there is a record of a refusal.
func recorded(all []ledger.OrderRecord, c *orderstest.Case) bool {
	for _, r := range all {
		if r.Why == c.Order.Why && r.By == c.Order.By && r.Refused == c.Reason && r.Done {
			return true
		}
	}
	return false
}
