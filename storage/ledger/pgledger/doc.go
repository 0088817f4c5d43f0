// Package pgledger keeps a ledger in a schema of a PostgreSQL database.
package pgledger
