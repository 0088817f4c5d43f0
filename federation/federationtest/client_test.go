package federationtest

import (
	"testing"

	"github.com/gaenkit/gaen/federation/interop"
)

// ours returns a client of package interop.
func ours(t testing.TB, a Account) *interop.Client {
	t.Helper()
	signer, err := a.Signer()
	if err != nil {
		t.Fatal(err)
	}
	c, err := interop.NewClient(a.URL, interop.TokenText(a.Token), &interop.ClientOptions{Signer: signer, Region: a.Region, Extended: a.Extended, Timeout: a.Timeout, MaxPage: a.MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOurClient(t *testing.T) {
	TestClient(t, func(t *testing.T, a Account) Client { return ours(t, a) }, &ClientOptions{Extended: true})
}
