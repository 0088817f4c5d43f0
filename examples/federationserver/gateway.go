package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gaenkit/gaen/examples/internal/exposition"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/efgs"
)

// gatewayOptions are what the command line of serve says of the European protocol.
type gatewayOptions struct {
	listen, cert, key, anchor  string
	balancers                  networks
	thumbprintHeader, dnHeader string
	callbacks                  bool
	callbackNetworks           networks
	callbackPorts              ports
}

func (o *gatewayOptions) flags(f *flag.FlagSet) {
	f.StringVar(&o.listen, "efgs", "", "`address` for nations of the European protocol; empty for none")
	f.StringVar(&o.cert, "efgs-cert", "", "`file` of the certificate there, as a server and when it calls nations back")
	f.StringVar(&o.key, "efgs-key", "", "`file` of its private key")
	f.StringVar(&o.anchor, "efgs-anchor", "", "`file` of the trust anchor, which has to have signed every certificate of a nation")
	f.Var(&o.balancers, "efgs-balancers", "`networks` (10.1.0.0/24,...) of load balancers that end TLS and say in headers whose certificate they have seen")
	f.StringVar(&o.thumbprintHeader, "efgs-thumbprint-header", "", "`name` of their header with the SHA-256 of it (default X-SSL-Client-SHA256)")
	f.StringVar(&o.dnHeader, "efgs-dn-header", "", "`name` of their header with its subject (default X-SSL-Client-DN)")
	f.BoolVar(&o.callbacks, "efgs-callbacks", true, "call nations back that subscribe")
	f.Var(&o.callbackNetworks, "efgs-callback-networks", "`networks` that may be called although they are not of the public internet")
	f.Var(&o.callbackPorts, "efgs-callback-ports", "`ports` that may be called beside 443")
}

func (o *gatewayOptions) check() error {
	switch {
	case o.listen == "":
		return nil
	case o.anchor == "":
		return usage("-efgs-anchor: missing")
	case (o.cert == "") != (o.key == ""):
		return usage("-efgs-cert and -efgs-key go together")
	case o.cert == "" && len(o.balancers) == 0:
		return usage("-efgs-cert: missing: nations are known by their certificates, so that they need TLS, or -efgs-balancers that end it")
	}
	return nil
}

// networks is a flag that is a list of networks.
type networks []netip.Prefix

// String returns nothing: it is asked for the default alone, which is none.
func (*networks) String() string { return "" }

// Set reads the list.
func (n *networks) Set(s string) error {
	for text := range strings.SplitSeq(s, ",") {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return err
		}
		*n = append(*n, p)
	}
	return nil
}

// ports is a flag that is a list of ports.
type ports []uint16

// String returns nothing: it is asked for the default alone, which is none.
func (*ports) String() string { return "" }

// Set reads the list.
func (p *ports) Set(s string) error {
	for text := range strings.SplitSeq(s, ",") {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("%q is no port", text)
		}
		*p = append(*p, uint16(n))
	}
	return nil
}

// A gateway is what of the server speaks the European protocol.
type gateway struct {
	*server
	nations   *europeans
	protocol  *efgs.Server
	shown     *efgs.Certificate // nil where load balancers end TLS
	callbacks *efgs.Callbacks   // nil for none
	nudged    chan struct{}

	mu     sync.Mutex
	called efgs.CallReport // since the process began; Failing is of the last run
}

// newGateway opens the gateway before anybody is served.
func newGateway(s *server, g *registry) (*gateway, error) {
	o := &s.gatewayOptions
	w := &gateway{server: s, nudged: make(chan struct{}, 1)}
	var err error
	if w.nations, err = newEuropeans(g, o.anchor, s.failed("certificates")); err != nil {
		return nil, usage("-efgs-anchor: %w", err)
	}
	if o.cert != "" {
		if w.shown, err = efgs.LoadCertificate(o.cert, o.key); err != nil {
			return nil, usage("-efgs-cert: %w", err)
		}
	}
	if o.callbacks {
		opts := &efgs.CallbackOptions{Networks: o.callbackNetworks, Ports: o.callbackPorts, Clock: clock, Logger: s.log}
		if w.shown != nil {
			opts.Certificate = w.shown.GetClientCertificate
		}
		if w.callbacks, err = efgs.NewCallbacks(s.hub, s.ledger, w.nations, w.nations, opts); err != nil {
			return nil, err
		}
	}
	w.protocol, err = efgs.NewServer(s.hub, w.nations, w.nations, &efgs.ServerOptions{
		Balancers: o.balancers, ThumbprintHeader: o.thumbprintHeader, DNHeader: o.dnHeader,
		Callbacks: w.callbacks, Clock: clock, Logger: s.log, Granted: w.granted,
	})
	if err != nil {
		return nil, usage("-efgs: %w", err)
	}
	return w, nil
}

// public returns the server for nations.
func (w *gateway) public() *http.Server {
	public := efgs.NewHTTPServer(w.gatewayOptions.listen, w.counting(visiting(w.protocol)))
	if w.shown != nil {
		public.TLSConfig = w.shown.ServerTLS()
	}
	return public
}

// granted keeps count of what nations were granted.
func (w *gateway) granted(x *efgs.Exchange) {
	now := clock()
	w.counts.nations.count(x.Nation, func(t *tally) {
		switch a := x.Answer; {
		case a == nil:
			t.batches++
			t.keys += int64(x.Keys())
		case a.Again:
			t.duplicates += int64(x.Sent)
		case a.Stored:
			t.accepted += int64(x.Sent)
		default: // nothing was stored
			t.duplicates += int64(len(a.Known))
			t.rejected += int64(len(a.Refused))
		}
	})
	seen := sighting{Uploaded: hourOf(now)}
	if x.Page != nil {
		at := federation.Place{Day: federation.DayOf(x.Page.Time), Tag: x.Page.Tag}
		seen = sighting{Asked: at, Downloaded: hourOf(now)}
	}
	w.sightings.see(context.Background(), x.Nation, seen)
}

// callEvery is how often it is looked whether somebody is to be called, beside
// after each cut.
const callEvery = time.Minute

// start calls nations until the context ends. What it returns is closed when nobody
// is being called any longer.
func (w *gateway) start(ctx context.Context) <-chan struct{} {
	over := make(chan struct{})
	if w == nil || w.callbacks == nil {
		close(over)
		return over
	}
	go func() {
		defer close(over)
		for {
			w.call(ctx)
			select {
			case <-ctx.Done():
				return
			case <-w.nudged:
			case <-time.After(callEvery):
			}
		}
	}()
	return over
}

// call calls whoever is to be told of a batch.
func (w *gateway) call(ctx context.Context) {
	r, err := w.callbacks.Run(ctx)
	if err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
		w.failed("callbacks")(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.called.Called += r.Called
	w.called.Failed += r.Failed
	if !r.Busy {
		w.called.Failing = r.Failing
	}
}

// nudge has nations be called now: there is a batch.
func (w *gateway) nudge() {
	if w == nil {
		return
	}
	select {
	case w.nudged <- struct{}{}:
	default: // they are about to be
	}
}

// metrics writes what was counted of callbacks.
func (w *gateway) metrics(e *exposition.Writer) {
	if w == nil || w.callbacks == nil {
		return
	}
	w.mu.Lock()
	called := w.called
	w.mu.Unlock()
	e.Family("federation_callbacks_total", exposition.Counter, "Calls of this process that nations answered.")
	e.Value(float64(called.Called))
	e.Family("federation_callbacks_failed_total", exposition.Counter, "Calls that they did not.")
	e.Value(float64(called.Failed))
	e.Family("federation_callbacks_failing", exposition.Gauge, "Subscriptions that are beyond all retries: their nations have to be told.")
	e.Value(float64(called.Failing))
}
