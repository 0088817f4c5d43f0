package export_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing"
)

func TestWriteRefusesContent(t *testing.T) {
	set := func(change func(*keys.TemporaryExposureKey)) func(*export.Content) {
		return func(c *export.Content) { change(&c.Keys[3]) }
	}
	tests := []struct {
		name    string
		change  func(*export.Content)
		subject string
		field   keys.Field // of the rejection; empty: none
	}{
		{"zero key", set(func(k *keys.TemporaryExposureKey) { k.KeyData = keys.KeyData{} }), "keys[3]", keys.FieldKeyData},
		{"period 0", set(func(k *keys.TemporaryExposureKey) { k.RollingPeriod = 0 }), "keys[3]", keys.FieldRollingPeriod},
		{"period 145", set(func(k *keys.TemporaryExposureKey) { k.RollingPeriod = 145 }), "keys[3]", keys.FieldRollingPeriod},
		{"negative start", set(func(k *keys.TemporaryExposureKey) { k.RollingStartIntervalNumber = -1 }), "keys[3]", keys.FieldRollingStart},
		{"risk 9", set(func(k *keys.TemporaryExposureKey) { k.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(9)) }), "keys[3]", keys.FieldTransmissionRisk},
		{"report type 6", set(func(k *keys.TemporaryExposureKey) { k.ReportType = keys.Some(keys.ReportType(6)) }), "keys[3]", keys.FieldReportType},
		{"onset 15", set(func(k *keys.TemporaryExposureKey) { k.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(15)) }), "keys[3]", keys.FieldDaysSinceOnset},
		{"onset -15", set(func(k *keys.TemporaryExposureKey) { k.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(-15)) }), "keys[3]", keys.FieldDaysSinceOnset},
		{"European onset", set(func(k *keys.TemporaryExposureKey) { k.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(4000)) }), "keys[3]", keys.FieldDaysSinceOnset},
		{"variant 5", set(func(k *keys.TemporaryExposureKey) { k.VariantOfConcern = keys.Some(keys.VariantOfConcern(5)) }), "keys[3]", keys.FieldVariant},
		{"revised with a bad period", func(c *export.Content) { c.RevisedKeys[1].RollingPeriod = 0 }, "revised_keys[1]", keys.FieldRollingPeriod},
		{"revised to nothing", func(c *export.Content) { c.RevisedKeys[1].ReportType = keys.Optional[keys.ReportType]{} }, "revised_keys[1]", keys.FieldReportType},
		{"key twice", func(c *export.Content) { c.Keys[5] = c.Keys[2] }, "keys[5]", ""},
		{"key twice, otherwise", func(c *export.Content) { c.Keys[5].KeyData = c.Keys[2].KeyData }, "keys[5]", ""},
		{"new and revised", func(c *export.Content) { c.RevisedKeys[0].KeyData = c.Keys[4].KeyData }, "revised_keys[0]", ""},
		{"revised twice", func(c *export.Content) { c.RevisedKeys[1].KeyData = c.RevisedKeys[0].KeyData }, "revised_keys[1]", ""},
		{"no region", func(c *export.Content) { c.Region = "" }, "region", ""},
		{"long region", func(c *export.Content) { c.Region = strings.Repeat("D", 33) }, "region", ""},
		{"region of two lines", func(c *export.Content) { c.Region = "DE\n" }, "region", ""},
		{"no start", func(c *export.Content) { c.Start = time.Time{} }, "start_timestamp", ""},
		{"no end", func(c *export.Content) { c.End = time.Time{} }, "end_timestamp", ""},
		{"start with a fraction", func(c *export.Content) { c.Start = c.Start.Add(time.Millisecond) }, "start_timestamp", ""},
		{"end with a fraction", func(c *export.Content) { c.End = c.End.Add(time.Nanosecond) }, "end_timestamp", ""},
		{"start before 1970", func(c *export.Content) { c.Start = time.Unix(-1, 0) }, "start_timestamp", ""},
		{"end in the year 10000", func(c *export.Content) { c.End = time.Unix(253402300800, 0) }, "end_timestamp", ""},
		{"end at start", func(c *export.Content) { c.End = c.Start }, "end_timestamp", ""},
		{"end before start", func(c *export.Content) { c.Start, c.End = c.End, c.Start }, "end_timestamp", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := content(20)
			tt.change(c)
			var out bytes.Buffer
			_, err := export.Write(&out, c, oneSigner(t), nil)
			e, ok := errors.AsType[*export.Error](err)
			if !ok || e.Kind != export.KindContent || e.Subject != tt.subject {
				t.Fatalf("got %v, want an error about %s", err, tt.subject)
			}
			r, isRejection := errors.AsType[*keys.Rejection](err)
			if isRejection != (tt.field != "") || isRejection && r.Field != tt.field {
				t.Errorf("got %v, want a rejection of the field %q", err, tt.field)
			}
			if out.Len() > 0 {
				t.Errorf("%d bytes were written", out.Len())
			}
			for _, k := range slices.Concat(c.Keys, c.RevisedKeys) {
				if form := keystest.Leak(err.Error(), k.KeyData); form != "" && !k.KeyData.IsZero() {
					t.Errorf("key data as %s in the error %v", form, err)
				}
			}
		})
	}
}

func TestWriteRefusesTooManyKeys(t *testing.T) {
	all := make([]keys.TemporaryExposureKey, export.MaxKeys+1)
	for i := range all {
		all[i] = keys.TemporaryExposureKey{RollingPeriod: 144}
		copy(all[i].KeyData[:], fmt.Sprintf("%016d", i))
	}
	c := &export.Content{Start: start, End: end, Region: "DE", Keys: all[1:]}
	if err := c.Check(); err != nil {
		t.Errorf("%d keys: got %v, want none", len(c.Keys), err)
	}
	for name, c := range map[string]*export.Content{
		"all new":              {Start: start, End: end, Region: "DE", Keys: all},
		"together with others": {Start: start, End: end, Region: "DE", Keys: all[1:], RevisedKeys: all[:1]},
	} {
		if _, err := export.Write(io.Discard, c, oneSigner(t), nil); !errors.Is(err, export.KindTooLarge) {
			t.Errorf("%s: got %v, want %v", name, err, export.KindTooLarge)
		}
	}
}

// An archive of an embargoed key is not this package's to refuse.
func TestWriteTakesKeysUnderEmbargo(t *testing.T) {
	c := content(1)
	c.Keys[0].RollingStartIntervalNumber = 1<<31 - 1
	mustWrite(t, c, oneSigner(t), nil)
}

func TestWriteRefusesOptions(t *testing.T) {
	many := make([]*signing.Signer, 11)
	for i := range many {
		many[i] = newSigner(t, fmt.Sprintf("262-v%d", i), byte(i), time.Time{})
	}
	one := many[:1]
	tests := []struct {
		name    string
		signers []*signing.Signer
		opts    export.WriteOptions
		subject string
	}{
		{"no signer", nil, export.WriteOptions{}, "signers"},
		{"eleven signers", many, export.WriteOptions{}, "signers"},
		{"nil signer", []*signing.Signer{many[0], nil}, export.WriteOptions{}, "signers"},
		{"one identity twice", []*signing.Signer{many[0], newSigner(t, "262-v0", 99, start)}, export.WriteOptions{}, "signers"},
		{"level 10", one, export.WriteOptions{Level: 10}, "Level"},
		{"level -1", one, export.WriteOptions{Level: -1}, "Level"},
		{"path as a name", one, export.WriteOptions{Format: export.Format{BinName: "../export.bin"}}, "BinName"},
		{"dots as a name", one, export.WriteOptions{Format: export.Format{BinName: ".."}}, "BinName"},
		{"backslash in a name", one, export.WriteOptions{Format: export.Format{SigName: `a\b`}}, "SigName"},
		{"both names the same", one, export.WriteOptions{Format: export.Format{SigName: "export.bin"}}, "SigName"},
		{"header wider than its width", one, export.WriteOptions{Format: export.Format{HeaderWidth: 11}}, "HeaderWidth"},
		{"enormous header", one, export.WriteOptions{Format: export.Format{HeaderWidth: 1 << 30}}, "HeaderWidth"},
		{"negative width", one, export.WriteOptions{Format: export.Format{HeaderWidth: -16}}, "HeaderWidth"},
		{"header of two lines", one, export.WriteOptions{Format: export.Format{Header: "EK\nExport"}}, "Header"},
		{"app name of two lines", one, export.WriteOptions{AppBundleID: "a\nb"}, "AppBundleID"},
		{"long app name", one, export.WriteOptions{AndroidPackage: strings.Repeat("a", 256)}, "AndroidPackage"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			_, err := export.Write(&out, content(3), tt.signers, &tt.opts)
			if e, ok := errors.AsType[*export.Error](err); !ok || e.Kind != export.KindOptions || e.Subject != tt.subject {
				t.Errorf("got %v, want an error about %s", err, tt.subject)
			}
			if out.Len() > 0 {
				t.Errorf("%d bytes were written", out.Len())
			}
		})
	}
	mustWrite(t, content(3), many[:10], nil)
}

func TestSignaturesAreNewestFirst(t *testing.T) {
	old, middle, new := newSigner(t, "262-v1", 1, time.Time{}), newSigner(t, "262-v2", 2, start), newSigner(t, "262-v3", 3, end)
	want := []string{"262-v3", "262-v2", "262-v1"}
	for _, signers := range [][]*signing.Signer{{old, middle, new}, {new, middle, old}, {middle, new, old}} {
		a := mustOpen(t, mustWrite(t, content(3), signers, nil), nil)
		var infos, signatures []string
		for _, info := range a.Header().SignatureInfos {
			infos = append(infos, info.Identity.String())
		}
		for _, s := range a.Signatures() {
			signatures = append(signatures, s.Info.Identity.String())
		}
		if !slices.Equal(infos, want) || !slices.Equal(signatures, want) {
			t.Errorf("got %v in export.bin and %v in export.sig, want %v", infos, signatures, want)
		}
	}
}

// What is in the zip file beside the two files: nothing.
func TestZipSaysNothing(t *testing.T) {
	archive := mustWrite(t, content(30), oneSigner(t), nil)
	zr, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	if len(zr.File) != 2 || zr.File[0].Name != "export.bin" || zr.File[1].Name != "export.sig" || zr.Comment != "" {
		t.Errorf("got %d entries and the comment %q, want export.bin and export.sig", len(zr.File), zr.Comment)
	}
	for _, f := range zr.File {
		if !f.Modified.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) || len(f.Extra) > 0 || f.Comment != "" || f.ExternalAttrs != 0 {
			t.Errorf("%s: time %s, extra field %x, comment %q, attributes %x", f.Name, f.Modified, f.Extra, f.Comment, f.ExternalAttrs)
		}
		if f.Flags != 8 || f.ReaderVersion != 20 || f.CreatorVersion != 20 {
			t.Errorf("%s: flags %x, versions %d and %d, want the sizes to follow the data, and version 2.0", f.Name, f.Flags, f.ReaderVersion, f.CreatorVersion)
		}
		if f.Method != zip.Deflate {
			t.Errorf("%s: method %d, want compressed: its sizes follow the data", f.Name, f.Method)
		}
	}
}

func TestInfoOfWrite(t *testing.T) {
	c := content(100)
	var out bytes.Buffer
	info, err := export.Write(&out, c, oneSigner(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	bin := entry(t, out.Bytes(), "export.bin")
	want := export.Info{
		SHA256: sha256.Sum256(bin), Size: int64(out.Len()), BinSize: int64(len(bin)),
		Keys: len(c.Keys), RevisedKeys: len(c.RevisedKeys),
	}
	if info != want {
		t.Errorf("got %+v, want %+v", info, want)
	}
	if opened := mustOpen(t, out.Bytes(), nil).Info(); opened != want {
		t.Errorf("opened again: got %+v, want %+v", opened, want)
	}
}

func TestLevels(t *testing.T) {
	c, signers := content(2000), oneSigner(t)
	want := mustWrite(t, c, signers, nil)
	for level := 1; level <= 9; level++ {
		got := mustWrite(t, c, signers, &export.WriteOptions{Level: level})
		if !bytes.Equal(entry(t, got, "export.bin"), entry(t, want, "export.bin")) {
			t.Errorf("level %d changes export.bin", level)
		}
		if level == 9 && len(got) < len(want) {
			t.Errorf("level 9 gives %d bytes, the default %d", len(got), len(want))
		}
	}
}

func TestOtherFormat(t *testing.T) {
	format := export.Format{BinName: "a.bin", SigName: "a.sig", Header: "EK Export v7", HeaderWidth: 20}
	c, signers := content(20), oneSigner(t)
	archive := mustWrite(t, c, signers, &export.WriteOptions{Format: format})
	if bin := entry(t, archive, "a.bin"); !bytes.HasPrefix(bin, []byte("EK Export v7        \x09")) {
		t.Errorf("begins with %q", bin[:24])
	}
	a := mustOpen(t, archive, &export.ReadOptions{Format: format})
	if _, err := a.Verify(trust(t, signers...), nil); err != nil {
		t.Error(err)
	}
	if got, err := a.Unverified().Content(); err != nil || got.Hash() != c.Hash() {
		t.Errorf("other content comes out, %v", err)
	}
	if _, err := export.Read(bytes.NewReader(archive), nil); !errors.Is(err, export.KindMissingEntry) {
		t.Errorf("read as the format of phones: got %v, want %v", err, export.KindMissingEntry)
	}
	format.BinName, format.SigName = "", ""
	archive = mustWrite(t, c, signers, &export.WriteOptions{Format: format})
	if _, err := export.Read(bytes.NewReader(archive), nil); !errors.Is(err, export.KindHeader) {
		t.Errorf("read as the header of phones: got %v, want %v", err, export.KindHeader)
	}
}

// limitedWriter fails after n bytes.
type limitedWriter struct{ n int }

var errFull = errors.New("disk full")

func (w *limitedWriter) Write(p []byte) (int, error) {
	if len(p) > w.n {
		n := w.n
		w.n = 0
		return n, errFull
	}
	w.n -= len(p)
	return len(p), nil
}

func TestWriteErrors(t *testing.T) {
	c, signers := content(5000), oneSigner(t)
	size := len(mustWrite(t, c, signers, nil))
	for n := 0; n < size; n += 1 + size/20 {
		if _, err := export.Write(&limitedWriter{n}, c, signers, nil); !errors.Is(err, errFull) || !errors.Is(err, export.KindIO) {
			t.Fatalf("after %d of %d bytes: got %v, want %v", n, size, err, errFull)
		}
	}
	if _, err := export.Write(&limitedWriter{size}, c, signers, nil); err != nil {
		t.Errorf("with room for all %d bytes: %v", size, err)
	}
}

func TestWriteWithFailingSigner(t *testing.T) {
	c := content(3)
	bad := &flakySigner{}
	s, err := signing.NewSigner(signing.Identity{KeyID: "262", KeyVersion: "v1"}, bad.over(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := export.Write(io.Discard, c, []*signing.Signer{s}, nil); !errors.Is(err, export.KindSigner) || !errors.Is(err, errOutage) {
		t.Errorf("got %v, want %v", err, errOutage)
	}
}

// Nothing is allocated for a key or a group.
func TestWriteAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector has pools forget")
	}
	signers := oneSigner(t)
	allocations := func(n int) float64 {
		c := shuffledProduction(n)
		return testing.AllocsPerRun(3, func() {
			if _, err := export.Write(io.Discard, c, signers, nil); err != nil {
				t.Fatal(err)
			}
		})
	}
	few, many := allocations(100), allocations(100_000)
	if most := 300.0; few > most || many > most { // of which package zip and the signature have 100
		t.Errorf("%v allocations for 100,000 keys, %v for 100, at most %v were asked for", many, few, most)
	}
}

// What is allocated for 100,000 keys is 44 bytes for each, to sort them, and what
// compressors need; the 3 MB of export.bin are not among it. What is allocated
// once is there for the next.
func TestWriteMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector allocates, too, and has pools forget")
	}
	c, signers := shuffledProduction(100_000), oneSigner(t)
	write := func() {
		if _, err := export.Write(io.Discard, c, signers, nil); err != nil {
			t.Fatal(err)
		}
	}
	checkMemory(t, 44*100_000+5<<19, write)
	best := uint64(math.MaxUint64)
	for range 5 { // in one of them, no garbage is collected
		best = min(best, allocated(write))
	}
	if best > 200<<10 {
		t.Errorf("%d bytes were allocated, though others had been before", best)
	}
}
