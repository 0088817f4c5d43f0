package efgs

import (
	"errors"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/gaenkit/gaen/keys"
)

// The field of a DiagnosisKeyBatch, and those of a DiagnosisKey.
const (
	fieldKeys = 1

	fieldKeyData               = 1
	fieldRollingStart          = 2
	fieldRollingPeriod         = 3
	fieldTransmissionRiskLevel = 4
	fieldVisitedCountries      = 5
	fieldOrigin                = 6
	fieldReportType            = 7
	fieldDaysSinceOnset        = 8
)

// usualKey is how long a key usually is at most in protobuf, in bytes.
const usualKey = 64

// appendProto appends keys as protobuf's own encoder writes them: fields ascending,
// zero values left out.
func appendProto(b []byte, all []DiagnosisKey) []byte {
	var message []byte
	for i := range all {
		message = all[i].appendProto(message[:0])
		b = protowire.AppendTag(b, fieldKeys, protowire.BytesType)
		b = protowire.AppendBytes(b, message)
	}
	return b
}

func (k *DiagnosisKey) appendProto(b []byte) []byte {
	if len(k.KeyData) > 0 {
		b = protowire.AppendTag(b, fieldKeyData, protowire.BytesType)
		b = protowire.AppendBytes(b, k.KeyData)
	}
	b = appendVarint(b, fieldRollingStart, uint64(k.RollingStartIntervalNumber))
	b = appendVarint(b, fieldRollingPeriod, uint64(k.RollingPeriod))
	b = appendVarint(b, fieldTransmissionRiskLevel, uint64(int64(k.TransmissionRiskLevel)))
	for _, country := range k.VisitedCountries {
		b = protowire.AppendTag(b, fieldVisitedCountries, protowire.BytesType)
		b = protowire.AppendString(b, country)
	}
	if k.Origin != "" {
		b = protowire.AppendTag(b, fieldOrigin, protowire.BytesType)
		b = protowire.AppendString(b, k.Origin)
	}
	b = appendVarint(b, fieldReportType, uint64(int64(k.ReportType)))
	return appendVarint(b, fieldDaysSinceOnset, uint64(uint32(protowire.EncodeZigZag(int64(k.DaysSinceOnsetOfSymptoms)))))
}

func appendVarint(b []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}

var errWire = errors.New("not protobuf, or not whole")

// decodeProto reads the keys of a message. Fields that it does not know, and known
// ones of another wire type, are passed over, as protobuf's own decoder does.
func decodeProto(into *Batch, body []byte, limit int) error {
	r := protoReader{}
	into.Keys = make([]DiagnosisKey, 0, min(len(body)/usualKey+1, limit))
	for len(body) > 0 {
		field, kind, value, rest, ok := consume(body)
		if !ok {
			return errWire
		}
		body = rest
		if field != fieldKeys || kind != protowire.BytesType {
			continue
		}
		if len(into.Keys) == limit {
			return ErrTooManyKeys
		}
		into.add(r.key(value))
	}
	return nil
}

// consume takes the first field of a message: the value is a length-delimited one
// without its length, any other with its encoding.
func consume(b []byte) (field protowire.Number, kind protowire.Type, value, rest []byte, ok bool) {
	field, kind, n := protowire.ConsumeTag(b)
	if n < 0 {
		return 0, 0, nil, nil, false
	}
	b = b[n:]
	n = protowire.ConsumeFieldValue(field, kind, b)
	if n < 0 {
		return 0, 0, nil, nil, false
	}
	value, rest = b[:n], b[n:]
	if kind == protowire.BytesType {
		value, _ = protowire.ConsumeBytes(value)
	}
	return field, kind, value, rest, true
}

// A protoReader reads the keys of a body.
type protoReader struct {
	speller
	countries [][]byte // of the key being read
}

// key reads a key. Of a field that comes twice the last counts.
func (r *protoReader) key(message []byte) (k DiagnosisKey, why *keys.Rejection) {
	r.countries = r.countries[:0]
	for len(message) > 0 {
		field, kind, value, rest, ok := consume(message)
		if !ok {
			return k, malformed(keys.FieldKeyData, "not protobuf")
		}
		message = rest
		switch kind {
		case protowire.BytesType:
			why = r.text(&k, field, value)
		case protowire.VarintType:
			n, _ := protowire.ConsumeVarint(value)
			k.setVarint(field, n)
		}
		if why != nil {
			return k, why
		}
	}
	k.VisitedCountries = r.spellAll(r.countries)
	return k, nil
}

func (r *protoReader) text(k *DiagnosisKey, field protowire.Number, value []byte) *keys.Rejection {
	switch field {
	case fieldKeyData:
		k.KeyData = value[:len(value):len(value)]
	case fieldVisitedCountries:
		if !utf8.Valid(value) {
			return malformed(keys.FieldVisitedCountries, "not UTF-8")
		}
		if len(r.countries) == keys.MaxRegions {
			return &keys.Rejection{Field: keys.FieldVisitedCountries, Reason: keys.ReasonTooMany}
		}
		r.countries = append(r.countries, value)
	case fieldOrigin:
		if !utf8.Valid(value) {
			return malformed(keys.FieldOrigin, "not UTF-8")
		}
		k.Origin = r.spell(value)
	}
	return nil
}

// setVarint sets a field to a number, of which 32 bits count.
func (k *DiagnosisKey) setVarint(field protowire.Number, n uint64) {
	switch field {
	case fieldRollingStart:
		k.RollingStartIntervalNumber = uint32(n)
	case fieldRollingPeriod:
		k.RollingPeriod = uint32(n)
	case fieldTransmissionRiskLevel:
		k.TransmissionRiskLevel = int32(n)
	case fieldReportType:
		k.ReportType = int32(n)
	case fieldDaysSinceOnset:
		k.DaysSinceOnsetOfSymptoms = int32(protowire.DecodeZigZag(n & 0xffffffff))
	}
}
