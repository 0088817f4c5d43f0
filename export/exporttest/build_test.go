package exporttest_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"maps"
	"math/big"
	"testing"
	"time"

	"github.com/gaenkit/gaen/signing"
	"google.golang.org/protobuf/encoding/protowire"
)

// The archives of the vectors are put together here byte by byte, not with
// package export: it would refuse most of them.

// key is a TemporaryExposureKey message in the making.
type key struct{ fields []byte }

func (k key) with(field protowire.Number, v uint64) key {
	b := protowire.AppendTag(bytes.Clone(k.fields), field, protowire.VarintType)
	return key{protowire.AppendVarint(b, v)}
}

func (k key) withBytes(field protowire.Number, v []byte) key {
	b := protowire.AppendTag(bytes.Clone(k.fields), field, protowire.BytesType)
	return key{protowire.AppendBytes(b, v)}
}

// keyData is that of the nth key of the vectors.
func keyData(n int) []byte {
	d := sha256.Sum256(fmt.Appendf(nil, "gaen vector key %d", n))
	return d[:16]
}

// day is the first interval of 2021-06-n.
func day(n int) uint64 {
	return uint64(time.Date(2021, 6, n, 0, 0, 0, 0, time.UTC).Unix() / 600)
}

// full is a key with everything that a key of ours has.
func full(n int) key {
	return key{}.withBytes(1, keyData(n)).with(2, 5).with(3, day(1)).with(5, 1).with(6, protowire.EncodeZigZag(int64(-2)))
}

// archive is an archive in the making.
type archive struct {
	header     string
	before     []byte // fields before all others
	start, end *uint64
	region     string
	batch      []uint64 // number and size; none if nil
	infos      [][]byte
	keys       []key
	revised    []key
	after      []byte // fields after all others
	keysFirst  bool
	edit       func(bin []byte) []byte // before signing

	signatures []signature
	sigTail    []byte // bytes after the signatures

	names    []string // of the entries: export.bin, export.sig
	contents map[string][]byte
	deflate  bool
	finish   func(zip []byte) []byte
}

// signature is a TEKSignature in the making.
type signature struct {
	info  []byte
	batch []uint64
	key   *ecdsa.PrivateKey
	edit  func(der []byte) []byte
}

func info(id, version, algorithm string) []byte {
	var b []byte
	b = protowire.AppendString(protowire.AppendTag(b, 3, protowire.BytesType), version)
	b = protowire.AppendString(protowire.AppendTag(b, 4, protowire.BytesType), id)
	return protowire.AppendString(protowire.AppendTag(b, 5, protowire.BytesType), algorithm)
}

// base is a good archive of two keys and a revised one.
func base() *archive {
	start, end := uint64(1622599200), uint64(1622602800) // 2021-06-02 02:00, 03:00
	a := &archive{
		header: "EK Export v1    ",
		start:  &start, end: &end,
		region:  "DE",
		batch:   []uint64{1, 1},
		keys:    []key{full(1), full(2)},
		revised: []key{key{}.withBytes(1, keyData(3)).with(3, day(1)).with(5, 5)},
		names:   []string{"export.bin", "export.sig"},
	}
	// Ordered by key data, of which the sums above give no order.
	if bytes.Compare(keyData(1), keyData(2)) > 0 {
		a.keys[0], a.keys[1] = a.keys[1], a.keys[0]
	}
	a.sign("262", "v1", testKey)
	return a
}

// sign adds a signature and its info.
func (a *archive) sign(id, version string, k *ecdsa.PrivateKey) {
	i := info(id, version, signing.AlgorithmECDSAWithSHA256)
	a.infos = append(a.infos, i)
	a.signatures = append(a.signatures, signature{info: i, batch: a.batch, key: k})
}

func (a *archive) bin() []byte {
	b := append([]byte(a.header), a.before...)
	if a.keysFirst {
		b = a.appendKeys(b)
	}
	for i, t := range []*uint64{a.start, a.end} {
		if t != nil {
			b = protowire.AppendFixed64(protowire.AppendTag(b, protowire.Number(1+i), protowire.Fixed64Type), *t)
		}
	}
	if a.region != "" {
		b = protowire.AppendString(protowire.AppendTag(b, 3, protowire.BytesType), a.region)
	}
	b = appendBatch(b, 4, a.batch)
	for _, i := range a.infos {
		b = protowire.AppendBytes(protowire.AppendTag(b, 6, protowire.BytesType), i)
	}
	if !a.keysFirst {
		b = a.appendKeys(b)
	}
	b = append(b, a.after...)
	if a.edit != nil {
		b = a.edit(b)
	}
	return b
}

func (a *archive) appendKeys(b []byte) []byte {
	for _, k := range a.keys {
		b = protowire.AppendBytes(protowire.AppendTag(b, 7, protowire.BytesType), k.fields)
	}
	for _, k := range a.revised {
		b = protowire.AppendBytes(protowire.AppendTag(b, 8, protowire.BytesType), k.fields)
	}
	return b
}

func appendBatch(b []byte, first protowire.Number, batch []uint64) []byte {
	for i, n := range batch {
		b = protowire.AppendVarint(protowire.AppendTag(b, first+protowire.Number(i), protowire.VarintType), n)
	}
	return b
}

func (a *archive) sig(t *testing.T, bin []byte) []byte {
	digest := sha256.Sum256(bin)
	var list []byte
	for _, s := range a.signatures {
		signer, err := signing.NewSigner(signing.Identity{KeyID: "any", KeyVersion: "any"}, s.key, nil)
		if err != nil {
			t.Fatal(err)
		}
		der, err := signer.SignDigest(digest[:])
		if err != nil {
			t.Fatal(err)
		}
		if s.edit != nil {
			der = s.edit(der)
		}
		var body []byte
		if s.info != nil {
			body = protowire.AppendBytes(protowire.AppendTag(body, 1, protowire.BytesType), s.info)
		}
		body = appendBatch(body, 2, s.batch)
		body = protowire.AppendBytes(protowire.AppendTag(body, 4, protowire.BytesType), der)
		list = protowire.AppendBytes(protowire.AppendTag(list, 1, protowire.BytesType), body)
	}
	return append(list, a.sigTail...)
}

// build returns the archive, and its export.bin.
func (a *archive) build(t *testing.T) (file, bin []byte) {
	t.Helper()
	bin = a.bin()
	contents := map[string][]byte{"export.bin": bin, "export.sig": a.sig(t, bin)}
	maps.Copy(contents, a.contents)
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	for _, name := range a.names {
		if err := addEntry(zw, name, contents[name], a.deflate); err != nil {
			t.Fatal(err)
		}
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	file = out.Bytes()
	if a.finish != nil {
		file = a.finish(file)
	}
	return file, bin
}

// addEntry adds an entry with its sizes before the data, as most zip programs
// write it.
func addEntry(zw *zip.Writer, name string, content []byte, deflate bool) error {
	packed := bytes.NewBuffer(content)
	method := zip.Store
	if deflate {
		packed, method = new(bytes.Buffer), zip.Deflate
		fw, err := flate.NewWriter(packed, flate.BestSpeed)
		if err != nil {
			return err
		}
		fw.Write(content)
		fw.Close()
	}
	w, err := zw.CreateRaw(&zip.FileHeader{
		Name:               name,
		Method:             method,
		CRC32:              crc32.ChecksumIEEE(content),
		CompressedSize64:   uint64(packed.Len()),
		UncompressedSize64: uint64(len(content)),
	})
	if err != nil {
		return err
	}
	_, err = w.Write(packed.Bytes())
	return err
}

// The keys of RFC 6979, A.2.5, and, as a second one, of the same scalar plus one.
var (
	testKey  = scalarKey("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")
	otherKey = scalarKey("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6722")
)

func scalarKey(scalar string) *ecdsa.PrivateKey {
	b, err := hex.DecodeString(scalar)
	if err != nil {
		panic(err)
	}
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), b)
	if err != nil {
		panic(err)
	}
	return k
}

// raw turns a DER signature into r and s, 32 bytes each.
func raw(der []byte) []byte {
	var s struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &s); err != nil {
		panic(err)
	}
	out := make([]byte, 64)
	s.R.FillBytes(out[:32])
	s.S.FillBytes(out[32:])
	return out
}
