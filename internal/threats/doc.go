// Package threats holds THREATS.md against the code: each row that says that
// something is prevented or detected names the test that shows it, and each of these
// tests fails when the protection is taken away.
//
// Taking one away is a change of one place in one file, a [protection] of the table.
// That the places are there is looked at by every run of the tests; with
//
//	go test ./internal/threats -run '^TestProtections$' -v -timeout 90m -args -protections=all
//
// each is changed in turn, in a copy that only the compiler sees, and the row's test
// is run. -protections=P1,N3 does it for some rows.
package threats
