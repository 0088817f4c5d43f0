// Package gcsstore is a [storage.Bucket] in Google Cloud Storage.
//
//	client, err := gcs.NewClient(ctx) // of cloud.google.com/go/storage
//	bucket, err := gcsstore.New(ctx, client, "our-keys", nil)
//
// The client is the caller's, and one of HTTP (NewClient, not NewGRPCClient):
// with the other, New fails.
//
// # What New finds out
//
// That the bucket is there and may be listed, read, written and deleted from;
// that the clocks are less than [MaxClockSkew] apart, since the hours that are
// published go by ours; that the server honours conditional create. Each has an
// error of its own that says so ([ErrNoBucket], [ErrClock], [ErrNoConditions], or
// one that satisfies errors.Is(err, [io/fs.ErrPermission]) and names the
// permission).
//
// It takes six requests: a listing, twice, a look for what does not exist, and
// a probe of no bytes below .gaen/probe/, which is created, created again and
// deleted. No object of a [storage.Bucket] has such a name, so nobody sees it;
// one of a process that died is deleted by the next New after an hour.
//
// With Options.ReadOnly nothing is written, and the clock, which is that of an
// object just put, is not compared: for those who verify what others publish.
//
// # Permissions
//
// storage.objects.list, get, create and delete (roles/storage.objectUser);
// delete is also what replacing takes. With Options.ReadOnly storage.objects.list
// and get (roles/storage.objectViewer) are enough. With [storage.PublicRead]
// storage.objects.setIamPolicy too. Buckets with uniform bucket-level access,
// which Google recommends, or public access prevention take no ACLs: make the
// objects public by IAM, or let only the CDN read, and put with
// [storage.BucketACL].
//
// # Several machines
//
// Conditional create is the lock: of any number of publishers on any number of
// machines that create one object (ifGenerationMatch=0), one wins, and the
// others get an error that satisfies errors.Is(err, [io/fs.ErrExist]) and read
// what is there. An ETag is an object's generation and metageneration, so it
// changes with attributes too, and Replace compares both.
//
// # Who repeats
//
// The caller, if [storage.Retryable] says so, as package distribution does.
// Every request is made once, whatever retryer the client has: after a repeat
// that the caller knows nothing of, ErrExist could be its own doing. Only a body
// that breaks is taken up by the client, at the same generation. Cloud
// Storage lets one object be changed about once a second, and says 429 beyond.
//
// # Bodies
//
// A Put is one request, so it stores all or nothing; the server checks the
// CRC-32C. The content is read once before it is sent; a reader that cannot seek
// is held in memory, up to Options.MaxBuffer, beyond which the error satisfies
// errors.Is(err, [storage.ErrTooLarge]).
//
// # Deleted objects
//
// Buckets keep deleted objects for seven days, unless their soft delete policy
// is turned off, and versioned buckets keep them for longer. For keys whose time
// is over, turn it off, or count the days to retention.
//
// # What it costs to build
//
// The client brings gRPC and its telemetry, which nothing here uses. Build with
//
//	go build -tags disable_grpc_modules
//
// and a binary grows by 15 MiB instead of 27. Whoever does not import this
// package builds none of it.
//
// # Servers
//
// Tried with the whole suite, without deviations but longest-names with a
// prefix: fake-gcs-server v1.56.1 (internal/gcstest, a module of its own). It
// ignores ifMetagenerationMatch; that this is sent is tested.
package gcsstore
