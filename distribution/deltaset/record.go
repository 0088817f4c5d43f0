package deltaset

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"

	"github.com/gaenkit/gaen/keys"
)

// A Record is one line of a file: a key that is exposed, or one that is
// retracted. Of a key's metadata it has report type and days since onset.
type Record struct {
	Key keys.TemporaryExposureKey

	// Reason is why the key is retracted; empty for one that is exposed.
	Reason Reason
}

// Reason is why a key is retracted.
type Reason string

const (
	Revoked Reason = "revoked" // it was a mistake, or is withdrawn for another reason
	Expired Reason = "expired" // it is no longer relevant
)

const recordFields = 6

// maxLine is longer than any record.
const maxLine = 128

// ErrRecord is a file of which a line is no record, or not in its place. The
// error says which line, and nothing of what is in it.
var ErrRecord = errors.New("deltaset: malformed record")

// appendRecord appends a line: key data in hexadecimal, the day number, the first
// interval and the number of intervals, report type or reason, days since onset.
func appendRecord(b []byte, r *Record) []byte {
	k := &r.Key
	b = hex.AppendEncode(b, k.KeyData[:])
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(k.RollingStartIntervalNumber.Day()), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(k.RollingStartIntervalNumber), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(k.RollingPeriod), 10)
	b = append(b, ' ')
	if report, ok := k.ReportType.Get(); r.Reason != "" {
		b = append(b, r.Reason...)
	} else if ok {
		b = strconv.AppendInt(b, int64(report), 10)
	} else {
		b = append(b, '-')
	}
	b = append(b, ' ')
	if onset, ok := k.DaysSinceOnsetOfSymptoms.Get(); ok {
		b = strconv.AppendInt(b, int64(onset), 10)
	} else {
		b = append(b, '-')
	}
	return append(b, '\n')
}

// parseRecord is the inverse of appendRecord. It takes nothing that that does not
// write.
func parseRecord(line []byte) (Record, error) {
	var r Record
	fields := bytes.Split(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
	if len(fields) != recordFields || len(fields[0]) != hex.EncodedLen(keys.KeyDataSize) {
		return r, fmt.Errorf("%w: want %d fields, the first of %d digits", ErrRecord, recordFields, 2*keys.KeyDataSize)
	}
	if _, err := hex.Decode(r.Key.KeyData[:], fields[0]); err != nil {
		return r, fmt.Errorf("%w: key data is not hexadecimal", ErrRecord)
	}
	start, errStart := strconv.ParseInt(string(fields[2]), 10, 32)
	period, errPeriod := strconv.ParseUint(string(fields[3]), 10, 8)
	if errStart != nil || errPeriod != nil {
		return r, fmt.Errorf("%w: no rolling period", ErrRecord)
	}
	r.Key.RollingStartIntervalNumber, r.Key.RollingPeriod = keys.Interval(start), uint8(period)
	if err := r.parseType(string(fields[4])); err != nil {
		return r, err
	}
	if onset := string(fields[5]); onset != "-" {
		n, err := strconv.ParseInt(onset, 10, 8)
		if err != nil {
			return r, fmt.Errorf("%w: days since onset", ErrRecord)
		}
		r.Key.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(n))
	}
	if err := format.CheckExposure(&r.Key, farFuture); err != nil {
		return r, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if !bytes.Equal(appendRecord(nil, &r), line) {
		return r, fmt.Errorf("%w: not as it is written", ErrRecord)
	}
	return r, nil
}

// format are the rules that every record meets.
var format = keys.IntoArchive()

// farFuture is a time at which no key is under embargo.
var farFuture = keys.StartOfDay(1 << 20).Time()

func (r *Record) parseType(text string) error {
	switch text {
	case "-":
	case string(Revoked), string(Expired):
		r.Reason = Reason(text)
	default:
		n, err := strconv.ParseUint(text, 10, 8)
		if err != nil || keys.ReportType(n) >= keys.ReportRevoked {
			return fmt.Errorf("%w: neither report type nor reason", ErrRecord)
		}
		r.Key.ReportType = keys.Some(keys.ReportType(n))
	}
	return nil
}

// readRecords yields the records of a file, which must be in ascending order, each
// key once, all of them exposed or all retracted.
func readRecords(r io.Reader, retracted bool) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		lines := bufio.NewReaderSize(r, 1<<16)
		var last Record
		for n := 1; ; n++ {
			line, err := lines.ReadSlice('\n')
			if err == io.EOF && len(line) == 0 {
				return
			}
			if err != nil && err != io.EOF && !errors.Is(err, bufio.ErrBufferFull) {
				yield(Record{}, err)
				return
			}
			rec, err := nextRecord(line, &last, n, retracted)
			if err != nil {
				yield(Record{}, fmt.Errorf("line %d: %w", n, err))
				return
			}
			if !yield(rec, nil) {
				return
			}
			last = rec
		}
	}
}

func nextRecord(line []byte, last *Record, n int, retracted bool) (Record, error) {
	if len(line) > maxLine {
		return Record{}, fmt.Errorf("%w: too long", ErrRecord)
	}
	rec, err := parseRecord(line)
	switch {
	case err != nil:
		return Record{}, err
	case n > 1 && bytes.Compare(rec.Key.KeyData[:], last.Key.KeyData[:]) <= 0:
		return Record{}, fmt.Errorf("%w: not after the line before", ErrRecord)
	case (rec.Reason != "") != retracted:
		return Record{}, fmt.Errorf("%w: exposed and retracted keys have files of their own", ErrRecord)
	}
	return rec, nil
}
