package nation

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// plain is an instance with import and export.
func plain(name ledger.Source) partner.Instance {
	return partner.Instance{Name: name, Import: true, Export: true}
}

// TestSubmittedHereShownThere: what a phone submits in one country is in the
// archives of another, which is on another server, by way of a gateway; and the
// other way round. Each back end is opened anew in between.
func TestSubmittedHereShownThere(t *testing.T) {
	w := newWorld(t)
	a, b := w.hub(), w.hub()
	hubs := []*hub{a, b}
	germany, france, ireland := w.country(de), w.country(fr), w.country(ie)
	germany.joins(a, plain("hub-a"), interop.Member{})
	france.joins(b, plain("hub-b"), interop.Member{})
	relays := func(name ledger.Source) partner.Instance {
		return partner.Instance{Name: name, Import: true, Export: true, Gateway: true, Extended: true}
	}
	ireland.joins(a, relays("hub-a"), interop.Member{Nation: federation.Nation{Relays: keys.Only(fr)}, Extended: true})
	ireland.joins(b, relays("hub-b"), interop.Member{Nation: federation.Nation{Relays: keys.Only(de)}, Extended: true})
	all := []*country{germany, ireland, france}
	for _, c := range all {
		c.open()
		c.tick() // the first cut, so that later keys have one to follow
	}

	fromGermany, fromFrance, fromIreland := germany.submit(8), france.submit(7), ireland.submit(6)
	for hour := range 11 { // four back ends on the way, each with a cut
		w.hour(hubs, all...)
		all[hour%len(all)].open()
	}
	for _, c := range all {
		c.shows("EUR", fromGermany, fromFrance, fromIreland)
	}
	germany.shows("DE", fromGermany)
	france.shows("FR", fromFrance)

	// The origin went with the keys, and what each server brought is its own.
	for c, want := range map[*country]map[string]int{
		germany: {"DE by own": 8, "FR by hub-a": 7, "IE by hub-a": 6},
		france:  {"FR by own": 7, "DE by hub-b": 8, "IE by hub-b": 6},
		ireland: {"IE by own": 6, "DE by hub-a": 8, "FR by hub-b": 7},
	} {
		if got := c.units(); len(got) != len(want) {
			t.Errorf("%s has %v, want %v", c.region, got, want)
		} else {
			for k, n := range want {
				if got[k] != n {
					t.Errorf("%s has %v, want %v", c.region, got, want)
				}
			}
		}
	}
	w.clean(slices.Concat(fromGermany, fromFrance, fromIreland), all...)
}

// TestSwitches has one nation with a server for every way of switching.
func TestSwitches(t *testing.T) {
	w := newWorld(t)
	germany := w.country(de)
	hubs := map[ledger.Source]*hub{}
	for _, in := range []partner.Instance{
		{Name: "both", Import: true, Export: true},
		{Name: "import", Import: true},
		{Name: "export", Export: true, Extended: true}, // so that it could be sent what others brought
		{Name: "neither"},
		{Name: "relay", Gateway: true, Extended: true},
		{Name: "disabled", Disabled: true, Import: true, Export: true, Gateway: true, Extended: true},
		{Name: "withheld", Import: true, Withheld: true},
		{Name: "lab-only", Export: true, Rules: rules(t, `{"testTypes": ["RAPID_RESULT"]}`)},
	} {
		h := w.hub()
		hubs[in.Name] = h
		germany.joins(h, in, interop.Member{Nation: federation.Nation{Relays: keys.All[keys.Region]()}, Extended: in.Extended})
		h.members["seed"] = interop.Member{Nation: federation.Nation{Name: "seed", Region: fr}}
	}
	germany.open()
	germany.tick()
	brought := map[ledger.Source][]keys.DiagnosisKey{}
	for name, h := range hubs {
		ks := w.keys.Upload(w.clock().Add(-3 * time.Hour)).Keys[:3]
		for i := range ks {
			ks[i].Origin = fr
			ks[i].ConsentToFederate = keys.ConsentUnstated
		}
		brought[name] = ks
		if _, err := h.hub.Upload(t.Context(), &federation.Nation{Name: "seed", Region: fr}, &federation.Incoming{Tag: "t", Keys: ks}); err != nil {
			t.Fatal(err)
		}
	}
	own := germany.submit(5)
	for range 4 {
		w.add(time.Hour)
		for _, h := range hubs {
			h.release()
		}
		germany.tick()
	}
	got := germany.units()
	for name, want := range map[string]int{"both": 3, "import": 3, "export": 0, "neither": 0, "relay": 0, "disabled": 0, "withheld": 3, "lab-only": 0} {
		if n := got["FR by "+name]; n != want {
			t.Errorf("%s brought %d keys, want %d", name, n, want)
		}
	}
	for name, want := range map[ledger.Source][2]int{ // keys of DE and FR at the server
		"both": {5, 3}, "import": {0, 3}, "export": {5, 3}, "neither": {0, 3}, "relay": {0, 3 + 9}, "disabled": {0, 3}, "withheld": {0, 3}, "lab-only": {0, 3},
	} {
		if o := hubs[name].origins(); o[de] != want[0] || o[fr] != want[1] {
			t.Errorf("%s has %d keys of DE and %d of FR, want %v", name, o[de], o[fr], want)
		}
	}
	germany.shows("EUR", own, brought["both"], brought["import"]) // and what is withheld is not
	w.clean(own, germany)
}

func rules(t *testing.T, text string) (r partner.Rules) {
	t.Helper()
	if err := r.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestPushedBeforePublished: a cut that a server could not be sent waits for 15
// minutes, counted from the cut, and no longer; other servers are sent it at once.
func TestPushedBeforePublished(t *testing.T) {
	w := newWorld(t)
	a, b := w.hub(), w.hub()
	germany := w.country(de)
	germany.joins(a, plain("hub-a"), interop.Member{})
	small := plain("hub-b")
	small.Limits.MaxBatch, small.Limits.MaxBatches = 1, 1 // as many runs as there are keys
	germany.joins(b, small, interop.Member{})
	germany.open()
	germany.tick()
	ks := germany.submit(4)

	// The archive is not there while the server is told of the keys.
	b.before = func(r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/upload") && len(germany.published("DE")) != 0 {
			t.Error("published before it was pushed")
		}
	}
	a.down = true
	w.add(time.Hour)
	for _, c := range []struct {
		after   time.Duration
		waiting bool
		keys    int
	}{{0, true, 0}, {14 * time.Minute, true, 0}, {time.Minute, false, 4}, {time.Minute, false, 4}} {
		w.add(c.after)
		r, err := germany.backend.Tick(t.Context())
		if err == nil || !strings.Contains(err.Error(), "hub-a") {
			t.Errorf("the failure of hub-a is not told: %v", err)
		}
		if r.Waiting != c.waiting || len(germany.published("DE")) != c.keys {
			t.Errorf("%s later: waiting %v, %d keys published; want %v and %d", c.after, r.Waiting, len(germany.published("DE")), c.waiting, c.keys)
		}
		if n := b.origins()[de]; n != 4 {
			t.Errorf("%s later: the other server has %d keys, want 4", c.after, n)
		}
	}
	a.down = false
	germany.tick()
	if n := a.origins()[de]; n != 4 {
		t.Errorf("the server that was down has %d keys, want 4", n)
	}
	germany.shows("DE", ks)

	// With all servers up a cut is published at once.
	more := germany.submit(3)
	b.before = nil
	w.add(time.Hour)
	germany.tick()
	germany.shows("DE", ks, more)
}

// TestLeftAlone: a server that names a time is asked nothing until then, by pull or
// push, and others are.
func TestLeftAlone(t *testing.T) {
	w := newWorld(t)
	a, b := w.hub(), w.hub()
	germany := w.country(de)
	germany.joins(a, plain("hub-a"), interop.Member{})
	germany.joins(b, plain("hub-b"), interop.Member{})
	germany.open()
	germany.tick()
	germany.submit(4)
	a.down, a.retry, a.asked, b.asked = true, "120", 0, 0
	w.add(time.Hour)
	for i, c := range []struct {
		after time.Duration
		asked int // in all
	}{{0, 1}, {time.Second, 1}, {118 * time.Second, 1}, {time.Second, 2}, {time.Minute, 2}} {
		w.add(c.after)
		_, err := germany.backend.Tick(t.Context())
		if err == nil || !strings.Contains(err.Error(), "hub-a") || strings.Contains(err.Error(), "hub-b") {
			t.Errorf("look %d: got %v", i, err)
		}
		if a.asked != c.asked {
			t.Errorf("look %d: asked %d times, want %d", i, a.asked, c.asked)
		}
	}
	if n := b.origins()[de]; n != 4 || b.asked < 5 {
		t.Errorf("the other server was asked %d times and has %d keys", b.asked, n)
	}
	a.down = false
	w.add(time.Minute)
	germany.tick()
	if n := a.origins()[de]; n != 4 {
		t.Errorf("the server has %d keys, want 4", n)
	}
}

// TestOvertaken has another process of the same back end do everything while one is
// waiting for an answer: it is no failure, and nothing is repeated or left out.
func TestOvertaken(t *testing.T) {
	w := newWorld(t)
	a := w.hub()
	germany := w.country(de)
	germany.joins(a, plain("hub-a"), interop.Member{})
	germany.open()
	germany.tick()
	ks := germany.submit(4)
	w.add(time.Hour)
	other, err := Open(t.Context(), germany.config, &Options{Clock: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for _, path := range []string{"/upload", "/download/"} {
		var overtaken atomic.Bool
		a.before = func(r *http.Request) {
			if !strings.Contains(r.URL.Path, path) || !overtaken.CompareAndSwap(false, true) {
				return
			}
			if _, err := other.Tick(t.Context()); err != nil {
				t.Errorf("the other: %v", err)
			}
		}
		germany.tick()
		w.add(time.Hour)
		a.release()
	}
	if n := strings.Count(w.log.String(), "overtaken"); n != 2 {
		t.Errorf("overtaken %d times, want 2", n)
	}
	if n := a.origins()[de]; n != 4 {
		t.Errorf("the server has %d keys, want 4", n)
	}
	germany.shows("EUR", ks)
	w.clean(ks, germany)
}

// TestSecretsReplaced has a token and a signing key replaced without a restart; and
// what cannot be used does not take the place of what can.
func TestSecretsReplaced(t *testing.T) {
	w := newWorld(t)
	a := w.hub()
	germany := w.country(de)
	germany.joins(a, plain("hub-a"), interop.Member{})
	germany.open()
	germany.tick()
	germany.submit(2)

	good := germany.config.Instances[0].Token
	before := germany.backend.active.Load()
	text, err := good.Read(t.Context(), germany.dir)
	if err != nil {
		t.Fatal(err)
	}
	germany.write("hub-a.token", "")
	w.add(time.Hour)
	if _, err := germany.backend.Tick(t.Context()); err == nil || !strings.Contains(err.Error(), "instances[0].token") {
		t.Errorf("an empty token: got %v", err)
	}
	if germany.backend.active.Load() != before {
		t.Error("what cannot be used took the place of what can")
	}
	if n := a.origins()[de]; n != 2 {
		t.Errorf("with the old token: %d keys, want 2", n)
	}
	germany.write("hub-a.token", "revoked")
	w.add(time.Minute)
	if _, err := germany.backend.Tick(t.Context()); err == nil {
		t.Error("a bad token is in use, and nothing is said of it")
	}
	germany.submit(3)
	germany.write("hub-a.token", text)
	w.add(time.Hour)
	germany.tick()
	if n := a.origins()[de]; n != 5 {
		t.Errorf("with the good token again: %d keys, want 5", n)
	}
	if strings.Contains(w.log.String(), text) {
		t.Error("the log holds the token")
	}
}

// TestSecretsAreReplacedEachByItself: whatever is wrong with one, those who were struck
// off a list are nobody from the next look on.
func TestSecretsAreReplacedEachByItself(t *testing.T) {
	const ada, grace = "ada:0123456789abcdef", "grace:fedcba9876543210"
	w := newWorld(t)
	a := w.hub()
	germany := w.country(de)
	germany.joins(a, plain("hub-a"), interop.Member{})
	germany.config.Orders = Orders{Listen: "127.0.0.1:0", Operators: partner.Secret{File: "operators"}}
	germany.write("operators", ada+"\n"+grace+"\n")
	germany.open()
	germany.tick()
	for _, broken := range []struct{ name, file, text, want string }{
		{"missing", "hub-a.token", "", "instances[0].token"},
		{"unusable", "keys/answers.pem", "hunter2", "submission.signingKey"},
	} {
		t.Run(broken.name, func(t *testing.T) {
			good, err := os.ReadFile(filepath.Join(germany.dir, broken.file))
			if err != nil {
				t.Fatal(err)
			}
			germany.write("operators", ada+"\n"+grace+"\n")
			germany.tick()
			germany.write(broken.file, broken.text)
			germany.write("operators", grace+"\n")
			w.add(time.Minute)
			for range 2 { // it is said again
				if _, err := germany.backend.Tick(t.Context()); !errors.Is(err, ErrPartial) || !strings.Contains(err.Error(), broken.want) {
					t.Errorf("got %v, want %s", err, broken.want)
				}
			}
			for who, want := range map[string]int{ada: http.StatusUnauthorized, grace: http.StatusOK} {
				if status, _ := germany.ask(who, "GET", "/orders", ""); status != want {
					t.Errorf("%.5s is answered %d, want %d", who, status, want)
				}
			}
			germany.submit(1) // the answer is signed by the key that there was
			germany.write(broken.file, string(good))
			w.add(time.Minute)
			germany.tick()
		})
	}
}

// TestOwnKeysFromAbroad are not taken unless that is configured.
func TestOwnKeysFromAbroad(t *testing.T) {
	for _, accept := range []bool{false, true} {
		w := newWorld(t)
		a := w.hub()
		germany := w.country(de)
		in := plain("hub-a")
		in.AcceptOwn = accept
		// The token stands for another country, as that of a gateway.
		germany.joins(a, in, interop.Member{})
		m := a.members["de"]
		m.Region = ie
		a.members["de"] = m
		if err := a.table.Replace(a.members); err != nil {
			t.Fatal(err)
		}
		germany.open()
		germany.tick()
		ks := w.keys.Upload(w.clock().Add(-3 * time.Hour)).Keys[:3]
		if _, err := a.hub.Upload(t.Context(), &federation.Nation{Name: "evil", Relays: keys.Only(de)}, &federation.Incoming{Tag: "t", Keys: ks}); err != nil {
			t.Fatal(err)
		}
		w.add(time.Hour)
		a.release()
		germany.tick()
		if n := germany.units()["DE by hub-a"]; (n == 3) != accept {
			t.Errorf("accept %v: %d keys", accept, n)
		}
	}
}

// TestMetrics change at multiples of the resolution alone.
func TestMetrics(t *testing.T) {
	w := newWorld(t)
	germany := w.country(de)
	germany.config.Operations.Resolution = deploy.Duration(30 * time.Minute)
	germany.open()
	operations := germany.backend.Operations()
	if got := get(operations, "/readyz"); got.status != 503 {
		t.Errorf("ready before the first look: %v", got)
	}
	germany.tick()
	if got := get(operations, "/readyz"); got.status != 200 {
		t.Errorf("not ready: %v", got)
	}
	const stored = `gaen_submissions_total{kind="stored"} `
	germany.submit(2)
	for _, c := range []struct {
		after time.Duration
		want  string
	}{{0, "0"}, {29 * time.Minute, "0"}, {time.Minute, "1"}} {
		w.add(c.after)
		got := get(operations, "/metrics")
		if got.status != 200 || !strings.Contains(got.body, stored+c.want+"\n") {
			t.Errorf("%s later: want %s in\n%s", c.after, c.want, got.body)
		}
	}
	w.add(time.Hour)
	if got := get(operations, "/readyz"); got.status != 503 {
		t.Errorf("ready an hour after the last look: %v", got)
	}
	if got := get(operations, "/healthz"); got.status != 200 {
		t.Error(got)
	}
}

// TestFirstCut has what was submitted before the first look be sent and published:
// packages and partners begin where the log stands when they are first seen.
func TestFirstCut(t *testing.T) {
	w := newWorld(t)
	a := w.hub()
	germany := w.country(de)
	germany.joins(a, plain("hub-a"), interop.Member{})
	germany.open()
	ks := germany.submit(4)
	w.add(time.Hour)
	germany.tick()
	if n := a.origins()[de]; n != 4 {
		t.Errorf("the server has %d keys, want 4", n)
	}
	germany.shows("DE", ks)
}
