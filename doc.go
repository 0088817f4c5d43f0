// Package gaen is the root of a library for the back ends of exposure
// notification: the systems that keep diagnosis keys, exchange them with
// other countries, and publish them to phones.
//
// The packages are the product, each usable without the others' servers or
// databases:
//
//   - [github.com/gaenkit/gaen/keys] is the model: key data, intervals,
//     report types, regions, validation.
//   - [github.com/gaenkit/gaen/storage/ledger] keeps what happened to keys:
//     claimed, released in numbered cuts, withdrawn, reinstated, held. Its
//     package submit takes them from phones.
//   - [github.com/gaenkit/gaen/federation] exchanges them with other
//     countries, as client, gateway and server, over the protocols interop
//     and efgs.
//   - [github.com/gaenkit/gaen/distribution] publishes them as signed,
//     indexed, immutable archives into a [github.com/gaenkit/gaen/storage]
//     bucket, in the layouts cwa and nhs, and as deltaset's plain files.
//   - [github.com/gaenkit/gaen/export] writes, reads and verifies the
//     archives themselves, ours and anybody's.
//   - [github.com/gaenkit/gaen/signing] gives a crypto.Signer the identity
//     that phones look keys up by.
//
// The programs under examples show whole deployments. Start with
//
//	go run ./examples/distribute -generate
//
// and the README.
package gaen
