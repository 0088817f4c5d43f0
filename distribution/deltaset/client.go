package deltaset

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"sync"
	"time"

	"github.com/gaenkit/gaen/signing"
)

var (
	// ErrTryAgain: what was read does not fit together, since it is just being
	// replaced, or caches hold some of it from before. It may also have been
	// altered; then it stays so.
	ErrTryAgain = errors.New("deltaset: try again")

	// ErrWentBack: the delta set has not come as far as the client. A cache is
	// behind, or somebody shows what was published before.
	ErrWentBack = errors.New("deltaset: it has gone back behind what was read from it before")

	// ErrOther: it is the delta set of another ledger or package. Who means to
	// follow it begins in a new folder.
	ErrOther = errors.New("deltaset: another delta set than the one followed so far")

	// ErrStale: nothing has been published for longer than it may take. The state
	// is as good as what is published.
	ErrStale = errors.New("deltaset: nothing new has been published for too long")
)

// ClientOptions of a [Client].
type ClientOptions struct {
	// Package is what the delta set must be of; empty is any, the first time.
	Package string

	// MaxAge is how long ago the newest interval may have ended; 0 is three
	// intervals and an hour. Less than 0 is any time.
	MaxAge time.Duration

	// MaxFile is the size of the largest file that is read, uncompressed; 0 is
	// [MaxFile]. A snapshot goes to the disk as it comes. Exposures and retractions
	// are in memory, those of all intervals that were missed together, and so the
	// limit is for them together.
	MaxFile int64

	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// A Client follows a delta set, and keeps the keys that are exposed and relevant in
// a folder, of which no other client must make use at the same time. A state is
// replaced whole or not at all. It is safe for concurrent use.
type Client struct {
	mu      sync.Mutex
	disk    disk
	source  Source
	trusted *signing.TrustList
	opts    ClientOptions
}

// An Update says what became of the state.
type Update struct {
	From, To State // From is zero if there was none
	Snapshot bool  // it began with a snapshot; otherwise only deltas were read
	Exposed  int   // keys in the deltas, those exposed again among them
	Gone     int
	Files    int // read, without indexes
}

// NewClient returns a client that keeps its state in a folder, which it makes. It
// asks for nothing yet.
func NewClient(dir string, source Source, trusted *signing.TrustList, opts *ClientOptions) (*Client, error) {
	c := &Client{disk: disk{dir}, source: source, trusted: trusted}
	if opts != nil {
		c.opts = *opts
	}
	c.opts.MaxFile = cmp.Or(c.opts.MaxFile, MaxFile)
	if c.opts.Now == nil {
		c.opts.Now = time.Now
	}
	switch {
	case trusted.Len() == 0:
		return nil, errors.New("deltaset: NewClient: trusted: no keys")
	case c.opts.MaxFile < 0:
		return nil, fmt.Errorf("deltaset: ClientOptions.MaxFile: %d is negative", c.opts.MaxFile)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("deltaset: %w", err)
	}
	return c, nil
}

// Keys yields the keys that are exposed and relevant, by key data, as of one
// moment. If the last thing yielded is an error, those before are not to be used:
// it is [ErrState] if the state is damaged.
func (c *Client) Keys() iter.Seq2[Record, error] { return c.disk.read(func(*State) {}) }

// State returns how far the client has come.
func (c *Client) State() (State, error) {
	var state State
	for _, err := range c.disk.read(func(s *State) { state = *s }) {
		if err != nil {
			return State{}, err
		}
		state.Keys++
	}
	return state, nil
}

// Update brings the state up to what is published. If there is nothing new, that
// takes one small request. Errors leave the state as it was, and the next update
// does everything again; only with [ErrStale] all that is published has been read.
// What is wrong is [ErrTryAgain], [ErrWentBack], [ErrOther], or an error of the
// source or the disk.
func (c *Client) Update(ctx context.Context) (*Update, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	from, err := c.begin()
	if err != nil {
		return nil, err
	}
	u := &Update{From: from, To: from}
	defer c.disk.clean()
	sums, err := c.news(ctx, &from)
	if err != nil || sums == nil {
		return u, err
	}
	if sums.Next != 0 {
		if err := c.moveOn(ctx, sums, u); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return u, c.stale(err, &u.To)
		}
		// The next tree is announced and not there yet.
	}
	if from.Ledger != "" && sums.Newest == from.Newest {
		return u, c.stale(nil, &from)
	}
	if err := c.follow(ctx, sums, &from, from.subfolder, u); err != nil {
		return u, err
	}
	return u, c.stale(nil, &u.To)
}

// begin returns the state as it is on disk. One that is damaged counts as none.
func (c *Client) begin() (State, error) {
	state, err := c.State()
	if errors.Is(err, ErrState) {
		return State{}, nil
	}
	return state, err
}

// news returns the sums if there may be something new, nil if not.
func (c *Client) news(ctx context.Context, from *State) (*Sums, error) {
	text, err := c.read(ctx, from.folder()+latestName, maxLatest)
	if err != nil {
		return nil, err
	}
	newest, err := parseLatest(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTryAgain, err)
	}
	// One that is behind may be of before the sums that were read: it is written last,
	// and cached. Nobody signs it, so it is the sums that say what there is.
	if from.Ledger != "" && newest == from.Newest && c.stale(nil, from) == nil {
		return nil, nil
	}
	sums, err := c.sums(ctx, from.folder())
	if err != nil {
		return nil, err
	}
	return sums, c.check(sums, from, from.folder())
}

// sums reads SHA256SUMS at the top of a tree.
func (c *Client) sums(ctx context.Context, folder string) (*Sums, error) {
	text, err := c.read(ctx, folder+sumsName, MaxSums)
	if err != nil {
		return nil, err
	}
	err = verifySums(text, c.trusted, c.opts.Now(), func(name string) ([]byte, error) {
		return c.read(ctx, folder+name, maxSignature)
	})
	if errors.Is(err, ErrSignature) {
		err = fmt.Errorf("%w: %w", ErrTryAgain, err)
	}
	if err != nil {
		return nil, err
	}
	return ParseSums(text)
}

// check sees to it that the sums are those of the tree that was asked for, and not
// from before the state.
func (c *Client) check(s *Sums, from *State, folder string) error {
	switch {
	case s.Folder != ".":
		return fmt.Errorf("%w: SHA256SUMS is that of a folder", ErrTryAgain)
	case c.opts.Package != "" && s.Package != c.opts.Package:
		return fmt.Errorf("%w: it is that of %s", ErrOther, s.Package)
	case from.Ledger != "" && (s.Ledger != from.Ledger || s.Package != from.Package):
		return fmt.Errorf("%w: %s of ledger %s", ErrOther, s.Package, s.Ledger)
	case folder != "" && folder != subfolder(s.Interval)+"/":
		return fmt.Errorf("%w: %s has intervals of %s", ErrOther, folder, s.Interval)
	case folder == from.folder() && from.Ledger != "" && s.Interval != from.Interval:
		return fmt.Errorf("%w: its intervals were %s and are %s", ErrOther, from.Interval, s.Interval)
	case from.Ledger != "" && s.End().Before(from.End()):
		return fmt.Errorf("%w: SHA256SUMS ends at %s", ErrWentBack, s.End())
	}
	return nil
}

// stale returns err, or [ErrStale] if the state ends too long ago.
func (c *Client) stale(err error, s *State) error {
	if err != nil || s.Ledger == "" || c.opts.MaxAge < 0 {
		return err
	}
	limit := c.opts.MaxAge
	if limit == 0 {
		limit = 3*s.Interval + time.Hour
	}
	if c.opts.Now().Sub(s.End()) > limit {
		return fmt.Errorf("%w: the newest interval ended at %s", ErrStale, s.End())
	}
	return nil
}

// moveOn goes over to the tree that follows, of another interval. Its error is that
// there is none yet, or it has not come as far as the state, where the old tree is
// to be read on.
func (c *Client) moveOn(ctx context.Context, old *Sums, u *Update) error {
	sums, err := c.sums(ctx, subfolder(old.Next)+"/")
	if err != nil {
		return err
	}
	at := &State{Ledger: old.Ledger, Package: old.Package, Interval: old.Interval, Newest: old.Newest}
	if err := c.check(sums, at, subfolder(old.Next)+"/"); errors.Is(err, ErrWentBack) {
		return fs.ErrNotExist
	} else if err != nil {
		return err
	}
	if sums.Snapshot < 0 {
		return fs.ErrNotExist
	}
	return c.follow(ctx, sums, &State{}, true, u) // what came before is in the snapshot
}

// follow brings a state up to the newest interval of a tree: by deltas if all of
// them are there, otherwise from a snapshot.
func (c *Client) follow(ctx context.Context, sums *Sums, from *State, inSubfolder bool, u *Update) error {
	to := State{Ledger: sums.Ledger, Package: sums.Package, Interval: sums.Interval, Newest: sums.Newest, subfolder: inSubfolder}
	plan, ok := sums.from(from.Newest)
	if from.Ledger == "" || !ok {
		if plan, ok = sums.from(sums.Snapshot); sums.Snapshot < 0 || !ok {
			return fmt.Errorf("%w: there is no way from interval %d or a snapshot to the newest", ErrTryAgain, from.Newest)
		}
		u.Snapshot = true
	}
	changes, left := changes{}, c.opts.MaxFile
	for _, e := range plan {
		size, err := c.delta(ctx, to.folder(), sums, e, left, changes, u)
		if err != nil {
			return err
		}
		left -= size
	}
	base := c.disk.read(func(*State) {})
	if u.Snapshot {
		if err := c.fetchSnapshot(ctx, to.folder(), sums); err != nil {
			return err
		}
		u.Files++
		base = c.snapshot(sums)
	}
	if err := c.merge(base, changes, sums, &to); err != nil {
		return err
	}
	u.To = to
	return nil
}

// read reads a small file whole.
func (c *Client) read(ctx context.Context, name string, limit int64) ([]byte, error) {
	r, err := c.source.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var b bytes.Buffer
	if _, err := io.Copy(&b, &limited{r: r, left: min(limit, c.opts.MaxFile)}); err != nil {
		return nil, fmt.Errorf("deltaset: %s: %w", name, err)
	}
	return b.Bytes(), nil
}
