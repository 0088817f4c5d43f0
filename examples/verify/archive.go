package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/export/exporttest"
	"github.com/gaenkit/gaen/signing"
)

// archiveReport is what was found out about one archive.
type archiveReport struct {
	Archive     string    `json:"archive"`
	Verified    bool      `json:"verified"` // and nothing is wrong with it
	SignedBy    []string  `json:"signedBy"` // trusted keys whose signatures verify
	Region      string    `json:"region"`
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
	Keys        int       `json:"keys"`
	RevisedKeys int       `json:"revisedKeys"`
	Bytes       int64     `json:"bytes"`
	SHA256      string    `json:"sha256"` // of export.bin
	Findings    []finding `json:"findings"`

	TooOld bool `json:"tooOld"`
	opened bool
	strict bool
}

type finding struct {
	Severity string `json:"severity"` // "refused" or "misread" by phones, or "odd"
	Name     string `json:"name"`
	Detail   string `json:"detail"`
}

// checkArchive checks one archive. The error is for what cannot be read at all.
func (o *options) checkArchive(trust *deploy.Trust) (report, error) {
	content, err := readArchive(o.path)
	if err != nil {
		return nil, err
	}
	r := &archiveReport{Archive: o.path, strict: o.strict, Findings: []finding{}, SignedBy: []string{}}
	options := export.ReadOptions{Format: o.config.Format()}
	var trusted *signing.TrustList
	if a, err := export.Open(bytes.NewReader(content), int64(len(content)), &options); err == nil {
		if trusted, err = trust.List(namedIn(a)...); err != nil {
			return nil, fmt.Errorf("-key: %w", err)
		}
		r.describe(a, trusted)
		r.TooOld = o.maxAge > 0 && o.now.Sub(r.End) > o.maxAge
	}
	for _, f := range exporttest.Check(content, &exporttest.CheckOptions{ReadOptions: options, Trusted: trusted}) {
		r.Findings = append(r.Findings, finding{string(f.Severity), f.Name, f.Detail})
	}
	r.Verified = len(r.SignedBy) > 0 && !slices.ContainsFunc(r.Findings, r.wrong)
	return r, nil
}

// readArchive reads a file that is no larger than what the library reads.
func readArchive(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, export.MaxArchiveSize+1))
	if err != nil {
		return nil, err
	}
	return content, nil // if it is larger, Check says so
}

// namedIn returns the keys that an archive says it is signed with.
func namedIn(a *export.Archive) (ids []signing.Identity) {
	for _, s := range a.Signatures() {
		ids = append(ids, s.Info.Identity)
	}
	return ids
}

func (r *archiveReport) describe(a *export.Archive, trusted *signing.TrustList) {
	h, info := a.Header(), a.Info()
	r.opened = true
	r.Region, r.Start, r.End = h.Region, h.Start, h.End
	r.Keys, r.RevisedKeys = info.Keys, info.RevisedKeys
	r.Bytes, r.SHA256 = info.Size, hex.EncodeToString(info.SHA256[:])
	if v, err := a.Verify(trusted, nil); err == nil {
		for _, id := range v.SignedBy {
			r.SignedBy = append(r.SignedBy, id.String())
		}
	}
}

// wrong reports whether a finding keeps an archive from being taken for good.
func (r *archiveReport) wrong(f finding) bool {
	return r.strict || f.Severity != string(exporttest.Odd)
}

func (r *archiveReport) status() int {
	switch {
	case !r.Verified:
		return exitWrong
	case r.TooOld:
		return exitTooOld
	}
	return exitVerified
}

func (r *archiveReport) text(w io.Writer) {
	if r.opened {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintf(t, "archive\t%s, %d bytes\n", r.Archive, r.Bytes)
		fmt.Fprintf(t, "covers\t%q, %s to %s\n", r.Region, deploy.Shown(r.Start), deploy.Shown(r.End))
		fmt.Fprintf(t, "holds\t%d keys, %d revised ones\n", r.Keys, r.RevisedKeys)
		fmt.Fprintf(t, "export.bin\tSHA-256 %s\n", r.SHA256)
		if len(r.SignedBy) > 0 {
			fmt.Fprintf(t, "signed by\t%s\n", strings.Join(r.SignedBy, ", "))
		}
		t.Flush()
	}
	for _, f := range r.Findings {
		fmt.Fprintf(w, "%s: %s: %s\n", f.Severity, f.Name, f.Detail)
	}
	switch r.status() {
	case exitVerified:
		fmt.Fprintln(w, "verified")
	case exitTooOld:
		fmt.Fprintln(w, "verified, but too old")
	default:
		fmt.Fprintln(w, "NOT verified")
	}
}
