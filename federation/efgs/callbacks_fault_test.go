package efgs

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
)

// A shaken is a gateway whose callbacks have a store that fails once, and are started
// anew whenever anything fails.
type shaken struct {
	*world
	url  string
	opts CallbackOptions
	fail func(n int) ledgertest.Verdict // of a call of the store

	mu    sync.Mutex
	count int                 // of calls of the store
	told  map[string][]string // tags, by path
	down  bool                // the receiver answers 500
}

func newShaken(t *testing.T, fail func(n int) ledgertest.Verdict) *shaken {
	w, to := calling(t, "DE")
	s := &shaken{world: w, url: to["DE"].URL, opts: w.calls.opts, fail: fail, told: map[string][]string{}}
	s.opts.Parallel = 1 // so that calls of the store come in one order
	to["DE"].set(s.receive)
	s.restart()
	return s
}

func (s *shaken) receive(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	s.told[r.URL.Path] = append(s.told[r.URL.Path], r.URL.Query().Get("batchTag"))
}

// restart starts a process: nothing is known but what the ledger has.
func (s *shaken) restart() {
	s.t.Helper()
	faulty := s.ledger.With(ledgertest.Faulty(s.kept, func(context.Context, ledgertest.Call) ledgertest.Verdict {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.count++
		return s.fail(s.count)
	}))
	hub := must(federation.NewHub(faulty, &federation.HubOptions{Fresh: 1}))
	s.calls = must(NewCallbacks(hub, faulty, s.nations, s.list, &s.opts))
	s.server.opts.Callbacks = s.calls
}

// insist repeats what is asked until it is answered.
func (s *shaken) insist(what func() int, want ...int) {
	s.t.Helper()
	for range 3 {
		status := what()
		if slices.Contains(want, status) {
			return
		}
		if status != http.StatusServiceUnavailable {
			s.t.Errorf("status %d", status)
		}
		s.restart()
	}
	s.t.Error("there is no answer")
}

func (s *shaken) subscribed(id, path string) {
	s.t.Helper()
	s.insist(func() int { return s.subscribe("DE", id, s.url+path) }, http.StatusOK)
}

func (s *shaken) unsubscribed(id string) {
	s.t.Helper()
	s.insist(func() int {
		return s.do(call{method: http.MethodDelete, path: "/callback/" + id, header: s.headers("DE")}).status
	}, http.StatusOK, http.StatusNotFound) // 404 where only the answer was lost
}

// tell lets callbacks run once, and a process that failed be followed by another, as
// soon as its lease is over.
func (s *shaken) tell() {
	s.t.Helper()
	r, err := s.calls.Run(s.t.Context())
	if err != nil || r.Busy {
		s.restart()
		s.clock.add(s.opts.Budget + 2*s.opts.Timeout)
		s.calls.Run(s.t.Context())
	}
}

// play is some life of two subscriptions. It returns the tags of the batches.
func (s *shaken) play() (tags []string) {
	s.t.Helper()
	batch := func() { tags = append(tags, s.batch()) }
	s.subscribed("a", "/a")
	batch()
	s.tell()
	s.subscribed("b", "/b")
	batch()
	batch()
	s.tell()
	s.subscribed("a", "/elsewhere")
	batch()
	s.set(true)
	s.tell()
	s.set(false)
	s.clock.add(3 * s.opts.Pause) // more than the pause after a second try
	s.tell()
	s.unsubscribed("b")
	batch()
	s.tell()
	return tags
}

func (s *shaken) set(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// TestCallbackFaults has every call of the store fail once, before its effect and after
// it, in the life of two subscriptions: none is lost, and none comes back; each is told
// of each batch, in order, and of one at most twice.
func TestCallbackFaults(t *testing.T) {
	for _, verdict := range []ledgertest.Verdict{ledgertest.Fail, ledgertest.FailAfter} {
		nth, step := 1, 1
		if testing.Short() {
			step = 3
		}
		for ; ; nth += step {
			s := newShaken(t, func(n int) ledgertest.Verdict {
				if n == nth {
					return verdict
				}
				return ledgertest.Pass
			})
			tags := s.play()
			if s.count < nth {
				break
			}
			s.restart()
			s.clock.add(time.Hour)
			must(s.calls.Run(t.Context()))
			subscriptions := must(s.client("DE", nil).Subscriptions(t.Context()))
			if want := []Subscription{{"a", s.url + "/elsewhere"}}; !slices.Equal(subscriptions, want) {
				t.Errorf("call %d, %v: subscriptions are %v, want %v", nth, verdict, subscriptions, want)
			}
			a, b := slices.Concat(s.told["/a"], s.told["/elsewhere"]), s.told["/b"]
			repeats := len(a) - len(slices.Compact(slices.Clone(a))) + len(b) - len(slices.Compact(slices.Clone(b)))
			if !slices.Equal(slices.Compact(slices.Clone(a)), tags) || !slices.Equal(slices.Compact(slices.Clone(b)), tags[1:4]) || repeats > 1 {
				t.Errorf("call %d, %v: a was told of %v and b of %v, of batches %v", nth, verdict, a, b, tags)
			}
		}
		if nth < 40 {
			t.Errorf("only %d calls", nth-1)
		}
	}
}
