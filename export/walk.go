package export

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"time"

	"github.com/gaenkit/gaen/keys"
	"google.golang.org/protobuf/encoding/protowire"
)

// A visitor is shown each key of export.bin, in the order of the file: the list
// it is in, its place there, and the rejection if it is a key that no archive
// may have. It returns false to stop.
type visitor func(list protowire.Number, index int, k *keys.TemporaryExposureKey, rejection error) bool

// walk is one pass through export.bin.
type walk struct {
	*scanner
	opts    *ReadOptions
	visit   visitor
	stopped bool // by the visitor

	memo    *keyMemo
	current keys.TemporaryExposureKey // what the visitor is shown

	header Header
	late   bool   // a timestamp is later than any time of ours
	count  [2]int // keys, revised keys
	sum    [sha256.Size]byte
	size   int64
}

// walk goes through export.bin from the header to the last byte.
func (a *Archive) walk(visit visitor) (*walk, error) {
	r, err := a.open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	w := &walk{scanner: newScanner(r, a.opts.BinName), opts: &a.opts, visit: visit, memo: newKeyMemo()}
	defer w.stop()
	if err := w.fileHeader(); err != nil {
		return nil, err
	}
	for !w.stopped {
		if list, record, ok := w.shortRecord(); ok {
			if err := w.key(list, record); err != nil {
				return nil, err
			}
			continue
		}
		field, typ, err := w.tag()
		if err == io.EOF {
			w.sum, w.size = [sha256.Size]byte(w.hash.Sum(nil)), w.n
			break
		}
		if err != nil {
			return nil, err
		}
		if err := w.field(field, typ); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// fileHeader reads the bytes before the message.
func (w *walk) fileHeader() error {
	want := w.opts.header()
	got, err := w.peek(len(want))
	if err != nil && err != io.EOF {
		return w.fail(err)
	}
	switch {
	case bytes.Equal(got, want):
		return w.discard(len(want))
	case bytes.HasPrefix(want, got):
		return fail(KindTruncated, w.subject, "ends in the header, after %d bytes", len(got))
	}
	if bytes.HasPrefix(got, []byte("EK Export")) {
		return fail(KindHeader, w.subject, "begins with %q, want %q", got, want)
	}
	return fail(KindHeader, w.subject, "does not begin with %q", want) // what it begins with may be a key
}

// field reads one field of TemporaryExposureKeyExport. Of a field that is there
// twice, the second counts; one of another type than its own is an unknown one.
func (w *walk) field(field protowire.Number, typ protowire.Type) error {
	switch {
	case field == fieldStartTimestamp && typ == protowire.Fixed64Type:
		return w.timestamp(&w.header.Start)
	case field == fieldEndTimestamp && typ == protowire.Fixed64Type:
		return w.timestamp(&w.header.End)
	case field == fieldRegion && typ == protowire.BytesType:
		b, err := w.record()
		w.header.Region = string(b)
		return err
	case field == fieldBatchNum && typ == protowire.VarintType:
		return w.int32(&w.header.BatchNum)
	case field == fieldBatchSize && typ == protowire.VarintType:
		return w.int32(&w.header.BatchSize)
	case field == fieldSignatureInfos && typ == protowire.BytesType:
		return w.signatureInfo()
	case (field == fieldKeys || field == fieldRevisedKeys) && typ == protowire.BytesType:
		return w.keyField(field)
	}
	return w.skip(field, typ)
}

func (w *walk) timestamp(t *time.Time) error {
	v, err := w.fixed64()
	if v > lastSecond {
		v, w.late = lastSecond, true
	}
	*t = time.Unix(int64(v), 0).UTC()
	return err
}

func (w *walk) int32(n *int32) error {
	v, err := w.varint()
	*n = int32(v)
	return err
}

func (w *walk) signatureInfo() error {
	b, err := w.record()
	if err != nil {
		return err
	}
	if len(w.header.SignatureInfos) == maxSignatures {
		return fail(KindTooLarge, w.subject, "more than %d signature infos", maxSignatures)
	}
	var info SignatureInfo
	if err := info.parseInto(b); err != nil {
		return asError(KindMalformed, w.subject, err)
	}
	w.header.SignatureInfos = append(w.header.SignatureInfos, info)
	return nil
}

func (w *walk) keyField(list protowire.Number) error {
	record, err := w.record()
	if err != nil {
		return inKey(err, list, w.count[list-fieldKeys])
	}
	return w.key(list, record)
}

func (w *walk) key(list protowire.Number, record []byte) error {
	if w.count[0]+w.count[1] == w.opts.Keys {
		return fail(KindTooLarge, w.subject, "more than %d keys", w.opts.Keys)
	}
	count := &w.count[list-fieldKeys]
	err := w.memo.parse(record, &w.current)
	if err != nil {
		if _, ok := errors.AsType[*keys.Rejection](err); !ok {
			return inKey(&Error{Kind: KindMalformed, Err: err}, list, *count)
		}
	}
	w.stopped = !w.visit(list, *count, &w.current, err)
	*count++
	return nil
}

// inKey names the key that an error is about.
func inKey(err error, list protowire.Number, index int) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return &Error{Kind: e.Kind, Subject: keyName(list, index), Err: e.Err}
	}
	return err
}
