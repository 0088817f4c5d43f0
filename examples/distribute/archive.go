package main

import (
	"context"
	"encoding/hex"
	"errors"
	"iter"
	"os"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage/ledger"
)

// archive reads a published archive, whose keys are a partner's. It is verified
// if there is anybody to be trusted.
func (r *reader) archive(ctx context.Context, f *os.File, _ *place) error {
	info, err := f.Stat()
	if err != nil {
		return bad("%v", err)
	}
	a, err := export.Open(f, info.Size(), &export.ReadOptions{Hold: true})
	if err != nil {
		return bad("%v", err)
	}
	payload, err := r.payload(a)
	if err != nil {
		return bad("%v", err)
	}
	origin, err := r.originOf(a)
	if err != nil {
		return bad("region: %v", err)
	}
	digest := a.Info().SHA256
	p := &archivePart{reader: r, origin: origin, id: "archive-" + hex.EncodeToString(digest[:])}
	if err := p.read(ctx, payload.Keys()); err != nil {
		return err
	}
	if err := p.read(ctx, payload.RevisedKeys()); err != nil {
		return err
	}
	return p.send(ctx)
}

// payload returns the keys of an archive, verified if -trust names keys.
func (r *reader) payload(a *export.Archive) (export.Payload, error) {
	if r.trust.Len() == 0 {
		r.summary.unverified++
		return a.Unverified(), nil
	}
	var ids []signing.Identity
	for _, s := range a.Signatures() {
		ids = append(ids, s.Info.Identity)
	}
	trusted, err := r.trust.List(ids...)
	if err != nil {
		return export.Payload{}, err
	}
	verified, err := a.Verify(trusted, nil)
	if err != nil {
		return export.Payload{}, err
	}
	return verified.Payload, nil
}

func (r *reader) originOf(a *export.Archive) (keys.Region, error) {
	region := a.Header().Region
	if region == "" && !r.config.Input.ArchiveOrigin.IsZero() {
		return r.config.Input.ArchiveOrigin, nil
	}
	if region == "" {
		return keys.Region{}, errors.New("the archive names none, and input.archiveOrigin is not set")
	}
	return keys.ParseRegion(region)
}

// archivePart is the part of an archive that is handed over next.
type archivePart struct {
	reader *reader
	origin keys.Region
	id     string
	upload *upload
}

// read hands over keys, a part at a time.
func (p *archivePart) read(ctx context.Context, all iter.Seq2[keys.TemporaryExposureKey, error]) error {
	for k, err := range all {
		if p.upload == nil {
			p.upload = &upload{source: p.reader.config.Input.PartnerSource, id: p.id, part: true}
		}
		switch {
		case errors.Is(err, export.KindKey):
			p.upload.reject(p.origin, rejection(err))
		case err != nil:
			return bad("%v", err)
		default:
			p.take(k)
		}
		if p.upload.size() >= maxDelivery {
			if err := p.send(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// take takes one key. REVOKED is no key but a withdrawal.
func (p *archivePart) take(k keys.TemporaryExposureKey) {
	d := keys.DiagnosisKey{TemporaryExposureKey: k, Origin: p.origin}
	if k.ReportType == keys.Some(keys.ReportRevoked) {
		p.upload.withdrawals = append(p.upload.withdrawals, ledger.IDOf(&d))
		return
	}
	p.upload.keys = append(p.upload.keys, d)
}

func (p *archivePart) send(ctx context.Context) error {
	u := p.upload
	p.upload = nil
	if u == nil {
		return nil
	}
	return p.reader.intake.add(ctx, u)
}

// rejection returns what is wrong with a key of an archive.
func rejection(err error) *keys.Rejection {
	if r, ok := errors.AsType[*keys.Rejection](err); ok {
		return r
	}
	return &keys.Rejection{Field: keys.FieldKeyData, Reason: keys.ReasonMalformed}
}
