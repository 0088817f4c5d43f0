package sqliteledger_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
)

// A back end opens its ledger, stores a submission, and finds it again after a
// restart.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "ledger.db")

	store, err := sqliteledger.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
	l, err := ledger.Open(ctx, store, nil)
	if err != nil {
		log.Fatal(err)
	}
	submission := keystest.New(1, nil).Upload(time.Now())
	receipt, err := l.Accept(ctx, &ledger.Delivery{
		Source:  ledger.Own,
		Uploads: []ledger.Upload{{ID: submission.ID, Keys: submission.Keys}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("all accepted:", receipt.Accepted == len(submission.Keys))
	store.Close()

	store, err = sqliteledger.Open(ctx, path, &sqliteledger.Options{ReadOnly: true})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	found := 0
	for _, err := range store.Find(ctx, ledger.Query{Upload: submission.ID}) {
		if err != nil {
			log.Fatal(err)
		}
		found++
	}
	fmt.Println("all found:", found == len(submission.Keys))
	// Output:
	// all accepted: true
	// all found: true
}
