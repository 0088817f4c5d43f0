package storagetest

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"
)

// A Hook is called before each call and decides what becomes of it. It may
// wait, as long as the ctx of the call lets it, to play a runner that is paused
// or a store that is slow; calls go on meanwhile. Hooks are asked by several
// goroutines at once; a nil hook passes all.
//
// Hooks are made of others: the third create is lost, and every call takes
// 20 ms, with
//
//	Delay(20*time.Millisecond, Only(FailAt(3, FailAfter), OpCreate))
type Hook func(ctx context.Context, c Call) Verdict

func (h Hook) ask(ctx context.Context, c Call) Verdict {
	if h == nil {
		return Pass
	}
	return h(ctx, c)
}

// FailEach returns a hook that gives each call the verdict for its number, and
// passes those that have none.
func FailEach(verdicts map[int]Verdict) Hook {
	return func(_ context.Context, c Call) Verdict { return verdicts[c.N] }
}

// FailAt returns a hook that gives the verdict to the call with number n and
// passes all others.
func FailAt(n int, v Verdict) Hook { return FailEach(map[int]Verdict{n: v}) }

// FailFrom returns a hook that gives the verdict to the call with number n and
// fails all that come after: the process dies at that call.
func FailFrom(n int, v Verdict) Hook {
	return func(_ context.Context, c Call) Verdict {
		switch {
		case c.N < n:
			return Pass
		case c.N == n:
			return v
		default:
			return Fail
		}
	}
}

// Random returns a hook that gives a call, with probability p, one of the
// verdicts. It is a function of seed and the call's number, so that a run that
// makes the same calls meets the same faults.
func Random(seed uint64, p float64, verdicts ...Verdict) Hook {
	return func(_ context.Context, c Call) Verdict {
		r := rand.New(rand.NewPCG(seed, uint64(c.N)))
		if len(verdicts) == 0 || r.Float64() >= p {
			return Pass
		}
		return verdicts[r.IntN(len(verdicts))]
	}
}

// Only returns a hook that asks another about the calls of these operations
// alone, numbered among themselves from 1, and passes all others.
func Only(hook Hook, ops ...string) Hook {
	var n atomic.Int64
	return func(ctx context.Context, c Call) Verdict {
		if !slices.Contains(ops, c.Op) {
			return Pass
		}
		c.N = int(n.Add(1))
		return hook.ask(ctx, c)
	}
}

// Delay returns a hook that has each call wait, no longer than its context
// lasts, and then asks another.
func Delay(d time.Duration, hook Hook) Hook {
	return func(ctx context.Context, c Call) Verdict {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
		return hook.ask(ctx, c)
	}
}

// First returns a hook that asks all the hooks, in order, and gives the first
// verdict that is not [Pass].
func First(hooks ...Hook) Hook {
	return func(ctx context.Context, c Call) Verdict {
		first := Pass
		for _, hook := range hooks {
			if v := hook.ask(ctx, c); first == Pass {
				first = v
			}
		}
		return first
	}
}
