package export_test

import (
	"crypto"
	"errors"
	"io"
	"testing"

	"github.com/gaenkit/gaen/signing"
)

var errOutage = errors.New("key service: out of order")

// flakySigner is a key service that is out of order.
type flakySigner struct{ crypto.Signer }

func (f *flakySigner) over(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := signing.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	f.Signer = key
	return f
}

func (f *flakySigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errOutage
}
