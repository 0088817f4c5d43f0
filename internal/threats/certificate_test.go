package threats

// ofCertificates are the protections of the certificates by which nations and the
// gateway know each other, and of the keys behind them.
var ofCertificates = []protection{
	{
		row: "X1", file: "signing/cms/verifier.go",
		old: "\tentry, err := Check(ctx, v.list, m.Certificate, UseSigning, at)\n\tif err != nil {\n",
		new: "\tentry, err := Check(ctx, v.list, m.Certificate, UseSigning, at)\n\tif err != nil && m == nil {\n",
		pkg: "signing/cms", test: "TestVerifyImpostor",
	},
	{
		row: "X1", file: "federation/efgs/caller.go",
		old: "r.TLS.PeerCertificates[0], cms.UseAuthentication, now)", new: "r.TLS.PeerCertificates[0], cms.UseSigning, now)",
		pkg: "federation/efgs", test: "TestCertificates",
	},
	{
		row: "X2", file: "signing/cms/verifier.go",
		old: "\tcase entry.Revoked:\n", new: "\tcase entry.Revoked && country == \"\":\n",
		pkg: "federation/efgs", test: "TestCertificates",
	},
	{
		row: "X2", file: "signing/cms/certificate.go",
		old: "\tif at.After(cert.NotAfter) {\n", new: "\tif at.IsZero() {\n",
		pkg: "federation/efgs", test: "TestCertificates",
	},
	{
		row: "X3", file: "signing/cms/verifier.go",
		old: "\tcase entry.Country != country:\n", new: "\tcase entry.Country == \"\":\n",
		pkg: "signing/cms", test: "TestVerifyCertificates",
	},
	{
		row: "X3", file: "federation/efgs/receive.go",
		old: "\tcase signed.Country != c.country:\n", new: "\tcase signed.Country == \"\":\n",
		pkg: "federation/efgs", test: "TestSigningCertificates",
	},
	{
		row: "X4", file: "federation/efgs/caller.go",
		old: "\treturn cms.VerifyAnchor(anchor, e.Certificate, e.AnchorSignature)\n", new: "\treturn nil\n",
		pkg: "federation/efgs", test: "TestCertificates",
	},
	{
		row: "X4", file: "signing/cms/listfile.go",
		old: "\t\tif anchor != nil {\n", new: "\t\tif anchor != nil && e.Certificate == \"\" {\n",
		pkg: "signing/cms", test: "TestParseListWithAnchor",
	},
	{
		row: "X5", file: "federation/efgs/caller.go",
		old: "\tcase s.isBalancer(r.RemoteAddr):\n", new: "\tcase s.isBalancer(r.RemoteAddr) || r.Header.Get(s.opts.DNHeader) != \"\":\n",
		pkg: "federation/efgs", test: "TestSpoofedHeaders",
	},
	{
		row: "X5", file: "federation/efgs/caller.go",
		old: "\t\tcase c == '\\\\':\n\t\t\ti++\n", new: "",
		pkg: "federation/efgs", test: "TestHeadersOfBalancers",
	},
	{
		row: "X5", file: "federation/efgs/caller.go",
		old: "\tif found != 1 || !isCountry(country) {\n", new: "\tif found < 1 || !isCountry(country) {\n",
		pkg: "federation/efgs", test: "TestHeadersOfBalancers",
	},
	{
		row: "X6", file: "signing/cms/algorithm.go",
		old: "n < MinRSABits || n > MaxRSABits {", new: "n > MaxRSABits {",
		pkg: "signing/cms", test: "TestRSAKeySizes",
	},
	{
		row: "X6", file: "signing/cms/signeddata.go",
		old: "\treturn found, checkCertificateKey(found)\n", new: "\treturn found, nil\n",
		pkg: "signing/cms", test: "TestParseWeakKey",
	},
	{
		row: "X7", file: "signing/cms/message.go",
		old: "\tif sd.extras && !opts.Extras {\n", new: "\tif sd.extras && !opts.Extras && sd.certificates == nil {\n",
		pkg: "signing/cms", test: "TestTampering",
	},
	{
		row: "X7", file: "signing/cms/message.go",
		old: "\t\tif err := m.checkBare(content); err != nil {\n", new: "\t\tif err := m.checkBare(content); err != nil && content == nil {\n",
		pkg: "signing/cms", test: "TestStrippedAttributes",
	},
	{
		row: "X7", file: "signing/cms/message.go",
		old: "\tif !bytes.Equal(digestOf(si.algorithm.hash, content), si.attrs.messageDigest) {\n",
		new: "\tif len(digestOf(si.algorithm.hash, content)) != len(si.attrs.messageDigest) && bytes.Equal(nil, content) {\n",
		pkg: "signing/cms", test: "TestTampering",
	},
	{
		row: "X8", file: "federation/efgs/callbacks.go",
		old: "\t\t\t_, err := listed(ctx, c.list,", new: "\t\t\t_, _ = listed(ctx, c.list,",
		pkg: "federation/efgs", test: "TestCallbackCertificates",
	},
	{
		row: "X9", file: "signing/signer.go",
		old: "func (s *Signer) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }", new: "func (s *Signer) Format(f fmt.State, _ rune) { fmt.Fprintf(f, \"%x\", s.signer) }\n\nvar _ = io.WriteString",
		pkg: "signing", test: "TestSignerDoesNotPrintItsKey",
	},
}
