package deploy

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/export/exporttest"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
)

// maxArchive limits what is read of a bucket at once.
const maxArchive = export.MaxArchiveSize

// CheckTree checks a published tree as a phone sees it, from its indexes down,
// and then every archive in the bucket by itself: also those that no index
// reaches, which are the hours of the first day until that day has an archive.
func (c *Config) CheckTree(ctx context.Context, b storage.Bucket, layout distribution.Layout, trusted *signing.TrustList) (*distribution.TreeReport, error) {
	report, err := distribution.Verify(ctx, b, layout, trusted, &distribution.VerifyOptions{
		Regions: c.Regions(), NoAttributes: attributeless(b), Parallel: c.ObjectStore.Threads,
	})
	if err != nil || layout.Name() != CWA || !Listable(b) { // it has looked at every file there is
		return report, err
	}
	t := &treeCheck{config: c, bucket: b, layout: layout, trusted: trusted, known: map[string]bool{}}
	for _, f := range report.Findings {
		t.known[f.Object] = true
	}
	if err := t.archives(ctx); err != nil {
		return report, err
	}
	for _, findings := range t.found {
		report.Findings = append(report.Findings, findings...)
	}
	slices.SortStableFunc(report.Findings, func(a, b distribution.Finding) int { return strings.Compare(a.Object, b.Object) })
	return report, nil
}

type treeCheck struct {
	config  *Config
	bucket  storage.Bucket
	layout  distribution.Layout
	trusted *signing.TrustList
	known   map[string]bool          // objects of which it is known what is wrong
	found   [][]distribution.Finding // by archive
}

// archives checks all archives in the bucket, several at a time.
func (t *treeCheck) archives(ctx context.Context) error {
	var names []string
	for a, err := range storage.List(ctx, t.bucket, t.layout.Prefix()) {
		if err != nil {
			return err
		}
		if _, ok := t.layout.Parse(a.Name); ok && !t.known[a.Name] {
			names = append(names, a.Name)
		}
	}
	t.found = make([][]distribution.Finding, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(t.config.ObjectStore.Threads)
	for i, name := range names {
		group.Go(func() (err error) {
			t.found[i], err = t.archive(ctx, name)
			return err
		})
	}
	return group.Wait()
}

// archive checks one archive. One that is gone was deleted since it was listed.
func (t *treeCheck) archive(ctx context.Context, name string) (found []distribution.Finding, err error) {
	content, _, err := storage.ReadAll(ctx, t.bucket, name, maxArchive)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, storage.ErrTooLarge):
		return []distribution.Finding{{Object: name, Problem: err.Error()}}, nil
	case err != nil:
		return nil, err
	}
	f, _ := t.layout.Parse(name)
	for _, finding := range exporttest.Check(content, t.options(f)) {
		found = append(found, distribution.Finding{Object: name, Problem: finding.String()})
	}
	return found, nil
}

// options returns what the archive of that file must be.
func (t *treeCheck) options(f distribution.File) *exporttest.CheckOptions {
	region := f.Package
	if r, ok := t.config.Regions()[f.Package]; ok {
		region = r
	}
	return &exporttest.CheckOptions{
		ReadOptions: export.ReadOptions{Format: t.config.Format()},
		Trusted:     t.trusted,
		Expect:      &export.Expectation{Region: region, Start: f.Window.Start, End: f.Window.End},
	}
}
