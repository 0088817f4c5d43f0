// Package privacy computes what a publication reveals of single uploads: from a
// ledger, which knows the uploads, or from a published tree, which everybody can
// read.
//
//	report, err := privacy.OfLedger(ctx, ledger, outputs, nil)
//	report, err := privacy.OfTree(ctx, trees, nil)
//	report.Text(os.Stdout)
//
// Both only read. A [Report] has what was measured, and a [Finding] for each thing
// that passes its limit: what it is, how often and when, and what to do. No report
// has key data, or the name of an upload. The rules are [Rule]; each says what it
// measures.
//
// # Ledger and tree
//
// A ledger knows which keys came together, what waited, and what is padding. A tree
// knows what a stranger can do with the files of all layouts: take one from
// another. What the one at hand cannot tell is in [Report.Blind]. Who has both asks
// both.
//
// # Memory
//
// A ledger is read cut by cut and a tree window by window, in the order of time. What
// is held is one base window of a ledger, and of a tree the files of a day and a
// window, so that a day can be compared with its hours; not the history.
package privacy
