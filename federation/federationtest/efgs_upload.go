package federationtest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/gaenkit/gaen/internal/efgspb"
)

// upload checks in the gateway's order, and stores all or nothing.
func (s *EFGSServer) upload(in *efgsIncoming) *efgsReply {
	if in.Method != http.MethodPost {
		return efgsMessage(http.StatusMethodNotAllowed, "method")
	}
	asJSON, status := efgsFormat(in.http.Header.Get("Content-Type"), 400, 400, 406)
	if status != 0 {
		return efgsMessage(status, "Content-Type")
	}
	batch := &efgspb.DiagnosisKeyBatch{}
	unmarshal := proto.Unmarshal
	if asJSON {
		unmarshal = protojson.Unmarshal
	}
	if err := unmarshal(in.body, batch); err != nil {
		return efgsMessage(http.StatusBadRequest, "body")
	}
	list := batch.GetKeys()
	now := s.opts.Clock().UTC()
	for _, k := range list {
		if !s.valid(k, now) {
			return efgsMessage(http.StatusBadRequest, "invalid key")
		}
	}
	country, tag, signature := s.nations[in.nation].Country, in.http.Header.Get(headerBatchTag), in.http.Header.Get(headerSignature)
	switch {
	case tag == "":
		return efgsMessage(http.StatusBadRequest, "no batchTag")
	case len(list) > s.opts.MaxKeys:
		return efgsMessage(http.StatusRequestEntityTooLarge, "Payload to large")
	case slices.ContainsFunc(s.uploads, func(u *efgsUpload) bool { return u.tag == tag }):
		return efgsMessage(http.StatusConflict, "batchTag exists")
	case s.opts.Verify(country, efgsContent(list), signature) != nil:
		return efgsMessage(http.StatusBadRequest, "Invalid signature")
	case slices.ContainsFunc(list, func(k *efgspb.DiagnosisKey) bool { return k.GetOrigin() != country }):
		return efgsMessage(http.StatusBadRequest, "origin")
	}
	return s.insert(&efgsUpload{nation: in.nation, tag: tag, signature: signature, created: now, keys: list})
}

// valid is the gateway's validation.
func (s *EFGSServer) valid(k *efgspb.DiagnosisKey, now time.Time) bool {
	oldest := now.Truncate(24*time.Hour).Add(-s.opts.KeyAge).Unix() / 600
	newest := now.Unix()/600 + 1
	start, risk := int64(k.GetRollingStartIntervalNumber()), k.GetTransmissionRiskLevel()
	return len(k.GetKeyData()) == 16 && oldest <= start && start <= newest &&
		1 <= k.GetRollingPeriod() && k.GetRollingPeriod() <= 144 &&
		(0 <= risk && risk <= 8 || risk == 0x7fffffff) && (s.refuses == nil || !s.refuses(k))
}

// insert stores an upload in one transaction, key by key.
func (s *EFGSServer) insert(u *efgsUpload) *efgsReply {
	result := map[string][]int{"201": {}, "409": {}, "500": {}}
	added := map[[32]byte]bool{}
	for i, k := range u.keys {
		digest := sha256.Sum256([]byte(efgsText(k)))
		switch {
		case s.digests[digest] || added[digest]:
			result["409"] = append(result["409"], i)
		case s.fails != nil && s.fails(k):
			result["500"] = append(result["500"], i)
		default:
			result["201"] = append(result["201"], i)
			added[digest] = true
		}
	}
	if len(result["201"]) < len(u.keys) { // rolled back
		return &efgsReply{status: http.StatusMultiStatus, header: http.Header{"Content-Type": {"application/json"}}, body: marshal(result)}
	}
	for digest := range added {
		s.digests[digest] = true
	}
	s.uploads = append(s.uploads, u)
	return &efgsReply{status: http.StatusCreated, header: http.Header{headerBatchTag: {u.tag}}}
}

// efgsText returns what is signed of a key.
func efgsText(k *efgspb.DiagnosisKey) string {
	number := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	var text strings.Builder
	for _, field := range [][]byte{
		k.GetKeyData(), number(k.GetRollingStartIntervalNumber()), number(k.GetRollingPeriod()), number(uint32(k.GetTransmissionRiskLevel())),
		[]byte(strings.Join(k.GetVisitedCountries(), ",")), []byte(k.GetOrigin()), number(uint32(k.GetReportType())), number(uint32(k.GetDaysSinceOnsetOfSymptoms())),
	} {
		text.WriteString(base64.StdEncoding.EncodeToString(field) + ".")
	}
	return text.String()
}

// efgsContent returns what is signed of an upload: the texts, by the base64 of each.
func efgsContent(list []*efgspb.DiagnosisKey) []byte {
	var encoded []string
	for _, k := range list {
		encoded = append(encoded, base64.StdEncoding.EncodeToString([]byte(efgsText(k))))
	}
	slices.Sort(encoded)
	var content []byte
	for _, text := range encoded {
		content, _ = base64.StdEncoding.AppendDecode(content, []byte(text)) // it is what was encoded
	}
	return content
}
