package storagetest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/gaenkit/gaen/storage"
)

// brokenObjects has, for each clause about objects and their attributes, buckets that break
// it, by what they do wrong.
var brokenObjects = map[string]map[string]func() storage.Bucket{
	"get-missing": {
		"missing is empty": func() storage.Bucket {
			return &broken{get: func(g good, ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
				rc, a, err := g.Get(ctx, name)
				if err != nil {
					return io.NopCloser(strings.NewReader("")), storage.Attributes{Name: name, ETag: "none"}, nil
				}
				return rc, a, nil
			}}
		},
		"error of its own": func() storage.Bucket {
			return &broken{get: func(g good, ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
				rc, a, err := g.Get(ctx, name)
				if err != nil {
					err = errors.New("404")
				}
				return rc, a, err
			}}
		},
		"folders are objects": func() storage.Bucket {
			return &broken{stat: func(g good, ctx context.Context, name string) (storage.Attributes, error) {
				if _, below := exists(ctx, g, name); below {
					return storage.Attributes{Name: name, ETag: "folder"}, nil
				}
				return g.Stat(ctx, name)
			}}
		},
	},
	"get-returns-private-bytes": {"shares bytes and maps": func() storage.Bucket { return newSharing() }},
	"get-one-version": {"reads late": func() storage.Bucket {
		return &broken{get: func(g good, ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
			rc, a, err := g.Get(ctx, name)
			if err != nil {
				return rc, a, err
			}
			return io.NopCloser(&lateReader{g: g, name: name}), a, nil
		}}
	}},
	"get-twice": {"one reader for all": func() storage.Bucket {
		var shared io.ReadCloser
		return &broken{get: func(g good, ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
			rc, a, err := g.Get(ctx, name)
			if shared == nil {
				shared = rc
			}
			return shared, a, err
		}}
	}},
	"stat": {
		"without metadata": func() storage.Bucket {
			return &broken{stat: func(g good, ctx context.Context, name string) (storage.Attributes, error) {
				a, err := g.Stat(ctx, name)
				a.Metadata = nil
				return a, err
			}}
		},
		"time of the request": func() storage.Bucket {
			return &broken{stat: func(g good, ctx context.Context, name string) (storage.Attributes, error) {
				a, err := g.Stat(ctx, name)
				a.Modified = time.Now()
				return a, err
			}}
		},
	},
	"empty-object": {"not stored": func() storage.Bucket {
		return &broken{put: func(g good, ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
			a, err := g.Put(ctx, name, r, opts)
			if a.Size == 0 {
				return a, errors.Join(err, g.Delete(ctx, name))
			}
			return a, err
		}}
	}},
	"large-object": {
		"cut at 10 MiB": func() storage.Bucket {
			return changingPut(func(content []byte, _ *storage.PutOptions) []byte { return content[:min(len(content), 10<<20)] })
		},
		"a block twice": func() storage.Bucket {
			return changingPut(func(content []byte, _ *storage.PutOptions) []byte {
				if len(content) > 2<<20 {
					copy(content[1<<20:], content[:1<<10])
				}
				return content
			})
		},
	},
	"name-escape": {
		"cleans prefixes": func() storage.Bucket {
			return listing(func(all []storage.Attributes, prefix string) []storage.Attributes {
				return withPrefix(all, strings.TrimLeft(path.Clean("/"+prefix), "/"))
			})
		},
		"fails on prefixes": func() storage.Bucket {
			return &broken{list: func(g good, ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
				if strings.Contains(prefix, "..") {
					return func(yield func(storage.Attributes, error) bool) {
						yield(storage.Attributes{}, errors.New("bad prefix"))
					}
				}
				return g.List(ctx, prefix)
			}}
		},
	},
	"legal-names": {
		"unescapes": func() storage.Bucket {
			return renaming(func(name string) string {
				if u, err := url.PathUnescape(name); err == nil {
					return u
				}
				return name
			})
		},
		"plus is space": func() storage.Bucket {
			return renaming(func(n string) string { return strings.ReplaceAll(n, "+", " ") })
		},
		"trims":      func() storage.Bucket { return renaming(strings.TrimSpace) },
		"lower case": func() storage.Bucket { return renaming(strings.ToLower) },
		"drops queries": func() storage.Bucket {
			return renaming(func(n string) string { before, _, _ := strings.Cut(n, "?"); return before })
		},
	},
	"longest-names": {
		"short names": func() storage.Bucket { return renaming(func(n string) string { return n[:min(len(n), 1000)] }) },
	},
	"nested-name": {"wants folders made": func() storage.Bucket {
		return checkedPut(func(ctx context.Context, g good, name string, _ *storage.PutOptions) error {
			if dir := path.Dir(name); dir != "." {
				if _, below := exists(ctx, g, dir); !below {
					return fmt.Errorf("no folder %s", dir)
				}
			}
			return nil
		})
	}},
	"object-and-prefix": {
		"folder in the way": func() storage.Bucket {
			return checkedPut(func(ctx context.Context, g good, name string, _ *storage.PutOptions) error {
				if _, below := exists(ctx, g, name); below {
					return errors.New("is a folder")
				}
				return nil
			})
		},
		"file in the way": func() storage.Bucket {
			return checkedPut(func(ctx context.Context, g good, name string, _ *storage.PutOptions) error {
				if object, _ := exists(ctx, g, path.Dir(name)); object {
					return errors.New("is not a folder")
				}
				return nil
			})
		},
		"file replaced by folder": func() storage.Bucket {
			return checkedPut(func(ctx context.Context, g good, name string, _ *storage.PutOptions) error {
				return g.Delete(ctx, path.Dir(name))
			})
		},
	},
	"put-overwrites": {
		"keeps the tail": func() storage.Bucket {
			return &broken{put: func(g good, ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
				content, err := io.ReadAll(r)
				if err != nil {
					return storage.Attributes{}, err
				}
				if old, _, err := storage.ReadAll(ctx, g, name, maxRead); err == nil && len(old) > len(content) {
					content = append(content, old[len(content):]...)
				}
				return g.Put(ctx, name, bytes.NewReader(content), opts)
			}}
		},
		"keeps the attributes": func() storage.Bucket {
			return &broken{put: func(g good, ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
				o := *opts
				if old, err := g.Stat(ctx, name); err == nil {
					o.CacheControl, o.Metadata = old.CacheControl, old.Metadata
				}
				return g.Put(ctx, name, r, &o)
			}}
		},
	},
	"put-keeps-no-alias": {"keeps bytes and options": func() storage.Bucket { return newSharing() }},
	"put-from-where-it-stands": {"rewinds": func() storage.Bucket {
		return &broken{put: func(g good, ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
			if s, ok := r.(io.Seeker); ok {
				if _, err := s.Seek(0, io.SeekStart); err != nil {
					return storage.Attributes{}, err
				}
			}
			return g.Put(ctx, name, r, opts)
		}}
	}},
	"put-failed-reader-keeps-old": {
		"stores what it has":           func() storage.Bucket { return keepingOnError(false) },
		"stores what it has and fails": func() storage.Bucket { return keepingOnError(true) },
		"empties first":                truncatingFirst,
	},
	"put-cancelled-keeps-old": {
		"stores what it has":           func() storage.Bucket { return keepingOnError(false) },
		"stores what it has and fails": func() storage.Bucket { return keepingOnError(true) },
		"empties first":                truncatingFirst,
	},
	"put-concurrent-never-mixed": {
		"attributes apart": tornBucket,
		"empties first":    truncatingFirst,
	},
	"attributes": {
		"no cache control": func() storage.Bucket {
			return changingAttributes(func(_ string, a *storage.Attributes) { a.CacheControl = "" })
		},
		"default type": func() storage.Bucket {
			return changingAttributes(func(_ string, a *storage.Attributes) {
				if a.ContentType == "" {
					a.ContentType = "application/octet-stream"
				}
			})
		},
		"upper-case metadata": func() storage.Bucket {
			return changingPut(func(content []byte, o *storage.PutOptions) []byte {
				m := map[string]string{}
				for k, v := range o.Metadata {
					m[strings.ToUpper(k)] = v
				}
				o.Metadata = m
				return content
			})
		},
		"no time": func() storage.Bucket {
			return changingAttributes(func(_ string, a *storage.Attributes) { a.Modified = time.Time{} })
		},
	},
	"attributes-encoding": {"unpacks": func() storage.Bucket {
		return &broken{get: func(g good, ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
			rc, a, err := g.Get(ctx, name)
			if err == nil && a.ContentEncoding == "gzip" {
				z, err := gzip.NewReader(rc)
				if err != nil {
					return nil, a, err
				}
				return z, a, nil
			}
			return rc, a, err
		}}
	}},
	"acl-public-read": {
		"refuses": func() storage.Bucket {
			return checkedPut(func(_ context.Context, _ good, _ string, o *storage.PutOptions) error {
				if o.ACL != storage.BucketACL {
					return errors.ErrUnsupported
				}
				return nil
			})
		},
		"is metadata": func() storage.Bucket {
			return changingPut(func(content []byte, o *storage.PutOptions) []byte {
				o.Metadata = map[string]string{"acl": o.ACL.String()}
				return content
			})
		},
	},
	"etag-changes": {
		"is the size": func() storage.Bucket {
			return changingAttributes(func(_ string, a *storage.Attributes) { a.ETag = fmt.Sprint(a.Size) })
		},
		"is the second": func() storage.Bucket {
			return changingAttributes(func(_ string, a *storage.Attributes) { a.ETag = fmt.Sprint(a.Modified.Unix()) })
		},
		"is empty": func() storage.Bucket {
			return changingAttributes(func(_ string, a *storage.Attributes) { a.ETag = "" })
		},
	},
	"etag-changes-with-attributes": {"of the content alone": func() storage.Bucket {
		return &broken{put: func(g good, ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
			content, err := io.ReadAll(r)
			if err != nil {
				return storage.Attributes{}, err
			}
			a, err := g.Put(ctx, name, bytes.NewReader(content), opts)
			a.ETag = fmt.Sprintf("%x", content)
			return a, err
		}}
	}},
	"etag-everywhere": {
		"quoted in lists": func() storage.Bucket {
			return changingAttributes(func(op string, a *storage.Attributes) {
				if op == OpList {
					a.ETag = `"` + a.ETag + `"`
				}
			})
		},
		"not of a put": func() storage.Bucket {
			return changingAttributes(func(op string, a *storage.Attributes) {
				if op == OpPut {
					a.ETag = ""
				}
			})
		},
		"no size in lists": func() storage.Bucket {
			return changingAttributes(func(op string, a *storage.Attributes) {
				if op == OpList {
					a.Size = 0
				}
			})
		},
		"no time in lists": func() storage.Bucket {
			return changingAttributes(func(op string, a *storage.Attributes) {
				if op == OpList {
					a.Modified = time.Time{}
				}
			})
		},
	},
}
