package federation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A piece is a sealed upload as registers remember it.
type piece struct {
	Source ledger.Source `json:"source"`
	ID     string        `json:"id"`  // stands for the tag in names
	Seq    int64         `json:"seq"` // 1 for the first of its source
	Region keys.Region   `json:"region,omitzero"`
	Keys   int           `json:"keys"`
	Latest int64         `json:"latest"` // Unix time before which one of its keys may not leave
	Hash   ledger.Hash   `json:"hash"`   // of the body

	// Lengths in bytes.
	Tag  int `json:"tag"`
	Seal int `json:"seal"`
	Body int `json:"body"`
}

// Registers of sealed uploads. What is listed and what is long stand under
// different prefixes, so that bodies are only ever read piece by piece.
const (
	sealedPrefix  = registerPrefix + "hub/sealed/"
	tagsPrefix    = sealedPrefix + "tags/"    // by source and piece: the hash of the body
	waitingPrefix = sealedPrefix + "waiting/" // by source and piece: the piece, until it leaves
	unitsPrefix   = sealedPrefix + "units/"   // by source, piece and part: what its keys are
	bytesPrefix   = sealedPrefix + "bytes/"   // by source, piece and part: tag, seal, body
)

// pieceID returns what stands for a tag in the names of registers, whatever
// characters it has.
func pieceID(tag string) string {
	sum := sha256.Sum256([]byte(tag))
	return hex.EncodeToString(sum[:16])
}

// name returns the name of the piece's register under a prefix, or what those of
// its parts begin with.
func (p *piece) name(prefix string) string { return prefix + string(p.Source) + "/" + p.ID }

// upload is the name of the upload that the ledger knows its keys by.
func (p *piece) upload() string { return "sealed-" + p.ID }

func (p *piece) latest() time.Time { return time.Unix(p.Latest, 0).UTC() }

// size is how many bytes it takes to keep it in memory, about.
func (p *piece) size() int { return p.Tag + p.Seal + p.Body }

func (p *piece) own(n *Nation) bool { return own(n, p.Source, p.Region) }

// own reports whether a nation is not given a piece: its own, or one that holds
// nothing but keys of its region.
func own(n *Nation, source ledger.Source, region keys.Region) bool {
	return source == n.Name || !n.Region.IsZero() && region == n.Region
}

// compare orders pieces by what they hold, which tells nothing of when they came.
func (p *piece) compare(q *piece) int {
	if c := bytes.Compare(p.Hash[:], q.Hash[:]); c != 0 {
		return c
	}
	return strings.Compare(p.name(""), q.name(""))
}

// tagRegister is what stands under a tag.
type tagRegister struct {
	Hash ledger.Hash `json:"hash"`
}

// registers returns the registers that keep an upload.
func (p *piece) registers(s *Sealed) ([]ledger.Swap, error) {
	tag, err := swapTo(p.name(tagsPrefix), 0, tagRegister{p.Hash})
	if err != nil {
		return nil, err
	}
	waiting, err := swapTo(p.name(waitingPrefix), 0, p)
	if err != nil {
		return nil, err
	}
	return slices.Concat([]ledger.Swap{tag, waiting},
		partsOf(p.name(unitsPrefix), encodeStatements(s.Keys)),
		partsOf(p.name(bytesPrefix), slices.Concat([]byte(s.Tag), s.Seal, s.Body))), nil
}

// tagged returns the hash of what stands under a piece's tag, if anything does.
func (h *Hub) tagged(ctx context.Context, p *piece) (hash ledger.Hash, found bool, err error) {
	registers, err := h.ledger.Registers(ctx, p.name(tagsPrefix))
	if err != nil || len(registers) == 0 {
		return hash, false, err
	}
	var r tagRegister
	err = json.Unmarshal(registers[0].Value, &r)
	return r.Hash, true, err
}

// partsOf returns the registers that hold b.
func partsOf(name string, b []byte) (swaps []ledger.Swap) {
	for part := range slices.Chunk(b, ledger.MaxRegister) {
		swaps = append(swaps, ledger.Swap{Name: fmt.Sprintf("%s/%03d", name, len(swaps)), Value: part})
	}
	return swaps
}

// readParts returns what partsOf stored, nil if it has been forgotten.
func (h *Hub) readParts(ctx context.Context, name string) ([]byte, error) {
	registers, err := h.ledger.Registers(ctx, name+"/")
	if err != nil {
		return nil, err
	}
	var b []byte
	for _, r := range registers {
		b = append(b, r.Value...)
	}
	return b, nil
}

// errDamaged: registers do not hold what was stored in them.
var errDamaged = errors.New("a sealed upload is not as it was stored")

// readBytes returns the tag, the seal and the body of a piece, nil if they have been
// forgotten.
func (h *Hub) readBytes(ctx context.Context, p *piece) (tag string, seal, body []byte, err error) {
	b, err := h.readParts(ctx, p.name(bytesPrefix))
	if err != nil || b == nil {
		return "", nil, nil, err
	}
	if len(b) != p.size() {
		return "", nil, nil, errDamaged
	}
	body = slices.Clip(b[p.Tag+p.Seal:])
	if sha256.Sum256(body) != p.Hash {
		return "", nil, nil, errDamaged
	}
	return string(b[:p.Tag]), slices.Clip(b[p.Tag : p.Tag+p.Seal]), body, nil
}

// A statement is what one key of a piece says.
type statement struct {
	id     ledger.UnitID
	report keys.Optional[keys.ReportType]
}

func (s *statement) revokes() bool { return s.report == keys.Some(keys.ReportRevoked) }

// noReport stands for the report type of a key that has none.
const noReport = 0xff

// encodeStatements returns what keys say: key data, report type, and the origin
// after its length.
func encodeStatements(all []keys.DiagnosisKey) (b []byte) {
	for i := range all {
		k := &all[i]
		origin := k.Origin.String()
		b = append(b, k.KeyData[:]...)
		b = append(b, byte(k.ReportType.Or(noReport)), byte(len(origin)))
		b = append(b, origin...)
	}
	return b
}

// readStatements returns what the keys of a piece say, nil if that has been
// forgotten.
func (h *Hub) readStatements(ctx context.Context, p *piece) ([]statement, error) {
	b, err := h.readParts(ctx, p.name(unitsPrefix))
	if err != nil || b == nil {
		return nil, err
	}
	all := make([]statement, 0, p.Keys)
	for len(b) > 0 {
		s, rest, ok := decodeStatement(b)
		if !ok {
			return nil, errDamaged
		}
		all, b = append(all, s), rest
	}
	if len(all) != p.Keys {
		return nil, errDamaged
	}
	return all, nil
}

func decodeStatement(b []byte) (s statement, rest []byte, ok bool) {
	const fixed = len(keys.KeyData{}) + 2
	if len(b) < fixed || len(b) < fixed+int(b[fixed-1]) {
		return s, nil, false
	}
	copy(s.id.KeyData[:], b)
	if r := b[fixed-2]; r != noReport {
		s.report = keys.Some(keys.ReportType(r))
	}
	end := fixed + int(b[fixed-1])
	origin, err := keys.ParseRegion(string(b[fixed:end]))
	s.id.Origin = origin
	return s, b[end:], err == nil
}
