package efgs

import (
	"fmt"
	"testing"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
)

// whole returns the keys of the largest batch there is.
func whole(b *testing.B, e *europe) []keys.DiagnosisKey {
	b.Helper()
	all := e.newKeys("DE", MaxBatch)
	for i := range all {
		all[i].VisitedCountries, _ = keys.ParseRegions("FR", "IT", "AT", "ES")
	}
	return all
}

func keysPerSecond(b *testing.B) {
	b.ReportMetric(float64(MaxBatch)*float64(b.N)/b.Elapsed().Seconds(), "keys/s")
}

func BenchmarkSigningBytes(b *testing.B) {
	batch := BatchOf(whole(b, newEurope(b, nil)))
	b.ReportAllocs()
	for b.Loop() {
		SigningBytes(batch.Keys)
	}
	keysPerSecond(b)
}

// BenchmarkSign is what an upload takes beside the network: the form on the wire,
// the bytes to be signed, their order, the signature, and the body.
func BenchmarkSign(b *testing.B) {
	e := newEurope(b, nil)
	c := e.client("DE", nil)
	batch := &federation.Batch{Tag: "t", Keys: whole(b, e)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.message(batch); err != nil {
			b.Fatal(err)
		}
	}
	keysPerSecond(b)
}

// BenchmarkVerify is what the audit of a batch takes beside the network, with all
// that is looked at: signature, certificate, thumbprint, anchor, origins.
func BenchmarkVerify(b *testing.B) {
	e := newEurope(b, nil)
	all := BatchOf(whole(b, e)).Keys
	n := e.nations["DE"]
	entry := &AuditEntry{Country: "DE", Amount: MaxBatch, BatchSignature: must(e.signers["DE"].Sign(SigningBytes(all), noon)), UploaderSigningThumbprint: n.SigningThumbprint,
		SigningCertificate: n.SigningCertificate, SigningCertificateOperatorSignature: n.SigningCertificateOperatorSignature}
	audit := e.audit()
	b.ReportAllocs()
	for b.Loop() {
		if err := audit.verify(b.Context(), entry, all, noon); err != nil {
			b.Fatal(err)
		}
	}
	keysPerSecond(b)
}

func BenchmarkEncode(b *testing.B) {
	for _, f := range []Format{Protobuf, JSON} {
		b.Run(f.String(), func(b *testing.B) {
			all := BatchOf(whole(b, newEurope(b, nil))).Keys
			body := f.Append(nil, all)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				body = f.Append(body[:0], all)
			}
			keysPerSecond(b)
		})
	}
}

// BenchmarkDecode is from a body to keys of the model.
func BenchmarkDecode(b *testing.B) {
	for _, f := range []Format{Protobuf, JSON} {
		b.Run(f.String(), func(b *testing.B) {
			body := f.Append(nil, BatchOf(whole(b, newEurope(b, nil))).Keys)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				batch, err := f.Decode(body, MaxBatch)
				if err != nil {
					b.Fatal(err)
				}
				page := &federation.Page{}
				if batch.sort(page, nil); len(page.Keys) != MaxBatch {
					b.Fatal(len(page.Keys))
				}
			}
			keysPerSecond(b)
		})
	}
}

// BenchmarkDownload is batches of 5,000 keys from a gateway over loopback, with and
// without the audit of their signatures.
func BenchmarkDownload(b *testing.B) {
	for _, audit := range []bool{false, true} {
		b.Run(fmt.Sprint("audit=", audit), func(b *testing.B) {
			e := newEurope(b, nil)
			e.upload("DE", "t", whole(b, e))
			e.gateway.Assemble()
			opts := &ClientOptions{}
			if audit {
				opts.Audit = e.audit()
			}
			c := e.client("FR", opts)
			for b.Loop() {
				if page, err := c.Download(b.Context(), federation.Place{Day: today}); err != nil || len(page.Keys) != MaxBatch {
					b.Fatal(page, err)
				}
			}
			keysPerSecond(b)
		})
	}
}
