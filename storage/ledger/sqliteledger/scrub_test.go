package sqliteledger

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// treePage returns a page with a header at an offset, and what unused must give
// of it: a part that is filled with 7.
func treePage(offset int, kind byte, headerSize, cells, content int) (page, want []byte) {
	page = bytes.Repeat([]byte{1}, 4096)
	page[offset] = kind
	binary.BigEndian.PutUint16(page[offset+3:], uint16(cells))
	binary.BigEndian.PutUint16(page[offset+5:], uint16(content))
	if from := offset + headerSize + 2*cells; from <= content && content <= len(page) {
		want = page[from:content]
		copy(want, bytes.Repeat([]byte{7}, len(want)))
	}
	return page, want
}

func TestUnused(t *testing.T) {
	tests := []struct {
		name           string
		number         int64
		kind           byte
		header         int
		cells, content int
		offset         int
		none           bool
	}{
		{name: "leaf of a table", number: 2, kind: 13, header: 8, cells: 10, content: 3000},
		{name: "leaf of an index", number: 2, kind: 10, header: 8, cells: 10, content: 3000},
		{name: "inner page of a table", number: 2, kind: 5, header: 12, cells: 10, content: 3000},
		{name: "inner page of an index", number: 2, kind: 2, header: 12, cells: 10, content: 3000},
		{name: "first page", number: 1, kind: 13, header: 8, cells: 3, content: 4000, offset: 100},
		{name: "full", number: 9, kind: 13, header: 8, cells: 100, content: 208},
		{name: "empty", number: 9, kind: 13, header: 8, cells: 0, content: 4096},
		{name: "next page of a list", number: 9, kind: 0, none: true},
		{name: "another kind", number: 9, kind: 12, none: true},
		{name: "more cells than room", number: 9, kind: 13, header: 8, cells: 100, content: 207, none: true},
		{name: "content beyond the page", number: 9, kind: 13, header: 8, cells: 1, content: 4097, none: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			page, want := treePage(tt.offset, tt.kind, tt.header, tt.cells, tt.content)
			if tt.none {
				want = nil
			}
			if got := unused(tt.number, page); !bytes.Equal(got, want) || (got == nil) != (want == nil) {
				t.Errorf("got %d bytes, want %d", len(got), len(want))
			}
		})
	}
	if got := unused(1, make([]byte, 20)); got != nil {
		t.Errorf("of a page that is too short, got %d bytes", len(got))
	}
}
