package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/gaenkit/gaen/examples/internal/orders"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// maxInquiry is how long what names a key may be.
const maxInquiry = 1 << 10

// explain prints where a key has been. The key comes from a file or from standard
// input, and never from the command line, where everybody on the machine could see
// it.
func (c *command) explain(ctx context.Context) (err error) {
	in, err := c.readInquiry()
	if err != nil {
		return usageError{fmt.Errorf("the key: %w", err)}
	}
	b, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	explanation, err := b.Explain(ctx, in)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(explanation, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "%s\n", text)
	return err
}

func (c *command) readInquiry() (in ledger.Inquiry, err error) {
	r := c.stdin
	if c.keyFile != "-" {
		f, err := os.Open(c.keyFile)
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

// parseInquiry reads key data in hexadecimal or base64, and, if they are known, the
// first interval and the origin. No error quotes what it was read from.
func parseInquiry(text string) (in ledger.Inquiry, err error) {
	fields := strings.Fields(text)
	if len(fields) < 1 || len(fields) > 3 {
		return in, fmt.Errorf("%d words, want one to three: the key data, its first interval, its origin", len(fields))
	}
	if in.KeyData, err = orders.ParseKeyData(fields[0]); err != nil {
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
