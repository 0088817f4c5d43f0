// Package exporttest has what it takes to test a reader or a writer of TEK export
// archives, in Go or in another language.
//
// [Check] tells what is wrong with an archive, and what phones would make of it:
//
//	for _, f := range exporttest.Check(archive, &exporttest.CheckOptions{Trusted: trusted}) {
//		fmt.Println(f) // refused: signature-count: 1 signatures and 0 signature infos; ...
//	}
//
// # Vectors
//
// [Vectors] are archives, some of them good, most of them broken in one way. Each
// is a file, such as onset-15.zip, and a text of the same name, onset-15.txt, that
// says what a reader must make of it: lines "Name: value", of which
//
//	about        is a sentence
//	origin       is how the file was made
//	limit        is how many bytes a reader may inflate (absent: as many as it likes)
//	open         is "ok", or the kind of error ([export.Kind]) with which opening fails
//
// and, if it opens,
//
//	verify       is "ok", or the kind of error with which verifying fails
//	signed-by    are the keys whose signatures verify, as id-version
//	bin-sha256   is the digest of export.bin
//	keys         is the number of keys that can be
//	revised-keys is the number of revised keys that can be
//	rejected     are the keys that cannot be: place, field and reason, such as
//	             keys[1]/days_since_onset_of_symptoms/range
//	findings     are the names of what [Check] finds
//
// Lists have spaces between their items; empty ones are left out. The keys to be
// trusted are in trusted.txt, a key file as package signing writes it. [All]
// reads the vectors, and nothing that it does not understand.
//
// All were made by this package's tests, with
//
//	go test ./export/exporttest -run TestVectors -update
//
// which writes the same files again. The signing keys are that of the known
// answers of RFC 6979 and the one next to it, so that nobody mistakes them for
// anybody's.
package exporttest
