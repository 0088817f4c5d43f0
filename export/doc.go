// Package export writes, reads and verifies the files that phones download: TEK
// export archives.
//
// An archive is a zip file with two entries. export.bin has 16 bytes of header
// and a protocol buffers message: the time and region it covers, the new keys,
// and the revised ones, those that are something else now. export.sig has the
// signatures of all of export.bin.
//
// [Write] makes one:
//
//	info, err := export.Write(w, &export.Content{
//		Start: start, End: end, Region: "DE",
//		Keys: newKeys, RevisedKeys: revisedKeys,
//	}, signers, nil)
//
// [Open] takes anybody's, and [Archive.Verify] hands out the keys if somebody we
// trust signed it:
//
//	archive, err := export.Open(file, size, nil)
//	...
//	verified, err := archive.Verify(trusted, &export.Expectation{Region: "DE"})
//	...
//	for key, err := range verified.Keys() {
//		if errors.Is(err, export.KindKey) {
//			continue // this key is malformed, the next may be fine
//		}
//		...
//	}
//
// # What is written
//
// The bytes of export.bin are a function of the content and the signers'
// identities: keys in canonical order, fields in the order of their numbers, one
// file of one, no times of making. With keys in memory the signatures are, too.
// The zip file around them is the same as long as it is made by the same
// version of this package and of Go, as compressors may change; hash export.bin,
// not the zip.
//
// Write is the last gate before phones. It refuses what they cannot take or
// would misunderstand, naming field and place, never the key: key data of zeros
// or twice, periods, onsets and types out of range, no signer. What needs a
// clock, the embargo after a key's period, is judged where keys are released.
//
// # What is read
//
// Any archive that phones take: unknown entries and fields, old fields, fields
// in any order, stored or compressed, defaults left out or not, no keys at all.
// What is odd about it is in [Archive.Remarks]. Nothing is trusted: everything is
// bounded by [Limits], export.bin is streamed each time it is read and never held,
// and a key that cannot be costs its neighbours nothing.
//
// So an archive is inflated when it is opened, to verify it, and again for each
// range over its keys. Whoever has 32 bytes a key to spare says so by
// [ReadOptions.Hold], and it is inflated once. What is inflated is read ahead by a
// goroutine, which ends with the call or range that it reads for.
//
// # Errors
//
// Every error is an [*Error] with a [Kind] that errors.Is finds.
//
// # Compatibility
//
// Archives are those of "EK Export v1". All archives that this package has
// written can be read by all its later versions. For the same content and
// identities, export.bin and the content hash ([Content.Hash]) stay the same:
// changing them is a new major version.
//
// Package exporttest has archives to test a reader with, and a checker for
// anybody's.
package export
