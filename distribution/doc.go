// Package distribution publishes diagnosis keys to phones: as signed archives
// that never change once they are out, and indexes that list them.
//
// A [Publisher] keeps a bucket in step with a ledger. It is called again and
// again, by cron or a timer, and each call of [Publisher.Run] does what is due:
//
//	p, err := distribution.New(ledger, bucket, layout, packages, signers, nil)
//	report, err := p.Run(ctx)
//
// # Plan, carry out, index
//
// A [Package] is a named stream of archives: a country's, a union's, a region's.
// Its time is cut into windows, hours say, and a window is closed once the ledger
// has made a cut at or after its end. A run first plans every closed window: the
// numbers of the log it reaches from and to, the parts it is cut into, the
// selector, map and signers by name. All plans are committed to registers of the
// ledger in one step before anything is written, and never computed again; so
// whoever carries one out, after whatever crash, writes the same. Then the
// archives are created, each on the condition that there is none; one that is
// already there must be ours and say what the plan says. Last come the indexes,
// which show only windows before the first that is not complete, and deletes of
// what no index has named for long enough.
//
// Longer files, such as days, are roll-ups: they hold the final state of every
// key that their windows carried, and decide nothing of their own.
//
// # What archives say
//
// A [Selector] says which units a package holds, a [PublicationMap] what is said
// of each. A key is shown once, as long as one unit that the package selected is
// active. What is new in a window is written among the keys; what is said
// otherwise than before, or no longer, among the revised ones, the latter as
// REVOKED. Other rules hold for what is released after they were made; what a
// package showed is revised by the rules that showed it.
//
// # Withdrawals and phones
//
// What is withdrawn is written as REVOKED in the packages that showed it, and phones
// forget only some of it: [Phone] is what they go by, [Publisher.Foresee] says before
// keys are withdrawn how many would be forgotten, and [Revocable] is a map that keeps
// keys revocable, for an app that is configured for it. [Publisher.Showings] says
// where a key is, and why it is not somewhere.
//
// # Errors
//
// A run that did what it could returns [ErrIncomplete], one that met too many
// failures [ErrBudget]; an archive that is there with another content is a
// [*ConflictError], which stops its package and is never overwritten; a bucket
// that another ledger wrote, or this one before it went back, is [ErrForeign],
// and nothing is changed. The [Report] has everything that was done.
//
// # Taking over
//
// What another system has published in a bucket is taken over by [Publisher.Adopt]: it
// reads the tree, records its files as plans that were carried out, and has its keys be
// released in the ledger. Nothing that is there is written again.
//
// # Layouts
//
// A [Layout] gives names, spans and indexes; package cwa is that of the German
// back end, package nhs that of the British one, whose day in progress is the one
// file that changes until it is closed. An [Encoder] is a layout whose files are no
// archives: package deltaset, for clients other than phones. An [Invalidator] tells
// a CDN what was replaced.
//
// [Verify] reads any published tree as a phone does and says what is wrong with it.
// Every run makes again what is missing or altered by its size or ETag, as far back as
// the ledger remembers, and [Publisher.Repair] whatever is altered. What cannot be made
// again is reported by every run ([Report.Lost]), and indexes do not name it, until it
// is brought back from a copy. A ledger that is to remember every key of every file has
// a prune age of twice the retention: phones submit keys of up to 14 days.
package distribution
