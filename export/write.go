package export

import (
	"archive/zip"
	"compress/flate"
	"crypto/sha256"
	"hash"
	"io"
	"sync"

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

	// Level is how hard to compress, 1 to 9. Zero is 6: beyond it, a day of
	// 358,105 keys gets 0.1 % smaller and takes twice as long.
	Level int
}

const (
	defaultLevel = 6
	maxAppName   = 255
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
// Write streams: it holds neither the archive nor export.bin in memory, and
// copies the keys only if they are out of order. After an error, what w has got
// is no archive.
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
	if err := c.Check(); err != nil {
		return Info{}, err
	}
	out := &counter{w: w}
	zw := zip.NewWriter(out)
	zw.RegisterCompressor(zip.Deflate, compressor(o.Level))
	m := &message{header: o.header(), content: c.canonical(), infos: o.signatureInfos(signers)}
	if o.NoRegion {
		m.content.Region = ""
	}
	info, err := writeBin(zw, o.BinName, m)
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

// writeBin writes the entry export.bin. From here on down it is this package's
// own business how keys become bytes and bytes become small: whatever takes its
// place must keep the bytes that the tests pin.
func writeBin(zw *zip.Writer, name string, m *message) (Info, error) {
	entry, err := zw.CreateHeader(entryHeader(name))
	if err != nil {
		return Info{}, err
	}
	digest := &digest{Hash: sha256.New(), w: entry}
	if err := m.encode(digest); err != nil {
		return Info{}, err
	}
	return Info{
		SHA256:      [sha256.Size]byte(digest.Sum(nil)),
		BinSize:     digest.n,
		Keys:        len(m.content.Keys),
		RevisedKeys: len(m.content.RevisedKeys),
	}, nil
}

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

// compressors are at rest, by level. Each has about a megabyte of memory, which
// takes longer to get than a small archive takes to compress.
var compressors [flate.BestCompression + 1]sync.Pool

// compressor returns what compresses the entries at a level.
func compressor(level int) zip.Compressor {
	pool := &compressors[level]
	return func(w io.Writer) (io.WriteCloser, error) {
		if fw, ok := pool.Get().(*flate.Writer); ok {
			fw.Reset(w)
			return &pooled{fw, pool}, nil
		}
		fw, err := flate.NewWriter(w, level)
		return &pooled{fw, pool}, err
	}
}

// pooled is a compressor at work, which goes to rest as it is closed.
type pooled struct {
	*flate.Writer
	pool *sync.Pool
}

// Close implements [io.Closer].
func (p *pooled) Close() error {
	err := p.Writer.Close()
	p.Writer.Reset(io.Discard) // and lets go of the archive
	p.pool.Put(p.Writer)
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
	if o.Level == 0 {
		o.Level = defaultLevel
	}
	switch {
	case o.Level < flate.BestSpeed || o.Level > flate.BestCompression:
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

// digest hashes and counts what goes through it.
type digest struct {
	hash.Hash
	w io.Writer
	n int64
}

func (d *digest) Write(p []byte) (int, error) {
	d.Hash.Write(p)
	n, err := d.w.Write(p)
	d.n += int64(n)
	return n, err
}
