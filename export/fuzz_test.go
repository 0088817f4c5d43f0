package export_test

import (
	"bytes"
	"errors"
	"iter"
	"runtime"
	"slices"
	"testing"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/export/exporttest"
	"github.com/gaenkit/gaen/internal/exportpb"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"google.golang.org/protobuf/proto"
)

// fuzzLimits are tight, so that a limit that does not hold is found by the
// memory it costs.
var fuzzLimits = export.Limits{Archive: 1 << 20, Bin: 1 << 20, Keys: 1000}

func seed(f *testing.F, add func(v *exporttest.Vector)) {
	f.Helper()
	vectors, _, err := exporttest.All()
	if err != nil {
		f.Fatal(err)
	}
	for i := range vectors {
		add(&vectors[i])
	}
}

// Whatever is read is read without panic, within bounds, and writes back to the
// same content.
func FuzzOpen(f *testing.F) {
	seed(f, func(v *exporttest.Vector) { f.Add(v.Archive) })
	signers := oneSigner(f)
	trusted := trust(f, signers...)
	f.Fuzz(func(t *testing.T, data []byte) {
		checkMemory(t, 16<<20, func() {
			a, err := export.Open(bytes.NewReader(data), int64(len(data)), &export.ReadOptions{Limits: fuzzLimits})
			if err != nil {
				checkError(t, err)
				return
			}
			checkArchive(t, a, signers, trusted)
		})
	})
}

// The same, without the zip around it, where a fuzzer gets further.
func FuzzOpenBin(f *testing.F) {
	seed(f, func(v *exporttest.Vector) {
		if _, err := export.Read(bytes.NewReader(v.Archive), nil); err == nil || errors.Is(err, export.KindMalformed) {
			f.Add(entry(f, v.Archive, "export.bin"))
		}
	})
	signers := oneSigner(f)
	trusted := trust(f, signers...)
	f.Fuzz(func(t *testing.T, data []byte) {
		checkMemory(t, 16<<20, func() {
			a, err := export.OpenBin(bytes.NewReader(data), int64(len(data)), &export.ReadOptions{Limits: fuzzLimits})
			checkAgainstProtobuf(t, data, a, err)
			held, heldErr := export.OpenBin(bytes.NewReader(data), int64(len(data)), &export.ReadOptions{Limits: fuzzLimits, Hold: true})
			if kindOf(heldErr) != kindOf(err) {
				t.Fatalf("with its keys held: %v, else %v", heldErr, err)
			}
			if err != nil {
				checkError(t, err)
				return
			}
			checkAgainstProtobuf(t, data, held, nil)
			checkArchive(t, a, signers, trusted)
		})
	})
}

// checkAgainstProtobuf holds what became of an export.bin against what protobuf's
// own decoder makes of it.
func checkAgainstProtobuf(t *testing.T, data []byte, a *export.Archive, err error) {
	t.Helper()
	switch kindOf(err) {
	case "", export.KindMalformed, export.KindTruncated:
	default:
		return // another header, or beyond our limits
	}
	if len(data) < 16 {
		return
	}
	var m exportpb.TemporaryExposureKeyExport
	if decodes := proto.Unmarshal(data[16:], &m) == nil; decodes != (err == nil) {
		t.Fatalf("protobuf decodes it: %t, and we: %v", decodes, err)
	}
	if err != nil {
		return
	}
	h := a.Header()
	if h.Region != m.GetRegion() || h.BatchNum != m.GetBatchNum() || h.BatchSize != m.GetBatchSize() || len(h.SignatureInfos) != len(m.GetSignatureInfos()) {
		t.Errorf("got %+v, want %v", h, &m)
	}
	compareKeys(t, a.Unverified().Keys(), m.GetKeys())
	compareKeys(t, a.Unverified().RevisedKeys(), m.GetRevisedKeys())
}

func compareKeys(t *testing.T, got iter.Seq2[keys.TemporaryExposureKey, error], want []*exportpb.TemporaryExposureKey) {
	t.Helper()
	i := 0
	for k, err := range got {
		if i == len(want) {
			t.Fatalf("more than %d keys", len(want))
		}
		w := want[i]
		i++
		if err != nil {
			continue
		}
		if !bytes.Equal(k.KeyData[:], w.GetKeyData()) || int32(k.RollingStartIntervalNumber) != w.GetRollingStartIntervalNumber() ||
			int32(k.RollingPeriod) != w.GetRollingPeriod() || int32(k.TransmissionRiskLevel.Or(0)) != w.GetTransmissionRiskLevel() ||
			int32(k.ReportType.Or(0)) != int32(w.GetReportType()) || int32(k.DaysSinceOnsetOfSymptoms.Or(0)) != w.GetDaysSinceOnsetOfSymptoms() ||
			int32(k.VariantOfConcern.Or(0)) != w.GetVariantOfConcern() {
			t.Errorf("key %d is not what protobuf makes of it", i-1)
		}
	}
	if i != len(want) {
		t.Errorf("got %d keys, want %d", i, len(want))
	}
}

// export.sig, beside an export.bin that is fine.
func FuzzSignatures(f *testing.F) {
	signers := oneSigner(f)
	trusted := trust(f, signers...)
	archive := mustWrite(f, content(2), signers, nil)
	bin := entry(f, archive, "export.bin")
	seed(f, func(v *exporttest.Vector) {
		if _, err := export.Read(bytes.NewReader(v.Archive), nil); err == nil {
			f.Add(entry(f, v.Archive, "export.sig"))
		}
	})
	f.Add(entry(f, archive, "export.sig"))
	f.Fuzz(func(t *testing.T, sig []byte) {
		a, err := export.Read(bytes.NewReader(repack(t, "export.bin", bin, "export.sig", sig)), nil)
		checkSignaturesAgainstProtobuf(t, sig, a, err)
		if err != nil {
			checkError(t, err)
			return
		}
		v, err := a.Verify(trusted, nil)
		if err != nil {
			checkError(t, err)
			return
		}
		// Nobody but the signer can have signed it.
		digest := a.Info().SHA256
		if !slices.ContainsFunc(a.Signatures(), func(s export.Signature) bool {
			return signers[0].PublicKey().Verify(digest[:], s.DER) == nil
		}) {
			t.Errorf("verified as signed by %v with none of the signatures", v.SignedBy)
		}
	})
}

func checkSignaturesAgainstProtobuf(t *testing.T, sig []byte, a *export.Archive, err error) {
	t.Helper()
	if errors.Is(err, export.KindTooLarge) {
		return
	}
	var list exportpb.TEKSignatureList
	if decodes := proto.Unmarshal(sig, &list) == nil; decodes != (err == nil) {
		t.Fatalf("protobuf decodes it: %t, and we: %v", decodes, err)
	}
	if err != nil {
		return
	}
	got := a.Signatures()
	if len(got) != len(list.GetSignatures()) {
		t.Fatalf("got %d signatures, want %d", len(got), len(list.GetSignatures()))
	}
	for i, s := range list.GetSignatures() {
		info := s.GetSignatureInfo()
		want := export.SignatureInfo{
			Identity:  signing.Identity{KeyID: info.GetVerificationKeyId(), KeyVersion: info.GetVerificationKeyVersion()},
			Algorithm: info.GetSignatureAlgorithm(), AppBundleID: info.GetAppBundleId(), AndroidPackage: info.GetAndroidPackage(),
		}
		if got[i].Info != want || got[i].BatchNum != s.GetBatchNum() || got[i].BatchSize != s.GetBatchSize() || !bytes.Equal(got[i].DER, s.GetSignature()) {
			t.Errorf("signature %d: got %+v, want %v", i, got[i], s)
		}
	}
}

func checkError(t *testing.T, err error) {
	t.Helper()
	if e, ok := errors.AsType[*export.Error](err); !ok || e.Kind == export.KindIO || e.Kind == export.KindOptions {
		t.Errorf("got %v, want an error about the file", err)
	}
}

// checkArchive ranges over the keys of an archive, and writes what it says again.
func checkArchive(t *testing.T, a *export.Archive, signers []*signing.Signer, trusted *signing.TrustList) {
	t.Helper()
	info := a.Info()
	good, rejected := 0, 0
	for _, seq := range []func(func(keys.TemporaryExposureKey, error) bool){a.Unverified().Keys(), a.Unverified().RevisedKeys()} {
		for _, err := range seq {
			switch {
			case err == nil:
				good++
			case errors.Is(err, export.KindKey):
				rejected++
			default:
				t.Fatalf("opened, and then %v", err)
			}
		}
	}
	if good+rejected != info.Keys+info.RevisedKeys {
		t.Fatalf("got %d keys and %d rejected ones, want %d and %d revised", good, rejected, info.Keys, info.RevisedKeys)
	}
	c, err := a.Unverified().Content()
	if rejected > 0 {
		if !errors.Is(err, export.KindKey) {
			t.Fatalf("content with %d rejected keys: got %v, want %v", rejected, err, export.KindKey)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if c.Check() != nil {
		return // readable, and not for publishing: no region, a key twice
	}
	var out bytes.Buffer
	if _, err := export.Write(&out, c, signers, nil); err != nil {
		t.Fatalf("what was read cannot be written: %v", err)
	}
	again, err := export.Read(&out, nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := again.Verify(trusted, &export.Expectation{Region: c.Region, Start: c.Start, End: c.End})
	if err != nil {
		t.Fatal(err)
	}
	back, err := v.Content()
	if err != nil || !sameContent(back, sorted(c)) || back.Hash() != c.Hash() {
		t.Errorf("other content comes back: %v", err)
	}
}

// checkMemory fails if f allocates more than limit bytes.
func checkMemory(t *testing.T, limit uint64, f func()) {
	t.Helper()
	if n := allocated(f); n > limit {
		t.Errorf("%d bytes were allocated, at most %d", n, limit)
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
