// Package ledgertest is the suite for ledgers. It holds a [ledger.Store] to
// every "must" of its contract, and, with the rules of package ledger around
// it, to what the whole promises: windows that never change, books that balance,
// units that no other origin touches.
//
// A team that writes its own store runs all of it in five lines:
//
//	func TestStore(t *testing.T) {
//		ledgertest.Test(t, func(t *testing.T, clock func() time.Time) ledger.Store {
//			return newOurStore(t, clock)
//		}, nil)
//	}
//
// # Clauses
//
// Each subtest is a clause: a name, the sentence it holds the store to, and a
// check. A failure quotes the sentence. Where a store deviates, it says so in
// [Options.Skip], and the reason is printed; what the suite does not check, the
// contract does not promise. Clauses that need a capability, such as a second
// handle on the same ledger, are skipped, and say so, where [Options] do not
// offer it.
//
// # Crashes
//
// [TestKilled] kills a process that writes, again and again, and [TestServerCrash] has
// the server crash that keeps the ledger; both expect what was answered to be there,
// and no step to be there in part. The process is the test binary, which [Victim] makes
// one:
//
//	func TestMain(m *testing.M) {
//		ledgertest.Victim(openOurs)
//		os.Exit(m.Run())
//	}
//
//	func TestKilled(t *testing.T) { ledgertest.TestKilled(t, t.TempDir(), openOurs, 20) }
//
// where openOurs opens the ledger at a place that another process can open, too.
//
// # Benchmarks
//
// [BenchmarkAccept], [BenchmarkDay], [BenchmarkKnown] and [BenchmarkOrder] do, at the
// size of a national back end, what takes longest. What else a store should be measured
// by can be done in a [Scene].
//
// # Faults
//
// [Faulty] wraps a store in which calls fail on purpose, before their effect or
// after it, for tests of whatever stands on a ledger.
//
// # Random histories
//
// The clause random-histories runs histories made from a seed (deliveries from
// own and partner sources, conflicts, withdrawals, holds, jumping clocks, cuts,
// pruning) against the store and against a plain model of the design, and
// compares everything that can be observed. A failure prints the seed; run that
// history alone, or many more, with flags of the test binary:
//
//	go test ./ourstore -run /random-histories -args -ledgertest.seed=4711
//	go test ./ourstore -run /random-histories -args -ledgertest.histories=20000
package ledgertest
