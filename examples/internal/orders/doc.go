// Package orders is how people give orders over HTTP, each by a name and a secret of
// their own. What an order is and does is said by [ledger.Order]; that it was given,
// by whom and why is kept by the ledger.
//
// Key data comes in the body of a request or by a file, never in a URL or on a
// command line, which are logged and which others can read.
package orders
