// Package storage is what gaen asks of an object store: a flat set of named
// objects that can be read, put, deleted and listed, with the attributes that
// a CDN wants and with conditional create.
//
// [Bucket] is what a store implements; the functions of this package are what
// everybody else calls. As with [io/fs], they take the bucket as an argument:
//
//	a, err := storage.Put(ctx, bucket, "DE/index", r, &storage.PutOptions{
//		ContentType:  "application/json",
//		CacheControl: "public, max-age=300",
//	})
//	body, a, err := storage.Get(ctx, bucket, "DE/index")
//
// The functions hold what must be the same everywhere, so that no store has to
// repeat it and none can forget it: names and options are checked, a context
// that is over starts nothing, a body that ends early is an error, a listing
// out of order is an error, every error says which operation failed on which
// object. Do not call a bucket's methods yourself.
//
// # Names
//
// Names follow [CheckName]: 1 to 1024 bytes of UTF-8, in segments separated by
// '/'. There are no directories. An object and a prefix may share a name:
// date/2020-06-11 and date/2020-06-11/hour/5 are two objects, and neither
// implies the other.
//
// # Prefixes are bytes
//
// [List] takes any string, not a directory: the prefix "hour/1" lists hour/1,
// hour/10 and hour/1/x. Retention that listed hour/1 and deleted hour/10 to
// hour/19 with it has happened (cwa-server). Write "hour/1/" for what is below
// it. The empty prefix lists everything.
//
// # Conditions
//
// Create with PutOptions.IfAbsent, which every store has; of several creators
// one wins and the others get an error that satisfies
// errors.Is(err, [io/fs.ErrExist]). Change with [Replace], which some stores
// have: it puts only if the object still has the ETag that was read.
//
// Any error but these leaves open what happened, because an answer can be lost
// after the store has done its work. So ErrExist after a repeat may be one's
// own doing: read the object back and compare.
//
// # Errors
//
// Every error is an [*Error] with operation and name. That there is no such
// object satisfies errors.Is(err, [io/fs.ErrNotExist]), and nothing else does: a
// read that fails is never "not there". [Retryable] tells what is worth
// another try.
//
// # Stores
//
// memstore (for tests and replays) and filestore (a folder that a web server
// can serve) need nothing but the standard library; s3store and gcsstore take
// the client of S3 and Google Cloud Storage. To write another,
// implement [Bucket], then the capabilities that the store has ([Replacer],
// [BatchDeleter], [Stater]), and run storagetest.Test; it has one subtest for
// each "must".
package storage
