// Command nationalbackend is a whole national back end: phones submit to it, it
// exchanges keys with any number of federation servers, as client and as gateway,
// and publishes what is due as the tree that the Corona-Warn-App reads.
//
//	nationalbackend init -config backend.json    makes the keys that are missing
//	nationalbackend check -config backend.json   says what it would do, and asks nobody
//	nationalbackend serve -config backend.json   does it, until it is told to end
//	nationalbackend tick -config backend.json    does once what is due, for cron
//	nationalbackend books -config backend.json   prints what became of every key
//	nationalbackend privacy -config backend.json prints what its releases reveal of single
//	                                             uploads; -json prints it as JSON
//	nationalbackend issue -config backend.json -kit LAB_RESULT -consent given
//	                                             prints a one-time token
//	nationalbackend order -config backend.json -action roll-back -upload ID
//	                                             says what an order would do; -do does it
//	nationalbackend orders -config backend.json  prints the orders that were given
//	nationalbackend reconcile -config backend.json
//	                                             prints the books, and what is published
//	                                             that is not as it was planned
//	nationalbackend repair -config backend.json  has what is published be as planned,
//	                                             whatever the bucket says of it
//	nationalbackend explain -config backend.json < key
//	                                             prints where a key has been
//	nationalbackend certificates -out certificates DE FR
//	                                             makes certificates to try EFGS with
//
// # Order
//
// Once a minute it looks, and does what is due: pull from all servers, make the cut
// of the hour, push it, publish it. What is cut is pushed before it is published,
// for up to 15 minutes from the cut; after that a server that is down is left behind
// until it answers. Everything may be killed anywhere: the next look goes on. Several
// processes may run at once.
//
// # Configuration
//
// One file, JSON. What it leaves out keeps its default, which check prints; what is
// unknown is an error that names it. To what examples/distribute has it adds:
//
//	"submission": {
//		"listen": "127.0.0.1:8080",
//		"authorizer": "token",           // or "apiKey", "apiKey+token", "none"
//		"signingKey": {"file": "keys/answers.pem"}, "keyId": "answers-1"
//	},
//	"operations": {"listen": "127.0.0.1:9090"},
//	"instances": [{
//		"name": "hub-a", "url": "https://hub-a.example/diagnosiskeys",
//		"import": true, "export": true, "gateway": false,
//		"token": {"env": "HUB_A_TOKEN"}, "signingKey": {"file": "keys/federation.pem"}
//	}]
//
// A server of the European protocol has certificates in the place of a token; see
// EFGSOptions in examples/internal/partner:
//
//	{
//		"name": "efgs", "url": "https://efgs.example", "protocol": "efgs",
//		"import": true, "export": true, "rules": {"withdrawals": true},
//		"signingKey": {"file": "certificates/de/signing-key.pem"},
//		"efgs": {
//			"certificate": {"file": "certificates/de/authentication.pem"},
//			"certificateKey": {"file": "certificates/de/authentication-key.pem"},
//			"signingCertificate": {"file": "certificates/de/signing.pem"},
//			"authority": {"file": "certificates/authority.pem"},
//			"audit": {
//				"certificates": {"file": "certificates/certificates.json"},
//				"anchor": {"file": "certificates/anchor.pem"}
//			},
//			"callback": {
//				"listen": ":8443", "url": "https://de.example/callback", "id": "de",
//				"certificate": {"file": "certificates/de/callback.pem"},
//				"key": {"file": "certificates/de/callback-key.pem"},
//				"allowed": ["SHA-256 of the gateway's certificate, in hexadecimal"]
//			}
//		}
//	}
//
// A callback is a hint: serve pulls at once, as it would have with the next look.
// Such certificates as these, of an authority of their own, the subcommand
// certificates makes, for the countries that it is given; further ones are added to
// what is there. -hosts names what servers are reached by.
//
// The release policy is kept in the ledger: to go on by another, say -change-policy to
// tick or serve once, when no other process runs.
//
// An instance may also say "disabled", "withheld" (its keys are kept and not
// published), "rules" (which keys it is sent), "reject", "defaults", "limits", and
// more: see Instance in examples/internal/partner.
//
// # Secrets
//
// The configuration holds none, but says where each is: {"file": …}, {"env": …} or
// {"command": […]}, which prints it. They are read before every look, so a token, a
// key of a partner or an API key is replaced without a restart, in its file or by what
// prints it; one that cannot be used leaves the old one in use, holds up no other's,
// and is logged. keyId is configuration: a further key of the answers has one of its
// own, and wants a restart. The key of the archives
// (paths.privateKey) is read at the start alone: phones know it by its identity, and
// that is configuration. One follows another as in examples/distribute, by
// signature.further; init makes it.
//
// Only serve and tick read the secrets. Whoever gives an order, issues tokens or looks
// at the books needs none of them, but may read the ledger and the key of the archives.
//
// # Books
//
// The books are counts, as JSON, of what each source brought and what became of it:
// in the ledger, and at everybody who is sent keys or shown archives. Each key is
// counted once for each of them; if one is missing, the exit status is 1. They are
// taken while nothing else runs, or may be out by what comes in between. With them are
// the arrears: for each partner the withdrawals of keys that it has that are on their
// way, and those that it cannot be told, by why; serve shows them as metrics.
//
// The subcommand reconcile prints the books and holds all that is published against
// the ledger: which objects are missing, or do not say what it says. It changes nothing,
// and the exit status is 1 if there are any; repair makes them again.
//
// # A cache before the bucket
//
// Built with the tag "cloud", it has CloudFront forget what it replaces (such as
// indexes), with the credentials that the tools of AWS would find:
//
//	"api": {"invalidate": {"cloudfront": "E1EXAMPLE", "prefix": "/"}}
//
// What CloudFront could not be told in one look it is told in the next.
//
// # Privacy
//
// The subcommand privacy measures what cuts and archives tell of single uploads: how
// many are alone with their onset date, which groups were released because they had
// waited, thresholds that are never reached; see
// [github.com/gaenkit/gaen/distribution/privacy]. With a warning the exit status is 1.
// What strangers can do with the files, examples/verify reports (-privacy).
//
// # Orders
//
// An operator withdraws, reinstates, revises, holds and resumes by key, upload,
// origin, source, kind of test or time; order -help has the flags. Without -do it is
// only said what would happen: how many keys nobody has yet, how many are revoked, by
// which cut, in the company of how many others. Every order that is given with -do
// says who gives it and why, and is recorded, also if it is refused. It changes the
// ledger alone; serve and tick publish it.
//
// The same is to be had over HTTP, on an address of this host alone, for people by
// their names and secrets, a line name:secret each:
//
//	"orders": {"listen": "127.0.0.1:9091", "operators": {"file": "keys/operators"}}
//
//	curl -u ada:$SECRET -H 'Content-Type: application/json' http://127.0.0.1:9091/orders/preview \
//		-d '{"action": "roll-back", "select": {"uploads": ["ID"]}, "why": "wrong sample"}'
//
// POST /orders does it, GET /orders has the records, and POST /explain, GET /books,
// POST /reconcile and POST /repair are the subcommands of these names; see Desk in
// examples/internal/nation. A request without credentials learns nothing; what is
// ordered is recorded under the name that came with it.
//
// # Where a key has been
//
// The subcommand explain reads key data (hexadecimal or base64), and after it, if
// they are known, its first interval and its origin, from standard input or the file
// that -key names: never from the command line, where others could see it. It prints,
// as JSON and without the key:
//
//   - ledger: for each origin that claims the key who brought it, by which cuts it
//     was released, revised and withdrawn, and what it waits for;
//   - packages: in which files it is, and as what; if it is in none, why; and whether
//     phones match it and could still forget it;
//   - partners: what each server was sent of it, what is on its way, and which
//     withdrawals cannot be told to it.
//
// # Exit status
//
//	0  done
//	1  stopped by an error, or the books do not balance, an order is refused, or privacy
//	   has a warning
//	2  wrong usage or configuration
//	3  tick: some server could not be reached; the rest was done
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/gaenkit/gaen/examples/internal/nation"
	"github.com/gaenkit/gaen/examples/internal/orders"
	"github.com/gaenkit/gaen/storage/ledger"
)

const (
	exitDone    = 0
	exitStopped = 1
	exitUsage   = 2
	exitPartial = 3
)

// ledgerClock is the clock of the ledger: its own, but in tests.
var ledgerClock func() time.Time

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// command is what is run with a configuration.
type command struct {
	config         *nation.Config
	kit, consent   string
	order          orders.Flags
	keyFile        string
	json           bool
	changePolicy   bool
	stdin          io.Reader
	stdout, stderr io.Writer
}

var commands = map[string]func(*command, context.Context) error{
	"init": (*command).init, "check": (*command).check, "serve": (*command).serve, "tick": (*command).tick,
	"books": (*command).books, "issue": (*command).issue, "explain": (*command).explain, "repair": (*command).repair,
	"reconcile": (*command).reconcile, "privacy": (*command).privacy,
	"order": (*command).giveOrder, "orders": (*command).listOrders,
}

const synopsis = `usage: nationalbackend init|check|serve|tick|books|privacy|issue|order|orders|explain|reconcile|repair -config FILE
       nationalbackend certificates -out FOLDER COUNTRY...
with -h for the flags of each, and go doc for what they mean`

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "certificates" {
		return fail(stderr, makeCertificates(args[1:], stdout, stderr))
	}
	if len(args) == 1 && slices.Contains([]string{"-h", "-help", "--help"}, args[0]) {
		fmt.Fprintln(stderr, synopsis)
		return exitDone
	}
	if len(args) == 0 || commands[args[0]] == nil {
		fmt.Fprintln(stderr, synopsis)
		return exitUsage
	}
	c := &command{stdin: os.Stdin, stdout: stdout, stderr: stderr}
	f := flag.NewFlagSet("nationalbackend "+args[0], flag.ContinueOnError)
	f.SetOutput(stderr)
	config := f.String("config", "backend.json", "configuration `file`")
	if args[0] == "order" {
		c.order.Define(f)
	}
	if args[0] == "issue" {
		f.StringVar(&c.kit, "kit", "", "kind of test: LAB_RESULT, RAPID_RESULT, RAPID_SELF_REPORTED; empty leaves it to the phone")
		f.StringVar(&c.consent, "consent", "", "consent to federate: given or refused; empty leaves it to the phone")
	}
	if args[0] == "tick" || args[0] == "serve" {
		f.BoolVar(&c.changePolicy, "change-policy", false, "give the ledger the release policy of the configuration")
	}
	if args[0] == "privacy" {
		f.BoolVar(&c.json, "json", false, "print JSON")
	}
	if args[0] == "explain" {
		f.StringVar(&c.keyFile, "key", "-", "`file` that the key is read from; - is standard input")
	}
	if err := f.Parse(args[1:]); errors.Is(err, flag.ErrHelp) {
		return exitDone
	} else if err != nil || f.NArg() > 0 {
		return exitUsage
	}
	var err error
	if c.config, err = nation.Read(*config); err != nil {
		return fail(stderr, usageError{err})
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return fail(stderr, commands[args[0]](c, ctx))
}

// usageError is an error of the command line or the configuration.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// fail prints an error, if there is one, and returns the exit status.
func fail(stderr io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(stderr, "nationalbackend:", err)
	if errors.Is(err, ledger.ErrPolicy) {
		fmt.Fprintln(stderr, "tick -change-policy gives it the one of the configuration")
	}
	_, usage := errors.AsType[usageError](err)
	switch {
	case usage, errors.Is(err, ledger.ErrPolicy):
		return exitUsage
	case errors.Is(err, nation.ErrPartial):
		return exitPartial
	}
	return exitStopped
}

// open opens the back end for all that it does.
func (c *command) open(ctx context.Context) (*nation.Backend, error) {
	return c.openFor(ctx, &nation.Options{ChangePolicy: c.changePolicy})
}

// openAlone opens it for who asks nobody outside: an operator must be able to withdraw
// keys while the token of some server is not to be had.
func (c *command) openAlone(ctx context.Context) (*nation.Backend, error) {
	return c.openFor(ctx, &nation.Options{Alone: true})
}

func (c *command) openFor(ctx context.Context, opts *nation.Options) (*nation.Backend, error) {
	if err := c.config.Rehearse(ctx); err != nil {
		return nil, usageError{err}
	}
	opts.Clock, opts.Logger = ledgerClock, slog.New(slog.NewJSONHandler(c.stderr, nil))
	return nation.Open(ctx, c.config, opts)
}

func (c *command) serve(ctx context.Context) (err error) {
	b, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	return b.Serve(ctx)
}

func (c *command) tick(ctx context.Context) (err error) {
	b, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	_, err = b.Tick(ctx)
	return err
}
