package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/examples/internal/nation"
	"github.com/gaenkit/gaen/examples/internal/showntest"
	"github.com/gaenkit/gaen/internal/fastclock"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger/submit"
)

// A journey is four nations and two federation servers, each a process with a
// ledger in SQLite, by a clock that goes faster than ours.
type journey struct {
	t     *testing.T
	dir   string
	bin   string
	clock *fastclock.Clock
	keys  *keystest.Generator

	release map[string]any // of all nations; one phone is enough unless it says otherwise

	hubs map[string]*running
}

// journeySpeed makes an hour of two seconds.
const journeySpeed = 1800

// running is a program that serves, until the test ends.
type running struct {
	cmd   *exec.Cmd
	addr  map[string]string // by what is served there
	ended chan struct{}

	mu  sync.Mutex
	log strings.Builder
}

// heed notes a line of the log.
func (r *running) heed(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log.WriteString(line + "\n")
}

// text returns what a program has logged so far.
func (r *running) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

// kill ends a program at once.
func (r *running) kill() {
	r.cmd.Process.Kill()
	<-r.ended
}

func newJourney(t *testing.T) *journey {
	j := &journey{t: t, dir: t.TempDir(), bin: t.TempDir(), keys: keystest.New(1, &keystest.Options{EndOfPeriod: true}), hubs: map[string]*running{},
		release: map[string]any{"minKeys": 0, "minUploads": 0, "minWithdrawnUploads": 0}}
	for name, args := range map[string][]string{ // test binaries, for their clock
		"federationserver": {"test", "-c"}, "verify": {"build"},
	} {
		args = append(args, "-o", filepath.Join(j.bin, name), "github.com/gaenkit/gaen/examples/"+name)
		if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", name, err, out)
		}
	}
	j.clock = fastclock.New(journeySpeed)
	return j
}

func (j *journey) path(elem ...string) string {
	return filepath.Join(append([]string{j.dir}, elem...)...)
}

// command returns a program, to be run.
func (j *journey) command(args ...string) *exec.Cmd {
	j.t.Helper()
	j.t.Log("$", strings.Join(args, " "))
	c := exec.CommandContext(j.t.Context(), args[0], args[1:]...)
	if path := filepath.Join(j.bin, args[0]); args[0] != "nationalbackend" { // which is in PATH
		c.Path, c.Err = path, nil
	}
	c.Dir = j.dir
	c.Env = append(os.Environ(), j.clock.Environ())
	return c
}

// run runs a program to its end, which must be good, and returns what it prints.
func (j *journey) run(args ...string) string {
	j.t.Helper()
	c := j.command(args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		j.t.Fatalf("%s: %v\n%s%s", args[0], err, out, &stderr)
	}
	return strings.TrimSpace(string(out))
}

// start starts a program and waits until it serves at so many addresses.
func (j *journey) start(addresses int, args ...string) *running {
	j.t.Helper()
	r := &running{cmd: j.command(args...), addr: map[string]string{}, ended: make(chan struct{})}
	stderr, err := r.cmd.StderrPipe()
	if err == nil {
		err = r.cmd.Start()
	}
	if err != nil {
		j.t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for len(r.addr) < addresses && lines.Scan() {
		r.heed(lines.Text())
		var line struct{ Msg, For, Addr, Address string }
		json.Unmarshal(lines.Bytes(), &line)
		if at := line.Addr + line.Address; at != "" {
			r.addr[line.Msg+line.For] = "http://" + at
		}
	}
	if len(r.addr) < addresses {
		j.t.Fatalf("%s does not serve:\n%s", args[0], r.text())
	}
	go func() {
		defer close(r.ended)
		for lines.Scan() {
			r.heed(lines.Text())
		}
		r.cmd.Wait()
	}()
	j.t.Cleanup(r.kill)
	return r
}

// hub starts a federation server.
func (j *journey) hub(name string) {
	j.t.Helper()
	j.hubs[name] = j.start(2, "federationserver", "serve", "-ledger", name+".db", "-secrets", name+".secrets",
		"-listen", "127.0.0.1:0", "-monitor", "127.0.0.1:0", "-every", "50ms")
}

// A country is a nation with a back end.
type country struct {
	j      *journey
	id     string
	region keys.Region

	addresses int                 // at which it serves
	exchanged []keys.DiagnosisKey // of TestRotation: what was submitted so far
	*running
}

// settings are what a nation has to do with a server: what its operator says of it
// there, and its own switches.
type settings struct {
	rights   []string // flags of nation add
	switches map[string]any
	european bool // known by certificates, which are among the rights, and not by key and token
}

// country makes a nation: its folder and keys, its accounts at servers, its process.
func (j *journey) country(id string, at map[string]settings) *country {
	j.t.Helper()
	c := &country{j: j, id: id, region: keys.MustRegion(strings.ToUpper(id)), addresses: 2}
	if err := os.Mkdir(j.path(id), 0o755); err != nil {
		j.t.Fatal(err)
	}
	var instances []map[string]any
	for _, hub := range slices.Sorted(maps.Keys(at)) {
		in := map[string]any{
			"name": hub, "url": j.hubs[hub].addr["serving"], "plainHttp": true,
			"token": map[string]string{"file": hub + ".token"}, "signingKey": map[string]string{"file": "keys/federation.pem"},
			"limits": map[string]any{"settle": "-1s"}, // these servers have no pages that fill
		}
		if at[hub].european {
			delete(in, "token")
		}
		maps.Copy(in, at[hub].switches)
		instances = append(instances, in)
	}
	config, err := json.MarshalIndent(map[string]any{
		"api":        map[string]any{"originCountry": c.region, "unionPackage": "EUR"},
		"submission": map[string]any{"listen": "127.0.0.1:0", "authorizer": "token", "signingKey": map[string]string{"file": "keys/answers.pem"}, "beat": "10ms"},
		"operations": map[string]any{"listen": "127.0.0.1:0"},
		"schedule":   map[string]any{"every": "1s", "jitter": "0s"},
		"input":      map[string]any{"consentToFederate": "given"},
		"release":    j.release,
		"instances":  instances,
	}, "", "  ")
	if err != nil {
		j.t.Fatal(err)
	}
	if err := os.WriteFile(j.path(id, "backend.json"), config, 0o600); err != nil {
		j.t.Fatal(err)
	}
	j.run("nationalbackend", "init", "-config", id+"/backend.json")
	for _, hub := range slices.Sorted(maps.Keys(at)) {
		add := []string{"federationserver", "nation", "add", "-ledger", hub + ".db", "-region", c.region.String()}
		if !at[hub].european {
			add = append(add, "-key", id+"/keys/federation.pem.pub")
		}
		j.run(append(append(add, at[hub].rights...), id)...)
		if at[hub].european {
			c.addresses++ // of the callback
			continue
		}
		j.run("federationserver", "nation", "token", "-ledger", hub+".db", "-secrets", hub+".secrets", "-out", id+"/"+hub+".token", id)
	}
	c.serve()
	return c
}

func (c *country) serve() {
	c.running = c.j.start(c.addresses, "nationalbackend", "serve", "-config", c.id+"/backend.json")
}

// submit has a phone submit n keys, by a token of the laboratory's.
func (c *country) submit(n int) []keys.DiagnosisKey {
	c.j.t.Helper()
	token := c.j.run("nationalbackend", "issue", "-config", c.id+"/backend.json", "-kit", "LAB_RESULT", "-consent", "given")
	ks := c.j.keys.Keys(c.j.clock.Now().Add(-4*time.Hour), n)[:n]
	var list []map[string]any
	for _, k := range ks {
		list = append(list, map[string]any{"key": base64.StdEncoding.EncodeToString(k.KeyData[:]), "rollingStartNumber": k.RollingStartIntervalNumber, "rollingPeriod": k.RollingPeriod})
	}
	body, err := json.Marshal(map[string]any{"diagnosisKeySubmissionToken": token, "temporaryExposureKeys": list})
	if err != nil {
		c.j.t.Fatal(err)
	}
	resp, err := http.Post(c.addr["listeningsubmission"]+submit.DefaultPath, "application/json", bytes.NewReader(body))
	if err != nil {
		c.j.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		c.j.t.Fatal(resp.Status)
	}
	return ks
}

// published returns the keys in the verified hours of a package.
func (c *country) published(pkg string) map[keys.KeyData]int {
	c.j.t.Helper()
	config, err := nation.Read(c.j.path(c.id, "backend.json"))
	if err != nil {
		c.j.t.Fatal(err)
	}
	return showntest.Keys(c.j.t, c.j.path(c.id, "www"), c.j.path(c.id, config.Paths.PrivateKey), config.Identity(), pkg)
}

// comesToShow waits until a package shows exactly these keys, each once.
func (c *country) comesToShow(pkg string, want ...[]keys.DiagnosisKey) {
	c.j.t.Helper()
	all := slices.Concat(want...)
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		got, once := c.published(pkg), 0
		for i := range all {
			if got[all[i].KeyData] == 1 {
				once++
			}
		}
		switch {
		case once == len(all) && len(got) == len(all):
			c.j.t.Logf("%s: %s shows %d keys", c.id, pkg, once)
			return
		case len(got) > len(all) || time.Since(start) > time.Minute:
			c.j.t.Fatalf("%s: %s shows %d keys, %d of the right ones once; want %d", c.id, pkg, len(got), once, len(all))
		}
	}
}

// accepted returns how many keys each source has brought.
func (c *country) accepted() map[string]int {
	c.j.t.Helper()
	var books struct {
		Sources map[string]struct{ Accepted int }
	}
	if err := json.Unmarshal([]byte(c.j.run("nationalbackend", "books", "-config", c.id+"/backend.json")), &books); err != nil {
		c.j.t.Fatal(err)
	}
	n := map[string]int{}
	for source, s := range books.Sources {
		n[source] = s.Accepted
	}
	return n
}

// TestJourney has keys that phones submit in one country be in the archives of
// others, with two federation servers and a gateway between them, all of them
// processes. It is the whole of the seed's list, with every switch.
func TestJourney(t *testing.T) {
	if testing.Short() {
		t.Skip("programs are built and run")
	}
	t.Parallel()
	j := newJourney(t)
	j.hub("hub-a")
	j.hub("hub-b")
	both := map[string]any{"import": true, "export": true}
	gateway := func(relays string) settings {
		return settings{rights: []string{"-relays", relays, "-extended"}, switches: map[string]any{"import": true, "export": true, "gateway": true, "extended": true}}
	}
	de := j.country("de", map[string]settings{
		"hub-a": {switches: both},
		"hub-b": {switches: map[string]any{"import": true, "export": true, "disabled": true}},
	})
	fr := j.country("fr", map[string]settings{"hub-b": {switches: both}})
	ie := j.country("ie", map[string]settings{"hub-a": gateway("FR,MT"), "hub-b": gateway("DE")})
	mt := j.country("mt", map[string]settings{
		"hub-a": {switches: map[string]any{"import": true, "withheld": true}},
		"hub-b": {switches: map[string]any{"export": true}},
	})

	german, irish, maltese := de.submit(5), ie.submit(3), mt.submit(2)
	de.comesToShow("DE", german)
	ie.kill() // the gateway, wherever it is
	ie.serve()
	fr.comesToShow("EUR", german, irish, maltese) // by hub-a, the gateway and hub-b
	de.comesToShow("EUR", german, irish, maltese)
	ie.comesToShow("EUR", german, irish, maltese)
	fr.comesToShow("FR") // what came from abroad is not of France: each key has its origin
	mt.comesToShow("EUR", maltese)

	// What each server brought is under its name, also what is not published; and of
	// the one that is disabled nothing came.
	for c, want := range map[*country]map[string]int{
		de: {"own": 5, "hub-a": 5},
		fr: {"hub-b": 10},
		ie: {"own": 3, "hub-a": 5, "hub-b": 2},
		mt: {"own": 2, "hub-a": 8},
	} {
		if got := c.accepted(); !maps.Equal(got, want) {
			t.Errorf("%s has keys %v, want %v", c.id, got, want)
		}
		c.j.run("verify", "-set", "api.originCountry="+c.region.String(), "-set", "api.unionPackage=EUR", "-key", c.id+"/keys/private.pem.pub", c.id+"/www")
	}
}
