package efgs

import (
	"errors"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// What a key is set aside for beside the reasons of package keys: an upload whose
// signature could not be verified, wholly.
const (
	FieldSignature   keys.Field  = "batch_signature"
	ReasonUnverified keys.Reason = "unverified"
)

func malformed(field keys.Field, detail string) *keys.Rejection {
	return &keys.Rejection{Field: field, Reason: keys.ReasonMalformed, Detail: detail}
}

// asOf returns an error of package keys as one of this field.
func asOf(field keys.Field, err error) error {
	r, ok := errors.AsType[*keys.Rejection](err)
	if !ok {
		return err
	}
	return &keys.Rejection{Field: field, Reason: r.Reason, Detail: r.Detail}
}

// setAside returns what is kept of a key that is not taken: its identity, if it has
// one, and why.
func setAside(k *keys.DiagnosisKey, err error) ledger.SetAside {
	why, ok := errors.AsType[*keys.Rejection](err)
	if !ok {
		why = malformed(keys.FieldKeyData, "")
	}
	a := ledger.SetAside{Field: why.Field, Reason: why.Reason, Detail: why.Detail}
	if !k.Origin.IsZero() && !k.KeyData.IsZero() {
		a.ID = ledger.IDOf(k)
	}
	return a
}
