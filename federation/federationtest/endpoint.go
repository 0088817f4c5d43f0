package federationtest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
)

// An Endpoint is a server over HTTP, and the nations as which the suite calls it.
type Endpoint struct {
	// URL is whatever stands before "/upload" and "/download".
	URL string

	// Nations are two at least; all may upload and download. With a third, what
	// comes of uploads is looked at by one that brings nothing itself.
	Nations []Nation
}

// ReadNations reads the nations of an [Endpoint] from a file of JSON,
//
//	[{"region": "IE", "token": "ie.token", "key": "ie.pem", "expired": "ie-old.token"},
//	 {"region": "GI", "token": "gi.token", "key": "gi.pem", "withdrawals": true, "extended": true, "relays": ["FR"]}]
//
// in which token, key and expired name files: of a token, of a private key in PEM,
// and of a token that was good once. Names are relative to the file. Withdrawals,
// extended and relays are how the server knows the nation, as in [Nation]. All but
// region, token and key may be left out; what is asked of it is not checked then.
func ReadNations(path string) ([]Nation, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("federationtest: %w", err)
	}
	var entries []struct {
		Region  keys.Region `json:"region"`
		Token   string      `json:"token"`
		Key     string      `json:"key"`
		Expired string      `json:"expired"`

		Withdrawals bool          `json:"withdrawals"`
		Extended    bool          `json:"extended"`
		Relays      []keys.Region `json:"relays"`
	}
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, fmt.Errorf("federationtest: %s: %w", path, err)
	}
	var nations []Nation
	for i, e := range entries {
		n := Nation{Region: e.Region, Withdrawals: e.Withdrawals, Extended: e.Extended, Relays: e.Relays}
		if n.Token, err = readToken(path, e.Token); err == nil && e.Expired != "" {
			n.Expired, err = readToken(path, e.Expired)
		}
		if err == nil {
			n.Key, err = signing.ReadPrivateKeyFile(beside(path, e.Key))
		}
		if err != nil {
			return nil, fmt.Errorf("federationtest: %s: nation %d: %w", path, i, err)
		}
		nations = append(nations, n)
	}
	return nations, nil
}

func readToken(path, name string) (string, error) {
	text, err := os.ReadFile(beside(path, name))
	return strings.TrimSpace(string(text)), err
}

// beside returns a name relative to the folder of a file.
func beside(path, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(path), name)
}

// EndpointOptions are options of [TestServer]. The zero value suits a server on
// this machine.
type EndpointOptions struct {
	// Skip declares deviations: the name of a clause, and why the server does not
	// keep it. Each is printed.
	Skip map[string]string

	// UploadTo must be the host of the URL, if that is not this machine: keys of
	// the suite's own making are uploaded to it.
	UploadTo string

	// Release has the server make batches of what was uploaded. It is called while
	// the server is being polled, several times. Nil waits until it does so itself.
	Release func() error

	// Patience is how long what was uploaded may take until it is handed out; 0 is
	// 1 min. The real service makes batches every two hours. The suite waits twice:
	// for keys, and for their withdrawals.
	Patience time.Duration

	// Poll is the pause between two looks at a server that has nothing new; 0 is
	// 50 ms on this machine and 5 s elsewhere.
	Poll time.Duration

	// MaxUpload is the size of the largest request body that the server reads; 0 is
	// 100 MiB.
	MaxUpload int64

	// BigUpload is how many keys a server must take at one time; 0 is 2,000.
	BigUpload int

	// MaxPages is how many pages the server may have of today and yesterday; 0 is
	// 10,000.
	MaxPages int

	HTTPClient *http.Client     // nil is one without limits; redirects are not followed
	Now        func() time.Time // by which keys are made; nil is time.Now
}

// FaithfulDeviations are the clauses of [TestServer] that the open-source
// interoperability service was measured not to keep, and why. Whoever runs the
// suite against it passes them as [EndpointOptions].Skip.
func FaithfulDeviations() map[string]string {
	return map[string]string{
		"auth-first":             "its schema errors come before authentication",
		"auth-scheme":            "it takes no scheme but Bearer, in this spelling",
		"answers-not-cached":     "it sends no Cache-Control",
		"bad-key-alone":          "one bad key refuses its whole batch, with 400 or 500",
		"bad-keys-kept-back":     "it checks no ranges, and hands out what it was sent",
		"date-impossible":        "its database refuses such days, with 500",
		"malformed-message":      "it answers 500 to a message that it cannot read",
		"paging-loses-nothing":   "its batches can be asked for before they are filled",
		"pages-stay":             "its batches can be asked for before they are filled",
		"signature-length":       "it takes signatures with bytes after them",
		"signature-status":       "it answers 500, no key found, to signatures that do not verify",
		"tag-is-the-nations-own": "keys under a tag that another nation has used are filed under that",
		"tag-odd":                "it answers 500 to tags that are not UUIDs",
		"tag-unknown":            "it answers 204, for ever, to a tag that it does not know",
		"withdrawal-told":        "it passes over what it has already, and a withdrawal is such a key to it",
		"withdrawal-takers":      "a withdrawal of a key that it does not have is a key to it, for everybody",
		"extended-unknown":       "it has no extended form",
		"extended-to-others":     "it refuses a batch with a field left out, with 500",
		"relay-origin":           "it takes the origin from the token",
	}
}

// complete fills in defaults and returns an error that names the field.
func (o *EndpointOptions) complete(e *Endpoint) error {
	local, err := mayUpload(e.URL, o.UploadTo, "Endpoint", "EndpointOptions")
	if err != nil {
		return err
	}
	if len(e.Nations) < 2 {
		return fmt.Errorf("Endpoint.Nations: %d, want two at least", len(e.Nations))
	}
	for i := range e.Nations {
		if err := e.Nations[i].check(); err != nil {
			return fmt.Errorf("Endpoint.Nations[%d]: %w", i, err)
		}
	}
	if !local {
		o.Poll = cmp.Or(o.Poll, 5*time.Second)
	}
	o.Poll = cmp.Or(o.Poll, 50*time.Millisecond)
	o.Patience = cmp.Or(o.Patience, time.Minute)
	o.MaxUpload = cmp.Or(o.MaxUpload, 100<<20)
	o.BigUpload = cmp.Or(o.BigUpload, 2000)
	o.MaxPages = cmp.Or(o.MaxPages, 10_000)
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}

// mayUpload reports whether a URL is of this machine. If it is not, its host must
// have been named a second time.
func mayUpload(base, uploadTo, endpoint, options string) (local bool, err error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return false, errors.New(endpoint + ".URL: no URL of http or https")
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	local = host == "localhost" || ip != nil && ip.IsLoopback()
	if !local && uploadTo != host {
		return false, fmt.Errorf("%s.UploadTo: must be %q if keys may be uploaded to it", options, host)
	}
	return local, nil
}

// TestServer holds a server to what its clients need of the protocol, one subtest
// for each clause. All clauses make their requests first; then the suite waits until
// what they uploaded is handed out, withdraws some of it, waits once more, and looks
// at what came of it all.
//
// It uploads some 5,000 keys, random ones, three days old, under tags that say so.
// Run it against servers that are made for tests.
func TestServer(t *testing.T, e *Endpoint, opts *EndpointOptions) {
	if opts == nil {
		opts = &EndpointOptions{}
	}
	own := *opts
	if err := own.complete(e); err != nil {
		t.Fatalf("federationtest: %v", err)
	}
	for name := range own.Skip {
		if !slices.ContainsFunc(serverClauses(), func(c serverClause) bool { return c.name == name }) {
			t.Errorf("federationtest: EndpointOptions.Skip: there is no clause %q", name)
		}
	}
	verdicts := examine(t.Context(), e, &own)
	for _, c := range serverClauses() {
		t.Run(c.name, func(t *testing.T) {
			if why, ok := own.Skip[c.name]; ok {
				t.Skipf("declared deviation: %s\n\tclause: %s", why, c.must)
			}
			report(t, verdicts[c.name], c.must)
		})
	}
}

// report reports what came of a clause.
func report(t *testing.T, err error, must string) {
	t.Helper()
	if errors.Is(err, errNotGiven) {
		t.Skip(err)
	}
	if err != nil {
		t.Errorf("%v\n\tclause: %s", err, must)
	}
}

// errNotGiven is the answer of a check for which something is missing.
var errNotGiven = errors.New("not checked")
