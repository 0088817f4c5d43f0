package export_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
)

// The tests in this file have other people's programs inflate what the compressor
// of this package makes.

// inflateContents are archives of all sizes and kinds, by name.
func inflateContents() map[string]*export.Content {
	r := rand.New(rand.NewPCG(21, 22))
	all := make(map[string]*export.Content)
	for _, n := range []int{1, 2, 5, 40, 300, 1000, 2000, 5000, 20_000} {
		all[fmt.Sprintf("production-%d", n)] = content(n)
	}
	for _, n := range []int{8, 9, 255, 256, 257, 8191, 8192, 8193, 8194, 16_385} { // around the edges of blocks
		alike := randomKey(r)
		c := &export.Content{Start: start, End: end, Region: "DE"}
		for range n {
			k := alike
			k.KeyData = randomKey(r).KeyData
			c.Keys = append(c.Keys, k)
		}
		all[fmt.Sprintf("alike-%d", n)] = c
	}
	for _, n := range []int{30, 3000} {
		c := &export.Content{Start: start, End: end, Region: "DE"}
		for range n {
			c.Keys = append(c.Keys, randomKey(r))
		}
		all[fmt.Sprintf("any-%d", n)] = c
	}
	numbers := content(5000)
	for i := range numbers.Keys {
		numbers.Keys[i].KeyData = keys.KeyData(fmt.Appendf(nil, "%016d", i))
	}
	all["numbers"] = numbers
	return all
}

// inflateFolder writes the archives into a folder, each with its compressed data
// alone and as a gzip file, and returns "name digest" of each export.bin.
func inflateFolder(t *testing.T) (folder string, digests map[string]string) {
	t.Helper()
	folder, digests = t.TempDir(), make(map[string]string)
	signers := oneSigner(t)
	for name, c := range inflateContents() {
		archive := mustWrite(t, c, signers, nil)
		bin := entry(t, archive, "export.bin")
		digests[name] = fmt.Sprintf("%x", sha256.Sum256(bin))
		raw := rawEntry(t, archive, "export.bin")
		packed := append([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"), raw...) // RFC 1952
		packed = binary.LittleEndian.AppendUint32(packed, crc32.ChecksumIEEE(bin))
		packed = binary.LittleEndian.AppendUint32(packed, uint32(len(bin)))
		for suffix, data := range map[string][]byte{".zip": archive, ".raw": raw, ".gz": packed} {
			if err := os.WriteFile(filepath.Join(folder, name+suffix), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return folder, digests
}

// rawEntry returns an entry of an archive as it is, compressed.
func rawEntry(t *testing.T, archive []byte, name string) []byte {
	t.Helper()
	zr, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range zr.File {
		if f.Name == name {
			r, err := f.OpenRaw()
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
	}
	t.Fatalf("no %s", name)
	return nil
}

// checkDigests takes lines of "name digest".
func checkDigests(t *testing.T, who string, out []byte, want map[string]string) {
	t.Helper()
	got := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		name, digest, _ := strings.Cut(strings.TrimSpace(line), " ")
		got[name] = digest
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s, %s: got %q, want %s", who, name, got[name], want[name])
		}
	}
}

func TestPythonInflatesOurs(t *testing.T) {
	const script = `
import glob, hashlib, os, sys, zipfile, zlib
for path in glob.glob(sys.argv[1] + "/*.raw"):
    name = os.path.basename(path)[:-4]
    d = zlib.decompressobj(-15)
    raw = open(path, "rb").read()
    data = d.decompress(raw) + d.flush()
    assert d.eof and not d.unused_data, name
    z = zipfile.ZipFile(path[:-4] + ".zip")
    assert z.testzip() is None and z.read("export.bin") == data, name
    print(name, hashlib.sha256(data).hexdigest())
`
	folder, want := inflateFolder(t)
	checkDigests(t, "python", run(t, nil, "python3", "-c", script, folder), want)
}

func TestNodeInflatesOurs(t *testing.T) {
	const script = `
const fs = require("fs"), zlib = require("zlib"), crypto = require("crypto"), folder = process.argv[1]
for (const file of fs.readdirSync(folder).filter(f => f.endsWith(".raw"))) {
	const raw = fs.readFileSync(folder + "/" + file)
	const {buffer, engine} = zlib.inflateRawSync(raw, {info: true})
	if (engine.bytesWritten !== raw.length) throw new Error(file + ": bytes after the end")
	console.log(file.slice(0, -4), crypto.createHash("sha256").update(buffer).digest("hex"))
}
`
	folder, want := inflateFolder(t)
	checkDigests(t, "node", run(t, nil, "node", "-e", script, folder), want)
}

func TestJavaInflatesOurs(t *testing.T) {
	const program = `
import java.io.*; import java.security.*; import java.util.zip.*;
class Inflate {
	public static void main(String[] args) throws Exception {
		for (File f : new File(args[0]).listFiles((d, n) -> n.endsWith(".zip"))) {
			byte[] data, streamed;
			try (ZipFile zip = new ZipFile(f)) {
				data = zip.getInputStream(zip.getEntry("export.bin")).readAllBytes();
			}
			try (ZipInputStream in = new ZipInputStream(new FileInputStream(f))) { // as phones read, without the directory
				in.getNextEntry();
				streamed = in.readAllBytes();
				if (!in.getNextEntry().getName().equals("export.sig")) throw new Exception(f + ": no export.sig");
			}
			if (!java.util.Arrays.equals(data, streamed)) throw new Exception(f + ": differs where it is streamed");
			StringBuilder hex = new StringBuilder();
			for (byte b : MessageDigest.getInstance("SHA-256").digest(data)) hex.append(String.format("%02x", b));
			System.out.println(f.getName().replace(".zip", "") + " " + hex);
		}
	}
}
`
	folder, want := inflateFolder(t)
	checkDigests(t, "java", run(t, nil, "java", writeFile(t, "Inflate.java", []byte(program)), folder), want)
}

// libdeflate's inflater is stricter about codes than zlib's.
func TestLibdeflateInflatesOurs(t *testing.T) { inflateEach(t, ".gz", "libdeflate-gunzip", "-c") }

func TestGzipInflatesOurs(t *testing.T) { inflateEach(t, ".gz", "gzip", "-dc") }

func TestUnzipInflatesOurs(t *testing.T) {
	folder, want := inflateFolder(t)
	for name := range want {
		path := filepath.Join(folder, name+".zip")
		data := run(t, nil, "unzip", "-p", path, "export.bin")
		if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != want[name] {
			t.Errorf("%s: unzip gives other bytes", name)
		}
	}
}

func inflateEach(t *testing.T, suffix, program string, args ...string) {
	folder, want := inflateFolder(t)
	for name := range want {
		data := run(t, nil, program, append(args, filepath.Join(folder, name+suffix))...)
		if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != want[name] {
			t.Errorf("%s: %s gives other bytes", name, program)
		}
	}
}

// What is written is what is there to be read, whichever way it is compressed.
func TestContentsComeBack(t *testing.T) {
	signers := oneSigner(t)
	for name, c := range inflateContents() {
		a := mustOpen(t, mustWrite(t, c, signers, nil), nil)
		if got, err := a.Unverified().Content(); err != nil || !sameContent(got, sorted(c)) {
			t.Errorf("%s: other content comes back, %v", name, err)
		}
	}
}
