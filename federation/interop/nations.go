package interop

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/signing/jws"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Nations is what a [Server] needs to know of who calls it: a table, a database, a
// file that is reloaded. [Directory] is one. Methods may be called from several
// goroutines at once.
type Nations interface {
	// Member must return whom the id in a token stands for. If there is none, the
	// error must satisfy errors.Is(err, [ErrUnknownNation]); any other means that it
	// could not be found out. What is returned must not be changed afterwards.
	Member(ctx context.Context, id string) (*Member, error)
}

// ErrUnknownNation: no nation has this id.
var ErrUnknownNation = errors.New("interop: no such nation")

// A Member is a nation with what it may do. The zero Member may do nothing.
type Member struct {
	federation.Nation

	// Verifier has the keys that the nation signs its uploads with, several during
	// a rotation. Without one the nation may not upload.
	Verifier *jws.Verifier

	// Downloads is the right to download.
	Downloads bool

	// Extended has the nation handed out the extended form, which only clients of
	// this package read: others give up a page over a field that is not there.
	Extended bool
}

// check returns an error that names the field.
func (m *Member) check() error {
	switch {
	case m.Name == ledger.Own || m.Name == ledger.Operator:
		return fmt.Errorf("Member.Name: %q is not the name of a nation", m.Name)
	case m.Region.IsZero() && m.Relays.IsEmpty():
		return errors.New("Member.Region is zero, and Relays empty: no key could be of it")
	case m.Verifier == nil && !m.Downloads:
		return errors.New("Member.Verifier is nil, and Downloads not set: it may do nothing")
	}
	if err := m.Name.Check(); err != nil {
		return fmt.Errorf("Member.Name: %w", err)
	}
	return nil
}

// A Directory is a table of nations. It may be replaced as a whole while the
// server runs, which is how a nation's keys are rotated.
type Directory struct {
	members atomic.Pointer[map[string]*Member]
}

var _ Nations = (*Directory)(nil)

// NewDirectory returns the directory of these nations, by the ids in their tokens.
// The error names the nation and the field.
func NewDirectory(members map[string]Member) (*Directory, error) {
	d := &Directory{}
	return d, d.Replace(members)
}

// Replace puts other nations in the place of those that are there, or none if there
// is an error. Requests that have begun are finished with the old ones.
func (d *Directory) Replace(members map[string]Member) error {
	table := make(map[string]*Member, len(members))
	idOf := make(map[ledger.Source]string, len(members))
	for _, id := range slices.Sorted(maps.Keys(members)) {
		m := members[id]
		if err := m.check(); err != nil {
			return fmt.Errorf("interop: nation %q: %w", id, err)
		}
		if other, ok := idOf[m.Name]; ok {
			return fmt.Errorf("interop: nation %q: Member.Name: %q is that of %q, too", id, m.Name, other)
		}
		table[id], idOf[m.Name] = &m, id
	}
	d.members.Store(&table)
	return nil
}

// Member implements [Nations].
func (d *Directory) Member(_ context.Context, id string) (*Member, error) {
	if table := d.members.Load(); table != nil {
		if m, ok := (*table)[id]; ok {
			return m, nil
		}
	}
	return nil, ErrUnknownNation
}
