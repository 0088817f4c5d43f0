package orders

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// form is a [ledger.Order] in JSON, without the name of who gives it.
type form struct {
	ID          string                         `json:"id"`
	Action      ledger.Action                  `json:"action"`
	Select      selection                      `json:"select"`
	Holds       ledger.Holds                   `json:"holds"`
	ReportType  keys.Optional[keys.ReportType] `json:"reportType"`
	Immediately bool                           `json:"immediately"`
	Confirm     int                            `json:"confirm"`
	Previewed   moment                         `json:"previewed"`
	Why         string                         `json:"why"`
}

// selection is a [ledger.Selection] in JSON.
type selection struct {
	Units      []unit                         `json:"units"`
	Uploads    []string                       `json:"uploads"`
	Origin     keys.Region                    `json:"origin"`
	Source     ledger.Source                  `json:"source"`
	TestType   keys.Optional[keys.TestType]   `json:"testType"`
	ReportType keys.Optional[keys.ReportType] `json:"reportType"`
	From       moment                         `json:"from"`
	To         moment                         `json:"to"`
	All        bool                           `json:"all"`
}

// unit names a key of an origin.
type unit struct {
	Origin  keys.Region `json:"origin"`
	KeyData string      `json:"keyData"` // as ParseKeyData takes it
}

// moment is a time in RFC 3339. What is none is not quoted: it may be anything.
type moment struct{ time.Time }

func (m *moment) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return errors.New("a time that is not as in RFC 3339")
	}
	m.Time = t
	return nil
}

func (m *moment) UnmarshalJSON(text []byte) error {
	var s string
	if json.Unmarshal(text, &s) != nil {
		s = ""
	}
	return m.UnmarshalText([]byte(s))
}

// Parse returns the order that text, JSON, is, given by whom by names. The error
// names the field.
func Parse(text []byte, by string) (*ledger.Order, error) {
	var f form
	if err := deploy.Decode(text, &f); err != nil {
		return nil, err
	}
	s := &f.Select
	o := &ledger.Order{
		ID: f.ID, Action: f.Action, Holds: f.Holds, ReportType: f.ReportType,
		Immediately: f.Immediately, Confirm: f.Confirm, Previewed: f.Previewed.Time, By: by, Why: f.Why,
		Select: ledger.Selection{
			Uploads: s.Uploads, Origin: s.Origin, Source: s.Source, TestType: s.TestType, ReportType: s.ReportType,
			From: s.From.Time, To: s.To.Time, All: s.All,
		},
	}
	for i, u := range s.Units {
		data, err := ParseKeyData(u.KeyData)
		if err != nil {
			return nil, fmt.Errorf("select.units[%d].keyData: %w", i, err)
		}
		o.Select.Units = append(o.Select.Units, ledger.UnitID{Origin: u.Origin, KeyData: data})
	}
	return o, nil
}
