package main

import (
	"context"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// upload is what was read of a submission or an archive, or of a part of it.
type upload struct {
	source      ledger.Source
	id          string
	keys        []keys.DiagnosisKey
	withdrawals []ledger.UnitID
	unreadable  []ledger.SetAside
	part        bool // of an archive: what follows with the same id is of the same upload
}

func (u *upload) size() int { return len(u.keys) + len(u.withdrawals) + len(u.unreadable) }

// reject notes a key of the upload that could not even be read.
func (u *upload) reject(origin keys.Region, r *keys.Rejection) {
	u.unreadable = append(u.unreadable, ledger.SetAside{
		Upload: u.id,
		ID:     ledger.UnitID{Origin: origin},
		Field:  r.Field,
		Reason: r.Reason,
		Detail: r.Detail,
	})
}

// maxDelivery is how many keys are stored in one step. A step waits for the
// disk, and what it holds is in memory.
const maxDelivery = 5000

// intake gathers uploads into deliveries to the ledger.
type intake struct {
	ledger  *ledger.Ledger
	summary *summary
	pending map[ledger.Source]*gathered
}

// gathered is the next delivery of one source.
type gathered struct {
	delivery ledger.Delivery
	index    map[string]int // of uploads, by id
	size     int
}

func newIntake(l *ledger.Ledger, s *summary) *intake {
	return &intake{ledger: l, summary: s, pending: map[ledger.Source]*gathered{}}
}

// add takes an upload. The parts of an archive are one. Submissions of one id, such as
// those of files that are called the same, are not: each is stored in a step of its
// own, so that what one may have of keys is not taken from the others.
func (in *intake) add(ctx context.Context, u *upload) error {
	if in.pending[u.source].has(u.id) && !u.part {
		if err := in.accept(ctx, u.source); err != nil {
			return err
		}
	}
	g := in.pending[u.source]
	if g == nil {
		g = &gathered{delivery: ledger.Delivery{Source: u.source}, index: map[string]int{}}
		in.pending[u.source] = g
	}
	g.add(u)
	if g.size < maxDelivery {
		return nil
	}
	return in.accept(ctx, u.source)
}

// has reports whether there are keys of an upload with that id.
func (g *gathered) has(id string) bool {
	if g == nil {
		return false
	}
	_, ok := g.index[id]
	return ok
}

func (g *gathered) add(u *upload) {
	d := &g.delivery
	if len(u.keys) > 0 {
		i, ok := g.index[u.id]
		if !ok {
			i = len(d.Uploads)
			g.index[u.id] = i
			d.Uploads = append(d.Uploads, ledger.Upload{ID: u.id})
		}
		d.Uploads[i].Keys = append(d.Uploads[i].Keys, u.keys...)
	}
	d.Withdrawals = append(d.Withdrawals, u.withdrawals...)
	d.Unreadable = append(d.Unreadable, u.unreadable...)
	g.size += u.size()
}

// flush stores what has been gathered.
func (in *intake) flush(ctx context.Context) error {
	for source := range in.pending {
		if err := in.accept(ctx, source); err != nil {
			return err
		}
	}
	return nil
}

func (in *intake) accept(ctx context.Context, source ledger.Source) error {
	g := in.pending[source]
	delete(in.pending, source)
	if g.size == 0 {
		return nil
	}
	receipt, err := in.ledger.Accept(ctx, &g.delivery)
	if err != nil {
		return fmt.Errorf("storing keys of %s: %w", source, err)
	}
	in.summary.accepted(source, receipt)
	return nil
}

// maxUploadID is the ledger's limit for the name of an upload.
const maxUploadID = 200

// checkID returns why an upload cannot have this name, which may come from
// outside; empty if it can.
func checkID(id string) string {
	switch {
	case id == "":
		return "id: empty"
	case len(id) > maxUploadID:
		return fmt.Sprintf("id: %d bytes, at most %d", len(id), maxUploadID)
	case !utf8.ValidString(id):
		return "id: not UTF-8"
	}
	for _, r := range id {
		if unicode.IsControl(r) {
			return "id: a control character"
		}
	}
	return ""
}
