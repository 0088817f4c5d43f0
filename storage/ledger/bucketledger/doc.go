// Package bucketledger keeps a ledger in an object store, for back ends that have
// no database.
package bucketledger
