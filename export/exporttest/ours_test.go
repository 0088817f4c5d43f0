package exporttest_test

import (
	"bytes"
	"crypto/ecdsa"
	"testing"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
)

// ours is a vector that package export writes.
func ours(name, about string, c *export.Content, opts *export.WriteOptions, signers ...*signing.Signer) vectorCase {
	v := ok(name, about, nil).counts(len(c.Keys), len(c.RevisedKeys))
	v.SignedBy = nil
	for _, s := range signing.NewestFirst(signers) {
		v.SignedBy = append(v.SignedBy, s.Identity().String())
	}
	v.write = func(t *testing.T) []byte {
		var out bytes.Buffer
		if _, err := export.Write(&out, c, signers, opts); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	return v
}

func testSigner(t *testing.T, id string, k *ecdsa.PrivateKey, notBefore time.Time) *signing.Signer {
	t.Helper()
	identity, err := signing.ParseIdentity(id)
	if err != nil {
		t.Fatal(err)
	}
	s, err := signing.NewSigner(identity, k, &signing.Options{Validity: signing.Validity{NotBefore: notBefore}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// content is one with every form that a key can have.
func content() *export.Content {
	plain := func(n int) keys.TemporaryExposureKey {
		return keys.TemporaryExposureKey{
			KeyData:                    keys.KeyData(keyData(n)),
			RollingStartIntervalNumber: keys.Interval(day(1)),
			RollingPeriod:              keys.IntervalsPerDay,
		}
	}
	fullest, short, zeros, revised := plain(11), plain(12), plain(13), plain(14)
	fullest.TransmissionRiskLevel = keys.Some(keys.MaxTransmissionRiskLevel)
	fullest.ReportType = keys.Some(keys.ReportConfirmedTest)
	fullest.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(-14))
	fullest.VariantOfConcern = keys.Some(keys.MaxVariantOfConcern)
	short.RollingPeriod = 1
	short.ReportType = keys.Some(keys.ReportSelfReport)
	zeros.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(0))
	zeros.ReportType = keys.Some(keys.ReportUnknown)
	zeros.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(0))
	zeros.VariantOfConcern = keys.Some(keys.VariantOfConcern(0))
	revised.ReportType = keys.Some(keys.ReportRevoked)
	return &export.Content{
		Start:       time.Unix(1622599200, 0),
		End:         time.Unix(1622602800, 0),
		Region:      "DE",
		Keys:        []keys.TemporaryExposureKey{fullest, short, zeros, plain(10)},
		RevisedKeys: []keys.TemporaryExposureKey{revised},
	}
}

func ourVectors(t *testing.T) []vectorCase {
	june := time.Date(2021, 6, 1, 0, 0, 0, 0, time.UTC)
	first, second := testSigner(t, "262-v1", testKey, time.Time{}), testSigner(t, "262-v2", otherKey, june)
	empty, revised := content(), content()
	empty.Keys, empty.RevisedKeys = nil, nil
	revised.Keys = nil
	return []vectorCase{
		ours("ours", "An archive as package export writes it, with every form of a key.", content(), nil, first),
		ours("ours-two-signers", "Two signatures while keys are rotated, the newer key first.", content(), nil, first, second),
		ours("ours-empty", "No keys at all: it says that the run took place.", empty, nil, first),
		ours("ours-revised-only", "No new keys, one revised.", revised, nil, first),
		ours("ours-app-names", "The old fields of a signature info, as the German and the British archives have them.", content(),
			&export.WriteOptions{AppBundleID: "org.example.warn", AndroidPackage: "org.example.warn.android"}, first),
	}
}
