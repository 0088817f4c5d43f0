package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/examples/internal/scripttest"
	"github.com/gaenkit/gaen/internal/treetest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/filestore"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/storagetest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"adopt": main})
}

// TestScripts runs the program as a whole. Each script has in www a tree as cwa-server
// leaves it, its table in keys.csv, and its key in keys/private.pem.
func TestScripts(t *testing.T) { scripttest.Run(t, leave, nil) }

// switchTime is when the scripts' tree is taken over.
var switchTime = time.Date(2026, 3, 11, 9, 20, 0, 0, time.UTC)

// leave makes what cwa-server leaves, below dir: two days of keys, of which those of
// the last hours are not published, and some were in files that are gone.
func leave(dir string) error {
	key, err := makeKeys(dir)
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(5, 5))
	countries := map[string][]treetest.Key{"DE": nil, "EUR": nil}
	rows := [][]string{{
		"key_data", "rolling_period", "rolling_start_interval_number", "submission_timestamp", "transmission_risk_level",
		"consent_to_federation", "origin_country", "visited_countries", "report_type", "days_since_onset_of_symptoms", "submission_type",
	}}
	first := time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC)
	for at := first.Add(-6 * time.Hour); at.Before(switchTime); at = at.Add(time.Hour) {
		for n := range 24 {
			k := treetest.Key{Start: int32(keys.StartOfDay(keys.IntervalAt(at).Day() - 2 - n%3)), Period: 144, Risk: int32(1 + n%8), Published: at}
			for i := range k.Data {
				k.Data[i] = byte(random.Uint32())
			}
			origin := "DE"
			if n%6 == 5 {
				origin = "FR"
			}
			rows = append(rows, []string{
				fmt.Sprintf(`\x%x`, k.Data), "144", fmt.Sprint(k.Start), fmt.Sprint(at.Unix() / 3600), fmt.Sprint(k.Risk),
				"t", origin, "{DE,FR}", "CONFIRMED_TEST", fmt.Sprint(n%5 - 2), "SUBMISSION_TYPE_PCR_TEST",
			})
			if at.Before(first) || at.Add(2*time.Hour).After(switchTime) {
				continue
			}
			countries["EUR"] = append(countries["EUR"], k)
			if origin == "DE" {
				countries["DE"] = append(countries["DE"], k)
			}
		}
	}
	var table bytes.Buffer
	if err := csv.NewWriter(&table).WriteAll(rows); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "keys.csv"), table.Bytes(), 0o644); err != nil {
		return err
	}
	server := treetest.CWA{Signer: treetest.Signer{Key: key, ID: "262", Version: "v1"}, HourDays: 2, Index: "index"}
	return lay(filepath.Join(dir, "www"), server.Tree(countries, first, switchTime.Truncate(time.Hour).Add(-30*time.Minute)))
}

func makeKeys(dir string) (*ecdsa.PrivateKey, error) {
	key, err := signing.GenerateKey()
	if err != nil {
		return nil, err
	}
	text, err := signing.MarshalPrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(dir, "keys"), 0o700); err != nil {
		return nil, err
	}
	return key, os.WriteFile(filepath.Join(dir, "keys", "private.pem"), text, 0o600)
}

func lay(dir string, tree map[string]treetest.Object) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	b, err := filestore.New(dir, &filestore.Options{NoSync: true})
	if err != nil {
		return err
	}
	for name, o := range tree {
		_, err := storage.Put(context.Background(), b, name, bytes.NewReader(o.Body), &storage.PutOptions{
			ContentType: o.ContentType, CacheControl: o.CacheControl, Metadata: o.Metadata,
		})
		if err != nil {
			return err
		}
	}
	return b.Close()
}

// settings of the scripts' deployment.
var settings = []string{"-set", "api.publicationMap=cwa", "-set", "objectStore.hash=md5"}

// TestDryRunSaysWhatIsDone has a dry run say what the first run will put, and then the
// first run do it.
func TestDryRunSaysWhatIsDone(t *testing.T) {
	dir := t.TempDir()
	if err := leave(dir); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-dir", dir, "-table", filepath.Join(dir, "keys.csv"), "-now", deploy.Shown(switchTime)}, settings...)
	var dry, real, errs bytes.Buffer
	if code := run(append(args, "-dry-run"), &dry, &errs); code != exitDone {
		t.Fatalf("dry run exits with %d: %s\n%s", code, errs.String(), dry.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "ledger.db")); err == nil {
		t.Error("a dry run made a ledger")
	}
	if code := run(args, &real, &errs); code != exitDone {
		t.Fatalf("exits with %d: %s\n%s", code, errs.String(), real.String())
	}
	said, rest, _ := strings.Cut(dry.String(), "the next run puts ")
	if said != real.String() {
		t.Errorf("a dry run says\n%s\nand the real one\n%s", said, real.String())
	}
	var promised []string
	for line := range strings.Lines(rest) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "put "); ok {
			promised = append(promised, name)
		}
	}
	if done := firstRun(t, dir); !slices.Equal(done, promised) || len(done) < 4 {
		t.Errorf("was to put %v, put %v", promised, done)
	}
}

// firstRun makes the next cut of the ledger and publishes, and returns what was put.
func firstRun(t *testing.T, dir string) (put []string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c, err := deploy.Read("", []string{"api.publicationMap=cwa", "objectStore.hash=md5"})
	must(err)
	store, closing, err := deploy.OpenStore(t.Context(), filepath.Join(dir, "ledger.db"), func() time.Time { return switchTime })
	must(err)
	defer closing()
	l, err := ledger.Open(t.Context(), store, nil)
	must(err)
	if r, err := l.Release(t.Context(), nil); err != nil || r == nil {
		t.Fatalf("no cut: %v", err)
	}
	b, err := filestore.New(filepath.Join(dir, "www"), nil)
	must(err)
	defer b.Close()
	layout, err := c.Layout()
	must(err)
	packages, err := c.Packages()
	must(err)
	key, err := signing.ReadPrivateKeyFile(filepath.Join(dir, "keys", "private.pem"))
	must(err)
	signer, err := signing.NewSigner(c.Identity(), key, nil)
	must(err)
	ring, err := signing.NewRing(signer)
	must(err)
	opts := c.Publisher()
	watched := storagetest.Faulty(b, nil)
	p, err := distribution.New(l, watched, layout, packages, ring, &opts)
	must(err)
	r, err := p.Run(t.Context())
	if err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	for _, call := range watched.Calls() {
		if slices.Contains([]string{storagetest.OpPut, storagetest.OpCreate, storagetest.OpReplace}, call.Op) {
			put = append(put, call.Name)
		}
	}
	slices.Sort(put)
	return slices.Compact(put)
}

// TestTable reads what PostgreSQL copies, and says of a bad row no more than where it
// is.
func TestTable(t *testing.T) {
	const head = "submission_timestamp,key_data,rolling_period,rolling_start_interval_number,transmission_risk_level,origin_country,visited_countries,report_type,days_since_onset_of_symptoms,consent_to_federation,submission_type,more\n"
	const good = `492300,\x000102030405060708090a0b0c0d0e0f,144,2953296,6,DE,"{DE,FR}",CONFIRMED_TEST,-3,t,SUBMISSION_TYPE_RAPID_TEST,x` + "\n"
	read := func(text string) (*table, error) { return readTable(strings.NewReader(text), keys.MustRegion("DE")) }
	got, err := read(head + good + strings.Replace(good, ",DE,", ",,", 1) + strings.NewReplacer(",DE,", ",IT,", "CONFIRMED_TEST", "", "-3,t", ",f").Replace(good))
	if err != nil || len(got.rows) != 3 || len(got.bad) > 0 {
		t.Fatalf("got %+v, %v", got, err)
	}
	var own, foreign row
	for _, r := range got.rows {
		if r.key.Origin == keys.MustRegion("IT") {
			foreign = r
		} else {
			own = r
		}
	}
	switch k := own.key; {
	case k.RollingPeriod != 144 || k.RollingStartIntervalNumber != 2953296 || k.TransmissionRiskLevel != keys.Some(keys.TransmissionRiskLevel(6)),
		k.Origin != keys.MustRegion("DE") || !k.VisitedCountries.Has(keys.MustRegion("FR")) || k.ReportType != keys.Some(keys.ReportConfirmedTest),
		k.DaysSinceOnsetOfSymptoms != keys.Some(keys.DaysSinceOnset(-3)) || k.ConsentToFederate != keys.ConsentGiven || k.TestType != keys.TestRapid,
		!own.submitted.Equal(time.Unix(492300*3600, 0)):
		t.Errorf("got %+v at %s", k, own.submitted)
	}
	if k := foreign.key; k.ConsentToFederate != keys.ConsentRefused || k.ReportType.Present() || k.DaysSinceOnsetOfSymptoms.Present() || k.TestType != keys.TestUnstated {
		t.Errorf("of another origin: %+v", k)
	}
	for column, bad := range map[string]string{
		"key_data":                      strings.Replace(good, "0d0e0f", "0d0e", 1),
		"rolling_period":                strings.Replace(good, ",144,", ",145,", 1),
		"rolling_start_interval_number": strings.Replace(good, "2953296", "-1", 1),
		"transmission_risk_level":       strings.Replace(good, ",6,", ",six,", 1),
		"origin_country":                strings.Replace(good, ",DE,", ",?,", 1),
		"visited_countries":             strings.Replace(good, "FR}", "??}", 1),
		"report_type":                   strings.Replace(good, "CONFIRMED_TEST", "SURE", 1),
		"days_since_onset_of_symptoms":  strings.Replace(good, ",-3,", ",99999,", 1),
		"submission_timestamp":          strings.Replace(good, "492300", "-5", 1),
	} {
		got, err := read(head + bad + good)
		if err != nil || len(got.rows) != 1 || len(got.bad) != 1 || !strings.Contains(got.bad[0].Error(), "line 2: "+column) || strings.Contains(got.bad[0].Error(), "0a0b") {
			t.Errorf("%s: got %+v, %v", column, got, err)
		}
	}
	for _, text := range []string{"", "a,b\n", strings.Replace(head, "key_data", "key", 1) + good, head + "1,2\n"} {
		if _, err := read(text); err == nil {
			t.Errorf("%.30q was taken for the table", text)
		}
	}
}

// TestDeliveries keeps to what one upload may have.
func TestDeliveries(t *testing.T) {
	tab := &table{}
	for n := range 100 {
		r := row{submitted: time.Unix(3600*int64(n%2), 0)}
		r.key.KeyData[0], r.key.Origin = byte(n), keys.MustRegion("DE")
		if n%5 == 0 {
			r.key.Origin = keys.MustRegion("FR")
		}
		tab.rows = append(tab.rows, r)
	}
	tab.sort()
	total, ids := map[ledger.Source]int{}, map[string]bool{}
	for _, d := range tab.deliveries(keys.MustRegion("DE"), "efgs", 30) {
		for _, up := range d.Uploads {
			if len(up.Keys) == 0 || len(up.Keys) > 30 || ids[up.ID] {
				t.Errorf("upload %s has %d keys", up.ID, len(up.Keys))
			}
			ids[up.ID] = true
			total[d.Source] += len(up.Keys)
		}
	}
	if total[ledger.Own] != 80 || total["efgs"] != 20 || len(ids) != 6 {
		t.Errorf("got %v in %d uploads", total, len(ids))
	}
}

// FuzzTable: whatever a table says, it is read or refused.
func FuzzTable(f *testing.F) {
	f.Add("key_data,rolling_start_interval_number,rolling_period,submission_timestamp,transmission_risk_level\n\\x00,1,1,1,1\n")
	f.Add("key_data,rolling_start_interval_number,rolling_period,submission_timestamp,transmission_risk_level,visited_countries\n\\x000102030405060708090a0b0c0d0e0f,2953296,144,492300,6,\"{DE,NULL}\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := readTable(strings.NewReader(text), keys.MustRegion("DE"))
		if err != nil {
			return
		}
		for _, r := range got.rows {
			if r.key.KeyData.IsZero() || r.key.RollingPeriod == 0 || r.key.Origin.IsZero() {
				t.Errorf("%+v", r.key)
			}
		}
		got.deliveries(keys.MustRegion("DE"), "efgs", 30)
	})
}
