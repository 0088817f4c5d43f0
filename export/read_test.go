package export_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
)

func compare(a, b keys.TemporaryExposureKey) int { return a.Compare(&b) }

func sorted(c *export.Content) *export.Content {
	s := *c
	s.Keys, s.RevisedKeys = slices.Clone(c.Keys), slices.Clone(c.RevisedKeys)
	slices.SortFunc(s.Keys, compare)
	slices.SortFunc(s.RevisedKeys, compare)
	return &s
}

func sameContent(a, b *export.Content) bool {
	return a.Start.Equal(b.Start) && a.End.Equal(b.End) && a.Region == b.Region &&
		slices.Equal(a.Keys, b.Keys) && slices.Equal(a.RevisedKeys, b.RevisedKeys)
}

// collect returns the keys of a sequence, and all its errors.
func collect(p func(func(keys.TemporaryExposureKey, error) bool)) (all []keys.TemporaryExposureKey, errs []error) {
	for k, err := range p {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, k)
	}
	return all, errs
}

// What is written, opened, verified and ranged over is what it was.
func TestRoundTrip(t *testing.T) {
	signers := oneSigner(t)
	trusted := trust(t, signers...)
	contents := []*export.Content{
		content(0), content(1), content(1000), content(10_000),
		{Start: start, End: end, Region: "DE", RevisedKeys: content(20).RevisedKeys},
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range 100 {
		contents = append(contents, randomContent(r))
	}
	for i, c := range contents {
		archive := mustWrite(t, c, signers, nil)
		a := mustOpen(t, archive, nil)
		v, err := a.Verify(trusted, &export.Expectation{Region: c.Region, Start: c.Start, End: c.End})
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Remarks) > 0 || len(v.SignedBy) != 1 || v.SignedBy[0] != signers[0].Identity() {
			t.Errorf("content %d: signed by %v, remarks %v", i, v.SignedBy, v.Remarks)
		}
		got, err := v.Content()
		if err != nil || !sameContent(got, sorted(c)) || got.Hash() != c.Hash() {
			t.Errorf("content %d: other content comes out, %v", i, err)
		}
		newKeys, errs := collect(v.Keys())
		revised, errs2 := collect(v.RevisedKeys())
		if !slices.Equal(newKeys, got.Keys) || !slices.Equal(revised, got.RevisedKeys) || len(errs)+len(errs2) > 0 {
			t.Errorf("content %d: other keys are ranged over, %v %v", i, errs, errs2)
		}
		if again := mustWrite(t, got, signers, nil); !bytes.Equal(again, archive) {
			t.Errorf("content %d: written again it is another archive", i)
		}
	}
}

func TestHeader(t *testing.T) {
	signers := oneSigner(t)
	a := mustOpen(t, mustWrite(t, content(3), signers, &export.WriteOptions{AppBundleID: "a", AndroidPackage: "b"}), nil)
	h := a.Header()
	if !h.Start.Equal(start) || h.Start.Location() != time.UTC || !h.End.Equal(end) || h.Region != "DE" || h.BatchNum != 1 || h.BatchSize != 1 {
		t.Errorf("got %+v", h)
	}
	want := export.SignatureInfo{Identity: signers[0].Identity(), Algorithm: "1.2.840.10045.4.3.2", AppBundleID: "a", AndroidPackage: "b"}
	if len(h.SignatureInfos) != 1 || h.SignatureInfos[0] != want {
		t.Errorf("got %+v, want %+v", h.SignatureInfos, want)
	}
	// What is handed out is the caller's own.
	h.SignatureInfos[0].KeyID = "changed"
	a.Signatures()[0].DER[5] ^= 1
	a.Signatures()[0].Info.KeyID = "changed"
	if a.Header().SignatureInfos[0] != want || a.Signatures()[0].Info != want {
		t.Error("the archive has changed")
	}
	if _, err := a.Verify(trust(t, signers...), nil); err != nil {
		t.Errorf("the archive has changed: %v", err)
	}
}

// The remarks of an archive are not those of whoever verified it.
func TestRemarksAreTheCallersOwn(t *testing.T) {
	signers := oneSigner(t)
	archive := mustWrite(t, content(2), signers, nil)
	a := mustOpen(t, repack(t, "export.bin", entry(t, archive, "export.bin"), "export.sig", entry(t, archive, "export.sig"), "more", []byte(nil)), nil)
	v, err := a.Verify(trust(t, signers...), nil)
	if err != nil || len(v.Remarks) != 1 || v.Remarks[0].Name != export.RemarkEntries {
		t.Fatalf("got %v, %v, want one remark on the entries", v, err)
	}
	v.Remarks[0].Name = "changed"
	a.Remarks()[0].Name = "changed"
	if got := a.Remarks(); got[0].Name != export.RemarkEntries {
		t.Errorf("got %v, want the remark on the entries", got)
	}
}

func TestVerifyExpectation(t *testing.T) {
	signers := oneSigner(t)
	a := mustOpen(t, mustWrite(t, content(3), signers, nil), nil)
	tests := []struct {
		name    string
		want    *export.Expectation
		subject string // in the error; empty: none
	}{
		{"nothing", nil, ""},
		{"nothing in particular", &export.Expectation{}, ""},
		{"everything", &export.Expectation{Region: "DE", Start: start.In(time.FixedZone("x", 60)), End: end}, ""},
		{"region", &export.Expectation{Region: "EUR"}, "region"},
		{"region in lower case", &export.Expectation{Region: "de"}, "region"},
		{"start", &export.Expectation{Region: "DE", Start: start.Add(time.Second)}, "start_timestamp"},
		{"end", &export.Expectation{End: end.Add(-time.Second)}, "end_timestamp"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := a.Verify(trust(t, signers...), tt.want)
			if tt.subject == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e, ok := errors.AsType[*export.Error](err)
			if !ok || e.Kind != export.KindUnexpected || e.Subject != tt.subject || v != nil {
				t.Errorf("got %v, %v, want an error about %s", v, err, tt.subject)
			}
		})
	}
	if v, err := a.Verify(nil, nil); !errors.Is(err, export.KindUntrusted) || v != nil {
		t.Errorf("no trust list: got %v, %v, want %v", v, err, export.KindUntrusted)
	}
	if _, err := a.Verify(trust(t, newSigner(t, "262-v1", 0x55, start)), &export.Expectation{Region: "FR"}); !errors.Is(err, export.KindBadSignature) {
		t.Errorf("neither signed nor expected: got %v, want %v", err, export.KindBadSignature)
	}
}

func TestIteration(t *testing.T) {
	c := sorted(content(200))
	p := mustOpen(t, mustWrite(t, c, oneSigner(t), nil), nil).Unverified()

	t.Run("abandoned", func(t *testing.T) {
		n := 0
		for range p.Keys() {
			if n++; n == 10 {
				break
			}
		}
		if n != 10 {
			t.Errorf("got %d keys, want 10", n)
		}
	})
	t.Run("abandoned at the last", func(t *testing.T) {
		n := 0
		for range p.RevisedKeys() {
			if n++; n == len(c.RevisedKeys) {
				break
			}
		}
	})
	t.Run("ranged twice", func(t *testing.T) {
		seq := p.Keys()
		for range 2 {
			if got, errs := collect(seq); !slices.Equal(got, c.Keys) || len(errs) > 0 {
				t.Errorf("got %d keys, %v, want %d", len(got), errs, len(c.Keys))
			}
		}
	})
	t.Run("both at once", func(t *testing.T) {
		n := 0
		for range p.Keys() {
			if n++; n%50 == 0 {
				if got, _ := collect(p.RevisedKeys()); !slices.Equal(got, c.RevisedKeys) {
					t.Error("ranging over the one disturbs the other")
				}
			}
		}
	})
	t.Run("by several goroutines", func(t *testing.T) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if got, errs := collect(p.Keys()); !slices.Equal(got, c.Keys) || len(errs) > 0 {
					t.Errorf("got %d keys, %v, want %d", len(got), errs, len(c.Keys))
				}
			})
		}
		wg.Wait()
	})
}

// An error in the middle of a key says which.
func TestErrorsNameTheKey(t *testing.T) {
	bin := entry(t, mustWrite(t, &export.Content{Start: start, End: end, Region: "DE", Keys: content(10).Keys}, oneSigner(t), nil), "export.bin")
	for name, tt := range map[string]struct {
		bin     []byte
		subject string
	}{
		"cut off":   {bin[:len(bin)-3], "keys[7]"},
		"too long":  {append(bytes.Clone(bin), 0x3a, 0xff, 0xff, 0x03), "keys[8]"},
		"malformed": {append(bytes.Clone(bin), 0x42, 0x01, 0xff), "revised_keys[0]"},
	} {
		_, err := export.OpenBin(bytes.NewReader(tt.bin), int64(len(tt.bin)), nil)
		if e, ok := errors.AsType[*export.Error](err); !ok || e.Subject != tt.subject {
			t.Errorf("%s: got %v, want an error about %s", name, err, tt.subject)
		}
	}
}

// What is served with status 200 when there is no archive.
func TestNotZipSaysWhatItIs(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "empty",
		"\n <!DOCTYPE html>":              "web page",
		"\xef\xbb\xbf<?xml version='1'?>": "web page",
		"\r\n{\"error\":404}":             "JSON",
		"[]":                              "JSON",
		"EK Export v1    ":                "OpenBin",
		"Service unavailable":             "no zip file",
		"PK\x03\x04 and then nothing":     "without a directory",
	} {
		if _, err := export.Read(strings.NewReader(text), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", text, err, want)
		}
	}
}

func TestOpenBin(t *testing.T) {
	c := sorted(content(50))
	signers := oneSigner(t)
	bin := entry(t, mustWrite(t, c, signers, nil), "export.bin")
	a, err := export.OpenBin(bytes.NewReader(bin), int64(len(bin)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := a.Verify(trust(t, signers...), nil); !errors.Is(err, export.KindUnsigned) || v != nil {
		t.Errorf("Verify: got %v, %v, want %v", v, err, export.KindUnsigned)
	}
	if got, err := a.Unverified().Content(); err != nil || !sameContent(got, c) {
		t.Errorf("other content comes out, %v", err)
	}
	if remarks := a.Remarks(); len(remarks) > 0 {
		t.Errorf("got remarks %v", remarks)
	}
	if a.Info().Size != 0 || a.Info().BinSize != int64(len(bin)) {
		t.Errorf("got %+v", a.Info())
	}
	for name, data := range map[string][]byte{"empty": nil, "an archive": mustWrite(t, c, signers, nil), "cut off": bin[:len(bin)-1]} {
		if _, err := export.OpenBin(bytes.NewReader(data), int64(len(data)), nil); kindOf(err) == "" {
			t.Errorf("%s: got %v, want an error", name, err)
		}
	}
}

// No error holds what the file holds: it may be key data.
func TestErrorsDoNotQuoteKeys(t *testing.T) {
	data := strings.Repeat("SECRET", 3)[:16]
	header := "EK Export v1    "
	for name, bin := range map[string]string{
		"no header":       "\x3a\x12\x0a\x10" + data,
		"only the data":   data,
		"15 bytes":        header + "\x3a\x11\x0a\x0f" + data[:15],
		"cut off":         header + "\x3a\x12\x0a\x10" + data[:10],
		"malformed":       header + "\x3a\x12\x0a\x20" + data,
		"as the region":   header + "\x1a\x10" + data + "\x1a\x02DE",
		"in a key of 200": header + "\x3a\x15\x0a\x10" + data + "\x20\xc8\x01",
	} {
		var texts []string
		a, err := export.OpenBin(strings.NewReader(bin), int64(len(bin)), nil)
		if err != nil {
			texts = append(texts, err.Error())
		} else {
			for _, err := range a.Unverified().Keys() {
				texts = append(texts, fmt.Sprint(err))
			}
			texts = append(texts, fmt.Sprint(a.Remarks()))
		}
		if len(texts) == 0 || strings.Contains(strings.Join(texts, " "), "SECRET") {
			t.Errorf("%s: got %q", name, texts)
		}
	}
}
