package export_test

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
)

func Example() {
	private, err := signing.GenerateKey()
	if err != nil {
		log.Fatal(err)
	}
	signer, err := signing.NewSigner(signing.Identity{KeyID: "262", KeyVersion: "v1"}, private, nil)
	if err != nil {
		log.Fatal(err)
	}

	hour := time.Date(2021, 6, 2, 2, 0, 0, 0, time.UTC)
	content := &export.Content{
		Start: hour, End: hour.Add(time.Hour), Region: "DE",
		Keys: []keys.TemporaryExposureKey{{
			KeyData:                    keys.KeyData([]byte("sixteen bytes...")),
			RollingStartIntervalNumber: keys.IntervalAt(hour.Add(-48 * time.Hour)),
			RollingPeriod:              keys.IntervalsPerDay,
			ReportType:                 keys.Some(keys.ReportConfirmedTest),
		}},
	}
	var archive bytes.Buffer
	info, err := export.Write(&archive, content, []*signing.Signer{signer}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("keys written:", info.Keys)

	trusted, err := signing.NewTrustList(signer.PublicKey())
	if err != nil {
		log.Fatal(err)
	}
	opened, err := export.Read(&archive, nil)
	if err != nil {
		log.Fatal(err)
	}
	verified, err := opened.Verify(trusted, &export.Expectation{Region: "DE"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("signed by:", verified.SignedBy)
	for key, err := range verified.Keys() {
		if errors.Is(err, export.KindKey) {
			continue // this key cannot be; the next may be fine
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(key.ReportType, key.KeyData)
	}
	// Output:
	// keys written: 1
	// signed by: [262-v1]
	// CONFIRMED_TEST KeyData(redacted)
}

func ExampleOpen_errorPage() {
	page := []byte("<!DOCTYPE html><title>Maintenance</title>")
	_, err := export.Open(bytes.NewReader(page), int64(len(page)), nil)
	fmt.Println(errors.Is(err, export.KindNotZip))
	fmt.Println(err)
	// Output:
	// true
	// export: archive: no zip file but a web page, or other XML: an error page served as a file?
}
