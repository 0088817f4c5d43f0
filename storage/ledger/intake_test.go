package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

func TestDeliveryCheck(t *testing.T) {
	upload := func(id string) []ledger.Upload { return []ledger.Upload{{ID: id}} }
	tests := []struct {
		name string
		d    ledger.Delivery
		want string // "" if it is taken
	}{
		{name: "empty", d: ledger.Delivery{Source: ledger.Own}},
		{name: "longest source", d: ledger.Delivery{Source: ledger.Source(strings.Repeat("s", 64))}},
		{name: "source of every kind of character", d: ledger.Delivery{Source: "az09._-"}},
		{name: "no source", d: ledger.Delivery{}, want: "source name of 0 bytes"},
		{name: "longer source", d: ledger.Delivery{Source: ledger.Source(strings.Repeat("s", 65))}, want: "source name of 65 bytes"},
		{name: "capital", d: ledger.Delivery{Source: "EFGS"}, want: `source name "EFGS": byte 0`},
		{name: "comma", d: ledger.Delivery{Source: "a,b"}, want: "byte 1"},
		{name: "slash", d: ledger.Delivery{Source: "a/b"}, want: "byte 1"},
		{name: "operator", d: ledger.Delivery{Source: ledger.Operator}, want: "brings no keys"},
		{name: "longest upload", d: ledger.Delivery{Source: "p", Uploads: upload(strings.Repeat("ü", 100))}},
		{name: "no upload id", d: ledger.Delivery{Source: "p", Uploads: upload("")}, want: "upload id of 0 bytes"},
		{name: "longer upload", d: ledger.Delivery{Source: "p", Uploads: upload(strings.Repeat("u", 201))}, want: "upload id of 201 bytes"},
		{name: "not UTF-8", d: ledger.Delivery{Source: "p", Uploads: upload("a\xff")}, want: "upload id"},
		{name: "control character", d: ledger.Delivery{Source: "p", Uploads: upload("a\nb")}, want: "control character"},
		{name: "two of one name", d: ledger.Delivery{Source: "p", Uploads: append(upload("a"), upload("a")...)}, want: "same id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, nil)
			_, err := s.Accept(t.Context(), &tt.d)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestReceipt has one delivery of everything.
func TestReceipt(t *testing.T) {
	s := open(t, nil)
	known, revised, fresh, gone := s.key(), s.key(), s.key(), s.key()
	revised.ReportType = self
	s.accept("p", "first", known, revised, gone)
	revised.ReportType = clinical
	bad, contradiction, none := s.key(), known, s.key()
	bad.RollingPeriod = 0
	contradiction.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(1))
	none.Origin = keys.Region{}
	d := &ledger.Delivery{
		Source:      "p",
		Uploads:     []ledger.Upload{{ID: "a", Keys: []keys.DiagnosisKey{known, bad, fresh, fresh}}, {ID: "b", Keys: []keys.DiagnosisKey{revised, contradiction, none, {}}}},
		Withdrawals: []ledger.UnitID{ledger.IDOf(&gone), ledger.IDOf(&gone), ledger.IDOf(&bad), ledger.IDOf(&none), {}},
		Unreadable:  []ledger.SetAside{{Upload: "c", Field: keys.FieldKeyData, Reason: keys.ReasonLength, Detail: "15 bytes"}},
	}
	r, err := s.Accept(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if r.Offered != 9 || r.Accepted != 1 || r.Revised != 1 || r.Duplicates != 2 || r.WithdrawalsTaken != 2 || r.WithdrawalsKept != 1 || r.WithdrawalsRefused != 2 {
		t.Errorf("got %+v", *r)
	}
	var got []string
	for _, a := range r.Rejected {
		if a.Source != "p" || !a.At.Equal(noon) {
			t.Errorf("set aside as of %s at %s", a.Source, a.At)
		}
		got = append(got, fmt.Sprintf("%s: %s %s", a.Upload, a.Field, a.Reason))
	}
	want := []string{
		"a: rolling_period range", "b: transmission_risk_level conflict", "b: origin missing", "b: key_data zero", "c: key_data length",
	}
	if !slices.Equal(got, want) {
		t.Errorf("rejected are %q, want %q", got, want)
	}
	if d.Nonce == (ledger.Nonce{}) {
		t.Error("the delivery has no nonce")
	}
	for _, u := range []keys.DiagnosisKey{known, fresh} {
		if s.unit(u) == nil {
			t.Error("a good neighbour of bad keys was not taken")
		}
	}
}

// TestWhole has deliveries that are stored whole or not at all. What is held is
// stored.
func TestWhole(t *testing.T) {
	p := ledger.DefaultPolicy()
	p.Quota = 2
	s := open(t, &ledger.Options{Policy: &p})
	a, b, c := s.key(), s.key(), s.key()
	d := &ledger.Delivery{Source: "p", Whole: true, Uploads: []ledger.Upload{{ID: "1", Keys: []keys.DiagnosisKey{a, b, c}}}}
	if r, err := s.Accept(t.Context(), d); err != nil || r.Accepted != 3 || len(r.OverQuota) != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
	if !s.unit(c).Held() {
		t.Error("what is beyond the quota is not held")
	}
	unknown := s.key()
	for name, d := range map[string]*ledger.Delivery{
		"0 are known and 1 refused": {Withdrawals: []ledger.UnitID{ledger.IDOf(&unknown)}}, // beyond the quota
		"1 are known and 0 refused": {Uploads: []ledger.Upload{{ID: "2", Keys: []keys.DiagnosisKey{s.key(), a}}}},
		"1 are known and 2 refused": {Uploads: []ledger.Upload{{ID: "2", Keys: []keys.DiagnosisKey{a, {}}}}, Unreadable: []ledger.SetAside{{}}},
	} {
		d.Source, d.Whole = "p", true
		_, err := s.Accept(t.Context(), d)
		if _, ok := errors.AsType[*ledger.PartialError](err); !ok || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	stats, err := s.Stats(t.Context())
	if err != nil || stats.Sources["p"].Offered != 3 || stats.Sources["p"].WithdrawalsOffered != 0 || stats.Check() != nil {
		t.Errorf("the books are %+v, %v", stats.Sources["p"], err)
	}
}

// TestMaxUpload has phones and partners bring more keys than a phone has.
func TestMaxUpload(t *testing.T) {
	p := ledger.DefaultPolicy()
	tests := []struct {
		name   string
		source ledger.Source
		max    int
		want   int
	}{
		{name: "phone", source: ledger.Own, want: 30},
		{name: "phone, other limit", source: ledger.Own, max: 14, want: 14},
		{name: "partner", source: "p", max: 14, want: 40},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, &ledger.Options{Policy: &p, MaxUpload: tt.max})
			var ks []keys.DiagnosisKey
			for range 40 {
				ks = append(ks, s.key())
			}
			r := s.accept(tt.source, "u", ks...)
			if r.Accepted != tt.want || len(r.Rejected) != 40-tt.want {
				t.Errorf("accepted %d and rejected %d, want %d accepted", r.Accepted, len(r.Rejected), tt.want)
			}
			for _, a := range r.Rejected {
				if a.Reason != keys.ReasonTooMany || a.ID.KeyData.IsZero() {
					t.Errorf("rejected for %s", a.Reason)
				}
			}
		})
	}
}

// TestQuota counts what a source may bring of an origin in a day.
func TestQuota(t *testing.T) {
	p := ledger.DefaultPolicy()
	p.Quota = 3
	s := open(t, &ledger.Options{Policy: &p})
	bad, unknown := s.key(), s.key()
	bad.RollingPeriod = 0
	de := ledger.Pair{Source: "p", Origin: bad.Origin}
	steps := []struct {
		name string
		do   func() *ledger.Receipt
		held int
		over bool
	}{
		{name: "a key", do: func() *ledger.Receipt { return s.accept("p", "a", s.key()) }},
		{name: "a bad key", do: func() *ledger.Receipt { return s.accept("p", "b", bad) }},
		{name: "an early withdrawal", do: func() *ledger.Receipt { return s.withdraw("p", unknown) }},
		{name: "the same withdrawal again", do: func() *ledger.Receipt { return s.withdraw("p", unknown) }},
		{name: "a key beyond", do: func() *ledger.Receipt { return s.accept("p", "c", s.key()) }, held: 1, over: true},
		{name: "a bad key beyond, which is not kept", do: func() *ledger.Receipt { return s.accept("p", "d", bad) }, held: 1, over: true},
		{name: "an early withdrawal beyond, which is refused", do: func() *ledger.Receipt { return s.withdraw("p", s.key()) }, held: 1, over: true},
		{name: "another source", do: func() *ledger.Receipt { return s.accept("q", "e", s.key()) }, held: 1},
	}
	for _, step := range steps {
		r := step.do()
		if got := slices.Contains(r.OverQuota, de); got != step.over || len(r.OverQuota) > 1 {
			t.Errorf("%s: over quota are %v, want the pair: %t", step.name, r.OverQuota, step.over)
		}
		held := 0
		for _, rec := range s.find(ledger.Query{}) {
			if rec.Unit.Held() {
				held++
			}
		}
		if held != step.held {
			t.Errorf("%s: %d units are held, want %d", step.name, held, step.held)
		}
	}
	aside := 0
	for _, rec := range s.find(ledger.Query{SetAside: true}) {
		aside += len(rec.SetAside)
	}
	if stats, err := s.Stats(t.Context()); err != nil || aside != 1 || total(stats.Sources["p"].Rejected) != 2 || stats.Sources["p"].WithdrawalsRefused != 1 {
		t.Errorf("%d keys are set aside, want 1 of 2 that were rejected: %+v, %v", aside, stats.Sources["p"], err)
	}
	s.now = noon.Truncate(24 * time.Hour).Add(24 * time.Hour) // midnight
	if r := s.accept("p", "f", s.key()); len(r.OverQuota) != 0 {
		t.Errorf("the next day, over quota are %v", r.OverQuota)
	}
}

func total(m map[string]int64) (sum int64) {
	for _, n := range m {
		sum += n
	}
	return sum
}

// TestManyOrigins has a partner make up an origin for every key: judging them
// takes not much longer than others.
func TestManyOrigins(t *testing.T) {
	took := func(origins int) time.Duration {
		s := open(t, nil)
		var ks []keys.DiagnosisKey
		for i := range 60_000 {
			k := s.key()
			k.Origin = keys.MustRegion(fmt.Sprintf("X%07d", i%origins))
			ks = append(ks, k)
		}
		start := time.Now()
		if r := s.accept("p", "u", ks...); r.Accepted != len(ks) {
			t.Errorf("accepted %d of %d", r.Accepted, len(ks))
		}
		return time.Since(start)
	}
	one, many := took(1), took(60_000)
	t.Logf("of one origin %s, of many %s", one, many)
	if many > 12*max(one, 100*time.Millisecond) {
		t.Errorf("60,000 keys of one origin took %s, of as many origins %s", one, many)
	}
}
