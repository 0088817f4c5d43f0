package export_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/gaenkit/gaen/export"
)

func TestRead(t *testing.T) {
	signers := oneSigner(t)
	archive := mustWrite(t, content(10), signers, nil)
	a, err := export.Read(bytes.NewReader(archive), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Verify(trust(t, signers...), nil); err != nil {
		t.Error(err)
	}
	limit := &export.ReadOptions{Limits: export.Limits{Archive: int64(len(archive))}}
	if _, err := export.Read(bytes.NewReader(archive), limit); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	endless := &counting{r: io.LimitReader(endless{}, 256<<20)}
	if _, err := export.Read(endless, limit); !errors.Is(err, export.KindTooLarge) {
		t.Errorf("endless: got %v, want %v", err, export.KindTooLarge)
	}
	if endless.n > limit.Archive+1 {
		t.Errorf("%d bytes were read, the limit is %d", endless.n, limit.Archive)
	}
	broken := errors.New("connection reset")
	if _, err := export.Read(io.MultiReader(bytes.NewReader(archive[:50]), failing{broken}), nil); !errors.Is(err, broken) || !errors.Is(err, export.KindIO) {
		t.Errorf("broken connection: got %v, want %v", err, broken)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

type counting struct {
	r io.Reader
	n int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func TestLimits(t *testing.T) {
	archive := mustWrite(t, content(100), oneSigner(t), nil)
	bin, sig := entry(t, archive, "export.bin"), entry(t, archive, "export.sig")
	nine := repack(t, "export.bin", bin, "export.sig", sig, "1", bin, "2", bin, "3", bin, "4", bin, "5", bin, "6", bin, "7", bin)
	tests := []struct {
		name    string
		archive []byte
		at      export.Limits // is enough
		below   export.Limits // is not
		kind    export.Kind
	}{
		{"archive", archive, export.Limits{Archive: int64(len(archive))}, export.Limits{Archive: int64(len(archive)) - 1}, export.KindTooLarge},
		{"bin", archive, export.Limits{Bin: int64(len(bin))}, export.Limits{Bin: int64(len(bin)) - 1}, export.KindZipBomb},
		{"sig", archive, export.Limits{Sig: int64(len(sig))}, export.Limits{Sig: int64(len(sig)) - 1}, export.KindTooLarge},
		{"keys", archive, export.Limits{Keys: 100}, export.Limits{Keys: 99}, export.KindTooLarge},
		{"entries", nine, export.Limits{Entries: 9}, export.Limits{Entries: 8}, export.KindTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			open := func(l export.Limits) error {
				_, err := export.Open(bytes.NewReader(tt.archive), int64(len(tt.archive)), &export.ReadOptions{Limits: l})
				return err
			}
			if err := open(tt.at); err != nil {
				t.Errorf("at the limit: %v", err)
			}
			if err := open(tt.below); !errors.Is(err, tt.kind) {
				t.Errorf("beyond the limit: got %v, want %v", err, tt.kind)
			}
		})
	}
	for _, l := range []export.Limits{{Archive: -1}, {Bin: -1}, {Sig: -1}, {Entries: -1}, {Keys: -1}} {
		if _, err := export.Read(bytes.NewReader(archive), &export.ReadOptions{Limits: l}); !errors.Is(err, export.KindOptions) {
			t.Errorf("%+v: got %v, want %v", l, err, export.KindOptions)
		}
	}
	if _, err := export.OpenBin(bytes.NewReader(bin), int64(len(bin)), &export.ReadOptions{Limits: export.Limits{Bin: int64(len(bin)) - 1}}); !errors.Is(err, export.KindTooLarge) {
		t.Errorf("bare: got %v, want %v", err, export.KindTooLarge)
	}
}

// What an archive says of its own size is held against the limits before any of
// it is inflated.
func TestDefaultLimitOfBin(t *testing.T) {
	sig := entry(t, mustWrite(t, content(2), oneSigner(t), nil), "export.sig")
	for size, want := range map[uint64]export.Kind{
		export.MaxBinSize:     export.KindTruncated, // there is far less
		export.MaxBinSize + 1: export.KindZipBomb,
		1 << 62:               export.KindZipBomb,
	} {
		var out bytes.Buffer
		zw := zip.NewWriter(&out)
		w, err := zw.CreateRaw(&zip.FileHeader{Name: "export.bin", Method: zip.Store, CompressedSize64: 17, UncompressedSize64: size})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, "EK Export v1    \x20")
		if w, err = zw.Create("export.sig"); err != nil {
			t.Fatal(err)
		}
		w.Write(sig)
		zw.Close()
		if _, err := export.Read(&out, nil); !errors.Is(err, want) {
			t.Errorf("%d bytes: got %v, want %v", size, err, want)
		}
	}
}

// An archive that gives more than it says gives no more than it says.
func TestBombs(t *testing.T) {
	header := []byte("EK Export v1    ")
	zeros := make([]byte, 4<<20)
	unknown := binary.AppendUvarint([]byte{0x9a, 0x06}, uint64(len(zeros)))
	tests := []struct {
		name string
		bin  []byte
		kind export.Kind // if it says how large it is
	}{
		{"unknown field", slices.Concat(header, unknown, zeros), export.KindZipBomb},
		{"zeros", slices.Concat(header, zeros), export.KindZipBomb},
		{"empty keys", slices.Concat(header, bytes.Repeat([]byte{0x3a, 0x00}, 400_000)), export.KindTooLarge},
	}
	limits := &export.ReadOptions{Limits: export.Limits{Bin: 1 << 20, Keys: 100_000}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			honest := repack(t, "export.bin", tt.bin, "export.sig", []byte(nil))
			if _, err := export.Read(bytes.NewReader(honest), limits); !errors.Is(err, tt.kind) {
				t.Errorf("in %d bytes: got %v, want %v", len(honest), err, tt.kind)
			}
			understated := bytes.Clone(honest)
			understate(t, understated)
			if _, err := export.Read(bytes.NewReader(understated), limits); !errors.Is(err, export.KindDamaged) {
				t.Errorf("in %d bytes, said to be a thousand: got %v, want %v", len(honest), err, export.KindDamaged)
			}
		})
	}
}

// understate makes the directory say that export.bin has a thousand bytes.
func understate(t *testing.T, archive []byte) {
	t.Helper()
	at := bytes.LastIndex(archive[:bytes.LastIndex(archive, []byte("PK\x01\x02"))], []byte("PK\x01\x02"))
	if at < 0 {
		t.Fatal("no directory")
	}
	copy(archive[at+24:], []byte{0xe8, 3, 0, 0})
}

// A zip directory as large as the file has room for is not read to its end.
func TestHugeDirectory(t *testing.T) {
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	for i := range 70_000 { // more than the count in the file can say
		if _, err := zw.CreateRaw(&zip.FileHeader{Name: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	zw.Close()
	huge := out.Bytes()
	r := &readerAt{data: huge}
	if _, err := export.Open(r, int64(len(huge)), nil); !errors.Is(err, export.KindTooLarge) {
		t.Errorf("got %v, want %v", err, export.KindTooLarge)
	}
	if n := r.n.Load(); n > 1<<20 {
		t.Errorf("%d bytes were read of a file of %d", n, len(huge))
	}
}

// More keys than phones take are read, and remarked on.
func TestRemarkOnTheNumberOfKeys(t *testing.T) {
	bin := entry(t, mustWrite(t, content(0), oneSigner(t), nil), "export.bin")
	record := []byte("\x3a\x12\x0a\x10sixteen bytes...")
	bin = append(bin, bytes.Repeat(record, export.MaxKeys)...)
	for _, want := range []bool{false, true} {
		a, err := export.OpenBin(bytes.NewReader(bin), int64(len(bin)), nil)
		if err != nil {
			t.Fatal(err)
		}
		got := slices.ContainsFunc(a.Remarks(), func(r export.Remark) bool { return r.Name == export.RemarkSize })
		if got != want {
			t.Errorf("%d keys: remark %t, want %t", a.Info().Keys, got, want)
		}
		bin = append(bin, record...)
	}
}
