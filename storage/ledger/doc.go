// Package ledger keeps what happened to diagnosis keys. Everything that a back
// end publishes or sends can be rebuilt from its ledger alone.
//
// A ledger has two steps, kept apart. [Ledger.Accept] stores what arrives, from
// phones and partners, in no order: each key becomes a claim on a unit, which is
// a key of an origin whoever brought it. [Ledger.Release] makes the next cut: it
// decides once, for every consumer, which units may leave, and gives them
// numbers in the log. What has a number never changes, so an hour's archive, a
// day's, or a batch for a partner is a function of the log between two numbers.
//
//	l, err := ledger.Open(ctx, store, nil)
//	receipt, err := l.Accept(ctx, &ledger.Delivery{Source: ledger.Own, Uploads: uploads})
//	report, err := l.Release(ctx, nil)
//	for unit, err := range l.Read(ctx, from, to) { ... }
//
// # Claims and units
//
// The unit is a key of an origin; its due time, hold, group, numbers and states
// are its own, and no other origin's claim touches them. Several sources of one
// origin make one unit: it says of itself what its own submission said, else
// its first source, with the report type that any of them took furthest. A claim
// made again is a duplicate; one with a report type further along the allowed
// transitions, a revision; one that contradicts an earlier one is set aside,
// with field and reason, and its neighbours are taken.
//
// # Cuts
//
// The time T of a cut is the last point of the grid not after the ledger's own
// clock. A cut takes the units that are due before T, stand and are not held.
// Own units go in groups by origin that reach a threshold of keys and uploads,
// or that cuts have passed over for the longest wait; what came by federation
// was grouped at its origin. Changes of released units go with the next cut,
// withdrawals of own ones in small groups. Within a cut numbers follow the
// canonical order, which says nothing of who submitted what. Cuts are chained by
// hash: a consumer names the place it has come to by a [Position] and learns
// from [Ledger.Check] when a ledger is another one or has gone back.
//
// # Two states
//
// An [Event] keeps two states of its unit: for this back end's own archives,
// where an operator's withdrawal can be undone, and for partners, where the
// state only rises from unknown to active to withdrawn.
//
// # Orders
//
// An [Order] is how an operator withdraws, reinstates, revises, holds: by key,
// upload, origin, source, kind of test, report type or time. [Ledger.Preview]
// says what it would do, [Ledger.Order] does it, in steps that an order which
// was cut off goes on with, and leaves a record in the same step, of what was
// refused too. What has not been released is gone at once, from everything.
// What has is told by the cuts, withdrawals in groups that say little of each,
// unless the order says immediately; [ReleaseReport.WaitedOut] and
// [ReleaseReport.ByOrder] count what went in smaller ones.
//
// [Ledger.Withdraw], [Ledger.Reinstate], [Ledger.RollBack], [Ledger.Erase],
// [Ledger.Admit], [Ledger.Hold] and [Ledger.Resume] do the same to the units, in
// one step, and are for programs and not for people: they ask for no confirmation
// and leave no record. Use them in tests, and where a program of one's own keeps the
// record, in a transaction that it shares with the store ([Ledger.With]). What a
// partner withdraws is neither: it comes in a [Delivery], as its own word.
//
// # Taking over
//
// What another system published before is adopted: [Ledger.BeginAdoption],
// [Ledger.Adopt] and [Ledger.CutAdopted] give it numbers in cuts of times that are
// past, so that it is known as what it is: released.
//
// # Registers
//
// Plans, ranges, policies, holds and cursors are named values, changed by
// versioned compare and swap, several at once, in the same step as a delivery
// where that is wanted.
//
// # Stores
//
// A [Store] is where a ledger is kept: in memory (memledger), in SQLite
// (sqliteledger, the embedded default), in whatever a team writes. Stores keep
// and find; the rules stand here. The suite for stores is
// [github.com/gaenkit/gaen/storage/ledger/ledgertest].
//
// # Errors
//
// Keys that are not taken are no error but part of the receipt. [ErrPruned],
// [ErrPolicy], [ErrTime], [ErrAdopting], [ErrOtherLedger] and [ErrWentBack] are tested
// with errors.Is; a [*ConflictError] says that a register has moved on, an
// [*OrderError] why an order was refused.
package ledger
