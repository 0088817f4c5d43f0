package efgs

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/remote"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/cms"
	"github.com/gaenkit/gaen/storage/ledger"
)

// CallbackOptions are options of [NewCallbacks]. The zero value calls with no client
// certificate.
type CallbackOptions struct {
	// Certificate is the gateway's own, by which receivers know it: the field of
	// [tls.Config] with the name GetClientCertificate, as [Certificate] has it.
	Certificate func(*tls.CertificateRequestInfo) (*tls.Certificate, error)

	Anchor *x509.Certificate // as that of [ServerOptions]

	// Networks may be called although they are not of the public internet, and Ports
	// beside 443. None by default: whoever subscribes chooses where this machine
	// connects to.
	Networks []netip.Prefix
	Ports    []uint16

	Resolver Resolver // nil is net.DefaultResolver

	Timeout  time.Duration // of a call; 0 is 30 s
	Pause    time.Duration // before the first retry, and twice as long before each that follows; 0 is 5 min
	Retries  int           // before a subscription counts as failing; 0 is 5
	Budget   time.Duration // after which a run begins no call; 0 is 4 min
	Parallel int           // subscriptions that are called at the same time; 0 is 8

	Clock  func() time.Time // that of the ledger; nil is time.Now
	Logger *slog.Logger     // is told of calls that failed, by country and id; nil discards
}

// Callbacks tells nations that there is a new batch: it keeps their subscriptions in
// the ledger, and calls
//
//	GET <url>?batchTag=20210602-7-1f2e3d4c&date=2021-06-02
//
// once for each batch, in order, until it is answered 2xx: some clients of the field
// fetch the batch that is named and no other, so that a batch that is passed over is
// one they never see. What was called for may be called for again. After the last
// retry a subscription counts as failing, and is tried once with each new batch,
// until it answers and is told of all that it missed and that is still kept. None is
// ever removed but by its nation.
//
// The receiver must show a certificate that is listed for [cms.UseCallback] and its
// country; no chain is built and no name compared. Only addresses of the public
// internet are connected to, and no redirect is followed.
type Callbacks struct {
	hub     *federation.Hub
	ledger  *ledger.Ledger
	nations Nations
	list    cms.Certificates
	opts    CallbackOptions
}

// NewCallbacks returns the callbacks of the gateway over a hub and its ledger. The
// error names the argument or the field.
func NewCallbacks(hub *federation.Hub, l *ledger.Ledger, nations Nations, list cms.Certificates, opts *CallbackOptions) (*Callbacks, error) {
	c := &Callbacks{hub: hub, ledger: l, nations: nations, list: list}
	if opts != nil {
		c.opts = *opts
	}
	switch {
	case hub == nil:
		return nil, errors.New("efgs: hub is nil")
	case l == nil:
		return nil, errors.New("efgs: ledger is nil")
	case nations == nil:
		return nil, errors.New("efgs: nations is nil")
	case list == nil:
		return nil, errors.New("efgs: list is nil")
	}
	if err := c.opts.complete(); err != nil {
		return nil, fmt.Errorf("efgs: %w", err)
	}
	return c, nil
}

func (o *CallbackOptions) complete() error {
	o.Networks, o.Ports = slices.Clone(o.Networks), slices.Clone(o.Ports)
	o.Timeout = cmp.Or(o.Timeout, 30*time.Second)
	o.Pause = cmp.Or(o.Pause, 5*time.Minute)
	o.Retries = cmp.Or(o.Retries, 5)
	o.Budget = cmp.Or(o.Budget, 4*time.Minute)
	o.Parallel = cmp.Or(o.Parallel, 8)
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.Timeout < 0:
		return fmt.Errorf("CallbackOptions.Timeout: %s is negative", o.Timeout)
	case o.Pause < 0:
		return fmt.Errorf("CallbackOptions.Pause: %s is negative", o.Pause)
	case o.Retries < 0:
		return fmt.Errorf("CallbackOptions.Retries: %d is negative", o.Retries)
	case o.Budget < 0:
		return fmt.Errorf("CallbackOptions.Budget: %s is negative", o.Budget)
	case o.Parallel < 0:
		return fmt.Errorf("CallbackOptions.Parallel: %d is negative", o.Parallel)
	}
	return nil
}

// A CallReport says what a run has called.
type CallReport struct {
	Busy    bool // another process is calling; this one has called nobody
	Called  int  // calls that were answered 2xx
	Failed  int  // calls that were not
	Failing int  // subscriptions that are beyond all retries: somebody has to be told
}

// leaseRegister says until when a process is calling.
const leaseRegister = "efgs/calling"

// maxPause is the longest pause between two tries.
const maxPause = time.Hour

// Run calls whoever is to be told of a batch. It may be called by a timer, by
// several processes, twice if need be: one of them calls at a time. What goes wrong
// with a subscription is in the report and the log; the error is for the ledger.
func (c *Callbacks) Run(ctx context.Context) (*CallReport, error) {
	release, err := c.lease(ctx)
	if err != nil || release == nil {
		return &CallReport{Busy: err == nil}, wrapRun(err)
	}
	defer release()
	all, err := c.subscriptions(ctx, subscriptionsPrefix)
	if err != nil {
		return &CallReport{}, wrapRun(err)
	}
	client := c.client()
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, c.opts.Budget)
	defer cancel()
	var mu sync.Mutex
	var wait sync.WaitGroup
	report, free := &CallReport{}, make(chan struct{}, c.opts.Parallel)
	for _, s := range inTurn(all) {
		free <- struct{}{}
		wait.Go(func() {
			defer func() { <-free }()
			called, failed, err2 := c.tell(ctx, client, s)
			mu.Lock()
			defer mu.Unlock()
			report.Called, report.Failed = report.Called+called, report.Failed+failed
			if s.Failing {
				report.Failing++
			}
			err = errors.Join(err, err2)
		})
	}
	wait.Wait()
	return report, wrapRun(err)
}

func wrapRun(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("efgs: callbacks: %w", err)
}

// inTurn returns subscriptions in the order in which they are called: one of each
// country, then a second of each, and so on, with the countries in another order in each
// run. So nobody who has many, or is slow, always takes the time of the same others.
func inTurn(all []*subscription) []*subscription {
	turns, place := map[*subscription]int{}, map[string]int{}
	count := map[string]int{}
	for _, s := range all {
		turns[s] = count[s.Country]
		if count[s.Country]++; count[s.Country] == 1 {
			place[s.Country] = rand.Int()
		}
	}
	return slices.SortedFunc(slices.Values(all), func(a, b *subscription) int {
		return cmp.Or(cmp.Compare(turns[a], turns[b]), cmp.Compare(place[a.Country], place[b.Country]), cmp.Compare(a.register(), b.register()))
	})
}

// maxLease is the longest time for which a process is believed to be calling. One of
// which more is left was taken by a clock that was ahead, by a process that died.
const maxLease = time.Hour

// lease has no other process call for as long as a run can take. It returns nil if
// another one does, else what ends the lease.
func (c *Callbacks) lease(ctx context.Context) (release func(), err error) {
	registers, err := c.ledger.Registers(ctx, leaseRegister)
	if err != nil {
		return nil, err
	}
	now, long, swap := c.opts.Clock(), c.opts.Budget+2*c.opts.Timeout, ledger.Swap{Name: leaseRegister}
	if len(registers) > 0 {
		var until time.Time
		if err := json.Unmarshal(registers[0].Value, &until); err != nil {
			return nil, fmt.Errorf("register %s: %w", leaseRegister, err)
		}
		if left := until.Sub(now); left > 0 && left <= max(maxLease, long) {
			return nil, nil
		}
		swap.Version = registers[0].Version
	}
	if swap.Value, err = json.Marshal(now.Add(long)); err != nil {
		return nil, err
	}
	nonce := ledger.NewNonce()
	if err := c.ledger.Swap(ctx, nonce, swap); err != nil {
		if isConflict(err) {
			err = nil
		}
		return nil, err
	}
	return func() { c.endLease(context.WithoutCancel(ctx), nonce) }, nil
}

// endLease ends a lease before its time. If that fails its time does.
func (c *Callbacks) endLease(ctx context.Context, nonce ledger.Nonce) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	registers, err := c.ledger.Registers(ctx, leaseRegister)
	if err != nil || len(registers) == 0 || registers[0].Nonce != nonce {
		return
	}
	if err := c.ledger.Swap(ctx, ledger.NewNonce(), ledger.Swap{Name: leaseRegister, Version: registers[0].Version, Delete: true}); err != nil {
		c.opts.Logger.WarnContext(ctx, "efgs: callbacks: ending a lease", "cause", err)
	}
}

// tell calls a subscription for every batch that it has not been called for.
func (c *Callbacks) tell(ctx context.Context, client *http.Client, s *subscription) (called, failed int, err error) {
	batches, err := c.pending(ctx, s)
	if ctx.Err() != nil {
		return 0, 0, nil // the next run calls it
	}
	if err != nil || len(batches) == 0 || !c.due(s, batches) {
		return 0, 0, err
	}
	newest := batches[len(batches)-1].Tag
	for i := range batches {
		if ctx.Err() != nil {
			return called, failed, nil // the next run goes on
		}
		why := c.call(ctx, client, s, &batches[i])
		if why != nil && ctx.Err() != nil {
			return called, failed, nil // it had no time to answer
		}
		if why == nil {
			called++
			s.At, s.Tries, s.NotBefore, s.Failing, s.Newest = batches[i].Next, 0, time.Time{}, false, ""
		} else {
			failed++
			c.note(s, newest, why)
		}
		if ok, err := c.keep(context.WithoutCancel(ctx), s); err != nil || !ok || why != nil {
			return called, failed, err
		}
	}
	return called, failed, nil
}

// pending returns the batches that a subscription has not been called for, of those
// that can still be had.
func (c *Callbacks) pending(ctx context.Context, s *subscription) ([]federation.SealedPage, error) {
	country, err := keys.ParseRegion(s.Country)
	if err != nil {
		return nil, err
	}
	n, err := c.nations.Nation(ctx, country)
	if errors.Is(err, ErrUnknownNation) {
		return nil, nil // it may come back
	}
	if err != nil {
		return nil, err
	}
	batches, err := c.hub.SealedBatches(ctx, n, s.At)
	oldest := federation.DayOf(c.opts.Clock()) - DefaultMaxAge
	return slices.DeleteFunc(batches, func(p federation.SealedPage) bool { return federation.DayOf(p.Time) < oldest }), err
}

// due reports whether a subscription is to be called now. More of a pause than there can
// be is that of a clock that was ahead.
func (c *Callbacks) due(s *subscription, batches []federation.SealedPage) bool {
	if left := s.NotBefore.Sub(c.opts.Clock()); left > 0 && left <= max(maxPause, c.opts.Pause) {
		return false
	}
	return !s.Failing || batches[len(batches)-1].Tag != s.Newest
}

// note remembers that a call has failed.
func (c *Callbacks) note(s *subscription, newest string, why error) {
	pause := c.opts.Pause
	for range s.Tries {
		pause = min(2*pause, max(maxPause, c.opts.Pause))
	}
	s.Tries++
	s.NotBefore, s.Newest = c.opts.Clock().Add(pause), newest
	s.Failing = s.Tries > c.opts.Retries
	level := slog.LevelWarn
	if s.Failing {
		level = slog.LevelError
	}
	c.opts.Logger.Log(context.Background(), level, "efgs: callback failed", "country", s.Country, "id", s.ID,
		"tries", s.Tries, "failing", s.Failing, "cause", why)
}

// keep stores how far a subscription has come; ok is false if its nation has changed
// it meanwhile.
func (c *Callbacks) keep(ctx context.Context, s *subscription) (ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	swap, err := s.swap()
	if err != nil {
		return false, err
	}
	nonce := ledger.NewNonce()
	if err := c.ledger.Swap(ctx, nonce, swap); err != nil {
		if isConflict(err) {
			err = nil
		}
		return false, err
	}
	registers, err := c.ledger.Registers(ctx, swap.Name)
	if err != nil || len(registers) == 0 || registers[0].Nonce != nonce {
		return false, err
	}
	s.version = registers[0].Version
	return true, nil
}

// callbackAgent is what the gateway called itself.
const callbackAgent = "EFGS Callback Engine"

// call calls a subscription for a batch.
func (c *Callbacks) call(ctx context.Context, client *http.Client, s *subscription, b *federation.SealedPage) error {
	u, err := url.Parse(s.URL)
	if err != nil {
		return errors.New("its URL is none")
	}
	if _, err := c.portOf(u); err != nil {
		return err // an option has changed
	}
	u.RawQuery = url.Values{"batchTag": {b.Tag}, "date": {federation.DayOf(b.Time).String()}}.Encode()
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, countryKey{}, s.Country), c.opts.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return errors.New("no request can be made of its URL")
	}
	r.Header.Set("User-Agent", callbackAgent)
	resp, err := client.Do(r)
	if err != nil {
		return safeCall(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

// safeCall returns an error of a call as it may be logged: without the URL.
func safeCall(err error) error {
	for _, known := range []error{errTarget, errResolve} {
		if errors.Is(err, known) {
			return known
		}
	}
	if e, ok := errors.AsType[*cms.Error](err); ok {
		return e
	}
	return remote.Safe(err)
}

// countryKey is what the country that is called stands under in a context.
type countryKey struct{}

// client returns what calls are made with. Every call has a connection of its own,
// so that what was checked of one is not taken for another.
func (c *Callbacks) client() *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialTLSContext:         c.dialTLS, // and no proxy
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
}

// dialTLS connects to a receiver and looks at its certificate.
func (c *Callbacks) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := c.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(addr)
	country, _ := ctx.Value(countryKey{}).(string)
	secured := tls.Client(conn, &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: host, GetClientCertificate: c.opts.Certificate,
		InsecureSkipVerify: true, // the list decides, in VerifyConnection, which is called whatever the handshake is
		VerifyConnection: func(state tls.ConnectionState) error {
			_, err := listed(ctx, c.list, c.opts.Anchor, state.PeerCertificates[0], cms.UseCallback, country, c.opts.Clock())
			return err
		},
	})
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}
