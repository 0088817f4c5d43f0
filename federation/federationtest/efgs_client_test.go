package federationtest

import (
	"crypto/x509"
	"testing"

	"github.com/gaenkit/gaen/federation/efgs"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/cms"
)

// efgsOptions returns the options of a client of package efgs for an account.
func efgsOptions(a EFGSAccount) *efgs.ClientOptions {
	list := must(cms.NewAllowList(a.Trusted...))
	o := &efgs.ClientOptions{
		Signer: must(a.Member.Signer()), Header: a.Header, Timeout: a.Timeout, MaxPage: a.MaxPage, Clock: a.Clock,
		Audit: &efgs.Audit{Verifier: must(cms.NewVerifier(list, nil)), Anchor: a.Anchor},
	}
	if a.JSON {
		o.Format = efgs.JSON
	}
	return o
}

func oursEuropean(a EFGSAccount) Client {
	return must(efgs.NewClient(a.URL, keys.MustRegion(a.Member.Country), efgsOptions(a)))
}

func ourReceiver(gateway *x509.Certificate) EFGSReceiver {
	return efgs.NewCallback(cms.ThumbprintOf(gateway))
}

// TestOurEuropeanClient holds our client to the suite, without a deviation.
func TestOurEuropeanClient(t *testing.T) {
	TestEFGSClient(t, func(_ *testing.T, a EFGSAccount) Client { return oursEuropean(a) },
		&EFGSClientOptions{Receiver: func(_ *testing.T, gateway *x509.Certificate) EFGSReceiver { return ourReceiver(gateway) }})
}
