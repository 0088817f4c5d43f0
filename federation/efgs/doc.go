// Package efgs speaks the protocol of the European federation gateway: protobuf,
// signed by CMS, over mutual TLS. It has what both sides need to agree on, the
// client, and the gateway itself.
//
// [Client] is what package federation's Pull and Push work with:
//
//	pair, err := efgs.LoadCertificate("tls.crt", "tls.key") // read again when they are replaced
//	client, err := efgs.NewClient("https://efgs.example", keys.MustRegion("DE"), &efgs.ClientOptions{
//		Signer:     signer, // a *cms.Signer
//		Audit:      &efgs.Audit{Verifier: verifier}, // a *cms.Verifier
//		HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: pair.ClientTLS(nil)}},
//	})
//	pull, err := federation.NewPull(l, "efgs", client, client.PullOptions())
//	push, err := federation.NewPush(l, "efgs", client, federation.Export(), &federation.PushOptions{MaxBatch: efgs.MaxBatch})
//
// A second gateway, as the Swiss twin was, is another client and another instance.
//
// # Requests
//
//	POST   /diagnosiskeys/upload                            headers batchTag, batchSignature   201, 207, 400, 403, 409, 413
//	GET    /diagnosiskeys/download/2021-06-02               header batchTag, or none            200, 400, 403, 404, 410
//	GET    /diagnosiskeys/audit/download/2021-06-02/{tag}                                       200, 403, 404, 410
//	GET    /diagnosiskeys/callback
//	PUT    /diagnosiskeys/callback/{id}?url=…
//	DELETE /diagnosiskeys/callback/{id}
//
// Content-Type and Accept are application/protobuf; version=1.0 or
// application/json; version=1.0, version included. A download has the headers
// batchTag, and nextBatchTag, which is "null" where there is none yet.
//
// # What is signed
//
// [SigningBytes] is what the gateway's code makes of a batch, which is neither the
// order of keys nor the list of countries of its design document. The keys of a
// batch are sent in the order that they have; a signature is the same for each.
//
// # Keys
//
// [DiagnosisKey] is a key as it stands on the wire, of which the bytes to be signed
// are made whatever it says; [Of] and [DiagnosisKey.Key] lead to the model and back.
// Days since onset go there and back in all their forms, and 0 is one of them.
//
// Each key is judged alone. One that cannot be read is set aside, with the field and
// the reason, and keeps its place, since audits count; its neighbours are taken.
// Several protobuf bodies one after another are one body, which is how a batch is
// made of uploads.
//
// # Uploads
//
// 201 means stored, and so does 409, since tags are a function of what they are tags
// of: it was stored before. 207 means that nothing was. What the gateway has already
// is dropped and what it failed at is set aside, and the rest is signed and sent
// again, until 201. If it failed at every one of several keys, it is the gateway that
// is broken, and the next run sends them all. A batch that is refused as a whole is
// halved until the key stands alone that is to blame: the gateway does not say which.
//
// # Downloads
//
// A place is the tag of the batch read last. See [Client.Download] for how that leads
// to the next one over midnight, quiet days and a gateway that has lost its batches.
// A batch that ends early at the end of a key is a good message of protobuf: only an
// [Audit] finds that out.
//
// # Gateway
//
// [Server] is the gateway over a [federation.Hub]; somebody calls Release of the hub
// every five minutes, and then Run of the [Callbacks]:
//
//	nations, err := efgs.NewDirectory(federation.Nation{Name: "de", Region: keys.MustRegion("DE"), Withdrawals: true})
//	calls, err := efgs.NewCallbacks(hub, l, nations, list, &efgs.CallbackOptions{Certificate: pair.GetClientCertificate})
//	server, err := efgs.NewServer(hub, nations, list, &efgs.ServerOptions{Anchor: anchor, Callbacks: calls})
//	web := efgs.NewHTTPServer(":8443", server)
//	web.TLSConfig = pair.ServerTLS()
//
// Certificates are known one by one, by a [cms.Certificates]. TLS can end before the
// server, at addresses that it is told; HAProxy says whose certificate it has seen by
//
//	http-request set-header X-SSL-Client-SHA256 %[ssl_c_der,sha2(256),hex]
//	http-request set-header X-SSL-Client-DN "%[ssl_c_s_dn(,0,rfc2253)]"
//
// Clients that lived with the European gateway find the same answers here: 207
// without a tag, a first batch that is of a later day than the one asked for, tags
// that lead over midnight, audits that want the very day. Other than there
//
//   - a tag is the nation's own, and no other's can be in its way; tags of batches
//     have a hash behind the number, by which one of a ledger that went back is told;
//   - more than 5,000 keys are 413 before any of them is looked at, and 409 for a tag
//     comes after the signature;
//   - what a key cannot be is 400: days since onset that stand for nothing, report
//     types beyond REVOKED, countries that are none; so is an upload without keys;
//   - a key is known by its data and origin, so that the same key with another risk
//     is one that is there, and not a new one;
//   - a header that is there twice, and a name with two countries, are 400;
//   - what cms refuses is refused: attached content, SHA-1, stripped attributes;
//   - of a body goes on what is signed; fields that nobody knows are dropped;
//   - the time of an upload in an audit is that of its batch;
//   - a certificate whose thumbprint begins with zeros is one like any other;
//   - no subscription is ever dropped, and each batch is called for until it is
//     answered.
//
// Where every key of an upload is refused, the answer is 400 and not 207: the
// clients of the field halve it then.
//
// # Errors
//
// A [Client] fails with an [*Error], which is of a class of package federation. No
// error of this package holds key data or what the other side sent.
//
// A [Server] says who is not known before it says anything else. Beside the statuses
// above it answers 404, 405, 408 for a body that is too slow, 429 for a nation with
// too many requests at the same time, and 503 if the ledger, the list or the
// directory does not answer. Whoever is refused has a second to send the rest of the
// request, and not the time of one that is granted.
//
// # Compatibility
//
// Version 1.0 of both formats. The bytes to be signed are those of all 5,000 vectors
// of the gateway's own tests; both formats are held against protobuf's own code.
// Where the wire can say less than the model, [Of] says what becomes of it.
package efgs
