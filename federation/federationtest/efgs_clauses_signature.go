package federationtest

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gaenkit/gaen/internal/efgspb"
)

var gatewaySignatures = []gatewayClause{
	{"signature-checked", "An upload whose signature is missing, is none, or is that of other keys must be answered 400, and nothing of it be stored.", signatureIsChecked},
	{"signature-order", "What is signed must be the keys' strings in the order of the base64 of each: an upload signed so must be taken, and one signed in another order not.", signatureOrder},
	{"signature-body-order", "The order of the keys in the body must be the sender's own, whatever the order of the strings that are signed.", signatureBodyOrder},
	{"signature-of-another", "An upload that another nation has signed must be answered 400.", signatureOfAnother},
	{"signature-unlisted", "An upload signed by a certificate that is not listed for that must be answered 400.", signatureUnlisted},
	{"signature-of-openssl", "A signature that openssl makes must be taken.", signatureOfOpenSSL},
}

// wantUnsigned uploads keys with a signature that is not theirs.
func (x *gatewayExam) wantUnsigned(what string, list []*efgspb.DiagnosisKey, signature string) error {
	u, err := x.upload(0, list)
	if err != nil {
		return err
	}
	u.signature = signature
	return x.wantSent(what, u, http.StatusBadRequest)
}

func signatureIsChecked(x *gatewayExam) (gatewayLater, error) {
	list := x.keys(0, 3)
	good, err := x.sign(x.signers[0], list)
	if err != nil {
		return nil, err
	}
	changed := slices.Clone(list)
	changed[0] = &efgspb.DiagnosisKey{KeyData: list[0].KeyData, RollingStartIntervalNumber: list[0].RollingStartIntervalNumber, RollingPeriod: 143, Origin: list[0].Origin}
	ofChanged, err := x.sign(x.signers[0], changed)
	if err != nil {
		return nil, err
	}
	ofFewer, err := x.sign(x.signers[0], list[:2])
	if err != nil {
		return nil, err
	}
	for _, bad := range []struct{ what, signature string }{
		{"no signature", ""},
		{"no base64", "!!!!"},
		{"something else", "AAAAAAAAAAAAAAAA"},
		{"half a signature", good[:len(good)/2/4*4]},
		{"a signature with another end", good[:len(good)-24] + "AAAAAAAAAAAAAAAAAAAAAAAA"},
		{"the signature of other fields", ofChanged},
		{"the signature of fewer keys", ofFewer},
	} {
		if err := x.wantUnsigned(bad.what, list, bad.signature); err != nil {
			return nil, err
		}
	}
	return wantWithheld(list...), nil
}

func signatureOrder(x *gatewayExam) (gatewayLater, error) {
	list, other := x.keys(0, 20), x.keys(0, 20)
	for string(efgsContent(other)) == otherOrder(other) { // a few sets of keys in a hundred
		other = x.keys(0, 20)
	}
	signature, err := x.signers[0].Sign([]byte(otherOrder(other)), x.opts.Now())
	if err != nil {
		return nil, err
	}
	if err := x.wantUnsigned("a signature in another order", other, signature); err != nil {
		return nil, err
	}
	_, err = x.store(0, list)
	return bothLater(wantGiven(0, list...), wantWithheld(other...)), err
}

// otherOrder returns what would be signed by the base64 of the key data, as the
// design document reads.
func otherOrder(list []*efgspb.DiagnosisKey) string {
	var texts []string
	for _, k := range list {
		texts = append(texts, efgsText(k))
	}
	slices.Sort(texts)
	return strings.Join(texts, "")
}

func signatureBodyOrder(x *gatewayExam) (gatewayLater, error) {
	list := x.keys(0, 10)
	for range 2 {
		if _, err := x.store(0, list); err != nil {
			return nil, err
		}
		list = x.keys(0, 10)
		slices.SortFunc(list, func(a, b *efgspb.DiagnosisKey) int { return bytes.Compare(b.GetKeyData(), a.GetKeyData()) })
	}
	return nil, nil // that each comes out as it went in, batch-whole-uploads looks at
}

func signatureOfAnother(x *gatewayExam) (gatewayLater, error) {
	list := x.keys(0, 2)
	signature, err := x.sign(x.signers[1], list)
	if err != nil {
		return nil, err
	}
	return wantWithheld(list...), x.wantUnsigned("another nation's signature", list, signature)
}

func signatureUnlisted(x *gatewayExam) (gatewayLater, error) {
	list := x.keys(0, 2)
	pairs := []*tls.Certificate{stranger(x.members[0].Country)}
	if !bytes.Equal(x.as(0).Leaf.Raw, x.members[0].Signing.Leaf.Raw) {
		pairs = append(pairs, x.as(0))
	}
	for i, pair := range pairs {
		s, err := signerOf(pair)
		if err != nil {
			return nil, err
		}
		signature, err := x.sign(s, list)
		if err != nil {
			return nil, err
		}
		what := []string{"the signature of an unlisted certificate", "a signature by what authenticates"}[i]
		if err := x.wantUnsigned(what, list, signature); err != nil {
			return nil, err
		}
	}
	return wantWithheld(list...), nil
}

func signatureOfOpenSSL(x *gatewayExam) (gatewayLater, error) {
	list := x.variedKeys(0)
	u, err := x.upload(0, list)
	if err != nil {
		return nil, err
	}
	if u.signature, err = opensslSign(x.ctx, x.members[0].Signing, efgsContent(list)); err != nil {
		return nil, err
	}
	if err := x.wantSent("what openssl has signed", u, http.StatusCreated); err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	return wantGiven(0, list...), nil
}
