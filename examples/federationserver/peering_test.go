package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// TestPeeringEnds: when an exchange is over, nothing of it is under way any longer,
// so that the ledger can be closed.
func TestPeeringEnds(t *testing.T) {
	l, _ := newMemory(t)
	asked := make(chan struct{}, 100)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"token": "x",
		"peers.json": `{"instances": [
			{"name": "a", "url": "http://` + silent(t, asked) + `", "token": {"file": "token"}, "gateway": false},
			{"name": "b", "url": "http://` + silent(t, asked) + `", "token": {"file": "token"}, "gateway": false}]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		p, err := newPeering(t.Context(), newRegistry(l), filepath.Join(dir, "peers.json"), time.Minute, slog.New(slog.NewTextHandler(io.Discard, nil)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		over := p.start(ctx, time.Minute)
		<-asked
		<-asked
		cancel()
		<-over
		for name, c := range p.live {
			select {
			case <-c.ended:
			default:
				t.Fatalf("the exchange with %s goes on", name)
			}
			if n := p.counts.failedOf(name); n != 0 {
				t.Errorf("%s: to end is counted as %d failures", name, n)
			}
		}
	}
	select {
	case <-(*peering)(nil).start(t.Context(), time.Minute):
	case <-time.After(time.Minute):
		t.Error("without peers it does not end")
	}
}

// TestPeerIsNotedOnce: of several processes that note a peer at the same time, none
// takes it for a failure.
func TestPeerIsNotedOnce(t *testing.T) {
	q := newPeer()
	q.Name = "a"
	store := memledger.New(nil)
	l, err := ledger.Open(t.Context(), store, &ledger.Options{Policy: new(hubPolicy())})
	if err != nil {
		t.Fatal(err)
	}
	introduce := func(l *ledger.Ledger) error {
		return (&connection{peering: &peering{ledger: l, registry: newRegistry(l)}, peer: q}).introduce(t.Context())
	}
	overtaken := false
	slower := l.With(ledgertest.Faulty(store, func(_ context.Context, c ledgertest.Call) ledgertest.Verdict {
		if c.Op == ledgertest.OpSwap && !overtaken {
			overtaken = true
			if err := introduce(l); err != nil {
				t.Error(err)
			}
		}
		return ledgertest.Pass
	}))
	if err := introduce(slower); err != nil || !overtaken {
		t.Errorf("the slower one: %v, overtaken %t", err, overtaken)
	}
	if err := newRegistry(l).free(t.Context(), q.Name); err == nil {
		t.Error("a nation may have the name of a peer")
	}
}

// TestCutNudgesPeers: what has been cut is sent at once, however long it is until the
// next look.
func TestCutNudgesPeers(t *testing.T) {
	l, _ := newMemory(t)
	hub, err := federation.NewHub(l, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	text := `{"instances": [{"name": "a", "url": "http://` + unused(t) + `", "token": {"file": "peers.json"}, "gateway": false}]}`
	if err := os.WriteFile(filepath.Join(dir, "peers.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	p, err := newPeering(t.Context(), newRegistry(l), filepath.Join(dir, "peers.json"), time.Hour, log)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{ledger: l, hub: hub, peering: p, log: log, monitor: &monitor{}}
	s.office = &office{ledger: l, hub: hub, registry: newRegistry(l), peers: p.file.get}
	ctx, cancel := context.WithCancel(t.Context())
	over := p.start(ctx, time.Hour)
	defer func() { cancel(); <-over }()
	await(t, "there is a first round", func() bool { return p.counts.failedOf("a") == 1 })
	if err := s.release(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	await(t, "there is another after the cut", func() bool { return p.counts.failedOf("a") == 2 })
}
