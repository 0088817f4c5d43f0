package export

import (
	"math"

	"github.com/gaenkit/gaen/keys"
	"google.golang.org/protobuf/encoding/protowire"
)

// rawKey is a TemporaryExposureKey message before anybody asked whether what it
// says can be.
type rawKey struct {
	data                         []byte
	start                        int32
	period                       int32
	risk, report, onset, variant keys.Optional[int32]
}

// parseKey parses a record of keys or revised_keys. The error is a
// [*keys.Rejection] if it is a key that no archive may have, else it is no
// message at all.
//
// Numbers are cut to 32 bits as every implementation of protocol buffers cuts
// them, and fields of another type than theirs are unknown fields.
func parseKey(record []byte) (keys.TemporaryExposureKey, error) {
	raw, err := parseRaw(record)
	if err != nil {
		return keys.TemporaryExposureKey{}, err
	}
	return raw.parse()
}

func parseRaw(record []byte) (rawKey, error) {
	raw := rawKey{period: keys.IntervalsPerDay}
	for len(record) > 0 {
		field, typ, n := consumeTag(record)
		if n < 0 {
			return rawKey{}, errMalformed
		}
		record = record[n:]
		switch typ {
		case protowire.VarintType:
			var v uint64
			v, n = protowire.ConsumeVarint(record)
			raw.setNumber(field, v)
		case protowire.BytesType:
			var v []byte
			v, n = protowire.ConsumeBytes(record)
			if field == fieldKeyData {
				raw.data = v
			}
		default:
			n = protowire.ConsumeFieldValue(field, typ, record)
		}
		if n < 0 {
			return rawKey{}, errMalformed
		}
		record = record[n:]
	}
	return raw, nil
}

func (raw *rawKey) setNumber(field protowire.Number, v uint64) {
	switch field {
	case fieldTransmissionRisk:
		raw.risk = keys.Some(int32(v))
	case fieldRollingStart:
		raw.start = int32(v)
	case fieldRollingPeriod:
		raw.period = int32(v)
	case fieldReportType:
		raw.report = keys.Some(int32(v))
	case fieldDaysSinceOnset:
		raw.onset = keys.Some(int32(protowire.DecodeZigZag(v & math.MaxUint32)))
	case fieldVariantOfConcern:
		raw.variant = keys.Some(int32(v))
	}
}

// parse returns the key, or the [*keys.Rejection] of its first field that cannot
// be.
func (raw *rawKey) parse() (k keys.TemporaryExposureKey, err error) {
	if k.KeyData, err = keys.ParseKeyData(raw.data); err != nil {
		return k, err
	}
	if k.RollingStartIntervalNumber, err = keys.ParseInterval(int64(raw.start)); err != nil {
		return k, err
	}
	if k.RollingPeriod, err = keys.ParseRollingPeriod(int64(raw.period)); err != nil {
		return k, err
	}
	if k.TransmissionRiskLevel, err = optional(raw.risk, parseRisk); err != nil {
		return k, err
	}
	if k.ReportType, err = optional(raw.report, keys.ParseReportType); err != nil {
		return k, err
	}
	if k.DaysSinceOnsetOfSymptoms, err = optional(raw.onset, keys.ParseDaysSinceOnset); err != nil {
		return k, err
	}
	if k.VariantOfConcern, err = optional(raw.variant, keys.ParseVariantOfConcern); err != nil {
		return k, err
	}
	return k, checkKey(&k)
}

func optional[T comparable](raw keys.Optional[int32], parse func(int64) (T, error)) (keys.Optional[T], error) {
	n, ok := raw.Get()
	if !ok {
		return keys.Optional[T]{}, nil
	}
	v, err := parse(int64(n))
	if err != nil {
		return keys.Optional[T]{}, err
	}
	return keys.Some(v), nil
}

// parseRisk parses a level as it is, without the federation's number for none.
func parseRisk(n int64) (keys.TransmissionRiskLevel, error) {
	level, err := keys.ParseTransmissionRiskLevel(n)
	if err == nil && !level.Present() {
		err = &keys.Rejection{Field: keys.FieldTransmissionRisk, Reason: keys.ReasonRange, Detail: "no level, in the words of a federation protocol"}
	}
	return level.Or(0), err
}
