// Package killtest kills a whole distribution service, again and again and
// wherever it is, and looks at what the next run makes of it (invariant 2).
//
// A victim is another process, which takes uploads in, makes a cut, publishes
// and prunes, as a back end does every hour, until it kills itself: at a call to
// bucket or ledger, before its effect or after it, or at a moment. After every
// death a run is carried through, and then the tree must verify, with every key
// in it once. Now and then the ledger is taken back to an older backup, which
// the next run must either make good or refuse.
//
//	go test ./internal/killtest -kills 500 -seed 7
//
// What happens follows from the seed, but for where exactly a moment falls.
package killtest
