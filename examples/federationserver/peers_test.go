package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/examples/internal/exposition"
	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage/ledger"
)

var peerKills = flag.Int("peerkills", 9, "how often a federation server is killed that has peers")

// A group is federation servers, by one clock, with a nation each.
type group struct {
	t    *testing.T
	hubs map[string]*member
}

// A member is one of them.
type member struct {
	*site
	group   *group
	name    string
	region  string
	key     *signing.Signer // of its nation, whose id is "phones"
	peers   map[string]map[string]any
	process *process
	second  *process // on the same ledger; nil for none
	client  *interop.Client

	at          federation.Place // up to where its nation has read
	shown       map[keys.KeyData]int
	withdrawals map[keys.KeyData]int
}

// newGroup returns servers that have nothing to do with each other yet.
func newGroup(t *testing.T, regions ...string) *group {
	t.Helper()
	g := &group{t: t, hubs: map[string]*member{}}
	var first *site
	for i, region := range regions {
		s := newSite(t)
		if first == nil {
			first = s
		}
		s.time, s.phones = first.time, first.phones
		m := &member{site: s, group: g, name: fmt.Sprintf("hub%d", i+1), region: region, peers: map[string]map[string]any{},
			at: federation.Place{Day: federation.DayOf(time.Now()) - 1}, shown: map[keys.KeyData]int{}, withdrawals: map[keys.KeyData]int{}}
		m.key = m.onboard("phones", region)
		g.hubs[m.name] = m
	}
	return g
}

// joins has a server be a client of another, as its operators do: it calls the other
// name, and is called id there.
func (m *member) joins(other *member, name, id string, more map[string]any) {
	m.t.Helper()
	p := map[string]any{"name": name, "url": "http://127.0.0.1:1", "token": map[string]string{"file": name + ".token"}, "signingKey": map[string]string{"file": "keys/peers.pem"}}
	maps.Copy(p, more)
	m.peers[name] = p
	m.writePeers()
	m.run("peer", "init", "-peers", m.path("peers.json"))
	other.run("nation", "add", "-relays", "*", "-extended", "-withdrawals", "-key", m.path("keys/peers.pem.pub"), id)
	other.run("nation", "token", "-out", m.path(name+".token"), id)
	p["hub"] = other.name
}

// writePeers writes the file of peers, whole.
func (m *member) writePeers() {
	m.t.Helper()
	var all []map[string]any
	for _, p := range m.peers {
		q := maps.Clone(p)
		if other := m.group.hubs[fmt.Sprint(q["hub"])]; other != nil && other.process != nil {
			q["url"] = other.process.base
		}
		delete(q, "hub") // which is for us
		all = append(all, q)
	}
	text, err := json.Marshal(map[string]any{"instances": all})
	if err != nil {
		m.t.Fatal(err)
	}
	m.replace("peers.json", string(text))
}

func (m *member) replace(name, text string) {
	m.t.Helper()
	if err := os.WriteFile(m.path(name+".tmp"), []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Rename(m.path(name+".tmp"), m.path(name)); err != nil {
		m.t.Fatal(err)
	}
}

// serve starts the server, at another address than before, which it tells the others.
func (m *member) serve() {
	m.t.Helper()
	m.writePeers()
	m.process = m.start("-peers", m.path("peers.json"), "-peer-every", "200ms")
	m.client = m.site.client("phones", m.region, m.key, m.process.base, &http.Client{Transport: &http.Transport{}})
	for _, other := range m.group.hubs {
		if other != m && other.process != nil {
			other.writePeers()
		}
	}
}

// serveTwice has a second process do the same work.
func (m *member) serveTwice() {
	m.t.Helper()
	m.second = m.start("-peers", m.path("peers.json"), "-peer-every", "200ms")
}

// upload has the nation of a server upload, again and again until it is answered.
func (m *member) upload(tag string, ks []keys.DiagnosisKey) {
	m.t.Helper()
	await(m.t, "an upload is answered", func() bool {
		_, err := m.client.Upload(m.t.Context(), batchOf(tag, ks))
		return err == nil
	})
}

// withdraw has it take keys back.
func (m *member) withdraw(tag string, ks []keys.DiagnosisKey) {
	m.t.Helper()
	ks = append([]keys.DiagnosisKey(nil), ks...)
	for i := range ks {
		ks[i].ReportType = keys.Some(keys.ReportRevoked)
	}
	m.upload(tag, ks)
}

// read has the nation of a server read all there is.
func (m *member) read() {
	m.t.Helper()
	for {
		page, err := m.client.Download(m.t.Context(), m.at)
		if err != nil {
			m.t.Fatal(err)
		}
		if page == nil {
			return
		}
		for _, k := range page.Keys {
			if k.ReportType == keys.Some(keys.ReportRevoked) {
				m.withdrawals[k.KeyData]++
			} else {
				m.shown[k.KeyData]++
			}
		}
		m.at = page.Next
	}
}

// awaitAll waits until the nation of a server has been given something of every key.
func (m *member) awaitAll(what string, in map[keys.KeyData]int, ks []keys.DiagnosisKey) {
	m.t.Helper()
	await(m.t, fmt.Sprintf("the nation at %s has %s", m.name, what), func() bool {
		m.read()
		return missing(in, ks) == 0
	})
}

func missing(in map[keys.KeyData]int, ks []keys.DiagnosisKey) (n int) {
	for i := range ks {
		if in[ks[i].KeyData] == 0 {
			n++
		}
	}
	return n
}

// expectOnce expects that each of the keys was given once, and no other.
func (m *member) expectOnce(what string, in map[keys.KeyData]int, ks []keys.DiagnosisKey) {
	m.t.Helper()
	m.read()
	for i := range ks {
		if n := in[ks[i].KeyData]; n != 1 {
			m.t.Errorf("the nation at %s was given a key's %s %d times, want once", m.name, what, n)
			return
		}
	}
	if len(in) != len(ks) {
		m.t.Errorf("the nation at %s was given %d %s, want %d", m.name, len(in), what, len(ks))
	}
}

// open opens the ledger of a server, beside it, until the test ends.
func (m *member) open() *ledger.Ledger {
	m.t.Helper()
	store, closing, err := deploy.OpenStore(m.t.Context(), m.ledger, m.time.Now)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { closing() })
	l, err := ledger.Open(m.t.Context(), store, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	return l
}

// rest waits until no log gets any longer and nothing is sent, over several cuts of
// each server.
func (g *group) rest() {
	g.t.Helper()
	const cuts = 3
	logs := map[string]*ledger.Ledger{}
	for name, m := range g.hubs {
		logs[name] = m.open()
	}
	look := func() (lasts, seqs map[string]int64) {
		lasts, seqs = map[string]int64{}, map[string]int64{}
		for name, l := range logs {
			log, err := l.Log(context.WithoutCancel(g.t.Context()), math.MaxInt64)
			if err != nil {
				g.t.Fatal(err)
			}
			lasts[name], seqs[name] = log.Last.Last, log.Last.Seq
		}
		return lasts, seqs
	}
	lasts, since := look()
	sent := g.sent()
	await(g.t, "it comes to rest", func() bool {
		now, seqs := look()
		if n := g.sent(); n != sent || !maps.Equal(now, lasts) { // what was cut is sent a moment later
			lasts, since, sent = now, seqs, n
		}
		for name := range seqs {
			if seqs[name] < since[name]+cuts {
				return false
			}
		}
		return true
	})
}

// sent counts the runs in which anything was sent.
func (g *group) sent() (n int) {
	for _, m := range g.hubs {
		for _, p := range m.processes() {
			n += strings.Count(p.log.String(), `"msg":"pushed"`)
		}
	}
	return n
}

// processes returns those that serve a member.
func (m *member) processes() []*process {
	if m.second == nil {
		return []*process{m.process}
	}
	return []*process{m.process, m.second}
}

// balance expects the books of all to balance, those of their peers too.
func (g *group) balance() {
	g.t.Helper()
	for _, m := range g.hubs {
		l := m.open()
		peers, err := readPeers(l, m.path("peers.json"))
		if err != nil {
			g.t.Fatal(err)
		}
		p := &peering{file: &watched[[]*peer]{value: peers}}
		sinks, err := p.sinks(g.t.Context())
		if err != nil {
			g.t.Fatal(err)
		}
		stats, err := l.Stats(g.t.Context(), sinks...)
		if err == nil {
			err = stats.Check()
		}
		if err != nil {
			g.t.Errorf("%s: %v", m.name, err)
		}
	}
}

// TestPeers has servers be peers in all the ways there are. What a nation uploads at
// one of them, and what it withdraws, is given to the nations at all others, once,
// and then it comes to rest.
func TestPeers(t *testing.T) {
	both := map[string]any{"nation": true}
	for _, c := range []struct {
		name    string
		regions []string
		connect func(hubs map[string]*member)
		twice   bool
	}{
		{"one is the client of the other", []string{"IE", "GI"}, func(h map[string]*member) {
			h["hub1"].joins(h["hub2"], "hub2", "hub1", nil)
		}, false},
		{"each is the client of the other, and one is two processes", []string{"IE", "GI"}, func(h map[string]*member) {
			h["hub1"].joins(h["hub2"], "hub2", "hub1", both)
			h["hub2"].joins(h["hub1"], "hub1", "hub2", both)
		}, true},
		{"each is the client of the other under another name", []string{"IE", "GI"}, func(h map[string]*member) {
			h["hub1"].joins(h["hub2"], "hub2", "hub1", nil)
			h["hub2"].joins(h["hub1"], "other", "guest", nil)
		}, false},
		{"a ring of three", []string{"IE", "GI", "JE"}, func(h map[string]*member) {
			h["hub1"].joins(h["hub2"], "hub2", "hub1", nil)
			h["hub2"].joins(h["hub3"], "hub3", "hub2", nil)
			h["hub3"].joins(h["hub1"], "hub1", "hub3", nil)
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGroup(t, c.regions...)
			c.connect(g.hubs)
			for _, m := range g.hubs {
				m.serve()
			}
			if c.twice {
				g.hubs["hub1"].serveTwice()
			}
			uploaded, withdrawn := map[string][]keys.DiagnosisKey{}, map[string][]keys.DiagnosisKey{}
			for name, m := range g.hubs {
				ks := m.keysOf(m.region, 30)
				m.upload("first", ks)
				uploaded[name], withdrawn[name] = ks, ks[:10]
			}
			others := func(name string, of map[string][]keys.DiagnosisKey) (all []keys.DiagnosisKey) {
				for other, ks := range of {
					if other != name {
						all = append(all, ks...)
					}
				}
				return all
			}
			for name, m := range g.hubs {
				m.awaitAll("what was uploaded at the others", m.shown, others(name, uploaded))
			}
			for name, m := range g.hubs {
				m.withdraw("second", withdrawn[name])
			}
			for name, m := range g.hubs {
				m.awaitAll("what was withdrawn at the others", m.withdrawals, others(name, withdrawn))
			}
			g.rest()
			for name, m := range g.hubs {
				m.expectOnce("keys", m.shown, others(name, uploaded))
				m.expectOnce("withdrawals", m.withdrawals, others(name, withdrawn))
			}
			g.balance()
			for _, m := range g.hubs {
				for _, p := range m.processes() {
					p.terminate()
					log := p.log.String()
					for _, ks := range uploaded {
						noLeak(t, "the log", log, ks)
					}
					if strings.Contains(log, `"level":"ERROR"`) || strings.Contains(log, federation.ErrOvertaken.Error()) || strings.Contains(log, `"part":"name"`) {
						t.Errorf("%s: something failed:\n%s", m.name, log)
					}
				}
			}
		})
	}
}

// TestPeersAreApart: a peer that is down, or never answers, holds up no cut, no other
// peer and no end; and how it goes with each is seen.
func TestPeersAreApart(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "IE", "GI")
	one, two := g.hubs["hub1"], g.hubs["hub2"]
	one.joins(two, "hub2", "hub1", nil)
	asked := make(chan struct{}, 100)
	for name, url := range map[string]string{"down": "http://" + unused(t), "slow": "http://" + silent(t, asked)} {
		one.replace(name+".token", "x")
		one.peers[name] = map[string]any{"name": name, "url": url, "token": map[string]string{"file": name + ".token"}, "signingKey": map[string]string{"file": "keys/peers.pem"}}
	}
	two.serve()
	one.serve()
	<-asked
	before, after := one.keysOf("IE", 20), two.keysOf("GI", 10)
	one.upload("a", before)
	two.upload("b", after)
	one.awaitAll("what was uploaded at hub2", one.shown, after)
	two.awaitAll("what was uploaded at hub1", two.shown, before)

	first, _ := one.process.metric("federation_last_cut_timestamp_seconds")
	await(t, "cuts are made", func() bool {
		last, _ := one.process.metric("federation_last_cut_timestamp_seconds")
		return last >= first+300
	})
	if n, ok := one.process.metric(`federation_peer_failures_total{peer="hub2"}`); !ok || n != 0 {
		t.Errorf("%v failures with a peer that is well", n)
	}
	for _, step := range []string{"pull", "push"} {
		name := "federation_peer_last_" + step + `_timestamp_seconds{peer="`
		at, ok := one.process.metric(name + `hub2"}`)
		if ago := one.time.Now().Sub(time.Unix(int64(at), 0)); !ok || ago > time.Hour || int64(at)%60 != 0 {
			t.Errorf("the last %s was %s ago", step, ago)
		}
	}
	for _, bad := range []string{"down", "slow"} {
		if _, ok := one.process.metric(`federation_peer_last_pull_timestamp_seconds{peer="` + bad + `"}`); ok {
			t.Errorf("a pull from %s has worked", bad)
		}
	}
	if n, _ := one.process.metric(`federation_peer_failures_total{peer="down"}`); n < 1 {
		t.Errorf("%v failures with a peer that is down", n)
	}
	if status, text := one.process.get("/healthz"); status != http.StatusOK {
		t.Errorf("health: %d %s", status, text)
	}
	start := time.Now()
	one.process.terminate() // while it waits for an answer
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("it took %s to end", d)
	}
	noLeak(t, "the log", one.process.log.String(), before)
}

// unused returns an address at which nobody is.
func unused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// silent returns the address of a server that never answers, and tells when it is
// asked.
func silent(t *testing.T, asked chan<- struct{}) string {
	t.Helper()
	h := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(h.Close)
	return h.Listener.Addr().String()
}

// TestPeersKilled kills two servers at random moments that are clients of each
// other, and starts them at other addresses. What was answered at one of them is
// given at the other, once.
func TestPeersKilled(t *testing.T) {
	t.Parallel()
	n := *peerKills
	if testing.Short() {
		n = min(n, 4)
	}
	g := newGroup(t, "IE", "GI")
	one, two := g.hubs["hub1"], g.hubs["hub2"]
	one.joins(two, "hub2", "hub1", map[string]any{"nation": true})
	two.joins(one, "hub1", "hub2", map[string]any{"nation": true})
	one.serve()
	two.serve()
	random := rand.New(rand.NewPCG(3, 4))
	sent, withdrawn := map[*member][]keys.DiagnosisKey{}, map[*member][]keys.DiagnosisKey{}
	for i := range n {
		for _, m := range []*member{one, two} {
			ks := m.keysOf(m.region, 20)
			m.upload(fmt.Sprint("t", i), ks)
			sent[m] = append(sent[m], ks...)
		}
		time.Sleep(time.Duration(random.IntN(700)) * time.Millisecond)
		victim := []*member{one, two}[random.IntN(2)]
		if i%3 == 2 {
			ks := sent[victim][20*(i-2) : 20*(i-2)+5]
			victim.withdraw(fmt.Sprint("w", i), ks)
			withdrawn[victim] = append(withdrawn[victim], ks...)
		}
		victim.process.cmd.Process.Kill()
		<-victim.process.ended
		victim.serve()
	}
	for m, other := range map[*member]*member{one: two, two: one} {
		m.awaitAll("what was withdrawn at the other", m.withdrawals, told(m, withdrawn[other]))
		await(t, "the rest is there", func() bool {
			m.read()
			return missing(m.shown, untouched(sent[other], withdrawn[other])) == 0
		})
	}
	g.rest()
	for m, other := range map[*member]*member{one: two, two: one} {
		m.read()
		for _, k := range untouched(sent[other], withdrawn[other]) {
			if m.shown[k.KeyData] != 1 {
				t.Errorf("the nation at %s was given a key %d times, want once", m.name, m.shown[k.KeyData])
				break
			}
		}
		for _, k := range withdrawn[other] {
			if m.shown[k.KeyData] != m.withdrawals[k.KeyData] || m.shown[k.KeyData] > 1 {
				t.Errorf("the nation at %s was given a key %d times, and told %d times that it was withdrawn", m.name, m.shown[k.KeyData], m.withdrawals[k.KeyData])
				break
			}
		}
	}
	g.balance()
	t.Logf("%d deaths, %d keys, %d withdrawn", n, len(sent[one])+len(sent[two]), len(withdrawn[one])+len(withdrawn[two]))
}

// told returns the keys that a nation was given, and so is to be told of.
func told(m *member, ks []keys.DiagnosisKey) (all []keys.DiagnosisKey) {
	for _, k := range ks {
		if m.shown[k.KeyData] > 0 {
			all = append(all, k)
		}
	}
	return all
}

// untouched returns the keys that were not withdrawn.
func untouched(ks, withdrawn []keys.DiagnosisKey) (all []keys.DiagnosisKey) {
	gone := map[keys.KeyData]bool{}
	for _, k := range withdrawn {
		gone[k.KeyData] = true
	}
	for _, k := range ks {
		if !gone[k.KeyData] {
			all = append(all, k)
		}
	}
	return all
}

// TestPeersReloaded has the file of peers change while the server runs: a peer comes,
// the file cannot be read, the peer's secret is replaced, it is disabled.
func TestPeersReloaded(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "IE", "GI")
	one, two := g.hubs["hub1"], g.hubs["hub2"]
	two.serve()
	one.serve() // without peers
	arrives := func(what string) {
		t.Helper()
		ks := one.keysOf("IE", 5)
		one.upload(what, ks)
		two.awaitAll("what was uploaded at hub1: "+what, two.shown, ks)
	}
	one.joins(two, "hub2", "hub1", nil)
	one.writePeers()
	arrives("a peer has come")

	one.replace("peers.json", "{")
	await(t, "it is said that the file is bad", func() bool {
		return strings.Contains(one.process.log.String(), `"part":"peers"`)
	})
	arrives("the file is bad")

	if err := os.Rename(one.path("hub2.token"), one.path("old")); err != nil {
		t.Fatal(err)
	}
	await(t, "it is said that the token is gone", func() bool {
		return strings.Contains(one.process.log.String(), `"part":"secrets","peer":"hub2"`)
	})
	arrives("the token is gone, and known")
	two.run("nation", "revoke", "hub1")
	await(t, "the token is refused", func() bool {
		return strings.Contains(one.process.log.String(), `"part":"pull","peer":"hub2"`)
	})
	two.run("nation", "token", "-out", one.path("hub2.token"), "hub1")
	arrives("the token was replaced")

	one.peers["hub2"]["disabled"] = true
	one.writePeers()
	await(t, "the peer is no longer asked", func() bool {
		before := strings.Count(two.process.log.String(), "hub1")
		last, _ := one.process.metric(`federation_peer_last_pull_timestamp_seconds{peer="hub2"}`)
		time.Sleep(time.Second) // two minutes, by the clock of the servers
		again, _ := one.process.metric(`federation_peer_last_pull_timestamp_seconds{peer="hub2"}`)
		return last == again && strings.Count(two.process.log.String(), "hub1") == before
	})
	ks := one.keysOf("IE", 5)
	one.upload("disabled", ks)
	time.Sleep(2 * time.Second)
	if two.read(); missing(two.shown, ks) != len(ks) {
		t.Error("a peer that is disabled is sent keys")
	}
	delete(one.peers["hub2"], "disabled")
	one.writePeers()
	two.awaitAll("what was uploaded meanwhile", two.shown, ks)
}

// TestPeerNames: a peer and a nation have one name only if it was said that they are
// one server.
func TestPeerNames(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "IE", "GI")
	one, two := g.hubs["hub1"], g.hubs["hub2"]
	one.joins(two, "hub2", "hub1", nil)
	two.serve()
	one.serve()
	await(t, "the peer was asked", func() bool {
		_, ok := one.process.metric(`federation_peer_last_push_timestamp_seconds{peer="hub2"}`)
		return ok
	})
	add := func() (string, error) {
		return one.try("nation", "add", "-relays", "*", "-key", one.path("phones.pem"), "hub2")
	}
	if out, err := add(); err == nil || !strings.Contains(out, "a peer has this name") {
		t.Errorf("a nation with the name of a peer: %v\n%s", err, out)
	}
	one.peers["hub2"]["nation"] = true
	one.writePeers()
	await(t, "the nation is added", func() bool { _, err := add(); return err == nil })
	ks := one.keysOf("IE", 5)
	one.upload("x", ks)
	two.awaitAll("what was uploaded at hub1", two.shown, ks)

	delete(one.peers["hub2"], "nation")
	one.writePeers()
	await(t, "the peer stands still", func() bool {
		return strings.Contains(one.process.log.String(), `"part":"name","peer":"hub2"`)
	})
	one.process.terminate()
	_, err := one.begin("-peers", one.path("peers.json"))
	if err == nil || !strings.Contains(err.Error(), "exit status 2") {
		t.Errorf("a server with a peer that has the name of a nation: %v", err)
	}
	one.run("nation", "remove", "hub2")
	one.serve()
}

// goodPeers is a file of peers.
const goodPeers = `{"instances": [{"name": "a", "url": "https://a.example", "token": {"env": "A"}, "signingKey": {"file": "a.pem"}}]}`

// TestReadPeers names what is wrong with a file of peers, by its field.
func TestReadPeers(t *testing.T) {
	l, _ := newMemory(t)
	for _, c := range []struct{ replace, by, want string }{
		{"", "", ""},
		{`"instances"`, `"peers"`, "peers"},
		{`"name": "a"`, `"name": 1`, "instances[0]: "},
		{`"name": "a"`, `"nam": "a"`, "instances[0]: unknown field \"nam\""},
		{`"name": "a"`, `"name": "A"`, "instances[0] (A).name"},
		{`"name": "a"`, `"name": "own"`, "instances[0] (own).name"},
		{`https://a.example`, `a.example`, "instances[0] (a).url"},
		{`https://a`, `https://u:hunter2@a`, "instances[0] (a).url"},
		{`https://a`, `http://a`, "instances[0] (a): interop: base URL"},
		{`"name": "a"`, `"name": "a", "export": true`, "instances[0] (a).export"},
		{`"name": "a"`, `"name": "a", "withheld": true`, "instances[0] (a).withheld"},
		{`"name": "a"`, `"name": "a", "acceptOwn": true`, "instances[0] (a).acceptOwn"},
		{`"name": "a"`, `"name": "a", "extended": false`, "instances[0] (a).gateway"},
		{`"name": "a"`, `"name": "a", "extended": false, "region": "IE"`, ""},
		{`"name": "a"`, `"name": "a", "extended": false, "gateway": false`, ""},
		{`"name": "a"`, `"name": "a", "protocol": "gopher"`, "instances[0] (a).protocol"},
		{`"name": "a"`, `"name": "a", "limits": {"maxBatch": 5001}`, "instances[0] (a): federation: instance a: PushOptions.MaxBatch"},
		{`"name": "a"`, `"name": "a", "rules": {"typo": 1}`, "typo"},
		{`, "signingKey": {"file": "a.pem"}`, ``, "instances[0] (a).signingKey"},
		{`, "signingKey": {"file": "a.pem"}`, `, "gateway": false`, ""},
		{`{"env": "A"}`, `{"env": "A", "file": "a"}`, "instances[0] (a).token"},
		{`{"env": "A"}`, `{"value": "hunter2"}`, "value"},
		{`}]`, `}, {"name": "a", "url": "https://b.example", "token": {"env": "A"}, "signingKey": {"file": "a.pem"}}]`, "instances[1] (a).name"},
		{goodPeers, `{}`, ""},
		{`"name": "a"`, `"name": "a", "disabled": true`, ""},
	} {
		path := filepath.Join(t.TempDir(), "peers.json")
		if err := os.WriteFile(path, []byte(strings.Replace(goodPeers, c.replace, c.by, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readPeers(l, path)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s for %s: got %v, want %q", c.by, c.replace, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v: quotes what may be a secret", err)
		}
	}
	if _, err := readPeers(l, filepath.Join(t.TempDir(), "nothing.json")); err == nil {
		t.Error("a file that is not there is no error")
	}
}

// TestPeerDefaults: a peer is taken for a hub of this project where its file does not
// say otherwise.
func TestPeerDefaults(t *testing.T) {
	for _, c := range []struct {
		more                                               string
		imports, gateway, extended, beginning, withdrawals bool
	}{
		{``, true, true, true, true, true},
		{`, "import": false, "fromBeginning": false`, false, true, true, false, true},
		{`, "rules": {"origins": ["IE"]}`, true, true, true, true, true},
		{`, "extended": false, "region": "IE"`, true, true, false, true, false},
		{`, "extended": false, "region": "IE", "rules": {"withdrawals": true}`, true, true, false, true, true},
	} {
		p, err := parsePeer([]byte(`{"name": "a"` + c.more + `}`))
		if err != nil {
			t.Fatal(err)
		}
		got := [...]bool{p.Import, p.Gateway, p.Extended, p.FromBeginning, p.Rules.Withdrawals}
		if want := [...]bool{c.imports, c.gateway, c.extended, c.beginning, c.withdrawals}; got != want {
			t.Errorf("%s: got %v, want %v", c.more, got, want)
		}
	}
}

// TestPeerMetrics: what is seen of peers, and when: keys when the hour is over, and
// of each peer that the file names.
func TestPeerMetrics(t *testing.T) {
	now := time.Date(2026, 3, 10, 9, 59, 30, 0, time.UTC)
	p := &peering{counts: newPeerCounts(func() time.Time { return now }), file: &watched[[]*peer]{}}
	for _, name := range []ledger.Source{"b", "a"} {
		p.file.value = append(p.file.value, &peer{Instance: partner.Instance{Name: name}})
	}
	p.counts.pulled(&federation.PullReport{Instance: "a", Pages: 1, Accepted: 2, Revised: 3, Duplicates: 4, Rejected: 5, WithdrawalsTaken: 6, WithdrawalsKept: 7})
	p.counts.pushed(&federation.PushReport{Instance: "a", Batches: 8, Keys: 9, Withdrawals: 10})
	p.counts.pushed(&federation.PushReport{Instance: "gone", Batches: 8, Keys: 9, Withdrawals: 10})
	p.counts.pulled(&federation.PullReport{Instance: "b", Time: now, GivenUp: make([]federation.GivenUp, 2)})
	p.counts.pulled(&federation.PullReport{Instance: "b"}) // one that was not run
	p.counts.failed("a")
	p.counts.failed("a")
	p.counts.pulls.note("a", now)
	shown := func() string {
		var text strings.Builder
		p.metrics(exposition.New(&text))
		var values []string
		for line := range strings.Lines(text.String()) {
			if value, ok := strings.CutPrefix(line, "federation_peer_"); ok {
				values = append(values, value)
			}
		}
		return strings.Join(values, "")
	}
	const first = `last_pull_timestamp_seconds{peer="a"} 1.77313674e+09
failures_total{peer="a"} 2
failures_total{peer="b"} 0
given_up_batches{peer="b"} 2
`
	if got := shown(); got != first {
		t.Errorf("in the hour: got\n%swant\n%s", got, first)
	}
	now = now.Add(time.Minute)
	const then = first + `pulled_batches_total{peer="a"} 1
pulled_batches_total{peer="b"} 0
pulled_keys_total{peer="a"} 5
pulled_keys_total{peer="b"} 0
duplicate_keys_total{peer="a"} 4
duplicate_keys_total{peer="b"} 0
rejected_keys_total{peer="a"} 5
rejected_keys_total{peer="b"} 0
pulled_withdrawals_total{peer="a"} 13
pulled_withdrawals_total{peer="b"} 0
pushed_batches_total{peer="a"} 8
pushed_batches_total{peer="b"} 0
pushed_keys_total{peer="a"} 9
pushed_keys_total{peer="b"} 0
pushed_withdrawals_total{peer="a"} 10
pushed_withdrawals_total{peer="b"} 0
`
	if got := shown(); got != then {
		t.Errorf("after the hour: got\n%swant\n%s", got, then)
	}
}
