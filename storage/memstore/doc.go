// Package memstore is a [storage.Bucket] in memory, for tests and replays.
//
//	bucket := memstore.New(nil)
//
// It does everything that a bucket may do: conditional create and replace,
// batch delete, attributes without the body. ETags are digests of content and
// attributes, so the same puts give the same ETags in every run, whatever
// their order; with the clock injected, a replay gives the same bucket.
package memstore
