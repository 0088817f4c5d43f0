package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Identity is what a ledger is told from another by: 16 random bytes, made with
// it.
type Identity [16]byte

// String returns the identity in hexadecimal.
func (id Identity) String() string { return hex.EncodeToString(id[:]) }

// Hash chains a cut to all cuts before it.
type Hash [32]byte

// String returns the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText returns the hash in hexadecimal.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads what MarshalText writes.
func (h *Hash) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != len(h) {
		return fmt.Errorf("ledger: hash of %d digits, want %d", len(text), hex.EncodedLen(len(h)))
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// A Cut is one release: the numbers that it gave, and the time it stands for.
type Cut struct {
	Seq    int64     // 1 for the first cut
	Time   time.Time // T, a point of the grid
	Last   int64     // the last number given in it, or before it if it took nothing
	Policy int64     // the version of the policy it went by
	Nonce  Nonce     // makes two histories differ from where they part
	Hash   Hash      // over all of this and the cut before
	Pruned bool      // some of its numbers can no longer be read
}

// Next returns the cut after c, which is zero for the first, with numbers up to
// last.
func (c Cut) Next(id Identity, t time.Time, last, policy int64) Cut {
	next := Cut{Seq: c.Seq + 1, Time: t.UTC(), Last: last, Policy: policy, Nonce: NewNonce()}
	next.Hash = next.chain(id, c.Hash)
	return next
}

// Follows reports whether c is what came after the cut before in the ledger
// with this identity.
func (c Cut) Follows(id Identity, before Cut) bool {
	return c.Seq == before.Seq+1 && c.Hash == c.chain(id, before.Hash)
}

func (c Cut) chain(id Identity, before Hash) Hash {
	h := sha256.New()
	h.Write([]byte("gaen cut 1"))
	h.Write(id[:])
	h.Write(before[:])
	for _, n := range []int64{c.Seq, c.Time.Unix(), c.Last, c.Policy} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
	}
	h.Write(c.Nonce[:])
	return Hash(h.Sum(nil))
}

// Position returns how a consumer names c.
func (c Cut) Position() Position { return Position{Cut: c.Seq, Number: c.Last, Hash: c.Hash} }

// A Position names a cut by its number and its hash, so that a consumer notices
// when it is shown another ledger, or one that went back. The zero Position is
// the beginning of any log.
type Position struct {
	Cut    int64 `json:"cut"`
	Number int64 `json:"number"`
	Hash   Hash  `json:"hash"`
}

// Errors of a consumer that stands at a [Position] that the ledger does not
// know. Whoever meets one changes nothing and says so.
var (
	// ErrOtherLedger: the ledger has another cut there. It is not the one the
	// consumer followed, or it was restored and went on differently.
	ErrOtherLedger = errors.New("ledger: another history than the one followed so far")

	// ErrWentBack: the ledger has not come that far. It was restored from a
	// copy, or is a replica that lags.
	ErrWentBack = errors.New("ledger: it has gone back behind what was read from it before")
)
