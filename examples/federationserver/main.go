// Command federationserver is a federation server: nations upload the keys of
// their phones to it, and download those of the others, by the interoperability
// protocol (package federation/interop), and by that of the European gateway
// (package federation/efgs). It keeps everything, the nations as well, in a ledger.
//
//	federationserver nation add -region IE -key ie-public.pem ie
//	federationserver nation token -out ie.token ie
//	federationserver serve -listen :8443 -cert tls.pem -key tls-key.pem
//
// # Nations
//
//	nation add [flags] ID        onboard one
//	nation list                  print them: rights, keys, tokens
//	nation rights [flags] ID     change what it may do
//	nation key -add FILE ID      a further key of it; -remove KEY takes one away
//	nation token [flags] ID      issue a bearer token for it
//	nation revoke [-token T] ID  refuse one of its tokens, or all there are
//	nation remove ID             refuse it altogether
//	nation certificate [flags] ID  of the European protocol: -add, -revoke, -remove
//
// An ID is at most 64 of a-z, 0-9, '.', '_' and '-': it is in the nation's tokens,
// and in the ledger the source of its keys. -region is the origin of its own keys;
// -relays names further origins that it may bring, which makes it a gateway ("*"
// for all). -withdrawals tells it what was withdrawn, by keys of the report type
// REVOKED, which not every client knows. -extended hands it the extended form,
// which only clients of package federation/interop know.
//
// A change holds from the next request on, on every server of the ledger, and for
// all of them at once: each request looks its nation up. A nation that is to
// exchange its key adds the new one, signs with it, and has the old one removed. A
// nation that was removed can be added again; its old tokens stay refused.
//
// # Tokens
//
//	token rotate     new tokens are issued with a new secret; the others are still good
//	token list       print the ids of the secrets, the one that issues first
//	token drop ID    refuse all tokens issued with a secret
//
// Secrets are in a file (-secrets), which is made by whoever needs it first, and
// which nobody else may read. Servers on several hosts need the same file. It is
// read again when it has changed.
//
// # Serving
//
// serve makes a cut of the ledger at every point of its grid (-grid, 5 min), and
// batches of what was uploaded until then, which can be read for a week at least;
// it removes what is older than the ledger keeps (-prune-age, 14 days) once a day,
// unless it is in such a batch. A nation's keys go with the next cut, however few
// they are: its back end has grouped them. Where one does not, -min-keys 1000
// -longest-wait 2h has cuts wait for as many of an origin, or as long. Any number
// of processes may serve
// one ledger: each makes the cut that is due, if no other was quicker. After an
// outage of more than a day it wants -allow-gap, so that a clock that jumps ahead
// releases nothing.
//
// Without -cert it serves plain HTTP, for a proxy on the same machine. Certificate
// and key are read again when their files change. On SIGTERM or an interrupt it
// takes no more connections, finishes the requests it has (-drain), and ends; who
// got no answer tries again, and what is there already is known as a duplicate.
//
// The ledger (-ledger) is a SQLite file, or with the tag "cloud" a place such as
// postgres://USER@HOST/DATABASE?schema=gaen, as in examples/distribute. The policy
// of cuts is kept in it; to serve by another, add -change-policy once, after all
// other servers have ended.
//
// # The European protocol
//
//	federationserver nation add -protocol efgs -region DE -withdrawals -certificates list.json -anchor anchor.pem de
//	federationserver serve -efgs :8444 -efgs-cert gateway.pem -efgs-key gateway-key.pem -efgs-anchor anchor.pem
//
// With -efgs it is the European gateway as well, at an address of its own and over
// the same ledger: what nations of one protocol upload, those of the other have,
// too, in batches of their own, which nobody has signed; whoever wants only what is
// signed is onboarded with -sealed-only. A nation that has uploaded by one protocol
// cannot change to the other under its id.
//
// Nations are known by their client certificates there. A nation's certificates, by
// what each is for, are in a list, as package signing/cms reads it; the trust anchor
// (-efgs-anchor) has to have signed each. nation certificate adds those that a new
// list has, revokes one, or forgets it, from the next request on; one that was revoked
// stays so, in whatever list it is, until it is forgotten. The anchor, and the server's
// own certificate, are read again when their files change.
//
// The server ends TLS itself, or load balancers do, which say in two headers whose
// certificate they have seen. Then -efgs-balancers names the networks that they are
// in: these headers count from nowhere else.
//
// Nations that subscribe are called when there is a batch, with the certificate of
// -efgs-cert; -efgs-callbacks=false takes no subscriptions. Only addresses of the
// public internet are called, on port 443, but for -efgs-callback-networks and
// -efgs-callback-ports.
//
// # Peers
//
// With -peers it is a client of other federation servers, too: it pulls from each
// what its nations uploaded, and relays to each what came from everybody else.
//
//	{"instances": [{
//		"name": "hub2", "url": "https://hub2.example",
//		"token": {"file": "hub2.token"}, "signingKey": {"file": "keys/peers.pem"}
//	}]}
//
// An instance is what it is in the configuration of examples/nationalbackend, and so
// are its secrets, which are below the folder of the file, and read again before each
// run. What it leaves out is different: it is imported from and relayed to, in the
// extended form, so that origins travel with the keys, from the beginning, and told
// of withdrawals. One that is no server of this project says "extended": false, and
// with "region" whose keys its token stands for, the only ones that it can be sent.
// A European gateway ("protocol": "efgs") is such a one.
//
//	peer check -peers FILE    say what would be done, and ask nobody
//	peer init -peers FILE     make the signing keys that are missing, .pub beside each
//
// Of two servers one is the client, and does both directions. The other has it as a
// nation without a region:
//
//	federationserver nation add -relays '*' -extended -withdrawals -key peers.pem.pub hub1
//
// If each is the client of the other, everything goes twice and comes to rest all
// the same. The peer and the nation are one server then: they have the same name,
// and the instance says "nation": true, so that what one brings is not sent to the
// other. Else no peer has the name of a nation, as they could withdraw each other's
// keys. Rings of any length come to rest.
//
// Each peer is exchanged with in its own time (-peer-every, 1 min, and after each
// cut): one that is slow or down holds up no cut and no other. What it has not been
// sent is kept for it, for as long as the ledger keeps keys. The file is read again
// when it has changed; one that cannot be used changes nothing, and is logged.
//
// # Orders
//
// The operator has a say, too: a nation's bad upload is taken out of what is handed
// out, a nation or an origin is held.
//
//	order -action ACTION [flags]  say what an order would do; -do does it
//	orders                        print the orders that were given
//	explain < key                 print where a key has been
//	books                         print what became of every key and withdrawal
//
// They are those of examples/nationalbackend, with the same flags and answers, and so
// is the desk that takes orders over HTTP: serve -orders 127.0.0.1:9091 -operators
// FILE, a line name:secret for each. To name a nation's upload, say -source as well.
//
// A key is the word of the nation that brought it. What the operator withdraws is
// therefore of effect here alone: from the next cut on no batch carries it, whoever
// reads it. Nations that have it are not told, nor are peers, and the answer to the
// order counts them. What nations of the European protocol are given is what others
// have signed, and stays.
//
// # Monitoring
//
// On an address of its own (-monitor) there are /healthz, which is 200 as long as
// the ledger answers and cuts are made, and /metrics, in the text format of
// Prometheus: requests, keys that came and went, and for each nation when it last
// uploaded and how many batches it has not asked for, since when; for each peer when
// it was last pulled from and pushed to, and how often that failed; and for each the
// withdrawals of keys that it has and has not been told, as books counts them, too. Counts of keys
// and times of uploads are those of the hours that are over: what a small nation
// brings at a time may be the keys of one person. Logs are JSON, on the standard
// error; neither has key data or tokens in it.
//
// # Exit status
//
//	0  done; of serve: ended by a signal, with every request answered
//	1  stopped by an error, or requests were cut off
//	2  wrong usage
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

const (
	exitDone    = 0
	exitStopped = 1
	exitUsage   = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// ledgerClock is the clock of the ledger: its own, but in tests.
var ledgerClock func() time.Time

// clock is the time by which it is counted.
func clock() time.Time {
	if ledgerClock != nil {
		return ledgerClock()
	}
	return time.Now()
}

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := dispatch(ctx, args, stdout, stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitDone
	case errors.Is(err, errUsage):
		fmt.Fprintln(stderr, "federationserver:", err)
		return exitUsage
	}
	fmt.Fprintln(stderr, "federationserver:", err)
	return exitStopped
}

// errUsage marks what the caller asked for wrongly.
var errUsage = errors.New("usage")

func usage(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errUsage, fmt.Errorf(format, args...))
}

// A command carries out what follows its name on the command line.
type command func(ctx context.Context, args []string, stdout, stderr io.Writer) error

// commands are all there are, by their names.
var commands = map[string]command{
	"serve":              serve,
	"nation add":         nationAdd,
	"nation list":        nationList,
	"nation rights":      nationRights,
	"nation key":         nationKey,
	"nation certificate": nationCertificate,
	"nation token":       nationToken,
	"nation revoke":      nationRevoke,
	"nation remove":      nationRemove,
	"token rotate":       tokenRotate,
	"token list":         tokenList,
	"token drop":         tokenDrop,
	"peer init":          peerInit,
	"peer check":         peerCheck,
	"order":              giveOrder,
	"orders":             listOrders,
	"explain":            explain,
	"books":              printBooks,
}

// groups are the first words of commands that have two.
var groups = []string{"nation", "token", "peer"}

const synopsis = `usage: federationserver serve [flags]
       federationserver nation add|rights|key|certificate|token|revoke|remove [flags] ID
       federationserver nation list [flags]
       federationserver token rotate|list [flags]
       federationserver token drop [flags] SECRET
       federationserver peer init|check [flags]
       federationserver order|orders|explain|books [flags]
with -h for the flags of each, and go doc for what they mean`

// dispatch runs the command that the first argument, or the first two, name.
func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	for n := 1; n <= 2 && n <= len(args); n++ {
		name := args[0]
		if n == 2 {
			name += " " + args[1]
		}
		if c, ok := commands[name]; ok {
			return c(ctx, args[n:], stdout, stderr)
		}
	}
	if len(args) > 0 && slices.Contains(groups, args[0]) {
		args = args[1:]
	}
	if len(args) == 1 && slices.Contains([]string{"-h", "-help", "--help"}, args[0]) {
		fmt.Fprintln(stderr, synopsis)
		return flag.ErrHelp
	}
	return usage("no such command\n%s", synopsis)
}
