package federation

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A Place is where a reader of a server's pages stands: after the page with a
// tag, or, without one, before the first page of a day. Tags are the server's and
// opaque; they are kept as they came, up to [MaxTag] bytes.
type Place struct {
	Day Day    `json:"day"`
	Tag string `json:"tag,omitempty"`
}

// MaxTag is the length of the longest tag in bytes. A longer one is no tag.
const MaxTag = 1024

// A Downloader is what [Pull] needs of a protocol's client.
type Downloader interface {
	// Download must return the page that follows a place, or nil if there is none
	// yet. Keys that cannot be read must be in [Page.Unreadable], with their
	// neighbours in [Page.Keys]; only a page that cannot be read at all is an
	// error. The error must be of a class of this package's, and without key data
	// or secrets. A page that can be read, and for which it cannot vouch yet, must
	// be in a [*DoubtError]. Download must not keep the page.
	Download(ctx context.Context, at Place) (*Page, error)
}

// A Page is what a server hands out at one time: a batch, or part of one.
type Page struct {
	Tag  string // of this page, not empty
	Next Place  // after it

	// Keys are as the server says they are, not yet judged but for their form: any
	// origin, in any order. One whose report type is REVOKED is a withdrawal.
	Keys []keys.DiagnosisKey

	// Unreadable are those that are no keys.
	Unreadable []ledger.SetAside
}

// check returns an error if a page has tags that cannot be kept.
func (p *Page) check() error {
	switch {
	case p.Tag == "" || len(p.Tag) > MaxTag || len(p.Next.Tag) > MaxTag:
		return fmt.Errorf("%w: a page with a tag of %d bytes, want 1 to %d", ErrUnavailable, len(p.Tag), MaxTag)
	case !utf8.ValidString(p.Tag) || !utf8.ValidString(p.Next.Tag):
		return fmt.Errorf("%w: a page with a tag that is no UTF-8", ErrUnavailable) // it would come out of the register as another
	}
	return nil
}

// An Uploader is what [Push] needs of a protocol's client.
type Uploader interface {
	// Upload must send a batch, whole, in the order in which it is. It must return
	// an answer only if the server has stored the batch, or told one by one what
	// keeps it from doing so and stored nothing. The error must be of a class of
	// this package's, and without key data or secrets. Upload must not change the
	// batch nor keep it.
	Upload(ctx context.Context, b *Batch) (*Answer, error)

	// Origins must return the origins that keys may have, on this server, with the
	// credentials of this client. A server that derives the origin from the
	// credentials takes one; one that lets it travel with the key, all.
	Origins() keys.Set[keys.Region]
}

// A Batch is what is sent at one time. Its tag is a function of what it holds and
// of the ledger's log: whoever sends it again sends the same.
type Batch struct {
	Tag  string
	Time time.Time // of the cut that the range ends with

	// Keys are in canonical order. One whose report type is REVOKED is a
	// withdrawal.
	Keys []keys.DiagnosisKey
}

// An Answer says what became of a batch. Without Known and Refused it was stored.
// With any of them nothing was: the gateway's 207 means that (lesson E1), and the
// rest is to be sent again without them.
type Answer struct {
	Known   []int // indices of keys that the server has already
	Refused []int // indices of keys that it will never take

	// Inserted is how many keys the server says are new to it, less than 0 if it
	// does not say. What is missing in it may be known to the server or skipped by
	// it; where a protocol tells which, that is Known and Refused.
	Inserted int
}

// stored reports whether the server has the batch.
func (a *Answer) stored() bool { return len(a.Known) == 0 && len(a.Refused) == 0 }
