// Package efgs speaks the protocol of the European federation gateway: protobuf,
// signed by CMS, over mutual TLS. It has what both sides need to agree on, and the
// client.
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
// # Errors
//
// A [Client] fails with an [*Error], which is of a class of package federation. No
// error of this package holds key data or what the other side sent.
//
// # Compatibility
//
// Version 1.0 of both formats. The bytes to be signed are those of all 5,000 vectors
// of the gateway's own tests; both formats are held against protobuf's own code.
// Where the wire can say less than the model, [Of] says what becomes of it.
package efgs
