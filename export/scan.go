package export

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// scanner takes a stream of protocol buffers apart, field by field, without
// holding more than a block of it, and hashes what it reads while the block is
// still in the processor's cache.
//
// Its errors are of [KindTruncated], [KindMalformed] or [KindTooLarge], and what
// the stream itself gives.
type scanner struct {
	r       io.Reader
	subject string // of errors

	buffer *buffer    // nil before the first block
	ahead  *readAhead // nil: r is read when its bytes are asked for
	b      []byte     // what is left of what was read
	err    error      // of r, after b

	hash hash.Hash // of all that was read
	n    int64     // bytes that were read
}

func newScanner(r io.Reader, subject string) *scanner {
	return &scanner{r: r, subject: subject, hash: sha256.New()}
}

// stop ends the use of the stream. It must be called.
func (s *scanner) stop() {
	if s.ahead != nil {
		s.ahead.stop()
	}
}

// fail returns err as an error of ours. An end in the middle of something is the
// end of a file that was cut off.
func (s *scanner) fail(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fail(KindTruncated, s.subject, "ends in the middle of a field")
	}
	return asError(KindIO, s.subject, err)
}

func (s *scanner) malformed(detail string) error {
	return &Error{Kind: KindMalformed, Subject: s.subject, Err: errors.New(detail)}
}

// peek returns the next n bytes, at most [maxRecord], or as many as there are and
// the error of the stream. They are valid until the next call that reads.
func (s *scanner) peek(n int) ([]byte, error) {
	for len(s.b) < n {
		if s.err != nil {
			return s.b, s.err
		}
		s.read()
	}
	return s.b[:n], nil
}

// read puts the next block behind what is left. The first is read here, as that
// is all there is of most archives.
func (s *scanner) read() {
	if s.buffer != nil && s.ahead == nil {
		s.ahead = newReadAhead(s.r)
	}
	left := len(s.b)
	switch {
	case s.ahead != nil:
		next := <-s.ahead.full
		copy(next.bytes[maxRecord-left:], s.b)
		s.ahead.empty <- s.buffer
		s.buffer = next
	case s.buffer == nil:
		s.buffer = new(buffer)
		s.buffer.fill(s.r)
	default:
		copy(s.buffer.bytes[maxRecord-left:], s.b)
		s.buffer.fill(s.r)
	}
	s.b, s.err = s.buffer.bytes[maxRecord-left:maxRecord+s.buffer.n], s.buffer.err
	s.hash.Write(s.b[left:])
	s.n += int64(s.buffer.n)
}

// tag returns the number and type of the next field, io.EOF if there is none.
func (s *scanner) tag() (protowire.Number, protowire.Type, error) {
	if _, err := s.peek(1); err != nil {
		if err == io.EOF {
			return 0, 0, io.EOF
		}
		return 0, 0, s.fail(err)
	}
	v, err := s.varint()
	if err != nil {
		return 0, 0, err
	}
	number, typ := protowire.DecodeTag(v)
	if v > math.MaxUint32 || number < protowire.MinValidNumber || typ > protowire.Fixed32Type {
		return 0, 0, s.malformed("a field without a valid number or type")
	}
	return number, typ, nil
}

func (s *scanner) varint() (uint64, error) {
	var v uint64
	for shift := 0; shift < 64; shift += 7 {
		if _, err := s.peek(1); err != nil {
			return 0, s.fail(err)
		}
		b := s.b[0]
		s.b = s.b[1:]
		if shift == 63 && b > 1 {
			break
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v, nil
		}
	}
	return 0, s.malformed("a number of more than 64 bits")
}

func (s *scanner) fixed64() (uint64, error) {
	b, err := s.peek(8)
	if err != nil {
		return 0, s.fail(err)
	}
	s.b = s.b[8:]
	return binary.LittleEndian.Uint64(b), nil
}

// record returns the bytes of a field, at most [maxRecord]. They are valid until
// the next call.
func (s *scanner) record() ([]byte, error) {
	n, err := s.varint()
	if err != nil {
		return nil, err
	}
	if n > maxRecord {
		return nil, fail(KindTooLarge, s.subject, "a field of %d bytes, at most %d", n, maxRecord)
	}
	b, err := s.peek(int(n))
	if err != nil {
		return nil, s.fail(err)
	}
	s.b = s.b[n:]
	return b, nil
}

// shortRecord returns what tag and record return together, and passes over it, if
// it is a record of a list of keys whose tag and length are a byte each, as those
// of all keys are that anybody writes, and lies in the block as a whole. Else ok
// is false, and nothing was passed over.
func (s *scanner) shortRecord() (list protowire.Number, record []byte, ok bool) {
	const tag = uint8(fieldKeys<<3 | protowire.Number(protowire.BytesType))
	if len(s.b) < 2 || s.b[0] != tag && s.b[0] != tag+1<<3 {
		return 0, nil, false
	}
	n := int(s.b[1])
	if n >= 0x80 || len(s.b) < 2+n {
		return 0, nil, false
	}
	list, record = protowire.Number(s.b[0]>>3), s.b[2:2+n]
	s.b = s.b[2+n:]
	return list, record, true
}

// skip passes over the value of a field that means nothing to us. Of what is
// skipped nothing is held; the limit of the stream bounds it.
func (s *scanner) skip(number protowire.Number, typ protowire.Type) error {
	var open []protowire.Number // groups
	for {
		var err error
		switch typ {
		case protowire.VarintType:
			_, err = s.varint()
		case protowire.Fixed32Type:
			err = s.discard(4)
		case protowire.Fixed64Type:
			err = s.discard(8)
		case protowire.BytesType:
			err = s.discardBytes()
		case protowire.StartGroupType:
			if open = append(open, number); len(open) > maxGroupDepth {
				return fail(KindTooLarge, s.subject, "groups nested deeper than %d", maxGroupDepth)
			}
		case protowire.EndGroupType:
			if len(open) == 0 || open[len(open)-1] != number {
				return s.malformed("the end of a group that did not begin")
			}
			open = open[:len(open)-1]
		}
		if err != nil || len(open) == 0 {
			return err
		}
		number, typ, err = s.tag()
		if err != nil {
			return s.fail(err)
		}
	}
}

func (s *scanner) discardBytes() error {
	n, err := s.varint()
	if err != nil {
		return err
	}
	if n > math.MaxInt32 {
		return fail(KindTooLarge, s.subject, "a field of %d bytes", n)
	}
	return s.discard(int(n))
}

func (s *scanner) discard(n int) error {
	for n > len(s.b) {
		if s.err != nil {
			return s.fail(s.err)
		}
		n -= len(s.b)
		s.b = nil
		s.read()
	}
	s.b = s.b[n:]
	return nil
}
