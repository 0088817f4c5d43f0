// Package ringtest runs a whole deployment under fire: two federation servers and
// three national back ends, as processes, with ways between them and to their
// databases on which connections are refused, cut and held up at random, and
// which are killed and configured anew all the while (invariants 4 to 8, 11 to
// 13).
//
//	A ── hub 1 ── B ── hub 2 ── C ── hub 1
//
// B and C are gateways. Phones submit keys to each nation, and the operators of
// their origins take some of them back. When the fire ends, everything must come
// to rest with every key in every ledger that it belongs to, once and in the right
// state, and in the archives; and all books must balance.
//
//	go test ./internal/ringtest -run TestUnderFire -v -timeout 0 -args -duration 30m -seed 7
//
// The programs are the test binaries of their own packages, which run by a clock
// that goes faster. What happens follows from the seed but for when: processes and
// connections are not told to wait for each other.
package ringtest
