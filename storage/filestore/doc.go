// Package filestore is a [storage.Bucket] in a folder that a web server can
// serve and rsync can copy.
//
//	bucket, err := filestore.New("/srv/keys", nil)
//
// The object DE/index is the file DE/index, whole or not there, for every
// reader of every process and at every moment. The folder must exist: an empty
// bucket where a volume failed to mount would be published as such.
//
// # Objects and prefixes of one name
//
// date/2020-06-11 may be an object while date/2020-06-11/hour/5 is one too.
// Where a folder stands in an object's place, the object is the file .object
// in that folder; and when the second object comes, the first, until then a
// plain file, is turned into such a folder in one atomic step. So nginx serves
// a bucket with
//
//	location / { root /srv/keys; try_files $uri $uri/.object =404; }
//
// and rsync -a --exclude=/.gaen copies what it serves.
//
// On Linux the step exchanges the file for a folder prepared elsewhere
// (renameat2 with RENAME_EXCHANGE). Where kernel or file system cannot, as
// NFS, the file is replaced by a symbolic link to a hidden folder beside it,
// .dir-<hash>; Go follows at most eight of them in one name.
//
// Content types, cache headers and metadata are not for the web server to see:
// it has its own configuration. They are kept in .gaen/attrs, one small file a
// version, and only where there are any.
//
// # Modes
//
// An object put with [storage.PublicRead] has mode 0644. Any other has
// Options.FileMode, 0600 by default, as private as an object store's default:
// a bucket may also hold submissions that nobody is to see yet. Folders have
// the mode that the umask allows.
//
// # ETags
//
// An ETag is a file's modification time and size, so that listing needs one
// stat for an object and a restored or copied folder (rsync -t, tar) keeps
// them. To make that stand for a version, each version of an object gets a
// later second than the one before, and fractions at random: two versions of
// equal size in the same tick differ, and so does nginx's own ETag, which
// knows seconds only. Objects replaced more than once a second run a little
// ahead of the clock. Putting an object again unchanged changes its ETag.
//
// # Files from elsewhere
//
// A file that was put there by other means is an object without attributes.
// Names that begin with a dot, and whatever is no regular file, are no
// objects. A symbolic link to a file is an object as long as it stays within
// the folder; links to folders are not listed. Whoever changes files in place,
// or keeps time and size while changing content, is not noticed.
//
// # Processes and crashes
//
// Any number of processes of one user on one host may share a folder. Each
// change is prepared aside and takes effect in a few system calls under a lock
// (flock on .gaen/lock), which the kernel releases when a process dies.
// Readers take no lock, listings only while they read the names in a folder. A
// process stopped within the lock keeps others waiting until their contexts
// end. A process killed anywhere leaves every object whole, old or new; what
// it was preparing remains in .gaen/tmp and is removed by a later [New], and a
// sidecar of a few hundred bytes that nothing refers to may remain.
//
// When a Put or Delete has returned, it is on the disk (fsync), unless
// Options.NoSync is set.
//
// # File systems
//
// They must keep modification times to 100 ns, and have hard links and flock;
// New finds out. Names that differ only in case or in Unicode normalisation
// are one name on some (macOS, Windows shares). The package builds everywhere
// and works on Linux, macOS and the BSDs; elsewhere New returns an error that
// satisfies errors.Is(err, errors.ErrUnsupported).
package filestore
