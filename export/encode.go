package export

import (
	"io"
	"time"

	"github.com/gaenkit/gaen/keys"
	"google.golang.org/protobuf/encoding/protowire"
)

// batchNumber is batch_num and batch_size of every archive we write: 1 of 1.
// iOS takes nothing else, and Google's server gave up larger batches because
// clients could not process them (1181, 1209). Several files of one window
// differ in their end instead.
const batchNumber = 1

// message is what export.bin holds.
type message struct {
	header  []byte
	content *Content // in canonical order
	infos   []SignatureInfo
}

const (
	encodeBuffer = 32 << 10
	maxKeyRecord = 64 // of those we write: at most 37 bytes with tag and length
)

// encode writes export.bin, header included. The bytes are exactly those of
// google.golang.org/protobuf's deterministic Marshal of the generated message,
// made without the message: straight from the keys, through one buffer. Writes
// end between records.
func (m *message) encode(w io.Writer) error {
	b := make([]byte, 0, encodeBuffer)
	b = append(b, m.header...)
	b = appendTimestamp(b, fieldStartTimestamp, m.content.Start)
	b = appendTimestamp(b, fieldEndTimestamp, m.content.End)
	if m.content.Region != "" { // left out where WriteOptions.NoRegion says so
		b = appendString(b, fieldRegion, m.content.Region)
	}
	b = appendInt(b, fieldBatchNum, batchNumber)
	b = appendInt(b, fieldBatchSize, batchNumber)
	for _, info := range m.infos {
		b = appendString(b, fieldSignatureInfos, string(info.append(nil)))
	}
	b, err := encodeKeys(w, b, fieldKeys, m.content.Keys)
	if err != nil {
		return err
	}
	b, err = encodeKeys(w, b, fieldRevisedKeys, m.content.RevisedKeys)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// encodeKeys appends the keys to b, which it writes and empties whenever it is
// full, and returns what is left in it.
func encodeKeys(w io.Writer, b []byte, list protowire.Number, all []keys.TemporaryExposureKey) ([]byte, error) {
	for i := range all {
		if cap(b)-len(b) < maxKeyRecord {
			if _, err := w.Write(b); err != nil {
				return nil, err
			}
			b = b[:0]
		}
		b = appendKey(b, list, &all[i])
	}
	return b, nil
}

// appendKey appends a field of the list with k in it.
//
// A period of 144 is left out, as Google's server leaves it out: it is the
// format's default, and all readers that were measured take it so. That makes a
// day's archive 9 % smaller uncompressed and 0.7 % smaller compressed. The start
// is always written: no phone used a key in 1970.
func appendKey(b []byte, list protowire.Number, k *keys.TemporaryExposureKey) []byte {
	b = protowire.AppendTag(b, list, protowire.BytesType)
	b = append(b, 0)
	begin := len(b)
	b = protowire.AppendTag(b, fieldKeyData, protowire.BytesType)
	b = append(b, keys.KeyDataSize)
	b = append(b, k.KeyData[:]...)
	if level, ok := k.TransmissionRiskLevel.Get(); ok {
		b = appendInt(b, fieldTransmissionRisk, uint64(level))
	}
	b = appendInt(b, fieldRollingStart, uint64(k.RollingStartIntervalNumber))
	if k.RollingPeriod != keys.IntervalsPerDay {
		b = appendInt(b, fieldRollingPeriod, uint64(k.RollingPeriod))
	}
	if report, ok := k.ReportType.Get(); ok {
		b = appendInt(b, fieldReportType, uint64(report))
	}
	if days, ok := k.DaysSinceOnsetOfSymptoms.Get(); ok {
		b = appendInt(b, fieldDaysSinceOnset, protowire.EncodeZigZag(int64(days)))
	}
	if variant, ok := k.VariantOfConcern.Get(); ok {
		b = appendInt(b, fieldVariantOfConcern, uint64(variant))
	}
	b[begin-1] = byte(len(b) - begin) // below 128: one byte, whatever is in k
	return b
}

func appendInt(b []byte, field protowire.Number, n uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func appendTimestamp(b []byte, field protowire.Number, t time.Time) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, field, protowire.Fixed64Type), uint64(t.Unix()))
}
