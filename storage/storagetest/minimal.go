package storagetest

import "github.com/gaenkit/gaen/storage"

// Minimal returns b without what it can do beyond a [storage.Bucket], as a
// store that has no conditional replace, no batch delete and no requests for
// attributes alone.
func Minimal(b storage.Bucket) storage.Bucket { return struct{ storage.Bucket }{b} }
