package federationtest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/efgs"
	"github.com/gaenkit/gaen/federation/federationtest"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/keys"
)

// The whole test of a client.
func ExampleTestClient() {
	_ = func(t *testing.T) { // func TestClient(t *testing.T)
		federationtest.TestClient(t, func(t *testing.T, a federationtest.Account) federationtest.Client {
			return newOurClient(a)
		}, nil)
	}
}

// The whole test of a server that is the open-source interoperability service.
func ExampleTestServer() {
	_ = func(t *testing.T) { // func TestServer(t *testing.T)
		nations, err := federationtest.ReadNations("nations.json")
		if err != nil {
			t.Fatal(err)
		}
		endpoint := &federationtest.Endpoint{URL: "http://127.0.0.1:5000", Nations: nations}
		federationtest.TestServer(t, endpoint, &federationtest.EndpointOptions{Skip: federationtest.FaithfulDeviations()})
	}
}

// A client meets a server whose first answers are 429 and 503.
func ExampleServer() {
	nation := federationtest.NewNation(keys.MustRegion("IE"))
	server, err := federationtest.NewServer([]federationtest.Nation{nation}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	server.SetHook(federationtest.Script(http.StatusTooManyRequests, http.StatusServiceUnavailable))
	h := httptest.NewServer(server)
	defer h.Close()
	client := newOurClient(federationtest.Account{Nation: nation, URL: h.URL})
	for range 3 {
		page, err := client.Download(context.Background(), federation.Place{})
		fmt.Println(page == nil, errors.Is(err, federation.ErrThrottled), errors.Is(err, federation.ErrUnavailable))
	}
	// Output:
	// true true false
	// true false true
	// true false false
}

func newOurClient(a federationtest.Account) *interop.Client {
	signer, err := a.Signer()
	if err != nil {
		panic(err)
	}
	c, err := interop.NewClient(a.URL, interop.TokenText(a.Token), &interop.ClientOptions{Signer: signer, Region: a.Region, Timeout: a.Timeout, MaxPage: a.MaxPage})
	if err != nil {
		panic(err)
	}
	return c
}

// The whole test of a gateway that is reached by TLS.
func ExampleTestEFGSServer() {
	_ = func(t *testing.T) { // func TestGateway(t *testing.T)
		members, err := federationtest.ReadEFGSMembers("members.json")
		if err != nil {
			t.Fatal(err)
		}
		endpoint := &federationtest.EFGSEndpoint{URL: "https://127.0.0.1:8444", Members: members}
		federationtest.TestEFGSServer(t, endpoint, &federationtest.EFGSEndpointOptions{Skip: federationtest.EFGSDeviations()})
	}
}

// The whole test of a client of the European gateway.
func ExampleTestEFGSClient() {
	_ = func(t *testing.T) { // func TestClient(t *testing.T)
		federationtest.TestEFGSClient(t, func(t *testing.T, a federationtest.EFGSAccount) federationtest.Client {
			signer, err := a.Member.Signer()
			if err != nil {
				t.Fatal(err)
			}
			c, err := efgs.NewClient(a.URL, keys.MustRegion(a.Member.Country), &efgs.ClientOptions{
				Signer: signer, Header: a.Header, Timeout: a.Timeout, MaxPage: a.MaxPage, Clock: a.Clock,
			})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}, &federationtest.EFGSClientOptions{Skip: map[string]string{"audit-unlisted": "it verifies no signatures"}})
	}
}
