// Package nhs is the layout of the British back end: the files that the NHS
// COVID-19 app reads.
//
//	distribution/two-hourly/2020092108.zip   keys of [05:45, 07:45) of that day
//	distribution/daily/2020092200.zip        keys of [20 September 23:45, 21 September 23:45)
//
// A name is the end of a time, exclusive, in UTC; the times are moved by
// [Options.Offset]. There are no indexes: apps work out names, and ask for the
// files of 14 days. Every two hours and every day have a file, signed and without
// keys where there were none. Each object carries two metadata, Signature and
// Signature-Date, the signature of date and file by a key of its own.
//
// Files name no package, so a layout publishes one; several want prefixes of
// their own ([Options.Prefix]). A policy of the ledger must keep a day's keys
// below what phones take in one file.
//
// # The day in progress
//
// Its file is there from its first two hours on, holds what was published so far,
// and says so: it ends with the last two hours in it. It is replaced when there
// are more, for the last time when the day is over. It is the only file that
// changes, and needs a bucket that can replace on a condition.
//
// # Compatibility
//
// Names, bounds, numbers of files and metadata are those of the British back end.
// What is otherwise than there:
//
//   - A file that is closed never changes. There, every run made all files again,
//     without the keys that had expired, in another order.
//   - A run may come at any time. What is late is made up for; there, a run outside
//     of two minutes was none.
//   - Files past their retention are deleted, and nothing else is. There, days were
//     written over with signed files without keys, and what the back end did not
//     know was deleted.
//   - Signature-Date is the end of the last two hours in the file, so that who
//     writes it again writes the same. There, it was the time of signing.
//   - No key is in a file before it is due (two hours after its period).
//   - Archives have report types where they are known, and keys that were published
//     and are withdrawn since.
//
// Archives for its app need the publication map
// [github.com/gaenkit/gaen/distribution.NHS].
package nhs
