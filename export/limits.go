package export

import "cmp"

// Limits bound what is read of an archive. A field that is zero stands for the
// constant named with it. What goes beyond is an error of [KindTooLarge], or
// [KindZipBomb] for export.bin.
type Limits struct {
	Archive int64 // bytes of the file; MaxArchiveSize
	Bin     int64 // bytes of export.bin, inflated; MaxBinSize
	Sig     int64 // bytes of export.sig, inflated; MaxSigSize
	Entries int   // entries of the zip file; MaxEntries
	Keys    int   // keys and revised keys; MaxKeysRead
}

// The limits for archives of anybody. Those of phones are lower: see [MaxKeys]
// and [MaxPhoneArchive].
const (
	MaxArchiveSize = 32 << 20
	MaxBinSize     = 256 << 20
	MaxSigSize     = 64 << 10
	MaxEntries     = 100
	MaxKeysRead    = 1_000_000
)

// MaxPhoneArchive is the size of the largest archive that phones take.
const MaxPhoneArchive = 16 << 20

const (
	// maxRecord is the size of the longest key, signature info or region that
	// is read. A key has 37 bytes.
	maxRecord = 4 << 10

	// maxSignatures is how many signatures, or signature infos, are read.
	maxSignatures = 100

	// maxDirectory is how many bytes are read of a zip file to find its
	// entries: the directory itself, and its end, which may be followed by a
	// comment of 64 KiB.
	maxDirectory = 256 << 10

	// maxGroupDepth is how deep unknown groups are nested.
	maxGroupDepth = 16

	// readBlock is how much of export.bin is read at a time: it stays in the
	// processor's cache until it is hashed and taken apart.
	readBlock = 32 << 10
)

func (l Limits) normalize() (Limits, error) {
	if min(l.Archive, l.Bin, l.Sig) < 0 || min(l.Entries, l.Keys) < 0 {
		return l, fail(KindOptions, "Limits", "negative")
	}
	l.Archive = cmp.Or(l.Archive, MaxArchiveSize)
	l.Bin = cmp.Or(l.Bin, MaxBinSize)
	l.Sig = cmp.Or(l.Sig, MaxSigSize)
	l.Entries = cmp.Or(l.Entries, MaxEntries)
	l.Keys = cmp.Or(l.Keys, MaxKeysRead)
	return l, nil
}

// ReadOptions of [Open], [Read] and [OpenBin]. Nil means no options.
type ReadOptions struct {
	Format
	Limits

	// Hold keeps the keys in memory, at 32 bytes each, from when the archive is
	// opened. Ranging over them then reads nothing, so that export.bin is
	// inflated and hashed once and not twice, and the file may go or change. If
	// there is a key that no archive may have, none is held.
	Hold bool
}

func (o *ReadOptions) normalize() (ReadOptions, error) {
	if o == nil {
		o = &ReadOptions{}
	}
	format, err := o.Format.normalize()
	if err != nil {
		return ReadOptions{}, err
	}
	limits, err := o.Limits.normalize()
	return ReadOptions{Format: format, Limits: limits, Hold: o.Hold}, err
}
