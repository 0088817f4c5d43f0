// Package storagetest checks implementations of [storage.Bucket], and makes
// buckets that fail on purpose.
//
// The whole test of a bucket is
//
//	func TestBucket(t *testing.T) {
//		storagetest.Test(t, func(t *testing.T) storage.Bucket { return newOurBucket(t) }, nil)
//	}
//
// with one subtest for each clause of the contract. What the suite does not
// check, the interface does not promise. A store that cannot keep a clause
// says so in [Options].Skip, with a reason, which is printed.
//
// A wrapper, which passes calls on to another bucket, is checked by [Test]
// around a bucket that works and by [TestWrapper], for what the wrapped bucket
// can do beyond the interface.
//
// # Faults
//
// [Faulty] wraps a bucket, numbers the calls to it, and lets a [Hook] decide
// what becomes of each: that it fails before its effect or after it, half way,
// or waits; that a listing is stale or lacks its end. Code that must survive a
// crash anywhere is run once for every call, with a fault at that call.
// [Transport] does the same to the requests of a client of HTTP, under any
// store that is reached by one.
//
// Hooks are made of others ([Only], [Delay], [Random], [First]), so that this is
// a bad day at the store, the same one every time:
//
//	hook := storagetest.First(
//		storagetest.Random(1, 0.05, storagetest.FailAfter, http.StatusServiceUnavailable),
//		storagetest.Only(storagetest.FailAt(1, storagetest.Stale), storagetest.OpList))
//
// [Minimal] hides what a bucket can do beyond the interface.
package storagetest
