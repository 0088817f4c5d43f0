package storagetest

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"github.com/gaenkit/gaen/storage"
)

// brokenSets has, for each clause about conditions, deletes and listings, buckets that break
// it, by what they do wrong.
var brokenSets = map[string]map[string]func() storage.Bucket{
	"put-if-absent": {"prefix is taken": func() storage.Bucket {
		return checkedPut(func(ctx context.Context, g good, name string, o *storage.PutOptions) error {
			if object, below := exists(ctx, g, name); o.IfAbsent && (object || below) {
				return fs.ErrExist
			}
			return nil
		})
	}},
	"put-if-absent-same-content": {"same is success": func() storage.Bucket {
		return &broken{put: func(g good, ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
			content, err := io.ReadAll(r)
			if err != nil {
				return storage.Attributes{}, err
			}
			if old, a, err := storage.ReadAll(ctx, g, name, maxRead); err == nil && bytes.Equal(old, content) {
				return a, nil
			}
			return g.Put(ctx, name, bytes.NewReader(content), opts)
		}}
	}},
	"put-if-absent-different-content": {
		"overwrites": func() storage.Bucket {
			return checkedPut(func(context.Context, good, string, *storage.PutOptions) error { return nil })
		},
		"overwrites and fails": func() storage.Bucket {
			return &broken{put: func(g good, ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
				object, _ := exists(ctx, g, name)
				a, err := g.Put(ctx, name, r, &storage.PutOptions{Metadata: opts.Metadata})
				if opts.IfAbsent && object {
					err = fs.ErrExist
				}
				return a, err
			}}
		},
	},
	"put-if-absent-one-winner": {"looks first": func() storage.Bucket {
		return checkedPut(func(ctx context.Context, g good, name string, o *storage.PutOptions) error {
			if object, _ := exists(ctx, g, name); o.IfAbsent && object {
				return fs.ErrExist
			}
			pause()
			return nil
		})
	}},
	"replace": {
		"never": func() storage.Bucket {
			return &broken{replace: func(good, context.Context, string, string, io.Reader, *storage.PutOptions) (storage.Attributes, error) {
				return storage.Attributes{}, storage.ErrPrecondition
			}}
		},
		"without options": func() storage.Bucket {
			return &broken{replace: func(g good, ctx context.Context, name, etag string, r io.Reader, _ *storage.PutOptions) (storage.Attributes, error) {
				return g.Replace(ctx, name, etag, r, &storage.PutOptions{})
			}}
		},
	},
	"replace-changed":    {"unconditional": func() storage.Bucket { return checkThenReplace(storage.ErrPrecondition, false) }},
	"replace-missing":    {"not found": func() storage.Bucket { return checkThenReplace(fs.ErrNotExist, true) }, "creates": func() storage.Bucket { return checkThenReplace(nil, true) }},
	"replace-one-winner": {"looks first": func() storage.Bucket { return checkThenReplace(storage.ErrPrecondition, true) }},
	"replace-failed-reader-keeps-old": {
		"stores what it has": func() storage.Bucket { return keepingOnError(true) },
	},
	"delete": {
		"by prefix": func() storage.Bucket {
			return &broken{delete: func(g good, ctx context.Context, name string) error {
				for a := range g.List(ctx, name) {
					if err := g.Delete(ctx, a.Name); err != nil {
						return err
					}
				}
				return nil
			}}
		},
		"with what is below": func() storage.Bucket {
			return &broken{delete: func(g good, ctx context.Context, name string) error {
				for a := range g.List(ctx, name+"/") {
					if err := g.Delete(ctx, a.Name); err != nil {
						return err
					}
				}
				return g.Delete(ctx, name)
			}}
		},
		"does nothing": func() storage.Bucket {
			return &broken{delete: func(good, context.Context, string) error { return nil }}
		},
	},
	"delete-missing": {"not found": func() storage.Bucket {
		return &broken{delete: func(g good, ctx context.Context, name string) error {
			if _, err := g.Stat(ctx, name); err != nil {
				return err
			}
			return g.Delete(ctx, name)
		}}
	}},
	"delete-all": {
		"sorts the names": func() storage.Bucket {
			return &broken{deleteAll: func(g good, ctx context.Context, names []string) error {
				slices.Sort(names)
				return g.DeleteAll(ctx, names)
			}}
		},
		"stops at what is missing": func() storage.Bucket {
			return &broken{deleteAll: func(g good, ctx context.Context, names []string) error {
				for _, name := range names {
					if object, _ := exists(ctx, g, name); !object {
						return nil
					}
					if err := g.Delete(ctx, name); err != nil {
						return err
					}
				}
				return nil
			}}
		},
	},
	"delete-all-past-one-request": {"1000": func() storage.Bucket {
		return &broken{deleteAll: func(g good, ctx context.Context, names []string) error {
			return g.DeleteAll(ctx, names[:min(len(names), 1000)])
		}}
	}},
	"list-order": {
		"by folders": func() storage.Bucket {
			return listing(func(all []storage.Attributes, prefix string) []storage.Attributes {
				some := withPrefix(all, prefix)
				slices.SortFunc(some, func(x, y storage.Attributes) int {
					return slices.Compare(strings.Split(x.Name, "/"), strings.Split(y.Name, "/"))
				})
				return some
			})
		},
		"without case": func() storage.Bucket {
			return listing(func(all []storage.Attributes, prefix string) []storage.Attributes {
				some := withPrefix(all, prefix)
				slices.SortStableFunc(some, func(x, y storage.Attributes) int {
					return strings.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name))
				})
				return some
			})
		},
	},
	"list-each-once": {"twice": func() storage.Bucket {
		return listing(func(all []storage.Attributes, prefix string) []storage.Attributes {
			some := withPrefix(all, prefix)
			return slices.Concat(some[:len(some)/2+1], some[len(some)/2:])
		})
	}},
	"list-prefix-is-bytes": {
		"a folder": func() storage.Bucket {
			return listing(func(all []storage.Attributes, prefix string) []storage.Attributes {
				if prefix == "" || strings.HasSuffix(prefix, "/") {
					return withPrefix(all, prefix)
				}
				return withPrefix(all, prefix+"/")
			})
		},
		"empty is nothing": func() storage.Bucket {
			return listing(func(all []storage.Attributes, prefix string) []storage.Attributes {
				if prefix == "" {
					return nil
				}
				return withPrefix(all, prefix)
			})
		},
		"anywhere": func() storage.Bucket {
			return listing(func(all []storage.Attributes, prefix string) []storage.Attributes {
				return slices.DeleteFunc(all, func(a storage.Attributes) bool { return !strings.Contains(a.Name, prefix) })
			})
		},
	},
	"list-past-one-page": {"1000": func() storage.Bucket {
		return listing(func(all []storage.Attributes, prefix string) []storage.Attributes {
			some := withPrefix(all, prefix)
			return some[:min(len(some), 1000)]
		})
	}},
	"list-lazy": {"at once": func() storage.Bucket {
		return &broken{list: func(g good, ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
			all := withPrefix(everything(ctx, g), prefix)
			return func(yield func(storage.Attributes, error) bool) {
				for _, a := range all {
					if !yield(a, nil) {
						return
					}
				}
			}
		}}
	}},
	"list-ranged-twice": {"used up": onceList},
	"list-abandoned": {
		"leaks": leakingList,
		"goes on": func() storage.Bucket {
			return &broken{list: func(g good, ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
				return func(yield func(storage.Attributes, error) bool) {
					for a, err := range g.List(ctx, prefix) {
						yield(a, err)
					}
				}
			}}
		},
	},
	"list-body-may-call":                  {"locks": lockedList},
	"list-stable-under-insert-and-delete": {"offsets": offsetPages},
	"list-read-your-writes":               {"stale": staleList},
	"error-text": {"of its own": func() storage.Bucket {
		return &broken{get: func(g good, ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
			rc, a, err := g.Get(ctx, name)
			if err != nil {
				err = &storage.Error{Op: "GetObject", Err: err}
			}
			return rc, a, err
		}}
	}},
}
