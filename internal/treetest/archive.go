// Package treetest makes published trees as other back ends left them, for tests
// of what takes such a tree over: the names, headers, hashes and indexes of
// cwa-server, and of the British back end. It shares no code with this module's own
// writers; what it goes by is what those systems wrote.
package treetest

import (
	"archive/zip"
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	mrand "math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/gaenkit/gaen/internal/exportpb"
)

// A Key is one key as an archive has it.
type Key struct {
	Data       [16]byte
	Start      int32 // interval
	Period     int32
	Risk       int32
	ReportType int32 // 0 for none
	Onset      int32

	Published time.Time // any time in the window that it goes into
}

// An Object is one object of a tree.
type Object struct {
	Body         []byte
	ContentType  string
	CacheControl string
	Metadata     map[string]string
}

// A Signer is who signs archives.
type Signer struct {
	Key         *ecdsa.PrivateKey
	ID, Version string
	Bundle      string // in the signature infos, if not empty
}

func (s *Signer) info() *exportpb.SignatureInfo {
	i := &exportpb.SignatureInfo{
		VerificationKeyId:      new(s.ID),
		VerificationKeyVersion: new(s.Version),
		SignatureAlgorithm:     new("1.2.840.10045.4.3.2"),
	}
	if s.Bundle != "" {
		i.AppBundleId, i.AndroidPackage = new(s.Bundle), new(s.Bundle)
	}
	return i
}

// archive returns a zip, and the export.bin in it. The keys are in no order.
func (s *Signer) archive(start, end time.Time, region string, keys []Key) (file, bin []byte) {
	e := &exportpb.TemporaryExposureKeyExport{
		StartTimestamp: new(uint64(start.Unix())),
		EndTimestamp:   new(uint64(end.Unix())),
		BatchNum:       proto.Int32(1),
		BatchSize:      proto.Int32(1),
		SignatureInfos: []*exportpb.SignatureInfo{s.info()},
	}
	if region != "" {
		e.Region = new(region)
	}
	for _, i := range mrand.Perm(len(keys)) {
		k := keys[i]
		tek := &exportpb.TemporaryExposureKey{
			KeyData:                    k.Data[:],
			TransmissionRiskLevel:      new(k.Risk),
			RollingStartIntervalNumber: new(k.Start),
			RollingPeriod:              new(k.Period),
			DaysSinceOnsetOfSymptoms:   new(k.Onset),
		}
		if k.ReportType != 0 {
			tek.ReportType = exportpb.TemporaryExposureKey_ReportType(k.ReportType).Enum()
		}
		e.Keys = append(e.Keys, tek)
	}
	bin = append([]byte("EK Export v1    "), must(proto.Marshal(e))...)
	return zipped(bin, s.sign(bin)), bin
}

// sign returns export.sig.
func (s *Signer) sign(bin []byte) []byte {
	return must(proto.Marshal(&exportpb.TEKSignatureList{Signatures: []*exportpb.TEKSignature{{
		SignatureInfo: s.info(),
		BatchNum:      proto.Int32(1),
		BatchSize:     proto.Int32(1),
		Signature:     s.der(bin),
	}}}))
}

func (s *Signer) der(content []byte) []byte {
	digest := sha256.Sum256(content)
	return must(ecdsa.SignASN1(rand.Reader, s.Key, digest[:]))
}

func zipped(bin, sig []byte) []byte {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, entry := range []struct {
		name    string
		content []byte
	}{{"export.bin", bin}, {"export.sig", sig}} {
		must(must(w.Create(entry.name)).Write(entry.content))
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return buf.Bytes()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic("treetest: " + err.Error())
	}
	return v
}

// within returns the keys that were published in [start, end).
func within(keys []Key, start, end time.Time) (in []Key) {
	for _, k := range keys {
		if !k.Published.Before(start) && k.Published.Before(end) {
			in = append(in, k)
		}
	}
	return in
}
