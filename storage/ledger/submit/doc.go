// Package submit takes from phones what they submit, over HTTP, and keeps it in a
// ledger. The request is that of the British back end:
//
//	POST /submission/diagnosis-keys
//	{
//		"diagnosisKeySubmissionToken": "<UUID, one-time; all zeros for a private journey>",
//		"temporaryExposureKeys": [{"key": "<base64>", "rollingStartNumber": 2655792, "rollingPeriod": 144,
//			"transmissionRiskLevel": 7, "daysSinceOnsetOfSymptoms": 1}],
//		"isPrivateJourney": false,
//		"testKit": "LAB_RESULT"
//	}
//
// A server needs a ledger, an [Authorizer] that decides what may be stored, and a
// key to sign answers with:
//
//	tokens := submit.NewTokens(l, nil)
//	server, err := submit.NewServer(l, keys.MustRegion("GB-EAW"), tokens, signer, nil)
//	http.Handle(submit.DefaultPath, server)
//
//	token, err := tokens.Issue(ctx, submit.Terms{TestType: keys.TestLab, ConsentToFederate: keys.ConsentGiven})
//
// # Tokens
//
// A token of [Tokens] is kept as a hash, in a register of the ledger, and spent in
// the very step that stores the keys. So it is spent exactly once, whatever
// crashes, and whoever uses it at the same time.
//
// # What an answer tells
//
// Nothing: whether a submission was stored, refused, or was only made up to hide
// others (one without keys), the answer is 200 without a body. It has the same
// headers and is signed; each of the three asks the same of the ledger, a reading
// of two registers and a step that is stored; and it leaves at the next beat of a
// clock that starts with the request ([Options.Beat]), so that what it did take
// does not show. More keys than a phone has, and what cannot be read, are refused
// likewise. A key that is not valid is set aside, and its neighbours are stored.
// What no key of can be read is stored as nothing, and its token is good still.
//
// Other statuses say nothing of a submission: 404 and 405, 400 and 413 for a body
// that does not come or end, and 503 if the ledger does not answer, which all kinds
// meet alike. After a 503 the token is still good, or the keys are stored.
//
// Who sees the traffic inside the back end, or the times at which the database
// grows, is beyond this package's help. [Outcome]s are for coarse counters, not for
// a log line each.
//
// # Signatures
//
// The header X-Amz-Meta-Signature-Date has the time, "Wed, 02 Jun 2021 12:00:00
// UTC", and X-Amz-Meta-Signature is keyId="ID",signature="BASE64": ECDSA over
// SHA-256, in DER, of
//
//	<the request's header Request-Id, or not-set>:<METHOD>:<path>:<date>:<body>
//
// # Errors
//
// No error, answer or [Outcome] holds key data, a token or an API key.
package submit
