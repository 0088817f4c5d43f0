// Package keys is the model of exposure notification: diagnosis keys, the
// intervals they were in use, what is known about them, and which of them may
// enter a back end or leave it.
//
// A [DiagnosisKey] is a [TemporaryExposureKey], as a phone made it and an
// archive carries it, with what a back end knows beyond that: its origin, the
// regions visited, the kind of test, and whether its owner agreed to its
// leaving the country. Values are parsed once, where they come in
// ([ParseKeyData], [ParseRegion], [ParseDaysSinceOnset], ...); inside, a key
// that exists has 16 bytes and a region that exists is well formed.
//
// What may be absent is an [Optional]: no days since onset and an onset of 0
// days are different statements, and gateways have lost keys by mixing them up.
//
// # Validation
//
// A [Policy] is a set of rules. Three are ready made, because a key meets three
// different questions on its way: [FromPhone] (may a phone submit this),
// [FromPartner] (may another back end send us this) and [IntoArchive] (will
// phones take a file with this in it). A policy judges one key at a time and
// answers with a [Rejection] that names the field and a machine-readable
// reason; the key's neighbours are not its business.
//
// # Privacy
//
// Key data prints as "KeyData(redacted)", alone or inside other values, with fmt
// and in slog handlers, and refuses to be marshalled. Code that must have the
// bytes says so by slicing the array. See [KeyData] for what this cannot cover;
// keystest.Leak finds key data in whatever a test has printed.
//
// # Sources
//
// Names, units and ranges are those of the TemporaryExposureKeyExport protocol
// file and of the European gateway's DiagnosisKey; every rule names the clause
// or the incident it comes from.
package keys
