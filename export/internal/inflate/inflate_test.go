package inflate_test

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gaenkit/gaen/export/internal/inflate"
)

// The tests hold this package against compress/flate: the same bytes, or an error
// of the same kind.

func deflate(t testing.TB, level int, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// limit bounds what a test inflates: a few bytes can be a gigabyte.
const limit = 4 << 20

func inflated(t testing.TB, stream io.Reader, size int) ([]byte, error) {
	t.Helper()
	r := inflate.NewReader(stream)
	defer func() {
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}()
	return read(io.LimitReader(r, limit), size)
}

// read reads by size bytes.
func read(r io.Reader, size int) (all []byte, err error) {
	p := make([]byte, size)
	for {
		n, err := r.Read(p)
		all = append(all, p[:n]...)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

// check holds what becomes of a stream against what compress/flate makes of it.
func check(t testing.TB, stream []byte) {
	t.Helper()
	want, wantErr := read(io.LimitReader(flate.NewReader(bytes.NewReader(stream)), limit), 32<<10)
	for name, src := range map[string]io.Reader{
		"at once":      bytes.NewReader(stream),
		"byte by byte": iotest.OneByteReader(bytes.NewReader(stream)),
		"and the end":  iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		got, err := inflated(t, src, 10_000)
		if kind(err) != kind(wantErr) {
			t.Fatalf("%s: got %v, want %v", name, err, wantErr)
		}
		if err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%s: got %d other bytes, want %d", name, len(got), len(want))
		}
		if err != nil && !bytes.HasPrefix(want, got) {
			t.Fatalf("%s: what comes before the error, %d bytes, is not what compress/flate gives", name, len(got))
		}
	}
}

// kind is what an error is told apart by. Where a stream is both corrupt and too
// short, either may be seen first.
func kind(err error) string {
	if err == nil {
		return ""
	}
	if _, ok := errors.AsType[flate.CorruptInputError](err); ok || err == io.ErrUnexpectedEOF {
		return "refused"
	}
	return err.Error()
}

// samples are what is compressed: of every kind of block, code and distance.
func samples() map[string][]byte {
	r := rand.New(rand.NewPCG(3, 4))
	random := make([]byte, 300_000)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	skewed := make([]byte, 200_000) // codes of all lengths
	for i := range skewed {
		skewed[i] = byte(min(255, int(r.ExpFloat64()*20)))
	}
	steep := make([]byte, 400_000) // and of 15 bits
	for i := range steep {
		for steep[i] < 30 && r.IntN(2) == 0 {
			steep[i]++
		}
	}
	var records []byte
	for range 20_000 {
		records = append(append(records, 0x3a, 0x1b, 0x0a, 0x10), random[r.IntN(1000):][:16]...)
		records = append(records, 0x10, byte(r.IntN(8)), 0x18, 0xfc, 0xde, 0xa1, 0x01, 0x28, 0x01)
	}
	var far []byte // copies from as far back as there are
	for i := range 40 {
		far = append(far, random[i*10:][:20]...)
		far = append(far, random[:32<<10-20-i/2]...)
	}
	var near []byte // copies from each of the nearest distances, of all lengths
	for distance := 1; distance <= 40; distance++ {
		for length := 3; length <= 300; length += distance {
			pattern := random[distance*7:][:distance]
			near = append(near, bytes.Repeat(pattern, length/distance+2)[:distance+length]...)
		}
	}
	return map[string][]byte{
		"nothing": nil, "a byte": {'a'}, "random": random, "skewed": skewed, "steep": steep, "records": records, "far": far, "near": near,
		"text":  []byte(strings.Repeat("In the beginning there was a stream of bytes. ", 3000)),
		"zeros": make([]byte, 1_000_000),
	}
}

func TestSamples(t *testing.T) {
	for name, data := range samples() {
		for _, level := range []int{flate.HuffmanOnly, 0, 1, 6, 9} {
			t.Run(fmt.Sprintf("%s/%d", name, level), func(t *testing.T) {
				stream := deflate(t, level, data)
				for _, size := range []int{1, 1000, 64 << 10, 200_000} {
					if size == 1 && len(data) > 1000 {
						continue
					}
					got, err := inflated(t, bytes.NewReader(stream), size)
					if err != nil || !bytes.Equal(got, data) {
						t.Fatalf("by %d bytes: got %d bytes, %v, want the %d", size, len(got), err, len(data))
					}
				}
			})
		}
	}
}

// What follows a stream is not of it, and may be anything.
func TestWhatFollows(t *testing.T) {
	data := samples()["records"]
	stream := deflate(t, 6, data)
	for _, n := range []int{1, 7, 8, 100, 100_000} {
		got, err := inflated(t, bytes.NewReader(append(bytes.Clone(stream), bytes.Repeat([]byte{0xff}, n)...)), 64<<10)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes behind: got %d bytes, %v, want %d", n, len(got), err, len(data))
		}
	}
}

// A stream that is cut off anywhere is refused, and nothing comes of the zeros
// that stand behind the input.
func TestCutOff(t *testing.T) {
	for name, data := range samples() {
		data = data[:min(len(data), 700)]
		for _, level := range []int{flate.HuffmanOnly, 0, 6} {
			stream := deflate(t, level, data)
			for n := range stream {
				got, err := inflated(t, bytes.NewReader(stream[:n]), 64<<10)
				if err != io.ErrUnexpectedEOF {
					t.Fatalf("%s, level %d: %d of %d bytes: got %v, want %v", name, level, n, len(stream), err, io.ErrUnexpectedEOF)
				}
				if !bytes.HasPrefix(data, got) {
					t.Fatalf("%s, level %d: %d of %d bytes: other bytes come out", name, level, n, len(stream))
				}
			}
		}
	}
}

// One bit is another.
func TestFlippedBits(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, data := range samples() {
		data = data[:min(len(data), 3000)]
		for _, level := range []int{flate.HuffmanOnly, 0, 6} {
			stream := deflate(t, level, data)
			for i := range 120 {
				at := i // in the codes, where most can be wrong
				if i >= 60 || i >= 8*len(stream) {
					at = r.IntN(8 * len(stream))
				}
				broken := bytes.Clone(stream)
				broken[at/8] ^= 1 << (at % 8)
				check(t, broken)
			}
		}
	}
}

// bitWriter makes streams by hand.
type bitWriter struct {
	b []byte
	n int
}

func (w *bitWriter) put(v uint64, n int) *bitWriter {
	for i := range n {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[len(w.b)-1] |= byte(v>>i&1) << (w.n % 8)
		w.n++
	}
	return w
}

// code puts a Huffman code, whose first bit is its highest.
func (w *bitWriter) code(v uint64, n int) *bitWriter {
	for i := n - 1; i >= 0; i-- {
		w.put(v>>i&1, 1)
	}
	return w
}

// dynamic puts the beginning of a last block with codes of these lengths, in a
// code of code lengths that has 0 to 15 in 4 bits each.
func (w *bitWriter) dynamic(litLens, dists []int) *bitWriter {
	w.put(1, 1).put(2, 2).put(uint64(len(litLens)-257), 5).put(uint64(len(dists)-1), 5).put(19-4, 4)
	for _, symbol := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15} {
		if symbol <= 15 {
			w.put(4, 3)
		} else {
			w.put(0, 3)
		}
	}
	for _, n := range append(litLens[:len(litLens):len(litLens)], dists...) {
		w.code(uint64(n), 4)
	}
	return w
}

// zeros is n code lengths of zero, but for some.
func zeros(n int, but map[int]int) []int {
	all := make([]int, n)
	for symbol, length := range but {
		all[symbol] = length
	}
	return all
}

// What RFC 1951 forbids, what it leaves open and compress/flate decides, and what
// is at the edge.
func TestByHand(t *testing.T) {
	fixed := func() *bitWriter { return new(bitWriter).put(1, 1).put(1, 2) }
	literalA := func(w *bitWriter) *bitWriter { return w.code(0x30+'a', 8) }
	tests := []struct {
		name string
		w    *bitWriter
		ok   bool
	}{
		{"empty", fixed().code(0, 7), true},
		{"the fourth kind of block", new(bitWriter).put(1, 1).put(3, 2).put(0, 64), false},
		{"stored", new(bitWriter).put(1, 1).put(0, 2).put(0, 5).put(2, 16).put(0xfffd, 16).put(0x6161, 16), true},
		{"stored, none", new(bitWriter).put(1, 1).put(0, 2).put(0, 5).put(0, 16).put(0xffff, 16), true},
		{"stored, and the length is not what it is", new(bitWriter).put(1, 1).put(0, 2).put(0, 5).put(2, 16).put(0xfffc, 16).put(0x6161, 16), false},
		{"stored after a fixed one", new(bitWriter).put(0, 1).put(1, 2).code(0x30+'a', 8).code(0, 7).put(1, 1).put(0, 2).put(0, 3).put(2, 16).put(0xfffd, 16).put(0x6161, 16), true},
		{"a copy of the byte before", literalA(fixed()).code(1, 7).code(0, 5).code(0, 7), true},
		{"a copy of what is not there", fixed().code(1, 7).code(0, 5).code(0, 7), false},
		{"a copy from one too far", literalA(fixed()).code(1, 7).code(1, 5).code(0, 7), false},
		{"the longest copy", literalA(fixed()).code(0xc0+5, 8).code(0, 5).code(0, 7), true},
		{"the longest copy but one", literalA(fixed()).code(0xc0+4, 8).put(30, 5).code(0, 5).code(0, 7), true},
		{"258 in two ways", literalA(fixed()).code(0xc0+4, 8).put(31, 5).code(0, 5).code(0, 7), true},
		{"a length that is none, 286", literalA(fixed()).code(0xc0+6, 8).code(0, 5).code(0, 7).put(0, 64), false},
		{"a length that is none, 287", literalA(fixed()).code(0xc0+7, 8).code(0, 5).code(0, 7).put(0, 64), false},
		{"a distance that is none, 30", literalA(fixed()).code(1, 7).code(30, 5).code(0, 7).put(0, 64), false},
		{"a distance that is none, 31", literalA(fixed()).code(1, 7).code(31, 5).code(0, 7).put(0, 64), false},
		{"one literal, no distance", new(bitWriter).dynamic(zeros(257, map[int]int{'a': 1, 256: 1}), []int{0}).code(0, 1).code(1, 1), true},
		{"no distance, and one is used", new(bitWriter).dynamic(zeros(258, map[int]int{'a': 1, 256: 2, 257: 2}), []int{0}).code(0, 1).code(3, 2).put(0, 64), false},
		{"one distance of one bit", new(bitWriter).dynamic(zeros(258, map[int]int{'a': 1, 256: 2, 257: 2}), []int{1}).code(0, 1).code(3, 2).code(0, 1).code(2, 2), true},
		{"one distance of one bit, and the other is used", new(bitWriter).dynamic(zeros(258, map[int]int{'a': 1, 256: 2, 257: 2}), []int{1}).code(0, 1).code(3, 2).code(1, 1).code(2, 2).put(0, 64), false},
		{"one distance of two bits", new(bitWriter).dynamic(zeros(258, map[int]int{'a': 1, 256: 2, 257: 2}), []int{2}).code(0, 1).code(2, 2).put(0, 64), false},
		{"only the end", new(bitWriter).dynamic(zeros(257, map[int]int{256: 1}), []int{0}).code(0, 1), true},
		{"only the end, and the other bit comes", new(bitWriter).dynamic(zeros(257, map[int]int{256: 1}), []int{0}).code(1, 1).code(0, 1), false},
		{"no end", new(bitWriter).dynamic(zeros(257, map[int]int{'a': 1, 'b': 1}), []int{0}).code(0, 1).put(0, 64), false},
		{"no codes", new(bitWriter).dynamic(zeros(257, nil), []int{0}).put(0, 64), false},
		{"codes that leave something over", new(bitWriter).dynamic(zeros(257, map[int]int{'a': 2, 'b': 2, 256: 2}), []int{0}).code(2, 2).put(0, 64), false},
		{"too many codes", new(bitWriter).dynamic(zeros(257, map[int]int{'a': 1, 'b': 1, 256: 1}), []int{0}).code(1, 1).put(0, 64), false},
		{"all lengths of the ladder", rungs(), true},
		{"286 lengths", new(bitWriter).dynamic(zeros(286, map[int]int{285: 1, 256: 1}), []int{1}).code(0, 1), true},
		{"287 lengths", new(bitWriter).dynamic(zeros(287, map[int]int{286: 1, 256: 1}), []int{1}).code(0, 1), false},
		{"30 distances", new(bitWriter).dynamic(zeros(257, map[int]int{256: 1}), zeros(30, map[int]int{29: 1})).code(0, 1), true},
		{"31 distances", new(bitWriter).dynamic(zeros(257, map[int]int{256: 1}), zeros(31, map[int]int{29: 1})).code(0, 1), false},
		{"repeats what is before the first", repeats(16, 0, 0), false},
		{"repeats zeros beyond the last", repeats(18, 127, 2), false},
		{"nothing", new(bitWriter), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			check(t, tt.w.b)
			if _, err := inflated(t, bytes.NewReader(tt.w.b), 1000); (err == nil) != tt.ok {
				t.Errorf("got %v, want success: %t", err, tt.ok)
			}
		})
	}
}

// ladder is a code with one code of each length, and two of 15 bits.
func ladder() []int {
	all := zeros(257, nil)
	for n := 1; n <= 14; n++ {
		all['a'+n] = n
	}
	all[255], all[256] = 15, 15
	return all
}

// rungs is each symbol of the ladder, twice, and the end.
func rungs() *bitWriter {
	w := new(bitWriter).dynamic(ladder(), []int{0})
	for range 2 {
		for n := 1; n <= 14; n++ {
			w.code(1<<n-2, n)
		}
		w.code(1<<15-2, 15)
	}
	return w.code(1<<15-1, 15)
}

// repeats is the code lengths of a block with nothing but a symbol of repetition,
// some times.
func repeats(symbol int, extra uint64, more int) *bitWriter {
	w := new(bitWriter).put(1, 1).put(2, 2).put(0, 5).put(0, 5).put(0, 4)
	for _, s := range []int{16, 17, 18, 0} {
		if s == symbol || s == 0 {
			w.put(1, 3)
		} else {
			w.put(0, 3)
		}
	}
	for range more + 1 {
		w.code(1, 1).put(extra, 7)
	}
	return w.put(0, 64)
}

// An error of the source is not one of the stream, and comes after what there was.
func TestSourceFails(t *testing.T) {
	broken := errors.New("disk broken")
	stream := deflate(t, 6, samples()["records"])
	for _, n := range []int{0, 1, 100, len(stream) / 2, len(stream) - 20} {
		_, err := inflated(t, io.MultiReader(bytes.NewReader(stream[:n]), iotest.ErrReader(broken)), 1000)
		if err != broken {
			t.Errorf("after %d bytes: got %v, want %v", n, err, broken)
		}
	}
	if _, err := inflated(t, idle{}, 1000); err != io.ErrNoProgress {
		t.Errorf("neither bytes nor errors: got %v, want %v", err, io.ErrNoProgress)
	}
}

// What gives nothing now and then has not ended.
func TestIdleSource(t *testing.T) {
	data := samples()["text"]
	got, err := inflated(t, &sluggish{r: bytes.NewReader(deflate(t, 6, data))}, 1000)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("got %d bytes, %v, want %d", len(got), err, len(data))
	}
}

// sluggish gives a byte every tenth time.
type sluggish struct {
	r io.Reader
	n int
}

func (s *sluggish) Read(p []byte) (int, error) {
	if s.n++; s.n%10 != 0 {
		return 0, nil
	}
	return s.r.Read(p[:1])
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// What was used for one stream says nothing of it to the next.
func TestReuse(t *testing.T) {
	all := samples()
	fixed := new(bitWriter).put(1, 1).put(1, 2).code(0x30+'a', 8).code(0, 7).b
	for range 3 {
		for name, data := range all {
			stream := deflate(t, 6, data)
			inflated(t, bytes.NewReader(stream[:len(stream)/2]), 1000)
			if got, err := inflated(t, bytes.NewReader(fixed), 10); err != nil || string(got) != "a" {
				t.Errorf("after half of %s: got %q, %v", name, got, err)
			}
			if got, err := inflated(t, bytes.NewReader(stream), 64<<10); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s: got %d bytes, %v", name, len(got), err)
			}
		}
	}
	r := inflate.NewReader(bytes.NewReader(fixed))
	r.Close()
	if n, err := r.Read(make([]byte, 10)); n > 0 || err == nil {
		t.Errorf("after Close: got %d bytes, %v, want an error", n, err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if n, err := inflate.NewReader(bytes.NewReader(fixed)).Read(nil); n != 0 || err != nil {
		t.Errorf("no room: got %d, %v", n, err)
	}
}

// FuzzInflate takes any bytes for a stream, and for what is compressed.
func FuzzInflate(f *testing.F) {
	for _, data := range samples() {
		data = data[:min(len(data), 2000)]
		f.Add(data)
		for _, level := range []int{flate.HuffmanOnly, 0, 1, 9} {
			f.Add(deflate(f, level, data))
		}
	}
	f.Add(rungs().b)
	f.Add(repeats(18, 127, 2).b)
	f.Fuzz(func(t *testing.T, data []byte) {
		check(t, data)
		level := []int{flate.HuffmanOnly, 1, 6}[len(data)%3] // a compressor takes longer to make than all of this
		got, err := inflated(t, bytes.NewReader(deflate(t, level, data)), 777)
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("level %d: got %d bytes, %v, want %d", level, len(got), err, len(data))
		}
	})
}
