package nation

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gaenkit/gaen/examples/internal/exposition"
	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/storage/ledger"
)

// shutdown is for how long requests that have begun may go on in the end.
const shutdown = 30 * time.Second

// Serve takes submissions, looks at everything once in a while, and tells operators
// how it is, until ctx ends. Then it takes no new request, ends those that it has,
// and whatever it is doing at a point from which the next run goes on.
func (b *Backend) Serve(ctx context.Context) error {
	receivers := b.receivers()
	servers, err := b.listen(ctx, receivers)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	failed := make(chan error, len(servers))
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, s := range servers {
		wg.Go(func() {
			if err := s.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("%s: %w", s.what, err)
				cancel()
			}
		})
	}
	hinted := make(chan ledger.Source)
	for _, r := range receivers {
		wg.Go(func() { r.forward(running, hinted) })
	}
	if len(receivers) > 0 {
		wg.Go(func() { b.subscribe(running) })
	}
	b.loop(running, hinted)
	cancel()
	var errs []error
	ending, stop := context.WithTimeout(context.WithoutCancel(ctx), shutdown)
	defer stop()
	for _, s := range servers {
		errs = append(errs, s.Shutdown(ending))
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		errs = append(errs, err)
	}
	b.log.Info("ended")
	return errors.Join(errs...)
}

// server is one of those that listen: for phones, operators and gateways.
type server struct {
	*http.Server
	what     string
	listener net.Listener
}

func (b *Backend) listen(ctx context.Context, receivers []*receiver) ([]*server, error) {
	type place struct {
		what, addr string
		*http.Server
	}
	places := []place{
		{"submission", b.config.Submission.Listen, plainServer(b.Phones())},
		{"operations", b.config.Operations.Listen, plainServer(b.Operations())},
		{"orders", b.config.Orders.Listen, plainServer(b.Desk())},
	}
	for _, r := range receivers {
		places = append(places, place{fmt.Sprintf("callback of %s", r.name), r.listen, callbackServer(r)})
	}
	var all []*server
	for _, p := range places {
		if p.addr == "" {
			continue
		}
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.addr)
		if err != nil {
			for _, opened := range all {
				opened.listener.Close()
			}
			return nil, fmt.Errorf("%s.listen: %w", p.what, err)
		}
		b.log.Info("listening", "for", p.what, "addr", l.Addr().String())
		if p.TLSConfig != nil {
			l = tls.NewListener(l, p.TLSConfig)
		}
		p.ErrorLog = slog.NewLogLogger(b.log.Handler(), slog.LevelWarn)
		all = append(all, &server{p.Server, p.what, l})
	}
	return all, nil
}

func plainServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
}

// loop ticks until ctx ends. Looks are jittered, so that not every nation asks the
// same server in the same second.
func (b *Backend) loop(ctx context.Context, hinted <-chan ledger.Source) {
	for ctx.Err() == nil {
		b.Tick(ctx) // which logs what failed
		b.hear(ctx, hinted, time.After(b.config.Schedule.next(time.Now())))
	}
}

// next returns how long it is to the next look: to the next multiple of Every, and
// some jitter.
func (s *Schedule) next(now time.Time) time.Duration {
	every := time.Duration(s.Every)
	wait := now.Truncate(every).Add(every).Sub(now)
	if s.Jitter > 0 {
		wait += rand.N(time.Duration(s.Jitter))
	}
	return wait
}

// Operations is what operators and their machines look at:
//
//	/healthz  the process answers
//	/readyz   the last look is not long ago, and met ledger and bucket; else 503
//	/metrics  counters for Prometheus, coarse in time
func (b *Backend) Operations() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := b.unready(); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", exposition.ContentType)
		b.counters.show(b.now())
		w.Write(b.counters.text()) // if it fails, the caller is gone
	})
	return mux
}

// unready returns why the back end is not what it should be, empty if it is. A look
// may take as long as the push barrier.
func (b *Backend) unready() string {
	l := b.looked.Load()
	s := &b.config.Schedule
	switch {
	case l == nil:
		return "it has not looked yet"
	case l.err != nil:
		return "the last look was stopped by an error; see the log"
	case b.now().Sub(l.at) > 3*time.Duration(s.Every)+time.Duration(s.PushBarrier)+partner.DefaultBudget:
		return "the last look is too long ago"
	}
	return ""
}
