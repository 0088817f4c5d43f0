package orders

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// ParseInquiry returns the question where a key has been, from JSON: {"keyData": …}
// as [ParseKeyData] takes it, and "origin" and "rollingStartIntervalNumber" where they
// are known.
func ParseInquiry(text []byte) (in ledger.Inquiry, err error) {
	var f struct {
		KeyData                    string      `json:"keyData"`
		Origin                     keys.Region `json:"origin"`
		RollingStartIntervalNumber int64       `json:"rollingStartIntervalNumber"`
	}
	if err := deploy.Decode(text, &f); err != nil {
		return in, err
	}
	in.Origin = f.Origin
	if in.KeyData, err = ParseKeyData(f.KeyData); err != nil {
		return in, fmt.Errorf("keyData: %w", err)
	}
	if f.RollingStartIntervalNumber != 0 {
		in.RollingStartIntervalNumber, err = keys.ParseInterval(f.RollingStartIntervalNumber)
	}
	return in, err
}

// ParseKeyData reads key data as people have it: 16 bytes in hexadecimal, or in
// base64 of either alphabet, padded or not. The error quotes nothing.
func ParseKeyData(text string) (keys.KeyData, error) {
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString,
		base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString,
		base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	} {
		if b, err := decode(text); err == nil && len(b) == len(keys.KeyData{}) {
			return keys.KeyData(b), nil
		}
	}
	return keys.KeyData{}, fmt.Errorf("%d bytes of text, want 16 bytes in hexadecimal or base64", len(text))
}
