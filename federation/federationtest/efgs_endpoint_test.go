package federationtest_test

import (
	"crypto/x509"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/federation/federationtest"
	"github.com/gaenkit/gaen/signing/cms"
)

// The gateway of TestEFGSEndpoint, beside what TestEndpoint has. Each flag but
// efgs-balanced has a variable of the environment.
var (
	efgsURL      = flag.String("federationtest.efgs-url", os.Getenv("FEDERATIONTEST_EFGS_URL"), "base `URL` of the gateway for TestEFGSEndpoint")
	efgsMembers  = flag.String("federationtest.efgs-members", os.Getenv("FEDERATIONTEST_EFGS_MEMBERS"), "`file` of the members (see ReadEFGSMembers)")
	efgsAnchor   = flag.String("federationtest.efgs-anchor", os.Getenv("FEDERATIONTEST_EFGS_ANCHOR"), "`file` of the certificate (PEM) of the gateway's trust anchor, if it is at hand")
	efgsCallback = flag.String("federationtest.efgs-callback", os.Getenv("FEDERATIONTEST_EFGS_CALLBACK"), "`address` at which the gateway may call back, and nobody listens")
	efgsBalanced = flag.Bool("federationtest.efgs-balanced", false, "call the gateway as its load balancer does")
	efgsReal     = flag.Bool("federationtest.efgs-real-gateway", false, "declare the deviations of the European gateway")
)

// TestEFGSEndpoint runs the suite against a gateway that somebody names.
func TestEFGSEndpoint(t *testing.T) {
	if *efgsURL == "" {
		t.Skip("no gateway is named: -args -federationtest.efgs-url=… -federationtest.efgs-members=…, or FEDERATIONTEST_EFGS_URL and FEDERATIONTEST_EFGS_MEMBERS")
	}
	members, err := federationtest.ReadEFGSMembers(*efgsMembers)
	if err != nil {
		t.Fatal(err)
	}
	e := &federationtest.EFGSEndpoint{URL: *efgsURL, Members: members, Balanced: *efgsBalanced, Anchor: anchorIn(t, *efgsAnchor)}
	opts := &federationtest.EFGSEndpointOptions{UploadTo: *endpointHost, Patience: *endpointWait, Callback: *efgsCallback, Skip: map[string]string{}}
	if *efgsReal {
		opts.Skip = federationtest.EFGSDeviations()
	}
	for entry := range strings.SplitSeq(*endpointSkip, ";") {
		if name, why, ok := strings.Cut(entry, "="); ok {
			opts.Skip[name] = why
		}
	}
	if *endpointCA != "" {
		opts.Roots = rootsIn(t, *endpointCA)
	}
	federationtest.TestEFGSServer(t, e, opts)
}

// anchorIn returns the certificate in a file, nil without one.
func anchorIn(t *testing.T, file string) *x509.Certificate {
	t.Helper()
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := cms.ParseCertificate(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
