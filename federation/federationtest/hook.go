package federationtest

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/gaenkit/gaen/keys"
)

// The routes of a [Request].
const (
	RouteDownload = "download"
	RouteUpload   = "upload"
	RouteOther    = "other"
)

// A Request is one request to a [Server], as a [Hook] is asked about it.
type Request struct {
	N      int         // its number in the order of requests, from 1
	Route  string      // RouteDownload, ...
	Method string      // http.MethodGet, ...
	Path   string      // with the prefix, without the query
	Date   string      // of a download, as it was sent
	Tag    string      // of a download, "" for none; of an upload
	Nation keys.Region // whose token it is; zero if it is nobody's
}

// A Hook is called before each request and decides what becomes of it. It may wait,
// as long as ctx lets it, or use the server itself, to play what happens meanwhile.
// Hooks are asked by several goroutines at once; a nil hook passes all.
//
// Hooks are made of others: the answer to the second upload is lost, and one
// download in ten breaks half way, with
//
//	First(On(At(2, FailAfter), RouteUpload), On(Random(1, 0.1, Half), RouteDownload))
type Hook func(ctx context.Context, r Request) Verdict

func (h Hook) ask(ctx context.Context, r Request) Verdict {
	if h == nil {
		return Pass
	}
	return h(ctx, r)
}

// Always returns a hook that gives every request one verdict.
func Always(v Verdict) Hook {
	return func(context.Context, Request) Verdict { return v }
}

// At returns a hook that gives the verdict to the request with number n and passes
// all others.
func At(n int, v Verdict) Hook {
	return func(_ context.Context, r Request) Verdict {
		if r.N == n {
			return v
		}
		return Pass
	}
}

// Script returns a hook that gives the requests these verdicts, one after another,
// and passes what comes after them.
func Script(steps ...Verdict) Hook {
	return func(_ context.Context, r Request) Verdict {
		if r.N <= len(steps) {
			return steps[r.N-1]
		}
		return Pass
	}
}

// Random returns a hook that gives a request, with probability p, one of the
// verdicts. It is a function of seed and the request's number, so that a run that
// makes the same requests meets the same faults.
func Random(seed uint64, p float64, verdicts ...Verdict) Hook {
	return func(_ context.Context, req Request) Verdict {
		r := rand.New(rand.NewPCG(seed, uint64(req.N)))
		if len(verdicts) == 0 || r.Float64() >= p {
			return Pass
		}
		return verdicts[r.IntN(len(verdicts))]
	}
}

// On returns a hook that asks another about the requests of these routes alone,
// numbered among themselves from 1, and passes all others.
func On(hook Hook, routes ...string) Hook {
	var n atomic.Int64
	return func(ctx context.Context, r Request) Verdict {
		if !slices.Contains(routes, r.Route) {
			return Pass
		}
		r.N = int(n.Add(1))
		return hook.ask(ctx, r)
	}
}

// First returns a hook that asks all the hooks, in order, and gives the first
// verdict that is not [Pass].
func First(hooks ...Hook) Hook {
	return func(ctx context.Context, r Request) Verdict {
		first := Pass
		for _, hook := range hooks {
			if v := hook.ask(ctx, r); first == Pass {
				first = v
			}
		}
		return first
	}
}
