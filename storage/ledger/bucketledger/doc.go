// Package bucketledger keeps a ledger in an object store, beside the submissions
// that lie there: for back ends that have no database and want none.
//
//	bucket, err := ...                     // the bucket of submissions
//	store, err := bucketledger.Open(ctx, bucket, nil)
//	l, err := ledger.Open(ctx, store, nil)
//
//	inbox, err := bucketledger.NewInbox(bucket, keys.MustRegion("GB-EAW"), &bucketledger.InboxOptions{
//		Prefixes: []bucketledger.Prefix{{Prefix: "nearform", Source: "nearform"}},
//	})
//	report, err := inbox.TakeIn(ctx, l)    // every few minutes
//
// [Store] implements [ledger.Store]: the state is held in memory, as memledger
// does, and every step that changes it is an object of the bucket before it is
// seen. [Inbox] takes in what other writers put into the bucket; it works with
// any ledger.
//
// # Names
//
// The inbox has the layout of the British back end, and its readers go on
// reading it:
//
//	<name>                                     own submissions of the first days
//	mobile/<kind of test>/<millis>_<uuid>.json own submissions
//	<server>/<origin>/<yyyymmdd>/<tag>.json    batches that came by federation
//
// Prefixes are matched by whole segments. Only the segments that say something
// must be right: the kind of test (LAB_RESULT, RAPID_RESULT,
// RAPID_SELF_REPORTED), the origin. Times in names, and the bucket's, decide
// nothing: accepted is when the ledger takes an object in.
//
// Everything of the ledger's own lies under gaen/, where no reader of submissions
// looks:
//
//	gaen/log/<20 digits>     a segment: one step, from 1 on, without gaps
//	gaen/state/<20 digits>   a snapshot: what the segments up to it have made
//	gaen/probe/<random>      made and deleted when the ledger is opened
//
// What lies under gaen/ and has another name is passed over.
//
// # Form
//
// A segment is 33 bytes of header ("gaenbl", the version, which is 1, L or S, the
// ledger's identity, whether it is for replays, the number), the SHA-256 of the
// segment before it, the step, and the SHA-256 of all that. So each stands for
// the whole log up to it. A snapshot has the same header, the numbers and
// digests of the last segments that it covers, and the state. Both hold key data;
// encrypt the bucket, and let nobody read gaen/ who may not read the inbox.
//
// # Order of writes
//
// A step creates the segment after the last one, on the condition that there is
// none. That create is the lock and the step at once: of several writers one
// succeeds, and the others read what it wrote and decide again. So every step is
// atomic, and durable when it answers. Then the writer makes sure that no
// snapshot covers the number it took, which happens to one that was asleep while
// others went on and tidied up; its step did not count, and is decided again.
//
// A snapshot is put first; then, and not before, the segments that it covers and
// the snapshots before it are deleted, in any order. Whoever reads begins with
// the newest snapshot and looks at no segment that it covers. A snapshot is
// made after 1,000 segments ([Options.MaxSegments]), when the segments have
// become half as large as the last one, and when a [ledger.Ledger.Prune] has
// removed something: when it returns without an error, no object under gaen/
// holds what was removed. Versions that the bucket keeps of deleted objects are
// beyond it: give them a rule.
//
// Objects of the inbox are never changed or deleted. Give the bucket a rule that
// deletes them by age, not before the policy's PruneAge; what the ledger knows of
// objects that are gone goes too.
//
// # Crashes
//
// A process may die at any call. What it leaves is a segment that counts, or one
// that a snapshot covers and nobody reads, a snapshot beside the objects that it
// covers, or a probe of four bytes. The next checkpoint or prune, by whatever
// process, deletes all of these but the probe, which the next [Open] deletes when
// it is an hour old.
//
// An error of a step may leave open whether it was taken: its answer, or the look
// whether it counts, was lost. The next call sees what it was. A delivery may be
// accepted again under its nonce.
//
// # Processes
//
// Any number may have the ledger open. Each keeps the state in memory, and every
// call begins by looking for what others have written. Reads see one moment.
// There is nothing to close.
//
// # What is refused
//
// Before anything is changed, a bucket that does not keep two writers from
// creating the same object ([ErrNoCreate]: it is tried), an object of somebody
// else ([ErrNotLedger]), of a later version ([ErrNewer]), damaged ([ErrCorrupt]),
// missing in the middle ([ErrGap]), of another ledger
// ([ledger.ErrOtherLedger]); and, by a store that is open, a bucket restored from
// an earlier copy ([ledger.ErrWentBack], and [ledger.ErrOtherLedger] if it has
// gone on since). A store that is opened on an earlier copy cannot tell; the
// consumers who name their [ledger.Position] can.
//
// The clock is that of the process. It is compared with the time that the bucket
// gives to objects, when the ledger is opened and, where the bucket tells it when
// it puts, with every step: off by more than 5 minutes is [ErrClock].
//
// # Permissions
//
// For the ledger: get, put, list and delete under gaen/. For the inbox: list of
// the whole bucket, and get.
//
// # Cost
//
// A call that reads is two requests, each listing up to 1,000 names. A step is
// two such, one create and one more list, besides a get for each segment that
// others have written. [Inbox.TakeIn] lists the bucket, one request for 1,000
// objects, gets each object that is new, and takes a step for every 5,000 keys or
// 1,000 objects; it gets nothing that it knows, and where nothing is new it
// writes nothing. What it knows takes 16 bytes an object in the ledger.
//
// # Limits
//
// The state is held in memory by every process, and written whole by every
// snapshot: this is for ledgers of up to about 500,000 keys, which is 14 days of
// 3,000 submissions each. Measured on two busy cores, in a folder:
//
//	live keys            100,000    500,000
//	memory               50 MiB     283 MiB
//	resident, at most    127 MiB    686 MiB: all of them cut at once, snapshot, restored
//	snapshot             6.2 MB     31 MB
//	opened in            0.4 s      3.7 s
//	delivery of 12       14 ms      19 ms
//	delivery of 5,000    35 ms      96 ms
//	cut of 15,000        0.2 s      0.7 s
//	prune of 5,000       1.1 s      6.5 s, the snapshot with it
//
// All at once, 500,000 keys are cut in 10 s. In a bucket across a network, add
// the requests above: about ten steps a second, whatever their size, since one
// waits for the other. Larger ledgers are for sqliteledger.
//
// # Compatibility
//
// Later versions of this package read form 1; this one refuses later forms.
package bucketledger
