package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gaenkit/gaen/examples/internal/orders"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/storage/ledger"
)

// options are what the command line of serve says.
type options struct {
	place, secrets  string
	peers           string
	peerEvery       time.Duration
	listen, monitor string
	cert, key       string
	grid, pruneAge  time.Duration
	quota           int
	minKeys         int
	wait            time.Duration
	changePolicy    bool
	allowGap        bool
	batch           int64
	every           time.Duration
	drain           time.Duration
	policyGiven     bool
	orders          string
	operators       string
	gatewayOptions
}

func serveOptions(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	usual := hubPolicy()
	f, place := newFlags("serve", stderr)
	secrets := secretsFlag(f)
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "`address` for nations")
	f.StringVar(&o.monitor, "monitor", "127.0.0.1:9090", "`address` of /healthz and /metrics; empty for none")
	f.StringVar(&o.cert, "cert", "", "`file` of the certificate chain, for HTTPS")
	f.StringVar(&o.key, "key", "", "`file` of its private key")
	f.DurationVar(&o.grid, "grid", usual.Grid, "time between cuts, with -change-policy or of a ledger that this command makes")
	f.DurationVar(&o.pruneAge, "prune-age", usual.PruneAge, "how long keys are kept after they end, likewise")
	f.IntVar(&o.quota, "quota", usual.Quota, "`keys` that a nation may bring of one origin in a day, likewise; what is beyond is held")
	f.IntVar(&o.minKeys, "min-keys", usual.MinForeignKeys, "`keys` of an origin that a cut waits for, likewise; 0 for none")
	f.DurationVar(&o.wait, "longest-wait", usual.ForeignWait, "how long it waits for them at most, likewise")
	f.BoolVar(&o.changePolicy, "change-policy", false, "give the ledger the policy of the flags")
	f.BoolVar(&o.allowGap, "allow-gap", false, "allow the first cut to be more than 24 hours after the last")
	f.StringVar(&o.peers, "peers", "", "`file` of the federation servers of which this one is a client; empty for none")
	f.DurationVar(&o.peerEvery, "peer-every", time.Minute, "how often to exchange keys with each of them, beside each cut")
	f.StringVar(&o.orders, "orders", "", "`address` of this host alone at which orders are taken; empty for none")
	f.StringVar(&o.operators, "operators", "", "`file` of those who may give orders, a line name:secret for each")
	f.Int64Var(&o.batch, "batch", 1000, "`keys` that a batch has at most")
	f.DurationVar(&o.every, "every", 5*time.Second, "how often to look whether a cut is due")
	o.gatewayOptions.flags(f)
	f.DurationVar(&o.drain, "drain", 30*time.Second, "how long requests may take to finish at the end")
	if _, err := parse(f, args, 0, "none"); err != nil {
		return nil, err
	}
	o.place, o.secrets = *place, *secrets
	f.Visit(func(g *flag.Flag) {
		o.policyGiven = o.policyGiven || g.Name == "grid" || g.Name == "prune-age" || g.Name == "quota" || g.Name == "min-keys" || g.Name == "longest-wait"
	})
	return o, o.check()
}

func (o *options) check() error {
	switch {
	case (o.cert == "") != (o.key == ""):
		return usage("-cert and -key go together")
	case o.every <= 0:
		return usage("-every: %s, want more than nothing", o.every)
	case o.peerEvery <= 0:
		return usage("-peer-every: %s, want more than nothing", o.peerEvery)
	case o.drain <= 0:
		return usage("-drain: %s, want more than nothing", o.drain)
	case (o.orders == "") != (o.operators == ""):
		return usage("-orders and -operators go together")
	}
	if o.orders != "" {
		if err := orders.CheckListen(o.orders); err != nil {
			return usage("-orders: %w", err)
		}
	}
	p := o.policy()
	if err := p.Check(); err != nil {
		return usage("%w", err)
	}
	return o.gatewayOptions.check()
}

func (o *options) policy() ledger.Policy {
	p := hubPolicy()
	p.Grid, p.PruneAge, p.Quota = o.grid, o.pruneAge, o.quota
	p.MinForeignKeys, p.ForeignWait = o.minKeys, o.wait
	return p
}

func serve(ctx context.Context, args []string, _, stderr io.Writer) error {
	o, err := serveOptions(args, stderr)
	if err != nil {
		return err
	}
	s := &server{options: o, log: slog.New(slog.NewJSONHandler(stderr, nil))}
	return s.run(ctx)
}

// A server is the program as it serves.
type server struct {
	*options
	log *slog.Logger

	ledger    *ledger.Ledger
	hub       *federation.Hub
	who       *identifier
	sightings *sightings
	counts    *counts
	peering   *peering // nil without peers
	gateway   *gateway // nil without the European protocol
	monitor   *monitor
	office    *office
	desk      *watched[http.Handler] // nil if no orders are taken
}

// run serves until the context ends, or something does that it cannot do without.
func (s *server) run(ctx context.Context) (err error) {
	store, closing, err := openStore(ctx, s.place)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing()) }()
	if err := s.open(ctx, store); err != nil {
		return err
	}
	return s.serve(ctx)
}

// open opens all there is to serve, before anybody is served.
func (s *server) open(ctx context.Context, store ledger.Store) (err error) {
	if s.ledger, err = s.openLedger(ctx, store); err != nil {
		return err
	}
	if s.hub, err = federation.NewHub(s.ledger, &federation.HubOptions{BatchSize: s.batch}); err != nil {
		return usage("-batch: %w", err)
	}
	registry := newRegistry(s.ledger)
	if s.who, err = newIdentifier(registry, s.secrets, s.failed("secrets")); err != nil {
		return err
	}
	if s.peers != "" {
		if s.peering, err = newPeering(ctx, registry, s.peers, s.peerEvery, s.log); err != nil {
			return err
		}
	}
	s.sightings, s.counts = newSightings(s.hub, s.ledger), newCounts(clock)
	if s.gatewayOptions.listen != "" {
		if s.gateway, err = newGateway(s, registry); err != nil {
			return err
		}
	}
	s.office = &office{ledger: s.ledger, hub: s.hub, registry: registry}
	if s.peering != nil {
		s.office.peers = s.peering.file.get
	}
	if s.orders != "" {
		made := func() (http.Handler, error) { return newDesk(s.office.desk(s.log), s.office, s.operators) }
		if s.desk, err = watch([]string{s.operators}, made, s.failed("operators")); err != nil {
			return usage("-operators: %w", err)
		}
	}
	s.monitor = &monitor{gateway: s.gateway, hub: s.hub, ledger: s.ledger, registry: registry, sightings: s.sightings, counts: s.counts, peering: s.peering, log: s.failed("monitor")}
	return nil
}

// openLedger opens the ledger by the policy of the flags, or, if they say nothing
// of it, by the one it has.
func (s *server) openLedger(ctx context.Context, store ledger.Store) (*ledger.Ledger, error) {
	want := s.policy()
	l, err := ledger.Open(ctx, store, &ledger.Options{Policy: &want})
	if !errors.Is(err, ledger.ErrPolicy) {
		return l, err
	}
	if !s.policyGiven && !s.changePolicy {
		return ledger.Open(ctx, store, nil)
	}
	if !s.changePolicy {
		return nil, fmt.Errorf("%w\n-change-policy gives it the one of the flags", err)
	}
	if l, err = ledger.Open(ctx, store, nil); err != nil {
		return nil, err
	}
	_, version := l.Policy()
	if err := ledger.ChangePolicy(ctx, store, want, version); err != nil {
		return nil, err
	}
	return ledger.Open(ctx, store, &ledger.Options{Policy: &want})
}

// failed returns what logs errors of a part of the server.
func (s *server) failed(part string) func(error) {
	return func(err error) { s.log.Error("failed", "part", part, "error", err) }
}

// serve serves on all addresses, and ends in order: first the requests, while
// exchanges with peers are cut off, then the cuts, then what they have left to store.
func (s *server) serve(ctx context.Context) error {
	public, err := s.public()
	if err != nil {
		return err
	}
	private := interop.NewHTTPServer(s.options.monitor, s.monitor.handler())
	fronts := []*front{{Server: public, what: "serving"}}
	if s.options.monitor != "" {
		fronts = append(fronts, &front{Server: private, what: "monitoring"})
	}
	if s.desk != nil {
		desk := interop.NewHTTPServer(s.orders, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.desk.get().ServeHTTP(w, r) }))
		fronts = append(fronts, &front{Server: desk, what: "taking orders"})
	}
	if s.gateway != nil {
		fronts = append(fronts, &front{Server: s.gateway.public(), what: "serving efgs"})
	}
	if err := listen(ctx, fronts); err != nil {
		return err
	}
	ended := make(chan error, len(fronts)+1)
	for _, f := range fronts {
		go func() { ended <- s.answer(f) }()
	}
	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	stop, ticked := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ticked)
		if err := s.tick(working, stop); err != nil {
			ended <- err
		}
	}()

	exchanging, stopExchanging := context.WithCancel(working)
	defer stopExchanging()
	exchanged, called := s.peering.start(exchanging, s.every), s.gateway.start(exchanging)

	var failure error
	select {
	case <-ctx.Done():
		s.log.Info("ending")
	case failure = <-ended:
	}
	s.monitor.ending.Store(true)
	stopExchanging()
	finishing, cancel := context.WithTimeout(working, s.drain)
	defer cancel()
	err = s.shutdown(finishing, fronts, private)
	close(stop)
	select {
	case <-ticked:
	case <-finishing.Done(): // what is left of a cut, another process or the next start makes up for
		stopWorking()
		<-ticked
	}
	<-exchanged
	<-called
	s.store(finishing)
	err = errors.Join(failure, err, private.Close())
	s.log.Info("ended", "clean", err == nil)
	return err
}

// A front is where somebody is answered: nations, by either protocol, or operators.
type front struct {
	*http.Server
	what     string
	listener net.Listener
}

// listen opens all of them, or none.
func listen(ctx context.Context, fronts []*front) (err error) {
	for i, f := range fronts {
		if f.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", f.Addr); err != nil {
			for _, f := range fronts[:i] {
				f.listener.Close()
			}
			return err
		}
	}
	return nil
}

// shutdown has those that nations are answered at finish what they have begun.
func (s *server) shutdown(ctx context.Context, fronts []*front, private *http.Server) error {
	errs := make([]error, len(fronts))
	var wait sync.WaitGroup
	for i, f := range fronts {
		if f.Server != private {
			wait.Go(func() { errs[i] = f.Shutdown(ctx) })
		}
	}
	wait.Wait()
	return errors.Join(errs...)
}

// public returns the server for nations.
func (s *server) public() (*http.Server, error) {
	protocol, err := interop.NewServer(s.hub, s.who, s.who, &interop.ServerOptions{Logger: s.log, Granted: s.granted})
	if err != nil {
		return nil, err
	}
	public := interop.NewHTTPServer(s.listen, s.counting(visiting(protocol)))
	if s.cert == "" {
		s.log.Warn("serving without TLS: tokens and keys can be read on the way, unless a proxy on this machine adds it")
		return public, nil
	}
	certificate, err := watch([]string{s.cert, s.key}, func() (*tls.Certificate, error) {
		c, err := tls.LoadX509KeyPair(s.cert, s.key)
		return &c, err
	}, s.failed("certificate"))
	if err != nil {
		return nil, err
	}
	public.TLSConfig = &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate.get(), nil },
	}
	return public, nil
}

// answer serves on one address until the server is shut down.
func (s *server) answer(f *front) error {
	s.log.Info(f.what, "address", f.listener.Addr().String(), "tls", f.TLSConfig != nil)
	f.ErrorLog = slog.NewLogLogger(s.log.Handler(), slog.LevelWarn)
	var err error
	if f.TLSConfig != nil {
		err = f.ServeTLS(f.listener, "", "")
	} else {
		err = f.Serve(f.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// granted keeps count of what nations were granted.
func (s *server) granted(x *interop.Exchange) {
	s.counts.exchanged(x)
	now := clock()
	seen := sighting{Asked: x.Asked, Downloaded: hourOf(now)}
	seen.Asked.Day = min(seen.Asked.Day, federation.DayOf(now)) // nobody is ahead of us
	if x.Receipt != nil {
		seen = sighting{Uploaded: hourOf(now)}
	}
	s.sightings.see(context.Background(), x.Nation, seen)
}

// counting counts the answers by their status.
func (s *server) counting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(c, r)
		s.counts.answered(c.status)
	})
}

// A statusWriter notes the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
