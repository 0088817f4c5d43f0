package threats

// ofPhones are the protections from whoever has a phone, or pretends to.
var ofPhones = []protection{
	{
		row: "P1", file: "storage/ledger/submit/tokens.go",
		old: "\tif register.Version == 0 {\n\t\treturn Grant{}, nil",
		new: "\tif register.Version == 0 {\n\t\treturn Grant{Store: true}, nil",
		pkg: "storage/ledger/submit", test: "TestOutcomes/unknown token",
	},
	{
		row: "P1", file: "storage/ledger/submit/tokens.go",
		old: "\tif t.opts.PrivateJourney == nil || !r.PrivateJourney {\n\t\treturn Grant{}",
		new: "\tif t.opts.PrivateJourney == nil || !r.PrivateJourney {\n\t\treturn Grant{Store: true}",
		pkg: "storage/ledger/submit", test: "TestOutcomes/zero token",
	},
	{
		row: "P2", file: "storage/ledger/submit/take.go",
		old: "\td.Swaps = g.Spend\n", new: "",
		pkg: "storage/ledger/submit", test: "TestSpentOnce",
	},
	{
		row: "P1", file: "storage/ledger/submit/tokens.go",
		old: " || !r.Time.Before(record.Expires)", new: "",
		pkg: "storage/ledger/submit", test: "TestExpiry",
	},
	{
		row: "P3", file: "storage/ledger/submit/server.go",
		old: "\tif o.Kind == Failed {\n", new: "\tif o.Kind != Stored {\n",
		pkg: "storage/ledger/submit", test: "TestAnswersAlike",
	},
	{
		row: "P3", file: "storage/ledger/submit/take.go",
		old: "\t_, err := s.accept(ctx, &ledger.Delivery{Source: ledger.Own, Swaps: []ledger.Swap{decoy}})\n",
		new: "\tvar err error\n",
		pkg: "storage/ledger/submit", test: "TestSameSteps",
	},
	{
		row: "P3", file: "storage/ledger/submit/server.go",
		old: "!s.wait(r.Context(), begun)", new: "time.Since(begun) > s.opts.Beat",
		pkg: "storage/ledger/submit", test: "TestBeat",
	},
	{
		row: "P4", file: "storage/ledger/submit/request.go",
		old: " || !once(text)", new: "",
		pkg: "storage/ledger/submit", test: "TestOutcomes/two tokens",
	},
	{
		row: "P5", file: "storage/ledger/submit/request.go",
		old: "\t\tk.Origin, k.TestType, k.ReportType = origin, t.TestType, t.ReportType\n",
		new: "\t\tk.Origin, k.TestType = origin, t.TestType\n",
		pkg: "storage/ledger/submit", test: "TestStored",
	},
	{
		row: "P5", file: "storage/ledger/submit/request.go",
		old: "stated == keys.ConsentRefused {", new: "stated != keys.ConsentUnstated {",
		pkg: "storage/ledger/submit", test: "TestConsent",
	},
	{
		row: "P6", file: "keys/policy.go",
		old: "case k.RollingPeriod < 1 || k.RollingPeriod > IntervalsPerDay:", new: "case k.RollingPeriod > IntervalsPerDay:",
		pkg: "keys", test: "TestPolicies",
	},
	{
		row: "P6", file: "keys/policy.go",
		old: "ok && p.ArchiveOnset && !d.InArchive().Present()", new: "ok && p.ArchiveOnset && !d.InArchive().Present() && d < 0",
		pkg: "keys", test: "TestPolicies",
	},
	{
		row: "P6", file: "export/content.go",
		old: "\treturn archivePolicy.CheckExposure(k, afterAllEmbargoes)\n", new: "\treturn nil\n",
		pkg: "export", test: "TestWriteRefusesContent",
	},
	{
		row: "P7", file: "storage/ledger/policy.go",
		old: "embargo.After(accepted) {\n\t\treturn embargo\n", new: "embargo.After(accepted) {\n\t\treturn accepted\n",
		pkg: "storage/ledger", test: "TestNothingIsDueUnderEmbargo",
	},
	{
		row: "P7", file: "storage/ledger/policy.go",
		old: "\tcase p.Embargo < keys.Embargo:\n", new: "\tcase p.Embargo < 0:\n",
		pkg: "storage/ledger", test: "TestPolicyCheck",
	},
	{
		row: "P7", file: "storage/ledger/memledger/release.go",
		old: "(!u.Due.Before(t) || u.Held() || held)", new: "(u.Held() || held)",
		pkg: "storage/ledger/memledger", test: "TestStore/due",
	},
	{
		row: "P8", file: "storage/ledger/claim.go",
		old: "\tif another && (u.SourceWithdrew || u.operatorWithdrew()) {\n", new: "\tif another && u.Erase {\n",
		pkg: "storage/ledger", test: "TestWithdrawnStaysWithdrawn",
	},
	{
		row: "P9", file: "storage/ledger/submit/server.go",
		old: "http.MaxBytesReader(w, r.Body, s.opts.MaxBody)", new: "r.Body",
		pkg: "storage/ledger/submit", test: "TestRequests",
	},
	{
		row: "P9", file: "storage/ledger/submit/server.go",
		old: "make(chan struct{}, s.opts.Parallel)", new: "make(chan struct{}, 1000*s.opts.Parallel)",
		pkg: "storage/ledger/submit", test: "TestBusy",
	},
	{
		row: "P9", file: "storage/ledger/submit/take.go",
		old: " || len(b.Keys) > s.opts.MaxKeys", new: "",
		pkg: "storage/ledger/submit", test: "TestOutcomes/15 keys",
	},
	{
		row: "P9", file: "storage/ledger/intake.go",
		old: "in.delivery.Source == Own && i >= in.ledger.maxUpload", new: "in.delivery.Source == Own && i < 0",
		pkg: "storage/ledger", test: "TestMaxUpload",
	},
	{
		row: "P10", file: "storage/ledger/release.go",
		old: "g.Keys*times >= keys && g.Uploads*times >= uploads {", new: "g.Keys*times >= keys && g.Uploads*times >= min(uploads, 1) {",
		pkg: "storage/ledger/memledger", test: "TestStore/threshold",
	},
	{
		row: "P10", file: "storage/ledger/release.go",
		old: "g.Keys*times >= keys && g.Uploads*times >= uploads {", new: "g.Keys*times >= min(keys, 1) && g.Uploads*times >= uploads {",
		pkg: "storage/ledger/memledger", test: "TestStore/threshold",
	},
	{
		row: "P11", file: "export/order.go",
		old: "return k.hi < other.hi || k.hi == other.hi && k.lo < other.lo", new: "return false && k.hi < other.hi",
		pkg: "export", test: "TestWriteIsAFunctionOfTheSet",
	},
	{
		row: "P11", file: "storage/ledger/memledger/release.go",
		old: "func canonically(a, b *ledger.Unit) int { return a.Key.Compare(&b.Key) }", new: "func canonically(a, b *ledger.Unit) int { return a.Accepted.Compare(b.Accepted) }",
		pkg: "storage/ledger/memledger", test: "TestStore/numbers-canonical",
	},
	{
		row: "P11", file: "export/write.go",
		old: "\t\tModifiedDate: 1<<5 | 1,\n", new: "\t\tModifiedDate: 1<<5 | 2,\n",
		pkg: "export", test: "TestZipSaysNothing",
	},
	{
		row: "P11", file: "storage/ledger/submit/tokens.go",
		old: "Add(t.opts.Lifetime).Truncate(day).Add(day)", new: "Add(t.opts.Lifetime + 0*day)",
		pkg: "storage/ledger/submit", test: "TestExpiry",
	},
	{
		row: "P12", file: "distribution/layout.go",
		old: "b.Length < grid || b.Length%grid != 0", new: "b.Length < grid/100",
		pkg: "distribution/deltaset", test: "TestFinerThanTheGrid",
	},
	{
		row: "P12", file: "storage/ledger/policy.go",
		old: "p.Grid < time.Hour && !p.FineGrid", new: "p.Grid < time.Second && !p.FineGrid",
		pkg: "storage/ledger", test: "TestPolicyCheck",
	},
	{
		row: "P17", file: "storage/ledger/padding.go",
		old: "\t\trand.Read(e.Key.KeyData[:])\n", new: "\t\trand.Read(e.Key.KeyData[:])\n\t\te.Key.DaysSinceOnsetOfSymptoms = keys.Optional[keys.DaysSinceOnset]{}\n",
		pkg: "distribution", test: "TestPaddingIsAlike",
	},
	{
		row: "P17", file: "storage/ledger/memledger/release.go",
		old: "\t\t\tstep.Units = append(step.Units, r.Pad(cloneAll(units))...)\n", new: "\t\t\tr.Pad(cloneAll(units))\n",
		pkg: "storage/ledger/memledger", test: "TestStore/padding",
	},
	{
		row: "P18", file: "examples/internal/nation/counters.go",
		old: "\tif at := now.Truncate(c.resolution); at.After(c.since) {\n", new: "\tif at := now.Truncate(c.resolution); !at.Before(c.since) {\n",
		pkg: "examples/internal/nation", test: "TestCountersText",
	},
	{
		row: "P18", file: "examples/federationserver/hours.go",
		old: "\treturn maps.Clone(h.shown)\n", new: "\treturn maps.Clone(h.live)\n",
		pkg: "examples/federationserver", test: "TestCountsShowHoursThatAreOver",
	},
}
