package distribution

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
)

// An Invalidator has the cache before a bucket, a CDN's, forget what it holds of
// objects that were replaced. Without one, caches keep them for Options.MaxAge.
type Invalidator interface {
	// Invalidate must have the cache forget the objects of these names, in
	// ascending order and each once, or return an error; then they come again, and
	// it may have forgotten some. Of several calls with one reference, which all
	// have the same names, one is enough. It is called once in a run at most, and with
	// all that the tree has where more was replaced than a register has names for.
	Invalidate(ctx context.Context, reference string, names []string) error
}

// staleState is what the ledger remembers of objects that were replaced, or were
// going to be, and that the cache was not yet told of for certain. It is written
// before an object is replaced, so that no crash leaves the cache with the old one.
type staleState struct {
	Objects []staleObject `json:"objects"`
}

// staleObject is one object that one run replaces.
type staleObject struct {
	Name string    `json:"name"` // empty: whatever there is, since one by one was too much for a register
	Run  string    `json:"run"`  // a nonce of the run
	Time time.Time `json:"time"` // the run's
}

type staleEntry struct {
	staleState
	version int64
}

const staleKind = "stale"

// staleTries is how often a run writes the register again because another was
// quicker.
const staleTries = 10

// put is [Publisher.put], and has the cache forget what is replaced when the run
// comes to its end.
func (r *run) put(ctx context.Context, name, etag string, content []byte, opts storage.PutOptions) (storage.Attributes, error) {
	if etag != "" {
		if err := r.noteStale(ctx, name); err != nil {
			return storage.Attributes{}, err
		}
	}
	return r.Publisher.put(ctx, name, etag, content, opts)
}

// noteStale records that this run replaces an object.
func (r *run) noteStale(ctx context.Context, name string) error {
	if r.opts.Invalidator == nil {
		return nil
	}
	r.staleMu.Lock()
	defer r.staleMu.Unlock()
	mine := staleObject{Name: name, Run: r.nonce, Time: r.now}
	if slices.Contains(r.replaced, mine) {
		return nil
	}
	err := r.changeStale(ctx, func(s *staleState) {
		s.Objects = slices.DeleteFunc(s.Objects, r.supersedes(mine))
		s.add(mine)
	})
	if err == nil {
		r.replaced = append(r.replaced, mine)
	}
	return err
}

// supersedes tells which objects need no more be told of once mine is: the same one,
// as a run replaced it that is certainly over. So a cache that cannot be told for
// weeks does not fill the register.
func (r *run) supersedes(mine staleObject) func(staleObject) bool {
	return func(o staleObject) bool { return o.Name == mine.Name && o.Run != mine.Run && r.over(o) }
}

// add has the objects in it once.
func (s *staleState) add(objects ...staleObject) {
	for _, o := range objects {
		if !slices.ContainsFunc(s.Objects, func(have staleObject) bool { return have.Run == o.Run && (have.Name == o.Name || have.Name == "") }) {
			s.Objects = append(s.Objects, o)
		}
	}
	slices.SortFunc(s.Objects, func(a, b staleObject) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Run, b.Run))
	})
}

// readStale reads the register.
func (r *run) readStale(ctx context.Context) (*staleEntry, error) {
	e := &staleEntry{}
	found, err := r.ledger.Registers(ctx, r.register(staleKind))
	if err != nil || len(found) == 0 {
		return e, err
	}
	e.version = found[0].Version
	if err := json.Unmarshal(found[0].Value, &e.staleState); err != nil {
		return nil, fmt.Errorf("distribution: register %s: %w", found[0].Name, err)
	}
	return e, nil
}

// changeStale changes the register. Without objects it is deleted.
func (r *run) changeStale(ctx context.Context, change func(*staleState)) error {
	for range staleTries {
		e, err := r.readStale(ctx)
		if err != nil {
			return err
		}
		before := slices.Clone(e.Objects)
		change(&e.staleState)
		if slices.Equal(e.Objects, before) {
			return nil
		}
		swap, err := r.staleSwap(e)
		if err != nil {
			return err
		}
		if len(e.Objects) == 0 {
			swap = ledger.Swap{Name: swap.Name, Version: swap.Version, Delete: true}
		}
		err = r.ledger.Swap(ctx, ledger.NewNonce(), swap)
		if _, conflict := errors.AsType[*ledger.ConflictError](err); !conflict {
			return err
		}
	}
	return fmt.Errorf("distribution: register %s: other runs keep changing it", r.register(staleKind))
}

// staleSwap returns the swap that stores the register. One that would be too long, of
// a cache that cannot be told for weeks, or a tree that is made again as a whole, has
// whatever there is instead: replacing must not fail for it, or nothing is published
// any more.
func (r *run) staleSwap(e *staleEntry) (ledger.Swap, error) {
	swap, err := swapTo(r.register(staleKind), e.version, &e.staleState)
	if err != nil || len(swap.Value) <= ledger.MaxRegister {
		return swap, err
	}
	mine := staleObject{Run: r.nonce, Time: r.now}
	whole := staleState{Objects: []staleObject{mine}}
	for _, o := range e.Objects {
		if !r.over(o) {
			whole.add(staleObject{Run: o.Run, Time: o.Time})
		}
	}
	e.staleState = whole
	return swapTo(r.register(staleKind), e.version, &e.staleState)
}

// invalidate has the cache forget what this run replaced, and what runs before it
// could not have it forget. If that fails, the next run tries again.
func (r *run) invalidate(ctx context.Context) error {
	if r.opts.Invalidator == nil {
		return nil
	}
	e, err := r.readStale(ctx)
	if err != nil {
		return err
	}
	e.add(r.replaced...) // another run may have thought this one over
	if len(e.Objects) == 0 {
		return nil
	}
	names := r.staleNames(&e.staleState)
	if err := r.opts.Invalidator.Invalidate(ctx, e.reference(r.opts.Output, names), names); err != nil {
		r.warn("the cache was not told of what was replaced, the next run tries again: %v", err)
		return r.changeStale(ctx, func(s *staleState) { s.add(r.replaced...) })
	}
	r.report.Invalidated = names
	return r.changeStale(ctx, func(s *staleState) { s.Objects = slices.DeleteFunc(s.Objects, r.over) })
}

// over reports whether the cache needs no more be told of an object: it was this
// run that replaced it, or one whose deadline had passed when this one began. Any
// other run may be about to replace it, and tells the cache then.
func (r *run) over(o staleObject) bool {
	return o.Run == r.nonce || r.now.After(o.Time.Add(r.opts.Deadline))
}

// staleNames returns the names of the objects, ascending, each once. Whatever there is
// are the files and indexes that the bucket had before: what came since, no cache has.
func (r *run) staleNames(s *staleState) []string {
	var names []string
	everything := false
	for _, o := range slices.Concat(s.Objects, r.replaced) {
		if everything = everything || o.Name == ""; o.Name != "" {
			names = append(names, o.Name)
		}
	}
	if everything {
		for name := range r.listed {
			if _, file := r.layout.Parse(name); file || r.state.indexes[name] != nil {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// reference returns a name of these objects as replaced by these runs, so that who
// tells the cache of them again says so.
func (s *staleState) reference(output string, names []string) string {
	h := sha256.New()
	for _, o := range s.Objects {
		fmt.Fprintf(h, "%s\n%s\n%s\n", output, o.Name, o.Run)
	}
	for _, name := range names {
		fmt.Fprintf(h, "%s\n", name)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
