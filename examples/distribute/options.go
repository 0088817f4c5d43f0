package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/gaenkit/gaen/examples/internal/deploy"
)

// options are what the command line says.
type options struct {
	dir          string
	in           deploy.List
	generate     uploadsADay
	days         int
	seed         uint64
	now          deploy.Moment
	trust        *deploy.Trust
	dryRun       bool
	progress     bool
	allowGap     bool
	changePolicy bool
	printConfig  bool

	config *deploy.Config
}

// replay reports whether the ledger is one for replays.
func (o *options) replay() bool { return o.generate > 0 || !o.now.IsZero() }

// parseOptions reads the command line and the configuration. It returns nil and
// no error if only help was asked for.
func parseOptions(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	var config, layouts string
	var settings, trust, prefixes, disabled deploy.List
	var consent string
	f := flag.NewFlagSet("distribute", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.dir, "dir", "gaen-demo", "`directory` below which everything lives")
	f.StringVar(&layouts, "layout", "", "`names` of the layouts of what is published, instead of api.layouts: cwa, nhs, deltaset")
	f.Var(&o.in, "in", "`path` of a file or folder to take in; may be repeated, and further arguments are paths too")
	f.Func("inbox", "`place` of a bucket that others put submissions into, as the British back end has it", placeFlag(&settings, "input.inbox"))
	f.Var(&prefixes, "inbox-prefix", "`prefix[=source]` of what a federation server put there; may be repeated")
	f.Var(&disabled, "inbox-disabled", "`prefix` that is left where it is; may be repeated")
	f.Var(&o.generate, "generate", "make up own uploads, `n` a day (300 if n is left out)")
	f.IntVar(&o.days, "days", 14, "`number` of days for which uploads are made up")
	f.Uint64Var(&o.seed, "seed", 123456, "`number` from which uploads are made up")
	f.Var(&o.now, "now", "`time` of a replay (RFC 3339)")
	f.Var(&trust, "trust", "public key `file` that archives taken in must be signed by; may be repeated")
	f.StringVar(&config, "config", "", "configuration `file`")
	f.Var(&settings, "set", "`group.field=value` of the configuration; may be repeated")
	f.Func("ledger", "`place` of the ledger, instead of paths.ledger", placeFlag(&settings, "paths.ledger"))
	f.Func("out", "`place` of the tree, instead of paths.output", placeFlag(&settings, "paths.output"))
	f.StringVar(&consent, "consent", "", "consent to federate of own keys that do not state it: `given or refused`")
	f.BoolVar(&o.dryRun, "dry-run", false, "print what would be published, and change nothing")
	f.BoolVar(&o.progress, "progress", false, "show progress although the output is no terminal")
	f.BoolVar(&o.allowGap, "allow-gap", false, "allow a cut more than 24 hours after the last")
	f.BoolVar(&o.changePolicy, "change-policy", false, "give the ledger the release policy of the configuration")
	f.BoolVar(&o.printConfig, "print-config", false, "print the configuration with all defaults")
	if err := o.parse(f, args); errors.Is(err, flag.ErrHelp) {
		return nil, nil
	} else if err != nil {
		return nil, usageError{err}
	}
	if layouts != "" {
		list, err := json.Marshal(strings.Split(layouts, ","))
		if err != nil {
			return nil, usageError{fmt.Errorf("-layout: %w", err)}
		}
		settings = append(settings, "api.layouts="+string(list))
	}
	if consent != "" {
		settings = append(settings, "input.consentToFederate="+consent)
	}
	var err error
	if o.config, err = deploy.Read(config, settings); err != nil {
		return nil, usageError{err}
	}
	if err := o.config.AddInboxPrefixes(prefixes, disabled); err != nil {
		return nil, usageError{err}
	}
	if o.trust, err = deploy.ReadTrust(trust...); err != nil {
		return nil, usageError{fmt.Errorf("-trust: %w", err)}
	}
	return o, o.check()
}

// placeFlag returns what sets a place of the configuration by a flag.
func placeFlag(settings *deploy.List, field string) func(string) error {
	return func(value string) error { return settings.Set(field + "=" + value) }
}

// parse parses flags with paths between them, as after -in.
func (o *options) parse(f *flag.FlagSet, args []string) error {
	for len(args) > 0 {
		if err := f.Parse(args); err != nil {
			return err
		}
		args = f.Args()
		for len(args) > 0 && !strings.HasPrefix(args[0], "-") {
			o.in = append(o.in, args[0])
			args = args[1:]
		}
	}
	return nil
}

func (o *options) check() error {
	switch {
	case o.generate > 0 && len(o.in) > 0:
		return usageError{errors.New("-generate and -in do not go together")}
	case o.generate > 0 && o.config.Input.Inbox != "":
		return usageError{errors.New("-generate and -inbox do not go together")}
	case o.config.Input.Inbox == "" && len(o.config.Input.InboxPrefixes) > 0:
		return usageError{errors.New("-inbox-prefix: prefixes of no inbox; name it with -inbox")}
	case o.days < 1 || o.days > maxDays:
		return usageError{fmt.Errorf("-days: %d, want 1 to %d", o.days, maxDays)}
	case o.dir == "":
		return usageError{errors.New("-dir: empty")}
	}
	for _, path := range o.in {
		if _, err := os.Stat(path); err != nil {
			return usageError{fmt.Errorf("-in: %w", err)}
		}
	}
	return nil
}

// uploadsADay is a flag that may have a number.
type uploadsADay int

const (
	defaultUploads = 300
	maxUploads     = 1_000_000
	maxDays        = 1000
)

func (*uploadsADay) IsBoolFlag() bool { return true }

func (n *uploadsADay) String() string { return strconv.Itoa(int(*n)) }

func (n *uploadsADay) Set(s string) error {
	switch s {
	case "true":
		*n = defaultUploads
		return nil
	case "false":
		*n = 0
		return nil
	}
	v, err := strconv.Atoi(s)
	if err != nil || v < 1 || v > maxUploads {
		return fmt.Errorf("want a number of uploads a day, 1 to %d", maxUploads)
	}
	*n = uploadsADay(v)
	return nil
}
