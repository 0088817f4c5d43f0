package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/signing"
)

// treeReport is what was found out about a folder.
type treeReport struct {
	Folder   string               `json:"folder"`
	Verified bool                 `json:"verified"` // and nothing is wrong with it
	Indexes  int                  `json:"indexes"`
	Archives int                  `json:"archives"`
	Keys     int                  `json:"keys"`
	Revised  int                  `json:"revisedKeys"`
	Bytes    int64                `json:"bytes"`
	Newest   map[string]time.Time `json:"newest"`   // the end of a package's newest window
	Unlisted []string             `json:"unlisted"` // archives that no index reaches
	Findings []treeFinding        `json:"findings"`
	TooOld   []string             `json:"tooOld"` // packages
}

type treeFinding struct {
	Object  string `json:"object"`
	Problem string `json:"problem"`
}

func (o *options) checkTree(ctx context.Context, trust *deploy.Trust) (report, error) {
	if trust.Len() == 0 {
		return nil, errors.New("a folder is checked with -key")
	}
	trusted, err := trust.List(o.config.Identity())
	if err != nil {
		return nil, fmt.Errorf("-key: %w", err)
	}
	metadata, err := o.metadataKeys()
	if err != nil {
		return nil, err
	}
	layout, err := o.config.LayoutNamed(o.layout, nil, metadata...)
	if err != nil {
		return nil, err
	}
	bucket, closing, err := deploy.OpenBucket(ctx, o.path, deploy.Access{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer closing()
	tree, err := o.config.CheckTree(ctx, bucket, layout, trusted)
	if err != nil {
		return nil, err
	}
	return o.report(tree), nil
}

// metadataKeys returns the keys by which metadata may be signed.
func (o *options) metadataKeys() ([]signing.PublicKey, error) {
	trust, err := deploy.ReadTrust(o.metadata...)
	if err != nil {
		return nil, fmt.Errorf("-metadata-key: %w", err)
	}
	list, err := trust.List(o.config.MetadataIdentity())
	if err != nil {
		return nil, fmt.Errorf("-metadata-key: %w", err)
	}
	return list.Keys(), nil
}

func (o *options) report(tree *distribution.TreeReport) *treeReport {
	r := &treeReport{
		Folder:   o.path,
		Verified: len(tree.Findings) == 0,
		Indexes:  tree.Indexes, Archives: tree.Archives,
		Keys: tree.Keys, Revised: tree.Revised, Bytes: tree.Bytes,
		Newest: tree.Newest, Unlisted: append([]string{}, tree.Unlisted...),
		Findings: []treeFinding{}, TooOld: []string{},
	}
	for _, f := range tree.Findings {
		r.Findings = append(r.Findings, treeFinding(f))
	}
	if o.maxAge > 0 {
		r.TooOld = o.tooOld(tree)
	}
	return r
}

// tooOld returns the packages whose newest window ended too long ago; if there
// is no window at all, the tree as a whole.
func (o *options) tooOld(tree *distribution.TreeReport) []string {
	old := []string{}
	for _, pkg := range slices.Sorted(maps.Keys(tree.Newest)) {
		if o.now.Sub(tree.Newest[pkg]) > o.maxAge {
			old = append(old, pkg)
		}
	}
	if len(tree.Newest) == 0 {
		old = append(old, "everything")
	}
	return old
}

func (r *treeReport) status() int {
	switch {
	case !r.Verified:
		return exitWrong
	case len(r.TooOld) > 0:
		return exitTooOld
	}
	return exitVerified
}

func (r *treeReport) text(w io.Writer) {
	fmt.Fprintf(w, "%s: %d indexes, %d archives (%d bytes) with %d keys and %d revised ones\n",
		r.Folder, r.Indexes, r.Archives, r.Bytes, r.Keys, r.Revised)
	for _, pkg := range slices.Sorted(maps.Keys(r.Newest)) {
		fmt.Fprintf(w, "%s: newest window until %s\n", pkg, deploy.Shown(r.Newest[pkg]))
	}
	if n := len(r.Unlisted); n > 0 {
		fmt.Fprintf(w, "%d archives are in no index, the first: %s\n", n, r.Unlisted[0])
	}
	for _, f := range r.Findings {
		fmt.Fprintf(w, "wrong: %s: %s\n", f.Object, f.Problem)
	}
	for _, pkg := range r.TooOld {
		fmt.Fprintf(w, "too old: %s\n", pkg)
	}
	switch r.status() {
	case exitVerified:
		fmt.Fprintln(w, "verified")
	case exitTooOld:
		fmt.Fprintln(w, "verified, but too old")
	default:
		fmt.Fprintln(w, "NOT verified")
	}
}
