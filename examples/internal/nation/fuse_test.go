package nation

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// ending is what a fuse does when it blows.
type ending int

const (
	fails     ending = iota // a call has no effect; the process goes on
	loses                   // a call's answer is lost
	dies                    // no call has an effect from this one on
	diesAfter               // from the next one on; the answer of this one is lost
	cancels                 // the context ends
	endings
)

// A fuse cuts a process off at one of its calls to ledger, bucket and network,
// counted together.
type fuse struct {
	beforeRemoval func() // called before the ledger is pruned, if it is set

	mu     sync.Mutex
	aside  bool // calls are not the process's
	at     int  // the call at which it blows; 0 is never
	how    ending
	cancel context.CancelFunc
	calls  int
	usual  int // how many calls there were when it did not blow
	blown  bool
}

// arm has the fuse blow at a call, and returns the context of what it cuts off.
func (f *fuse) arm(ctx context.Context, at int, how ending) context.Context {
	f.mu.Lock()
	defer f.mu.Unlock()
	ctx, f.cancel = context.WithCancel(ctx)
	f.at, f.how, f.calls, f.blown = at, how, 0, false
	return ctx
}

// disarm reports whether the fuse blew. It will not any more.
func (f *fuse) disarm() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cancel()
	f.at = 0
	if !f.blown {
		f.usual = f.calls
	}
	return f.blown
}

// burnt reports whether the fuse has blown since it was armed.
func (f *fuse) burnt() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at > 0 && f.blown
}

// burn decides what becomes of a call: whether it fails, and then, whether after
// its effect.
func (f *fuse) burn() (fail, after bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.aside {
		return false, false
	}
	f.calls++
	switch {
	case f.at == 0 || f.calls < f.at:
		return false, false
	case f.calls > f.at:
		return f.how == dies || f.how == diesAfter, false
	}
	f.blown = true
	if f.how == cancels {
		f.cancel()
	}
	return f.how != cancels, f.how == loses || f.how == diesAfter
}

// asideOf does what the process has no part in.
func (f *fuse) asideOf(do func()) {
	set := func(aside bool) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.aside = aside
	}
	set(true)
	defer set(false)
	do()
}

func (f *fuse) store(s ledger.Store) ledger.Store {
	return ledgertest.Faulty(s, func(_ context.Context, c ledgertest.Call) ledgertest.Verdict {
		if c.Op == ledgertest.OpRemove && f.beforeRemoval != nil {
			f.asideOf(f.beforeRemoval)
		}
		switch fail, after := f.burn(); {
		case after:
			return ledgertest.FailAfter
		case fail:
			return ledgertest.Fail
		}
		return ledgertest.Pass
	})
}

func (f *fuse) bucket(b storage.Bucket) storage.Bucket { return storagetest.Faulty(b, f.object) }

func (f *fuse) object(context.Context, storagetest.Call) storagetest.Verdict {
	switch fail, after := f.burn(); {
	case after:
		return storagetest.FailAfter
	case fail:
		return storagetest.Fail
	}
	return storagetest.Pass
}

// network returns where a server can be reached by a network that the fuse is in.
func (f *fuse) network(t *testing.T, server string) string {
	t.Helper()
	to, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.Transport = storagetest.Transport(nil, f.object)
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) } // the connection breaks
	between := httptest.NewServer(proxy)
	t.Cleanup(between.Close)
	return between.URL
}
