package main

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A row is one of cwa-server's table of keys.
type row struct {
	key       keys.DiagnosisKey
	submitted time.Time // to the hour
}

// A table is what could be read of it.
type table struct {
	rows []row
	bad  []error // rows that are none, each by its line and column
}

// maxBad is how many bad rows are printed.
const maxBad = 20

// columns that every version of the table has.
var columns = []string{"key_data", "rolling_start_interval_number", "rolling_period", "submission_timestamp", "transmission_risk_level"}

// readTable reads the table as PostgreSQL copies it: CSV with a line of names. A bad
// row costs its neighbours nothing.
func readTable(r io.Reader, origin keys.Region) (*table, error) {
	in := csv.NewReader(r)
	in.ReuseRecord = true
	names, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("the line of names: %w", err)
	}
	place := map[string]int{}
	for i, name := range names {
		place[name] = i
	}
	for _, name := range columns {
		if _, ok := place[name]; !ok {
			return nil, fmt.Errorf("no column %s: want the table diagnosis_key, WITH CSV HEADER", name)
		}
	}
	t := &table{}
	for {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			t.sort()
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := in.FieldPos(0)
		p := &rowParser{value: func(name string) string {
			if i, ok := place[name]; ok {
				return fields[i]
			}
			return ""
		}}
		row := p.row(origin)
		if p.err != nil {
			t.bad = append(t.bad, fmt.Errorf("line %d: %w", line, p.err))
			continue
		}
		t.rows = append(t.rows, row)
	}
}

// sort puts rows in an order that does not depend on that of the table: the newest
// first, so that what was published long ago is what a quota of the ledger holds, which
// does not matter for it.
func (t *table) sort() {
	slices.SortFunc(t.rows, func(a, b row) int {
		return cmp.Or(b.submitted.Compare(a.submitted), bytes.Compare(a.key.KeyData[:], b.key.KeyData[:]), cmp.Compare(a.key.TestType, b.key.TestType))
	})
}

// rowParser reads the columns of one row. Its errors name the column, and say nothing
// of what is in that of the key.
type rowParser struct {
	value func(column string) string
	err   error
}

func (p *rowParser) fail(column string, err error) {
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("%s: %w", column, err)
	}
}

func (p *rowParser) number(column string, or int64) int64 {
	text := p.value(column)
	if text == "" {
		return or
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		p.fail(column, errors.New("no number"))
	}
	return n
}

func (p *rowParser) row(origin keys.Region) row {
	var k keys.DiagnosisKey
	var err error
	data, hexErr := hex.DecodeString(strings.TrimPrefix(p.value("key_data"), `\x`))
	if hexErr != nil {
		p.fail("key_data", errors.New("not as PostgreSQL prints bytes"))
	}
	k.KeyData, err = keys.ParseKeyData(data)
	p.fail("key_data", err)
	k.RollingStartIntervalNumber, err = keys.ParseInterval(p.number("rolling_start_interval_number", -1))
	p.fail("rolling_start_interval_number", err)
	k.RollingPeriod, err = keys.ParseRollingPeriod(p.number("rolling_period", 0))
	p.fail("rolling_period", err)
	k.TransmissionRiskLevel, err = keys.ParseTransmissionRiskLevel(p.number("transmission_risk_level", 0))
	p.fail("transmission_risk_level", err)
	p.regions(&k, origin)
	p.reportType(&k)
	if p.value("days_since_onset_of_symptoms") != "" {
		onset, err := keys.ParseDaysSinceOnset(p.number("days_since_onset_of_symptoms", 0))
		p.fail("days_since_onset_of_symptoms", err)
		k.DaysSinceOnsetOfSymptoms = keys.Some(onset)
	}
	k.ConsentToFederate = keys.ConsentRefused
	if v := p.value("consent_to_federation"); v == "t" || v == "true" {
		k.ConsentToFederate = keys.ConsentGiven
	}
	if k.Origin == origin {
		k.TestType = testTypes[p.value("submission_type")]
	}
	hours := p.number("submission_timestamp", 0)
	if hours < 0 || hours > maxHours {
		p.fail("submission_timestamp", errors.New("no number of hours since 1970"))
	}
	return row{k, time.Unix(hours*3600, 0).UTC()}
}

// maxHours is an hour of the year 2255.
const maxHours = 2_500_000

var testTypes = map[string]keys.TestType{
	"":                           keys.TestLab, // what there was first
	"SUBMISSION_TYPE_PCR_TEST":   keys.TestLab,
	"SUBMISSION_TYPE_RAPID_TEST": keys.TestRapid,
}

func (p *rowParser) regions(k *keys.DiagnosisKey, origin keys.Region) {
	k.Origin = origin
	if text := strings.TrimSpace(p.value("origin_country")); text != "" {
		var err error
		k.Origin, err = keys.ParseRegion(text)
		p.fail("origin_country", err)
	}
	text := strings.Trim(p.value("visited_countries"), "{}")
	if text == "" {
		return
	}
	var codes []string
	for code := range strings.SplitSeq(text, ",") {
		if code = strings.Trim(strings.TrimSpace(code), `"`); code != "" && code != "NULL" {
			codes = append(codes, code)
		}
	}
	var err error
	k.VisitedCountries, err = keys.ParseRegions(codes...)
	p.fail("visited_countries", err)
}

// reportTypes are those of cwa-server, by name.
var reportTypes = map[string]keys.ReportType{
	"CONFIRMED_TEST":               keys.ReportConfirmedTest,
	"CONFIRMED_CLINICAL_DIAGNOSIS": keys.ReportConfirmedClinicalDiagnosis,
	"SELF_REPORT":                  keys.ReportSelfReport,
	"RECURSIVE":                    keys.ReportRecursive,
}

func (p *rowParser) reportType(k *keys.DiagnosisKey) {
	text := p.value("report_type")
	if text == "" || text == "UNKNOWN" {
		return
	}
	t, ok := reportTypes[text]
	if !ok {
		p.fail("report_type", fmt.Errorf("%.40q is none that is known", text))
	}
	k.ReportType = keys.Some(t)
}

// deliveries returns the rows as the ledger takes them: uploads of an hour, of no more
// keys than one may have, a few thousand keys in each delivery.
func (t *table) deliveries(origin keys.Region, foreign ledger.Source, most int) []*ledger.Delivery {
	var all []*ledger.Delivery
	open := map[ledger.Source]*ledger.Delivery{}
	sizes, counts := map[ledger.Source]int{}, map[string]int{}
	for _, r := range t.rows {
		source := foreign
		if r.key.Origin == origin {
			source = ledger.Own
		}
		d := open[source]
		if d == nil || sizes[source] >= 5000 {
			d = &ledger.Delivery{Source: source}
			open[source], sizes[source] = d, 0
			all = append(all, d)
		}
		hour := string(source) + "-" + r.submitted.Format("2006010215")
		id := fmt.Sprintf("table-%s-%d", hour, counts[hour]/most)
		counts[hour]++
		sizes[source]++
		if n := len(d.Uploads); n == 0 || d.Uploads[n-1].ID != id {
			d.Uploads = append(d.Uploads, ledger.Upload{ID: id})
		}
		up := &d.Uploads[len(d.Uploads)-1]
		up.Keys = append(up.Keys, r.key)
	}
	return all
}
