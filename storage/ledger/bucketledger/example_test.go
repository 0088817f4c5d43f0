package bucketledger_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/bucketledger"
	"github.com/gaenkit/gaen/storage/memstore"
)

// A submission that a phone made, and a batch that came from Gibraltar, lie in a
// bucket; the ledger is kept in the same bucket.
func Example() {
	ctx := context.Background()
	now := time.Date(2020, 11, 27, 11, 30, 0, 0, time.UTC) // a ledger in earnest runs by no clock but the machine's
	bucket := memstore.New(nil)
	for name, object := range map[string]string{
		"mobile/LAB_RESULT/1606471200000_7f4b41ab.json": `{"temporaryExposureKeys":[{"key":"AAECAwQFBgcICQoLDA0ODw==","rollingStartNumber":2677248,"rollingPeriod":144,"transmissionRisk":7}]}`,
		"nearform/GI/20201127/75b326f7.json":            `{"temporaryExposureKeys":[{"key":"AQECAwQFBgcICQoLDA0ODw==","rollingStartNumber":2677248,"rollingPeriod":144,"transmissionRisk":7}]}`,
		"nearform/JE/20201127/b4a9c6f5.json":            `not JSON`,
	} {
		if _, err := storage.Put(ctx, bucket, name, strings.NewReader(object), nil); err != nil {
			log.Fatal(err)
		}
	}

	store, err := bucketledger.Open(ctx, bucket, &bucketledger.Options{Clock: func() time.Time { return now }})
	if err != nil {
		log.Fatal(err)
	}
	l, err := ledger.Open(ctx, store, nil)
	if err != nil {
		log.Fatal(err)
	}
	inbox, err := bucketledger.NewInbox(bucket, keys.MustRegion("GB-EAW"), &bucketledger.InboxOptions{
		Consent:  keys.ConsentGiven,
		Prefixes: []bucketledger.Prefix{{Prefix: "nearform", Source: "nearform"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	for range 2 { // each object is taken in once
		report, err := inbox.TakeIn(ctx, l)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d objects, %d known, %d taken in\n", report.Listed, report.Known, report.Taken)
		for source, r := range report.Receipts {
			if source == ledger.Own {
				fmt.Printf("own: %d of %d keys accepted\n", r.Accepted, r.Offered)
			}
		}
		for _, bad := range report.Bad {
			fmt.Println(bad.Name, bad.Field, bad.Reason, bad.Detail)
		}
	}
	// Output:
	// 3 objects, 0 known, 3 taken in
	// own: 1 of 1 keys accepted
	// nearform/JE/20201127/b4a9c6f5.json object malformed not JSON
	// 3 objects, 3 known, 0 taken in
}
