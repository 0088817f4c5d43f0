package federationtest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/gaenkit/gaen/keys"
)

// distorted returns a page that is wrong in one way.
func distorted(v Verdict, a *reply) *reply {
	var page struct {
		BatchTag  string            `json:"batchTag"`
		Exposures []json.RawMessage `json:"exposures"`
	}
	if err := json.Unmarshal(a.body, &page); err != nil {
		return a
	}
	b := &reply{status: http.StatusOK}
	switch v {
	case NullExposures:
		b.body = pageBody(page.BatchTag, nil)
	case NoExposures:
		b.body = marshal(map[string]any{"batchTag": page.BatchTag})
	case NoTag:
		b.body = marshal(map[string]any{"exposures": page.Exposures})
	case LongTag:
		b.body = pageBody(strings.Repeat("t", 1<<20), page.Exposures)
	case Odd:
		b.body = pageBody(page.BatchTag, interleaved(page.Exposures, oddExposures(strangeKey())))
	default:
		return a
	}
	return b
}

// strangeKey returns an exposure that nobody has uploaded.
func strangeKey() exposure {
	var data [keys.KeyDataSize]byte
	rand.Read(data[:])
	return exposure{KeyData: base64.StdEncoding.EncodeToString(data[:]), RollingStartNumber: 2655792, RollingPeriod: 144,
		Origin: "ZZ", Regions: []string{"ZZ"}, TestType: 1, ReportType: 1}
}

// interleaved puts odd exposures before, between and after good ones.
func interleaved(good, odd []json.RawMessage) []json.RawMessage {
	mixed := make([]json.RawMessage, 0, len(good)+len(odd))
	for i := range max(len(good), len(odd)) {
		if i < len(odd) {
			mixed = append(mixed, odd[i])
		}
		if i < len(good) {
			mixed = append(mixed, good[i])
		}
	}
	return mixed
}
