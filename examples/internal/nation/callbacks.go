package nation

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"time"

	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/federation/efgs"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A receiver is where a gateway says that there is something.
type receiver struct {
	name    ledger.Source
	listen  string
	handler *efgs.Callback
	tls     *tls.Config
}

// receivers returns those of the instances that are called back.
func (b *Backend) receivers() (all []*receiver) {
	for i := range b.config.Instances {
		in := &b.config.Instances[i]
		if !in.Calls() {
			continue
		}
		all = append(all, &receiver{in.Name, in.EFGS.Callback.Listen, efgs.NewCallback(in.EFGS.Callback.Allowed...), &tls.Config{
			MinVersion:     tls.VersionTLS12,
			ClientAuth:     tls.RequireAnyClientCert, // which of them is heard, the handler knows
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return b.shown(in.Name) },
		}})
	}
	return all
}

// shown returns the certificate of a receiver, as it is now.
func (b *Backend) shown(name ledger.Source) (*tls.Certificate, error) {
	for _, x := range b.active.Load().exchanges {
		if x.Name == name && x.Receiver != nil {
			return x.Receiver, nil
		}
	}
	return nil, errors.New("no certificate")
}

// forward passes on that there is a hint, until ctx ends. While it waits for
// somebody to take it, further ones are the same.
func (r *receiver) forward(ctx context.Context, hinted chan<- ledger.Source) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.handler.Hints():
		}
		select {
		case <-ctx.Done():
			return
		case hinted <- r.name:
		}
	}
}

// hear pulls from whoever hints that there is something, until it is time for the
// next look. What is hinted at is not looked at: a pull is a pull.
func (b *Backend) hear(ctx context.Context, hinted <-chan ledger.Source, next <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-next:
			return
		case name := <-hinted:
			b.pullFrom(ctx, name)
		}
	}
}

// pullFrom is the pull of a look, from one instance.
func (b *Backend) pullFrom(ctx context.Context, name ledger.Source) {
	b.log.Info("a hint", "instance", name)
	b.counters.add(1, hintsTotal, "instance", string(name))
	t := b.begin(ctx)
	var only []*partner.Exchange
	for _, x := range t.exchanges {
		if x.Name == name {
			only = append(only, x)
		}
	}
	t.exchanges = only
	t.pull(ctx) // which logs what failed
	b.counters.show(b.now())
}

const (
	// subscribeEvery is how often it is seen to that gateways call back: they drop
	// who did not answer for half an hour, without a word.
	subscribeEvery = 24 * time.Hour

	// subscribeAgain is how soon, after that has failed.
	subscribeAgain = 10 * time.Minute
)

// subscribe sees to it that gateways call back, until ctx ends.
func (b *Backend) subscribe(ctx context.Context) {
	for {
		wait := subscribeEvery
		for _, x := range b.active.Load().exchanges {
			if err := x.Subscribe(ctx); err != nil && ctx.Err() == nil {
				wait = subscribeAgain
				b.counters.add(1, failuresTotal, "step", "subscribe", "instance", string(x.Name))
				b.log.Warn("subscribe failed", "instance", x.Name, "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// callbackServer returns the server that a gateway calls.
func callbackServer(r *receiver) *http.Server {
	return &http.Server{
		Handler: r.handler, TLSConfig: r.tls,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
}
