package threats

// ofBuckets are the protections from who else can write to a bucket, and from what a
// bucket does by itself.
var ofBuckets = []protection{
	{
		row: "B1", file: "distribution/foreign.go",
		old: "!ours || planned[name] || r.shares()", new: "!ours || len(planned) >= 0 || r.shares()",
		pkg: "distribution", test: "TestForeignBucket/another ledger",
	},
	{
		row: "B1", file: "distribution/foreign.go",
		old: "\treturn r.checkReplaced(ctx)\n", new: "\treturn nil\n",
		pkg: "distribution", test: "TestSwappedTrees",
	},
	{
		row: "B2", file: "distribution/carry.go",
		old: "!ok || a.ETag != o.ETag || a.Size != o.Size {\n\t\t\treturn false", new: "!ok || a.Size < 0 {\n\t\t\treturn false",
		pkg: "distribution", test: "TestRepair/damaged",
	},
	{
		row: "B2", file: "distribution/carry.go",
		old: "(r.doubt || !r.intact(c))", new: "r.doubt",
		pkg: "distribution", test: "TestRepair/missing",
	},
	{
		row: "B3", file: "distribution/carry.go",
		old: "\tdigest, err := r.verifyOurs(name, archive, partOf(content, c.Parts, i))\n\tif err != nil {\n",
		new: "\tdigest, err := r.verifyOurs(name, archive, partOf(content, c.Parts, i))\n\tif err != nil && attrs.Size < 0 {\n",
		pkg: "distribution", test: "TestConflict/another content",
	},
	{
		row: "B2", file: "distribution/carry.go",
		old: "(r.doubt || !r.intact(c))", new: "!r.intact(c)",
		pkg: "distribution", test: "TestDoubt",
	},
	{
		row: "B4", file: "distribution/bucket.go",
		old: "\topts.IfAbsent = etag == \"\"\n", new: "\topts.IfAbsent = false\n",
		pkg: "distribution", test: "TestConflictMeanwhile",
	},
	{
		row: "B4", file: "distribution/bucket.go",
		old: "\tif etag != \"\" {\n\t\ta, err", new: "\tif etag != \"\" && ctx == nil {\n\t\ta, err",
		pkg: "distribution", test: "TestPausedRunner/midday in memory",
	},
	{
		row: "B5", file: "distribution/open.go",
		old: "\tif err == nil && !can {\n", new: "\tif err == nil && !can && r.report == nil {\n",
		pkg: "distribution", test: "TestOpenNeedsReplace",
	},
	{
		row: "B5", file: "storage/ledger/bucketledger/probe.go",
		old: "\tcase err == nil:\n\t\treturn a, fail(", new: "\tcase err == nil && a.Size < 0:\n\t\treturn a, fail(",
		pkg: "storage/ledger/bucketledger", test: "TestNeedsAtomicCreate",
	},
	{
		row: "B6", file: "distribution/retention.go",
		old: "\tif err := r.delete(ctx, doomed); err != nil {\n",
		new: "\tif len(doomed) > 0 {\n\t\tfor name := range r.listed {\n\t\t\tif _, ours := r.layout.Parse(name); !ours {\n\t\t\t\tdoomed = append(doomed, name)\n\t\t\t}\n\t\t}\n\t}\n\tif err := r.delete(ctx, doomed); err != nil {\n",
		pkg: "distribution", test: "TestForeignBucket/what is not of the layout is left alone",
	},
	{
		row: "B6", file: "distribution/retention.go",
		old: "r.now.After(unlisted.Add(r.opts.MaxAge+r.opts.Deadline))", new: "!r.now.Before(unlisted)",
		pkg: "distribution", test: "TestRetention",
	},
	{
		row: "B7", file: "storage/operations.go",
		old: "\tcase name <= last:\n", new: "\tcase name == \"\":\n",
		pkg: "storage", test: "TestList",
	},
	{
		row: "B7", file: "storage/operations.go",
		old: "\tif a.Size > limit {\n", new: "\tif a.Size > limit+(1<<40) {\n",
		pkg: "storage", test: "TestReadAll",
	},
	{
		row: "B8", file: "storage/ledger/bucketledger/inbox.go",
		old: "\tcase o.source != ledger.Own && s.Origin != o.granted.Origin:\n", new: "\tcase o.source != ledger.Own && s.Origin.IsZero():\n",
		pkg: "storage/ledger/bucketledger", test: "TestInboxBadObjects",
	},
	{
		row: "B8", file: "storage/name.go",
		old: "\tcase s[0] == '.':\n", new: "\tcase s == \"\\x00\":\n",
		pkg: "storage", test: "TestCheckName",
	},
}
