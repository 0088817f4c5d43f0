package export

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"io"

	"github.com/gaenkit/gaen/export/internal/inflate"
)

// entries are the two of an archive, and what else there is.
type entries struct {
	bin, sig *zip.File
	others   int
}

// openZip finds the entries of an archive.
func openZip(r io.ReaderAt, size int64, o *ReadOptions) (*entries, error) {
	if size > o.Archive {
		return nil, fail(KindTooLarge, "archive", "%d bytes, at most %d", size, o.Archive)
	}
	// The directory of a zip file may have as many entries as the file has room
	// for, and package zip reads them all, whatever the count before it says.
	budget := &budgetReader{r: r, left: maxDirectory}
	zr, err := zip.NewReader(budget, size)
	if budget.left < 0 {
		return nil, fail(KindTooLarge, "archive", "the zip directory has more than %d bytes", maxDirectory)
	}
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, notZip(r, size, err)
	}
	budget.unlimited = true
	zr.RegisterDecompressor(zip.Deflate, inflate.NewReader) // sizes and checksums stay with package zip
	if len(zr.File) > o.Entries {
		return nil, fail(KindTooLarge, "archive", "%d entries, at most %d", len(zr.File), o.Entries)
	}
	return findEntries(zr.File, o)
}

func findEntries(files []*zip.File, o *ReadOptions) (*entries, error) {
	found := &entries{}
	for _, f := range files {
		var place **zip.File
		switch f.Name {
		case o.BinName:
			place = &found.bin
		case o.SigName:
			place = &found.sig
		default:
			found.others++ // such as content.sig in Dutch archives
			continue
		}
		if *place != nil {
			return nil, fail(KindDuplicateEntry, f.Name, "twice in the archive")
		}
		*place = f
	}
	switch {
	case found.bin == nil:
		return nil, fail(KindMissingEntry, o.BinName, "not in the archive")
	case found.sig == nil:
		return nil, fail(KindMissingEntry, o.SigName, "not in the archive")
	}
	return found, nil
}

// notZip says what a file is that package zip does not take for a zip file.
func notZip(r io.ReaderAt, size int64, cause error) error {
	head := make([]byte, min(size, 512))
	n, err := r.ReadAt(head, 0)
	if n < len(head) {
		return &Error{Kind: KindIO, Subject: "archive", Err: err}
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	switch {
	case size == 0:
		return fail(KindNotZip, "archive", "empty")
	case bytes.HasPrefix(head, []byte("PK\x03\x04")) && !hasDirectoryEnd(r, size):
		return fail(KindTruncated, "archive", "begins as a zip file and ends without a directory")
	case bytes.HasPrefix(head, []byte("PK")):
		return fail(KindDamaged, "archive", "%v", cause)
	case bytes.HasPrefix(head, []byte("EK Export")):
		return fail(KindNotZip, "archive", "no zip file but a bare export.bin; see OpenBin")
	case bytes.HasPrefix(text, []byte("<")):
		return fail(KindNotZip, "archive", "no zip file but a web page, or other XML: an error page served as a file?")
	case bytes.HasPrefix(text, []byte("{")), bytes.HasPrefix(text, []byte("[")):
		return fail(KindNotZip, "archive", "no zip file but JSON: an error message served as a file?")
	}
	return fail(KindNotZip, "archive", "no zip file")
}

// hasDirectoryEnd reports whether a record that ends a zip directory is among
// the last bytes of the file.
func hasDirectoryEnd(r io.ReaderAt, size int64) bool {
	tail := make([]byte, min(size, 66<<10))
	n, _ := r.ReadAt(tail, size-int64(len(tail)))
	return bytes.Contains(tail[:n], []byte("PK\x05\x06"))
}

// openEntry opens an entry of at most limit bytes; beyond is the kind of error
// there is when there are more. The directory says how many there are, and
// package zip gives none beyond that, whatever the data inflates to.
func openEntry(f *zip.File, limit int64, beyond Kind) (io.ReadCloser, error) {
	const encrypted = 1
	switch {
	case f.Flags&encrypted != 0:
		return nil, fail(KindDamaged, f.Name, "encrypted")
	case f.UncompressedSize64 > uint64(limit):
		return nil, fail(beyond, f.Name, "%d bytes, at most %d", f.UncompressedSize64, limit)
	}
	r, err := f.Open()
	if err != nil {
		return nil, entryError(f.Name, err)
	}
	return &entryReader{r, f.Name}, nil
}

// entryReader gives errors of ours.
type entryReader struct {
	io.ReadCloser
	name string
}

func (r *entryReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = entryError(r.name, err)
	}
	return n, err
}

// entryError returns the error for an entry that package zip cannot give.
func entryError(name string, err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fail(KindTruncated, name, "ends too early")
	case errors.Is(err, zip.ErrAlgorithm):
		return fail(KindDamaged, name, "compressed in a way that phones do not know")
	case errors.Is(err, zip.ErrChecksum), errors.Is(err, zip.ErrFormat), isCorrupt(err):
		return &Error{Kind: KindDamaged, Subject: name, Err: err}
	}
	return &Error{Kind: KindIO, Subject: name, Err: err}
}

func isCorrupt(err error) bool {
	_, ok := errors.AsType[flate.CorruptInputError](err)
	return ok
}

// budgetReader reads at most left bytes, until it is unlimited. Where a damaged
// directory points before the file, that is damage and not a fault of reading.
type budgetReader struct {
	r         io.ReaderAt
	left      int64
	unlimited bool
}

var errBudget = errors.New("over the budget")

func (b *budgetReader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, zip.ErrFormat
	}
	if b.unlimited {
		return b.r.ReadAt(p, off)
	}
	b.left -= int64(len(p))
	if b.left < 0 {
		return 0, errBudget
	}
	return b.r.ReadAt(p, off)
}
