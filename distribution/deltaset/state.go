package deltaset

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// ErrState is a state on disk that is damaged. The next update makes a new one from
// a snapshot.
var ErrState = errors.New("deltaset: the state on disk is damaged")

// A State is how far a client has come.
type State struct {
	Ledger   string // whose delta set it follows; empty before the first update
	Package  string
	Interval time.Duration // of the tree it reads
	Newest   int64         // the last interval that it knows of
	Keys     int           // exposed, and relevant

	subfolder bool // the tree is not the first
}

// End returns the end of the last interval that the state knows of.
func (s *State) End() time.Time { return grid{interval: s.Interval}.endOf(s.Newest) }

// folder returns where the tree is, with a slash, below the package's folder.
func (s *State) folder() string {
	if s.subfolder {
		return subfolder(s.Interval) + "/"
	}
	return ""
}

// The state is one file: a line of words, the records, and a sum over both.
const (
	stateName    = "state"
	newStateName = "state.new"
	fetchedName  = "snapshot.new"
	stateWord    = "gaen-deltaset-state-1"
	sumWord      = "sha256 "
	stateHeader  = 256
)

func (s *State) header() string {
	return fmt.Sprintf("%s %s %s %d %t %d\n", stateWord, s.Ledger, s.Package, int64(s.Interval/time.Second), s.subfolder, s.Newest)
}

// parseHeader is the inverse of header.
func (s *State) parseHeader(line string) error {
	words := strings.Split(strings.TrimSuffix(line, "\n"), " ")
	if len(words) != 6 || words[0] != stateWord {
		return ErrState
	}
	s.Ledger, s.Package, s.subfolder = words[1], words[2], words[4] == "true"
	var errInterval, errNewest error
	s.Interval, errInterval = parseSeconds(words[3])
	s.Newest, errNewest = parseInt[int64](words[5], maxNumber)
	if errInterval != nil || errNewest != nil || s.header() != line {
		return ErrState
	}
	return nil
}

// disk is the folder in which a client keeps its state.
type disk struct{ dir string }

func (d disk) path(name string) string { return filepath.Join(d.dir, name) }

// read yields the header, and then the records, which are good only if the last
// error is nil. Without a state, the header is zero.
func (d disk) read(header func(*State)) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		f, err := os.Open(d.path(stateName))
		if errors.Is(err, os.ErrNotExist) {
			header(&State{})
			return
		}
		if err != nil {
			yield(Record{}, fmt.Errorf("deltaset: %w", err))
			return
		}
		defer f.Close()
		if err := readState(bufio.NewReaderSize(f, 1<<16), header, yield); err != nil {
			yield(Record{}, err)
		}
	}
}

func readState(r *bufio.Reader, header func(*State), yield func(Record, error) bool) error {
	line, err := r.ReadSlice('\n')
	if err != nil || len(line) > stateHeader {
		return ErrState
	}
	s := &State{}
	if err := s.parseHeader(string(line)); err != nil {
		return err
	}
	header(s)
	sum := sha256.New()
	sum.Write(line)
	var last keys.KeyData
	for n := 0; ; n++ {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return ErrState
		}
		if have, ok := bytes.CutPrefix(line, []byte(sumWord)); ok {
			_, err := r.Peek(1)
			if string(have) != hex.EncodeToString(sum.Sum(nil))+"\n" || err != io.EOF {
				return ErrState
			}
			return nil
		}
		sum.Write(line)
		rec, err := parseRecord(line)
		if err != nil || rec.Reason != "" || n > 0 && bytes.Compare(rec.Key.KeyData[:], last[:]) <= 0 {
			return ErrState
		}
		if !yield(rec, nil) {
			return nil
		}
		last = rec.Key.KeyData
	}
}

// stateWriter writes a new state beside the old one.
type stateWriter struct {
	f    *os.File
	w    *bufio.Writer
	sum  hash.Hash
	line []byte
	keys int
}

func (d disk) create(s *State) (*stateWriter, error) {
	f, err := os.OpenFile(d.path(newStateName), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("deltaset: %w", err)
	}
	w := &stateWriter{f: f, sum: sha256.New()}
	w.w = bufio.NewWriterSize(io.MultiWriter(f, w.sum), 1<<16)
	w.w.WriteString(s.header())
	return w, nil
}

func (w *stateWriter) add(r *Record) error {
	w.keys++
	w.line = appendRecord(w.line[:0], r)
	_, err := w.w.Write(w.line)
	return err
}

// close ends the file, and has it on the disk.
func (w *stateWriter) close() error {
	err := w.w.Flush()
	_, errSum := w.f.WriteString(sumWord + hex.EncodeToString(w.sum.Sum(nil)) + "\n")
	return errors.Join(err, errSum, w.f.Sync(), w.f.Close())
}

// replace puts the new state in the place of the old one, which stays whole if
// anything fails.
func (d disk) replace() error {
	if err := os.Rename(d.path(newStateName), d.path(stateName)); err != nil {
		return fmt.Errorf("deltaset: %w", err)
	}
	dir, err := os.Open(d.dir)
	if err != nil {
		return fmt.Errorf("deltaset: %w", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("deltaset: %w", err)
	}
	return nil
}

// clean removes what an update that was cut short may have left.
func (d disk) clean() {
	os.Remove(d.path(newStateName))
	os.Remove(d.path(fetchedName))
}

// String returns the package and the interval.
func (s *State) String() string {
	if s.Ledger == "" {
		return "nothing yet"
	}
	return s.Package + " " + strconv.FormatInt(s.Newest, 10)
}
