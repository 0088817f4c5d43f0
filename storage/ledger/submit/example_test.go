package submit_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
	"github.com/gaenkit/gaen/storage/ledger/submit"
)

// A laboratory is given a token, the phone spends it.
func Example() {
	ctx := context.Background()
	l, _ := ledger.Open(ctx, memledger.New(nil), nil)
	key, _ := signing.GenerateKey()
	signer, _ := signing.NewSigner(signing.Identity{KeyID: "234", KeyVersion: "v1"}, key, nil)

	tokens, _ := submit.NewTokens(l, nil)
	server, err := submit.NewServer(l, keys.MustRegion("GB-EAW"), tokens, signer, &submit.Options{
		Observe: func(o submit.Outcome) { fmt.Println(o.Kind) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	http := httptest.NewServer(http.Handler(server))
	defer http.Close()

	token, _ := tokens.Issue(ctx, submit.Terms{TestType: keys.TestLab, ConsentToFederate: keys.ConsentGiven})
	for range 2 {
		resp, _ := http.Client().Post(http.URL+submit.DefaultPath, "application/json", strings.NewReader(
			`{"diagnosisKeySubmissionToken":"`+token+`","temporaryExposureKeys":[{"key":"AAECAwQFBgcICQoLDA0ODw==","rollingStartNumber":2655792,"rollingPeriod":144}]}`))
		resp.Body.Close()
		fmt.Println(resp.Status)
	}
	// Output:
	// stored
	// 200 OK
	// refused
	// 200 OK
}
