package export_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"io"
	"sort"
	"testing"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/internal/exportpb"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"google.golang.org/protobuf/proto"
)

// stockWrite writes an archive as one does who has not thought about it: with the
// standard library and generated code. Keys are in the order of their key data,
// which is what the format asks for and other back ends do.
func stockWrite(w io.Writer, c *export.Content, signer *signing.Signer) error {
	opts := &export.WriteOptions{}
	m := &exportpb.TemporaryExposureKeyExport{
		StartTimestamp: new(uint64(c.Start.Unix())),
		EndTimestamp:   new(uint64(c.End.Unix())),
		Region:         &c.Region,
		BatchNum:       new(int32(1)),
		BatchSize:      new(int32(1)),
		SignatureInfos: []*exportpb.SignatureInfo{infoOf(signer, opts)},
		Keys:           stockKeys(c.Keys),
		RevisedKeys:    stockKeys(c.RevisedKeys),
	}
	body, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	bin := append([]byte("EK Export v1    "), body...)
	digest := sha256.Sum256(bin)
	der, err := signer.SignDigest(digest[:])
	if err != nil {
		return err
	}
	sig, err := proto.Marshal(&exportpb.TEKSignatureList{Signatures: []*exportpb.TEKSignature{{
		SignatureInfo: infoOf(signer, opts), BatchNum: new(int32(1)), BatchSize: new(int32(1)), Signature: der,
	}}})
	if err != nil {
		return err
	}
	zw := zip.NewWriter(w) // compress/flate, level 6 in effect
	for _, entry := range []struct {
		name string
		data []byte
	}{{"export.bin", bin}, {"export.sig", sig}} {
		ew, err := zw.Create(entry.name)
		if err != nil {
			return err
		}
		if _, err := ew.Write(entry.data); err != nil {
			return err
		}
	}
	return zw.Close()
}

func stockKeys(all []keys.TemporaryExposureKey) []*exportpb.TemporaryExposureKey {
	sorted := make([]*exportpb.TemporaryExposureKey, len(all))
	for i := range all {
		k := &all[i]
		m := &exportpb.TemporaryExposureKey{
			KeyData:                    k.KeyData[:],
			RollingStartIntervalNumber: new(int32(k.RollingStartIntervalNumber)),
			RollingPeriod:              new(int32(k.RollingPeriod)),
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
		sorted[i] = m
	}
	sort.Slice(sorted, func(i, j int) bool { return bytes.Compare(sorted[i].KeyData, sorted[j].KeyData) < 0 })
	return sorted
}

// flateSize is how small compress/flate makes it.
func flateSize(t testing.TB, data []byte, level int) int {
	t.Helper()
	var n countingWriter
	w, err := flate.NewWriter(&n, level)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(data)
	w.Close()
	return int(n)
}

type countingWriter int

func (n *countingWriter) Write(p []byte) (int, error) {
	*n += countingWriter(len(p))
	return len(p), nil
}
