package threats

// ofNetworks are the protections from what lies between a back end and those who
// read from it or write to it: caches, and whoever can change what passes.
var ofNetworks = []protection{
	{
		row: "C1", file: "export/verify.go",
		old: "\terr := key.Verify(a.info.SHA256[:], s.DER)\n", new: "\tvar err error\n",
		pkg: "distribution", test: "TestVerifyFinds/right name, wrong key",
	},
	{
		row: "C1", file: "distribution/deltaset/survey.go",
		old: " && k.Verify(digest[:], signature) == nil {", new: " && k.Verify(digest[:], signature) != errors.ErrUnsupported {",
		pkg: "distribution/deltaset", test: "TestRefused/sums altered",
	},
	{
		row: "C2", file: "export/verify.go",
		old: "\tif err := want.check(&a.header); err != nil {\n", new: "\tif err := want.check(&a.header); err != nil && a.info.Keys < 0 {\n",
		pkg: "distribution", test: "TestVerifyFinds/another hour's archive",
	},
	{
		row: "C3", file: "distribution/deltaset/client.go",
		old: "\tcase from.Ledger != \"\" && s.End().Before(from.End()):\n", new: "\tcase s.End().IsZero():\n",
		pkg: "distribution/deltaset", test: "TestWentBack",
	},
	{
		row: "C3", file: "distribution/deltaset/client.go",
		old: "\tif c.opts.Now().Sub(s.End()) > limit {\n", new: "\tif c.opts.Now().Sub(s.End()) > 1000*limit {\n",
		pkg: "distribution/deltaset", test: "TestStale",
	},
	{
		row: "C4", file: "distribution/deltaset/follow.go",
		old: "\tif hex.EncodeToString(s.hash.Sum(nil)) != s.entry.SHA256 {\n", new: "\tif hex.EncodeToString(s.hash.Sum(nil)) == \"\" {\n",
		pkg: "distribution/deltaset", test: "TestRefused/exposures of another interval",
	},
	{
		row: "C5", file: "distribution/verify.go",
		old: "v.opts.Now.Sub(end) > v.opts.MaxAge {", new: "v.opts.Now.Sub(end) > 1000*v.opts.MaxAge {",
		pkg: "distribution", test: "TestVerifyFinds/fresh",
	},
	{
		row: "C7", file: "distribution/index.go",
		old: "\t\treturn !ok || !c.End.After(t)\n", new: "\t\treturn !ok || !c.End.After(t) || c.End.After(t)\n",
		pkg: "distribution", test: "TestBudget",
	},
	{
		row: "C7", file: "distribution/index.go",
		old: "\t\tr.report.indexesStopped = true\n\t\treturn nil\n", new: "\t\tr.report.indexesStopped = true\n",
		pkg: "distribution", test: "TestIndexFails",
	},
	{
		row: "C8", file: "federation/internal/remote/server.go",
		old: "\tcase u.Scheme == \"http\" && !plain && !isLoopback(u.Hostname()):\n", new: "\tcase u.Scheme == \"http\" && !plain && !isLoopback(u.Hostname()) && u.Host == \"\":\n",
		pkg: "federation/internal/remote", test: "TestNew",
	},
	{
		row: "C9", file: "federation/efgs/callback.go",
		old: "\tcase !h.knows(r):\n", new: "\tcase !h.knows(r) && r.TLS == nil:\n",
		pkg: "federation/efgs", test: "TestCallback",
	},
	{
		row: "C10", file: "export/zip.go",
		old: "\tcase f.UncompressedSize64 > uint64(limit):\n", new: "\tcase f.UncompressedSize64 > uint64(limit)+(1<<40):\n",
		pkg: "export", test: "TestBombs",
	},
	{
		row: "C10", file: "export/zip.go",
		old: "left: maxDirectory}", new: "left: 1 << 40}",
		pkg: "export", test: "TestHugeDirectory",
	},
	{
		row: "C10", file: "distribution/deltaset/client.go",
		old: "&limited{r: r, left: min(limit, c.opts.MaxFile)}", new: "&limited{r: r, left: 1 << 40}",
		pkg: "distribution/deltaset", test: "TestBombs",
	},
}
