package threats

// ofTokens are the protections of bearer tokens, API keys, and the messages that are
// signed beside them.
var ofTokens = []protection{
	{
		row: "T1", file: "signing/jws/header.go",
		old: "!ok || got != alg {", new: "!ok || got == \"\" {",
		pkg: "signing/jws", test: "TestVerifyRefuses",
	},
	{
		row: "T1", file: "signing/jws/token.go",
		old: "\t\tif payload, err := signed.Verify(k.key); err == nil {\n", new: "\t\tif payload, err := signed.UnsafePayloadWithoutVerification(), error(nil); err == nil && k.key != nil {\n",
		pkg: "signing/jws", test: "TestVerifyRefusesTokens",
	},
	{
		row: "T1", file: "signing/jws/header.go",
		old: "\t\tif _, ok := fields[name]; ok {\n", new: "\t\tif _, ok := fields[name]; ok && name == \"\" {\n",
		pkg: "signing/jws", test: "TestVerifyRefuses",
	},
	{
		row: "T2", file: "signing/jws/claims.go",
		old: "\tcase !now.Before(c.ExpiresAt.Add(leeway)):\n", new: "\tcase now.IsZero():\n",
		pkg: "signing/jws", test: "TestTokensInTime",
	},
	{
		row: "T2", file: "signing/jws/claims.go",
		old: "\tcase valid > longest:\n", new: "\tcase valid > 1000*longest:\n",
		pkg: "signing/jws", test: "TestTokensInTime",
	},
	{
		row: "T2", file: "signing/jws/claims.go",
		old: "\tcase c.IssuedAt.After(now.Add(leeway)):\n", new: "\tcase c.IssuedAt.IsZero():\n",
		pkg: "signing/jws", test: "TestTokensInTime",
	},
	{
		row: "T3", file: "signing/jws/token.go",
		old: "\tcase revoked:\n", new: "\tcase revoked && c.Nation == \"\":\n",
		pkg: "federation/interop", test: "TestBearerTokens",
	},
	{
		row: "T4", file: "signing/jws/verifier.go",
		old: "\t\tif verifyES256(k.Key, digest[:], signature) {\n", new: "\t\tif verifyES256(k.Key, digest[:], signature) || len(digest) > 0 {\n",
		pkg: "federation/interop", test: "TestOthersUploads",
	},
	{
		row: "T5", file: "signing/jws/verifier.go",
		old: "\t\tif verifyES256(k.Key, digest[:], signature) {\n", new: "\t\tif verifyES256(k.Key, digest[:], signature) || len(digest) > 0 {\n",
		pkg: "signing/jws", test: "TestAlteredMessagesAreRefused",
	},
	{
		row: "T5", file: "signing/jws/compact.go",
		old: "\treturn encoding.Strict().DecodeString(part)\n", new: "\treturn encoding.DecodeString(part)\n",
		pkg: "signing/jws", test: "TestAlteredMessagesAreRefused",
	},
	{
		row: "T5", file: "signing/jws/claims.go",
		old: "\tif err := strict.Unmarshal(payload, &w); err != nil || w == nil {\n", new: "\t_ = strict.Unmarshal\n\tif err := json.Unmarshal(payload, &w); err != nil || w == nil {\n",
		pkg: "signing/jws", test: "TestVerifyRefusesTokens",
	},
	{
		row: "T7", file: "signing/jws/secret.go",
		old: "func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }", new: "func (s Secret) Format(f fmt.State, _ rune) { f.Write(s) }\n\nvar _ = io.WriteString",
		pkg: "signing/jws", test: "TestSecretsAreNotPrinted",
	},
	{
		row: "T7", file: "storage/ledger/submit/authorizer.go",
		old: "func (Request) Format(f fmt.State, _ rune) { io.WriteString(f, \"Request(redacted)\") }", new: "func (r Request) Format(f fmt.State, _ rune) { io.WriteString(f, r.Token) }",
		pkg: "storage/ledger/submit", test: "TestRedacted",
	},
	{
		row: "T8", file: "storage/ledger/submit/apikey.go",
		old: "\tcase len(value) < minAPIKey:\n", new: "\tcase len(value) < 1:\n",
		pkg: "storage/ledger/submit", test: "TestAPIKeys",
	},
	{
		row: "T8", file: "storage/ledger/submit/apikey.go",
		old: "\treturn found == 1 && strings.HasPrefix(header, bearer)\n", new: "\treturn found >= 0 && strings.HasPrefix(header, bearer)\n",
		pkg: "storage/ledger/submit", test: "TestAPIKeys",
	},
	{
		row: "T8", file: "storage/ledger/submit/tokens.go",
		old: "\treturn tokenPrefix + hex.EncodeToString(sum[:])\n", new: "\t_ = sum\n\treturn tokenPrefix + token\n",
		pkg: "storage/ledger/submit", test: "TestHashes",
	},
}
