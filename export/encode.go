package export

import (
	"bytes"
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
	content *Content
	region  string // of the content; empty where WriteOptions.NoRegion says so
	infos   []SignatureInfo
	order   *order // the content's keys
}

const (
	encodeBuffer = 32 << 10
	recordRoom   = 64 // of the keys we write: at most 37 bytes with tag and length, 48 if nobody checked them
	dataAt       = 4  // where key data is in a record: after its own tag and length, and the record's
)

// preamble returns what is before the keys.
func (m *message) preamble() []byte {
	b := bytes.Clone(m.header)
	b = appendTimestamp(b, fieldStartTimestamp, m.content.Start)
	b = appendTimestamp(b, fieldEndTimestamp, m.content.End)
	if m.region != "" {
		b = appendString(b, fieldRegion, m.region)
	}
	b = appendInt(b, fieldBatchNum, batchNumber)
	b = appendInt(b, fieldBatchSize, batchNumber)
	for _, info := range m.infos {
		b = appendString(b, fieldSignatureInfos, string(info.append(nil)))
	}
	return b
}

// encode writes export.bin, header included. The bytes are exactly those of
// google.golang.org/protobuf's deterministic Marshal of the generated message,
// made without the message, through one buffer: all records of a group are one
// record with other key data in it.
func (m *message) encode(w io.Writer) error {
	if _, err := w.Write(m.preamble()); err != nil {
		return err
	}
	b, n := make([]byte, encodeBuffer), 0
	data := m.order.data
	for i := range m.order.groups {
		g := &m.order.groups[i]
		r := g.record()
		for _, k := range data[:g.count] {
			if n > len(b)-recordRoom {
				if _, err := w.Write(b[:n]); err != nil {
					return err
				}
				n = 0
			}
			*(*[recordRoom]byte)(b[n:]) = r.bytes // and what is behind it is overwritten
			*(*keys.KeyData)(b[n+dataAt:]) = k
			n += r.size
		}
		data = data[g.count:]
	}
	_, err := w.Write(b[:n])
	return err
}

// A record is what a key is in export.bin, with tag and length.
type record struct {
	bytes [recordRoom]byte
	size  int
}

// record returns what all records of the group are but for their key data.
func (g *group) record() record {
	var r record
	r.size = len(appendKey(r.bytes[:0], g.list, &g.key))
	return r
}

// head is what is before the key data, tail what is after it.
func (r *record) head() []byte { return r.bytes[:dataAt] }
func (r *record) tail() []byte { return r.bytes[dataAt+keys.KeyDataSize : r.size] }

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
