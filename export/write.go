package export

import (
	"archive/zip"
	"cmp"
	"crypto/sha256"
	"hash"
	"hash/crc32"
	"io"

	"github.com/gaenkit/gaen/signing"
)

// WriteOptions of [Write]. Nil means no options.
type WriteOptions struct {
	Format

	// AppBundleID and AndroidPackage are written into the signature infos.
	// Phones pass them over; the first apps did not.
	AppBundleID    string
	AndroidPackage string

	// NoRegion leaves the region out, as the British back end does. [Content]
	// names one all the same; who reads the archive finds none.
	NoRegion bool

	// Level, 1 to 9, has compress/flate compress the archive, that hard. Zero
	// has it done by a compressor that knows what an archive looks like, which is
	// smaller than level 9 and many times as fast; see BENCHMARKS.md.
	Level int
}

const (
	sigLevel   = 6
	maxLevel   = 9
	maxAppName = 255
)

// Info is what is known of an archive that was written or opened.
type Info struct {
	SHA256      [sha256.Size]byte // of export.bin: what is signed
	Size        int64             // of the archive, in bytes
	BinSize     int64             // of export.bin, uncompressed
	Keys        int
	RevisedKeys int
}

// Write writes an archive with this content, signed by all signers, to w. The
// same arguments give the same bytes, if the signers are deterministic.
//
// Keys go out in canonical order whatever the order they come in, which tells
// nothing of who submitted what, and must be different ones. What
// [Content.Check] refuses is refused before anything is written. Signatures are
// in the order of [signing.NewestFirst]; there must be at least one and at most
// [signing.MaxSigners].
//
// Write streams: it holds neither the archive nor export.bin in memory, but 44
// bytes a key while it sorts, which the next archive takes over. Only an archive
// that is not like others, of which most keys are alone with their metadata or
// whose key data is not random, may be held. A large archive is hashed in a
// goroutine of its own, of which Write awaits the end. After an error, what w has
// got is no archive.
func Write(w io.Writer, c *Content, signers []*signing.Signer, opts *WriteOptions) (Info, error) {
	if opts == nil {
		opts = &WriteOptions{}
	}
	o, err := opts.normalize()
	if err != nil {
		return Info{}, err
	}
	signers, err = checkSigners(signers)
	if err != nil {
		return Info{}, err
	}
	order, sorter, err := c.checkAndSort()
	if err != nil {
		return Info{}, err
	}
	defer sorter.rest()
	out := &counter{w: w}
	zw := zip.NewWriter(out)
	zw.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return newPooled(w, cmp.Or(o.Level, sigLevel))
	})
	m := &message{header: o.header(), content: c, region: c.Region, infos: o.signatureInfos(signers), order: order}
	if o.NoRegion {
		m.region = ""
	}
	info, err := writeBin(zw, o.BinName, m, o.Level)
	if err != nil {
		return Info{}, asError(KindIO, o.BinName, err)
	}
	if err := writeSig(zw, o.SigName, m.infos, signers, info.SHA256); err != nil {
		return Info{}, asError(KindIO, o.SigName, err)
	}
	if err := zw.Close(); err != nil {
		return Info{}, asError(KindIO, "", err)
	}
	info.Size = out.n
	return info, nil
}

// checkAndSort is Check and sort in one pass: what it finds suspicious is checked
// key by key. The caller puts the sorter to rest.
func (c *Content) checkAndSort() (*order, *sorter, error) {
	if err := c.checkBounds(); err != nil {
		return nil, nil, err
	}
	order, sorter := c.sort()
	if order.suspect || !order.valid() {
		if err := c.Check(); err != nil {
			sorter.rest()
			return nil, nil, err
		}
	}
	return order, sorter, nil
}

// valid reports whether the groups have metadata that an archive may have.
func (o *order) valid() bool {
	for i := range o.groups {
		g := &o.groups[i]
		k := g.key
		k.KeyData[0] = 1 // not all zeros
		var err error
		if g.list == fieldRevisedKeys {
			err = checkRevisedKey(&k)
		} else {
			err = checkKey(&k)
		}
		if err != nil {
			return false
		}
	}
	return true
}

// writeBin writes the entry export.bin. How keys become bytes is pinned by tests,
// how bytes become small is this package's own business.
func writeBin(zw *zip.Writer, name string, m *message, level int) (Info, error) {
	h := entryHeader(name)
	h.CreatorVersion, h.ReaderVersion, h.Flags = zipVersion, zipVersion, zipSizesFollow
	entry, err := zw.CreateRaw(h)
	if err != nil {
		return Info{}, err
	}
	packed, sum := &counter{w: entry}, &summer{sha: sha256.New()}
	if err := m.writeAndSum(packed, sum, level); err != nil {
		return Info{}, err
	}
	setSizes(h, sum.crc, sum.n, packed.n)
	return Info{
		SHA256:      [sha256.Size]byte(sum.sha.Sum(nil)),
		BinSize:     sum.n,
		Keys:        len(m.content.Keys),
		RevisedKeys: len(m.content.RevisedKeys),
	}, nil
}

// manyKeys is how many it takes for a second goroutine to be worth its start.
const manyKeys = 4 << 10

// writeAndSum compresses export.bin into w while it is hashed: both go through the
// keys, and neither waits for the other.
func (m *message) writeAndSum(w io.Writer, sum *summer, level int) error {
	if len(m.order.data) < manyKeys {
		m.encode(sum) // which takes everything
		return m.compress(w, level)
	}
	summed := make(chan struct{})
	go func() {
		defer close(summed)
		m.encode(sum)
	}()
	err := m.compress(w, level)
	<-summed
	return err
}

// setSizes fills in what is only known after the data. Package zip keeps the
// header and writes this behind the data and in the directory; the narrow fields
// are those that it takes where the others fit in them.
func setSizes(h *zip.FileHeader, crc uint32, size, packed int64) {
	h.CRC32, h.UncompressedSize64, h.CompressedSize64 = crc, uint64(size), uint64(packed)
	//lint:ignore SA1019 see above; an archive of ours has less than 4 GiB
	h.UncompressedSize, h.CompressedSize = uint32(size), uint32(packed)
}

const (
	zipVersion     = 20  // 2.0: of DEFLATE
	zipSizesFollow = 0x8 // the data, and the checksum does
)

// writeSig signs the digest and writes the entry export.sig.
func writeSig(zw *zip.Writer, name string, infos []SignatureInfo, signers []*signing.Signer, digest [sha256.Size]byte) error {
	var list []byte
	for i, s := range signers {
		der, err := s.SignDigest(digest[:])
		if err != nil {
			return &Error{Kind: KindSigner, Subject: name, Err: err}
		}
		list = appendSignature(list, &infos[i], der)
	}
	entry, err := zw.CreateHeader(entryHeader(name))
	if err != nil {
		return err
	}
	_, err = entry.Write(list)
	return err
}

// entryHeader returns the header of an entry that says nothing of when and where
// it was made. Also export.sig is compressed, though that makes it longer: the
// sizes follow the data, and some readers take such entries only compressed.
func entryHeader(name string) *zip.FileHeader {
	return &zip.FileHeader{
		Name:   name,
		Method: zip.Deflate,
		//lint:ignore SA1019 Modified adds an extra field; this is 1980-01-01, the first day there is
		ModifiedDate: 1<<5 | 1,
	}
}

func (o WriteOptions) normalize() (WriteOptions, error) {
	var err error
	if o.Format, err = o.Format.normalize(); err != nil {
		return o, err
	}
	switch {
	case o.Level < 0 || o.Level > maxLevel:
		return o, fail(KindOptions, "Level", "%d, want 1 .. 9", o.Level)
	case !printable(o.AppBundleID, maxAppName):
		return o, fail(KindOptions, "AppBundleID", "%q is not an app's name", o.AppBundleID)
	case !printable(o.AndroidPackage, maxAppName):
		return o, fail(KindOptions, "AndroidPackage", "%q is not an app's name", o.AndroidPackage)
	}
	return o, nil
}

// checkSigners returns the signers in the order of their signatures.
func checkSigners(signers []*signing.Signer) ([]*signing.Signer, error) {
	if len(signers) == 0 {
		return nil, fail(KindOptions, "signers", "none: phones take no archive without a signature")
	}
	if len(signers) > signing.MaxSigners {
		return nil, fail(KindOptions, "signers", "%d, at most %d", len(signers), signing.MaxSigners)
	}
	seen := make(map[signing.Identity]bool)
	for i, s := range signers {
		if s == nil {
			return nil, fail(KindOptions, "signers", "number %d is nil", i)
		}
		if seen[s.Identity()] {
			return nil, fail(KindOptions, "signers", "%s signs twice", s.Identity())
		}
		seen[s.Identity()] = true
	}
	return signing.NewestFirst(signers), nil
}

func (o WriteOptions) signatureInfos(signers []*signing.Signer) []SignatureInfo {
	infos := make([]SignatureInfo, len(signers))
	for i, s := range signers {
		infos[i] = SignatureInfo{
			Identity:       s.Identity(),
			Algorithm:      signing.AlgorithmECDSAWithSHA256,
			AppBundleID:    o.AppBundleID,
			AndroidPackage: o.AndroidPackage,
		}
	}
	return infos
}

// counter counts what goes through it.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// summer sums up what goes through it.
type summer struct {
	sha hash.Hash
	crc uint32
	n   int64
}

func (s *summer) Write(p []byte) (int, error) {
	s.sha.Write(p)
	s.crc = crc32.Update(s.crc, crc32.IEEETable, p)
	s.n += int64(len(p))
	return len(p), nil
}
