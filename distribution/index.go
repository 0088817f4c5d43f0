package distribution

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"time"

	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
)

// indexState is what the ledger remembers of an index, so that a run with
// nothing new need not read it.
type indexState struct {
	ETag     string    `json:"etag"`
	SHA256   string    `json:"sha256"`
	Unlisted time.Time `json:"unlisted,omitzero"` // when it was no longer wanted
}

type indexEntry struct {
	indexState
	name    string // of the object
	version int64
}

// replaceTries is how often a run computes again what may be replaced, because
// another run replaced some of it meanwhile.
const replaceTries = 10

// errMoved says that an index or an open file is not the version any more that
// was seen before the plans were read.
var errMoved = errors.New("distribution: what is replaced was replaced by another run meanwhile")

// index writes the indexes that are not what they should be.
func (r *run) index(ctx context.Context) error { return r.replacing(ctx, r.putIndexes) }

// replacing has put replace what is not what it should be. An object's ETag is
// read before the plans that it is made from, and it is replaced only if it still
// has it: so what a paused run made never takes the place of something newer.
func (r *run) replacing(ctx context.Context, put func(context.Context) error) error {
	for try := range replaceTries {
		if try > 0 {
			makeWay(ctx, try)
			listed, err := r.list(ctx)
			if err != nil {
				return err
			}
			r.listed = listed
		}
		state, err := r.readState(ctx)
		if err != nil {
			return err
		}
		r.state = state
		if err := put(ctx); !errors.Is(err, errMoved) {
			return err
		}
	}
	return errMoved
}

// makeWay waits for a moment, a longer one with every try: runs that replace the same
// objects in step would have each other begin again and again.
func makeWay(ctx context.Context, try int) {
	select {
	case <-ctx.Done():
	case <-time.After(rand.N(10 * time.Millisecond << min(try, 6))):
	}
}

// putIndexes writes leaves before roots. If one cannot be written, those after
// it, which may name it, are left as they are.
func (r *run) putIndexes(ctx context.Context) error {
	wanted, err := r.wantedIndexes()
	if err != nil {
		return err
	}
	for _, i := range wanted {
		err := r.putIndex(ctx, i)
		if err == nil {
			continue
		}
		if errors.Is(err, errMoved) || ctx.Err() != nil {
			return err
		}
		if fatal := r.failure(ctx, &committed{}, &objectError{i.Name, err}); fatal != nil {
			return fatal
		}
		r.report.indexesStopped = true
		return nil
	}
	return nil
}

// wantedIndexes returns the indexes over what is published.
func (r *run) wantedIndexes() ([]Index, error) {
	names := r.packageNames()
	if e, ok := r.layout.(Encoder); ok {
		return r.catalogue(e, names)
	}
	var files []File
	for _, c := range r.listable() {
		for i, f := range c.files() {
			if !r.lost[c.Objects[i].Name] {
				files = append(files, f)
			}
		}
	}
	return r.layout.Indexes(names, files), nil
}

// unindexed reports whether the layout has no indexes.
func (p *Publisher) unindexed() bool {
	_, encoder := p.layout.(Encoder) // whose indexes come from elsewhere
	return !encoder && len(p.layout.Indexes(p.packageNames(), nil)) == 0
}

func (p *Publisher) packageNames() []string {
	var names []string
	for i := range p.packages {
		names = append(names, p.packages[i].Name)
	}
	return names
}

// listable returns the plans whose files indexes may name: those of a package before
// its first base window that is not completed, and of each longer span before the
// first of its own; none past its retention.
func (r *run) listable() []*committed {
	first := r.firstUndone()
	before := func(c *committed, span string) bool {
		t, ok := first[line{c.pkg, span}]
		return !ok || !c.End.After(t)
	}
	var plans []*committed
	for _, c := range r.state.plans { // by package, span and time
		if c.published() && !r.retired(c) && r.pkg(c.pkg) != nil && before(c, c.Span) && before(c, base(r.layout).Name) {
			plans = append(plans, c)
		}
	}
	return plans
}

// line is the files of one package and span.
type line struct{ pkg, span string }

// firstUndone returns where the first window begins that is not completed.
func (r *run) firstUndone() map[line]time.Time {
	first := map[line]time.Time{}
	for _, c := range r.state.plans {
		l := line{c.pkg, c.Span}
		if t, ok := first[l]; !c.done() && (!ok || c.Start.Before(t)) {
			first[l] = c.Start
		}
	}
	return first
}

// retired reports whether a plan's objects have been kept long enough, or enough
// newer states have been published.
func (r *run) retired(c *committed) bool {
	if span := r.span(c.Span); span.State {
		return r.newer(c) >= span.Keep
	}
	return !r.now.Before(retiredAt(r.layout, r.span(c.Span), c.window()))
}

// putIndex writes one index if it is not what it should be.
func (r *run) putIndex(ctx context.Context, i Index) error {
	want := indexState{SHA256: i.digest()}
	known := r.state.indexes[i.Name]
	if known == nil {
		known = &indexEntry{name: i.Name}
		r.state.indexes[i.Name] = known
	}
	have, listed := r.listed[i.Name]
	if listed && known.ETag == have.ETag && known.SHA256 == want.SHA256 && known.Unlisted.IsZero() && !r.doubt {
		return nil
	}
	content, err := r.indexBytes(&i)
	if err != nil {
		return err
	}
	a, err := r.put(ctx, i.Name, have.ETag, content, r.layout.IndexOptions(i))
	if errors.Is(err, storage.ErrPrecondition) || errors.Is(err, fs.ErrExist) {
		return errMoved
	}
	if err != nil {
		return err
	}
	r.report.Indexes = append(r.report.Indexes, i.Name)
	want.ETag = a.ETag
	return r.rememberIndex(ctx, known, want)
}

// digest says what an index is a function of, so that a signature that differs
// each time it is made is not made anew.
func (i *Index) digest() string {
	h := sha256.New()
	if i.SignedBy != (signing.Identity{}) {
		fmt.Fprintf(h, "signed by %s\n", i.SignedBy)
	}
	h.Write(i.Content)
	return hex.EncodeToString(h.Sum(nil))
}

// indexBytes returns what an index is stored as.
func (r *run) indexBytes(i *Index) ([]byte, error) {
	if i.SignedBy == (signing.Identity{}) {
		return i.Content, nil
	}
	signer, ok := r.ring.Lookup(i.SignedBy)
	if !ok {
		return nil, fmt.Errorf("distribution: %s: no signer %s", i.Name, i.SignedBy)
	}
	digest := sha256.Sum256(i.Content)
	return signer.SignDigest(digest[:])
}

// rememberIndex records what was written. If another run has recorded its own,
// the next run sorts it out.
func (r *run) rememberIndex(ctx context.Context, known *indexEntry, now indexState) error {
	swap, err := swapTo(r.indexRegister(known.name), known.version, &now)
	if err != nil {
		return err
	}
	err = r.ledger.Swap(ctx, ledger.NewNonce(), swap)
	if _, conflict := errors.AsType[*ledger.ConflictError](err); conflict {
		return nil
	}
	if err != nil {
		return fmt.Errorf("distribution: recording index %s: %w", known.name, err)
	}
	return nil
}
