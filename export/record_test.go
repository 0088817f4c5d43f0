package export_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gaenkit/gaen/export"
	"google.golang.org/protobuf/encoding/protowire"
)

// randomRecord returns a key as somebody may write it who knows protocol buffers
// and means harm: in any order, twice, with numbers longer than they need be,
// with fields and types that nobody knows.
func randomRecord(r *rand.Rand) []byte {
	var fields [][]byte
	data := make([]byte, 16)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	if r.IntN(50) == 0 {
		data = data[:r.IntN(16)]
	}
	if r.IntN(50) == 0 {
		clear(data)
	}
	add := func(field protowire.Number, v uint64) {
		b := protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), v)
		if n := len(b) - 1; v < 1<<40 && r.IntN(10) == 0 { // two bytes more than it needs
			b[n] |= 0x80
			b = append(b, 0x80, 0)
		}
		fields = append(fields, b)
	}
	for range 1 + r.IntN(20)/19 {
		fields = append(fields, protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), data))
	}
	for _, field := range []protowire.Number{2, 3, 4, 5, 6, 8} {
		for range r.IntN(8) / 3 {
			add(field, []uint64{0, 1, 2, 5, 144, 2_700_000, 1 << 32, 1<<64 - 1}[min(r.IntN(12), 7)])
		}
	}
	kind := r.IntN(20)
	if kind == 4 && r.IntN(100) > 0 {
		kind++ // rarely: no file with such a record decodes
	}
	switch kind {
	case 0:
		fields = append(fields, protowire.AppendFixed32(protowire.AppendTag(nil, 1, protowire.Fixed32Type), 7))
	case 1:
		fields = append(fields, protowire.AppendFixed64(protowire.AppendTag(nil, 100, protowire.Fixed64Type), 7))
	case 2:
		fields = append(fields, protowire.AppendBytes(protowire.AppendTag(nil, 4, protowire.BytesType), data))
	case 3:
		fields = append(fields, []byte{1<<3 | 3, 2 << 3, 5, 1<<3 | 4}) // a group
	case 4:
		fields = append(fields, data[:r.IntN(len(data)+1)]) // anything
	}
	if r.IntN(3) == 0 {
		r.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	}
	return bytes.Join(fields, nil)
}

// Whatever the records, and whichever metadata came before, protobuf and we make
// the same of them.
func TestRecordsAgainstProtobuf(t *testing.T) {
	decode := 0
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 9))
		var records [][]byte
		for range 1 + r.IntN(200) {
			records = append(records, randomRecord(r))
		}
		bin := []byte("EK Export v1    ")
		for range 600 { // most come again, some with another key before the same metadata
			record := records[r.IntN(len(records))]
			if bytes.HasPrefix(record, []byte("\x0a\x10")) && r.IntN(2) == 0 {
				record = bytes.Clone(record)
				record[2+r.IntN(16)] ^= byte(r.Uint32())
			}
			bin = protowire.AppendTag(bin, protowire.Number(7+r.IntN(10)/9), protowire.BytesType)
			bin = protowire.AppendBytes(bin, record)
			if r.IntN(100) == 0 {
				unknown := []protowire.Number{9, 10, 15, 99}[r.IntN(4)]
				bin = protowire.AppendBytes(protowire.AppendTag(bin, unknown, protowire.BytesType), make([]byte, r.IntN([]int{100, 10_000}[r.IntN(2)])))
			}
		}
		for _, opts := range []*export.ReadOptions{nil, hold} {
			a, err := export.OpenBin(bytes.NewReader(bin), int64(len(bin)), opts)
			checkAgainstProtobuf(t, bin, a, err)
			if err == nil {
				decode++
			}
		}
	}
	if decode < 100 {
		t.Errorf("%d of 200 decode: too few to say anything", decode)
	}
}

// Records lie across the blocks in which export.bin is read, at every place.
func TestRecordsAcrossBlocks(t *testing.T) {
	c := sorted(content(6000)) // some hundred kilobytes
	bin := entry(t, mustWrite(t, c, oneSigner(t), nil), "export.bin")
	for shift := range 64 {
		text := protowire.AppendTag([]byte("EK Export v1    "), 99, protowire.BytesType)
		text = append(protowire.AppendBytes(text, make([]byte, shift)), bin[16:]...)
		a, err := export.OpenBin(bytes.NewReader(text), int64(len(text)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := a.Unverified().Content(); err != nil || !sameContent(got, c) {
			t.Fatalf("%d bytes further: other content: %v", shift, err)
		}
	}
}

// With a field between, of any length up to the longest that is held, a record is
// whole, and one that is longer is refused.
func TestLongRecords(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 4000, 4093, 4094, 4095, 4096, 4097, 20_000, 40_000, 70_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			bin := []byte("EK Export v1    ")
			for range 40 {
				bin = protowire.AppendBytes(protowire.AppendTag(bin, 99, protowire.BytesType), make([]byte, n))
				bin = append(bin, "\x3a\x12\x0a\x10sixteen bytes..."...)
			}
			a, err := export.OpenBin(bytes.NewReader(bin), int64(len(bin)), nil)
			if err != nil || a.Info().Keys != 40 {
				t.Fatalf("unknown fields: %v", err)
			}
			region := bytes.Repeat([]byte("x"), n)
			bin = protowire.AppendBytes(protowire.AppendTag(bin, 3, protowire.BytesType), region)
			a, err = export.OpenBin(bytes.NewReader(bin), int64(len(bin)), nil)
			if n > 4096 {
				if kindOf(err) != export.KindTooLarge {
					t.Errorf("region: got %v, want %v", err, export.KindTooLarge)
				}
			} else if err != nil || a.Header().Region != string(region) {
				t.Errorf("region: got %v", err)
			}
		})
	}
}

// Metadata that was seen before is that of a key only if all of it is the same,
// and only behind the key data.
func TestMetadataSeenBefore(t *testing.T) {
	const head, data = "\x0a\x10", "sixteen bytes..."
	for n := range 40 { // as many bytes behind the key data, or one fewer
		tail := bytes.Repeat([]byte("\x10\x01"), n/2)
		if n%2 == 1 {
			tail = append([]byte("\x18\xfc\xde\xa1\x01"), bytes.Repeat([]byte("\x10\x01"), max(0, n/2-2))...)
		}
		bin := []byte("EK Export v1    ")
		for _, record := range []string{
			head + data + string(tail) + "\x28\x05\x10\x01\x10\x01\x10\x01\x10\x01", // longer, then what it begins with
			head + data + string(tail),
			head + data + string(tail) + "\x28\x05\x10\x01\x10\x01\x10\x01\x10\x01",
			"\x12\x10" + data + string(tail), // no key data
			"\x10\x01" + head + data + string(tail),
			head + data + string(tail) + head + "other key data..", // twice
			head + data + string(tail),
		} {
			bin = protowire.AppendBytes(protowire.AppendTag(bin, 7, protowire.BytesType), []byte(record))
		}
		a, err := export.OpenBin(bytes.NewReader(bin), int64(len(bin)), nil)
		if err != nil {
			t.Fatal(err)
		}
		checkAgainstProtobuf(t, bin, a, nil)
		if _, errs := collect(a.Unverified().Keys()); len(errs) != 1 {
			t.Errorf("%d bytes: got rejections %v, want that of the key without data", len(tail), errs)
		}
	}
}

// Keys with the same metadata are in an order that says nothing of their arrival
// only if it is that of their data.
func TestRemarkOnTheOrderOfLikeKeys(t *testing.T) {
	const a, b = "\x0a\x10aaaaaaaaaaaaaaaa", "\x0a\x10aaaaaaaaaaaaaaab"
	for _, list := range []string{"\x3a\x12", "\x42\x12"} {
		for records, want := range map[string]bool{list + a + list + b: false, list + b + list + a: true, list + a + list + a: false} {
			bin := "EK Export v1    " + records
			opened, err := export.OpenBin(bytes.NewReader([]byte(bin)), int64(len(bin)), nil)
			if err != nil {
				t.Fatal(err)
			}
			got := false
			for _, r := range opened.Remarks() {
				got = got || r.Name == export.RemarkOrder
			}
			if got != want {
				t.Errorf("list %d: remark on the order: %t, want %t", list[0]>>3, got, want)
			}
		}
	}
}
