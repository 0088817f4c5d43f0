// Package deltaset publishes keys as plain text, by interval: what was exposed and
// what was retracted in each, and now and then a snapshot of all that is exposed. A
// shell script can follow it (testdata/follow.sh does), or a [Client].
//
//	layout, err := deltaset.New(nil)
//	publisher, err := distribution.New(ledger, bucket, layout, packages, signers, nil)
//
//	source, err := deltaset.FromURL(nil, "https://keys.example/deltaset/DE")
//	client, err := deltaset.NewClient("/var/lib/app/keys", source, trusted, nil)
//	update, err := client.Update(ctx)
//	for record, err := range client.Keys() { ... }
//
// # Names
//
//	deltaset/packages                   DE, a line for each package
//	deltaset/DE/latest                  the number of the newest interval, and a newline
//	deltaset/DE/SHA256SUMS              all files, by their sums
//	deltaset/DE/SHA256SUMS.sig          its signature
//	deltaset/DE/exposures/494000        keys exposed in interval 494000
//	deltaset/DE/exposures/SHA256SUMS    and .sig: the files of this folder alone
//	deltaset/DE/retractions/494000      keys retracted in it
//	deltaset/DE/snapshot/494000         all that is exposed and relevant after it
//
// Interval n is the time [n·i, (n+1)·i) since the Unix epoch, i being an hour or
// another [Options.Interval]. It is published after its end, and an interval in
// which nothing happened has empty files: who finds none knows that it is not there
// yet. A file never changes. Nothing is listed before all earlier intervals are
// there. Exposures and retractions are kept for [Options.Retain] days, of the
// snapshots the newest [Options.Snapshots]; what is no longer listed is deleted some
// time later. A minute is the finest interval, and the finest there is is that of
// the ledger, whose policy asks for more than one word to cut more often than by the
// hour.
//
// With [ByDay] there are folders active and retracted instead, and a file for each
// day of keys that something happened to: active/26030123-20513.gz has the keys of
// day 20513 that were exposed in the interval that ended on 2026-03-01 at 23:00
// (2603012315 if intervals are no whole hours). An interval has at least the file of
// its own day.
//
// # Records
//
// A record is a line of six fields with a space between, and files are sorted by the
// first:
//
//	key data               32 hexadecimal digits, lower case
//	day                    the number of the UTC day since the epoch that the key begins in
//	first interval         rolling start interval number: of 10 minutes since the epoch
//	number of intervals    rolling period, 1 to 144
//	report type            0 to 4, "-" if there is none; in retractions "revoked" or "expired"
//	days since onset       of symptoms, -14 to 14, "-" if there is none
//
// Key data is hexadecimal, though base64 would be shorter by eight characters, since
// it then sorts as text as it does as bytes, whatever sort, join and comm take for
// the alphabet, and has one spelling. Compressed there is little left of the
// difference.
//
// A key is exposed, if its metadata is another later exposed again, and retracted if
// it was a mistake or is withdrawn; after that it may be exposed again. Day by day
// keys cease to be relevant: after an interval that ends at time t, those of the
// last days days are, that of t among them: day > t/86400 - days. Clients drop
// others; with [Options.Announce] they are retracted as "expired".
//
// # SHA256SUMS
//
// It begins with comments, which are signed with the rest:
//
//	# layout: gaen-deltaset 1
//	# ledger: 5d2c…          identity of what is published
//	# package: DE
//	# folder: .              or that whose files it lists
//	# files: interval        or day
//	# interval: 3600         seconds
//	# days: 14               of keys that are relevant
//	# newest: 494000         interval
//	# snapshot: 494000       the newest one; "-" for none
//	# made: 2026-05-10T09:00:41Z
//	# next: -                or i900, where the tree of another interval is
//	e3b0…  exposures/493664
//
// Sums are those of the file without content encoding, so fetch with curl
// --compressed; only of files by day, which are compressed for good, they are of the
// file as it is. Where the public key is in public.pem,
//
//	openssl dgst -sha256 -verify public.pem -signature SHA256SUMS.sig SHA256SUMS
//	sha256sum -c --ignore-missing SHA256SUMS
//
// check all that was fetched. While two signing keys overlap, SHA256SUMS.sig stays by
// the one that was there first, and SHA256SUMS.262-v2.sig is by the key of that name.
//
// # Following
//
//  1. Fetch latest. If it is the number you have, you are done.
//  2. Fetch SHA256SUMS and its signature and check them. If the newest interval is
//     older than the one you have, change nothing.
//  3. If all intervals after yours are listed, fetch their exposures and retractions;
//     if not, or you have none, begin with the newest snapshot, and fetch those
//     after it. Check the sums.
//  4. Interval by interval, take away what is retracted and put in what is exposed,
//     in the place of what you have of the key. At the end drop what is not relevant.
//  5. Keep the set and the number together.
//
// Indexes are replaced one after the other, and caches keep them for a while: latest
// for half a minute, others for [github.com/gaenkit/gaen/distribution.Options.MaxAge].
// What does not fit together, or is listed and not there, is to be tried again later.
// If the newest interval is hours old, publishing has stopped, or somebody shows you
// what was published before: say so.
//
// # Serving
//
// A folder of plain files needs nothing but a web server that compresses text
// (testdata/nginx.conf). Who copies the folder with rsync copies files first, then
// SHA256SUMS, then signatures, then latest, and deletes in a pass of its own:
//
//	rsync -r --exclude='SHA256SUMS*' --exclude=latest www/ host:www/
//	rsync -r --exclude='*.sig' --exclude=latest www/ host:www/
//	rsync -r --exclude=latest www/ host:www/
//	rsync -r --delete www/ host:www/
//
// For an object store there is [Options.Gzip].
//
// # Another interval
//
// Files of another interval have other numbers, so it is another tree:
// [Options.Subfolder] has it below deltaset/DE/i900/, published as another output,
// best from the beginning. The old layout, with [Options.Next], says in its sums
// where it goes on; clients follow, once the new tree has come as far and has a
// snapshot. The old one may be published for a while beside it.
//
// # Errors
//
// Those of [New] and [NewClient] name the field. A client's are [ErrTryAgain],
// [ErrWentBack], [ErrOther], [ErrStale], [ErrState], or of source and disk; none
// changes its state. What is read is bounded by [MaxFile] and [MaxSums], uncompressed.
//
// # Compatibility
//
// The tree is of this project's own making, after a discussion in which others asked
// for it. The header says its version; a client takes no other. Files of version 1
// stay as they are in all versions of the library.
package deltaset
