package cms

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// MaxListText is the size of the largest list of certificates that is read. An
// entry has about 2,500 bytes.
const MaxListText = 8 << 20

// listFile is the form of a list in a file.
type listFile struct {
	Certificates []Entry `json:"certificates"`
}

// ParseList reads entries as JSON:
//
//	{"certificates": [{
//	    "use": "signing",
//	    "country": "DE",
//	    "certificate": "-----BEGIN CERTIFICATE-----\n…",
//	    "anchorSignature": "MEUCIQ…",
//	    "revoked": false
//	}]}
//
// The fields are those of [Entry]; others are an error. Where anchor is not nil,
// it must have signed every certificate.
func ParseList(text []byte, anchor *x509.Certificate) ([]Entry, error) {
	if len(text) > MaxListText {
		return nil, fail(ReasonTooLarge, "list", "%d bytes, at most %d", len(text), MaxListText)
	}
	var file listFile
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return nil, asError(ReasonMalformed, "list", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fail(ReasonMalformed, "list", "something behind it")
	}
	if file.Certificates == nil { // an empty list is written as one
		return nil, fail(ReasonMalformed, "list", "no certificates in it")
	}
	for i := range file.Certificates {
		subject := fmt.Sprintf("entries[%d]", i)
		e, err := file.Certificates[i].checked(subject)
		if err != nil {
			return nil, err
		}
		if anchor != nil {
			if err := e.checkAnchor(subject, anchor); err != nil {
				return nil, err
			}
		}
		file.Certificates[i] = e
	}
	return file.Certificates, nil
}

// MarshalList returns entries as [ParseList] reads them.
func MarshalList(entries []Entry) ([]byte, error) {
	if entries == nil {
		entries = []Entry{}
	}
	text, err := json.MarshalIndent(listFile{Certificates: entries}, "", "  ")
	if err != nil {
		return nil, &Error{Reason: ReasonOptions, Subject: "entries", Err: err}
	}
	return append(text, '\n'), nil
}

// Load puts the entries of a file, as [ParseList] reads it, in the place of all
// that were there. If it cannot be read or is not right, nothing changes: a
// server that runs goes on with what it had.
func (l *AllowList) Load(path string, anchor *x509.Certificate) error {
	f, err := os.Open(path)
	if err != nil {
		return &Error{Reason: ReasonUnavailable, Subject: "list", Err: err}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxListText+1))
	if err != nil {
		return &Error{Reason: ReasonUnavailable, Subject: "list", Err: err}
	}
	entries, err := ParseList(text, anchor)
	if err != nil {
		return err
	}
	return l.Replace(entries...)
}
