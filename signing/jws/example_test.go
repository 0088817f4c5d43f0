package jws_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/signing/jws"
)

// A nation signs what it uploads; the server verifies it with the keys that the
// nation has registered.
func Example() {
	key, err := signing.GenerateKey() // or ReadPrivateKeyFile, or a key service's crypto.Signer
	if err != nil {
		log.Fatal(err)
	}
	named, err := signing.NewSigner(signing.Identity{KeyID: "GI", KeyVersion: "v1"}, key, nil)
	if err != nil {
		log.Fatal(err)
	}
	signer, err := jws.NewSigner(named, nil)
	if err != nil {
		log.Fatal(err)
	}
	text, err := signer.Sign([]byte(`[]`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(text[:strings.LastIndex(text, ".")])

	verifier, err := jws.NewVerifier([]jws.Key{{Key: &key.PublicKey}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	message, err := verifier.Verify(text)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", message.Payload)
	_, err = verifier.Verify(strings.Replace(text, "W10", "W3t9XQ", 1))
	fmt.Println(err)
	// Output:
	// eyJhbGciOiJFUzI1NiJ9.W10
	// []
	// jws: signature: none of the keys verifies it
}

// An operator issues a token that is good for 90 days, and revokes it.
func ExampleTokens() {
	now := time.Date(2021, 6, 2, 12, 0, 0, 0, time.UTC)
	revoked := make(map[string]bool)
	tokens, err := jws.NewSecretTokens([]jws.SecretKey{{ID: "2021", Secret: jws.NewSecret()}}, &jws.TokenOptions{
		Lifetime: 90 * 24 * time.Hour,
		Revoked: func(_ context.Context, c jws.Claims) (bool, error) {
			return revoked[c.TokenID], nil
		},
		Now: func() time.Time { return now }, // left out, it is time.Now
	})
	if err != nil {
		log.Fatal(err)
	}
	token, issued, err := tokens.Issue("GI")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("until", issued.ExpiresAt.Format(time.DateOnly))

	claims, err := tokens.Verify(context.Background(), token)
	fmt.Println(claims.Nation, err)

	revoked[issued.TokenID] = true
	_, err = tokens.Verify(context.Background(), token)
	fmt.Println(err)

	now = now.AddDate(0, 3, 0)
	_, err = tokens.Verify(context.Background(), token)
	fmt.Println(err, errors.Is(err, jws.ReasonExpired))
	// Output:
	// until 2021-08-31
	// GI <nil>
	// jws: token of GI: token: revoked
	// jws: token of GI: claim exp: expired at 2021-08-31T12:00:00Z true
}
