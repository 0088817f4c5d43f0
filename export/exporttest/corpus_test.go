package exporttest_test

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/binary"
	"testing"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/export/exporttest"
	"github.com/gaenkit/gaen/signing"
	"google.golang.org/protobuf/encoding/protowire"
)

// A vectorCase is a vector in the making: what must be said of it, by hand, and
// how the file is made.
type vectorCase struct {
	exporttest.Vector
	change func(*archive) // of base
	write  func(*testing.T) []byte
}

func ok(name, about string, change func(*archive), findings ...string) vectorCase {
	return vectorCase{
		Vector: exporttest.Vector{Name: name, About: about, SignedBy: []string{"262-v1"}, Keys: 2, RevisedKeys: 1, Findings: findings},
		change: change,
	}
}

func (c vectorCase) counts(keys, revised int) vectorCase {
	c.Keys, c.RevisedKeys = keys, revised
	return c
}

func (c vectorCase) signedBy(ids ...string) vectorCase {
	c.SignedBy = ids
	return c
}

func (c vectorCase) limit(n int64) vectorCase {
	c.Limit = n
	return c
}

// oddKey is a vector in which one more key is changed, and so rejected.
func oddKey(name, about, rejected, finding string, change func(key) key) vectorCase {
	c := ok(name, about, func(a *archive) { a.keys = append(a.keys, change(full(4))) }, finding)
	if rejected == "" {
		c.Keys++
	} else {
		c.Rejected = []string{"keys[2]/" + rejected}
	}
	return c
}

// unopened is a vector that cannot be opened.
func unopened(name, about string, kind export.Kind, change func(*archive)) vectorCase {
	return vectorCase{
		Vector: exporttest.Vector{Name: name, About: about, Open: kind, Findings: []string{string(kind)}},
		change: change,
	}
}

// unverified is a vector that can be opened and not be verified.
func unverified(name, about string, kind export.Kind, change func(*archive), findings ...string) vectorCase {
	c := ok(name, about, change, append([]string{string(kind)}, findings...)...)
	c.Verify, c.SignedBy = kind, nil
	return c
}

func file(content string) func(*archive) {
	return func(a *archive) { a.finish = func([]byte) []byte { return []byte(content) } }
}

func entries(names ...string) func(*archive) {
	return func(a *archive) { a.names = names }
}

func field(number protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), v)
}

func fieldBytes(number protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), v)
}

func zigzag(n int64) uint64 { return protowire.EncodeZigZag(n) }

func negative(n int64) uint64 { return uint64(n) }

// corpus returns all vectors.
func corpus(t *testing.T) []vectorCase {
	var all []vectorCase
	for _, list := range [][]vectorCase{
		ourVectors(t), readableVectors(), oddVectors(), keyVectors(), brokenFileVectors(), brokenBinVectors(), signatureVectors(),
	} {
		all = append(all, list...)
	}
	return all
}

func readableVectors() []vectorCase {
	group := protowire.AppendTag(nil, 100, protowire.StartGroupType)
	group = append(append(group, field(1, 5)...), fieldBytes(2, []byte("x"))...)
	group = protowire.AppendTag(group, 100, protowire.EndGroupType)
	return []vectorCase{
		ok("stored", "Two keys and a revised one, not compressed.", nil),
		ok("deflated", "The same compressed.", func(a *archive) { a.deflate = true }),
		ok("sig-first", "export.sig before export.bin.", entries("export.sig", "export.bin")),
		ok("more-entries", "An entry that only Dutch phones know.", func(a *archive) {
			a.names = append(a.names, "content.sig")
			a.contents = map[string][]byte{"content.sig": []byte("anything")}
		}, "entries"),
		ok("period-144", "A rolling period of 144, written.", func(a *archive) {
			for i := range a.keys {
				a.keys[i] = a.keys[i].with(4, 144)
			}
		}),
		ok("start-left-out", "A key of 1970: the start is its default and left out.", func(a *archive) {
			a.keys = append([]key{key{}.withBytes(1, keyData(4))}, a.keys...)
		}).counts(3, 1),
		ok("unknown-fields", "Fields and groups that no version of the format has, in the message, in a key and in a signature.", func(a *archive) {
			unknown := append(append(field(99, 1), fieldBytes(98, make([]byte, 5000))...), group...)
			a.before, a.after = unknown, unknown
			a.keys[0].fields = append(append(field(77, 1), a.keys[0].fields...), group...)
			a.sigTail = unknown
		}),
		ok("wrong-types", "Known fields with another type than theirs are unknown fields.", func(a *archive) {
			a.after = append(append(field(1, 7), field(7, 7)...), fieldBytes(4, []byte{9})...)
			a.keys[0] = a.keys[0].withBytes(3, []byte{1, 2, 3}).withBytes(4, nil)
		}),
		ok("keys-first", "Keys before the other fields.", func(a *archive) { a.keysFirst = true }),
		ok("fields-twice", "Fields that are there twice: the second counts.", func(a *archive) {
			a.before = append(append(fieldBytes(3, []byte("XX")), field(4, 7)...), field(5, 8)...)
			a.keys[0].fields = append(append(fieldBytes(1, make([]byte, 15)), field(4, 200)...), a.keys[0].with(4, 144).fields...)
		}),
		ok("long-numbers", "Numbers with more bytes than they need.", func(a *archive) {
			a.keys[0].fields = append(a.keys[0].fields, 0x20, 0x90, 0x81, 0x80, 0x00)
		}),
		ok("cut-numbers", "Numbers of more than 32 bits are cut, as protocol buffers cut them.", func(a *archive) {
			a.keys[0] = a.keys[0].with(4, 1<<32+144).with(6, 1<<32+zigzag(-2))
		}),
		ok("only-revised", "No keys, one revised.", func(a *archive) { a.keys = nil }).counts(0, 1),
		ok("no-keys", "No keys at all.", func(a *archive) { a.keys, a.revised = nil, nil }).counts(0, 0),
	}
}

func oddVectors() []vectorCase {
	return []vectorCase{
		ok("unordered", "Keys in neither canonical order nor that of their data.", func(a *archive) {
			a.keys[0], a.keys[1] = a.keys[1], a.keys[0]
		}, "order"),
		ok("by-data", "Keys in the order of their data, whatever their metadata.", func(a *archive) {
			a.keys[0], a.keys[1] = a.keys[0].with(3, day(1)), a.keys[1].with(3, day(0))
		}),
		ok("no-times", "No start and no end.", func(a *archive) { a.start, a.end = nil, nil }, "bounds", "embargo"),
		ok("reversed-times", "The end before the start.", func(a *archive) { a.start, a.end = a.end, a.start }, "bounds"),
		ok("late-times", "Times that no calendar has.", func(a *archive) {
			end := uint64(1<<64 - 1)
			a.end = &end
		}, "bounds"),
		ok("no-region", "No region.", func(a *archive) { a.region = "" }, "region"),
		ok("odd-region", "A region that is no text.", func(a *archive) { a.region = "\xff\x00" }, "region"),
		ok("no-batch", "Neither number nor size of the batch.", func(a *archive) {
			a.batch, a.signatures[0].batch = nil, nil
		}, "batch"),
		ok("batch-2-of-2", "The second of two files.", func(a *archive) {
			a.batch, a.signatures[0].batch = []uint64{2, 2}, []uint64{2, 2}
		}, "batch"),
		ok("untyped-revision", "A revised key that does not say what it is now.", func(a *archive) {
			a.revised = []key{key{}.withBytes(1, keyData(3)).with(3, day(1))}
		}, "untyped"),
		ok("duplicate-key", "A key twice.", func(a *archive) { a.keys = append(a.keys, a.keys[1]) }, "duplicate-key").counts(3, 1),
		ok("revised-and-new", "A key in both lists.", func(a *archive) {
			a.revised = append(a.revised, key{}.withBytes(1, keyData(1)).with(3, day(1)).with(5, 5))
		}, "duplicate-key").counts(2, 2),
		ok("embargo", "A key that ends an hour before it is published.", func(a *archive) {
			a.keys = append(a.keys, full(4).with(3, day(2)).with(4, 12))
		}, "embargo").counts(3, 1),
	}
}

func keyVectors() []vectorCase {
	data := func(b []byte) func(key) key {
		return func(key) key { return key{}.withBytes(1, b).with(3, day(1)) }
	}
	set := func(f protowire.Number, v uint64) func(key) key {
		return func(k key) key { return k.with(f, v) }
	}
	return []vectorCase{
		oddKey("key-15", "Key data of 15 bytes.", "key_data/length", "key_data", data(keyData(4)[:15])),
		oddKey("key-17", "Key data of 17 bytes: the reference matcher hangs.", "key_data/length", "key_data", data(append(keyData(4), 1))),
		oddKey("key-none", "No key data.", "key_data/length", "key_data", func(key) key { return key{}.with(3, day(1)) }),
		oddKey("key-empty", "A key message without anything.", "key_data/length", "key_data", func(key) key { return key{} }),
		oddKey("key-zero", "Key data of zeros.", "key_data/zero", "key_data", data(make([]byte, 16))),
		oddKey("start-negative", "A start before 1970.", "rolling_start_interval_number/range", "rolling_start_interval_number", set(3, negative(-1))),
		oddKey("period-0", "A rolling period of 0.", "rolling_period/range", "rolling_period", set(4, 0)),
		oddKey("period-145", "A rolling period of 145.", "rolling_period/range", "rolling_period", set(4, 145)),
		oddKey("period-negative", "A rolling period of -144.", "rolling_period/range", "rolling_period", set(4, negative(-144))),
		oddKey("risk-9", "A transmission risk level of 9.", "transmission_risk_level/range", "transmission_risk_level", set(2, 9)),
		oddKey("risk-none", "The federation's number for no level, 2^31 - 1.", "transmission_risk_level/range", "transmission_risk_level", set(2, 1<<31-1)),
		oddKey("report-77", "A report type that there is not.", "report_type/range", "report_type", set(5, 77)),
		oddKey("onset-15", "15 days since onset: some phones ignore the whole file.", "days_since_onset_of_symptoms/range", "days_since_onset_of_symptoms", set(6, zigzag(15))),
		oddKey("onset-minus-15", "-15 days since onset.", "days_since_onset_of_symptoms/range", "days_since_onset_of_symptoms", set(6, zigzag(-15))),
		oddKey("onset-2000", "Days since onset in the European encoding.", "days_since_onset_of_symptoms/not-allowed", "days_since_onset_of_symptoms", set(6, zigzag(2000))),
		oddKey("variant-5", "A variant of concern that there is not.", "variant_of_concern/range", "variant_of_concern", set(8, 5)),
	}
}

func brokenFileVectors() []vectorCase {
	cut := func(n int) func(*archive) {
		return func(a *archive) { a.finish = func(zip []byte) []byte { return zip[:len(zip)-n] } }
	}
	return []vectorCase{
		unopened("empty", "No bytes at all.", export.KindNotZip, file("")),
		unopened("html", "An error page, served with status 200.", export.KindNotZip, file("\r\n<!DOCTYPE html>\n<html><body>Wartungsarbeiten</body></html>\n")),
		unopened("json", "An error message, served with status 200.", export.KindNotZip, file(`{"message":"Not Found"}`)),
		unopened("text", "Some text.", export.KindNotZip, file("Service unavailable\n")),
		unopened("bare-bin", "An export.bin without a zip file around it.", export.KindNotZip, func(a *archive) {
			a.finish = func([]byte) []byte { return a.bin() }
		}),
		unopened("truncated-zip", "The first half of an archive.", export.KindTruncated, func(a *archive) {
			a.finish = func(zip []byte) []byte { return zip[:len(zip)/2] }
		}),
		unopened("truncated-directory", "An archive without its last bytes.", export.KindTruncated, cut(25)),
		unopened("damaged-directory", "An archive whose directory is not where it should be.", export.KindDamaged, func(a *archive) {
			a.finish = func(zip []byte) []byte { return append(bytes.Clone(zip[:60]), zip[70:]...) }
		}),
		unopened("garbled-directory", "An archive whose directory is something else.", export.KindDamaged, func(a *archive) {
			a.finish = func(zip []byte) []byte { return bytes.ReplaceAll(zip, []byte("PK\x01\x02"), []byte("XX\x01\x02")) }
		}),
		unopened("bit-flipped", "One bit of export.bin is not what it was.", export.KindDamaged, func(a *archive) {
			a.finish = func(zip []byte) []byte {
				zip = bytes.Clone(zip)
				zip[bytes.Index(zip, keyData(1))+3] ^= 4
				return zip
			}
		}),
		unopened("no-sig", "No export.sig.", export.KindMissingEntry, entries("export.bin")),
		unopened("no-bin", "No export.bin.", export.KindMissingEntry, entries("export.sig")),
		unopened("in-a-folder", "Both entries in a folder.", export.KindMissingEntry, func(a *archive) {
			a.names = []string{"export/export.bin", "export/export.sig"}
		}),
		unopened("two-bins", "Two entries named export.bin.", export.KindDuplicateEntry, entries("export.bin", "export.bin", "export.sig")),
		unopened("two-sigs", "Two entries named export.sig.", export.KindDuplicateEntry, entries("export.bin", "export.sig", "export.sig")),
		unopened("bomb", "An export.bin of 4 MB in 4 kB, for a reader with a limit of 1 MB.", export.KindZipBomb, func(a *archive) {
			a.after, a.deflate = fieldBytes(99, make([]byte, 4<<20)), true
		}).limit(1 << 20),
	}
}

// largeField is a field with the number 2^29.
var largeField = append(binary.AppendUvarint(nil, 1<<32), 1)

func brokenBinVectors() []vectorCase {
	edit := func(f func([]byte) []byte) func(*archive) { return func(a *archive) { a.edit = f } }
	return []vectorCase{
		unopened("bin-empty", "An export.bin without a byte.", export.KindTruncated, edit(func([]byte) []byte { return nil })),
		unopened("bin-header-cut", "An export.bin that ends in its header.", export.KindTruncated, edit(func(b []byte) []byte { return b[:9] })),
		unopened("bin-cut", "An export.bin that ends inside a key: the reference matcher hangs.", export.KindTruncated, edit(func(b []byte) []byte { return b[:len(b)-5] })),
		unopened("bin-cut-in-number", "An export.bin that ends inside a number.", export.KindTruncated, edit(func(b []byte) []byte { return append(b, 0x20, 0x80) })),
		unopened("bin-cut-in-group", "An export.bin that ends inside a group.", export.KindTruncated, func(a *archive) {
			a.after = protowire.AppendTag(nil, 100, protowire.StartGroupType)
		}),
		unopened("header-v2", "The header of a version that there is not.", export.KindHeader, func(a *archive) { a.header = "EK Export v2    " }),
		unopened("header-zeros", "The header filled up with zeros instead of spaces.", export.KindHeader, func(a *archive) { a.header = "EK Export v1\x00\x00\x00\x00" }),
		unopened("header-none", "No header.", export.KindHeader, func(a *archive) { a.header = "" }),
		unopened("field-0", "A field with the number 0.", export.KindMalformed, func(a *archive) { a.after = []byte{0x02, 0x00} }),
		unopened("field-large", "A field whose number is larger than any.", export.KindMalformed, func(a *archive) { a.after = largeField }),
		unopened("field-type-7", "A field of a type that there is not.", export.KindMalformed, func(a *archive) { a.after = []byte{0x9f, 0x06} }),
		unopened("long-number", "A number of 11 bytes.", export.KindMalformed, func(a *archive) {
			a.after = append([]byte{0x20}, bytes.Repeat([]byte{0x81}, 11)...)
		}),
		unopened("large-number", "A number of more than 64 bits.", export.KindMalformed, func(a *archive) {
			a.after = append(append([]byte{0x20}, bytes.Repeat([]byte{0xff}, 9)...), 0x02)
		}),
		unopened("wrong-group-end", "A group that ends as another one.", export.KindMalformed, func(a *archive) {
			a.after = protowire.AppendTag(protowire.AppendTag(nil, 100, protowire.StartGroupType), 101, protowire.EndGroupType)
		}),
		unopened("stray-group-end", "The end of a group that did not begin.", export.KindMalformed, func(a *archive) {
			a.after = protowire.AppendTag(nil, 100, protowire.EndGroupType)
		}),
		unopened("deep-groups", "Groups in groups in groups.", export.KindTooLarge, func(a *archive) {
			a.after, a.deflate = bytes.Repeat(protowire.AppendTag(nil, 100, protowire.StartGroupType), 10_000), true
		}),
		unopened("key-malformed", "A key that is no message.", export.KindMalformed, func(a *archive) {
			a.keys = append(a.keys, key{[]byte{0x0a, 0x20, 1, 2}})
		}),
		unopened("info-malformed", "A signature info that is no message.", export.KindMalformed, func(a *archive) {
			a.infos = append(a.infos, []byte{0x1a, 0x20, 1})
		}),
		unopened("key-field-large", "In a key, a field whose number is larger than any.", export.KindMalformed, func(a *archive) {
			a.keys = append(a.keys, key{append(full(4).fields, largeField...)})
		}),
		unopened("info-field-large", "In a signature info, a field whose number is larger than any.", export.KindMalformed, func(a *archive) {
			a.infos[0] = append(a.infos[0], largeField...)
		}),
		unopened("key-huge", "A key that says it has two gigabytes.", export.KindTooLarge, func(a *archive) {
			a.after = append([]byte{0x3a}, binary.AppendUvarint(nil, 1<<31)...)
		}),
		unopened("field-huge", "An unknown field that says it has 2^63 bytes.", export.KindTooLarge, func(a *archive) {
			a.after = append(protowire.AppendTag(nil, 99, protowire.BytesType), binary.AppendUvarint(nil, 1<<63)...)
		}),
		unopened("many-infos", "101 signature infos.", export.KindTooLarge, func(a *archive) {
			for len(a.infos) <= 100 {
				a.infos = append(a.infos, a.infos[0])
			}
		}),
	}
}

func signatureVectors() []vectorCase {
	editDER := func(f func([]byte) []byte) func(*archive) {
		return func(a *archive) { a.signatures[0].edit = f }
	}
	named := func(algorithm string) func(*archive) {
		return func(a *archive) {
			i := info("262", "v1", algorithm)
			a.infos[0], a.signatures[0].info = i, i
		}
	}
	resign := func(id, version string, k *ecdsa.PrivateKey) func(*archive) {
		return func(a *archive) {
			a.infos, a.signatures = nil, nil
			a.sign(id, version, k)
		}
	}
	return []vectorCase{
		unverified("raw-signature", "r and s, 32 bytes each, instead of ASN.1.", export.KindBadSignature, editDER(raw), "encoding"),
		unverified("signature-tail", "A signature with a byte after it.", export.KindBadSignature, editDER(func(der []byte) []byte { return append(der, 0) }), "encoding"),
		unverified("signature-empty", "A signature of no bytes.", export.KindBadSignature, editDER(func([]byte) []byte { return nil }), "encoding"),
		unverified("signature-of-another", "Signed with another key than it says.", export.KindBadSignature, resign("262", "v1", otherKey)),
		unverified("signature-of-other-bytes", "A signature of something else.", export.KindBadSignature, func(a *archive) {
			other := base()
			other.region = "FR"
			a.contents = map[string][]byte{"export.bin": other.bin()}
		}),
		unverified("untrusted", "Signed with a key that nobody knows.", export.KindUntrusted, resign("310", "v1", otherKey)),
		unverified("untrusted-version", "Signed with a version of the key that nobody knows.", export.KindUntrusted, resign("262", "v9", testKey)),
		unverified("unsigned", "An export.sig without a signature.", export.KindUnsigned, func(a *archive) { a.signatures = nil }, "signature-count"),
		unopened("sig-malformed", "An export.sig that is no message.", export.KindMalformed, func(a *archive) {
			a.contents = map[string][]byte{"export.sig": {0x0a, 0x50, 1}}
		}),
		unopened("sig-large", "An export.sig of 70 kB.", export.KindTooLarge, func(a *archive) {
			a.sigTail, a.deflate = fieldBytes(99, make([]byte, 70_000)), true
		}),
		unopened("many-signatures", "101 signatures.", export.KindTooLarge, func(a *archive) {
			for len(a.signatures) <= 100 {
				a.signatures = append(a.signatures, signature{key: testKey, info: field(3, 0)})
			}
		}),
		ok("second-untrusted", "A second signature, by a key that nobody knows.", func(a *archive) { a.sign("310", "v1", otherKey) }),
		ok("second-bad", "A second signature, in the name of a trusted key, that does not verify.", func(a *archive) {
			a.sign("262", "v2", testKey)
		}, "other-signature"),
		ok("expired-key", "Signed with a key that was no longer in use.", resign("262", "v0", testKey), "validity").signedBy("262-v0"),
		ok("eleven-signatures", "More signatures than phones take.", func(a *archive) {
			for range 10 {
				a.sign("310", "v1", otherKey)
			}
		}, "signature-count"),
		ok("no-infos", "No signature info in export.bin, and the algorithm by name: Finland's test data.", func(a *archive) {
			named("ECDSA p-256 SHA-256")(a)
			a.infos = nil
		}, "signature-count", "algorithm"),
		ok("one-info-for-two", "Two signatures and one signature info.", func(a *archive) {
			a.sign("262", "v2", otherKey)
			a.infos = a.infos[:1]
		}, "signature-count", "signature-info").signedBy("262-v1", "262-v2"),
		ok("another-info", "A signature info of another key.", func(a *archive) {
			a.infos[0] = info("262", "v2", signing.AlgorithmECDSAWithSHA256)
		}, "signature-info"),
		ok("another-batch", "A batch of 2 in export.sig, of 1 in export.bin.", func(a *archive) {
			a.signatures[0].batch = []uint64{1, 2}
		}, "signature-info"),
		ok("algorithm-name", "The algorithm by name.", named("SHA256withECDSA"), "algorithm"),
		ok("algorithm-sha512", "The OID of ECDSA with SHA-512, signed with SHA-256.", named("1.2.840.10045.4.3.4"), "algorithm"),
		unverified("odd-identity", "A key id that is an app's name.", export.KindUntrusted, resign("org.example.warn", "v1", testKey), "identity"),
	}
}
