// Command adopt takes over what another back end has published, so that
// examples/distribute goes on where that stopped: on the morning of a switch, once.
//
//	adopt -dry-run -dir /var/lib/gaen -out s3://BUCKET -table keys.csv -trust public.txt
//	adopt -dir /var/lib/gaen -out s3://BUCKET -table keys.csv -trust public.txt
//
// It fills a new ledger with what the other system knows of keys, has those that are in
// the tree be released at the times at which they were published, records every file
// of the tree as published, and sets the cursors of federation servers. The tree is
// only read. What is not in it waits in the ledger for the next cut. Stop the other
// system first; its tree must not change meanwhile, and if it does, that is an error.
// Called again after whatever happened to it, it goes on where it was; once all is
// done it finds nothing to do.
//
// # What is known of keys
//
// -table names the table diagnosis_key of cwa-server, as a CSV file,
//
//	psql -c 'COPY diagnosis_key TO STDOUT WITH CSV HEADER' > keys.csv
//
// or, where the program is built with the tag "cloud", as the database
// (postgres://USER@HOST/DATABASE). Columns go by their names: key_data,
// rolling_start_interval_number, rolling_period, submission_timestamp (hours since
// 1970), transmission_risk_level, and, as far as they are there, origin_country,
// visited_countries, report_type, days_since_onset_of_symptoms,
// consent_to_federation and submission_type; others are passed over. A row of another
// origin is one that -table-source brought. The table does not say which keys came in
// one submission: those of an hour are counted as few as can be. Nor does it say what
// was published: a key that is in no file was, if its time was over before the oldest
// file begins; else it is to be.
//
// -inbox names the bucket of submissions of the British back end; see examples/distribute.
//
// Without either the archives are all there is. A key of which nothing else is known
// is an own one, of the origin that its package is named after, and is federated to
// nobody; -unknown EUR=efgs:XX says otherwise of a package.
//
// # Federation
//
// -cursor efgs=TAG@2022-02-08 has the pull of an instance begin after the page with
// that tag, of that day; without a tag (efgs=@2022-02-08), with the day. An instance that
// pushes begins with the first cut after the adoption: run none before.
//
// # The tree
//
// -layout, -config, -set, -ledger and -out are those of examples/distribute, and must
// be what that will be run with: names, packages, days, the publication map. -trust
// names the public keys that the archives are signed by; the key that will sign is
// trusted without. In the layout nhs -metadata-key names those of the metadata.
// -shared-indexes leaves the lists of versions and countries to others; run the rest
// with api.sharedIndexes=true.
//
// # Dry run
//
// -dry-run does all of it with a ledger in memory, makes the next cut and publishes on
// top of the tree, in memory too, and prints which objects would be put and deleted.
// It wants a ledger that is not there yet, as the real one does.
//
// -now is for replays, as in examples/distribute.
//
// # Exit status
//
//	0  adopted
//	1  stopped by an error, or the tree cannot be adopted; each reason has a line
//	2  wrong usage or configuration
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const (
	exitDone    = 0
	exitStopped = 1
	exitUsage   = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parseOptions(args, stderr)
	if o != nil && err == nil {
		err = (&job{options: o, out: stdout}).run(ctx)
	}
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(stderr, "adopt:", err)
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitStopped
}

// errUsage marks what the caller asked for wrongly.
var errUsage = errors.New("usage")

// usageError is an error of the command line or the configuration.
type usageError struct{ error }

func (e usageError) Is(target error) bool { return target == errUsage }

func (e usageError) Unwrap() error { return e.error }
