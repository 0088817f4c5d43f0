package export

import (
	"bytes"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// Format is what the CWA back end calls the parameters of its tek-export: names
// and header of an archive. The zero value is the format that phones know.
// Phones take no other; what reads such an archive must be given the same.
type Format struct {
	BinName     string // "export.bin"
	SigName     string // "export.sig"
	Header      string // "EK Export v1"
	HeaderWidth int    // 16; the header is filled up with spaces
}

const (
	defaultBinName     = "export.bin"
	defaultSigName     = "export.sig"
	defaultHeader      = "EK Export v1"
	defaultHeaderWidth = 16

	maxEntryName   = 255
	maxHeaderWidth = 1024
)

// normalize fills in defaults and checks the rest.
func (f Format) normalize() (Format, error) {
	if f.BinName == "" {
		f.BinName = defaultBinName
	}
	if f.SigName == "" {
		f.SigName = defaultSigName
	}
	if f.Header == "" {
		f.Header = defaultHeader
	}
	if f.HeaderWidth == 0 {
		f.HeaderWidth = defaultHeaderWidth
	}
	switch {
	case !validEntryName(f.BinName):
		return f, fail(KindOptions, "BinName", "%q is no file name", f.BinName)
	case !validEntryName(f.SigName):
		return f, fail(KindOptions, "SigName", "%q is no file name", f.SigName)
	case f.BinName == f.SigName:
		return f, fail(KindOptions, "SigName", "the same as BinName, %q", f.BinName)
	case !printable(f.Header, maxHeaderWidth):
		return f, fail(KindOptions, "Header", "%q is not printable ASCII", f.Header)
	case f.HeaderWidth < len(f.Header) || f.HeaderWidth > maxHeaderWidth:
		return f, fail(KindOptions, "HeaderWidth", "%d, want %d .. %d for %q", f.HeaderWidth, len(f.Header), maxHeaderWidth, f.Header)
	}
	return f, nil
}

// header returns the bytes that export.bin begins with.
func (f Format) header() []byte {
	return append([]byte(f.Header), bytes.Repeat([]byte(" "), f.HeaderWidth-len(f.Header))...)
}

func validEntryName(s string) bool {
	return printable(s, maxEntryName) && !strings.ContainsAny(s, `/\:`) && strings.Trim(s, ". ") != ""
}

// printable reports whether s is printable ASCII of at most limit bytes.
func printable(s string, limit int) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) <= limit
}

// The fields of TemporaryExposureKeyExport.
const (
	fieldStartTimestamp protowire.Number = 1
	fieldEndTimestamp   protowire.Number = 2
	fieldRegion         protowire.Number = 3
	fieldBatchNum       protowire.Number = 4
	fieldBatchSize      protowire.Number = 5
	fieldSignatureInfos protowire.Number = 6
	fieldKeys           protowire.Number = 7
	fieldRevisedKeys    protowire.Number = 8
)

// The fields of TemporaryExposureKey.
const (
	fieldKeyData          protowire.Number = 1
	fieldTransmissionRisk protowire.Number = 2
	fieldRollingStart     protowire.Number = 3
	fieldRollingPeriod    protowire.Number = 4
	fieldReportType       protowire.Number = 5
	fieldDaysSinceOnset   protowire.Number = 6
	fieldVariantOfConcern protowire.Number = 8
)

// The fields of SignatureInfo.
const (
	fieldAppBundleID    protowire.Number = 1
	fieldAndroidPackage protowire.Number = 2
	fieldKeyVersion     protowire.Number = 3
	fieldKeyID          protowire.Number = 4
	fieldAlgorithm      protowire.Number = 5
)

// The fields of TEKSignatureList and TEKSignature.
const (
	fieldSignatures    protowire.Number = 1
	fieldSignatureInfo protowire.Number = 1
	fieldSigBatchNum   protowire.Number = 2
	fieldSigBatchSize  protowire.Number = 3
	fieldSignature     protowire.Number = 4
)

// listNames names the two lists of keys in errors, as the format does.
var listNames = map[protowire.Number]string{fieldKeys: "keys", fieldRevisedKeys: "revised_keys"}
