// Command distribute is a national back end's distribution service: it takes
// diagnosis keys in, keeps them in a ledger (SQLite), lets go what is due, and
// publishes it to a folder as the tree of signed archives that the
// Corona-Warn-App reads.
//
// To see it all at once, with made-up keys of 14 days:
//
//	go run ./examples/distribute -generate
//
// Everything of a run lives below one directory (-dir, gaen-demo): ledger.db,
// keys/ (a signing key, made if there is none, and the key file for the app
// stores) and www/ (the tree).
//
// -layout names how it is published, or several ways that are published side by
// side of the same cuts (-layout cwa,nhs,deltaset). nhs is what the NHS COVID-19 app
// reads: one package of the keys from everywhere, named after the country, in two
// hours and days, with signed metadata, by a key of its own (keys/metadata.pem).
// deltaset is exposures and retractions by the hour, as text; see package deltaset.
//
// # The live job
//
//	distribute -dir /var/lib/gaen -in /var/spool/submissions
//
// takes in what is there, makes the cut of the hour, publishes, removes what is
// too old, and verifies the tree. It is made to be called by cron: called again
// it finds everything done and changes nothing. After an outage of more than a
// day it wants -allow-gap.
//
// # Input
//
// -in names files and folders: submissions as the British back end stores and
// receives them (.json; the test kit from the path mobile/<KIT>/ or from
// "testKit"), the same one on a line (.jsonl), and published archives (.zip; as
// keys of a partner, verified if -trust names public keys). Both JSON forms may
// also say "id", "origin", "regions", "consentToFederate" (true or false) and
// "reportType" (a number of the archive format). Without an id a submission goes by the
// name of its file: those of one name are one upload to whoever rolls it back. Without
// consent stated, here or in the configuration, an own key is rejected. A bad key or
// file costs its neighbours nothing; it is counted and printed with field and reason.
//
// -inbox names a bucket that others put submissions into, as the British back end
// has it: mobile/<KIT>/, and for each -inbox-prefix what a federation server
// brought, below its name and that of the origin. It is only read; what has been
// taken in the ledger knows. What is below an -inbox-disabled prefix is left for
// when it is enabled.
//
// # Replays
//
// -generate, and -in with -now, use a ledger made for replays, whose clock is
// stepped hour by hour. -generate makes up uploads for the 14 days (-days) before
// -now (the present time), publishing once a simulated day. -in with -now takes the
// input in at that time and lets hours pass until nothing waits any more and the
// day is over.
//
// # Configuration
//
// -print-config prints every parameter with its default, grouped as in the
// German distribution service; -config reads such a file, in which what is left
// out keeps its default and what is unknown is an error; -set group.field=value
// changes one. The release policy is kept in the ledger: to run with another,
// add -change-policy once.
//
// # Signing keys
//
// An identity (signature.keyId, keyVersion) is what phones know a key by, so another
// key wants another version, and an app that knows it. "further" has keys that sign
// beside that of paths.privateKey, each while it is valid; one that is missing is
// made, and is in the key file for the app stores from then on:
//
//	"signature": {"further": [{"keyId": "262", "keyVersion": "v2",
//		"privateKey": "keys/v2.pem", "notBefore": "2026-03-01T00:00:00Z"}]}
//
// While two are valid, archives have both signatures, and apps that know only one of
// them verify them. Later they change places, and the old one gets "notAfter"; it
// stays there until nothing that it signed is published any more, and then goes.
//
// # Places
//
// Ledger (-ledger) and tree (-out) may be elsewhere than below -dir. A ledger is
// a SQLite file or lies in a bucket (bucket+file:///srv/ledger). Built with the
// tag "cloud" the program knows servers, too: s3://BUCKET/PREFIX?region=REGION
// (and endpoint=URL for servers that are not Amazon's), gs://BUCKET/PREFIX,
// postgres://USER@HOST/DATABASE?schema=gaen, bucket+s3://BUCKET. Who it is to
// them it finds out as their own tools do. In a bucket of a server an index is an
// object of its own: -set api.indexName=
//
// # Dry run
//
// -dry-run does everything on a copy of the ledger, prints what would be
// published, and changes nothing: it asks for no permission to write. Of a ledger
// in PostgreSQL no copy is made; restore a backup.
//
// # Mistakes
//
// A place that is wrong (no such bucket, no permission, no room, a clock that is
// off by more than 5 minutes, the tree or ledger of another deployment) is one
// line on standard error that names it and says what to do, before anything is
// changed.
//
// # Exit status
//
//	0  all was done, and the tree verifies
//	1  stopped by an error, or the tree does not verify
//	2  wrong usage or configuration
//	3  incomplete: some objects failed, within the budget; run it again
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/storage/ledger"
)

const (
	exitDone       = 0
	exitStopped    = 1
	exitUsage      = 2
	exitIncomplete = 3
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parseOptions(args, stderr)
	if err != nil || o == nil {
		return fail(stderr, err)
	}
	if o.printConfig {
		fmt.Fprint(stdout, o.config)
		return exitDone
	}
	j := newJob(o, stderr)
	err = j.run(ctx)
	j.summary.print(stdout)
	return fail(stderr, err)
}

// errUsage marks what the caller asked for wrongly.
var errUsage = errors.New("usage")

// usageError is an error of the command line or the configuration.
type usageError struct{ error }

func (e usageError) Is(target error) bool { return target == errUsage }

func (e usageError) Unwrap() error { return e.error }

// fail prints an error, if there is one, and returns the exit status.
func fail(stderr io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(stderr, "distribute:", err)
	switch {
	case errors.Is(err, errUsage), errors.Is(err, ledger.ErrPolicy):
		return exitUsage
	case errors.Is(err, distribution.ErrIncomplete):
		return exitIncomplete
	}
	return exitStopped
}
