package orders

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// maxInquiry is how long what names a key may be.
const maxInquiry = 1 << 10

// ReadInquiry reads which key is asked for, from a file or, as "-", from standard
// input: never from the command line, where everybody on the machine could see it.
// The key data are in hexadecimal or base64, and after them, if they are known, come
// the first interval and the origin. No error quotes what it was read from.
func ReadInquiry(file string, stdin io.Reader) (in ledger.Inquiry, err error) {
	r := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return in, err
		}
		defer f.Close()
		r = f
	}
	text, err := io.ReadAll(io.LimitReader(r, maxInquiry+1))
	if err != nil {
		return in, err
	}
	if len(text) > maxInquiry {
		return in, fmt.Errorf("more than %d bytes", maxInquiry)
	}
	return parseInquiry(string(text))
}

func parseInquiry(text string) (in ledger.Inquiry, err error) {
	fields := strings.Fields(text)
	if len(fields) < 1 || len(fields) > 3 {
		return in, fmt.Errorf("%d words, want one to three: the key data, its first interval, its origin", len(fields))
	}
	if in.KeyData, err = ParseKeyData(fields[0]); err != nil {
		return in, fmt.Errorf("key data: %w", err)
	}
	if len(fields) > 1 {
		n, err := strconv.ParseUint(fields[1], 10, 32)
		if err != nil {
			return in, errors.New("a first interval that is no number")
		}
		in.RollingStartIntervalNumber = keys.Interval(n)
	}
	if len(fields) > 2 {
		if in.Origin, err = keys.ParseRegion(fields[2]); err != nil {
			return in, errors.New("an origin that is no region")
		}
	}
	return in, nil
}
