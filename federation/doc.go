// Package federation exchanges diagnosis keys with federation servers: it pulls
// from them, pushes to them, relays between them, and is such a server itself. It
// knows no protocol; the packages below it do (interop, efgs).
//
// A national back end has an instance for each server. An instance is a name: the
// ledger's source under which the server's keys are kept, and under which cursors
// and ranges stand in registers. What the instance does is up to what is made for
// it:
//
//	pull, err := federation.NewPull(l, "hub-a", client, nil)                      // import
//	push, err := federation.NewPush(l, "hub-a", client, federation.Export(), nil) // export
//	push, err := federation.NewPush(l, "hub-b", client, federation.Relay(), nil)  // gateway
//
// Each run is idempotent and is called by whatever schedules: pull, then push,
// then publish. Two at once do no harm: the slower one ends and says so.
//
// # Pull
//
// An instance begins with what the server still has, or where [BeginAt] says that another
// system stopped.
// A run asks for the page after the cursor, until there is none. Each key is
// judged alone and stored as a claim of the server's, in one step with the cursor,
// whether it will be published or not; what is rejected is set aside, with its
// reason. Empty pages, repeated ones and unreadable keys are ordinary. Where a
// server's pages can still fill after they were given, each is read once more
// after a settle time; where its answer to a tag that it does not know looks like
// "nothing new", long silence is looked into by date. A page that the client cannot
// vouch for, as where its signatures are not to be had, is asked for again for some
// hours; then its keys are set aside, so that what follows it comes. Both stands
// beside the cursor: a program that is started for each run does as one that stays.
//
// # Push
//
// A run sends what the log says since the cursor: keys that became active or whose
// report type rose, and withdrawals of what was sent before. Before the first
// request the range, its parts and the rules it goes by are recorded in a register
// of the ledger, so that a repeat, after whatever crash or change of
// configuration, has the same tags and the same content. From the record on its
// keys count as sent. A key that the server refuses by itself is set aside if it has
// taken another of the range. Where it takes none, that may be about more than keys,
// as a certificate that it does not know: the run fails, and the next sends them all,
// with whatever has been released since.
//
// A server is never sent what it brought itself, so that what goes round comes to
// rest. Keys keep their origin wherever they go.
//
// A withdrawal goes to every partner that has the key and takes withdrawals. The
// reports say which could not be delivered; that a key was reinstated cannot be told
// to anybody. [Push.Account] and [Hub.Account] say what a partner was told of one key.
//
// # Hub
//
// A [Hub] is the server side over a ledger of its own: uploads of nations become
// claims, cuts become batches, each batch a range of the log, recorded in one step
// before anybody can ask for it. A nation is not given keys of its own region, nor
// keys that it had brought when they were released. A batch can be read for
// [HubOptions].Keep at least, whatever the age of its keys: for so long the hub has
// its ledger keep what is in it. A tag that is no batch's any more is passed over,
// and the place goes by its day.
//
// # Sealed uploads
//
// Where a protocol has nations sign what they upload, so that all others can check
// it, the hub keeps each upload byte for byte ([Hub.UploadSealed]) and hands it out
// as it was signed ([Hub.DownloadSealed], [Hub.Audit]). It is stored whole or not at
// all. Its keys are claims like any others, and each goes to nations of other
// protocols when it is due; the upload itself leaves when its last key does, and not
// before an earlier one of the nation of whose keys it says something new. Pieces of
// a cut come in the order of their hashes. After them come the batches of what no
// piece says, or says no longer: keys that came by other protocols, report types
// that rose, withdrawals. An upload none of whose keys ever left, or that would
// withdraw what its nation has not brought, is never handed out. A nation seals all
// that it uploads or nothing.
//
// # Errors
//
// Clients of all protocols fail with an [*Error], which is of one of the classes
// [ErrDenied], [ErrThrottled], [ErrRefused], [ErrGone] and [ErrUnavailable]. Only
// content that was refused is ever sent in smaller parts; everything else is tried
// again, as it was, by the next run. For how long a server asked to be left alone
// ([RetryAfter]) is in the reports, for whoever schedules.
//
// # Sources
//
// Rules come from the seed document, and from what six clients and two servers did
// wrong (lessons E1 to E7).
package federation
