//go:build unix

package export_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/export/internal/inflate"
	"github.com/gaenkit/gaen/internal/exportpb"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"google.golang.org/protobuf/proto"
)

// readStock is a reader as one writes it with what is at hand: archive/zip, which
// inflates by compress/flate, a digest, crypto/ecdsa and proto.Unmarshal. It holds
// all of export.bin, checks no key, and looks at each once.
func readStock(tb testing.TB, archive []byte, public *ecdsa.PublicKey) (n int, sum [sha256.Size]byte) {
	tb.Helper()
	zr, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		tb.Fatal(err)
	}
	bin, sig := stockEntry(tb, zr, "export.bin"), stockEntry(tb, zr, "export.sig")
	var list exportpb.TEKSignatureList
	if err := proto.Unmarshal(sig, &list); err != nil {
		tb.Fatal(err)
	}
	digest := sha256.Sum256(bin)
	if !ecdsa.VerifyASN1(public, digest[:], list.GetSignatures()[0].GetSignature()) {
		tb.Fatal("the signature does not verify")
	}
	var m exportpb.TemporaryExposureKeyExport
	if err := proto.Unmarshal(bin[16:], &m); err != nil {
		tb.Fatal(err)
	}
	var together [keys.KeyDataSize]byte
	for _, k := range m.GetKeys() {
		mix(&together, k.GetKeyData(), k.GetRollingStartIntervalNumber())
	}
	return len(m.GetKeys()), sha256.Sum256(together[:])
}

func stockEntry(tb testing.TB, zr *zip.Reader, name string) []byte {
	tb.Helper()
	f, err := zr.Open(name)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// mix is the least that one can do with a key.
func mix(sum *[keys.KeyDataSize]byte, data []byte, start int32) {
	low, high := binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])
	binary.LittleEndian.PutUint64(sum[:], low+binary.LittleEndian.Uint64(data))
	binary.LittleEndian.PutUint64(sum[8:], high+binary.LittleEndian.Uint64(data[8:])+uint64(start))
}

// readOurs opens an archive, verifies it and ranges over its keys.
func readOurs(tb testing.TB, archive []byte, trusted *signing.TrustList, opts *export.ReadOptions) (n int, sum [sha256.Size]byte) {
	tb.Helper()
	a, err := export.Open(bytes.NewReader(archive), int64(len(archive)), opts)
	if err != nil {
		tb.Fatal(err)
	}
	v, err := a.Verify(trusted, nil)
	if err != nil {
		tb.Fatal(err)
	}
	var together [keys.KeyDataSize]byte
	for k, err := range v.Keys() {
		if err != nil {
			tb.Fatal(err)
		}
		mix(&together, k.KeyData[:], int32(k.RollingStartIntervalNumber))
		n++
	}
	return n, sha256.Sum256(together[:])
}

type reading struct {
	name    string
	archive []byte
}

// readings are the archives that are read: ours; what other back ends publish, in
// the order of the key data, so that metadata changes from key to key; and of the
// size of an hour in a small country.
func readings(tb testing.TB) (all []reading, signer *signing.Signer) {
	signers := oneSigner(tb)
	for _, n := range []int{1000, 100_000, export.MaxKeys} {
		c := &export.Content{Start: start, End: end, Region: "EUR", Keys: production(1, n)}
		ours := mustWrite(tb, c, signers, nil)
		all = append(all,
			reading{fmt.Sprintf("keys=%d/order=canonical", n), ours},
			reading{fmt.Sprintf("keys=%d/order=by-key", n), byKeyData(tb, ours, signers[0])})
	}
	return all, signers[0]
}

// byKeyData returns an archive with its keys in the order of their data, as stock
// libraries write it.
func byKeyData(tb testing.TB, archive []byte, signer *signing.Signer) []byte {
	tb.Helper()
	bin := entry(tb, archive, "export.bin")
	var m exportpb.TemporaryExposureKeyExport
	if err := proto.Unmarshal(bin[16:], &m); err != nil {
		tb.Fatal(err)
	}
	slices.SortFunc(m.Keys, func(a, b *exportpb.TemporaryExposureKey) int { return bytes.Compare(a.KeyData, b.KeyData) })
	text, err := proto.Marshal(&m)
	if err != nil {
		tb.Fatal(err)
	}
	bin = append(bin[:16:16], text...)
	digest := sha256.Sum256(bin)
	der, err := signer.SignDigest(digest[:])
	if err != nil {
		tb.Fatal(err)
	}
	sig, err := proto.Marshal(&exportpb.TEKSignatureList{Signatures: []*exportpb.TEKSignature{{
		SignatureInfo: infoOf(signer, &export.WriteOptions{}), BatchNum: new(int32(1)), BatchSize: new(int32(1)), Signature: der,
	}}})
	if err != nil {
		tb.Fatal(err)
	}
	return repack(tb, "export.bin", bin, "export.sig", sig)
}

// BenchmarkReading reads the same archives by readStock and by this package, twice
// from the file and with keys held, in turn, so that whatever else the machine
// does is done to all. What is compared is the least that each took: x-streamed
// and x-held are how many times the processor's time of this package the stock
// reader takes, its collection of garbage included, x-held-wall the same by the
// clock.
func BenchmarkReading(b *testing.B) {
	all, signer := readings(b)
	public, trusted := signer.PublicKey().Key, trust(b, signer)
	for _, r := range all {
		b.Run(r.name, func(b *testing.B) {
			var stock, streamed, held least
			n := 0
			for b.Loop() {
				var want, got [sha256.Size]byte
				stock.of(b, func() { n, want = readStock(b, r.archive, public) })
				streamed.of(b, func() { _, got = readOurs(b, r.archive, trusted, nil) })
				if got != want {
					b.Fatal("the stock reader reads other keys")
				}
				held.of(b, func() { _, got = readOurs(b, r.archive, trusted, hold) })
				if got != want {
					b.Fatal("the stock reader reads other keys than are held")
				}
			}
			b.ReportMetric(stock.processor.Seconds()/streamed.processor.Seconds(), "x-streamed")
			b.ReportMetric(stock.processor.Seconds()/held.processor.Seconds(), "x-held")
			b.ReportMetric(stock.wall.Seconds()/held.wall.Seconds(), "x-held-wall")
			b.ReportMetric(streamed.processor.Seconds()*1e9/float64(n), "ns/key-streamed")
			b.ReportMetric(held.processor.Seconds()*1e9/float64(n), "ns/key-held")
		})
	}
}

// BenchmarkReadingParts are what BenchmarkReading is the sum of, in the same way
// side by side.
func BenchmarkReadingParts(b *testing.B) {
	all, signer := readings(b)
	public, trusted := signer.PublicKey().Key, trust(b, signer)
	archive := all[len(all)-2].archive
	bin := entry(b, archive, "export.bin")
	zr, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		b.Fatal(err)
	}
	raw, err := zr.File[slices.IndexFunc(zr.File, func(f *zip.File) bool { return f.Name == "export.bin" })].OpenRaw()
	if err != nil {
		b.Fatal(err)
	}
	deflated, err := io.ReadAll(raw)
	if err != nil {
		b.Fatal(err)
	}
	parts := []struct {
		name string
		run  func()
	}{
		{"compress/flate", func() { io.Copy(io.Discard, flate.NewReader(bytes.NewReader(deflated))) }},
		{"inflate", func() {
			r := inflate.NewReader(bytes.NewReader(deflated))
			defer r.Close()
			io.Copy(io.Discard, r)
		}},
		{"sha256", func() { sha256.Sum256(bin) }},
		{"crc32", func() { crc32.ChecksumIEEE(bin) }},
		{"proto.Unmarshal", func() { proto.Unmarshal(bin[16:], new(exportpb.TemporaryExposureKeyExport)) }},
		{"walk+sha256", func() { export.OpenBin(bytes.NewReader(bin), int64(len(bin)), nil) }},
		{"stock", func() { readStock(b, archive, public) }},
		{"streamed", func() { readOurs(b, archive, trusted, nil) }},
		{"held", func() { readOurs(b, archive, trusted, hold) }},
	}
	took := make([]least, len(parts))
	for b.Loop() {
		for i, p := range parts {
			took[i].of(b, p.run)
		}
	}
	for i, p := range parts {
		b.ReportMetric(took[i].processor.Seconds()*1e9/export.MaxKeys, p.name+"-ns/key")
	}
}

// least is the least that something took, in several times of doing it.
type least struct{ processor, wall time.Duration }

func (l *least) of(tb testing.TB, run func()) {
	tb.Helper()
	runtime.GC() // of what was before
	began, clock := processorTime(tb), time.Now()
	run()
	took := least{processorTime(tb) - began, time.Since(clock)}
	if l.wall == 0 {
		*l = took
	}
	l.processor, l.wall = min(l.processor, took.processor), min(l.wall, took.wall)
}
