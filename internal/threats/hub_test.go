package threats

// ofHubs are the protections of a back end from the federation servers that it asks.
var ofHubs = []protection{
	{
		row: "H1", file: "federation/internal/remote/server.go",
		old: "\tif int64(len(a.Body)) > limit {\n", new: "\tif int64(len(a.Body)) > limit+(1<<40) {\n",
		pkg: "federation/internal/remote", test: "TestLimits",
	},
	{
		row: "H1", file: "federation/interop/exposure.go",
		old: "\t\tif len(ks)+len(aside) == limit {\n", new: "\t\tif len(ks)+len(aside) < 0 {\n",
		pkg: "federation/interop", test: "TestExposuresLimit",
	},
	{
		row: "H1", file: "federation/internal/remote/server.go",
		old: "context.WithTimeout(ctx, s.opts.Timeout)", new: "context.WithTimeout(ctx, s.opts.Timeout+time.Hour)",
		pkg: "federation/internal/remote", test: "TestDeadline",
	},
	{
		row: "H2", file: "federation/internal/remote/server.go",
		old: "\ts.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }\n", new: "",
		pkg: "federation/internal/remote", test: "TestRedirects",
	},
	{
		row: "H3", file: "federation/pull.go",
		old: "if page.Tag == r.cursor.At.Tag || r.seen[page.Tag] {", new: "if page.Tag == \"\" {",
		pkg: "federation", test: "TestPullBoundsLoops",
	},
	{
		row: "H4", file: "federation/pull.go",
		old: "\tif plain(tag) {\n", new: "\tif tag != \"\" {\n",
		pkg: "federation", test: "TestPullTagsBecomeNames",
	},
	{
		row: "H4", file: "federation/internal/remote/server.go",
		old: "fmt.Errorf(\"reading the answer: %w\", Safe(err))", new: "fmt.Errorf(\"reading the answer: %w: %q\", Safe(err), a.Body)",
		pkg: "federation/internal/remote", test: "TestNoAnswer",
	},
	{
		row: "H5", file: "storage/ledger/intake.go",
		old: "\treturn rejection(in.policy.Check(k, in.now))\n", new: "\treturn nil\n",
		pkg: "federation", test: "TestPullJudgesEachKeyAlone",
	},
	{
		row: "H6", file: "keys/policy.go",
		old: "start.After(now.Add(p.MaxLead))", new: "start.After(now.Add(p.MaxLead).AddDate(10, 0, 0))",
		pkg: "keys", test: "TestPolicyTimes",
	},
	{
		row: "H6", file: "storage/ledger/policy.go",
		old: "embargo.After(accepted) {\n\t\treturn embargo\n", new: "embargo.After(accepted) {\n\t\treturn accepted\n",
		pkg: "storage/ledger", test: "TestNothingIsDueUnderEmbargo",
	},
	{
		row: "H7", file: "federation/efgs/audit.go",
		old: "\t\tif part[i].Origin != e.Country {\n", new: "\t\tif part[i].Origin == \"\" {\n",
		pkg: "federation/efgs", test: "TestAuditOfWrongOrigin",
	},
	{
		row: "H7", file: "federation/efgs/audit.go",
		old: "\tcase s.Country != e.Country:\n", new: "\tcase s.Country == \"\":\n",
		pkg: "federation/efgs", test: "TestAuditSetsAside",
	},
	{
		row: "H7", file: "federation/efgs/audit.go",
		old: "\tif err := cms.VerifyAnchor(a.Anchor, e.SigningCertificate, e.SigningCertificateOperatorSignature); err != nil {\n",
		new: "\tif err := error(nil); err != nil {\n",
		pkg: "federation/efgs", test: "TestAuditSetsAside",
	},
	{
		row: "H7", file: "federation/efgs/audit.go",
		old: "\tif sum != int64(has) {\n", new: "\tif sum > int64(has) {\n",
		pkg: "federation/efgs", test: "TestAuditDoubt",
	},
	{
		row: "H7", file: "federation/efgs/audit.go",
		old: "\t\tif c.opts.Audit.Unsigned {\n", new: "\t\tif c.opts.Audit.Verifier != nil {\n",
		pkg: "federation/efgs", test: "TestAuditUnsigned",
	},
	{
		row: "H9", file: "federation/pull.go",
		old: "r.now.Sub(found) > r.opts.Stale {", new: "r.now.Sub(found) > 1000*r.opts.Stale {",
		pkg: "federation", test: "TestPullBelievesHonestSilence",
	},
	{
		row: "H9", file: "federation/pull.go",
		old: "behind > r.opts.Retention/2 {", new: "behind > 1000*r.opts.Retention {",
		pkg: "federation", test: "TestPullWarnsBeforeItIsTooLate",
	},
	{
		row: "H10", file: "federation/probe.go",
		old: "\tif !p.Known && p.Pages > 0 {\n", new: "\tif p.Known && p.Pages > 0 {\n",
		pkg: "federation", test: "TestPullFindsOutAboutUnknownTags",
	},
	{
		row: "H12", file: "examples/internal/partner/exchange.go",
		old: "!in.AcceptOwn && !own.IsZero() {", new: "!in.AcceptOwn && own.IsZero() {",
		pkg: "examples/internal/nation", test: "TestOwnKeysFromAbroad",
	},
	{
		row: "H12", file: "storage/ledger/claim.go",
		old: "speaks := c.Source == Own && !u.Released()", new: "speaks := c.Source == Own && u.Erase",
		pkg: "storage/ledger", test: "TestOwnBeforeAll",
	},
	{
		row: "H13", file: "federation/rules.go",
		old: "\tcase !consented(k, e):\n", new: "\tcase k.Origin.IsZero():\n",
		pkg: "federation", test: "TestPushLeavesOut",
	},
	{
		row: "H13", file: "federation/rules.go",
		old: "\tcase k.Provenance != keys.Real:\n", new: "\tcase k.KeyData.IsZero():\n",
		pkg: "federation", test: "TestPushSendsNoPadding",
	},
	{
		row: "H14", file: "federation/internal/remote/answer.go",
		old: "return min(max(d, 0), maxRetryAfter)", new: "return max(d, 0)",
		pkg: "federation/internal/remote", test: "TestRetryAfter",
	},
	{
		row: "H14", file: "federation/push.go",
		old: "\t\tif i < 0 || i >= len(at) {\n", new: "\t\tif i < -1000 {\n",
		pkg: "federation", test: "TestPushDoesNotTrustTheAnswer",
	},
}
