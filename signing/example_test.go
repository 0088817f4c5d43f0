package signing_test

import (
	"crypto/sha256"
	"fmt"
	"log"
	"time"

	"github.com/gaenkit/gaen/signing"
)

func Example() {
	key, err := signing.GenerateKey() // or ReadPrivateKeyFile, or PrivateKeyFromEnv
	if err != nil {
		log.Fatal(err)
	}
	june := time.Date(2021, 6, 1, 0, 0, 0, 0, time.UTC)
	signer, err := signing.NewSigner(signing.Identity{KeyID: "262", KeyVersion: "v1"}, key,
		&signing.Options{Validity: signing.Validity{NotBefore: june}})
	if err != nil {
		log.Fatal(err)
	}

	digest := sha256.Sum256([]byte("export.bin"))
	signature, err := signer.SignDigest(digest[:])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(signer, signer.PublicKey().Verify(digest[:], signature))
	// Output: Signer(262-v1) <nil>
}
