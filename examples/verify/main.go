// Command verify checks what a back end for exposure notification has published:
// one archive, or a whole folder.
//
//	verify -key keys/public.txt archive.zip
//	verify -key keys/public.txt -max-age 2h gaen-demo/www
//
// An archive is opened, its signature is verified, and every key in it is looked
// at; the tool says what phones would make of what is odd. A folder is checked
// as a phone reads it, from its indexes down: that every file named is there,
// signed, and what its name says; that windows follow each other without a gap;
// that a day says what its hours say; that no key was published before its
// embargo was over. With -max-age, the newest window of every package must have
// ended no longer ago than that. The folder is only read.
//
// -layout nhs checks a folder of the British layout, which has no indexes: every
// file in it, and in an object store the signatures in the files' metadata, by the
// keys that -metadata-key names. A folder has no metadata. -layout deltaset checks a
// delta set: every file that its signed sums name.
//
// -key names key files, as examples/distribute writes them, or bare public keys
// in PEM, which go by whatever name the archive has for its key and, in a
// folder, by that of the configuration. -config and -set are those of
// examples/distribute: names, index, packages.
//
// # Exit status
//
//	0  verified
//	1  something is wrong; each finding has a line
//	2  wrong usage, or what should be checked cannot be read
//	4  all is well but too old
//
// What is odd about a single archive but does not keep phones from taking it and
// understanding it is printed and does not change the status, unless -strict is
// given. In a folder everything counts.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gaenkit/gaen/examples/internal/deploy"
)

const (
	exitVerified = 0
	exitWrong    = 1
	exitUsage    = 2
	exitTooOld   = 4
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parseOptions(args, stderr)
	if o == nil && err == nil {
		return exitVerified // only help was asked for
	}
	if err == nil {
		var r report
		if r, err = o.check(ctx); err == nil {
			return o.print(stdout, r)
		}
	}
	fmt.Fprintln(stderr, "verify:", err)
	return exitUsage
}

// report is what was found out.
type report interface {
	status() int
	text(w io.Writer)
}

// check checks what the command line names.
func (o *options) check(ctx context.Context) (report, error) {
	trust, err := deploy.ReadTrust(o.keys...)
	if err != nil {
		return nil, fmt.Errorf("-key: %w", err)
	}
	if deploy.IsURL(o.path) {
		return o.checkTree(ctx, trust)
	}
	info, err := os.Stat(o.path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return o.checkTree(ctx, trust)
	}
	return o.checkArchive(trust)
}

func (o *options) print(w io.Writer, r report) int {
	if !o.json {
		r.text(w)
		return r.status()
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return exitUsage
	}
	return r.status()
}

// options are what the command line says.
type options struct {
	path     string
	keys     deploy.List
	layout   string
	metadata deploy.List
	maxAge   time.Duration
	now      deploy.Moment
	json     bool
	strict   bool
	config   *deploy.Config
}

// parseOptions reads the command line and the configuration. It returns nil and
// no error if only help was asked for.
func parseOptions(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	var config string
	var settings deploy.List
	f := flag.NewFlagSet("verify", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprintln(stderr, "usage: verify [-key file] [flags] archive.zip\n       verify -key file [-max-age 2h] [flags] folder|URL")
		f.PrintDefaults()
	}
	f.Var(&o.keys, "key", "public key `file`; may be repeated")
	f.StringVar(&o.layout, "layout", deploy.CWA, "`name` of the layout of the folder: cwa, nhs or deltaset")
	f.Var(&o.metadata, "metadata-key", "public key `file` of the metadata of files in the layout nhs; may be repeated")
	f.DurationVar(&o.maxAge, "max-age", 0, "how long ago the newest window may have ended; 0 for any")
	f.Var(&o.now, "now", "`time` (RFC 3339) against which -max-age is measured (default the present)")
	f.StringVar(&config, "config", "", "configuration `file` of examples/distribute")
	f.Var(&settings, "set", "`group.field=value` of the configuration; may be repeated")
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.BoolVar(&o.strict, "strict", false, "count as wrong what is only odd about an archive")
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var err error
	if o.config, err = deploy.Read(config, settings); err != nil {
		return nil, err
	}
	if o.now.IsZero() {
		o.now.Time = time.Now()
	}
	return o, o.take(f.Args())
}

func (o *options) take(args []string) error {
	switch {
	case len(args) != 1:
		return fmt.Errorf("want one archive or folder, not %d", len(args))
	case deploy.CheckLayouts([]string{o.layout}) != nil:
		return fmt.Errorf("-layout: %w", deploy.CheckLayouts([]string{o.layout}))
	case o.maxAge < 0:
		return fmt.Errorf("-max-age: %s is negative", o.maxAge)
	}
	o.path = args[0]
	return nil
}
