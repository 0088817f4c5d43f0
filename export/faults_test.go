package export_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"sync/atomic"
	"testing"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
)

// readerAt lets a test stand between an archive and its bytes.
type readerAt struct {
	data []byte
	read func(off int64) error
	n    atomic.Int64 // bytes read
}

func (r *readerAt) ReadAt(p []byte, off int64) (int, error) {
	if r.read != nil {
		if err := r.read(off); err != nil {
			return 0, err
		}
	}
	n, err := bytes.NewReader(r.data).ReadAt(p, off)
	r.n.Add(int64(n))
	return n, err
}

// A file that changes after it was verified is found out, whatever it changes
// into; and a key that is not what was signed is not the last thing one hears.
func TestFileThatChanges(t *testing.T) {
	signers := oneSigner(t)
	c := content(300)
	other := content(300)
	other.Keys[7].KeyData[3] ^= 1
	infos := [2][]byte{mustWrite(t, c, signers, nil), mustWrite(t, other, signers, nil)}

	t.Run("other keys", func(t *testing.T) {
		// Not compressed, so that the entry stays where it is.
		was := stored(t, entry(t, infos[0], "export.bin"), entry(t, infos[0], "export.sig"))
		is := stored(t, entry(t, infos[1], "export.bin"), entry(t, infos[0], "export.sig"))
		if len(was) != len(is) {
			t.Fatal("the archives are not of the same size")
		}
		r := &readerAt{data: bytes.Clone(was)}
		a, err := export.Open(r, int64(len(was)), nil)
		if err != nil {
			t.Fatal(err)
		}
		v, err := a.Verify(trust(t, signers...), nil)
		if err != nil {
			t.Fatal(err)
		}
		copy(r.data, is)
		for name, seq := range map[string]func(func(keys.TemporaryExposureKey, error) bool){"keys": v.Keys(), "revised keys": v.RevisedKeys()} {
			if _, errs := collect(seq); len(errs) != 1 {
				t.Errorf("%s: got errors %v, want one", name, errs)
			}
		}
		if _, err := v.Content(); err == nil {
			t.Error("Content: want an error")
		}
	})
	t.Run("other keys, bare", func(t *testing.T) {
		was, is := entry(t, infos[0], "export.bin"), entry(t, infos[1], "export.bin")
		r := &readerAt{data: bytes.Clone(was)}
		a, err := export.OpenBin(r, int64(len(was)), nil)
		if err != nil {
			t.Fatal(err)
		}
		copy(r.data, is)
		_, errs := collect(a.Unverified().Keys())
		if len(errs) != 1 || !errors.Is(errs[0], export.KindChanged) {
			t.Errorf("got errors %v, want one of %v", errs, export.KindChanged)
		}
		copy(r.data[len(r.data)/2:], bytes.Repeat([]byte{0xff}, 100))
		if got, errs := collect(a.Unverified().Keys()); len(errs) != 1 || len(got) == 0 {
			t.Errorf("broken in the middle: got %d keys and errors %v, want some keys, then one error", len(got), errs)
		}
	})
}

// stored returns an archive whose entries are not compressed.
func stored(t *testing.T, bin, sig []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	for _, e := range []struct {
		name string
		data []byte
	}{{"export.bin", bin}, {"export.sig", sig}} {
		w, err := zw.CreateHeader(&zip.FileHeader{Name: e.name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		w.Write(e.data)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A disk that fails is not a file that is broken.
func TestReadErrors(t *testing.T) {
	archive := mustWrite(t, content(5000), oneSigner(t), nil)
	broken := errors.New("disk broken")
	reads := 0
	for fails := 0; ; fails++ {
		reads = 0
		r := &readerAt{data: archive, read: func(int64) error {
			if reads++; reads > fails {
				return broken
			}
			return nil
		}}
		a, err := export.Open(r, int64(len(archive)), nil)
		if err == nil {
			if fails == 0 {
				t.Fatal("opened without reading")
			}
			_, errs := collect(a.Unverified().Keys())
			if len(errs) != 1 || !errors.Is(errs[0], export.KindIO) || !errors.Is(errs[0], broken) {
				t.Errorf("ranging over keys: got %v, want one of %v", errs, broken)
			}
			return
		}
		if !errors.Is(err, export.KindIO) || !errors.Is(err, broken) {
			t.Errorf("read %d fails: got %v (%s), want %v", fails, err, kindOf(err), broken)
		}
	}
}

func TestSizeThatIsNotSo(t *testing.T) {
	archive := mustWrite(t, content(10), oneSigner(t), nil)
	for _, size := range []int64{0, 1, int64(len(archive)) - 1, int64(len(archive)) + 100_000} {
		if a, err := export.Open(bytes.NewReader(archive), size, nil); err == nil || kindOf(err) == "" {
			t.Errorf("size %d of %d: got %v, %v, want an error", size, len(archive), a, err)
		}
	}
}

// sluggishAt gives nothing most of the time, or ever.
type sluggishAt struct {
	data []byte
	n    atomic.Int64
	ever bool
}

func (s *sluggishAt) ReadAt(p []byte, off int64) (int, error) {
	if s.n.Add(1)%10 != 0 || !s.ever {
		return 0, nil
	}
	return bytes.NewReader(s.data).ReadAt(p[:min(len(p), 100)], off)
}

// What gives neither bytes nor errors is tried again, and not for ever.
func TestFileThatGivesNothing(t *testing.T) {
	c := sorted(content(3000))
	bin := entry(t, mustWrite(t, c, oneSigner(t), nil), "export.bin")
	a, err := export.OpenBin(&sluggishAt{data: bin, ever: true}, int64(len(bin)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := a.Unverified().Content(); err != nil || !sameContent(got, c) {
		t.Errorf("other content: %v", err)
	}
	if _, err := export.OpenBin(&sluggishAt{data: bin}, int64(len(bin)), nil); !errors.Is(err, io.ErrNoProgress) || !errors.Is(err, export.KindIO) {
		t.Errorf("got %v, want %v", err, io.ErrNoProgress)
	}
}
