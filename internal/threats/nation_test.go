package threats

// ofNations are the protections from those who upload to a federation server and
// download from it.
var ofNations = []protection{
	{
		row: "N1", file: "federation/sealed.go",
		old: "case k.Origin != n.Region && !n.Relays.Has(k.Origin):", new: "case k.Origin.IsZero():",
		pkg: "federation/interop", test: "TestOthersUploads",
	},
	{
		row: "N1", file: "federation/efgs/receive.go",
		old: "\t\tif all[i].Origin != c.country {\n", new: "\t\tif all[i].Origin == \"\" {\n",
		pkg: "federation/efgs", test: "TestServerUpload",
	},
	{
		row: "N2", file: "storage/ledger/intake.go",
		old: "case rec.Unit != nil && rec.Unit.claimOf(source) != nil:", new: "case rec.Unit != nil:",
		pkg: "storage/ledger/memledger", test: "TestStore/withdrawal-by-others",
	},
	{
		row: "N2", file: "storage/ledger/claim.go",
		old: "\tif !speaks && !sameInterval(&u.Key, &c.Key) {\n", new: "\tif !speaks && u.Erase {\n",
		pkg: "storage/ledger", test: "TestClaimsThatDiffer",
	},
	{
		row: "N2", file: "storage/ledger/claim.go",
		old: "\tif canBecome(u.Key.ReportType, t) {\n\t\tu.Key", new: "\tif t.Present() {\n\t\tu.Key",
		pkg: "storage/ledger", test: "TestClaimsByReportType",
	},
	{
		row: "N3", file: "federation/batches.go",
		old: "\t\tcase u.Key.Origin == n.Region:\n", new: "\t\tcase u.Key.Origin.IsZero():\n",
		pkg: "federation", test: "TestHubSparesItsCaller",
	},
	{
		row: "N3", file: "federation/batches.go",
		old: "\t\tcase broughtBy(n.Name, u, spans[i].to):\n", new: "\t\tcase i < 0:\n",
		pkg: "federation", test: "TestHubSparesItsCaller",
	},
	{
		row: "N4", file: "storage/ledger/claim.go",
		old: "\tif u.SourceWithdrew {\n\t\treturn 0,", new: "\tif u.Erase {\n\t\treturn 0,",
		pkg: "storage/ledger", test: "TestWithdrawnStaysWithdrawn",
	},
	{
		row: "N4", file: "storage/ledger/claim.go",
		old: "\tcase !rec.Tombstone.IsZero():\n", new: "\tcase u == nil && len(c.Upload) > 1000:\n",
		pkg: "storage/ledger", test: "TestRemovedStaysWithdrawn",
	},
	{
		row: "N5", file: "storage/ledger/intake.go",
		old: "\t\tHeld:     in.used[pair] >= int64(in.ledger.policy.Quota),\n", new: "",
		pkg: "storage/ledger", test: "TestQuota",
	},
	{
		row: "N5", file: "storage/ledger/intake.go",
		old: "\tcase in.used[pair] >= int64(in.ledger.policy.Quota):\n", new: "\tcase in.used[pair] < 0:\n",
		pkg: "storage/ledger", test: "TestQuota",
	},
	{
		row: "N5", file: "storage/ledger/intake.go",
		old: "\tif in.used[pair] >= int64(in.ledger.policy.Quota) {\n", new: "\tif in.used[pair] < 0 {\n",
		pkg: "storage/ledger", test: "TestQuota",
	},
	{
		row: "N6", file: "federation/interop/exposure.go",
		old: "\t\tif err == nil {\n\t\t\tks = append(ks, k)\n\t\t\tcontinue\n\t\t}\n",
		new: "\t\tif err == nil {\n\t\t\tks = append(ks, k)\n\t\t\tcontinue\n\t\t}\n\t\tif limit > 0 {\n\t\t\treturn nil, nil, err\n\t\t}\n",
		pkg: "federation/interop", test: "TestUploadContents",
	},
	{
		row: "N6", file: "federation/sealed.go",
		old: "\td.Whole = true\n", new: "",
		pkg: "federation", test: "TestSealedIsStoredWholeOrNotAtAll",
	},
	{
		row: "N7", file: "federation/sealed.go",
		old: "\tcase found && have == p.Hash:\n", new: "\tcase found && len(have) > 0:\n",
		pkg: "federation", test: "TestSealedTags",
	},
	{
		row: "N8", file: "federation/internal/service/body.go",
		old: "http.MaxBytesReader(w, r.Body, limit)", new: "r.Body",
		pkg: "federation/internal/service", test: "TestBody",
	},
	{
		row: "N8", file: "federation/interop/server.go",
		old: "\tif m, err = s.authenticate(r); err != nil {\n",
		new: "\tr.Body.Read(make([]byte, 1))\n\tif m, err = s.authenticate(r); err != nil {\n",
		pkg: "federation/interop", test: "TestLargeBodies",
	},
	{
		row: "N8", file: "federation/internal/service/patience.go",
		old: "\t\tReadHeaderTimeout: 10 * time.Second,\n\t\tReadTimeout:       2 * time.Minute,\n", new: "",
		pkg: "federation/interop", test: "TestSlowClients",
	},
	{
		row: "N8", file: "federation/internal/service/turnstile.go",
		old: "\tif t.busy[nation] >= t.most {\n", new: "\tif t.busy[nation] < 0 {\n",
		pkg: "federation/interop", test: "TestParallel",
	},
	{
		row: "N9", file: "federation/interop/exposure.go",
		old: "twice := v.Once(names, f[:]); twice != \"\" {", new: "twice := v.Once(names, f[:]); twice == \"x\" {",
		pkg: "federation/interop", test: "TestNamesTwice",
	},
	{
		row: "N9", file: "federation/interop/receive.go",
		old: "\"payload\"}, f[:]); twice != \"\" {", new: "\"payload\"}, f[:]); twice == \"x\" {",
		pkg: "federation/interop", test: "TestNamesTwice",
	},
	{
		row: "N9", file: "federation/internal/jsontext/value.go",
		old: "\tif !json.Valid(text) {\n", new: "\tif len(bytes.TrimSpace(text)) < 2 {\n",
		pkg: "federation/internal/jsontext", test: "TestParseRefuses",
	},
	{
		row: "N10", file: "federation/pull.go",
		old: "\tif plain(tag) {\n", new: "\tif tag != \"\" {\n",
		pkg: "federation", test: "TestPullTagsBecomeNames",
	},
	{
		row: "N10", file: "keys/region.go",
		old: "\t\tcase c == '-' && 0 < i && i < len(s)-1:\n", new: "\t\tcase c == '-' || c == '/' || c == '.':\n",
		pkg: "keys", test: "TestParseRegion",
	},
	{
		row: "N11", file: "federation/efgs/target.go",
		old: "\treturn isPublic(ip) ||", new: "\treturn ip.IsValid() ||",
		pkg: "federation/efgs", test: "TestCallbackTargets",
	},
	{
		row: "N11", file: "federation/efgs/target.go",
		old: "\tif err != nil || !c.mayCall(to.Addr()) {\n", new: "\tif err != nil || !to.IsValid() {\n",
		pkg: "federation/efgs", test: "TestCallbackRebinding",
	},
	{
		row: "N11", file: "federation/efgs/callbacks.go",
		old: "\t\tCheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },\n", new: "",
		pkg: "federation/efgs", test: "TestCallbackRedirects",
	},
	{
		row: "N12", file: "federation/piece.go",
		old: "if c := bytes.Compare(p.Hash[:], q.Hash[:]); c != 0 {", new: "_ = bytes.Compare\n\tif c := int(p.Seq - q.Seq); c != 0 {",
		pkg: "federation", test: "TestSealedPermuted",
	},
	{
		row: "N13", file: "storage/ledger/unit.go",
		old: "{ return UnitID{k.Origin, k.KeyData} }", new: "{ return UnitID{keys.MustRegion(\"EU\"), k.KeyData} }",
		pkg: "federation", test: "TestClaimant",
	},
	{
		row: "N15", file: "federation/interop/handout.go",
		old: "\tif !m.Downloads {\n", new: "\tif m.Name == \"\" {\n",
		pkg: "federation/interop", test: "TestDownloadRequests",
	},
	{
		row: "N15", file: "federation/interop/receive.go",
		old: "\tif m.Verifier == nil {\n", new: "\tif m.Name == \"\" {\n",
		pkg: "federation/interop", test: "TestUploadRequests",
	},
	{
		row: "N16", file: "federation/efgs/subscriptions.go",
		old: "\tif len(all) >= maxCallbacks {\n", new: "\tif len(all) >= 1000*maxCallbacks {\n",
		pkg: "federation/efgs", test: "TestCallbackTargets",
	},
}
