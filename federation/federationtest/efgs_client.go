package federationtest

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/internal/efgspb"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing/cms"
)

// An EFGSAccount is what a client of the European gateway under test is made with.
type EFGSAccount struct {
	Member  EFGSMember    // the country, and the certificate with which it signs
	URL     string        // whatever stands before "/diagnosiskeys"
	Header  http.Header   // to be sent with every request: there is no load balancer here
	JSON    bool          // uploads in JSON, and asks for it
	Timeout time.Duration // of a request with its answer
	MaxPage int64         // bytes: a batch of more is given up

	// Trusted are the certificates with which countries sign, and Anchor has to have
	// signed each. Every batch is to be held against them.
	Trusted []cms.Entry
	Anchor  *x509.Certificate

	Clock func() time.Time // by which batches are signed and certificates judged
}

// An EFGSReceiver is what a gateway calls when it has made a batch, as the package
// of federation/efgs has one. A call is a hint to pull, and nothing more.
type EFGSReceiver interface {
	http.Handler

	// Hints returns the channel on which there is something to be received when
	// there is a reason to pull.
	Hints() <-chan struct{}
}

// EFGSClientOptions are options of [TestEFGSClient]; nil is none.
type EFGSClientOptions struct {
	// Skip declares deviations, as in [ClientOptions].
	Skip map[string]string

	// Seeds is how many runs with random faults are made; 0 is 4.
	Seeds int

	// Receiver returns what a gateway with a certificate calls back. Nil has that not
	// checked.
	Receiver func(t *testing.T, gateway *x509.Certificate) EFGSReceiver
}

// TestEFGSClient holds clients of the European gateway to the contracts of
// [federation.Downloader] and [federation.Uploader], against an [EFGSServer] that
// misbehaves: one subtest for each clause. newClient returns a new client of an
// account.
//
// The gateway is on a loopback address without TLS, which a client must be allowed
// here.
func TestEFGSClient(t *testing.T, newClient func(t *testing.T, a EFGSAccount) Client, opts *EFGSClientOptions) {
	if opts == nil {
		opts = &EFGSClientOptions{}
	}
	for name := range opts.Skip {
		if !slices.ContainsFunc(efgsClauses(), func(c efgsClause) bool { return c.name == name }) {
			t.Errorf("federationtest: EFGSClientOptions.Skip: there is no clause %q", name)
		}
	}
	for _, c := range efgsClauses() {
		t.Run(c.name, func(t *testing.T) {
			if why, ok := opts.Skip[c.name]; ok {
				t.Skipf("declared deviation: %s\n\tclause: %s", why, c.must)
			}
			var receiver func(*x509.Certificate) EFGSReceiver
			if opts.Receiver != nil {
				receiver = func(cert *x509.Certificate) EFGSReceiver { return opts.Receiver(t, cert) }
			}
			report(t, c.run(t.Context(), func(a EFGSAccount) Client { return newClient(t, a) }, receiver, opts), c.must)
		})
	}
}

// An efgsClause is a sentence of what a client of the European gateway must do, and
// the check that holds it to that.
type efgsClause struct {
	name  string
	must  string
	check func(x *efgsTrial) error
}

func efgsClauses() []efgsClause {
	return slices.Concat(efgsFetchClauses, efgsAnswerClauses, efgsAuditClauses, efgsSendClauses, efgsRefusalClauses, efgsRunClauses, efgsHintClauses)
}

// run checks the clause. A client that panics has not kept it.
func (c efgsClause) run(ctx context.Context, newClient func(EFGSAccount) Client, receiver func(*x509.Certificate) EFGSReceiver, opts *EFGSClientOptions) error {
	x := &efgsTrial{ctx: ctx, opts: opts, make: newClient, receiver: receiver, now: trialNow}
	if err := x.open(); err != nil {
		return err
	}
	defer x.http.close()
	_, err := guarded(func() (later, error) { return nil, c.check(x) })
	return errors.Join(err, x.leak())
}

// trialNow is the noon at which a trial begins.
var trialNow = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// An efgsTrial is one clause, with a gateway and a client of its own.
type efgsTrial struct {
	ctx       context.Context
	opts      *EFGSClientOptions
	make      func(EFGSAccount) Client
	receiver  func(*x509.Certificate) EFGSReceiver
	anchor    *EFGSAnchor
	members   []EFGSMember // the first is the client's
	signers   []*cms.Signer
	trusted   []cms.Entry
	gateway   *EFGSServer
	http      *trialHost
	client    Client // as the first member
	overheard overheard
	random    *keystest.Generator

	mu       sync.Mutex
	now      time.Time
	instead  func(w http.ResponseWriter, r *http.Request) bool   // answers, if it wants to
	change   func(r *http.Request, a *httptest.ResponseRecorder) // changes answers on their way
	requests []*heardRequest
	known    []keys.DiagnosisKey
}

// A heardRequest is a request as it came.
type heardRequest struct {
	method, path, host string
	header             http.Header
	body               []byte
}

func (x *efgsTrial) open() error {
	x.random = keystest.New(1, &keystest.Options{EndOfPeriod: true})
	x.anchor = NewEFGSAnchor()
	var nations []EFGSNation
	for _, country := range []string{"DE", "FR", "IT", "FI"} {
		m := x.anchor.Member(country)
		s, err := m.Signer()
		if err != nil {
			return err
		}
		x.members, x.signers = append(x.members, m), append(x.signers, s)
		x.trusted = append(x.trusted, x.anchor.Entries(&m)...)
		nations = append(nations, x.anchor.Nation(&m))
	}
	x.trusted = slices.DeleteFunc(x.trusted, func(e cms.Entry) bool { return e.Use != cms.UseSigning })
	var err error
	if x.gateway, err = NewEFGSServer(nations, &EFGSOptions{Clock: x.clock}); err != nil {
		return err
	}
	x.http = newTrialHost(x.serve)
	x.client = &listening{&x.overheard, x.make(x.account(0))}
	return nil
}

func (x *efgsTrial) clock() time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.now
}

// after moves the clock on.
func (x *efgsTrial) after(d time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.now = x.now.Add(d)
}

// account returns what a member's client is made with.
func (x *efgsTrial) account(member int) EFGSAccount {
	m := x.members[member]
	return EFGSAccount{Member: m, URL: x.http.URL, Header: m.Header(), Timeout: clientTimeout, MaxPage: clientMaxPage,
		Trusted: x.trusted, Anchor: x.anchor.Certificate(), Clock: x.clock}
}

// serve has the gateway answer, or what a clause has put before it.
func (x *efgsTrial) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxEFGSBody))
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	host, _, _ := net.SplitHostPort(r.Host)
	x.mu.Lock()
	x.requests = append(x.requests, &heardRequest{r.Method, r.URL.Path, host, r.Header.Clone(), body})
	instead, change := x.instead, x.change
	x.mu.Unlock()
	switch {
	case instead != nil && instead(w, r):
	case change != nil:
		a := httptest.NewRecorder()
		x.gateway.ServeHTTP(a, r)
		change(r, a)
		maps.Copy(w.Header(), a.Header())
		w.WriteHeader(a.Code)
		w.Write(a.Body.Bytes())
	default:
		x.gateway.ServeHTTP(w, r)
	}
}

// put has something stand before the gateway from now on.
func (x *efgsTrial) put(instead func(http.ResponseWriter, *http.Request) bool, change func(*http.Request, *httptest.ResponseRecorder)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.instead, x.change = instead, change
}

// heard returns the requests since there were n.
func (x *efgsTrial) heard(n int) []*heardRequest {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.requests[n:])
}

// leak returns an error if one of the client's holds key data.
func (x *efgsTrial) leak() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.overheard.leak(x.known)
}

// keys returns n keys of a member, with all that the protocol can say of them.
func (x *efgsTrial) keys(member, n int) []keys.DiagnosisKey {
	all := x.random.Keys(x.clock().Add(-3*time.Hour), 3*n)
	// What is about to be too old would be so before it arrives.
	all = slices.DeleteFunc(all, func(k keys.DiagnosisKey) bool { return x.clock().Sub(k.End()) > 8*24*time.Hour })
	all = all[:n]
	visited := []keys.Regions{{}, regionsOf("ES"), regionsOf("ES", "PL", "SE")}
	for i := range all {
		k := &all[i]
		asSigned(k, keys.MustRegion(x.members[member].Country))
		k.DaysSinceOnsetOfSymptoms = keys.Some([]keys.DaysSinceOnset{0, -3, 5, 4000}[i%4])
		k.VisitedCountries = visited[i%3]
	}
	slices.SortFunc(all, func(a, b keys.DiagnosisKey) int { return a.Compare(&b) })
	x.mu.Lock()
	defer x.mu.Unlock()
	x.known = append(x.known, all...)
	return all
}

func regionsOf(codes ...string) keys.Regions {
	s, err := keys.ParseRegions(codes...)
	if err != nil {
		panic("federationtest: " + err.Error()) // they are in the source
	}
	return s
}

// asSigned changes a key to what the European protocol can say: a report type and an
// onset always, no test and no consent.
func asSigned(k *keys.DiagnosisKey, origin keys.Region) {
	k.Origin, k.VisitedCountries, k.TestType = origin, keys.Regions{}, keys.TestUnstated
	k.ConsentToFederate, k.Provenance = keys.ConsentUnstated, keys.Real
	k.VariantOfConcern = keys.Optional[keys.VariantOfConcern]{}
	k.ReportType, k.DaysSinceOnsetOfSymptoms = keys.Some(keys.ReportConfirmedTest), keys.Some(keys.DaysSinceOnset(1))
}

// messageOf returns a key as it stands on the wire.
func messageOf(k *keys.DiagnosisKey) *efgspb.DiagnosisKey {
	m := &efgspb.DiagnosisKey{
		KeyData: slices.Clone(k.KeyData[:]), RollingStartIntervalNumber: uint32(k.RollingStartIntervalNumber), RollingPeriod: uint32(k.RollingPeriod),
		TransmissionRiskLevel: keys.TransmissionRiskNumber(k.TransmissionRiskLevel), Origin: k.Origin.String(),
		ReportType: efgspb.ReportType(k.ReportType.Or(keys.ReportUnknown)), DaysSinceOnsetOfSymptoms: int32(k.DaysSinceOnsetOfSymptoms.Or(4000)),
	}
	for r := range k.VisitedCountries.All() {
		m.VisitedCountries = append(m.VisitedCountries, r.String())
	}
	return m
}

func messagesOf(all []keys.DiagnosisKey) (list []*efgspb.DiagnosisKey) {
	for i := range all {
		list = append(list, messageOf(&all[i]))
	}
	return list
}

// provide has the gateway store an upload of a member, signed by it, and makes no
// batch of it yet.
func (x *efgsTrial) provide(member, n int) []keys.DiagnosisKey {
	all := x.keys(member, n)
	x.provideSigned(member, messagesOf(all), x.signers[member])
	return all
}

func (x *efgsTrial) provideSigned(member int, list []*efgspb.DiagnosisKey, by *cms.Signer) {
	signature, err := by.Sign(efgsContent(list), x.clock())
	if err != nil {
		panic("federationtest: " + err.Error()) // the key is in memory
	}
	x.gateway.mu.Lock()
	defer x.gateway.mu.Unlock()
	x.gateway.insert(&efgsUpload{nation: member, tag: newUUID(), signature: signature, created: x.clock(), keys: list})
}

// hand has the gateway hand out keys of the second member in a batch of their own.
func (x *efgsTrial) hand(n int) []keys.DiagnosisKey {
	all := x.provide(1, n)
	x.gateway.Assemble()
	return all
}

// first is the place before the first batch.
func (x *efgsTrial) first() federation.Place {
	return federation.Place{Day: federation.DayOf(trialNow) - 1}
}

// download makes a download from the first place that a hook decides about.
func (x *efgsTrial) download(v Verdict) (*federation.Page, error) {
	x.gateway.SetHook(Always(v))
	defer x.gateway.SetHook(nil)
	return x.client.Download(x.ctx, x.first())
}

// batch returns a batch of n keys.
func (x *efgsTrial) batch(n int) *federation.Batch {
	return &federation.Batch{Tag: newUUID(), Time: x.clock(), Keys: x.keys(0, n)}
}

// upload makes an upload that a hook decides about.
func (x *efgsTrial) upload(v Verdict) (*federation.Answer, error) {
	x.gateway.SetHook(Always(v))
	defer x.gateway.SetHook(nil)
	return x.client.Upload(x.ctx, x.batch(3))
}

// within returns an error if call does not end in time.
func within(what string, call func() error) error {
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		return err
	case <-time.After(clientPatience):
		return fmt.Errorf("%s: no end after %s", what, clientPatience)
	}
}
