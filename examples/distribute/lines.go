package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// lines reads a file with a submission on every line. A bad line is noted and
// passed over.
func (r *reader) lines(ctx context.Context, f *os.File, at *place) error {
	in := bufio.NewReaderSize(f, 64<<10)
	for n := 1; ; n++ {
		line, err := readLine(in)
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, errLongLine):
			r.summary.badFile(fmt.Sprintf("%s:%d", f.Name(), n), err.Error())
			continue
		case err != nil:
			return bad("line %d: %v", n, err)
		case len(bytes.TrimSpace(line)) == 0:
			continue
		}
		err = r.submission(ctx, line, at, fmt.Sprintf("%s:%d", at.name, n))
		if wrong, ok := errors.AsType[*fileError](err); ok {
			r.summary.badFile(fmt.Sprintf("%s:%d", f.Name(), n), wrong.Error())
		} else if err != nil {
			return err
		}
	}
}

var errLongLine = fmt.Errorf("a line of more than %d bytes", maxObject)

// readLine returns the next line, whole, or errLongLine, after which the next
// call returns the line after it.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	long := false
	for {
		part, err := in.ReadSlice('\n')
		if long = long || len(line)+len(part) > maxObject; !long {
			line = append(line, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && (len(line) > 0 || long):
		case err != nil:
			return nil, err
		}
		if long {
			return nil, errLongLine
		}
		return line, nil
	}
}
