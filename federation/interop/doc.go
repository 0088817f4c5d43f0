// Package interop speaks the interoperability protocol, by which the back ends of
// the British Isles and others exchange keys: JSON, signed as a JWS by ES256, and
// bearer tokens. It has both sides.
//
// [Client] is what package federation's Pull and Push work with:
//
//	client, err := interop.NewClient("https://interop.example/diagnosiskeys", interop.TokenFile("token"), &interop.ClientOptions{
//		Signer: signer, // a *jws.Signer
//		Region: keys.MustRegion("GB-EAW"),
//	})
//	pull, err := federation.NewPull(l, "interop", client, nil)
//	push, err := federation.NewPush(l, "interop", client, federation.Export(), nil)
//
// [Server] is a federation server's:
//
//	server, err := interop.NewServer(hub, nations, tokens, nil) // a *federation.Hub, a Directory, *jws.Tokens
//	err = interop.NewHTTPServer(":8080", server).ListenAndServe()
//
// # Requests
//
//	GET  /download/2021-06-02?batchTag=…   200 {"batchTag": "…", "exposures": [{…}, …]}, or 204: nothing yet
//	POST /upload {"batchTag": "…", "payload": "<JWS of [{…}, …]>"}   200 {"batchTag": "…", "insertedExposures": 3}
//
// and with each a header, Authorization: Bearer <token>. Some deployments put
// /diagnosiskeys before both. An exposure is
//
//	{"keyData": "<16 bytes in base64>", "rollingStartNumber": 2655792, "transmissionRiskLevel": 0, "rollingPeriod": 144,
//	 "origin": "IE", "regions": ["IE"], "testType": 1, "reportType": 1, "daysSinceOnset": 0}
//
// in uploads without origin: the server knows it from the token.
//
// # Exposures
//
// Each exposure is judged alone. One that cannot be read is set aside, with the
// field and the reason; its neighbours are taken. What servers hand out because
// others sent it so is read: base64url, missing padding and line breaks in key
// data, numbers as strings, missing and null fields. Key data of another form or
// length, numbers and enumerations out of range, and a name that comes twice, are
// reasons. Unknown fields are passed over.
//
// The protocol has no way to say that something is not known. An onset of 0 days
// is what servers make of NULL, and what the British back end sends for want of
// one; so it is read as not known, and what is not known is written as 0. Whoever
// would have it as a day sets PullOptions.Defaults.DaysSinceOnset. A risk that is
// not known is written as 0, a report type as 0, UNKNOWN, a test as 1, LAB_RESULT.
//
// The field's regions name the origin first; what is kept as visited is the others.
//
// # Between hubs of this package
//
// In the extended form, what is not known is left out, an onset of 0 days is one,
// and uploads name the origin of each key. It is used where both sides are told so:
// by [ClientOptions].Extended and [Member].Extended. Any upload may name origins:
// those that the nation has no right to relay are set aside, each alone.
//
// # Errors
//
// A [Client] fails with an [*Error], which is of a class of package federation. The
// interoperability service answers 500 to a signature that it cannot verify, which
// is [federation.ErrDenied] here, and to content that its database does not take,
// which is [federation.ErrRefused].
//
// A [Server] says who is not known before it says anything else. Its statuses are
// 200 and 204; 400 with the field that is wrong; 401 for tokens, and for uploads
// that are not signed with a key of the nation's; 403, 404, 405, 408, 413, 415; 429
// for a nation with too many requests at the same time; 503 if the ledger or a
// directory does not answer. Whoever is refused has a second to send the rest of the
// request, and not the time of one that is granted. Keys of an upload that were not taken are counted in
// rejectedExposures, and by field and reason in rejections, which are there only if
// any was not. So are, in refusedWithdrawals, withdrawals.
//
// No error, message or log of this package holds key data, a token or what the
// other side sent. (net/http's own transport prints, by package log, how bytes begin
// that a server sends after its answer.)
//
// # Compatibility
//
// The client lives with all that the interoperability service was seen to answer,
// and the server takes all that its clients were seen to send (the tests have both,
// row by row). Where they would lose keys it does otherwise: one bad key does not
// make a batch fail, a tag is the nation's own, an unknown tag is not "nothing new".
package interop
