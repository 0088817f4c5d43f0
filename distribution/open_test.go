package distribution_test

import (
	"testing"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/nhs"
	"github.com/gaenkit/gaen/signing"
)

// british has the world publish the British layout, in which a day has an open
// file.
func (w *world) british(opts *nhs.Options) {
	w.t.Helper()
	w.layout = newNHS(w.t, opts)
	w.packages = []distribution.Package{{
		Name: "DE", Select: distribution.FromEverywhere(), Map: distribution.NHS(), FromBeginning: true,
	}}
}

func newNHS(t testing.TB, opts *nhs.Options) *nhs.Layout {
	t.Helper()
	signer, err := signing.NewSigner(signing.Identity{KeyID: "metadata", KeyVersion: "v1"}, fixedKey(t, "metadata"), nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := nhs.New("DE", signer, opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
