package main

import (
	"errors"
	"flag"
	"io"
	"strings"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// newFlags returns the flags of a command, which all have that of the ledger's
// place in common.
func newFlags(name string, stderr io.Writer) (f *flag.FlagSet, place *string) {
	f = flag.NewFlagSet("federationserver "+name, flag.ContinueOnError)
	f.SetOutput(stderr)
	return f, f.String("ledger", "federation.db", "`place` of the ledger")
}

// parse parses flags, before and after what else there is, of which there must be
// n.
func parse(f *flag.FlagSet, args []string, n int, what string) ([]string, error) {
	var others []string
	for {
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, err
		} else if err != nil {
			return nil, usage("%w", err)
		}
		args = f.Args()
		for len(args) > 0 && !strings.HasPrefix(args[0], "-") {
			others = append(others, args[0])
			args = args[1:]
		}
		if len(args) == 0 {
			break
		}
	}
	if len(others) != n {
		return nil, usage("%s: %d arguments, want %s", f.Name(), len(others), what)
	}
	return others, nil
}

// parseID parses flags and the id of a nation.
func parseID(f *flag.FlagSet, args []string) (ledger.Source, error) {
	others, err := parse(f, args, 1, "the id of a nation")
	if err != nil {
		return "", err
	}
	id := ledger.Source(others[0])
	if err := checkID(id); err != nil {
		return "", usage("%w", err)
	}
	return id, nil
}

func secretsFlag(f *flag.FlagSet) *string {
	return f.String("secrets", "token-secrets", "`file` with the secrets of tokens")
}

// regions is a flag that is a list of regions, or "*" for all.
type regions struct{ set keys.Set[keys.Region] }

// String returns nothing: it is asked for the default alone, which is none.
func (*regions) String() string { return "" }

// Set reads the list.
func (r *regions) Set(s string) error {
	if s == "*" {
		r.set = keys.All[keys.Region]()
		return nil
	}
	var all []keys.Region
	for code := range strings.SplitSeq(s, ",") {
		if code == "" {
			continue
		}
		region, err := keys.ParseRegion(code)
		if err != nil {
			return err
		}
		all = append(all, region)
	}
	r.set = keys.Only(all...)
	return nil
}
