package distribution_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution/deltaset"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
)

// TestDeltaHistories publishes random histories as delta sets, with faults, while
// clients follow them that begin at different times and miss some of it. Whatever
// way one has come, it has what a model says is shown, and what the snapshot has.
func TestDeltaHistories(t *testing.T) {
	n := max(*histories/4, 1)
	if testing.Short() {
		n = min(n, 4)
	}
	for i := range n {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			h := newDeltaHistory(t, seed)
			for range 30 + h.rand.IntN(30) {
				h.hour()
				h.followSome()
				if t.Failed() {
					return
				}
			}
			h.end()
		})
	}
}

// deltaOptions are the delta sets of the histories, by seed.
var deltaOptions = []deltaset.Options{
	{},
	{Gzip: true, Days: 3},
	{Files: deltaset.ByDay, Days: 12, Announce: true},
	{Interval: 2 * time.Hour, Snapshot: 6 * time.Hour, Snapshots: 1, Days: 5, Announce: true},
	{Snapshots: 1, Retain: 1},
	{Files: deltaset.ByDay, Retain: 1, Days: 2},
}

// deltaHistory is a history of delta sets, and their clients.
type deltaHistory struct {
	*history
	opts    *deltaset.Options
	clients map[string][]*deltaset.Client // by package
	updates map[string]int                // by what they came to
}

func newDeltaHistory(t *testing.T, seed uint64) *deltaHistory {
	h := &deltaHistory{
		history: &history{world: newWorldIn(t, historyKind(seed), seed), seen: map[string][]byte{}},
		opts:    &deltaOptions[seed%uint64(len(deltaOptions))],
		clients: map[string][]*deltaset.Client{},
		updates: map[string]int{},
	}
	h.layout = newDeltas(t, h.opts)
	for _, pkg := range []string{"DE", "EUR"} {
		for range 4 {
			h.clients[pkg] = append(h.clients[pkg], h.client(pkg))
		}
	}
	return h
}

// client returns one that has read nothing yet.
func (h *deltaHistory) client(pkg string) *deltaset.Client {
	h.t.Helper()
	trusted, err := signing.NewTrustList(h.ring.PublicKeys()...)
	if err != nil {
		h.t.Fatal(err)
	}
	c, err := deltaset.NewClient(h.t.TempDir(), deltaset.FromBucket(h.bucket, "deltaset/"+pkg+"/"), trusted, &deltaset.ClientOptions{
		Package: pkg, MaxAge: -1, Now: func() time.Time { return h.clock },
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// followSome has some of the clients read what there is, which the last run may have
// left half done.
func (h *deltaHistory) followSome() {
	for pkg, clients := range h.clients {
		for i, c := range clients {
			if !h.chance(15 * (i + 1)) {
				continue
			}
			switch u, err := c.Update(h.t.Context()); {
			case errors.Is(err, deltaset.ErrTryAgain) || errors.Is(err, fs.ErrNotExist):
				h.updates["tried again"]++
			case err != nil:
				h.t.Errorf("%s: %v", pkg, err)
			case u.Snapshot:
				h.updates["snapshot"]++
			case u.Files > 0:
				h.updates["deltas"]++
			default:
				h.updates["nothing new"]++
			}
		}
	}
}

// end lets everything that waits go, and compares what clients have.
func (h *deltaHistory) end() {
	h.clock = h.clock.Add(7 * time.Hour)
	h.release()
	h.model.look(h.t, h.open(nil), h.clock.Truncate(time.Hour), h.packages)
	h.cleanRun()
	h.cleanRun()
	h.verify()
	for pkg, clients := range h.clients {
		for i, c := range append(clients, h.client(pkg)) {
			if _, err := c.Update(h.t.Context()); err != nil {
				h.t.Fatalf("%s: client %d: %v", pkg, i, err)
			}
			state, err := c.State()
			if err != nil {
				h.t.Fatal(err)
			}
			if d := differIn("keys", keysOf(h.t, c), h.shown(pkg, state.End())); d != "" {
				h.t.Errorf("%s: client %d at %s: %s", pkg, i, &state, d)
			}
		}
	}
	h.balance()
	h.t.Logf("%d hours, %d files, %d units pruned, updates %v", len(h.model.hours), len(h.seen), h.pruned, h.updates)
}

// shown returns what a package shows at a time by the model, of relevant keys, as
// far as records say it.
func (h *deltaHistory) shown(pkg string, end time.Time) map[keys.KeyData]keys.TemporaryExposureKey {
	shown := map[keys.KeyData]keys.TemporaryExposureKey{}
	files := h.model.want(pkg)
	for _, at := range slices.SortedFunc(maps.Keys(files), time.Time.Compare) {
		if at.After(end) {
			break
		}
		for _, said := range []map[keys.KeyData]keys.TemporaryExposureKey{files[at].keys, files[at].revised} {
			for data, k := range said {
				shown[data] = recorded(k)
				if k.ReportType == keys.Some(keys.ReportRevoked) {
					delete(shown, data)
				}
			}
		}
	}
	span := h.layout.Spans()[0]
	maps.DeleteFunc(shown, func(_ keys.KeyData, k keys.TemporaryExposureKey) bool { return !span.Relevant(&k, end) })
	return shown
}

// recorded returns what a record says of a key.
func recorded(k keys.TemporaryExposureKey) keys.TemporaryExposureKey {
	return keys.TemporaryExposureKey{
		KeyData:                    k.KeyData,
		RollingStartIntervalNumber: k.RollingStartIntervalNumber,
		RollingPeriod:              k.RollingPeriod,
		ReportType:                 k.ReportType,
		DaysSinceOnsetOfSymptoms:   k.DaysSinceOnsetOfSymptoms,
	}
}

func keysOf(t testing.TB, c *deltaset.Client) map[keys.KeyData]keys.TemporaryExposureKey {
	t.Helper()
	all := map[keys.KeyData]keys.TemporaryExposureKey{}
	for r, err := range c.Keys() {
		if err != nil {
			t.Fatal(err)
		}
		all[r.Key.KeyData] = r.Key
	}
	return all
}
