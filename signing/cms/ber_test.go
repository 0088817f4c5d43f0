package cms

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	data, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestToDER(t *testing.T) {
	long := strings.Repeat("aa", 300)
	for _, tt := range []struct {
		name, ber, der string // in hex
		err            error
	}{
		{"DER", "30 03 02 01 05", "30 03 02 01 05", nil},
		{"empty", "30 00", "30 00", nil},
		{"indefinite", "30 80 02 01 05 00 00", "30 03 02 01 05", nil},
		{"indefinite and empty", "30 80 00 00", "30 00", nil},
		{"indefinite in indefinite", "30 80 a0 80 02 01 05 00 00 00 00", "30 05 a0 03 02 01 05", nil},
		{"indefinite in definite", "30 09 a0 80 02 01 05 00 00 05 00", "30 07 a0 03 02 01 05 05 00", nil},
		{"two in indefinite", "30 80 02 01 05 05 00 00 00", "30 05 02 01 05 05 00", nil},
		{"a length longer than need be", "30 81 03 02 01 05", "30 03 02 01 05", nil},
		{"a length with zeros before it", "30 84 00 00 00 03 02 01 05", "30 03 02 01 05", nil},
		{"a long one", "30 82 01 30 04 82 01 2c" + long, "30 82 01 30 04 82 01 2c" + long, nil},
		{"a long one, indefinite", "30 80 04 82 01 2c" + long + "00 00", "30 82 01 30 04 82 01 2c" + long, nil},
		{"128 bytes", "04 81 80" + strings.Repeat("00", 128), "04 81 80" + strings.Repeat("00", 128), nil},
		{"127 bytes", "04 81 7f" + strings.Repeat("00", 127), "04 7f" + strings.Repeat("00", 127), nil},
		{"an octet string in pieces", "24 80 04 02 01 02 04 01 03 00 00", "04 03 01 02 03", nil},
		{"an octet string in pieces of pieces", "24 0a 24 80 04 01 01 00 00 04 01 02", "04 02 01 02", nil},
		{"an octet string in no pieces", "24 80 00 00", "04 00", nil},
		{"a set keeps its order", "31 06 02 01 05 02 01 01", "31 06 02 01 05 02 01 01", nil},

		{"nothing", "", "", errTruncated},
		{"a tag alone", "30", "", errTruncated},
		{"bytes behind", "30 00 00", "", errTrailing},
		{"bytes behind indefinite", "30 80 00 00 00 00", "", errTrailing},
		{"no end", "30 80 02 01 05", "", errTruncated},
		{"half an end", "30 80 02 01 05 00", "", errTruncated},
		{"an end in definite", "30 02 00 00", "", errTag},
		{"an end alone", "00 00", "", errTag},
		{"content missing", "30 03 02 01", "", errTruncated},
		{"content of the inner one missing", "30 03 02 02 05", "", errTruncated},
		{"the inner one longer than the outer", "30 03 02 02 05 05 00", "", errTruncated},
		{"an indefinite one that ends outside", "30 05 a0 80 02 01 05 00 00", "", errTruncated},
		{"a length missing", "30 82 01", "", errTruncated},
		{"a length of five bytes", "30 85 00 00 00 00 00", "", errLength},
		{"a length of 127 bytes", "30 ff", "", errLength},
		{"a length of 4 GiB", "30 84 ff ff ff ff 00", "", errTruncated},
		{"indefinite and primitive", "04 80 00 00", "", errLength},
		{"a long tag", "3f 81 01 00", "", errTag},
		{"a long tag, primitive", "1f 01 00", "", errTag},
		{"an octet string of something else", "24 80 02 01 05 00 00", "", errOctets},
	} {
		t.Run(tt.name, func(t *testing.T) {
			der, err := toDER(unhex(t, tt.ber))
			if !errors.Is(err, tt.err) || !bytes.Equal(der, unhex(t, tt.der)) {
				t.Errorf("got % x, %v, want %s, %v", der, err, tt.der, tt.err)
			}
		})
	}
}

func TestToDERDepth(t *testing.T) {
	nested := func(depth int) []byte {
		return append(bytes.Repeat([]byte{0x30, 0x80}, depth), bytes.Repeat([]byte{0, 0}, depth)...)
	}
	if _, err := toDER(nested(maxDepth)); err != nil {
		t.Errorf("%d deep: got %v", maxDepth, err)
	}
	for _, depth := range []int{maxDepth + 1, 10_000} {
		if _, err := toDER(nested(depth)); !errors.Is(err, errDepth) {
			t.Errorf("%d deep: got %v", depth, err)
		}
	}
}

// A signature that is made to cost as much as can be costs not much.
func TestParseIsBounded(t *testing.T) {
	const size = MaxText / 4 * 3
	deep := bytes.Repeat([]byte{0x30, 0x80}, maxDepth-1)
	filler := bytes.Repeat([]byte{5, 0}, (size-4*len(deep))/2)
	for name, ber := range map[string][]byte{
		"deep and large":       append(append(bytes.Clone(deep), filler...), bytes.Repeat([]byte{0, 0}, maxDepth-1)...),
		"octets in pieces":     append(append([]byte{0x24, 0x80}, bytes.Repeat([]byte{4, 0}, size/2-2)...), 0, 0),
		"deeper than it may":   bytes.Repeat([]byte{0x30, 0x80}, size/2),
		"pieces of pieces":     append(bytes.Repeat([]byte{0x24, 0x80}, maxDepth-1), bytes.Repeat([]byte{0, 0}, maxDepth-1)...),
		"many empty sequences": append(append([]byte{0x30, 0x80}, bytes.Repeat([]byte{0x30, 0}, size/2-2)...), 0, 0),
	} {
		t.Run(name, func(t *testing.T) {
			text := encode(ber)
			result := testing.AllocsPerRun(1, func() {
				if _, err := Parse(text, nil); err == nil {
					t.Error("parsed")
				}
			})
			if result > 2000 {
				t.Errorf("%v allocations", result)
			}
		})
	}
}
