// Package s3store is a [storage.Bucket] in S3, AWS's or another's.
//
//	cfg, err := config.LoadDefaultConfig(ctx) // of aws-sdk-go-v2
//	bucket, err := s3store.New(ctx, s3.NewFromConfig(cfg), "our-keys", nil)
//
// The client is the caller's: region, endpoint, credentials and time-outs are
// set there.
//
// # What New finds out
//
// That the bucket is there, in the client's region, and may be listed, read,
// written and deleted from; that the clocks are less than [MaxClockSkew] apart,
// since the hours that are published go by ours; that the server honours
// conditional create. Each has an error of its own that says so ([ErrNoBucket],
// [ErrRegion], [ErrClock], [ErrNoConditions], or one that satisfies
// errors.Is(err, [io/fs.ErrPermission]) and names the permission), and what can
// be found out by looking is found out before anything is changed.
//
// It takes six requests: a listing, a Get of what does not exist, and a probe
// of no bytes below .gaen/probe/, which is created, created again, replaced
// under a wrong ETag, and deleted. No object of a [storage.Bucket] has such a
// name, so nobody sees it; one of a process that died is deleted by the next
// New after an hour. Where the server ignores If-Match, the bucket has no
// Replace (see [storage.CanReplace]). That a server decides between concurrent
// requests as it should cannot be found out so; the suite in storagetest does.
//
// With Options.ReadOnly it takes the first two, and nothing is written: for
// those who verify what others publish.
//
// # Permissions
//
// On the bucket s3:ListBucket, without which S3 answers "forbidden" for an
// object that does not exist, and on its objects s3:GetObject, s3:PutObject and
// s3:DeleteObject; with [storage.PublicRead] s3:PutObjectAcl too. With
// Options.ReadOnly s3:ListBucket and s3:GetObject are enough. With
// Options.Prefix they may end at the prefix.
//
// Buckets that AWS made since April 2023 take no ACLs (object ownership is
// enforced). Make the objects public by a bucket policy, or better, let only
// the CDN read, and put with [storage.BucketACL].
//
// # Several machines
//
// Conditional create is the lock: of any number of publishers on any number of
// machines that create one object (If-None-Match: *), one wins, and the others
// get an error that satisfies errors.Is(err, [io/fs.ErrExist]) and read what is
// there. Where S3 answers neither yes nor no because another request is under
// way (409), it is asked again for up to 3 s.
//
// # Who repeats
//
// The caller, if [storage.Retryable] says so, as package distribution does.
// Every request is made once, whatever retryer the client has: after a repeat
// that the caller knows nothing of, ErrExist could be its own doing. So the
// client's own correction of a wrong clock does not come into play either.
//
// # Bodies and checksums
//
// A Put is one request, so it stores all or nothing, of at most 5 GiB. The
// content is read for its checksums before it is sent; a reader that cannot
// seek is first read into memory, up to Options.MaxBuffer, beyond which the
// error satisfies errors.Is(err, [storage.ErrTooLarge]). CRC-32 goes both ways,
// as is the client's default; for a server that does not know it, set
// RequestChecksumCalculation in the client's options.
//
// # Content types
//
// S3 has no object without a content type. One that is put without is stored as
// binary/octet-stream, S3's own default, which is read as none.
//
// # Versioned buckets
//
// They work: a deleted object does not exist, and may be created again. But
// keys that retention has deleted stay readable as noncurrent versions, until a
// lifecycle rule expires them: set one, of a day, or do not version.
//
// # Servers
//
// Tried with the whole suite: gofakes3 (rclone) v0.0.12, over HTTP and TLS, its
// memory made to check conditions as it stores (of itself it lets two win now
// and then, which no probe at start would show); versitygw v1.8.0 on a file
// system. Declared deviations:
//
//   - All: ETags stand for the content alone ("etag-changes-with-attributes").
//   - versitygw on a file system: an object d and another d/x cannot exist
//     together; the error satisfies errors.Is(err, errors.ErrUnsupported).
//     The layout of the German back end needs that.
//   - With a prefix, names are shorter by as much ("longest-names").
//
// No server that can be run locally keeps ACLs; that they are asked for is
// tested. Directory buckets (S3 Express) do not list in order and do not work.
package s3store
