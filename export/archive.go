package export

import (
	"bytes"
	"io"
	"slices"
	"time"
)

// Header is what an archive says beside its keys. What is absent is zero.
type Header struct {
	Start, End          time.Time
	Region              string
	BatchNum, BatchSize int32
	SignatureInfos      []SignatureInfo
}

// Archive is an archive that was opened: its structure is sound from the first
// byte to the last, and that is all that is known of it. Its keys are had from
// [Archive.Verify], or from [Archive.Unverified]. It is safe for concurrent use
// if the io.ReaderAt below it is.
type Archive struct {
	open       func() (io.ReadCloser, error) // export.bin
	opts       ReadOptions
	held       *held // nil: to be had from open
	header     Header
	signatures []Signature
	info       Info
	remarks    []Remark
}

// Open opens an archive of size bytes. It reads export.bin once, to hash it and
// to see that every byte is where it should be; nothing of it is kept, unless
// [ReadOptions.Hold] says so. The caller leaves r as it is as long as the archive
// is in use.
func Open(r io.ReaderAt, size int64, opts *ReadOptions) (*Archive, error) {
	o, err := opts.normalize()
	if err != nil {
		return nil, err
	}
	found, err := openZip(r, size, &o)
	if err != nil {
		return nil, err
	}
	a := &Archive{opts: o}
	a.open = func() (io.ReadCloser, error) { return openEntry(found.bin, o.Bin, KindZipBomb) }
	w, err := a.survey()
	if err != nil {
		return nil, err
	}
	a.info.Size = size
	if a.signatures, err = readSignatures(found.sig, &o); err != nil {
		return nil, err
	}
	a.remarks = append(w.remarks(), a.archiveRemarks(found.others)...)
	return a, nil
}

// Read opens the archive that r gives until its end, which it keeps in memory:
// at most as much as [Limits] allow.
func Read(r io.Reader, opts *ReadOptions) (*Archive, error) {
	o, err := opts.normalize()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, o.Archive+1))
	if err != nil {
		return nil, &Error{Kind: KindIO, Subject: "archive", Err: err}
	}
	return Open(bytes.NewReader(data), int64(len(data)), &o)
}

// OpenBin opens a bare export.bin. It has no signature, so that nobody can say
// who wrote it: Verify fails, and its keys are had from Unverified.
func OpenBin(r io.ReaderAt, size int64, opts *ReadOptions) (*Archive, error) {
	o, err := opts.normalize()
	if err != nil {
		return nil, err
	}
	if size > o.Bin {
		return nil, fail(KindTooLarge, o.BinName, "%d bytes, at most %d", size, o.Bin)
	}
	a := &Archive{opts: o}
	a.open = func() (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(r, 0, size)), nil }
	w, err := a.survey()
	if err != nil {
		return nil, err
	}
	a.remarks = w.remarks()
	return a, nil
}

// survey walks through export.bin and keeps what is not a key.
func (a *Archive) survey() (*survey, error) {
	s := &survey{}
	if a.opts.Hold {
		s.held = &held{}
	}
	w, err := a.walk(s.visit)
	if err != nil {
		return nil, err
	}
	s.walk, a.held = w, s.held
	a.header = w.header
	a.info = Info{SHA256: w.sum, BinSize: w.size, Keys: w.count[0], RevisedKeys: w.count[1]}
	return s, nil
}

// Header returns what the archive says beside its keys.
func (a *Archive) Header() Header {
	h := a.header
	h.SignatureInfos = slices.Clone(h.SignatureInfos)
	return h
}

// Signatures returns what is in export.sig, verified or not.
func (a *Archive) Signatures() []Signature {
	all := slices.Clone(a.signatures)
	for i := range all {
		all[i].DER = bytes.Clone(all[i].DER)
	}
	return all
}

// Info returns digest, sizes and counts. Of a bare export.bin, Size is 0.
func (a *Archive) Info() Info { return a.info }

// Unverified returns the keys of an archive of which nobody knows who made it.
func (a *Archive) Unverified() Payload { return Payload{a} }
