package ledger_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// secrets are values that hold a key, and errors and reports about it.
func secrets(t *testing.T, k keys.DiagnosisKey) map[string]any {
	s := open(t, nil)
	bad := k
	bad.RollingPeriod = 0
	id := ledger.IDOf(&k)
	delivery := ledger.Delivery{
		Source:      ledger.Own,
		Uploads:     []ledger.Upload{{ID: "u", Keys: []keys.DiagnosisKey{k, bad}}},
		Withdrawals: []ledger.UnitID{id},
		Swaps:       []ledger.Swap{{Name: "cursor", Value: []byte("1")}},
	}
	receipt, err := s.Accept(t.Context(), &delivery)
	if err != nil {
		t.Fatal(err)
	}
	records := s.find(ledger.Query{Unit: &id, SetAside: true})
	u := records[0].Unit
	u.Siblings = []ledger.Unit{*u.Clone()}
	again := delivery
	again.Nonce = ledger.NewNonce()
	_, conflict := s.Accept(t.Context(), &again)
	stats, err := s.Stats(t.Context(), sink{"all", 0})
	if err != nil {
		t.Fatal(err)
	}
	report := s.release()
	return map[string]any{
		"unit": *u, "unit pointer": u, "record": *records[0], "record pointer": records[0], "claim": u.Claims, "id": id,
		"delivery": delivery, "receipt": *receipt, "set aside": receipt.Rejected, "query": ledger.Query{Unit: &id},
		"intake": ledger.Intake{Units: []ledger.UnitID{id}}, "standing": &ledger.Standing{Records: records},
		"changes": &ledger.Changes{Units: []*ledger.Unit{u}, Kept: []ledger.KeptChange{{ID: id}}, SetAside: receipt.Rejected},
		"kept":    ledger.KeptChange{ID: id}, "conflict": conflict, "stats": stats, "report": report, "ledger": s.Ledger,
		"store": s.store, "in a struct": struct{ S ledger.Store }{s.store}, "units": []*ledger.Unit{u}, "map": map[string]*ledger.Record{"r": records[0]},
		"tombstone": ledger.TombstoneOf(s.Identity(), id),
	}
}

func TestPrintsNoKeyData(t *testing.T) {
	k := keys.DiagnosisKey{Origin: keys.MustRegion("DE"), ConsentToFederate: keys.ConsentGiven}
	k.KeyData = keystest.New(7, nil).KeyData()
	k.RollingStartIntervalNumber, k.RollingPeriod = keys.IntervalAt(noon)-288, 144
	handlers := map[string]func(io.Writer) slog.Handler{
		"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"JSON": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	}
	for name, v := range secrets(t, k) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%X", "%q"} {
			text := fmt.Sprintf(verb, v)
			if p, ok := v.(*ledger.Unit); ok { // what is behind pointers, too
				text += fmt.Sprintf(verb, *p)
			}
			if form := keystest.Leak(text, k.KeyData); form != "" {
				t.Errorf("%s with %s holds key data as %s", name, verb, form)
			}
		}
		for handler, open := range handlers {
			var log bytes.Buffer
			slog.New(open(&log)).Info("m", "v", v, slog.Group("g", "v", v))
			if form := keystest.Leak(log.String(), k.KeyData); form != "" {
				t.Errorf("%s in a %s log holds key data as %s", name, handler, form)
			}
		}
	}
}

// TestPrintsAsWithV sees that what redacts itself can still be read.
func TestPrintsAsWithV(t *testing.T) {
	u := ledger.Unit{Upload: "the upload", Events: []ledger.Event{{Number: 7}}}
	id := ledger.UnitID{Origin: keys.MustRegion("DE")}
	for _, v := range []any{u, &u, id, ledger.Record{ID: id, Unit: &u}} {
		want := fmt.Sprintf("%v", v)
		for _, verb := range []string{"%s", "%d", "%x", "%q"} {
			if got := fmt.Sprintf(verb, v); got != want {
				t.Errorf("%T with %s prints %s, want %s", v, verb, got, want)
			}
		}
	}
	if got := fmt.Sprintf("%+v", u); !strings.Contains(got, "Upload:the upload") || !strings.Contains(got, "Number:7") {
		t.Errorf("%%+v of a unit prints %s", got)
	}
	if got := fmt.Sprintf("%v", (*ledger.Unit)(nil)); got != "<nil>" {
		t.Errorf("no unit prints as %s", got)
	}
}
