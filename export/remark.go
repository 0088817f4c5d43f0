package export

import (
	"fmt"
	"slices"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"google.golang.org/protobuf/encoding/protowire"
)

// RemarkName says what a [Remark] is about. Names are stable.
type RemarkName string

const (
	RemarkKeys           RemarkName = "keys"            // keys that no archive may have
	RemarkOrder          RemarkName = "order"           // keys in an order that may be that of their arrival
	RemarkUntyped        RemarkName = "untyped"         // revised keys that do not say what they are now
	RemarkBounds         RemarkName = "bounds"          // start or end missing, or in the wrong order
	RemarkRegion         RemarkName = "region"          // none, or no text
	RemarkBatch          RemarkName = "batch"           // not 1 of 1
	RemarkSize           RemarkName = "size"            // larger than phones take
	RemarkEntries        RemarkName = "entries"         // more in the zip file than phones look for
	RemarkSignatureCount RemarkName = "signature-count" // not as many signatures as signature infos, or too many
	RemarkSignatureInfo  RemarkName = "signature-info"  // export.bin and export.sig do not say the same
	RemarkIdentity       RemarkName = "identity"        // a key id or version that is not of the format's form
	RemarkAlgorithm      RemarkName = "algorithm"       // not the OID
	RemarkEncoding       RemarkName = "encoding"        // a signature that is no ASN.1 DER
	RemarkOtherSignature RemarkName = "other-signature" // beside a good one, a bad one in the name of a trusted key
	RemarkValidity       RemarkName = "validity"        // signed by a key that was not valid then
)

// Remark is something odd about an archive that can be read nevertheless, though
// perhaps not by phones.
type Remark struct {
	Name   RemarkName
	Detail string // a sentence; never with key data in it
}

// Remarks returns what is odd about the archive, before anything is known of its
// signatures; [Verified] has those about them.
func (a *Archive) Remarks() []Remark { return slices.Clone(a.remarks) }

// remarker collects remarks.
type remarker []Remark

func (r *remarker) add(name RemarkName, format string, args ...any) {
	*r = append(*r, Remark{name, fmt.Sprintf(format, args...)})
}

// survey is what the first walk finds out about the keys.
type survey struct {
	*walk
	held     *held // nil if they are not to be, or cannot
	lists    [2]listSurvey
	rejected int
	first    error // of those rejected
	untyped  int   // revised keys without a report type
}

// listSurvey follows the order of a list. Two orders say nothing of who
// submitted what: the canonical one, and that of the key data alone.
type listSurvey struct {
	n                       int
	last                    keys.TemporaryExposureKey
	notCanonical, notByData bool
}

func (s *survey) visit(list protowire.Number, index int, k *keys.TemporaryExposureKey, rejection error) bool {
	if rejection != nil {
		if s.rejected++; s.first == nil {
			s.first = rejectedKey(list, index, rejection)
		}
		s.held = nil // it has no place for rejections
		return true
	}
	if s.held != nil {
		s.held.add(list, index, k)
	}
	if list == fieldRevisedKeys && !k.ReportType.Present() {
		s.untyped++
	}
	s.lists[list-fieldKeys].follow(k)
	return true
}

func (l *listSurvey) follow(k *keys.TemporaryExposureKey) {
	if l.n > 0 {
		byData := compareData(&l.last, k)
		l.notByData = l.notByData || byData > 0
		if !l.notCanonical && (byData > 0 || !sameMetadata(&l.last, k)) {
			l.notCanonical = l.last.Compare(k) > 0
		}
	}
	l.last = *k
	l.n++
}

// sameMetadata reports what [keys.TemporaryExposureKey.CompareMetadata] reports
// by 0, in a fraction of the time.
func sameMetadata(a, b *keys.TemporaryExposureKey) bool {
	return a.RollingStartIntervalNumber == b.RollingStartIntervalNumber &&
		a.RollingPeriod == b.RollingPeriod &&
		a.TransmissionRiskLevel == b.TransmissionRiskLevel &&
		a.ReportType == b.ReportType &&
		a.VariantOfConcern == b.VariantOfConcern &&
		a.DaysSinceOnsetOfSymptoms == b.DaysSinceOnsetOfSymptoms
}

// remarks returns what is odd about export.bin.
func (s *survey) remarks() []Remark {
	var r remarker
	if s.rejected > 0 {
		r.add(RemarkKeys, "%d of %d keys cannot be; the first: %v", s.rejected, s.count[0]+s.count[1], s.first)
	}
	for i, l := range s.lists {
		if l.notCanonical && l.notByData {
			r.add(RemarkOrder, "%s are in no order that says nothing of their arrival", listNames[fieldKeys+protowire.Number(i)])
		}
	}
	if s.untyped > 0 {
		r.add(RemarkUntyped, "%d revised keys do not say what they are now", s.untyped)
	}
	if n := s.count[0] + s.count[1]; n > MaxKeys {
		r.add(RemarkSize, "%d keys; phones take %d", n, MaxKeys)
	}
	s.remarkHeader(&r)
	return r
}

func (s *survey) remarkHeader(r *remarker) {
	h := &s.header
	switch {
	case h.Start.IsZero() || h.End.IsZero():
		r.add(RemarkBounds, "no start or no end; phones tell files apart by them")
	case !h.Start.Before(h.End):
		r.add(RemarkBounds, "the end, %s, is not after the start, %s", h.End, h.Start)
	case s.late:
		r.add(RemarkBounds, "a time after the year 9999")
	}
	if h.Region == "" || !printable(h.Region, maxRegion) {
		r.add(RemarkRegion, "%.80q is not 1 to %d printable characters", h.Region, maxRegion)
	}
	if h.BatchNum != batchNumber || h.BatchSize != batchNumber {
		r.add(RemarkBatch, "number %d of %d; iOS takes only 1 of 1", h.BatchNum, h.BatchSize)
	}
	for i := range h.SignatureInfos {
		h.SignatureInfos[i].remark(r, fmt.Sprintf("signature_infos[%d]", i))
	}
}

func (info *SignatureInfo) remark(r *remarker, subject string) {
	if err := info.Identity.Check(); err != nil {
		r.add(RemarkIdentity, "%s: %.160s", subject, err)
	}
	if info.Algorithm != signing.AlgorithmECDSAWithSHA256 {
		r.add(RemarkAlgorithm, "%s: %.80q is not %s", subject, info.Algorithm, signing.AlgorithmECDSAWithSHA256)
	}
}

// archiveRemarks returns what is odd about what is around export.bin.
func (a *Archive) archiveRemarks(otherEntries int) []Remark {
	var r remarker
	if otherEntries > 0 {
		r.add(RemarkEntries, "%d entries besides %s and %s", otherEntries, a.opts.BinName, a.opts.SigName)
	}
	if a.info.Size > MaxPhoneArchive {
		r.add(RemarkSize, "%d bytes; phones take %d", a.info.Size, MaxPhoneArchive)
	}
	infos, signatures := a.header.SignatureInfos, a.signatures
	if len(infos) != len(signatures) || len(signatures) == 0 || len(signatures) > signing.MaxSigners {
		r.add(RemarkSignatureCount, "%d signatures and %d signature infos; phones want as many of one as of the other, 1 to %d",
			len(signatures), len(infos), signing.MaxSigners)
	}
	for i := range signatures {
		a.remarkSignature(&r, i)
	}
	return r
}

func (a *Archive) remarkSignature(r *remarker, i int) {
	s, subject := &a.signatures[i], fmt.Sprintf("signatures[%d]", i)
	s.Info.remark(r, subject)
	if why := notDER(s.DER); why != "" {
		r.add(RemarkEncoding, "%s: %s", subject, why)
	}
	if s.BatchNum != a.header.BatchNum || s.BatchSize != a.header.BatchSize {
		r.add(RemarkSignatureInfo, "%s: number %d of %d, where export.bin says %d of %d",
			subject, s.BatchNum, s.BatchSize, a.header.BatchNum, a.header.BatchSize)
	}
	if len(a.header.SignatureInfos) > 0 && !slices.ContainsFunc(a.header.SignatureInfos, s.sameKey) {
		r.add(RemarkSignatureInfo, "%s: export.bin does not name the key %.80q", subject, s.Info.Identity.String())
	}
}

func (s *Signature) sameKey(info SignatureInfo) bool { return info.Identity == s.Info.Identity }
