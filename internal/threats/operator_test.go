package threats

// ofOperators are the protections from what those who run a back end do by mistake,
// and from who pretends to be one of them.
var ofOperators = []protection{
	{
		row: "O1", file: "storage/ledger/selection.go",
		old: "\tcase !s.All && !named && !s.ranges():\n", new: "\tcase !s.All && !named && !s.ranges() && stated:\n",
		pkg: "storage/ledger", test: "TestOrderMakesNoSense",
	},
	{
		row: "O1", file: "storage/ledger/survey.go",
		old: "\tcase o.Confirm == 0 && n > MaxUnconfirmed:\n", new: "\tcase o.Confirm == 0 && n > 1000*MaxUnconfirmed:\n",
		pkg: "storage/ledger", test: "TestOrderOfMany",
	},
	{
		row: "O1", file: "storage/ledger/survey.go",
		old: "\tcase o.Confirm == 0 && s.all:\n", new: "\tcase o.Confirm == 0 && s.all && n < 0:\n",
		pkg: "storage/ledger", test: "TestOrderRefused",
	},
	{
		row: "O1", file: "storage/ledger/survey.go",
		old: "\tcase o.Confirm > 0 && o.Confirm != n:\n", new: "\tcase o.Confirm > 0 && n < 0:\n",
		pkg: "storage/ledger", test: "TestOrderOfMany",
	},
	{
		row: "O2", file: "storage/ledger/release.go",
		old: "keys, uploads, wait = 0, p.MinWithdrawnUploads, p.WithdrawalWait", new: "keys, uploads, wait = 0, 0, p.WithdrawalWait",
		pkg: "storage/ledger", test: "TestWithdrawalsAreGrouped",
	},
	{
		row: "O2", file: "storage/ledger/release.go",
		old: "\t\tr.report.ByOrder.add(g)\n", new: "",
		pkg: "storage/ledger", test: "TestWithdrawalsAreGrouped",
	},
	{
		row: "O3", file: "storage/ledger/carry.go",
		old: "\tin := &Intake{Registers: []string{policyRegister}, Swaps: []Swap{swap}, Nonce: NewNonce()}\n",
		new: "\t_ = swap\n\tin := &Intake{Registers: []string{policyRegister}, Nonce: NewNonce()}\n",
		pkg: "storage/ledger", test: "TestOrderTwice",
	},
	{
		row: "O3", file: "storage/ledger/carry.go",
		old: "\tif err := o.signed(); err != nil {\n", new: "\tif err := o.signed(); err != nil && o.ID != \"\" {\n",
		pkg: "storage/ledger", test: "TestOrderOfNobody",
	},
	{
		row: "O3", file: "storage/ledger/order.go",
		old: "\tcase mayHoldKey(o.Why):\n", new: "\tcase mayHoldKey(o.Why) && o.By == \"\":\n",
		pkg: "storage/ledger", test: "TestOrderOfNobody",
	},
	{
		row: "O4", file: "storage/ledger/operator.go",
		old: "\tif u.SourceWithdrew || u.Erase {\n\t\treturn refused, false", new: "\tif u.Erase {\n\t\treturn refused, false",
		pkg: "storage/ledger", test: "TestOperatorReceipts",
	},
	{
		row: "O5", file: "examples/internal/orders/desk.go",
		old: "\tif !ok {\n\t\td.log.Warn(", new: "\tif !ok && by == \"\" {\n\t\td.log.Warn(",
		pkg: "examples/internal/orders", test: "TestDesk/a stranger",
	},
	{
		row: "O5", file: "examples/internal/orders/desk.go",
		old: "\treturn http.NewCrossOriginProtection().Handler(mux) // browsers send credentials by themselves\n", new: "\treturn mux\n",
		pkg: "examples/internal/orders", test: "TestDesk/a script of another site",
	},
	{
		row: "O5", file: "examples/internal/orders/desk.go",
		old: "err != nil || kind != \"application/json\" {", new: "err != nil || kind == \"\" {",
		pkg: "examples/internal/orders", test: "TestDesk/a form of a web page",
	},
	{
		row: "O6", file: "storage/ledger/ledger.go",
		old: "\tif want != nil && *want != l.policy {\n", new: "\tif want != nil && want.Grid != l.policy.Grid && l.policy.Grid == 0 {\n",
		pkg: "storage/ledger", test: "TestOpenByAnotherPolicy",
	},
	{
		row: "O6", file: "storage/ledger/ledger.go",
		old: "\tif have.Version != l.version {\n", new: "\tif have.Version < l.version {\n",
		pkg: "storage/ledger", test: "TestChangePolicy",
	},
	{
		row: "O7", file: "storage/ledger/release.go",
		old: "\tcase last.beforeGap(t) && !r.opts.AllowGap:\n", new: "\tcase last.beforeGap(t) && last.Seq < 0:\n",
		pkg: "storage/ledger/memledger", test: "TestStore/cut-ahead",
	},
	{
		row: "O7", file: "storage/ledger/prune.go",
		old: "log.Last.beforeGap(t) {\n", new: "log.Last.beforeGap(t) && log.Last.Seq < 0 {\n",
		pkg: "storage/ledger", test: "TestPruneAhead",
	},
	{
		row: "O8", file: "storage/ledger/ledger.go",
		old: "\tif p.Cut > log.Last.Seq {\n", new: "\tif p.Cut > log.Last.Seq+1000 {\n",
		pkg: "storage/ledger", test: "TestCheckPosition",
	},
	{
		row: "O8", file: "storage/ledger/ledger.go",
		old: "\t\tif c.Seq == p.Cut && c.Position() == p {\n", new: "\t\tif c.Seq == p.Cut {\n",
		pkg: "storage/ledger", test: "TestCheckPosition",
	},
	{
		row: "O8", file: "distribution/run.go",
		old: "\t\tif err := r.ledger.Check(ctx, e.Position); err != nil {\n", new: "\t\tif err := error(nil); err != nil {\n",
		pkg: "distribution", test: "TestKnowsItsLedger",
	},
	{
		row: "O8", file: "distribution/foreign.go",
		old: "!ours || planned[name] || r.shares()", new: "!ours || len(planned) >= 0 || r.shares()",
		pkg: "distribution", test: "TestForeignBucket/the ledger went back",
	},
	{
		row: "O9", file: "federation/push.go",
		old: "p.Padding.Echoes > 0 && !p.Padding.AlongsideExport && r.Sources.Has(ledger.Own)", new: "p.Padding.Echoes < 0 && r.Sources.Has(ledger.Own)",
		pkg: "federation", test: "TestPushRefusesToUnmaskPadding",
	},
	{
		row: "O10", file: "keys/keydata.go",
		old: "func (KeyData) Format(f fmt.State, _ rune) { io.WriteString(f, redactedKeyData) }", new: "func (k KeyData) Format(f fmt.State, _ rune) { f.Write(k[:]) }\n\nvar _ = io.WriteString",
		pkg: "keys", test: "TestPrintsRedacted",
	},
	{
		row: "O10", file: "keys/keydata.go",
		old: "func (KeyData) LogValue() slog.Value { return slog.StringValue(redactedKeyData) }", new: "func (k KeyData) LogValue() slog.Value { return slog.StringValue(string(k[:])) }",
		pkg: "keys", test: "TestLogsRedacted",
	},
	{
		row: "O10", file: "keys/keydata.go",
		old: "func (KeyData) MarshalText() ([]byte, error) { return nil, ErrNotMarshalled }", new: "func (k KeyData) MarshalText() ([]byte, error) { return k[:], nil }",
		pkg: "keys", test: "TestRefusesToBeMarshalled",
	},
	{
		row: "O11", file: "storage/ledger/prune.go",
		old: "\t\tfloor = min(floor, f.Number)\n", new: "",
		pkg: "storage/ledger", test: "TestPruneFloors",
	},
	{
		row: "O11", file: "storage/ledger/ledger.go",
		old: "\t\tif p.policy.MaxAge > l.policy.PruneAge {\n", new: "\t\tif p.policy.MaxAge > 1000*l.policy.PruneAge {\n",
		pkg: "storage/ledger", test: "TestOpenWithOptionsThatMakeNoSense",
	},
	{
		row: "O10", file: "examples/internal/partner/secret.go",
		old: "\t\t\terr = errors.New(\"it failed\") // what it says may be the secret\n", new: "\t\t\terr = fmt.Errorf(\"%w: %s\", err, out)\n",
		pkg: "examples/internal/partner", test: "TestSecrets",
	},
	{
		row: "O14", file: "examples/internal/nation/tick.go",
		old: "\tif err := b.refresh(ctx); err != nil {\n", new: "\tif err := error(nil); err != nil {\n",
		pkg: "examples/internal/nation", test: "TestDesk",
	},
	{
		row: "O14", file: "examples/internal/nation/backend.go",
		old: "\t\terrs = append(errs, b.replace(ctx, fields))\n", new: "\t\terrs = append(errs, b.replace(ctx, append(b.config.secretFields(), fields...)))\n",
		pkg: "examples/internal/nation", test: "TestSecretsOfOthers",
	},
}
