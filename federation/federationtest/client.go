package federationtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
)

// A Client is what [TestClient] holds to the contracts of [federation.Downloader]
// and [federation.Uploader].
type Client interface {
	federation.Downloader
	federation.Uploader
}

// An Account is what a client under test is made with.
type Account struct {
	Nation
	URL     string        // whatever stands before "/upload" and "/download"
	Timeout time.Duration // of a request with its answer
	MaxPage int64         // bytes: a page of more is given up
}

// ClientOptions are options of [TestClient]; nil is none.
type ClientOptions struct {
	// Skip declares deviations: the name of a clause, and why the client does not
	// keep it. Each is printed.
	Skip map[string]string

	// Extended says that clients know the extended form of exposures, if they are
	// made of an account that has Extended.
	Extended bool

	// Seeds is how many runs with random faults are made for each direction; 0 is 4.
	Seeds int
}

// Limits that clients under test are made with.
const (
	clientTimeout = 2 * time.Second
	clientMaxPage = 4 << 20
)

// clientPatience is how long a call may take that is to end after clientTimeout, on
// a machine that is busy. Tests of broken clients have less.
var clientPatience = 30 * time.Second

// TestClient holds clients to their contracts, against a [Server] that misbehaves:
// one subtest for each clause. newClient returns a new client of an account.
//
// The server is on a loopback address without TLS, which a client must be allowed
// here.
func TestClient(t *testing.T, newClient func(t *testing.T, a Account) Client, opts *ClientOptions) {
	if opts == nil {
		opts = &ClientOptions{}
	}
	for name := range opts.Skip {
		if !slices.ContainsFunc(clientClauses(), func(c clientClause) bool { return c.name == name }) {
			t.Errorf("federationtest: ClientOptions.Skip: there is no clause %q", name)
		}
	}
	for _, c := range clientClauses() {
		t.Run(c.name, func(t *testing.T) {
			if why, ok := opts.Skip[c.name]; ok {
				t.Skipf("declared deviation: %s\n\tclause: %s", why, c.must)
			}
			report(t, c.run(t.Context(), func(a Account) Client { return newClient(t, a) }, opts), c.must)
		})
	}
}

// A clientClause is a sentence of what a client must do, and the check that holds
// it to that.
type clientClause struct {
	name  string
	must  string
	check func(x *clientTrial) error
}

func clientClauses() []clientClause {
	return slices.Concat(fetchClauses, answerClauses, boundClauses, sendClauses, refusalClauses, runClauses, partnerClauses)
}

// run checks the clause. A client that panics has not kept it.
func (c clientClause) run(ctx context.Context, newClient func(Account) Client, opts *ClientOptions) error {
	x, err := newClientTrial(ctx, newClient, opts)
	if err != nil {
		return err
	}
	defer x.http.close()
	_, err = guarded(func() (later, error) { return nil, c.check(x) })
	return errors.Join(err, x.leak())
}

// A clientTrial is one clause, with a server and a client of its own.
type clientTrial struct {
	ctx       context.Context
	opts      *ClientOptions
	make      func(Account) Client
	server    *Server
	http      *trialHost
	nations   []Nation
	client    Client // as the first nation
	overheard overheard
	random    *keystest.Generator

	mu    sync.Mutex
	known []keys.DiagnosisKey
	hosts map[string]bool // names by which the server was called with a token
}

func newClientTrial(ctx context.Context, newClient func(Account) Client, opts *ClientOptions) (*clientTrial, error) {
	x := &clientTrial{ctx: ctx, opts: opts, make: newClient, hosts: map[string]bool{}, random: keystest.New(1, &keystest.Options{EndOfPeriod: true})}
	x.nations = []Nation{NewNation(keys.MustRegion("IE")), NewNation(keys.MustRegion("GI")), NewNation(keys.MustRegion("MT"))}
	x.nations[0].Withdrawals = true
	x.nations[trialHub].Extended, x.nations[trialHub].Relays = true, []keys.Region{keys.MustRegion("FR")}
	var err error
	if x.server, err = NewServer(x.nations, &ServerOptions{Prefix: "/diagnosiskeys", Held: true}); err != nil {
		return nil, err
	}
	x.http = newTrialHost(func(w http.ResponseWriter, r *http.Request) {
		x.called(r)
		x.server.ServeHTTP(w, r)
	})
	x.client = &listening{&x.overheard, newClient(x.account(0))}
	return x, nil
}

// account returns what a nation's client is made with.
func (x *clientTrial) account(nation int) Account {
	return Account{Nation: x.nations[nation], URL: x.http.URL + "/diagnosiskeys", Timeout: clientTimeout, MaxPage: clientMaxPage}
}

// called remembers by which name the server was called with a token.
func (x *clientTrial) called(r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if r.Header.Get("Authorization") != "" {
		x.mu.Lock()
		x.hosts[host] = true
		x.mu.Unlock()
	}
}

// leak returns an error if one of the client's holds key data or a token.
func (x *clientTrial) leak() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	var tokens []string
	for _, n := range x.nations {
		tokens = append(tokens, n.Token)
	}
	return x.overheard.leak(x.known, tokens...)
}

// keys returns n keys of a nation, as phones make them, with all that the protocol
// can say of them.
func (x *clientTrial) keys(nation, n int) []keys.DiagnosisKey {
	all := x.random.Keys(time.Now().Add(-3*time.Hour), n)[:n]
	for i := range all {
		asSaid(&all[i])
		all[i].Origin = x.nations[nation].Region
	}
	slices.SortFunc(all, func(a, b keys.DiagnosisKey) int { return a.Compare(&b) })
	x.mu.Lock()
	defer x.mu.Unlock()
	x.known = append(x.known, all...)
	return all
}

// asSaid changes a key to what the protocol can say: a report type, a risk and a
// test always, no onset of 0 days, no consent.
func asSaid(k *keys.DiagnosisKey) {
	k.ConsentToFederate = keys.ConsentUnstated
	k.ReportType = keys.Some(k.ReportType.Or(keys.ReportConfirmedTest))
	k.TransmissionRiskLevel = keys.Some(k.TransmissionRiskLevel.Or(0))
	if k.TestType == keys.TestUnstated {
		k.TestType = keys.TestLab
	}
	if k.DaysSinceOnsetOfSymptoms == keys.Some(keys.DaysSinceOnset(0)) {
		k.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(1))
	}
}

// provide has the server hand out keys of the second nation, in a page of their
// own.
func (x *clientTrial) provide(n int) []keys.DiagnosisKey {
	all := x.keys(1, n)
	x.server.put(1, all)
	return all
}

// first is the place before the first page.
func (x *clientTrial) first() federation.Place {
	return federation.Place{Day: federation.DayOf(time.Now()) - 1}
}

// download makes a download that a hook decides about.
func (x *clientTrial) download(v Verdict) (*federation.Page, error) {
	x.server.SetHook(Always(v))
	defer x.server.SetHook(nil)
	return x.client.Download(x.ctx, x.first())
}

// batch returns a batch of n keys.
func (x *clientTrial) batch(n int) *federation.Batch {
	return &federation.Batch{Tag: newUUID(), Time: time.Now(), Keys: x.keys(0, n)}
}

// upload makes an upload that a hook decides about.
func (x *clientTrial) upload(v Verdict) (*federation.Answer, error) {
	x.server.SetHook(Always(v))
	defer x.server.SetHook(nil)
	return x.client.Upload(x.ctx, x.batch(3))
}

// wantClass returns an error if err is not of a class, or of another as well.
func wantClass(what string, err, class error) error {
	for _, c := range []error{federation.ErrDenied, federation.ErrThrottled, federation.ErrRefused, federation.ErrGone, federation.ErrUnavailable} {
		if errors.Is(err, c) != (c == class) {
			return fmt.Errorf("%s: the error is %v, want one of the class %q alone", what, err, class)
		}
	}
	return nil
}

// wantKeys returns an error if a page does not have these keys.
func wantKeys(page *federation.Page, want []keys.DiagnosisKey) error {
	if page == nil {
		return errors.New("no page")
	}
	got := map[keys.KeyData]keys.DiagnosisKey{}
	for _, k := range page.Keys {
		got[k.KeyData] = k
	}
	for _, k := range want {
		g, ok := got[k.KeyData]
		if !ok {
			return errors.New("a key is missing")
		}
		if g != k {
			return fmt.Errorf("a key is %v, want %v", g, k)
		}
	}
	if len(page.Keys) != len(want) {
		return fmt.Errorf("%d keys, want %d", len(page.Keys), len(want))
	}
	return nil
}
