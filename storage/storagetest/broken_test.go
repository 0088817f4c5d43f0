package storagetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"strings"
	"sync"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/memstore"
)

// good is the bucket that the broken ones are made of.
type good = *memstore.Bucket

type (
	getFunc     = func(good, context.Context, string) (io.ReadCloser, storage.Attributes, error)
	putFunc     = func(good, context.Context, string, io.Reader, *storage.PutOptions) (storage.Attributes, error)
	replaceFunc = func(good, context.Context, string, string, io.Reader, *storage.PutOptions) (storage.Attributes, error)
	deleteFunc  = func(good, context.Context, string) error
	listFunc    = func(good, context.Context, string) iter.Seq2[storage.Attributes, error]
)

// broken is a good bucket but for the methods that are set.
type broken struct {
	good
	get       getFunc
	stat      func(good, context.Context, string) (storage.Attributes, error)
	put       putFunc
	replace   replaceFunc
	delete    deleteFunc
	deleteAll func(good, context.Context, []string) error
	list      listFunc
}

func (b *broken) Get(ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
	if b.get != nil {
		return b.get(b.good, ctx, name)
	}
	return b.good.Get(ctx, name)
}

func (b *broken) Stat(ctx context.Context, name string) (storage.Attributes, error) {
	if b.stat != nil {
		return b.stat(b.good, ctx, name)
	}
	return b.good.Stat(ctx, name)
}

func (b *broken) Put(ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	if b.put != nil {
		return b.put(b.good, ctx, name, r, opts)
	}
	return b.good.Put(ctx, name, r, opts)
}

func (b *broken) Replace(ctx context.Context, name, etag string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	if b.replace != nil {
		return b.replace(b.good, ctx, name, etag, r, opts)
	}
	return b.good.Replace(ctx, name, etag, r, opts)
}

func (b *broken) Delete(ctx context.Context, name string) error {
	if b.delete != nil {
		return b.delete(b.good, ctx, name)
	}
	return b.good.Delete(ctx, name)
}

func (b *broken) DeleteAll(ctx context.Context, names []string) error {
	if b.deleteAll != nil {
		return b.deleteAll(b.good, ctx, names)
	}
	return b.good.DeleteAll(ctx, names)
}

func (b *broken) List(ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
	if b.list != nil {
		return b.list(b.good, ctx, prefix)
	}
	return b.good.List(ctx, prefix)
}

// renaming is a bucket that makes one name of another on the way to the store.
func renaming(f func(string) string) storage.Bucket {
	return &broken{
		get: func(g good, ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
			return g.Get(ctx, f(name))
		},
		stat: func(g good, ctx context.Context, name string) (storage.Attributes, error) {
			return g.Stat(ctx, f(name))
		},
		put: func(g good, ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
			return g.Put(ctx, f(name), r, opts)
		},
		delete: func(g good, ctx context.Context, name string) error { return g.Delete(ctx, f(name)) },
	}
}

// changingPut is a bucket that does something to each Put.
func changingPut(f func(content []byte, opts *storage.PutOptions) []byte) storage.Bucket {
	return &broken{put: func(g good, ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
		content, err := io.ReadAll(r)
		if err != nil {
			return storage.Attributes{}, err
		}
		o := *opts
		return g.Put(ctx, name, bytes.NewReader(f(content, &o)), &o)
	}}
}

// changingAttributes is a bucket that shows other attributes than it has.
func changingAttributes(f func(op string, a *storage.Attributes)) storage.Bucket {
	return &broken{
		get: func(g good, ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
			rc, a, err := g.Get(ctx, name)
			f(OpGet, &a)
			return rc, a, err
		},
		stat: func(g good, ctx context.Context, name string) (storage.Attributes, error) {
			a, err := g.Stat(ctx, name)
			f(OpStat, &a)
			return a, err
		},
		put: func(g good, ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
			a, err := g.Put(ctx, name, r, opts)
			f(OpPut, &a)
			return a, err
		},
		list: func(g good, ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
			return func(yield func(storage.Attributes, error) bool) {
				for a, err := range g.List(ctx, prefix) {
					if f(OpList, &a); !yield(a, err) {
						return
					}
				}
			}
		},
	}
}

// listing is a bucket that lists something else than it has.
func listing(f func(all []storage.Attributes, prefix string) []storage.Attributes) storage.Bucket {
	return &broken{list: func(g good, ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
		return func(yield func(storage.Attributes, error) bool) {
			for _, a := range f(everything(ctx, g), prefix) {
				if !yield(a, nil) {
					return
				}
			}
		}
	}}
}

func everything(ctx context.Context, g good) (all []storage.Attributes) {
	for a := range g.List(ctx, "") {
		all = append(all, a)
	}
	return all
}

// withPrefix is what a good bucket lists.
func withPrefix(all []storage.Attributes, prefix string) (some []storage.Attributes) {
	for _, a := range all {
		if strings.HasPrefix(a.Name, prefix) {
			some = append(some, a)
		}
	}
	return some
}

// exists reports whether g has the object or one below it.
func exists(ctx context.Context, g good, name string) (object, below bool) {
	_, err := g.Stat(ctx, name)
	for range g.List(ctx, name+"/") {
		below = true
	}
	return err == nil, below
}

// checkedPut is a bucket that looks whether it may put before it does.
func checkedPut(check func(ctx context.Context, g good, name string, opts *storage.PutOptions) error) storage.Bucket {
	return &broken{put: func(g good, ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
		if err := check(ctx, g, name, opts); err != nil {
			return storage.Attributes{}, err
		}
		o := *opts
		o.IfAbsent = false
		return g.Put(ctx, name, r, &o)
	}}
}

// keepingOnError stores what it has when the reader fails.
func keepingOnError(report bool) storage.Bucket {
	return &broken{
		put: func(g good, ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
			content, readErr := io.ReadAll(r)
			a, err := g.Put(context.WithoutCancel(ctx), name, bytes.NewReader(content), opts)
			if report && readErr != nil {
				return a, readErr
			}
			return a, err
		},
		replace: func(g good, ctx context.Context, name, etag string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
			content, readErr := io.ReadAll(r)
			a, err := g.Replace(context.WithoutCancel(ctx), name, etag, bytes.NewReader(content), opts)
			if report && readErr != nil {
				return a, readErr
			}
			return a, err
		},
	}
}

// truncatingFirst empties the object before it reads the new content.
func truncatingFirst() storage.Bucket {
	return &broken{put: func(g good, ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
		if !opts.IfAbsent {
			if err := g.Delete(ctx, name); err != nil {
				return storage.Attributes{}, err
			}
			pause()
		}
		return g.Put(ctx, name, r, opts)
	}}
}

// tornBucket keeps content and attributes apart and changes them one after
// the other.
func tornBucket() storage.Bucket {
	content := memstore.New(nil)
	return &broken{
		put: func(g good, ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
			data, err := io.ReadAll(r)
			if err != nil {
				return storage.Attributes{}, err
			}
			if _, err := content.Put(ctx, name, bytes.NewReader(data), &storage.PutOptions{}); err != nil {
				return storage.Attributes{}, err
			}
			pause()
			return g.Put(ctx, name, bytes.NewReader(data), opts)
		},
		get: func(g good, ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
			rc, c, err := content.Get(ctx, name)
			if err != nil {
				return nil, storage.Attributes{}, err
			}
			pause()
			a, err := g.Stat(ctx, name)
			a.Size = c.Size
			return rc, a, err
		},
	}
}

// sharing is a bucket whose readers read its own bytes, and which keeps the
// caller's bytes, maps and options.
type sharing struct {
	good
	mu      sync.Mutex
	content map[string][]byte
	attrs   map[string]*storage.PutOptions
}

func newSharing() *sharing {
	return &sharing{good: memstore.New(nil), content: map[string][]byte{}, attrs: map[string]*storage.PutOptions{}}
}

func (s *sharing) Put(ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	var content []byte
	if buffer, ok := r.(*bytes.Buffer); ok {
		content = buffer.Bytes()
	} else {
		content, _ = io.ReadAll(r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.content[name], s.attrs[name] = content, opts
	return s.good.Put(ctx, name, bytes.NewReader(content), opts)
}

func (s *sharing) Stat(ctx context.Context, name string) (storage.Attributes, error) {
	a, err := s.good.Stat(ctx, name)
	if err != nil {
		return a, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.attrs[name]
	a.CacheControl, a.Metadata = o.CacheControl, o.Metadata
	return a, nil
}

func (s *sharing) Get(ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
	a, err := s.Stat(ctx, name)
	if err != nil {
		return nil, a, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return io.NopCloser(bytes.NewReader(s.content[name])), a, nil
}

// lateReader reads the object as it is when it is read.
type lateReader struct {
	g    good
	name string
	at   int64
}

func (l *lateReader) Read(p []byte) (int, error) {
	rc, _, err := l.g.Get(context.Background(), l.name)
	if err != nil {
		return 0, io.EOF
	}
	defer rc.Close()
	if _, err := io.CopyN(io.Discard, rc, l.at); err != nil {
		return 0, err
	}
	n, err := rc.Read(p)
	l.at += int64(n)
	return n, err
}

// lockedList lets nobody put while it lists.
func lockedList() storage.Bucket {
	var mu sync.RWMutex
	return &broken{
		put: func(g good, ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
			if !mu.TryRLock() {
				return storage.Attributes{}, errors.New("dead lock")
			}
			defer mu.RUnlock()
			return g.Put(ctx, name, r, opts)
		},
		list: func(g good, ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
			return func(yield func(storage.Attributes, error) bool) {
				mu.Lock()
				defer mu.Unlock()
				g.List(ctx, prefix)(yield)
			}
		},
	}
}

// offsetPages lists pages by how many objects came before.
func offsetPages() storage.Bucket {
	const page = 100
	return &broken{list: func(g good, ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
		return func(yield func(storage.Attributes, error) bool) {
			for offset := 0; ; offset += page {
				all := withPrefix(everything(ctx, g), prefix)
				if offset >= len(all) {
					return
				}
				for _, a := range all[offset:min(offset+page, len(all))] {
					if !yield(a, nil) {
						return
					}
				}
			}
		}
	}}
}

// leakingList lists by a goroutine that waits for ever when the loop is left.
func leakingList() storage.Bucket {
	return &broken{list: func(g good, ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
		return func(yield func(storage.Attributes, error) bool) {
			next := make(chan storage.Attributes)
			go func() {
				defer close(next)
				for _, a := range withPrefix(everything(ctx, g), prefix) {
					select {
					case next <- a:
					case <-ctx.Done(): // which is after the check
						return
					}
				}
			}()
			for a := range next {
				if !yield(a, nil) {
					return
				}
			}
		}
	}}
}

// staleList lists what was there the last time.
func staleList() storage.Bucket {
	var last []storage.Attributes
	return listing(func(all []storage.Attributes, prefix string) []storage.Attributes {
		before := last
		last = all
		return withPrefix(before, prefix)
	})
}

// onceList is used up after the first time.
func onceList() storage.Bucket {
	return &broken{list: func(g good, ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
		next := -1
		var all []storage.Attributes
		return func(yield func(storage.Attributes, error) bool) {
			if next < 0 {
				next, all = 0, withPrefix(everything(ctx, g), prefix)
			}
			for next < len(all) {
				next++
				if !yield(all[next-1], nil) {
					return
				}
			}
		}
	}}
}

// checkThenReplace compares the ETag first and puts afterwards.
func checkThenReplace(missing error, compare bool) storage.Bucket {
	return &broken{replace: func(g good, ctx context.Context, name, etag string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
		a, err := g.Stat(ctx, name)
		if errors.Is(err, fs.ErrNotExist) && missing != nil {
			return storage.Attributes{}, missing
		}
		if err == nil && compare && a.ETag != etag {
			return storage.Attributes{}, storage.ErrPrecondition
		}
		pause()
		return g.Put(ctx, name, r, opts)
	}}
}
