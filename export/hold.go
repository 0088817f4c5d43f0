package export

import (
	"github.com/gaenkit/gaen/keys"
	"google.golang.org/protobuf/encoding/protowire"
)

// held are the keys of an archive that was opened with [ReadOptions.Hold]: those
// that were hashed, whatever becomes of the file. They are in pieces, so that
// they are never moved and no more memory is taken than there are keys.
type held [2][][]keys.TemporaryExposureKey

const (
	firstPiece = 128 // keys; each piece is as large as those before it together,
	lastPiece  = 8 << 10
)

func (h *held) add(list protowire.Number, index int, k *keys.TemporaryExposureKey) {
	pieces := &h[list-fieldKeys]
	n := len(*pieces) - 1
	if n < 0 || len((*pieces)[n]) == cap((*pieces)[n]) {
		*pieces = append(*pieces, make([]keys.TemporaryExposureKey, 0, min(max(index, firstPiece), lastPiece)))
		n++
	}
	(*pieces)[n] = append((*pieces)[n], *k)
}

// each shows a visitor what is held, in place of the file.
func (h *held) each(visit visitor) {
	for i := range h {
		index := 0
		for _, piece := range h[i] {
			for j := range piece {
				if !visit(fieldKeys+protowire.Number(i), index, &piece[j], nil) {
					return
				}
				index++
			}
		}
	}
}
