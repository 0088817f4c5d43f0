package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// options are what the command line says.
type options struct {
	dir         string
	table       string
	tableSource string
	trust       *deploy.Trust
	metadata    *deploy.Trust
	now         deploy.Moment
	dryRun      bool
	cursors     []cursor
	unknown     map[string]distribution.Owner
	config      *deploy.Config
}

// A cursor is how far the other system has read a federation server.
type cursor struct {
	instance ledger.Source
	at       federation.Place
}

// parseOptions reads the command line and the configuration. It returns nil and no
// error if only help was asked for.
func parseOptions(args []string, stderr io.Writer) (*options, error) {
	o := &options{unknown: map[string]distribution.Owner{}}
	var config, layout string
	var settings, trust, metadata, prefixes, disabled deploy.List
	set := func(field string) func(string) error {
		return func(value string) error { return settings.Set(field + "=" + value) }
	}
	f := flag.NewFlagSet("adopt", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.dir, "dir", "gaen-demo", "`directory` below which everything lives")
	f.StringVar(&layout, "layout", "", "`name` of the layout of the tree, instead of api.layouts: cwa or nhs")
	f.StringVar(&o.table, "table", "", "`file` in CSV, or database, of cwa-server's table of keys")
	f.StringVar(&o.tableSource, "table-source", "efgs", "`name` of the instance that brought what is of other origins in the table")
	f.Func("inbox", "`place` of the bucket of submissions", set("input.inbox"))
	f.Var(&prefixes, "inbox-prefix", "`prefix[=source]` of what a federation server put there; may be repeated")
	f.Var(&disabled, "inbox-disabled", "`prefix` that is left where it is; may be repeated")
	f.Func("consent", "consent to federate of own keys of the inbox that do not state it: `given or refused`", set("input.consentToFederate"))
	f.Var(&trust, "trust", "public key `file` that archives may be signed by; may be repeated")
	f.Var(&metadata, "metadata-key", "public key `file` that metadata may be signed by; may be repeated")
	f.Func("cursor", "`instance=tag@date` up to which a federation server has been read; may be repeated", o.addCursor)
	f.Func("unknown", "`package=source:origin` of keys that only its archives know; may be repeated", o.addUnknown)
	f.StringVar(&config, "config", "", "configuration `file` of examples/distribute")
	f.Var(&settings, "set", "`group.field=value` of the configuration; may be repeated")
	f.Func("ledger", "`place` of the ledger, instead of paths.ledger", set("paths.ledger"))
	f.Func("out", "`place` of the tree, instead of paths.output", set("paths.output"))
	f.BoolFunc("shared-indexes", "leave the lists of versions and countries to others", set("api.sharedIndexes"))
	f.Var(&o.now, "now", "`time` of a replay (RFC 3339)")
	f.BoolVar(&o.dryRun, "dry-run", false, "print what would be adopted, and what the next run would write, and change nothing")
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil, nil
	} else if err != nil {
		return nil, usageError{err}
	}
	if f.NArg() > 0 {
		return nil, usageError{fmt.Errorf("%q: no arguments are wanted", f.Arg(0))}
	}
	if layout != "" {
		list, err := json.Marshal([]string{layout})
		if err != nil {
			return nil, usageError{err}
		}
		settings = append(settings, "api.layouts="+string(list))
	}
	return o, o.read(config, settings, trust, metadata, prefixes, disabled)
}

// read reads the files that flags name.
func (o *options) read(config string, settings, trust, metadata, prefixes, disabled deploy.List) (err error) {
	if o.config, err = deploy.Read(config, settings); err != nil {
		return usageError{err}
	}
	if err := o.config.AddInboxPrefixes(prefixes, disabled); err != nil {
		return usageError{err}
	}
	if o.trust, err = deploy.ReadTrust(trust...); err != nil {
		return usageError{fmt.Errorf("-trust: %w", err)}
	}
	if o.metadata, err = deploy.ReadTrust(metadata...); err != nil {
		return usageError{fmt.Errorf("-metadata-key: %w", err)}
	}
	source := ledger.Source(o.tableSource)
	switch err := source.Check(); {
	case err != nil:
		return usageError{fmt.Errorf("-table-source: %w", err)}
	case len(o.config.API.Layouts) != 1 || o.config.HasLayout(deploy.Deltaset):
		return usageError{errors.New("-layout: want one of cwa, nhs: one tree is adopted")}
	case source == ledger.Own || source == ledger.Operator:
		return usageError{fmt.Errorf("-table-source: %s is no federation server", source)}
	case o.dir == "":
		return usageError{errors.New("-dir: empty")}
	}
	return nil
}

func (o *options) addCursor(text string) error {
	instance, place, ok := strings.Cut(text, "=")
	i := strings.LastIndexByte(place, '@')
	if !ok || i < 0 {
		return errors.New("want instance=tag@date, such as efgs=20220208-17@2022-02-08")
	}
	day, err := federation.ParseDay(place[i+1:])
	if err != nil {
		return err
	}
	c := cursor{ledger.Source(instance), federation.Place{Day: day, Tag: place[:i]}}
	o.cursors = append(o.cursors, c)
	return c.instance.Check()
}

func (o *options) addUnknown(text string) error {
	pkg, owner, _ := strings.Cut(text, "=")
	source, origin, ok := strings.Cut(owner, ":")
	if !ok {
		return errors.New("want package=source:origin, such as EUR=efgs:XX")
	}
	region, err := keys.ParseRegion(origin)
	if err != nil {
		return err
	}
	o.unknown[pkg] = distribution.Owner{Source: ledger.Source(source), Origin: region}
	return ledger.Source(source).Check()
}
