// Package federationtest checks both sides of the interoperability protocol and of
// the European gateway's over HTTP, and makes servers of both that misbehave on
// purpose. A national team runs it against its own endpoint, or a
// partner's, in whatever language that is written.
//
// # A server
//
// [TestServer] calls a server as two or more nations, whose credentials it is
// given:
//
//	func TestOurHub(t *testing.T) {
//		federationtest.TestServer(t, &federationtest.Endpoint{URL: url, Nations: nations}, nil)
//	}
//
// or, without a line of Go,
//
//	go test ./federation/federationtest -run TestEndpoint -v -args \
//		-federationtest.url=https://hub.example -federationtest.nations=$PWD/nations.json -federationtest.upload-to=hub.example
//
// where the file is as [ReadNations] says (go test runs in the package's folder, so
// its path is whole). No server is ever called that was not
// named, and none on another machine that was not named twice, since keys are
// uploaded: random ones, of a day that is over, under tags that begin with
// "federationtest-" and the time. They are not for phones: use servers made for
// tests.
//
// What the open-source interoperability service was measured to do otherwise is in
// [FaithfulDeviations].
//
// # A client
//
// [TestClient] holds a [federation.Downloader] and [federation.Uploader] to their
// contracts:
//
//	func TestOurClient(t *testing.T) {
//		federationtest.TestClient(t, func(t *testing.T, a federationtest.Account) federationtest.Client {
//			return newOurClient(t, a.URL, a.Token, a.Key)
//		}, nil)
//	}
//
// That no error holds key data or the token is part of every clause.
//
// # A server that misbehaves
//
// [Server] is an [http.Handler] that asks a [Hook] what becomes of each request: it
// repeats tags, has empty pages and null, unknown values of enumerations, bodies
// that break off or have no end, any status, and answers that are lost after the
// effect. This is a bad day, the same one every time:
//
//	server.SetHook(federationtest.First(
//		federationtest.On(federationtest.At(2, federationtest.FailAfter), federationtest.RouteUpload),
//		federationtest.Random(1, 0.1, federationtest.Half, http.StatusServiceUnavailable)))
//
// With ServerOptions.Faithful it is the open-source service as it was measured: its
// lenient decoding, its one status 500 for three things, its 204 for tags that it
// does not know, and batches that can be asked for before they are filled
// ([Server.Begin]).
//
// # The European gateway
//
// [TestEFGSServer] calls a gateway of the European protocol, as members with
// certificates, by TLS or as the load balancer before it would; [TestEFGSClient]
// holds a client to what the other side of that needs, audits and runs of days
// included:
//
//	go test ./federation/federationtest -run TestEFGSEndpoint -v -args \
//		-federationtest.efgs-url=https://gateway.example -federationtest.efgs-members=$PWD/members.json -federationtest.upload-to=gateway.example
//
// where the file is as [ReadEFGSMembers] says. -federationtest.efgs-anchor,
// -federationtest.efgs-callback and -federationtest.efgs-balanced say the rest of
// [EFGSEndpoint] and [EFGSEndpointOptions]; each flag that takes a value is also a
// variable of the environment, FEDERATIONTEST_EFGS_URL for one. What an endpoint
// cannot be asked, such as to be another day, the suite does not check there, and
// says so where a clause is skipped for it: the gateway's clock, what it keeps after
// midnight, faults of its store. What the European gateway itself does otherwise is
// in [EFGSDeviations].
//
// The suites share no code with package efgs but the container of signatures,
// package cms; one clause of each side has openssl sign or verify instead, where it
// is installed.
//
// [EFGSServer] plays the European federation gateway: its rules in its order, and
// with the same hooks what it does on a bad day. [Silence] is a 404 there, [Repeat]
// a batch that says it follows itself, [Odd] a batch with unreadable keys in it.
//
// In all suites each subtest is a clause, and each failure quotes it. A clause that
// is not kept is declared in Skip, with a reason, which is printed. What the suites
// do not check, the contracts do not promise.
package federationtest
