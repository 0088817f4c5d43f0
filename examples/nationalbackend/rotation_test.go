package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/signing/cms"
)

// TestRotation has everything replaced that OPERATIONS.md says is replaced while
// everything runs, as it says: certificates, tokens, keys and secrets, of nations and
// of their server. No process is started again, no pull or push fails, and what was
// taken out of use is refused.
func TestRotation(t *testing.T) {
	if testing.Short() {
		t.Skip("programs are built and run")
	}
	t.Parallel()
	j := newJourney(t)
	gateway := lastWord(j.run("nationalbackend", "certificates", "-out", "certificates", "DE", "FR"))
	next := j.nextCertificates("DE", "FR")
	ports := []string{freePort(t), freePort(t)}
	j.europeanHub("hub", ports...)
	both := map[string]any{"import": true, "export": true}
	de := j.country("de", map[string]settings{"hub": j.european("de", "hub", ports[0], gateway, next)})
	fr := j.country("fr", map[string]settings{"hub": j.european("fr", "hub", ports[1], gateway, next)})
	ie := j.country("ie", map[string]settings{"hub": {switches: both}})
	all := []*country{de, fr, ie}
	exchange := func() {
		t.Helper()
		for _, c := range all {
			c.exchanged = append(c.exchanged, c.submit(2)...)
		}
		for _, c := range all {
			c.comesToShow("EUR", de.exchanged, fr.exchanged, ie.exchanged)
		}
	}
	exchange()

	// What is new is known to the other side first: certificates at the server and
	// with those who verify, a key at the server.
	old := j.nationList()
	j.run("federationserver", "nation", "certificate", "-ledger", "hub.db", "-add", "next/certificates.json", "-anchor", "next/anchor.pem", "de")
	de.awaits("secrets were replaced", func() { j.joinLists("certificates/certificates.json", "next/certificates.json") })
	if _, err := partner.MakeKey(j.path("ie", "keys", "next.pem")); err != nil {
		t.Fatal(err)
	}
	j.run("federationserver", "nation", "key", "-ledger", "hub.db", "-add", "ie/keys/next.pem.pub", "ie")

	// Then it is put in the place of the old. Between a key and its certificate the
	// old pair goes on.
	for _, use := range []string{"authentication", "signing", "callback"} {
		de.awaits("secrets failed", func() { j.move("next/de/"+use+"-key.pem", "certificates/de/"+use+"-key.pem") })
		de.awaits("secrets were replaced", func() { j.move("next/de/"+use+".pem", "certificates/de/"+use+".pem") })
	}
	ie.awaits("secrets were replaced", func() { j.move("ie/keys/next.pem", "ie/keys/federation.pem") })
	newToken := func() (replaced string) {
		replaced = j.read("ie/hub.token")
		j.run("federationserver", "nation", "token", "-ledger", "hub.db", "-secrets", "hub.secrets", "-out", "ie/next.token", "ie")
		ie.awaits("secrets were replaced", func() { j.move("ie/next.token", "ie/hub.token") })
		return replaced
	}
	token := newToken()
	exchange() // while the old is still good

	// Then the old is refused.
	for _, c := range regexp.MustCompile(`(?m)^  certificate ([0-9a-f]{64})`).FindAllStringSubmatch(old[:strings.Index(old, "\nfr ")], -1) {
		j.run("federationserver", "nation", "certificate", "-ledger", "hub.db", "-revoke", c[1], "de")
	}
	j.run("federationserver", "nation", "key", "-ledger", "hub.db", "-remove", regexp.MustCompile(`  key ([0-9a-f]+) `).FindStringSubmatch(old)[1], "ie")
	j.refuses(token, func() {
		j.run("federationserver", "nation", "revoke", "-ledger", "hub.db", "-token", regexp.MustCompile(`  token (\S+) `).FindStringSubmatch(old)[1], "ie")
	})

	// The server's own: the secret by which it issues tokens, and its certificate,
	// which nations that it calls allow already.
	secret := j.run("federationserver", "token", "list", "-secrets", "hub.secrets")
	j.run("federationserver", "token", "rotate", "-secrets", "hub.secrets")
	token = newToken()
	j.refuses(token, func() { j.run("federationserver", "token", "drop", "-secrets", "hub.secrets", secret) })
	for _, file := range []string{"gateway-key.pem", "gateway.pem"} {
		j.move("next/"+file, "certificates/"+file)
	}
	de.awaits("a hint", exchange)

	if got := shownAt(t, j.hubs["hub"].addr["serving efgs"]); got != next {
		t.Errorf("the gateway shows the certificate %s, want %s", got, next)
	}
	if got, want := shownAt(t, "https://127.0.0.1:"+ports[0]), thumbprint(t, j.path("certificates", "de", "callback.pem")); got != want || strings.Contains(old, got) {
		t.Errorf("de shows the certificate %s where it is called back, want %s", got, want)
	}
	for _, c := range all {
		if log := c.text(); strings.Contains(log, `"pull failed"`) || strings.Contains(log, `"push failed"`) {
			t.Errorf("%s failed at the server:\n%s", c.id, log)
		}
	}
}

func lastWord(s string) string {
	words := strings.Fields(s)
	return words[len(words)-1]
}

// nextCertificates makes a further set of certificates by the authority and the
// anchor that there are, in the folder next. It returns what the gateway will call
// with.
func (j *journey) nextCertificates(countries ...string) string {
	j.t.Helper()
	if err := os.Mkdir(j.path("next"), 0o700); err != nil {
		j.t.Fatal(err)
	}
	for _, name := range []string{"authority", "authority-key", "anchor", "anchor-key"} {
		j.write("next/"+name+".pem", j.read("certificates/"+name+".pem"))
	}
	return lastWord(j.run(append([]string{"nationalbackend", "certificates", "-out", "next"}, countries...)...))
}

// joinLists has one list of certificates be that and another.
func (j *journey) joinLists(to, from string) {
	j.t.Helper()
	var joined []cms.Entry
	for _, name := range []string{to, from} {
		entries, err := cms.ParseList([]byte(j.read(name)), nil)
		if err != nil {
			j.t.Fatal(err)
		}
		joined = slices.Concat(joined, entries)
	}
	text, err := cms.MarshalList(joined)
	if err != nil {
		j.t.Fatal(err)
	}
	j.write(to+".new", string(text))
	j.move(to+".new", to)
}

func (j *journey) read(name string) string {
	j.t.Helper()
	text, err := os.ReadFile(j.path(name))
	if err != nil {
		j.t.Fatal(err)
	}
	return string(bytes.TrimSpace(text))
}

func (j *journey) write(name, text string) {
	j.t.Helper()
	if err := os.WriteFile(j.path(name), []byte(text), 0o600); err != nil {
		j.t.Fatal(err)
	}
}

// move puts a file in the place of another, at once.
func (j *journey) move(from, to string) {
	j.t.Helper()
	if err := os.Rename(j.path(from), j.path(to)); err != nil {
		j.t.Fatal(err)
	}
}

func (j *journey) nationList() string {
	j.t.Helper()
	return j.run("federationserver", "nation", "list", "-ledger", "hub.db")
}

// refuses does something, before which a token is good, and after which it is not.
func (j *journey) refuses(token string, do func()) {
	j.t.Helper()
	if got := j.downloads(token); got == http.StatusUnauthorized {
		j.t.Error("a token is refused that is still good")
	}
	do()
	if got := j.downloads(token); got != http.StatusUnauthorized {
		j.t.Errorf("a token that is good no longer is answered %d", got)
	}
}

// downloads returns the status of a download with a token.
func (j *journey) downloads(token string) int {
	j.t.Helper()
	req, err := http.NewRequestWithContext(j.t.Context(), http.MethodGet, j.hubs["hub"].addr["serving"]+"/diagnosiskeys/download/"+j.clock.Now().Format(time.DateOnly), nil)
	if err != nil {
		j.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		j.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// shownAt returns the certificate that is shown at a URL.
func shownAt(t *testing.T, url string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", url[strings.LastIndex(url, "/")+1:], &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return cms.ThumbprintOf(conn.ConnectionState().PeerCertificates[0]).String()
}

// logged counts the lines of the log that say something.
func (r *running) logged(msg string) (n int) {
	for line := range strings.Lines(r.text()) {
		var l struct{ Msg string }
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == msg {
			n++
		}
	}
	return n
}

// awaits does something, and waits until the log has said what comes of it.
func (c *country) awaits(msg string, do func()) {
	c.j.t.Helper()
	before := c.logged(msg)
	do()
	for start := time.Now(); c.logged(msg) == before; time.Sleep(20 * time.Millisecond) {
		if time.Since(start) > time.Minute {
			c.j.t.Fatalf("%s does not log %q:\n%s", c.id, msg, c.text())
		}
	}
}
