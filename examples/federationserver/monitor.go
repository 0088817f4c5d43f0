package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gaenkit/gaen/examples/internal/exposition"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A monitor says how the server is: on an address of its own, since nations need
// not know.
type monitor struct {
	hub       *federation.Hub
	ledger    *ledger.Ledger
	registry  *registry
	sightings *sightings
	counts    *counts
	peering   *peering // nil without peers
	gateway   *gateway // nil without the European protocol
	log       func(error)

	ending   atomic.Bool
	released atomic.Pointer[releaseState]
	arrears  atomic.Pointer[arrearsState]
}

// arrearsState is what was counted of the withdrawals that are not told, when, and how
// long that took.
type arrearsState struct {
	*arrears
	at   time.Time
	took time.Duration
}

// metrics writes what nations and peers have not been told.
func (a *arrearsState) metrics(e *exposition.Writer) {
	if a == nil {
		return
	}
	e.Family("federation_untold_withdrawals", exposition.Gauge, "Withdrawals in batches that a nation does not take, as of a cut.")
	for _, id := range slices.Sorted(maps.Keys(a.Nations)) {
		e.Value(float64(a.Nations[id].Untold), "nation", string(id))
	}
	e.Family("federation_peer_owed_withdrawals", exposition.Gauge, "Withdrawals of keys that a peer has, on their way to it.")
	for _, p := range a.Peers {
		e.Value(float64(p.Owed), "peer", string(p.Partner))
	}
	e.Family("federation_peer_untold_withdrawals", exposition.Gauge, "Withdrawals of keys that a peer has and that it cannot be told, by why.")
	for _, p := range a.Peers {
		for _, why := range slices.Sorted(maps.Keys(p.Untold)) {
			e.Value(float64(p.Untold[why]), "peer", string(p.Partner), "why", why)
		}
	}
}

// releaseState is how the last look for a cut went.
type releaseState struct {
	at  time.Time
	err error
}

// patience is for how long no cut may have been looked for.
const patience = 10 * time.Minute

// probeTimeout bounds what a look at the server may wait for the ledger.
const probeTimeout = 5 * time.Second

func (m *monitor) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", m.health)
	mux.HandleFunc("GET /metrics", m.metrics)
	return mux
}

func (m *monitor) health(w http.ResponseWriter, r *http.Request) {
	if err := m.check(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// check returns what is wrong with the server. It says no more than which part:
// the log has the rest.
func (m *monitor) check(ctx context.Context) error {
	if m.ending.Load() {
		return errors.New("ending")
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if _, err := m.ledger.Log(ctx, math.MaxInt64); err != nil {
		m.log(fmt.Errorf("health: %w", err))
		return errors.New("the ledger does not answer")
	}
	if s := m.released.Load(); s == nil || s.err != nil || time.Since(s.at) > patience {
		return errors.New("no cuts are made")
	}
	return nil
}

func (m *monitor) metrics(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), probeTimeout)
	defer cancel()
	var text bytes.Buffer
	e := exposition.New(&text)
	m.process(e)
	m.peering.metrics(e)
	m.gateway.metrics(e)
	m.arrears.Load().metrics(e)
	if err := m.nations(ctx, e); err != nil {
		m.log(fmt.Errorf("metrics: %w", err))
		http.Error(w, "the ledger does not answer", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", exposition.ContentType)
	w.Write(text.Bytes()) // if it fails, the caller is gone
}

// process writes what this process has counted.
func (m *monitor) process(e *exposition.Writer) {
	e.Family("federation_requests_total", exposition.Counter, "Requests answered by this process, by status.")
	statuses := m.counts.statuses()
	for _, status := range slices.Sorted(maps.Keys(statuses)) {
		e.Value(float64(statuses[status]), "status", strconv.Itoa(status))
	}
	tallies := m.counts.tallies()
	for _, c := range []struct {
		name, help string
		of         func(tally) int64
	}{
		{"federation_uploaded_keys_total", "Keys that nations uploaded to this process and that were new or revised, in the hours that are over.", func(t tally) int64 { return t.accepted }},
		{"federation_duplicate_keys_total", "Keys that were there already, likewise.", func(t tally) int64 { return t.duplicates }},
		{"federation_rejected_keys_total", "Keys that were not taken, likewise.", func(t tally) int64 { return t.rejected }},
		{"federation_withdrawals_total", "Withdrawals that were taken, likewise.", func(t tally) int64 { return t.withdrawals }},
		{"federation_downloaded_keys_total", "Keys that nations were given by this process, in the hours that are over.", func(t tally) int64 { return t.keys }},
		{"federation_downloaded_batches_total", "Batches that they were given, likewise.", func(t tally) int64 { return t.batches }},
	} {
		e.Family(c.name, exposition.Counter, c.help)
		for _, id := range slices.Sorted(maps.Keys(tallies)) {
			e.Value(float64(c.of(tallies[id])), "nation", string(id))
		}
	}
}

// nations writes what the ledger knows: the same whichever process is asked.
func (m *monitor) nations(ctx context.Context, e *exposition.Writer) error {
	log, err := m.ledger.Log(ctx, math.MaxInt64)
	if err != nil {
		return err
	}
	all, err := m.registry.all(ctx)
	if err != nil {
		return err
	}
	seen, err := m.sightings.all(ctx)
	if err != nil {
		return err
	}
	e.Family("federation_last_cut_timestamp_seconds", exposition.Gauge, "The time of the last cut.")
	if log.Last.Seq > 0 {
		e.Value(float64(log.Last.Time.Unix()))
	}
	e.Family("federation_last_upload_timestamp_seconds", exposition.Gauge, "The hour in which a nation last uploaded, once it is over.")
	hour := hourOf(log.Now)
	for _, n := range all {
		if t := seen[n.ID].Uploaded; !t.IsZero() && t.Before(hour) {
			e.Value(float64(t.Unix()), "nation", string(n.ID))
		}
	}
	e.Family("federation_last_download_timestamp_seconds", exposition.Gauge, "The hour in which a nation last asked for a batch.")
	for _, n := range all {
		if t := seen[n.ID].Downloaded; !t.IsZero() {
			e.Value(float64(t.Unix()), "nation", string(n.ID))
		}
	}
	return m.lags(ctx, e, all, seen, log.Now)
}

// lags writes how far nations are behind. One that has never asked is behind
// everything.
func (m *monitor) lags(ctx context.Context, e *exposition.Writer, all []*nation, seen map[ledger.Source]sighting, now time.Time) error {
	lags := make(map[ledger.Source]federation.Lag, len(all))
	for _, n := range all {
		var err error
		if lags[n.ID], err = m.sightings.lag(ctx, n.ID, seen[n.ID].Asked); err != nil {
			return err
		}
	}
	e.Family("federation_lag_batches", exposition.Gauge, "Batches that a nation has not asked for.")
	for _, n := range all {
		e.Value(float64(lags[n.ID].Batches), "nation", string(n.ID))
	}
	e.Family("federation_lag_seconds", exposition.Gauge, "For how long the first of them has been there; 0 if there is none.")
	for _, n := range all {
		age := time.Duration(0)
		if since := lags[n.ID].Since; !since.IsZero() {
			age = max(0, now.Sub(since))
		}
		e.Value(age.Truncate(time.Second).Seconds(), "nation", string(n.ID))
	}
	return nil
}
