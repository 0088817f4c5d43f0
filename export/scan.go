package export

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// scanner takes a stream of protocol buffers apart, field by field, without
// holding more than a record of it.
//
// Its errors are of [KindTruncated], [KindMalformed] or [KindTooLarge], and what
// the stream itself gives.
type scanner struct {
	r       *bufio.Reader
	subject string // of errors
}

func newScanner(r io.Reader, subject string) *scanner {
	return &scanner{r: bufio.NewReaderSize(r, readBuffer), subject: subject}
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

// tag returns the number and type of the next field, io.EOF if there is none.
func (s *scanner) tag() (protowire.Number, protowire.Type, error) {
	if _, err := s.r.Peek(1); err != nil {
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
		b, err := s.r.ReadByte()
		if err != nil {
			return 0, s.fail(err)
		}
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
	b, err := s.r.Peek(8)
	if err != nil {
		return 0, s.fail(err)
	}
	defer s.r.Discard(8)
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
	b, err := s.r.Peek(int(n))
	if err != nil {
		return nil, s.fail(err)
	}
	s.r.Discard(int(n)) // is in the buffer, and stays there
	return b, nil
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
	if _, err := s.r.Discard(n); err != nil {
		return s.fail(err)
	}
	return nil
}
