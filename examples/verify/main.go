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
// The folder may be a URL: file, http or https, and in programs built with the tag
// "cloud" s3 and gs. A server of the web is read as a phone reads it, by what the
// indexes name; where it hands out a folder's index under the folder's own name, say
// -set api.indexName=. What is on a server is fetched once and kept in a temporary
// folder meanwhile, no more than -max-objects and -max-bytes of it; -progress tells
// on standard error how far it is.
//
// # Looking closer
//
// -trends prints a line for each package and day: windows, keys, revised keys, bytes,
// and how long after the end of their windows files were stored, where the store
// says so; -plot draws the same as an SVG. -compare holds every window against that
// of another tree: keys, revisions and bounds, whatever signed them (-compare-key, and
// -compare-set where its names are others). -ledger holds
// every file against what the ledger says of its window, which also finds what is
// consistent in itself: an hour and its day changed alike. The ledger is only read;
// of packages and maps it takes the configuration.
//
// -privacy reports what the tree reveals of single uploads, and with -ledger what the
// ledger knows of that: see [github.com/gaenkit/gaen/distribution/privacy]. It is of all
// layouts that -layout names, since who can see one can see the others.
//
//	verify -key public.txt -trends -plot trends.svg -set api.indexName= https://keys.example
//	verify -key public.txt -compare s3://copy?region=eu-central-1 gaen-demo/www
//	verify -key public.txt -ledger gaen-demo/ledger.db -privacy -layout cwa,deltaset gaen-demo/www
//
// # Layouts
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
//	1  something is wrong, or differs from what it is compared with; each finding has a
//	   line
//	2  wrong usage, or what should be checked cannot be read, or nothing is there
//	4  all is well but too old
//	5  all is well, but the privacy report has warnings
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
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gaenkit/gaen/distribution/privacy"
	"github.com/gaenkit/gaen/examples/internal/deploy"
)

const (
	exitVerified = 0
	exitWrong    = 1
	exitUsage    = 2
	exitTooOld   = 4
	exitWarned   = 5
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
	if o.readsContent() || o.ledger != "" {
		return nil, errors.New("-trends, -plot, -compare, -ledger and -privacy are for a folder")
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
	path        string
	keys        deploy.List
	layoutNames []string
	metadata    deploy.List
	maxAge      time.Duration
	now         deploy.Moment
	json        bool
	strict      bool
	config      *deploy.Config

	trends  bool
	plot    string
	compare string
	other   *deploy.Config // of the tree that is compared with
	others  deploy.List    // its keys
	ledger  string
	privacy bool
	limit   *privacy.Options

	limits   deploy.Limits
	progress bool
	stderr   io.Writer
}

// parseOptions reads the command line and the configuration. It returns nil and
// no error if only help was asked for.
func parseOptions(args []string, stderr io.Writer) (*options, error) {
	o := &options{stderr: stderr}
	var config, layouts string
	share := 0.05
	var settings, other deploy.List
	f := flag.NewFlagSet("verify", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprintln(stderr, "usage: verify [-key file] [flags] archive.zip\n       verify -key file [-max-age 2h] [flags] folder|URL")
		f.PrintDefaults()
	}
	f.Var(&o.keys, "key", "public key `file`; may be repeated")
	f.StringVar(&layouts, "layout", deploy.CWA, "`names` of the layouts of the folder, with commas between: cwa, nhs, deltaset")
	f.Var(&o.metadata, "metadata-key", "public key `file` of the metadata of files in the layout nhs; may be repeated")
	f.DurationVar(&o.maxAge, "max-age", 0, "how long ago the newest window may have ended; 0 for any")
	f.Var(&o.now, "now", "`time` (RFC 3339) against which -max-age is measured (default the present)")
	f.StringVar(&config, "config", "", "configuration `file` of examples/distribute")
	f.Var(&settings, "set", "`group.field=value` of the configuration; may be repeated")
	f.BoolVar(&o.trends, "trends", false, "print what was published, day by day")
	f.StringVar(&o.plot, "plot", "", "draw that to an SVG `file`")
	f.StringVar(&o.compare, "compare", "", "compare with the tree in another `folder|URL`")
	f.Var(&o.others, "compare-key", "public key `file` of that tree, if not those of -key; may be repeated")
	f.Var(&other, "compare-set", "`group.field=value` of the configuration of that tree, beside -set; may be repeated")
	f.StringVar(&o.ledger, "ledger", "", "hold the tree against the ledger at a `place`, as examples/distribute names it")
	f.BoolVar(&o.privacy, "privacy", false, "report what the tree, and the ledger if it is named, reveal of single uploads")
	f.Float64Var(&share, "lone-share", share, "`share` of a window's uploads that may be alone in their cohort")
	f.IntVar(&o.limits.Objects, "max-objects", 100_000, "how many objects are read of a server; 0 for any")
	f.Int64Var(&o.limits.Bytes, "max-bytes", 4<<30, "how many bytes are read of a server; 0 for any")
	f.BoolVar(&o.progress, "progress", false, "tell on standard error how much of a server has been read")
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
	if o.other, err = deploy.Read(config, slices.Concat(settings, other)); err != nil {
		return nil, fmt.Errorf("-compare-set: %w", err)
	}
	if o.now.IsZero() {
		o.now.Time = time.Now()
	}
	o.layoutNames = strings.Split(layouts, ",")
	o.limit = &privacy.Options{LoneShare: &share}
	return o, o.take(f.Args())
}

func (o *options) take(args []string) error {
	layouts := deploy.CheckLayouts(o.layoutNames)
	switch {
	case len(args) != 1:
		return fmt.Errorf("want one archive or folder, not %d", len(args))
	case layouts != nil:
		return fmt.Errorf("-layout: %w", layouts)
	case !(*o.limit.LoneShare >= 0 && *o.limit.LoneShare <= 1):
		return fmt.Errorf("-lone-share: %v, want 0 to 1", *o.limit.LoneShare)
	case o.limits.Objects < 0:
		return fmt.Errorf("-max-objects: %d is negative", o.limits.Objects)
	case o.limits.Bytes < 0:
		return fmt.Errorf("-max-bytes: %d is negative", o.limits.Bytes)
	case o.maxAge < 0:
		return fmt.Errorf("-max-age: %s is negative", o.maxAge)
	}
	o.path = args[0]
	return nil
}
