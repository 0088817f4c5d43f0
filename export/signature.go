package export

import (
	"archive/zip"
	"errors"
	"io"

	"github.com/gaenkit/gaen/signing"
	"google.golang.org/protobuf/encoding/protowire"
)

// SignatureInfo says which key an archive is signed with.
type SignatureInfo struct {
	signing.Identity // verification_key_id, verification_key_version
	Algorithm        string

	// Phones pass these over; the British and the German archives had them.
	AppBundleID    string
	AndroidPackage string
}

// Signature is one entry of export.sig.
type Signature struct {
	Info                SignatureInfo
	BatchNum, BatchSize int32
	DER                 []byte // ASN.1, over the SHA-256 of export.bin
}

// append appends the fields of a SignatureInfo message to b.
func (info *SignatureInfo) append(b []byte) []byte {
	if info.AppBundleID != "" {
		b = appendString(b, fieldAppBundleID, info.AppBundleID)
	}
	if info.AndroidPackage != "" {
		b = appendString(b, fieldAndroidPackage, info.AndroidPackage)
	}
	b = appendString(b, fieldKeyVersion, info.KeyVersion)
	b = appendString(b, fieldKeyID, info.KeyID)
	return appendString(b, fieldAlgorithm, info.Algorithm)
}

// appendSignature appends a TEKSignatureList with one signature to b. Lists
// appended to one another are one list.
func appendSignature(b []byte, info *SignatureInfo, der []byte) []byte {
	var body []byte
	body = appendString(body, fieldSignatureInfo, string(info.append(nil)))
	body = appendInt(body, fieldSigBatchNum, batchNumber)
	body = appendInt(body, fieldSigBatchSize, batchNumber)
	body = protowire.AppendTag(body, fieldSignature, protowire.BytesType)
	body = protowire.AppendBytes(body, der)
	return appendString(b, fieldSignatures, string(body))
}

var errMalformed = errors.New("not a protocol buffers message")

// consumeTag is protowire.ConsumeTag, which lets numbers pass that no decoder
// takes.
func consumeTag(b []byte) (protowire.Number, protowire.Type, int) {
	field, typ, n := protowire.ConsumeTag(b)
	if field > protowire.MaxValidNumber {
		return 0, 0, -1
	}
	return field, typ, n
}

// fields calls visit for each field of a message. Groups and unknown types come
// with a nil value. What visit is given is part of b.
func fields(b []byte, visit func(field protowire.Number, typ protowire.Type, value []byte, number uint64) error) error {
	for len(b) > 0 {
		field, typ, n := consumeTag(b)
		if n < 0 {
			return errMalformed
		}
		b = b[n:]
		size := protowire.ConsumeFieldValue(field, typ, b)
		if size < 0 {
			return errMalformed
		}
		var value []byte
		var number uint64
		switch typ {
		case protowire.BytesType:
			value, _ = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			number, _ = protowire.ConsumeVarint(b)
		}
		if err := visit(field, typ, value, number); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}

// parseInto parses a SignatureInfo message. A second one for the same field
// overwrites what it has, as protocol buffers do.
func (info *SignatureInfo) parseInto(b []byte) error {
	return fields(b, func(field protowire.Number, typ protowire.Type, value []byte, _ uint64) error {
		if typ != protowire.BytesType {
			return nil
		}
		switch field {
		case fieldAppBundleID:
			info.AppBundleID = string(value)
		case fieldAndroidPackage:
			info.AndroidPackage = string(value)
		case fieldKeyVersion:
			info.KeyVersion = string(value)
		case fieldKeyID:
			info.KeyID = string(value)
		case fieldAlgorithm:
			info.Algorithm = string(value)
		}
		return nil
	})
}

func readSignatures(f *zip.File, o *ReadOptions) ([]Signature, error) {
	r, err := openEntry(f, o.Sig, KindTooLarge)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	list, err := io.ReadAll(r)
	if err != nil {
		return nil, asError(KindIO, o.SigName, err)
	}
	return parseSignatures(o.SigName, list)
}

// parseSignatures parses export.sig.
func parseSignatures(subject string, b []byte) ([]Signature, error) {
	var all []Signature
	err := fields(b, func(field protowire.Number, typ protowire.Type, value []byte, _ uint64) error {
		if field != fieldSignatures || typ != protowire.BytesType {
			return nil
		}
		if len(all) == maxSignatures {
			return fail(KindTooLarge, subject, "more than %d signatures", maxSignatures)
		}
		s, err := parseSignature(value)
		all = append(all, s)
		return err
	})
	if err != nil {
		return nil, asError(KindMalformed, subject, err)
	}
	return all, nil
}

func parseSignature(b []byte) (s Signature, err error) {
	err = fields(b, func(field protowire.Number, typ protowire.Type, value []byte, number uint64) error {
		switch {
		case field == fieldSignatureInfo && typ == protowire.BytesType:
			return s.Info.parseInto(value)
		case field == fieldSigBatchNum && typ == protowire.VarintType:
			s.BatchNum = int32(number)
		case field == fieldSigBatchSize && typ == protowire.VarintType:
			s.BatchSize = int32(number)
		case field == fieldSignature && typ == protowire.BytesType:
			s.DER = value
		}
		return nil
	})
	return s, err
}
