package storagetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage"
)

// Options are the settings of [Test]; nil and the zero value are the defaults.
type Options struct {
	// Skip declares deviations: by the name of a clause, why the bucket does
	// not keep it.
	Skip map[string]string
}

// clauseTime is how long the check of one clause may take, on a store across
// an ocean.
const clauseTime = 5 * time.Minute

// A clause is a sentence of the contract, and the check that enforces it on an
// empty bucket.
type clause struct {
	name  string
	must  string
	check func(ctx context.Context, b storage.Bucket) error
}

// errNotOffered is the answer of a check for a capability that the bucket does
// not have.
var errNotOffered = errors.New("the bucket does not offer this capability")

// Test checks that the buckets that open returns keep the contract of
// [storage.Bucket], and of the capabilities that they have. open is called
// once for each clause and must return an empty bucket; it cleans up by
// t.Cleanup.
func Test(t *testing.T, open func(*testing.T) storage.Bucket, opts *Options) {
	if opts == nil {
		opts = &Options{}
	}
	all := clauses()
	for name := range opts.Skip {
		if !slices.ContainsFunc(all, func(c clause) bool { return c.name == name }) {
			t.Errorf("storagetest: Options.Skip: there is no clause %q", name)
		}
	}
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			if why, ok := opts.Skip[c.name]; ok {
				t.Skipf("declared deviation: %s\n\tclause: %s", why, c.must)
			}
			c.report(t, c.run(t.Context(), open(t)))
		})
	}
}

func (c clause) report(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, errNotOffered) {
		t.Skip(err)
	}
	if err != nil {
		t.Errorf("%v\n\tclause: %s", err, c.must)
	}
}

// run checks the clause. A bucket that panics has not kept it.
func (c clause) run(ctx context.Context, b storage.Bucket) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, clauseTime)
	defer cancel()
	return c.check(ctx, b)
}

func clauses() []clause {
	return slices.Concat(readClauses, nameClauses, putClauses, attributeClauses, createClauses, replaceClauses, deleteClauses, listClauses, callClauses)
}
