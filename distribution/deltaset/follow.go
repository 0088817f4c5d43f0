package deltaset

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"slices"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/keys"
)

// from returns the files of all intervals after n, in order, and whether all of
// them are there.
func (s *Sums) from(n int64) ([]Entry, bool) {
	type file struct {
		Entry
		place
	}
	var files []file
	found := map[int64]int{}
	for _, e := range s.Entries {
		if p, ok := s.grid().parse(e.Path); ok && p.folder != snapshot && p.n > n {
			files = append(files, file{e, p})
			found[p.n]++
		}
	}
	need := 1
	if s.Files == ByInterval {
		need = 2
	}
	for i := n + 1; i <= s.Newest; i++ {
		if found[i] < need {
			return nil, false
		}
	}
	slices.SortStableFunc(files, func(a, b file) int { return int(a.n - b.n) })
	entries := make([]Entry, len(files))
	for i := range files {
		entries[i] = files[i].Entry
	}
	return entries, true
}

// changes are what deltas say of keys in the end; a record with a reason is gone.
type changes map[keys.KeyData]Record

// open opens a file that the sums name, and returns it with the hash that is to be
// compared once it is read. By day it is the file as it is stored that is summed.
func (c *Client) open(ctx context.Context, folder string, sums *Sums, e Entry, limit int64) (*summed, error) {
	r, err := c.source.Get(ctx, folder+e.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s is listed and not there", ErrTryAgain, e.Path)
	}
	if err != nil {
		return nil, err
	}
	s := &summed{Closer: r, entry: e, hash: sha256.New()}
	s.plain = io.TeeReader(&limited{r: r, left: limit}, s.hash)
	if sums.Files == ByDay {
		z, err := gzip.NewReader(s.plain)
		if err != nil {
			r.Close()
			return nil, fmt.Errorf("%w: %s: %w", ErrTryAgain, e.Path, err)
		}
		s.plain = &limited{r: z, left: limit}
	}
	return s, nil
}

// summed is a file that is hashed while it is read.
type summed struct {
	io.Closer
	entry Entry
	plain io.Reader
	hash  hash.Hash
}

// verify compares the sum, once all of it is read; gzip, too, reads to the end.
func (s *summed) verify() error {
	if hex.EncodeToString(s.hash.Sum(nil)) != s.entry.SHA256 {
		return fmt.Errorf("%w: %s has not the sum that SHA256SUMS says", ErrTryAgain, s.entry.Path)
	}
	return nil
}

// delta reads one file of exposures or retractions, of at most limit bytes, and
// returns how many it has.
func (c *Client) delta(ctx context.Context, folder string, sums *Sums, e Entry, limit int64, into changes, u *Update) (int64, error) {
	s, err := c.open(ctx, folder, sums, e, limit)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	var text bytes.Buffer
	size, err := io.Copy(&text, s.plain)
	if err != nil {
		return 0, fmt.Errorf("deltaset: %s: %w", e.Path, err)
	}
	if err := s.verify(); err != nil {
		return 0, err
	}
	u.Files++
	p, _ := sums.grid().parse(e.Path)
	gone := p.folder == retractions || p.folder == retracted
	for r, err := range readRecords(&text, gone) {
		if err != nil {
			return 0, fmt.Errorf("deltaset: %s: %w", e.Path, err)
		}
		if gone {
			u.Gone++
		} else {
			u.Exposed++
		}
		into[r.Key.KeyData] = r
	}
	return size, nil
}

// fetchSnapshot has the newest snapshot on disk, and verified.
func (c *Client) fetchSnapshot(ctx context.Context, folder string, sums *Sums) error {
	path := sums.grid().path(place{folder: snapshot, n: sums.Snapshot})
	i := slices.IndexFunc(sums.Entries, func(e Entry) bool { return e.Path == path })
	if i < 0 {
		return fmt.Errorf("%w: the newest snapshot is not listed", ErrTryAgain)
	}
	s, err := c.open(ctx, folder, sums, sums.Entries[i], c.opts.MaxFile)
	if err != nil {
		return err
	}
	defer s.Close()
	f, err := os.OpenFile(c.disk.path(fetchedName), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("deltaset: %w", err)
	}
	_, err = io.Copy(f, s.plain)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("deltaset: %s: %w", path, err)
	}
	return s.verify()
}

// snapshot yields the records of the snapshot that was fetched.
func (c *Client) snapshot(sums *Sums) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		f, err := os.Open(c.disk.path(fetchedName))
		if err != nil {
			yield(Record{}, fmt.Errorf("deltaset: %w", err))
			return
		}
		defer f.Close()
		for r, err := range readRecords(f, false) {
			if err != nil {
				err = fmt.Errorf("deltaset: snapshot %d: %w", sums.Snapshot, err)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// merge writes a new state: what was, changed, without what is not relevant any
// more. Neither is in memory as a whole.
func (c *Client) merge(base iter.Seq2[Record, error], changed changes, sums *Sums, to *State) (err error) {
	w, err := c.disk.create(to)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, w.close()); err == nil {
			to.Keys = w.keys
			err = c.disk.replace()
		}
	}()
	relevant := distribution.Span{Days: sums.Days}
	keep := func(r *Record) error {
		if r.Reason != "" || !relevant.Relevant(&r.Key, sums.End()) {
			return nil
		}
		return w.add(r)
	}
	order := slices.SortedFunc(maps.Keys(changed), func(a, b keys.KeyData) int { return bytes.Compare(a[:], b[:]) })
	for r, err := range base {
		if err != nil {
			return err
		}
		for len(order) > 0 && bytes.Compare(order[0][:], r.Key.KeyData[:]) < 0 {
			before := changed[order[0]]
			if err := keep(&before); err != nil {
				return err
			}
			order = order[1:]
		}
		if len(order) > 0 && order[0] == r.Key.KeyData {
			r, order = changed[order[0]], order[1:]
		}
		if err := keep(&r); err != nil {
			return err
		}
	}
	for _, k := range order {
		r := changed[k]
		if err := keep(&r); err != nil {
			return err
		}
	}
	return nil
}
