package export_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/internal/exportpb"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"google.golang.org/protobuf/proto"
)

// The bytes are those that protobuf's own encoder makes of the generated
// message, on any input.
func TestBytesAreThoseOfProtobuf(t *testing.T) {
	signers := []*signing.Signer{
		newSigner(t, "262-v2", 0x22, start),
		newSigner(t, "262-v1", 0x21, time.Time{}),
	}
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 150 {
		c := randomContent(r)
		opts := &export.WriteOptions{}
		if r.IntN(2) == 0 {
			opts.AppBundleID, opts.AndroidPackage = "org.example.warn", "org.example.warn.android"
		}
		archive := mustWrite(t, c, signers, opts)
		want, err := proto.MarshalOptions{Deterministic: true}.Marshal(messageOf(c, signers, opts))
		if err != nil {
			t.Fatal(err)
		}
		bin := entry(t, archive, "export.bin")
		if got := bin[16:]; !bytes.Equal(got, want) {
			t.Fatalf("content %d: got\n%x\nwant\n%x", n, got, want)
		}
		wantSig, err := proto.MarshalOptions{Deterministic: true}.Marshal(signaturesOf(t, bin, signers, opts))
		if err != nil {
			t.Fatal(err)
		}
		if got := entry(t, archive, "export.sig"); !bytes.Equal(got, wantSig) {
			t.Fatalf("content %d: got\n%x\nwant\n%x", n, got, wantSig)
		}
	}
}

// TestNoRegion: the region is left out, and nothing else is another.
func TestNoRegion(t *testing.T) {
	c, signers := content(20), oneSigner(t)
	m := messageOf(c, signers, &export.WriteOptions{})
	m.Region = nil
	want, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	got := entry(t, mustWrite(t, c, signers, &export.WriteOptions{NoRegion: true}), "export.bin")
	if !bytes.Equal(got[16:], want) {
		t.Errorf("got\n%x\nwant\n%x", got[16:], want)
	}
	if c.Region != "DE" {
		t.Errorf("the content's own region is %q now", c.Region)
	}
}

func messageOf(c *export.Content, signers []*signing.Signer, opts *export.WriteOptions) *exportpb.TemporaryExposureKeyExport {
	m := &exportpb.TemporaryExposureKeyExport{
		StartTimestamp: new(uint64(c.Start.Unix())),
		EndTimestamp:   new(uint64(c.End.Unix())),
		Region:         &c.Region,
		BatchNum:       new(int32(1)),
		BatchSize:      new(int32(1)),
		Keys:           keysOf(c.Keys),
		RevisedKeys:    keysOf(c.RevisedKeys),
	}
	for _, s := range signers {
		m.SignatureInfos = append(m.SignatureInfos, infoOf(s, opts))
	}
	return m
}

func keysOf(all []keys.TemporaryExposureKey) (out []*exportpb.TemporaryExposureKey) {
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(a, b keys.TemporaryExposureKey) int { return a.Compare(&b) })
	for _, k := range sorted {
		m := &exportpb.TemporaryExposureKey{
			KeyData:                    k.KeyData[:],
			RollingStartIntervalNumber: new(int32(k.RollingStartIntervalNumber)),
		}
		if k.RollingPeriod != 144 {
			m.RollingPeriod = new(int32(k.RollingPeriod))
		}
		if v, ok := k.TransmissionRiskLevel.Get(); ok {
			m.TransmissionRiskLevel = new(int32(v))
		}
		if v, ok := k.ReportType.Get(); ok {
			m.ReportType = exportpb.TemporaryExposureKey_ReportType(v).Enum()
		}
		if v, ok := k.DaysSinceOnsetOfSymptoms.Get(); ok {
			m.DaysSinceOnsetOfSymptoms = new(int32(v))
		}
		if v, ok := k.VariantOfConcern.Get(); ok {
			m.VariantOfConcern = new(int32(v))
		}
		out = append(out, m)
	}
	return out
}

func infoOf(s *signing.Signer, opts *export.WriteOptions) *exportpb.SignatureInfo {
	info := &exportpb.SignatureInfo{
		VerificationKeyId:      new(s.Identity().KeyID),
		VerificationKeyVersion: new(s.Identity().KeyVersion),
		SignatureAlgorithm:     new("1.2.840.10045.4.3.2"),
	}
	if opts.AppBundleID != "" {
		info.AppBundleId, info.AndroidPackage = &opts.AppBundleID, &opts.AndroidPackage
	}
	return info
}

func signaturesOf(t *testing.T, bin []byte, signers []*signing.Signer, opts *export.WriteOptions) *exportpb.TEKSignatureList {
	digest := sha256.Sum256(bin)
	list := &exportpb.TEKSignatureList{}
	for _, s := range signers {
		der, err := s.SignDigest(digest[:])
		if err != nil {
			t.Fatal(err)
		}
		list.Signatures = append(list.Signatures, &exportpb.TEKSignature{
			SignatureInfo: infoOf(s, opts), BatchNum: new(int32(1)), BatchSize: new(int32(1)), Signature: der,
		})
	}
	return list
}

// The bytes that are signed are a product: these were written by hand from the
// format's description.
func TestGoldenBytes(t *testing.T) {
	c := &export.Content{
		Start: time.Unix(1622599200, 0), End: time.Unix(1622602800, 0), Region: "DE",
		Keys: []keys.TemporaryExposureKey{{
			KeyData:                    keys.KeyData([]byte("0123456789abcdef")),
			RollingStartIntervalNumber: 2704176,
			RollingPeriod:              143,
			TransmissionRiskLevel:      keys.Some(keys.TransmissionRiskLevel(5)),
			ReportType:                 keys.Some(keys.ReportConfirmedTest),
			DaysSinceOnsetOfSymptoms:   keys.Some(keys.DaysSinceOnset(-2)),
			VariantOfConcern:           keys.Some(keys.VariantOfConcern(1)),
		}},
		RevisedKeys: []keys.TemporaryExposureKey{{
			KeyData:                    keys.KeyData([]byte("fedcba9876543210")),
			RollingStartIntervalNumber: 2704176,
			RollingPeriod:              144,
			ReportType:                 keys.Some(keys.ReportRevoked),
		}},
	}
	want := hex.EncodeToString([]byte("EK Export v1    ")) +
		"09" + "20e6b66000000000" + // start_timestamp, little endian
		"11" + "30f4b66000000000" + // end_timestamp
		"1a02" + "4445" + // region
		"2001" + "2801" + // batch_num, batch_size
		"321e" + "1a027631" + "2203323632" + "2a13312e322e3834302e31303034352e342e332e32" + // signature_infos
		"3a22" + "0a1030313233343536373839616263646566" + "1005" + "18b086a501" + "208f01" + "2801" + "3003" + "4001" + // keys
		"4219" + "0a1066656463626139383736353433323130" + "18b086a501" + "2805" // revised_keys
	archive := mustWrite(t, c, oneSigner(t), nil)
	if got := hex.EncodeToString(entry(t, archive, "export.bin")); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	const wantHash = "3a403545908b47ab36d83c2488738b4741435d5e8b4b7f19f92518ba15b61c84"
	if got := c.Hash(); hex.EncodeToString(got[:]) != wantHash {
		t.Errorf("content hash: got %x, want %s", got, wantHash)
	}
	const wantSig = "0a6d0a1e1a02763122033236322a13312e322e3834302e31303034352e342e332e32100118012247304502202722f88df9813d1299a3b2a5e22e9153aacad33c56d1989671a045d8282e653502210082d2d1002a8ac288f699476804e19a77258c02b9a4706fd14bef0f45188da9d3"
	if got := hex.EncodeToString(entry(t, archive, "export.sig")); got != wantSig {
		t.Errorf("export.sig: got\n%s\nwant\n%s", got, wantSig)
	}
}

// The order in which keys come in, and their neighbours in memory, change
// nothing, and nothing of the caller's is changed.
func TestWriteIsAFunctionOfTheSet(t *testing.T) {
	c, signers := content(500), oneSigner(t)
	want := mustWrite(t, c, signers, nil)
	wantHash := c.Hash()
	r := rand.New(rand.NewPCG(3, 4))
	for range 5 {
		shuffled := *c
		shuffled.Keys, shuffled.RevisedKeys = slices.Clone(c.Keys), slices.Clone(c.RevisedKeys)
		for _, list := range [][]keys.TemporaryExposureKey{shuffled.Keys, shuffled.RevisedKeys} {
			r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		}
		shuffled.Start = shuffled.Start.In(time.FixedZone("elsewhere", 3600))
		before, beforeRevised := slices.Clone(shuffled.Keys), slices.Clone(shuffled.RevisedKeys)
		if got := mustWrite(t, &shuffled, signers, nil); !bytes.Equal(got, want) {
			t.Error("another order of the keys gives another archive")
		}
		if shuffled.Hash() != wantHash {
			t.Error("another order of the keys gives another content hash")
		}
		if !slices.Equal(before, shuffled.Keys) || !slices.Equal(beforeRevised, shuffled.RevisedKeys) {
			t.Error("the caller's keys have moved")
		}
	}
}

func TestHashCoversTheContent(t *testing.T) {
	base := content(10).Hash()
	seen := map[[32]byte]string{base: "nothing"}
	for name, change := range map[string]func(*export.Content){
		"start":               func(c *export.Content) { c.Start = c.Start.Add(time.Second) },
		"end":                 func(c *export.Content) { c.End = c.End.Add(time.Second) },
		"region":              func(c *export.Content) { c.Region = "DK" },
		"a key less":          func(c *export.Content) { c.Keys = c.Keys[1:] },
		"a revised key less":  func(c *export.Content) { c.RevisedKeys = c.RevisedKeys[1:] },
		"a bit of a key":      func(c *export.Content) { c.Keys[3].KeyData[15] ^= 1 },
		"a period":            func(c *export.Content) { c.Keys[3].RollingPeriod-- },
		"a start":             func(c *export.Content) { c.Keys[3].RollingStartIntervalNumber++ },
		"a risk gone":         func(c *export.Content) { c.Keys[3].TransmissionRiskLevel = keys.Optional[keys.TransmissionRiskLevel]{} },
		"a risk of 0":         func(c *export.Content) { c.Keys[3].TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(0)) },
		"a type":              func(c *export.Content) { c.RevisedKeys[0].ReportType = keys.Some(keys.ReportRevoked) },
		"an onset":            func(c *export.Content) { c.Keys[3].DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(-14)) },
		"a variant":           func(c *export.Content) { c.Keys[3].VariantOfConcern = keys.Some(keys.VariantOfConcern(0)) },
		"a key moved":         func(c *export.Content) { c.RevisedKeys, c.Keys = append(c.RevisedKeys, c.Keys[0]), c.Keys[1:] },
		"all keys and no one": func(c *export.Content) { c.Keys = nil },
	} {
		c := content(10)
		change(c)
		h := c.Hash()
		if other, again := seen[h]; again {
			t.Errorf("changing %s gives the same hash as changing %s", name, other)
		}
		seen[h] = name
	}
}

// The hash knows neither signers nor options.
func TestHashIsThatOfAnArchiveWithoutInfos(t *testing.T) {
	c := content(50)
	m := messageOf(c, nil, nil)
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Hash(), sha256.Sum256(append([]byte("EK Export v1    "), b...)); got != want {
		t.Errorf("got %x, want %x", got, want)
	}
}
